"""Wrong answers that learners write: `python tests/examples/wrong_answers.py` says
of how many the judge names the mistake, and prints what it says to the others.
"""

import collections
import linecache
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from einops import rearrange, reduce

from classroom import Verdict, check
from layerlib import Recipe

FILES = sorted(Path(__file__).parent.glob("wrong_answers*.txt"))
GIVEN = {
    "torch": torch, "math": math, "Recipe": Recipe, "rearrange": rearrange,
    "reduce": reduce,
}  # fmt: skip


def answers() -> Iterator[tuple[str, str, str]]:
    """The exercise, what is wrong, and the cell that a learner has written."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        for part in re.split("^### ", text, flags=re.MULTILINE)[1:]:
            head, _, code = part.partition("\n")
            name, _, what = head.partition(" | ")
            yield name, what, code


def answer(code: str) -> Any:
    """What a cell defines last."""
    space = dict(GIVEN)
    lines = code.splitlines(keepends=True)
    linecache.cache["<cell>"] = (len(code), None, lines, "<cell>")
    exec(compile(code, "<cell>", "exec"), space)  # noqa: S102  (from our own files)
    return [x for n, x in space.items() if n not in GIVEN and n != "__builtins__"][-1]


def kind(verdict: Verdict) -> str:
    """Whether the mistake is named, or only shown: by a counterexample or a shape."""
    first = verdict.said.removeprefix("not yet. ").partition("\n")[0]
    if verdict:
        return "right"
    if first.startswith("The smallest counterexample"):
        return "counterexample"
    if first.startswith(("It is right wherever", "Of all cases", "Right as it is")):
        return "named by its cases"
    if first.startswith("For "):
        return "error" if "raises" in first else "shape"
    return "named"


def main() -> None:
    """Judges all, and prints how many of each kind there are."""
    kinds: collections.Counter[str] = collections.Counter()
    for name, what, code in answers():
        verdict = check(name, answer(code))
        found = kind(verdict)
        kinds[found] += 1
        if not found.startswith("named"):
            print(f"{name} | {what}\n{verdict.said}\n", file=sys.stderr)
    for found, count in sorted(kinds.items()):
        print(f"{found}: {count}")


if __name__ == "__main__":
    main()
