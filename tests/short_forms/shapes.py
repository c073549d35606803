"""Layers that only rearrange: each is one pattern."""

from typing import Any

from einops import rearrange
from torch import Tensor


def flatten(layer: Any, x: Tensor) -> Tensor:
    pattern = "b c n -> b (c n)" if layer.start_dim else "b c n -> (b c) n"
    return rearrange(x, pattern)


def unflatten(layer: Any, x: Tensor) -> Tensor:
    return rearrange(x, "b (c n) -> b c n", c=layer.unflattened_size[0])


def pixel_shuffle(layer: Any, x: Tensor) -> Tensor:
    r = layer.upscale_factor
    return rearrange(x, "b (c kh kw) h w -> b c (h kh) (w kw)", kh=r, kw=r)


def pixel_unshuffle(layer: Any, x: Tensor) -> Tensor:
    r = layer.downscale_factor
    return rearrange(x, "b c (h kh) (w kw) -> b (c kh kw) h w", kh=r, kw=r)


def channel_shuffle(layer: Any, x: Tensor) -> Tensor:
    return rearrange(x, "b (g c) n -> b (c g) n", g=layer.groups)


SHORT = {
    "Flatten": flatten,
    "Unflatten": unflatten,
    "PixelShuffle": pixel_shuffle,
    "PixelUnshuffle": pixel_unshuffle,
    "ChannelShuffle": channel_shuffle,
    "Identity": lambda _, x: x,
}

LEFT: dict[str, set[int]] = {}
