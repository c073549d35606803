"""How a recipe is run: in pieces that fit a cache, and again for its gradient.

A recipe is written move by move, and each move reads and writes all of its numbers. On
a piece that fits a cache that costs little. And what lies between input and output need
not be kept for the backward pass: the recipe is run on the piece again.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from layerlib.conventions.dtypes import HALVES, wide
from layerlib.engine.gradient import with_gradient

PIECE = 2**17
"""How many numbers a move writes at a time: with a few such, a cache is full."""

Function: TypeAlias = Callable[..., Any]
Cut: TypeAlias = dict[str, slice]


@dataclass(frozen=True)
class InPieces:
    """Along which letters a function may be cut: ``InPieces("b i -> b o", "b")``.

    It decorates a function of the tensors on the left, and of further settings, that
    gives those on the right. An input that lacks the letter, or has 1 for it, goes into
    each piece as it is; ``...`` alone stands for a function of each number. All is
    computed in at least 32 bits; the first output then gets the dtype of the first
    input. Only the inputs are kept for the gradient: ``gradient(*cotangents, *inputs)``
    gives it where it is written down, and else the function is run again, and derived
    move by move. Second gradients, `torch.func` and `torch.compile` work on the whole.

    >>> @InPieces("b n -> b n", "b")
    ... def shares(x):
    ...     return x / x.sum(-1, keepdim=True)
    >>> shares(torch.tensor([[1.0, 3.0]]))
    tensor([[0.2500, 0.7500]])

    Source: https://arxiv.org/abs/1604.06174 (again instead of kept), and
    https://arxiv.org/abs/2205.14135 (in pieces, for attention).
    """

    line: str
    along: str
    gradient: Function | None = None
    size: int | None = None
    inputs: list[list[str]] = field(init=False, repr=False, compare=False)
    outputs: list[list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, side in zip(
            ("inputs", "outputs"), self.line.split("->"), strict=True
        ):
            object.__setattr__(self, name, [term.split() for term in side.split(",")])

    def __call__(self, function: Function) -> Function:
        """The function, run in pieces."""

        def again(needed: Sequence[bool], *given: Any) -> list[Tensor | None]:
            return _again(self, function, needed, *given)

        @with_gradient(again)
        def run(*inputs: Any) -> tuple[Tensor, ...]:
            return _forward(self, function, *inputs)

        @functools.wraps(function)
        def wrapper(*inputs: Any) -> Any:
            found = run(*inputs)
            return found if len(found) > 1 else found[0]

        return wrapper

    def cuts(self, inputs: Sequence[Any]) -> tuple[dict[str, int], list[Cut]]:
        """The size of each letter, and its slices in each piece."""
        sizes = {"1": 1}
        if torch.compiler.is_compiling():
            return sizes, [{}]
        for term, x in zip(self.inputs, inputs, strict=False):
            for letter, size in () if x is None else _sizes(term, x):
                sizes[letter] = size if size != 1 else sizes.get(letter, 1)
        work = max(math.prod(sizes.get(n, 1) for n in term) for term in self.inputs)
        most = min(self.size or PIECE, PIECE) if PIECE < 2**17 else self.size or PIECE
        slices = []
        for letter in self.along.split():
            size = sizes[letter]
            step = -(-size // min(size, -(-work // most))) if size * work else 1
            slices.append([slice(n, n + step) for n in range(0, size, step)])
            work = work * step // max(1, size)
        names, pieces = self.along.split(), list(itertools.product(*slices))
        few = len(pieces) <= 1
        return sizes, [
            dict(zip(names, () if few else cut, strict=False)) for cut in pieces or [()]
        ]

    def piece(self, inputs: Sequence[Any], cut: Cut) -> list[Any]:
        """A piece of the inputs, wide; settings stay as they are."""
        terms = itertools.chain(self.inputs, itertools.repeat([]))
        pairs = zip(terms, inputs, strict=False)
        return [
            wide(_part(term, x, cut)) if isinstance(x, Tensor) else x
            for term, x in pairs
        ]


def _sizes(term: list[str], x: Tensor) -> list[tuple[str, int]]:
    if term == ["..."]:
        return [("...", x.numel() if x.is_contiguous() else 0)]
    return list(zip(term, x.shape, strict=True))


def _part(term: list[str], x: Tensor, cut: Cut) -> Tensor:
    """What of `x` belongs to a piece: a view."""
    if not cut:
        return x
    if term == ["..."]:
        return x.view(-1)[cut["..."]]
    pairs = zip(term, x.shape, strict=True)
    return x[tuple(cut.get(a, slice(None)) if n > 1 else slice(None) for a, n in pairs)]


def _again(
    plan: InPieces, function: Function, needed: Sequence[bool], *given: Any
) -> list[Tensor | None]:
    count = len(given) - len(needed)
    cotangents, inputs = given[:count], given[count:]
    whole: list[Cut] = [{}]
    cuts = whole if torch.is_grad_enabled() else plan.cuts(inputs)[1]
    if len(cuts) > 1 and plan.along == "...":
        cotangents = tuple(g.contiguous() for g in cotangents)
    found: dict[int, Tensor] = {}
    for cut in cuts:
        pulled = [
            wide(_part(term, g, cut))
            for term, g in zip(plan.outputs, cotangents, strict=True)
        ]
        parts = _derived(plan, function, needed, pulled, plan.piece(inputs, cut))
        for n, part in parts.items():
            x, term = inputs[n], plan.inputs[n]
            alone = all(a in term and dict(_sizes(term, x))[a] > 1 for a in cut)
            if not cut:
                found[n] = part
                continue
            if n not in found:
                make = part.new_empty if alone else part.new_zeros
                found[n] = make(x.shape, dtype=x.dtype if alone else part.dtype)
            here = _part(term, found[n], cut)
            here.copy_(part) if alone else here.add_(part)
    return [found[n].to(x.dtype) if n in found else None for n, x in enumerate(inputs)]


def _derived(
    plan: InPieces, function: Function, needed: Sequence[bool],
    cotangents: Sequence[Tensor], inputs: Sequence[Any],
) -> dict[int, Tensor]:  # fmt: skip
    """The gradients of one piece."""
    if plan.gradient is not None:  # written down
        given = plan.gradient(*cotangents, *inputs)
        given = given if isinstance(given, (tuple, list)) else [given]
        return {n: g for n, g in enumerate(given) if needed[n]}
    wanted = [n for n, need in enumerate(needed) if need]

    def of_wanted(*some: Tensor) -> Any:
        given = dict(enumerate(inputs)) | dict(zip(wanted, some, strict=True))
        return function(*given.values())

    _, pull = torch.func.vjp(of_wanted, *(inputs[n] for n in wanted))  # type: ignore[misc]
    found = pull(tuple(cotangents) if len(plan.outputs) > 1 else cotangents[0])
    return dict(zip(wanted, found, strict=True))


def _forward(plan: InPieces, function: Function, *inputs: Any) -> tuple[Tensor, ...]:
    sizes, cuts = plan.cuts(inputs)
    outputs: list[Tensor] = []
    for cut in cuts:
        found = function(*plan.piece(inputs, cut))
        found = found if isinstance(found, tuple) else (found,)
        half = inputs[0].dtype if inputs[0].dtype in HALVES else found[0].dtype
        kinds = [half, *(x.dtype for x in found[1:])]
        if not cut:
            return tuple(x.to(k) for x, k in zip(found, kinds, strict=True))
        if not outputs:  # made from a piece: what is mapped over is, in both
            shapes = [
                inputs[0].shape if term == ["..."] else [sizes[a] for a in term]
                for term in plan.outputs
            ]
            each = zip(found, shapes, kinds, strict=True)
            outputs = [x.new_empty(shape, dtype=kind) for x, shape, kind in each]
        for term, whole, part in zip(plan.outputs, outputs, found, strict=True):
            _part(term, whole, cut).copy_(part)
    return tuple(outputs)
