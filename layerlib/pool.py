"""Pooling: windows with another reduction, and no window is ever stored.

The maximum of a window is the maximum of those of its rows, and so it is with sums: one
axis follows after another, each with a table of the cells that its windows see.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64, Real
from torch import Tensor, nn

from layerlib.conventions.axes import along, batched, counts, numbers
from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.conventions.layer import Computed
from layerlib.engine.gradient import with_gradient
from layerlib.recipe import Recipe, Reduce

MAX = Reduce("b c ... k -> b c ...", "max")
MEAN = Reduce("b c ... k -> b c ...", "mean")
SUM = Reduce("b c ... k -> b c ...", "sum")
BINS = Recipe("... w, x w -> ... x")
UNPOOL = Recipe("b c x, b c x w -> b c w")

Number = int | float
Sizes = int | Sequence[int]
Bins = int | Sequence[int | None]
Pooled = Real[Tensor, "..."] | tuple[Real[Tensor, "..."], Int64[Tensor, "..."]]


class _Windows(NamedTuple):
    """Those along one axis: window i begins at ``i * step / parts - padding``."""

    length: int
    many: int
    places: int
    step: int
    padding: int = 0
    dilation: int = 1
    parts: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether there is one window only, and it sees all cells."""
        seen = self.many, self.places, self.padding, self.dilation
        return seen == (1, self.length, 0, 1)


