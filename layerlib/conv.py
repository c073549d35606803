"""Convolution: every window of the input against the same weights."""

import math
from typing import Any

import torch
from jaxtyping import Num
from torch import Tensor, nn

from layerlib.conventions.axes import Sizes
from layerlib.conventions.conv import convolution
from layerlib.conventions.layer import Computed
from layerlib.conventions.signature import along
from layerlib.engine.kernel import Kernel, resized
from layerlib.recipe import Rearrange, Recipe
from layerlib.windows import pad, windows

CONV = Recipe("b g i ... k, g o i k -> b g o ...")
GROUPS = Rearrange("b (g i) ... -> b g i ...")
KERNELS = Rearrange("(g o) i ... -> g o i (...)")
MERGED = Rearrange("b g o ... -> b (g o) ...")
BIAS = {n: Rearrange("o -> o" + " 1" * n) for n in (1, 2, 3)}


@along(convolution)
def conv(
    input: Num[Tensor, "..."],
    weight: Num[Tensor, "..."],
    bias: Num[Tensor, "..."] | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Num[Tensor, "..."]:
    """``(b, i, *n), (o, i / groups, *k), (o,) -> (b, o, *m)``: windows, then a line.

    Each number of the output is the dot product of a window and a kernel, which is not
    flipped. With `groups`, it sees the channels of its own group only. Padding
    ``"same"`` keeps the length; of an odd number of zeros, the last one more is at the
    end. The axis ``b`` may be absent.

    Raises:
        ValueError: the weight, the input or the bias does not fit, the kernel is longer
            than the padded input, or a setting is out of its range.

    >>> conv1d(torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])

    Source: `torch.nn.functional.conv1d`, ``conv2d`` and ``conv3d``.
    """
    kernel = Kernel(weight.shape[2:], stride, dilation)
    x = GROUPS(resized(input, padding), g=groups)
    y = MERGED(CONV(windows(x, kernel), KERNELS(weight, g=groups)))
    return y if bias is None else y + BIAS[weight.ndim - 2](bias)


conv1d, conv2d, conv3d = conv


class _Conv(Computed, nn.modules.conv._ConvNd):  # noqa: SLF001
    """``weight`` is ``(o, i / groups, *k)``, ``bias`` ``(o,)``; both start uniform.

    They lie between ``-1 / sqrt(f)`` and ``1 / sqrt(f)``, where ``f`` is the number of
    weights ``weight[0]``.
    """

    line = CONV

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        with torch.no_grad():
            # The numbers are drawn in one order, in whichever one the weight lies.
            drawn = self.weight.new_empty(self.weight.shape)
            self.weight.copy_(nn.init.kaiming_uniform_(drawn, a=math.sqrt(5)))
        if self.bias is not None:
            terms = math.prod(self.weight.shape[1:])
            bound = 1 / math.sqrt(terms) if terms else 0
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Num[Tensor, "..."]) -> Num[Tensor, "..."]:
        """Every window of the padded input against the weight, plus the bias."""
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(
        self, input: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        """The same with this weight: what subclasses of torch's layers override."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            around = self._reversed_padding_repeated_twice
            input, padding = pad(input, around, self.padding_mode), 0  # noqa: A001
        settings = self.stride, padding, self.dilation, self.groups
        y: Tensor = self.by(input, weight, bias, *settings)
        return y


class Conv1d(_Conv, nn.Conv1d, by=conv1d):
    """``(b, i, w) -> (b, o, x)``: `torch.nn.Conv1d`, computed by `conv1d`."""


class Conv2d(_Conv, nn.Conv2d, by=conv2d):
    """``(b, i, h, w) -> (b, o, y, x)``: `torch.nn.Conv2d`, computed by `conv2d`."""


class Conv3d(_Conv, nn.Conv3d, by=conv3d):
    """``(b, i, d, h, w) -> (b, o, z, y, x)``: `torch.nn.Conv3d`, by `conv3d`."""


class LazyConv1d(nn.LazyConv1d, Conv1d):  # type: ignore[misc]
    """``(b, i, w) -> (b, o, x)``: a `Conv1d` that reads ``i`` off its first input."""

    cls_to_become = Conv1d


class LazyConv2d(nn.LazyConv2d, Conv2d):  # type: ignore[misc]
    """``(b, i, h, w) -> (b, o, y, x)``: a `Conv2d` that reads ``i`` off its input."""

    cls_to_become = Conv2d


class LazyConv3d(nn.LazyConv3d, Conv3d):  # type: ignore[misc]
    """``(b, i, d, h, w) -> (b, o, z, y, x)``: a `Conv3d` that reads ``i`` off it."""

    cls_to_become = Conv3d
