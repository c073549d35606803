"""Attention: each query reads all values, weighted by how well their keys fit."""

import itertools
import math
from collections.abc import Iterable
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from layerlib.activation import softmax
from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.dropout import dropout
from layerlib.engine.gradient import with_gradient
from layerlib.linear import linear
from layerlib.recipe import Rearrange, Recipe

SCORES = Recipe("... q e, ... s e -> ... q s")
READ = Recipe("... q s, ... s e -> ... q e")
FOR_QUERY = SCORES.gradient(0)
FOR_KEY = SCORES.gradient(1)
FOR_VALUE = READ.gradient(1)
HEADS = Rearrange("n b (head e) -> b head n e")
MERGED = Rearrange("b head n e -> n b (head e)")
EACH_HEAD = Rearrange("(b head) n e -> b head n e")

PIECE = 2**19
"""How many scores are computed at once: those of a few heads, or of a few queries."""

MHA = "multi_head_attention_forward"
SDPA = "scaled_dot_product_attention"

Maybe: TypeAlias = Tensor | None


def _weights(query: Tensor, key: Tensor, mask: Maybe, scale: float) -> Tensor:
    scores = SCORES(query * scale, key)
    scores = scores if mask is None else scores + mask
    if not scores.numel():
        return scores
    # Where all are -inf, the two clamps make all weights zero, and none NaN.
    top = scores.detach().amax(-1, keepdim=True)
    parts = (scores - top.clamp_min(torch.finfo(top.dtype).min)).exp()
    return parts / parts.sum(-1, keepdim=True).clamp_min(1)


def _attend_gradient(
    needed: tuple[bool, ...], cotangent: Tensor, query: Tensor, key: Tensor,
    value: Tensor, mask: Maybe, noise: Maybe, scale: float,
) -> list[Maybe]:  # fmt: skip
    weights = _weights(query, key, mask, scale)  # keeping them would take q * s numbers
    noised = weights if noise is None else weights * noise
    found = SCORES(cotangent, value)
    found = weights * (found if noise is None else found * noise)
    scores = found - weights * found.sum(-1, keepdim=True)
    return [
        FOR_QUERY(scores, key) * scale,
        FOR_KEY(scores, query) * scale,
        FOR_VALUE(cotangent, noised),
        scores if needed[3] else None,
    ]


@with_gradient(_attend_gradient)
def _attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Maybe, noise: Maybe, scale: float
) -> Tensor:
    weights = _weights(query, key, mask, scale)
    return READ(weights if noise is None else weights * noise, value)


