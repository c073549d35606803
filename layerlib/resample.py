"""Resampling: each cell of the output blends the input's cells around its place."""

import math
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Num
from torch import Tensor, nn

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.conventions.layer import Computed
from layerlib.engine.gradient import with_gradient
from layerlib.pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from layerlib.recipe import Recipe

RESAMPLE = Recipe("b c h w, y h, x w -> b c y x")

_PLANE = ("bilinear", "bicubic", "lanczos")
_AXES: dict[str, tuple[int, ...]]
_AXES = {"linear": (1,), "trilinear": (3,), **dict.fromkeys(_PLANE, (2,))}
_AXES |= dict.fromkeys(("nearest", "nearest-exact", "area"), (1, 2, 3))


def _triangle(t: Tensor) -> Tensor:
    return (1 - t.abs()).clamp(min=0)


def _cubic(t: Tensor, a: float = -0.5) -> Tensor:
    t = t.abs()
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return torch.where(t < 1, near, torch.where(t < 2, far, 0))


def _lanczos(t: Tensor) -> Tensor:
    angle = math.pi * torch.where(t == 0, 1, t)
    wave = 3 * angle.sin() * (angle / 3).sin() / (angle * angle)
    return torch.where(t == 0, 1, torch.where(t.abs() < 3, wave, 0))


