"""How torch asks for pooling: what it takes, refuses, and gives back."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from layerlib.conventions.axes import batched, numbers
from layerlib.conventions.dtypes import single, wide
from layerlib.conventions.expect import expect
from layerlib.conventions.layer import Computed
from layerlib.conventions.signature import Given
from layerlib.engine.kernel import Kernel
from layerlib.recipe import Line

Number = int | float
Sizes: TypeAlias = Any
"""One number, or one for each axis: what torch takes; a function gets a tuple."""
Pooled: TypeAlias = Any
"""Numbers, or with `return_indices` a pair: where they are, too."""
Finish = Callable[[Any], Any]
PLANES = {"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"}
LAYOUT = {*PLANES, "max_unpool2d", "max_pool3d", "avg_pool1d"}
LAYOUT |= {"adaptive_avg_pool1d", "adaptive_max_pool1d"}
"""Which keep channels last in memory."""
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def lowest(x: Tensor) -> int | float:
    """The number that no other one of its kind is less than."""
    return -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min


def exact(x: Tensor) -> Tensor:
    """Whole numbers in double precision."""
    return x.double()


def laid_out(x: Tensor, like: Tensor) -> Tensor:
    """`x`, with its channels last in memory if those of `like` are."""
    if not like.is_contiguous() and like.movedim(1, -1).is_contiguous():
        return x.movedim(1, -1).contiguous().movedim(-1, 1)
    return x.contiguous()


def check(
    layer: str, n: int, input: Tensor, also: Sequence[torch.dtype], filled: int = 1
) -> tuple[Tensor, bool]:
    """The input with a batch, and whether it came with it."""
    batch, has_batch = batched(layer, input, n)
    shape = tuple(input.shape)
    expect(layer, 0 not in shape[-n - filled :], "no empty axis but the batch", shape)
    fits = input.is_floating_point() or input.dtype in also
    expect(layer, fits, "floating point", input.dtype)
    return batch, has_batch


def ready(
    layer: str, n: int, given: Given, also: Sequence[torch.dtype] = (), filled: int = 1
) -> Finish:
    """Makes the input a checked batch of at least 32 bits, and the output torch's."""
    input = given["input"]  # noqa: A001
    batch, has_batch = check(layer, n, input, also, filled)
    given["input"] = wide(batch)
    like = batch if has_batch and layer in LAYOUT else batch[:0].contiguous()
    exempt = layer == "max_pool3d" and given["return_indices"]
    dtype = input.dtype if exempt else single(layer, input).dtype
    return partial(finished, like, dtype, has_batch)


def finished(like: Tensor, dtype: torch.dtype, has_batch: bool, output: Any) -> Any:
    """The output in its layout and dtype, and without a batch if the input had none."""
    if isinstance(output, tuple):
        return tuple([finished(like, dtype, has_batch, each) for each in output])
    output = laid_out(output, like)
    if output.is_floating_point():
        # The first power: torch has second gradients here, and they are zeros.
        output = output.to(dtype).pow(1)
    return output if has_batch else output[0]


def sliding(layer: str, n: int, given: Given) -> Finish:
    """For maxima: `padding` is what is put around the input, as for `pad`."""
    finish = ready(layer, n, given, WHOLE)
    around, beyond = _slid(layer, given)
    given["padding"] = [p + more for p, more in zip(around, beyond, strict=True)]
    return finish


def averaging(layer: str, n: int, given: Given) -> Finish:
    """For means: `padding` may count, and what `ceil_mode` adds never does."""
    finish = ready(layer, n, given, [torch.int64])
    if given["input"].dtype == torch.int64:  # the output is rounded towards zero
        given["input"] = given["input"].double()
    expect(layer, given["divisor_override"] != 0, "a divisor_override other than 0", 0)
    given["padding"], given["ceil_mode"] = _slid(layer, given)
    return finish


def powers(layer: str, n: int, given: Given) -> None:
    """For sums of powers, which torch computes by a mean, step by step."""
    check(layer, n, given["input"], [*WHOLE, torch.bool])
    given["kernel_size"] = numbers(layer, "kernel_size", given["kernel_size"], n)


def _slid(layer: str, given: Given) -> tuple[list[int], list[int]]:
    """The kernel's numbers, one for each axis; the cells around, and those beyond."""
    lengths = given["input"].shape[2:]
    if given["stride"] in (None, [], ()):
        given["stride"] = given["kernel_size"]
    names = ("kernel_size", "stride", "padding", "dilation")
    asked = [given.get(name, 1) for name in names]
    each = [
        numbers(layer, *one, len(lengths)) for one in zip(names, asked, strict=True)
    ]
    given.update({k: v for k, v in zip(names, each, strict=True) if k in given})
    around: list[int] = []
    beyond: list[int] = []
    for size, k, s, p, d in zip(lengths, *each, strict=True):
        told = "kernel_size, stride and dilation of at least 1 and padding from 0 to "
        told += "half of kernel_size"
        expect(
            layer, min(k, s, d) >= 1 and 0 <= 2 * p <= k, told, f"{k}, {s}, {d} and {p}"
        )
        padded = size + 2 * p + (s - 1) * given["ceil_mode"]
        (m,) = Kernel((k,), (s,), (d,)).counts([padded])
        # No window begins in the padding on the right.
        if given["ceil_mode"] and (m - 1) * s >= size + p:
            m -= 1
        # A long dilation steps from one padding into the other.
        blind = any(at % d >= size for at in range(-p, min(0, m * s - p), s))
        told = f"{k} cells with a dilation of {d} on an axis of {size} "
        told += f"with a padding of {p}"
        expect(layer, m >= 1 and not blind, "windows that see the input", told)
        around = [p, p, *around]
        beyond = [0, max(0, (m - 1) * s + d * (k - 1) + 1 - size - 2 * p), *beyond]
    return around, beyond


