"""What the exercises on GPT-2 are compared with, by other means than the lines."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def by_head(query: Tensor, key: Tensor) -> Tensor:
    return torch.stack([head @ key.mT for head in query.unbind(2)], 2)


def key_gradient(gradient: Tensor, query: Tensor) -> Tensor:
    batch, groups, _, _, features = query.shape
    sizes = batch, groups, gradient.shape[-1], features
    key = torch.zeros(sizes, requires_grad=True)
    return torch.autograd.grad(by_head(query, key), key, gradient)[0]


def turned(first: Tensor, second: Tensor, speed: Tensor) -> tuple[Tensor, Tensor]:
    angle = torch.arange(first.shape[1])[:, None] * speed
    pairs = torch.complex(first, second) * torch.polar(torch.ones_like(angle), angle)
    return pairs.real, pairs.imag


def by_torch(x: Tensor, weight: Tensor) -> Tensor:
    return functional.rms_norm(
        x.to(weight.dtype) * 1.0, weight.shape, weight * 1.0, 1e-6
    )


ANSWERS: dict[str, Callable[..., Any]] = {
    "gpt2-groups": key_gradient,
    "gpt2-rms": by_torch,
    "gpt2-turn": turned,
    "gpt2-story-temperature": lambda scores, temperature: torch.exp(
        functional.log_softmax(scores / temperature, -1)
    ),
}
