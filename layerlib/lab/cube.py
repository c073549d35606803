"""A line of two inputs as its cube: pulled, multiplied, and pressed flat."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from layerlib.conventions.expect import expect
from layerlib.lab.isometric import (
    THIN,
    Kind,
    Paper,
    Place,
    Solid,
    along,
    apart,
    beside,
    side,
)
from layerlib.lab.steps import Step, Steps
from layerlib.recipe import Recipe

WISHES = ((0, 2, 1), (1, 2, 0), (2, 1, 0), (1, 0, 2))
"""Which axes a letter would like: a summed one, one of the first input and the output,
of the second and the output, and of all three."""

SIDES = ((2, 1, 0), (1, 2, 0), (0, 1, 2))
"""Across which axis a sheet lies, if it can: the first input, the second, the output.
So those of ``b i, o i -> b o`` are the left side, the top and the right side."""

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

    >>> weight = torch.tensor([[1, 0, 2], [3, 1, -1]])
    >>> cube(Recipe("i, o i -> o"), torch.tensor([1, 2, 3]), weight).said()[-1]
    'Summed along i: 3 products for each of 2 outputs.'
    >>> line = Recipe("i, o i -> o")
    >>> cube(line, torch.tensor([1, -1]), weight, backward=0).said()[-1]
    'Summed along o: 2 products for each of 3 outputs.'
    """
    _check(line, names)
    drawn = line if backward is None else line.gradient(backward)
    sizes = drawn.sizes(*inputs)
    _check_inputs(drawn, inputs, sizes)
    axes = _axes(line, [name for name, size in sizes.items() if size])
    return _Cube(drawn, axes, _kinds(names, backward), inputs).steps()


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


def _kinds(names: Sequence[str], backward: int | None) -> list[Kind]:
    """Of both inputs and the output: what they are in the line, backward too."""
    kinds = [Kind(*each) for each in zip(names, "abr", SIDES, strict=True)]
    if backward is None:
        return kinds
    given, result = (
        kind._replace(title=f"gradient of {kind.title}")
        for kind in (kinds[2], kinds[backward])
    )
    return [given, kinds[1 - backward], result]


