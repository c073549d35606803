"""Small matrices of which a line reads the cells that are not zero, and no others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import no_type_check

import torch
from torch import Tensor

from layerlib.conventions.resample import as_bytes, weights_of_bytes
from layerlib.engine.gradient import with_gradient
from layerlib.recipe import Deferred, Line, Operand, Recipe


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class Band(Deferred):
    """``(m, n)``: row ``i`` has ``weights[i]`` in the columns ``cells[i]``; else 0.

    A row reads nothing else, so that infinity and NaN stay where they are.

    Args:
        cells: ``(m, k)``.
        weights: ``(m, k)``, or ``(m, 1)`` for a whole row; without them all are 1.
        length: ``n``, how many columns there are.
        ragged: a column ``n`` stands for none.
        touching: row ``i`` has the columns from ``i * k`` to ``(i + 1) * k``.
    """

    cells: Tensor
    weights: Tensor | None
    length: int
    ragged: bool = False
    touching: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.cells.shape[0], self.length

    def tensor(self) -> Tensor:
        """The matrix, with all its zeros."""
        weights = torch.ones(1) if self.weights is None else self.weights
        full = weights.new_zeros(self.cells.shape[0], self.length + 1)
        weights = weights.expand(self.cells.shape)
        return full.scatter_add(1, self.cells, weights)[:, : self.length]

    def run(self, line: Line, inputs: Sequence[Operand], **sizes: int) -> Tensor:
        """A tensor times such matrices: one axis after another."""
        x, *bands = inputs
        if not (isinstance(line, Recipe) and isinstance(x, Tensor)):
            return super().run(line, inputs, **sizes)
        line.sizes(*inputs)
        first, *terms = line.inputs
        steps = [(first.index(old) - len(first), new) for new, old in terms]
        if line.output != _renamed(first, steps):
            return super().run(line, inputs, **sizes)
        each = [(axis, band) for (axis, _), band in zip(steps, bands, strict=True)]
        rows, columns = bands[0].shape
        # Along the last axis reading is slow: it comes when there is least to read.
        for axis, band in (
            each if rows < columns and x.dtype != torch.uint8 else each[::-1]
        ):
            x = band.along(x, axis)  # type: ignore[union-attr]
        return x

    def along(self, x: Tensor, axis: int) -> Tensor:
        """The matrix times one axis of `x`, counted from the end."""
        cells = self.cells.to(x.device)
        if self.weights is None:
            return _read(x, cells[:, 0], axis)
        if x.dtype == torch.uint8:
            exact = replace(self, weights=weights_of_bytes(self.cells, self.weights))
            return as_bytes(exact.along(x.double(), axis))
        weights = self.weights.to(x)
        if self.touching:
            if cells.shape[1] > 1:
                x = x.unflatten(axis, cells.shape).sum(axis)  # type: ignore[no-untyped-call]
            return x * _column(weights[:, 0], axis)
        if self.ragged:
            x = torch.constant_pad_nd(x, [*[0, 0] * (-axis - 1), 0, 1])
        return _blended(x, cells, weights, axis, x.shape[axis])


def _renamed(names: Sequence[str], steps: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    found = [*names]
    for axis, name in steps:
        found[axis] = name
    return tuple(found)


def _column(x: Tensor, axis: int) -> Tensor:
    return x.view(-1, *[1] * (-axis - 1))


def _read(x: Tensor, cells: Tensor, axis: int) -> Tensor:
    """Some cells of an axis. Along the last one, torch selects slowly."""
    if axis < -1:
        return x.index_select(axis, cells)
    return x.gather(-1, cells.expand(*x.shape[:-1], -1))


def _blended_gradient(
    _needed: object, cotangent: Tensor, _input: None, cells: Tensor, weights: Tensor,
    axis: int, length: int,
) -> list[Tensor]:  # fmt: skip
    shape = [*cotangent.shape]
    shape[axis] = length
    found = cotangent.new_zeros(shape)
    weights = weights.expand(cells.shape)
    for k in range(cells.shape[1]):
        found.index_add_(axis, cells[:, k], cotangent * _column(weights[:, k], axis))
    return [found]


@with_gradient(_blended_gradient, keeps_inputs=[1, 2])
def _blended(x: Tensor, cells: Tensor, weights: Tensor, axis: int, _n: int) -> Tensor:
    """Place after place: the cells of all rows, times their weights."""
    first, *others = cells.unbind(1)
    share, *shares = weights.expand(cells.shape).unbind(1)
    total = _read(x, first, axis).mul_(_column(share, axis))
    for at, share in zip(others, shares, strict=True):
        total.add_(_read(x, at, axis).mul_(_column(share, axis)))
    return total


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class OneHot(Deferred):
    """``(..., w)``: for each index a row that is 1 there and 0 elsewhere.

    Where several rows of a sum are 1 in one column, the last one counts alone.
    """

    index: Tensor
    length: int

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the indices, and the length of a row."""
        return (*self.index.shape, self.length)

    def tensor(self) -> Tensor:
        """All ones and zeros."""
        rows = torch.zeros(self.shape, device=self.index.device)
        return rows.scatter(-1, self.index[..., None], 1)

    def run(self, line: Line, inputs: Sequence[Operand], **sizes: int) -> Tensor:
        """``b c w, b c w x -> b c x``: numbers go where their rows are 1."""
        x, _ = inputs
        if not isinstance(x, Tensor) or line.summed != (line.inputs[0][-1],):  # type: ignore[attr-defined]
            return super().run(line, inputs, **sizes)
        output = x.new_zeros(*x.shape[:-1], self.length)
        return output.scatter(-1, self.index, x)
