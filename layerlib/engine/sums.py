"""Sums over windows, one place of the kernel at a time, and no window is stored.

A convolution is a product of what every window sees with the kernels, summed over the
channels and over the places of the kernel. Stored, the windows hold each cell as often
as they see it. But a sum may be taken in any order, and here the places come last: at
one place all windows together see the input itself, shifted, and in a plane that lies
row after row a shifted plane is a view, a run that begins a few cells later. So each
place is one product of matrices, added in place to the ones before.

Next to windows that are stored, 3 by 3 with 64 channels takes 0.7 of the time, forward
and backward, and a ninth of the memory; see `STORED` for where windows pay after all.
"""

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any, no_type_check

import torch
from torch import Tensor
from torch.autograd import Function

from layerlib.engine.kernel import Kernel, added, resized, seen

PIECE = 2**18
"""How many numbers are read at a time, in whole rows of the batch: with the products
they fill a cache. On whole batches 3 by 3 takes 1.3 of the time."""

STORED = 12
"""With fewer channels than this, or with a stride, the windows of a piece are stored
after all. Products of so few rows run at the speed of memory; and with a stride the
cells of a place do not lie in a row. 7 by 7 on 3 channels takes a third of the time."""


def _runs(kernel: Kernel, plane: tuple[int, ...]) -> list[slice]:
    """For each place, the run of the cells that windows see in a flattened plane.

    It goes from the first window's to the last one's, and over some cells between two
    rows that no window begins at.
    """
    flat = [math.prod(plane[axis + 1 :]) for axis in range(len(plane))]
    last = [n - d * (k - 1) - 1 for n, k, d in zip(plane, kernel.size, kernel.dilation, strict=True)]
    reach = _dot(last, flat) + 1
    places = itertools.product(*map(range, kernel.size))
    steps = [d * f for d, f in zip(kernel.dilation, flat, strict=True)]
    return [slice(at, at + reach) for at in (_dot(place, steps) for place in places)]


def _dot(one: Any, other: Any) -> Any:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _add_product(total: Tensor | None, one: Tensor, other: Tensor) -> Tensor:
    """In place, which is faster, and which `torch.autocast` does not round."""
    if one.shape[-2:] == (1, 1):  # a channel by itself: there is nothing to sum
        return one * other if total is None else total.addcmul_(one, other)
    if total is None:
        total = other.new_empty(*one.shape[:2], other.shape[2])
        return total.baddbmm_(one, other, beta=0)
    return total.baddbmm_(one, other)


def _output(kernel: Kernel, x: Tensor, kernels: Tensor) -> Tensor:
    """``b g i *n, k g o i -> b g o *m``."""
    (b, g, _, *n), (k, _, *two) = x.shape, kernels.shape
    rows = x.flatten(3).flatten(0, 1)
    each = kernels[:, None].expand(k, b, g, *two).reshape(k, b * g, *two)
    total = None
    for run, weight in zip(_runs(kernel, tuple(n)), each, strict=True):
        total = _add_product(total, weight, rows[..., run])
    m = kernel.counts(n)
    total = resized(total, (0, math.prod([m[0], *n[1:]]) - total.shape[-1]))
    return total.view(b, g, two[0], m[0], *n[1:])[..., *map(slice, m)]


def _input(kernel: Kernel, kernels: Tensor, y: Tensor) -> Tensor:
    """``k g o i, b g o *m -> b g i *n``: the same sum, over the output framed.

    At the other end of the kernel from where a window sees a cell, the cell sees it.
    """
    reach = [d * (k - 1) for k, d in zip(kernel.size, kernel.dilation, strict=True)]
    around = [width for r in reversed(reach) for width in (r, r)]
    return _output(kernel, resized(y, around), kernels.flip(0).mT.contiguous())


def _kernels(kernel: Kernel, x: Tensor, y: Tensor) -> Tensor:
    """``b g i *n, b g o *m -> k g o i``: one product for each place, for all rows."""
    n, m = x.shape[3:], y.shape[3:]
    after = [
        w for a, b in zip(reversed(n), reversed(m), strict=True) for w in (0, a - b)
    ]
    y = resized(y, after).movedim(0, 2).flatten(2)
    x = x.movedim(0, 2).flatten(2).mT.contiguous()
    beyond = y.shape[-1] - math.prod(n)
    runs = [slice(run.start, run.stop + beyond) for run in _runs(kernel, tuple(n))]
    found = y.new_empty(len(runs), *y.shape[:2], x.shape[-1])
    for to, run in zip(found, runs, strict=True):
        to.baddbmm_(y[..., : run.stop - run.start], x[:, run], beta=0)
    return found


def _by_channel(kernel: Kernel, x: Tensor) -> Tensor:
    """``b g i *n -> b g (i k) *m``: windows, as channels."""
    return seen(x, tuple(x.shape[3:]), kernel).movedim(-1, 3).flatten(2, 3)


