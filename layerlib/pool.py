"""Pooling: each window gives one number, such as its largest or its mean."""

# `along` makes a tuple of three functions: 1-d, 2-d, 3-d. A class is computed `by` one.

import math
from typing import Any

import torch
from jaxtyping import Float, Int64, Real
from torch import Tensor, nn

from layerlib.conventions import pool as convention
from layerlib.conventions.layer import Computed
from layerlib.conventions.pool import Number, Pooled, Powers, Sizes, Unpooling
from layerlib.conventions.signature import along
from layerlib.engine.bands import Band, OneHot
from layerlib.engine.kernel import Kernel, resized
from layerlib.engine.reductions import GatheredWindows, PaddedWindows, where_largest
from layerlib.recipe import Bend, Recipe, Reduce
from layerlib.windows import windows

MAX = Reduce("b c ... k -> b c ...", "max")
SUM = Reduce("b c ... k -> b c ...", "sum")
BINS = Recipe("... w, x w -> ... x")
BINS_2D = Recipe("... h w, y h, x w -> ... y x")
BINS_3D = Recipe("... d h w, z d, y h, x w -> ... z y x")
UNPOOL = Recipe("b c w, b c w x -> b c x")
POWER = Bend("power", torch.pow)
# As in torch, no gradient at 0: with a power above 1 it would be infinite.
ROOT = Bend(
    "root", lambda x, p: (x.sign() * x.abs().masked_fill(x == 0, 0)).pow(1.0 / p)
)

Numbers = Real[Tensor, "..."]


