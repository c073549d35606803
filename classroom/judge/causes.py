"""Why an answer is wrong: mistakes made from the contract, by changing what is right.

A `Change` does something to one input before a function that is right is called, or to
one output after it: an input is left out, negated, read in another order; an output is
summed, divided, transposed. An answer that does the same in every case is explained.
"""

import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from layerlib.recipe import Rearrange

Axes = Mapping[str, Sequence[str]]
Sizes = Mapping[str, int]
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Change:
    """What is done to the inputs before a call, or to the outputs after it.

    Attributes:
        told: the rest of a sentence that begins with "It does what is asked, but".
        before: makes other inputs of them.
        after: makes other outputs of them.
        numbers: makes other sizes of those that are given as numbers.
        instead: takes the place of the function.
        around: a context in which the function is called.
        weight: the more, the farther it is sought: of those that fit, the lightest
            are told.
    """

    told: str
    before: Callable[[Tensors, Sizes], Tensors] | None = None
    after: Callable[[tuple[Any, ...], Sizes], tuple[Any, ...]] | None = None
    weight: int = 1
    numbers: Callable[[Sizes], Sizes] | None = None
    instead: Callable[[Tensors, Sizes], tuple[Any, ...]] | None = None
    around: Callable[[Tensors, Sizes], AbstractContextManager[Any]] | None = None

    def __add__(self, other: "Change") -> "Change":
        """Both, this one first."""
        return Change(
            f"{self.told}, and {other.told}",
            lambda x, n: other.prepared(self.prepared(x, n), n),
            lambda y, n: other.finished(self.finished(y, n), n),
            self.weight + other.weight,
        )

    def prepared(self, tensors: Tensors, sizes: Sizes) -> Tensors:
        """The inputs as this changes them."""
        return self.before(tensors, sizes) if self.before else tensors

    def finished(self, values: tuple[Any, ...], sizes: Sizes) -> tuple[Any, ...]:
        """The outputs as this changes them."""
        return self.after(values, sizes) if self.after else values

    def __call__(
        self,
        function: Callable[[Tensors, Sizes], tuple[Any, ...]],
        tensors: Tensors,
        sizes: Sizes,
    ) -> tuple[Any, ...]:
        """What a function makes of a case, changed."""
        given = self.numbers(sizes) if self.numbers else sizes
        run, tensors = self.instead or function, self.prepared(tensors, sizes)
        with self.around(tensors, sizes) if self.around else nullcontext():
            made = run(tensors, given)
        return self.finished(made, sizes)


def changes(inputs: Axes, outputs: Axes, numbers: Sequence[str] = ()) -> list[Change]:
    """All that can be changed, by the contract alone."""
    found = [*_exchanged(inputs), *_numbers(numbers), *_reshaped(inputs, outputs)]
    for name, axes in inputs.items():
        found += [_on_input(name, *change) for change in _on_tensor(name, axes)]
        found += [_on_input(name, *change) for change in _entering(name, axes)]
        found += [_on_input(name, *change) for change in _read(name, axes)]
        others = dict.fromkeys(n for n in _letters(inputs) if n not in _flat(axes))
        found += [_on_input(name, *change) for change in _often(name, [*others])]
    found += _averaged(inputs)
    if len(outputs) > 1:
        told = f"the outputs stand in another order: they are {' and '.join(outputs)}"
        found.append(Change(told, after=lambda y, _: y[::-1]))
    summed = dict.fromkeys(_letters(inputs))
    for at, (name, axes) in enumerate(outputs.items()):
        the = "the output" if len(outputs) == 1 else f"the output {name}"
        found += [_on_output(at, *change) for change in _on_tensor(the, axes)]
        found += [_on_output(at, *change) for change in _leaving(the, axes, [*summed])]
        found += [_on_output(at, *change) for change in _written(the, axes)]
    return found


