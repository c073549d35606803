"""Paddings as matrices that are multiplied, and windows as columns."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.engine.windows import Kernel
from layerlib.recipe import Recipe
from layerlib.windows import FOLD, MODES, UNFOLD, overlap_add, pad, windows

ROWS = Recipe("... h, y h -> ... y")


def ones(layer: Any, n: int, before: int, after: int) -> Tensor:
    """``(y, n)``: in each row a 1 for the cell that is shown there, if one is."""
    mode, least = MODES.get(layer.mode, lambda at, _: at), max(-before, 0)
    length = n - least + min(after, 0) if layer.mode == "circular" else n
    start = least if layer.mode == "circular" else 0
    cells = [start + mode(at - start, length) for at in range(-before, n + after)]
    return torch.tensor(cells)[:, None] == torch.arange(n)


def padded(layer: Any, x: Tensor) -> Tensor:
    """Axis by axis, the product with a matrix of ones; outside, the value."""
    widths, value = [*layer.padding], layer.value or 0.0
    for axis, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True)):
        matrix = ones(layer, x.shape[-1 - axis], before, after).to(x.dtype)
        y = ROWS(x.movedim(-1 - axis, -1), matrix)
        x = (y + value * (1 - matrix.sum(1))).movedim(-1, -1 - axis)
    return x


def unfold(layer: Any, x: Tensor) -> Tensor:
    """Pad, look, and lay each window out as a column."""
    k, s, d, p = geometry(layer)
    batch = x if x.ndim == 4 else x[None]
    framed = pad(batch, (p[1], p[1], p[0], p[0]))
    columns = UNFOLD(windows(framed, Kernel(k, s, d)).tensor())
    return columns if x.ndim == 4 else columns[0]


def fold(layer: Any, x: Tensor) -> Tensor:
    """Each column goes back to where its window was; then the padding is cut off."""
    k, s, d, p = geometry(layer)
    length = [n + 2 * a for n, a in zip(pair(layer.output_size), p, strict=True)]
    kernel, batch = Kernel(k, s, d), x if x.ndim == 3 else x[None]
    rows, columns = kernel.counts(length)
    stamps = FOLD(batch, k=k[0] * k[1], y=rows, x=columns)
    y = pad(overlap_add(stamps, length, kernel), (-p[1], -p[1], -p[0], -p[0]))
    return y if x.ndim == 3 else y[0]


def pair(value: Any) -> tuple[int, int]:
    """One number stands for two."""
    return (value, value) if isinstance(value, int) else tuple(value)


def geometry(layer: Any) -> list[tuple[int, int]]:
    """Kernel, stride, dilation and padding of a layer, as pairs."""
    return [
        pair(n)
        for n in (layer.kernel_size, layer.stride, layer.dilation, layer.padding)
    ]


SHORT: dict[str, Callable[..., Tensor]] = {
    "Fold": fold,
    "Unfold": unfold,
    **{
        f"{kind}Pad{n}d": padded
        for kind in ("Circular", "Constant", "Reflection", "Replication", "Zero")
        for n in (1, 2, 3)
    },
}
LEFT: dict[str, set[int]] = {}
