"""What torch's oldest local response makes of its running sum over the channels."""

from collections.abc import Callable

import torch
from torch import Tensor

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect, tensor
from layerlib.engine.gradient import with_gradient

Near = Callable[[Tensor, int, int], Tensor]


def cross_map(
    near: Near, input: Tensor, size: int, alpha: float, beta: float, k: float
) -> Tensor:
    """Each channel over the strength of those `near`, as torch has it."""
    tensor("CrossMapLRN2d", "input", input)
    got = f"shape {tuple(input.shape)} and size {size}"
    told = "an input of 4 axes and a positive size"
    expect("CrossMapLRN2d", input.ndim == 4 and size >= 1, told, got)
    x = wide(input.contiguous()).flatten(2)
    return _crossed(x, near, size, alpha, beta, k).reshape(input.shape).to(input.dtype)


def _strength(x: Tensor, near: Near, size: int, alpha: float, k: float) -> Tensor:
    """A running sum that never gives back the first channel."""
    square, half = x * x, (size - 1) // 2
    late = torch.arange(x.shape[1], device=x.device)[:, None] > half
    total = near(square, half, half) + late * square[:, :1]
    return total * (alpha / size) + k


def _gradient(
    _needed: object, g: Tensor, x: Tensor, near: Near,
    size: int, alpha: float, beta: float, k: float,
) -> list[Tensor]:  # fmt: skip
    """A sum over other channels than those of the output."""
    told = "a size above 1 (torch has no gradient of a size of 1)"
    expect("CrossMapLRN2d", size > 1, told, size)
    strength, before = _strength(x, near, size, alpha, k), int(size - (size - 1) / 2)
    straight = g * strength.pow(-beta)
    pull = near(straight * x / strength, before, size - 1 - before)
    return [straight - 2 * alpha * beta / size * x * pull]


@with_gradient(_gradient, by_moves=False)  # it is not that of these moves
def _crossed(
    x: Tensor, near: Near, size: int, alpha: float, beta: float, k: float
) -> Tensor:
    return x * _strength(x, near, size, alpha, k).pow(-beta)
