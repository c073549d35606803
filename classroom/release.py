"""Writes the notebooks that students get: no solution, no output, no trace of one."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from classroom.grade.notebook import CHAPTERS, CHECK, folder_name
from classroom.variants import VARIANTS

SOLUTIONS = re.compile(r"\s+The\s+solutions\s+have\s+\[[^]]*\]\([^)]*\)\.")
"""Where a page of the book says where its solutions are."""
BLANK = re.compile(r"^ *(?:return|\w+ =) .*\.\.\..*$", re.MULTILINE)


def release(
    out: Path,
    chapters: Sequence[str] = (),
    *,
    form: str = "",
    points: float = 1.0,
    seed: str = "",
    students: Sequence[str] = (),
    source: Path = CHAPTERS,
) -> list[Path]:
    """Writes student notebooks, and ``assignments.json`` for whoever grades them.

    Written again, the same files hold the same bytes.

    Args:
        out: the folder; ``assignments.json`` is not for students.
        chapters: which; all of the book, if none is given.
        form: ``nbgrader`` for what `nbgrader generate_assignment` takes, ``otter`` for
            what `otter assign` takes, nothing for plain notebooks.
        points: of an exercise.
        seed: variants are drawn from it. Without one, all is as in the book.
        students: a notebook for each, with numbers of their own.
        source: the notebooks with exercises.

    Raises:
        ValueError: there is no such chapter, or the arguments do not go together.
    """
    known = {path.stem: path for path in sorted(source.glob("*.ipynb"))}
    missing = [name for name in chapters if name not in known]
    if missing:
        raise ValueError(
            f"release: expected chapters out of {', '.join(known)}, got {missing[0]}"
        )
    if students and (form or not seed):
        raise ValueError(
            "release: a notebook for each student needs a seed, and the plain form; "
            f"got form {form!r}, seed {seed!r}"
        )
    if points <= 0:
        raise ValueError(f"release: expected points above 0, got {points:g}")
    listed, written = {}, []
    for name in chapters or known:
        notebook = json.loads(known[name].read_text(encoding="utf-8"))
        for student in students or [""]:
            drawn_from = f"{seed} {folder_name(student)}" if student else seed
            made, items = _released(notebook, name, form, points, drawn_from)
            path = out / _place(name, form, student)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True)
            path.write_text(f"{text}\n", encoding="utf-8")
            written.append(path)
            listed[name] = items
    told = {"assignments": listed, "each": bool(students), "seed": seed}
    text = json.dumps(told, indent=1, sort_keys=True)
    (out / "assignments.json").write_text(f"{text}\n", encoding="utf-8")
    return written


def _place(name: str, form: str, student: str) -> Path:
    if form == "nbgrader":
        return Path("source", name, f"{name}.ipynb")
    if student:
        return Path(folder_name(student), f"{name}.ipynb")
    return Path(f"{name}.ipynb")


def _released(
    notebook: dict[str, Any], name: str, form: str, points: float, seed: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A student's notebook, and what is asked for in it."""
    kept = [*map(_bare, notebook["cells"])]
    checks = {
        i: match for i, cell in enumerate(kept)
        if cell["cell_type"] == "code" and (match := CHECK.match(cell["source"]))
    }  # fmt: skip
    made: list[dict[str, Any]] = []
    items = []
    start = 0
    for at, match in checks.items():
        exercise, variable = match.groups()
        items.append({"exercise": exercise, "variable": variable, "points": points})
        heading = max(
            (i for i in range(start, at) if kept[i]["source"].startswith("## ")),
            default=start,
        )
        end = min(
            (i for i in range(at + 1, len(kept)) if _heads(kept[i])), default=len(kept)
        )
        made += kept[start:heading]
        cells = [_varied(cell, exercise, seed) for cell in kept[heading:end]]
        cells[0] = _with_points(cells[0], points)
        form_of = {"nbgrader": _nbgrader, "otter": _otter}.get(form, _plain)
        made += form_of(cells, at - heading, exercise, points)
        start = end
    made += kept[start:]
    if form == "otter":
        made.insert(0, _raw(f"# ASSIGNMENT CONFIG\nname: {name}", "assignment"))
    kinds = {key: notebook["metadata"][key] for key in ("kernelspec", "language_info")
             if key in notebook["metadata"]}  # fmt: skip
    metadata = {**kinds, "classroom": {"assignment": name}}
    return {
        "cells": made,
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": 5,
    }, items


