"""The book keeps its rules, and nbval is seen to bite."""

import ast
import inspect
import itertools
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

import layerlib
from examples import classes, families, functions
from layerlib import Recipe
from layerlib.lab.contents import cells, minutes, prose, words
from layerlib.recipe import LETTERS
from tools import check

ROOT = Path(__file__).parent.parent
PROJECT = ROOT / "chapters" / "project.ipynb"
TEACH = ROOT / "chapters" / "teach.ipynb"
CHAPTERS = sorted({*(ROOT / "chapters").glob("*.ipynb")} - {PROJECT, TEACH})
REFERENCES = sorted((ROOT / "chapters" / "reference").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "chapters" / "exercises").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "chapters" / "solutions").glob("*.ipynb"))
NOTEBOOKS = [
    ROOT / "index.ipynb", *CHAPTERS, PROJECT, TEACH, *REFERENCES, *EXERCISES, *SOLUTIONS,
]  # fmt: skip
IN_STORY_OF = {"nlinear": "linear"}
"""Families that are a section in the story of another one."""
PICTURES = {"point_at", "film", "cube", "still", "lines", "HTML"}
PUBLIC = {*classes(), *functions(), "Line", "Rearrange", "Recipe", "Reduce", "Cost"}

each_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda p: str(p.relative_to(ROOT))
)
each_story = pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)


def code(path: Path) -> list[dict[str, Any]]:
    return cells(path, "code")


def trees(path: Path) -> list[ast.Module]:
    return [ast.parse(cell["source"]) for cell in code(path)]


def tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def test_one_family_one_name() -> None:
    names = {family.__name__.removeprefix("layerlib.") for family in families()}
    names.add("recipe")  # the language has a chapter of its own
    names |= {path.stem for path in CHAPTERS} & layerlib.MODELS
    assert {path.stem for path in CHAPTERS} == names - {*IN_STORY_OF}
    assert {path.stem for path in REFERENCES} == names
    assert {path.stem for path in EXERCISES} == names
    assert {path.stem for path in SOLUTIONS} == names
    for name in names:
        tests = f"test_{check.MODELS.get(name, name)}.py"
        assert (ROOT / "tests" / tests).is_file()


def test_the_table_of_contents_has_every_notebook() -> None:
    pages = parse_toc_yaml(ROOT / "_toc.yml")
    texts = [page for page in pages if (ROOT / f"{page}.md").is_file()]
    listed = {ROOT / f"{page}.ipynb" for page in pages if page not in texts}
    assert listed == set(NOTEBOOKS)


@each_notebook
def test_one_title_first_and_no_level_left_out(path: Path) -> None:
    # A line that starts with # in a block of code is no heading.
    text = re.sub(r"^ *```.*?^ *```", "", prose(path), flags=re.MULTILINE | re.DOTALL)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert cells(path)[0]["source"].startswith("# ")
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in itertools.pairwise(levels))


@each_story
def test_links_to_its_exercises(path: Path) -> None:
    assert f"](exercises/{path.stem}.ipynb)" in prose(path)


@each_notebook
def test_all_imports_stand_in_the_first_cell(path: Path) -> None:
    first, *others = code(path)
    assert not [n for n in ast.parse(first["source"]).body if not _is_import(n)]
    for cell in others:
        assert not [n for n in ast.walk(ast.parse(cell["source"])) if _is_import(n)]


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


@each_notebook
def test_cells_are_short_and_lines_fit_the_page(path: Path) -> None:
    for cell in code(path):
        lines = cell["source"].splitlines()
        assert max(map(len, lines)) <= 88, cell["id"]
        if cell is not code(path)[0] and not is_folded(cell):
            assert len(lines) <= 15 or _is_import(ast.parse(cell["source"]).body[0]), (
                cell["id"]
            )


@each_notebook
def test_no_public_name_is_defined_again(path: Path) -> None:
    for cell in code(path):
        for node in ast.walk(ast.parse(cell["source"])):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert node.name not in PUBLIC, cell["id"]
            if isinstance(node, ast.Assign):
                made = {t.id for t in node.targets if isinstance(t, ast.Name)}
                assert not made & PUBLIC, cell["id"]


@each_notebook
def test_every_definition_is_used(path: Path) -> None:
    trees = [ast.parse(cell["source"]) for cell in code(path)]
    used = {n.id for t in trees for n in ast.walk(t) if isinstance(n, ast.Name)}
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert node.name in used


