"""An exercise whose answer is a value, and what is said to a wrong one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from classroom.judge.verdict import UNFILLED, Judgement, not_yet


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
        return not_yet(self._wrong(answer, given))

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
        if kind is float and type(answer) is int:
            return float(answer)
        many = isinstance(answer, (list, tuple, set, frozenset))
        return kind(answer) if many and kind in (frozenset, tuple) else answer


def _times(given: float, right: float) -> str:
    """Whether a wrong number is a whole multiple of the right one, or off by one."""
    if right and given and abs(given - right) == 1:
        return "It is off by one."
    for more, less in ((given, right), (right, given)):
        if more and less and more % less == 0 and 1 < abs(more // less) <= 4:
            few = {2: "twice", 3: "three times", 4: "four times"}.get(int(more // less))
            if few:
                much = few if more == given else f"1/{int(more // less)} of"
                return f"It is {much} what it should be."
    return "It is too large." if given > right else "It is too small."
