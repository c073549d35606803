"""The pictures of the book: one to point at, and still ones."""

import copy
import functools
import io
import itertools
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from layerlib.conventions.expect import expect
from layerlib.recipe import LETTERS, Line, Reduce, colour, split_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, CELL, GAP, LINE = 340, 26, 10, 17  # in units of the drawing
LARGEST, SMALLEST = 60_000, 85  # bytes of one picture, and of one cell in it
ZERO = 1e-9  # what is smaller is a rounding
CHOICES: dict[str, tuple[float, Callable[[list[float]], float]]] = {
    "max": (1e3, max),
    "min": (-1e3, min),
}
"""How loud a cell must be to be chosen, and the choice."""
HOW = ("sum", *CHOICES, "marks")

Term = tuple[float, tuple[int | None, ...]]
"""A factor, and the cell of each tensor that it is multiplied with, if there is one."""

_STYLE = """
.pointat svg{display:block;width:100%}
.pointat text{fill:currentColor;font:12px sans-serif;text-anchor:middle;
dominant-baseline:central}
.pointat .t{text-anchor:start;font-weight:bold}
.pointat .sum{text-anchor:start;font-size:13px}
.pointat .letter{fill:#111;font:bold 12px monospace}
.pointat .summed{text-decoration:underline}
.pointat .c{fill:none;stroke:currentColor;stroke-opacity:.4}
.pointat .o{cursor:pointer;outline:none}
.pointat .o>.c{fill:currentColor;fill-opacity:.06}
.pointat .h{visibility:hidden;pointer-events:none}
.pointat .h path{fill:#e69f00;fill-opacity:.3;stroke:#e69f00;stroke-width:2.5}
.pointat .o:hover>.h,.pointat .o:focus>.h{visibility:visible}
.pointat .o:hover>.c,.pointat .o:focus>.c{fill:#e69f00;fill-opacity:.3;
stroke:#e69f00;stroke-opacity:1;stroke-width:2.5}
.pointat svg:has(.o:hover) .o:focus:not(:hover)>.h{visibility:hidden}
.pointat svg:has(.o:hover) .hint,.pointat svg:has(.o:focus) .hint{visibility:hidden}
.pointat figcaption{font-size:.9em}
"""

# Without this script each cell is a tab stop; with it one is, and the arrows move.
_SCRIPT = """<script>
(()=>{for(const f of document.querySelectorAll(".pointat:not([data-on])")){
f.dataset.on="";const o=[...f.querySelectorAll(".o")],
w=+f.querySelector("svg").dataset.columns,
m={ArrowLeft:-1,ArrowRight:1,ArrowUp:-w,ArrowDown:w};
o.forEach((g,i)=>{if(i)g.setAttribute("tabindex","-1");
g.addEventListener("keydown",e=>{
const t=e.key==="Home"?o[0]:e.key==="End"?o[o.length-1]:o[i+m[e.key]];
if(!t)return;e.preventDefault();g.setAttribute("tabindex","-1");
t.setAttribute("tabindex","0");t.focus()})})}})()
</script>"""


# ---- What made each cell: the layer is asked


def terms(
    function: Callable[..., Any], *tensors: Tensor, **options: Any
) -> list[list[Term]]:
    """For each cell of the output, the products that are added up in it.

    A cell of a convolution is a sum of products, of a cell of the input and one of the
    kernel each. Which ones is found by asking the layer: where all of an input is 0
    but a single 1, nothing is left but the products with that cell. Inputs are asked
    alone and together, and what fewer of them give is taken off.

    Args:
        function: a sum of products, in each of which an input stands at most once.
        *tensors: its inputs. Truth values stay as they are, tensors with an infinity
            in them, and whole numbers next to floating point: those are masks and
            indices. All others are given as float64.
        **options: of the function.

    Raises:
        TypeError: the output is no tensor, or there is no input of numbers.
        ValueError: the function is no such sum.

    >>> terms(torch.mul, torch.tensor([2, 5]), torch.tensor(3))
    [[(1.0, (0, 0))], [(1.0, (1, 0))]]

    Source: a function of this kind is a sum over the subsets of its inputs; each
    summand is found by Möbius inversion.
    """
    layer = _Asked(function, tensors, options)
    made: list[list[Term]] = [[] for _ in range(layer.output.numel())]
    tables = _tables(layer)
    for inputs in sorted(tables, key=lambda inputs: (-len(inputs), inputs)):
        table = tables[inputs].movedim(-1, 0)
        factors = table[table != 0].tolist()
        for factor, (cell, *at) in zip(factors, table.nonzero().tolist(), strict=True):
            places = dict(zip((layer.which[n] for n in inputs), at, strict=True))
            term = tuple(places.get(n) for n in range(len(tensors)))
            made[cell].append((factor, term))
    return made


def influences(
    function: Callable[..., Any], *tensors: Tensor, how: str, **options: Any
) -> list[list[Term]]:
    """For each cell of the output, the cells that have an influence on it.

    Each cell of the inputs is changed, and what follows it is marked. The others are
    random: of those that are seen, none can hide at all of several random points.

    Args:
        function: what is asked.
        *tensors: its inputs; those that stay as they are, as in `terms`, are not asked.
        how: ``max`` or ``min`` makes the changed cell far larger, or smaller, than the
            others; ``marks`` changes it by a little.
        **options: of the function.

    Raises:
        TypeError: the output is no tensor, or there is no input of numbers.

    >>> influences(torch.cumsum, torch.tensor([2, 5]), how="marks", dim=0)
    [[(1.0, (0,))], [(1.0, (0,)), (1.0, (1,))]]
    """
    layer = _Asked(function, tensors, options)
    loud = CHOICES[how][0] if how in CHOICES else 0.0
    made: list[list[Term]] = [[] for _ in range(layer.output.numel())]
    for which, n in enumerate(layer.which):
        changed = torch.zeros(layer.values[which].numel(), len(made), dtype=torch.bool)
        for seed in range(1 if loud else 6):
            point = layer.random(seed)
            if seed % 2:  # where the given numbers are, the layer is defined
                point = [x + y for x, y in zip(point, layer.values, strict=True)]
            steps = (loud, 2 * loud) if loud else (0.0, (-1.0) ** seed)
            before, after = (layer.moved(point, which, step) for step in steps)
            changed |= ~before.isclose(after, ZERO, ZERO, equal_nan=True)
        for cell, at in changed.T.nonzero().tolist():
            term = tuple(at if k == n else None for k in range(len(tensors)))
            made[cell].append((1.0, term))
    return made


class _Asked:
    """A function of numbers in float64, and calls of it on many inputs at once."""

    def __init__(
        self,
        function: Callable[..., Any],
        tensors: Sequence[Tensor],
        options: dict[str, Any],
    ) -> None:
        if isinstance(function, nn.Module):
            function = copy.deepcopy(function).double()
        self._call = functools.partial(function, **options)
        finite = [n for n, x in enumerate(tensors) if x.isfinite().all()]
        real = [n for n in finite if tensors[n].is_floating_point()]
        whole = [n for n in finite if tensors[n].dtype != torch.bool]
        self.which = real or whole
        told = ", ".join(str(x.dtype) for x in tensors)
        expect("point_at", self.which != [], "an input of numbers", told, TypeError)
        self._tensors, self._dice = tensors, torch.get_rng_state()
        self._at_once = True
        self.values = [tensors[n].double() for n in self.which]
        self.output = self(*self.values)

    def __call__(self, *values: Tensor) -> Tensor:
        given = list(self._tensors)
        for n, value in zip(self.which, values, strict=True):
            given[n] = value.clone()
        # What is random in it is drawn alike in each call, and as the next call would.
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._dice)
            output: Tensor = self._call(*given)
        expected = "a function that gives one tensor (pick one in a lambda)"
        is_tensor = isinstance(output, Tensor)
        expect("point_at", is_tensor, expected, type(output).__name__, TypeError)
        return output.double()

    def random(self, seed: int) -> list[Tensor]:
        """A point like no other."""
        dice = torch.Generator().manual_seed(seed)
        return [
            torch.randn(x.shape, dtype=x.dtype, generator=dice) for x in self.values
        ]

    def moved(self, point: Sequence[Tensor], which: int, step: float) -> Tensor:
        """``(cells, output)``: with each cell of an input changed by a step."""
        count = point[which].numel()
        many = [x.expand(count, *x.shape) for x in point]
        many[which] = many[which] + step * torch.eye(count).view(many[which].shape)
        return self._many(*many)

    def units(self, inputs: Sequence[int]) -> Tensor:
        """``(cells, cells, ..., output)``: with a single 1 in each of these inputs."""
        sizes = [self.values[n].numel() for n in inputs]
        found = []
        for at in torch.split(torch.ones(sizes).nonzero(), 1024):
            many = [x.new_zeros(len(at), *x.shape) for x in self.values]
            for n, cell in zip(inputs, at.T, strict=True):
                many[n].view(len(at), -1)[range(len(at)), cell] = 1
            found.append(self._many(*many))
        return torch.cat(found).reshape(*sizes, -1)

    def _many(self, *batches: Tensor) -> Tensor:
        if self._at_once:
            try:
                output: Tensor = torch.func.vmap(self, randomness="same")(*batches)
                return output.reshape(len(batches[0]), -1)
            except (RuntimeError, TypeError, ValueError):
                self._at_once = False  # it looks at its numbers, or writes over them
        one_by_one = [self(*each) for each in zip(*batches, strict=True)]
        return torch.stack(one_by_one).reshape(len(one_by_one), -1)


def _tables(layer: _Asked) -> dict[tuple[int, ...], Tensor]:
    """For each set of inputs that are multiplied: ``(cells, cells, ..., output)``."""
    tables: dict[tuple[int, ...], Tensor] = {}
    alone: dict[tuple[int, ...], Tensor] = {}  # what the set adds at a random point
    point, count = layer.random(0), len(layer.values)
    large = 1 + layer(*point).abs().max()
    for inputs in _subsets(range(count)):
        some = [x if n in inputs else 0 * x for n, x in enumerate(point)]
        output, fewer = layer(*some).flatten(), _subsets(inputs)[:-1]
        alone[inputs] = output - sum(alone[each] for each in fewer)
        if alone[inputs].abs().max() <= ZERO * large:
            continue
        table = layer.units(inputs)
        for each in fewer:
            if each in tables:
                sizes = [
                    table.shape[k] if n in each else 1 for k, n in enumerate(inputs)
                ]
                table = table - tables[each].reshape(*sizes, -1)
        tables[inputs] = table.where(table.abs() > ZERO, 0)
    other = layer.random(1)
    for values in (layer.values, other, [-x for x in other]):
        total = torch.zeros(layer.output.numel(), dtype=torch.float64)
        for inputs, table in tables.items():
            for n in inputs:
                table = torch.tensordot(values[n].flatten(), table, 1)  # noqa: PLW2901
            total = total + table
        expect(
            "point_at",
            bool(total.isclose(layer(*values).flatten(), ZERO, ZERO).all()),
            'a sum of products of its inputs, for how="sum"',
            'a function that is none; use how="max", how="min" or how="marks"',
        )
    return tables


def _subsets(items: Sequence[int]) -> list[tuple[int, ...]]:
    """All of them, the smaller ones first."""
    sizes = range(len(items) + 1)
    return [each for size in sizes for each in itertools.combinations(items, size)]


# ---- The picture to point at


