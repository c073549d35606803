"""What an exercise is, and whether an answer to it is right."""

import functools
import inspect
import itertools
import linecache
import math
import re
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from classroom.inside.names import Names
from classroom.judge import attempt, notation, signs
from classroom.judge.attempt import Attempt, Bounds, Overtime, close, readable
from classroom.judge.causes import Change, Tensors, changes, exchanged, products
from classroom.judge.steps import variations
from classroom.judge.verdict import UNFILLED, Counterexample, Judgement, Shown
from layerlib.lab import moves, same
from layerlib.recipe import Line, Rearrange, split_axes

WHATEVER = (Exception, SystemExit, Overtime)  # that an answer may raise
TWO = "It looks like two things at once."
FAR = 3  # the weight of a change that is not sought beside a known mistake
SMALL = 8  # the sizes of a small case multiply up to at most this


@dataclass(frozen=True)
class Question:
    """An exercise whose answer is a value: a shape, a number, a set of letters.

    Attributes:
        reference: the right answer.
        mistakes: a sentence for each known mistake, with the answer that it leads to.
    """

    reference: Any
    mistakes: Mapping[str, Any]

    def judge(self, answer: Any) -> Judgement:
        """Whether the answer is right, and what is to be said to it."""
        if answer is None or answer is ...:
            return Judgement(right=False, said=UNFILLED)
        given = self._plain(answer)
        if given == self.reference:
            return Judgement(right=True, said="right.")
        return _not_yet(self._wrong(answer, given))

    def _wrong(self, answer: Any, given: Any) -> str:
        """What is to be said to a wrong value, in as many sentences as fit."""
        known = [told for told, wrong in self.mistakes.items() if given == wrong]
        if known:
            return "\n".join(known)
        kind = type(self.reference).__name__
        if type(given).__name__ != kind:
            kind = {"frozenset": "set of letters", "int": "whole number"}.get(
                kind, kind
            )
            return f"Expected a {kind}, got {answer!r}."
        return f"It is not {answer!r}.{self._near(given)}"

    def _near(self, given: Any) -> str:
        """How a wrong value stands to the right one, without telling that one."""
        told = ""
        if isinstance(given, frozenset):
            glued = [word for word in given if len(word) > 1 and set(word) <= {*"bijo"}]
            if glued:
                told = f"Put spaces between letters: {glued[0]!r} is one letter here."
            elif given < self.reference:
                told = "What is there is right, and something is missing."
            elif given > self.reference:
                told = "All of the right ones are there, and something that is not."
        elif isinstance(given, tuple) and len(given) != len(self.reference):
            told = f"Expected {len(self.reference)} numbers, got {len(given)}."
        elif isinstance(given, tuple):
            if sorted(given) == sorted(self.reference):
                told = "The numbers are the right ones, in another order."
            else:
                pairs = zip(given, self.reference, strict=True)
                wrong = [n for n, (own, right) in enumerate(pairs, 1) if own != right]
                if 0 < len(wrong) < len(given):
                    which = " and ".join(map(str, wrong[:3]))
                    verb = "is" if len(wrong) == 1 else "are"
                    told = f"Of its numbers, counted from 1, {which} {verb} wrong."
                    told = told if len(wrong) <= 3 else ""
        elif isinstance(given, (int, float)):
            told = _times(given, self.reference)
        return told and f"\n{told}"

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
        once: operations that the answer is to call once.
        masks: inputs of which every other number is 0.
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
            shape = _shape(axes, sizes)
            length = math.prod(shape)
            numbers = torch.arange(count, count + length)
            numbers = torch.where(numbers % 3 == 2, -numbers, numbers) / 4
            numbers = numbers if small else torch.randn(length, generator=dice)
            if name in self.masks:
                numbers[1::2] = 0
            drawn[name] = numbers.reshape(shape)
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
            f"Expected a function{line}, got {_told(answer)}.\n"
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
            returned = self.function(answer)(*self._arguments(tensors, sizes))
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

    def _right(self, sizes: Mapping[str, int]) -> Attempt:
        return self.right[self.cases.index(dict(sizes))]

    @functools.cached_property
    def changes(self) -> list[Change]:
        """All that can be changed by the contract alone."""

        def fits(change: Change) -> bool:
            *_, last = self.right
            return last.is_like(self.attempt(self.reference, last.sizes, change=change))

        return [
            *changes(self.inputs, self.outputs, self.numbers),
            *exchanged(self.reference, self.inputs, self.numbers),
            *products(self.inputs, self.outputs, fits),
            *variations(
                lambda change, sizes: self.attempt(
                    self.reference, sizes, change=change
                ),
                self.cases[-1],
                self.cases[-2],
            ),
        ]

    def judge(self, answer: Any) -> Judgement:
        """Whether the answer is right, and what is to be said to it."""
        if answer is None or answer is ...:
            return Judgement(right=False, said=UNFILLED)
        try:
            self.function(answer)
        except (TypeError, ValueError) as error:
            return _not_yet(str(error))
        with Bounds() as bounds:
            judged = self._judge(answer, bounds)
        if judged.right and bounds.changes:
            told = "\n".join(["The values are right.", *bounds.changes])
            return _not_yet(told)
        if judged.right or judged.said == UNFILLED:
            return judged
        above = "".join(f"{told}\n" for told in bounds.changes)
        below = bounds.warned and f"\nIt warns: {bounds.warned}"
        said = judged.said.removeprefix("not yet. ")
        return Judgement(
            right=False,
            said=f"not yet. {above}{said}{below}",
            sentences=f"{above}{judged.sentences}{below}",
            shown=judged.shown,
        )

    def _judge(self, answer: Any, bounds: Bounds) -> Judgement:
        attempts: list[Attempt] = []
        for sizes in self.cases:
            attempts.append(self.attempt(answer, sizes, bounds))
            if isinstance(attempts[-1].error, Overtime):
                return _not_yet(
                    f"Case {tuple(sizes.values())} of ({', '.join(sizes)}) has run for "
                    f"{attempt.LIMIT:g} s, and was stopped.\nDoes each loop end?"
                )
        if all(attempt.is_unfilled for attempt in attempts):
            return Judgement(right=False, said=UNFILLED)
        if all(attempt.values == (None,) and not attempt.error for attempt in attempts):
            return _not_yet("It returns nothing: is it filled in, with a `return`?")
        refused = self._refused(answer, bounds)
        if refused:
            some = [mine for mine in attempts if not mine.is_empty]
            return _not_yet("\n".join([*self._known(some), refused]))
        problem, shown = self._problem(answer, attempts, bounds)
        if not problem and not shown:
            gradients = "" if self.given else ", and so do the gradients"
            said = f"right.\nAll {len(attempts)} cases agree{gradients}."
            return Judgement(right=True, said=said)
        why = self._why(answer, attempts, bounds)
        sentences = "\n".join(filter(None, [*why, problem]))
        said = "\n".join(str(part) for part in (sentences, shown) if part)
        return Judgement(
            right=False, said=f"not yet. {said}", sentences=sentences, shown=shown
        )

    def _problem(
        self, answer: Any, attempts: Sequence[Attempt], bounds: Bounds
    ) -> tuple[str, Counterexample | None]:
        """What is wrong first, in words or as a counterexample; or nothing."""
        pairs = [
            (mine, right.values)
            for mine, right in zip(attempts, self.right, strict=True)
        ]
        for empty in (False, True):
            some = [pair for pair in pairs if pair[0].is_empty == empty]
            # A shape says most where all sizes differ, and that case is the last one.
            for mine, right in reversed(some):
                told = self._structure(answer, mine, right)
                if told:
                    return _of_nothing(told, empty=empty), None
            for mine, right in some:
                shown = self._values(mine, right)
                if shown:
                    return _of_nothing("", empty=empty), shown
        return self._gradients(answer, bounds), None

    def _structure(
        self, answer: Any, attempt: Attempt, right: tuple[Tensor, ...]
    ) -> str:
        """What can be said without a look at the values."""
        shapes = (f"{n} {_shape(a, attempt.sizes)}" for n, a in self.inputs.items())
        where = f"For {', '.join(shapes)}, "
        if attempt.error:
            return f"{where}it raises an error.\n{_raised(answer, attempt.error, attempt.sizes)}"
        if attempt.changed:
            return f"It changes {attempt.changed[0]} in place; make a new tensor."
        if len(attempt.values) != len(right):
            return f"Expected {len(right)} outputs: {', '.join(self.outputs)}."
        pairs = zip(self.outputs.items(), attempt.values, right, strict=True)
        told = (_unlike(*output, where, *pair) for output, *pair in pairs)
        return next(filter(None, told), "")

    def _values(
        self, attempt: Attempt, right: tuple[Tensor, ...]
    ) -> Counterexample | None:
        for (name, axes), value, true in zip(
            self.outputs.items(), attempt.values, right, strict=True
        ):
            if not close(value, true):
                which = f" {name}" if len(right) > 1 else ""
                inputs = self.draw(attempt.sizes)
                return Counterexample(
                    [Shown(n, self.inputs[n], x) for n, x in inputs.items()]
                    + [Shown(n, [], attempt.sizes[n]) for n in self.numbers],
                    Shown(f"expected{which}", axes, true),
                    Shown(f"got{which}", axes, value.detach()),
                )
        return None

    def _gradients(self, answer: Any, bounds: Bounds) -> str:
        arguments = self._arguments(self.draw(self.cases[-1]), self.cases[-1])
        try:
            with bounds.call():
                same(self.function(answer), self.function(self.reference), *arguments)
        except AssertionError as error:
            if str(error).startswith("generator"):
                return ""  # that it draws is told by the bounds
            which = re.match(r"gradient of input (\d+)", str(error))
            of = f" of {list(self.inputs)[int(which[1])]}" if which else ""
            return (
                f"The values are right, and the gradient{of} is lost or wrong.\n"
                "Stay with operations on tensors: no detach, no item, no numpy."
            )
        except WHATEVER as error:
            return f"The values are right.\n{_raised(answer, error, self.cases[-1])}"
        return ""

    def _refused(self, answer: Any, bounds: Bounds) -> str:
        """What it calls and should not, or not as often as it should."""
        if not (self.without or self.once):
            return ""
        watch, sizes, ran = Names(), self.cases[-1], Counter[str]()
        arguments = self._arguments(self.draw(sizes), sizes)
        with suppress(*WHATEVER), bounds.call(), watch:
            ran.update(moves(self.function(answer), *arguments))
        names = {name.strip("_") for name in (*watch.called, *ran)}
        for name in self.without:
            if name.strip("_") in names:
                return (
                    f"It calls {name}, which this exercise does without.\n"
                    "Write it with the moves: rearrange, multiply, sum."
                )
        for name in self.once:
            if ran and ran[name] != 1:
                return f"It is to call {name} once, and calls it {ran[name]} times."
        return ""

    def _why(
        self, answer: Any, attempts: Sequence[Attempt], bounds: Bounds
    ) -> list[str]:
        """Sentences on what makes it wrong: the first kind that finds any."""
        some = [mine for mine in attempts if not mine.is_empty]
        true = {id(a): b for a, b in zip(attempts, self.right, strict=True)}
        wrong = [mine for mine in some if not mine.is_like(true[id(mine)])]
        if not wrong or all(mine.error for mine in some):
            return self._line(answer)
        found = (
            self._known(some)
            or self._line(answer)
            or self._changed(some, wrong, two=False)
            or self._two_known(some, wrong)
            or self._changed(some, wrong, two=True)
        )
        return found or self._signs(answer, some, true, bounds)

    def _line(self, answer: Any) -> list[str]:
        """What a line of letters says that the contract does not."""
        if not isinstance(self.reference, Line):
            return []
        line = type(self.reference)(answer) if isinstance(answer, str) else answer
        if not isinstance(line, Line):
            return []
        told = notation.says(line, self.inputs, self.outputs, self.numbers)
        return [told] if told else []

    def _known(self, attempts: Sequence[Attempt]) -> list[str]:
        """The sentences of the known mistakes that do the same in each case."""
        return [
            sentence
            for sentence in self.mistakes
            if all(
                mine.is_like(self._mistaken(sentence, mine.sizes)) for mine in attempts
            )
        ]

    @functools.cached_property
    def _seen(self) -> dict[tuple[str, tuple[int, ...]], Attempt]:
        return {}

    def _mistaken(self, sentence: str, sizes: Mapping[str, int]) -> Attempt:
        """What a known mistake makes of a case."""
        key = (sentence, tuple(sizes.values()))
        if key not in self._seen:
            self._seen[key] = self.attempt(self.mistakes[sentence], sizes)
        return self._seen[key]

    def _changed(
        self, attempts: Sequence[Attempt], wrong: Sequence[Attempt], *, two: bool
    ) -> list[str]:
        """What is done to inputs or outputs of a right answer.

        Of two things at once, one may be a known mistake.
        """
        returned = [mine for mine in wrong if not mine.error]
        runs = "Where it runs, " if any(mine.error for mine in attempts) else ""
        if len(returned) < (signs.FEW if runs else 1) or (two and runs):
            return []
        probe = max(returned, key=lambda mine: math.prod(mine.sizes.values()))
        if not any(map(signs.is_told, probe.values)):
            return []  # of NaN all over, anything could be the cause

        def fits(known: str, change: Change) -> bool:
            return all(
                mine.is_like(self._varied(known, change, mine.sizes))
                for mine in (probe, *attempts)
                if not mine.error
            )

        if two:
            return self._two_changes(probe, fits)
        one = [change for change in self.changes if fits("", change)]
        if not one:
            return []
        least = min(change.weight for change in one)
        told = [change.told for change in one if change.weight == least][:2]
        both = ",\nor – which comes to the same – ".join(told)
        return [_sentence(f"{runs}it does what is asked, but {both}.")]

    def _varied(self, known: str, change: Change, sizes: Mapping[str, int]) -> Attempt:
        """What a change makes of the reference in a case, or of a known mistake."""
        if change.before or change.numbers or change.instead or change.around:
            answer = self.mistakes[known] if known else self.reference
            return self.attempt(answer, sizes, change=change)
        done = self._mistaken(known, sizes) if known else self._right(sizes)
        return _finished(done, change)

    def _two_changes(
        self, probe: Attempt, fits: Callable[[str, Change], bool]
    ) -> list[str]:
        for sentence in self.mistakes:
            for change in self.changes:
                known = not (change.instead or change.around) and change.weight < FAR
                if known and fits(sentence, change):
                    return [TWO, sentence, _sentence(f"And {change.told}.")]
        light = [n for n in self.changes if n.weight == 1 and not (n.instead or n.around)]
        before = [change for change in light if change.before]
        after = [change for change in light if change.after]
        for one, other in itertools.combinations(before, 2):
            if fits("", one + other):
                return [TWO, _sentence(f"{one.told}, and {other.told}.")]
        for one in before:
            done = self._varied("", one, probe.sizes)
            for other in after:
                if probe.is_like(_finished(done, other)) and fits("", one + other):
                    return [TWO, _sentence(f"{one.told}, and {other.told}.")]
        return []

    def _two_known(
        self, attempts: Sequence[Attempt], wrong: Sequence[Attempt]
    ) -> list[str]:
        """Two known mistakes at once, where they can be put together."""
        returned = [mine for mine in wrong if not mine.error]
        if not returned:
            return []
        for one, two in itertools.combinations(self.mistakes, 2):
            for how in ("both", "add", "multiply"):
                if all(
                    mine.is_like(self._together(how, one, two, mine.sizes))
                    for mine in (*reversed(returned), *attempts)
                    if not mine.error
                ):
                    return [TWO, one, two]
        return self._output_by_output(attempts)

    def _together(
        self, how: str, one: str, two: str, sizes: Mapping[str, int]
    ) -> Attempt:
        """What two mistakes make of a case together.

        Mistakes of one function with other settings are put together exactly. Of
        others the deviations from what is right are added, or the factors multiplied:
        they fit only where the two keep out of each other's way.
        """
        first: Any = self.mistakes[one]
        second: Any = self.mistakes[two]
        if how == "both":
            if not (_is_setting(first) and _is_setting(second)):
                return Attempt(sizes, (None,), ValueError())
            if first.func is not second.func:
                return Attempt(sizes, (None,), ValueError())
            joined = functools.partial(first, **second.keywords)
            return self.attempt(joined, sizes)
        right = self._right(sizes).values
        a, b = (self._mistaken(told, sizes) for told in (one, two))
        if a.error or b.error:
            return Attempt(sizes, (None,), a.error or b.error)
        try:
            values = tuple(
                x + y - true if how == "add" else x * y / true
                for x, y, true in zip(a.values, b.values, right, strict=True)
            )
        except (RuntimeError, TypeError, ValueError) as error:
            return Attempt(sizes, (None,), error)
        return Attempt(sizes, values)

    def _output_by_output(self, attempts: Sequence[Attempt]) -> list[str]:
        """Where there are several outputs: the mistake of each, if all are known."""
        if len(self.outputs) == 1 or any(
            mine.error or len(mine.values) != len(self.outputs) for mine in attempts
        ):
            return []
        told: list[str] = []
        for at in range(len(self.outputs)):
            right = (self._right(mine.sizes) for mine in attempts)
            if all(
                close(mine.values[at], true.values[at])
                for mine, true in zip(attempts, right, strict=True)
            ):
                continue
            for sentence in self.mistakes:
                if all(
                    close(
                        mine.values[at], self._mistaken(sentence, mine.sizes).values[at]
                    )
                    for mine in attempts
                    if not self._mistaken(sentence, mine.sizes).error
                ):
                    told.append(sentence)
                    break
            else:
                return []
        return ["It looks like several things at once.", *told] if told else []

    def _signs(
        self,
        answer: Any,
        attempts: Sequence[Attempt],
        right: Mapping[int, Attempt],
        bounds: Bounds,
    ) -> list[str]:
        """What can be said of the numbers, when no cause is found."""
        told: list[str] = []
        tried = [(mine.sizes, mine.is_like(right[id(mine)])) for mine in attempts]
        fine: list[str] = []
        for at, (name, axes) in enumerate(self.outputs.items()):
            pairs = []
            for mine in attempts:
                true = right[id(mine)].values[at]
                if not mine.error and len(mine.values) == len(self.outputs):
                    got = mine.values[at]
                    if readable(got):
                        pairs.append((mine.sizes, true, got.detach()))
            alike = [pair for pair in pairs if pair[1].shape == pair[2].shape]
            if alike and all(close(*pair[1:]) for pair in alike):
                fine.append(name)
            elif len(alike) == len(pairs) == len(attempts):
                told += self._not_a_number(answer, alike, bounds)
                told += signs.numbers(alike, axes, name)
            elif pairs and pairs[-1][1].shape != pairs[-1][2].shape:
                sizes, _, got = pairs[-1]
                if sizes == self.cases[-1]:
                    told.append(signs.shape(tuple(got.shape), axes, sizes, name))
        if fine and len(fine) < len(self.outputs):
            told.insert(0, f"Right as it is: {', '.join(fine)}.")
        told.append(signs.cases(tried))
        return [sentence for sentence in told if sentence][:3]

    def _not_a_number(
        self, answer: Any, pairs: Sequence[signs.Pair], bounds: Bounds
    ) -> list[str]:
        """Where the first NaN comes from, if there is one that should not be."""
        for sizes, expected, got in pairs:
            if got.isnan().any() and not expected.isnan().any():
                look = signs.FirstNaN()
                with suppress(*WHATEVER), bounds.call(), look:
                    self.function(answer)(*self._arguments(self.draw(sizes), sizes))
                return [look.why] if look.why else []
        return []

    def _arguments(
        self, tensors: Mapping[str, Tensor], sizes: Mapping[str, int]
    ) -> list[Any]:
        given = [*tensors.values()]
        if self.given:
            given = [self.given(*given)]
        return [*given, *(sizes[letter] for letter in self.numbers)]


