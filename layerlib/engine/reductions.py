"""How a reduction over windows runs: axis after axis, and no window is stored.

The largest number of a window is the largest of those of its rows, and so it is with
sums. Along one axis, a running result meets what all windows see at their first place,
then at the next: each time a view of the input, shifted. So a window of ``k * k`` cells
takes ``2 * k`` looks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, no_type_check

import torch
from torch import Tensor

from layerlib.engine.gradient import adjoints
from layerlib.engine.kernel import Kernel, resized, seen
from layerlib.engine.pieces import PIECE
from layerlib.recipe import Deferred, Line, Operand, Reduce

Place: TypeAlias = slice | Tensor
"""The cells that all windows along an axis see at one of their places."""


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class GatheredWindows(Deferred):
    """``(b, c, *n) -> (b, c, *m, k)``: what windows see whose cells are told.

    Along each axis a table ``(m, k)`` tells the cells of each window, or a table
    ``(b, c, m, k)`` those in each plane.
    """

    input: Tensor
    cells: tuple[Tensor, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The batch and the channels, how many windows there are, and their cells."""
        many = [table.shape[-2] for table in self.cells]
        places = math.prod([table.shape[-1] for table in self.cells])
        return (*self.input.shape[: -len(self.cells)], *many, places)

    def tensor(self) -> Tensor:
        """A copy of each cell for each window that sees it."""
        n, seen = len(self.cells), _planes(self.input, len(self.cells))
        for axis, table in enumerate(self.cells, -n):
            seen = _seen(seen, axis, table.flatten(-2))
        for axis, table in reversed([*enumerate(self.cells, 1)]):
            seen = seen.unflatten(axis, table.shape[-2:])  # type: ignore[no-untyped-call]
        order = [0, *range(1, 2 * n, 2), *range(2, 2 * n + 1, 2)]
        return seen.permute(order).reshape(self.shape)

    def run(self, line: Line, inputs: Sequence[Operand], **sizes: int) -> Tensor:
        """What the line makes of the windows: a maximum without storing them."""
        if isinstance(line, Reduce) and not sizes:
            return reduced(self, line)
        return super().run(line, inputs, **sizes)


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class PaddedWindows(Deferred):
    """``(..., *n) -> (..., *m, k)``: what a kernel sees that may leave the input.

    `padding` tells how many cells of one `value` lie around it, as for `pad`. They are
    no cells of their own: where the largest number is, is in the input.
    """

    input: Tensor
    kernel: Kernel
    padding: Sequence[int]
    value: int | float

    @property
    def padded(self) -> Tensor:
        """An input that has these cells."""
        return resized(self.input, self.padding, self.value)

    @property
    def shape(self) -> torch.Size:
        """The axes before the windows' own, how many there are, and their cells."""
        n, shape = len(self.kernel.size), self.input.shape
        around = zip(self.padding[-2::-2], self.padding[::-2], strict=True)
        lengths = [a + b + c for a, (b, c) in zip(shape[-n:], around, strict=True)]
        many = self.kernel.counts(lengths)
        return torch.Size((*shape[:-n], *many, math.prod(self.kernel.size)))

    def tensor(self) -> Tensor:
        """A copy of each cell for each window that sees it."""
        padded = self.padded
        length = tuple(padded.shape[-len(self.kernel.size) :])
        return seen(padded, length, self.kernel)

    def run(self, line: Line, inputs: Sequence[Operand], **sizes: int) -> Tensor:
        """What the line makes of the windows: a reduction without storing them."""
        if isinstance(line, Reduce) and not sizes:
            return reduced(self, line)
        return super().run(line, inputs, **sizes)


def reduced(windows: Any, line: Reduce) -> Tensor:
    """``(..., *m, k) -> (..., *m)``: a line that reduces the cells of each window.

    The windows are `Windows`, or one of the two kinds above.
    """
    left, right = line.line.split(" -> ")
    over_cells, operation = left == f"{right} k", line.operation
    if over_cells and operation == "max":
        return read(windows.input, where_largest(windows))
    known = over_cells and operation in ("sum", "mean")
    if isinstance(windows, GatheredWindows) or not known:
        return line.stored(windows.tensor())
    beyond = isinstance(windows, PaddedWindows)
    cells = windows.padded if beyond else windows.input
    length = cells.shape[-len(windows.kernel.size) :]
    total = _total(cells, windows.kernel, tuple(length))
    return total / windows.shape[-1] if operation == "mean" else total


def read(input: Tensor, at: Tensor) -> Tensor:
    """``(b, c, *n), (b, c, *m) -> (b, c, *m)``: those cells, counted through a plane.

    There goes the gradient, and nowhere else.
    """
    n = at.ndim - 2
    return input.flatten(-n).gather(-1, at.flatten(-n)).view(at.shape)


