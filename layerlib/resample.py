"""Resampling: each cell of the output blends the input's cells around its place."""

import math
from functools import partial

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from layerlib.conventions.layer import Computed
from layerlib.conventions.pool import Sizes
from layerlib.conventions.resample import numbered, resampling
from layerlib.conventions.signature import convention
from layerlib.engine.bands import Band
from layerlib.pool import mean_of_bins
from layerlib.recipe import Bend, Recipe

RESAMPLE = Recipe("b c h w, y h, x w -> b c y x")
RESAMPLE_1D = Recipe("b c w, x w -> b c x")
RESAMPLE_3D = Recipe("b c d h w, z d, y h, x w -> b c z y x")
LINES = {3: RESAMPLE_1D, 4: RESAMPLE, 5: RESAMPLE_3D}
"""For each number of axes, with the batch and the channels."""


def triangle(t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """``(...) -> (...)``: 1 at 0, and straight down to 0 at a distance of 1.

    Raises:
        TypeError: the input is no tensor.

    >>> triangle(torch.tensor([-0.5, 0.0, 0.25, 2.0]))
    tensor([0.5000, 1.0000, 0.7500, 0.0000])

    Source: linear interpolation.
    """
    return (1 - t.abs()).clamp(min=0)


def cubic(t: Float[Tensor, "..."], a: float = -0.5) -> Float[Tensor, "..."]:
    """``(...) -> (...)``: a cubic up to a distance of 1, and another up to 2.

    With slope 0 at 0 and at 2, and slope `a` at 1, where the two meet in 0:
    ``(a + 2) t^3 - (a + 3) t^2 + 1`` and ``a t^3 - 5 a t^2 + 8 a t - 4 a``.

    Raises:
        TypeError: the input is no tensor.

    >>> cubic(torch.tensor([0.0, 0.5, 1.0, 1.5]))
    tensor([ 1.0000,  0.5625,  0.0000, -0.0625])

    Source: Keys, "Cubic convolution interpolation for digital image processing",
    https://doi.org/10.1109/TASSP.1981.1163711.
    """
    t = t.abs()
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return torch.where(t < 1, near, torch.where(t < 2, far, 0))


def lanczos(t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """``(...) -> (...)``: the wave ``sin(pi t) / (pi t)``, faded out at 3.

    It is multiplied by a wave three times as long, ``sin(pi t / 3) / (pi t / 3)``.

    Raises:
        TypeError: the input is no tensor.

    >>> lanczos(torch.tensor([0.0, 0.5, 3.0]))
    tensor([1.0000, 0.6079, 0.0000])

    Source: Duchon, "Lanczos filtering in one and two dimensions" (1979).
    """
    angle = math.pi * torch.where(t == 0, 1, t)
    wave = 3 * angle.sin() * (angle / 3).sin() / (angle * angle)
    return torch.where(t == 0, 1, torch.where(t.abs() < 3, wave, 0))


TRIANGLE, LANCZOS = Bend("triangle", triangle), Bend("lanczos", lanczos)
CUBIC, SHARPER = Bend("cubic", cubic), Bend("cubic", partial(cubic, a=-0.75))

BLENDS = {
    **dict.fromkeys(("linear", "bilinear", "trilinear"), (TRIANGLE, 1)),
    "bicubic": (SHARPER, 2),
}
AVERAGES = {"bilinear": (TRIANGLE, 1), "bicubic": (CUBIC, 2), "lanczos": (LANCZOS, 3)}
"""For each mode its curve, and how many cells the curve reaches to each side."""


def _step(n: int, m: int, scale: float | None, align_corners: bool | None) -> float:
    """How many cells of the input lie between the places of two output cells."""
    if align_corners:
        return (n - 1) / (m - 1) if m > 1 else 0.0
    return 1 / scale if scale else n / m


def _nearest(place: Tensor, n: int) -> Band:
    """``(m) -> (m, n)``: a single 1 in each row, in the cell where the place lies."""
    return Band(place.long().clamp(max=n - 1)[:, None], None, n)


def _blend(place: Tensor, n: int, curve: Bend, reach: int) -> Band:
    """``(m) -> (m, n)``: the curve around each place; the edge cell beyond the edge."""
    if reach == 1:  # no cell to blend with lies before the first
        place = place.clamp(min=0)
    near = torch.arange(1 - reach, 1 + reach, device=place.device)
    cells = place.floor().long()[:, None] + near
    return Band(cells.clamp(0, n - 1), curve(place[:, None] - cells), n)


def _average(center: Tensor, n: int, step: float, curve: Bend, reach: int) -> Band:
    """``(m) -> (m, n)``: the curve, as wide as a step; each row is divided by its sum.

    A row reads the cells between `first` and `end`; those after `end` are none.
    """
    first, end = (center + side * reach * step + 0.5 for side in (-1, 1))
    width = torch.arange(math.ceil(2 * reach * step), device=center.device)
    cells = first.long().clamp(min=0)[:, None] + width
    inside = cells < end.long().clamp(max=n)[:, None]
    weights = curve((cells + 0.5 - center[:, None]) / step).where(inside, 0)
    weights = weights / weights.sum(1, keepdim=True)
    return Band(cells.where(inside, n), weights, n, ragged=True)


def _matrix(
    i: Tensor, n: int, step: float, mode: str, aligned: bool | None, antialias: bool
) -> Band:
    """``(m) -> (m, n)``: how each of the output cells `i` is made of `n` cells."""
    if mode == "area":
        return mean_of_bins(n, len(i))
    if "nearest" in mode or step == 1:
        return _nearest((i + 0.5 * (mode != "nearest")) * step, n)
    if antialias:
        return _average((i + 0.5) * step, n, max(step, 1.0), *AVERAGES[mode])
    place = i * step if aligned else (i + 0.5) * step - 0.5
    return _blend(place, n, *BLENDS[mode])


@convention(resampling)
def interpolate(
    input: Num[Tensor, "..."],
    size: Sizes = None,
    scale_factor: Sizes = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Num[Tensor, "..."]:
    """``(b, c, *n) -> (b, c, *m)``: the same picture on a finer or coarser grid.

    The output is one small matrix for each axis times the input: a row holds the
    weights of the few cells around the place of an output cell. Places are measured
    from the outer edges of the grid or, with `align_corners`, from the centers of its
    corner cells. They are as far apart as `scale_factor` says or, without it or to
    `recompute_scale_factor`, as the sizes say. With `antialias`, what shrinks is
    averaged over all that an output cell covers: by the same curve, stretched.

    Raises:
        TypeError: a size is no whole number, or the dtype has no such blend.
        ValueError: not one of size and scale is given; the mode, an option or the
            number of sizes does not fit the input; a size is not positive.

    >>> interpolate(torch.tensor([[[0.0, 1.0]]]), 4, mode="linear")
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])

    Source: `torch.nn.functional.interpolate`.
    """
    matrices = []
    for n, m, scale in zip(input.shape[2:], size, scale_factor, strict=True):
        step, i = _step(n, m, scale, align_corners), numbered(m, input, mode)
        matrices.append(_matrix(i, n, step, mode, align_corners, antialias))
    return LINES[input.ndim](input, *matrices)


class Upsample(Computed, nn.Upsample, by=interpolate):
    """``(b, c, *n) -> (b, c, *m)``: `torch.nn.Upsample`, computed by `interpolate`."""

    line, lines = RESAMPLE, LINES


class UpsamplingNearest2d(Upsample, nn.UpsamplingNearest2d):
    """``(b, c, h, w) -> (b, c, y, x)``: `Upsample` with mode ``nearest``."""


class UpsamplingBilinear2d(Upsample, nn.UpsamplingBilinear2d):
    """``(b, c, h, w) -> (b, c, y, x)``: `Upsample` with mode ``bilinear``, aligned."""
