"""Embeddings: products with one-hot rows, which are stored here."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.embedding import BAGS, EMBEDDING, LARGEST, one_hot


def embedding(layer: Any, words: Tensor) -> Tensor:
    rows = one_hot(words, len(layer.weight)).to(layer.weight)
    return EMBEDDING(rows, layer.weight)


def embedding_bag(layer: Any, words: Tensor, offsets: Any = None) -> Any:
    table, bags = layer.weight, bags_of(layer, words, offsets)
    rows = one_hot(words.flatten(), len(table)).to(table)
    if layer.mode == "max":
        mine = EMBEDDING(rows, table).masked_fill((bags == 0)[..., None], -torch.inf)
        return LARGEST(mine)
    total = BAGS(bags.to(table), rows, table)
    size = bags.sum(1, keepdim=True).clamp(min=1)  # a bag of nothing is zero
    return total / size if layer.mode == "mean" else total


def bags_of(layer: Any, words: Tensor, offsets: Tensor | None) -> Tensor:
    """``(b, n)``: 1 where a word is in a bag, 0 elsewhere."""
    place = torch.arange(words.numel())
    if offsets is None:
        offsets = place[:: words.shape[1]]
    ends = torch.cat([offsets[1:], torch.tensor([words.numel()])])
    count = len(offsets) - (layer.include_last_offset and words.ndim == 1)
    begun = (place >= offsets[:, None]) & (place < ends[:, None])
    return (begun & (words.flatten() != padding(layer)))[:count]


def padding(layer: Any) -> int:
    return -1 if layer.padding_idx is None else layer.padding_idx


SHORT: dict[str, Callable[..., Any]] = {
    "Embedding": embedding,
    "EmbeddingBag": embedding_bag,
}

# How a table learns is no product: with a gradient that is sparse or scaled by frequency,
# and with rows that are made shorter while they are read.
LEFT: dict[str, set[int]] = {"Embedding": {1, 2}, "EmbeddingBag": {2, 4}}
