"""Mixers: a block lets tokens mix, then works on each; what it makes is added.

Not part of `import layerlib`: ``from layerlib.vision import MLPMixer``.
"""
# mypy: disable-error-code="no-any-return"
# What a module returns is Any to mypy.

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Module, Parameter

import layerlib
from layerlib.conventions.pretrained import set_apart
from layerlib.conventions.vision import activated
from layerlib.recipe import Rearrange, Recipe

ACROSS = Rearrange("b n c -> b c n")
SAMPLES = Rearrange("b ... -> 1 b (...)")
SCALE = Recipe("... c, c -> ... c")


class LayerScale(Module):
    """``(..., c) -> (..., c)``: each feature times a number that starts small.

    Args:
        features: how many.
        value: what each factor is at first: a block that starts near the identity.

    Source: https://arxiv.org/abs/2103.17239, section 2.2.
    """

    def __init__(self, features: int, value: float = 1e-5) -> None:
        super().__init__()
        self.scale = Parameter(torch.full((features,), value))

    def forward(self, x: Float[Tensor, "... c"]) -> Float[Tensor, "... c"]:
        """Each feature times its factor."""
        return SCALE(x, self.scale)


class StochasticDepth(Module):
    """``(b, ...) -> (b, ...)``: in training, a sample is left out whole at times.

    It is the dropout of channels, with the samples in their place.

    Source: https://arxiv.org/abs/1603.09382.
    """

    def __init__(self, p: float, nn: Any = layerlib) -> None:
        super().__init__()
        self.drop = nn.Dropout1d(p)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Zeros for some samples, and the others larger by what those lack."""
        return self.drop(SAMPLES(x)).reshape(x.shape)


class MLP(Module):
    """``(..., c) -> (..., c)``: two linear layers and a bend between them."""

    def __init__(
        self, features: int, hidden: int, activation: str = "gelu", nn: Any = layerlib
    ) -> None:
        super().__init__()
        self.linear1 = nn.Linear(features, hidden)
        self.activation = activated(activation, nn)
        self.linear2 = nn.Linear(hidden, features)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Each token by itself; what is a token is said by the last axis."""
        return self.linear2(self.activation(self.linear1(x)))


class TokenMixing(Module):
    """``(b, n, c) -> (b, n, c)``: an MLP along the tokens, the same for each feature.

    Source: https://arxiv.org/abs/2105.01601, equation 1.
    """

    def __init__(
        self, tokens: int, hidden: int, activation: str = "gelu", nn: Any = layerlib
    ) -> None:
        super().__init__()
        self.mlp = MLP(tokens, hidden, activation, nn)

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Each feature of all tokens, instead of each token's features."""
        return ACROSS(self.mlp(ACROSS(x)))


class Block(Module):
    """``(b, ..., c) -> (b, ..., c)``: tokens are mixed, then each is worked on.

    The three models differ in what mixes: attention to all, to a window, or an MLP.

    Args:
        mixing: what mixes tokens.
        features: of each token.
        hidden: features between the two layers of the MLP.
        activation: ``gelu``, ``gelu_new`` (by tanh), ``relu`` or ``silu``.
        eps: what the norms add to the variance.
        dropout: after the mixing and after the MLP.
        path: how often a sample goes round both, in training.
        scale: where a `LayerScale` starts; 0 means that there is none.
        nn: where the layers come from.
    """

    def __init__(
        self, mixing: Module, features: int, hidden: int, activation: str = "gelu",
        eps: float = 1e-5, dropout: float = 0.0, path: float = 0.0, scale: float = 0.0,
        nn: Any = layerlib,
    ) -> None:  # fmt: skip
        super().__init__()
        self.norm1 = nn.LayerNorm(features, **set_apart(eps=eps))
        self.mixing = mixing
        self.scale1 = LayerScale(features, scale) if scale else nn.Identity()
        self.norm2 = nn.LayerNorm(features, **set_apart(eps=eps))
        self.mlp = MLP(features, hidden, activation, nn)
        self.scale2 = LayerScale(features, scale) if scale else nn.Identity()
        self.drop = nn.Sequential(nn.Dropout(dropout), StochasticDepth(path, nn))

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Two steps, each added to the stream."""
        x = x + self.drop(self.scale1(self.mixing(self.norm1(x))))
        return x + self.drop(self.scale2(self.mlp(self.norm2(x))))
