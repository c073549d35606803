"""Embeddings: a table with a row of numbers for each word, and bags of such rows."""

import functools

import torch
from jaxtyping import Float, Int, Num, Shaped
from torch import Tensor, nn

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.conventions.layer import Computed
from layerlib.distance import pairwise_distance
from layerlib.engine.gradient import with_gradient
from layerlib.recipe import Recipe

EMBEDDING = Recipe("... v, v e -> ... e")
BAGS = Recipe("b n, n v, v e -> b e")


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
    whole = tensor.dtype == torch.int64
    expect("one_hot", whole, "classes as int64", tensor.dtype, TypeError)
    if num_classes == -1 and tensor.numel():
        num_classes = int(tensor.max()) + 1
    got = f"{num_classes} for classes of shape {tuple(tensor.shape)}"
    expect("one_hot", num_classes >= 1, "a positive num_classes", got)
    zeros = tensor.new_zeros(*tensor.shape, num_classes)
    try:
        return zeros.scatter(-1, tensor[..., None], 1)
    except RuntimeError as error:
        raise ValueError(
            f"one_hot: expected classes from 0 to {num_classes - 1}, got some from "
            f"{int(tensor.min())} to {int(tensor.max())}"
        ) from error


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

    It is a product with one-hot rows that nobody computes. Backward, each gradient is
    added to the row that was read: to a row read twice, twice.

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
    whole = input.dtype in (torch.int32, torch.int64)
    expect("embedding", whole, "int32 or int64 as input", input.dtype, TypeError)
    padding = _row("embedding", weight, padding_idx)
    if max_norm is not None:
        with torch.no_grad():
            _shorten(weight, input.reshape(-1), max_norm, norm_type)
    try:
        return _rows(weight, input, len(weight), padding, scale_grad_by_freq, sparse)
    except IndexError as error:
        raise IndexError(
            f"embedding: expected rows from 0 to {len(weight) - 1} of the weight, got "
            f"some from {int(input.min())} to {int(input.max())}"
        ) from error


def _row(layer: str, weight: Tensor, padding_idx: int | None) -> int | None:
    """`padding_idx` counted from the first row of a weight that is a table."""
    shape = tuple(weight.shape)
    expect(layer, len(shape) == 2, "a weight of shape (rows, features)", shape)
    if padding_idx is None:
        return None
    there = -len(weight) <= padding_idx < max(len(weight), 1)
    told = f"a padding_idx that is one of {len(weight)} rows"
    expect(layer, there, told, padding_idx)
    return padding_idx % len(weight) if len(weight) else None


def _shorten(weight: Tensor, rows: Tensor, max_norm: float, norm_type: float) -> None:
    """Writes those rows of the weight, the ones longer than `max_norm` made shorter."""
    read = weight.index_select(0, rows)
    origin = read.new_zeros(())
    length = pairwise_distance(read, origin, norm_type, eps=0.0, keepdim=True)
    factor = torch.where(length > max_norm, max_norm / (length + 1e-7), 1)
    weight[rows] = read * factor


def _rows_gradient(
    _needed: object,
    cotangent: Tensor,
    _weight: None,
    input: Tensor,
    count: int,
    padding: int | None,
    scaled: bool,
    sparse: bool,
) -> list[Tensor]:
    rows = input.reshape(-1)
    gradient = cotangent.reshape(rows.numel(), cotangent.shape[-1])
    if scaled and sparse:
        raise ValueError("embedding: a sparse gradient is not scaled by frequency")
    if scaled:
        read = rows.new_zeros(count).index_add(0, rows, torch.ones_like(rows))
        gradient = gradient / read.index_select(0, rows)[:, None]
    size = (count, gradient.shape[1])
    if sparse and not torch.compiler.is_compiling():  # it has no sparse tensors
        kept = rows != (-1 if padding is None else padding)
        at, values = rows[kept][None], gradient[kept]
        return [torch.sparse_coo_tensor(at, values, size, check_invariants=False)]
    found = gradient.new_zeros(size).index_add_(0, rows, gradient)
    if padding is not None:
        found[padding] = 0
    return [found]


