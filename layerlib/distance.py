"""Distances: how far apart two vectors are, and how much they point the same way."""

import math

import torch
from jaxtyping import Num, Shaped
from torch import Tensor, nn

from layerlib.conventions.distance import by_axis, by_pair
from layerlib.conventions.signature import convention
from layerlib.engine.gradient import with_gradient
from layerlib.recipe import Bend, Recipe, Reduce

DOT = Recipe("... i, ... i -> ...")
TOTAL = Reduce("... i -> ... 1", "sum")
LARGEST = Reduce("... i -> ... 1", "max")
SMALLEST = Reduce("... i -> ... 1", "min")
POWER = Bend("power", torch.pow)
SIGN = Bend("sign", torch.sign)
AT_LEAST = Bend("at least", torch.clamp_min)


def _length(x: Tensor, p: float) -> Tensor:
    """The p-norm along the last axis. Where it is zero, so is its gradient."""
    size = x.abs()
    if math.inf in (p, -p):
        return LARGEST(size) if p > 0 else SMALLEST(size)
    if p == 0:  # a count
        return TOTAL(SIGN(size.detach()))
    total = TOTAL(POWER(size.masked_fill(size == 0, 0), p))
    return POWER(total, 1 / p)


@with_gradient(lambda _needed, cotangent, *_: [cotangent, None], keeps_inputs=False)
def _raised(length: Tensor, eps: float) -> Tensor:
    """At least eps; as in torch, the gradient does not see that it was raised."""
    return AT_LEAST(length, eps)


@convention(by_pair, autocast=False)
def cosine_similarity(
    x1: Shaped[Tensor, "..."],
    x2: Shaped[Tensor, "..."],
    dim: int = 1,
    eps: float = 1e-8,
) -> Shaped[Tensor, "..."]:
    """``(..., i, ...), (..., i, ...) -> (..., ...)``: the dot product of directions.

    Each vector along `dim` is divided by its length, or by `eps` if that is more.
    Shapes are broadcast, as in torch: one vector is compared with many.

    Raises:
        TypeError: the inputs are neither real nor one real and one whole.
        ValueError: the shapes cannot be broadcast.

    >>> cosine_similarity(torch.tensor([3.0, 4.0]), torch.tensor([4.0, 3.0]), dim=0)
    tensor(0.9600)

    Source: `torch.nn.functional.cosine_similarity`.
    """
    one, two = (x / _raised(_length(x, 2.0), eps) for x in (x1, x2))
    return DOT(one, two)


@convention(by_pair, autocast=False)
def pairwise_distance(
    x1: Num[Tensor, "..."],
    x2: Num[Tensor, "..."],
    p: float = 2.0,
    eps: float = 1e-6,
    keepdim: bool = False,
) -> Num[Tensor, "..."]:
    """``(..., i), (..., i) -> (...)``: the p-norm of the difference of two vectors.

    `eps` is added to each number of the difference. Shapes are broadcast, as in torch.

    Raises:
        ValueError: the shapes cannot be broadcast.

    >>> pairwise_distance(torch.tensor([0.0, 0.0]), torch.tensor([3.0, 4.0]))
    tensor(5.0000)

    Source: `torch.nn.functional.pairwise_distance`.
    """
    distance = _length(x1 - x2 + eps, p)
    return distance if keepdim else distance.squeeze(-1)


@convention(by_axis)
def normalize(
    input: Num[Tensor, "..."],
    p: float = 2.0,
    dim: int | tuple[int, ...] = 1,
    eps: float = 1e-12,
    out: Num[Tensor, "..."] | None = None,
) -> Num[Tensor, "..."]:  # fmt: skip
    """``(...) -> (...)``: vectors along `dim`, over their `p`-norm: of length one.

    What is shorter than `eps` is divided by `eps`.

    Raises:
        TypeError: the input holds whole numbers.
        IndexError: there is no such axis, or an infinite norm is taken of nothing.
        RuntimeError: `out` is given, and a gradient is asked for.

    >>> normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])

    Source: `torch.nn.functional.normalize`.
    """
    return input / AT_LEAST(_length(input, p), eps)


class CosineSimilarity(nn.CosineSimilarity):
    """``(..., i, ...), (..., i, ...) -> (..., ...)``: `torch.nn.CosineSimilarity`."""

    line = DOT

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """How much two vectors point the same way: `cosine_similarity`."""
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(nn.PairwiseDistance):
    """``(..., i), (..., i) -> (...)``: `torch.nn.PairwiseDistance`."""

    line = TOTAL

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """How far apart two vectors are: `pairwise_distance`."""
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
