"""A line of letters is a layer: its meaning, fast form, gradient, cost and picture."""

import functools
import math
import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar, TypeAlias, no_type_check

import torch
from einops import rearrange, reduce
from torch import Tensor
from torch.overrides import has_torch_function

from layerlib.engine.contract import Matrices, matrices

ELLIPSIS = "..."
Sizes: TypeAlias = tuple[int, ...]

LETTERS = {
    "b": ("batch", "#bcbcbc"),
    "i": ("input features or channels", "#8ecbff"),
    "j": ("features of a second input", "#b9c6ff"),
    "o": ("output features or channels", "#ffb870"),
    "m": ("features between two layers", "#cfe88a"),
    "c": ("channels that stay as they are", "#ffe08a"),
    "g": ("groups", "#e3bdf5"),
    "h": ("height", "#93e2b0"),
    "w": ("width", "#6fdccb"),
    "d": ("depth", "#a8dadc"),
    "y": ("height of the output", "#ffaaa5"),
    "x": ("width of the output", "#ffc6b3"),
    "z": ("depth of the output", "#f0c0c8"),
    "k": ("kernel positions, merged", "#f7a8d4"),
    "kh": ("height of the kernel", "#f7a8d4"),
    "kw": ("width of the kernel", "#fbc8e4"),
    "n": ("positions in a sequence (tokens)", "#8fe3dd"),
    "t": ("time", "#c9e4a5"),
    "head": ("attention heads", "#b4dd7f"),
    "q": ("query positions", "#8fe3dd"),
    "s": ("source positions", "#f2d29b"),
    "e": ("embedding features", "#b9c6ff"),
    "v": ("words of the vocabulary", "#f2d29b"),
    ELLIPSIS: ("everything else, unchanged", "#ececec"),
}
"""The alphabet of the book: what a letter stands for, and its colour."""

RAN: "list[Line | Bend] | None" = None
"""Where each line and bend records itself as it runs, while `lab.lines` looks on."""

_CHIP = (
    "background:{colour};color:#111;border-radius:.3em;padding:.05em .35em;"
    "font-weight:{weight};text-decoration:{underline};"
    "text-decoration-thickness:.14em;text-underline-offset:.18em"
)


def ran(step: "Line | Bend") -> None:
    """Records that a line or a bend runs, if somebody looks on."""
    if RAN is not None:
        RAN.append(step)


class Deferred:
    """A result that is not stored: it has a shape, and a line takes it like a tensor.

    `tensor` makes what it stands for. A line that is called with it asks it to `run`
    the line instead, since it knows a way that stores nothing.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `tensor`."""
        raise NotImplementedError

    def tensor(self) -> Tensor:
        """What it stands for, stored."""
        raise NotImplementedError

    def run(self, line: "Line", inputs: "Sequence[Operand]", **sizes: int) -> Tensor:
        """What `line` makes of the inputs, of which this is one."""
        return line.stored(*map(stored, inputs), **sizes)


Operand = Tensor | Deferred


def stored(operand: Operand) -> Tensor:
    """An operand as a tensor."""
    return operand.tensor() if isinstance(operand, Deferred) else operand


@dataclass(frozen=True)
class Bend:
    """A function of one number, applied to each number of a tensor: what is no sum.

    >>> Bend("exp", torch.exp)(torch.zeros(2))
    tensor([1., 1.])
    """

    name: str
    function: Callable[..., Tensor] = field(repr=False, compare=False)

    def __call__(self, tensor: Tensor, *settings: Any) -> Tensor:
        """The function of each number, with its settings."""
        ran(self)
        return self.function(tensor, *settings)

    def __str__(self) -> str:
        return self.name

    def _repr_html_(self) -> str:
        return f"<code>{escape(self.name)}</code>"


