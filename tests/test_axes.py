"""What layers along one, two and three axes share."""

import pytest
import torch

from examples import randn
from layerlib.conventions.axes import batched, numbers


def test_numbers() -> None:
    assert numbers("conv2d", "stride", 3, 2) == (3, 3)
    assert numbers("conv2d", "stride", [4], 2) == (4, 4)
    assert numbers("conv2d", "stride", (1, 2), 2) == (1, 2)
    assert numbers("conv2d", "stride", torch.Size([1, 2]), 2) == (1, 2)
    for wrong in ((), (1, 2, 3)):
        with pytest.raises(
            ValueError, match=r"^conv2d: expected stride to be a number or 2 "
        ):
            numbers("conv2d", "stride", wrong, 2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_batched(n: int) -> None:
    x = randn(2, 3, *range(4, 4 + n))
    same, had = batched("conv", x, n)
    assert same is x
    assert had
    one, had = batched("conv", x[0], n)
    assert torch.equal(one, x[:1])
    assert not had
    axes = {1: "length", 2: "height, width", 3: "depth, height, width"}[n]
    for wrong in (x[0, 0], x[None]):
        told = rf"^conv: expected an input of shape \(batch, channels, {axes}\), or"
        with pytest.raises(ValueError, match=told):
            batched("conv", wrong, n)
