"""Where the axes, cells and numbers of one tensor lie on a drawing."""

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor
from torch.nn.functional import pad

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


@dataclass
class Board:
    """A tensor as a grid of cells on a page, with room around it for padding.

    Cells are counted in the order in which they are read, row by row.

    Args:
        panel: the tensor.
        around: how many rows and columns lie at either end, of each block.
        filler: what is written in them.
        least: how wide a cell is at least, in pixels.
    """

    panel: Panel
    around: tuple[int, int] = (0, 0)
    filler: str = ""
    least: int = 32

    @functools.cached_property
    def rows(self) -> list[list[int]]:
        """The flat index of each cell; -1 for padding."""
        flat = torch.arange(self.panel.values.numel()).reshape(self.panel.blocks)
        return self._read(flat, (0, 0))

    def _read(self, flat: Tensor, already: tuple[int, int]) -> list[list[int]]:
        high, wide = (a - b for a, b in zip(self.around, already, strict=True))
        wider = pad(flat, (wide, wide, high, high), value=-1)
        rows: list[list[int]] = wider.transpose(1, 2).flatten(2).flatten(0, 1).tolist()
        return rows

    @functools.cached_property
    def place(self) -> dict[int, int]:
        """Which in the order each cell is, by its flat index."""
        return _numbered(self.rows)

    def beyond(self, around: tuple[int, int]) -> dict[int, int]:
        """The same for the padding, by flat indices of a tensor that has so much."""
        below, beside, rows, columns = self.panel.blocks
        shape = below, beside, rows + 2 * around[0], columns + 2 * around[1]
        padded = self._read(torch.arange(math.prod(shape)).reshape(shape), around)
        inside = set(self.place.values())
        return {n: k for n, k in _numbered(padded).items() if k not in inside}

    def html(self, kinds: str = "", marks: Mapping[int, str] | None = None) -> str:
        """The grid with its title and the names of its axes.

        Args:
            kinds: further classes of the whole.
            marks: attributes of some cells, and before a ``|`` their classes.
        """
        panel = self.panel
        below, beside, row, column = (("",) * 4 + panel.axes)[-4:]
        cell = max(self.least, 9 * max(map(len, [*panel.numbers, self.filler])) + 10)
        title, axes = escape(panel.title), " by ".join(panel.axes)
        said = f"{title}, {axes}" if axes else title
        height, width = self._spans
        grid = (
            f'<div class="g" role="grid" aria-label="{said}" data-t="{title}" '
            f'data-d="{len(panel.axes)}">'
        )
        return (
            f'<div class="p{kinds}" style="--w:{cell}px;--n:{len(self.rows[0])}">'
            f'<div class="t">{title}</div>'
            f'<div class="u">{_over(beside, panel, "")}{_over(column, panel, width)}'
            f'</div><div class="v">{_over(below, panel, "")}{_over(row, panel, height)}'
            f"</div>{grid}{''.join(self._lines(marks or {}))}</div></div>"
        )

    @property
    def _block(self) -> tuple[int, int]:
        _, _, rows, columns = self.panel.blocks
        return rows + 2 * self.around[0], columns + 2 * self.around[1]

    @property
    def _spans(self) -> tuple[str, str]:
        """Height and width of a block, where there are several."""
        (below, beside, _, _), (high, wide) = self.panel.blocks, self._block
        return (
            f"height:calc({high}*var(--y))" if below > 1 else "",
            f"width:calc({wide}*var(--x))" if beside > 1 else "",
        )

    def _lines(self, marks: Mapping[int, str]) -> Iterator[str]:
        high, wide = self._block
        for r, row in enumerate(self.rows):
            cells = (
                self._cell(
                    flat, c > 0 and c % wide == 0, marks.get(r * len(row) + c, "")
                )
                for c, flat in enumerate(row)
            )
            kind = ' class="b"' if r and r % high == 0 else ""
            yield f'<div role="row"{kind}>{"".join(cells)}</div>'

    def _cell(self, flat: int, first: bool, mark: str) -> str:
        kind, _, more = mark.partition("|")
        kinds = " ".join(["b"] * first + ["z"] * (flat < 0) + [kind] * bool(kind))
        attributes = f' class="{kinds}"' * bool(kinds) + more
        if flat < 0:
            return f'<i role="gridcell"{attributes}>{self.filler}</i>'
        number = self.panel.numbers[flat]
        label = f"{self._named(flat)}: {number}"
        return f'<i role="gridcell"{attributes} aria-label="{label}">{number}</i>'

    def _named(self, flat: int) -> str:
        """A cell by its axes: ``b 0, i 2``."""
        panel = self.panel
        if not panel.axes:
            return escape(panel.title)
        index = torch.unravel_index(torch.tensor(flat), panel.values.shape)
        named = zip(panel.axes, index, strict=True)
        return ", ".join(
            f"{'axis' if name == '...' else name} {int(n)}" for name, n in named
        )


def _numbered(rows: list[list[int]]) -> dict[int, int]:
    read = enumerate(n for row in rows for n in row)
    return {n: k for k, n in read if n >= 0}


def _over(name: str, panel: Panel, size: str) -> str:
    """The name of an axis in its colour, in the middle of a block."""
    if not name:
        return ""
    kind = "l d" if name in panel.summed else "l"
    fill = colour(name.split(maxsplit=1)[0])
    chip = f'<b class="{kind}" style="background:{fill}">{name}</b>'
    style = f' style="{size}"' if size else ""
    return f'<div class="a"{style}>{chip}</div>'
