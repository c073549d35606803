"""A class that is a function, given the class's own attributes."""

import copy
import pickle

import torch
from torch import Tensor, nn

from examples import randn
from layerlib.conventions.layer import Computed


def power(
    input: Tensor, exponent: float = 1.0, unknown: int = 7, inplace: bool = False
) -> Tensor:
    out = input if inplace else input.clone()
    return out.pow_(exponent).add_(unknown)


class Settings(nn.Module):
    def __init__(self, exponent: float, inplace: bool = False) -> None:
        super().__init__()
        self.exponent, self.inplace, self.other = exponent, inplace, "not asked for"


class Power(Computed, Settings, by=power):
    pass


class Heir(Power):
    pass


def test_attributes_are_given_by_name() -> None:
    x = randn(3)
    for cls in (Power, Heir):
        assert cls.settings == ("exponent", "unknown", "inplace")
        assert torch.equal(cls(2.0)(x), x**2 + 7)
    layer = Power(2.0)
    layer.exponent = 3.0  # read at each call
    assert torch.equal(layer(input=x), x**3 + 7)
    y = x.clone()
    assert Power(2.0, inplace=True)(y) is y


def test_the_constructor_is_the_other_class_s() -> None:
    assert Power.__init__ is Settings.__init__
    assert Power.forward is Computed.forward


def test_copies_are_the_same_layer() -> None:
    x, layer = randn(3), Heir(2.0)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301
        assert type(other) is Heir
        assert torch.equal(other(x), layer(x))
