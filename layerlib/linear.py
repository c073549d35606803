"""Linear layers: each output is a weighted sum of all inputs."""

import math

import torch
from jaxtyping import Num
from torch import Tensor, nn

from layerlib.conventions.expect import expect
from layerlib.recipe import Recipe

LINEAR = Recipe("... i, o i -> ... o")
DOT = Recipe("... i, i -> ...")
BILINEAR = Recipe("... i, o i j, ... j -> ... o")


def linear(
    input: Num[Tensor, "... i"],
    weight: Num[Tensor, "*o i"],
    bias: Num[Tensor, "*o"] | None = None,
) -> Num[Tensor, "..."]:
    """``(..., i), (o, i), (o,) -> (..., o)``: each row of the weight against the input.

    A weight ``(i,)`` is one row, and the output then has no axis ``o``.

    Raises:
        ValueError: the weight, the last axis of the input, or the bias does not fit.

    >>> linear(torch.tensor([1.0, 2.0]), torch.tensor([[3.0, 4.0], [5.0, 6.0]]))
    tensor([11., 17.])

    Source: `torch.nn.functional.linear`.
    """
    told = "a weight of shape (out_features, in_features) or (in_features,)"
    expect("linear", weight.ndim in (1, 2), told, weight)
    _check_features("linear", "input", input, weight.shape[-1])
    _check_bias("linear", bias, weight.shape[:-1])
    output = (LINEAR if weight.ndim == 2 else DOT)(input, weight)
    return output if bias is None else output + bias


def bilinear(
    input1: Num[Tensor, "*b i"],
    input2: Num[Tensor, "*b j"],
    weight: Num[Tensor, "o i j"],
    bias: Num[Tensor, " o"] | None = None,
) -> Num[Tensor, "*b o"]:
    """``(..., i), (..., j), (o, i, j), (o,) -> (..., o)``: a weight for each pair.

    Raises:
        ValueError: an axis of an input, the weight or the bias does not fit.

    >>> one, two = torch.tensor([1.0, 2.0]), torch.tensor([3.0])
    >>> bilinear(one, two, torch.tensor([[[1.0], [10.0]]]))
    tensor([63.])

    Source: `torch.nn.functional.bilinear`.
    """
    told = "a weight of shape (out_features, in1_features, in2_features)"
    expect("bilinear", weight.ndim == 3, told, weight)
    _check_features("bilinear", "input1", input1, weight.shape[1])
    _check_features("bilinear", "input2", input2, weight.shape[2])
    told = "two inputs that differ in their last axis only"
    got = f"{tuple(input1.shape)} and {tuple(input2.shape)}"
    expect("bilinear", input1.shape[:-1] == input2.shape[:-1], told, got)
    _check_bias("bilinear", bias, weight.shape[:1])
    output = BILINEAR(input1, weight, input2)
    return output if bias is None else output + bias


def _check_features(layer: str, name: str, input: Tensor, features: int) -> None:
    told = f"{features} features in the last axis of {name}"
    expect(layer, input.shape[-1:] == (features,), told, input)


def _check_bias(layer: str, bias: Tensor | None, shape: torch.Size) -> None:
    # The addition would broadcast a bias of another shape.
    fits = bias is None or bias.shape == shape
    expect(layer, fits, f"a bias of shape {tuple(shape)}", bias)


class Linear(nn.Linear):
    """``(..., i) -> (..., o)``: `torch.nn.Linear`, computed by `linear`.

    ``weight`` has shape ``(o, i)`` and ``bias`` ``(o,)``; both start uniform between
    ``-1 / sqrt(i)`` and ``1 / sqrt(i)``.
    """

    line = LINEAR

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        # With a = sqrt(5) the bound of kaiming_uniform_ is 1 / sqrt(in_features).
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Num[Tensor, "... i"]) -> Num[Tensor, "... o"]:
        """The input against each row of the weight, plus the bias."""
        return linear(input, self.weight, self.bias)


class LazyLinear(nn.LazyLinear, Linear):
    """``(..., i) -> (..., o)``: a `Linear` that reads ``i`` off its first input."""

    cls_to_become = Linear

    def forward(self, input: Num[Tensor, "... i"]) -> Num[Tensor, "... o"]:
        """The input against each row of the weight, plus the bias."""
        return linear(input, self.weight, self.bias)


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
        count = self.in1_features
        expect("Bilinear", count > 0, "a positive in1_features", count)
        bound = 1 / math.sqrt(self.in1_features)
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(
        self, input1: Num[Tensor, "*b i"], input2: Num[Tensor, "*b j"]
    ) -> Num[Tensor, "*b o"]:
        """Each pair of features, weighted and summed, plus the bias."""
        return bilinear(input1, input2, self.weight, self.bias)
