"""Transposed convolutions in a few lines: a line, stamps that are added, a crop."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from layerlib.conv import BIAS, GROUPS, MERGED
from layerlib.conv_transpose import CONV_TRANSPOSE, TRANSPOSED_KERNELS
from layerlib.engine.windows import Kernel
from layerlib.windows import overlap_add, pad


def cropped(layer: Any, y: Tensor, output_size: Any) -> Tensor:
    """The padding cut off, and at the end what the output has less or more."""
    length, p, more = y.shape[2:], layer.padding, layer.output_padding
    usual = [m - 2 * a + e for m, a, e in zip(length, p, more, strict=True)]
    size = [*zip(length, p, output_size or usual, strict=True)]
    widths = [w for m, a, left in reversed(size) for w in (-a, left + a - m)]
    return pad(y, widths)


def conv_transpose(layer: Any, x: Tensor, output_size: Any = None) -> Tensor:
    """Each cell stamps the kernels, cropped to the size that is asked for."""
    n, g = len(layer.kernel_size), layer.groups
    batch = x if x.ndim == n + 2 else x[None]
    kernel = Kernel(layer.kernel_size, layer.stride, layer.dilation)
    stamps = CONV_TRANSPOSE(GROUPS(batch, g=g), TRANSPOSED_KERNELS(layer.weight, g=g))
    y = MERGED(overlap_add(stamps, kernel.length(x.shape[-n:]), kernel))
    y = cropped(layer, y, output_size)
    y = y if layer.bias is None else y + BIAS[n](layer.bias)
    return y if x.ndim == n + 2 else y[0]


SHORT: dict[str, Callable[..., Tensor]] = {
    f"{lazy}ConvTranspose{n}d": conv_transpose
    for n in (1, 2, 3)
    for lazy in ("", "Lazy")
}
LEFT: dict[str, set[int]] = {}
