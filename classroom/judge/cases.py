"""What an answer is called with: inputs drawn from a contract, case by case."""

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from classroom.judge import notation
from classroom.judge.attempt import WHATEVER, Attempt, Bounds
from classroom.judge.causes import Change, Tensors, changes, exchanged, products
from classroom.judge.exchanges import pairs, variations
from layerlib.lab import moves
from layerlib.recipe import Line, Rearrange, split_axes

SMALL = 8  # the sizes of a small case multiply up to at most this


@dataclass(frozen=True)
class Cases:
    """A function or a line of letters that is asked for, and the cases that tell it.

    The inputs are drawn from the contract: first whole numbers in all small sizes, so
    that the first case that fails is a smallest one; then random numbers in sizes that
    tell the axes apart, with a batch of one and an empty one.

    Attributes:
        contract: names and shapes, ``x: b i, weight: o i -> b o``. Where there are
            several outputs, they have names too.
        reference: a function or a line that is right.
        mistakes: a sentence for each known mistake, with an answer that makes it.
        without: torch's functions that the answer does without: the layer that is to
            be derived. Their public names, or those that `moves` lists.
        numbers: letters whose sizes the answer is given, after the tensors.
        given: makes the one argument out of the tensors, where they do not go by
            themselves.
        empty: whether an empty batch is tried; einops cannot split one axis into an
            empty one and another.
        once: operations that the answer is to call once.
        masks: inputs of which every other number is 0.
        faint: inputs so small that a number as small as ``1e-6`` beside them counts.
    """

    contract: str
    reference: Callable[..., Any]
    mistakes: Mapping[str, Callable[..., Any] | str]
    without: Sequence[str] = ()
    numbers: Sequence[str] = ()
    given: Callable[..., Any] | None = None
    empty: bool = True
    once: Sequence[str] = ()
    masks: Sequence[str] = ()
    faint: Sequence[str] = ()

    @functools.cached_property
    def inputs(self) -> dict[str, list[str]]:
        """The axes of each input, by its name."""
        return _terms(self.contract.split("->")[0])

    @functools.cached_property
    def outputs(self) -> dict[str, list[str]]:
        """The axes of each output, by its name."""
        return _terms(self.contract.split("->")[1])

    @functools.cached_property
    def cases(self) -> list[dict[str, int]]:
        """The sizes of the letters, case by case. In the last one all differ."""
        axes = " ".join(axis for term in self.inputs.values() for axis in term)
        letters = list(dict.fromkeys(axes.split()))
        small = itertools.product((1, 2, 3), repeat=len(letters))
        cases = sorted((n for n in small if math.prod(n) <= SMALL), key=math.prod)
        apart = tuple(range(2, 2 + len(letters)))
        if "b" in letters:
            at = letters.index("b")
            cases += [
                (*apart[:at], size, *apart[at + 1 :])
                for size in (1, 0)[: 1 + self.empty]
            ]
        cases += [apart[::-1], apart]
        return [dict(zip(letters, case, strict=True)) for case in cases]

    def draw(self, sizes: Mapping[str, int]) -> Tensors:
        """The inputs of one case, in memory of their own and the same at each call.

        Those of a small case are quarters that count up, every third one negative:
        large numbers would hide in a tanh or a softmax what is wrong before it.
        """
        key = tuple(sizes.values())
        if key not in self._drawn:
            self._drawn[key] = self._draw(sizes)
        return {name: x.clone() for name, x in self._drawn[key].items()}

    @functools.cached_property
    def _drawn(self) -> dict[tuple[int, ...], Tensors]:
        return {}

    def _draw(self, sizes: Mapping[str, int]) -> Tensors:
        dice, count = torch.Generator().manual_seed(0), 1
        small = 0 < math.prod(sizes.values()) <= SMALL
        drawn: Tensors = {}
        for name, axes in self.inputs.items():
            length = math.prod(shape(axes, sizes))
            numbers = torch.arange(count, count + length)
            numbers = torch.where(numbers % 3 == 2, -numbers, numbers) / 4
            numbers = numbers if small else torch.randn(length, generator=dice)
            if name in self.masks:
                numbers[1::2] = 0
            if name in self.faint:
                numbers = numbers / 1024
            drawn[name] = numbers.reshape(shape(axes, sizes))
            count += length
        return drawn

    def function(self, answer: Any) -> Callable[..., Any]:
        """The answer as something to call: a line of letters becomes one.

        Raises:
            TypeError: it cannot be called.
            ValueError: it is a malformed line.
        """
        if isinstance(self.reference, Line) and isinstance(answer, str):
            told = notation.written(answer, self.inputs)
            if told:
                raise ValueError(told)
            answer = type(self.reference)(answer)
        if isinstance(answer, Rearrange):
            return lambda x, *n: answer(x, **dict(zip(self.numbers, n, strict=True)))
        if callable(answer):
            found: Callable[..., Any] = answer
            return found
        line = " or a line of letters" if isinstance(self.reference, Line) else ""
        raise TypeError(
            f"Expected a function{line}, got {kind_of(answer)}.\n"
            "Hand in the function itself, without calling it."
        )

    def attempt(
        self,
        answer: Any,
        sizes: Mapping[str, int],
        bounds: Bounds | None = None,
        change: Change | None = None,
    ) -> Attempt:
        """What an answer makes of one case, whatever it does.

        Args:
            answer: a function or a line.
            sizes: those of the letters.
            bounds: what watches the call.
            change: what is done to its inputs or outputs.
        """
        tensors = self.draw(sizes)

        def call(tensors: Tensors, sizes: Mapping[str, int]) -> tuple[Any, ...]:
            returned = self.function(answer)(*self.arguments(tensors, sizes))
            several = len(self.outputs) > 1 and isinstance(returned, (tuple, list))
            return tuple(returned) if several else (returned,)

        try:
            with bounds.call() if bounds else nullcontext():
                values = (
                    change(call, tensors, sizes) if change else call(tensors, sizes)
                )
        except WHATEVER as error:
            return Attempt(sizes, (None,), error)
        fresh = self._drawn[tuple(sizes.values())]
        changed = [n for n, x in tensors.items() if not torch.equal(x, fresh[n])]
        return Attempt(sizes, values, changed=changed)

    @functools.cached_property
    def right(self) -> list[Attempt]:
        """What the reference makes of each case."""
        return [self.attempt(self.reference, sizes) for sizes in self.cases]

    def right_in(self, sizes: Mapping[str, int]) -> Attempt:
        """What the reference makes of one case."""
        return self.right[self.cases.index(dict(sizes))]

    @functools.cached_property
    def kernels(self) -> set[str]:
        """The operations that the reference runs, in one case or another."""
        return {
            kernel
            for n in self.cases
            for kernel in moves(
                self.function(self.reference), *self.arguments(self.draw(n), n)
            )
        }

    @functools.cached_property
    def changes(self) -> list[Change]:
        """All that can be changed by the contract alone."""

        def fits(change: Change) -> bool:
            *_, last = self.right
            return last.is_like(self._changed(change, last.sizes))

        return [
            *changes(self.inputs, self.outputs, self.numbers),
            *exchanged(self.reference, self.inputs, self.numbers),
            *products(self.inputs, self.outputs, fits),
            *variations(self._changed, *self.cases[-1:-3:-1]),
        ]

    @functools.cached_property
    def pairs(self) -> list[Change]:
        """Two steps of what is right that can be exchanged at once."""
        return [*pairs(self._changed, *self.cases[-1:-3:-1])]

    def _changed(self, change: Change, sizes: Mapping[str, int]) -> Attempt:
        return self.attempt(self.reference, sizes, change=change)

    @functools.cached_property
    def _seen(self) -> dict[tuple[str, tuple[int, ...]], Attempt]:
        return {}

    def mistaken(self, sentence: str, sizes: Mapping[str, int]) -> Attempt:
        """What a known mistake makes of a case."""
        key = (sentence, tuple(sizes.values()))
        if key not in self._seen:
            self._seen[key] = self.attempt(self.mistakes[sentence], sizes)
        return self._seen[key]

    def arguments(
        self, tensors: Mapping[str, Tensor], sizes: Mapping[str, int]
    ) -> list[Any]:
        """What the answer is called with."""
        given = [*tensors.values()]
        if self.given:
            given = [self.given(*given)]
        return [*given, *(sizes[letter] for letter in self.numbers)]


def _terms(side: str) -> dict[str, list[str]]:
    """``x: b i, weight: o (h w)`` as ``{"x": ["b", "i"], "weight": ["o", "h w"]}``."""
    named = (term.rpartition(":") for term in side.split(","))
    return {name.strip() or "output": split_axes(term) for name, _, term in named}


def shape(axes: Sequence[str], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a tensor with these axes."""
    return tuple(math.prod(sizes[letter] for letter in axis.split()) for axis in axes)


def kind_of(value: Any) -> str:
    """What a value is, where something else was expected."""
    return "nothing" if value is None else type(value).__name__
