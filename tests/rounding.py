"""How far a layer in few bits may be from the same layer in many."""

from collections.abc import Callable

import torch
from torch import Tensor


def rounds_well(function: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Holds `function`, a sum of products, to the error that rounding explains.

    Two roundings of each result, in units of the type: eps times the sum of the
    magnitudes of its terms, which the function itself gives for absolute inputs. A
    fixed tolerance would be wrong wherever terms cancel. The gradients are sums of
    products as well, and held to the same.
    """
    wide = [x.double() for x in inputs]
    dice = torch.Generator().manual_seed(0)
    cotangent = torch.randn(function(*wide).shape, dtype=torch.float64, generator=dice)
    cotangent = cotangent.to(inputs[0].dtype).double()
    ours = _all(function, inputs, cotangent.to(inputs[0].dtype))
    exact = _all(function, wide, cotangent)
    terms = _all(function, [x.abs() for x in wide], cotangent.abs())
    eps = torch.finfo(inputs[0].dtype).eps
    for mine, right, size in zip(ours, exact, terms, strict=True):
        assert mine.dtype == inputs[0].dtype
        assert bool(((mine.double() - right).abs() <= 2 * eps * size).all())


def rounded_once(x: Tensor, exact: Tensor, more: Tensor) -> None:
    """Off by at most half a unit in the last place of the exact value, and `more`.

    `more` is what the wider type that it was computed in explains.
    """
    info = torch.finfo(x.dtype)
    near = (exact.abs() + more).clamp_min(info.tiny)
    unit = info.eps * 2.0 ** near.log2().floor()
    off = (x.double() - exact).abs()
    assert bool((off <= unit / 2 + more).all()), float((off / unit).max())


def _all(
    function: Callable[..., Tensor], inputs: list[Tensor], cotangent: Tensor
) -> list[Tensor]:
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    output = function(*leaves)
    return [output, *torch.autograd.grad(output, leaves, cotangent)]
