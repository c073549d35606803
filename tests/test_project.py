"""The last project is the same net over torch's layers, layerlib's, and the stories'."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import layerlib
from classroom.own import needed
from layerlib.lab import same
from test_book import PROJECT, code

STORIES = PROJECT.parent
OWN = {
    "GELU": ("activation", "OwnGELUSolution"),
    "Embedding": ("embedding", "OwnEmbedding"),
    "LayerNorm": ("norm", "OwnLayerNorm"),
    "Linear": ("linear", "OwnLinear"),
    "MultiheadAttention": ("attention", "OwnAttention"),
}
"""The classes that stories end with and the project uses: of which page, called what."""


def defined(page: Path, name: str) -> Any:
    """A class or function as the reader of a page has it."""
    names: dict[str, Any] = {}
    exec(needed(name, [cell["source"] for cell in code(page)]), names)  # noqa: S102
    return names[name]


@pytest.fixture(scope="module")
def built() -> Any:
    return defined(PROJECT, "GPT")


@pytest.fixture(scope="module")
def own() -> SimpleNamespace:
    """The layers of `layerlib`, and in their place those that the reader has written."""
    layers = {name: getattr(layerlib, name) for name in layerlib.__all__}
    classes = {
        name: defined(STORIES / f"{page}.ipynb", cls)
        for name, (page, cls) in OWN.items()
    }
    return SimpleNamespace(**layers | classes)


def made(built: Any, layers: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return built(layers, 11, features=8, heads=2, blocks=2, length=6).double()


@pytest.mark.parametrize("theirs", [torch.nn, layerlib], ids=["torch", "layerlib"])
def test_built_over_the_stories_classes(
    built: Any, own: SimpleNamespace, theirs: Any
) -> None:
    ours, theirs = made(built, own), made(built, theirs)
    used = {type(module).__name__ for module in ours.modules()}
    assert {name for _, name in OWN.values()} <= used
    ours.load_state_dict(theirs.state_dict())
    same(ours, theirs, torch.randint(11, (6, 3)))


def test_a_token_sees_nothing_that_comes_later(built: Any) -> None:
    net = made(built, layerlib)
    tokens = torch.randint(10, (6, 1))
    changed = tokens.clone()
    changed[4] = 10
    before, after = net(tokens), net(changed)
    assert torch.equal(before[:4], after[:4])
    assert not torch.equal(before[4:], after[4:])
