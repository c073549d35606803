"""The exercises of the book: `check` says whether an answer is right, and why not.

Each family has its exercises in a file of its own here, as data: what is right, and
which mistakes are known. `EXERCISES` holds them all by name. `keep` saves a class that
the reader wrote, and `mine` is the namespace of all that were kept. What was checked in
a reader's notebook is noted: `progress` shows it, `next` says what to do now, and
`reset` forgets.
"""

from typing import Any

from classroom.exercises import EXERCISES, exercise
from classroom.journal import next, note, progress, reset  # noqa: A004  (as in use)
from classroom.judge import Exercise, Question, Task, Verdict
from classroom.judge.verdict import asked_in
from classroom.own import keep, mine

__all__ = [
    "EXERCISES", "Exercise", "Question", "Task", "Verdict", "check", "keep", "mine",
    "next", "progress", "reset",
]  # fmt: skip


def check(name: str, answer: Any) -> Verdict:
    """Whether `answer` solves the exercise, and if not, why not.

    Args:
        name: the exercise, as its notebook calls it.
        answer: what the exercise asks for: a function, a line of letters, a value.

    Raises:
        LookupError: there is no such exercise; the message has the nearest names.

    >>> check("recipe-outer", "b i, b j -> b i j")
    recipe-outer: right.
    All 21 cases agree, and so do the gradients.
    >>> check("linear-count", 784 * 128 + 128 * 10)
    linear-count: not yet. The biases are missing: each output has one.
    """
    right, said, sentences, shown = exercise(name).judge(answer)
    verdict = Verdict(name, right, said, sentences, shown, _following(name))
    note(verdict)
    return verdict


def _following(name: str) -> str:
    """The next exercise of the same page, or nothing after the last one."""
    names = [each for each in EXERCISES if asked_in(each) == asked_in(name)]
    return [*names, ""][names.index(name) + 1]