def interpolate(
    input: Num[Tensor, "..."],
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Num[Tensor, "..."]:
    """``(b, c, *n) -> (b, c, *m)``: the same picture on a finer or coarser grid.

    Along each axis the output is a small matrix times the input: a row holds the
    weights of the few cells around the place of one output cell. Only those are read.
    Places are measured from the outer edges of the grid or, with `align_corners`,
    from the centres of its corner cells. They are as far apart as `scale_factor` says
    or, without it or to `recompute_scale_factor`, as the sizes say. With `antialias`,
    what shrinks is averaged over all that an output cell covers.

    Raises:
        TypeError: a size is no whole number, or the dtype has no such blend.
        ValueError: not one of size and scale is given; the mode, an option or the
            number of sizes does not fit the input; a size is not positive.

    >>> interpolate(torch.tensor([[[0.0, 1.0]]]), 4, mode="linear")
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])

    Source: `torch.nn.functional.interpolate`; Keys, "Cubic convolution interpolation
    for digital image processing" (1981), https://doi.org/10.1109/TASSP.1981.1163711.
    """
    _check(input, mode, align_corners, antialias=antialias)
    length, scales = _target(input, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        pools = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
        return pools[len(length) - 1](input, length)
    told = f"an input of shape {tuple(input.shape)} and an output of size {(*length,)}"
    fits = min(*input.shape[1:], *length) > 0
    expect("interpolate", fits, "channels and sizes of at least 1", told)
    output = wide(input)
    for axis in reversed(range(2, input.ndim)):
        ends = length[axis - 2], scales[axis - 2]
        output = _along(output, axis, *ends, mode, align_corners, antialias)
    return output.to(input.dtype, copy=output is input)


def _along(
    input: Tensor,
    axis: int,
    m: int,
    scale: float | None,
    mode: str,
    align_corners: bool | None,
    antialias: bool,
) -> Tensor:
    """One axis made `m` cells long."""
    n, byte = input.shape[axis], input.dtype == torch.uint8
    step = 1 / scale if scale else n / m
    if align_corners:
        step = (n - 1) / (m - 1) if m > 1 else 0.0
    at = torch.arange(m, dtype=torch.float32, device=input.device)
    if mode == "nearest-exact":  # as torch's, its places are of single precision
        return input.index_select(axis, ((at + 0.5) * step).long().clamp(max=n - 1))
    if n == m and (antialias or mode != "bicubic"):
        return input
    if mode == "nearest":
        step = 0.5 if m == 2 * n else step
        return input.index_select(axis, (at * step).long().clamp(max=n - 1))
    output = input.double() if byte else input
    at = at.to(output.dtype)[:, None]
    if antialias:
        index, weight = _covered((at + 0.5) * step, n, step, mode)
        output = torch.constant_pad_nd(
            output, [0, 0] * (input.ndim - 1 - axis) + [0, 1]
        )
    else:
        place = at * step if align_corners else (at + 0.5) * step - 0.5
        index, weight = _around(place, n, mode)
    weight = _of_bytes(index, weight) if byte else weight
    output = _blend(output, index, weight, axis, output.shape[axis])
    return (output + 0.5).floor().clamp(0, 255).to(input.dtype) if byte else output


def _of_bytes(index: Tensor, weight: Tensor) -> Tensor:
    """The weights as torch blends bytes: one for each cell, rounded to 16 bits."""
    same = index[:, None] == index[:, :, None]
    first = same.long().argmax(2) == torch.arange(same.shape[2], device=index.device)
    weight = (weight[:, None] * same).sum(2) * first
    steps = 2 ** ((32767.5 / weight.max()).log().div(math.log(2)).ceil() - 1)
    return (weight * steps).round() / steps


def _around(place: Tensor, n: int, mode: str) -> tuple[Tensor, Tensor]:
    """The cells next to each place ``(m, 1)``, those of the edge again beyond it."""
    reach = 2 if mode == "bicubic" else 1
    place = place if mode == "bicubic" else place.clamp(min=0)
    near = torch.arange(1 - reach, 1 + reach, device=place.device)
    index = place.floor().long() + near
    distance = place - index
    weight = _cubic(distance, -0.75) if mode == "bicubic" else _triangle(distance)
    return index.clamp(0, n - 1), weight


def _covered(centre: Tensor, n: int, step: float, mode: str) -> tuple[Tensor, Tensor]:
    """The cells that a filter, as wide as a step, covers around ``(m, 1)`` centres.

    Where it covers fewer, cell `n` stands for none.
    """
    others = {"bicubic": (2, _cubic), "lanczos": (3, _lanczos)}
    reach, weigh = others.get(mode, (1, _triangle))
    stretch = max(step, 1.0)
    first = (centre - reach * stretch + 0.5).long().clamp(min=0)
    end = (centre + reach * stretch + 0.5).long().clamp(max=n)
    width = math.ceil(2 * reach * stretch)
    index = first + torch.arange(width, device=centre.device)
    weight = weigh((index - centre + 0.5) / stretch).where(index < end, 0)
    return index.where(index < end, n), weight / weight.sum(1, keepdim=True)


def _blend_gradient(
    _needed: object,
    cotangent: Tensor,
    _input: None,
    index: Tensor,
    weight: Tensor,
    axis: int,
    n: int,
) -> list[Tensor]:
    shape = cotangent.shape
    found = cotangent.new_zeros([*shape[:axis], n, *shape[axis + 1 :]])
    for cells, share in _taps(index, weight, shape, axis):
        found.scatter_add_(axis, cells, cotangent * share)
    return [found]


@with_gradient(_blend_gradient, keeps_inputs=[1, 2])
def _blend(input: Tensor, index: Tensor, weight: Tensor, axis: int, _n: int) -> Tensor:
    """Along the axis: the cells in a row of the ``(m, k)`` tables, times weights."""
    shape = [*input.shape[:axis], len(index), *input.shape[axis + 1 :]]
    (cells, share), *others = _taps(index, weight, shape, axis)
    output = input.gather(axis, cells).mul_(share)
    for cells, share in others:
        output.add_(input.gather(axis, cells).mul_(share))
    return output


def _taps(
    index: Tensor, weight: Tensor, shape: Sequence[int], axis: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """For each column of the tables: the cells all over `shape`, and their weights."""
    line = [-1, *[1] * (len(shape) - 1 - axis)]
    for cells, share in zip(index.unbind(1), weight.unbind(1), strict=True):
        yield cells.reshape(line).expand(shape), share.reshape(line)


def _check(
    input: Tensor, mode: str, align_corners: bool | None, *, antialias: bool
) -> None:
    expect("interpolate", mode in _AXES, f"a mode of {[*_AXES]}", repr(mode))
    layer, n = f"interpolate with mode={mode!r}", input.ndim - 2
    axes = " or ".join(str(n + 2) for n in _AXES[mode])
    expect(layer, n in _AXES[mode], f"{axes} axes", input)
    blends = mode in ("linear", "trilinear", *_PLANE)
    told = "no align_corners"
    expect(layer, blends or align_corners is None, told, align_corners)
    bare = mode != "lanczos" or (antialias and not align_corners)
    told = f"antialias={antialias} and align_corners={align_corners}"
    expect(layer, bare, "antialias=True and no align_corners", told)
    fits = not antialias or mode in _PLANE
    told = f"antialias=False, which is for {', '.join(_PLANE)}"
    expect(layer, fits, told, antialias)
    fits = input.is_floating_point()
    fits |= input.dtype == torch.uint8 and ("nearest" in mode or mode in _PLANE)
    expect(layer, fits, "floating-point numbers", input.dtype, TypeError)


def _target(
    input: Tensor,
    size: int | Sequence[int] | None,
    scale_factor: float | Sequence[float] | None,
    recompute: bool | None,
) -> tuple[list[int], list[float | None]]:
    """The size of the output, and along each axis the scale that was asked for."""
    layer, n = "interpolate", input.ndim - 2
    told = f"size={size} and scale_factor={scale_factor}"
    one = (size is None) != (scale_factor is None)
    expect(layer, one, "a size or a scale_factor, and not both", told)
    given = size if scale_factor is None else scale_factor
    each: list[Any] = list(given) if isinstance(given, list | tuple) else [given] * n
    told = f"a size or scale_factor of {n} numbers for an input of shape "
    expect(layer, len(each) == n, f"{told}{tuple(input.shape)}", given)
    if scale_factor is not None:
        length = [int(a * b) for a, b in zip(input.shape[2:], each, strict=True)]
        return length, [None] * n if recompute else each
    told = "no size, since recompute_scale_factor is for a scale_factor"
    expect(layer, not recompute, told, size)
    whole = all(isinstance(m, Integral) and not isinstance(m, bool) for m in each)
    expect(layer, whole, "whole numbers as size", size, TypeError)
    return each, [None] * n


class Upsample(Computed, nn.Upsample, by=interpolate):
    """``(b, c, *n) -> (b, c, *m)``: `torch.nn.Upsample`, computed by `interpolate`."""

    line = RESAMPLE


class UpsamplingNearest2d(Upsample, nn.UpsamplingNearest2d):
    """``(b, c, h, w) -> (b, c, y, x)``: `Upsample` with mode ``nearest``."""


class UpsamplingBilinear2d(Upsample, nn.UpsamplingBilinear2d):
    """``(b, c, h, w) -> (b, c, y, x)``: `Upsample` with mode ``bilinear``, aligned."""
