"""A picture of a layer to point at: each cell of the output says what made it."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.expect import expect
from layerlib.lab.panel import Board, Panel, rounded
from layerlib.lab.still import framed
from layerlib.lab.terms import CHOICES, Asked, Term, influences, ring, slopes, terms
from layerlib.recipe import LETTERS, Line, Reduce, split_axes

LARGEST, SMALLEST = 32_000, 70  # bytes of one picture, and of one cell in it
HOW = ("sum", *CHOICES, "marks")
HUES = 9  # as many as can be told apart, in light and in dark: see point_at.css
FILLER = {"sum": "0", "max": "−∞"}
FAINT, STRONG = 8, 60  # percent of its colour that a shade has

Piece = tuple[str, int]
"""A part of a sentence, and the number of the term that it is; 0 for what is none."""


@dataclass
class Answer:
    """What a function made of the inputs, and how."""

    label: str
    how: str
    output: Panel
    made_of: Sequence[Sequence[Term]]
    weights: Mapping[int, Tensor]
    around: tuple[int, int]
    beyond: Sequence[Sequence[int]]
    rest: int

    def least(self, which: int) -> int:
        """How wide a cell is at least that a weight stands in, in pixels."""
        weights = self.weights.get(which, torch.zeros(()))
        texts = (rounded(weight) for weight in weights.flatten().tolist())
        return max(32, 7 * max(map(len, texts)) + 8)

    def strength(self, which: int, cell: int, flat: int) -> tuple[str, int, bool]:
        """A weight as text, how strong its shade is, and whether it is negative."""
        weights = self.weights[which]
        largest = float(weights.nan_to_num().abs().max()) or 1.0
        weight = float(weights[cell, flat])
        if math.isnan(weight):
            return "", FAINT, False
        share = (STRONG - FAINT) * abs(weight) / largest
        text = rounded(round(weight, 7))
        # A half, with the error of a slope, is rounded alike on every machine.
        return text, FAINT + round(share + 1e-4), text.startswith("−")


class PointAt:
    """A picture to point at: `point_at` makes it."""

    def __init__(
        self, inputs: Sequence[Panel], answers: Sequence[Answer], asked: Sequence[int]
    ) -> None:
        self._inputs, self._answers = inputs, answers
        self._asked = [] if answers[0].how == "marks" else list(asked)
        high, wide = (max(a.around[n] for a in answers) for n in range(2))
        filler = FILLER.get(answers[0].how, "")
        padded = ((high, wide), filler) if high + wide else ((0, 0), "")
        more = [padded, *[((0, 0), "")] * (len(inputs) - 1)]
        self._boards = [
            Board(panel, *around, answers[0].least(which))
            for which, (panel, around) in enumerate(zip(inputs, more, strict=True))
        ]
        self._outputs = [Board(answer.output) for answer in answers]
        self._html = self._draw()
        _check_size(f"{len(self._html.encode())}", len(self._html.encode()))

    def sums(self, label: str = "") -> list[str]:
        """For each cell of the output, in order, what made it, written out.

        Args:
            label: which of several functions; the first by default.

        Raises:
            ValueError: there is no function with this label.
        """
        labels = [answer.label for answer in self._answers]
        expect("sums", label in {"", *labels}, f"one of the labels {labels}", label)
        answer = self._answers[labels.index(label) if label else 0]
        each = (self._said(answer, flat) for flat in range(len(answer.made_of)))
        return ["".join(text for text, _ in pieces) for pieces in each]

    def _said(self, answer: Answer, flat: int) -> list[Piece]:
        output, made = answer.output, answer.made_of[flat]
        number, place, cells = output.numbers[flat], output.place(flat), _cells(made)
        if answer.how == "marks":
            return [(f"{place} = {number}, {self._marked(cells)}", 0)]
        if not cells:
            return [(f"{place} = {number}", 0)]
        if answer.how != "sum":
            seen = [self._inputs[which].numbers[n] for which, n in cells]
            listed = _joined([(text, n) for n, text in enumerate(seen, 1)], ", ")
            pieces = [(f"{answer.how}(", 0), *listed, (")", 0)]
        elif [factor for factor, _ in made] == [1] and len(cells) == 1:
            ((which, n),) = cells
            pieces = [(self._inputs[which].place(n), 1)]
        else:
            pieces = self._sum(made)
        return [(f"{place} = ", 0), *pieces, (f" = {number}", 0)]

    def _marked(self, cells: Sequence[tuple[int, int]]) -> str:
        groups = [
            panel.box([n for which, n in cells if which == k])
            for k, panel in enumerate(self._inputs)
        ]
        said = ", ".join(group for group in groups if group)
        return f"made of {said}" if said else "which no cell changes"

    def _sum(self, made: Sequence[Term]) -> list[Piece]:
        parts = round(1 / made[0][0])
        even = all(abs(x[0] * parts - 1) < 1e-6 and _cells([x]) for x in made)
        if even and parts > 1:
            shares = [("·".join(self._factors(x)), n) for n, x in enumerate(made, 1)]
            inner = _joined(shares, " + ")
            several = [("(", 0), *inner, (")", 0)]
            return [*(several if len(made) > 1 else inner), (f" / {parts}", 0)]
        pieces: list[Piece] = []
        for n, term in enumerate(made):
            minus = term[0] < 0
            pieces.append(((" − " if minus else " + ") if n else "−" * minus, 0))
            size, factors = abs(term[0]), self._factors(term)
            shown = [] if size == 1 and factors else [rounded(size, 4)]
            pieces.append(("·".join([*shown, *factors]), (n + 1) * bool(factors)))
        return pieces

    def _factors(self, term: Term) -> list[str]:
        numbers = (self._inputs[which].numbers[n] for which, n in _cells([term]))
        return [f"({n})" if n.startswith("−") else n for n in numbers]

    def __repr__(self) -> str:
        panels = [*self._inputs, self._answers[0].output]
        shapes = [f"{p.title} {tuple(p.values.shape)}" for p in panels]
        return f"a picture to point at: {', '.join(shapes)}; {self.sums()[0]}"

    def _repr_html_(self) -> str:
        return self._html

    def _draw(self) -> str:
        answer, caption = self._answers[0], self._caption()
        marks = self._marks(answer, answer.rest)
        kinds = " t2" if answer.how == "marks" else ""
        panels = [b.html(kinds, marks.get(k)) for k, b in enumerate(self._boards)]
        for k, (board, each) in enumerate(
            zip(self._outputs, self._answers, strict=True)
        ):
            chosen = {board.place[each.rest]: '| aria-selected="true"'}
            panels.append(board.html(" o" + " off" * bool(k), chosen))
        data = json.dumps(self._data(), separators=(",", ":"), ensure_ascii=False)
        files = resources.files("layerlib.lab")
        style, script = (
            _packed((files / f"point_at.{kind}").read_text(encoding="utf-8"))
            for kind in ("css", "js")
        )
        drawn = (
            f'{self._switches()}<div class="m">{"".join(panels)}</div>'
            f'<div class="q0" aria-live="polite">{self._sentence(answer)}</div>'
        )
        figure = framed("pointat", f"\n{style}", drawn, caption)
        told = data.replace("<", "\\u003c")
        carried = f'<script type="application/json">{told}</script></figure>'
        return f"{figure.removesuffix('</figure>')}{carried}<script>\n{script}</script>"

    def _switches(self) -> str:
        if len(self._answers) == 1:
            return ""
        labels = (
            f'<label><input type="radio">{escape(x.label)}</label>'
            for x in self._answers
        )
        title = '<legend class="h">Variants of the layer</legend>'
        return f"<fieldset>{title}{''.join(labels)}</fieldset>"

    def _sentence(self, answer: Answer) -> str:
        pieces = self._said(answer, answer.rest)
        chosen = self._best(answer, answer.rest)
        said = "".join(_part(text, n, best=n in chosen) for text, n in pieces if text)
        beyond = len(answer.beyond[answer.rest]) if answer.beyond else 0
        return said + (f"<small> (and {beyond} of padding)</small>" if beyond else "")

    def _best(self, answer: Answer, flat: int) -> set[int]:
        """The numbers of the terms that are the maximum or minimum itself."""
        if answer.how not in CHOICES:
            return set()
        values = [self._number(*cell) for cell in _cells(answer.made_of[flat])]
        best = CHOICES[answer.how][1](values)
        return {n for n, value in enumerate(values, 1) if value == best}

    def _number(self, which: int, n: int) -> float:
        return float(self._inputs[which].values.flatten()[n])

    def _marks(self, answer: Answer, flat: int) -> dict[int, dict[int, str]]:
        """For each input, the attributes of the cells that made a cell."""
        marks: dict[int, dict[int, str]] = {}
        terms_of: dict[tuple[int, int], list[int]] = {}
        for n, term in enumerate(answer.made_of[flat], 1):
            for cell in _cells([term]):
                terms_of.setdefault(cell, []).append(n)
        chosen = self._best(answer, flat)
        for (which, n), numbers in terms_of.items():
            place = self._boards[which].place[n]
            if answer.how == "marks":
                mark = _shade(*answer.strength(which, n, flat))
            else:
                mark = "n" * bool(chosen & {*numbers}) + _painted(numbers)
            marks.setdefault(which, {})[place] = mark
        beyond = self._beyond(answer)
        used = set(beyond[flat]) if beyond else set()
        for place in self._around(answer):
            marks.setdefault(0, {})[place] = "q" * (place in used)
        for place in self._unused(answer):
            marks.setdefault(0, {})[place] = "x"
        return marks

    def _around(self, answer: Answer) -> list[int]:
        """The places of the padding of one of the functions."""
        return sorted(self._boards[0].beyond(answer.around).values())

    def _unused(self, answer: Answer) -> set[int]:
        """The places that are padding to other functions only."""
        all_of_it = self._boards[0].beyond(self._boards[0].around).values()
        return {*all_of_it} - {*self._around(answer)}

    def _beyond(self, answer: Answer) -> list[list[int]]:
        """The places of the padding that each cell of the output sees."""
        places = self._boards[0].beyond(answer.around)
        return [[places[n] for n in cell] for cell in answer.beyond]

    def _data(self) -> dict[str, Any]:
        """What the page knows: all that follows from other numbers and other cells."""
        made = (term for a in self._answers for cell in a.made_of for term in cell)
        factors = list(dict.fromkeys(_plain(factor) for factor, _ in made))
        return {
            "i": len(self._inputs),
            "e": self._asked,
            "f": [[factor, rounded(abs(factor), 4)] for factor in factors],
            "v": [
                self._told(answer, board, {f: n for n, f in enumerate(factors)})
                for answer, board in zip(self._answers, self._outputs, strict=True)
            ],
        }

    def _told(
        self, answer: Answer, board: Board, factors: Mapping[float, int]
    ) -> dict[str, Any]:
        order = [n for row in board.rows for n in row]
        told: dict[str, Any] = {"how": answer.how, "r": board.place[answer.rest]}
        if answer.how == "marks":
            sums = self.sums(answer.label)
            told["s"] = [sums[flat] for flat in order]
            told["w"] = [self._weighed(answer, flat) for flat in order]
            return told
        told["t"] = [
            [
                [factors[_plain(term[0])], *self._placed(term)]
                for term in answer.made_of[flat]
            ]
            for flat in order
        ]
        if answer.beyond:
            beyond = self._beyond(answer)
            told["z"] = [beyond[flat] for flat in order]
            told["p"] = self._around(answer)
        return told

    def _placed(self, term: Term) -> list[int]:
        return [
            -1 if n is None else board.place[n]
            for n, board in zip(term[1], self._boards, strict=True)
        ]

    def _weighed(self, answer: Answer, flat: int) -> list[list[Any]]:
        found = []
        for which, n in _cells(answer.made_of[flat]):
            text, strong, negative = answer.strength(which, n, flat)
            place = self._boards[which].place[n]
            found.append([which, place, text, strong, *[1] * negative])
        return found

    def _caption(self) -> str:
        output = self._answers[0].output.title
        given = _listed([panel.title for panel in self._inputs])
        said = (
            f"{output} from {given}: point at a cell of {output}, tap it, or move "
            "there with the arrow keys, to see what made it."
        )
        if self._asked:
            editable = _listed([self._inputs[n].title for n in self._asked], "or")
            return f"{said} Click a number of {editable} to change it."
        return (
            f"{said} Shades and small numbers: how far it moves for each 1 that a "
            "marked cell moves."
        )


def point_at(
    function: Callable[..., Any] | Mapping[str, Callable[..., Any]],
    *tensors: Tensor,
    axes: str = "",
    names: Sequence[str] = (),
    how: str = "sum",
    at: Sequence[int] | None = None,
    **options: Any,
) -> PointAt:
    """A picture of a layer over small whole numbers: each output says what made it.

    One cell of the output is chosen, and the cells that made it are marked: in a sum
    each term has a color and a number, in its factors and in the sum. Pointing at
    another cell, tapping or focusing it chooses that one. Numbers of the inputs can be
    changed, and what follows from them follows. Nothing of that is drawn by hand: the
    layer itself is asked, by `terms`, by `influences`, by `slopes`, and by `ring` for
    its padding. Tensors are given to it as float64 (what stays as it is, see `terms`),
    and a module with its parameters as float64.

    Args:
        function: a line, or anything that makes one tensor of tensors. Several, by
            their labels, are variants that the reader switches between: layers with
            other options, on the same inputs.
        *tensors: its inputs, of whole numbers, with at most four axes each.
        axes: the names of their axes, and of the output's, as on a line. A line that is
            drawn has its own.
        names: what to call the inputs and the output; "input", "weight", "output" by
            default.
        how: ``sum``, where the output is a sum of products, as in a convolution;
            ``max`` or ``min``, where it is one of the marked cells; ``marks`` for
            all else: the cells that have an influence, shaded by how large it is. Those
            pictures have no numbers to change.
        at: the index of the cell of the output that is chosen at rest. By default it is
            the one of the most terms, and of these the one nearest to the middle.
        **options: of each function; of a `Rearrange`, sizes of axes that it splits.

    Raises:
        TypeError: a tensor does not hold whole numbers; the output is no tensor; what
            has labels is no function.
        ValueError: too many axes, too many cells; the names, axes or index do not fit
            the tensors; the function is not made in the way that `how` says.

    >>> from layerlib.recipe import Recipe
    >>> x, w = torch.tensor([1, 2, 3]), torch.tensor([3, -4])
    >>> point_at(Recipe("i, i ->"), x[:2], w).sums()
    ['output = 1·3 + 2·(−4) = −5']
    >>> from layerlib import AvgPool1d, MaxPool1d
    >>> point_at(AvgPool1d(2), x[None], axes="c w -> c x").sums()
    ['output[0, 0] = (1 + 2) / 2 = 1.5']
    >>> variants = {"kernel 3": MaxPool1d(3), "kernel 2": MaxPool1d(2)}
    >>> point_at(variants, x[None], axes="c w -> c x", how="max").sums("kernel 2")
    ['output[0, 0] = max(1, 2) = 2']
    >>> point_at(torch.cumsum, w, axes="t -> t", how="marks", dim=0).sums()
    ['output[0] = 3, made of input[0]', 'output[1] = −1, made of input[0], input[1]']
    """
    for tensor in tensors:
        _check_whole(tensor)
    functions = dict(function) if isinstance(function, Mapping) else {"": function}
    _check_functions(functions)
    given = ["input", "weight", "third input"][: len(tensors)]
    titles = list(names) or [*given, "output"]
    expected = f"{len(tensors) + 1} names, inputs and output"
    expect("point_at", len(titles) == len(tensors) + 1, expected, len(titles))
    expect("point_at", how in HOW, f"how to be {HOW}", how)
    lines = [_line_of(each, axes, len(tensors)) for each in functions.values()]
    *sides, _ = _sides(lines[0])
    inputs = [
        Panel(title, _axes(title, side, values), values, lines[0].summed)
        for title, side, values in zip(titles, sides, tensors, strict=False)
    ]
    answers = [
        _answer(label, each, titles[-1], inputs, line, how, at, options)
        for (label, each), line in zip(functions.items(), lines, strict=True)
    ]
    ways = [answer.how for answer in answers]
    expect("point_at", len(set(ways)) == 1, "functions of one kind", ways)
    asked = Asked(next(iter(functions.values())), tensors, options).which
    return PointAt(inputs, answers, asked)


def _check_functions(functions: Mapping[Any, Any]) -> None:
    expect("point_at", bool(functions), "at least one function", "none")
    for label, function in functions.items():
        named = isinstance(label, str) and (bool(label) or len(functions) == 1)
        expected = "functions by their labels"
        expect("point_at", named, expected, f"the label {label!r}", TypeError)
        told = f"{function!r} for {label!r}"
        expect("point_at", callable(function), expected, told, TypeError)


def _answer(
    label: str,
    function: Callable[..., Any],
    title: str,
    inputs: Sequence[Panel],
    line: Line,
    how: str,
    at: Sequence[int] | None,
    options: dict[str, Any],
) -> Answer:
    """Asks one function for its output, and for what made it."""
    if isinstance(function, Reduce) and function.operation in CHOICES:
        how = function.operation
    tensors = [panel.values for panel in inputs]
    *sides, last = _sides(line)
    expected = f"the axes {[' '.join(p.axes) for p in inputs]} in each line"
    found = [_axes(p.title, s, p.values) for p, s in zip(inputs, sides, strict=True)]
    expect("point_at", found == [p.axes for p in inputs], expected, f"'{line}'")
    values = Asked(function, tensors, options).output
    fits = values.ndim <= 4 and values.numel() > 0
    expected = "an output of at most 4 axes and at least one cell"
    expect("point_at", fits, expected, values)
    cells = sum(tensor.numel() for tensor in (*tensors, values))
    _check_size(f"{cells} cells", SMALLEST * cells)
    output = Panel(title, _axes(title, last, values), values, line.summed)
    _check_letters([*inputs, output])
    made_of, weights, padding = _asked(function, tensors, how, options)
    if how in CHOICES:
        _check_choice(how, [*inputs, output], made_of)
    around, beyond = padding or ((), [])
    below = (0, 0, *around)[-2:]
    rest = _rest(output, made_of, at)
    return Answer(label, how, output, made_of, weights, below, beyond, rest)


def _asked(
    function: Callable[..., Any],
    tensors: Sequence[Tensor],
    how: str,
    options: dict[str, Any],
) -> tuple[list[list[Term]], dict[int, Tensor], Any]:
    """What made the cells, how much it weighs, and the padding."""
    if how == "sum":
        made_of = terms(function, *tensors, **options)
    else:
        made_of = influences(function, *tensors, how=how, **options)
    if how == "marks":
        return made_of, slopes(function, *tensors, **options), None
    return made_of, {}, ring(function, *tensors, how=how, **options)


def _rest(
    output: Panel, made_of: Sequence[Sequence[Term]], at: Sequence[int] | None
) -> int:
    """The flat index of the cell that is chosen at rest."""
    shape = tuple(output.values.shape)
    if at is not None:
        fits = len(at) == len(shape) and all(
            isinstance(n, int) and 0 <= n < size
            for n, size in zip(at, shape, strict=True)
        )
        expected = f"an index of {output.title}, of shape {shape}, as at"
        expect("point_at", fits, expected, tuple(at))
        return sum(n * math.prod(shape[k:]) for k, n in enumerate(at, 1))

    def apart(flat: int) -> tuple[int, int]:
        index = torch.unravel_index(torch.tensor(flat), shape) if shape else ()
        pairs = zip(index, shape, strict=True)
        far = sum((2 * int(n) + 1 - size) ** 2 for n, size in pairs)
        return -len(made_of[flat]), far

    return min(range(len(made_of)), key=apart)


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


def _line_of(function: Callable[..., Any], axes: str, count: int) -> Line:
    if isinstance(function, Line) and not axes:
        return Line(function.line)
    expected = "the axes of a function that is no line, as in 'h w -> y x'"
    expect("point_at", bool(axes), expected, "none")
    line = Line(axes)
    sides = _sides(line)
    expected = f"axes of {count} inputs and an output"
    expect("point_at", len(sides) == count + 1, expected, f"'{line}'")
    letters = [x for side in sides for name in split_axes(side) for x in name.split()]
    strange = [x for x in letters if x not in {*LETTERS, "1"}]
    expected = "letters of the alphabet"
    expect("point_at", not strange, expected, f"'{' '.join(strange)}' in '{line}'")
    return line


def _sides(line: Line) -> list[str]:
    return re.split(r",|->", line.line)


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


def _plain(factor: float) -> float:
    """Without the error of a machine: a picture has the same bytes on each."""
    return float(f"{factor:.12g}")


def _joined(pieces: Sequence[Piece], between: str) -> list[Piece]:
    joined = [each for piece in pieces for each in ((between, 0), piece)]
    return joined[1:]


def _listed(names: Sequence[str], word: str = "and") -> str:
    return f" {word} ".join(", ".join(names).rsplit(", ", 1))


def _hue(n: int) -> str:
    """The color of a term, by its number."""
    return f"var(--p{(n - 1) % HUES})"


def _part(text: str, n: int, *, best: bool) -> str:
    """A piece of the sentence that is shown."""
    if not n:
        return f"<span>{escape(text)}</span>"
    kind = ' class="n"' if best else ""
    return f'<b data-n="{n}" style="--c:{_hue(n)}"{kind}>{escape(text)}</b>'


def _painted(numbers: Sequence[int]) -> str:
    """The colors and numbers of a cell's terms; those of many are not all shown."""
    few = numbers[:4]
    cuts = [round(100 * k / len(few), 2) for k in range(len(few) + 1)]
    stripes = ",".join(
        f"{_hue(n)} {a:g}% {b:g}%" for n, a, b in zip(few, cuts, cuts[1:], strict=False)
    )
    fill = f"linear-gradient(135deg,{stripes})" if len(few) > 1 else _hue(few[0])
    shown = " ".join(map(str, numbers[:3])) + "…" * (len(numbers) > 3)
    return f'| data-n="{shown}" style="--c:{fill}"'


def _shade(text: str, strong: int, negative: bool) -> str:
    kinds = "s f" if negative else "s"
    return f'{kinds}| data-w="{text}" style="--a:{strong}%"'


def _packed(text: str) -> str:
    """Style or script without what only its readers need: remarks, and spaces."""
    lines = (line.strip() for line in text.splitlines())
    code = "\n".join(line for line in lines if not line.startswith("//"))
    # A style has no strings with spaces; in a script they stay as they are.
    parts = re.split(r"(\"[^\"\n]*\"|`[^`]*`)", code)
    near = r"\s*([=<>?:;,{}()&|*!])\s*" if "=>" in code else r"\s*([;,{}])\s*"
    parts[::2] = [re.sub(near, r"\1", part) for part in parts[::2]]
    return "".join(parts)
