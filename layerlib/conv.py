"""Convolution: every window of the input against the same weights."""

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Num
from torch import Tensor, nn

from layerlib.conventions.axes import along, batched, counts, numbers, places
from layerlib.conventions.dtypes import HALVES, wide
from layerlib.conventions.expect import expect
from layerlib.engine.gradient import with_gradient
from layerlib.recipe import Rearrange, Recipe
from layerlib.windows import overlap_add, pad, windows

CONV = Recipe("b g i ... k, g o i k -> b g o ...")
SEEN = Rearrange("b (g i) ... k -> b g (i k) (...)")
WEIGHT = Rearrange("(g o) i ... -> g o (i ...)")
OUTPUT = Rearrange("b (g o) ... -> b g o (...)")
LIMIT = 2**19  # numbers in the windows that are made at a time: what a cache holds


class Geometry(NamedTuple):
    """Where the windows of an input are, and which channels are multiplied with which.

    The input, with `before` zeros in front, is padded or cropped to what they see.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    output_size: tuple[int, ...]
    input_size: tuple[int, ...]
    before: tuple[int, ...]
    channels: tuple[int, ...]
    groups: int

    @property
    def seen(self) -> tuple[int, ...]:
        """The length of what the windows see, along each axis."""
        each = zip(*self[:4], strict=True)
        return tuple([(m - 1) * s + d * (k - 1) + 1 for k, s, d, m in each])

    @property
    def widths(self) -> list[int]:
        """What is put before and after each axis of the input, the last axis first."""
        each = [*zip(self.before, self.input_size, self.seen, strict=True)]
        return [w for p, n, m in reversed(each) for w in (p, m - n - p)]


def _gradient(
    needed: Sequence[bool],
    cotangent: Tensor,
    at: Geometry,
    _bias: Tensor | None,
    *given: Tensor | None,
) -> list[Tensor | None]:
    three = [cotangent if x is None else x.conj() for x in given]
    without = [(*three[:n], None, *three[n + 1 :]) for n in range(3)]
    pairs = zip(without, needed[2:], strict=True)
    found = [_trilinear(at, None, *two) if wanted else None for two, wanted in pairs]
    axes = (0, *range(2, cotangent.ndim))
    return [None, cotangent.sum(axes) if needed[1] else None, *found]


@with_gradient(_gradient)
def _trilinear(
    at: Geometry,
    bias: Tensor | None,
    input: Tensor | None,
    weight: Tensor | None,
    output: Tensor | None,
) -> Tensor:
    """What multiplies the one that is None in a sum of products of all; plus the bias.

    The sum goes over what windows of the input see, the weight and the output. What
    multiplies the output there is the convolution, the input: the transposed
    convolution, the weight: its gradient. And the gradients of each are the other two.

    Windows are made for a part of the batch at a time, and again in the backward pass.
    """
    depthwise = at.channels == (at.groups, 1)
    find = _depthwise if depthwise else _dense
    copies = 1 if depthwise else math.prod(at.kernel_size)
    each = at.channels[1] * at.groups * copies * math.prod(at.output_size)
    dtype = next(x.dtype for x in (input, output) if x is not None)
    kernel = None if weight is None else wide(weight)
    rows = max(1, LIMIT // max(1, each))
    batch = zip(_split(input, rows), _split(output, rows), strict=False)
    parts = (find(at, x, kernel, y) for x, y in batch)
    if weight is None:
        total: Tensor = functools.reduce(torch.add, parts)
        return total.to(dtype)
    if bias is not None:  # added before the rounding to few bits
        column = wide(bias).reshape(-1, *[1 for _ in at.kernel_size])
        parts = (part + column for part in parts)
    return torch.cat([part.to(dtype) for part in parts])


def _dense(at: Geometry, x: Any, w: Any, y: Any) -> Any:
    g, (o, i) = at.groups, at.channels
    if x is not None:
        x = SEEN(windows(torch.constant_pad_nd(x, at.widths), *at[:3]), g=g)
    if y is None:
        return (WEIGHT(w, g=g) @ x).reshape(x.shape[0], o, *at.output_size)
    y = OUTPUT(y, g=g)
    if w is None:
        return (y @ x.mT).sum(0).reshape(o, i, *at.kernel_size)
    k = math.prod(at.kernel_size)
    x = (WEIGHT(w, g=g).mT @ y).reshape(y.shape[0], g * i, k, *at.output_size)
    x = overlap_add(x.movedim(2, -1), at.seen, *at[:3])
    return torch.constant_pad_nd(x, [-width for width in at.widths])


def _depthwise(at: Geometry, x: Any, w: Any, y: Any) -> Any:
    # With one channel in and one out, place after place is faster than windows.
    spots = [(..., *spot) for spot in places(*at[:4])]
    if x is not None:
        x = torch.constant_pad_nd(x, at.widths)
    if w is None:
        axes = (0, *range(2, y.ndim))
        w = torch.stack([(x[spot] * y).sum(axes) for spot in spots], -1)
        return w.reshape(*at.channels, *at.kernel_size)
    kernel = w.reshape(at.groups, -1, *[1 for _ in at.seen]).unbind(1)
    if y is None:
        y = x[spots[0]] * kernel[0]
        for spot, k in zip(spots[1:], kernel[1:], strict=True):
            y = torch.addcmul(y, x[spot], k)
        return y
    stamps = (y * k for k in kernel)
    first = next(stamps)
    x = first.new_zeros(*y.shape[:2], *at.seen)
    for spot, stamp in zip(spots, itertools.chain([first], stamps), strict=True):
        x[spot] += stamp
    return torch.constant_pad_nd(x, [-width for width in at.widths])


def _split(x: Tensor | None, rows: int) -> Iterable[Tensor | None]:
    return itertools.repeat(None) if x is None else map(wide, torch.split(x, rows))


def _at_least(
    least: int, layer: str, name: str, value: int | Sequence[int], *, n: int
) -> tuple[int, ...]:
    found = numbers(layer, name, value, n)
    expect(layer, min(found) >= least, f"{name} of at least {least}", value)
    return found


def _autocast(*tensors: Any) -> tuple[Any, ...]:
    """Under torch.autocast, convolutions run in fewer bits."""
    device, many = tensors[0].device.type, {torch.float32, *HALVES}
    if not (
        torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    ):
        return tensors
    few = torch.get_autocast_dtype(device)
    each = [x if x is None or x.dtype not in many else x.to(few) for x in tensors]
    return tuple(each)


def _ready(layer: str, n: int, groups: int, axis: int, *tensors: Any) -> Any:
    """Input, weight and bias, checked; the weight's `axis` is the output's channels."""
    input, weight, bias = tensors = _autocast(*tensors)  # noqa: A001
    x, has_batch = batched(layer, input, n)
    expect(layer, weight.ndim == n + 2, f"a weight of {n + 2} axes", weight)
    expect(layer, groups > 0, "at least one group", groups)
    dtypes = [t.dtype for t in tensors if t is not None]
    expect(layer, len({*dtypes}) == 1, "tensors of one dtype", dtypes)
    first, second, *size = weight.shape
    told = f"channels for {groups} groups in axis 0 of weight"
    expect(layer, first > 0 == first % groups, told, weight)
    expect(layer, 0 not in size, "a kernel of at least one place", weight)
    told = "an output channel in axis 1 of weight"
    expect(layer, axis == 0 or second > 0, told, weight)
    channels = first, second * groups
    inputs, outputs = channels[1 - axis], channels[axis]
    told = f"{inputs} channels in axis {int(has_batch)} of input"
    expect(layer, x.shape[1] == inputs, told, input)
    filled = 0 in x.shape[:2] or 0 not in x.shape[2:]
    expect(layer, filled, "an input with places", input)
    fits = bias is None or bias.shape == (outputs,)
    expect(layer, fits, f"a bias of shape ({outputs},)", bias)
    return x, weight, bias, has_batch


def _both(
    layer: str, padding: Any, size: Sequence[int], stride: Any, dilation: Any
) -> list[int]:
    """How many zeros each axis of the input gets, before and after it together."""
    n = len(size)
    if padding == "same":
        whole = {*numbers(layer, "stride", stride, n)} == {1}
        expect(layer, whole, "stride 1 for padding 'same'", stride)
        return [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    if isinstance(padding, str):
        expect(layer, padding == "valid", "padding 'same' or 'valid'", padding)
        padding = 0
    return [2 * p for p in _at_least(0, layer, "padding", padding, n=n)]


def _conv(
    n: int,
    input: Num[Tensor, "..."],
    weight: Num[Tensor, "..."],
    bias: Num[Tensor, "..."] | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Num[Tensor, "..."]:
    """``(b, i, *n), (o, i / groups, *k), (o,) -> (b, o, *m)``: windows, then a line.

    Each number of the output is what one window sees against one kernel, which is not
    flipped. In `groups`, it sees the channels of its own group only. Padding ``"same"``
    keeps the length; of an odd number of zeros, the last one more is at the end. The
    axis ``b`` may be absent.

    Raises:
        ValueError: the weight, the input or the bias does not fit, the kernel is longer
            than the padded input, or a setting is out of its range.

    >>> conv1d(torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])

    Source: `torch.nn.functional.conv1d`, ``conv2d`` and ``conv3d``.
    """
    layer = f"conv{n}d"
    x, weight, bias, has_batch = _ready(layer, n, groups, 0, input, weight, bias)
    size, length = tuple(weight.shape[2:]), tuple(x.shape[2:])
    steps = _at_least(1, layer, "stride", stride, n=n)
    spread = _at_least(1, layer, "dilation", dilation, n=n)
    both = _both(layer, padding, size, stride, spread)
    padded = tuple([m + p for m, p in zip(length, both, strict=True)])
    count = counts(padded, size, steps, spread)
    told = f"a kernel that fits, dilated, into the padded input {padded}"
    expect(layer, 0 not in count, told, weight)
    if x.shape[1] == 0:  # torch's output then has no channels either
        weight, bias = weight[:0], None
    before, channels = tuple([p // 2 for p in both]), tuple(weight.shape[:2])
    at = Geometry(size, steps, spread, count, length, before, channels, groups)
    output = _trilinear(at, bias, x, weight, None)
    return output if has_batch else output[0]


conv1d, conv2d, conv3d = along(_conv)


class _Conv(nn.modules.conv._ConvNd):  # noqa: SLF001
    """``weight`` is ``(o, i / groups, *k)``, ``bias`` ``(o,)``; both start uniform.

    They lie between ``-1 / sqrt(f)`` and ``1 / sqrt(f)``, where ``f`` is the number of
    weights ``weight[0]``.
    """

    line = CONV

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        with torch.no_grad():
            # The numbers are drawn in one order, in whichever one the weight lies.
            drawn = self.weight.new_empty(self.weight.shape)
            self.weight.copy_(nn.init.kaiming_uniform_(drawn, a=math.sqrt(5)))
        if self.bias is not None:
            terms = math.prod(self.weight.shape[1:])
            bound = 1 / math.sqrt(terms) if terms else 0
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Num[Tensor, "..."]) -> Num[Tensor, "..."]:
        """Every window of the padded input against the weight, plus the bias."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            around = self._reversed_padding_repeated_twice
            input, padding = pad(input, around, self.padding_mode), 0  # noqa: A001
        given = input, self.weight, self.bias, self.stride, padding
        return _conv(len(self.kernel_size), *given, self.dilation, self.groups)