def adaptive(layer: str, n: int, given: Given) -> Finish:
    """For bins: `output_size` is a number for each axis."""
    mean = "return_indices" not in given
    finish = ready(layer, n, given, filled=0 if mean else 1)
    asked = numbers(layer, "output_size", given["output_size"], n)
    each = zip(given["input"].shape[2:], asked, strict=True)
    size = tuple([length if m is None else m for length, m in each])
    expect(layer, min(size) >= 0, "sizes of at least 0", given["output_size"])
    given["output_size"] = size
    return finish


def fractional(layer: str, n: int, given: Given) -> Finish:
    """For random windows: `_random_samples` has a number for each plane and axis."""
    input, finish = given["input"], ready(layer, n, given)  # noqa: A001
    lengths, size = given["input"].shape[2:], given["output_size"]
    if size is None:
        told = "an output_size or an output_ratio"
        expect(layer, given["output_ratio"] is not None, told, "neither")
        ratio = numbers(layer, "output_ratio", given["output_ratio"], n)
        size = [int(a * r) for a, r in zip(lengths, ratio, strict=True)]
    size = given["output_size"] = numbers(layer, "output_size", size, n)
    kernel = given["kernel_size"] = numbers(
        layer, "kernel_size", given["kernel_size"], n
    )
    axes = zip(lengths, size, kernel, strict=True)
    told = f"an output_size of {size} and a kernel_size of {kernel} on {tuple(lengths)}"
    fits = all(m >= 0 and 0 < k <= a - m + (n == 2) for a, m, k in axes)
    expect(layer, fits, "windows that begin at different cells", told)
    sample, (b, c) = given["_random_samples"], given["input"].shape[:2]
    if sample is None:
        sample = torch.rand(b, c, n, dtype=input.dtype, device=input.device)
    sample, dtype = single(layer, sample), single(layer, input).dtype
    told = f"{tuple(sample.shape)} of {sample.dtype}"
    fits = sample.shape[1:] == (c, n) and len(sample) >= b and sample.dtype == dtype
    expect(layer, fits, f"random samples {(b, c, n)} of {dtype}", told)
    # They are for (width, height), but for (depth, height, width).
    given["_random_samples"] = sample[:b].flip(-1) if n == 2 else sample[:b]
    return finish


def unpooling(layer: str, n: int, given: Given) -> Finish:
    """For the way back: `output_size` is told, or what the windows have at least."""
    input, at = given["input"], given["indices"]  # noqa: A001
    fits = at.shape == input.shape and at.dtype == torch.int64
    finish = ready(layer, n, given)
    told = f"indices {tuple(input.shape)} of torch.int64"
    expect(layer, fits, told, f"{tuple(at.shape)} of {at.dtype}")
    given["indices"] = at.view(given["input"].shape)
    kernel = numbers(layer, "kernel_size", given["kernel_size"], n)
    stride = kernel if given["stride"] is None else given["stride"]
    steps = numbers(layer, "stride", stride, n)
    edges = numbers(layer, "padding", given["padding"], n)
    each = zip(input.shape[-n:], kernel, steps, edges, strict=True)
    default = [(m - 1) * s + k - 2 * p for m, k, s, p in each]
    size = default if given["output_size"] is None else [*given["output_size"]]
    size = given["output_size"] = size[2:] if len(size) == n + 2 else size
    near = [abs(a - b) < s for a, b, s in zip(size, default, steps, strict=False)]
    told = f"an output_size of {default}, more or less by less than {steps}"
    expect(layer, len(size) == n and min(size) >= 0 and all(near), told, size)
    return finish


class Pooling(Computed):
    """``class MaxPool2d(Pooling, nn.MaxPool2d, by=max_pool2d, line=MAX)``."""

    def __init_subclass__(
        cls, *, by: Callable[..., Any] | None = None, line: Line | None = None
    ) -> None:
        """Tells the shapes along the axes that the layer has."""
        super().__init_subclass__(by=by, line=line)
        n = int(by.__name__[-2]) if by else 0
        for letter, names in (("*n", "d h w"), ("*m", "z y x")) if n else ():
            told = ", ".join(names.split()[-n:])
            cls.__doc__ = str(cls.__doc__).replace(letter, told)


class Powers(Pooling):
    """Of the power torch's class makes a float; its function does not."""

    def forward(self, input: Tensor) -> Any:
        """The root of the sum of powers."""
        further = self.kernel_size, self.stride, self.ceil_mode
        return self.by(input, float(self.norm_type), *further)  # type: ignore[arg-type]


class Unpooling(Pooling):
    """The layer is called with the indices, too, and may be told a size."""

    def forward(  # type: ignore[override]
        self, input: Tensor, indices: Tensor, output_size: list[int] | None = None
    ) -> Any:
        """The maxima, where they were."""
        further = self.kernel_size, self.stride, self.padding, output_size
        return self.by(input, indices, *further)