def _face(
    kernel: Kernel, length: tuple[int, ...],
    x: Tensor | None, kernels: Tensor | None, y: Tensor | None,
) -> Tensor:  # fmt: skip
    """What is None, of a piece of the batch."""
    place, k = Kernel((1,) * len(length)), math.prod(kernel.size)
    stored = k > 1 and _is_stored(kernel, kernels, x, y)
    if stored and kernels is not None:
        kernels = kernels.permute(1, 2, 3, 0).flatten(2)[None]
    if x is None and stored:
        stamps = _output(place, y, kernels.mT.contiguous()).unflatten(2, (-1, k))
        return added(stamps.movedim(3, -1), length, kernel)
    if x is None:
        return _input(kernel, kernels, y)
    if not stored:
        return (
            _kernels(kernel, x, y) if kernels is None else _output(kernel, x, kernels)
        )
    x = _by_channel(kernel, x)
    if kernels is not None:
        return _output(place, x, kernels.contiguous())
    found = _kernels(place, x, y)
    return found[0].unflatten(-1, (-1, k)).movedim(-1, 0)


def _is_stored(
    kernel: Kernel, kernels: Tensor | None, x: Tensor | None, y: Tensor | None
) -> bool:
    i = kernels.shape[3] if x is None else x.shape[2]
    o = kernels.shape[2] if y is None else y.shape[2]
    return max(kernel.stride) > 1 or (i < STORED and o > 1)


def _pieces(kernel: Kernel, *tensors: Tensor | None) -> Iterator[list[Tensor | None]]:
    """The tensors in pieces of the batch that a cache holds."""
    whole = [x for x in tensors if x is not None]
    alone = len(whole) == 1 == math.prod(kernel.size)  # then nothing lies between
    b, copies = (
        whole[0].shape[0],
        math.prod(kernel.size) if max(kernel.stride) > 1 else 1,
    )
    numbers = copies * max(math.prod(x.shape[1:]) for x in whole)
    rows = b if alone or torch.compiler.is_compiling() else max(1, PIECE // numbers)
    for start in range(0, b, rows):
        cut = slice(start, start + rows)
        yield [x if x is None or rows >= b else x[cut] for x in tensors]


def _whole(
    kernel: Kernel, length: tuple[int, ...],
    x: Tensor | None, kernels: Tensor | None, y: Tensor | None,
) -> Tensor:  # fmt: skip
    parts = (_face(kernel, length, a, kernels, b) for a, b in _pieces(kernel, x, y))
    if kernels is None:
        return functools.reduce(torch.add, parts)
    first = next(parts)
    b = (y if x is None else x).shape[0]
    if len(first) == b:
        return first.contiguous()
    whole, at = first.new_empty(b, *first.shape[1:]), len(first)
    whole[:at] = first
    for part in parts:
        whole[at : at + len(part)] = part
        at += len(part)
    return whole


@no_type_check  # torch.compile cannot look into what pytest wraps around it
class _Sum(Function):
    """The sum of input * kernels * output over all windows, without one of the three.

    Without the output it is the convolution; without the input, the transposed one;
    without the kernels, their gradient. And the gradients of each are the other two.
    """

    @staticmethod
    def forward(kernel, length, x, kernels, y):
        return _whole(kernel, length, x, kernels, y)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ARG004
        ctx.kernel, ctx.length, *three = inputs
        ctx.save_for_backward(*three)
        ctx.save_for_forward(*three)

    @staticmethod
    def backward(ctx, cotangent):
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
    def vmap(info, axes, kernel, length, *three):
        """One more axis joins the groups."""
        v = info.batch_size
        apart = [
            x.expand(v, *x.shape) if axis is None and x is not None else x
            for x, axis in zip(three, axes[2:], strict=True)
        ]
        moved = [
            x if x is None else x.movedim(axis or 0, 0).movedim(0, 1).flatten(1, 2)
            for x, axis in zip(apart, axes[2:], strict=True)
        ]
        return _sum(kernel, length, *moved).unflatten(1, (v, -1)), 1


@no_type_check
class _Tangent(_Sum):
    """The same with a derivative in forward mode, which torch.compile cannot take."""

    @staticmethod
    def jvp(ctx, _kernel, _length, *tangents):
        three = ctx.saved_tensors
        found = [
            _sum(ctx.kernel, ctx.length, *three[:n], tangent, *three[n + 1 :])
            for n, tangent in enumerate(tangents)
            if tangent is not None
        ]
        return functools.reduce(torch.add, found)


def _sum(kernel: Kernel, length: tuple[int, ...], *three: Tensor | None) -> Tensor:
    function = _Sum if torch.compiler.is_compiling() else _Tangent
    found: Tensor = function.apply(kernel, length, *three)  # type: ignore[no-untyped-call]
    return found


def over_windows(kernel: Kernel, x: Tensor, kernels: Tensor) -> Tensor:
    """``b g i *n, k g o i -> b g o *m``: a convolution, and no window."""
    return _sum(kernel, tuple(x.shape[3:]), x, kernels, None)


def stamped(
    kernel: Kernel, length: tuple[int, ...], kernels: Tensor, y: Tensor
) -> Tensor:
    """``k g o i, b g o *m -> b g i *n``: its way back, and no stamp."""
    return _sum(kernel, length, None, kernels, y)
