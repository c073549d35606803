"""Boxes of numbered cells, drawn from places in a cube."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import NamedTuple, TypeAlias

from torch import Tensor

from layerlib.lab.panel import drawn_letter, flow, rounded
from layerlib.recipe import colour

Number: TypeAlias = int | float
Place: TypeAlias = Sequence[Number]
Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, width and height on paper."""

DIRECTIONS = ((0.866, 0.5), (0.0, 1.0), (0.866, -0.5))
"""Where the axes of the cube go on paper: along its left side, down, and along its
right side. One sees its right side, its top and its left side, across these axes."""

OUTWARD = ((-0.5, 0.866), (-1.0, 0.0), (0.5, 0.866))
"""Where the letter of each axis stands, from the edge of a box along it."""

CELL, THIN = 34, 0.3  # a cell on paper, at least, and how thick a sheet is next to it


class Kind(NamedTuple):
    """What a tensor is called, its color, and the axes across which it may lie."""

    title: str
    color: str
    sides: tuple[int, ...]


@dataclass
class Solid:
    """A tensor in the cube: a sheet, if it lacks an axis."""

    kind: Kind
    values: Tensor
    term: Sequence[str]
    axes: dict[str, int]

    @property
    def letters(self) -> list[str]:
        """The letters that it has, in its own order."""
        return [name for name in self.term if name in self.axes]

    @property
    def lacks(self) -> list[str]:
        """The letters of the cube that it lacks."""
        return [name for name in self.axes if name not in self.term]

    @property
    def across(self) -> int | None:
        """The axis across which it lies, a sheet; none, if it has all three."""
        own = [self.axes[name] for name in self.letters]
        return next((axis for axis in self.kind.sides if axis not in own), None)

    @property
    def cells(self) -> Tensor:
        """Its numbers along the three axes of the cube, with 1 where it lacks one."""
        own = [self.axes[name] for name in self.letters]
        order = sorted(range(len(own)), key=own.__getitem__)
        sizes = dict(zip(own, self.values.shape, strict=True))
        sorted_values = self.values.permute(order)
        return sorted_values.reshape([sizes.get(axis, 1) for axis in range(3)])

    @property
    def lengths(self) -> Place:
        """How long its box is along the three axes."""
        sizes = enumerate(self.cells.shape)
        return [THIN if axis == self.across else n for axis, n in sizes]

    def told(self) -> str:
        """Its name and its sizes."""
        each = zip(self.letters, self.values.shape, strict=True)
        sizes = ", ".join(f"{name}\xa0{n}" for name, n in each)
        return f"{self.kind.title} ({sizes or 'one number'})"

    def read(self) -> str:
        """Its name and its numbers."""
        return f"{self.kind.title} {_read(self.values.tolist())}"


def _read(values: Number | list[object]) -> str:
    """Numbers as one reads them: ``[[1, 2], [0.5, −1]]``."""
    if isinstance(values, list):
        return f"[{', '.join(map(_read, values))}]"  # type: ignore[arg-type]
    return rounded(values)


