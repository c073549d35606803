"""Which dtype a layer computes in, as torch decides it."""

from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.expect import expect

HALVES = (torch.bfloat16, torch.float16)


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


def autocast(given: dict[str, Any], *names: str, lower: bool = True) -> None:
    """Under autocast, these tensors in its dtype, or (not `lower`) in float32."""
    kind = given[names[0]].device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return
    dtype = torch.get_autocast_dtype(kind) if lower else torch.float32
    for name in names:
        x = given[name]
        if x is not None and x.is_floating_point() and x.dtype != torch.float64:
            given[name] = x.to(dtype)
