"""How torch asks for resampling, and how it blends bytes."""

import math
from collections.abc import Callable
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.conventions.pool import laid_out
from layerlib.conventions.signature import Given

BLENDS = ("bilinear", "bicubic", "lanczos")
AXES: dict[str, tuple[int, ...]]
AXES = {"linear": (1,), "trilinear": (3,), **dict.fromkeys(BLENDS, (2,))}
AXES |= dict.fromkeys(("nearest", "nearest-exact", "area"), (1, 2, 3))
"""How many axes each mode is for."""


def resampling(layer: str, _n: int, given: Given) -> Callable[[Tensor], Tensor]:
    """`size` and `scale_factor` get a number for each axis, or None for no scale."""
    input, mode = given["input"], given["mode"]  # noqa: A001
    antialias, aligned = given["antialias"], given["align_corners"]
    expect(layer, mode in AXES, f"a mode of {[*AXES]}", repr(mode))
    name, n = f"{layer} with mode={mode!r}", input.ndim - 2
    axes = " or ".join(str(n + 2) for n in AXES[mode])
    expect(name, n in AXES[mode], f"{axes} axes", input)
    blends = "linear" in mode or mode in BLENDS
    expect(name, blends or aligned is None, "no align_corners", aligned)
    fits = mode != "lanczos" or (antialias and not aligned)
    told = f"antialias={antialias} and align_corners={aligned}"
    expect(name, fits, "antialias=True and no align_corners", told)
    told = f"antialias=False, which is for {', '.join(BLENDS)}"
    expect(name, not antialias or mode in BLENDS, told, antialias)
    fits = input.dtype == torch.uint8 and ("nearest" in mode or mode in BLENDS)
    fits |= input.is_floating_point()
    expect(name, fits, "floating-point numbers", input.dtype, TypeError)
    size, scales = _target(layer, given)
    told = f"an input of shape {tuple(input.shape)} and an output of size {(*size,)}"
    fits = min(*input.shape[1:], *size) > 0
    expect(layer, fits, "channels and sizes of at least 1", told)
    for axis, (a, b) in enumerate(zip(input.shape[2:], size, strict=True)):
        kept = a == b and (antialias or mode not in ("bicubic", "nearest-exact"))
        if kept or (mode == "nearest" and b == 2 * a):
            scales[axis] = None
    given.update(input=wide(input), size=size, scale_factor=scales)
    like = input if input.ndim > 3 else input[:0].contiguous()
    return lambda output: laid_out(output, like).to(input.dtype)


def _target(layer: str, given: Given) -> tuple[list[int], list[float | None]]:
    """The size of the output, and along each axis the scale that was asked for."""
    lengths, size = given["input"].shape[2:], given["size"]
    scale, recompute = given["scale_factor"], given["recompute_scale_factor"]
    one = (size is None) != (scale is None)
    told = "" if one else f"size={size} and scale_factor={scale}"
    expect(layer, one, "a size or a scale_factor, and not both", told)
    asked, n = size if scale is None else scale, len(lengths)
    each: list[Any] = list(asked) if isinstance(asked, list | tuple) else [asked] * n
    told = f"a size or scale_factor of {n} numbers for an input of shape "
    expect(layer, len(each) == n, f"{told}{tuple(given['input'].shape)}", asked)
    if scale is not None:
        length = [int(a * b) for a, b in zip(lengths, each, strict=True)]
        return length, [None] * n if recompute else each
    told = "no size, since recompute_scale_factor is for a scale_factor"
    expect(layer, not recompute, told, size)
    whole = all(isinstance(m, Integral) and not isinstance(m, bool) for m in each)
    expect(layer, whole, "whole numbers as size", asked, TypeError)
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