@dataclass(frozen=True, repr=False)
class Line:
    """Names for the axes of some tensors, ``inputs -> output``.

    A letter that stands on the left only is summed. The text form is the line
    itself; in a notebook each letter is shown in its colour of `LETTERS`, and the
    summed ones are also bold and underlined.

    Raises:
        TypeError: the line is no string.
        ValueError: the line has no arrow, or more than one.

    Source: the notation of einops, https://einops.rocks.
    """

    line: str
    how: ClassVar[str] = "summed"

    def __post_init__(self) -> None:
        if not isinstance(self.line, str):
            raise TypeError(f"expected a line of letters, got {self.line!r}")
        arrows = self.line.count("->")
        if arrows != 1:
            told = f"line {self.line!r}: expected exactly one '->', got {arrows}"
            raise ValueError(told)
        spaced = re.sub(r"\s*(,|->)\s*", r" \1 ", self.line).replace(" ,", ",")
        object.__setattr__(self, "line", " ".join(spaced.split()))

    def __call__(self, *inputs: Operand, **sizes: Any) -> Tensor:
        """What the line makes of its inputs; `sizes` of axes that are split."""
        ran(self)
        for operand in inputs:
            if isinstance(operand, Deferred):
                return operand.run(self, inputs, **sizes)
        return self.stored(*inputs, **sizes)  # type: ignore[arg-type]

    def stored(self, *tensors: Tensor, **sizes: int) -> Tensor:
        """The result for inputs that are all tensors: each kind of line defines it."""
        raise NotImplementedError

    @property
    def summed(self) -> tuple[str, ...]:
        """The letters that stand on the left only, in their order there."""
        left, right = (_names(side) for side in self.line.split("->"))
        return tuple(dict.fromkeys(name for name in left if name not in set(right)))

    def __str__(self) -> str:
        return self.line

    def __repr__(self) -> str:
        return f'{type(self).__name__}("{self.line}")'

    def _repr_html_(self) -> str:
        how = dict.fromkeys(self.summed, self.how) | {"->": ""}
        parts = re.split(r"(\w+|\.\.\.|->)", self.line)
        shown = "".join(chip(part, how.get(part, "")) for part in parts)
        style = "font-family:monospace;line-height:2"
        return (
            f'<span class="recipe" style="{style}">{shown.replace("-&gt;", "→")}</span>'
        )


def _names(side: str) -> list[str]:
    return re.findall(r"[^\W\d]\w*|\.\.\.", side)


def split_axes(side: str) -> list[str]:
    """The axes of one tensor in a line; those in parentheses are one, without them.

    >>> split_axes("b (h w) ...")
    ['b', 'h w', '...']
    """
    return [name.strip("()") for name in re.findall(r"\([^)]*\)|\S+", side)]


def colour(name: str) -> str:
    """The colour of an axis in lines and pictures, as ``#rrggbb``; grey by default."""
    return LETTERS[name][1] if name in LETTERS else "#dddddd"


def chip(name: str, how: str = "") -> str:
    """HTML of one letter in its colour; what is no name of an axis stays text.

    Args:
        name: the letter.
        how: what happened to the axis (``summed``), if it is gone on the right.
    """
    if _names(name) != [name]:
        return escape(name)
    weight, underline = ("bold", "underline") if how else ("normal", "none")
    style = _CHIP.format(colour=colour(name), weight=weight, underline=underline)
    told = LETTERS.get(name, ("an axis",))[0]
    title = escape(f"{name}: {told}{how and ', '}{how}")
    return f'<span class="letter" style="{style}" title="{title}">{name}</span>'