@along(convention.sliding)
def max_pool(
    input: Numbers,
    kernel_size: Sizes,
    stride: Sizes = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """``(b, c, *n) -> (b, c, *m)``: the largest number that each window sees.

    `ceil_mode` comes in as part of `padding`, which never wins. With `return_indices`
    also where the largest number is, counted through its plane: of equals the first,
    but of NaNs, which beat any number, the last. The gradient goes there alone.

    Raises:
        ValueError: the input or an argument does not fit.

    >>> max_pool1d(torch.tensor([[3.0, 1.0, 2.0, 2.0]]), 2, return_indices=True)
    (tensor([[3., 2.]]), tensor([[0, 2]]))

    Source: `torch.nn.functional.max_pool2d`.
    """
    kernel = Kernel(kernel_size, stride, dilation)
    seen = PaddedWindows(input, kernel, padding, convention.lowest(input))
    return (MAX(seen), where_largest(seen)) if return_indices else MAX(seen)


max_pool1d, max_pool2d, max_pool3d = max_pool


@along(convention.averaging)
def avg_pool(
    input: Numbers,
    kernel_size: Sizes,
    stride: Sizes = None,
    padding: Sizes = 0,
    ceil_mode: Any = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Numbers:
    """``(b, c, *n) -> (b, c, *m)``: the mean of what each window sees.

    The sum, divided by the same sum of ones. The padding counts, unless
    `count_include_pad` is false; what `ceil_mode` adds beyond it never does. Here
    both are widths to pad by: the convention has computed them.

    Raises:
        ValueError: the input or an argument does not fit.

    >>> avg_pool1d(torch.tensor([[2.0, 4.0, 6.0]]), 2, padding=1)
    tensor([[1., 5.]])

    Source: `torch.nn.functional.avg_pool2d`.
    """
    kernel = Kernel(kernel_size, stride, (1,) * len(kernel_size))
    total = SUM(windows(resized(resized(input, padding), ceil_mode), kernel))
    if divisor_override:
        return total / divisor_override
    ones = torch.ones_like(input[:1, :1])
    counted = resized(ones, padding, float(count_include_pad))
    return total / SUM(windows(resized(counted, ceil_mode), kernel))


avg_pool2d, avg_pool3d = avg_pool[1:]


def avg_pool1d(
    input: Numbers,
    kernel_size: Sizes,
    stride: Sizes = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Numbers:
    """``(b, c, n) -> (b, c, m)``: `avg_pool2d` along one axis, without a divisor.

    Raises:
        ValueError: the input or an argument does not fit.

    Source: `torch.nn.functional.avg_pool1d`.
    """
    further = stride, padding, ceil_mode, count_include_pad
    return avg_pool[0](input, kernel_size, *further)


@along(convention.powers)
def lp_pool(
    input: Numbers,
    norm_type: Number,
    kernel_size: Sizes,
    stride: Sizes = None,
    ceil_mode: bool = False,
) -> Numbers:
    """``(b, c, *n) -> (b, c, *m)``: the root of the sum of the powers in each window.

    Power 1 gives the sum, infinity the largest magnitude, minus infinity the smallest.
    As in torch, odd powers of negative numbers are negative, so a sum may have no root
    (NaN); and a window that `ceil_mode` cuts off is scaled up as if it were whole.

    Raises:
        ValueError: the input or an argument does not fit.
        ZeroDivisionError: the power is 0.

    >>> lp_pool1d(torch.tensor([[3.0, 4.0, 5.0, 12.0]]), 2, 2)
    tensor([[ 5., 13.]])

    Source: `torch.nn.functional.lp_pool2d`.
    """
    n = len(kernel_size)
    if abs(norm_type) == math.inf:
        sign = math.copysign(1, norm_type)
        settings = kernel_size, stride, 0, 1, ceil_mode
        return sign * max_pool[n - 1](sign * input.abs(), *settings)  # type: ignore[no-any-return]
    powers = POWER(input, norm_type)
    mean = avg_pool[n - 1](powers, kernel_size, stride, 0, ceil_mode)
    return ROOT(mean * math.prod(kernel_size), norm_type)


lp_pool1d, lp_pool2d, lp_pool3d = lp_pool


def bins(n: int, m: int) -> tuple[Int64[Tensor, "m k"], Int64[Tensor, "m 1"]]:
    """``() -> (m, k), (m, 1)``: for each bin ``k`` cells from its first on; its end.

    Bin ``i`` of ``m`` over ``n`` cells goes from ``i * n / m``, rounded down, to
    ``(i + 1) * n / m``, rounded up. Where ``m`` does not divide ``n``, neighbors may
    overlap. A row holds ``k`` cells, at least as many as any bin has: those from the
    end on are no part of the bin, and may lie beyond the input.

    Raises:
        RuntimeError: `m` is negative.

    Source: `torch.nn.AdaptiveAvgPool1d`.
    """
    i = torch.arange(m)[:, None]
    first, end = i * n // m, ((i + 1) * n + m - 1) // m
    most = -(-n // max(m, 1)) + (n % max(m, 1) > 0)
    return first + torch.arange(most), end


def mean_of_bins(n: int, m: int) -> Band:
    """``() -> (m, n)``: the matrix whose row ``i`` takes the mean of bin ``i``.

    Raises:
        RuntimeError: `m` is negative.

    Source: `torch.nn.AdaptiveAvgPool1d`.
    """
    cells, end = bins(n, m)
    share = 1 / convention.exact(end - cells[:, 0, None])
    even = m > 0 and n % m == 0
    return Band(cells.where(cells < end, n), share, n, ragged=not even, touching=even)


@along(convention.adaptive)
def adaptive_avg_pool(
    input: Float[Tensor, "..."], output_size: Sizes
) -> Float[Tensor, "..."]:
    """``(b, c, *n) -> (b, c, *m)``: the means of ``m`` `bins` along each axis.

    One small matrix for each axis. None keeps the size of an axis.

    Raises:
        ValueError: the input or `output_size` does not fit.

    >>> adaptive_avg_pool1d(torch.tensor([[1.0, 2.0, 3.0]]), 2)
    tensor([[1.5000, 2.5000]])

    Source: `torch.nn.functional.adaptive_avg_pool2d`.
    """
    lengths = input.shape[2:]
    line = (BINS, BINS_2D, BINS_3D)[len(lengths) - 1]
    return line(input, *map(mean_of_bins, lengths, output_size))


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = adaptive_avg_pool


@along(convention.adaptive)
def adaptive_max_pool(
    input: Float[Tensor, "..."],
    output_size: Sizes,
    return_indices: bool = False,
) -> Pooled:
    """``(b, c, *n) -> (b, c, *m)``: the maxima of the `bins` of `adaptive_avg_pool2d`.

    A bin of fewer cells than ``k`` repeats its last, which changes no maximum.

    Raises:
        ValueError: the input or `output_size` does not fit.

    >>> adaptive_max_pool1d(torch.tensor([[1.0, 3.0, 2.0]]), 2)
    tensor([[3., 3.]])

    Source: `torch.nn.functional.adaptive_max_pool2d`.
    """
    each = map(bins, input.shape[2:], output_size)
    seen = GatheredWindows(
        input, tuple([cells.clamp(max=end - 1) for cells, end in each])
    )
    return (MAX(seen), where_largest(seen)) if return_indices else MAX(seen)


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = adaptive_max_pool


@along(convention.fractional)
def fractional_max_pool(
    input: Float[Tensor, "..."],
    kernel_size: Sizes,
    output_size: Sizes = None,
    output_ratio: Sizes = None,
    return_indices: bool = False,
    _random_samples: Float[Tensor, "b c n"] | None = None,
) -> Pooled:
    """``(b, c, *n) -> (b, c, *m)``: the maxima of windows at random places.

    Along each axis of each plane one random number places all windows: their
    starts lie one of two distances apart, such as 1 and 2. An `output_ratio` comes in
    as an `output_size`.

    Raises:
        ValueError: the input, an argument or the samples do not fit.

    Source: Fractional Max-Pooling, http://arxiv.org/abs/1412.6071;
    `torch.nn.functional.fractional_max_pool2d`.
    """
    axes = input.shape[2:], output_size, kernel_size, _random_samples.unbind(-1)  # type: ignore[union-attr]
    seen = GatheredWindows(input, tuple(map(_drawn, *axes)))
    return (MAX(seen), where_largest(seen)) if return_indices else MAX(seen)


def _drawn(n: int, m: int, size: int, sample: Tensor) -> Tensor:
    """``(b, c) -> (b, c, m, k)``: the cells of each window, shifted by the sample."""
    i, sample = torch.arange(m, device=sample.device), sample[..., None]
    step = sample.new_full((), n - size) / max(m - 1, 1)
    first = ((i + sample) * step).long() - (sample * step).long()
    first = torch.where(i < m - 1, first, n - size)[..., None]
    return first + torch.arange(size, device=sample.device)


fractional_max_pool2d, fractional_max_pool3d = fractional_max_pool[1:]


@along(convention.unpooling)
def max_unpool(
    input: Float[Tensor, "..."],
    indices: Int64[Tensor, "..."],
    kernel_size: Sizes,
    stride: Sizes = None,
    padding: Sizes = 0,
    output_size: Sizes = None,
) -> Float[Tensor, "..."]:
    """``(b, c, *m), (b, c, *m) -> (b, c, *n)``: maxima go back where they were.

    All else is zero. Of two maxima with one index the last stays, where `UNPOOL` would
    add them. If several input sizes give this many windows, `output_size` chooses one.

    Raises:
        ValueError: the input, the indices or an argument does not fit.
        RuntimeError: an index is outside of the output.

    >>> max_unpool1d(torch.tensor([[3.0, 2.0]]), torch.tensor([[0, 2]]), 2)
    tensor([[3., 0., 2., 0.]])

    Source: `torch.nn.functional.max_unpool2d`.
    """
    hot = OneHot(indices.flatten(2), math.prod(output_size))
    return UNPOOL(input.flatten(2), hot).view(*input.shape[:2], *output_size)


max_unpool1d, max_unpool2d, max_unpool3d = max_unpool


# fmt: off
class MaxPool1d(Computed, nn.MaxPool1d, by=max_pool1d, line=MAX): ...
class MaxPool2d(Computed, nn.MaxPool2d, by=max_pool2d, line=MAX): ...
class MaxPool3d(Computed, nn.MaxPool3d, by=max_pool3d, line=MAX): ...
class AdaptiveMaxPool1d(
    Computed, nn.AdaptiveMaxPool1d, by=adaptive_max_pool1d, line=MAX
): ...
class AdaptiveMaxPool2d(
    Computed, nn.AdaptiveMaxPool2d, by=adaptive_max_pool2d, line=MAX
): ...
class AdaptiveMaxPool3d(
    Computed, nn.AdaptiveMaxPool3d, by=adaptive_max_pool3d, line=MAX
): ...
class FractionalMaxPool2d(
    Computed, nn.FractionalMaxPool2d, by=fractional_max_pool2d, line=MAX
): ...
class FractionalMaxPool3d(
    Computed, nn.FractionalMaxPool3d, by=fractional_max_pool3d, line=MAX
): ...
class AvgPool1d(Computed, nn.AvgPool1d, by=avg_pool1d, line=SUM): ...
class AvgPool2d(Computed, nn.AvgPool2d, by=avg_pool2d, line=SUM): ...
class AvgPool3d(Computed, nn.AvgPool3d, by=avg_pool3d, line=SUM): ...
class LPPool1d(Powers, nn.LPPool1d, by=lp_pool1d, line=SUM): ...
class LPPool2d(Powers, nn.LPPool2d, by=lp_pool2d, line=SUM): ...
class LPPool3d(Powers, nn.LPPool3d, by=lp_pool3d, line=SUM): ...
class AdaptiveAvgPool1d(
    Computed, nn.AdaptiveAvgPool1d, by=adaptive_avg_pool1d, line=BINS
): ...
class AdaptiveAvgPool2d(
    Computed, nn.AdaptiveAvgPool2d, by=adaptive_avg_pool2d, line=BINS_2D
): ...
class AdaptiveAvgPool3d(
    Computed, nn.AdaptiveAvgPool3d, by=adaptive_avg_pool3d, line=BINS_3D
): ...
class MaxUnpool1d(Unpooling, nn.MaxUnpool1d, by=max_unpool1d, line=UNPOOL): ...
class MaxUnpool2d(Unpooling, nn.MaxUnpool2d, by=max_unpool2d, line=UNPOOL): ...
class MaxUnpool3d(Unpooling, nn.MaxUnpool3d, by=max_unpool3d, line=UNPOOL): ...
# fmt: on
