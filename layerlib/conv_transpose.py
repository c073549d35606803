"""Transposed convolution: each place of the input stamps the kernel on the output."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Num
from torch import Tensor, nn

from layerlib.conv import BIAS, GROUPS, MERGED, _Conv
from layerlib.conventions.axes import Sizes
from layerlib.conventions.conv import padding_for, transposed
from layerlib.conventions.signature import along
from layerlib.engine.kernel import Kernel, resized
from layerlib.recipe import Rearrange, Recipe
from layerlib.windows import overlap_add

CONV_TRANSPOSE = Recipe("b g i ..., g i o k -> b g o ... k")
TRANSPOSED_KERNELS = Rearrange("(g i) o ... -> g i o (...)")


@along(transposed)
def conv_transpose(
    input: Num[Tensor, "..."],
    weight: Num[Tensor, "..."],
    bias: Num[Tensor, "..."] | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Num[Tensor, "..."]:
    """``(b, i, *m), (i, o / groups, *k), (o,) -> (b, o, *n)``: stamps, added up.

    The kernel, times each place of the input, is added to the output where the windows
    of a convolution with these settings lie: this is that convolution's gradient for
    its input. `padding` crops the output on both sides. A convolution with a stride can
    give inputs of several lengths the same output length: `output_padding` tells which
    of those input lengths this output has. The axis ``b`` may be absent.

    Raises:
        ValueError: the weight, the input or the bias does not fit, the output has a
            length below 0, or a setting is out of its range.

    >>> conv_transpose1d(torch.tensor([[1.0, 10.0]]), torch.tensor([[[1.0, 2.0]]]))
    tensor([[ 1., 12., 20.]])

    Source: `torch.nn.functional.conv_transpose1d`, ``conv_transpose2d`` and
    ``conv_transpose3d``; "Deconvolutional networks", Zeiler et al.,
    https://www.matthewzeiler.com/mattzeiler/deconvolutionalnetworks.pdf.
    """
    kernel = Kernel(weight.shape[2:], stride, dilation)
    stamps = CONV_TRANSPOSE.later(
        GROUPS(input, g=groups), TRANSPOSED_KERNELS(weight, g=groups)
    )
    y = MERGED(overlap_add(stamps, kernel.length(input.shape[2:]), kernel))
    ends = [(-p, e - p) for p, e in zip(padding, output_padding, strict=True)]
    y = resized(y, [width for both in reversed(ends) for width in both])  # as in F.pad
    return y if bias is None else y + BIAS[weight.ndim - 2](bias)


# `along` made one function for each number of axes.
conv_transpose1d, conv_transpose2d, conv_transpose3d = conv_transpose


class _ConvTranspose(_Conv, nn.modules.conv._ConvTransposeNd):  # noqa: SLF001
    """``weight`` is ``(i, o / groups, *k)``, ``bias`` ``(o,)``; both start uniform.

    They lie between ``-1 / sqrt(f)`` and ``1 / sqrt(f)``, where ``f`` is the size of
    ``weight[0]``.
    """

    line = CONV_TRANSPOSE

    def forward(
        self, input: Num[Tensor, "..."], output_size: Sequence[int] | None = None
    ) -> Num[Tensor, "..."]:
        """Each place of the input, stamped; plus the bias."""
        more = padding_for(self, input, output_size)
        settings: Any = self.stride, self.padding, more, self.groups, self.dilation
        y: Tensor = self.by(input, self.weight, self.bias, *settings)
        return y


class ConvTranspose1d(_ConvTranspose, nn.ConvTranspose1d, by=conv_transpose1d):
    """``(b, i, w) -> (b, o, x)``: `torch.nn.ConvTranspose1d`, by `conv_transpose1d`."""


class ConvTranspose2d(_ConvTranspose, nn.ConvTranspose2d, by=conv_transpose2d):
    """``(b, i, h, w) -> (b, o, y, x)``: `conv_transpose2d` as a layer."""


class ConvTranspose3d(_ConvTranspose, nn.ConvTranspose3d, by=conv_transpose3d):
    """``(b, i, d, h, w) -> (b, o, z, y, x)``: `conv_transpose3d` as a layer."""


class LazyConvTranspose1d(nn.LazyConvTranspose1d, ConvTranspose1d):  # type: ignore[misc]
    """``(b, i, w) -> (b, o, x)``: it reads ``i`` off its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(nn.LazyConvTranspose2d, ConvTranspose2d):  # type: ignore[misc]
    """``(b, i, h, w) -> (b, o, y, x)``: it reads ``i`` off its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(nn.LazyConvTranspose3d, ConvTranspose3d):  # type: ignore[misc]
    """``(b, i, d, h, w) -> (b, o, z, y, x)``: it reads ``i`` off its first input."""

    cls_to_become = ConvTranspose3d
