"""Attention: each query reads all values, weighted by how well their keys fit."""

import math
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from layerlib.activation import softmax
from layerlib.conventions.attention import (
    fits_attention,
    fits_multi_head,
    tokens_first,
)
from layerlib.conventions.signature import convention
from layerlib.conventions.transformer import built
from layerlib.dropout import dropout
from layerlib.engine.pieces import InPieces
from layerlib.linear import Linear, linear
from layerlib.recipe import Rearrange, Recipe, Reduce

Maybe: TypeAlias = Tensor | None

SCORES = Recipe("... q e, ... s e -> ... q s")
READ = Recipe("... q s, ... s e -> ... q e")
FOR_QUERY = SCORES.gradient(0)
FOR_KEY = SCORES.gradient(1)
FOR_VALUE = READ.gradient(1)
THREE = Rearrange("(three e) -> three e")
HEADS = Rearrange("n b (head e) -> b head n e")
MERGED = Rearrange("b head n e -> n b (head e)")
AVERAGE = Reduce("b head q s -> b q s", "mean")


def _weights(query: Tensor, key: Tensor, mask: Maybe) -> Tensor:
    """``(..., q, e), (..., s, e) -> (..., q, s)``: how much is read of each."""
    scores = SCORES(query, key)
    return softmax(scores if mask is None else scores + mask, -1)


def _gradient(
    cotangent: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Maybe
) -> tuple[Tensor, ...]:
    weights = _weights(query, key, mask)  # keeping them would take q * s numbers
    gain = weights * SCORES(cotangent, value)
    scores = gain - weights * gain.sum(-1, keepdim=True)
    for_value = FOR_VALUE(cotangent, weights)
    return FOR_QUERY(scores, key), FOR_KEY(scores, query), for_value, scores


@InPieces(
    "b head q e, b head s e, b head s o, b head q s -> b head q o",
    along="b head q",
    gradient=_gradient,
)
def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Maybe) -> Tensor:
    return READ(_weights(query, key, mask), value)


