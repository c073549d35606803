"""Each operation of einx's page of common network operations, beside its recipe."""

from typing import Any

import einx
import pytest
import torch
from cases import Einx
from einx_page import GRID_SIZE, PAGE
from torch import nn
from torch.testing import assert_close

from layerlib.lab import same

SMALL = {
    "LayerScale": [(2, 3, 96)],
    "Class token": [(2, 3, 2, 384)],
    "Positional embedding": [(2, *GRID_SIZE, 384)],
    "Word embedding": [(2, 5)],
    "Layer normalization": [(2, 3, 384)],
    "Multihead attention": [(2, 5, 24), (2, 6, 24), (2, 6, 24)],
    "Shifted windows": [(2, *GRID_SIZE, 3)],
    "Shifted windows, and back": [(8, 49, 3)],
    "MLP along spatial axes": [(2, *GRID_SIZE, 3)],
}
"""Smaller inputs than those that are measured."""


def test_every_operation_of_the_page_is_here() -> None:
    assert SMALL.keys() == PAGE.keys()


class Written(Einx):
    """With the names of the layer's own parameters, so that all can be compared."""

    def named_parameters(self, *_: Any, **__: Any) -> Any:
        return self.layer.named_parameters()

    def state_dict(self, *_: Any, **__: Any) -> Any:
        return self.layer.state_dict()


@pytest.mark.parametrize("name", PAGE)
def test_equals_einx(name: str) -> None:
    layer = PAGE[name].build().double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    inputs = [torch.randn(shape, dtype=torch.float64) for shape in SMALL[name]]
    report = str(same(layer, Written(layer, PAGE[name].written), *inputs))
    assert all(name in report for name, _ in layer.named_parameters())


def test_einx_divides_a_variance_by_one_less() -> None:
    """So a layer norm that uses it is not torch's: the reason for our other line."""
    x = torch.tensor([1.0, 2.0, 3.0, 6.0])
    assert_close(einx.var("[c]", x), x.var(correction=1))
