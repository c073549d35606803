"""Norms: mean zero, variance one. They differ by the letters that are averaged."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn.modules import batchnorm

from layerlib.conventions import norm as torchs
from layerlib.conventions.cross_map import cross_map
from layerlib.conventions.layer import Computed
from layerlib.conventions.norm import Affine, EachElement, Lazy, Tracking
from layerlib.conventions.signature import convention
from layerlib.distance import POWER
from layerlib.engine.gradient import overwrite
from layerlib.engine.kernel import Kernel
from layerlib.engine.pieces import InPieces
from layerlib.recipe import Bend, Rearrange, Reduce
from layerlib.windows import windows

Real: TypeAlias = Float[Tensor, "..."]
Number: TypeAlias = Num[Tensor, "..."]
Maybe: TypeAlias = Number | None

BATCH = Reduce("b c n -> 1 c 1", "mean")
INSTANCE = Reduce("b c n -> b c 1", "mean")
GROUP = Reduce("b g c n -> b g 1 1", "mean")
LAYER = Reduce("b n -> b 1", "mean")
TOTAL = Reduce("b n -> b 1", "sum")
NEIGHBORS = Reduce("b c n k -> b c n", "sum")
OF_CHANNEL = Reduce("b c n -> c", "mean")
MERGED = Rearrange("b c ... -> b c (...)")
GROUPED = Rearrange("b (g c) ... -> b g c (...)")
PER_CHANNEL = Rearrange("c -> 1 c 1")
PER_GROUP = Rearrange("(g c) -> 1 g c 1")
RSQRT = Bend("rsqrt", torch.rsqrt)


def _standardize(
    x: Tensor, weight: Maybe, bias: Maybe, line: Reduce, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean zero and variance one over what `line` averages; the mean, the variance."""
    mean = line(x)
    centered = x - mean
    variance = line(centered * centered)
    scale = _scaled(RSQRT(variance + eps), weight)
    return _scaled(centered, scale, bias), mean, variance


def _standardize_gradient(
    g: Tensor, mean: Tensor, variance: Tensor,
    x: Tensor, weight: Maybe, bias: Maybe, line: Reduce, eps: float,
) -> list[Maybe]:  # fmt: skip
    """A projection: what of it points along ones, or along the output, is gone."""
    scale = RSQRT(variance + eps)
    y = (x - mean) * scale
    along = _scaled(g, weight)
    across = along - line(along) - y * line(along * y)
    return [scale * across, _summed(g * y, weight), _summed(g, bias)]


def _to_length_one_gradient(g: Tensor, x: Tensor, weight: Maybe, eps: float) -> Any:
    """A projection: what of it points along the output is gone."""
    scale = RSQRT(TOTAL(x * x) / x.shape[1] + eps).conj()
    y = x.conj() * scale
    along = g if weight is None else g * weight.conj()
    across = along - y * (TOTAL(along * y) / x.shape[1])
    return [scale * across, _summed(g * y, weight)]


@InPieces("b n, 1 n -> b n", "b", _to_length_one_gradient)
def _to_length_one(x: Tensor, weight: Maybe, eps: float) -> Tensor:
    """Root mean square one over n."""
    mean_square = TOTAL(x * x) / x.shape[1]
    return _scaled(x * RSQRT(mean_square + eps), weight)


def _scaled(y: Tensor, weight: Maybe, bias: Maybe = None) -> Tensor:
    """Times a weight and plus a bias, where there are such."""
    if weight is None:
        return y if bias is None else y + bias
    return y * weight if bias is None else torch.addcmul(bias, y, weight)


def _summed(gradient: Tensor, parameter: Maybe) -> Maybe:
    """The gradient of a parameter: the sum over all places that it went to."""
    return None if parameter is None else gradient.sum_to_size(parameter.shape)


# Each along the letters that its line keeps: there, a piece has averages of its own.
_over_batch, _over_instance, _over_group, _over_layer = (
    InPieces(letters, along, _standardize_gradient, keeps=True)(_standardize)
    for letters, along in (
        ("b c n, 1 c 1, 1 c 1 -> b c n, 1 c 1, 1 c 1", "c"),
        ("b c n, 1 c 1, 1 c 1 -> b c n, b c 1, b c 1", "b c"),
        ("b g c n, 1 g c 1, 1 g c 1 -> b g c n, b g 1 1, b g 1 1", "b g"),
        ("b n, 1 n, 1 n -> b n, b 1, b 1", "b"),
    )
)


def _each(line: Rearrange, *parameters: Maybe, **sizes: int) -> list[Any]:
    """The parameters with their axes as in `line`, where there are such."""
    return [p if p is None else line(p, **sizes) for p in parameters]


def _follow(running: Maybe, found: Tensor, momentum: float) -> None:
    """Moves a running average: momentum is the weight of what was found."""
    if running is not None:
        overwrite(running, (1 - momentum) * running + momentum * OF_CHANNEL(found))


