"""What a reader has tried and solved: noted by `check`, shown as squares."""

import ast
import json
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, TypedDict

from filelock import FileLock

from classroom import own
from classroom.exercises import EXERCISES, FAMILIES, exercise
from classroom.judge import Verdict
from classroom.judge.verdict import UNFILLED, asked_in

SECONDS = 10  # to wait for another notebook that writes
THEIRS = re.compile(r"\w_solution\b|Solution\(|Solved\(")
"""How the answers are called that the stories have themselves, folded."""
SQUARES = {
    "solved": ("■", "background:#1b7f5c;color:#fff;border-color:#1b7f5c"),
    "tried": ("▣", "border-color:#d9822b;border-style:dashed"),
    "open": ("□", "border-color:#8888"),
}
"""What shows each state: in text, and the style of its square."""
SQUARE = (
    "display:inline-flex;width:1.5em;height:1.5em;align-items:center;margin:.1em;"
    "justify-content:center;border:2px solid;border-radius:.25em;color:inherit;"
    "text-decoration:none;font-weight:700;box-sizing:border-box;vertical-align:middle"
)


class Entry(TypedDict):
    """What is known of an exercise.

    Attributes:
        attempts: how many answers were checked, up to the first one that was right.
        solved: when that was, as in ISO 8601; empty before.
        last: when an answer was checked last.
    """

    attempts: int
    solved: str
    last: str


def note(verdict: Verdict) -> None:
    """Writes down that an answer was checked, and keeps it where it is right.

    Nothing else happens when that fails: a warning says so.
    """
    cells = _readers_cells()
    answer = _answer(verdict.exercise, cells[-1]) if cells else None
    if not cells or verdict.said == UNFILLED:
        return
    _, by_story = asked_in(verdict.exercise)
    if by_story and answer and THEIRS.search(ast.unparse(answer)):
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with _entries() as entries:
            entry = entries.setdefault(
                verdict.exercise, Entry(attempts=0, solved="", last="")
            )
            entry["last"] = now
            entry["attempts"] += not entry["solved"]
            if verdict.right:
                entry["solved"] = entry["solved"] or now
        if verdict.right and answer:
            own.keep_answer(verdict.exercise, answer, cells)
    except (OSError, ValueError) as error:
        warnings.warn(f"not all was noted: {error}", stacklevel=3)


def _readers_cells() -> Sequence[str]:
    """The cells that have run in a notebook that a person has opened, if this is one.

    JupyterLab and VS Code tell a kernel which file it belongs to. Whatever runs the
    pages of the book by itself (tools/notebooks.py, nbval, jupyter-book, a grader) does
    not, so the answers of the book never count as the reader's.
    """
    main = vars(sys.modules["__main__"])
    file = main.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    if not file or "solutions" in Path(file).parts:
        return []
    cells: Sequence[str] = main.get("In", [])
    return cells


def _answer(name: str, cell: str) -> ast.expr | None:
    """What a cell hands to `check` for this exercise, last."""
    try:
        nodes = [*ast.walk(ast.parse(cell))]
    except SyntaxError:  # there is a magic in it
        return None
    answers = [
        node.args[1]
        for node in nodes
        if isinstance(node, ast.Call)
        and len(node.args) == 2
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value == name
    ]
    return answers[-1] if answers else None


@contextmanager
def _entries() -> Iterator[dict[str, Entry]]:
    """All entries, to be changed: no other notebook reads or writes meanwhile."""
    own.MINE.mkdir(parents=True, exist_ok=True)
    with FileLock(own.MINE / "progress.json.lock", timeout=SECONDS):
        path = own.MINE / "progress.json"
        entries = _read(path)
        before = json.dumps(entries)
        yield entries
        if json.dumps(entries) != before:
            own.write(path, json.dumps(entries, indent=1) + "\n")