def products(
    inputs: Axes, outputs: Axes, fits: Callable[[Change], bool]
) -> Iterator[Change]:
    """What else a sum of products may be, if what is asked is one.

    Args:
        inputs: the axes of each input.
        outputs: those of the output.
        fits: whether a change does what is asked. It is asked of the sum of products
            of all inputs, and of all but the last, which is added.
    """
    terms = [*inputs.values(), *outputs.values()]
    if len(outputs) > 1 or any(
        len(axis.split()) != 1 for axes in terms for axis in axes
    ):
        return
    letters = [*dict.fromkeys(_letters(inputs))]
    added = [
        last
        for last in range(min(2, len(inputs)))
        if fits(_combined(inputs, outputs, letters, last, "", "sum"))
    ]
    if not added:
        return
    last = added[0]
    kept = next(iter(outputs.values()))
    summed = [n for n in letters if n not in kept]
    along = _along(" ".join(summed))
    ways = {
        f"the largest product {along} is taken, where they are to be summed": "max",
        f"the smallest product {along} is taken, where they are to be summed": "min",
        f"the products {along} are multiplied, where they are to be summed": "prod",
    }
    if summed:
        for told, how in ways.items():
            yield _combined(inputs, outputs, letters, last, told, how)
        told = f"the inputs are summed {along} before they are multiplied"
        yield _combined(inputs, outputs, letters, last, told, "early")
    for letter in summed:
        told = (
            f"each product along {letter} takes the place of the one before, "
            "where they are to be added up"
        )
        yield _combined(inputs, outputs, letters, last, told, "sum", (letter, -1))
        told = f"only the first product along {letter} is taken (return in a loop?)"
        yield _combined(inputs, outputs, letters, last, told, "sum", (letter, 0))
    told = "the inputs are added where they are to be multiplied"
    yield _combined(inputs, outputs, letters, last, told, "add")


def exchanged(line: Any, inputs: Axes, numbers: Sequence[str] = ()) -> Iterator[Change]:
    """What a rearrangement makes with two letters exchanged, on one of its sides."""
    if not isinstance(line, Rearrange):
        return
    ((name, _),) = inputs.items()
    sides = dict(zip(("left", "right"), line.line.split("->"), strict=True))
    for one, two in itertools.combinations(dict.fromkeys(_letters(inputs)), 2):
        for side, text in sides.items():
            other = {one: two, two: one}
            new = re.sub(r"\w+", lambda n, other=other: other.get(n[0], n[0]), text)  # type: ignore[misc]
            wrong = Rearrange("->".join({**sides, side: new}.values()))

            def instead(
                tensors: Tensors, sizes: Sizes, wrong: Rearrange = wrong
            ) -> tuple[Any, ...]:
                return (wrong(tensors[name], **{n: sizes[n] for n in numbers}),)

            told = f"to the {side} of the arrow {one} and {two} are exchanged"
            yield Change(told, instead=instead)


def _combined(
    inputs: Axes,
    outputs: Axes,
    letters: Sequence[str],
    added: int,
    told: str,
    how: str,
    only: tuple[str, int] | None = None,
) -> Change:
    """Inputs brought to one list of axes, multiplied, and reduced in some way."""
    kept = next(iter(outputs.values()))
    summed = [at for at, letter in enumerate(letters) if letter not in kept]

    def aligned(x: Tensor, axes: Sequence[str], sizes: Sizes) -> Tensor:
        order = sorted(range(len(axes)), key=lambda n: letters.index(axes[n]))
        shape = [sizes[n] if n in axes else 1 for n in letters]
        return x.permute(order).reshape(shape)

    def instead(tensors: Tensors, sizes: Sizes) -> tuple[Any, ...]:
        all_ = [aligned(tensors[n], axes, sizes) for n, axes in inputs.items()]
        factors, bias = all_[: len(all_) - added], all_[len(all_) - added :]
        full = [sizes[n] for n in letters]
        if how == "early":
            own = [[at for at in summed if x.shape[at] > 1] for x in factors]
            parts = (
                x.sum(at, keepdim=True) if at else x
                for x, at in zip(factors, own, strict=True)
            )
            y = functools.reduce(torch.mul, parts).sum(summed, keepdim=True)
        else:
            two = torch.add if how == "add" else torch.mul
            y = functools.reduce(two, factors).expand(full)
            if only:
                y = y.narrow(letters.index(only[0]), only[1] % sizes[only[0]], 1)
            for at in summed:
                whole = getattr(y, {"max": "amax", "min": "amin"}.get(how, how), y.sum)
                y = (y.sum if how == "add" else whole)(at, keepdim=True)
        y = sum(bias, y).squeeze(summed) if summed else sum(bias, y)
        rest = [n for n in letters if n in kept]
        return (y.permute([rest.index(n) for n in kept]),)

    return Change(told, instead=instead)


def _numbers(numbers: Sequence[str]) -> Iterator[Change]:
    for one, two in itertools.combinations(numbers, 2):
        yield Change(
            f"{one} and {two} are exchanged",
            numbers=lambda n, one=one, two=two: {**n, one: n[two], two: n[one]},  # type: ignore[misc]
        )


