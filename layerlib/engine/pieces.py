"""Functions run in pieces that fit a cache, with no more kept than their inputs.

A layer is written move by move, and each move reads and writes all of its numbers. On
a piece that stays in the cache that costs little. What lies between the input and the
output is not kept for the backward pass: it is computed again, piece by piece.
"""

import functools
import itertools
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
Cut: TypeAlias = dict[str, slice]
Goal: TypeAlias = tuple[Term, Sequence[int], torch.dtype | None]  # a tensor to be


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
        gradient: ``gradient(*cotangents, *inputs)``, in the order of the inputs. Without
            it the function is run again, and derived move by move.
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
    size: int = 2**17

    def __call__(self, function: Function) -> Function:
        """The function, run in pieces."""
        sides = [side.split(",") for side in self.line.split("->")]
        left, right = ([tuple(term.split()) for term in side] for side in sides)

        def again(needed: Sequence[bool], *given: Any) -> list[Tensor | None]:
            derive = self.gradient or functools.partial(_derived, function, needed)
            terms, inputs = right + left, given[len(right) :]
            # A second gradient is derived from the whole.
            sizes = {} if torch.is_grad_enabled() else self._sizes(terms, given)
            goals: list[Goal | None] = [
                (term, x.shape, x.dtype) if need else None
                for term, x, need in zip(left, inputs, needed, strict=False)
            ]
            return _run(derive, terms, given, self._cuts(terms, sizes), goals)

        @with_gradient(again)
        def run(*inputs: Any) -> tuple[Tensor, ...]:
            sizes, (first, *_) = self._sizes(left, inputs), inputs
            goals: list[Goal] = [
                (term, [sizes.get(a, 1) for a in term], None) for term in right
            ]
            shape = first.shape if self.along == "..." else goals[0][1]
            goals[0] = (right[0], shape, first.dtype if first.dtype in HALVES else None)
            return tuple(_run(function, left, inputs, self._cuts(left, sizes), goals))

        @functools.wraps(function)
        def wrapper(*inputs: Any) -> Any:
            found = run(*inputs)
            return found if len(found) > 1 else found[0]

        return wrapper

    def _sizes(self, terms: Sequence[Term], given: Sequence[Any]) -> dict[str, int]:
        """How long each letter is; nothing, where all is to be one piece."""
        pairs = [
            pair for pair in zip(terms, given, strict=False) if pair[1] is not None
        ]
        # The compiler cuts by itself, and tangents do not follow a copy.
        if torch.compiler.is_compiling() or forward_ad._current_level >= 0:  # noqa: SLF001
            return {}
        flat = all(x.is_contiguous() and x.shape == given[0].shape for _, x in pairs)
        if (self.along == "..." and not flat) or not all(x.numel() for _, x in pairs):
            return {}
        sizes: dict[str, int] = {}
        for term, x in pairs:
            shape = [x.numel()] if term == ("...",) else x.shape
            for letter, n in zip(term, shape, strict=True):
                sizes[letter] = max(n, sizes.get(letter, 1))
        return sizes

    def _cuts(self, terms: Sequence[Term], sizes: dict[str, int]) -> list[Cut]:
        """The slices of each piece; the first letters are cut first."""
        work = max(math.prod(sizes.get(a, 1) for a in term) for term in terms)
        slices = {}
        for letter in self.along.split():
            n = sizes.get(letter, 1)
            step = -(-n // min(n, -(-work // min(self.size, PIECE))))
            work = -(-work * step // n)
            if step < n:
                slices[letter] = [slice(i, i + step) for i in range(0, n, step)]
        cuts = itertools.product(*slices.values())
        return [dict(zip(slices, cut, strict=True)) for cut in cuts]


def _run(
    function: Function, terms: Sequence[Term], given: Sequence[Any],
    cuts: Sequence[Cut], goals: Sequence[Goal | None],
) -> list[Any]:  # fmt: skip
    """What a function makes of each piece, put together."""
    made: list[Any] = [None] * len(goals)
    for cut in cuts:
        named = zip(itertools.chain(terms, itertools.repeat(())), given, strict=False)
        found = function(*(_part(x, term, cut) for term, x in named))
        found = found if isinstance(found, (tuple, list)) else (found,)
        for n, (goal, part) in enumerate(zip(goals, found, strict=False)):
            if goal is not None and part is not None:
                made[n] = _put(goal, made[n], part, cut) if cut else part
    kinds = [goal and goal[2] for goal in goals]
    return [x if k is None else x.to(k) for x, k in zip(made, kinds, strict=True)]


def _part(x: Any, term: Term, cut: Cut) -> Any:
    """What of a tensor belongs to a piece, wide; a setting stays as it is."""
    return wide(_at(x, term, cut)) if term and x is not None else x


def _at(x: Tensor, term: Term, cut: Cut) -> Tensor:
    """A view of what is in a piece."""
    if term == ("...",):
        return x.view(-1)[cut["..."]] if cut else x
    pairs = zip(term, x.shape, strict=True)
    cells = tuple(cut.get(a, slice(None)) if n > 1 else slice(None) for a, n in pairs)
    return x[cells] if cut else x


def _put(goal: Goal, whole: Tensor | None, part: Tensor, cut: Cut) -> Tensor:
    """A part in its place; added, where its tensor lacks a letter that is cut."""
    term, shape, kind = goal
    sizes = {**dict(zip(term, shape, strict=False)), "...": 2}
    alone = all(sizes.get(letter, 1) > 1 for letter in cut)
    if whole is None:
        whole = part.new_empty(shape, dtype=kind) if alone else part.new_zeros(shape)
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
