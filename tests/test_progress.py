"""What a reader has done is noted, shown, and never lost; the book's answers are not."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from filelock import FileLock
from IPython.core.interactiveshell import InteractiveShell
from sphinx_external_toc.parsing import parse_toc_yaml

import classroom
from classroom import EXERCISES, check, journal, mine, own, progress, reset
from classroom.exercises import FAMILIES

ROOT = Path(__file__).parent.parent
RIGHT = {
    "def": "def by_moves(x, weight, bias):\n"
    "    return Recipe(LINE)(x, weight) + bias\ncheck('linear-moves', by_moves)",
    "value": "parameters = 784 * 128 + 128 + 128 * 10 + 10\n"
    "check('linear-count', parameters)",
    "line": "check('recipe-outer', 'b i, b j -> b i j')",
}
START = (
    "from classroom import check\nfrom layerlib import Recipe\nLINE = 'b i, o i -> b o'"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(own, "MINE", tmp_path / "chapters" / "mine")
    return tmp_path / "chapters" / "mine"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Runs a cell in a notebook that JupyterLab has opened."""
    shell = InteractiveShell()
    monkeypatch.setitem(sys.modules, "__main__", shell.user_module)
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ann/chapters/exercises/x.ipynb")

    def run(cell: str) -> Any:
        done = shell.run_cell(cell, store_history=True, silent=False)
        done.raise_error()
        return done.result

    run(START)
    return run


def stored(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "progress.json").read_text())
    return found


def test_attempts_are_counted_until_one_is_right(
    folder: Path, run: Callable[[str], Any]
) -> None:
    for answer in ("7", "8", "101770", "101770", "9"):
        run(f"check('linear-count', {answer})")
    entry = stored(folder)["linear-count"]
    assert entry["attempts"] == 3
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", entry["solved"])
    assert entry["last"] >= entry["solved"]


def test_what_is_not_filled_in_is_no_attempt(
    folder: Path, run: Callable[[str], Any]
) -> None:
    run("check('linear-count', ...)")
    assert not folder.exists()


def test_what_is_right_is_kept_and_can_be_used(
    folder: Path, run: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for cell in RIGHT.values():
        run(cell)
    assert dir(mine()) == ["linear_count", "linear_moves", "recipe_outer"]
    assert check("linear-moves", mine().linear_moves)
    assert mine().linear_count == 101770
    assert (folder / "linear_moves.py").read_text() == (
        "from layerlib import Recipe\n\nLINE = 'b i, o i -> b o'\n\n"
        "def by_moves(x, weight, bias):\n    return Recipe(LINE)(x, weight) + bias\n\n"
        "linear_moves = by_moves\n"
    )
    monkeypatch.syspath_prepend(folder.parent)
    from mine.recipe_outer import recipe_outer  # noqa: PLC0415

    assert recipe_outer == "b i, b j -> b i j"


def test_an_answer_that_bears_the_name_of_the_exercise(
    run: Callable[[str], Any],
) -> None:
    run("recipe_outer = 'b i, b j -> b i j'\ncheck('recipe-outer', recipe_outer)")
    assert mine().recipe_outer == "b i, b j -> b i j"


def test_what_does_not_run_by_itself_is_solved_and_the_reader_is_told(
    folder: Path, run: Callable[[str], Any]
) -> None:
    run("exec('lost = 101770')")
    with pytest.warns(
        UserWarning, match="not all was noted: keep: linear-count .*by itself.*lost"
    ):
        run("check('linear-count', lost)")
    assert stored(folder)["linear-count"]["solved"]
    assert not dir(mine())


@pytest.mark.parametrize(
    "name", ["", "/home/ann/chapters/solutions/linear.ipynb"], ids=["no", "solutions"]
)
def test_the_books_own_runs_are_not_the_readers(
    name: str,
    folder: Path,
    run: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """nbclient (tools/notebooks.py, nbval) names no file; solutions lie elsewhere."""
    monkeypatch.setenv("JPY_SESSION_NAME", name)
    run(RIGHT["value"])
    assert not folder.exists()


def test_a_kernel_of_nbclient_notes_nothing(tmp_path: Path) -> None:
    page = {"cell_type": "code", "source": f"{START}\n{RIGHT['value']}", "id": "a",
            "metadata": {}, "outputs": [], "execution_count": None}  # fmt: skip
    path = tmp_path / "page.ipynb"
    notebook = {"cells": [page], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))
    before = sorted((own.CHAPTERS / "mine").glob("*"))
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "notebooks.py", path], check=False
    )
    assert done.returncode == 0
    assert "linear-count: right." in path.read_text()
    assert sorted((own.CHAPTERS / "mine").glob("*")) == before


