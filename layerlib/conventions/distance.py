"""What torch does with two tensors whose vectors are compared."""

import torch
from torch import Tensor

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.conventions.norm import KIND, Finish, continuous
from layerlib.conventions.signature import Given


def by_pair(layer: str, _: int, given: Given) -> Finish:
    """Both in one shape and dtype, 16 bits as 32, and their vectors along the last."""
    x1, x2 = given["x1"], given["x2"]
    pairs = zip(x1.shape[::-1], x2.shape[::-1], strict=False)
    fits, told = all(n == m or 1 in (n, m) for n, m in pairs), "two shapes that can be"
    got = f"{tuple(x1.shape)} and {tuple(x2.shape)}"
    expect(layer, fits, f"{told} broadcast", got)
    dtype, axis = (x1.new_zeros(1) + x2.new_zeros(1)).dtype, given.get("dim", -1)
    real = dtype.is_floating_point or "dim" not in given
    expect(layer, real, "real numbers", dtype, KIND)
    both = torch.broadcast_tensors(x1, x2)  # type: ignore[no-untyped-call]
    for name, x in zip(("x1", "x2"), both, strict=True):
        moved = wide(x.to(dtype)).movedim(axis, -1)
        given[name] = moved if x.ndim else moved.reshape(1)
    half = dtype.itemsize == 2
    return lambda y: (y.to(dtype) if half else y).reshape(y.shape if x.ndim else ())


def by_axis(layer: str, _: int, given: Given) -> Finish:
    """Of `normalize`: its axes become one, the last."""
    x, dim, out = given["input"], given["dim"], given["out"]
    continuous(layer, x)
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    ends = tuple(range(-len(axes), 0))
    moved = x.movedim(axes, ends)
    given["input"] = wide(moved.flatten(-len(axes)))

    def finish(y: Tensor) -> Tensor:
        y = y.reshape(moved.shape).movedim(ends, axes).to(x.dtype)
        return y if out is None else torch.div(y, 1, out=out)

    return finish
