"""Which numbers pass, as bits: for functions that are made of cases, and their slopes.

A comparison gives truth values, bytes among floats; to turn them into floats or to
branch on them (`torch.where`) takes 5 to 40 times as long as a move. Here it gives
all bits or none of a number, and ``&`` lets the number pass, or leaves 0 whatever was
there: infinity and NaN, too, which a product with 0 would keep.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from layerlib.engine.gradient import traced, with_gradient

Number = int | float

WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
FLOAT = {4: torch.float32, 8: torch.float64}


def above(x: Tensor, bound: Number, *, nan: bool = True) -> Tensor:
    """All bits where x > bound, and none elsewhere; NaN is above, unless told."""
    whole, last = WHOLE[x.element_size()], 8 * x.element_size() - 1
    in_bits = x.is_floating_point() and abs(bound) < math.inf
    if not in_bits or traced():
        return (~(x <= bound) if nan else x > bound).to(whole).neg()
    over = x.detach() - bound if bound else x.detach()
    positive = over.clamp_min(0).abs() if nan else over.sign().clamp_min(0)
    return positive.view(whole).neg().bitwise_right_shift(last)


def below(x: Tensor, bound: Number, *, nan: bool = True) -> Tensor:
    """All bits where x < bound, and none elsewhere; NaN is below, unless told."""
    return above(-x, -bound, nan=nan)


def _kept(_: object, cotangent: Tensor, _x: None, bits: Tensor) -> list[Tensor]:
    return [keep(cotangent, bits)]


@with_gradient(_kept, keeps_inputs=[1], by_moves=False)
def keep(x: Tensor, bits: Tensor) -> Tensor:
    """The numbers where the bits are set, and 0 elsewhere."""
    moved = forward_ad.unpack_dual(x).tangent is not None  # type: ignore[no-untyped-call]
    if moved or traced():  # bits would lose what is to be followed
        return x.masked_fill(bits == 0, 0)
    try:
        return (bits & x.view(bits.dtype)).view(x.dtype)
    except RuntimeError:  # the vmap of is_grads_batched cannot take these
        return x.masked_fill(bits == 0, 0)


def choose(bits: Tensor, x: Any, other: Any) -> Tensor:
    """One where the bits are set, and else the other: tensors, or numbers."""
    given = [n for n in (x, other) if isinstance(n, Tensor)]
    kind = given[0].dtype if given else FLOAT[bits.element_size()]
    both = [torch.as_tensor(n, dtype=kind, device=bits.device) for n in (x, other)]
    return keep(both[0], bits) + keep(both[1], ~bits)
