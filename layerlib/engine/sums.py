"""Sums over windows, one place of the kernel at a time, and no window is stored.

A convolution is a product of what every window sees with the kernels, summed over the
channels and over the places of the kernel. Stored, the windows hold each cell as often
as they see it. But a sum may be taken in any order, and here the places come last: at
one place all windows together see the input itself, shifted, and in a plane that lies
row after row a shifted plane is a view, a run that begins a few cells later. So each
place is one product of matrices, added in place to the ones before. See `STORED` for
where windows pay after all.
"""
# ruff: noqa: SLF001

import functools
import itertools
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, TypeAlias, no_type_check

import torch
from torch import _C, Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch.autograd import Function

from layerlib.engine.gradient import traced
from layerlib.engine.kernel import Kernel, added, resized, seen
from layerlib.engine.pieces import PIECE

STORED = 12
"""With fewer channels than this, or with a stride, the windows of a piece are stored
after all. Products of so few rows run at the speed of memory; and with a stride the
cells of a place do not lie in a row."""


Length: TypeAlias = tuple[int, ...]
Sought: TypeAlias = Any
"""A tensor; or None, for the one of three that is asked for."""


def _dot(one: Any, other: Any) -> Any:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _output(kernel: Kernel, x: Tensor, kernels: Tensor) -> Tensor:
    """``b g i *n, k g o i -> b g o *m``: one product for each place, added in place."""
    b, g, _, *n = x.shape
    (k, _, *two), m = kernels.shape, kernel.counts(n)
    flat, reach, runs = _runs(kernel, n, m)
    cells = x.flatten(3).flatten(0, 1)
    each = kernels[:, None].expand(k, b, g, *two).reshape(k, b * g, *two).contiguous()
    total = _add_product(None, each[0], cells[..., runs[0]])
    for run, weight in zip(runs[1:], each[1:], strict=True):
        total = _add_product(total, weight, cells[..., run])
    size = b, g, two[0], *m
    return total.as_strided(size, (g * two[0] * reach, two[0] * reach, reach, *flat))


def _runs(
    kernel: Kernel, length: Sequence[int], counts: Sequence[int]
) -> tuple[list[int], int, list[slice]]:
    """How far apart the next cells along each axis lie in a row, and all runs.

    A run goes from the first window's cell to the last one's; between two rows it has
    some cells that no window begins at.
    """
    flat = [math.prod(length[axis + 1 :]) for axis in range(len(length))]
    reach = _dot([m - 1 for m in counts], flat) + 1
    steps = [d * f for d, f in zip(kernel.dilation, flat, strict=True)]
    places = itertools.product(*map(range, kernel.size))
    starts = [_dot(place, steps) for place in places]
    return flat, reach, [slice(start, start + reach) for start in starts]


def _add_product(total: Tensor | None, one: Tensor, other: Tensor) -> Tensor:
    """In place, which is faster, and which `torch.autocast` does not round."""
    if one.shape[-2:] == (1, 1):  # a channel by itself: there is nothing to sum
        return one * other if total is None else total.addcmul_(one, other)
    if total is None:
        total = other.new_empty(*one.shape[:2], other.shape[2])
        return total.baddbmm_(one, other, beta=0)
    return total.baddbmm_(one, other)


def _kernels(kernel: Kernel, x: Tensor, y: Tensor) -> Tensor:
    """``b g i *n, b g o *m -> k g o i``: zeros make both planes one size."""
    (b, g, _, *n), m = x.shape, y.shape[3:]
    _, reach, runs = _runs(kernel, n, m)
    less = [a - b for a, b in zip(n, m, strict=True)]
    cells = x.flatten(3).flatten(0, 1)
    y = resized(y, [width for last in reversed(less) for width in (0, last)])
    y = y.flatten(3).flatten(0, 1)[..., :reach]
    each = [_add_product(None, y, cells[..., run].mT) for run in runs]
    return torch.stack([found.view(b, g, *found.shape[1:]).sum(0) for found in each])


def _by_place(
    kernel: Kernel, _: object, x: Sought, kernels: Sought, y: Sought
) -> Tensor:
    """The one of three that is None, where the windows are views."""
    if kernels is None:
        return _kernels(kernel, x, y)
    if y is None:
        return _output(kernel, x, kernels)
    # From a cell's side the kernel runs backwards, over the output with zeros around.
    reach = [d * (k - 1) for k, d in zip(kernel.size, kernel.dilation, strict=True)]
    around = resized(y, [width for r in reversed(reach) for width in (r, r)])
    return _output(kernel, around, kernels.flip(0).mT)


def _by_window(
    kernel: Kernel, length: Length, x: Sought, kernels: Sought, y: Sought
) -> Any:
    """The same where they are stored, as channels of a kernel with one place."""
    place, k = Kernel((1,) * len(length)), math.prod(kernel.size)
    if kernels is not None:
        kernels = kernels.permute(1, 2, 3, 0).flatten(2)[None]
    if x is not None:
        x = seen(x, length, kernel).movedim(-1, 3).flatten(2, 3)
    found: Any = _by_place(place, length, x, kernels, y)
    if y is None:
        return found
    if x is not None:
        return found[0].unflatten(-1, (-1, k)).movedim(-1, 0)
    return added(found.unflatten(2, (-1, k)).movedim(3, -1), length, kernel)


