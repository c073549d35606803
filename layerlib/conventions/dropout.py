"""What torch takes for a dropout, and how it draws."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.activation import Values, with_inplace, written
from layerlib.conventions.expect import expect
from layerlib.conventions.signature import Given, along, convention

Function = Callable[..., Any]


def drawn(input: Tensor, probability: float, axes: int | None = None) -> Tensor:
    """1 with this probability, and else 0: for each number, or for the first axes."""
    like = input if axes is None else input.new_empty(input.shape[:axes])
    return torch.empty_like(like).bernoulli_(probability)  # in the order in memory


def checked(layer: str, _n: int, given: Given) -> Function | None:
    """Checks p; where nothing is to be drawn, it is as if not in training."""
    x, p, training = given["input"], given["p"], given["training"]
    expect(layer, 0 <= p <= 1, "a probability p from 0 to 1", p)
    given["training"] = bool(training and 0 < p < 1 and x.numel())
    if given["training"]:
        told, errors = "floating-point numbers", (TypeError, NotImplementedError)
        expect(layer, x.is_floating_point(), told, x.dtype, errors)
        return written(given)
    inplace, nothing = given.pop("inplace"), training and p == 1
    return (lambda y: y.mul_(0) if inplace else y * 0) if nothing else None


def of_channels(layer: str, n: int, given: Given) -> Function | None:
    """The same for an input of some axes, which gets an axis b where it has none."""
    axes, shape = given["input"].ndim, tuple(given["input"].shape)
    told = f"{n + 1} or {n + 2} axes" if n else "axes b and c"
    expect(layer, axes in (2, 3) if n == 1 else axes > (n != 3), told, shape)
    if n and axes not in (n + 1, n + 2):
        told = f"{layer}: expected {told}, got {shape}; torch will refuse it one day"
        warnings.warn(told, stacklevel=3)
    if (n, axes) == (2, 3):
        told = "dropout2d: three axes are taken as (batch, channels, length)"
        warnings.warn(f"{told}; for these there is dropout1d", stacklevel=3)
    finish = checked(layer, n, given)
    if not given["training"] or n in (0, 2) or axes == n + 2:
        return finish
    given["input"] = given["input"][None]
    return lambda y: finish(y[0]) if finish else y[0]


def dropping(function: Function) -> Values:
    """Decorates a function with what torch's takes and checks."""
    prepare = of_channels if function.__name__.startswith("feature") else checked
    return convention(prepare)(with_inplace(function))


def over_channels(function: Function) -> tuple[Values, Values, Values]:
    """The same for dropout1d, dropout2d and dropout3d."""
    function.__name__ = "dropout"
    return along(of_channels)(with_inplace(function))
