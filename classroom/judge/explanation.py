"""Why an answer is wrong: known mistakes, and those made from what is right."""

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from classroom.judge import notation, signs
from classroom.judge.attempt import WHATEVER, Attempt, Bounds, close, readable
from classroom.judge.cases import Cases
from classroom.judge.causes import Change
from layerlib.recipe import Line

TWO = "It looks like two things at once."
FAR = 3  # the weight of a change that is not sought beside a known mistake


@dataclass(frozen=True)
class Explanation:
    """What is looked for when an answer to a task is wrong."""

    task: Cases

    def sentences(
        self, answer: Any, attempts: Sequence[Attempt], bounds: Bounds
    ) -> list[str]:
        """What makes it wrong: the first kind of cause that explains it."""
        some = [mine for mine in attempts if not mine.is_empty]
        true = {id(a): b for a, b in zip(attempts, self.task.right, strict=True)}
        wrong = [mine for mine in some if not mine.is_like(true[id(mine)])]
        if not wrong or all(mine.error for mine in some):
            return self._line(answer)
        found = (
            self.known(some)
            or self._line(answer)
            or self._changed(some, wrong, two=False)
            or self._two_known(some, wrong)
            or self._changed(some, wrong, two=True)
        )
        return found or self._signs(answer, some, true, bounds)

    def _line(self, answer: Any) -> list[str]:
        """What a line of letters says that the contract does not."""
        if not isinstance(self.task.reference, Line):
            return []
        line = type(self.task.reference)(answer) if isinstance(answer, str) else answer
        if not isinstance(line, Line):
            return []
        told = notation.says(
            line, self.task.inputs, self.task.outputs, self.task.numbers
        )
        return [told] if told else []

    def known(self, attempts: Sequence[Attempt]) -> list[str]:
        """The sentences of the known mistakes that do the same in each case."""
        return [
            sentence
            for sentence in self.task.mistakes
            if all(
                mine.is_like(self.task.mistaken(sentence, mine.sizes))
                for mine in attempts
            )
        ]

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
            return self._two_changes(probe, fits) or self._two_steps(fits)
        one = [change for change in self.task.changes if fits("", change)]
        if not one:
            return []
        least = min(change.weight for change in one)
        told = [change.told for change in one if change.weight == least][:2]
        both = ",\nor – which comes to the same – ".join(told)
        return [_sentence(f"{runs}it does what is asked, but {both}.")]

    def _varied(self, known: str, change: Change, sizes: Mapping[str, int]) -> Attempt:
        """What a change makes of the reference in a case, or of a known mistake."""
        if change.before or change.numbers or change.instead or change.around:
            answer = self.task.mistakes[known] if known else self.task.reference
            return self.task.attempt(answer, sizes, change=change)
        done = self.task.mistaken(known, sizes) if known else self.task.right_in(sizes)
        return _finished(done, change)

    def _two_changes(
        self, probe: Attempt, fits: Callable[[str, Change], bool]
    ) -> list[str]:
        for sentence in self.task.mistakes:
            for change in self.task.changes:
                known = not (change.instead or change.around) and change.weight < FAR
                if known and fits(sentence, change):
                    return [TWO, sentence, _sentence(f"And {change.told}.")]
        light = [
            n
            for n in self.task.changes
            if n.weight == 1 and not (n.instead or n.around)
        ]
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

    def _two_steps(self, fits: Callable[[str, Change], bool]) -> list[str]:
        pair = next((pair for pair in self.task.pairs if fits("", pair)), None)
        return [TWO, _sentence(f"{pair.told}.")] if pair else []

    def _two_known(
        self, attempts: Sequence[Attempt], wrong: Sequence[Attempt]
    ) -> list[str]:
        """Two known mistakes at once, where they can be put together."""
        returned = [mine for mine in wrong if not mine.error]
        if not returned:
            return []
        for one, two in itertools.combinations(self.task.mistakes, 2):
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
        first: Any = self.task.mistakes[one]
        second: Any = self.task.mistakes[two]
        if how == "both":
            if not (_is_setting(first) and _is_setting(second)):
                return Attempt(sizes, (None,), ValueError())
            if first.func is not second.func:
                return Attempt(sizes, (None,), ValueError())
            joined = functools.partial(first, **second.keywords)
            return self.task.attempt(joined, sizes)
        right = self.task.right_in(sizes).values
        a, b = (self.task.mistaken(told, sizes) for told in (one, two))
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
        if len(self.task.outputs) == 1 or any(
            mine.error or len(mine.values) != len(self.task.outputs)
            for mine in attempts
        ):
            return []
        told: list[str] = []
        for at in range(len(self.task.outputs)):
            right = (self.task.right_in(mine.sizes) for mine in attempts)
            if all(
                close(mine.values[at], true.values[at])
                for mine, true in zip(attempts, right, strict=True)
            ):
                continue
            for sentence in self.task.mistakes:
                if all(
                    close(
                        mine.values[at],
                        self.task.mistaken(sentence, mine.sizes).values[at],
                    )
                    for mine in attempts
                    if not self.task.mistaken(sentence, mine.sizes).error
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
        for at, (name, axes) in enumerate(self.task.outputs.items()):
            pairs = []
            for mine in attempts:
                true = right[id(mine)].values[at]
                if not mine.error and len(mine.values) == len(self.task.outputs):
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
                if sizes == self.task.cases[-1]:
                    told.append(signs.shape(tuple(got.shape), axes, sizes, name))
        if fine and len(fine) < len(self.task.outputs):
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
                    self.task.function(answer)(
                        *self.task.arguments(self.task.draw(sizes), sizes)
                    )
                return [look.why] if look.why else []
        return []


def _finished(done: Attempt, change: Change) -> Attempt:
    """A call that was made, its outputs changed."""
    if done.error:
        return done
    try:
        return Attempt(done.sizes, change.finished(done.values, done.sizes))
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        return Attempt(done.sizes, (None,), error)


def _sentence(told: str) -> str:
    return told[:1].upper() + told[1:]


def _is_setting(answer: Any) -> bool:
    return isinstance(answer, functools.partial) and not answer.args
