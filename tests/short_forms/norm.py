"""Each norm in a few lines of the book's own pieces."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.engine.windows import Kernel, Windows
from layerlib.norm import (
    BATCH,
    GROUP,
    GROUPED,
    INSTANCE,
    LAYER,
    MERGED,
    NEIGHBORS,
    PER_CHANNEL,
    PER_GROUP,
    RSQRT,
)  # fmt: skip
from layerlib.recipe import Reduce


def _standardized(x: Tensor, line: Reduce, eps: float) -> Tensor:
    centered = x - line(x)
    return centered * RSQRT(line(centered * centered) + eps)


def _affine(y: Tensor, layer: Any, line: Callable[[Tensor], Tensor]) -> Tensor:
    y = y if layer.weight is None else y * line(layer.weight)
    return y if layer.bias is None else y + line(layer.bias)


def _by_channel(line: Reduce) -> Callable[[Any, Tensor], Tensor]:
    def definition(layer: Any, input: Tensor) -> Tensor:
        x = MERGED(input)
        if layer.training or layer.running_mean is None:
            y = _standardized(x, line, layer.eps)
        else:
            mean, variance = PER_CHANNEL(layer.running_mean), layer.running_var
            y = (x - mean) * RSQRT(PER_CHANNEL(variance) + layer.eps)
        return _affine(y, layer, PER_CHANNEL).reshape(input.shape)

    return definition


def _group(layer: Any, input: Tensor) -> Tensor:
    groups = layer.num_groups
    y = _standardized(GROUPED(input, g=groups), GROUP, layer.eps)
    return _affine(y, layer, lambda p: PER_GROUP(p, g=groups)).reshape(input.shape)


def _layer(layer: Any, input: Tensor) -> Tensor:
    n = len(layer.normalized_shape)
    x = input.flatten(-n).reshape(-1, input.shape[-n:].numel())
    y = _standardized(x, LAYER, layer.eps).reshape(input.shape)
    return _affine(y, layer, lambda p: p)


def _root_mean_square(layer: Any, input: Tensor) -> Tensor:
    n = len(layer.normalized_shape)
    x = input.flatten(-n).reshape(-1, input.shape[-n:].numel())
    eps = torch.finfo(x.dtype).eps if layer.eps is None else layer.eps
    y = (x * RSQRT(LAYER(x * x) + eps)).reshape(input.shape)
    return y if layer.weight is None else y * layer.weight


def _local_response(layer: Any, input: Tensor) -> Tensor:
    x, size = MERGED(input), layer.size
    padded = torch.constant_pad_nd(x * x, (0, 0, size // 2, (size - 1) // 2))
    total = NEIGHBORS(Windows(padded, Kernel((size, 1), (1, 1), (1, 1))))
    y = x / (total * layer.alpha / size + layer.k) ** layer.beta
    return y.reshape(input.shape)


def _cross_map(layer: Any, input: Tensor) -> Tensor:
    """Its values; its gradients, in torch, are those of another function."""
    x, size, half = MERGED(input), layer.size, (layer.size - 1) // 2
    padded = torch.constant_pad_nd(x * x, (0, 0, half, half))
    total = NEIGHBORS(Windows(padded, Kernel((2 * half + 1, 1), (1, 1), (1, 1))))
    late = torch.arange(x.shape[1])[:, None] > half
    total = total + late * (x * x)[:, :1]
    return (x / (total * layer.alpha / size + layer.k) ** layer.beta).reshape(
        input.shape
    )


SHORT: dict[str, Callable[..., Tensor]] = {
    **{f"{lazy}BatchNorm{n}d": _by_channel(BATCH) for n in (1, 2, 3) for lazy in ("", "Lazy")},
    **{f"{lazy}InstanceNorm{n}d": _by_channel(INSTANCE) for n in (1, 2, 3) for lazy in ("", "Lazy")},
    "GroupNorm": _group,
    "LayerNorm": _layer,
    "RMSNorm": _root_mean_square,
    "LocalResponseNorm": _local_response,
    "CrossMapLRN2d": _cross_map,
}  # fmt: skip

LEFT: dict[str, set[int]] = {
    # torch's gradient is that of its values for as few channels only as in example 2
    "CrossMapLRN2d": {0, 1},
}
