"""What the exercises on mixers ask for, by other means than the moves."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def mixed(tokens: Tensor, weight: Tensor) -> Tensor:
    return functional.linear(tokens.mT, weight).mT


def weight_gradient(gradient: Tensor, tokens: Tensor) -> Tensor:
    weight = torch.zeros(gradient.shape[1], tokens.shape[1], requires_grad=True)
    return torch.autograd.grad(mixed(tokens, weight), weight, gradient)[0]


ANSWERS: dict[str, Callable[..., Any]] = {
    "mixer-block": lambda x, w1, w2: x + mixed(mixed(x, w1).relu(), w2),
    "mixer-each": lambda x, weight: (weight @ x.mT[..., None])[..., 0].mT,
    "mixer-back": weight_gradient,
    "mixer-shuffle": mixed,
    "mixer-story-moves": mixed,
}
