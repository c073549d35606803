"""What torch takes for a dropout, and how it draws."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.activation import Values, written
from layerlib.conventions.call import Call
from layerlib.conventions.signature import along, convention


def drawn(input: Tensor, probability: float, axes: int | None = None) -> Tensor:
    """1 with this probability, and else 0: for each number, or for the first axes."""
    like = input if axes is None else input.new_empty(input.shape[:axes])
    return torch.empty_like(like).bernoulli_(probability)  # in the order in memory


def checked(call: Call) -> None:
    """Checks p; where nothing is to be drawn, it is as if not in training."""
    x, p, training = call.input, call.p, call.training
    call.expect(0 <= p <= 1, "a probability p from 0 to 1", p)
    call.training = bool(training and 0 < p < 1 and x.numel())
    if call.training:
        told, errors = "floating-point numbers", (TypeError, NotImplementedError)
        call.expect(x.is_floating_point(), told, x.dtype, errors)
        written(call)
    elif training and p == 1:
        call.then(lambda y: y.mul_(0) if call.inplace else y * 0)


def of_channels(call: Call) -> None:
    """The same for an input of some axes, which gets an axis b where it has none."""
    n, axes, shape = call.n, call.input.ndim, tuple(call.input.shape)
    told = f"{n + 1} or {n + 2} axes" if n else "axes b and c"
    call.expect(axes in (2, 3) if n == 1 else axes > (n != 3), told, shape)
    if n and axes not in (n + 1, n + 2):
        told = f"{call.layer}: expected {told}, got {shape}"
        warnings.warn(f"{told}; torch will refuse it one day", stacklevel=3)
    if (n, axes) == (2, 3):
        told = "dropout2d: three axes are taken as (batch, channels, length)"
        warnings.warn(f"{told}; for these there is dropout1d", stacklevel=3)
    checked(call)
    if call.training and n in (1, 3) and axes != n + 2:
        call.input = call.input[None]
        call.then(lambda y: y[0])


def dropping(function: Callable[..., Any]) -> Values:
    """Decorates a function with what torch's takes and checks."""
    prepare = of_channels if function.__name__.startswith("feature") else checked
    return convention(prepare, inplace=True)(function)


def over_channels(function: Callable[..., Any]) -> tuple[Values, Values, Values]:
    """The same for dropout1d, dropout2d and dropout3d."""
    function.__name__ = "dropout"
    return along(of_channels, inplace=True)(function)
