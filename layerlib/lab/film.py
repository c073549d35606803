"""The film of a sliding window or a stamp: one frame for each cell that it makes."""

import functools
import hashlib
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from layerlib.conventions.expect import expect
from layerlib.lab.panel import CELL, GAP, Panel, drawn_cell, drawn_labels, rounded
from layerlib.lab.steps import Step, Steps
from layerlib.lab.terms import Asked, influences

Cells = list[tuple[int, int]]
"""Rows and columns; those outside a tensor are below 0, or too large."""

FRAMES, STRIP = 64, 12  # in a film, and of them on paper
WIDEST = 440  # of a frame, in units of the drawing


def film(
    function: Callable[..., Any],
    input: Tensor,
    *others: Tensor,
    stamps: bool | None = None,
    along: Sequence[int] | None = None,
    axes: str = "",
    names: Sequence[str] = ("input", "output"),
    **options: Any,
) -> Steps:
    """The film of a layer whose window slides over its input, or that stamps.

    A frame for each cell of the output marks the cells of the input that this cell
    reads, and the output as far as it is made. Where the window reaches over the
    border, the cells outside are drawn empty. A film of stamps has a frame for each
    cell of the input, which marks the cells of the output that this cell adds to, and
    the output for the input so far, with 0 for the rest.

    Nothing of that is drawn by hand: which cells are read is found by `influences`.

    Args:
        function: a layer, or what makes one tensor of tensors.
        input: what it slides over: one or two axes, after any of size 1.
        *others: further inputs of the function, such as a weight.
        stamps: whether it stamps; by default, if a cell of the input adds to more cells
            than a cell of the output reads, and `along` is not given.
        along: the axes of the output along which the window slides, all by default.
            Cells along the others belong to one frame, as in ``Unfold``, with -1.
        axes: the names of the drawn axes, as in ``h w -> y x``, the default for two.
        names: what to call the input and the output.
        **options: of the function.

    Raises:
        TypeError: the output is no tensor.
        ValueError: the input or the output has too many axes or no cell; names, axes
            or `along` do not fit them; there are too many frames.

    >>> from layerlib import MaxPool1d
    >>> for said in film(MaxPool1d(3, 2, 1), torch.tensor([[4, 1, 2, 7]])).said():
    ...     print(said)
    output[0] = 4 reads input[0], input[1]; 1 cell lies outside.
    output[1] = 7 reads input[1], input[2], input[3].
    """
    expected = "2 names, of the input and the output"
    expect("film", len(names) == 2, expected, len(names))
    asked = _Asked(function, (input, *others), options, along)
    shown, made = _inner(input), asked.made
    fits = 0 < shown.ndim <= 2 and shown.numel() > 0
    expected = "an input of one or two axes, after any of size 1, and some cells"
    expect("film", fits, expected, input)
    expected = "an output of at most 4 axes, and some cells"
    expect("film", made.ndim <= 4 and made.numel() > 0, expected, asked.output)
    usual = {1: "w -> x", 2: "h w -> y x"}[shown.ndim]
    if along is not None or shown.ndim != made.ndim:
        usual = usual.split("->")[0] + "->"
    panels = _panels(names, axes or usual, shown, made)
    stamping = asked.stamps if stamps is None else stamps
    frames = asked.frames(stamping=stamping)
    told = f"{len(frames)}; use smaller tensors"
    expected = f"a film of at most {FRAMES} frames"
    expect("film", len(frames) <= FRAMES, expected, told)
    windows = asked.windows(stamping=stamping)
    return _Film(*panels, frames, windows, stamping=stamping).steps()


@dataclass
class Frame:
    """What one frame marks, and the output as far as it is made."""

    inputs: list[int]
    outputs: list[int]
    made: dict[int, float]


def _inner(tensor: Tensor) -> Tensor:
    """A tensor without the axes of size 1 that come first."""
    while tensor.ndim > 1 and tensor.shape[0] == 1:
        tensor = tensor[0]
    return tensor


