"""`make check` runs the tests of what changed, and says what it leaves out."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

import layerlib
from tools import check

FILES = {
    "layerlib/__init__.py": "from layerlib.conv import Conv1d\n",
    "layerlib/recipe.py": "",
    "layerlib/conv.py": """
from typing import NamedTuple
from layerlib.engine import windows
class Place(NamedTuple): ...
class _Conv(Base): ...
class Conv1d(_Conv): ...
class Conv2d(_Conv): ...
def conv(): ...
def _helper(): ...
""",
    "layerlib/linear.py": "from layerlib.recipe import Recipe\nclass Linear(Base): ...",
    "layerlib/engine/__init__.py": "",
    "layerlib/engine/windows.py": "from layerlib.engine.pieces import cut\n",
    "layerlib/engine/pieces.py": "",
    "tests/test_contract.py": "",
    "tests/test_purity.py": "",
    "tests/test_readability.py": "",
    "tests/test_conv.py": "",
    "tests/test_windows.py": "",
    "tests/test_exercises.py": "",
    "tests/test_book.py": "",
    "tests/test_tools.py": "",
    "tests/examples/conv.py": "",
    "classroom/judge.py": "",
    "chapters/conv.ipynb": "",
    "tools/check.py": "",
    "README.md": "",
    "_toc.yml": "",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


CONV = ["tests/test_conv.py", "tests/test_readability.py", "layerlib/conv.py"]


@pytest.mark.parametrize(
    ("changed", "whole", "layers"),
    [
        ("layerlib/conv.py", CONV, ["Conv1d", "Conv2d", "conv"]),
        ("tests/examples/conv.py", CONV, ["Conv1d", "Conv2d", "conv"]),
        ("layerlib/engine/windows.py", ["tests/test_windows.py", "layerlib/engine/windows.py"], ["Conv1d"]),
        ("layerlib/engine/pieces.py", ["layerlib/engine/pieces.py"], ["Conv1d"]),
        ("layerlib/recipe.py", ["layerlib/recipe.py"], ["Linear"]),
        ("layerlib/__init__.py", ["tests/test_contract.py"], []),
        ("layerlib/engine/__init__.py", [], []),
        ("tests/test_book.py", ["tests/test_book.py"], []),
        ("classroom/judge.py", ["tests/test_exercises.py"], []),
        ("tools/check.py", ["tests/test_tools.py"], []),
        ("_toc.yml", ["tests/test_book.py"], []),
        ("README.md", [], []),
        ("chapters/conv.ipynb", [], []),
        ("gone.py", [], []),
    ],
)  # fmt: skip
def test_what_is_run(
    house: Path, changed: str, whole: list[str], layers: list[str]
) -> None:
    made = check.plan([changed], house)
    assert [*made.whole] == whole
    assert [*made.layers] == layers


def test_what_is_left_out_is_known(house: Path) -> None:
    assert [*check.plan(["layerlib/engine/pieces.py"], house).left] == [
        "tests/test_conv.py"
    ]
    assert [*check.plan(["gone.py"], house).left] == [
        "what stood on gone.py, as it is gone"
    ]


def test_steps_in_their_order(house: Path) -> None:
    made = check.plan(["layerlib/conv.py", "chapters/conv.ipynb"], house)
    steps = made.commands(house)
    assert [*steps] == [
        "format", "lint", "types", "form of the notebooks", "tests of what changed",
        "tests over all layers",
    ]  # fmt: skip
    assert steps["form of the notebooks"][-1] == "chapters/conv.ipynb"
    assert steps["tests of what changed"][-3:] == CONV
    assert steps["tests over all layers"][-4:] == [
        "tests/test_contract.py", "tests/test_purity.py", "-k", "Conv1d or Conv2d or conv",
    ]  # fmt: skip
    assert [*check.plan([], house).commands(house)] == ["format", "lint", "types"]


def test_git_says_what_changed(house: Path) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *arguments], cwd=house, check=True)

    with pytest.raises(OSError, match="not a git repository"):
        check.changed(house)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "All")
    assert check.changed(house) == []
    (house / "README.md").write_text("more")
    (house / "über uns.md").write_text("new")
    (house / "layerlib/linear.py").unlink()
    git("add", "README.md")
    assert check.changed(house) == ["README.md", "layerlib/linear.py", "über uns.md"]


def test_it_stops_at_the_first_step_that_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    steps = {
        name: [sys.executable, "-c", f"print({name!r}, flush=True); exit({code})"]
        for name, code in {"one": 0, "two": 3, "three": 0}.items()
    }
    assert check.run(steps, 60, tmp_path) == 3
    assert capfd.readouterr().out == "== one\none\n== two\ntwo\n"


def test_it_stops_when_the_time_is_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test_slow.py").write_text(
        "import time\ndef test_a(): pass\ndef test_b(): time.sleep(60)\n"
    )
    pytest_ = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-n2",
        "-p",
        "no:cacheprovider",
    ]
    steps = {"slow": [*pytest_, "test_slow.py"]}
    start = time.monotonic()
    assert check.run(steps, 10, tmp_path) == 0
    assert time.monotonic() - start < 50
    told = capfd.readouterr().out
    assert told.endswith("The time was up before the end of: slow.\n")
    assert "Traceback" not in told
    # What did not run at all is no success.
    assert check.run({**steps, "more": ["true"]}, 1, tmp_path) == 1
    assert capfd.readouterr().out.endswith("before the end of: slow, more.\n")


@pytest.mark.parametrize("family", ["nosuch", "recipe"])
def test_a_family_that_is_not_there(
    family: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main([family]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"there is no family {family!r}; there are: activation, ")
    assert told.count("\n") == 1


def test_each_family_has_layers() -> None:
    for family in check.families():
        assert check.layers(family), family
        assert (check.ROOT / f"tests/test_{family}.py").is_file()
    assert set(check.MODELS) == layerlib.MODELS
    others = ("contract", "purity", *check.MODELS.values())
    assert all((check.ROOT / f"tests/test_{n}.py").is_file() for n in others)


def test_a_model_runs_the_tests_of_its_models() -> None:
    made = check.plan(["layerlib/mixer.py"])
    assert [*made.whole] == [
        "tests/test_vision.py", "tests/test_readability.py", "layerlib/mixer.py"
    ]  # fmt: skip
