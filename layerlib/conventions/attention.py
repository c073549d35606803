"""What torch accepts for attention: masks of two meanings, shared heads, no batch."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from layerlib.conventions.call import Call
from layerlib.recipe import Rearrange

EACH_HEAD = Rearrange("(b head) q s -> b head q s")
WHOLE = Rearrange("(b head) s e -> s b (head e)")
QKV = ("query", "key", "value")
WEIGHTS = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
MORE = ("bias_k", "bias_v", "static_k", "static_v")
OTHERS = ("in_proj_bias", "out_proj_weight", "out_proj_bias", *MORE)
WRONG = (ValueError, AssertionError)


def added(drop: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as numbers that are added: minus infinity where True says drop."""
    if drop.dtype != torch.bool:
        return drop.to(dtype)
    return torch.zeros_like(drop, dtype=dtype).masked_fill(drop, -math.inf)


def fits_attention(call: Call) -> None:
    """Tensors of four axes, keys and values for each head, one mask that is added."""
    size, p, mask = tuple(call.query.shape), call.dropout_p, call.attn_mask
    call.expect(len(size) > 1, "query of shape (..., q, e)", size, WRONG)
    call.expect(0 <= p <= 1, "a probability dropout_p from 0 to 1", p)
    both = mask is not None and call.is_causal
    call.expect(not both, "attn_mask or is_causal", "both")
    call.change(lambda x: _for_each_head(call, x), "key", "value")
    call.shaped("key", (*size[:-2], None, size[-1]), error=WRONG)
    call.shaped("value", (*size[:-2], call.key.shape[-2], None), error=WRONG)
    dtype, scores = _numbers(call, *QKV), (*size[:-1], call.key.shape[-2])
    shape = (*size[:-1], call.value.shape[-1])
    if call.is_causal:
        q, s = (torch.arange(n, device=call.query.device) for n in scores[-2:])
        mask = added(q[:, None] < s, call.query.dtype)
    elif mask is not None:
        mask = _added(call, scores, dtype)
        nothing = (mask == -math.inf).all(-1, keepdim=True)
        mask, seen = mask.masked_fill(nothing, 0), (~nothing).to(mask.dtype)
        call.then(lambda output: output * seen)  # where all is hidden, 0 is read
    call.attn_mask = mask if mask is None else mask.expand(scores)
    call.scale = 1.0 if (call.scale, size[-1]) == (None, 0) else call.scale
    call.change(_four_axes, "attn_mask", *QKV)
    call.then(lambda output: output.reshape(shape))


def _numbers(call: Call, *names: str) -> torch.dtype:
    """Tensors of one floating dtype, which is told, in 32 bits at least."""
    names = tuple(name for name in names if getattr(call, name) is not None)
    call.autocast(*names)
    kinds = list(dict.fromkeys(getattr(call, name).dtype for name in names))
    right = len(kinds) == 1 and kinds[0].is_floating_point
    told = f"{', '.join(names)} of one floating dtype"
    call.expect(right, told, kinds, (ValueError, NotImplementedError))
    call.widen(*names)
    kind: torch.dtype = kinds[0]
    return kind


def _for_each_head(call: Call, x: Tensor) -> Tensor:
    """Keys or values that several heads of queries share, for each of these."""
    heads, groups = (t.shape[-3] if t.ndim > 2 else 0 for t in (call.query, x))
    if not call.enable_gqa:
        shared = x.ndim > 3 and groups == 1
        return x.expand(*x.shape[:-3], heads, *x.shape[-2:]) if shared else x
    told = f"a number of heads, axis -3, that divides {heads}"
    right = groups > 0 and heads % groups == 0
    call.expect(right, told, groups, (ValueError, IndexError))
    return x.repeat_interleave(heads // groups, -3)


def _added(call: Call, scores: Sequence[int], dtype: torch.dtype) -> Tensor:
    """The mask, if it fits the scores; True said keep; as it is added."""
    mask, known = call.attn_mask, [torch.bool, torch.float32, dtype]
    told = f"attn_mask of one of the dtypes {known}"
    call.expect(mask.dtype in known, told, mask.dtype)
    sizes = zip(reversed(mask.shape), reversed(scores), strict=False)
    right = mask.ndim <= len(scores) and all(m in (1, n) for m, n in sizes)
    told = f"attn_mask to fit scores of shape {tuple(scores)}"
    call.expect(right, told, tuple(mask.shape))
    return added(~mask if mask.dtype == torch.bool else mask, call.query.dtype)


def _four_axes(x: Tensor) -> Tensor:
    """``(..., q, e) -> (b, head, q, e)``."""
    heads = x.shape[-3:] if x.ndim > 2 else (1, *x.shape)
    return x.reshape(math.prod(x.shape[:-3]), *heads)


def fits_multi_head(call: Call) -> None:
    """A batch, three weights, further sources as rows, one mask that is added."""
    if not call.use_separate_proj_weight:
        packed = call.in_proj_weight
        thirds = (None,) * 3 if packed is None else packed.chunk(3)
        call.q_proj_weight, call.k_proj_weight, call.v_proj_weight = thirds
    _check_multi_head(call)
    _numbers(call, *QKV, *WEIGHTS, *OTHERS)
    if call.query.ndim == 2:
        call.change(lambda x: x[:, None], *QKV)
        call.then(lambda y: (y[0][:, 0], y[1] if y[1] is None else y[1][0]))
    zeros = call.query.new_zeros(1, *call.query.shape[1:])
    for bias in MORE[:2]:
        row, more = getattr(call, bias), [zeros] if call.add_zero_attn else []
        more = more if row is None else [row.expand_as(zeros), *more]
        setattr(call, bias, torch.cat(more) if more else None)
    call.change(lambda x: WHOLE(x, head=call.num_heads), *MORE[2:])
    shown, padding = call.need_weights, call.key_padding_mask
    call.is_causal = call.is_causal and padding is None and not shown
    call.attn_mask = None if call.is_causal else _merged(call, len(more))
    call.average_attn_weights = shown and call.average_attn_weights
    call.dropout_p = call.dropout_p if call.training else 0.0


def _check_multi_head(call: Call) -> None:
    e, heads, size = call.embed_dim_to_check, call.num_heads, tuple(call.query.shape)
    call.expect(len(size) in (2, 3), "query of shape (q, e) or (q, b, e)", size, WRONG)
    call.expect(e % heads == 0, f"a number of heads that divides {e}", heads, WRONG)
    for name in WEIGHTS:
        call.expect(getattr(call, name) is not None, name, None, WRONG)
    call.change(lambda x: x[None, None] if x.ndim == 1 else x, *MORE[:2])
    there = [getattr(call, name) is not None for name in MORE]
    right = there[:2] == [False, False] or there == [True, True, False, False]
    told = "both bias_k and bias_v, and no static_k or static_v with them"
    call.expect(right, told, f"{sum(there[:2])} and {sum(there[2:])}", WRONG)
    key, value = call.key.shape, call.value.shape
    q, *batch, i = size
    each = math.prod((*batch, heads))
    s = key[:1] if call.static_k is None else call.static_k.shape[1:2]
    shapes: dict[str, list[Sequence[int | None]]] = {
        "query": [(None, *batch, e)], "key": [(None, *batch, None)],
        "value": [(*key[:1], *batch, None)], "q_proj_weight": [(e, i)],
        "k_proj_weight": [(e, *key[-1:])], "v_proj_weight": [(e, *value[-1:])],
        "bias_k": [(1, 1, e)], "bias_v": [(1, 1, e)],
        "static_k": [(each, None, e // heads)], "static_v": [(each, None, e // heads)],
        "attn_mask": [(each, q, *s), (q, *s)], "key_padding_mask": [(*batch, *s)],
    }  # fmt: skip
    for name, some in shapes.items():
        call.shaped(name, *some, error=WRONG)
    right = call.attn_mask is not None or not call.is_causal
    call.expect(right, "an attn_mask, which is_causal only describes", None)
    for mask in (call.attn_mask, call.key_padding_mask):
        if mask is not None and mask.dtype != torch.bool:
            told = "a mask of truth values or floating"
            call.expect(mask.is_floating_point(), told, mask.dtype, WRONG)


def _merged(call: Call, more: int) -> Tensor | None:
    """Both masks as one for scores (b, head, q, s); further sources are seen."""
    mask, padding = call.attn_mask, call.key_padding_mask
    if mask is not None:
        heads, mask = (1, mask[None]) if mask.ndim == 2 else (call.num_heads, mask)
        mask = EACH_HEAD(added(mask, call.query.dtype), head=heads)
    if padding is not None:
        padding = padding if padding.ndim == 2 else padding[None]
        padding = added(padding, call.query.dtype)[:, None, None]
        mask = padding if mask is None else mask + padding
    return mask if mask is None else torch.constant_pad_nd(mask, (0, more))


def tokens_first(call: Call) -> None:
    """With `batch_first` the batch behind the tokens, and in front of them again."""
    if call.self.batch_first and call.query.ndim == 3:
        call.change(lambda x: x.transpose(0, 1), *QKV)
        call.then(lambda found: (found[0].transpose(0, 1), found[1]))
