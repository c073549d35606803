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
