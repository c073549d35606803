"""How torch asks for windows and paddings: numbers for pairs, the batch absent."""

import math
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor, constant_pad_nd

from layerlib.conventions.axes import batched, numbers
from layerlib.conventions.dtypes import single
from layerlib.conventions.expect import expect
from layerlib.conventions.signature import Given
from layerlib.engine.kernel import Kernel, resized

Finish = Callable[[Tensor], Tensor]


def windows(layer: str, _n: int, given: Given) -> None:
    """`windows` takes a tensor and a `Kernel` for its last axes."""
    _check_kernel(layer, given["input"].ndim, given["kernel"])


def overlap_add(layer: str, _n: int, given: Given) -> None:
    """`overlap_add` takes as many windows as fit into the length."""
    kernel, length = given["kernel"], tuple(given["length"])
    got = tuple(given["stamps"].shape)
    _check_kernel(layer, len(got) - 1, kernel, length)
    expected = (*kernel.counts(length), math.prod(kernel.size))
    fits = got[-len(expected) :] == expected
    expect(layer, fits, f"windows of shape (..., {expected})", got)
    given["length"] = length


def _check_kernel(
    layer: str, axes: int, kernel: Kernel, *length: Sequence[int]
) -> None:
    each = (*length, kernel.size, kernel.stride, kernel.dilation)
    n = len(kernel.size)
    fits = 0 < n <= axes and all(len(one) == n for one in each)
    positive = fits and min(map(min, each[-3:])) > 0
    if not positive:  # else nothing is told: no compiler joins symbols
        told = ", ".join([f"{tuple(one)}" for one in each])
        expected = f"a number for each axis of the kernel, and at most {axes} axes"
        expect(layer, fits, expected, told)
        expect(layer, positive, "a positive kernel_size, stride and dilation", told)


def _plane(layer: str, given: Given, size: Sequence[int]) -> tuple[int, int]:
    """Pairs for numbers; and how many windows there are in a plane of that size."""
    padding = given["padding"]
    for name in ("padding", "kernel_size", "stride", "dilation"):
        given[name] = numbers(layer, name, given[name], 2)
    least = min(given["padding"])
    expect(layer, least >= 0, "a padding of at least 0", padding)
    kernel = Kernel(given["kernel_size"], given["stride"], given["dilation"])
    _check_kernel(layer, 2, kernel)
    y, x = kernel.counts(
        [n + 2 * p for n, p in zip(size, given["padding"], strict=True)]
    )
    return y, x


def unfold(layer: str, _n: int, given: Given) -> Finish | None:
    """`unfold` takes planes that a kernel fits into."""
    given["input"], had_batch = batched(layer, given["input"], 2)
    some_cells(layer, given["input"])
    size = given["input"].shape[2:]
    fits = 0 not in _plane(layer, given, size)
    length = tuple(n + 2 * p for n, p in zip(size, given["padding"], strict=True))
    got = f"kernel_size {given['kernel_size']} with dilation {given['dilation']}"
    told = "a kernel that fits into the padded input"
    expect(layer, fits, told, f"{got} for {length}")
    return None if had_batch else lambda output: output[0]


def fold(layer: str, _n: int, given: Given) -> Finish | None:
    """`fold` takes the columns that `unfold` gives."""
    given["input"], had_batch = batched(layer, given["input"], 1)
    some_cells(layer, given["input"])
    size = given["output_size"] = numbers(layer, "output_size", given["output_size"], 2)
    y, x = _plane(layer, given, size)
    _, rows, columns = given["input"].shape
    k = math.prod(given["kernel_size"])
    fits = min(size) > 0 and rows % k == 0 and columns == y * x
    told = f"{y} x {x} columns, each of {k} rows for each channel"
    expect(layer, fits, f"{told}, for an output of size {size}", given["input"])
    return None if had_batch else lambda output: output[0]


def some_cells(layer: str, batch: Tensor) -> None:
    """Refuses an axis that is empty, besides the batch."""
    expect(layer, 0 not in batch.shape[1:], "no empty axis besides the batch", batch)


def pad(layer: str, _n: int, given: Given) -> Finish | None:
    """`pad` takes widths for some last axes; the function gets a pair for each of them.

    A circular padding repeats what cropping has left. Lines go up to three axes.
    """
    input, mode, value = given["input"], given["mode"], given["value"]  # noqa: A001
    widths = tuple(given["pad"])
    _check_widths(layer, input, widths, mode, value)
    input = single(f"{mode}_pad{len(widths) // 2}d", input)  # noqa: A001
    if mode == "circular":
        less = [min(width, 0) for width in widths]
        input = resized(input, less).contiguous()  # noqa: A001  (as torch lays it out)
        widths = tuple([max(width, 0) for width in widths])
    if len(widths) > 6:  # of more axes than three, those before the last three
        input = constant_pad_nd(input, (0,) * 6 + widths[6:], value or 0)  # noqa: A001
    one = input.ndim == 0
    given["input"] = input[None] if one else input
    given["pad"] = [(b, a) for _, b, a in _by_axis(widths[:6] or (0, 0))][::-1]
    whole = not (input.is_floating_point() or input.is_complex())
    given["value"] = (int(value) if whole else value) if value else None
    return (lambda output: output[0]) if one else None


def _check_widths(
    layer: str, input: Tensor, widths: Sequence[int], mode: str, value: object
) -> None:
    n, modes = len(widths) // 2, ["constant", "reflect", "replicate", "circular"]
    constant = mode == "constant"
    expect(layer, mode in modes, f"a mode of {modes}", repr(mode))
    most = input.ndim if constant else 3
    pairs = len(widths) == 2 * n and (constant or n > 0) and n <= most
    expect(layer, pairs, f"two widths for each of at most {most} axes", widths)
    if not constant:
        expect(layer, not value, f"no value in mode {mode!r}", value)
        batch, _ = batched(layer, input, n)
        if mode != "circular":
            some_cells(layer, batch)
    for axis, before, after in _by_axis(widths):
        length = input.shape[axis]
        left, widest = length + min(before, 0) + min(after, 0), max(before, after)
        fits = {
            "constant": left >= 0,
            "reflect": length + before + after > 0 and widest < length,
            "replicate": length + before + after > 0,
            "circular": left >= 0 and widest <= (length if left else 0),
        }
        cells = f"widths in mode {mode!r} that an axis of length {length} has cells for"
        expect(layer, fits[mode], cells, f"({before}, {after}) for axis {axis}")


def _by_axis(widths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Each axis, from the last one, with its widths before and after."""
    for n, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True), 1):
        yield -n, before, after