def _read(path: Path) -> dict[str, Entry]:
    """The entries of a file. A damaged one is set aside, and nothing of it is lost."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        entries = None
    if isinstance(entries, dict) and all(map(_is_entry, entries.values())):
        return entries
    aside = path.with_name(f"{path.name}.damaged")
    while aside.exists():
        aside = aside.with_name(f"{aside.name}.damaged")
    path.replace(aside)
    told = f"{path} is damaged. It is kept as {aside.name}, and a new one begins."
    warnings.warn(told, stacklevel=2)
    return {}


def _is_entry(entry: Any) -> bool:
    kinds = Entry.__annotations__
    return isinstance(entry, dict) and {
        key: type(value) for key, value in entry.items()
    } == dict(kinds)


class Progress:
    """The exercises as squares, by chapter: solved, tried, open; with the attempts."""

    def __init__(self) -> None:
        with _entries() as entries:
            self.entries = dict(entries)

    def state(self, name: str) -> str:
        """Of an exercise: ``solved``, ``tried`` or ``open``."""
        if name not in self.entries:
            return "open"
        return "solved" if self.entries[name]["solved"] else "tried"

    def __repr__(self) -> str:
        wide = max(map(len, FAMILIES)) + 2
        rows = [
            f"{family:<{wide}}{' '.join(map(self._mark, names))}"
            for family, names in _chapters()
        ]
        legend = ", ".join(f"{SQUARES[state][0]} {state}" for state in SQUARES)
        return "\n".join([*rows, f"{self._sum()} ({legend}; a number: attempts)"])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left;padding-right:1em">'
            f'{_link(names[0], family)}</th><td style="text-align:left">'
            f"{''.join(map(self._square, names))}</td></tr>"
            for family, names in _chapters()
        )
        return (
            '<table style="border-collapse:collapse"><caption style="text-align:left">'
            f"{self._sum()}</caption>{rows}</table>"
        )

    def _sum(self) -> str:
        solved = sum(self.state(name) == "solved" for name in EXERCISES)
        return f"{solved} of {len(EXERCISES)} exercises are solved."

    def _attempts(self, name: str) -> int:
        return self.entries[name]["attempts"] if name in self.entries else 0

    def _mark(self, name: str) -> str:
        return f"{SQUARES[self.state(name)][0]}{self._attempts(name) or ''}"

    def _square(self, name: str) -> str:
        state, attempts = self.state(name), self._attempts(name)
        told = f"{name}: {state}"
        if attempts:
            told += f", {attempts} attempt{'s' if attempts > 1 else ''}"
        style = SQUARES[state][1]
        inside = "✓" if state == "solved" else str(attempts or "")
        named = f'title="{told}" aria-label="{told}"'
        return f'<a href="{_page(name)}" style="{SQUARE};{style}" {named}>{inside}</a>'


def progress() -> Progress:
    """Which exercises are solved and tried, as squares by chapter, with the attempts.

    What `check` was asked in your notebooks is in ``chapters/mine/progress.json``.
    Answers that are right are files there: ``linear-moves`` is `mine().linear_moves`.
    """
    return Progress()


def reset(name: str) -> None:
    """Forgets that an exercise was tried or solved; the answer that was kept stays.

    Raises:
        LookupError: there is no such exercise; the message has the nearest names.
    """
    exercise(name)
    with _entries() as entries:
        entries.pop(name, None)


class Next:
    """The exercise to do now, with its notebook, or that none is left."""

    def __init__(self) -> None:
        found = Progress()
        order = [name for _, names in _chapters() for name in names]
        left = [name for name in order if found.state(name) != "solved"]
        self.exercise = left[0] if left else ""

    def __repr__(self) -> str:
        if not self.exercise:
            return f"All {len(EXERCISES)} exercises are solved."
        return f"{self.exercise}, in {_page(self.exercise)}"

    def _repr_html_(self) -> str:
        return _link(self.exercise, repr(self)) if self.exercise else f"<p>{self!r}</p>"


def next() -> Next:  # noqa: A001  (what a reader asks for)
    """The first exercise in the order of the book that is not solved, with its page."""
    return Next()


def _chapters() -> Iterator[tuple[str, list[str]]]:
    """Each family with its exercises, those of its story first."""
    for family in FAMILIES:
        names = [name for name in EXERCISES if asked_in(name)[0] == family]
        yield family, sorted(names, key=lambda name: not asked_in(name)[1])


def _page(name: str) -> str:
    """The notebook of an exercise, as seen from the one that is open."""
    family, by_story = asked_in(name)
    folder = own.CHAPTERS if by_story else own.CHAPTERS / "exercises"
    return Path(os.path.relpath(folder / f"{family}.ipynb")).as_posix()


def _link(name: str, text: str) -> str:
    return f'<a href="{_page(name)}" style="color:inherit">{escape(text)}</a>'
