"""What torch checks and casts before a linear layer, and how NLinear does the same."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.dtypes import alike, autocast
from layerlib.conventions.expect import expect
from layerlib.conventions.signature import Given


def fits_linear(layer: str, _n: int, given: Given) -> Callable[[Tensor], Tensor] | None:
    """Of `linear`; an input that is sparse or nested is computed densely."""
    weight, finish = given["weight"], _dense(given)
    told = "a weight of shape (out_features, in_features) or (in_features,)"
    expect(layer, weight.ndim in (1, 2), told, weight)
    _check_features(layer, "input", given["input"], weight.shape[-1:])
    _check_bias(layer, given["bias"], weight.shape[:-1])
    autocast(given, "input", "weight", "bias")
    alike(layer, given, "input", "weight", "bias")
    return finish


def fits_bilinear(layer: str, _n: int, given: Given) -> None:
    """Of `bilinear`, which autocast leaves alone."""
    one, two, weight = given["input1"], given["input2"], given["weight"]
    told = "a weight of shape (out_features, in1_features, in2_features)"
    expect(layer, weight.ndim == 3, told, weight)
    _check_features(layer, "input1", one, weight.shape[1:2])
    _check_features(layer, "input2", two, weight.shape[2:])
    got = f"{tuple(one.shape)} and {tuple(two.shape)}"
    told = "two inputs that differ in their last axis only"
    expect(layer, one.shape[:-1] == two.shape[:-1], told, got)
    _check_bias(layer, given["bias"], weight.shape[:1])
    alike(layer, given, "input1", "input2", "weight", "bias")


def fits_nlinear(layer: str, _n: int, given: Given) -> None:
    """Of `nlinear`: broadcasting would share one weight between positions."""
    input, weight, bias = given["input"], given["weight"], given["bias"]  # noqa: A001
    told = "a weight of shape (*n, in_features, out_features)"
    expect(layer, weight.ndim >= 3, told, weight)
    *n, i, o = weight.shape
    told = f"the last axes of the input to be (*n, in_features) = {(*n, i)}"
    expect(layer, input.shape[-len(n) - 1 :] == (*n, i), told, input)
    told = f"a bias of shape (*n, out_features) = {(*n, o)}"
    expect(layer, bias is None or bias.shape == (*n, o), told, bias)
    autocast(given, "input", "weight")
    alike(layer, given, "input", "weight")


def positive(layer: str, argument: str, features: int) -> int:
    """The number of features, of which there has to be one at least."""
    expect(layer, features > 0, f"a positive {argument}", features)
    return features


def positions(layer: str, n: int | tuple[int, ...]) -> tuple[int, ...]:
    """How many positions there are along each axis; one number is one axis."""
    several = (n,) if isinstance(n, int) else tuple(n)
    told = "n to be a positive integer or a non-empty tuple of positive integers"
    expect(layer, min(several, default=0) > 0, told, n)
    return several


def _check_features(layer: str, name: str, input: Tensor, shape: torch.Size) -> None:
    told = f"{shape[0]} features in the last axis of {name}"
    expect(layer, input.shape[-1:] == shape, told, input)


def _check_bias(layer: str, bias: Tensor | None, shape: torch.Size) -> None:
    # The addition would broadcast a bias of another shape.
    fits = bias is None or bias.shape == shape
    expect(layer, fits, f"a bias of shape {tuple(shape)}", bias)


def _dense(given: Given) -> Callable[[Tensor], Any] | None:
    x = given["input"]
    if x.is_sparse or x.layout == torch.sparse_csr:
        given["input"] = x.to_dense()
    elif x.is_nested and x.layout == torch.jagged:
        given["input"] = x.values()
        return lambda y: torch.nested.nested_tensor_from_jagged(y, x.offsets())
    return None