def _in_pieces(axis: int, scale: float, *inputs: Any) -> Tensor:
    """`_attend`, cut along this axis and those after it, up to that of the queries."""
    query, key, value, mask, noise = inputs
    scores = math.prod(query.shape[:-1]) * key.shape[-2]
    if scores <= PIECE or axis == query.ndim - 1:
        return _attend(query, key, value, mask, noise, scale)
    step = max(1, PIECE * query.shape[axis] // scores)
    whole = (1, 2) if axis == query.ndim - 2 else ()  # each query reads all keys
    pieces: list[Iterable[Any]] = [
        itertools.repeat(x) if x is None or n in whole else x.split(step, axis)
        for n, x in enumerate(inputs)
    ]
    cut = zip(*pieces, strict=False)
    return torch.cat([_in_pieces(axis + 1, scale, *piece) for piece in cut], axis)


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
    which all is masked reads zeros. Only `PIECE` scores are kept at a time, and they
    are computed again for the gradient.

    Raises:
        ValueError: a shape, a dtype, the mask or the probability does not fit.

    >>> query, key = torch.tensor([[9.0, 0.0]]), torch.tensor([[9.0, 0.0], [0.0, 9.0]])
    >>> scaled_dot_product_attention(query, key, torch.tensor([[1.0], [2.0]]))
    tensor([[1.]])

    Source: https://arxiv.org/abs/1706.03762, section 3.2.1;
    `torch.nn.functional.scaled_dot_product_attention`.
    """
    if enable_gqa:
        key, value = (_for_each_query_head(query, x) for x in (key, value))
    scores = _check_attention(query, key, value, attn_mask, dropout_p)
    expect(SDPA, attn_mask is None or not is_causal, "attn_mask or is_causal", "both")
    inputs = [wide(x) for x in (query, key, value)]
    if is_causal:
        q, s = (torch.arange(n, device=query.device) for n in scores[-2:])
        attn_mask = q[:, None] >= s
    mask = noise = None
    if attn_mask is not None:
        drop = ~attn_mask if attn_mask.dtype == torch.bool else attn_mask
        mask = _added(drop, inputs[0].dtype).expand(scores)
    if dropout_p > 0:
        one = inputs[0].new_ones(()) * inputs[1].new_ones(())  # of both, under vmap
        noise = dropout(one.expand(scores), dropout_p)
    scale = 1 / math.sqrt(query.shape[-1] or 1) if scale is None else scale
    return _in_pieces(0, scale, *inputs, mask, noise).to(query.dtype)


def _for_each_query_head(query: Tensor, x: Tensor) -> Tensor:
    heads, given = (t.shape[-3] if t.ndim > 2 else 0 for t in (query, x))
    told = f"a number of heads, axis -3, that divides {heads}"
    expect(SDPA, given > 0 and heads % given == 0, told, given)
    return x.repeat_interleave(heads // given, -3)


def _check_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Maybe, dropout_p: float
) -> torch.Size:
    """The shape of the scores."""
    size = tuple(query.shape)
    expect(SDPA, len(size) > 1, "query of shape (..., q, e)", size)
    *batch, _, e = size
    _check_shape(SDPA, "key", key, (*batch, None, e))
    _check_shape(SDPA, "value", value, (*batch, key.shape[-2], None))
    dtypes = [x.dtype for x in (query, key, value)]
    alike = query.is_floating_point() and len(set(dtypes)) == 1
    expect(SDPA, alike, "query, key and value of one floating dtype", dtypes)
    expect(SDPA, 0 <= dropout_p <= 1, "a probability dropout_p from 0 to 1", dropout_p)
    scores = torch.Size([*size[:-1], key.shape[-2]])
    if mask is not None:
        known = [torch.bool, torch.float32, query.dtype]
        told = f"attn_mask of one of the dtypes {known}"
        expect(SDPA, mask.dtype in known, told, mask.dtype)
        sizes = zip(reversed(mask.shape), reversed(scores), strict=False)
        fits = mask.ndim <= len(scores) and all(m in (1, n) for m, n in sizes)
        told = f"attn_mask to fit scores of shape {tuple(scores)}"
        expect(SDPA, fits, told, tuple(mask.shape))
    return scores


def _check_shape(
    layer: str, name: str, x: Maybe, *shapes: tuple[int | None, ...]
) -> None:
    """Of one of the shapes, in which None is any size."""
    if x is None:
        return
    size = tuple(x.shape)
    fits = any(
        len(shape) == len(size)
        and all(m in (None, n) for m, n in zip(shape, size, strict=True))
        for shape in shapes
    )
    told = " or ".join(map(str, shapes)).replace("None", "*")
    expect(layer, fits, f"{name} of shape {told}", size)


def _added(drop: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as numbers that are added: minus infinity where True says drop."""
    if drop.dtype != torch.bool:
        return drop.to(dtype)
    return torch.zeros_like(drop, dtype=dtype).masked_fill(drop, -math.inf)


def multi_head_attention_forward(
    query: Float[Tensor, "..."],
    key: Float[Tensor, "..."],
    value: Float[Tensor, "..."],
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Float[Tensor, "_ _"] | None,
    in_proj_bias: Float[Tensor, " _"] | None,
    bias_k: Float[Tensor, "1 1 e"] | None,
    bias_v: Float[Tensor, "1 1 e"] | None,
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

    Source: https://arxiv.org/abs/1706.03762, section 3.2.2;
    `torch.nn.functional.multi_head_attention_forward`.
    """
    inputs, masks = (query, key, value), (attn_mask, key_padding_mask)
    more, static = (bias_k, bias_v), (static_k, static_v)
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    weights = separate if use_separate_proj_weight else _thirds(in_proj_weight)
    _check_projections(inputs, weights, more, static, embed_dim_to_check, num_heads)
    _check_masks(inputs, masks, static_k, num_heads, is_causal)
    projected = _projected(inputs, weights, _thirds(in_proj_bias))
    given = zip(projected, (None, *more), (None, *static), strict=True)
    q, k, v = (_heads(num_heads, *each) for each in given)
    if add_zero_attn:
        k, v = (torch.constant_pad_nd(x, (0, 0, 0, 1)) for x in (k, v))
    hint = is_causal and key_padding_mask is None and not need_weights
    mask = None if hint else _merged(*masks, q.dtype, num_heads, k.shape[-2])
    dropout_p = dropout_p if training else 0.0
    output, shown = _read(q, k, v, mask, dropout_p, hint, need_weights)
    output = linear(MERGED(output), out_proj_weight, out_proj_bias)
    if shown is not None and average_attn_weights:
        shown = shown.mean(1)
    if query.ndim == 2:
        return output[:, 0], None if shown is None else shown[0]
    return output, shown


def _thirds(x: Maybe) -> tuple[Maybe, ...]:
    return (None, None, None) if x is None else x.chunk(3)


def _check_projections(
    inputs: tuple[Tensor, ...], weights: tuple[Maybe, ...], more: tuple[Maybe, ...],
    static: tuple[Maybe, ...], embed_dim: int, num_heads: int,
) -> None:  # fmt: skip
    query, key, value = inputs
    size = tuple(query.shape)
    expect(MHA, len(size) in (2, 3), "query of shape (q, e) or (q, b, e)", size)
    batch = size[1:-1]
    _check_shape(MHA, "query", query, (None, *batch, embed_dim))
    _check_shape(MHA, "key", key, (None, *batch, None))
    _check_shape(MHA, "value", value, (key.shape[0], *batch, None))
    for name, weight, given in zip("qkv", weights, inputs, strict=True):
        expect(MHA, weight is not None, f"{name}_proj_weight", None)
        _check_shape(MHA, f"{name}_proj_weight", weight, (embed_dim, given.shape[-1]))
    each = (math.prod([*batch, num_heads]), None, embed_dim // num_heads)
    for name, bias, x in zip("kv", more, static, strict=True):
        _check_shape(MHA, f"bias_{name}", bias, (1, 1, embed_dim))
        _check_shape(MHA, f"static_{name}", x, each)
    told = f"a number of heads that divides {embed_dim}"
    expect(MHA, embed_dim % num_heads == 0, told, num_heads)
    count, other = (sum(x is not None for x in pair) for pair in (more, static))
    told = "both bias_k and bias_v, and no static_k or static_v with them"
    expect(MHA, (count, other) == (2, 0) or count == 0, told, f"{count} and {other}")


def _check_masks(
    inputs: tuple[Tensor, ...], masks: tuple[Maybe, Maybe], static_k: Maybe,
    num_heads: int, is_causal: bool,
) -> None:  # fmt: skip
    q, *batch, _ = inputs[0].shape
    sources = inputs[1].shape[0] if static_k is None else static_k.shape[1]
    each = (math.prod([*batch, num_heads]), q, sources)
    _check_shape(MHA, "attn_mask", masks[0], each, each[1:])
    _check_shape(MHA, "key_padding_mask", masks[1], (*batch, sources))
    told = "an attn_mask, which is_causal only describes"
    expect(MHA, masks[0] is not None or not is_causal, told, None)
    for mask in (x for x in masks if x is not None):
        known = mask.dtype == torch.bool or mask.is_floating_point()
        expect(MHA, known, "a mask of truth values or floating", mask.dtype)


def _projected(
    inputs: tuple[Tensor, ...], weights: tuple[Any, ...], biases: tuple[Any, ...]
) -> list[Tensor]:
    """``(n, b, i) -> (n, b, e)``: each against its weight; those that are one, at once.

    The gradient for an input is then one sum, which is rounded once.
    """
    found: dict[int, Tensor] = {}
    for x in inputs:
        same = [n for n in range(3) if inputs[n] is x and n not in found]
        if same:
            weight = torch.cat([weights[n] for n in same])
            bias = None if biases[0] is None else torch.cat([biases[n] for n in same])
            output = linear(x[:, None] if x.ndim == 2 else x, weight, bias)
            found |= zip(same, output.chunk(len(same), -1), strict=True)
    return [found[n] for n in range(3)]


def _heads(heads: int, projected: Tensor, last: Maybe, instead: Maybe) -> Tensor:
    """``(n, b, e) -> (b, head, n, e)``, with a last row, or something else instead."""
    if instead is not None:
        return EACH_HEAD(instead, head=heads)
    if last is not None:
        last = last.expand(1, projected.shape[1], -1)
        projected = torch.cat([projected, last])
    return HEADS(projected, head=heads)


def _merged(
    attn_mask: Maybe, key_padding_mask: Maybe, dtype: torch.dtype, heads: int, s: int
) -> Maybe:
    """The masks as one that is added to scores (b, head, q, s); new keys are seen."""
    merged = None
    if attn_mask is not None:
        each = attn_mask if attn_mask.ndim == 3 else attn_mask[None]
        merged = EACH_HEAD(_added(each, dtype), head=heads if each is attn_mask else 1)
    if key_padding_mask is not None:
        padding = _added(key_padding_mask, dtype)
        padding = (padding if padding.ndim == 2 else padding[None])[:, None, None]
        merged = padding if merged is None else merged + padding
    if merged is None:
        return None
    return torch.constant_pad_nd(merged, (0, s - merged.shape[-1]))


def _read(
    query: Tensor, key: Tensor, value: Tensor, mask: Maybe, dropout_p: float,
    hint: bool, need_weights: bool,
) -> tuple[Tensor, Maybe]:  # fmt: skip
    if not need_weights:
        args = (mask, dropout_p, hint)
        return scaled_dot_product_attention(query, key, value, *args), None
    scores = SCORES(query * (1 / math.sqrt(query.shape[-1])), key)
    weights = softmax(scores if mask is None else scores + mask, -1)
    weights = dropout(weights, dropout_p)
    return READ(weights, value), weights


class MultiheadAttention(nn.MultiheadAttention):
    """``(q, b, e), (s, b, i), (s, b, j) -> (q, b, e), (b, q, s)``: several attentions.

    `torch.nn.MultiheadAttention`, computed by `multi_head_attention_forward`, in
    evaluation too. ``in_proj_weight`` ``(3 e, e)``, or ``q_proj_weight`` ``(e, e)``,
    ``k_proj_weight`` and ``v_proj_weight``, start uniform and ``bias_k`` and ``bias_v``
    ``(1, 1, e)`` normal, with the variance ``2 / (rows + columns)``; other biases start
    at zero and ``out_proj.weight`` as in `Linear`.
    """

    line = READ

    def _reset_parameters(self) -> None:
        for name, parameter in self.named_parameters(recurse=False):
            if name.endswith("proj_weight"):
                nn.init.xavier_uniform_(parameter)
        if self.in_proj_bias is not None:
            nn.init.zeros_(self.in_proj_bias)
            nn.init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                nn.init.xavier_normal_(bias)

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
        swap = self.batch_first and query.ndim == 3
        if swap:  # and let one tensor stay one
            swapped = {id(x): x.transpose(0, 1) for x in (query, key, value)}
            query, key, value = (swapped[id(x)] for x in (query, key, value))
        output, weights = multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads,
            self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v,
            self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias,
            self.training, key_padding_mask, need_weights, attn_mask,
            not self._qkv_same_embed_dim, self.q_proj_weight, self.k_proj_weight,
            self.v_proj_weight, None, None, average_attn_weights, is_causal,
        )  # fmt: skip
        return output.transpose(0, 1) if swap else output, weights
