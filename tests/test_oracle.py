"""The oracle is seen to bite: each kind of difference is found and named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from layerlib.lab import raised, same

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


class Detached(torch.autograd.Function):
    """Half of the input, with the gradient of the whole."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        return x / 2

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return gradient


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (torch.sin, torch.cos, "value: Tensor-likes are not close"),
        (
            lambda x: x[:, :1],
            lambda x: x[:, 0],
            "value: The values for attribute 'shape'",
        ),
        (lambda x: x.double(), lambda x: x, "value: The values for attribute 'dtype'"),
        (lambda x: (x, x), lambda x: x, "value: expected 1 tensors, got 2"),
        (Detached.apply, lambda x: x / 2, "gradient of input 0: Tensor-likes"),
        (torch.detach, lambda x: x, "gradient of input 0: ours does not depend on it"),
        (
            lambda x: x,
            torch.detach,
            "gradient of input 0: theirs does not depend on it",
        ),
        (lambda x: (torch.rand(1), x)[1], lambda x: x, "generator: ours drew other"),
        (lambda x: x - (x - x.detach()), torch.detach, "gradient of input 0: theirs"),
    ],
)
def test_differences(ours: Any, theirs: Any, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        same(ours, theirs, X)


def test_a_plain_sum_would_hide_this() -> None:
    """Under a loss that is a sum, the gradient of a centred input is zero anyway."""

    def centred(x: Tensor) -> Tensor:
        return x - x.mean(-1, keepdim=True)

    def detached(x: Tensor) -> Tensor:
        return centred(x).detach() + 0 * x

    with pytest.raises(AssertionError, match="gradient of input 0"):
        same(detached, centred, X)


def test_second_gradients_are_compared_when_asked() -> None:
    def cubed(x: Tensor) -> Tensor:
        return x**3

    class Forgetful(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return gradient * 3 * x * x.detach()

    same(Forgetful.apply, cubed, X)
    with pytest.raises(AssertionError, match="second gradient of input 0"):
        same(Forgetful.apply, cubed, X, second=True)


def test_states_are_compared(twins: Callable[..., Any]) -> None:
    ours, theirs = twins([nn.Linear, nn.Linear], 3, 2)
    same(ours, theirs, X)
    with pytest.raises(AssertionError, match=r"state: expected \['weight'\], got"):
        same(ours, nn.Linear(3, 2, bias=False), X)
    with torch.no_grad():
        ours.bias += 1
    with pytest.raises(AssertionError, match="state 'bias': Tensor-likes"):
        same(ours, theirs, X)


def test_buffers_are_compared_after_the_call(twins: Callable[..., Any]) -> None:
    class Other(nn.BatchNorm1d):
        def forward(self, input: Tensor) -> Tensor:
            output = super().forward(input)
            self.running_var = self.running_var + 0.1
            return output

    with pytest.raises(AssertionError, match="state 'running_var'"):
        same(*twins([Other, nn.BatchNorm1d], 3), X)


def test_dice_are_equal_and_left_alone() -> None:
    before = torch.get_rng_state()
    same(functional.dropout, nn.Dropout(), X)
    assert torch.equal(torch.get_rng_state(), before)


def test_inputs_are_not_changed_and_keep_their_strides() -> None:
    seen = []

    def doubled(x: Tensor) -> Tensor:
        seen.append(x.stride())
        return x.mul_(2)

    x = torch.arange(12).reshape(3, 4).T[::2]
    same(doubled, lambda x: x * 2, x)
    assert seen == [x.stride()]
    assert x.tolist() == [[0, 4, 8], [2, 6, 10]]


def test_nan_equals_nan() -> None:
    same(lambda x: x / 0 * 0, lambda x: x * torch.nan, X)


def test_what_a_call_raises() -> None:
    assert raised(int, "x", base=8).startswith("ValueError: invalid literal for int()")
    with pytest.raises(AssertionError, match="raised nothing"):
        raised(abs, -1)


def test_report_is_plain() -> None:
    assert str(same(functional.relu, torch.relu, X)) == (
        "value     (4, 3) float32\ngradient  input 0"
    )
