"""What can be said of an answer that is wrong when no cause is found.

Nothing here guesses: each sentence is a fact about the cases that were tried.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from classroom.judge.attempt import close, readable

Sizes = Mapping[str, int]
Pair = tuple[Sizes, Tensor, Tensor]  # sizes, expected, got
FEW = 3  # cases that a rule has to hold in, and as many in which it does not


def is_told(x: Any) -> bool:
    """Whether most of what is in a tensor are numbers."""
    return readable(x) and bool((~x.isnan()).double().mean() > 0.5)


def shape(got: tuple[int, ...], axes: Sequence[str], letters: Sizes, name: str) -> str:
    """What a wrong shape is, told in letters. All sizes differ from each other."""
    found = named(got, axes, letters)
    if found is None:
        return ""
    told = f"({', '.join(n.replace(' ', '·') or '1' for n in found)})"
    asked = [letter for axis in axes for letter in axis.split()]
    own = [letter for axis in found for letter in axis.split()]
    lost = [n for n in asked if n not in own]
    more = [n for n in own if n not in asked]
    if lost or more:
        parts = [f"{n} is still there" for n in dict.fromkeys(more)]
        parts += [f"{n} is gone" for n in dict.fromkeys(lost)]
        return f"By its sizes the {name} is {told}: {' and '.join(parts)}."
    if sorted(own) == sorted(asked) and len(found) == len(axes):
        wanted = f"({', '.join(n.replace(' ', '·') or '1' for n in axes)})"
        return (
            f"By its sizes the {name} is {told}: its axes come in the order {wanted}."
        )
    return f"By its sizes the {name} is {told}."


def named(
    got: tuple[int, ...], axes: Sequence[str], letters: Sizes
) -> list[str] | None:
    """The letters of a shape in a case whose sizes all differ; or nothing."""
    by_size = {size: letter for letter, size in letters.items()}
    merged = {
        math.prod(letters[n] for n in axis.split()): axis
        for axis in axes
        if axis and not axis.isdigit()
    }
    pairs = {
        letters[a] * letters[b]: f"{a} {b}"
        for a, b in itertools.combinations(letters, 2)
    }
    known = {1: "", **pairs, **by_size, **merged}
    found = [known.get(size) for size in got]
    return None if None in found else found  # type: ignore[return-value]


def numbers(pairs: Sequence[Pair], axes: Sequence[str], name: str) -> list[str]:
    """How wrong numbers stand to the right ones, in all cases."""
    pairs = [pair for pair in pairs if pair[1].numel() and pair[1].is_floating_point()]
    wrong = [pair for pair in pairs if not close(pair[1], pair[2])]
    if not wrong:
        return []
    told = _related(pairs, name) or _ended(pairs, axes, name)
    if told:
        return [told]
    cells = [*_cells(wrong, pairs, axes)]
    if cells or not all(_same_numbers(e, g) for _, e, g in pairs):
        return cells[:2]
    inside = [
        axis
        for at, axis in enumerate(axes)
        if all(close(e.sort(at)[0], g.sort(at)[0]) for _, e, g in pairs)
    ]
    where = f"in another order along {inside[0]}" if inside else "in other places"
    return [f"The numbers of the {name} are the right ones, {where}."]


def _related(pairs: Sequence[Pair], name: str) -> str:
    """Whether all numbers are off by one factor, or by one number."""
    if not any(got.any() for _, _, got in pairs):
        return f"The {name} is 0 everywhere."
    factor = _factor(pairs)
    if factor is not None:
        return f"The {name} is {factor:.4g} times what it should be."
    shift = _shift(pairs)
    if shift is not None:
        more = "large" if shift > 0 else "small"
        return f"Each number of the {name} is {abs(shift):.4g} too {more}."
    return ""


def _ended(pairs: Sequence[Pair], axes: Sequence[str], name: str) -> str:
    """Whether one more step would make all numbers right."""
    if all(close(expected, expected.round()) for _, expected, _ in pairs):
        return ""  # where a softmax is saturated, many other steps would do, too
    for step, function in _ENDINGS.items():
        if all(close(expected, function(got)) for _, expected, got in pairs):
            return f"{step} of your {name} would be right: is that step missing?"
    for at, axis in enumerate(axes):
        if all(close(e, g.softmax(at)) for _, e, g in pairs):
            return f"A softmax of your {name} along {axis} would be right."
        if all(close(e, g / g.sum(at, keepdim=True)) for _, e, g in pairs):
            return f"The {name} is right up to a factor for each row along {axis}."
    return ""


_ENDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "The root": torch.sqrt,
    "The square": torch.square,
    "A tanh": torch.tanh,
    "A sigmoid": torch.sigmoid,
    "A ReLU": torch.relu,
    "The exponential": torch.exp,
    "The logarithm": torch.log,
    "1 minus each number": lambda x: 1 - x,
    "1 divided by each number": torch.reciprocal,
    "The absolute value": torch.abs,
}


def _factor(pairs: Sequence[Pair]) -> float | None:
    expected = torch.cat([x.flatten() for _, x, _ in pairs])
    got = torch.cat([x.flatten() for _, _, x in pairs])
    sure = expected.isfinite() & got.isfinite() & (expected.abs() > 1e-3)
    if sure.sum() < FEW:
        return None
    factor = float((got[sure] / expected[sure]).median())
    return factor if close(factor * expected, got) else None


def _shift(pairs: Sequence[Pair]) -> float | None:
    off = torch.cat([(got - expected).flatten() for _, expected, got in pairs])
    if not off.isfinite().all():
        return None
    shift = float(off.median())
    same = close(off, torch.full_like(off, shift))
    return shift if same and len(off) >= FEW else None


def _same_numbers(x: Tensor, y: Tensor) -> bool:
    return close(x.flatten().sort()[0], y.flatten().sort()[0])


def _cells(
    wrong: Sequence[Pair], pairs: Sequence[Pair], axes: Sequence[str]
) -> Iterator[str]:
    """In which cells it is wrong: only in the first ones of an axis, or in the last."""
    marks = [(x, ~_agree(x, y)) for _, x, y in wrong]
    for at, axis in enumerate(axes):
        told = axis.replace(" ", "·")
        rows = [_along(mark, at).any(1) for _, mark in marks]
        long = [row for row in rows if len(row) > 1]
        if len(long) < FEW:
            continue
        every = [_along(_agree(x, y), at).all(1) for _, x, y in pairs]
        for where, cell in (("first", 0), ("last", -1)):
            others = [row[1:] if cell == 0 else row[:-1] for row in long]
            if not any(row.any() for row in others):
                yield f"Only the {where} along {told} is wrong."
            elif all(
                row[cell] and not row[-1 - cell] for row in every if len(row) > 1
            ) and all(row[cell] for row in every if len(row)):
                yield f"Only the {where} along {told} is right in all cases."


def _along(mark: Tensor, axis: int) -> Tensor:
    """A row of cells for each place of an axis."""
    return mark.movedim(axis, 0).reshape(mark.shape[axis], -1)


def _agree(x: Tensor, y: Tensor) -> Tensor:
    return torch.isclose(x.detach(), y.detach(), rtol=1e-4, atol=1e-5, equal_nan=True)


def cases(tried: Sequence[tuple[Sizes, bool]]) -> str:
    """What the cases that are right have in common, and no other has; or nothing."""
    right = sum(ok for _, ok in tried)
    if right < 2 or len(tried) - right < FEW:
        return ""
    simple = _rules([*tried[0][0]], tried)
    fit = [told for told, rule in simple.items() if _fits(rule, tried)]
    if fit:
        either = " (or: ".join(fit[:2]) + ")" * (len(fit[:2]) - 1)
        size = re.fullmatch(r"\w+ is (?!1$)\d+", fit[0])
        asked = "\nIs that size written into it as a number?" if size else ""
        return f"It is right wherever {either}, and nowhere else.{asked}"
    for (one, first), (two, second) in itertools.combinations(simple.items(), 2):
        for word, holds in (
            ("or", lambda n, a=first, b=second: a(n) or b(n)),
            ("and", lambda n, a=first, b=second: a(n) and b(n)),
        ):
            if _fits(holds, tried):
                fit.append(f"{one} {word} {two}")
    if fit:
        least = min(fit, key=lambda told: (told.count("="), len(told)))
        return f"Of all cases, those are right where {least}."
    return ""


def _fits(rule: Callable[[Sizes], bool], tried: Sequence[tuple[Sizes, bool]]) -> bool:
    return all(rule(sizes) == ok for sizes, ok in tried)


def _rules(
    letters: Sequence[str], tried: Sequence[tuple[Sizes, bool]]
) -> dict[str, Callable[[Sizes], bool]]:
    """Rules on sizes. A parity is one only where two sizes of a letter are right."""
    rules: dict[str, Callable[[Sizes], bool]] = {}
    for a in letters:
        rules[f"{a} is 1"] = lambda n, a=a: n[a] == 1  # type: ignore[misc]
    for a in letters:
        rules[f"{a} is more than 1"] = lambda n, a=a: n[a] > 1  # type: ignore[misc]
        right = {sizes[a] for sizes, ok in tried if ok}
        if len(right) == 1:
            (only,) = right
            rules[f"{a} is {only}"] = lambda n, a=a, only=only: n[a] == only  # type: ignore[misc]
            continue
        rules[f"{a} is odd"] = lambda n, a=a: n[a] % 2 == 1  # type: ignore[misc]
        rules[f"{a} is even"] = lambda n, a=a: n[a] % 2 == 0  # type: ignore[misc]
        rules[f"{a} is at most 2"] = lambda n, a=a: n[a] <= 2  # type: ignore[misc]
    for a, b in itertools.combinations(letters, 2):
        rules[f"{a} = {b}"] = lambda n, a=a, b=b: n[a] == n[b]  # type: ignore[misc]
        rules[f"{a} is at most {b}"] = lambda n, a=a, b=b: n[a] <= n[b]  # type: ignore[misc]
        rules[f"{b} is at most {a}"] = lambda n, a=a, b=b: n[b] <= n[a]  # type: ignore[misc]
    return rules


class FirstNaN(TorchDispatchMode):
    """Notes the operation that first makes a NaN out of numbers, and why."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.why = ""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        returned = func(*args, **(kwargs or {}))
        if not self.why:
            given = [x for x in tree_leaves((args, kwargs)) if _floating(x)]
            made = [x for x in tree_leaves(returned) if _floating(x)]
            if any(x.isnan().any() for x in made) and not any(
                x.isnan().any() for x in given
            ):
                endless = any(
                    isinstance(x, float) and math.isinf(x) for x in tree_leaves(args)
                )
                self.why = _why(func.overloadpacket.__name__, given, endless=endless)
        return returned