def test_vs_code_names_the_file_in_another_place(
    folder: Path, run: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME")
    run("__vsc_ipynb_file__ = '/home/ann/x.ipynb'")
    run(RIGHT["value"])
    assert stored(folder)["linear-count"]["solved"]


def test_no_folded_answer_of_a_story_is_the_readers() -> None:
    folded = [
        (cell["id"], match[1], match[2])
        for path in own.CHAPTERS.glob("*.ipynb")
        for cell in json.loads(path.read_text())["cells"]
        if "hide-cell" in cell["metadata"].get("tags", [])
        for match in [re.search(r'check\("([\w-]+)", (.*)\)', "".join(cell["source"]))]
        if match
    ]
    assert len(folded) > 40
    assert not [each for each in folded if not journal.THEIRS.search(each[2])]


def test_the_answer_of_a_story_is_not_noted(
    folder: Path, run: Callable[[str], Any]
) -> None:
    run(
        "line_solution = 'n v, v e -> n e'\ncheck('embedding-story-line', line_solution)"
    )
    assert not folder.exists()
    run("check('embedding-story-line', 'n v, v e -> n e')")
    assert stored(folder)["embedding-story-line"]["solved"]


def test_a_check_prints_the_same_noted_or_not(run: Callable[[str], Any]) -> None:
    for name, answer in {
        "linear-count": 7,
        "recipe-outer": "b i, b j -> b i j",
    }.items():
        noted = run(f"check({name!r}, {answer!r})")
        assert repr(noted) == repr(check(name, answer))


@pytest.mark.parametrize(
    "damage", ['{"linear-', "[]", '{"linear-count": {"solved": 1}}']
)
def test_a_damaged_file_is_set_aside(
    damage: str, folder: Path, run: Callable[[str], Any]
) -> None:
    folder.mkdir(parents=True)
    for times in (1, 2):
        (folder / "progress.json").write_text(damage)
        with pytest.warns(
            UserWarning, match="is damaged. It is kept as progress.json.damag"
        ):
            run(RIGHT["value"])
        assert [*stored(folder)] == ["linear-count"]
        aside = sorted(folder.glob("progress.json.damaged*"))
        assert [path.read_text() for path in aside] == [damage] * times


def test_two_notebooks_lose_nothing(folder: Path) -> None:
    program = (
        "import sys, os; from pathlib import Path; from classroom import own, check\n"
        f"own.MINE = Path({str(folder)!r}); os.environ['JPY_SESSION_NAME'] = 'x.ipynb'\n"
        "In = ['']\n"
        "for name in sys.argv[1:]:\n    check(name, 'wrong')"
    )
    half = [*EXERCISES][:40:2], [*EXERCISES][1:40:2]
    running = [
        subprocess.Popen([sys.executable, "-c", program, *names]) for names in half
    ]
    assert [each.wait(timeout=120) for each in running] == [0, 0]
    assert sorted(stored(folder)) == sorted([*EXERCISES][:40])


def test_a_lock_that_stays_does_not_end_the_check(
    folder: Path, run: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SECONDS", 0.01)
    folder.mkdir(parents=True)
    with (
        FileLock(folder / "progress.json.lock"),
        pytest.warns(UserWarning, match="not all was noted: The file lock"),
    ):
        assert run(RIGHT["value"])


def test_the_families_are_in_the_order_of_the_book() -> None:
    pages = [*parse_toc_yaml(ROOT / "_toc.yml")]
    order = [page for page in pages if page.startswith("chapters/exercises/")]
    assert [Path(page).name for page in order] == [*FAMILIES]


def test_squares_are_told_in_words_and_in_html(run: Callable[[str], Any]) -> None:
    run("check('linear-story-two', 1)")
    run("check('linear-story-two', 2)")
    run(RIGHT["value"])
    shown = progress()
    assert f"\nlinear            □ □ ▣2 ■1 {' '.join('□' * 5)}\n" in repr(shown)
    assert repr(shown).endswith(
        f"1 of {len(EXERCISES)} exercises are solved. "
        "(■ solved, ▣ tried, □ open; a number: attempts)"
    )
    html = BeautifulSoup(shown._repr_html_(), "html.parser")
    squares = {a["aria-label"].partition(":")[0]: a for a in html.select("td a")}
    assert {*squares} == {*EXERCISES}
    assert squares["linear-count"]["aria-label"] == "linear-count: solved, 1 attempt"
    assert squares["linear-count"].text == "✓"
    assert squares["linear-story-two"]["title"] == "linear-story-two: tried, 2 attempts"
    assert squares["linear-story-two"].text == "2"
    assert squares["linear-ones"]["aria-label"] == "linear-ones: open"
    for name, square in squares.items():
        assert (Path.cwd() / square["href"]).is_file(), name


def test_next_is_the_first_that_is_not_solved(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    monkeypatch.chdir(own.CHAPTERS / "exercises")
    first = next(name for name in EXERCISES if name.startswith("shapes-story-"))
    assert repr(classroom.next()) == f"{first}, in ../shapes.ipynb"
    done = {"attempts": 1, "solved": "2026-01-01", "last": "2026-01-01"}
    stories = {name: done for name in EXERCISES if name.startswith("shapes-story-")}
    (folder / "progress.json").write_text(json.dumps(stories))
    assert repr(classroom.next()) == "shapes-read, in shapes.ipynb"
    assert 'href="shapes.ipynb"' in classroom.next()._repr_html_()
    (folder / "progress.json").write_text(json.dumps(dict.fromkeys(EXERCISES, done)))
    assert repr(classroom.next()) == f"All {len(EXERCISES)} exercises are solved."
    assert classroom.next()._repr_html_() == f"<p>{classroom.next()!r}</p>"


def test_reset_forgets_one(folder: Path, run: Callable[[str], Any]) -> None:
    run(RIGHT["value"])
    run(RIGHT["line"])
    reset("linear-count")
    assert [*stored(folder)] == ["recipe-outer"]
    reset("linear-count")
    with pytest.raises(
        LookupError, match="no exercise 'liner-count'; near it: linear-c"
    ):
        reset("liner-count")