class _Asked:
    """A layer, and what it says of its cells."""

    def __init__(
        self,
        function: Callable[..., Any],
        tensors: Sequence[Tensor],
        options: dict[str, Any],
        along: Sequence[int] | None,
    ) -> None:
        self.function, self.options, self.along = function, options, along
        self.tensors = tensors
        self.output = self._called(tensors[0])
        self.made = _inner(self.output)

    def _called(self, input: Tensor) -> Tensor:
        return Asked(self.function, (input, *self.tensors[1:]), self.options).output

    @functools.cached_property
    def reads(self) -> list[set[int]]:
        """The cells of the input that have an influence on each of the output."""
        # Softly asked, the small cells of a maximum may stay silent; loudly, a softmax.
        asked = [
            influences(self.function, *self.tensors, how=how, **self.options)
            for how in ("marks", "max", "min")
        ]
        return [
            {at[0] for terms in each for _, at in terms if at[0] is not None}
            for each in zip(*asked, strict=True)
        ]

    @functools.cached_property
    def adds(self) -> list[set[int]]:
        """The cells of the output on which each of the input has an influence."""
        found: list[set[int]] = [set() for _ in range(self.tensors[0].numel())]
        for cell, at in enumerate(self.reads):
            for n in at:
                found[n].add(cell)
        return found

    @property
    def stamps(self) -> bool:
        """Whether a cell adds to more cells than a cell reads."""
        adds, reads = (max(map(len, each)) for each in (self.adds, self.reads))
        return self.along is None and adds > reads

    def _groups(self) -> tuple[list[list[int]], tuple[int, ...]]:
        """The cells that each place of the window makes, and how many places."""
        made = self.made
        axes = list(range(made.ndim) if self.along is None else self.along)
        own = {axis % made.ndim for axis in axes if -made.ndim <= axis < made.ndim}
        right = len(own) == len(axes) and (axes != [] or self.along is None)
        expected = f"axes of an output of shape {tuple(made.shape)} to slide along"
        expect("film", right, expected, self.along)
        cells = torch.arange(made.numel()).reshape(made.shape)
        moved = cells.movedim(axes, list(range(len(axes))))
        places = tuple(moved.shape[: len(axes)])
        return moved.reshape(math.prod(places), -1).tolist(), places

    def touched(self, *, stamping: bool) -> list[set[int]]:
        """What the window of each frame sees, or the stamp covers."""
        if stamping:
            return self.adds
        groups, _ = self._groups()
        return [set().union(*(self.reads[n] for n in group)) for group in groups]

    def frames(self, *, stamping: bool) -> list[Frame]:
        """All frames."""
        return list(self._stamped() if stamping else self._slid())

    def _slid(self) -> Iterator[Frame]:
        numbers, done = self.made.flatten().tolist(), dict[int, float]()
        groups, seen = self._groups()[0], self.touched(stamping=False)
        for group, inputs in zip(groups, seen, strict=True):
            done |= {n: numbers[n] for n in group}
            yield Frame(sorted(inputs), group, dict(done))

    def _stamped(self) -> Iterator[Frame]:
        given = self.tensors[0]
        cells = torch.arange(given.numel()).reshape(given.shape)
        done: set[int] = set()
        for n, outputs in enumerate(self.adds):
            made = self._called(given.where(cells <= n, 0)).flatten().tolist()
            done |= outputs
            yield Frame([n], sorted(outputs), {k: made[k] for k in sorted(done)})

    def windows(self, *, stamping: bool) -> list[Cells] | None:
        """The whole window or stamp of each frame, outside too, if they are regular."""
        target = self.made if stamping else _inner(self.tensors[0])
        places = _inner(self.tensors[0]).shape if stamping else self._groups()[1]
        whole = self._whole(stamping=stamping)
        if target.ndim > 2 or len(places) > 2 or not whole:
            return None
        seen = self.touched(stamping=stamping)
        return _windows(seen, tuple(places), _table(target), whole)

    def _whole(self, *, stamping: bool) -> tuple[list[int], list[int]] | None:
        """Rows and columns of a window that no border cuts: of a larger input."""
        given, *others = self.tensors
        sizes = reversed(_inner(given).shape)
        larger = functional.pad(given, [n for size in sizes for n in (0, 2 * size)])
        try:
            asked = _Asked(self.function, (larger, *others), self.options, self.along)
            seen = asked.touched(stamping=stamping)
        except (IndexError, RuntimeError, TypeError, ValueError):
            return None  # it takes no other size
        high, wide = _table(asked.made if stamping else _inner(larger))
        cells = [[divmod(n, wide) for n in each] for each in seen if each]
        boxes = [[sorted(set(at)) for at in zip(*each, strict=True)] for each in cells]
        inside = [
            (rows, columns)
            for rows, columns in boxes
            if columns[0] > 0
            and columns[-1] < wide - 1
            and (high == 1 or (rows[0] > 0 and rows[-1] < high - 1))
        ]
        return max(inside, key=lambda box: math.prod(map(len, box)), default=None)