class _Cube:
    """The cube of a line, and its four steps."""

    def __init__(
        self,
        line: Recipe,
        axes: dict[str, int],
        kinds: Sequence[Kind],
        inputs: Sequence[Tensor],
    ) -> None:
        self.line, self.axes = line, axes
        first, second = (x.double() for x in inputs)
        terms = (*line.inputs, line.output)
        self.first, self.second, self.output = (
            Solid(kind, values, term, axes)
            for kind, values, term in zip(
                kinds, (first, second, line(first, second)), terms, strict=True
            )
        )
        # The same line, but nothing is summed: the whole cube.
        names = list(dict.fromkeys(name for term in line.inputs for name in term))
        whole = Recipe(f"{line.line.split('->')[0]} -> {' '.join(names)}")
        pairs = (
            (first, torch.ones_like(second)),
            (torch.ones_like(first), second),
            (first, second),
        )
        made = [whole(*pair) for pair in pairs]
        *self.pulled, self.product = (
            Solid(kind, values, names, axes)
            for kind, values in zip(
                (*kinds[:2], Kind("product", "p", (0, 1, 2))), made, strict=True
            )
        )
        self.side = side([self.first, self.second, self.product, self.output])
        self.summed = [name for name in line.summed if name in axes]
        free = (axis for axis in range(3) if axis not in axes.values())
        pressed = (*(axes[name] for name in self.summed), *free, 0)
        self.axis = pressed[0]
        self.apart = apart(self.product.cells, self.axis)

    def steps(self) -> Steps:
        """The picture."""
        steps = [self._given(), self._pulled(), self._multiplied(), self._pressed()]
        sheets = (self.first, self.second, self.output)
        first, second, output = (sheet.kind.title for sheet in sheets)
        line = self.line.line.replace("->", "→").strip()
        caption = f"{output} from {first} and {second}: the cube of the line {line}."
        return Steps("cube", steps, caption, rest="all")

    # ---- The four steps

    def _given(self) -> Step:
        sheets = (self.first, self.second)
        first, second = (sheet.across for sheet in sheets)
        papers = [Paper(self.side)]
        if first is None or second is None or first == second:
            papers.append(Paper(self.side))  # they would hide each other
        else:
            papers[0].ghost(self.product.lengths)
        for sheet, paper in zip(sheets, papers * 2, strict=False):
            self._sheet(paper, sheet, self._outside(sheet))
        told = f"The inputs: {self.first.told()} and {self.second.told()}."
        return Step(*beside(papers), told, f"{self.first.read()}; {self.second.read()}")

    def _pulled(self) -> Step:
        papers, said = [], []
        for sheet, full in zip((self.first, self.second), self.pulled, strict=True):
            papers.append(Paper(self.side))
            if sheet.lacks:
                self._block(papers[-1], sheet, full)
                pulls = [f"along {a}, {self._times(a)}" for a in sheet.lacks]
                said.append(f"{sheet.kind.title} {' and '.join(pulls)}")
            else:
                self._sheet(papers[-1], sheet, (0, 0, 0))
                said.append(f"{sheet.kind.title} has all letters")
        told = f"Pulled: {'; '.join(said)}."
        if not self.first.lacks and not self.second.lacks:
            told = "Nothing is pulled: both inputs have all letters."
        return Step(*beside(papers), told, f"{told} {self._size()}")

    def _multiplied(self) -> Step:
        paper = Paper(self.side)
        lengths = self._apart(paper, self.product)
        self._letters(paper, self.product, lengths)
        count = _count(self.product.values.numel(), "product")
        told = f"Multiplied: {count}, one in each cell."
        return Step(
            paper.drawn, paper.box, told, f"{self._size()} {self.product.read()}"
        )

    def _pressed(self) -> Step:
        paper, at = Paper(self.side), self._outside(self.output)
        told = "Nothing is summed: the products are the output."
        if self.summed:
            at = self._press(paper)
            count = self.product.values.numel() // self.output.values.numel()
            outputs = _count(self.output.values.numel(), "output")
            each = "each of " if outputs != "1 output" else ""
            told = f"{_count(count, 'product')} for {each}{outputs}"
            told = f"Summed along {' and '.join(self.summed)}: {told}."
        with paper.moving("late", (0, 0, 0)):
            self._sheet(paper, self.output, at)
        return Step(paper.drawn, paper.box, told, self.output.read())

    # ---- What they draw

    def _outside(self, sheet: Solid) -> Place:
        """Where a sheet lies outside the cube, before the side that it belongs to."""
        if sheet.across is None:
            return (0, 0, 0)
        far = apart(self.product.cells, sheet.across)
        size = self.product.cells.shape[sheet.across]
        return along(sheet.across, size + far - 1 if sheet.across == 0 else -far)

    def _sheet(self, paper: Paper, solid: Solid, at: Place) -> None:
        """A tensor as a sheet, or as several if it fills the cube, with its letters."""
        lengths = solid.lengths
        if solid.across is None:
            lengths = self._apart(paper, solid)
        else:
            paper.cells(solid.kind.color, solid.cells, at, solid.across)
        self._letters(paper, solid, lengths, at)
        paper.title(solid.kind.title, lengths, at)

    def _letters(
        self, paper: Paper, solid: Solid, lengths: Place, at: Place = (0, 0, 0)
    ) -> None:
        for name in solid.letters:
            summed = name in self.summed
            paper.letter(name, self.axes[name], lengths, at, summed=summed)

    def _block(self, paper: Paper, sheet: Solid, full: Solid) -> None:
        """A sheet that was pulled along the letters that it lacks: slice by slice."""
        axis = self.axes[sheet.lacks[0]]
        count = full.cells.shape[axis]
        seen = count - 1 if axis == 0 else 0
        for n in sorted(range(count), key=lambda n: -abs(n - seen)):
            cells, hidden = full.cells.narrow(axis, n, 1), axis if n != seen else None
            with paper.moving("move", along(axis, seen - n)):
                paper.cells(full.kind.color, cells, along(axis, n), hidden=hidden)
        for name, k in self.axes.items():
            back = -1 if sheet.across == k == 0 else 1
            arrow = back if name in sheet.lacks else 0
            summed = name in self.summed
            paper.letter(name, k, full.cells.shape, summed=summed, arrow=arrow)
        paper.title(full.kind.title, full.cells.shape, (0, 0, 0))

    def _apart(self, paper: Paper, solid: Solid) -> Place:
        """All numbers of a cube: sheets, one apart from the next."""
        cells, axis = solid.cells, self.axis
        for n in range(cells.shape[axis]):
            with paper.moving("move", along(axis, n * (1 - self.apart))):
                place = along(axis, n * self.apart)
                paper.cells(solid.kind.color, cells.narrow(axis, n, 1), place, axis)
        return self._lengths()

    def _lengths(self) -> Place:
        """How long the cube is when its sheets lie apart."""
        lengths = list(self.product.cells.shape)
        thick = (lengths[self.axis] - 1) * self.apart + THIN
        return [thick if axis == self.axis else n for axis, n in enumerate(lengths)]

    def _press(self, paper: Paper) -> Place:
        """Empty sheets on their way to the output, and where it lies."""
        axis, lengths = self.axis, self._lengths()
        end = lengths[axis] - THIN + self.apart if axis == 0 else -self.apart
        thin = [THIN if k == axis else n for k, n in enumerate(lengths)]
        for n in range(self.product.cells.shape[axis]):
            at = n * self.apart
            with paper.moving("gone", along(axis, end - at)):
                paper.ghost(thin, along(axis, at))
        arrow = 1 if axis == 0 else -1
        paper.letter(self.summed[0], axis, lengths, summed=True, arrow=arrow)
        return along(axis, end)

    def _size(self) -> str:
        sizes = " × ".join(map(str, self.product.values.shape)) or "1"
        letters = " ".join(self.product.letters)
        return f"The cube {letters} has {sizes} cells."

    def _times(self, name: str) -> str:
        n = self.product.cells.shape[self.axes[name]]
        return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