@convention(fits_attention, autocast=False)
def scaled_dot_product_attention(
    query: Float[Tensor, "... q e"],
    key: Float[Tensor, "... s e"],
    value: Float[Tensor, "... s _"],
    attn_mask: Shaped[Tensor, "..."] | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[Tensor, "... q _"]:
    """``(..., q, e), (..., s, e), (..., s, o) -> (..., q, o)``: a soft dictionary.

    The scores of a query are its products with all keys, times `scale`. It reads the
    mean of the values, weighted by the softmax of its scores. A mask is broadcast to
    the scores ``(..., q, s)`` and added, or holds truth values: True keeps. A query for
    which all is masked reads zeros. Keys and values with one head serve all heads.
    Without dropout only a few scores are kept at a time, and they are computed again
    for the gradient.

    Raises:
        ValueError: a shape, a dtype, the mask or the probability does not fit.
        TypeError: an input is no tensor.

    >>> query, key = torch.tensor([[9.0, 0.0]]), torch.tensor([[9.0, 0.0], [0.0, 9.0]])
    >>> scaled_dot_product_attention(query, key, torch.tensor([[1.0], [2.0]]))
    tensor([[1.]])

    Source: https://arxiv.org/abs/1706.03762, section 3.2.1;
    `torch.nn.functional.scaled_dot_product_attention`.
    """
    query = query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if dropout_p == 0:
        output: Tensor = _attend(query, key, value, attn_mask)
        return output
    weights = dropout(_weights(query, key, attn_mask), dropout_p)
    return READ(weights, value)


@convention(fits_multi_head, autocast=False)
def multi_head_attention_forward(
    query: Float[Tensor, "..."],
    key: Float[Tensor, "..."],
    value: Float[Tensor, "..."],
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Float[Tensor, "_ _"] | None,
    in_proj_bias: Float[Tensor, " _"] | None,
    bias_k: Float[Tensor, "... e"] | None,
    bias_v: Float[Tensor, "... e"] | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Float[Tensor, "_ e"],
    out_proj_bias: Float[Tensor, " _"] | None,
    training: bool = True,
    key_padding_mask: Shaped[Tensor, "..."] | None = None,
    need_weights: bool = True,
    attn_mask: Shaped[Tensor, "..."] | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Float[Tensor, "_ _"] | None = None,
    k_proj_weight: Float[Tensor, "_ _"] | None = None,
    v_proj_weight: Float[Tensor, "_ _"] | None = None,
    static_k: Float[Tensor, "_ _ _"] | None = None,
    static_v: Float[Tensor, "_ _ _"] | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."] | None]:
    """``(q, b, e), (s, b, i), (s, b, j) -> (q, b, e), (b, q, s)``: several readings.

    Query, key and value are projected and cut into heads; each head reads by itself,
    and what they have read is projected once more. All inputs may lack ``b``. Unlike in
    `scaled_dot_product_attention`, True in a mask means drop: `key_padding_mask`
    ``(b, s)``, and `attn_mask` ``(q, s)`` or ``(b * num_heads, q, s)``, which
    `is_causal` only describes. The weights that are given are those after dropout, and
    NaN where all is masked.

    Raises:
        ValueError: a shape or a dtype does not fit, or one argument lacks another.
        TypeError: an input is no tensor.

    Source: https://arxiv.org/abs/1706.03762, section 3.2.2;
    `torch.nn.functional.multi_head_attention_forward`.
    """
    weights = q_proj_weight, k_proj_weight, v_proj_weight
    q, k, v = _projected((query, key, value), weights, in_proj_bias)
    k, v = _sources(k, bias_k, static_k), _sources(v, bias_v, static_v)
    q, k, v = (HEADS(x, head=num_heads) for x in (q, k, v))
    read, shown = _read(q, k, v, attn_mask, dropout_p, is_causal, need_weights)
    if shown is not None and average_attn_weights:
        shown = AVERAGE(shown)
    return linear(MERGED(read), out_proj_weight, out_proj_bias), shown


def _projected(
    inputs: tuple[Tensor, ...], weights: tuple[Any, ...], bias: Maybe
) -> list[Tensor]:
    """``(n, b, i), (e, i) -> (n, b, e)``: asked, offered, and read."""
    biases = [None] * 3 if bias is None else THREE(bias, three=3)
    each = zip(inputs, weights, biases, strict=True)
    return [linear(x, weight, b) for x, weight, b in each]


def _sources(projected: Tensor, more: Maybe, instead: Maybe) -> Tensor:
    """``(s, b, e) -> (s, b, e)``: with more sources at the end, or others instead."""
    sources = projected if instead is None else instead
    return sources if more is None else torch.cat([sources, more])


def _read(
    query: Tensor, key: Tensor, value: Tensor, mask: Maybe, dropout_p: float,
    is_causal: bool, need_weights: bool,
) -> tuple[Tensor, Maybe]:  # fmt: skip
    if not need_weights:
        settings = mask, dropout_p, is_causal
        return scaled_dot_product_attention(query, key, value, *settings), None
    scaled = query / math.sqrt(query.shape[-1])
    weights = dropout(_weights(scaled, key, mask), dropout_p)
    return READ(weights, value), weights


class _OutProjection(Linear, NonDynamicallyQuantizableLinear):
    def _get_name(self) -> str:
        return NonDynamicallyQuantizableLinear.__name__


BUILT: dict[type, type] = {NonDynamicallyQuantizableLinear: _OutProjection}
"""The class of layerlib for what torch's constructor builds."""


class MultiheadAttention(nn.MultiheadAttention):
    """``(q, b, e), (s, b, i), (s, b, j) -> (q, b, e), (b, q, s)``: several attentions.

    `torch.nn.MultiheadAttention`, computed by `multi_head_attention_forward`, in
    evaluation too. ``in_proj_weight`` ``(3 e, e)``, or ``q_proj_weight`` ``(e, e)``,
    ``k_proj_weight`` and ``v_proj_weight``, start uniform and ``bias_k`` and ``bias_v``
    ``(1, 1, e)`` normal, with the variance ``2 / (rows + columns)``; other biases start
    at zero and ``out_proj.weight`` as in `Linear`.
    """

    line = READ
    __init__ = built(nn.MultiheadAttention.__init__, BUILT)

    def _reset_parameters(self) -> None:
        for name, parameter in self.named_parameters(recurse=False):
            if name.endswith("proj_weight"):
                nn.init.xavier_uniform_(parameter)
        if self.in_proj_bias is not None:
            nn.init.zeros_(self.in_proj_bias)
            nn.init.zeros_(self.out_proj.bias)
        for bias in filter(torch.is_tensor, (self.bias_k, self.bias_v)):
            nn.init.xavier_normal_(bias)

    @convention(tokens_first)
    def forward(
        self,
        query: Float[Tensor, "..."],
        key: Float[Tensor, "..."],
        value: Float[Tensor, "..."],
        key_padding_mask: Shaped[Tensor, "..."] | None = None,
        need_weights: bool = True,
        attn_mask: Shaped[Tensor, "..."] | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."] | None]:
        """What has been read; and the weights, or None."""
        return multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads,
            self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v,
            self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias,
            self.training, key_padding_mask, need_weights, attn_mask,
            not self._qkv_same_embed_dim, self.q_proj_weight, self.k_proj_weight,
            self.v_proj_weight, None, None, average_attn_weights, is_causal,
        )  # fmt: skip
