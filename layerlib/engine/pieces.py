"""Functions run in pieces that fit a cache, with no more kept than their inputs.

A layer is written move by move, and each move reads and writes all of its numbers. On
a piece that stays in the cache that costs little. What lies between the input and the
output is not kept for the backward pass: it is computed again, piece by piece.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import forward_ad

from layerlib.conventions.dtypes import HALVES, wide
from layerlib.engine.gradient import with_gradient

PIECE = 2**20
"""No piece has more numbers; tests make it small, so that there are many pieces."""

Function: TypeAlias = Callable[..., Any]
Term: TypeAlias = tuple[str, ...]
Cut: TypeAlias = dict[str, tuple[int, int, int]]
Goal: TypeAlias = tuple[Term, Sequence[int] | None, torch.dtype | None]
# What is put together: its letters, its shape (if known) and its dtype (if another).


@dataclass(frozen=True)
class InPieces:
    """Along which letters a function may be cut: ``InPieces("b i -> b o", "b")``.

    It decorates a function of the tensors on the left, then of settings, that gives the
    tensors on the right. A tensor that lacks a letter, or has 1 for it, goes into every
    piece; ``...`` stands for all axes of a function of each number. All is computed in
    32 bits at least, and the first output gets the dtype of the first input.

    Args:
        line: the letters of the tensors. An input may be None.
        along: the letters along which it is cut; all outputs have them.
        gradient: ``gradient(*cotangents, *inputs)``, in the order of the inputs;
            without it the function is run again, and derived move by move.
        size: how many numbers the largest tensor of a piece has, at most.

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
    size: int = 2**16

    def __call__(self, function: Function) -> Function:
        """The function, run in pieces."""
        sides = [side.split(",") for side in self.line.split("->")]
        left, right = [[tuple(term.split()) for term in side] for side in sides]

        def again(needed: Sequence[bool], *given: Any) -> list[Tensor | None]:
            derive = self.gradient or functools.partial(_derived, function, needed)
            terms, inputs = right + left, given[len(right) :]
            # A second gradient is derived from the whole.
            cuts = [{}] if torch.is_grad_enabled() else self._cuts(terms, given)
            goals = [
                (term, x.shape, x.dtype) if need else None
                for term, x, need in zip(left, inputs, needed, strict=False)
            ]
            return _run(derive, terms, given, cuts, goals)

        @with_gradient(again)
        def run(*inputs: Any) -> tuple[Tensor, ...]:
            kind = inputs[0].dtype if inputs[0].dtype in HALVES else None
            shape = inputs[0].shape if self.along == "..." else None
            goals = [
                (right[0], shape, kind),
                *[(term, None, None) for term in right[1:]],
            ]
            return tuple(_run(function, left, inputs, self._cuts(left, inputs), goals))

        @functools.wraps(function)
        def wrapper(*inputs: Any) -> Any:
            found = run(*inputs)
            return found if len(found) > 1 else found[0]

        return wrapper

    def _cuts(self, terms: Sequence[Term], given: Sequence[Any]) -> list[Cut]:
        """For each piece where it begins, how long it is, and out of how many."""
        pairs = [(t, x) for t, x in zip(terms, given, strict=False) if x is not None]
        # The compiler cuts by itself, and a tangent does not follow a copy.
        if torch.compiler.is_compiling() or forward_ad._current_level >= 0:  # noqa: SLF001
            return [{}]
        shape, flat = pairs[0][1].shape, self.along == "..."
        if flat and not all(x.is_contiguous() and x.shape == shape for _, x in pairs):
            return [{}]
        sizes: dict[str, int] = {}
        for term, x in pairs:
            for letter, n in zip(term, [x.numel()] if flat else x.shape, strict=True):
                sizes[letter] = n if sizes.get(letter, 1) == 1 else sizes[letter]
        work = max(math.prod(sizes[a] for a in term) for term, _ in pairs)
        cuts: list[Cut] = [{}]
        for letter in self.along.split() if all(sizes.values()) else ():
            n = sizes[letter]
            step = -(-n // min(n, -(-work // min(self.size, PIECE))))
            work = -(-work * step // n)
            starts = range(0, n, step) if step < n else ()
            each = [{letter: (i, min(step, n - i), n)} for i in starts] or [{}]
            cuts = [cut | more for cut in cuts for more in each]
        return cuts


def _run(
    function: Function, terms: Sequence[Term], given: Sequence[Any],
    cuts: Sequence[Cut], goals: Sequence[Goal | None],
) -> list[Any]:  # fmt: skip
    """What a function makes of each piece, put together."""
    made: list[Any] = [None] * len(goals)
    settings = given[len(terms) :]
    for cut in cuts:
        pairs = zip(terms, given, strict=False)
        parts = [x if x is None else wide(_at(x, term, cut)) for term, x in pairs]
        found = function(*parts, *settings)
        found = found if isinstance(found, (tuple, list)) else (found,)
        for n, (goal, part) in enumerate(zip(goals, found, strict=False)):
            if goal is not None and part is not None:
                made[n] = _put(goal, made[n], part, cut) if cut else part
    kinds = [goal and goal[2] for goal in goals]
    return [x if k is None else x.to(k) for x, k in zip(made, kinds, strict=True)]


def _at(x: Tensor, term: Term, cut: Cut) -> Tensor:
    """A view of what is in a piece."""
    x = x.view(-1) if "..." in cut else x
    for axis, letter in enumerate(term) if cut else ():
        if letter in cut and x.shape[axis] > 1:
            x = x.narrow(axis, *cut[letter][:2])
    return x


def _put(goal: Goal, whole: Tensor | None, part: Tensor, cut: Cut) -> Tensor:
    """A part in its place; added, where its tensor lacks a letter that is cut."""
    term, shape, kind = goal
    size = shape or [
        cut[a][2] if a in cut else n for a, n in zip(term, part.shape, strict=False)
    ]
    sizes = {**dict(zip(term, size, strict=False)), "...": 2}
    alone = all(sizes.get(letter, 1) > 1 for letter in cut)
    if whole is None:
        whole = part.new_empty(size, dtype=kind) if alone else part.new_zeros(size)
    here = _at(whole, term, cut)
    here.copy_(part) if alone else here.add_(part)
    return whole


def _derived(
    function: Function, needed: Sequence[bool], *given: Any
) -> list[Tensor | None]:
    """The gradients of the needed inputs, move by move, after the cotangents."""
    count = len(given) - len(needed)
    inputs, wanted = list(given[count:]), [n for n, need in enumerate(needed) if need]

    def of_wanted(*some: Tensor) -> Any:
        changed = dict(zip(wanted, some, strict=True))
        return function(*(changed.get(n, x) for n, x in enumerate(inputs)))

    _, pull = torch.func.vjp(of_wanted, *(inputs[n] for n in wanted))  # type: ignore[misc]
    found = iter(pull(given[:count] if count > 1 else given[0]))
    return [next(found) if need else None for need in needed]
