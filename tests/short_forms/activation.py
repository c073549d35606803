"""The activations in a few lines of the book's own pieces, by the names of the layers."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.recipe import Recipe, Reduce

GATE = Recipe("..., ... -> ...")
PRELU = Recipe("b c ..., c -> b c ...")
TOTAL = Reduce("... c -> ... 1", "sum")


def high(x: Tensor) -> Tensor:
    """What is above 0, by a gate that is open or shut."""
    return GATE(x, (x > 0).to(x.dtype))


def low(x: Tensor) -> Tensor:
    """What is not above 0."""
    return GATE(x, (x <= 0).to(x.dtype))


def held(x: Tensor, least: float, most: float) -> Tensor:
    """x between two bounds."""
    inside = ((x > least) & (x < most)).to(x.dtype)
    return x * inside + least * (x <= least) + most * (x >= most)


def softmax(x: Tensor, dim: int) -> Tensor:
    """e^x over its sum."""
    exp = x.movedim(dim, -1).exp()
    return (exp / TOTAL(exp)).movedim(-1, dim)


def gelu(x: Tensor, approximate: str) -> Tensor:
    """x times a probability."""
    if approximate == "none":
        return x * (1 + torch.erf(x / math.sqrt(2))) / 2
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return x * (1 + inner.tanh()) / 2


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^x), and x far out."""
    far = beta * x > threshold
    return torch.where(far, x, (1 + (beta * x).exp()).log() / beta)


def glu(x: Tensor, dim: int) -> Tensor:
    """A half, times the sigmoid of the other."""
    value, gate = x.chunk(2, dim)
    return GATE(value, gate.sigmoid())


def hardsigmoid(x: Tensor) -> Tensor:
    """A straight line between 0 and 1."""
    return held(x / 6 + 0.5, 0, 1)


def rrelu(layer: Any, x: Tensor) -> Tensor:
    """Slopes drawn for what is not above 0, row by row."""
    slope = torch.full_like(x, (layer.lower + layer.upper) / 2)
    if layer.training:
        drawn = torch.rand(int((x <= 0).sum()), dtype=torch.float64)
        drawn = layer.lower + (layer.upper - layer.lower) * drawn
        slope[x <= 0] = drawn.to(x.dtype)
    return high(x) + low(x) * slope


SHORT: dict[str, Callable[..., Tensor]] = {
    "CELU": lambda layer, x: high(x) + layer.alpha * ((low(x) / layer.alpha).exp() - 1),
    "ELU": lambda layer, x: high(x) + layer.alpha * (low(x).exp() - 1),
    "GELU": lambda layer, x: gelu(x, layer.approximate),
    "GLU": lambda layer, x: glu(x, layer.dim),
    "Hardshrink": lambda layer, x: GATE(x, (x.abs() > layer.lambd).to(x.dtype)),
    "Hardsigmoid": lambda _, x: hardsigmoid(x),
    "Hardswish": lambda _, x: x * hardsigmoid(x),
    "Hardtanh": lambda layer, x: held(x, layer.min_val, layer.max_val),
    "LeakyReLU": lambda layer, x: high(x) + layer.negative_slope * low(x),
    "LogSigmoid": lambda _, x: x.sigmoid().log(),
    "LogSoftmax": lambda layer, x: softmax(x, layer.dim).log(),
    "Mish": lambda _, x: x * softplus(x).tanh(),
    "PReLU": lambda layer, x: high(x) + PRELU(low(x), layer.weight.expand(x.shape[1])),
    "RReLU": rrelu,
    "ReLU": lambda _, x: high(x),
    "ReLU6": lambda _, x: held(x, 0, 6),
    "SELU": lambda _, x: (
        1.0507009873554805 * (high(x) + 1.6732632423543772 * (low(x).exp() - 1))
    ),
    "SiLU": lambda _, x: x * x.sigmoid(),
    "Sigmoid": lambda _, x: 1 / (1 + (-x).exp()),
    "Softmax": lambda layer, x: softmax(x, layer.dim),
    "Softmax2d": lambda _, x: softmax(x, -3),
    "Softmin": lambda layer, x: softmax(-x, layer.dim),
    "Softplus": lambda layer, x: softplus(x, layer.beta, layer.threshold),
    "Softshrink": lambda layer, x: x - held(x, -layer.lambd, layer.lambd),
    "Softsign": lambda _, x: x / (1 + x.abs()),
    "Tanh": lambda _, x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    "Tanhshrink": lambda _, x: x - (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    "Threshold": lambda layer, x: torch.where(x > layer.threshold, x, layer.value),
}

LEFT: dict[str, set[int]] = {}
