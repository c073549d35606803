"""Linear layers: each output is a weighted sum of inputs, or of their products."""

import math

from jaxtyping import Num
from torch import Tensor, nn

from layerlib.conventions.linear import fits_bilinear, fits_linear, positive
from layerlib.conventions.signature import convention
from layerlib.recipe import Recipe

LINEAR = Recipe("... i, o i -> ... o")
DOT = Recipe("... i, i -> ...")
BILINEAR = Recipe("... i, o i j, ... j -> ... o")


@convention(fits_linear)
def linear(
    input: Num[Tensor, "... i"],
    weight: Num[Tensor, "*o i"],
    bias: Num[Tensor, "*o"] | None = None,
) -> Num[Tensor, "..."]:
    """``(..., i), (o, i), (o,) -> (..., o)``: each row's dot product, plus the bias.

    A weight ``(i,)`` is a single row, and the output then has no axis ``o``. A sparse
    or jagged input is computed densely.

    Raises:
        ValueError: the weight, the last axis of the input, or the bias does not fit.
        TypeError: their dtypes differ.

    >>> linear(torch.tensor([1.0, 2.0]), torch.tensor([[3.0, 4.0], [5.0, 6.0]]))
    tensor([11., 17.])

    Source: `torch.nn.functional.linear`.
    """
    rows = LINEAR if weight.ndim == 2 else DOT
    y = rows(input, weight)
    return y if bias is None else y + bias


@convention(fits_bilinear, autocast=False)
def bilinear(
    input1: Num[Tensor, "*b i"],
    input2: Num[Tensor, "*b j"],
    weight: Num[Tensor, "o i j"],
    bias: Num[Tensor, " o"] | None = None,
) -> Num[Tensor, "*b o"]:
    """``(..., i), (..., j), (o, i, j), (o,) -> (..., o)``: weighted pairs of features.

    Raises:
        ValueError: an axis of an input, the weight or the bias does not fit.
        TypeError: their dtypes differ.

    >>> one, two = torch.tensor([1.0, 2.0]), torch.tensor([3.0])
    >>> bilinear(one, two, torch.tensor([[[1.0], [10.0]]]))
    tensor([63.])

    Source: `torch.nn.functional.bilinear`.
    """
    y = BILINEAR(input1, weight, input2)
    return y if bias is None else y + bias


class Linear(nn.Linear):
    """``(..., i) -> (..., o)``: `torch.nn.Linear`, computed by `linear`.

    ``weight`` has shape ``(o, i)`` and ``bias`` ``(o,)``; both start uniform between
    ``-1 / sqrt(i)`` and ``1 / sqrt(i)``.
    """

    line = LINEAR

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        # Up to sqrt(6 / (1 + a * a) / in_features), that is 1 / sqrt(in_features).
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Num[Tensor, "..."]) -> Num[Tensor, "..."]:
        """The input's dot product with each row of the weight, plus the bias."""
        return linear(input, self.weight, self.bias)


class LazyLinear(nn.LazyLinear, Linear):
    """``(..., i) -> (..., o)``: a `Linear` that reads ``i`` off its first input."""

    cls_to_become = Linear
    forward = Linear.forward


class Bilinear(nn.Bilinear):
    """``(..., i), (..., j) -> (..., o)``: `torch.nn.Bilinear`, computed by `bilinear`.

    ``weight`` has shape ``(o, i, j)`` and ``bias`` ``(o,)``; both start uniform between
    ``-1 / sqrt(i)`` and ``1 / sqrt(i)``.
    """

    line = BILINEAR

    def reset_parameters(self) -> None:
        """Draws new initial values.

        Raises:
            ValueError: `in1_features` is not positive, and there is no bound.
        """
        features = positive("Bilinear", "in1_features", self.in1_features)
        bound = 1 / math.sqrt(features)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self, input1: Num[Tensor, "*b i"], input2: Num[Tensor, "*b j"]
    ) -> Num[Tensor, "*b o"]:
        """Each pair of features, weighted and summed, plus the bias."""
        return bilinear(input1, input2, self.weight, self.bias)
