"""Linear and Bilinear: a line, and the bias on top."""

from typing import Any

from torch import Tensor

from layerlib.recipe import Recipe


def linear(layer: Any, x: Tensor) -> Tensor:
    y = Recipe("... i, o i -> ... o")(x, layer.weight)
    return y if layer.bias is None else y + layer.bias


def bilinear(layer: Any, x: Tensor, other: Tensor) -> Tensor:
    y = Recipe("... i, o i j, ... j -> ... o")(x, layer.weight, other)
    return y if layer.bias is None else y + layer.bias


SHORT = {"Linear": linear, "LazyLinear": linear, "Bilinear": bilinear}

LEFT: dict[str, set[int]] = {}
