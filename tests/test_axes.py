"""What layers along one, two and three axes share."""

import inspect
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from examples import randn
from layerlib.conventions.axes import along, batched, counts, numbers, places


def _scale(n: int, input: Tensor, factor: float = 2.0, **more: Any) -> Tensor:
    """``(...) -> (...)``: as it is told."""
    return input * factor**n + len(more)


scale1d, scale2d, scale3d = along(_scale)


def test_along_gives_functions_as_torch_has_them() -> None:
    for n, function in enumerate((scale1d, scale2d, scale3d), 1):
        assert function.__name__ == function.__qualname__ == f"scale{n}d"
        assert function.__module__ == __name__
        assert function.__doc__ == _scale.__doc__
        assert inspect.isfunction(function)
        assert list(inspect.signature(function).parameters) == [
            "input",
            "factor",
            "more",
        ]
        assert inspect.signature(function).parameters["factor"].default == 2.0
        x = randn(3)
        assert torch.equal(function(x), x * 2**n)
        assert torch.equal(function(input=x, factor=3.0, other=0), x * 3**n + 1)


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


def test_counts_and_places_are_those_of_unfold() -> None:
    for n, k, s, d in itertools.product(
        range(9), range(1, 4), range(1, 4), range(1, 4)
    ):
        reach = d * (k - 1) + 1
        x = torch.arange(n)
        right = x.unfold(0, reach, s)[:, ::d] if reach <= n else x.new_zeros(0, k)
        (count,) = counts([n], [k], [s], [d])
        assert count == len(right)
        seen = [x[at] for at in places([k], [s], [d], [count])]
        assert torch.equal(torch.stack(seen, 1), right)


def test_places_run_fastest_along_the_last_axis() -> None:
    found = list(places((2, 3), (1, 2), (1, 1), (4, 5)))
    starts = [tuple(at.start for at in place) for place in found]
    assert starts == list(itertools.product(range(2), range(3)))
    assert found[-1] == (slice(1, 5, 1), slice(2, 11, 2))


def test_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        counts([7, 7], [3], [1], [1])
    with pytest.raises(ValueError, match="zip"):
        list(places([3, 3], [1], [1], [1]))


def test_the_count_is_torchs() -> None:
    for how in ({}, {"stride": 2}, {"dilation": 2, "stride": 3}):
        layer = nn.Conv1d(1, 1, 3, **how)
        right = layer(torch.zeros(1, 1, 10)).shape[-1:]
        assert counts([10], [3], layer.stride, layer.dilation) == right
