"""Attention by its lines: scores, a softmax and a read."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.attention import AVERAGE, HEADS, MERGED, READ, SCORES
from layerlib.dropout import dropout
from layerlib.linear import LINEAR


def attention(layer: Any, *inputs: Tensor, **given: Any) -> Any:
    q, k, v = projected(layer, *map(tokens_first, [layer] * 3, inputs))
    scores = SCORES(q, k) / math.sqrt(q.shape[-1]) + hidden(q, k, **given)
    weights = dropout(shares(scores), layer.dropout, layer.training)
    y = dense(layer.out_proj, MERGED(READ(weights, v)))
    shown = AVERAGE(weights) if given.get("average_attn_weights", True) else weights
    shown = shown if given.get("need_weights", True) else None
    if inputs[0].ndim == 2:
        return y[:, 0], shown if shown is None else shown[0]
    return tokens_first(layer, y), shown


def shares(scores: Tensor) -> Tensor:
    parts = (scores - scores.amax(-1, keepdim=True)).exp()
    return parts / parts.sum(-1, keepdim=True)


def dense(layer: Any, x: Tensor) -> Tensor:
    y = LINEAR(x, layer.weight)
    return y if layer.bias is None else y + layer.bias


def tokens_first(layer: Any, x: Tensor) -> Tensor:
    if x.ndim == 2:
        return x[:, None]
    return x.transpose(0, 1) if layer.batch_first else x


def projected(layer: Any, *inputs: Tensor) -> list[Tensor]:
    apart = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
    each = apart if layer.in_proj_weight is None else layer.in_proj_weight.chunk(3)
    biases = (0, 0, 0) if layer.in_proj_bias is None else layer.in_proj_bias.chunk(3)
    q, k, v = (LINEAR(x, w) + b for x, w, b in zip(inputs, each, biases, strict=True))
    rows = [layer.bias_k, layer.bias_v] if layer.bias_k is not None else [k[:0], v[:0]]
    zeros = torch.zeros_like(k[: int(layer.add_zero_attn)])
    rows = [torch.cat([row.expand(-1, k.shape[1], -1), zeros]) for row in rows]
    found = (q, torch.cat([k, rows[0]]), torch.cat([v, rows[1]]))
    return [HEADS(x, head=layer.num_heads) for x in found]


def hidden(q: Tensor, k: Tensor, **given: Any) -> Any:
    """What masks add; one of truth values hides what it says, a further source never."""
    added: Any = 0
    for name in ("attn_mask", "key_padding_mask"):
        mask = given.get(name)
        if mask is not None:
            mask = mask[:, None, None] if name == "key_padding_mask" else mask
            mask = torch.constant_pad_nd(mask, (0, k.shape[-2] - mask.shape[-1]))
            hides = mask.dtype == torch.bool
            added = added + (
                q.new_zeros(mask.shape).masked_fill(mask, -math.inf) if hides else mask
            )
    return added


SHORT: dict[str, Callable[..., Any]] = {"MultiheadAttention": attention}
LEFT: dict[str, set[int]] = {}
