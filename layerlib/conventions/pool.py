"""How torch asks for pooling: what it takes, refuses, and gives back."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from layerlib.conventions.call import Call
from layerlib.conventions.dtypes import single, wide
from layerlib.conventions.layer import Computed
from layerlib.engine.kernel import Kernel

Number = int | float
Sizes: TypeAlias = Any
"""One number, or one for each axis: what torch takes; a function gets a tuple."""
Pooled: TypeAlias = Any
"""Numbers, or with `return_indices` a pair: where they are, too."""
LAYOUT = {"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"}
LAYOUT |= {"avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d"}
LAYOUT |= {"max_unpool2d", "max_pool3d"}
"""Which keep channels last in memory."""
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def lowest(x: Tensor) -> int | float:
    """The number that no other one of its kind is less than."""
    return -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min


def exact(x: Tensor) -> Tensor:
    """Whole numbers in double precision."""
    return x.double()


def _check(call: Call, also: Sequence[torch.dtype], filled: int = 1) -> None:
    x = call.input
    call.with_batch(call.n)
    empty = 0 in x.shape[-call.n - filled :]
    call.expect(not empty, "no empty axis but the batch", tuple(x.shape))
    call.expect(x.is_floating_point() or x.dtype in also, "floating point", x.dtype)


def _ready(call: Call, also: Sequence[torch.dtype] = (), filled: int = 1) -> None:
    """Makes the input a checked batch of at least 32 bits, and the output torch's."""
    _check(call, also, filled)
    last = call.input.ndim == call.n + 2 and call.layer in LAYOUT
    x = call.batched(call.n)
    exempt = call.layer == "max_pool3d" and call.return_indices
    call.input = x if exempt else single(call.layer, x)
    # The first power: torch has second gradients here, and they are zeros.
    call.each(lambda y: y.pow(1) if y.is_floating_point() else y)
    call.like_input(last)
    call.input = wide(call.input)


def sliding(call: Call) -> None:
    """For maxima: `padding` is what is put around the input, as for `pad`."""
    _ready(call, WHOLE)
    around, beyond = _slid(call)
    call.padding = [p + more for p, more in zip(around, beyond, strict=True)]


def averaging(call: Call) -> None:
    """For means: `padding` may count, and what `ceil_mode` adds never does."""
    _ready(call, [torch.int64])
    if call.input.dtype == torch.int64:  # the output is rounded towards zero
        call.input = call.input.double()
    call.expect(call.divisor_override != 0, "a divisor_override other than 0", 0)
    call.padding, call.ceil_mode = _slid(call)


def powers(call: Call) -> None:
    """For sums of powers, which torch computes by a mean, step by step."""
    _check(call, [*WHOLE, torch.bool])
    call.numbers("kernel_size", call.n)


def _slid(call: Call) -> tuple[list[int], list[int]]:
    """The kernel's numbers, one for each axis; the cells around, and those beyond."""
    if call.stride in (None, [], ()):
        call.stride = call.kernel_size
    call.dilation = getattr(call, "dilation", 1)
    names = ("kernel_size", "stride", "padding", "dilation")
    each = [call.numbers(name, call.n) for name in names]
    around: list[int] = []
    beyond: list[int] = []
    for size, k, s, p, d in zip(call.input.shape[2:], *each, strict=True):
        fits, got = min(k, s, d) >= 1 and 0 <= 2 * p <= k, f"{k}, {s}, {d} and {p}"
        told = "kernel_size, stride and dilation of at least 1 and padding from 0 to "
        call.expect(fits, f"{told}half of kernel_size", got)
        padded = size + 2 * p + (s - 1) * call.ceil_mode
        (m,) = Kernel((k,), (s,), (d,)).counts([padded])
        # No window begins in the padding on the right.
        if call.ceil_mode and (m - 1) * s >= size + p:
            m -= 1
        # A long dilation steps from one padding into the other.
        blind = any(at % d >= size for at in range(-p, min(0, m * s - p), s))
        got = f"{k} cells with a dilation of {d} on an axis of {size} with a padding of"
        call.expect(m >= 1 and not blind, "windows that see the input", f"{got} {p}")
        around = [p, p, *around]
        beyond = [0, max(0, (m - 1) * s + d * (k - 1) + 1 - size - 2 * p), *beyond]
    return around, beyond


