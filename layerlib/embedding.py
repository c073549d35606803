"""Embeddings: a table with a row of numbers for each word, and bags of such rows."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int, Num, Shaped
from torch import Tensor, nn

from layerlib.conventions.embedding import bags, classes, explained, table
from layerlib.conventions.layer import Computed
from layerlib.conventions.signature import convention
from layerlib.distance import pairwise_distance
from layerlib.engine.lookup import Bags, Learning, Members, OneHot
from layerlib.recipe import Recipe, Reduce

EMBEDDING = Recipe("... v, v e -> ... e")
BAGS = Recipe("b n, n v, v e -> b e")
LARGEST = Reduce("b n e -> b e", "max")


@convention(classes)
@explained
def one_hot(
    tensor: Shaped[Tensor, "..."], num_classes: int = -1
) -> Int[Tensor, "... v"]:
    """``(...) -> (..., v)``: 1 at the place that each number names, 0 elsewhere.

    With `num_classes` -1 there are as many places as the largest number needs.

    Raises:
        TypeError: the numbers are not int64.
        ValueError: a number is not from 0 to `num_classes` - 1; that is not positive.

    >>> one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])

    Source: `torch.nn.functional.one_hot`.
    """
    zeros = tensor.new_zeros(*tensor.shape, num_classes)
    return zeros.scatter(-1, tensor[..., None], 1)


@convention(table)
@explained
def embedding(
    input: Int[Tensor, "..."],
    weight: Num[Tensor, "v e"],
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Num[Tensor, "... e"]:
    """``(...), (v, e) -> (..., e)``: for each number, that row of the weight.

    It is a product with one-hot rows, which are never stored: the row is read.
    Backward, each gradient is added to the row that was read: to a row that was read
    twice, both.

    Args:
        input: whole numbers, the rows that are read.
        weight: the table.
        padding_idx: a row that gets no gradient.
        max_norm: rows that are read and longer than this are first made this long, in
            the weight itself.
        norm_type: the p of the norm that measures them.
        scale_grad_by_freq: divide each gradient by how often its row was read.
        sparse: the gradient of the weight holds only the rows that were read, except
            under torch.compile.

    Raises:
        IndexError: the weight has no such row.
        TypeError: the input is neither int32 nor int64.
        ValueError: the weight is no table, or has no row `padding_idx`.

    >>> embedding(torch.tensor([1, 1]), torch.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[2., 3.],
            [2., 3.]])

    Source: `torch.nn.functional.embedding`.
    """
    _shorten(weight, input.reshape(-1), max_norm, norm_type)
    learning = Learning(padding_idx, scale_grad_by_freq, sparse)
    rows = OneHot(input, len(weight), learning)
    return EMBEDDING(rows, weight)


@torch.no_grad()
def _shorten(
    weight: Tensor, rows: Tensor, max_norm: float | None, norm_type: float
) -> None:
    """Writes those rows of the weight, the ones longer than `max_norm` made shorter."""
    if max_norm is not None:
        read = weight.index_select(0, rows)
        origin = read.new_zeros(())
        length = pairwise_distance(read, origin, norm_type, eps=0.0, keepdim=True)
        factor = torch.where(length > max_norm, max_norm / (length + 1e-7), 1)
        weight.detach()[rows] = read * factor


@convention(bags)
@explained
def embedding_bag(
    input: Int[Tensor, "..."],
    weight: Float[Tensor, "v e"],
    offsets: Int[Tensor, " starts"] | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Float[Tensor, "..."] | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Float[Tensor, "b e"]:
    """``(b, n), (v, e) -> (b, e)``: the sum, mean or maximum of the rows of each bag.

    Bags of different sizes come one after the other in one axis, with the places
    `offsets` where each begins. A bag of nothing is zero.

    Args:
        input: ``(b, n)``, or ``(n,)`` with `offsets`: rows of the weight.
        weight: the table.
        offsets: ``(b,)``: where each bag starts, in rising order.
        max_norm: as in `embedding`, and so are the next two.
        norm_type: the p of the norm.
        scale_grad_by_freq: not for mode ``max``.
        mode: ``sum``, ``mean`` or ``max``, which reads the first of several largest.
        sparse: as in `embedding`; not for mode ``max``.
        per_sample_weights: a weight of each row that is read; for mode ``sum``.
        include_last_offset: the last of the offsets is the end of the last bag.
        padding_idx: a row that is in no bag.

    Raises:
        IndexError: the weight has no such row.
        TypeError: a dtype is another one than torch's.
        ValueError: a shape, the mode or an option does not fit, or the offsets do not
            start at 0 and end within the input.

    >>> weight = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    >>> embedding_bag(torch.tensor([0, 1, 1]), weight, torch.tensor([0, 2]))
    tensor([[1., 2.],
            [2., 3.]])

    Source: `torch.nn.functional.embedding_bag`.
    """
    _shorten(weight, input, max_norm, norm_type)
    learning = Learning(padding_idx, scale_grad_by_freq, sparse)
    words = OneHot(input, len(weight), learning)
    in_bag = _bags(input, offsets, include_last_offset, padding_idx, per_sample_weights)
    if mode == "max":
        return LARGEST(Members(in_bag, words, weight)).masked_fill(in_bag.empty(), 0)
    total = BAGS(in_bag, words, weight)
    return total / in_bag.sizes() if mode == "mean" else total


def _bags(
    input: Tensor,
    offsets: Any,
    include_last_offset: bool,
    padding_idx: int | None,
    weights: Tensor | None,
) -> Bags:
    """The bag that each word is in: the last that has begun; of padding, no bag."""
    nothing = offsets.new_zeros(len(input) + 1)
    begin = nothing.index_add(0, offsets, torch.ones_like(offsets))
    bag, count = begin[:-1].cumsum(0) - 1, len(offsets) - include_last_offset
    padding = torch.zeros_like(input) if padding_idx is None else input == padding_idx
    return Bags(torch.where(padding.bool(), count, bag), count, weights)


class _Table(nn.Module):
    weight: Tensor
    padding_idx: int | None

    def reset_parameters(self) -> None:
        """Draws new initial values; the row of the padding is zero."""
        nn.init.normal_(self.weight)
        self._fill_padding_idx_with_zero()

    def _fill_padding_idx_with_zero(self) -> None:
        if self.padding_idx is not None:
            nn.init.zeros_(self.weight[self.padding_idx])


class Embedding(_Table, Computed, nn.Embedding, by=embedding):
    """``(...) -> (..., e)``: `torch.nn.Embedding`, computed by `embedding`.

    ``weight`` has shape ``(v, e)`` and starts normal; its row `padding_idx` is zero.
    """

    line = EMBEDDING


class EmbeddingBag(_Table, nn.EmbeddingBag):
    """``(b, n) -> (b, e)``: `torch.nn.EmbeddingBag`, computed by `embedding_bag`.

    ``weight`` has shape ``(v, e)`` and starts normal; its row `padding_idx` is zero.
    """

    line = BAGS
    lines: ClassVar = {"max": LARGEST}

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """The sum, mean or maximum of the rows of each bag."""
        return embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )
