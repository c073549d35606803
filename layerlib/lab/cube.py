"""A line of two inputs as its cube: pulled, multiplied, and pressed flat."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

import torch
from torch import Tensor

from layerlib.conventions.expect import expect
from layerlib.lab.panel import drawn_letter, flow, rounded
from layerlib.lab.steps import Step, Steps
from layerlib.recipe import Recipe, colour

Number: TypeAlias = int | float
Place: TypeAlias = Sequence[Number]

DIRECTIONS = ((0.866, 0.5), (0.0, 1.0), (0.866, -0.5))
"""Where the axes of the cube go on paper: along its left side, down, and along its
right side. One sees its right side, its top and its left side, across these axes."""

WISHES = ((0, 2, 1), (1, 2, 0), (2, 1, 0), (1, 0, 2))
"""Which axes a letter would like: a summed one, one of the first input and the output,
of the second and the output, and of all three."""

ACROSS = ((2, 1, 0), (1, 2, 0), (0, 1, 2))
"""Across which axis a sheet lies, if it can: the first input, the second, the output.
So those of ``b i, o i -> b o`` are the left side, the top and the right side."""

KINDS = "abrp"  # the colors of input, weight, output and product
THIN = 0.3  # how thick a sheet is, next to a cell
MOST = 100  # cells of a cube


def cube(
    line: Recipe,
    *inputs: Tensor,
    backward: int | None = None,
    names: Sequence[str] = ("input", "weight", "output"),
) -> Steps:
    """A line of two inputs as its cube: pulled, multiplied, and pressed flat.

    Each input is a sheet, and is pulled along the letters that it lacks. Where the two
    meet, each cell of the cube holds a product, and the cube is pressed flat along the
    letters that are summed. All numbers are the line's own, in float64.

    Each letter has one axis of the cube, and a gradient is drawn in the cube of its
    line: the same three sheets, and pressed along another letter.

    Args:
        line: a recipe of two inputs with at most three letters; ``...`` counts as one,
            and stands for one axis or none.
        *inputs: what the line takes; with `backward`, what ``line.gradient(backward)``
            takes: the gradient of the output first, then the other input.
        backward: the input whose gradient is drawn; none, for the line itself.
        names: what to call the inputs of the line and its output.

    Raises:
        TypeError: the line is no recipe, or an input holds no real numbers.
        ValueError: not two inputs, more than three letters, too many cells or none;
            and what a call of the line raises.
        IndexError: `backward` is no input of the line.

    >>> from layerlib.recipe import Recipe
    >>> line, weight = Recipe("i, o i -> o"), torch.tensor([[1, 0, 2], [3, 1, -1]])
    >>> cube(line, torch.tensor([1, 2, 3]), weight).said()[-1]
    'Summed along i: 3 products for each of 2 outputs.'
    >>> cube(line, torch.tensor([1, -1]), weight, backward=0).said()[-1]
    'Summed along o: 2 products for each of 3 outputs.'
    """
    _check(line, names)
    drawn = line if backward is None else line.gradient(backward)
    sizes = drawn.sizes(*inputs)
    _check_inputs(drawn, inputs, sizes)
    # Which tensor of the line stands where: backward, the last one comes first.
    order = (0, 1, 2) if backward is None else (2, 1 - backward, backward)
    titles = [names[n] for n in order]
    if backward is not None:
        titles[::2] = [f"gradient of {title}" for title in titles[::2]]
    axes = _axes(line, [name for name, size in sizes.items() if size])
    terms = (*drawn.inputs, drawn.output)
    given = [x.double() for x in inputs]
    sheets = [
        Solid(title, role, values, term, axes)
        for title, role, values, term in zip(
            titles, order, (*given, drawn(*given)), terms, strict=True
        )
    ]
    # The same line, but nothing is summed: the whole cube.
    whole = Recipe(f"{drawn.line.split('->')[0]} -> {' '.join(sizes)}")
    return _Cube(drawn, axes, sheets, whole).steps()


def _check(line: Recipe, names: Sequence[str]) -> None:
    kind = f"an object of type {type(line).__name__}"
    expect("cube", isinstance(line, Recipe), "a Recipe as the line", kind, TypeError)
    count = f"{len(line.inputs)} in '{line}'"
    expect("cube", len(line.inputs) == 2, "a line of 2 inputs", count)
    expected = "3 names, of the inputs and the output"
    expect("cube", len(names) == 3, expected, len(names))


def _check_inputs(
    line: Recipe, inputs: Sequence[Tensor], sizes: dict[str, tuple[int, ...]]
) -> None:
    for x in inputs:
        real = x.dtype != torch.bool and not x.is_complex()
        expect("cube", real, "real numbers", x.dtype, TypeError)
    axes = [n for size in sizes.values() for n in size]
    told = f"{len(axes)} in '{line}' for shapes "
    told += " and ".join(str(tuple(x.shape)) for x in inputs)
    expect("cube", len(axes) <= 3, "at most 3 axes", told)
    cells = math.prod(axes)
    expect("cube", 0 < cells <= MOST, f"a cube of 1 to {MOST} cells", cells)


def _axes(line: Recipe, letters: Sequence[str]) -> dict[str, int]:
    """The axis of the cube that each letter has, by what the line does with it."""
    first, second = line.inputs

    def part(name: str) -> int:
        if name not in line.output:
            return 0
        return 3 if name in first and name in second else 1 if name in first else 2

    axes: dict[str, int] = {}
    for name in sorted(letters, key=part):
        wish = WISHES[part(name)]
        axes[name] = next(axis for axis in wish if axis not in axes.values())
    return axes


@dataclass
class Solid:
    """A tensor in the cube: the numbers along its three axes, and how it is shown."""

    title: str
    role: int  # input, weight or output of the line: a side of the cube, and a color
    values: Tensor
    term: tuple[str, ...]
    axes: dict[str, int]

    @property
    def own(self) -> list[int]:
        """The axes of the cube that it has."""
        return [self.axes[name] for name in self.term if name in self.axes]

    @property
    def lacks(self) -> list[str]:
        """The letters of the cube that it lacks."""
        return [name for name, axis in self.axes.items() if axis not in self.own]

    @property
    def across(self) -> int | None:
        """The axis across which it lies, a sheet; none, if it has all three."""
        free = [axis for axis in ACROSS[self.role % 3] if axis not in self.own]
        return free[0] if free else None

    @property
    def cells(self) -> Tensor:
        """Its numbers along the three axes of the cube, 1 where it lacks the axis."""
        sizes = dict(zip(self.own, self.values.shape, strict=True))
        moved = self.values.permute(
            sorted(range(len(self.own)), key=self.own.__getitem__)
        )
        return moved.reshape([sizes.get(axis, 1) for axis in range(3)])

    def told(self) -> str:
        """Its name and its sizes."""
        names = [name for name in self.term if name in self.axes]
        sizes = [f"{a} {n}" for a, n in zip(names, self.values.shape, strict=True)]
        return f"{self.title} ({', '.join(sizes) or 'one number'})"

    def read(self) -> str:
        """Its name and its numbers."""
        return f"{self.title} {_read(self.values.tolist())}"


def _read(values: Number | list[Any]) -> str:
    """Numbers as one reads them: ``[[1, 2], [0.5, −1]]``."""
    if isinstance(values, list):
        return f"[{', '.join(map(_read, values))}]"
    return rounded(values)


class Paper:
    """What is drawn from places in a cube, and how much of the paper it takes."""

    def __init__(self, side: float) -> None:
        self.side = side
        self.parts: list[str] = []
        self.ends: list[tuple[float, float]] = []

    def point(
        self, at: Place, aside: tuple[Number, Number] = (0, 0)
    ) -> tuple[float, float]:
        """Where a place of the cube is on paper, or what lies beside it."""
        x, y = (
            self.side * sum(n * way[k] for n, way in zip(at, DIRECTIONS, strict=True))
            for k in (0, 1)
        )
        self.ends.append((x + aside[0], y + aside[1]))
        return self.ends[-1]

    def line(self, places: Sequence[Place], aside: tuple[Number, Number] = (0, 0)) -> str:
        """A line through these places, in the words of a path."""
        points = [self.point(place, aside) for place in places]
        return "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points)

    def word(self, said: str, x: Number, y: Number, kind: str = "t") -> None:
        """A word around a point of the paper."""
        self.ends += [(x - 3.8 * len(said), y - 9), (x + 3.8 * len(said), y + 9)]
        self.parts.append(
            f'<text class="{kind}" x="{_short(x)}" y="{_short(y)}">{escape(said)}</text>'
        )

    def face(
        self,
        kind: str,
        normal: int,
        cells: Tensor,
        at: Place,
        steps: Place,
        *,
        told: bool,
    ) -> None:
        """One side of a box of cells, with a number in each if they are told."""
        across, down = (axis for axis in range(3) if axis != normal)
        lines, words = "", ""
        for flat, number in enumerate(cells.flatten().tolist()):
            n, m = divmod(flat, cells.shape[1])
            corner = list(at)
            corner[across] += n * steps[across]
            corner[down] += m * steps[down]
            ends = [list(corner) for _ in range(4)]
            for k in (1, 2):
                ends[k][across] += steps[across]
            for k in (2, 3):
                ends[k][down] += steps[down]
            lines += self.line(ends) + "z"
            if told:
                x, y = self.point(
                    [(a + b) / 2 for a, b in zip(ends[0], ends[2], strict=True)]
                )
                words += (
                    f'<text x="{_short(x)}" y="{_short(y)}">{rounded(number)}</text>'
                )
        self.parts.append(f'<path class="face f{normal} {kind}" d="{lines}"/>{words}')

    def box(
        self, kind: str, cells: Tensor, at: Place = (0, 0, 0), across: int | None = None
    ) -> None:
        """The three sides that one sees of a box; a sheet tells the numbers once."""
        steps = [THIN if axis == across else 1.0 for axis in range(3)]
        for normal in (2, 1, 0):
            corner = list(at)
            if normal == 0:
                corner[0] += steps[0] * cells.shape[0]
            seen = cells.select(normal, -1 if normal == 0 else 0)
            told = across in {None, normal}
            self.face(kind, normal, seen, corner, steps, told=told)

    def edge(
        self,
        axis: int,
        name: str,
        lengths: Place,
        at: Place = (0, 0, 0),
        *,
        summed: bool = False,
        arrow: bool = False,
    ) -> None:
        """The letter of an axis at the outline of a box, in its color."""
        x, y, z = lengths
        ends = (((0, y, 0), (x, y, 0)), ((0, 0, 0), (0, y, 0)), ((x, y, 0), (x, y, z)))
        start, end = ([a + b for a, b in zip(at, e, strict=True)] for e in ends[axis])
        out = ((-0.5, 0.866), (-1, 0), (0.5, 0.866))[axis]
        path = self.line([start, end], (4 * out[0], 4 * out[1]))
        (x0, y0), (x1, y1) = self.ends[-2:]
        if arrow:
            way = DIRECTIONS[axis]
            left, right = (
                (x1 - 9 * way[0] + k * 6 * way[1], y1 - 9 * way[1] - k * 6 * way[0])
                for k in (-1, 1)
            )
            path += f"M{_short(left[0])} {_short(left[1])}L{_short(x1)} {_short(y1)}"
            path += f"L{_short(right[0])} {_short(right[1])}"
        far = 12 + (7 * len(name) - 7) * abs(out[0]) / 2
        middle = (
            (x0 + x1) / 2 + far * out[0] * 1.2,
            (y0 + y1) / 2 + far * out[1] * 1.2,
        )
        self.ends += [(middle[0] + k * 14, middle[1] + k * 10) for k in (-1, 1)]
        self.parts.append(
            f'<path class="edge" stroke="{colour(name)}" d="{path}"/>'
            + drawn_letter(
                name, round(middle[0]), round(middle[1]), summed=summed
            )
        )

    def ghost(self, shape: Sequence[int], at: Place, across: int) -> None:
        """The outline of an empty sheet."""
        x, y, z = (THIN if axis == across else n for axis, n in enumerate(shape))
        ends = [(0, 0, 0), (0, y, 0), (x, y, 0), (x, y, z), (x, 0, z), (0, 0, z)]
        places = [[a + b for a, b in zip(at, end, strict=True)] for end in ends]
        self.parts.append(f'<path class="ghost" d="{self.line(places)}z"/>')

    @property
    def frame(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of what is drawn."""
        xs, ys = zip(*self.ends, strict=True)
        left, top = math.floor(min(xs)) - 3, math.floor(min(ys)) - 3
        return left, top, math.ceil(max(xs)) + 3 - left, math.ceil(max(ys)) + 3 - top