@dataclass
class _Panel:
    """One tensor on the drawing: rows and columns of cells, further axes as blocks."""

    title: str
    axes: tuple[str, ...]
    values: Tensor
    summed: tuple[str, ...]

    @property
    def blocks(self) -> tuple[int, int, int, int]:
        """Rows and columns of blocks, then rows and columns of cells in each."""
        shape = (1,) * (4 - self.values.ndim) + tuple(self.values.shape)
        return shape[0], shape[1], shape[2], shape[3]

    @property
    def margin(self) -> tuple[int, int]:
        """What the labels take on the left, and above."""
        beside = [*self.axes[-2:-1], *self.axes[-4:-3]]
        return max(map(_wide, beside), default=0) + 3, 40 + 18 * (len(self.axes) > 2)

    @functools.cached_property
    def numbers(self) -> list[str]:
        """What is written in the cells, in their order."""
        return [_number(value) for value in self.values.double().flatten().tolist()]

    @property
    def cell(self) -> int:
        """The width of a cell: what the longest number needs."""
        return max(CELL, 8 * max(map(len, self.numbers)) + 2)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the drawing."""
        down, across, rows, columns = self.blocks
        left, top = self.margin
        return (
            max(left + across * (columns * self.cell + GAP) - GAP, 8 * len(self.title)),
            top + down * (rows * CELL + GAP) - GAP,
        )

    def corner(self, flat: int) -> tuple[int, int]:
        """The upper left corner of the cell with this flat index."""
        _, across, rows, columns = self.blocks
        left, top = self.margin
        flat, column = divmod(flat, columns)
        flat, row = divmod(flat, rows)
        below, beside = divmod(flat, across)
        return (
            left + (beside * columns + column) * self.cell + beside * GAP,
            top + (below * rows + row) * CELL + below * GAP,
        )

    def place(self, flat: int) -> str:
        """The cell with this flat index, as one writes it: ``x[0, 2]``."""
        if not self.values.ndim:
            return self.title
        index = torch.unravel_index(torch.tensor(flat), self.values.shape)
        return f"{self.title}[{', '.join(str(int(n)) for n in index)}]"

    def box(self, cells: Sequence[int]) -> str:
        """These cells, as short as one can say it: as ``all 6 cells of x``."""
        if len(cells) <= 3:
            return ", ".join(map(self.place, cells))
        if len(cells) == self.values.numel():
            return f"all {len(cells)} cells of {self.title}"
        at = torch.unravel_index(torch.tensor(cells), self.values.shape)
        ends = [(int(n.min()), int(n.max()) + 1) for n in at]
        if math.prod(stop - start for start, stop in ends) != len(cells):
            return f"{len(cells)} cells of {self.title}"
        slices = ", ".join(
            _slice(*end, length)
            for end, length in zip(ends, self.values.shape, strict=True)
        )
        return f"{self.title}[{slices}] ({len(cells)} cells)"

    def labels(self) -> Iterator[tuple[str, int, int]]:
        """The name of each axis, and the middle of where it stands."""
        _, across, rows, columns = self.blocks
        left, top = self.margin
        high, wide = rows * CELL, columns * self.cell
        spots = (
            (left // 2, top + high + GAP // 2),
            (left + (across * (wide + GAP) - GAP) // 2, top - 30),
            (left // 2, top + high // 2),
            (left + wide // 2, top - 12),
        )
        names = (("",) * 4 + self.axes)[-4:]
        for name, (x, y) in zip(names, spots, strict=True):
            if name:
                yield name, x, y


class PointAt:
    """A picture to point at: `point_at` makes it."""

    def __init__(
        self, panels: Sequence[_Panel], made_of: Sequence[Sequence[Term]], how: str
    ) -> None:
        *self._inputs, self._output = panels
        self._made_of, self._how = made_of, how
        self._html = self._draw()
        _check_size(f"{len(self._html.encode())}", len(self._html.encode()))

    def sums(self) -> list[str]:
        """For each cell of the output, in order, what made it, written out."""
        each = zip(self._made_of, self._output.numbers, strict=True)
        return [
            f"{self._output.place(flat)} = {self._made(terms, number)}"
            for flat, (terms, number) in enumerate(each)
        ]

    def _made(self, terms: Sequence[Term], number: str) -> str:
        cells = _cells(terms)
        if self._how == "marks":
            return f"{number}, {self._marked(cells)}"
        if self._how != "sum":
            seen = ", ".join(self._inputs[which].numbers[n] for which, n in cells)
            return f"{self._how}({seen}) = {number}"
        if [factor for factor, _ in terms] == [1] and len(cells) == 1:
            ((which, n),) = cells
            return f"{self._inputs[which].place(n)} = {number}"
        return f"{self._sum(terms)} = {number}" if cells else number

    def _marked(self, cells: Sequence[tuple[int, int]]) -> str:
        groups = [
            panel.box([n for which, n in cells if which == k])
            for k, panel in enumerate(self._inputs)
        ]
        said = ", ".join(group for group in groups if group)
        return f"made of {said}" if said else "which no cell changes"

    def _sum(self, terms: Sequence[Term]) -> str:
        parts = round(1 / terms[0][0])
        even = all(abs(x[0] * parts - 1) < 1e-6 and _cells([x]) for x in terms)
        if even and parts > 1:
            inner = " + ".join("·".join(self._factors(term)) for term in terms)
            return f"({inner}) / {parts}" if len(terms) > 1 else f"{inner} / {parts}"
        said = ""
        for n, term in enumerate(terms):
            minus = term[0] < 0
            said += (" − " if minus else " + ") if n else "−" * minus
            size, factors = abs(term[0]), self._factors(term)
            shown = [] if size == 1 and factors else [_number(size, 4)]
            said += "·".join([*shown, *factors])
        return said

    def _factors(self, term: Term) -> list[str]:
        numbers = (self._inputs[which].numbers[n] for which, n in _cells([term]))
        return [f"({n})" if n.startswith("−") else n for n in numbers]

    def __repr__(self) -> str:
        shapes = [
            f"{p.title} {tuple(p.values.shape)}" for p in (*self._inputs, self._output)
        ]
        return f"a picture to point at: {', '.join(shapes)}; {self.sums()[0]}"

    def _repr_html_(self) -> str:
        return self._html

    def _draw(self) -> str:
        panels, sums = [*self._inputs, self._output], self.sums()
        origins, bottom = _flow([panel.size for panel in panels])
        wrapped = [_wrapped(said) for said in sums]
        height = bottom + LINE * (max(map(len, wrapped)) + 1)
        width = max(WIDTH, *(panel.size[0] + 2 for panel in panels))
        parts = [
            part
            for panel, at in zip(panels, origins, strict=True)
            for part in _labels(panel, at)
        ]
        for panel, (x0, y0) in zip(self._inputs, origins, strict=False):
            for flat, number in enumerate(panel.numbers):
                x, y = panel.corner(flat)
                parts.append(_cell(x0 + x, y0 + y, panel.cell, number))
        hint = f"Point at a cell of {self._output.title}."
        parts.append(_line("sum hint", hint, bottom + LINE))
        x0, y0 = origins[-1]
        output = self._output
        for flat, (number, lines) in enumerate(
            zip(output.numbers, wrapped, strict=True)
        ):
            x, y = output.corner(flat)
            told = "".join(
                _line("sum", line, bottom + LINE * n) for n, line in enumerate(lines, 1)
            )
            label = escape(sums[flat])
            parts.append(
                f'<g class="o" tabindex="0" role="img" aria-label="{label}">'
                f"{_cell(x0 + x, y0 + y, output.cell, number)}"
                f'<g class="h"><path d="{self._boxes(flat, origins)}"/>{told}</g></g>'
            )
        caption, columns = self._caption(), self._output.blocks[-1]
        svg = (
            f'<svg viewBox="0 0 {width} {height}" data-columns="{columns}" '
            f'style="max-width:{width * 7 // 5}px" role="group" '
            f'aria-label="{escape(caption)}">{"".join(parts)}</svg>'
        )
        return _figure("pointat", _STYLE, svg, caption) + _SCRIPT

    def _boxes(self, flat: int, origins: Sequence[tuple[int, int]]) -> str:
        boxes = ""
        for which, n in sorted(set(_cells(self._made_of[flat]))):
            panel, (x0, y0) = self._inputs[which], origins[which]
            x, y = panel.corner(n)
            boxes += f"M{x0 + x} {y0 + y}h{panel.cell}v{CELL}h-{panel.cell}z"
        return boxes

    def _caption(self) -> str:
        *names, output = (panel.title for panel in (*self._inputs, self._output))
        given = " and ".join(", ".join(names).rsplit(", ", 1))
        return (
            f"{output} from {given}: point at a cell of {output}, tap it, or move "
            "there with the arrow keys, to see what made it."
        )


def point_at(
    function: Callable[..., Any],
    *tensors: Tensor,
    axes: str = "",
    names: Sequence[str] = (),
    how: str = "sum",
    **options: Any,
) -> PointAt:
    """A picture of a layer over small whole numbers: each output says what made it.

    Pointing at a cell of the output, tapping or focusing it marks the cells that made
    it, and says how. Nothing of that is drawn by hand: the layer itself is asked, by
    `terms` or by `influences`. Tensors are given to it as float64 (what stays as it is,
    see `terms`), and a module with its parameters as float64.

    Args:
        function: a line, or anything that makes one tensor of tensors.
        *tensors: its inputs, of whole numbers, with at most four axes each.
        axes: the names of their axes, and of the output's, as on a line. A line that is
            drawn has its own.
        names: what to call the inputs and the output; "input", "weight", "output" by
            default.
        how: ``sum``, where the output is a sum of products, as in a convolution;
            ``max`` or ``min``, where it is one of the marked cells; ``marks`` for
            all else: the cells that have an influence.
        **options: of the function; of a `Rearrange`, sizes of axes that it splits.

    Raises:
        TypeError: a tensor does not hold whole numbers; the output is no tensor.
        ValueError: too many axes, too many cells; the names or axes do not fit the
            tensors; the function is not made in the way that `how` says.

    >>> from layerlib.recipe import Recipe
    >>> x, w = torch.tensor([1, 2, 3]), torch.tensor([3, -4])
    >>> point_at(Recipe("i, i ->"), x[:2], w).sums()
    ['output = 1·3 + 2·(−4) = −5']
    >>> from layerlib import AvgPool1d, MaxPool1d
    >>> point_at(AvgPool1d(2), x[None], axes="c w -> c x").sums()
    ['output[0, 0] = (1 + 2) / 2 = 1.5']
    >>> point_at(MaxPool1d(3), x[None], axes="c w -> c x", how="max").sums()
    ['output[0, 0] = max(1, 2, 3) = 3']
    >>> point_at(torch.cumsum, w, axes="t -> t", how="marks", dim=0).sums()
    ['output[0] = 3, made of input[0]', 'output[1] = −1, made of input[0], input[1]']
    """
    for tensor in tensors:
        _check_whole(tensor)
    given = ["input", "weight", "third input"][: len(tensors)]
    titles = list(names) or [*given, "output"]
    expected = f"{len(tensors) + 1} names, inputs and output"
    expect("point_at", len(titles) == len(tensors) + 1, expected, len(titles))
    expect("point_at", how in HOW, f"how to be {HOW}", how)
    if isinstance(function, Reduce) and function.operation in ("max", "min"):
        how = function.operation
    own = function.line if isinstance(function, Line) else ""
    line = _line_of(axes, len(tensors)) if axes or not own else Line(own)
    output = _Asked(function, tensors, options).output
    fits = output.ndim <= 4 and output.numel() > 0
    expected = "an output of at most 4 axes and at least one cell"
    expect("point_at", fits, expected, output)
    cells = sum(tensor.numel() for tensor in (*tensors, output))
    _check_size(f"{cells} cells", SMALLEST * cells)
    panels = [
        _Panel(title, _axes(title, side, values), values, line.summed)
        for title, side, values in zip(
            titles, re.split(r",|->", line.line), (*tensors, output), strict=True
        )
    ]
    _check_letters(panels)
    if how == "sum":
        made_of = terms(function, *tensors, **options)
    else:
        made_of = influences(function, *tensors, how=how, **options)
    if how in CHOICES:
        _check_choice(how, panels, made_of)
    return PointAt(panels, made_of, how)


def _check_size(told: str, size: int) -> None:
    expected = f"a picture of at most {LARGEST} bytes"
    expect("point_at", size <= LARGEST, expected, f"{told}; use smaller tensors")


def _check_whole(tensor: Tensor) -> None:
    fits = tensor.ndim <= 4 and tensor.numel() > 0
    expect("point_at", fits, "0 to 4 axes and at least one cell", tensor)
    real = not tensor.is_complex()
    expect("point_at", real, "whole numbers", tensor.dtype, TypeError)
    parts = [x for x in tensor.flatten().tolist() if math.isfinite(x) and x % 1]
    told = f"{parts[:1]} in {tensor.dtype}"
    expect("point_at", not parts, "whole numbers", told, TypeError)


def _line_of(axes: str, count: int) -> Line:
    expected = "the axes of a function that is no line, as in 'h w -> y x'"
    expect("point_at", bool(axes), expected, "none")
    line = Line(axes)
    sides = re.split(r",|->", line.line)
    expected = f"axes of {count} inputs and an output"
    expect("point_at", len(sides) == count + 1, expected, f"'{line}'")
    letters = [x for side in sides for name in split_axes(side) for x in name.split()]
    strange = [x for x in letters if x not in {*LETTERS, "1"}]
    expected = "letters of the alphabet"
    expect("point_at", not strange, expected, f"'{' '.join(strange)}' in '{line}'")
    return line


def _axes(title: str, side: str, values: Tensor) -> tuple[str, ...]:
    """The names of the axes of one side of a line; ``...`` is as many as are left."""
    names = split_axes(side)
    if "..." in names:
        at, rest = names.index("..."), values.ndim - len(names) + 1
        names[at : at + 1] = ["..."] * rest
    expected = f"the axes '{side.strip()}' of {title}"
    expect("point_at", len(names) == values.ndim, expected, values)
    return tuple(names)


def _check_letters(panels: Sequence[_Panel]) -> None:
    known: dict[str, tuple[int, str]] = {"1": (1, "its name")}
    for panel in panels:
        for name, size in zip(panel.axes, panel.values.shape, strict=True):
            first, where = known.setdefault(name, (size, panel.title))
            told = f"{first} in {where} and {size} in {panel.title}"
            fits = size == first or name == "..."
            expect("point_at", fits, f"one size of axis '{name}'", told)


def _check_choice(
    how: str, panels: Sequence[_Panel], made_of: Sequence[Sequence[Term]]
) -> None:
    *inputs, output = (panel.values.flatten().tolist() for panel in panels)
    for terms, total in zip(made_of, output, strict=True):
        seen = [inputs[which][n] for which, n in _cells(terms)]
        right = bool(seen) and math.isclose(CHOICES[how][1](seen), total)
        expected = f'the {how} of {seen}, the cells that decide, for how="{how}"'
        expect("point_at", right, expected, f'{total}; use how="sum" or how="marks"')


def _cells(terms: Sequence[Term]) -> list[tuple[int, int]]:
    """The tensor and the flat index of each cell in these products."""
    return [(k, n) for _, at in terms for k, n in enumerate(at) if n is not None]


def _wrapped(said: str) -> list[str]:
    """The lines of a sentence; a place and what is in parentheses stay on one."""
    whole = re.sub(r"(?<=,) (?=[\d:, ]*\])|(?<=\d) (?=cells\))| (?=/)", "\xa0", said)
    lines = textwrap.wrap(whole.replace("/ ", "/\xa0"), 48)
    return [line.replace("\xa0", " ") for line in lines]


def _slice(start: int, stop: int, length: int) -> str:
    if stop - start == length:
        return ":"
    return str(start) if stop - start == 1 else f"{start}:{stop}"


def _flow(sizes: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], int]:
    """Places boxes in rows, as words on a page; their corners and the lower end."""
    corners, x, y, tallest = [], 0, 0, 0
    for wide, high in sizes:
        if x and x + wide > WIDTH:
            x, y, tallest = 0, y + tallest + GAP, 0
        corners.append((x, y))
        x, tallest = x + wide + 2 * GAP, max(tallest, high)
    return corners, y + tallest + GAP


def _labels(panel: _Panel, at: tuple[int, int]) -> Iterator[str]:
    x0, y0 = at
    yield f'<text class="t" x="{x0 + 1}" y="{y0 + 9}">{escape(panel.title)}</text>'
    for name, x, y in panel.labels():
        wide, fill = _wide(name), colour(name.split()[0])
        kind = "letter summed" if name in panel.summed else "letter"
        yield (
            f'<rect x="{x0 + x - wide // 2}" y="{y0 + y - 8}" width="{wide}" '
            f'height="16" rx="4" fill="{fill}"/>'
            f'<text class="{kind}" x="{x0 + x}" y="{y0 + y}">{name}</text>'
        )


def _line(kind: str, text: str, y: int) -> str:
    return f'<text class="{kind}" x="1" y="{y}">{escape(text)}</text>'


def _wide(name: str) -> int:
    return 7 * len(name) + 9


def _cell(x: int, y: int, wide: int, number: str) -> str:
    return (
        f'<rect class="c" x="{x}" y="{y}" width="{wide}" height="{CELL}"/>'
        f'<text x="{x + wide // 2}" y="{y + CELL // 2}">{number}</text>'
    )


def _number(value: float, digits: int = 2) -> str:
    """Rounded, and without zeros at its end."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "−∞" if value < 0 else "∞"
    said = f"{round(value, 9):.{digits}f}".rstrip("0").rstrip(".")
    return "0" if said in ("-0", "") else said.replace("-", "−")


