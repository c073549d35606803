"""The dropouts in a few lines of the book's own pieces, by the names of the layers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.recipe import Recipe

DROPOUT = Recipe("..., ... -> ...")
FEATURE_DROPOUT = Recipe("b c ..., b c -> b c ...")
LOWEST = -1.7580993408473766


def dropout(layer: Any, x: Tensor) -> Tensor:
    """A product with a mask."""
    if not layer.training:
        return x
    kept = torch.empty_like(x).bernoulli_(1 - layer.p)
    return DROPOUT(x, kept / (1 - layer.p))


def channels(layer: Any, x: Tensor, axes: int) -> Tensor:
    """The same with a number for each channel."""
    given = x if x.ndim == axes + 2 else x[None]
    kept = torch.empty(given.shape[:2], dtype=x.dtype).bernoulli_(1 - layer.p)
    return FEATURE_DROPOUT(given, kept / (1 - layer.p)).reshape(x.shape)


def alpha(layer: Any, x: Tensor, kept: Tensor) -> Tensor:
    """What is dropped falls to the lowest; then mean 0 and variance 1 return."""
    scale = ((1 - layer.p) * (1 + layer.p * LOWEST**2)) ** -0.5
    return scale * (DROPOUT(x, kept) + LOWEST * (1 - kept) - layer.p * LOWEST)


def alpha_dropout(layer: Any, x: Tensor) -> Tensor:
    """The mask has a number for each."""
    if not layer.training:
        return x
    return alpha(layer, x, torch.empty_like(x).bernoulli_(1 - layer.p))


def feature_alpha_dropout(layer: Any, x: Tensor) -> Tensor:
    """The mask has a number for each channel."""
    kept = torch.empty(x.shape[:2], dtype=x.dtype).bernoulli_(1 - layer.p)
    return alpha(layer, x, FEATURE_DROPOUT(torch.ones_like(x), kept))


SHORT: dict[str, Callable[..., Tensor]] = {
    "AlphaDropout": alpha_dropout,
    "Dropout": dropout,
    "Dropout1d": lambda layer, x: channels(layer, x, 1),
    "Dropout2d": lambda layer, x: channels(layer, x, 2),
    "Dropout3d": lambda layer, x: channels(layer, x, 3),
    "FeatureAlphaDropout": feature_alpha_dropout,
}

LEFT: dict[str, set[int]] = {}