def _unbiased(variance: Tensor, x: Tensor) -> Tensor:
    """Over n - 1 numbers instead of n: their own mean lies too close to them."""
    n = x.numel() // max(1, variance.numel())
    return variance * (n / max(1, n - 1))


def _rescaled(x: Tensor, running: Any, affine: Any, eps: float) -> Tensor:
    """By given averages: one scale and one shift for each channel."""
    (mean, variance), (weight, bias) = running, affine
    scale = _scaled(RSQRT(variance + eps), weight)
    return _scaled(x, scale, _scaled(-mean * scale, None, bias))


def _by_channel(
    over: Callable[..., Tensor], line: Reduce, input: Tensor,
    running: list[Maybe], affine: list[Maybe], own: bool, momentum: float, eps: float,
) -> Tensor:  # fmt: skip
    """By the averages of the input, which the running ones follow; or by those."""
    x, affine = MERGED(input), _each(PER_CHANNEL, *affine)
    if not own:
        running = _each(PER_CHANNEL, *running)
        return _rescaled(x, running, affine, eps).reshape(input.shape)
    y, mean, variance = over(x, *affine, line, eps)
    _follow(running[0], mean, momentum)
    _follow(running[1], _unbiased(variance, x), momentum)
    return y.reshape(input.shape)  # type: ignore[no-any-return]


