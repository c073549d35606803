"""How torch asks for convolutions: what fits, numbers for tuples, few bits, layouts."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.axes import batched, numbers
from layerlib.conventions.dtypes import autocast, wide
from layerlib.conventions.expect import expect, tensor
from layerlib.conventions.signature import Given
from layerlib.engine.kernel import Kernel

Finish = Callable[[Tensor], Tensor]


def convolution(layer: str, n: int, given: Given) -> Finish:
    """`conv1d` and its kind; `padding` becomes widths as for `pad`."""
    finish = _prepared(layer, n, given, outputs=0)
    size, weight = given["input"].shape[2:], given["weight"]
    kernel = _kernel(layer, n, given)
    both = _both(layer, given["padding"], kernel)
    length = tuple([m + p for m, p in zip(size, both, strict=True)])
    told = f"a kernel that fits, dilated, into the padded input {length}"
    expect(layer, 0 not in kernel.counts(length), told, weight)
    if given["input"].shape[1] == 0:  # torch's output then has no channels either
        given |= {"weight": weight[:0], "bias": None}
    given["padding"] = [w for p in reversed(both) for w in (p // 2, p - p // 2)]
    return finish


def transposed(layer: str, n: int, given: Given) -> Finish:
    """`conv_transpose1d` and its kind; both paddings become tuples."""
    finish = _prepared(layer, n, given, outputs=1)
    kernel, more = _kernel(layer, n, given), given["output_padding"]
    crop = given["padding"] = _at_least(0, layer, "padding", given["padding"], n)
    extra = given["output_padding"] = _at_least(0, layer, "output_padding", more, n)
    each = zip(extra, kernel.stride, kernel.dilation, strict=True)
    told = "output_padding less than the stride or the dilation"
    expect(layer, all(e < max(s, d) for e, s, d in each), told, more)
    whole = zip(kernel.length(given["input"].shape[2:]), crop, extra, strict=True)
    left = tuple([m - 2 * p + e for m, p, e in whole])
    expect(layer, min(left) >= 0, "an output of length at least 0", left)
    return finish


def padding_for(
    layer: Any, input: Tensor, output_size: Sequence[int] | None
) -> Sequence[int]:  # fmt: skip
    """What a transposed convolution adds, so that its output has the size asked for."""
    x, n = tensor(type(layer).__name__, "input", input), len(layer.kernel_size)
    asked = None if output_size is None else [*output_size]
    sizes = layer.stride, layer.padding, layer.kernel_size, n, layer.dilation
    more: Sequence[int] = layer._output_padding(x, asked, *sizes)  # noqa: SLF001
    return more


def _prepared(layer: str, n: int, given: Given, outputs: int) -> Finish:
    """The tensors are checked and get 32 bits, and the input a batch."""
    names = ("input", "weight", "bias")
    autocast(given, *names)
    input, weight, bias = tensors = [given[name] for name in names]  # noqa: A001
    x, had_batch = batched(layer, input, n)
    expect(layer, weight.ndim == n + 2, f"a weight of {n + 2} axes", weight)
    groups = given["groups"]
    expect(layer, groups > 0, "at least one group", groups)
    dtypes = [t.dtype for t in tensors if t is not None]
    expect(layer, len({*dtypes}) == 1, "tensors of one dtype", dtypes)
    first, second, *size = weight.shape
    told = f"channels for {groups} groups in axis 0 of weight"
    expect(layer, first > 0 == first % groups, told, weight)
    expect(layer, 0 not in size, "a kernel of at least one place", weight)
    told = "an output channel in axis 1 of weight"
    expect(layer, outputs == 0 or second > 0, told, weight)
    channels = first, second * groups
    told = f"{channels[1 - outputs]} channels in axis {int(had_batch)} of input"
    expect(layer, x.shape[1] == channels[1 - outputs], told, input)
    filled = 0 in x.shape[:2] or 0 not in x.shape[2:]
    expect(layer, filled, "an input with places", input)
    fits = bias is None or bias.shape == (channels[outputs],)
    expect(layer, fits, f"a bias of shape ({channels[outputs]},)", bias)
    given |= {"input": wide(x), "weight": wide(weight)}
    given["bias"] = None if bias is None else wide(bias)
    last = _channels_last(x) or _channels_last(weight)
    return lambda y: _finished(y.to(x.dtype), last, had_batch)


def _finished(y: Tensor, last: bool, had_batch: bool) -> Tensor:
    y = y.movedim(1, -1).contiguous().movedim(-1, 1) if last else y
    return y if had_batch else y[0]


def _channels_last(x: Tensor) -> bool:
    """Whether channels lie innermost in memory: then the output's do, too."""
    if x.ndim == 3 or (x.ndim == 5 and x.dtype == torch.float64):
        return False
    order = [x.stride(axis) for axis in (1, *range(x.ndim - 1, 1, -1), 0)]
    rising = all(a <= b for a, b in itertools.pairwise(order))
    return rising and order[0] < order[-1]


def _at_least(
    least: int, layer: str, name: str, value: int | Sequence[int], n: int
) -> tuple[int, ...]:
    found = numbers(layer, name, value, n)
    expect(layer, min(found) >= least, f"{name} of at least {least}", value)
    return found


def _kernel(layer: str, n: int, given: Given) -> Kernel:
    for name in ("stride", "dilation"):
        given[name] = _at_least(1, layer, name, given[name], n)
    return Kernel(tuple(given["weight"].shape[2:]), given["stride"], given["dilation"])


def _both(layer: str, padding: Any, kernel: Kernel) -> list[int]:
    """How many zeros each axis of the input gets, before and after it together."""
    if padding == "same":
        most = max(kernel.stride)
        expect(layer, most == 1, "stride 1 for padding 'same'", most)
        return [d * (k - 1) for k, d in zip(kernel.size, kernel.dilation, strict=True)]
    if isinstance(padding, str):
        expect(layer, padding == "valid", "padding 'same' or 'valid'", padding)
        padding = 0
    return [2 * p for p in _at_least(0, layer, "padding", padding, len(kernel.size))]
