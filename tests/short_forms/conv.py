"""Convolutions in a few lines: pad, windows, a line."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from layerlib.conv import BIAS, CONV, GROUPS, KERNELS, MERGED
from layerlib.engine.windows import Kernel
from layerlib.windows import pad, windows


def padded(layer: Any, x: Tensor) -> Tensor:
    """The input as a batch, and what is beyond its edges."""
    batch = x if x.ndim == len(layer.kernel_size) + 2 else x[None]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return pad(batch, layer._reversed_padding_repeated_twice, mode)  # noqa: SLF001


def conv(layer: Any, x: Tensor) -> Tensor:
    """Every window of the padded input against the kernels, plus the bias."""
    n, g = len(layer.kernel_size), layer.groups
    kernel = Kernel(layer.kernel_size, layer.stride, layer.dilation)
    seen = windows(GROUPS(padded(layer, x), g=g), kernel).tensor()
    y = MERGED(CONV(seen, KERNELS(layer.weight, g=g)))
    y = y if layer.bias is None else y + BIAS[n](layer.bias)
    return y if x.ndim == n + 2 else y[0]


SHORT: dict[str, Callable[..., Tensor]] = {
    f"{lazy}Conv{n}d": conv for n in (1, 2, 3) for lazy in ("", "Lazy")
}
LEFT: dict[str, set[int]] = {}