class Rearrange(Line):
    """The first move by itself: axes are split, merged or moved; nothing is summed.

    A line whose two sides are the same gives back its input. ``*n`` stands for
    several axes: how many, or how long each is, is told in the call.

    >>> swap = Rearrange("h w -> w h")
    >>> swap(torch.zeros(2, 3)).shape
    torch.Size([3, 2])
    >>> split = Rearrange("b (*n) -> b *n")
    >>> split(torch.zeros(2, 12), n=(3, 4)).shape
    torch.Size([2, 3, 4])

    Source: `einops.rearrange`, https://einops.rocks/api/rearrange/.
    """

    def stored(self, tensor: Tensor, **sizes: Any) -> Tensor:  # type: ignore[override]
        """The tensor with its axes as on the right; `sizes` of axes that are split."""
        line = self.line
        left, right = (side.strip() for side in line.split("->"))
        for name in dict.fromkeys(re.findall(r"\*(\w+)", left)):
            told = sizes.pop(name)
            count = told if isinstance(told, int) else len(told)
            names = [f"{name}{k}" for k in range(count)]
            sizes |= {} if isinstance(told, int) else zip(names, told, strict=True)
            line = line.replace(f"*{name}", " ".join(names))
        return tensor if left == right else rearrange(tensor, line, **sizes)


@dataclass(frozen=True, repr=False)
class Reduce(Line):
    """One tensor, reduced over the letters that are not on the right.

    >>> mean = Reduce("b c n -> 1 c 1", "mean")
    >>> mean(torch.arange(4.0).reshape(2, 1, 2))
    tensor([[[1.5000]]])

    Source: `einops.reduce`, https://einops.rocks/api/reduce/.
    """

    operation: str
    how: ClassVar[str] = "reduced"

    def stored(self, tensor: Tensor, **sizes: int) -> Tensor:  # type: ignore[override]
        """The tensor, reduced by ``sum``, ``mean``, ``max`` or ``min``."""
        return reduce(tensor, self.line, self.operation, **sizes)

    def __repr__(self) -> str:
        return f'Reduce("{self.line}", "{self.operation}")'

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()} ({escape(self.operation)})"


@dataclass(frozen=True)
class Cost:
    """What a recipe costs, in exact counts.

    Attributes:
        multiplications: how many products of two numbers the literal form takes.
        product_bytes: the size of the literal product, before it is summed.
        read_bytes: the size of all inputs.
        written_bytes: the size of the output.
    """

    multiplications: int
    product_bytes: int
    read_bytes: int
    written_bytes: int


