"""The pictures of the book: one to point at, and still ones."""

import functools
import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor

from layerlib.recipe import Rearrange, Recipe, colour, split_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, CELL, GAP, LINE = 340, 26, 10, 17  # in units of the drawing
LARGEST = 60_000  # bytes of one picture
WHOLE = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}

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


@dataclass(frozen=True)
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

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the drawing."""
        down, across, rows, columns = self.blocks
        left, top = self.margin
        return (
            max(left + across * (columns * CELL + GAP) - GAP, 8 * len(self.title)),
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
            left + (beside * columns + column) * CELL + beside * GAP,
            top + (below * rows + row) * CELL + below * GAP,
        )

    def place(self, flat: int) -> str:
        """The cell with this flat index, as one writes it: ``x[0, 2]``."""
        if not self.values.ndim:
            return self.title
        index = torch.unravel_index(torch.tensor(flat), self.values.shape)
        return f"{self.title}[{', '.join(str(int(n)) for n in index)}]"

    def labels(self) -> Iterator[tuple[str, int, int]]:
        """The name of each axis, and the middle of where it stands."""
        _, across, rows, columns = self.blocks
        left, top = self.margin
        high, wide = rows * CELL, columns * CELL
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
        self, panels: Sequence[_Panel], made_of: Sequence[Sequence[tuple[int, ...]]]
    ) -> None:
        *self._inputs, self._output = panels
        self._made_of = made_of
        self._html = self._draw()
        if len(self._html.encode()) > LARGEST:
            raise ValueError(
                f"point_at: expected a picture of at most {LARGEST} bytes, got "
                f"{len(self._html.encode())}; use smaller tensors"
            )

    def sums(self) -> list[str]:
        """For each cell of the output, in order, the sum that made it, written out."""
        totals = self._output.values.flatten().tolist()
        values = [panel.values.flatten().tolist() for panel in self._inputs]
        return [
            f"{self._output.place(flat)} = {self._made(terms, values)} = "
            f"{_number(total)}"
            for flat, (terms, total) in enumerate(
                zip(self._made_of, totals, strict=True)
            )
        ]

    def _made(
        self, terms: Sequence[tuple[int, ...]], values: Sequence[Sequence[int]]
    ) -> str:
        if len(terms) == len(terms[0]) == 1:
            return self._inputs[0].place(terms[0][0])
        return " + ".join(
            "·".join(_factor(v[n]) for v, n in zip(values, term, strict=True))
            for term in terms
        )

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
        wrapped = [textwrap.wrap(said, 48) for said in sums]
        height = bottom + LINE * (max(map(len, wrapped)) + 1)
        width = max(WIDTH, *(panel.size[0] + 2 for panel in panels))
        parts = [
            part
            for panel, at in zip(panels, origins, strict=True)
            for part in _labels(panel, at)
        ]
        for panel, (x0, y0) in zip(self._inputs, origins, strict=False):
            for flat, value in enumerate(panel.values.flatten().tolist()):
                x, y = panel.corner(flat)
                parts.append(_cell(x0 + x, y0 + y, value))
        hint = f"Point at a cell of {self._output.title}."
        parts.append(_line("sum hint", hint, bottom + LINE))
        x0, y0 = origins[-1]
        values = self._output.values.flatten().tolist()
        for flat, (value, lines) in enumerate(zip(values, wrapped, strict=True)):
            x, y = self._output.corner(flat)
            told = "".join(
                _line("sum", line, bottom + LINE * n) for n, line in enumerate(lines, 1)
            )
            label = escape(sums[flat])
            parts.append(
                f'<g class="o" tabindex="0" role="img" aria-label="{label}">'
                f"{_cell(x0 + x, y0 + y, value)}"
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
        cells = {(k, n) for term in self._made_of[flat] for k, n in enumerate(term)}
        for which, n in sorted(cells):
            (x0, y0), (x, y) = origins[which], self._inputs[which].corner(n)
            boxes += f"M{x0 + x} {y0 + y}h{CELL}v{CELL}h-{CELL}z"
        return boxes

    def _caption(self) -> str:
        *names, output = (panel.title for panel in (*self._inputs, self._output))
        given = " and ".join(", ".join(names).rsplit(", ", 1))
        return (
            f"{output} from {given}: point at a cell of {output}, tap it, or move "
            "there with the arrow keys, to see what made it."
        )


def point_at(
    line: Recipe | Rearrange, *tensors: Tensor, names: Sequence[str] = (), **sizes: int
) -> PointAt:
    """A picture of a line over small whole numbers, in which each output says its sum.

    Pointing at a cell of the output, tapping or focusing it marks the cells that made
    it and writes out the sum. What made a cell is not drawn by hand: the numbers of
    the cells are pushed through the same moves as the values.

    Args:
        line: a `Recipe` or a `Rearrange`.
        *tensors: its inputs, of whole numbers, with at most four axes each.
        names: what to call the inputs and the output; "input", "weight", "output" by
            default.
        **sizes: of axes that a `Rearrange` splits.

    Raises:
        TypeError: a tensor does not hold whole numbers.
        ValueError: too many axes, too many cells, or the names do not fit.

    >>> point_at(Recipe("i, i ->"), torch.tensor([1, 2]), torch.tensor([3, -4])).sums()
    ['output = 1·3 + 2·(−4) = −5']
    """
    for tensor in tensors:
        if tensor.dtype not in WHOLE:
            raise TypeError(f"point_at: expected whole numbers, got {tensor.dtype}")
        if tensor.ndim > 4 or not tensor.numel():
            raise ValueError(
                "point_at: expected 0 to 4 axes and at least one cell, got shape "
                f"{tuple(tensor.shape)}"
            )
    given = ["input", "weight", "third input"][: len(tensors)]
    titles = list(names) or [*given, "output"]
    if len(titles) != len(tensors) + 1:
        raise ValueError(
            f"point_at: expected {len(tensors) + 1} names, inputs and output, got "
            f"{len(titles)}"
        )
    if isinstance(line, Recipe):
        output, made_of = line(*tensors), _made_of(line, tensors)
    else:
        output = line(*tensors, **sizes)  # type: ignore[arg-type]
        numbers = torch.arange(tensors[0].numel()).reshape(tensors[0].shape)
        made_of = [[(n,)] for n in line(numbers, **sizes).flatten().tolist()]
    panels = [
        _Panel(title, _axes(side, values.ndim), values, line.summed)
        for title, side, values in zip(
            titles, re.split(r",|->", line.line), (*tensors, output), strict=True
        )
    ]
    if output.ndim > 4:
        raise ValueError(
            f"point_at: expected an output of at most 4 axes, got {tuple(output.shape)}"
        )
    return PointAt(panels, made_of)


def _made_of(recipe: Recipe, tensors: Sequence[Tensor]) -> list[list[tuple[int, ...]]]:
    """For each cell of the output, the flat indices of the factors of each term."""
    *ordered, summed = recipe.patterns
    numbers = [torch.arange(x.numel()).reshape(x.shape) for x in tensors]
    moved = [rearrange(n, p) for n, p in zip(numbers, ordered, strict=True)]
    common = functools.reduce(torch.add, moved)  # only its shape is used
    keep = f"{summed} ({' '.join(recipe.summed)})"  # not summed: listed, at the end
    listed = [rearrange(n.expand_as(common), keep) for n in moved]
    terms = torch.stack([n.reshape(-1, n.shape[-1]) for n in listed], dim=-1)
    return [[tuple(term) for term in cell] for cell in terms.tolist()]


def _axes(side: str, ndim: int) -> tuple[str, ...]:
    """The names of the axes of one side of a line; ``...`` is as many as are left."""
    names = split_axes(side)
    if "..." in names:
        at, rest = names.index("..."), ndim - len(names) + 1
        names[at : at + 1] = ["..."] * rest
    return tuple(names)


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


def _cell(x: int, y: int, value: int) -> str:
    return (
        f'<rect class="c" x="{x}" y="{y}" width="{CELL}" height="{CELL}"/>'
        f'<text x="{x + CELL // 2}" y="{y + CELL // 2}">{_number(value)}</text>'
    )


def _number(value: int) -> str:
    return str(value).replace("-", "−")


def _factor(value: int) -> str:
    return f"({_number(value)})" if value < 0 else _number(value)


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
