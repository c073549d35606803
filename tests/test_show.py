"""`show` gives the source that runs, `moves` the operations that ran."""

import pytest
import torch
from torch.nn import functional

import layerlib
from layerlib.lab import moves, show
from layerlib.linear import linear


def test_source_stands_below_its_lines() -> None:
    shown = str(show(linear))
    assert shown.startswith(
        'LINEAR = Recipe("... i, o i -> ... o")\nDOT = Recipe("... i, i -> ...")\n\n\ndef linear('
    )
    assert "BILINEAR" not in shown
    assert shown.endswith("return output if bias is None else output + bias")


def test_source_of_a_class_and_of_a_method() -> None:
    assert str(show(layerlib.Flatten)).startswith("FLATTEN = Rearrange(")
    assert str(show(layerlib.Flatten.forward)).startswith("def forward(")


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


def test_moves_of_ours_hold_one_product() -> None:
    names = moves(linear, torch.ones(2, 3), torch.ones(4, 3), torch.ones(4))
    assert names.count("bmm") == 1
    assert names[-1] == "add"
