"""How torch asks for windows and paddings: numbers for pairs, the batch absent."""

import math
from collections.abc import Iterator, Sequence

from torch import Tensor, constant_pad_nd

from layerlib.conventions.call import Call
from layerlib.conventions.dtypes import single
from layerlib.engine.kernel import Kernel, resized


def windows(call: Call) -> None:
    """`windows` takes a tensor and a `Kernel` for its last axes."""
    _check_kernel(call, call.input.ndim, call.kernel)


def overlap_add(call: Call) -> None:
    """`overlap_add` takes as many windows as fit into the length."""
    kernel, length = call.kernel, tuple(call.length)
    got = tuple(call.stamps.shape)
    _check_kernel(call, len(got) - 1, kernel, length)
    expected = (*kernel.counts(length), math.prod(kernel.size))
    fits = got[-len(expected) :] == expected
    call.expect(fits, f"windows of shape (..., {expected})", got)
    call.length = length


def _check_kernel(
    call: Call, axes: int, kernel: Kernel, *length: Sequence[int]
) -> None:
    each = (*length, kernel.size, kernel.stride, kernel.dilation)
    n = len(kernel.size)
    fits = 0 < n <= axes and all(len(one) == n for one in each)
    positive = fits and min(map(min, each[-3:])) > 0
    if not positive:  # else nothing is told: no compiler joins symbols
        told = ", ".join([f"{tuple(one)}" for one in each])
        expected = f"a number for each axis of the kernel, and at most {axes} axes"
        call.expect(fits, expected, told)
        call.expect(positive, "a positive kernel_size, stride and dilation", told)


def _framed(call: Call, size: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Pairs for numbers; the padded size, and how many windows there are in it."""
    given = call.padding
    names = ("padding", "kernel_size", "stride", "dilation")
    padding, *settings = (call.numbers(name, 2) for name in names)
    call.expect(min(padding) >= 0, "a padding of at least 0", given)
    kernel = Kernel(*settings)
    _check_kernel(call, 2, kernel)
    framed = tuple([n + 2 * p for n, p in zip(size, padding, strict=True)])
    return framed, kernel.counts(framed)


def unfold(call: Call) -> None:
    """`unfold` takes planes that a kernel fits into."""
    some_cells(call, call.batched(2))
    framed, counts = _framed(call, call.input.shape[2:])
    got = f"kernel_size {call.kernel_size} with dilation {call.dilation} for {framed}"
    call.expect(0 not in counts, "a kernel that fits into the padded input", got)


def fold(call: Call) -> None:
    """`fold` takes the columns that `unfold` gives."""
    some_cells(call, call.batched(1))
    size = call.numbers("output_size", 2)
    _, (y, x) = _framed(call, size)
    _, rows, columns = call.input.shape
    k = math.prod(call.kernel_size)
    fits = min(size) > 0 and rows % k == 0 and columns == y * x
    told = f"{y} x {x} columns, each of {k} rows for each channel"
    call.expect(fits, f"{told}, for an output of size {size}", call.input)


def some_cells(call: Call, batch: Tensor) -> None:
    """Refuses an axis that is empty, besides the batch."""
    call.expect(0 not in batch.shape[1:], "no empty axis besides the batch", batch)


def pad(call: Call) -> None:
    """`pad` takes widths for some last axes; the function gets a pair for each of them.

    A circular padding repeats what cropping has left. Lines go up to three axes.
    """
    mode, value, widths = call.mode, call.value, tuple(call.pad)
    _check_widths(call, widths)
    x = single(f"{mode}_pad{len(widths) // 2}d", call.input)
    if mode == "circular":
        less = [min(width, 0) for width in widths]
        x = resized(x, less).contiguous()  # as torch lays it out
        widths = tuple([max(width, 0) for width in widths])
    if len(widths) > 6:  # of more axes than three, those before the last three
        x = constant_pad_nd(x, (0,) * 6 + widths[6:], value or 0)
    if x.ndim == 0:
        x = x[None]
        call.then(lambda output: output[0])
    whole = not (x.is_floating_point() or x.is_complex())
    call.input, call.value = x, (int(value) if whole else value) if value else None
    call.pad = [(b, a) for _, b, a in _by_axis(widths[:6] or (0, 0))][::-1]


def _check_widths(call: Call, widths: Sequence[int]) -> None:
    x, mode, n = call.input, call.mode, len(widths) // 2
    modes, constant = ["constant", "reflect", "replicate", "circular"], "constant"
    call.expect(mode in modes, f"a mode of {modes}", repr(mode))
    most = x.ndim if mode == constant else 3
    pairs = len(widths) == 2 * n and (mode == constant or n > 0) and n <= most
    call.expect(pairs, f"two widths for each of at most {most} axes", widths)
    if mode != constant:
        call.expect(not call.value, f"no value in mode {mode!r}", call.value)
        batch = call.with_batch(n)
        if mode != "circular":
            some_cells(call, batch)
    for axis, before, after in _by_axis(widths):
        length = x.shape[axis]
        left, widest = length + min(before, 0) + min(after, 0), max(before, after)
        fits = {
            "constant": left >= 0,
            "reflect": length + before + after > 0 and widest < length,
            "replicate": length + before + after > 0,
            "circular": left >= 0 and widest <= (length if left else 0),
        }
        cells = f"widths in mode {mode!r} that an axis of length {length} has cells for"
        call.expect(fits[mode], cells, f"({before}, {after}) for axis {axis}")


def _by_axis(widths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Each axis, from the last one, with its widths before and after."""
    for n, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True), 1):
        yield -n, before, after
