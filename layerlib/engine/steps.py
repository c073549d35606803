"""What a scan does at each time step, with no copy that is not needed.

The matrices of one time step are small, so that what surrounds a product costs as much
as the product.
"""

import torch
from torch import Tensor

from layerlib.recipe import Product, ran, stored


def add_product(total: Tensor, product: Product) -> Tensor:
    """``(... o), (... o) -> (... o)``: the sum of both; the product is not stored.

    >>> from layerlib.linear import LINEAR
    >>> add_product(torch.ones(2), LINEAR.later(torch.ones(1, 3), torch.ones(2, 3)))
    tensor([[4., 4.]])
    """
    x, weight = map(stored, product.inputs)
    if product.recipe.line != "... i, o i -> ... o" or x.ndim != 2:
        return total + product.tensor()
    ran(product.recipe)
    return torch.addmm(total, x, weight.T)


def by_time_step(rows: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    """``(n, i) -> (b, i), ...``: the rows of each time step, of which there are b.

    >>> by_time_step(torch.arange(3), [2, 1])
    (tensor([0, 1]), tensor([2]))
    """
    return torch.split(rows, sizes)


def parts(x: Tensor, count: int) -> tuple[Tensor, ...]:
    """``(..., count * h) -> (..., h), ...``: what lies side by side in the last axis.

    >>> parts(torch.arange(4), 2)
    (tensor([0, 1]), tensor([2, 3]))
    """
    return x.chunk(count, dim=-1)


def first(count: int, x: Tensor) -> Tensor:
    """``(b, ...) -> (count, ...)``: the first rows, or all of them as they are.

    >>> first(2, torch.arange(3))
    tensor([0, 1])
    """
    return x if len(x) == count else x[:count]


def renewed(new: Tensor, old: Tensor) -> Tensor:
    """``(n, ...), (b, ...) -> (b, ...)``: the new rows, and the old ones after them.

    >>> renewed(torch.zeros(2), torch.ones(3))
    tensor([0., 0., 1.])
    """
    return new if len(new) == len(old) else torch.cat([new, old[len(new) :]])
