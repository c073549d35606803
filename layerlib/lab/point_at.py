"""A picture of a layer to point at: each cell of the output says what made it."""

import math
import re
import textwrap
from collections.abc import Callable, Sequence
from html import escape
from importlib import resources
from typing import Any

from torch import Tensor

from layerlib.conventions.expect import expect
from layerlib.lab.panel import (
    CELL,
    WIDTH,
    Panel,
    drawn_cell,
    drawn_labels,
    drawn_line,
    flow,
    rounded,
)
from layerlib.lab.still import framed
from layerlib.lab.terms import CHOICES, Asked, Term, influences, terms
from layerlib.recipe import LETTERS, Line, Reduce, split_axes

LINE = 17  # the height of a line of text, in units of the drawing
LARGEST, SMALLEST = 60_000, 85  # bytes of one picture, and of one cell in it
HOW = ("sum", *CHOICES, "marks")


class PointAt:
    """A picture to point at: `point_at` makes it."""

    def __init__(
        self, panels: Sequence[Panel], made_of: Sequence[Sequence[Term]], how: str
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
            shown = [] if size == 1 and factors else [rounded(size, 4)]
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
        origins, bottom = flow([panel.size for panel in panels])
        wrapped = [_wrapped(said) for said in sums]
        height = bottom + LINE * (max(map(len, wrapped)) + 1)
        width = max(WIDTH, *(panel.size[0] + 2 for panel in panels))
        parts = [
            part
            for panel, at in zip(panels, origins, strict=True)
            for part in drawn_labels(panel, at)
        ]
        for panel, (x0, y0) in zip(self._inputs, origins, strict=False):
            for flat, number in enumerate(panel.numbers):
                x, y = panel.corner(flat)
                parts.append(drawn_cell(x0 + x, y0 + y, panel.cell, number))
        hint = f"Point at a cell of {self._output.title}."
        parts.append(drawn_line("sum hint", hint, bottom + LINE))
        x0, y0 = origins[-1]
        output = self._output
        for flat, (number, lines) in enumerate(
            zip(output.numbers, wrapped, strict=True)
        ):
            x, y = output.corner(flat)
            told = "".join(
                drawn_line("sum", line, bottom + LINE * n)
                for n, line in enumerate(lines, 1)
            )
            label = escape(sums[flat])
            parts.append(
                f'<g class="o" tabindex="0" role="img" aria-label="{label}">'
                f"{drawn_cell(x0 + x, y0 + y, output.cell, number)}"
                f'<g class="h"><path d="{self._boxes(flat, origins)}"/>{told}</g></g>'
            )
        caption, columns = self._caption(), self._output.blocks[-1]
        svg = (
            f'<svg viewBox="0 0 {width} {height}" data-columns="{columns}" '
            f'style="max-width:{width * 7 // 5}px" role="group" '
            f'aria-label="{escape(caption)}">{"".join(parts)}</svg>'
        )
        files = resources.files("layerlib.lab")
        style = (files / "point_at.css").read_text(encoding="utf-8")
        # Without the script each cell is a tab stop; with it one is, and arrows move.
        script = (files / "point_at.js").read_text(encoding="utf-8")
        figure = framed("pointat", f"\n{style}", svg, caption)
        return f"{figure}<script>\n{script}</script>"

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
    output = Asked(function, tensors, options).output
    fits = output.ndim <= 4 and output.numel() > 0
    expected = "an output of at most 4 axes and at least one cell"
    expect("point_at", fits, expected, output)
    cells = sum(tensor.numel() for tensor in (*tensors, output))
    _check_size(f"{cells} cells", SMALLEST * cells)
    panels = [
        Panel(title, _axes(title, side, values), values, line.summed)
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


def _check_letters(panels: Sequence[Panel]) -> None:
    known: dict[str, tuple[int, str]] = {"1": (1, "its name")}
    for panel in panels:
        for name, size in zip(panel.axes, panel.values.shape, strict=True):
            first, where = known.setdefault(name, (size, panel.title))
            told = f"{first} in {where} and {size} in {panel.title}"
            fits = size == first or name == "..."
            expect("point_at", fits, f"one size of axis '{name}'", told)


def _check_choice(
    how: str, panels: Sequence[Panel], made_of: Sequence[Sequence[Term]]
) -> None:
    *inputs, output = (panel.values.flatten().tolist() for panel in panels)
    for made, total in zip(made_of, output, strict=True):
        seen = [inputs[which][n] for which, n in _cells(made)]
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