def _missing(
    kernel: Kernel, length: Length, x: Sought, kernels: Sought, y: Sought
) -> Any:
    """The one of three that is None, in pieces of the batch."""
    i = kernels.shape[3] if x is None else x.shape[2]
    o = kernels.shape[2] if y is None else y.shape[2]
    k, (b, g) = math.prod(kernel.size), (y if x is None else x).shape[:2]
    stored = max(kernel.stride) > 1 or (k > 1 and i < STORED and o > 1)
    find = _by_window if stored else _by_place
    alone = k == 1 and kernels is not None  # then nothing lies between
    rows = PIECE // (g * (i * (k if stored else 1) + o) * math.prod(length))
    if alone or torch.compiler.is_compiling() or rows >= b:
        found = find(kernel, length, x, kernels, y)
        return found if kernels is None else found.contiguous()
    whole: Any = None
    for start in range(0, b, max(1, rows)):
        cut = slice(start, start + max(1, rows))
        two = [None if one is None else one[cut] for one in (x, y)]
        part = find(kernel, length, two[0], kernels, two[1])
        if kernels is None:
            whole = part if whole is None else whole.add_(part)
        else:
            whole = part.new_empty(b, *part.shape[1:]) if whole is None else whole
            whole[cut] = part
    return whole


@no_type_check  # torch.compile cannot look into what pytest wraps around it
class _Sum(Function):
    """The sum of input * kernels * output over all windows, without one of the three.

    Without the output it is the convolution; without the input, the transposed one;
    without the kernels, their gradient. And the gradients of each are the other two.
    """

    @staticmethod
    def forward(kernel: Any, length: Any, x: Any, kernels: Any, y: Any) -> Any:
        return _missing(kernel, length, x, kernels, y)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG004
        ctx.kernel, ctx.length, *three = inputs
        ctx.save_for_backward(*three)
        ctx.save_for_forward(*three)

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        three = [cotangent if x is None else x.conj() for x in ctx.saved_tensors]
        without = [(*three[:n], None, *three[n + 1 :]) for n in range(3)]
        return (
            None,
            None,
            *[
                _sum(ctx.kernel, ctx.length, *two) if needed else None
                for two, needed in zip(without, ctx.needs_input_grad[2:], strict=True)
            ],
        )

    @staticmethod
    def vmap(info: Any, axes: Any, kernel: Any, length: Any, *three: Any) -> Any:
        """One more axis joins the groups."""
        joined = [
            x if x is None else _in_front(x, axis, info.batch_size)
            for x, axis in zip(three, axes[2:], strict=True)
        ]
        found = _sum(kernel, length, *joined)
        return found.unflatten(1, (info.batch_size, -1)), 1


def _in_front(x: Tensor, axis: int | None, v: int) -> Tensor:
    x = x.expand(v, *x.shape) if axis is None else x.movedim(axis, 0)
    return x.movedim(0, 1).flatten(1, 2)


@no_type_check
class _Tangent(_Sum):
    """The same with a derivative in forward mode, which torch.compile cannot take."""

    @staticmethod
    def jvp(ctx: Any, _kernel: Any, _length: Any, *tangents: Any) -> Any:
        three = ctx.saved_tensors
        found = [
            _sum(ctx.kernel, ctx.length, *three[:n], tangent, *three[n + 1 :])
            for n, tangent in enumerate(tangents)
            if tangent is not None
        ]
        return functools.reduce(torch.add, found)


@no_type_check
def _sum(kernel: Any, length: Any, *three: Any) -> Any:
    if traced():
        return _missing(kernel, length, *three)
    if torch.compiler.is_compiling():
        return _Sum.apply(kernel, length, *three)
    batched = [x is not None and is_legacy_batchedtensor(x) for x in three]
    if not any(batched):
        return _Tangent.apply(kernel, length, *three)
    # `is_grads_batched` maps as vmap did once: it asks no function for its rule.
    level = _C._vmapmode_increment_nesting() - 1
    _C._vmapmode_decrement_nesting()
    bare = [
        torch._remove_batch_dim(x, level, 0, 0) if on else x
        for x, on in zip(three, batched, strict=True)
    ]
    info = SimpleNamespace(batch_size=len(bare[batched.index(True)]))
    axes = [None, None, *(0 if on else None for on in batched)]
    found, axis = _Sum.vmap(info, axes, kernel, length, *bare)
    return torch._add_batch_dim(found, axis, level)


def over_windows(kernel: Kernel, x: Tensor, kernels: Tensor) -> Tensor:
    """``b g i *n, k g o i -> b g o *m``: a convolution, and no window."""
    output: Tensor = _sum(kernel, tuple(x.shape[3:]), x, kernels, None)
    return output


def stamped(kernel: Kernel, length: Length, kernels: Tensor, y: Tensor) -> Tensor:
    """``k g o i, b g o *m -> b g i *n``: its way back, and no stamp."""
    output: Tensor = _sum(kernel, length, None, kernels, y)
    return output
