"""The exercises of the book: `check` says whether an answer is right, and why not.

Each family has its exercises in a file of its own here, as data: what is right, and
which mistakes are known. `EXERCISES` holds them all by name. `keep` saves a class that
the reader wrote, and `mine` is the namespace of all that were kept.
"""

import difflib
import importlib
import pkgutil
from typing import Any

from classroom import exercises
from classroom.judge import Exercise, Question, Task, Verdict
from classroom.own import keep, mine

__all__ = [
    "EXERCISES", "Exercise", "Question", "Task", "Verdict", "check", "keep", "mine",
]  # fmt: skip

EXERCISES: dict[str, Exercise] = {}
for _file in pkgutil.iter_modules(exercises.__path__):
    _family = importlib.import_module(f"{exercises.__name__}.{_file.name}")
    EXERCISES |= _family.EXERCISES


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
    if name not in EXERCISES:
        near = difflib.get_close_matches(name, EXERCISES) or [*EXERCISES][:9]
        raise LookupError(f"there is no exercise {name!r}; near it: {', '.join(near)}")
    right, said, sentences, shown = EXERCISES[name].judge(answer)
    return Verdict(name, right, said, sentences, shown, _following(name))


def _following(name: str) -> str:
    """The next exercise of the family, or nothing after the last one."""
    family, _, rest = name.partition("-")
    story = rest.startswith("story-")
    names = [
        each
        for each in EXERCISES
        if each.startswith(f"{family}-")
        and each.startswith(f"{family}-story-") == story
    ]
    return [*names, ""][names.index(name) + 1]