def where_largest(windows: Any) -> Tensor:
    """``(b, c, *m, k) -> (b, c, *m)``: where the largest number of each window is.

    It is counted through the plane, row after row: the first of several, and the last
    NaN. Planes are searched in pieces that a cache holds.
    """
    axes = _axes(windows)
    planes = _planes(windows.input.detach(), len(axes))
    size = max(1, PIECE // max(1, math.prod(planes.shape[1:])))
    alike = all(isinstance(at, slice) or at.ndim == 1 for axis in axes for at in axis)
    pieces = planes.split(size) if alike else [planes]  # type: ignore[no-untyped-call]
    found = torch.cat([_found(piece, axes) for piece in pieces])
    return found.view(windows.shape[:-1])


def _planes(x: Tensor, n: int) -> Tensor:
    """``(b, c, *n) -> (b * c, *n)``."""
    return x.reshape(math.prod(x.shape[:-n]), *x.shape[-n:])


def _axes(windows: Any) -> list[list[Place]]:
    """For each axis, and each place in a window: the cells that are seen there."""
    if isinstance(windows, GatheredWindows):
        device = windows.input.device
        return [[*table.to(device).unbind(-1)] for table in windows.cells]
    axes = _steps(windows.kernel, windows.input.shape)
    if isinstance(windows, PaddedWindows):
        n, before = len(axes), windows.padding[-2::-2]
        each = zip(before, windows.padding[::-2], strict=True)
        for axis, (p, more) in enumerate(each, -n):
            if p or more > 0:
                axes[axis] = _inside(windows, axis, p)
    return axes


def _inside(windows: PaddedWindows, axis: int, before: int) -> list[Place]:
    """The cells of windows that leave the input: those inside, the last one again."""
    length, device = windows.input.shape[axis], windows.input.device
    kernel = windows.kernel
    k, s, d = kernel.size[axis], kernel.stride[axis], kernel.dilation[axis]
    begin = torch.arange(windows.shape[axis - 1], device=device) * s - before
    end = (begin + (k - 1) * d).clamp(max=length - 1)
    last = begin + (end - begin) // d * d
    first = begin + ((-begin).clamp(min=0) + d - 1) // d * d
    return [(first + place * d).clamp(max=last) for place in range(k)]


def _steps(kernel: Kernel, shape: Sequence[int]) -> list[list[Place]]:
    n = len(kernel.size)
    many = kernel.counts(shape[-n:])
    each = zip(kernel.size, kernel.stride, kernel.dilation, many, strict=True)
    return [
        [slice(a * d, a * d + (m - 1) * s + 1 if m else 0, s) for a in range(k)]
        for k, s, d, m in each
    ]


def _seen(x: Tensor, axis: int, at: Place) -> Tensor:
    """``(p, *n)``: what all windows see at one of their places along an axis."""
    if isinstance(at, slice):
        if at == slice(0, x.shape[axis], 1):  # torch's batched gradients know no copy
            return x
        return x.movedim(axis, -1)[..., at].movedim(-1, axis)
    if at.ndim == 1 and axis < -1:  # along the last axis torch selects slowly
        return x.index_select(axis, at)
    shape = [*x.shape]
    shape[axis] = at.shape[-1]
    return x.gather(axis, _index(at, axis, x.ndim).expand(shape))


def _index(at: Tensor, axis: int, ndim: int) -> Tensor:
    """``(m)`` or ``(b, c, m)``: as cells of one axis of some planes."""
    planes = math.prod(at.shape[:-1])
    between, behind = [1] * (ndim + axis - 1), [1] * (-axis - 1)
    return at.reshape(planes, *between, at.shape[-1], *behind)


def _largest(x: Tensor, axis: int, places: list[Place]) -> tuple[Tensor, Tensor]:
    """Along one axis: the largest number in each window, and its place there."""
    best = _seen(x, axis, places[0])
    kind = torch.uint8 if len(places) < 256 else torch.int32
    place = torch.zeros_like(best, dtype=kind)
    for k, at in enumerate(places[1:], 1):
        seen = _seen(x, axis, at)
        later = (seen > best) | (seen != seen)  # noqa: PLR0124  (NaN is not itself)
        place = torch.maximum(place, later.to(kind) * k)
        best = torch.maximum(best, seen)
    return best, place


def _cell(place: Tensor, axis: int, places: list[Place], length: int) -> Tensor:
    """The cell of the axis that each window sees at a place of its own."""
    numbers = torch.arange(length, device=place.device)
    cells = [numbers[at] if isinstance(at, slice) else at for at in places]
    table = torch.stack([_index(at, axis, place.ndim) for at in cells])
    return table.expand(-1, *place.shape).gather(0, place.long()[None])[0]


def _found(x: Tensor, axes: list[list[Place]]) -> Tensor:
    lengths, best = x.shape[1:], x
    places: list[Tensor] = []
    for axis in range(-1, -len(axes) - 1, -1):
        best, place = _largest(best, axis, axes[axis])
        row = _cell(place, axis, axes[axis], lengths[axis])
        places = [place, *[inner.gather(axis, row) for inner in places]]
    at = torch.zeros_like(best, dtype=torch.int64)
    for axis, place in enumerate(places, -len(axes)):
        at = at * lengths[axis] + _cell(place, axis, axes[axis], lengths[axis])
    return at


def _sum(x: Tensor, kernel: Kernel, length: tuple[int, ...]) -> Tensor:
    axes = _steps(kernel, length)
    for axis, places in enumerate(axes, -len(axes)):
        first, *others = [_seen(x, axis, at) for at in places]
        x = first.clone()
        for other in others:
            x += other
    return x


def _spread(y: Tensor, kernel: Kernel, length: tuple[int, ...]) -> Tensor:
    axes = _steps(kernel, length)
    for axis, places in reversed([*enumerate(axes, -len(axes))]):
        shape = [*y.shape]
        shape[axis] = length[axis]
        x = y.new_zeros(shape)
        for at in places:
            _seen(x, axis, at).add_(y)
        y = x
    return y


_total, _spread_back = adjoints(_sum, _spread)