Exercise = Question | Task


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
        return f"{where}expected a tensor as {name}, got {_told(value)}.{_hint(value)}"
    if value.is_meta:
        return f"{where}the {name} is on the device meta, which has no numbers."
    if value.layout != torch.strided:
        return (
            f"{where}the {name} is a sparse tensor; `.to_dense()` makes it a plain one."
        )
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


def _told(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__


def _hint(value: Any) -> str:
    """What makes a tensor of something else."""
    kind = type(value).__module__.partition(".")[0]
    if kind == "numpy":
        return "\nnumpy knows no gradients: stay with operations on tensors."
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], Tensor):
        return "\n`torch.stack` makes one tensor of several."
    if isinstance(value, (int, float, complex, list)):
        return "\nA tensor has gradients; what `.item()` or `.tolist()` gives has none."
    return ""


def _times(given: float, right: float) -> str:
    """Whether a wrong number is a whole multiple of the right one, or off by one."""
    if right and given and abs(given - right) == 1:
        return "It is off by one."
    for more, less in ((given, right), (right, given)):
        if more and less and more % less == 0 and 1 < abs(more // less) <= 4:
            few = {2: "twice", 3: "three times", 4: "four times"}.get(int(more // less))
            if few:
                much = few if more == given else f"1/{more // less} of"
                return f"It is {much} what it should be."
    return "It is too large." if given > right else "It is too small."


def _finished(done: Attempt, change: Change) -> Attempt:
    """A call that was made, its outputs changed."""
    if done.error:
        return done
    try:
        return Attempt(done.sizes, change.finished(done.values, done.sizes))
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        return Attempt(done.sizes, (None,), error)


def _not_yet(sentences: str) -> Judgement:
    return Judgement(right=False, said=f"not yet. {sentences}", sentences=sentences)


def _of_nothing(told: str, *, empty: bool) -> str:
    """What is told of an empty batch says that it is one."""
    about = "Only the empty batch is left, b = 0: all other cases agree."
    return "\n".join(filter(None, [about, told])) if empty else told


def _sentence(told: str) -> str:
    return told[:1].upper() + told[1:]


def _is_setting(answer: Any) -> bool:
    return isinstance(answer, functools.partial) and not answer.args


_LAID = r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)"
_INNER = r"shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)"


def _laid(error: str, sizes: Mapping[str, int]) -> str:
    """Which axes meet that do not fit, where an error tells their sizes."""
    by_size = {size: letter for letter, size in sizes.items()}
    if len(by_size) < len(sizes):
        return ""
    found = re.search(_LAID, error)
    if found and (axes := [by_size.get(int(n), n) for n in found.groups()]):
        return (
            f"\nAn axis {axes[0]} meets an axis {axes[1]}: axes are laid on each other "
            "from the last one on.\nAn axis of length 1 moves them: `[:, None]`, or "
            "`keepdim=True` where you sum."
        )
    found = re.search(_INNER, error)
    if found:
        a, b, c, d = (by_size.get(int(n), n) for n in found.groups())
        return (
            f"\n({a}, {b}) meets ({c}, {d}): a product of matrices sums the last axis "
            "of the first\nand the first axis of the second. Is one to be transposed?"
        )
    return ""


def _raised(answer: Any, error: BaseException, sizes: Mapping[str, int]) -> str:
    """What was raised, and the line of the student's own code that it came from."""
    own = getattr(inspect.unwrap(answer), "__globals__", None)
    told = f"{type(error).__name__}: {error}".strip() + _laid(str(error), sizes)
    if isinstance(error, Overtime):
        told = f"It has run for {attempt.LIMIT:g} s, and was stopped."
    if isinstance(error, SystemExit):
        told = "It ends the program (SystemExit); leave that to the notebook."
    # The cells of a notebook share their globals; no library has the same ones.
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals is own:
            line = linecache.getline(frame.f_code.co_filename, number).strip()
            return f"Line {number} of your code{line and f', `{line}`'}:\n{told}"
    return told
