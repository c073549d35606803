"""Dropout: a product with a mask that is drawn anew each time, in training only."""

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from layerlib.conventions.dropout import drawn, dropping, over_channels
from layerlib.conventions.layer import Computed
from layerlib.recipe import Bend, Recipe

Each = Shaped[Tensor, "..."]
Number = int | float

DRAW = Bend("bernoulli", drawn)
DROPOUT = Recipe("..., ... -> ...")
FEATURE_DROPOUT = Recipe("b c ..., b c -> b c ...")

SATURATION = 1.7580993408473766
"""How far below 0 SELU can get: its alpha times its scale."""


@dropping
def dropout(input: Each, p: Number = 0.5, training: bool = True) -> Each:
    """``(...) -> (...)``: each number becomes 0 with probability `p`.

    Those that stay are divided by 1 - p, and so the mean stays as well.

    Raises:
        ValueError: `p` is no probability.
        TypeError: the numbers are not floating-point, and some are to be dropped.

    >>> dropout(torch.ones(4), p=1.0)
    tensor([0., 0., 0., 0.])

    Source: `torch.nn.functional.dropout`; https://jmlr.org/papers/v15/srivastava14a.html.
    """
    if not training:
        return input
    kept = DRAW(input, 1 - p)
    return DROPOUT(input, kept / (1 - p))


@over_channels
def _channel_dropout(input: Each, p: Number = 0.5, training: bool = True) -> Each:
    """``(b, c, *n) -> (b, c, *n)``: each channel becomes 0 with probability `p`.

    An input without ``b`` is taken as one; but `dropout2d` reads three axes as
    ``(b, c, n)``, and warns. So it does, like `dropout3d`, for another number of axes.

    Raises: what `dropout` raises, and:
        ValueError: there is no axis of channels, or `dropout1d` got other axes.

    Source: `torch.nn.functional.dropout2d`; https://arxiv.org/abs/1411.4280.
    """
    if not training:
        return input
    kept = DRAW(input, 1 - p, 2)
    return FEATURE_DROPOUT(input, kept / (1 - p))


dropout1d, dropout2d, dropout3d = _channel_dropout


def _scale_and_shift(kept: Tensor, p: Number) -> tuple[Tensor, Tensor]:
    """What is dropped falls to -`SATURATION`, and mean 0 and variance 1 return."""
    scale = ((1 - p) * (1 + p * SATURATION**2)) ** -0.5
    lowest = SATURATION * scale
    return scale * kept, lowest * (kept - 1) + lowest * p


@dropping
def alpha_dropout(input: Each, p: Number = 0.5, training: bool = False) -> Each:
    """``(...) -> (...)``: each number is as if `selu` were far below 0, or stays.

    A scale and a shift then keep mean 0 and variance 1.

    Raises: what `dropout` raises.

    Source: `torch.nn.functional.alpha_dropout`; https://arxiv.org/abs/1706.02515.
    """
    if not training:
        return input
    kept = DRAW(input, 1 - p)
    scale, shift = _scale_and_shift(kept, p)
    return DROPOUT(input, scale) + shift


@dropping
def feature_alpha_dropout(input: Each, p: Number = 0.5, training: bool = False) -> Each:
    """``(b, c, ...) -> (b, c, ...)``: `alpha_dropout` of whole channels.

    Raises: what `dropout` raises, and:
        ValueError: the input has no channels.

    Source: `torch.nn.functional.feature_alpha_dropout`.
    """
    if not training:
        return input
    kept = DRAW(input, 1 - p, 2)
    scale, shift = _scale_and_shift(kept, p)
    shift = FEATURE_DROPOUT(torch.ones_like(input), shift)
    return FEATURE_DROPOUT(input, scale) + shift


# fmt: off
class Dropout(Computed, nn.Dropout, by=dropout, line=DROPOUT): ...
class Dropout1d(Computed, nn.Dropout1d, by=dropout1d, line=FEATURE_DROPOUT): ...
class Dropout2d(Computed, nn.Dropout2d, by=dropout2d, line=FEATURE_DROPOUT): ...
class Dropout3d(Computed, nn.Dropout3d, by=dropout3d, line=FEATURE_DROPOUT): ...
# fmt: on


class AlphaDropout(Computed, nn.AlphaDropout, by=alpha_dropout, line=DROPOUT):
    """``(...) -> (...)``: `torch.nn.AlphaDropout`; it, too, never works in place."""

    def forward(self, input: Each) -> Each:
        """The `alpha_dropout` of the input."""
        return alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(
    Computed, nn.FeatureAlphaDropout, by=feature_alpha_dropout, line=FEATURE_DROPOUT
):
    """``(b, c, ...) -> (b, c, ...)``: an `AlphaDropout` of whole channels."""

    def forward(self, input: Each) -> Each:
        """The `feature_alpha_dropout` of the input."""
        return feature_alpha_dropout(input, self.p, self.training)