@pytest.mark.parametrize("family", sorted(path.stem for path in EXERCISES))
def test_every_public_name_of_the_family_runs_on_its_pages(family: str) -> None:
    story = IN_STORY_OF.get(family, family)
    pages = [p for p in [*CHAPTERS, *REFERENCES] if p.stem in {family, story}]
    nodes = [n for page in pages for tree in trees(page) for n in ast.walk(tree)]
    used = {n.id for n in nodes if isinstance(n, ast.Name)}
    used |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    for name, thing in {**classes(), **functions()}.items():
        if thing.__module__ == f"layerlib.{family}":
            assert name in used


@pytest.mark.parametrize("family", sorted(path.stem for path in REFERENCES))
def test_every_option_of_the_family_is_taught(family: str) -> None:
    story = IN_STORY_OF.get(family, family)
    pages = [p for p in [*CHAPTERS, *REFERENCES] if p.stem in {family, story}]
    taught = {
        word
        for p in pages
        for c in cells(p)
        for word in re.findall(r"\w+", c["source"])
    }
    for name, cls in classes().items():
        if cls.__module__ == f"layerlib.{family}":
            base = torch.nn.RNNBase if issubclass(cls, torch.nn.RNNBase) else cls
            found = inspect.signature(base).parameters.values()
            options = {p.name for p in found if p.default is not p.empty}
            assert not options - taught, name


# ---- Stories


def is_folded(cell: dict[str, Any]) -> bool:
    """Whether a reader does not see its code."""
    return bool({"hide-cell", "hide-input", "remove-input"} & {*tags(cell)})


def calls(path: Path, name: str) -> list[ast.Call]:
    nodes = [n for tree in trees(path) for n in ast.walk(tree)]
    made = [n for n in nodes if isinstance(n, ast.Call)]
    return [n for n in made if getattr(n.func, "id", "") == name]


@each_story
def test_story_can_be_read_in_half_an_hour(path: Path) -> None:
    assert 1200 <= words(path) <= 1900
    assert len(code(path)) <= 35


@each_story
def test_story_opens_with_a_question_and_a_picture(path: Path) -> None:
    question, imports, picture = cells(path)[:3]
    assert "?" in question["source"]
    assert "hide-cell" in tags(imports)
    assert imports["metadata"]["mystnb"]["code_prompt_show"] == "The imports"
    assert tags(picture) == ["hide-input"]
    assert "<svg" in "".join(picture["outputs"][0]["data"]["text/html"])


@each_story
def test_code_of_a_story_would_be_typed(path: Path) -> None:
    for cell in code(path):
        lines = cell["source"].splitlines()
        if not is_folded(cell):
            assert len(lines) <= 12, cell["id"]
            assert max(map(len, lines)) <= 80, cell["id"]


@pytest.mark.parametrize("path", [*CHAPTERS, *REFERENCES], ids=str)
def test_no_cell_that_is_seen_only_asserts(path: Path) -> None:
    for cell in code(path):
        found = ast.parse(cell["source"]).body
        silent = all(isinstance(node, ast.Assert) for node in found)
        assert not silent or "hide-cell" in tags(cell), cell["id"]


@each_story
def test_equality_is_said_twice_at_most(path: Path) -> None:
    assert len(calls(path, "same")) <= 2


@each_story
def test_no_answer_is_seen_below_its_question(path: Path) -> None:
    found, asked = cells(path), 0
    for n, cell in enumerate(found):
        if cell["cell_type"] == "markdown" and "**Predict.**" in cell["source"]:
            asked += 1
            told = cell["source"].partition("**Predict.**")[2]
            after = found[n + 1]
            hidden = {"hide-output", "hide-cell"} & {*tags(after)}
            assert hidden or "<details>" in told + after["source"], after["id"]
    assert asked >= 2


@each_story
def test_the_reader_has_two_turns_at_least(path: Path) -> None:
    turns = [c for c in code(path) if "check(" in c["source"] and "..." in c["source"]]
    assert len(turns) >= 2
    for cell in turns:
        assert not is_folded(cell), cell["id"]


@each_story
def test_the_reader_ends_with_a_class(path: Path) -> None:
    found = [n for tree in trees(path) for n in tree.body]
    assert [n for n in found if isinstance(n, ast.ClassDef)]