def _floating(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point() and not x.is_meta


def _why(name: str, given: Sequence[Tensor], *, endless: bool) -> str:
    """Why an operation made NaN out of numbers."""
    name = name.strip("_")
    endless = endless or any(x.isinf().any() for x in given)
    if "softmax" in name and endless:
        hidden = any((x == -math.inf).all(-1).any() for x in given if x.dim())
        return _NAN["hidden" if hidden else "softmax"]
    kind = next((kind for kind, names in _KINDS.items() if name in names), "")
    if kind in ("product", "difference") and not endless:
        kind = ""
    if kind == "quotient" and endless:
        kind = "endless quotient"
    return _NAN.get(kind, "{name} makes the first NaN.").format(name=name)


_KINDS = {
    "product": ("mul", "mm", "bmm", "dot", "mv", "addmm", "baddbmm"),
    "difference": ("sub", "add", "sum"),
    "quotient": ("div", "reciprocal"),
    "variance": ("var", "std", "var_mean", "std_mean"),
    "root": ("sqrt", "rsqrt", "log", "pow"),
    "mean": ("mean",),
}
_NAN = {
    "hidden": "A row of scores is masked all over; its softmax is 0/0, which is NaN.",
    "softmax": "A score is infinite; shift the scores before the softmax.",
    "product": "0 · ∞ is NaN: an infinite number meets a 0.",
    "difference": "∞ − ∞ is NaN.",
    "quotient": "0/0 is NaN: it divides by 0.",
    "endless quotient": "∞/∞ is NaN.",
    "variance": "The unbiased variance of a single number is 0/0, which is NaN.",
    "root": "{name} of a negative number is NaN.",
    "mean": "The mean of nothing is 0/0, which is NaN.",
}
