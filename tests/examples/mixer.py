"""What the exercises on mixers ask for, by other means than the moves."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def mixed(tokens: Tensor, weight: Tensor) -> Tensor:
    return functional.linear(tokens.mT, weight).mT


def token_gradient(gradient: Tensor, weight: Tensor) -> Tensor:
    batch, _, features = gradient.shape
    tokens = torch.zeros(batch, weight.shape[1], features, requires_grad=True)
    return torch.autograd.grad(mixed(tokens, weight), tokens, gradient)[0]


ANSWERS: dict[str, Callable[..., Any]] = {
    "mixer-block": lambda x, w1, w2: x + mixed(mixed(x, w1).relu(), w2),
    "mixer-each": lambda x, weight: (weight @ x.mT[..., None])[..., 0].mT,
    "mixer-back": token_gradient,
    "mixer-shuffle": lambda tokens, weight: mixed(tokens.flip(1), weight),
    "mixer-story-moves": mixed,
}