@each_story
def test_story_has_no_private_name_and_no_tensor_is_a_letter(path: Path) -> None:
    for cell in code(path):
        for node in ast.walk(ast.parse(cell["source"])):
            name = getattr(node, "id", getattr(node, "attr", getattr(node, "name", "")))
            assert not re.match(r"_[^_]", name or ""), cell["id"]
            if is_folded(cell):
                continue
            named = [node.arg] if isinstance(node, ast.arg) else []
            for target in node.targets if isinstance(node, ast.Assign) else []:
                bound = [n for n in ast.walk(target) if isinstance(n, ast.Name)]
                named += [n.id for n in bound if isinstance(n.ctx, ast.Store)]
            assert not {*named} & {*LETTERS}, cell["id"]


@each_story
def test_story_has_three_kinds_of_pictures(path: Path) -> None:
    assert len([kind for kind in PICTURES if calls(path, kind)]) >= 3


@each_story
def test_story_leads_to_reference_and_exercises(path: Path) -> None:
    *_, last = re.split(r"^## ", prose(path), flags=re.MULTILINE)
    assert last.startswith("What you would tell a friend")
    for folder in ("reference", "exercises"):
        assert f"]({folder}/{path.stem}.ipynb)" in last


# ---- Colors of the letters


def lines_shown(path: Path) -> Iterator[list[str]]:
    """The letters of each line that a page shows in color."""
    for cell in code(path):
        for output in cell["outputs"]:
            page = BeautifulSoup(
                "".join(output.get("data", {}).get("text/html", "")), "html.parser"
            )
            for line in page.select("span.recipe"):
                yield [chip.get_text() for chip in line.select("span.letter")]


def seen(color: str) -> list[float]:
    """What the eye tells apart: lightness, red to green, yellow to blue (CIELAB)."""
    rgb = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (
        v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z)
    )
    return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)]


def test_colors_of_letters_that_meet_in_a_line_differ() -> None:
    meeting = {
        pair
        for path in NOTEBOOKS
        for letters in lines_shown(path)
        for pair in itertools.combinations(sorted({*letters} & {*LETTERS}), 2)
    }
    assert len(meeting) > 90
    near = {
        pair: round(math.dist(*(seen(LETTERS[letter][1]) for letter in pair)), 1)
        for pair in meeting
    }
    # A difference of 2 is just seen, one of 10 at a glance.
    assert not {pair: far for pair, far in near.items() if far < 14}


@pytest.mark.parametrize("letter", LETTERS)
def test_letter_can_be_read_on_its_color(letter: str) -> None:
    # Both the letter and what is below it come with the chip: in light, dark, on paper.
    html = BeautifulSoup(Recipe(f"{letter}, i -> i")._repr_html_(), "html.parser")
    style = html.select_one("span.letter")["style"]
    assert f"background:{LETTERS[letter][1]};color:#111;" in style
    lightness, *_ = seen(LETTERS[letter][1])
    below = ((lightness + 16) / 116) ** 3
    assert (below + 0.05) / (0.0056 + 0.05) > 4.5
    summed = "text-decoration:underline" in style  # not told by color alone
    assert summed == (letter != "i")


@each_notebook
def test_nothing_is_skipped_or_ignored_without_a_reason(path: Path) -> None:
    for cell in code(path):
        assert "nbval-skip" not in tags(cell)
        if "nbval-ignore-output" in tags(cell):
            assert cell["source"].startswith("# Not compared: "), cell["id"]


@each_notebook
def test_what_is_meant_to_fail_fails_and_is_checked(path: Path) -> None:
    found = code(path)
    for n, cell in enumerate(found):
        failed = [o for o in cell["outputs"] if o["output_type"] == "error"]
        assert bool(failed) == ("raises-exception" in tags(cell)), cell["id"]
        if failed:
            assert "assert " in found[n + 1]["source"], cell["id"]


@each_notebook
def test_nothing_was_printed_on_stderr(path: Path) -> None:
    for cell in code(path):
        assert not [o for o in cell["outputs"] if o.get("name") == "stderr"], cell["id"]


@each_notebook
def test_every_cell_was_run_in_order(path: Path) -> None:
    counts = [cell["execution_count"] for cell in code(path)]
    assert counts == list(range(1, len(counts) + 1))


EMIT = """
import json
from pathlib import Path
from IPython.display import display


class Stored:
    def __init__(self, data):
        self.data = data

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.data


def emit(page, cell):
    for output in json.loads(Path(page).read_text("utf-8"))[cell]:
        if output["output_type"] == "stream":
            print("".join(output["text"]), end="")
        elif output["output_type"] == "execute_result":
            return Stored({k: "".join(v) for k, v in output["data"].items()})
        else:
            display({k: "".join(v) for k, v in output["data"].items()}, raw=True)
"""
"""Gives again what a cell has stored, in the place of its code: it takes no time."""


