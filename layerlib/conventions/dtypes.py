"""Which dtype a layer computes in, as torch decides it."""

from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.expect import expect

HALVES = (torch.bfloat16, torch.float16)
SINGLE = {f"{name}_pool3d" for name in ("max", "avg", "adaptive_avg", "adaptive_max")}
SINGLE |= {"fractional_max_pool2d", "fractional_max_pool3d"}
SINGLE |= {"max_unpool1d", "max_unpool2d", "max_unpool3d"}
SINGLE |= {"reflect_pad1d", "reflect_pad2d"}
SINGLE |= {"replicate_pad1d", "replicate_pad2d", "replicate_pad3d"}
"""What torch.autocast computes in 32 bits on a CPU."""


def wide(x: Tensor) -> Tensor:
    """``(...) -> (...)``: 16 bits as float32, and all else as it is.

    A sum of many halves would be rounded at each step; in float32 it is rounded once,
    when the result becomes a half again.

    >>> wide(torch.ones(2, dtype=torch.float16)).dtype
    torch.float32
    """
    return x.float() if x.dtype in HALVES else x


def alike(layer: str, given: dict[str, Any], *names: str) -> None:
    """Raises, unless the tensors of these names have the dtype of the first."""
    first = given[names[0]].dtype
    for name in names[1:]:
        x = first if given[name] is None else given[name].dtype
        told = f"{name} to be {first}, as {names[0]} is"
        expect(layer, x == first, told, x, TypeError)


def autocast(given: dict[str, Any], *names: str) -> None:
    """Under autocast, replaces these tensors with tensors of its dtype, but float64."""
    kind = given[names[0]].device.type
    known = torch.amp.is_autocast_available(kind)  # on a meta device there is none
    if known and torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        for name in names:
            x = given[name]
            if x is not None and x.dtype in (torch.float32, *HALVES):
                given[name] = x.to(dtype)


def single(name: str, x: Tensor) -> Tensor:
    """What torch.autocast hands to the function of this name: on a CPU, 32 bits."""
    cast = name in SINGLE and x.is_cpu and torch.is_autocast_enabled("cpu")
    return wide(x) if cast else x
