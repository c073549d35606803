"""Windows: what a kernel sees from each of its places, and what is beyond the edge."""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from jaxtyping import Shaped
from torch import Tensor, nn
from torch.types import Number

import layerlib.conventions.windows as conventions
from layerlib.conventions.axes import Sizes
from layerlib.conventions.layer import Computed
from layerlib.conventions.signature import convention
from layerlib.engine.kernel import Kernel, resized
from layerlib.engine.padding import Padding
from layerlib.engine.windows import Windows, overlap_added
from layerlib.recipe import Deferred, Line, Rearrange, Recipe

PAD = Recipe("... h, y h -> ... y")
PAD_PLANE = Recipe("... h w, y h, x w -> ... y x")
PAD_VOLUME = Recipe("... d h w, z d, y h, x w -> ... z y x")
UNFOLD = Rearrange("b c y x k -> b (c k) (y x)")
FOLD = Rearrange("b (c k) (y x) -> b c y x k")

MODES: dict[str, Callable[[int, int], int]] = {
    "reflect": lambda at, length: length - 1 - abs(length - 1 - abs(at)),
    "replicate": lambda at, length: min(max(at, 0), length - 1),
    "circular": lambda at, length: at % length,
}
"""A padding mode is a map: from a place beyond the edge to the one that it repeats."""


@convention(conventions.pad)
def pad(
    input: Shaped[Tensor, "..."],
    pad: Sequence[Any],
    mode: str = "constant",
    value: Number | None = None,
) -> Shaped[Tensor, "..."]:
    """``(..., *n) -> (..., *m)``: cells beyond the edge, or fewer of those inside.

    Along each axis a padding is a matrix with a single 1 in each row, for the cell that
    is shown there. It is not stored: multiplying by it is copying. `pad` holds two
    widths for each axis, before and after it, the last axis first; a negative one
    crops. Outside is the constant `value`, or, by mode, the input once more: mirrored
    at its edge cell, its edge cell itself, or the input from its other side. Circular
    padding repeats what cropping has left, the other modes see it all.

    Raises:
        ValueError: the mode is unknown, or the widths, the axes or the value do not
            fit it; an axis is too short to be cropped, mirrored or repeated that far.

    >>> pad(torch.tensor([[1, 2, 3]]), (2, 1), mode="reflect")
    tensor([[3, 2, 1, 2, 3, 2]])

    Source: `torch.nn.functional.pad`.
    """
    line = (PAD, PAD_PLANE, PAD_VOLUME)[len(pad) - 1]
    lengths = input.shape[-len(pad) :]
    matrices = [
        Padding(length, before, after, MODES.get(mode))
        for length, (before, after) in zip(lengths, pad, strict=True)
    ]
    output = line(input, *matrices)
    if value is None:
        return output
    outside = line(input.new_ones(lengths), *matrices) == 0
    return output + output.new_zeros(outside.shape).masked_fill(outside, value)


@convention(conventions.windows)
def windows(input: Shaped[Tensor, "..."], kernel: Kernel) -> Windows:
    """``(..., *n) -> (..., *m, k)``: what the kernel sees from each of its places.

    Nothing is padded: a window lies inside, and where none fits there are none. The
    places in the kernel are one axis ``k``, the last letter of the kernel running
    fastest. The windows are not stored: a line takes them like a tensor, and
    ``windows(...).tensor()`` is one.

    Raises:
        ValueError: the kernel has other numbers of axes, or more than the input has; a
            number of it is not positive.

    >>> windows(torch.arange(5), Kernel((3,), stride=(2,))).tensor()
    tensor([[0, 1, 2],
            [2, 3, 4]])

    Source: `torch.Tensor.unfold`.
    """
    return Windows(input, kernel)


@convention(conventions.overlap_add)
def overlap_add(
    stamps: Shaped[Tensor, "... k"] | Deferred,
    length: tuple[int, ...],
    kernel: Kernel,
) -> Shaped[Tensor, "..."]:
    """``(..., *m, k) -> (..., *n)``: the adjoint of `windows`: each goes where it was.

    Where windows overlap, they are added; what none of them sees is 0. A product that
    is not made yet, ``recipe.later(x, kernels)``, is not stored here either.

    Raises:
        ValueError: as in `windows`; or there are not as many windows, or places in
            each, as such a kernel has in an input of that length.

    >>> overlap_add(torch.ones(2, 3), (5,), Kernel((3,), stride=(2,)))
    tensor([1., 1., 2., 1., 1.])

    Source: the overlap-add method; `torch.nn.functional.fold`.
    """
    return overlap_added(stamps, length, kernel)


