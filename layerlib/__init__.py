"""The layers of `torch.nn` as recipes: rearrange, multiply, sum on named axes.

Classes stand here, under torch's names; functions stand in their families:
`from layerlib import Linear`, and `from layerlib.linear import linear`.
"""

from layerlib.linear import Bilinear, LazyLinear, Linear
from layerlib.nlinear import NLinear
from layerlib.recipe import Cost, Line, Rearrange, Recipe, Reduce
from layerlib.shapes import (
    ChannelShuffle,
    Flatten,
    Identity,
    PixelShuffle,
    PixelUnshuffle,
    Unflatten,
)

__all__ = [
    "Bilinear",
    "ChannelShuffle",
    "Cost",
    "Flatten",
    "Identity",
    "LazyLinear",
    "Line",
    "Linear",
    "NLinear",
    "PixelShuffle",
    "PixelUnshuffle",
    "Rearrange",
    "Recipe",
    "Reduce",
    "Unflatten",
]
