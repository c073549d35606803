"""N linear layers for N positions: the weight of `linear` with one more letter."""

import math

import torch
from jaxtyping import Num
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from layerlib.conventions.expect import expect
from layerlib.recipe import Recipe

NLINEAR = Recipe("b n i, n i o -> b n o")


def nlinear(
    input: Num[Tensor, "..."],
    weight: Num[Tensor, "*n i o"],
    bias: Num[Tensor, "*n o"] | None = None,
) -> Num[Tensor, "..."]:
    """``(*b, *n, i), (*n, i, o), (*n, o) -> (*b, *n, o)``: a weight for each position.

    Raises:
        ValueError: the weight, the positions or features of the input, or the bias
            do not fit.

    >>> weight = torch.tensor([[[1.0]], [[10.0]]])
    >>> nlinear(torch.tensor([[2.0], [3.0]]), weight)
    tensor([[ 2.],
            [30.]])

    Source: `delu.nn.NLinear`, https://yura52.github.io/delu/stable/api/nn.html.
    """
    _check(input, weight, bias)
    *n, i, o = weight.shape
    batch = input.shape[: input.ndim - len(n) - 1]
    x = input.reshape(math.prod(batch), math.prod(n), i)
    w = weight.reshape(math.prod(n), i, o)
    if bias is None:
        output = NLINEAR(x, w)
    else:  # The same line, with the sums started at the bias instead of at zero.
        start = bias.reshape(math.prod(n), 1, o)
        output = torch.baddbmm(start, x.transpose(0, 1), w).transpose(0, 1)
    return output.reshape(*batch, *n, o)


def _check(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    told = "a weight of shape (*n, in_features, out_features)"
    expect("nlinear", weight.ndim >= 3, told, weight)
    # Broadcasting would share one weight between positions.
    *n, i, o = weight.shape
    told = f"the last axes of the input to be (*n, in_features) = {(*n, i)}"
    expect("nlinear", input.shape[-len(n) - 1 :] == (*n, i), told, input)
    told = f"a bias of shape (*n, out_features) = {(*n, o)}"
    expect("nlinear", bias is None or bias.shape == (*n, o), told, bias)


class NLinear(nn.Module):
    """``(*b, *n, i) -> (*b, *n, o)``: a `Linear` of its own for each position.

    ``weight`` has shape ``(*n, i, o)`` and ``bias`` ``(*n, o)``; both start uniform
    between ``-1 / sqrt(i)`` and ``1 / sqrt(i)``. torch has no such layer; this one
    takes the place of `delu.nn.NLinear`, with its constructor and its state dict.

    Args:
        n: how many positions: a number, or a tuple for positions on a grid.
        in_features: features of each position of the input.
        out_features: features of each position of the output.
        bias: whether each position has a bias of its own.
        device: where the parameters live.
        dtype: the type of the parameters.

    Raises:
        ValueError: `n` is no positive number and no tuple of positive numbers, or
            there are no input features and so no bound.

    >>> NLinear(3, 4, 5)(torch.zeros(2, 3, 4)).shape
    torch.Size([2, 3, 5])
    >>> NLinear((4, 5), 6, 7)(torch.zeros(2, 3, 4, 5, 6)).shape
    torch.Size([2, 3, 4, 5, 7])

    Source: `delu.nn.NLinear`, https://yura52.github.io/delu/stable/api/nn.html.
    """

    line = NLINEAR

    def __init__(
        self,
        n: int | tuple[int, ...],
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        positions = (n,) if isinstance(n, int) else tuple(n)
        told = "n to be a positive integer or a non-empty tuple of positive integers"
        expect("NLinear", min(positions, default=0) > 0, told, n)
        expect("NLinear", in_features > 0, "a positive in_features", in_features)
        self.in_features = in_features
        self.out_features = out_features
        empty = torch.empty(
            *positions, in_features, out_features, device=device, dtype=dtype
        )
        self.weight = Parameter(empty)
        self.bias = (
            Parameter(empty.new_empty(*positions, out_features)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        bound = self.in_features**-0.5
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Num[Tensor, "..."]) -> Num[Tensor, "..."]:
        """Each position of the input against its own weight, plus its own bias."""
        return nlinear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The arguments of the constructor."""
        n = tuple(self.weight.shape[:-2])
        return (
            f"n={n[0] if len(n) == 1 else n}, in_features={self.in_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
