"""What an exercise is, and how an answer to it is judged."""

from dataclasses import dataclass
from typing import Any

from classroom.judge import attempt
from classroom.judge.attempt import Attempt, Bounds, Overtime
from classroom.judge.cases import Cases
from classroom.judge.difference import problem, refused
from classroom.judge.explanation import Explanation
from classroom.judge.question import Question
from classroom.judge.verdict import UNFILLED, Judgement, not_yet


@dataclass(frozen=True)
class Task(Cases):
    """An exercise whose answer is a function, or a line of letters.

    Its attributes are those of its cases.
    """

    def judge(self, answer: Any) -> Judgement:
        """Whether the answer is right, and what is to be said to it."""
        if answer is None or answer is ...:
            return Judgement(right=False, said=UNFILLED)
        try:
            self.function(answer)
        except (TypeError, ValueError) as error:
            return not_yet(str(error))
        with Bounds() as bounds:
            judged = self._judge(answer, bounds)
        if judged.right and bounds.changes:
            told = "\n".join(["The values are right.", *bounds.changes])
            return not_yet(told)
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
                return not_yet(
                    f"Case {tuple(sizes.values())} of ({', '.join(sizes)}) has run for "
                    f"{attempt.LIMIT:g} s, and was stopped.\nDoes each loop end?"
                )
        if all(mine.is_unfilled for mine in attempts):
            return Judgement(right=False, said=UNFILLED)
        if all(mine.values == (None,) and not mine.error for mine in attempts):
            return not_yet("It returns nothing: is it filled in, with a `return`?")
        refusal = refused(self, answer, bounds)
        if refusal:
            some = [mine for mine in attempts if not mine.is_empty]
            return not_yet("\n".join([*Explanation(self).known(some), refusal]))
        what, shown = problem(self, answer, attempts, bounds)
        if not what and not shown:
            gradients = "" if self.given else ", and so do the gradients"
            said = f"right.\nAll {len(attempts)} cases agree{gradients}."
            return Judgement(right=True, said=said)
        why = Explanation(self).sentences(answer, attempts, bounds)
        sentences = "\n".join(filter(None, [*why, what]))
        said = "\n".join(str(part) for part in (sentences, shown) if part)
        return Judgement(
            right=False, said=f"not yet. {said}", sentences=sentences, shown=shown
        )


Exercise = Question | Task
