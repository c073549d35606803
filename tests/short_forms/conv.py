"""Convolutions in a few lines: pad, windows, a line."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from layerlib.conv import BIAS, CONV, GROUPS, KERNELS, MERGED
from layerlib.engine.windows import Kernel
from layerlib.windows import pad, windows


def conv(layer: Any, x: Tensor) -> Tensor:
    """Every window of the padded input against the kernels, plus the bias."""
    n, g = len(layer.kernel_size), layer.groups
    batch = x if x.ndim == n + 2 else x[None]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    around = layer._reversed_padding_repeated_twice  # noqa: SLF001
    padded = pad(batch, around, mode)
    kernel = Kernel(layer.kernel_size, layer.stride, layer.dilation)
    seen = windows(GROUPS(padded, g=g), kernel).tensor()
    y = MERGED(CONV(seen, KERNELS(layer.weight, g=g)))
    y = y if layer.bias is None else y + BIAS[n](layer.bias)
    return y if x.ndim == n + 2 else y[0]


SHORT: dict[str, Callable[..., Tensor]] = {
    f"{lazy}Conv{n}d": conv for n in (1, 2, 3) for lazy in ("", "Lazy")
}
LEFT: dict[str, set[int]] = {}
