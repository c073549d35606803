"""Each distance in a few lines of the book's own pieces."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.distance import AT_LEAST, DOT, POWER, TOTAL


def _cosine(layer: Any, x1: Tensor, x2: Tensor) -> Tensor:
    both = torch.broadcast_tensors(x1, x2)  # type: ignore[no-untyped-call]
    one, two = (x.movedim(layer.dim, -1) for x in both)
    lengths = (TOTAL(x * x).sqrt() for x in (one, two))
    # As in torch, the gradient does not see that a length is raised.
    sizes = [x + (AT_LEAST(x, layer.eps) - x).detach() for x in lengths]
    return DOT(one / sizes[0], two / sizes[1])


def _distance(layer: Any, x1: Tensor, x2: Tensor) -> Tensor:
    size = (x1 - x2 + layer.eps).abs()
    distance = POWER(TOTAL(POWER(size, layer.norm)), 1 / layer.norm)
    return distance if layer.keepdim else distance.squeeze(-1)


SHORT: dict[str, Callable[..., Tensor]] = {
    "CosineSimilarity": _cosine,
    "PairwiseDistance": _distance,
}

LEFT: dict[str, set[int]] = {}