# ---- Still pictures and their frame


def _figure(kind: str, style: str, svg: str, caption: str) -> str:
    # A viewer that does not trust a notebook strips <style> and <svg>, and would leave
    # a heap of numbers; the attribute `hidden`, which the style overrules, then leaves
    # the caption alone. It has a value, since JupyterLab strips empty attributes, too.
    return (
        f'<figure class="{kind}"><style>.{kind}{{margin:0;color:inherit}}'
        f".{kind} [hidden]{{display:block!important}}{style}</style>"
        f'<div hidden="hidden">{svg}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


class Still:
    """A picture that does not move: `still` makes it."""

    def __init__(self, svg: str, alt: str) -> None:
        self._svg, self._alt = svg, alt

    def __repr__(self) -> str:
        return f"a picture: {self._alt}"

    def _repr_html_(self) -> str:
        # Where the picture is drawn, its label says this already.
        style = ".still figcaption{display:none}"
        return _figure("still", style, self._svg, self._alt)


def still(figure: "Figure", alt: str) -> Still:
    """A matplotlib figure as inline SVG: text as text, and the same bytes on every run.

    Black is drawn in the colour of the page's text, so that a picture reads in light
    and in dark. The figure is closed.

    Args:
        figure: what is drawn.
        alt: what it shows, for those who do not see it.

    Raises:
        ValueError: the alternative text is empty.
    """
    import matplotlib as mpl  # noqa: PLC0415  (heavy, and needed here only)
    from matplotlib import pyplot as plt  # noqa: PLC0415

    if not alt.strip():
        raise ValueError("still: expected a text that says what the picture shows")
    for legend in (axes.get_legend() for axes in figure.axes):
        if legend:
            legend.set_frame_on(False)  # its white would hide a light text
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": alt}):
        figure.savefig(
            buffer,
            format="svg",
            bbox_inches="tight",
            transparent=True,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    plt.close(figure)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    # Only what is referred to needs an id: others would stand twice on a page.
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([\w.-]+)"', lambda m: m[0] if m[1] in used else "", svg)
    # What matplotlib draws in black it leaves without a color, or names it so.
    svg = re.sub(r"(fill|stroke): #000000", r"\1: currentColor", svg)
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', lambda m: _opened(m[1], alt), svg
    )
    return Still(svg, alt)


def _opened(box: str, alt: str) -> str:
    width = float(box.split()[2]) * 4 / 3  # points to pixels
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box}" role="img" '
        'fill="currentColor" '
        f'aria-label="{escape(alt)}" style="width:100%;max-width:{width:.0f}px">'
    )
