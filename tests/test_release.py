"""Released notebooks: all that is asked for, and nothing that answers it."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from classroom import EXERCISES
from classroom.__main__ import main
from classroom.grade.notebook import CHAPTERS, assignments, drawn_from, folder_name
from classroom.release import release
from classroom.variants import VARIANTS, variant

SOLUTIONS = CHAPTERS.parent / "solutions"
TRACES = [r"(\b|_)[Ss]olution", r"sum\(p.numel\(\)", r'"outputs": \[{']


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return found


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("release")
    release(out)
    return out


def test_no_solution_is_left(released: Path) -> None:
    for path in released.glob("*.ipynb"):
        text = path.read_text()
        for trace in TRACES:
            assert not re.search(trace, text), (path.name, trace)
        for cell in cells(path):
            assert not cell.get("outputs")
            assert "mystnb" not in cell["metadata"]
            assert cell["cell_type"] != "code" or cell["execution_count"] is None


def test_no_answer_of_the_book_is_left(released: Path) -> None:
    looked = 0
    for path in released.glob("*.ipynb"):
        given = {line for cell in cells(path) for line in cell["source"].splitlines()}
        for cell in cells(SOLUTIONS / path.name):
            before = "".join(cell["source"]).rpartition("check(")[0].strip()
            if before and cell["id"].endswith(("-solution", "-second")):
                looked += 1
                assert before.splitlines()[-1] not in given, (path.name, cell["id"])
    assert looked > 180


def test_every_exercise_is_left(released: Path) -> None:
    book, here = assignments(), assignments(released)
    assert [*book] == [*here]
    for name, assignment in book.items():
        assert [i.exercise for i in assignment.items] == [
            i.exercise for i in here[name].items
        ]
        notebook = nbformat.read(released / f"{name}.ipynb", as_version=4)
        nbformat.validate(notebook)
        checks = [c for c in notebook.cells if "classroom" in c.metadata]
        assert len(checks) == len(assignment.items) > 0


def test_all_answers_are_blank(released: Path) -> None:
    for name, assignment in assignments(released).items():
        by_id = {
            cell["id"]: cell["source"] for cell in cells(released / f"{name}.ipynb")
        }
        for item in assignment.items:
            assert "..." in by_id[item.exercise]


def test_written_again_it_is_the_same(tmp_path: Path) -> None:
    for form in ("", "nbgrader", "otter"):
        first, again = tmp_path / f"{form}1", tmp_path / f"{form}2"
        for out in (first, again, again):
            release(out, ["linear"], form=form, points=2, seed="s")
        files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
        assert len(files) == 2
        for file in files:
            assert (first / file).read_bytes() == (again / file).read_bytes()


def test_points_are_told(tmp_path: Path) -> None:
    main(["release", str(tmp_path), "linear", "--points", "2.5"])
    heading = next(c["source"] for c in cells(tmp_path / "linear.ipynb")[2:])
    assert heading.startswith("## Count the parameters (2.5 points)\n")
    assert {i.points for i in assignments(tmp_path)["linear"].items} == {2.5}


def test_the_form_of_nbgrader(tmp_path: Path) -> None:
    main(["release", str(tmp_path), "linear", "--nbgrader", "--points", "3"])
    path = tmp_path / "source" / "linear" / "linear.ipynb"
    nbformat.validate(nbformat.read(path, as_version=4))
    marked = [c for c in cells(path) if "nbgrader" in c["metadata"]]
    told = [c["metadata"]["nbgrader"] for c in marked]
    assert len({t["grade_id"] for t in told}) == len(told)
    tests = [c for c in marked if c["metadata"]["nbgrader"]["grade"]]
    assert len(tests) == 6
    for cell in tests:
        assert cell["metadata"]["nbgrader"]["points"] == 3
        assert cell["metadata"]["nbgrader"]["locked"]
        assert cell["source"].endswith(").expect_right()")
    answer = next(c for c in marked if c["id"] == "linear-moves")
    assert (
        "    ### BEGIN SOLUTION\n    return ...\n    ### END SOLUTION"
        in (answer["source"])
    )


def test_the_form_of_otter(tmp_path: Path) -> None:
    main(["release", str(tmp_path), "linear", "--otter"])
    raw = [
        c["source"] for c in cells(tmp_path / "linear.ipynb") if c["cell_type"] == "raw"
    ]
    assert raw[0].startswith("# ASSIGNMENT CONFIG\n")
    assert raw[1:7] == [
        "# BEGIN QUESTION\nname: linear-count\npoints: 1", "# BEGIN SOLUTION",
        "# END SOLUTION", "# BEGIN TESTS", "# END TESTS", "# END QUESTION",
    ]  # fmt: skip
    assert len(raw) == 1 + 6 * 6


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_of_the_same_numbers_is_the_exercise(name: str) -> None:
    found = VARIANTS[name].question(*map(int, VARIANTS[name].numbers))
    assert found == EXERCISES[name]
    for number, choices in VARIANTS[name].numbers.items():
        assert int(number) not in choices


@pytest.mark.parametrize("name", VARIANTS)
def test_in_each_variant_the_mistakes_differ(name: str) -> None:
    for seed in map(str, range(40)):
        found = variant(name, seed)
        assert found is not None
        values = [found.reference, *found.mistakes.values()]
        assert len(set(values)) == len(values)


def test_each_student_has_numbers_of_their_own(tmp_path: Path) -> None:
    names = ["Ann", "Bob B.", "Cy"]
    (tmp_path / "names").write_text("\n".join(names) + "\n\n")
    out = tmp_path / "out"
    assert not main(
        [
            "release",
            str(out),
            "linear",
            "--seed",
            "7",
            "--students",
            str(tmp_path / "names"),
        ]
    )
    drawn = drawn_from(out)
    for name in names:
        text = cells(out / folder_name(name) / "linear.ipynb")[2]["source"]
        number = VARIANTS["linear-count"].draw("linear-count", drawn(name))["128"]
        assert f"to {number}, and from {number} to 10" in text
        assert "\n*Warm-up · 3 minutes*\n" in text
        assert drawn(name) == drawn(folder_name(name))
    assert len({drawn(name) for name in names}) == 3
    assert variant("linear-count", "") is None
    assert variant("linear-moves", "7") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "expected chapters out of .*linear.*, got nothing"),
        (["--points", "0"], "expected points above 0, got 0"),
        (["--students", "@"], "needs a seed"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "names").write_text("Ann")
    given = [str(tmp_path / "names") if a == "@" else a for a in arguments]
    assert main(["release", str(tmp_path / "out"), *given]) == 1
    assert re.search(message, capsys.readouterr().err)