class Paper:
    """What is drawn from places in a cube, and how much of the paper it takes."""

    def __init__(self, side: Number = CELL) -> None:
        self.side = side
        self._parts: list[str] = []
        self._ends: list[tuple[Number, Number]] = []

    @property
    def drawn(self) -> str:
        """All that is drawn."""
        return "".join(self._parts)

    @property
    def box(self) -> Box:
        """What it takes of the paper."""
        xs, ys = zip(*self._ends, strict=True)
        left, top = math.floor(min(xs)) - 3, math.floor(min(ys)) - 3
        return left, top, math.ceil(max(xs)) + 3 - left, math.ceil(max(ys)) + 3 - top

    def point(self, at: Place) -> tuple[Number, Number]:
        """Where a place of the cube is on paper."""
        x, y = (
            self.side * sum(n * way[k] for n, way in zip(at, DIRECTIONS, strict=True))
            for k in (0, 1)
        )
        return x, y

    def _path(self, places: Sequence[Place]) -> str:
        points = [self.point(place) for place in places]
        self._ends += points
        return _joined(points)

    def title(self, said: str, lengths: Place, at: Place) -> None:
        """What a box is called, above it."""
        points = [self.point(end) for end in _outline(lengths, at)]
        xs, top = [x for x, _ in points], min(y for _, y in points)
        x, half = (min(xs) + max(xs)) / 2, 3.8 * len(said)
        self._ends += [(x - half, top - 21), (x + half, top)]
        place = f'x="{_short(x)}" y="{_short(top - 12)}"'
        self._parts.append(f'<text class="title" {place}>{escape(said)}</text>')

    @contextmanager
    def moving(self, kind: str, by: Place) -> Iterator[None]:
        """What is drawn meanwhile comes from so far off, or goes there."""
        x, y = self.point(by)
        style = f"--x:{_short(x)}px;--y:{_short(y)}px"
        self._parts.append(f'<g class="{kind}" style="{style}">')
        yield
        self._parts.append("</g>")

    def cells(
        self,
        kind: str,
        cells: Tensor,
        at: Place = (0, 0, 0),
        across: int | None = None,
        hidden: int | None = None,
    ) -> None:
        """The sides that one sees of a box of cells, with a number in each.

        Args:
            kind: the class of its color.
            cells: the numbers along the three axes.
            at: its first corner.
            across: the axis across which it is a sheet, and tells the numbers once.
            hidden: the axis across which something else covers it.
        """
        steps = [THIN if axis == across else 1 for axis in range(3)]
        for normal in (2, 1, 0):
            if normal != hidden:
                corner = list(at)
                corner[0] += steps[0] * cells.shape[0] * (normal == 0)
                seen = cells.select(normal, -1 if normal == 0 else 0)
                told = across in {None, normal}
                self._side(f"f{normal} {kind}", normal, seen, corner, steps, told=told)

    def _side(
        self,
        kind: str,
        normal: int,
        cells: Tensor,
        at: Place,
        steps: Place,
        *,
        told: bool,
    ) -> None:
        right, down = (along(k, steps[k]) for k in range(3) if k != normal)
        lines, words = "", ""
        for n, row in enumerate(cells.tolist()):
            for m, number in enumerate(row):
                corner = _sum(at, *[right] * n, *[down] * m)
                ends = corner, _sum(corner, right), _sum(corner, right, down)
                lines += f"{self._path([*ends, _sum(corner, down)])}z"
                x, y = self.point(_mean(corner, ends[2]))
                place = f'x="{_short(x)}" y="{_short(y)}"'
                words += f"<text {place}>{rounded(number)}</text>" if told else ""
        self._parts.append(f'<path class="face {kind}" d="{lines}"/>{words}')

    def ghost(self, lengths: Place, at: Place = (0, 0, 0)) -> None:
        """The outline of an empty box, and the corner that is nearest."""
        x, y, z = lengths
        nearest = _sum(at, (x, 0, 0))
        path = f"{self._path(_outline(lengths, at))}z"
        for end in ((0, 0, 0), (x, y, 0), (x, 0, z)):
            path += self._path([nearest, _sum(at, end)])
        self._parts.append(f'<path class="ghost" d="{path}"/>')

    def letter(
        self,
        name: str,
        axis: int,
        lengths: Place,
        at: Place = (0, 0, 0),
        *,
        summed: bool = False,
        arrow: int = 0,
    ) -> None:
        """The letter of an axis, at the edge of a box; an arrow points on, or back."""
        x, y, _ = lengths
        corner = _sum(at, ((0, y, 0), (0, 0, 0), (x, y, 0))[axis])
        right, down = OUTWARD[axis]
        start, end = (
            (x + 4 * right, y + 4 * down)
            for x, y in map(
                self.point, (corner, _sum(corner, along(axis, lengths[axis])))
            )
        )
        path = _joined([start, end]) + _head(start, end, axis, arrow)
        far, half = 18 + 3.5 * (len(name) - 1), 4 * len(name) + 5
        x = round((start[0] + end[0]) / 2 + far * right)
        y = round((start[1] + end[1]) / 2 + far * down)
        self._ends += [start, end, (x - half, y - 9), (x + half, y + 9)]
        self._parts.append(
            f'<path class="edge" stroke="{colour(name)}" d="{path}"/>'
            f"{drawn_letter(name, x, y, summed=summed)}"
        )


def _head(
    start: tuple[Number, Number], end: tuple[Number, Number], axis: int, arrow: int
) -> str:
    """The head of an arrow at the end, or at the start for -1."""
    if not arrow:
        return ""
    (x, y), (right, down) = end if arrow > 0 else start, DIRECTIONS[axis]
    back = x - 9 * arrow * right, y - 9 * arrow * down
    sides = [(back[0] + k * 6 * down, back[1] - k * 6 * right) for k in (-1, 1)]
    return _joined([sides[0], (x, y), sides[1]])


def _outline(lengths: Place, at: Place) -> list[Place]:
    x, y, z = lengths
    ends = (0, 0, 0), (0, y, 0), (x, y, 0), (x, y, z), (x, 0, z), (0, 0, z)
    return [_sum(at, end) for end in ends]


def along(axis: int, length: Number) -> Place:
    """A place so far from the corner of the cube."""
    return [length if k == axis else 0 for k in range(3)]


def _sum(*places: Place) -> Place:
    return [sum(each) for each in zip(*places, strict=True)]


def _mean(first: Place, second: Place) -> Place:
    return [(a + b) / 2 for a, b in zip(first, second, strict=True)]


def _joined(points: Sequence[tuple[Number, Number]]) -> str:
    return "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points)


def _short(value: Number) -> str:
    said = f"{value:.1f}".removesuffix(".0")
    return "0" if said == "-0" else said


def apart(cells: Tensor, axis: int) -> Number:
    """How far apart sheets across an axis lie if none is to hide another."""
    return min(n for other, n in enumerate(cells.shape) if other != axis) + THIN + 0.4


def side(solids: Sequence[Solid]) -> Number:
    """How large a cell is on paper: what the longest number needs."""
    numbers = (n for solid in solids for n in solid.values.flatten().tolist())
    longest = max(len(rounded(number)) for number in numbers)
    return max(CELL, (7 * longest + 8) / DIRECTIONS[0][0])


def beside(papers: Sequence[Paper]) -> tuple[str, Box]:
    """Several drawings, beside one another if there is space, and what they take."""
    boxes = [paper.box for paper in papers]
    corners, bottom = flow([box[2:] for box in boxes])
    drawn = "".join(
        f'<g transform="translate({x - box[0]} {y - box[1]})">{paper.drawn}</g>'
        for paper, box, (x, y) in zip(papers, boxes, corners, strict=True)
    )
    width = max(x + box[2] for box, (x, _) in zip(boxes, corners, strict=True))
    return drawn, (0, 0, width, bottom)