# Without the weight's values: max_norm may change them before the backward pass.
@with_gradient(_rows_gradient, keeps_inputs=[1])
def _rows(weight: Tensor, input: Tensor, *_settings: object) -> Tensor:
    rows = weight.index_select(0, input.reshape(-1))
    return rows.reshape(*input.shape, weight.shape[1])


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
    padding = _row("embedding_bag", weight, padding_idx)
    _check_bags(input, weight, offsets, per_sample_weights)
    _check_mode(mode, sparse or scale_grad_by_freq, per_sample_weights)
    flat = input.reshape(-1)
    rows = embedding(
        flat, weight, padding, max_norm, norm_type, scale_grad_by_freq, sparse
    )
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    try:
        bag, count = _bag(input, offsets, include_last_offset)
        # one bag more, that nobody looks into, takes what is left out
        bag = bag if padding is None else torch.where(flat == padding, count, bag)
        return (_largest if mode == "max" else _summed)(rows, bag, count, mode)
    except (IndexError, RuntimeError) as error:
        raise ValueError(
            "embedding_bag: expected offsets that start at 0 and end within the input "
            f"of {len(flat)}, got {offsets}"
        ) from error


def _bag(
    input: Tensor, offsets: Tensor | None, include_last_offset: bool
) -> tuple[Tensor, int]:
    """The bag that each number of the input is in, and how many bags there are."""
    if offsets is None:
        bags = torch.arange(len(input), device=input.device)
        return bags[:, None].expand(input.shape).reshape(-1), len(input)
    starts = offsets.new_zeros(len(input) + 1, dtype=torch.int64)
    starts = starts.index_add(0, offsets, torch.ones_like(offsets, dtype=torch.int64))
    return starts[:-1].cumsum(0) - 1, len(offsets) - include_last_offset


def _summed(rows: Tensor, bag: Tensor, count: int, mode: str) -> Tensor:
    read = wide(rows)
    total = read.new_zeros(count + 1, rows.shape[1]).index_add(0, bag, read)[:count]
    if mode == "mean":
        size = bag.new_zeros(count + 1).index_add(0, bag, torch.ones_like(bag))
        total = total / size[:count, None].clamp(min=1)
    return total.to(rows.dtype)


def _largest(rows: Tensor, bag: Tensor, count: int, _mode: str) -> Tensor:
    """The first largest number of each bag and column is looked up where it is."""
    read, bags = rows.detach(), bag[:, None].expand_as(rows)
    top = read.new_zeros(count + 1, rows.shape[1])
    top = top.scatter_reduce(0, bags, read, "amax", include_self=False)
    place = torch.arange(len(rows), device=bag.device)[:, None]
    chosen = (read == top.index_select(0, bag)) | read.isnan()
    place = torch.where(chosen, place, len(rows))
    first = bag.new_full(top.shape, len(rows)).scatter_reduce(0, bags, place, "amin")
    return torch.constant_pad_nd(rows, [0, 0, 0, 1]).gather(0, first[:count])


def _check_bags(
    input: Tensor, weight: Tensor, offsets: Tensor | None, shares: Tensor | None
) -> None:
    check = functools.partial(expect, "embedding_bag")
    dtype, shape, without = weight.dtype, tuple(input.shape), offsets is None
    real = weight.is_floating_point()
    check(real, "a floating-point weight", dtype, TypeError)
    told = "an input of shape (bags, size), or (size,) with offsets"
    given = f"{shape} {'without' if without else 'with'} offsets"
    check(input.ndim == (2 if without else 1), told, given)
    if offsets is None:
        check(shape[1] > 0, "bags of at least one row", shape)
    else:
        check(offsets.ndim == 1, "offsets of one axis", tuple(offsets.shape))
    if shares is not None:
        got, told = (tuple(shares.shape), shares.dtype), "per_sample_weights of the"
        check(got[0] == shape, f"{told} input's shape {shape}", got[0])
        check(got[1] == dtype, f"{told} weight's dtype {dtype}", got[1], TypeError)


def _check_mode(mode: str, adjusted: bool, shares: Tensor | None) -> None:
    known = mode in ("sum", "mean", "max")
    expect("embedding_bag", known, "mode sum, mean or max", repr(mode))
    if shares is not None and mode != "sum":
        raise ValueError(
            f"embedding_bag: per_sample_weights are for mode sum, not {mode}"
        )
    if adjusted and mode == "max":
        raise ValueError("embedding_bag: mode max has no sparse or scaled gradient")


class _Table(nn.Module):
    weight: Tensor
    padding_idx: int | None

    def reset_parameters(self) -> None:
        """Draws new initial values; the row of the padding is zero."""
        nn.init.normal_(self.weight)
        self._fill_padding_idx_with_zero()

    def _fill_padding_idx_with_zero(self) -> None:
        if self.padding_idx is not None:
            with torch.no_grad():
                self.weight[self.padding_idx].fill_(0)


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
