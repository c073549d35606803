"""Windows: what a kernel sees from each of its places, and what is beyond the edge."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.types import Number

from layerlib.conventions.axes import batched, counts, numbers, places
from layerlib.conventions.expect import expect
from layerlib.conventions.layer import Computed
from layerlib.engine.gradient import adjoints
from layerlib.recipe import Rearrange, Recipe

PAD = Recipe("... h, y h -> ... y")
UNFOLD = Rearrange("b c y x k -> b (c k) (y x)")
FOLD = Rearrange("b (c k) (y x) -> b c y x k")

Sizes = tuple[int, ...]
Geometry = tuple[Sizes, Sizes, Sizes]

MODES: dict[str, Callable[[int, int], int]] = {
    "reflect": lambda at, length: length - 1 - abs(length - 1 - abs(at)),
    "replicate": lambda at, length: min(max(at, 0), length - 1),
    "circular": lambda at, length: at % length,
}
"""A padding mode is a map: from a place beyond the edge to the one that it repeats."""


def pad(
    input: Shaped[Tensor, "..."],
    pad: Sequence[int],
    mode: str = "constant",
    value: Number | None = None,
) -> Shaped[Tensor, "..."]:
    """``(..., *n) -> (..., *m)``: cells beyond the edge, or fewer of those inside.

    `pad` holds two widths for each axis, before and after it, the last axis first; a
    negative one crops. Outside is the constant `value`, or, by mode, the input once
    more: mirrored at its edge cell, its edge cell itself, or the input from its other
    side. Circular padding repeats what cropping has left, the other modes see it all.

    Raises:
        ValueError: the mode is unknown, or the widths, the axes or the value do not
            fit it; an axis is too short to be cropped, mirrored or repeated that far.

    >>> pad(torch.tensor([[1, 2, 3]]), (2, 1), mode="reflect")
    tensor([[3, 2, 1, 2, 3, 2]])

    Source: `torch.nn.functional.pad`.
    """
    widths = tuple(pad)
    _check_pad(input, widths, mode, value)
    if mode == "constant":
        return torch.constant_pad_nd(input, widths, 0 if value is None else value)
    more, less = [tuple([pick(width, 0) for width in widths]) for pick in (max, min)]
    if mode == "circular":
        return _extended(_resized(input, less), more, mode)
    return _resized(_extended(input, more, mode), less)


def _check_pad(
    input: Tensor, widths: Sequence[int], mode: str, value: Number | None
) -> None:
    n, modes = len(widths) // 2, ["constant", *MODES]
    constant = mode == "constant"
    expect("pad", mode in modes, f"a mode of {modes}", repr(mode))
    most = input.ndim if constant else 3
    pairs = len(widths) == 2 * n and (constant or n > 0) and n <= most
    expect("pad", pairs, f"two widths for each of at most {most} axes", widths)
    if not constant:
        expect("pad", not value, f"no value in mode {mode!r}", value)
        batch, _ = batched("pad", input, n)
        if mode != "circular":
            _check_cells("pad", batch)
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
        expect("pad", fits[mode], cells, f"({before}, {after}) for axis {axis}")


def _by_axis(widths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Each axis, from the last one, with its widths before and after."""
    for n, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True), 1):
        yield -n, before, after


def _borders(
    padded: Tensor, widths: Sequence[int], mode: str
) -> Iterator[tuple[int, int, Tensor]]:
    """For each border: its axis, where it starts, and the places that it repeats."""
    for axis, before, after in _by_axis(widths):
        length = padded.shape[axis] - before - after
        for start, stop in ((-before, 0), (length, length + after)):
            if start < stop:
                at = [before + MODES[mode](n, length) for n in range(start, stop)]
                yield axis, before + start, torch.tensor(at, device=padded.device)


def _extend(input: Tensor, widths: Sizes, mode: str) -> Tensor:
    padded = torch.constant_pad_nd(input, widths)
    for axis, start, at in _borders(padded, widths, mode):
        border = padded.narrow(axis, start, len(at))
        border.copy_(padded.index_select(axis, at))
    return padded


def _gather(padded: Tensor, widths: Sizes, mode: str) -> Tensor:
    """Each border goes back to the cells that it repeats."""
    output = padded.clone()
    for axis, start, at in reversed(list(_borders(padded, widths, mode))):
        border = output.narrow(axis, start, len(at)).clone()
        output.index_add_(axis, at, border)
    return torch.constant_pad_nd(output, [-width for width in widths])


_extended, _gathered = adjoints(_extend, _gather)


def _resized(input: Tensor, widths: Sequence[int]) -> Tensor:
    """Zeros beyond the edge or fewer cells; a copy only where something changes."""
    return torch.constant_pad_nd(input, widths) if any(widths) else input


