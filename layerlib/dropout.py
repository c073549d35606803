"""Dropout: a product with a mask that is drawn anew each time, in training only."""

import warnings

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from layerlib.conventions.axes import along
from layerlib.conventions.expect import expect
from layerlib.conventions.layer import Computed
from layerlib.recipe import Recipe

Each = Shaped[Tensor, "..."]
Number = int | float

DROPOUT = Recipe("..., ... -> ...")
FEATURE_DROPOUT = Recipe("b c ..., b c -> b c ...")

SATURATION = 1.7580993408473766
"""How far below 0 SELU can get: its alpha times its scale."""


def dropout(
    input: Each, p: Number = 0.5, training: bool = True, inplace: bool = False
) -> Each:
    """``(...) -> (...)``: each number becomes 0 with probability `p`.

    Those that stay are divided by 1 - p, and so the mean stays as well.

    Raises:
        ValueError: `p` is no probability.
        TypeError: the numbers are not floating-point, and some are to be dropped.

    >>> dropout(torch.ones(4), p=1.0)
    tensor([0., 0., 0., 0.])

    Source: `torch.nn.functional.dropout`; https://jmlr.org/papers/v15/srivastava14a.html.
    """
    return _dropped("dropout", input, p, training, inplace)


def alpha_dropout(
    input: Each, p: Number = 0.5, training: bool = False, inplace: bool = False
) -> Each:
    """``(...) -> (...)``: each number is as if `selu` were far below 0, or stays.

    A scale and a shift then keep mean 0 and variance 1.

    Raises: what `dropout` raises.

    Source: `torch.nn.functional.alpha_dropout`; https://arxiv.org/abs/1706.02515.
    """
    return _dropped("alpha_dropout", input, p, training, inplace, alpha=True)


def feature_alpha_dropout(
    input: Each, p: Number = 0.5, training: bool = False, inplace: bool = False
) -> Each:
    """``(b, c, ...) -> (b, c, ...)``: `alpha_dropout` of whole channels.

    Raises: what `dropout` raises, and:
        ValueError: the input has no channels.

    Source: `torch.nn.functional.feature_alpha_dropout`.
    """
    name = "feature_alpha_dropout"
    return _dropped(name, input, p, training, inplace, kept=2, alpha=True)


def _dropout(
    n: int, input: Each, p: Number = 0.5, training: bool = True, inplace: bool = False
) -> Each:
    """``(b, c, *n) -> (b, c, *n)``: each channel becomes 0 with probability `p`.

    An input without ``b`` is taken as one; but `dropout2d` reads three axes as
    ``(b, c, n)``, and warns. So it does, like `dropout3d`, for another number of axes.

    Raises: what `dropout` raises, and:
        ValueError: there is no axis of channels, or `dropout1d` got other axes.

    Source: `torch.nn.functional.dropout2d`; https://arxiv.org/abs/1411.4280.
    """
    name, axes = f"dropout{n}d", input.ndim
    told, shape = f"{n + 1} or {n + 2} axes", tuple(input.shape)
    expect(name, n > 1 or axes in (2, 3), told, shape)
    if axes not in (n + 1, n + 2):
        told = f"{name}: expected {told}, got {shape}; torch will refuse it one day"
        warnings.warn(told, stacklevel=3)
    if (n, axes) == (2, 3):
        told = "dropout2d: three axes are taken as (batch, channels, length)"
        warnings.warn(f"{told}; for these there is dropout1d", stacklevel=3)
    kept = 2 if n == 2 or axes == n + 2 else 1
    return _dropped(name, input, p, training, inplace, kept=kept)


dropout1d, dropout2d, dropout3d = along(_dropout)


def _dropped(
    name: str,
    input: Tensor,
    p: Number,
    training: bool,
    inplace: bool,
    *,
    kept: int | None = None,
    alpha: bool = False,
) -> Tensor:
    expect(name, 0 <= p <= 1, "a probability p from 0 to 1", p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    expected, got = "floating-point numbers", input.dtype
    expect(name, got.is_floating_point, expected, got, TypeError)
    expect(name, input.ndim >= (kept or 0), "axes b and c", tuple(input.shape))
    if kept is None:
        mask = torch.empty_like(input)
    else:  # one number for all that the further axes have
        shape = (*input.shape[:kept], *(1 for _ in input.shape[kept:]))
        mask = input.new_empty(shape)
    mask.bernoulli_(1 - p)
    if not alpha:
        mask.div_(1 - p)
        return input.mul_(mask) if inplace else input * mask
    scale = ((SATURATION**2 * p + 1) * (1 - p)) ** -0.5
    shift = mask.sub(1).mul_(SATURATION * scale).add_(SATURATION * scale * p)
    mask.mul_(scale)
    return (input.mul_(mask) if inplace else input * mask).add_(shift)


class Dropout(Computed, nn.Dropout, by=dropout):
    """``(...) -> (...)``: `torch.nn.Dropout`, computed by `dropout`."""

    line = DROPOUT


class _Dropout(Computed):
    line = FEATURE_DROPOUT


class Dropout1d(_Dropout, nn.Dropout1d, by=dropout1d):
    """``(b, c, n) -> (b, c, n)``: `torch.nn.Dropout1d`, computed by `dropout1d`."""


class Dropout2d(_Dropout, nn.Dropout2d, by=dropout2d):
    """``(b, c, h, w) -> (b, c, h, w)``: `torch.nn.Dropout2d`, by `dropout2d`."""


class Dropout3d(_Dropout, nn.Dropout3d, by=dropout3d):
    """``(b, c, d, h, w) -> (b, c, d, h, w)``: `torch.nn.Dropout3d`, by `dropout3d`."""


class AlphaDropout(nn.AlphaDropout):
    """``(...) -> (...)``: `torch.nn.AlphaDropout`; it, too, never works in place."""

    line = DROPOUT

    def forward(self, input: Each) -> Each:
        """The `alpha_dropout` of the input."""
        return alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(nn.FeatureAlphaDropout):
    """``(b, c, ...) -> (b, c, ...)``: an `AlphaDropout` of whole channels."""

    line = FEATURE_DROPOUT

    def forward(self, input: Each) -> Each:
        """The `feature_alpha_dropout` of the input."""
        return feature_alpha_dropout(input, self.p, self.training)