@dataclass(frozen=True, repr=False)
class Recipe(Line):
    """Rearrange, multiply, sum, on one line: ``input, input, ... -> output``.

    Each input lists its axes by name, and so does the output. Axes of one name have
    one size. All inputs are multiplied, and a letter that is not in the output is
    summed. ``...`` stands for any number of further axes, the same ones in each input
    that has it. Names are those of `LETTERS` where the axis has one there. All inputs
    have one dtype: floating point, complex, or int64, since torch sums smaller whole
    numbers as int64.

    >>> linear = Recipe("... i, o i -> ... o")
    >>> x, weight = torch.ones(4, 3), torch.ones(2, 3)
    >>> linear(x, weight).shape
    torch.Size([4, 2])
    >>> linear.gradient(0)
    Recipe("... o, o i -> ... i")
    >>> linear.cost(x, weight).multiplications
    24

    Raises:
        TypeError: the line is no string.
        ValueError: the line is malformed; the message says where.

    Source: `torch.einsum`, with the names of `einops.einsum`; the literal form is
    "rearrange and sum" of the einops recipes.
    """

    inputs: tuple[tuple[str, ...], ...] = field(init=False, compare=False)
    output: tuple[str, ...] = field(init=False, compare=False)
    equation: str = field(init=False, compare=False)
    matrices: Matrices | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        left, right = self.line.split("->")
        terms = [tuple(term.split()) for term in (*left.split(","), right)]
        for term in terms:
            self._check_term(term)
        object.__setattr__(self, "inputs", tuple(terms[:-1]))
        object.__setattr__(self, "output", terms[-1])
        object.__setattr__(self, "equation", self._equation(terms))
        object.__setattr__(self, "matrices", matrices(self.inputs, self.output))
        known = {name for term in self.inputs for name in term}
        for name in self.output:
            if name not in known:
                raise self._wrong(f"letter '{name}' of the output is in no input")

    @staticmethod
    def _equation(terms: list[tuple[str, ...]]) -> str:
        """The line as `torch.einsum` has it, with single letters as names."""
        names = dict.fromkeys(name for term in terms for name in term)
        names.pop(ELLIPSIS, None)
        single = dict(zip(names, string.ascii_letters, strict=False))
        *left, right = ("".join(single.get(a, a) for a in term) for term in terms)
        return f"{','.join(left)}->{right}"

    def _check_term(self, term: tuple[str, ...]) -> None:
        for name in term:
            if name != ELLIPSIS and not name.isidentifier():
                advice = "(split and merge axes with rearrange, before or after)"
                raise self._wrong(f"expected letters or '...', got '{name}' {advice}")
            if term.count(name) > 1:
                twice = f"letter '{name}' stands twice in '{' '.join(term)}'"
                raise self._wrong(f"{twice}; a diagonal is no recipe")

    def _wrong(self, told: str, error: type[Exception] = ValueError) -> Exception:
        return error(f"recipe '{self}': {told}")

    def stored(self, *tensors: Tensor) -> Tensor:  # type: ignore[override]
        """The fast form: one einsum, or one product of two matrices.

        With two inputs, the product of all pairs of numbers is never stored.

        Raises:
            TypeError: an input is no tensor.
            ValueError: the number of inputs, of axes, or two sizes of one letter
                do not fit; the message names the recipe, the letter and both sizes.
            RuntimeError: two inputs have different dtypes.
        """
        sizes = self.sizes(*tensors)
        # Who watches torch's functions sees one call, and not the steps of a product.
        if self.matrices is not None and not has_torch_function(tensors):
            return self.matrices.product(sizes, *tensors)
        return torch.einsum(self.equation, *tensors)

    def literal(self, *tensors: Tensor) -> Tensor:
        """What it means: bring all inputs to one list of axes, multiply, sum.

        The product is stored: `cost` says how many bytes that takes. Raises what a
        call of the recipe raises, but of two dtypes it takes the wider one.
        """
        self.sizes(*tensors)
        *ordered, summed = self.patterns
        moved = (rearrange(x, p) for x, p in zip(tensors, ordered, strict=True))
        return reduce(functools.reduce(torch.mul, moved), summed, "sum")

    def later(self, *inputs: Operand) -> "Product":
        """The same, not computed yet: some lines can take it piece by piece."""
        return Product(self, inputs)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The moves of the literal form: a rearrange for each input, then the sum.

        >>> Recipe("b i, o i -> b o").patterns
        ('b i -> b 1 i', 'o i -> 1 o i', 'b o i -> b o')
        """
        # `...` comes first, so that an input without it is broadcast along it.
        names = dict.fromkeys([*self.output, *self.summed])
        common = sorted(names, key=lambda name: name != ELLIPSIS)
        return (
            *(f"{' '.join(term)} -> {_aligned(term, common)}" for term in self.inputs),
            f"{' '.join(common)} -> {' '.join(self.output)}",
        )

    def gradient(self, which: int) -> "Recipe":
        """The gradient for input `which`, as a recipe.

        It takes the gradient of the output first, then the other inputs in their
        order. The output and the input have changed places: nothing else happens.
        (For complex tensors, give it the conjugates of the other inputs.)

        >>> Recipe("b i, o i -> b o").gradient(1)
        Recipe("b o, b i -> o i")

        Raises:
            IndexError: there is no such input.
            ValueError: a letter is in this input only and not in the output: each
                place along it has the same gradient, and no recipe repeats a value.
        """
        if which not in range(len(self.inputs)):
            told = f"expected an input from 0 to {len(self.inputs) - 1}, got {which}"
            raise self._wrong(told, IndexError)
        others = (*self.inputs[:which], *self.inputs[which + 1 :])
        terms = (self.output, *others)
        for name in self.inputs[which]:
            if all(name not in term for term in terms):
                alone = (
                    f"letter '{name}' is in input {which} only and not in the output"
                )
                raise self._wrong(f"{alone}, so there is no gradient recipe")
        left = ", ".join(" ".join(term) for term in terms)
        return Recipe(f"{left} -> {' '.join(self.inputs[which])}")

    def cost(self, *tensors: Tensor) -> Cost:
        """Exact counts for these inputs, meta tensors too. Raises what a call raises.

        The fast form multiplies as often with two inputs, if each summed letter is in
        both (else it sums first); with three it depends on the order of the products.
        """
        sizes = self.sizes(*tensors)
        dtype = functools.reduce(torch.promote_types, (x.dtype for x in tensors))
        width = dtype.itemsize
        product = math.prod(math.prod(size) for size in sizes.values())
        return Cost(
            multiplications=(len(tensors) - 1) * product,
            product_bytes=product * width,
            read_bytes=sum(x.numel() * x.element_size() for x in tensors),
            written_bytes=math.prod(math.prod(sizes[a]) for a in self.output) * width,
        )

    def sizes(self, *tensors: Operand) -> dict[str, Sizes]:
        """The sizes of each letter (several for ``...``), checked.

        >>> Recipe("... i, o i -> ... o").sizes(torch.ones(5, 4, 3), torch.ones(2, 3))
        {'...': (5, 4), 'i': (3,), 'o': (2,)}

        Raises what a call of the recipe raises.
        """
        if len(tensors) != len(self.inputs):
            told = f"expected {len(self.inputs)} inputs, got {len(tensors)}"
            raise self._wrong(told)
        found: dict[str, tuple[int, Sizes]] = {}
        for which, tensor in enumerate(tensors):
            for name, size in self._axes(which, tensor):
                first, known = found.setdefault(name, (which, size))
                # einsum would stretch a size of 1, and hide a wrong shape.
                if size != known:
                    here, there = f"{_said(size)} in input {which}", _said(known)
                    told = f"letter '{name}' is {there} in input {first} and {here}"
                    raise self._wrong(told)
        return {name: size for name, (_, size) in found.items()}

    def _axes(self, which: int, tensor: Operand) -> Iterator[tuple[str, Sizes]]:
        if not isinstance(tensor, Operand):
            told = f"expected a tensor as input {which}, got {tensor!r}"
            raise self._wrong(told, TypeError)
        term, shape = self.inputs[which], tuple(tensor.shape)
        rest = len(shape) - len(term) + 1
        if rest < 0 or (ELLIPSIS not in term and rest != 1):
            least = "at least " if ELLIPSIS in term else ""
            axes = f"{least}{len(term) - (ELLIPSIS in term)} axes, got shape {shape}"
            told = f"input {which} is '{' '.join(term)}', expected {axes}"
            raise self._wrong(told)
        for name in term:
            taken = rest if name == ELLIPSIS else 1
            yield name, shape[:taken]
            shape = shape[taken:]


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class Product(Deferred):
    """What `Recipe.later` returns: a recipe and its inputs, not computed yet."""

    recipe: Recipe
    inputs: tuple[Operand, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what the recipe would make. Raises what its call raises."""
        sizes = self.recipe.sizes(*self.inputs)
        return tuple(n for letter in self.recipe.output for n in sizes[letter])

    def tensor(self) -> Tensor:
        """What the recipe makes."""
        return self.recipe(*self.inputs)


def _aligned(term: tuple[str, ...], common: list[str]) -> str:
    """`term` on the common list of axes, with 1 for each axis that it lacks."""
    present = (name for name in common if name in term or name != ELLIPSIS)
    return " ".join(name if name in term else "1" for name in present)


def _said(size: Sizes) -> Any:
    return size[0] if len(size) == 1 else size
