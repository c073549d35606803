"""How torch asks for convolutions: what fits, numbers for tuples, few bits, layouts."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.call import Call, channels_last
from layerlib.conventions.expect import tensor
from layerlib.engine.kernel import Kernel


def convolution(call: Call) -> None:
    """`conv1d` and its kind; `padding` becomes widths as for `pad`."""
    kernel = _prepared(call, outputs=0)
    both = _both(call, kernel)
    size = zip(call.input.shape[2:], both, strict=True)
    length = tuple([m + p for m, p in size])
    told = f"a kernel that fits, dilated, into the padded input {length}"
    call.expect(0 not in kernel.counts(length), told, call.weight)
    if call.input.shape[1] == 0:  # torch's output then has no channels either
        call.weight, call.bias = call.weight[:0], None
    call.padding = [w for p in reversed(both) for w in (p // 2, p - p // 2)]


def transposed(call: Call) -> None:
    """`conv_transpose1d` and its kind; both paddings become tuples."""
    kernel, more = _prepared(call, outputs=1), call.output_padding
    crop = call.numbers("padding", call.n, 0)
    extra = call.numbers("output_padding", call.n, 0)
    each = zip(extra, kernel.stride, kernel.dilation, strict=True)
    told = "output_padding less than the stride or the dilation"
    call.expect(all(e < max(s, d) for e, s, d in each), told, more)
    whole = zip(kernel.length(call.input.shape[2:]), crop, extra, strict=True)
    left = tuple([m - 2 * p + e for m, p, e in whole])
    call.expect(min(left) >= 0, "an output of length at least 0", left)


def padding_for(
    layer: Any, input: Tensor, output_size: Sequence[int] | None
) -> Sequence[int]:  # fmt: skip
    """What a transposed convolution adds, so that its output has the size asked for."""
    x, n = tensor(type(layer).__name__, "input", input), len(layer.kernel_size)
    asked = None if output_size is None else [*output_size]
    sizes = layer.stride, layer.padding, layer.kernel_size, n, layer.dilation
    more: Sequence[int] = layer._output_padding(x, asked, *sizes)  # noqa: SLF001
    return more


def _prepared(call: Call, outputs: int) -> Kernel:
    """The tensors fit, get 32 bits, and the input a batch; what the kernel is."""
    names, n, groups = ("input", "weight", "bias"), call.n, call.groups
    call.autocast(*names)
    given, weight, bias = tensors = [getattr(call, name) for name in names]
    x = call.batched(n)
    call.expect(weight.ndim == n + 2, f"a weight of {n + 2} axes", weight)
    call.expect(groups > 0, "at least one group", groups)
    dtypes = [t.dtype for t in tensors if t is not None]
    call.expect(len({*dtypes}) == 1, "tensors of one dtype", dtypes)
    first, second, *size = weight.shape
    told = f"channels for {groups} groups in axis 0 of weight"
    call.expect(first > 0 == first % groups, told, weight)
    call.expect(0 not in size, "a kernel of at least one place", weight)
    told = "an output channel in axis 1 of weight"
    call.expect(outputs == 0 or second > 0, told, weight)
    channels = first, second * groups
    told = f"{channels[1 - outputs]} channels in axis {given.ndim - n - 1} of input"
    call.expect(x.shape[1] == channels[1 - outputs], told, given)
    call.expect(0 in x.shape[:2] or 0 not in x.shape[2:], "an input with places", given)
    fits = bias is None or bias.shape == (channels[outputs],)
    call.expect(fits, f"a bias of shape ({channels[outputs]},)", bias)
    if _lies_last(x) or _lies_last(weight):
        call.then(channels_last)
    call.widen(*names)
    stride, dilation = call.numbers("stride", n, 1), call.numbers("dilation", n, 1)
    return Kernel(tuple(size), stride, dilation)


def _lies_last(x: Tensor) -> bool:
    """Whether channels lie innermost in memory: then the output's do, too."""
    if x.ndim == 3 or (x.ndim == 5 and x.dtype == torch.float64):
        return False
    order = [x.stride(axis) for axis in (1, *range(x.ndim - 1, 1, -1), 0)]
    return all(a <= b for a, b in itertools.pairwise(order)) and order[0] < order[-1]


def _both(call: Call, kernel: Kernel) -> list[int]:
    """How many zeros each axis of the input gets, before and after it together."""
    if call.padding == "same":
        most = max(kernel.stride)
        call.expect(most == 1, "stride 1 for padding 'same'", most)
        return [d * (k - 1) for k, d in zip(kernel.size, kernel.dilation, strict=True)]
    if isinstance(call.padding, str):
        call.expect(call.padding == "valid", "padding 'same' or 'valid'", call.padding)
        call.padding = 0
    return [2 * p for p in call.numbers("padding", call.n, 0)]
