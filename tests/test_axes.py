"""What layers along one, two and three axes share."""

import itertools

import pytest
import torch
from torch import nn

from examples import randn
from layerlib.conventions.axes import batched, counts, numbers


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


def test_counts_are_those_of_unfold() -> None:
    for n, k, s, d in itertools.product(
        range(9), range(1, 4), range(1, 4), range(1, 4)
    ):
        reach = d * (k - 1) + 1
        x = torch.arange(n)
        right = x.unfold(0, reach, s)[:, ::d] if reach <= n else x.new_zeros(0, k)
        assert counts([n], [k], [s], [d]) == (len(right),)


def test_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        counts([7, 7], [3], [1], [1])


def test_the_count_is_torchs() -> None:
    for how in ({}, {"stride": 2}, {"dilation": 2, "stride": 3}):
        layer = nn.Conv1d(1, 1, 3, **how)
        right = layer(torch.zeros(1, 1, 10)).shape[-1:]
        assert counts([10], [3], layer.stride, layer.dilation) == right
