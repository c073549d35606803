"""Functions run in pieces that fit a cache, with no more kept than their inputs.

Each move of a layer reads and writes all of its numbers: on a piece that stays in the
cache that costs little. What lies between input and output is not kept for the backward
pass, but computed again. (Two threads on 2 million numbers, forward and with the
backward pass, next to torch.nn's: a layer norm 9.6 and 8.3 times in pieces of 2**16
numbers, since the threads wait for each other; 7.1 and 6.1 of 2**17; 6.4 and 6.4 of
2**18; 5.7 and 5.3 of 2**20, which takes 1.75 times the memory instead of 1.19.)
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.dtypes import HALVES, wide
from layerlib.engine.gradient import with_gradient

PIECE = 2**18
"""How many numbers the largest tensor of a piece has, at most."""

Function = Callable[..., Any]
Term = Sequence[str]
Places = Sequence[tuple[int, str]]
Cut = dict[str, tuple[int, int, int]]  # where a piece begins, how long, out of how many


@dataclass(frozen=True)
class InPieces:
    """Along which letters a function may be cut: ``InPieces("b i -> b o", "b")``.

    It decorates a function of the tensors on the left (or None), then of settings. What
    lacks a letter, or has 1 for it, goes into every piece; ``...`` stands for all axes
    of a function of each number. Computed in 32 bits at least, the first output gets
    the dtype of the first input. ``gradient(*cotangents, *inputs)`` gives gradients in
    the order of the inputs; without it the function is run again, and derived. What
    the function makes besides its first output has no gradient if it `keeps` that: the
    gradient is given it in the place of a cotangent.

    >>> double = InPieces("b n -> b n", "b")(lambda x: x + x)
    >>> double(torch.ones(1, 2))
    tensor([[2., 2.]])

    Source: https://arxiv.org/abs/1604.06174 (again instead of kept).
    """

    line: str
    along: str
    gradient: Function | None = None
    keeps: bool = False

    def __call__(self, function: Function) -> Callable[..., Tensor]:
        """The function, run in pieces."""
        sides = [side.split(",") for side in self.line.split("->")]
        left, right = [[term.split() for term in side] for side in sides]

        whole: list[Cut] = [{}]
        count = len(right)

        def again(needed: Sequence[bool], *given: Any) -> list[Tensor | None]:
            given = (given[0], *given[count:]) if self.keeps else given
            terms, like, cuts = right + left, given[count:], whole
            if not torch.is_grad_enabled():
                cuts = self._cuts(terms, given)
            elif self.keeps:  # a second gradient is derived from all that was done
                made = _run(function, left, like, whole, right, ())
                given = (given[0], *made[1:], *like)
            derive = functools.partial(_derived, self.gradient, function, needed)
            found = _run(derive, terms, given, cuts, left, like)
            pairs = zip(found, like, strict=False)
            return [g if g is None else g.to(x.dtype) for g, x in pairs]

        @with_gradient(again, keeps_output=range(1, count) if self.keeps else False)
        def run(*given: Any) -> tuple[Tensor, ...]:
            cuts, like = self._cuts(left, given), given[: self.along == "..."]
            found = _run(function, left, given, cuts, right, like)
            if given[0].dtype in HALVES:
                found[0] = found[0].to(given[0].dtype)
            return tuple(found)

        @functools.wraps(function)
        def wrapper(*given: Any) -> Any:
            found = run(*given)
            return found if len(found) > 1 else found[0]

        return wrapper

    def _cuts(self, terms: Sequence[Term], given: Sequence[Any]) -> list[Cut]:
        pairs = [(t, x) for t, x in zip(terms, given, strict=False) if x is not None]
        if torch.compiler.is_compiling():  # it cuts by itself
            return [{}]
        shape, flat = pairs[0][1].shape, self.along == "..."
        if flat and not all(x.is_contiguous() and x.shape == shape for _, x in pairs):
            return [{}]
        sizes: dict[str, int] = {}
        for term, x in pairs:
            for letter, n in zip(term, [x.numel()] if flat else x.shape, strict=True):
                sizes[letter] = n if sizes.get(letter, 1) == 1 else sizes[letter]
        work = max(math.prod(sizes.get(a, 1) for a in term) for term in terms)
        cuts: list[Cut] = [{}]
        for letter in self.along.split() if all(sizes.values()) else ():
            n = sizes[letter]
            step = -(-n // min(n, -(-work // PIECE)))
            work = -(-work * step // n)
            starts = range(0, n, step) if step < n else ()
            each = [{letter: (i, min(step, n - i), n)} for i in starts] or [{}]
            cuts = [cut | more for cut in cuts for more in each]
        return cuts


def _run(
    function: Function, terms: Sequence[Term], given: Sequence[Any],
    cuts: list[Cut], goals: Sequence[Term], like: Sequence[Any],
) -> list[Any]:  # fmt: skip
    """What a function makes of each piece, put together."""
    tensors, settings = given[: len(terms)], given[len(terms) :]
    if not cuts[0]:
        parts = [x if x is None else wide(x) for x in tensors]
        return _listed(function(*parts, *settings))
    if "..." in cuts[0]:
        tensors = [x if x is None else x.view(-1) for x in tensors]
    pairs = [*zip(terms, tensors, strict=True)]
    places = [() if x is None else _places(t, x.shape, cuts[0]) for t, x in pairs]
    made: list[Any] = []
    for cut in cuts:
        ours = zip(tensors, places, strict=True)
        parts = [x if x is None else wide(_at(x, at, cut)) for x, at in ours]
        found = _listed(function(*parts, *settings))
        made = made or [
            part if part is None else _whole(part, term, cut, like[n : n + 1])
            for n, (term, part) in enumerate(zip(goals, found, strict=False))
        ]
        for goal, part in zip(made, found, strict=False):
            if goal is not None:
                _, flat, at, put = goal
                put(_at(flat, at, cut), part)
    return [goal if goal is None else goal[0] for goal in made]


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _places(term: Term, shape: Sequence[int], cut: Cut) -> Places:
    """The axes that are cut, each with its letter."""
    axes = enumerate(term)
    return [(axis, a) for axis, a in axes if a in cut and shape[axis] > 1]


def _at(x: Tensor, places: Places, cut: Cut) -> Tensor:
    """A view of what is in a piece."""
    for axis, letter in places:
        start, length, _ = cut[letter]
        x = x.narrow(axis, start, length)
    return x


def _whole(part: Tensor, term: Term, cut: Cut, like: Sequence[Tensor]) -> Any:
    """Where the parts go, and how: added, where a letter that is cut is not there."""
    pairs = zip(term, part.shape, strict=False)
    shape = [cut[a][2] if a in cut else n for a, n in pairs]
    shape = [*like[0].shape] if like else shape
    flat = [math.prod(shape)] if "..." in cut else shape
    places = _places(term, flat, cut)
    alone = len(places) == len(cut)
    whole = part.new_empty(shape) if alone else part.new_zeros(shape)
    return whole, whole.view(flat), places, Tensor.copy_ if alone else Tensor.add_


def _derived(
    gradient: Function | None, function: Function, needed: Sequence[bool], *given: Any
) -> list[Tensor | None]:
    """The gradients that are needed: written down, or of the function, run again."""
    count = len(given) - len(needed)
    if gradient is not None:
        found = gradient(*given)
        found = found if isinstance(found, (list, tuple)) else [found]
        return [g if n else None for g, n in zip(found, needed, strict=False)]
    inputs, wanted = given[count:], [n for n, need in enumerate(needed) if need]
    places = {n: place for place, n in enumerate(wanted)}
    _, pull = torch.func.vjp(
        lambda *some: function(
            *[some[places[n]] if n in places else x for n, x in enumerate(inputs)]
        ),
        *[inputs[n] for n in wanted],
    )  # type: ignore[misc]
    pulled = iter(pull(given[:count] if count > 1 else given[0]))
    return [next(pulled) if need else None for need in needed]
