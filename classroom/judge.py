"""What an exercise is, and how an answer to it is judged."""

import functools
import inspect
import itertools
import linecache
import math
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from layerlib.lab import moves, same
from layerlib.recipe import Line, Rearrange, split_axes

UNFILLED = (
    "not filled in yet.\n"
    "Put your answer in place of `...`, run that\n"
    "cell, and then this one."
)
SMALL = 8  # the sizes of a small case multiply up to at most this


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and why not. In a condition, a right one is true."""

    exercise: str
    right: bool
    said: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"{self.exercise}: {self.said}"


@dataclass(frozen=True)
class Question:
    """An exercise whose answer is a value: a shape, a number, a set of letters.

    Attributes:
        reference: the right answer.
        mistakes: a sentence for each known mistake, with the answer that it leads to.
    """

    reference: Any
    mistakes: Mapping[str, Any]

    def judge(self, answer: Any) -> tuple[bool, str]:
        """Whether the answer is right, and what is to be said to it."""
        if answer is None or answer is ...:
            return False, UNFILLED
        given = self._plain(answer)
        if given == self.reference:
            return True, "right."
        for sentence, wrong in self.mistakes.items():
            if given == wrong:
                return False, f"not yet. {sentence}"
        kind = type(self.reference).__name__
        if type(given).__name__ != kind:
            kind = {"frozenset": "set of letters", "int": "whole number"}.get(
                kind, kind
            )
            return False, f"not yet. Expected a {kind}, got {answer!r}."
        return False, f"not yet. It is not {answer!r}."

    def _plain(self, answer: Any) -> Any:
        """The answer in the type of the reference: a list will do for a tuple."""
        kind = type(self.reference)
        if isinstance(answer, Tensor):
            answer = answer.tolist()
        if kind is frozenset and isinstance(answer, str):
            answer = re.findall(r"\w+", answer)
        many = isinstance(answer, (list, tuple, set, frozenset))
        return kind(answer) if many and kind in (frozenset, tuple) else answer


@dataclass(frozen=True)
class Task:
    """An exercise whose answer is a function, or a line of letters.

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
    """

    contract: str
    reference: Callable[..., Any]
    mistakes: Mapping[str, Callable[..., Any] | str]
    without: Sequence[str] = ()
    numbers: Sequence[str] = ()
    given: Callable[..., Any] | None = None
    empty: bool = True

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

    def draw(self, sizes: Mapping[str, int]) -> dict[str, Tensor]:
        """The inputs of one case, in memory of their own and the same at each call."""
        dice, count = torch.Generator().manual_seed(0), 1.0
        small = 0 < math.prod(sizes.values()) <= SMALL
        drawn: dict[str, Tensor] = {}
        for name, axes in self.inputs.items():
            shape = _shape(axes, sizes)
            numbers = torch.arange(count, count + math.prod(shape)).reshape(shape)
            drawn[name] = numbers if small else torch.randn(shape, generator=dice)
            count += math.prod(shape)
        return drawn

    def function(self, answer: Any) -> Callable[..., Any]:
        """The answer as something to call: a line of letters becomes one.

        Raises:
            TypeError: it cannot be called.
            ValueError: it is a malformed line.
        """
        if isinstance(self.reference, Line) and isinstance(answer, str):
            answer = type(self.reference)(answer)
        if isinstance(answer, Rearrange):
            return lambda x, *n: answer(x, **dict(zip(self.numbers, n, strict=True)))
        if callable(answer):
            found: Callable[..., Any] = answer
            return found
        line = " or a line of letters" if isinstance(self.reference, Line) else ""
        raise TypeError(
            f"Expected a function{line}, got {_told(answer)}.\n"
            "Hand in the function itself, without calling it."
        )

    def attempt(self, answer: Any, sizes: Mapping[str, int]) -> "Attempt":
        """What an answer makes of one case, whatever it does."""
        tensors, fresh = self.draw(sizes), self.draw(sizes)
        returned: Any = None
        error: Exception | None = None
        try:
            returned = self.function(answer)(*self._arguments(tensors, sizes))
        except Exception as raised:  # noqa: BLE001  (whatever a student's code raises)
            error = raised
        several = len(self.outputs) > 1 and isinstance(returned, (tuple, list))
        return Attempt(
            sizes,
            tuple(returned) if several else (returned,),
            error,
            [name for name, x in tensors.items() if not torch.equal(x, fresh[name])],
        )

    def judge(self, answer: Any) -> tuple[bool, str]:
        """Whether the answer is right, and what is to be said to it."""
        if answer is None or answer is ...:
            return False, UNFILLED
        try:
            self.function(answer)
        except (TypeError, ValueError) as error:
            return False, f"not yet. {error}"
        attempts = [self.attempt(answer, sizes) for sizes in self.cases]
        if all(attempt.is_unfilled for attempt in attempts):
            return False, UNFILLED
        if all(attempt.values == (None,) and not attempt.error for attempt in attempts):
            return (
                False,
                "not yet. It returns nothing: is it filled in, with a `return`?",
            )
        problem = self._problem(answer, attempts)
        if problem:
            return False, f"not yet. {self._mistake(attempts)}{problem}"
        gradients = "" if self.given else ", and so do the gradients"
        return True, f"right.\nAll {len(attempts)} cases agree{gradients}."

    def _problem(self, answer: Any, attempts: Sequence["Attempt"]) -> str:
        """What is wrong first, in words; or nothing."""
        called = self._called(answer)
        for name in self.without:
            if name in called:
                return (
                    f"It calls {name}, which this exercise does without.\n"
                    "Write it with the moves: rearrange, multiply, sum."
                )
        right = [self.attempt(self.reference, sizes).values for sizes in self.cases]
        pairs = list(zip(attempts, right, strict=True))
        # A shape says most where all sizes differ, and that case is the last one.
        structure = (self._structure(answer, *pair) for pair in reversed(pairs))
        values = (self._values(*pair) for pair in pairs)
        found = next(filter(None, itertools.chain(structure, values)), "")
        return found or self._gradients(answer)

    def _structure(
        self, answer: Any, attempt: "Attempt", right: tuple[Tensor, ...]
    ) -> str:
        """What can be said without a look at the values."""
        shapes = (f"{n} {_shape(a, attempt.sizes)}" for n, a in self.inputs.items())
        where = f"For {', '.join(shapes)}, "
        if attempt.error:
            return f"{where}it raises an error.\n{_raised(answer, attempt.error)}"
        if attempt.changed:
            return f"It changes {attempt.changed[0]} in place; make a new tensor."
        if len(attempt.values) != len(right):
            return f"Expected {len(right)} outputs: {', '.join(self.outputs)}."
        pairs = zip(self.outputs.items(), attempt.values, right, strict=True)
        told = (_unlike(*output, where, *pair) for output, *pair in pairs)
        return next(filter(None, told), "")

    def _values(self, attempt: "Attempt", right: tuple[Tensor, ...]) -> str:
        for name, value, true in zip(self.outputs, attempt.values, right, strict=True):
            if not _close(value, true):
                which = f" {name}" if len(right) > 1 else ""
                table: dict[str, Any] = {
                    **self.draw(attempt.sizes),
                    **{letter: attempt.sizes[letter] for letter in self.numbers},
                    f"expected{which}": true,
                    f"got{which}": value.detach(),
                }
                wide = max(map(len, table)) + 2
                rows = (f"{key:<{wide}}{table[key]}" for key in table)
                below = "\n" + " " * wide
                return "\n".join(
                    ["The smallest counterexample:"]
                    + [row.replace("\n", below) for row in rows]
                )
        return ""

    def _gradients(self, answer: Any) -> str:
        arguments = self._arguments(self.draw(self.cases[-1]), self.cases[-1])
        try:
            same(self.function(answer), self.function(self.reference), *arguments)
        except AssertionError as error:
            which = re.match(r"gradient of input (\d+)", str(error))
            of = f" of {list(self.inputs)[int(which[1])]}" if which else ""
            return (
                f"The values are right, and the gradient{of} is lost or wrong.\n"
                "Stay with operations on tensors: no detach, no item, no numpy."
            )
        except Exception as error:  # noqa: BLE001  (whatever a student's code raises)
            return f"The values are right.\n{_raised(answer, error)}"
        return ""

    def _called(self, answer: Any) -> set[str]:
        """The names of what ran, torch's public ones and those of the operations."""
        watch, sizes = _Watch(), self.cases[-1]
        with suppress(Exception), watch:
            arguments = self._arguments(self.draw(sizes), sizes)
            watch.names.update(moves(self.function(answer), *arguments))
        return {name.strip("_") for name in watch.names}

    def _mistake(self, attempts: Sequence["Attempt"]) -> str:
        """The sentence of the mistake that does the same in each case."""
        for sentence, wrong in self.mistakes.items():
            if all(a.is_like(self.attempt(wrong, a.sizes)) for a in attempts):
                return f"{sentence}\n"
        return ""

    def _arguments(
        self, tensors: Mapping[str, Tensor], sizes: Mapping[str, int]
    ) -> list[Any]:
        given = [*tensors.values()]
        if self.given:
            given = [self.given(*given)]
        return [*given, *(sizes[letter] for letter in self.numbers)]


