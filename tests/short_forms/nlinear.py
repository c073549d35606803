"""NLinear: for each position a line of its own."""

from typing import Any

from torch import Tensor

from layerlib.recipe import Recipe


def nlinear(layer: Any, x: Tensor) -> Tensor:
    *_, i, o = layer.weight.shape
    weight = layer.weight.reshape(-1, i, o)  # positions of a grid in one row
    y = Recipe("b n i, n i o -> b n o")(x.reshape(-1, len(weight), i), weight)
    y = y.reshape(*x.shape[:-1], o)
    return y if layer.bias is None else y + layer.bias


SHORT = {"NLinear": nlinear}

LEFT: dict[str, set[int]] = {}