def _reshaped(inputs: Axes, outputs: Axes) -> Iterator[Change]:
    """A single input that is reshaped where its axes are to be moved."""
    if len(inputs) == len(outputs) == 1:
        ((name, _),), ((_, axes),) = inputs.items(), outputs.items()

        def instead(tensors: Tensors, sizes: Sizes) -> tuple[Any, ...]:
            shape = [math.prod(sizes[n] for n in axis.split()) for axis in axes]
            return (tensors[name].reshape(shape),)

        yield Change("it is a reshape alone, which moves no axis", instead=instead)


def _averaged(inputs: Axes) -> Iterator[Change]:
    """Several inputs that are averaged along one letter."""
    for letter in dict.fromkeys(_letters(inputs)):
        found = {n: axes.index(letter) for n, axes in inputs.items() if letter in axes}
        if len(found) < 2:
            continue

        def before(x: Tensors, _: Sizes, found: Mapping[str, int] = found) -> Tensors:
            return x | {
                n: x[n].mean(at, keepdim=True).expand_as(x[n])
                for n, at in found.items()
            }

        yield Change(
            f"{' and '.join(found)} are averaged along {letter}", before, None, 2
        )


Part = tuple[str, Callable[..., Tensor], int]  # told, of a tensor and sizes, weight


def _on_input(name: str, told: str, change: Any, weight: int) -> Change:
    return Change(
        told, before=lambda x, n: {**x, name: change(x[name], n)}, weight=weight
    )


def _on_output(at: int, told: str, change: Any, weight: int) -> Change:
    def after(values: tuple[Any, ...], sizes: Sizes) -> tuple[Any, ...]:
        return (*values[:at], change(values[at], sizes), *values[at + 1 :])

    return Change(told, after=after, weight=weight)


def _exchanged(inputs: Axes) -> Iterator[Change]:
    for one, two in itertools.combinations(inputs, 2):
        yield Change(
            f"{one} and {two} are exchanged",
            before=lambda x, _, one=one, two=two: {**x, one: x[two], two: x[one]},  # type: ignore[misc]
        )


def _on_tensor(name: str, axes: Sequence[str]) -> Iterator[Part]:
    """What can happen to an input or an output alike."""
    yield f"{name} is negated", lambda x, _: -x, 2
    yield f"{name} is taken without its sign", lambda x, _: x.abs(), 3
    for at, axis in enumerate(axes):
        letters = axis.split()
        along = _along(axis)
        yield f"{name} runs backwards {along}", lambda x, _, at=at: x.flip(at), 2
        yield (
            f"{name} comes one step late {along}",
            lambda x, _, at=at: _shifted(x, at, 1),
            2,
        )
        yield (
            f"{name} comes one step early {along}",
            lambda x, _, at=at: _shifted(x, at, -1),
            2,
        )
        yield (
            f"the last of {name} {along} is left out",
            lambda x, _, at=at: _emptied(x, at, -1),
            2,
        )
        yield (
            f"the first of {name} {along} is left out",
            lambda x, _, at=at: _emptied(x, at, 0),
            2,
        )
        yield (
            f"only the first of {name} {along} is used, for all",
            lambda x, _, at=at: x.narrow(at, 0, 1).expand_as(x),
            2,
        )
        yield (
            f"only the last of {name} {along} is used, for all",
            lambda x, _, at=at: x.narrow(at, x.shape[at] - 1, 1).expand_as(x),
            2,
        )
        yield (
            f"{name} is averaged {along}",
            lambda x, _, at=at: x.mean(at, keepdim=True).expand_as(x),
            2,
        )
        yield (
            f"{name} goes through a softmax {along}",
            lambda x, _, at=at: x.softmax(at),
            3,
        )
        for letter in letters if len(letters) > 1 else ():
            yield (
                f"{name} runs backwards along {letter}",
                lambda x, n, at=at, letters=letters, letter=letter: (
                    x.unflatten(at, [n[a] for a in letters])
                    .flip(at + letters.index(letter))
                    .reshape(x.shape)
                ),
                2,
            )
    for i, j in itertools.combinations(range(len(axes)), 2):
        both = f"{axes[i]} and {axes[j]}"
        yield (
            f"{name} is transposed: its axes {both} are exchanged",
            lambda x, _, i=i, j=j: x.transpose(i, j),
            1,
        )
        yield (
            f"{name} is reshaped where its axes {both} are to be exchanged, or are not",
            lambda x, _, i=i, j=j: x.transpose(i, j).reshape(x.shape),
            2,
        )
        yield (
            f"{name} is transposed ({both}), and then reshaped back",
            lambda x, _, i=i, j=j: x.reshape(x.transpose(i, j).shape).transpose(i, j),
            3,
        )