Exercise = Question | Task


@dataclass(frozen=True)
class Attempt:
    """One call: what it returned or raised, and the names of inputs it changed."""

    sizes: Mapping[str, int]
    values: tuple[Any, ...]
    error: Exception | None
    changed: Sequence[str]

    @property
    def is_unfilled(self) -> bool:
        """Whether the function has nothing in it yet."""
        if self.error:
            return isinstance(self.error, NotImplementedError)
        return self.values[0] is ... or self.values[0] is NotImplemented

    def is_like(self, other: "Attempt") -> bool:
        """Whether both raised something, or both returned the same."""
        if self.error or other.error:
            return bool(self.error and other.error)
        return len(self.values) == len(other.values) and all(
            map(_close, self.values, other.values)
        )


class _Watch(TorchFunctionMode):
    """Notes which functions of torch are called, by their public names.

    Those of layerlib call it too, in order to be seen: they are not torch's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if not (getattr(func, "__module__", None) or "").startswith("layerlib."):
            self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))


def _terms(side: str) -> dict[str, list[str]]:
    """``x: b i, weight: o (h w)`` as ``{"x": ["b", "i"], "weight": ["o", "h w"]}``."""
    named = (term.rpartition(":") for term in side.split(","))
    return {name.strip() or "output": split_axes(term) for name, _, term in named}


def _shape(axes: Sequence[str], sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(math.prod(sizes[letter] for letter in axis.split()) for axis in axes)


def _unlike(
    name: str, axes: Sequence[str], where: str, value: Any, right: Tensor
) -> str:
    """How an output differs from the right one in type, shape or dtype; or nothing."""
    if not isinstance(value, Tensor):
        return f"{where}expected a tensor as {name}, got {_told(value)}."
    if value.shape != right.shape:
        letters = ", ".join(axis.replace(" ", "·") for axis in axes)
        return (
            f"{where}the shape of the {name} is wrong:\n"
            f"expected ({letters}) = {tuple(right.shape)}, got {tuple(value.shape)}."
        )
    if value.dtype != right.dtype:
        return (
            f"{where}the dtype of the {name} is wrong:\n"
            f"expected {right.dtype}, got {value.dtype}."
        )
    return ""


def _close(x: Any, y: Any) -> bool:
    if not (isinstance(x, Tensor) and isinstance(y, Tensor) and x.shape == y.shape):
        return False
    x, y = (value.detach().to(torch.complex128) for value in (x, y))
    return torch.allclose(x, y, rtol=1e-4, atol=1e-5, equal_nan=True)


def _told(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__


def _raised(answer: Any, error: Exception) -> str:
    """What was raised, and the line of the student's own code that it came from."""
    own = getattr(inspect.unwrap(answer), "__globals__", None)
    told = f"{type(error).__name__}: {error}".strip()
    # The cells of a notebook share their globals; no library has the same ones.
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals is own:
            line = linecache.getline(frame.f_code.co_filename, number).strip()
            return f"Line {number} of your code{line and f', `{line}`'}:\n{told}"
    return told
