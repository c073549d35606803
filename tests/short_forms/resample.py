"""Upsampling in the book's own pieces: a curve over distances, as a matrix."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.axes import numbers
from layerlib.recipe import Recipe
from layerlib.resample import triangle

LINES = {
    3: Recipe("b c w, x w -> b c x"),
    4: Recipe("b c h w, y h, x w -> b c y x"),
    5: Recipe("b c d h w, z d, y h, x w -> b c z y x"),
}


def _step(layer: Any, n: int, m: int, scale: float | None) -> float:
    """How far apart the places of two output cells are, in cells of the input."""
    if layer.align_corners:
        return (n - 1) / (m - 1)
    return 1 / scale if scale and not layer.recompute_scale_factor else n / m


def _matrix(layer: Any, n: int, size: int | None, scale: float | None) -> Tensor:
    """What each output cell takes of each input cell, by the distance to its place."""
    m = int(n * scale) if scale else size
    place = torch.arange(m, dtype=torch.float64) * _step(layer, n, m, scale)
    if layer.mode == "nearest":
        return torch.eye(n)[place.long()]
    if not layer.align_corners:  # places are measured from the edges of the grid
        place = place + 0.5 * _step(layer, n, m, scale) - 0.5
    return triangle(place.clamp(0, n - 1)[:, None] - torch.arange(n))


def _upsample(layer: Any, x: Tensor) -> Tensor:
    size, scale = (
        numbers("", "", told, x.ndim - 2) for told in (layer.size, layer.scale_factor)
    )
    each = zip(x.shape[2:], size, scale, strict=True)
    return LINES[x.ndim](x, *[_matrix(layer, *axis).to(x) for axis in each])


SHORT: dict[str, Callable[..., Tensor]] = dict.fromkeys(
    ("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"), _upsample
)
LEFT: dict[str, set[int]] = {}