def windows(
    input: Shaped[Tensor, "..."],
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Shaped[Tensor, "... k"]:
    """``(..., *n) -> (..., *m, k)``: what the kernel sees from each of its places.

    Nothing is padded: a window lies inside, and where none fits there are none. The
    places in the kernel are one axis ``k``, the last letter of the kernel running
    fastest. In memory ``k`` comes before ``*m``: copying the input once for each place,
    shifted, is faster than reading window by window.

    Raises:
        ValueError: the three have other lengths, or more than the input has axes; a
            number is not positive.

    >>> windows(torch.arange(5), (3,), (2,), (1,))
    tensor([[0, 1, 2],
            [2, 3, 4]])

    Source: `torch.Tensor.unfold`.
    """
    geometry = (kernel_size, stride, dilation)
    n = _check_geometry("windows", input.ndim, *geometry)
    return _seen(input, tuple(input.shape[-n:]), geometry)


def overlap_add(
    windows: Shaped[Tensor, "... k"],
    length: tuple[int, ...],
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Shaped[Tensor, "..."]:
    """``(..., *m, k) -> (..., *n)``: the adjoint of `windows`: each goes where it was.

    Where windows overlap, they are added; what none of them sees is 0.

    Raises:
        ValueError: as in `windows`; or there are not as many windows, or places in
            each, as a kernel of that size has in an input of that length.

    >>> overlap_add(torch.ones(2, 3), (5,), (3,), (2,), (1,))
    tensor([1., 1., 2., 1., 1.])

    Source: the overlap-add method; `torch.nn.functional.fold`.
    """
    geometry = (kernel_size, stride, dilation)
    n = _check_geometry("overlap_add", windows.ndim - 1, length, *geometry)
    expected = (*counts(length, *geometry), math.prod(kernel_size))
    got = tuple(windows.shape)
    told = f"windows of shape (..., {expected})"
    expect("overlap_add", got[-n - 1 :] == expected, told, got)
    return _added(windows, tuple(length), geometry)


def _check_geometry(layer: str, axes: int, *geometry: Sizes) -> int:
    """The number of axes that there are windows along."""
    n, told = len(geometry[0]), ", ".join(map(str, geometry))
    fits = 0 < n <= axes and all(len(each) == n for each in geometry)
    each = f"a number for each axis of the kernel, and at most {axes} axes"
    expect(layer, fits, each, told)
    positive = min(map(min, geometry[-3:])) > 0
    expect(layer, positive, "a positive kernel_size, stride and dilation", told)
    return n


def _see(input: Tensor, length: Sizes, geometry: Geometry) -> Tensor:
    m, n = counts(length, *geometry), len(length)
    seen = [input[..., *at] for at in places(*geometry, m)]
    return torch.stack(seen, -n - 1).movedim(-n - 1, -1)


def _add(windows: Tensor, length: Sizes, geometry: Geometry) -> Tensor:
    m, n = counts(length, *geometry), len(length)
    output = windows.new_zeros(*windows.shape[: -n - 1], *length)
    for k, at in enumerate(places(*geometry, m)):
        output[..., *at].add_(windows[..., k])
    return output


_seen, _added = adjoints(_see, _add)


def unfold(
    input: Shaped[Tensor, "*b c h w"],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Shaped[Tensor, "*b ck yx"]:
    """``(b, c, h, w) -> (b, c * k, y * x)``: each window as a column.

    A gather: the cells are copied, those that several windows see several times.
    Without the batch, the output has none.

    Raises:
        ValueError: the input has other axes, or an empty one besides the batch; an
            argument has neither one nor two numbers, or one that is too small; no
            window fits.

    >>> unfold(torch.arange(6.0).reshape(1, 2, 3), (2, 2))
    tensor([[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]])

    Source: `torch.nn.functional.unfold`.
    """
    batch, had_batch = batched("unfold", input, 2)
    _check_cells("unfold", batch)
    frame, length, geometry = _plane(
        "unfold", batch.shape[2:], kernel_size, dilation, padding, stride
    )
    told = f"kernel_size {geometry[0]} with dilation {geometry[2]} for {length}"
    fits = 0 not in counts(length, *geometry)
    expect("unfold", fits, "a kernel that fits into the padded input", told)
    output = UNFOLD(windows(_resized(batch, frame), *geometry))
    return output if had_batch else output[0]


def fold(
    input: Shaped[Tensor, "*b ck yx"],
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Shaped[Tensor, "*b c h w"]:
    """``(b, c * k, y * x) -> (b, c, h, w)``: columns go back where they were.

    The adjoint of `unfold`, not its inverse: where windows overlap, they are added.
    Each cell of ``fold(unfold(x))`` is x as often as windows see it.

    Raises:
        ValueError: the input has other axes, or an empty one besides the batch; an
            argument has neither one nor two numbers, or one that is too small; the
            input has not the columns, or not the rows, that `unfold` would give.

    >>> fold(torch.ones(4, 2), (2, 3), (2, 2))
    tensor([[[1., 2., 1.],
             [1., 2., 1.]]])

    Source: `torch.nn.functional.fold`.
    """
    batch, had_batch = batched("fold", input, 1)
    _check_cells("fold", batch)
    size = numbers("fold", "output_size", output_size, 2)
    frame, length, geometry = _plane(
        "fold", size, kernel_size, dilation, padding, stride
    )
    (y, x), k = counts(length, *geometry), math.prod(geometry[0])
    fits = min(size) > 0 and batch.shape[1] % k == 0 and batch.shape[2] == y * x
    rows = f"{y} x {x} columns, each of {k} rows for each channel"
    expect("fold", fits, f"{rows}, for an output of size {size}", input)
    output = overlap_add(FOLD(batch, k=k, y=y, x=x), length, *geometry)
    output = _resized(output, [-width for width in frame])
    return output if had_batch else output[0]


def _plane(
    layer: str,
    size: Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int],
    padding: int | Sequence[int],
    stride: int | Sequence[int],
) -> tuple[Sizes, Sizes, Geometry]:
    """Widths as in `pad`, the size with them, and what `windows` takes."""
    height, width = numbers(layer, "padding", padding, 2)
    expect(layer, min(height, width) >= 0, "a padding of at least 0", padding)
    kernel = numbers(layer, "kernel_size", kernel_size, 2)
    steps = numbers(layer, "stride", stride, 2)
    gaps = numbers(layer, "dilation", dilation, 2)
    _check_geometry(layer, 2, kernel, steps, gaps)
    frame = (width, width, height, height)
    return frame, (size[0] + 2 * height, size[1] + 2 * width), (kernel, steps, gaps)


def _check_cells(layer: str, batch: Tensor) -> None:
    some = 0 not in batch.shape[1:]
    expect(layer, some, "no empty axis besides the batch", batch)


class Unfold(Computed, nn.Unfold, by=unfold):
    """``(b, c, h, w) -> (b, c * k, y * x)``: `torch.nn.Unfold`, by `unfold`."""

    line = UNFOLD


class Fold(Computed, nn.Fold, by=fold):
    """``(b, c * k, y * x) -> (b, c, h, w)``: `torch.nn.Fold`, by `fold`."""

    line = FOLD


class _Pad(nn.Module):
    line = PAD
    mode: ClassVar[str] = "constant"
    padding: Any
    value: Any = None

    def __init_subclass__(cls, *, mode: str | None = None) -> None:
        super().__init_subclass__()
        cls.mode = mode or cls.mode

    def forward(self, input: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The input with `padding` beyond its edges."""
        return pad(input, self.padding, self.mode, self.value)


class ConstantPad1d(_Pad, nn.ConstantPad1d):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.ConstantPad1d`, by `pad`."""


class ConstantPad2d(_Pad, nn.ConstantPad2d):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.ConstantPad2d`, by `pad`."""


class ConstantPad3d(_Pad, nn.ConstantPad3d):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.ConstantPad3d`, by `pad`."""


class ZeroPad1d(ConstantPad1d, nn.ZeroPad1d):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.ZeroPad1d`, by `pad`."""


class ZeroPad2d(ConstantPad2d, nn.ZeroPad2d):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.ZeroPad2d`, by `pad`."""


class ZeroPad3d(ConstantPad3d, nn.ZeroPad3d):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.ZeroPad3d`, by `pad`."""


class ReflectionPad1d(_Pad, nn.ReflectionPad1d, mode="reflect"):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.ReflectionPad1d`, by `pad`."""


class ReflectionPad2d(_Pad, nn.ReflectionPad2d, mode="reflect"):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.ReflectionPad2d`, by `pad`."""


class ReflectionPad3d(_Pad, nn.ReflectionPad3d, mode="reflect"):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.ReflectionPad3d`, by `pad`."""


class ReplicationPad1d(_Pad, nn.ReplicationPad1d, mode="replicate"):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.ReplicationPad1d`, by `pad`."""


class ReplicationPad2d(_Pad, nn.ReplicationPad2d, mode="replicate"):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.ReplicationPad2d`, by `pad`."""


class ReplicationPad3d(_Pad, nn.ReplicationPad3d, mode="replicate"):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.ReplicationPad3d`, by `pad`."""


class CircularPad1d(_Pad, nn.CircularPad1d, mode="circular"):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.CircularPad1d`, by `pad`."""


class CircularPad2d(_Pad, nn.CircularPad2d, mode="circular"):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.CircularPad2d`, by `pad`."""


class CircularPad3d(_Pad, nn.CircularPad3d, mode="circular"):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.CircularPad3d`, by `pad`."""