def _bare(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell without outputs and metadata, its source one text."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        source = SOLUTIONS.sub("", source)
    bare = {
        "cell_type": cell["cell_type"], "id": cell["id"], "metadata": {},
        "source": source,
    }  # fmt: skip
    if cell["cell_type"] == "code":
        bare |= {"execution_count": None, "outputs": []}
    return bare


def _heads(cell: dict[str, Any]) -> bool:
    return bool(cell["cell_type"] == "markdown" and cell["source"].startswith("## "))


def _varied(cell: dict[str, Any], exercise: str, seed: str) -> dict[str, Any]:
    if not seed or exercise not in VARIANTS or cell["cell_type"] != "markdown":
        return cell
    found = VARIANTS[exercise]
    return {**cell, "source": found.text(cell["source"], found.draw(exercise, seed))}


def _with_points(cell: dict[str, Any], points: float) -> dict[str, Any]:
    if not _heads(cell):
        return cell
    heading, *rest = cell["source"].split("\n")
    worth = f"{points:g} point{'' if points == 1 else 's'}"
    return {**cell, "source": "\n".join([f"{heading} ({worth})", *rest])}


def _plain(
    cells: Sequence[dict[str, Any]], at: int, exercise: str, points: float
) -> Iterator[dict[str, Any]]:
    """The cell of the answer is known by its id, and says what it is worth."""
    for i, cell in enumerate(cells):
        if i == at:
            metadata = {"classroom": {"exercise": exercise, "points": points}}
            yield {**cell, "metadata": metadata}
        else:
            yield cell


def _nbgrader(
    cells: Sequence[dict[str, Any]], at: int, exercise: str, points: float
) -> Iterator[dict[str, Any]]:
    """Answers are nbgrader's solution cells, checks its tests."""
    for i, cell in enumerate(cells):
        if i == at:
            source = _raising(cell["source"])
            metadata = _graded(f"{exercise}-check", grade=True, points=points)
            yield {**cell, "source": source, "metadata": metadata}
        elif cell["id"] == exercise and "def " in cell["source"]:
            # nbgrader empties a cell: a value would lose the name that it has.
            source = BLANK.sub(_in_a_region, cell["source"])
            yield {**cell, "source": source, "metadata": _graded(exercise, grade=False)}
        else:
            yield cell


def _graded(identity: str, *, grade: bool, points: float = 0.0) -> dict[str, Any]:
    told = {
        "grade": grade, "grade_id": identity, "locked": grade, "schema_version": 3,
        "solution": not grade, "task": False,
    }  # fmt: skip
    return {"nbgrader": {**told, "points": points} if grade else told}


def _in_a_region(found: re.Match[str]) -> str:
    line = found[0]
    space = line[: len(line) - len(line.lstrip())]
    return f"{space}### BEGIN SOLUTION\n{line}\n{space}### END SOLUTION"


def _raising(source: str) -> str:
    """The check as a test: what is not right raises."""
    return f"{source.strip()}.expect_right()"


def _otter(
    cells: Sequence[dict[str, Any]], at: int, exercise: str, points: float
) -> Iterator[dict[str, Any]]:
    """A question in the form of `otter assign`, its blanks marked as solutions."""
    asked = f"# BEGIN QUESTION\nname: {exercise}\npoints: {points:g}"
    yield _raw(asked, f"{exercise}-question")
    for i, cell in enumerate(cells):
        if i == at:
            yield _raw("# BEGIN TESTS", f"{exercise}-tests")
            yield {**cell, "source": _raising(cell["source"])}
            yield _raw("# END TESTS", f"{exercise}-tests-end")
            yield _raw("# END QUESTION", f"{exercise}-question-end")
        elif cell["id"] == exercise:
            yield _raw("# BEGIN SOLUTION", f"{exercise}-answer")
            source = BLANK.sub(lambda found: f"{found[0]}  # SOLUTION", cell["source"])
            yield {**cell, "source": source}
            yield _raw("# END SOLUTION", f"{exercise}-answer-end")
        else:
            yield cell


def _raw(source: str, identity: str) -> dict[str, Any]:
    return {"cell_type": "raw", "id": identity[:64], "metadata": {}, "source": source}
