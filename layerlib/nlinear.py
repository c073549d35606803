"""N linear layers for N positions: the weight of `linear` with one more letter."""

import torch
from jaxtyping import Num
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from layerlib.conventions.linear import fits_nlinear, positions, positive
from layerlib.conventions.signature import convention
from layerlib.recipe import Recipe

NLINEAR = Recipe("b n i, n i o -> b n o")


@convention(fits_nlinear)
def nlinear(
    input: Num[Tensor, "..."],
    weight: Num[Tensor, "*n i o"],
    bias: Num[Tensor, "*n o"] | None = None,
) -> Num[Tensor, "..."]:
    """``(*b, *n, i), (*n, i, o), (*n, o) -> (*b, *n, o)``: a weight for each position.

    Raises:
        ValueError: the weight, the positions or features of the input, or the bias
            do not fit.
        TypeError: their dtypes differ.

    >>> weight = torch.tensor([[[1.0]], [[10.0]]])
    >>> nlinear(torch.tensor([[2.0], [3.0]]), weight)
    tensor([[ 2.],
            [30.]])

    Source: `delu.nn.NLinear`, https://yura52.github.io/delu/stable/api/nn.html.
    """
    n, (i, o) = weight.shape[:-2], weight.shape[-2:]
    batch = input.shape[: -len(n) - 1]
    x = input.reshape(batch.numel(), n.numel(), i)
    y = NLINEAR(x, weight.reshape(n.numel(), i, o))
    y = y.reshape(*batch, *n, o)
    return y if bias is None else y + bias


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
        self.in_features, self.out_features = in_features, out_features
        shape = (*positions("NLinear", n), in_features, out_features)
        weight = torch.empty(shape, device=device, dtype=dtype)
        self.weight = Parameter(weight)
        self.bias = (
            Parameter(weight.new_empty(*shape[:-2], shape[-1])) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        bound = positive("NLinear", "in_features", self.in_features) ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

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
