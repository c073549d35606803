"""What layers along one, two and three axes share."""

from typing import Any

import pytest
import torch

from examples import randn
from layerlib.conventions.call import Call


def numbers(value: Any) -> tuple[Any, ...]:
    call = Call("conv2d", 2, {"stride": value})
    found = call.numbers("stride", 2, 1)
    assert call.stride is found
    return found


def test_numbers() -> None:
    assert numbers(3) == (3, 3)
    assert numbers([4]) == (4, 4)
    assert numbers((1, 2)) == (1, 2)
    assert numbers(torch.Size([1, 2])) == (1, 2)
    for wrong in ((), (1, 2, 3)):
        with pytest.raises(
            ValueError, match=r"^conv2d: expected stride to be a number or 2 "
        ):
            numbers(wrong)
    with pytest.raises(
        ValueError, match=r"^conv2d: expected stride of at least 1, got \(1, 0\)$"
    ):
        numbers((1, 0))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_batched(n: int) -> None:
    x = randn(2, 3, *range(4, 4 + n))
    call = Call("conv", n, {"input": x})
    assert call.batched(n) is call.input is x
    assert not call.after
    call = Call("conv", n, {"input": x[0]})
    assert torch.equal(call.batched(n), x[:1])
    (unbatched,) = call.after
    assert torch.equal(unbatched(x), x[0])
    axes = {1: "length", 2: "height, width", 3: "depth, height, width"}[n]
    for wrong in (x[0, 0], x[None]):
        told = rf"^conv: expected an input of shape \(batch, channels, {axes}\), or"
        with pytest.raises(ValueError, match=told):
            Call("conv", n, {"input": wrong}).batched(n)