@convention(conventions.unfold)
def unfold(
    input: Shaped[Tensor, "*b c h w"],
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
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
    h, w = padding
    framed = resized(input, (w, w, h, h))
    return UNFOLD(windows(framed, Kernel(kernel_size, stride, dilation)))


@convention(conventions.fold)
def fold(
    input: Shaped[Tensor, "*b ck yx"],
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
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
    (height, width), (h, w) = output_size, padding
    kernel = Kernel(kernel_size, stride, dilation)
    framed = (height + 2 * h, width + 2 * w)
    y, x = kernel.counts(framed)
    stamps = FOLD(input, k=math.prod(kernel_size), y=y, x=x)
    return resized(overlap_add(stamps, framed, kernel), (-w, -w, -h, -h))


class Unfold(Computed, nn.Unfold, by=unfold, line=UNFOLD):
    """``(b, c, h, w) -> (b, c * k, y * x)``: `torch.nn.Unfold`, by `unfold`."""


class Fold(Computed, nn.Fold, by=fold, line=FOLD):
    """``(b, c * k, y * x) -> (b, c, h, w)``: `torch.nn.Fold`, by `fold`."""


class _Pad(nn.Module):
    line: ClassVar[Line] = PAD
    mode: ClassVar[str] = "constant"
    padding: Any
    value: Any = None

    def __init_subclass__(
        cls, *, line: Line | None = None, mode: str | None = None
    ) -> None:
        super().__init_subclass__()
        cls.line, cls.mode = line or cls.line, mode or cls.mode

    def forward(self, input: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The input with `padding` beyond its edges."""
        return pad(input, self.padding, self.mode, self.value)


class ConstantPad1d(_Pad, nn.ConstantPad1d, line=PAD):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.ConstantPad1d`, by `pad`."""


class ConstantPad2d(_Pad, nn.ConstantPad2d, line=PAD_PLANE):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.ConstantPad2d`, by `pad`."""


class ConstantPad3d(_Pad, nn.ConstantPad3d, line=PAD_VOLUME):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.ConstantPad3d`, by `pad`."""


class ZeroPad1d(ConstantPad1d, nn.ZeroPad1d, line=PAD):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.ZeroPad1d`, by `pad`."""


class ZeroPad2d(ConstantPad2d, nn.ZeroPad2d, line=PAD_PLANE):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.ZeroPad2d`, by `pad`."""


class ZeroPad3d(ConstantPad3d, nn.ZeroPad3d, line=PAD_VOLUME):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.ZeroPad3d`, by `pad`."""


class ReflectionPad1d(_Pad, nn.ReflectionPad1d, line=PAD, mode="reflect"):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.ReflectionPad1d`, by `pad`."""


class ReflectionPad2d(_Pad, nn.ReflectionPad2d, line=PAD_PLANE, mode="reflect"):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.ReflectionPad2d`, by `pad`."""


class ReflectionPad3d(_Pad, nn.ReflectionPad3d, line=PAD_VOLUME, mode="reflect"):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.ReflectionPad3d`, by `pad`."""


class ReplicationPad1d(_Pad, nn.ReplicationPad1d, line=PAD, mode="replicate"):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.ReplicationPad1d`, by `pad`."""


class ReplicationPad2d(_Pad, nn.ReplicationPad2d, line=PAD_PLANE, mode="replicate"):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.ReplicationPad2d`, by `pad`."""


class ReplicationPad3d(_Pad, nn.ReplicationPad3d, line=PAD_VOLUME, mode="replicate"):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.ReplicationPad3d`, by `pad`."""


class CircularPad1d(_Pad, nn.CircularPad1d, line=PAD, mode="circular"):
    """``(b, c, w) -> (b, c, x)``: `torch.nn.CircularPad1d`, by `pad`."""


class CircularPad2d(_Pad, nn.CircularPad2d, line=PAD_PLANE, mode="circular"):
    """``(b, c, h, w) -> (b, c, y, x)``: `torch.nn.CircularPad2d`, by `pad`."""


class CircularPad3d(_Pad, nn.CircularPad3d, line=PAD_VOLUME, mode="circular"):
    """``(b, c, d, h, w) -> (b, c, z, y, x)``: `torch.nn.CircularPad3d`, by `pad`."""
