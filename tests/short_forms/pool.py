"""Pooling layers in the book's own pieces, stored windows and matrices."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.axes import numbers
from layerlib.engine.reductions import GatheredWindows
from layerlib.engine.windows import Kernel, Windows
from layerlib.pool import BINS, BINS_2D, BINS_3D, SUM, UNPOOL, bins, mean_of_bins


def _n(layer: Any) -> int:
    return int(type(layer).__name__[-2])


def _seen(layer: Any, x: Tensor, value: float, padding: Any = 0) -> Tensor:
    """Stored windows, none of them beyond the padding."""
    n = _n(layer)
    size, stride, around, dilation = (
        numbers("", "", given, n)
        for given in (
            layer.kernel_size, layer.stride or layer.kernel_size, padding,
            getattr(layer, "dilation", 1),
        )
    )  # fmt: skip
    around = [p for p in around[::-1] for _ in range(2)]
    x = torch.constant_pad_nd(x, around, value)
    return Windows(x, Kernel(size, stride, dilation)).tensor()


def _max(layer: Any, x: Tensor) -> Tensor:
    return _seen(layer, x, -math.inf, layer.padding).max(-1).values


def _avg(layer: Any, x: Tensor) -> Tensor:
    seen = _seen(layer, x, 0.0, layer.padding)
    return SUM(seen) / (getattr(layer, "divisor_override", None) or seen.shape[-1])


def _lp(layer: Any, x: Tensor) -> Tensor:
    return SUM(_seen(layer, x, 0.0) ** layer.norm_type) ** (1 / layer.norm_type)


def _sizes(layer: Any, x: Tensor) -> list[tuple[int, int]]:
    n = _n(layer)
    asked = numbers("", "", layer.output_size, n)
    return [
        (a, a if m is None else m) for a, m in zip(x.shape[-n:], asked, strict=True)
    ]


def _adaptive_avg(layer: Any, x: Tensor) -> Tensor:
    matrices = [mean_of_bins(n, m).tensor().to(x) for n, m in _sizes(layer, x)]
    return (BINS, BINS_2D, BINS_3D)[_n(layer) - 1](x, *matrices)


def _adaptive_max(layer: Any, x: Tensor) -> Tensor:
    each = [bins(n, m) for n, m in _sizes(layer, x)]
    cells = tuple([cells.clamp(max=end - 1) for cells, end in each])
    return GatheredWindows(x, cells).tensor().max(-1).values


def _samples(layer: Any, x: Tensor, n: int) -> tuple[Tensor, ...]:
    """For each axis a number for each plane; torch has them for (width, height)."""
    given = layer._random_samples  # noqa: SLF001  (so torch calls it)
    if given is None:
        given = torch.rand(*x.shape[:-n], n, dtype=x.dtype)
    return (given.flip(-1) if n == 2 else given).unbind(-1)


def _drawn(n: int, m: int, size: int, sample: Tensor) -> Tensor:
    """The cells of windows a step apart, each rounded down; the last is at the end."""
    step, sample = (n - size) / (m - 1), sample[..., None]
    place = (torch.arange(m - 1) + sample) * step
    first = place.floor() - (sample * step).floor()
    first = torch.constant_pad_nd(first, [0, 1], n - size).long()
    return first[..., None] + torch.arange(size)


def _fractional_max(layer: Any, x: Tensor) -> Any:
    n, ratio = _n(layer), layer.output_ratio
    size = x.shape[-n:]
    many = layer.output_size or [int(a * r) for a, r in zip(size, ratio, strict=True)]
    axes = size, many, layer.kernel_size, _samples(layer, x, n)
    cells = tuple(map(_drawn, *axes))
    most, k = GatheredWindows(x, cells).tensor().max(-1)
    places = torch.arange(math.prod(size)).view(size).expand(x.shape)
    at = GatheredWindows(places, cells).tensor().gather(-1, k[..., None])[..., 0]
    return (most, at) if layer.return_indices else most


def _unpool(layer: Any, x: Tensor, at: Tensor) -> Tensor:
    kernel, stride = (
        numbers("", "", given, _n(layer)) for given in (layer.kernel_size, layer.stride)
    )
    each = zip(x.shape[2:], kernel, stride, strict=True)
    size = [(m - 1) * s + k for m, k, s in each]
    rows = torch.eye(math.prod(size)).to(x)[at.flatten(2)]
    return UNPOOL(x.flatten(2), rows).unflatten(2, size)


SHORT: dict[str, Callable[..., Any]] = {
    **{f"MaxPool{n}d": _max for n in (1, 2, 3)},
    **{f"AvgPool{n}d": _avg for n in (1, 2, 3)},
    **{f"LPPool{n}d": _lp for n in (1, 2, 3)},
    **{f"AdaptiveAvgPool{n}d": _adaptive_avg for n in (1, 2, 3)},
    **{f"AdaptiveMaxPool{n}d": _adaptive_max for n in (1, 2, 3)},
    **{f"FractionalMaxPool{n}d": _fractional_max for n in (2, 3)},
    **{f"MaxUnpool{n}d": _unpool for n in (1, 2, 3)},
}

# Windows that hang over the edge, cells that do not count, indices, given sizes.
LEFT: dict[str, set[int]] = {
    **{f"MaxPool{n}d": {1, 2} for n in (1, 2, 3)},
    **{f"AvgPool{n}d": {1} for n in (1, 2, 3)},
    **{f"LPPool{n}d": {1} for n in (1, 2, 3)},
    **{f"AdaptiveMaxPool{n}d": {1} for n in (1, 2, 3)},
    **{f"MaxUnpool{n}d": {1} for n in (1, 2, 3)},
}