class Conv1d(_Conv, nn.Conv1d):
    """``(b, i, w) -> (b, o, x)``: `torch.nn.Conv1d`, computed by `conv1d`."""


class Conv2d(_Conv, nn.Conv2d):
    """``(b, i, h, w) -> (b, o, y, x)``: `torch.nn.Conv2d`, computed by `conv2d`."""


class Conv3d(_Conv, nn.Conv3d):
    """``(b, i, d, h, w) -> (b, o, z, y, x)``: `torch.nn.Conv3d`, by `conv3d`."""


class LazyConv1d(nn.LazyConv1d, Conv1d):  # type: ignore[misc]
    """``(b, i, w) -> (b, o, x)``: a `Conv1d` that reads ``i`` off its first input."""

    cls_to_become = Conv1d


class LazyConv2d(nn.LazyConv2d, Conv2d):  # type: ignore[misc]
    """``(b, i, h, w) -> (b, o, y, x)``: a `Conv2d` that reads ``i`` off its input."""

    cls_to_become = Conv2d


class LazyConv3d(nn.LazyConv3d, Conv3d):  # type: ignore[misc]
    """``(b, i, d, h, w) -> (b, o, z, y, x)``: a `Conv3d` that reads ``i`` off it."""

    cls_to_become = Conv3d
