"""What torch checks and casts before a linear layer, and how NLinear does the same."""

from collections.abc import Sequence

import torch

from layerlib.conventions.call import Call
from layerlib.conventions.expect import expect


def fits_linear(call: Call) -> None:
    """Of `linear`; an input that is sparse or nested is computed densely."""
    x, weight = call.input, call.weight
    if x.is_sparse or x.layout == torch.sparse_csr:
        call.input = x.to_dense()
    elif x.is_nested and x.layout == torch.jagged:
        call.input = x.values()
        call.then(lambda y: torch.nested.nested_tensor_from_jagged(y, x.offsets()))
    told = "a weight of shape (out_features, in_features) or (in_features,)"
    call.expect(weight.ndim in (1, 2), told, weight)
    _features(call, input=weight.shape[-1])
    _bias(call, "", weight.shape[:-1])
    call.autocast("input", "weight", "bias")
    call.alike("input", "weight", "bias")


def fits_bilinear(call: Call) -> None:
    """Of `bilinear`, which autocast leaves alone."""
    one, two, weight = call.input1, call.input2, call.weight
    told = "a weight of shape (out_features, in1_features, in2_features)"
    call.expect(weight.ndim == 3, told, weight)
    _features(call, input1=weight.shape[1], input2=weight.shape[2])
    got = f"{tuple(one.shape)} and {tuple(two.shape)}"
    told = "two inputs that differ in their last axis only"
    call.expect(one.shape[:-1] == two.shape[:-1], told, got)
    _bias(call, "", weight.shape[:1])
    call.alike("input1", "input2", "weight", "bias")


def fits_nlinear(call: Call) -> None:
    """Of `nlinear`: broadcasting would share one weight between positions."""
    told = "a weight of shape (*n, in_features, out_features)"
    call.expect(call.weight.ndim >= 3, told, call.weight)
    *n, i, o = call.weight.shape
    told = f"the last axes of the input to be (*n, in_features) = {(*n, i)}"
    call.expect(call.input.shape[-len(n) - 1 :] == (*n, i), told, call.input)
    _bias(call, "(*n, out_features) = ", (*n, o))
    call.autocast("input", "weight")
    call.alike("input", "weight")


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


def _features(call: Call, **features: int) -> None:
    for name, i in features.items():
        x = getattr(call, name)
        call.expect(x.shape[-1:] == (i,), f"{i} features in the last axis of {name}", x)


def _bias(call: Call, told: str, shape: Sequence[int]) -> None:
    """The addition would broadcast a bias of another shape."""
    fits = call.bias is None or call.bias.shape == shape
    call.expect(fits, f"a bias of shape {told}{tuple(shape)}", call.bias)