def _meetings(one: _Windows) -> Iterator[tuple[int, slice, slice]]:
    """For each place in a window: some windows, and the cells that they see there.

    Of `parts` windows in a row each begins at another part of a cell; then it goes on
    as before, `step` cells further.
    """
    for place, part in itertools.product(range(one.places), range(one.parts)):
        at = part * one.step // one.parts - one.padding + place * one.dilation
        # A bin ends where the next one begins, rounded up.
        if one.parts > 1 and at * one.parts >= (part + 1) * one.step:
            continue
        i = max(0, -(at // one.step))
        j = min((one.length - 1 - at) // one.step, (one.many - 1 - part) // one.parts)
        if i <= j:
            first, last = part + i * one.parts, part + j * one.parts
            cells = slice(at + i * one.step, at + j * one.step + 1, one.step)
            yield place, slice(first, last + 1, one.parts), cells


def _slid(
    layer: str,
    lengths: Sequence[int],
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> tuple[_Windows, ...]:
    """The windows of a kernel with a stride, a padding and a dilation."""
    stride = kernel_size if stride in (None, [], ()) else stride
    names = ("kernel_size", "stride", "padding", "dilation")
    given = zip(names, (kernel_size, stride, padding, dilation), strict=True)
    each = [numbers(layer, *one, len(lengths)) for one in given]
    found = []
    for size, k, s, p, d in zip(lengths, *each, strict=True):
        expect(
            layer,
            min(k, s, d) >= 1 and 0 <= 2 * p <= k,
            "kernel_size, stride and dilation of at least 1 and padding from 0 to half "
            "of kernel_size",
            f"{k}, {s}, {d} and {p}",
        )
        (m,) = counts([size + 2 * p + (s - 1) * ceil_mode], [k], [s], [d])
        # No window begins in the padding on the right.
        m -= ceil_mode and (m - 1) * s >= size + p
        # A long dilation steps from one padding into the other.
        blind = any(at % d >= size for at in range(-p, min(0, m * s - p), s))
        expect(
            layer,
            m >= 1 and not blind,
            "windows that see the input",
            f"{k} cells with a dilation of {d} on an axis of {size} with a padding of "
            f"{p}",
        )
        found.append(_Windows(size, m, k, s, p, d))
    return tuple(found)


def _bins(
    layer: str, lengths: Sequence[int], output_size: Bins
) -> tuple[_Windows, ...]:
    """As many windows as are wanted, with steps that are fractions."""
    wanted: tuple[int | None, ...]
    wanted = numbers(layer, "output_size", output_size, len(lengths))
    found = []
    for n, size in zip(lengths, wanted, strict=True):
        m = n if size is None else size
        expect(layer, m >= 0, "sizes of at least 0", output_size)
        shared = math.gcd(n, m)
        step, parts = n // shared, m // shared
        places = -(-n // max(m, 1)) + (parts > 1)
        found.append(_Windows(n, m, places, step, parts=parts))
    return tuple(found)


def _fits(
    layer: str, n: int, input: Tensor, *, whole: bool = False, filled: int = 1
) -> None:
    batched(layer, input, n)
    shape = tuple(input.shape)
    expect(layer, 0 not in shape[-n - filled :], "no empty axis but the batch", shape)
    expect(layer, input.is_floating_point() or whole, "floating point", input.dtype)


def _largest(input: Tensor, axis: int, one: _Windows) -> tuple[Tensor, Tensor]:
    """The maximum of each window and its cell: the first one, or the last NaN."""
    if one.is_whole:
        best, first = input.max(axis, keepdim=True)
        last = input.shape[axis] - 1 - input.flip(axis).max(axis, keepdim=True)[1]
        return best, torch.where(best.isnan(), last, first)
    # With this axis outermost, what is seen at one place lies side by side.
    seen = input.movedim(axis, 0).contiguous()
    real, few = input.is_floating_point(), (torch.int32, torch.uint8)[one.places < 256]
    lowest = -torch.inf if real else torch.iinfo(input.dtype).min
    best = seen.new_full((one.many, *seen.shape[1:]), lowest)
    window = torch.arange(one.many, dtype=torch.int32, device=input.device)
    begin = (window * one.step).div(one.parts, rounding_mode="floor") - one.padding
    begin = begin[(..., *[None] * (seen.ndim - 1))]
    # Until a place holds more: the first that is no padding.
    place = torch.zeros_like(best, dtype=few)
    outside = (-begin).clamp(min=0) + one.dilation - 1
    place += outside.div(one.dilation, rounding_mode="floor").to(few)
    for k, some, cells in _meetings(one):
        better = (seen[cells] > best[some]) | seen[cells].isnan()
        best[some] = torch.maximum(best[some], seen[cells])
        place[some] = torch.maximum(place[some], better.to(few).mul_(k))
    cell = place.int().mul_(one.dilation).add_(begin)
    return best.movedim(0, axis), cell.movedim(0, axis)


def _found(input: Tensor, windows: Sequence[_Windows]) -> Tensor:
    """Where the maximum of each window is, counted through its plane."""
    step = input.shape[-1]
    best, at = _largest(input.detach(), -1, windows[-1])
    for axis in range(-2, -len(windows) - 1, -1):
        best, row = _largest(best, axis, windows[axis])
        at = at.gather(axis, row.long()) + row.long().mul_(step)
        step *= input.shape[axis]
    return at.long()


def _read(n: int, input: Tensor, at: Tensor) -> Tensor:
    """What stands in those cells of each plane. There goes its gradient, too."""
    value = wide(input).flatten(-n).gather(-1, at.flatten(-n)).view(at.shape)
    # The first power: torch has second gradients here, and they are zeros.
    return value.to(input.dtype).pow(1)


def _total_gradient(
    _needed: object, cotangent: Tensor, input: Tensor, windows: Any, way: int
) -> list[Tensor]:
    return [_total(cotangent, windows, -way).to(input.dtype)]


@with_gradient(_total_gradient)
def _total(input: Tensor, windows: tuple[_Windows, ...], way: int) -> Tensor:
    """The sum of what each window sees (1), or of what each cell's windows hold (-1).

    The one is the gradient of the other.
    """
    total = wide(input)
    for axis in range(-len(windows), 0)[::way]:
        one, shape = windows[axis], [*total.shape]
        shape[axis] = one.many if way == 1 else one.length
        if one.is_whole:
            total = total.sum(axis, keepdim=True) if way == 1 else total.expand(shape)
            continue
        given, total = total, total.new_zeros(shape)
        source, target = given.movedim(axis, 0), total.movedim(axis, 0)
        for _, some, cells in _meetings(one):
            to, of = (some, cells)[::way]
            target[to] += source[of]
    return total


def _mean(
    input: Tensor,
    windows: tuple[_Windows, ...],
    counted: tuple[_Windows, ...],
    divisor: int | None = None,
) -> Tensor:
    """The sum, divided by the number of cells: by the sum of as many ones."""
    total = _total(input, windows, 1)
    ones = total.new_ones([one.length for one in counted])
    count = _total(ones, counted, 1) if divisor is None else divisor
    rounding = None if input.is_floating_point() else "trunc"
    # The first power: torch has second gradients here, and they are zeros.
    return total.div(count, rounding_mode=rounding).to(input.dtype).pow(1)


def _max_pool(
    n: int,
    input: Real[Tensor, "..."],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """``(b, c, *n) -> (b, c, *m)``: the largest number that each window sees.

    With `return_indices` also where it is, counted through its plane: on a tie the
    first, and NaN is larger than any number. Only there goes the gradient.

    Raises:
        ValueError: the input or an argument does not fit.

    >>> max_pool1d(torch.tensor([[3.0, 1.0, 2.0, 2.0]]), 2, return_indices=True)
    (tensor([[3., 2.]]), tensor([[0, 2]]))

    Source: `torch.nn.functional.max_pool2d`.
    """
    layer = f"max_pool{n}d"
    whole = not input.is_complex() and input.dtype != torch.bool
    _fits(layer, n, input, whole=whole)
    geometry = kernel_size, stride, padding, dilation, ceil_mode
    windows = _slid(layer, input.shape[-n:], *geometry)
    at = _found(input, windows)
    return (_read(n, input, at), at) if return_indices else _read(n, input, at)


max_pool1d, max_pool2d, max_pool3d = along(_max_pool)


def _avg_pool(
    n: int,
    input: Real[Tensor, "..."],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Real[Tensor, "..."]:
    """``(b, c, *n) -> (b, c, *m)``: the mean of what each window sees.

    The zeros of the padding count as cells, unless `count_include_pad` is false; what
    `ceil_mode` adds beyond the padding never does.

    Raises:
        ValueError: the input or an argument does not fit.

    >>> avg_pool1d(torch.tensor([[2.0, 4.0, 6.0]]), 2, padding=1)
    tensor([[1., 5.]])

    Source: `torch.nn.functional.avg_pool2d`.
    """
    layer = f"avg_pool{n}d"
    _fits(layer, n, input, whole=input.dtype == torch.int64)
    expect(layer, divisor_override != 0, "a divisor_override other than 0", 0)
    geometry = kernel_size, stride, padding, 1, ceil_mode
    windows = _slid(layer, input.shape[-n:], *geometry)
    counted = tuple(
        w._replace(length=w.length + 2 * w.padding, padding=0)
        if count_include_pad
        else w
        for w in windows
    )
    return _mean(input, windows, counted, divisor_override)


avg_pool2d, avg_pool3d = along(_avg_pool)[1:]


def avg_pool1d(
    input: Real[Tensor, "..."],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Real[Tensor, "..."]:
    """``(b, c, n) -> (b, c, m)``: `avg_pool2d` along one axis, without a divisor.

    Raises:
        ValueError: the input or an argument does not fit.

    Source: `torch.nn.functional.avg_pool1d`.
    """
    further = stride, padding, ceil_mode, count_include_pad
    return _avg_pool(1, input, kernel_size, *further)


def _lp_pool(
    n: int,
    input: Real[Tensor, "..."],
    norm_type: Number,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Real[Tensor, "..."]:
    """``(b, c, *n) -> (b, c, *m)``: the root of the sum of what each window sees.

    It sums powers, from the plain sum (1) to the largest magnitude (infinity). As in
    torch powers keep their sign, so that a sum of odd ones may have no root (NaN), and
    a window that `ceil_mode` cut off is scaled up to a whole one.

    Raises:
        ValueError: the input or an argument does not fit.
        ZeroDivisionError: the power is 0.

    >>> lp_pool1d(torch.tensor([[3.0, 4.0, 5.0, 12.0]]), 2, 2)
    tensor([[ 5., 13.]])

    Source: `torch.nn.functional.lp_pool2d`.
    """
    layer = f"lp_pool{n}d"
    _fits(layer, n, input, whole=not input.is_complex())
    geometry = kernel_size, stride, 0, 1, ceil_mode
    windows = _slid(layer, input.shape[-n:], *geometry)
    if math.isinf(norm_type):
        sign = math.copysign(1, norm_type)
        size = sign * input.abs()
        return sign * _read(n, size, _found(size, windows))
    mean = _mean(input.pow(norm_type), windows, windows)
    size = mean.abs()
    # At zero the root has an infinite gradient, and gets none.
    mean = mean.sign() * size.masked_fill(size == 0, 0)
    cells = math.prod([one.places for one in windows])
    return mean.mul(cells).pow(1.0 / norm_type)


lp_pool1d, lp_pool2d, lp_pool3d = along(_lp_pool)


def _adaptive_avg_pool(
    n: int, input: Float[Tensor, "..."], output_size: Bins
) -> Float[Tensor, "..."]:
    """``(b, c, *n) -> (b, c, *m)``: the means of ``m`` bins along each axis.

    Bin ``i`` goes from ``i * n / m``, rounded down, to ``(i + 1) * n / m``, rounded up:
    where ``m`` does not divide ``n``, bins overlap. None keeps the size of an axis.

    Raises:
        ValueError: the input or `output_size` does not fit.

    >>> adaptive_avg_pool1d(torch.tensor([[1.0, 2.0, 3.0]]), 2)
    tensor([[1.5000, 2.5000]])

    Source: `torch.nn.functional.adaptive_avg_pool2d`.
    """
    layer = f"adaptive_avg_pool{n}d"
    _fits(layer, n, input, filled=0)
    bins = _bins(layer, input.shape[-n:], output_size)
    return _mean(input, bins, bins)


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = along(
    _adaptive_avg_pool
)


def _adaptive_max_pool(
    n: int,
    input: Float[Tensor, "..."],
    output_size: Bins,
    return_indices: bool = False,
) -> Pooled:
    """``(b, c, *n) -> (b, c, *m)``: the maxima of the bins of `adaptive_avg_pool2d`.

    Raises:
        ValueError: the input or `output_size` does not fit.

    >>> adaptive_max_pool1d(torch.tensor([[1.0, 3.0, 2.0]]), 2)
    tensor([[3., 3.]])

    Source: `torch.nn.functional.adaptive_max_pool2d`.
    """
    layer = f"adaptive_max_pool{n}d"
    _fits(layer, n, input)
    at = _found(input, _bins(layer, input.shape[-n:], output_size))
    return (_read(n, input, at), at) if return_indices else _read(n, input, at)


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = along(
    _adaptive_max_pool
)


def _fractional_max_pool(
    n: int,
    input: Float[Tensor, "..."],
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Number | Sequence[Number] | None = None,
    return_indices: bool = False,
    _random_samples: Float[Tensor, "b c n"] | None = None,
) -> Pooled:
    """``(b, c, *n) -> (b, c, *m)``: the maxima of windows at random distances.

    Along each axis of each plane the windows stand at one of two distances, such as 1
    and 2, in an order that one random number between 0 and 1 decides.

    Raises:
        ValueError: the input, an argument or the samples do not fit.

    Source: Fractional Max-Pooling, http://arxiv.org/abs/1412.6071;
    `torch.nn.functional.fractional_max_pool2d`.
    """
    layer, lengths = f"fractional_max_pool{n}d", input.shape[-n:]
    _fits(layer, n, input)
    if output_size is None:
        if output_ratio is None:
            raise ValueError(f"{layer}: expected an output_size or an output_ratio")
        ratio = numbers(layer, "output_ratio", output_ratio, n)
        output_size = [int(a * r) for a, r in zip(lengths, ratio, strict=True)]
    size = numbers(layer, "output_size", output_size, n)
    kernel = numbers(layer, "kernel_size", kernel_size, n)
    axes = list(zip(lengths, size, kernel, strict=True))
    expect(
        layer,
        all(m >= 0 and 0 < k <= a - m + (n == 2) for a, m, k in axes),
        "windows that begin at different cells",
        f"an output_size of {size} and a kernel_size of {kernel} on {tuple(lengths)}",
    )
    sample = _samples(layer, n, input, _random_samples)
    # torch's samples are for (width, height), but for (depth, height, width).
    each = sample.unbind(-1)[:: -1 if n == 2 else 1]
    drawn = [_drawn(*one, dice) for one, dice in zip(axes, each, strict=True)]
    at = _found_side_by_side(input, drawn, [k for _, _, k in axes])
    return (_read(n, input, at), at) if return_indices else _read(n, input, at)


fractional_max_pool2d, fractional_max_pool3d = along(_fractional_max_pool)[1:]


def _found_side_by_side(
    input: Tensor, drawn: Sequence[Tensor], places: Sequence[int]
) -> Tensor:
    """Where the maximum of each window is, given the cells of all along each axis."""
    n, seen, touching = len(drawn), input.detach(), []
    for axis, cells, k in zip(range(-n, 0), drawn, places, strict=True):
        ones = [1] * (n + axis), [1] * (-axis - 1)
        laid = cells.view(*cells.shape[:-1], *ones[0], cells.shape[-1], *ones[1])
        seen = torch.take_along_dim(seen, laid, axis)
        length = cells.shape[-1]
        touching.append(_Windows(length, length // k, k, k))
    found = _found(seen, touching)
    rest, step, at = found.flatten(-n), 1, torch.zeros_like(found).flatten(-n)
    for cells, length in zip(drawn[::-1], input.shape[: -n - 1 : -1], strict=True):
        at += step * cells.gather(-1, rest % cells.shape[-1])
        rest = rest.div(cells.shape[-1], rounding_mode="floor")
        step *= length
    return at.view(found.shape)


def _samples(layer: str, n: int, input: Tensor, given: Tensor | None) -> Tensor:
    """``(b, c, n)`` or ``(c, n)``: a number from 0 to 1 for each plane and axis."""
    b, c = (1, *input.shape)[-n - 2 : -n]
    if given is None:
        given = torch.rand(b, c, n, dtype=input.dtype, device=input.device)
    fits = given.shape[1:] == (c, n) and len(given) >= b and given.dtype == input.dtype
    expected = f"random samples {(b, c, n)} of {input.dtype}"
    expect(layer, fits, expected, f"{tuple(given.shape)} of {given.dtype}")
    return given[:b] if input.ndim == n + 2 else given[0]


def _drawn(length: int, many: int, places: int, sample: Tensor) -> Tensor:
    """The cells of windows at two distances, in an order that the sample decides."""
    end, sample = length - places, sample[..., None]
    window = torch.arange(many, device=sample.device)
    step = sample.new_full((), end) / max(many - 1, 1)
    drawn = ((window + sample) * step).long() - (sample * step).long()
    begin = torch.where(window < many - 1, drawn, end)[..., None]
    return (begin + torch.arange(places, device=sample.device)).flatten(-2)


def _max_unpool(
    n: int,
    input: Float[Tensor, "..."],
    indices: Int64[Tensor, "..."],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Float[Tensor, "..."]:
    """``(b, c, *m), (b, c, *m) -> (b, c, *n)``: maxima go back where they were.

    All else is zero. A stride gives several sizes the same windows; `output_size`, with
    batch and channels or without, tells which one it was.

    Raises:
        ValueError: the input, the indices or an argument does not fit.
        RuntimeError: an index is outside of the output.

    >>> max_unpool1d(torch.tensor([[3.0, 2.0]]), torch.tensor([[0, 2]]), 2)
    tensor([[3., 0., 2., 0.]])

    Source: `torch.nn.functional.max_unpool2d`.
    """
    layer = f"max_unpool{n}d"
    _fits(layer, n, input)
    fits = indices.shape == input.shape and indices.dtype == torch.int64
    expected = f"indices {tuple(input.shape)} of torch.int64"
    expect(layer, fits, expected, f"{tuple(indices.shape)} of {indices.dtype}")
    kernel = numbers(layer, "kernel_size", kernel_size, n)
    steps = kernel if stride is None else numbers(layer, "stride", stride, n)
    edges = numbers(layer, "padding", padding, n)
    each = zip(input.shape[-n:], kernel, steps, edges, strict=True)
    default = [(m - 1) * s + k - 2 * p for m, k, s, p in each]
    size = default if output_size is None else list(output_size)
    size = size[2:] if len(size) == n + 2 else size
    near = [abs(a - b) < s for a, b, s in zip(size, default, steps, strict=False)]
    expect(
        layer,
        len(size) == n and min(size) >= 0 and all(near),
        f"an output_size of {default}, more or less by less than {steps}",
        size,
    )
    lead = input.shape[:-n]
    output = input.new_zeros(*lead, math.prod(size))
    output = output.scatter(-1, indices.flatten(-n), input.flatten(-n))
    return output.view(*lead, *size)


max_unpool1d, max_unpool2d, max_unpool3d = along(_max_unpool)


class _MaxPool(Computed):
    line = MAX


class MaxPool1d(_MaxPool, nn.MaxPool1d, by=max_pool1d):
    """``(b, c, w) -> (b, c, x)``: computed by `max_pool1d`."""


class MaxPool2d(_MaxPool, nn.MaxPool2d, by=max_pool2d):
    """``(b, c, h, w) -> (b, c, y, x)``: computed by `max_pool2d`."""


class MaxPool3d(_MaxPool, nn.MaxPool3d, by=max_pool3d):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: computed by `max_pool3d`."""


class AdaptiveMaxPool1d(_MaxPool, nn.AdaptiveMaxPool1d, by=adaptive_max_pool1d):
    """``(b, c, w) -> (b, c, x)``: computed by `adaptive_max_pool1d`."""


class AdaptiveMaxPool2d(_MaxPool, nn.AdaptiveMaxPool2d, by=adaptive_max_pool2d):
    """``(b, c, h, w) -> (b, c, y, x)``: computed by `adaptive_max_pool2d`."""


class AdaptiveMaxPool3d(_MaxPool, nn.AdaptiveMaxPool3d, by=adaptive_max_pool3d):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: computed by `adaptive_max_pool3d`."""


class FractionalMaxPool2d(_MaxPool, nn.FractionalMaxPool2d, by=fractional_max_pool2d):
    """``(b, c, h, w) -> (b, c, y, x)``: computed by `fractional_max_pool2d`."""


class FractionalMaxPool3d(_MaxPool, nn.FractionalMaxPool3d, by=fractional_max_pool3d):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: computed by `fractional_max_pool3d`."""


class _AvgPool(Computed):
    line = MEAN


class AvgPool1d(_AvgPool, nn.AvgPool1d, by=avg_pool1d):
    """``(b, c, w) -> (b, c, x)``: computed by `avg_pool1d`."""


class AvgPool2d(_AvgPool, nn.AvgPool2d, by=avg_pool2d):
    """``(b, c, h, w) -> (b, c, y, x)``: computed by `avg_pool2d`."""


class AvgPool3d(_AvgPool, nn.AvgPool3d, by=avg_pool3d):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: computed by `avg_pool3d`."""


class _AdaptiveAvgPool(Computed):
    line = BINS


class AdaptiveAvgPool1d(_AdaptiveAvgPool, nn.AdaptiveAvgPool1d, by=adaptive_avg_pool1d):
    """``(b, c, w) -> (b, c, x)``: computed by `adaptive_avg_pool1d`."""


class AdaptiveAvgPool2d(_AdaptiveAvgPool, nn.AdaptiveAvgPool2d, by=adaptive_avg_pool2d):
    """``(b, c, h, w) -> (b, c, y, x)``: computed by `adaptive_avg_pool2d`."""


class AdaptiveAvgPool3d(_AdaptiveAvgPool, nn.AdaptiveAvgPool3d, by=adaptive_avg_pool3d):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: computed by `adaptive_avg_pool3d`."""


class _LPPool(Computed):
    line = SUM

    norm_type: float

    def forward(self, input: Real[Tensor, "..."]) -> Any:
        """The root of the sum of powers; here torch makes a float of the power."""
        further = self.kernel_size, self.stride, self.ceil_mode
        return self.by(input, float(self.norm_type), *further)


class LPPool1d(_LPPool, nn.LPPool1d, by=lp_pool1d):
    """``(b, c, w) -> (b, c, x)``: computed by `lp_pool1d`."""


class LPPool2d(_LPPool, nn.LPPool2d, by=lp_pool2d):
    """``(b, c, h, w) -> (b, c, y, x)``: computed by `lp_pool2d`."""


class LPPool3d(_LPPool, nn.LPPool3d, by=lp_pool3d):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: computed by `lp_pool3d`."""


class _MaxUnpool(Computed):
    line = UNPOOL

    def forward(  # type: ignore[override]
        self,
        input: Float[Tensor, "..."],
        indices: Int64[Tensor, "..."],
        output_size: list[int] | None = None,
    ) -> Any:
        """The maxima, where they were."""
        further = self.kernel_size, self.stride, self.padding, output_size
        return self.by(input, indices, *further)


class MaxUnpool1d(_MaxUnpool, nn.MaxUnpool1d, by=max_unpool1d):
    """``(b, c, x), (b, c, x) -> (b, c, w)``: computed by `max_unpool1d`."""


class MaxUnpool2d(_MaxUnpool, nn.MaxUnpool2d, by=max_unpool2d):
    """``(b, c, y, x), (b, c, y, x) -> (b, c, h, w)``: computed by `max_unpool2d`."""


class MaxUnpool3d(_MaxUnpool, nn.MaxUnpool3d, by=max_unpool3d):
    """``(b, c, z, y, x), (b, c, z, y, x) -> (b, c, d, h, w)``: by `max_unpool3d`."""