def _entering(name: str, axes: Sequence[str]) -> Iterator[Part]:
    yield f"{name} has no effect, as if it were 0", lambda x, _: torch.zeros_like(x), 1
    yield f"{name} has no effect, as if it were 1", lambda x, _: torch.ones_like(x), 1
    yield f"{name} counts twice", lambda x, _: 2 * x, 2
    if len(axes) > 1:
        yield (
            f"{name} is averaged over everything",
            lambda x, _: x.mean().expand_as(x),
            2,
        )
    yield f"{name} is 1 minus itself", lambda x, _: 1 - x, 3
    yield f"1 is added to {name}", lambda x, _: x + 1, 3
    yield f"{name} is squared", lambda x, _: x * x, 3
    for function in ("sigmoid", "tanh", "relu", "exp"):
        yield (
            f"{name} goes through {_article(function)} first",
            lambda x, _, function=function: getattr(x, function)(),
            3,
        )
    yield f"{name} is 1 divided by itself", lambda x, _: 1 / x, 3
    for at, axis in enumerate(axes):
        yield (
            f"{name} is divided by its length {_along(axis)}",
            lambda x, _, at=at: x / x.square().sum(at, keepdim=True).sqrt(),
            3,
        )
    for by in dict.fromkeys(letter for axis in axes for letter in axis.split()):
        yield f"{name} is divided by {by}", lambda x, n, by=by: x / n[by], 2


def _often(name: str, others: list[str]) -> Iterator[Part]:
    """An input that counts more than once, as what is inside of a sum does."""
    for letter in others:
        told = f"{name} counts {letter} times"
        yield told, lambda x, n, letter=letter: x * n[letter], 2
    for one, two in itertools.combinations(others, 2):
        told = f"{name} counts {one} · {two} times"
        yield told, lambda x, n, one=one, two=two: x * (n[one] * n[two]), 2


def _leaving(name: str, axes: Sequence[str], letters: list[str]) -> Iterator[Part]:
    """What can happen to an output alone."""
    for at, axis in enumerate(axes):
        yield from _shorter(name, axis, at)
    yield from _merging(name, axes)
    yield from _bent(name)
    yield from _scaled(name, letters)


def _shorter(name: str, axis: str, at: int) -> Iterator[Part]:
    if not axis:
        yield (
            f"{name} has lost an axis of length 1",
            lambda y, _: y.squeeze(at),
            1,
        )
        return
    yield f"{name} is summed {_along(axis)}", lambda y, _: y.sum(at), 1
    yield (
        f"{name} is summed {_along(axis)}, and keeps that axis, of length 1",
        lambda y, _: y.sum(at, keepdim=True),
        1,
    )
    yield f"{name} is averaged {_along(axis)}", lambda y, _: y.mean(at), 1
    yield (
        f"{name} is averaged {_along(axis)}, and keeps that axis, of length 1",
        lambda y, _: y.mean(at, keepdim=True),
        1,
    )
    yield (
        f"{name} is divided by its sum {_along(axis)}",
        lambda y, _: y / y.sum(at, keepdim=True),
        3,
    )
    yield (
        f"only the first {_along(axis)} is returned",
        lambda y, _: y.select(at, 0),
        1,
    )
    yield (
        f"only the last {_along(axis)} is returned",
        lambda y, _: y.select(at, -1),
        1,
    )
    yield (
        f"{name} lacks its last {_along(axis)}",
        lambda y, _: y.narrow(at, 0, y.shape[at] - 1),
        1,
    )
    yield (
        f"{name} lacks its first {_along(axis)}",
        lambda y, _: y.narrow(at, 1, y.shape[at] - 1),
        1,
    )


def _merging(name: str, axes: Sequence[str]) -> Iterator[Part]:
    yield f"{name} is summed over everything", lambda y, _: y.sum(), 1
    yield f"{name} is averaged over everything", lambda y, _: y.mean(), 1
    yield f"{name} has lost its axes of length 1 (squeeze)", lambda y, _: y.squeeze(), 2
    yield f"{name} has an axis of length 1 too many, in front", lambda y, _: y[None], 1
    yield (
        f"{name} has an axis of length 1 too many, at the end",
        lambda y, _: y[..., None],
        1,
    )
    if len(axes) > 1:
        yield f"{name} is flattened", lambda y, _: y.flatten(), 1
        for at in range(len(axes) - 1):
            both = f"{axes[at]} and {axes[at + 1]}"
            yield (
                f"the axes {both} of {name} are merged",
                lambda y, _, at=at: y.flatten(at, at + 1),
                1,
            )
    for order in itertools.permutations(range(len(axes))):
        if 2 < len(order) <= 5 and sum(n != at for at, n in enumerate(order)) > 2:
            come = ", ".join(axes[n] or "1" for n in order)
            yield (
                f"the axes of {name} come as ({come})",
                lambda y, _, order=order: y.permute(order),
                1,
            )
    for at, axis in enumerate(axes):
        split = axis.split()
        if len(split) > 1:
            yield (
                f"{axis.replace(' ', ' and ')} are axes of their own; merge them",
                lambda y, n, at=at, split=split: y.unflatten(at, [n[a] for a in split]),
                1,
            )


