"""One-hot rows and bags that nobody stores: a product with them moves rows.

A product with one-hot rows is a read, and one with their transpose an addition to the
rows that were read: each is the other's gradient. With bags it is both, piece by piece:
what is read is added to the total of its bag, and not stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, no_type_check

import torch
from torch import Tensor

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.engine.gradient import with_gradient
from layerlib.engine.pieces import PIECE
from layerlib.recipe import Deferred, Line, Operand


class Learning(NamedTuple):
    """How a table learns: which row does not, by a mean of gradients, sparsely."""

    padding: int | None = None
    by_frequency: bool = False
    sparse: bool = False


BY_SUM = Learning()


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class OneHot(Deferred):
    """``(...) -> (..., v)``: 1 at the place that each number names, 0 elsewhere."""

    input: Tensor
    size: int
    learning: Learning = BY_SUM

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the numbers, and a place for each that there may be."""
        return (*self.input.shape, self.size)

    def tensor(self) -> Tensor:
        """Zeros, with ones scattered into them."""
        zeros = torch.zeros(self.shape, device=self.input.device)
        return zeros.scatter(-1, self.input.long()[..., None], 1.0)

    def run(self, line: Line, inputs: Sequence[Operand], **sizes: int) -> Tensor:
        """Reads rows, where the line is a product with a table."""
        table = inputs[-1]
        if line.line != "... v, v e -> ... e" or isinstance(table, Deferred):
            return super().run(line, inputs, **sizes)
        rows = self.input.reshape(-1)
        read = moved(table, None, rows, None, len(rows), self.learning)
        return read.reshape(*self.input.shape, table.shape[1])


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class Bags(Deferred):
    """``(n,) -> (b, n)``: each word's weight, or 1, in the row of its bag, 0 elsewhere.

    A word is in the bag of the number `bag`, or in none where that is `count`.
    """

    bag: Tensor
    count: int
    weights: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """A row for each bag, and a column for each word."""
        return (self.count, len(self.bag))

    def tensor(self) -> Tensor:
        """The same as one-hot rows of the bags, turned and weighted."""
        rows = OneHot(self.bag, self.count + 1).tensor().T[: self.count]
        return rows if self.weights is None else rows * self.weights

    def sizes(self) -> Tensor:
        """``(b, 1)``: how many words are in each bag, at least 1."""
        return self._sizes().clamp(min=1)

    def empty(self) -> Tensor:
        """``(b, 1)``: whether nothing is in a bag."""
        return self._sizes() == 0

    def _sizes(self) -> Tensor:
        none = self.bag.new_zeros(self.count + 1)
        sizes = none.index_add(0, self.bag, torch.ones_like(self.bag))
        return sizes[: self.count, None]

    def run(self, line: Line, inputs: Sequence[Operand], **sizes: int) -> Tensor:
        """Adds up rows as they are read, where the line is a product with a table."""
        if line.line != "b n, n v, v e -> b e" or not isinstance(inputs[1], OneHot):
            return super().run(line, inputs, **sizes)
        words: Any = inputs[1]
        table = inputs[2]
        where = words.input, self.bag, self.count + 1, words.learning
        return moved(table, self.weights, *where)[: self.count]


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class Members(Deferred):
    """``(b, n, e)``: each word's row of the table in its bag, -inf in all others."""

    bags: Bags
    words: OneHot
    table: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """The bags, their words, and the features of the table."""
        return (*self.bags.shape, self.table.shape[1])

    def tensor(self) -> Tensor:
        """All rows for each bag."""
        outside = self.bags.tensor()[..., None] == 0
        rows = self.table.index_select(0, self.words.input)
        return rows.masked_fill(outside, -torch.inf)

    def run(self, line: Line, inputs: Sequence[Operand], **sizes: int) -> Tensor:
        """Finds the first largest number of each bag, some columns at a time."""
        rows, count = self.words.input, self.bags.count
        if line.line != "b n e -> b e" or getattr(line, "operation", "") != "max":
            return super().run(line, inputs, **sizes)
        width = max(1, PIECE // max(1, len(rows)))
        parts = torch.split(self.table.detach(), width, dim=1)
        firsts = [_first_largest(x, rows, self.bags.bag, count + 1) for x in parts]
        first = torch.cat(firsts, dim=1)[:count]
        word = torch.cat([rows, rows.new_zeros(1)]).index_select(0, first.reshape(-1))
        largest = wide(self.table).gather(0, word.long().reshape(first.shape))
        nothing = first == len(rows)
        return largest.to(self.table.dtype).masked_fill(nothing, -torch.inf)


def _first_largest(table: Tensor, rows: Tensor, bag: Tensor, count: int) -> Tensor:
    read, places = table.index_select(0, rows), torch.arange(len(rows)).to(bag.device)
    bags = bag.long()[:, None].expand_as(read)
    top = read.new_full((count, read.shape[1]), -torch.inf)
    top = top.scatter_reduce(0, bags, read, "amax")
    largest = (read == top.index_select(0, bag)) | read.isnan()
    places = torch.where(largest, places[:, None], len(rows))
    none = places.new_full(top.shape, len(rows))
    return none.scatter_reduce(0, bags, places, "amin")


def moved(
    source: Any,
    weights: Tensor | None,
    start: Tensor | None,
    end: Tensor | None,
    count: int,
    learning: Learning = BY_SUM,
) -> Tensor:
    """``(s, e), (n,), (n,), (n,) -> (count, e)``: rows, weighted and added up.

    Row ``start[n]`` times ``weights[n]`` is added to row ``end[n]`` of the output;
    without `start` or `end`, that is row n. The gradient is the same, back from `end`
    to `start`. The source is kept for the gradient of weights only: `max_norm` may
    change a table before the backward pass.
    """
    run = _moved if weights is None else _moved_weighted
    if torch.compiler.is_compiling() and learning == BY_SUM:
        run = _move  # its own gradient is the same, for a table of any size too
    return run(source, weights, start, end, count, len(source), learning)


def _parts(count: int, source: Tensor) -> Iterator[slice]:
    size = count if torch.compiler.is_compiling() else PIECE // max(1, source.shape[1])
    for first in range(0, max(1, count), max(1, size)):
        yield slice(first, first + max(1, size))


def _read(source: Tensor, at: Tensor | None, weights: Tensor | None) -> Tensor:
    read = source if at is None else source.index_select(0, at)
    return read if weights is None else read * weights[:, None]


def _back(
    needed: Sequence[bool], cotangent: Tensor, source: Any, weights: Tensor | None,
    start: Any, end: Tensor | None, _count: int, size: int, learning: Learning,
) -> list[Tensor | None]:  # fmt: skip
    of_weights = None
    if weights is not None and needed[1] and end is not None:
        parts = _parts(len(start), source)
        dots = [
            (_read(source, start[n], None) * _read(cotangent, end[n], None)).sum(-1)
            for n in parts
        ]
        of_weights = torch.cat(dots)
    padding, by_frequency, sparse = learning
    told = "a gradient that is sparse, or scaled by frequency"
    expect("embedding", not (by_frequency and sparse), told, "both")
    if by_frequency:
        often = start.new_zeros(size).index_add(0, start, torch.ones_like(start))
        share = cotangent.new_ones(()) / often.index_select(0, start)
        weights = share if weights is None else share * weights
    if sparse and not torch.compiler.is_compiling():  # it has no sparse tensors
        kept = start != (-1 if padding is None else padding)
        values, shape = _read(cotangent, end, weights)[kept], (size, cotangent.shape[1])
        found = torch.sparse_coo_tensor(
            start[kept][None], values, shape, check_invariants=False
        )
        return [found, of_weights]
    found = moved(cotangent, weights, end, start, size)
    if padding is not None:
        found[padding] = 0
    return [found, of_weights]


def _move(
    source: Tensor, weights: Tensor | None, start: Tensor | None, end: Tensor | None,
    count: int, *_: Any,
) -> Tensor:  # fmt: skip
    if end is None:
        return _read(source, start, weights)
    total: Any = None
    for n in _parts(len(end), source):
        at, share = (None if x is None else x[n] for x in (start, weights))
        read = wide(_read(source if start is not None else source[n], at, share))
        if total is None:  # under `vmap`, mapped as soon as one of the two is
            zero = read.new_zeros(()) + end.new_zeros(())
            total = zero.new_zeros(count, read.shape[1])
        total.index_add_(0, end[n], read)
    moved: Tensor = total.to(source.dtype)
    return moved


_moved = with_gradient(_back, keeps_inputs=[1, 2, 3])(_move)
_moved_weighted = with_gradient(_back)(_move)
