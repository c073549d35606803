"""The film of a sliding window or a stamp: one frame for each cell that it makes."""

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

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
        stamps: whether it stamps; by default, if the output has more cells than the
            input and `along` is not given.
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
    tensors = (input, *others)
    output = Asked(function, tensors, options).output
    shown, made = _inner(input.double()), _inner(output)
    _check_sizes(input, shown, output, made)
    reads = _reads(function, tensors, options)
    usual = {1: "w -> x", 2: "h w -> y x"}[shown.ndim]
    if along is not None or shown.ndim != made.ndim:
        usual = usual.split("->")[0] + "->"
    panels = _panels(names, axes or usual, shown, made)
    larger = along is None and made.numel() > shown.numel()
    stamping = larger if stamps is None else stamps
    if stamping:
        frames = list(_stamped(function, tensors, options, reads))
    else:
        frames = list(_slid(made, reads, along))
    grid = tuple(shown.shape) if stamping else _grid(made, along)
    expected = f"a film of at most {FRAMES} frames"
    expect(
        "film", len(frames) <= FRAMES, expected, f"{len(frames)}; use smaller tensors"
    )
    return _Film(*panels, frames, grid, stamping=stamping).steps()


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


def _check_sizes(input: Tensor, shown: Tensor, output: Tensor, made: Tensor) -> None:
    fits = 0 < shown.ndim <= 2 and shown.numel() > 0
    expected = "an input of one or two axes, after any of size 1, and some cells"
    expect("film", fits, expected, input)
    fits = made.ndim <= 4 and made.numel() > 0
    expect("film", fits, "an output of at most 4 axes, and some cells", output)


def _reads(
    function: Callable[..., Any], tensors: Sequence[Tensor], options: dict[str, Any]
) -> list[set[int]]:
    """The cells of the first tensor that have an influence on each of the output."""
    # Softly asked, the smaller cells of a maximum may stay silent; loudly, a softmax.
    asked = [
        influences(function, *tensors, how=how, **options)
        for how in ("marks", "max", "min")
    ]
    return [
        {at[0] for terms in each for _, at in terms if at[0] is not None}
        for each in zip(*asked, strict=True)
    ]


def _grid(made: Tensor, along: Sequence[int] | None) -> tuple[int, ...]:
    return tuple(made.shape[axis] for axis in _along(made, along))


def _along(made: Tensor, along: Sequence[int] | None) -> list[int]:
    axes = list(range(made.ndim) if along is None else along)
    fits = bool(axes) and all(-made.ndim <= axis < made.ndim for axis in axes)
    fits = fits and len({axis % made.ndim for axis in axes}) == len(axes)
    expected = f"axes of an output of shape {tuple(made.shape)} to slide along"
    expect("film", fits or not made.ndim, expected, along)
    return axes


def _slid(
    made: Tensor, reads: Sequence[set[int]], along: Sequence[int] | None
) -> Iterator[Frame]:
    """A frame for each place of the window."""
    axes = _along(made, along)
    cells = torch.arange(made.numel()).reshape(made.shape)
    moved = cells.movedim(axes, list(range(len(axes))))
    numbers, done = made.flatten().tolist(), dict[int, float]()
    for group in moved.reshape(math.prod(moved.shape[: len(axes)]), -1).tolist():
        done |= {n: numbers[n] for n in group}
        yield Frame(sorted(set().union(*(reads[n] for n in group))), group, dict(done))


def _stamped(
    function: Callable[..., Any],
    tensors: Sequence[Tensor],
    options: dict[str, Any],
    reads: Sequence[set[int]],
) -> Iterator[Frame]:
    """A frame for each cell of the input, with the output for the cells so far."""
    given, *others = tensors
    cells = torch.arange(given.numel()).reshape(given.shape)
    done: set[int] = set()
    for k in range(given.numel()):
        so_far = given.where(cells <= k, 0)
        made = Asked(function, (so_far, *others), options).output.flatten().tolist()
        outputs = [n for n, at in enumerate(reads) if k in at]
        done |= set(outputs)
        yield Frame([k], outputs, {n: made[n] for n in sorted(done)})


def _panels(
    names: Sequence[str], axes: str, shown: Tensor, made: Tensor
) -> tuple[Any, Any]:
    """Where the cells of the input and of the output lie."""
    letters = [tuple(side.split()) for side in axes.split("->")]
    expected = "axes of one input and one output, as in 'h w -> y x'"
    expect("film", len(letters) == 2, expected, f"'{axes}'")
    for each, values in zip(letters, (shown, made), strict=True):
        fits = not each or len(each) == values.ndim
        expected = f"axes '{' '.join(each)}'"
        expect("film", fits, expected, values)
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
        return self.beside(*divmod(flat, self.blocks[3]))

    def beside(self, row: int, column: int) -> tuple[int, int]:
        """The upper left corner of a cell of a block, or of one around it."""
        x, y = super().corner(0)
        above, _, left, _ = self.around
        return x + (left + column) * self.cell, y + (above + row) * CELL

    def labels(self) -> Iterator[tuple[str, int, int]]:
        """The name of each axis, and the middle of where it stands."""
        above, below, left, right = self.around
        top = self.margin[1]
        for name, x, y in super().labels():
            over = y < top
            across, down = (left + right) * self.cell // 2, (above + below) * CELL // 2
            yield name, x + across * over, y + down * (not over)


def _fit(seen: Sequence[set[int]], size: int) -> list[list[int]] | None:
    """The whole windows along one axis, of which one sees what lies inside.

    They have evenly spaced cells, and each lies one stride after the other.
    """
    longest = max(map(sorted, seen), key=len)
    gap = longest[1] - longest[0] if len(longest) > 1 else 1
    for count in range(max(1, len(longest)), 2 * size + 1):
        for stride, start in itertools.product(
            range(size + 1), range(-count * gap, size)
        ):
            windows = [
                [start + stride * n + gap * m for m in range(count)]
                for n in range(len(seen))
            ]
            inside = ({k for k in each if 0 <= k < size} for each in windows)
            if all(a == b for a, b in zip(inside, seen, strict=True)):
                return windows
    return None


def _windows(
    touched: Sequence[Sequence[int]], grid: tuple[int, ...], shape: tuple[int, ...]
) -> list[Cells] | None:
    """The whole window of each frame, if they are boxes that slide regularly."""
    high, wide = ((1, *shape) if len(shape) < 2 else shape)[-2:]
    if len(shape) > 2 or len(grid) > 2:
        return None
    frames = len(touched)
    down = [grid[0]] if len(grid) == 2 else range(1, frames + 1)
    cells = [{divmod(n, wide) for n in each} for each in touched]
    for rows in (n for n in down if frames % n == 0):
        places = [divmod(n, frames // rows) for n in range(frames)]
        # By row of the film, then by column, what its windows have of that axis.
        seen = [[set[int]() for _ in range(n)] for n in (rows, frames // rows)]
        for (place, each), axis in itertools.product(
            zip(places, cells, strict=True), (0, 1)
        ):
            seen[axis][place[axis]] |= {cell[axis] for cell in each}
        boxes = [set(itertools.product(seen[0][r], seen[1][c])) for r, c in places]
        down_whole, across_whole = _fit(seen[0], high), _fit(seen[1], wide)
        if boxes == cells and down_whole and across_whole:
            return [
                list(itertools.product(down_whole[r], across_whole[c]))
                for r, c in places
            ]
    return None


class _Film:
    """A film of frames."""

    def __init__(
        self,
        input: Padded,
        output: Padded,
        frames: Sequence[Frame],
        grid: tuple[int, ...],
        *,
        stamping: bool,
    ) -> None:
        self.input, self.output = input, output
        self.frames, self.stamping = frames, stamping
        target = output if stamping else input
        touched = [x.outputs if stamping else x.inputs for x in frames]
        windows = _windows(touched, grid, tuple(target.values.shape))
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
