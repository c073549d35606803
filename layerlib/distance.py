"""Distances: how far apart two vectors are, and how much they point the same way."""

import math

import torch
from jaxtyping import Num, Shaped
from torch import Tensor, nn

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.engine.gradient import with_gradient
from layerlib.recipe import Recipe

DOT = Recipe("... i, ... i -> ...")


def _length_gradient(
    _needed: object, cotangent: Tensor, length: Tensor, x: Tensor, p: float, dim: int
) -> list[Tensor | None]:
    if p == 0:  # a count
        return [None]
    size = x.abs()
    if math.isinf(p):
        share = (size == length).to(size.dtype)
        share = share / share.sum(dim, keepdim=True)
    else:
        share = (size / length.masked_fill(length == 0, 1)).pow(p - 1)
    return [cotangent * x.sgn() * share.masked_fill(size == 0, 0)]


@with_gradient(_length_gradient, keeps_output=True)
def _length(x: Tensor, p: float, dim: int) -> Tensor:
    """The p-norm along one axis, which stays. Where it is zero, so is its gradient."""
    size = x.abs()
    if math.isinf(p):
        return (size.amax if p > 0 else size.amin)(dim, keepdim=True)
    if p == 0:
        return (size != 0).to(size.dtype).sum(dim, keepdim=True)
    return size.pow(p).sum(dim, keepdim=True).pow(1 / p)


@with_gradient(lambda _needed, cotangent, *_: [cotangent], keeps_inputs=False)
def _at_least(length: Tensor, eps: float) -> Tensor:
    # as in torch, the gradient does not see that a length was raised
    return length.clamp(min=eps)


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
    x1, x2, dtype = _alike("cosine_similarity", x1, x2)
    real = dtype.is_floating_point
    expect("cosine_similarity", real, "real numbers", dtype, TypeError)
    one, two = (x / _at_least(_length(x, 2.0, dim), eps) for x in (x1, x2))
    return (one * two).sum(dim).to(dtype)


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
    x1, x2, dtype = _alike("pairwise_distance", x1, x2)
    length = _length(x1 - x2 + eps, p, -1)
    length = length.to(dtype.to_real()) if dtype.itemsize == 2 else length
    return length if keepdim or not x1.ndim else length.squeeze(-1)


def _alike(layer: str, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor, torch.dtype]:
    """Both in one shape, in at least single precision if they are in half."""
    try:
        both = torch.broadcast_tensors(x1, x2)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise ValueError(
            f"{layer}: expected two shapes that can be broadcast, got "
            f"{tuple(x1.shape)} and {tuple(x2.shape)}"
        ) from error
    dtype = (x1.new_zeros(1) + x2.new_zeros(1)).dtype
    one, two = (wide(x.to(dtype)) for x in both)
    return one, two, dtype


class CosineSimilarity(nn.CosineSimilarity):
    """``(..., i, ...), (..., i, ...) -> (..., ...)``: `torch.nn.CosineSimilarity`."""

    line = DOT

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """How much two vectors point the same way: `cosine_similarity`."""
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(nn.PairwiseDistance):
    """``(..., i), (..., i) -> (...)``: `torch.nn.PairwiseDistance`."""

    line = DOT

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """How far apart two vectors are: `pairwise_distance`."""
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
