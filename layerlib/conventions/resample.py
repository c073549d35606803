"""How torch asks for resampling, and how it blends bytes."""

import math
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.call import Call
from layerlib.conventions.dtypes import wide

BLENDS = ("bilinear", "bicubic", "lanczos")
AXES: dict[str, tuple[int, ...]]
AXES = {"linear": (1,), "trilinear": (3,), **dict.fromkeys(BLENDS, (2,))}
AXES |= dict.fromkeys(("nearest", "nearest-exact", "area"), (1, 2, 3))
"""How many axes each mode is for."""


def resampling(call: Call) -> None:
    """`size` and `scale_factor` get a number for each axis, or None for no scale."""
    x, mode = call.input, call.mode
    antialias, aligned = call.antialias, call.align_corners
    call.expect(mode in AXES, f"a mode of {[*AXES]}", repr(mode))
    layer, call.layer = call.layer, f"{call.layer} with mode={mode!r}"
    axes = " or ".join(str(n + 2) for n in AXES[mode])
    call.expect(x.ndim - 2 in AXES[mode], f"{axes} axes", x)
    blends = "linear" in mode or mode in BLENDS
    call.expect(blends or aligned is None, "no align_corners", aligned)
    fits = mode != "lanczos" or (antialias and not aligned)
    told = f"antialias={antialias} and align_corners={aligned}"
    call.expect(fits, "antialias=True and no align_corners", told)
    told = f"antialias=False, which is for {', '.join(BLENDS)}"
    call.expect(not antialias or mode in BLENDS, told, antialias)
    fits = x.dtype == torch.uint8 and ("nearest" in mode or mode in BLENDS)
    fits |= x.is_floating_point()
    call.expect(fits, "floating-point numbers", x.dtype, TypeError)
    call.layer = layer
    size, scales = _target(call)
    got = f"an input of shape {tuple(x.shape)} and an output of size {(*size,)}"
    call.expect(min(*x.shape[1:], *size) > 0, "channels and sizes of at least 1", got)
    for axis, (a, b) in enumerate(zip(x.shape[2:], size, strict=True)):
        kept = a == b and (antialias or mode not in ("bicubic", "nearest-exact"))
        if kept or (mode == "nearest" and b == 2 * a):
            scales[axis] = None
    call.like_input(last=x.ndim > 3)
    call.input, call.size, call.scale_factor = wide(x), size, scales


def _target(call: Call) -> tuple[list[int], list[float | None]]:
    """The size of the output, and along each axis the scale that was asked for."""
    lengths, size, scale = call.input.shape[2:], call.size, call.scale_factor
    one = (size is None) != (scale is None)
    told = "" if one else f"size={size} and scale_factor={scale}"
    call.expect(one, "a size or a scale_factor, and not both", told)
    asked, n = size if scale is None else scale, len(lengths)
    each: list[Any] = list(asked) if isinstance(asked, list | tuple) else [asked] * n
    told = f"a size or scale_factor of {n} numbers for an input of shape "
    call.expect(len(each) == n, f"{told}{tuple(call.input.shape)}", asked)
    if scale is not None:
        length = [int(a * b) for a, b in zip(lengths, each, strict=True)]
        return length, [None] * n if call.recompute_scale_factor else each
    told = "no size, since recompute_scale_factor is for a scale_factor"
    call.expect(not call.recompute_scale_factor, told, size)
    whole = all(isinstance(m, Integral) and not isinstance(m, bool) for m in each)
    call.expect(whole, "whole numbers as size", asked, TypeError)
    return each, [None] * n


def numbered(m: int, input: Tensor, mode: str) -> Tensor:
    """0, 1, ..., as exact as torch's: for `nearest` in single precision."""
    single = "nearest" in mode or input.dtype == torch.float32
    dtype = torch.float32 if single else torch.float64
    return torch.arange(m, dtype=dtype, device=input.device)


def weights_of_bytes(cells: Tensor, weights: Tensor) -> Tensor:
    """As torch blends bytes: a weight for each cell, rounded to 16 bits."""
    same = cells[:, None] == cells[:, :, None]
    first = same.long().argmax(2) == torch.arange(same.shape[2], device=cells.device)
    weights = (weights[:, None] * same).sum(2) * first
    steps = 2 ** ((32767.5 / weights.max()).log().div(math.log(2)).ceil() - 1)
    return (weights * steps).round() / steps


def as_bytes(x: Tensor) -> Tensor:
    """The nearest numbers of 8 bits."""
    return (x + 0.5).floor().clamp(0, 255).to(torch.uint8)
