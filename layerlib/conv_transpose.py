"""Transposed convolution: each place of the input stamps the kernel on the output."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Num
from torch import Tensor, nn

from layerlib.conv import Geometry, _at_least, _Conv, _ready, _trilinear
from layerlib.conventions.axes import along
from layerlib.conventions.expect import expect
from layerlib.recipe import Recipe

CONV_TRANSPOSE = Recipe("b g i ..., g i o k -> b g o ... k")


def _conv_transpose(
    n: int,
    input: Num[Tensor, "..."],
    weight: Num[Tensor, "..."],
    bias: Num[Tensor, "..."] | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Num[Tensor, "..."]:
    """``(b, i, *m), (i, o / groups, *k), (o,) -> (b, o, *n)``: a line, then stamps.

    Each place of the input multiplies the kernel, and is added to the output where a
    convolution with these settings would see it: this is the gradient of that
    convolution for its input. `padding` crops the output on both sides. Among the
    lengths that the stride makes one, `output_padding` chooses. The axis ``b`` may be
    absent.

    Raises:
        ValueError: the weight, the input or the bias does not fit, the output has a
            length below 0, or a setting is out of its range.

    >>> conv_transpose1d(torch.tensor([[1.0, 10.0]]), torch.tensor([[[1.0, 2.0]]]))
    tensor([[ 1., 12., 20.]])

    Source: `torch.nn.functional.conv_transpose1d`, ``conv_transpose2d`` and
    ``conv_transpose3d``; "Deconvolutional networks", Zeiler et al.,
    https://www.matthewzeiler.com/mattzeiler/deconvolutionalnetworks.pdf.
    """
    layer = f"conv_transpose{n}d"
    x, weight, bias, has_batch = _ready(layer, n, groups, 1, input, weight, bias)
    count, channels = tuple(x.shape[2:]), tuple(weight.shape[:2])
    steps = _at_least(1, layer, "stride", stride, n=n)
    spread = _at_least(1, layer, "dilation", dilation, n=n)
    before = _at_least(0, layer, "padding", padding, n=n)
    more = _at_least(0, layer, "output_padding", output_padding, n=n)
    each = zip(more, steps, spread, strict=True)
    told = "output_padding less than the stride or the dilation"
    expect(layer, all(e < max(s, d) for e, s, d in each), told, output_padding)
    axes = zip(count, weight.shape[2:], steps, spread, before, more, strict=True)
    length = [(m - 1) * s + d * (k - 1) + 1 - 2 * p + e for m, k, s, d, p, e in axes]
    expect(layer, min(length) >= 0, "an output of length at least 0", tuple(length))
    size, whole = tuple(weight.shape[2:]), tuple(length)
    at = Geometry(size, steps, spread, count, whole, before, channels, groups)
    output = _trilinear(at, bias, None, weight, x)
    return output if has_batch else output[0]


conv_transpose1d, conv_transpose2d, conv_transpose3d = along(_conv_transpose)


class _ConvTranspose(_Conv, nn.modules.conv._ConvTransposeNd):  # noqa: SLF001
    line = CONV_TRANSPOSE

    def forward(
        self, input: Num[Tensor, "..."], output_size: Sequence[int] | None = None
    ) -> Num[Tensor, "..."]:
        """Each place of the input, stamped; plus the bias."""
        n = len(self.kernel_size)
        geometry: Any = self.stride, self.padding, self.kernel_size, n, self.dilation
        asked = None if output_size is None else [*output_size]
        more = self._output_padding(input, asked, *geometry)
        settings: Any = self.stride, self.padding, more, self.groups, self.dilation
        return _conv_transpose(n, input, self.weight, self.bias, *settings)


class ConvTranspose1d(_ConvTranspose, nn.ConvTranspose1d):
    """``(b, i, w) -> (b, o, x)``: `torch.nn.ConvTranspose1d`, by `conv_transpose1d`."""


class ConvTranspose2d(_ConvTranspose, nn.ConvTranspose2d):
    """``(b, i, h, w) -> (b, o, y, x)``: `conv_transpose2d` as a layer."""


class ConvTranspose3d(_ConvTranspose, nn.ConvTranspose3d):
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
