"""What torch does with two tensors whose vectors are compared."""

import torch
from torch import Tensor

from layerlib.conventions.call import Call
from layerlib.conventions.dtypes import wide
from layerlib.conventions.norm import KIND, continuous


def by_pair(call: Call) -> None:
    """Both in one shape and dtype, 16 bits as 32, and their vectors along the last."""
    x1, x2, axis = call.x1, call.x2, getattr(call, "dim", -1)
    pairs = zip(x1.shape[::-1], x2.shape[::-1], strict=False)
    fits = all(n == m or 1 in (n, m) for n, m in pairs)
    got = f"{tuple(x1.shape)} and {tuple(x2.shape)}"
    call.expect(fits, "two shapes that can be broadcast", got)
    dtype = (x1.new_zeros(1) + x2.new_zeros(1)).dtype
    real = dtype.is_floating_point or not hasattr(call, "dim")
    call.expect(real, "real numbers", dtype, KIND)
    x1, x2 = torch.broadcast_tensors(x1.to(dtype), x2.to(dtype))  # type: ignore[no-untyped-call]
    call.x1, call.x2 = x1, x2
    call.widen("x1", "x2")
    if x1.ndim:
        call.change(lambda x: x.movedim(axis, -1), "x1", "x2")
    else:
        call.change(lambda x: x.reshape(1), "x1", "x2")
        call.then(lambda y: y.reshape(()))


def by_axis(call: Call) -> None:
    """Of `normalize`: its axes become one, the last."""
    x, dim, out = call.input, call.dim, call.out
    continuous(call)
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    ends = tuple(range(-len(axes), 0))
    moved = x.movedim(axes, ends)
    call.input = wide(moved.flatten(-len(axes)))

    def finish(y: Tensor) -> Tensor:
        y = y.reshape(moved.shape).movedim(ends, axes).to(x.dtype)
        return y if out is None else torch.div(y, 1, out=out)

    call.then(finish)