def _bent(name: str) -> Iterator[Part]:
    yield f"{name} is squared", lambda y, _: y * y, 3
    yield f"the root of {name} is taken", lambda y, _: y.sqrt(), 3
    yield f"{name} is 1 minus what it should be", lambda y, _: 1 - y, 3
    yield f"{name} is 1 divided by what it should be", lambda y, _: 1 / y, 3
    for function in ("sigmoid", "tanh", "relu", "exp", "log"):
        yield (
            f"{name} goes through {_article(function)} in the end",
            lambda y, _, function=function: getattr(y, function)(),
            3,
        )


def _scaled(name: str, letters: list[str]) -> Iterator[Part]:
    for letter in letters:
        root = f"the root of {letter}"
        for told, power in ((letter, 1), (root, 0.5)):
            yield (
                f"{name} is divided by {told}",
                lambda y, n, letter=letter, power=power: y / n[letter] ** power,
                1,
            )
            yield (
                f"{name} is multiplied by {told}",
                lambda y, n, letter=letter, power=power: y * n[letter] ** power,
                1,
            )
    for one, two in itertools.combinations(letters, 2):
        yield (
            f"{name} is divided by {one} · {two}",
            lambda y, n, one=one, two=two: y / (n[one] * n[two]),
            2,
        )
        yield (
            f"{name} is multiplied by {one} · {two}",
            lambda y, n, one=one, two=two: y * (n[one] * n[two]),
            2,
        )


def _read(name: str, axes: Sequence[str]) -> Iterator[Part]:
    """An input whose merged axis is read as if its letters came in another order."""
    for at, merged, order in _orders(axes):
        told = f"in {name} the order is ({order}), not ({merged})"
        yield told, _merged(at, order.split(), merged.split()), 1


def _written(name: str, axes: Sequence[str]) -> Iterator[Part]:
    """An output whose merged axis is written with its letters in another order."""
    for at, merged, order in _orders(axes):
        told = f"in {name} the order is ({order}), not ({merged})"
        yield told, _merged(at, merged.split(), order.split()), 1


def _orders(axes: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    for at, axis in enumerate(axes):
        for order in itertools.permutations(axis.split()):
            if " ".join(order) != axis:
                yield at, axis, " ".join(order)


def _merged(at: int, one: Sequence[str], two: Sequence[str]) -> Any:
    """An axis of letters in one order, which are put into another."""

    def other(x: Tensor, sizes: Sizes) -> Tensor:
        shape = [sizes[letter] for letter in one]
        apart = x.reshape(*x.shape[:at], *shape, *x.shape[at + 1 :])
        moved = [at + one.index(letter) for letter in two]
        axes = [*range(at), *moved, *range(at + len(one), apart.dim())]
        return apart.permute(axes).reshape(x.shape)

    return other


def _along(axis: str) -> str:
    return f"along {axis.replace(' ', '·')}" if axis else "along the axis of length 1"


def _letters(axes: Axes) -> Iterator[str]:
    return (n for term in axes.values() for n in _flat(term))


def _flat(axes: Sequence[str]) -> list[str]:
    return [letter for axis in axes for letter in axis.split()]


def _article(function: str) -> str:
    return {"relu": "a ReLU", "exp": "exp", "log": "log"}.get(function, f"a {function}")


def _shifted(x: Tensor, axis: int, by: int) -> Tensor:
    """Moved along an axis, with zeros where nothing comes from."""
    return _emptied(x.roll(by, axis), axis, 0 if by > 0 else -1)


def _emptied(x: Tensor, axis: int, at: int) -> Tensor:
    """With zeros in one place of an axis."""
    cells = torch.ones(x.shape[axis], dtype=x.dtype)
    cells[at] = 0
    return x * cells.reshape([-1 if n == axis else 1 for n in range(x.dim())])
