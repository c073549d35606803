"""Where the axes, cells and numbers of one tensor lie on a drawing."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor

from layerlib.recipe import colour

WIDTH, CELL, GAP = 340, 26, 10  # in units of the drawing


@dataclass
class Panel:
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
        return [rounded(value) for value in self.values.double().flatten().tolist()]

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


def _slice(start: int, stop: int, length: int) -> str:
    if stop - start == length:
        return ":"
    return str(start) if stop - start == 1 else f"{start}:{stop}"


def flow(sizes: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], int]:
    """Places boxes in rows, as words on a page; their corners and the lower end."""
    corners, x, y, tallest = [], 0, 0, 0
    for wide, high in sizes:
        if x and x + wide > WIDTH:
            x, y, tallest = 0, y + tallest + GAP, 0
        corners.append((x, y))
        x, tallest = x + wide + 2 * GAP, max(tallest, high)
    return corners, y + tallest + GAP


def drawn_labels(panel: Panel, at: tuple[int, int]) -> Iterator[str]:
    """The title of a tensor, and each axis in its colour."""
    x0, y0 = at
    yield f'<text class="t" x="{x0 + 1}" y="{y0 + 9}">{escape(panel.title)}</text>'
    for name, x, y in panel.labels():
        yield drawn_letter(name, x0 + x, y0 + y, summed=name in panel.summed)


def drawn_letter(name: str, x: int, y: int, *, summed: bool = False) -> str:
    """The name of an axis in its colour, around this point; underlined if summed."""
    wide, fill = _wide(name), colour(name.split(maxsplit=1)[0])
    kind = "letter summed" if summed else "letter"
    return (
        f'<rect x="{x - wide // 2}" y="{y - 8}" width="{wide}" '
        f'height="16" rx="4" fill="{fill}"/>'
        f'<text class="{kind}" x="{x}" y="{y}">{name}</text>'
    )


def drawn_line(kind: str, text: str, y: int) -> str:
    """A line of text at the left edge."""
    return f'<text class="{kind}" x="1" y="{y}">{escape(text)}</text>'


def _wide(name: str) -> int:
    return 7 * len(name) + 9


def drawn_cell(x: int, y: int, wide: int, number: str) -> str:
    """A cell with its number."""
    return (
        f'<rect class="c" x="{x}" y="{y}" width="{wide}" height="{CELL}"/>'
        f'<text x="{x + wide // 2}" y="{y + CELL // 2}">{number}</text>'
    )


def rounded(value: float, digits: int = 2) -> str:
    """Rounded, and without zeros at its end."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "−∞" if value < 0 else "∞"
    said = f"{round(value, 9):.{digits}f}".rstrip("0").rstrip(".")
    return "0" if said in ("-0", "") else said.replace("-", "−")
