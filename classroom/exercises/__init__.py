"""The exercises, as data: a file for each family, in the order of the book."""

import difflib
import importlib

from classroom.judge import Exercise

FAMILIES = (
    "shapes", "recipe", "linear", "nlinear", "activation", "dropout", "norm", "windows",
    "conv", "conv_transpose", "pool", "resample", "embedding", "distance", "recurrent",
    "attention", "transformer", "vision", "window_attention", "mixer", "gpt2",
)  # fmt: skip
EXERCISES: dict[str, Exercise] = {}
for _family in FAMILIES:
    EXERCISES |= importlib.import_module(f"{__name__}.{_family}").EXERCISES


def exercise(name: str) -> Exercise:
    """The exercise of this name.

    Raises:
        LookupError: there is no such exercise; the message has the nearest names.
    """
    if name not in EXERCISES:
        near = difflib.get_close_matches(name, EXERCISES) or [*EXERCISES][:9]
        raise LookupError(f"there is no exercise {name!r}; near it: {', '.join(near)}")
    return EXERCISES[name]