def _table(tensor: Tensor) -> tuple[int, int]:
    """How many rows and columns a tensor has when it is drawn."""
    *_, high, wide = (1, 1, *tensor.shape)
    return high, wide


def _panels(
    names: Sequence[str], axes: str, shown: Tensor, made: Tensor
) -> tuple[Any, Any]:
    """Where the cells of the input and of the output lie."""
    letters = [tuple(side.split()) for side in axes.split("->")]
    expected = "axes of one input and one output, as in 'h w -> y x'"
    expect("film", len(letters) == 2, expected, f"'{axes}'")
    for name, each, values in zip(names, letters, (shown, made), strict=True):
        fits = not each or len(each) == values.ndim
        expect("film", fits, f"axes '{' '.join(each)}' of {name}", values)
    first, second = (
        Padded(name, each, values, ())
        for name, each, values in zip(names, letters, (shown, made), strict=True)
    )
    return first, second


@dataclass
class Padded(Panel):
    """A tensor with cells around it: above, below, on the left and on the right."""

    around: tuple[int, int, int, int] = (0, 0, 0, 0)
    widest: int = 0

    @property
    def cell(self) -> int:
        """The width of a cell: what the longest number of any frame needs."""
        return max(super().cell, 8 * self.widest + 2)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the drawing."""
        (width, height), (above, below, left, right) = super().size, self.around
        return width + (left + right) * self.cell, height + (above + below) * CELL

    def corner(self, flat: int) -> tuple[int, int]:
        """The upper left corner of the cell with this flat index."""
        x, y = super().corner(flat)
        above, _, left, _ = self.around
        return x + left * self.cell, y + above * CELL

    def beside(self, row: int, column: int) -> tuple[int, int]:
        """The upper left corner of a cell of a table, or of one around it."""
        x, y = self.corner(0)
        return x + column * self.cell, y + row * CELL

    def labels(self) -> Iterator[tuple[str, int, int]]:
        """The name of each axis, and the middle of where it stands."""
        above, below, left, right = self.around
        top = self.margin[1]
        for name, x, y in super().labels():
            over = y < top
            across, down = (left + right) * self.cell // 2, (above + below) * CELL // 2
            yield name, x + across * over, y + down * (not over)


def _fit(
    seen: Sequence[set[int]], size: int, whole: Sequence[int]
) -> list[list[int]] | None:
    """Where whole windows lie along an axis, of which one sees what lies inside.

    Each lies one stride after the other.
    """
    reach = whole[-1] - whole[0] + 1
    for stride, start in itertools.product(range(1, size + 1), range(-reach, size)):
        windows = [
            [start + stride * n + k - whole[0] for k in whole] for n in range(len(seen))
        ]
        inside = [{k for k in each if 0 <= k < size} for each in windows]
        if inside == list(seen):
            return windows
    return None


def _windows(
    touched: Sequence[set[int]],
    places: tuple[int, ...],
    table: tuple[int, int],
    whole: tuple[list[int], list[int]],
) -> list[Cells] | None:
    """The whole window of each frame, if they slide regularly along both axes."""
    (high, wide), count = table, len(touched)
    cells = [{divmod(n, wide) for n in each} for each in touched]
    # Where frames are in one row, the window may still have gone through several.
    down = [places[0]] if len(places) == 2 else range(1, count + 1)
    for rows in (n for n in down if count % n == 0):
        frames = [divmod(n, count // rows) for n in range(count)]
        # By row of the film, then by column, what its windows have of that axis.
        seen = [[set[int]() for _ in range(n)] for n in (rows, count // rows)]
        for (frame, each), axis in itertools.product(
            zip(frames, cells, strict=True), (0, 1)
        ):
            seen[axis][frame[axis]] |= {cell[axis] for cell in each}
        boxes = [set(itertools.product(seen[0][r], seen[1][c])) for r, c in frames]
        found = _fit(seen[0], high, whole[0]), _fit(seen[1], wide, whole[1])
        down_all, across_all = found
        if boxes == cells and down_all and across_all:
            return [
                list(itertools.product(down_all[r], across_all[c])) for r, c in frames
            ]
    return None


class _Film:
    """A film of frames."""

    def __init__(
        self,
        input: Padded,
        output: Padded,
        frames: Sequence[Frame],
        windows: list[Cells] | None,
        *,
        stamping: bool,
    ) -> None:
        self.input, self.output = input, output
        self.frames, self.stamping = frames, stamping
        target = output if stamping else input
        high, wide = target.blocks[2:]
        self.outside = [
            [(r, c) for r, c in each if not (0 <= r < high and 0 <= c < wide)]
            for each in windows or [[]] * len(frames)
        ]
        rows, columns = zip(*itertools.chain(*self.outside, [(0, 0)]), strict=True)
        target.around = (
            -min(rows), max(0, max(rows) - high + 1),
            -min(columns), max(0, max(columns) - wide + 1),
        )  # fmt: skip
        numbers = (rounded(n) for frame in frames for n in frame.made.values())
        output.widest = max(map(len, numbers), default=0)
        (width, height), (right, low) = input.size, output.size
        self.below = high == 1 or width + right + 3 * GAP > WIDEST
        if self.below:
            widest = max(width, right)
            self.origins = (
                ((widest - width) // 2, 0),
                ((widest - right) // 2, height + GAP),
            )
            self.box = (0, 0, widest + 2, height + GAP + low + 2)
        else:
            self.origins = ((0, 0), (width + 3 * GAP, 0))
            self.box = (0, 0, width + 3 * GAP + right + 2, max(height, low) + 2)

    def steps(self) -> Steps:
        """The picture."""
        count = len(self.frames)
        chosen = {round(k * (count - 1) / (STRIP - 1)) for k in range(STRIP)}
        base = self._base()
        name = f"film-{hashlib.sha256(base.encode()).hexdigest()[:10]}"
        kept = f'id="{name}" class="steps"'
        steps = []
        for n, frame in enumerate(self.frames):
            # What no frame changes is drawn once. A copy knows no class from outside.
            base = f'<use href="#{name}"/>' if n else f"<g {kept}>{base}</g>"
            said = self._said(n)
            label = f"{said} So far: {', '.join(map(rounded, frame.made.values()))}."
            few = count <= STRIP or n in chosen
            steps.append(Step(self._frame(n, base), self.box, said, label, few))
        kind = "stamp by stamp" if self.stamping else "window by window"
        caption = f"{self.output.title} from {self.input.title}, {kind}."
        return Steps("film", steps, caption, rest="first")

    def _said(self, n: int) -> str:
        frame, outside = self.frames[n], len(self.outside[n])
        inputs = self.input.box(frame.inputs) or "no cell"
        outputs = self.output.box(frame.outputs) or "no cell"
        if self.stamping:
            told = f"{inputs} = {self.input.numbers[n]} adds to {outputs}"
        elif len(frame.outputs) == 1:
            told = f"{outputs} = {rounded(frame.made[frame.outputs[0]])} reads {inputs}"
        else:
            told = f"{outputs} reads {inputs}"
        told = re.sub(r"(?<=,) (?=[\d:, ]*\])|(?<=\d) (?=cells\))", "\xa0", told)
        cells = "1 cell lies" if outside == 1 else f"{outside} cells lie"
        return f"{told}; {cells} outside." if outside else f"{told}."

    def _base(self) -> str:
        """Both tensors, without the numbers of the output."""
        (x0, y0), (x1, y1) = self.origins
        parts = [*drawn_labels(self.input, (x0, y0))]
        parts += drawn_labels(self.output, (x1, y1))
        for flat, number in enumerate(self.input.numbers):
            x, y = self.input.corner(flat)
            parts.append(drawn_cell(x0 + x, y0 + y, self.input.cell, number))
        cells = range(self.output.values.numel())
        path = _boxes(map(self.output.corner, cells), (x1, y1), self.output.cell)
        parts.append(f'<path class="cell" d="{path}"/>')
        target, origin = self._target()
        around = sorted({cell for each in self.outside for cell in each})
        path = _boxes((target.beside(*at) for at in around), origin, target.cell)
        return "".join([*parts, f'<path class="void" d="{path}"/>'])

    def _target(self) -> tuple[Padded, tuple[int, int]]:
        """What the window slides over, or the stamp: where it may lie outside."""
        at = 1 if self.stamping else 0
        return (self.input, self.output)[at], self.origins[at]

    def _frame(self, n: int, base: str) -> str:
        """One frame: marks, both tensors, and what is made of the output."""
        frame, (x1, y1) = self.frames[n], self.origins[1]
        inputs = [self.input.corner(k) for k in frame.inputs]
        outputs = [self.output.corner(k) for k in frame.outputs]
        around = [self._target()[0].beside(*at) for at in self.outside[n]]
        (outputs if self.stamping else inputs).extend(around)
        parts = [self._beam(inputs, outputs)] if inputs and outputs else []
        for kind, corners, at, cell in (
            ("mark", inputs, self.origins[0], self.input.cell),
            ("new", outputs, self.origins[1], self.output.cell),
        ):
            parts.append(f'<path class="{kind}" d="{_boxes(corners, at, cell)}"/>')
        parts.append(base)
        half = self.output.cell // 2
        for k, number in frame.made.items():
            x, y = self.output.corner(k)
            place = f'x="{x1 + x + half}" y="{y1 + y + CELL // 2}"'
            parts.append(f"<text {place}>{rounded(number)}</text>")
        return "".join(parts)

    def _beam(
        self, inputs: Sequence[tuple[int, int]], outputs: Sequence[tuple[int, int]]
    ) -> str:
        """From what is read to what is made."""
        (x0, y0, x1, y1), (x2, y2, x3, y3) = (
            _around(corners, origin, panel.cell)
            for corners, origin, panel in zip(
                (inputs, outputs), self.origins, (self.input, self.output), strict=True
            )
        )
        path = f"M{x1} {y0}L{x2} {y2}V{y3}L{x1} {y1}z"
        if self.below:
            path = f"M{x0} {y1}L{x2} {y2}H{x3}L{x1} {y1}z"
        return f'<path class="beam" d="{path}"/>'


def _around(
    corners: Sequence[tuple[int, int]], origin: tuple[int, int], wide: int
) -> tuple[int, int, int, int]:
    """The box around boxes of cells: left, top, right and bottom."""
    xs, ys = [origin[0] + x for x, _ in corners], [origin[1] + y for _, y in corners]
    return min(xs), min(ys), max(xs) + wide, max(ys) + CELL


def _boxes(
    corners: Iterable[tuple[int, int]], origin: tuple[int, int], wide: int
) -> str:
    """Boxes of cells, in the words of a path."""
    x0, y0 = origin
    return "".join(f"M{x0 + x} {y0 + y}h{wide}v{CELL}h-{wide}z" for x, y in corners)
