"""Writes what is read: grades as CSV, a page a student, a class page by mistake."""

import csv
import html
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classroom.grade.batch import kept, place

SNIPPETS = 3  # of a mistake
MISTAKES = "mistakes.txt"
EXPLAINED = """\
# A line names what answers of a cluster do wrong, and so makes it a known mistake:
# EXERCISE CLUSTER The sentence, as a student is to read it.
# Then run the same command again; nothing is graded twice.
"""
STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --paper: #fff; --line: #c9d0da;
  --right: #1a6b3c; --wrong: #a03a13; --quiet: #5a6473; --code: #f3f5f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --paper: #14181f;
  --line: #3a4454; --right: #7fd6a2; --wrong: #ffa37a; --quiet: #a8b1bf;
  --code: #1e242d; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
pre { background: var(--code); padding: .75rem; overflow-x: auto; font-size: .85rem; }
pre.said { white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.right { color: var(--right); } .wrong { color: var(--wrong); }
.quiet { color: var(--quiet); } article { margin: 1.5rem 0; }
"""


@dataclass
class Kind:
    """Answers that do the same: how many, and some of them."""

    count: int = 0
    snippets: list[str] = field(default_factory=list)
    said: str = ""

    def add(self, mark: Mapping[str, Any]) -> None:
        """One more; its source is shown if it is among the first."""
        self.count += 1
        self.said = self.said or mark["said"]
        new = mark["answer"] and mark["answer"] not in self.snippets
        if new and len(self.snippets) < SNIPPETS:
            self.snippets.append(mark["answer"])


def write(results: Path) -> int:
    """Writes all reports from the marks that are kept.

    Returns:
        How many notebooks they are about.

    Raises:
        ValueError: a line of ``mistakes.txt`` is malformed.
    """
    names = named(results)
    kinds: dict[str, dict[tuple[str, str], Kind]] = defaultdict(dict)
    rights: Counter[str] = Counter()
    count = 0
    with (
        _new(results / "grades.csv") as totals,
        _new(results / "answers.csv") as answers,
    ):
        grades, rows = csv.writer(totals), csv.writer(answers)
        grades.writerow(["student", "assignment", "points", "possible", "remarks"])
        rows.writerow(
            [
                "student",
                "assignment",
                "exercise",
                "points",
                "possible",
                "mistake",
                "said",
            ]
        )
        for result in kept(results):
            count += 1
            marks = [_with_name(mark, names) for mark in result["marks"]]
            result = {**result, "marks": marks}  # noqa: PLW2901
            student, assignment = _safe(result["student"]), _safe(result["assignment"])
            points, possible = (
                sum(mark[of] for mark in marks) for of in ("points", "possible")
            )
            remarks = _safe(" ".join(result["remarks"]))
            grades.writerow([student, assignment, points, possible, remarks])
            for mark in marks:
                rows.writerow(
                    [student, assignment, mark["exercise"], mark["points"],
                     mark["possible"], mark["mistake"], _safe(mark["said"])]
                )  # fmt: skip
                if mark["points"]:
                    rights[mark["exercise"]] += 1
                else:
                    of = kinds[mark["exercise"]]
                    of.setdefault(_kind(mark), Kind()).add(mark)
            _student(results, result)
    _text(results / "class.html", "".join(_class(kinds, rights, count)))
    if not (results / MISTAKES).exists():
        _text(results / MISTAKES, EXPLAINED)
    return count


def named(results: Path) -> dict[tuple[str, str], str]:
    """The sentences that a teacher gave to clusters, a line each.

    Raises:
        ValueError: a line has not the three parts.
    """
    path = results / MISTAKES
    names = {}
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = line.split(maxsplit=2)
            if len(parts) < 3:
                raise ValueError(
                    f"{path}, line {number}: expected EXERCISE CLUSTER SENTENCE, "
                    f"got {line!r}"
                )
            names[parts[0], parts[1]] = parts[2]
    return names


def _with_name(
    mark: dict[str, Any], names: Mapping[tuple[str, str], str]
) -> dict[str, Any]:
    sentence = names.get((mark["exercise"], mark["cluster"]))
    if not sentence or mark["mistake"]:
        return mark
    said = mark["said"].removeprefix("not yet. ")
    return {**mark, "mistake": sentence, "said": f"not yet. {sentence}\n{said}"}


def _kind(mark: Mapping[str, Any]) -> tuple[str, str]:
    """A mistake's sentence; or what is known of one that has no name."""
    if mark["mistake"]:
        return mark["mistake"], ""
    first = mark["said"].removeprefix("not yet. ").partition("\n")[0]
    return first, mark["cluster"]


def _student(results: Path, result: Mapping[str, Any]) -> None:
    name = place(results, result["student"], result["assignment"])
    page = results / "students" / name.parent.name
    _text(page / f"{name.stem}.html", "".join(_page(result)))
    scores = {
        "output": "\n".join(result["remarks"]),
        "tests": [
            {
                "name": mark["exercise"],
                "score": mark["points"],
                "max_score": mark["possible"],
                "output": mark["said"],
                "status": "passed" if mark["points"] else "failed",
            }
            for mark in result["marks"]
        ],
    }
    _text(
        results / "gradescope" / name.parent.name / name.stem / "results.json",
        json.dumps(scores, indent=1),
    )


def _page(result: Mapping[str, Any]) -> Iterator[str]:
    told = html.escape(f"{result['assignment']}: {result['student']}")
    points, possible = (
        sum(mark[of] for mark in result["marks"]) for of in ("points", "possible")
    )
    yield _head(told)
    yield f"<h1>{told}</h1><p>{points:g} of {possible:g} points.</p>"
    for remark in result["remarks"]:
        yield f'<p class="quiet">{html.escape(remark)}</p>'
    for mark in result["marks"]:
        verdict = "right" if mark["points"] else "wrong"
        score = f"{mark['points']:g} of {mark['possible']:g}"
        yield (
            f"<article><h2>{html.escape(mark['exercise'])} "
            f'<small class="{verdict}">{score}</small></h2>'
            f'<pre class="said">{html.escape(mark["said"])}</pre>'
        )
        if mark["answer"]:
            yield f"<pre>{html.escape(mark['answer'])}</pre>"
        yield "</article>"


def _class(
    kinds: Mapping[str, Mapping[tuple[str, str], Kind]],
    rights: Mapping[str, int],
    count: int,
) -> Iterator[str]:
    yield _head("The class, by mistake")
    yield f"<h1>The class, by mistake</h1><p>{count} notebooks.</p>"
    yield "<table><tr><th>Exercise</th><th>right</th><th>not yet</th></tr>"
    exercises = sorted({*kinds, *rights})
    for exercise in exercises:
        wrong = sum(kind.count for kind in kinds.get(exercise, {}).values())
        name = html.escape(exercise)
        yield (
            f'<tr><td><a href="#{name}">{name}</a></td>'
            f'<td class="number">{rights.get(exercise, 0)}</td>'
            f'<td class="number">{wrong}</td></tr>'
        )
    yield "</table>"
    for exercise in exercises:
        yield f'<h2 id="{html.escape(exercise)}">{html.escape(exercise)}</h2>'
        of = kinds.get(exercise, {})
        for (said, cluster), kind in sorted(
            of.items(), key=lambda x: (-x[1].count, x[0])
        ):
            yield f"<article><h3>{kind.count} × {html.escape(said)}</h3>"
            if cluster:
                line = html.escape(f"{exercise} {cluster} What it does wrong.")
                yield (
                    '<p class="quiet">No known mistake. To name it, in mistakes.txt:'
                    f"</p><pre>{line}</pre>"
                )
                yield f'<pre class="said">{html.escape(kind.said)}</pre>'
            for snippet in kind.snippets:
                yield f"<pre>{html.escape(snippet)}</pre>"
            yield "</article>"


def _head(title: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style>"
    )


def _safe(text: str) -> str:
    """A cell of a table that no program takes for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="replace")


def _new(path: Path) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(os.fspath(path), "w", newline="", encoding="utf-8", errors="replace")  # noqa: PTH123
