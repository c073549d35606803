"""Classes of the reader's own are kept with what they need, and run in a namespace."""

import sys
from pathlib import Path

import pytest
import torch
from einops import rearrange
from IPython.core.interactiveshell import InteractiveShell
from torch import nn

import layerlib
from classroom import keep, mine, own

CELLS = (
    "import math, torch\nimport torch.nn.functional as F",
    "from einops import rearrange, reduce\nfrom torch import nn",
    "weight = undefined_and_of_no_use = 3",
    "SCALE = 2.0\n%timeit -n1 -r1 0",
    "def halved(number):\n    return number / SCALE",
    "this is no Python",
    """class OwnLinear(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, input):
        weight = rearrange(self.weight, "o i -> o i")
        rows = rearrange(input, "... i -> ... 1 i")
        return halved(reduce(rows * weight, "... o i -> ... o", "sum"))""",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(own, "MINE", tmp_path / "chapters" / "mine")
    return tmp_path / "chapters" / "mine"


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    """A notebook in which the cells above were run."""
    shell = InteractiveShell()
    monkeypatch.setitem(sys.modules, "__main__", shell.user_module)
    monkeypatch.setattr(shell.user_module, "__name__", "__main__")
    for cell in CELLS:
        shell.run_cell(cell, store_history=True, silent=False)
    return shell


def test_a_class_is_kept_with_what_it_needs(
    folder: Path, notebook: InteractiveShell
) -> None:
    kept = keep(notebook.user_ns["OwnLinear"])
    assert repr(kept) == (
        "kept as chapters/mine/Linear.py, to run in the place of layerlib.Linear"
    )
    assert [path.name for path in folder.iterdir()] == ["Linear.py"]
    text = (folder / "Linear.py").read_text()
    assert text.startswith(
        "from einops import rearrange\nfrom einops import reduce\n"
        "from torch import nn\nimport math\nimport torch\n\nSCALE = 2.0\n\ndef halved("
    )
    assert "weight = undefined" not in text  # a name within the class, and a cell's
    assert "functional" not in text
    assert text.endswith("\n\nLinear = OwnLinear\n")


def test_what_was_kept_runs_in_the_place_of_the_layer(
    notebook: InteractiveShell,
) -> None:
    assert repr(mine()) == "your own layers: none yet; else layerlib's"
    assert mine().Linear is layerlib.Linear
    keep(notebook.user_ns["OwnLinear"])
    layers = mine()
    assert repr(layers) == "your own Linear; else layerlib's"
    assert layers.Linear.__name__ == "OwnLinear"
    assert layers.Linear is layers.Linear
    assert layers.LayerNorm is layerlib.LayerNorm
    own = layers.Linear(4, 3)
    theirs = torch.nn.Linear(4, 3, bias=False)
    theirs.load_state_dict(own.state_dict())
    torch.testing.assert_close(2 * own(torch.eye(4)), theirs(torch.eye(4)))
    with pytest.raises(AttributeError, match="no attribute 'Linaer'"):
        layers.Linaer  # noqa: B018


def test_kept_under_the_name_that_is_given(
    notebook: InteractiveShell,
) -> None:
    keep(notebook.user_ns["OwnLinear"])
    kept = keep(notebook.user_ns["OwnLinear"], "Mixer")
    assert repr(kept) == "kept as chapters/mine/Mixer.py"
    assert repr(mine()) == "your own Linear, Mixer; else layerlib's"
    assert mine().Mixer(4, 3)


def test_the_last_one_that_was_written_is_kept(
    notebook: InteractiveShell,
) -> None:
    for value in (1, 2):
        notebook.run_cell(
            f"VALUE = {value}\n@lambda make: make()\ndef number():\n"
            "    return VALUE\nclass Norm(nn.Module):\n"
            "    def forward(self, input):\n        return input * number",
            store_history=True,
        )
        keep(notebook.user_ns["Norm"])
        assert mine().Norm()(3) == 3 * value


class Own(nn.Module):
    """From a file."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return rearrange(input, "i o -> o i")


def test_class_of_a_file() -> None:
    keep(Own, "Swap")
    assert torch.equal(mine().Swap()(torch.eye(2, 3)), torch.eye(3, 2))


@pytest.mark.parametrize("given", [nn.ReLU(), int, "Linear", len])
def test_what_is_no_layer_is_refused(given: object, folder: Path) -> None:
    with pytest.raises(TypeError, match=r"keep: expected a class made from nn\.Module"):
        keep(given)  # type: ignore[arg-type]
    assert not folder.exists()


def test_bad_names_are_refused(folder: Path, notebook: InteractiveShell) -> None:
    for name in ("../Linear", "a b"):
        with pytest.raises(ValueError, match="keep: expected the name of a layer, got"):
            keep(notebook.user_ns["OwnLinear"], name)
    assert not folder.exists()


def test_class_that_does_not_run_is_not_kept(
    folder: Path, notebook: InteractiveShell
) -> None:
    keep(notebook.user_ns["OwnLinear"])
    before = (folder / "Linear.py").read_text()
    notebook.user_ns["Base"] = nn.Module  # by no statement of the notebook
    notebook.run_cell(
        "class OwnLinear(Base):\n    def forward(self): ...",
        store_history=True,
    )
    with pytest.raises(
        ValueError, match=r"OwnLinear does not run by itself: NameError: .*'Base'"
    ):
        keep(notebook.user_ns["OwnLinear"])
    assert (folder / "Linear.py").read_text() == before


def test_class_without_a_source_is_refused(folder: Path) -> None:
    made = type("Made", (nn.Module,), {})
    with pytest.raises(ValueError, match="keep: the source of Made was not found"):
        keep(made)
    assert not folder.exists()


@pytest.mark.parametrize("text", ["Linear = ", "import nowhere_at_all", "Other = 3"])
def test_damaged_file_is_named(text: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "Linear.py").write_text(text)
    with pytest.raises(ImportError, match=r"Linear\.py does not give a layer Linear"):
        mine().Linear  # noqa: B018
