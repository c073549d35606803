"""`show` gives the source that runs, `moves` the operations that ran."""

import importlib
import linecache
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

import layerlib
from layerlib.lab import moves, show
from layerlib.linear import linear


def test_source_stands_below_its_lines() -> None:
    shown = str(show(linear))
    assert shown.startswith(
        'LINEAR = Recipe("... i, o i -> ... o")\nDOT = Recipe("... i, i -> ...")\n\n\n'
        "@convention(fits_linear)\ndef linear("
    )
    assert "BILINEAR" not in shown
    assert shown.endswith("return y if bias is None else y + bias")


def test_source_of_a_class_and_of_a_method() -> None:
    assert str(show(layerlib.Flatten)).startswith("FLATTEN = Rearrange(")
    assert str(show(layerlib.Flatten.forward)).startswith("def forward(")


MODULE = '''
from layerlib.conventions.signature import along, convention
from layerlib.linear import DOT as PRODUCT, LINEAR
from layerlib.recipe import Bend, Reduce, Recipe
import torch

HIGHEST = Reduce("... k -> ...", "max")
EXP = Bend("exp", torch.exp)
WAYS: dict[str, Recipe] = {
    "there": Recipe("i, j -> i j"),
    "back": Recipe("j, i -> i j"),
}
UNUSED = Recipe("i ->")
small = 3


def checked(layer, n, given):
    """Nothing."""


@along(checked)
def pool(input, small=2):
    """Not by UNUSED."""
    x = LINEAR(EXP(input), WAYS["there"](input, input))
    return HIGHEST(x)


pool1d, pool2d, pool3d = pool


@convention(checked)
def plain(input):
    return input
'''


@pytest.fixture
def family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[types.ModuleType]:
    (tmp_path / "a_family.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("a_family")
    del sys.modules["a_family"]


def test_a_function_along_axes_is_shown_once_with_all_that_it_uses(
    family: types.ModuleType,
) -> None:
    shown = str(show(family.pool2d))
    assert shown == str(show(family.pool)) == str(show(family.pool1d))
    lines, source = shown.split("\n\n\n")
    used = [MODULE[MODULE.index("HIGHEST =") : MODULE.index("UNUSED")].strip()]
    assert lines.splitlines() == [
        'LINEAR = Recipe("... i, o i -> ... o")',
        *used[0].splitlines(),
    ]
    assert source == MODULE[MODULE.index("@along") : MODULE.index("\n\n\npool1d")]
    namespace: dict[str, Any] = {}
    exec("import torch; from layerlib.recipe import *\n" + lines, namespace)  # noqa: S102
    assert namespace["HIGHEST"] == family.HIGHEST


def test_a_function_with_a_convention_is_shown_with_it(
    family: types.ModuleType,
) -> None:
    assert str(show(family.plain)) == (
        "@convention(checked)\ndef plain(input):\n    return input"
    )


def test_source_of_a_notebook_needs_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "<ipython-input-1>"
    text = "def cell(x):\n    return LINE(x)\n"
    monkeypatch.setitem(
        linecache.cache,
        name,
        (len(text), None, [*text.splitlines(keepends=True)], name),
    )
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), namespace)  # noqa: S102
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    assert str(show(namespace["cell"])) == text.rstrip()


def test_markdown_is_a_block_of_python() -> None:
    shown = show(layerlib.Linear.forward)
    assert shown._repr_markdown_() == f"```python\n{shown}\n```"


@pytest.mark.parametrize("thing", [torch.relu, functional.linear, 3])
def test_what_has_no_source(thing: object) -> None:
    with pytest.raises(TypeError, match="has no source in Python"):
        show(thing)


def test_moves_of_torch() -> None:
    x, w, b = torch.ones(2, 3), torch.ones(4, 3), torch.ones(4)
    assert moves(functional.linear, x, w, b) == ["t", "addmm"]
    assert moves(functional.gelu, x, approximate="tanh") == ["gelu"]
    assert "gelu_backward" in moves(functional.gelu, x.requires_grad_(), backward=True)


def test_moves_imports_no_compiler() -> None:
    """It would take 2 s in each notebook."""
    code = (
        "import sys, torch; from layerlib.lab import moves;"
        "moves(torch.neg, torch.ones(2)); print('torch._dynamo' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"


def test_moves_of_ours_hold_one_product() -> None:
    names = moves(linear, torch.ones(2, 3), torch.ones(4, 3), torch.ones(4))
    assert names.count("mm") == 1
    assert names[-1] == "add"