@convention(torchs.by_channel)
def batch_norm(
    input: Real, running_mean: Maybe, running_var: Maybe, weight: Maybe = None,
    bias: Maybe = None, training: bool = False, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Real:  # fmt: skip
    """``(b, c, ...) -> (b, c, ...)``: each channel gets mean zero and variance one.

    In training over the batch and all positions. The running averages follow, with an
    unbiased variance: momentum is the weight of the new. At inference they are used.

    Raises:
        ValueError: a parameter does not fit, or a channel has a single value.

    >>> batch_norm(torch.tensor([[1.0, 10.0], [3.0, 30.0]]), None, None, training=True)
    tensor([[-1.0000, -1.0000],
            [ 1.0000,  1.0000]])

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167.
    """
    given = [running_mean, running_var], [weight, bias], training, momentum, eps
    return _by_channel(_over_batch, BATCH, input, *given)


@convention(torchs.by_channel)
def instance_norm(
    input: Real, running_mean: Maybe = None, running_var: Maybe = None,
    weight: Maybe = None, bias: Maybe = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Real:  # fmt: skip
    """``(b, c, ...) -> (b, c, ...)``: a batch norm of each element by itself.

    The running averages follow the mean of those of the elements.

    Raises:
        ValueError: a parameter does not fit, or a channel has a single value.

    >>> instance_norm(torch.tensor([[[1.0, 3.0], [10.0, 30.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])

    Source: Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022.
    """
    given = [running_mean, running_var], [weight, bias], use_input_stats, momentum, eps
    return _by_channel(_over_instance, INSTANCE, input, *given)


@convention(torchs.by_group)
def group_norm(
    input: Real, num_groups: int, weight: Maybe = None, bias: Maybe = None,
    eps: float = 1e-5,
) -> Real:  # fmt: skip
    """``(b, c, ...) -> (b, c, ...)``: the channels of a group share their averages.

    Raises:
        ValueError: the channels do not make `num_groups` equal groups, a parameter does
            not fit, or a group has a single value.

    >>> group_norm(torch.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])

    Source: Wu and He 2018, https://arxiv.org/abs/1803.08494.
    """
    x = GROUPED(input, g=num_groups)
    affine = _each(PER_GROUP, weight, bias, g=num_groups)
    return _over_group(x, *affine, GROUP, eps)[0].reshape(input.shape)


@convention(torchs.by_shape)
def layer_norm(
    input: Real, normalized_shape: Sequence[int], weight: Maybe = None,
    bias: Maybe = None, eps: float = 1e-5,
) -> Real:  # fmt: skip
    """``(..., *n) -> (..., *n)``: mean zero and variance one over the last axes.

    Raises:
        ValueError: the last axes of the input, or a parameter, do not fit.

    >>> layer_norm(torch.tensor([[1.0, 3.0], [10.0, 30.0]]), (2,))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])

    Source: Ba et al. 2016, https://arxiv.org/abs/1607.06450.
    """
    return _over_layer(input, weight, bias, LAYER, eps)[0]


@convention(torchs.by_shape)
def rms_norm(
    input: Number, normalized_shape: Sequence[int], weight: Maybe = None,
    eps: float | None = None,
) -> Number:  # fmt: skip
    """``(..., *n) -> (..., *n)``: the root mean square over the last axes becomes one.

    A layer norm that takes no mean away. `eps` is that of the dtype of the sums.

    Raises:
        ValueError: the last axes of the input, or the weight, do not fit.
        TypeError: the input holds whole numbers.

    >>> rms_norm(torch.tensor([1.0, 1.0, 1.0, 5.0]), (4,))
    tensor([0.3780, 0.3780, 0.3780, 1.8898])

    Source: Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467.
    """
    return _to_length_one(input, weight, eps)


def _neighbors(x: Tensor, before: int, after: int) -> Tensor:
    """``(b, c, n) -> (b, c, n)``: each channel, plus those just before and after it."""
    padded = torch.constant_pad_nd(x, (0, 0, before, after))
    kernel = Kernel((before + after + 1, 1), (1, 1), (1, 1))
    return NEIGHBORS(windows(padded, kernel))


@convention(torchs.by_neighbors)
def local_response_norm(
    input: Real, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Real:
    """``(b, c, ...) -> (b, c, ...)``: over the strength of the `size` channels nearby.

    That is the mean of their squares, times `alpha`, plus `k`, to the power `beta`.
    Beyond the first and the last channel are zeros, and they count in the mean.

    Raises:
        ValueError: the input has no positions, or `size` is not positive.

    >>> local_response_norm(torch.ones(1, 3, 1), 3, alpha=3.0, beta=1.0).flatten()
    tensor([0.3333, 0.2500, 0.3333])

    Source: Krizhevsky et al. 2012, section 3.3, https://papers.nips.cc/paper/4824.
    """
    total = _neighbors(MERGED(input * input), size // 2, (size - 1) // 2)
    strength = POWER(total * (alpha / size) + k, -beta)
    return input * strength.reshape(input.shape)


class _BatchNorm(Tracking, batchnorm._BatchNorm):  # noqa: SLF001
    """``(b, c, ...) -> (b, c, ...)``: `batch_norm`, affine for each channel."""

    line, evaluated = BATCH, PER_CHANNEL

    def forward(self, input: Real) -> Real:
        """By the averages of the batch in training, else by the running ones."""
        x = self.checked(input)
        kept = (self.running_mean, self.running_var)
        if self.training and not self.track_running_stats:
            kept = (None, None)
        own, momentum = self.training or kept == (None, None), self.next_momentum()
        return batch_norm(x, *kept, self.weight, self.bias, own, momentum, self.eps)


class _Instance(EachElement):
    """``(b, c, ...) -> (b, c, ...)``: `instance_norm`, affine for each channel."""

    line, evaluated = INSTANCE, PER_CHANNEL

    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        """By the averages of each element in training, else by the running ones."""
        given = (self.running_mean, self.running_var, self.weight, self.bias)
        own = self.training or not self.track_running_stats
        return instance_norm(input, *given, own, self.momentum or 0.0, self.eps)


# fmt: off
class BatchNorm1d(_BatchNorm, nn.BatchNorm1d): ...
class BatchNorm2d(_BatchNorm, nn.BatchNorm2d): ...
class BatchNorm3d(_BatchNorm, nn.BatchNorm3d): ...
class InstanceNorm1d(_Instance, nn.InstanceNorm1d): ...
class InstanceNorm2d(_Instance, nn.InstanceNorm2d): ...
class InstanceNorm3d(_Instance, nn.InstanceNorm3d): ...
class LazyBatchNorm1d(Lazy, nn.LazyBatchNorm1d, _BatchNorm, to=BatchNorm1d): ...
class LazyBatchNorm2d(Lazy, nn.LazyBatchNorm2d, _BatchNorm, to=BatchNorm2d): ...
class LazyBatchNorm3d(Lazy, nn.LazyBatchNorm3d, _BatchNorm, to=BatchNorm3d): ...
class LazyInstanceNorm1d(Lazy, nn.LazyInstanceNorm1d, _Instance, to=InstanceNorm1d): ...
class LazyInstanceNorm2d(Lazy, nn.LazyInstanceNorm2d, _Instance, to=InstanceNorm2d): ...
class LazyInstanceNorm3d(Lazy, nn.LazyInstanceNorm3d, _Instance, to=InstanceNorm3d): ...
class LayerNorm(Computed, Affine, nn.LayerNorm, by=layer_norm, line=LAYER): ...
class GroupNorm(Computed, Affine, nn.GroupNorm, by=group_norm, line=GROUP): ...
class LocalResponseNorm(
    Computed, nn.LocalResponseNorm, by=local_response_norm, line=NEIGHBORS
): ...
# fmt: on


class RMSNorm(Affine, nn.RMSNorm):
    """``(..., *n) -> (..., *n)``: `rms_norm`, with a weight for each feature."""

    line = TOTAL

    def forward(self, x: Number) -> Number:
        """Root mean square one over the last axes, times the weight."""
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)


class CrossMapLRN2d(nn.CrossMapLRN2d):
    """``(b, c, h, w) -> (b, c, h, w)``: an older `LocalResponseNorm`, as torch has it.

    From some channel on its sum of squares has the first channel in it as well, and its
    gradient sums over other channels than its output does.
    """

    line = NEIGHBORS

    def forward(self, input: Number) -> Number:
        """Each channel over the strength of those nearby."""
        settings = (self.size, self.alpha, self.beta, float(self.k))
        return cross_map(_neighbors, input, *settings)