# Half of the notebooks in each run: as many processes as workers, not as notebooks.
@pytest.mark.parametrize("paths", [NOTEBOOKS[::2], NOTEBOOKS[1::2]], ids=["one", "two"])
def test_nbval_notices_one_altered_digit(paths: list[Path], tmp_path: Path) -> None:
    """In each cell with a number that is compared, one digit is changed.

    Each such cell fails and no other: unaltered, all would pass.
    """
    altered, passing = [], 0
    (tmp_path / "emit.py").write_text(EMIT, encoding="utf-8")
    for path in paths:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        name = "-".join(path.relative_to(ROOT).parts)
        cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
        stored = [cell["outputs"] for cell in cells]
        (tmp_path / f"{name}.json").write_text(json.dumps(stored), encoding="utf-8")
        for n, cell in enumerate(cells):
            if any(o["output_type"] == "error" for o in cell["outputs"]):
                cell["outputs"], cell["source"] = [], ""
            else:
                told = f"from emit import emit\nemit({name + '.json'!r}, {n})"
                cell["source"] = told
            places = [] if "nbval-ignore-output" in tags(cell) else _numbers(cell)
            holder, key = next(iter(places), (None, ""))
            if holder is None:
                passing += 1
                continue
            text = "".join(holder[key])
            new = re.sub(r"\d", lambda m: str((int(m[0]) + 1) % 10), text, count=1)
            holder[key] = new
            altered.append((name, str(n)))
        (tmp_path / name).write_text(json.dumps(notebook), encoding="utf-8")
    done = _nbval(tmp_path)
    failed = re.findall(r"^FAILED (\S+)::Cell (\d+)", done.stdout, re.MULTILINE)
    assert sorted(failed) == sorted(altered), done.stdout
    assert f"{len(altered)} failed, {passing} passed in" in done.stdout


def _numbers(cell: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where the outputs of a cell have a digit: what holds the text, under which key."""
    for output in cell["outputs"]:
        data = output.get("data", {})
        for holder, key in [(output, "text"), *((data, kind) for kind in data)]:
            if re.search(r"\d", "".join(holder.get(key, ""))):
                yield holder, key


def _nbval(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env",
            "--nbval-cell-timeout=60", "--nbval-kernel-startup-timeout=60",
            "-p", "no:cacheprovider", "-q", "-rf", "--rootdir", str(folder),
            "-c", "/dev/null", str(folder),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


def test_the_landing_page_lists_every_layer() -> None:
    (table,) = [
        "".join(output["data"]["text/html"])
        for cell in code(ROOT / "index.ipynb")
        for output in cell["outputs"]
        if "layers, each with the lines that it ran"
        in "".join(output.get("data", {}).get("text/html", ""))
    ]
    assert f"{len(classes())} layers" in table
    for name, cls in classes().items():
        assert f"<code>{name}</code>" in table
        assert cls.line._repr_html_() in table


def test_the_code_of_the_readme_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102
    assert f"# {names['line'].gradient(1)!r}" in block
    torch.testing.assert_close(
        names["layer"](names["x"]),
        names["line"].literal(names["x"], names["layer"].weight) + names["layer"].bias,
    )


def test_the_picture_of_the_readme_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / path).exists(), path


def test_the_headings_that_the_five_pages_are_led_to_are_there() -> None:
    """Links to anchors are checked when the site is built; a heading is only named."""
    folder = ROOT / "chapters"
    text = (folder / "sources.md").read_text(encoding="utf-8")
    named = re.findall(r'\]\((\S+\.ipynb)\), ("[^|;]+)', text)
    headings = [(page, heading) for page, s in named for heading in s.split('"')[1::2]]
    assert len(headings) > 20
    for page, heading in headings:
        assert re.search(
            rf"^#+ {re.escape(heading)}$", prose(folder / page), re.MULTILINE
        ), page


def report() -> None:
    """Prints for each page how long it is."""
    print(f"{'page':32}{'words':>7}{'cells':>7}{'minutes':>9}{'words a sentence':>18}")
    for path in [*CHAPTERS, *REFERENCES]:
        name, said, ran = (
            str(path.relative_to(ROOT / "chapters")),
            words(path),
            code(path),
        )
        sentences = len(re.findall(r"[.?!](?=\s)", prose(path))) or 1
        took = minutes(path)
        print(f"{name:32}{said:7}{len(ran):7}{took:9}{said / sentences:18.1f}")


if __name__ == "__main__":
    report()