def _short(value: Number) -> str:
    said = f"{value:.1f}".removesuffix(".0")
    return "0" if said == "-0" else said


def _apart(cells: Tensor, axis: int) -> Number:
    """How far apart sheets across an axis must lie so that none hides another."""
    sizes = [n for other, n in enumerate(cells.shape) if other != axis]
    return min(sizes) + THIN + 0.4


class _Cube:
    """The cube of a line, and its four steps."""

    def __init__(
        self, line: Recipe, axes: dict[str, int], sheets: Sequence[Solid], whole: Recipe
    ) -> None:
        self.line, self.axes, self.whole = line, axes, whole
        self.first, self.second, self.output = sheets
        ones = [torch.ones_like(sheet.values) for sheet in sheets]
        self.pulled = [
            self._full(self.first.role, self.first.values, ones[1]),
            self._full(self.second.role, ones[0], self.second.values),
        ]
        self.product = self._full(3, self.first.values, self.second.values)
        shown = (*sheets, *self.pulled, self.product)
        longest = max(
            len(rounded(n)) for x in shown for n in x.values.flatten().tolist()
        )
        self.side = max(34.0, (7 * longest + 8) / DIRECTIONS[0][0])
        summed = [axes[name] for name in line.summed if name in axes]
        self.pressed = [*summed, *(a for a in (0, 1, 2) if a not in axes.values()), 0][
            0
        ]

    def _full(self, role: int, *values: Tensor) -> Solid:
        names = tuple(name for name in self.whole.output)
        return Solid("product", role, self.whole(*values), names, self.axes)

    @property
    def lengths(self) -> Place:
        """The cube's sizes."""
        return list(self.product.cells.shape)

    def steps(self) -> Steps:
        """The picture."""
        steps = [self._given(), self._pulled(), self._multiplied(), self._summed()]
        sheets = (self.first, self.second, self.output)
        first, second, output = (sheet.title for sheet in sheets)
        caption = f"{output} from {first} and {second}, as the cube of {self.line}."
        return Steps("cube", steps, caption, rest="all")

    def _letters(
        self, paper: Paper, solid: Solid, lengths: Place, at: Place = (0, 0, 0)
    ) -> None:
        for name, axis in self.axes.items():
            if axis in solid.own:
                gone = name in self.line.summed
                paper.edge(axis, name, lengths, at, summed=gone)

    def _sheet(self, paper: Paper, solid: Solid, at: Place) -> None:
        """A tensor as a sheet; one that has all axes as several."""
        kind, cells = KINDS[solid.role], solid.cells
        if solid.across is None:
            lengths = self._sheets(paper, solid, at)
        else:
            lengths = [
                THIN if axis == solid.across else n
                for axis, n in enumerate(cells.shape)
            ]
            paper.box(kind, cells, at, solid.across)
        self._letters(paper, solid, lengths, at)
        self._title(paper, solid, lengths, at)

    def _title(self, paper: Paper, solid: Solid, lengths: Place, at: Place) -> None:
        x, y, z = lengths
        corners = [(0, 0, 0), (x, 0, 0), (0, 0, z), (x, 0, z), (0, y, 0), (x, y, z)]
        points = [
            paper.point([a + b for a, b in zip(at, corner, strict=True)])
            for corner in corners
        ]
        xs = [px for px, _ in points]
        paper.word(
            solid.title, (min(xs) + max(xs)) / 2, min(py for _, py in points) - 12
        )

    def _sheets(
        self, paper: Paper, solid: Solid, at: Place = (0, 0, 0), *, moves: bool = True
    ) -> Place:
        """All of a cube's numbers: sheets across the axis that is pressed."""
        cells, axis = solid.cells, self.pressed
        count, far = cells.shape[axis], _apart(solid.cells, axis)
        for n in reversed(range(count)) if axis == 2 else range(count):
            corner, by = list(at), [0.0] * 3
            corner[axis] += n * far
            by[axis] = n * (1 - far)
            paper.parts.append(_moving("move", paper, by))
            paper.box(KINDS[solid.role], cells.narrow(axis, n, 1), corner, axis)
            paper.parts.append("</g>")
        lengths = list(cells.shape)
        lengths[axis] = (count - 1) * far + THIN
        return lengths

    def _given(self) -> Step:
        paper = Paper(self.side)
        places = []
        for solid in (self.first, self.second):
            at = [0.0] * 3
            if solid.across is not None:
                far = _apart(solid.cells, solid.across)
                size = self.lengths[solid.across]
                near = (solid.across != 0) != (solid.across in [p for p, _ in places])
                at[solid.across] = -far if near else size + far
            places.append((solid.across, at))
            self._sheet(paper, solid, at)
        told = f"The inputs: {self.first.told()} and {self.second.told()}."
        label = f"{self.first.read()}; {self.second.read()}"
        return Step("".join(paper.parts), paper.frame, told, label)

    def _pulled(self) -> Step:
        papers, said = [], []
        for solid, full in zip((self.first, self.second), self.pulled, strict=True):
            paper, lengths = Paper(self.side), self.lengths
            if solid.lacks:
                self._block(paper, solid, full)
            else:
                lengths = self._sheets(paper, full)
            for name, axis in self.axes.items():
                paper.edge(axis, name, lengths, arrow=name in solid.lacks)
            self._title(paper, solid, lengths, [0.0] * 3)
            papers.append(paper)
            said.append(f"{solid.title} {self._along(solid)}")
        drawn, box = _beside(papers)
        label = "; ".join(
            f"{solid.title} {_read(full.values.tolist())}"
            for solid, full in zip((self.first, self.second), self.pulled, strict=True)
        )
        return Step(drawn, box, f"Pulled: {'; '.join(said)}.", label)

    def _block(self, paper: Paper, solid: Solid, full: Solid) -> None:
        paper.box(KINDS[solid.role], full.cells)

    def _along(self, solid: Solid) -> str:
        pulls = [
            f"along {name}, {_times(self.lengths[self.axes[name]])}"
            for name in solid.lacks
        ]
        return " and ".join(pulls) or "has all letters already"

    def _multiplied(self) -> Step:
        paper = Paper(self.side)
        lengths = self._sheets(paper, self.product)
        self._letters(paper, self.product, lengths)
        count = self.product.values.numel()
        told = f"Multiplied: {_count(count, 'product')}, one in each cell."
        return Step("".join(paper.parts), paper.frame, told, self.product.read())

    def _summed(self) -> Step:
        paper, axis = Paper(self.side), self.pressed
        summed = [name for name in self.line.summed if name in self.axes]
        at = [0.0] * 3
        if summed:
            cells = self.product.cells
            count, far = cells.shape[axis], _apart(cells, axis)
            lengths = list(cells.shape)
            lengths[axis] = (count - 1) * far + THIN
            at[axis] = lengths[axis] - THIN + far if axis == 0 else -far
            for n in range(count):
                corner, by = [0.0] * 3, [0.0] * 3
                corner[axis] = n * far
                by[axis] = at[axis] - corner[axis]
                paper.parts.append(_moving("gone", paper, by))
                paper.ghost(cells.shape, corner, axis)
                paper.parts.append("</g>")
            paper.edge(axis, summed[0], lengths, summed=True, arrow=True)
        paper.parts.append('<g class="late">')
        self._sheet(paper, self.output, at)
        paper.parts.append("</g>")
        products, outputs = self.product.values.numel(), self.output.values.numel()
        each = f"{_count(products // outputs, 'product')} for each of {_count(outputs, 'output')}"
        told = f"Summed along {' and '.join(summed)}: {each}."
        if not summed:
            told = "Nothing is summed: the products are the output."
        return Step("".join(paper.parts), paper.frame, told, self.output.read())


def _moving(kind: str, paper: Paper, by: Place) -> str:
    """Opens a group that comes from so far off, or goes there."""
    x, y = Paper(paper.side).point(by)
    return f'<g class="{kind}" style="--x:{_short(x)}px;--y:{_short(y)}px">'


def _beside(papers: Sequence[Paper]) -> tuple[str, tuple[int, int, int, int]]:
    """Several drawings, one beside the other, or below it."""
    frames = [paper.frame for paper in papers]
    corners, bottom = flow([(round(f[2]), round(f[3])) for f in frames])
    drawn = "".join(
        f'<g transform="translate({x - f[0]} {y - f[1]})">{"".join(paper.parts)}</g>'
        for paper, f, (x, y) in zip(papers, frames, corners, strict=True)
    )
    width = max(x + f[2] for f, (x, _) in zip(frames, corners, strict=True))
    return drawn, (0, 0, width, bottom)


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")
