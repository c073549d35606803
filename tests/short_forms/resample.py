"""Upsampling in the book's own pieces: a curve over distances, as a matrix."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.recipe import Recipe
from layerlib.resample import triangle

LINES = {
    3: Recipe("b c w, x w -> b c x"),
    4: Recipe("b c h w, y h, x w -> b c y x"),
    5: Recipe("b c d h w, z d, y h, x w -> b c z y x"),
}


def _upsample(layer: Any, x: Tensor) -> Tensor:
    matrices, n = [], x.ndim - 2
    size, scale = layer.size, layer.scale_factor
    each = (
        [size or scale] * n
        if isinstance(size or scale, (int, float))
        else size or scale
    )
    for length, asked in zip(x.shape[2:], each, strict=True):
        m = asked if size else int(length * asked)
        step = (length - 1) / (m - 1) if layer.align_corners else length / m
        if scale and not layer.align_corners and not layer.recompute_scale_factor:
            step = 1 / asked
        i, cells = torch.arange(m).to(x), torch.arange(length).to(x)
        place = i * step if layer.align_corners else (i + 0.5) * step - 0.5
        if layer.mode == "nearest":
            matrices.append(((i * step).floor()[:, None] == cells).to(x))
        else:
            place = place.clamp(0, length - 1)
            matrices.append(triangle(place[:, None] - cells))
    return LINES[x.ndim](x, *matrices)


SHORT: dict[str, Callable[..., Tensor]] = dict.fromkeys(
    ("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"), _upsample
)
LEFT: dict[str, set[int]] = {}