def adaptive(call: Call) -> None:
    """For bins: `output_size` is a number for each axis."""
    _ready(call, filled=int(hasattr(call, "return_indices")))
    given = call.output_size
    each = zip(call.input.shape[2:], call.numbers("output_size", call.n), strict=True)
    size = call.output_size = tuple([a if m is None else m for a, m in each])
    call.expect(min(size) >= 0, "sizes of at least 0", given)


def fractional(call: Call) -> None:
    """For random windows: `_random_samples` has a number for each plane and axis."""
    given, n = call.input, call.n
    _ready(call)
    (b, c), lengths = call.input.shape[:2], call.input.shape[2:]
    if call.output_size is None:
        told = "an output_size or an output_ratio"
        call.expect(call.output_ratio is not None, told, "neither")
        ratio = call.numbers("output_ratio", n)
        call.output_size = [int(a * r) for a, r in zip(lengths, ratio, strict=True)]
    size, kernel = call.numbers("output_size", n), call.numbers("kernel_size", n)
    axes = zip(lengths, size, kernel, strict=True)
    told = f"an output_size of {size} and a kernel_size of {kernel} on {tuple(lengths)}"
    fits = all(m >= 0 and 0 < k <= a - m + (n == 2) for a, m, k in axes)
    call.expect(fits, "windows that begin at different cells", told)
    sample = call._random_samples  # noqa: SLF001
    if sample is None:
        sample = torch.rand(b, c, n, dtype=given.dtype, device=given.device)
    sample, dtype = single(call.layer, sample), single(call.layer, given).dtype
    told = f"{tuple(sample.shape)} of {sample.dtype}"
    fits = sample.shape[1:] == (c, n) and len(sample) >= b and sample.dtype == dtype
    call.expect(fits, f"random samples {(b, c, n)} of {dtype}", told)
    # They are for (width, height), but for (depth, height, width).
    call._random_samples = sample[:b].flip(-1) if n == 2 else sample[:b]  # noqa: SLF001


def unpooling(call: Call) -> None:
    """For the way back: `output_size` is told, or what the windows have at least."""
    shape, at, n = tuple(call.input.shape), call.indices, call.n
    _ready(call)
    fits = at.shape == shape and at.dtype == torch.int64
    told = f"{tuple(at.shape)} of {at.dtype}"
    call.expect(fits, f"indices {shape} of torch.int64", told)
    call.indices = at.view(call.input.shape)
    call.stride = call.kernel_size if call.stride is None else call.stride
    names = ("kernel_size", "stride", "padding")
    kernel, steps, edges = (call.numbers(name, n) for name in names)
    each = zip(shape[-n:], kernel, steps, edges, strict=True)
    default = [(m - 1) * s + k - 2 * p for m, k, s, p in each]
    size = default if call.output_size is None else [*call.output_size]
    size = call.output_size = size[2:] if len(size) == n + 2 else size
    near = [abs(a - b) < s for a, b, s in zip(size, default, steps, strict=False)]
    told = f"an output_size of {default}, more or less by less than {steps}"
    call.expect(len(size) == n and min(size) >= 0 and all(near), told, size)


class Powers(Computed):
    """Of the power torch's class makes a float; its function does not."""

    def forward(self, input: Tensor) -> Any:
        """The root of the sum of powers."""
        further = self.kernel_size, self.stride, self.ceil_mode
        return self.by(input, float(self.norm_type), *further)  # type: ignore[arg-type]


class Unpooling(Computed):
    """The layer is called with the indices, too, and may be told a size."""

    def forward(  # type: ignore[override]
        self, input: Tensor, indices: Tensor, output_size: list[int] | None = None
    ) -> Any:
        """The maxima, where they were."""
        further = self.kernel_size, self.stride, self.padding, output_size
        return self.by(input, indices, *further)
