"""What torch accepts for attention: masks of two meanings, shared heads, no batch."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.dtypes import autocast, wide
from layerlib.conventions.expect import expect
from layerlib.conventions.signature import Given
from layerlib.recipe import Rearrange

EACH_HEAD = Rearrange("(b head) q s -> b head q s")
WHOLE = Rearrange("(b head) s e -> s b (head e)")
QKV = ("query", "key", "value")
WEIGHTS = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
OTHERS = (
    "in_proj_bias", "out_proj_weight", "out_proj_bias", "bias_k", "bias_v", "static_k",
    "static_v",
)  # fmt: skip
WRONG = (ValueError, AssertionError)


def fits(layer: str, given: Given, name: str, *shapes: Sequence[int | None]) -> None:
    """It has one of these shapes, in which None is any size; or it is not there."""
    size = () if given[name] is None else tuple(given[name].shape)
    pairs = [zip(size, s, strict=True) for s in shapes if len(s) == len(size)]
    right = any(all(m is None or n == m for n, m in each) for each in pairs)
    if not right and given[name] is not None:  # else nothing is told, as above
        told = " or ".join(map(str, shapes)).replace("None", "*")
        expect(layer, right, f"{name} of shape {told}", size, WRONG)


def numbers(layer: str, given: Given, *names: str) -> torch.dtype:
    """Tensors of one floating dtype, in 32 bits at least; the dtype of the output.

    A tensor that is given twice stays one, so that its gradient is rounded once.
    """
    names = tuple(name for name in names if given[name] is not None)
    which = {name: id(given[name]) for name in names}
    autocast(given, *names)
    kinds = list(dict.fromkeys(given[name].dtype for name in names))
    right = len(kinds) == 1 and kinds[0].is_floating_point
    told = f"{', '.join(names)} of one floating dtype"
    expect(layer, right, told, kinds, (ValueError, NotImplementedError))
    made = {which[name]: wide(given[name]) for name in names}
    given |= {name: made[which[name]] for name in names}
    kind: torch.dtype = kinds[0]
    return kind


def added(drop: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as numbers that are added: minus infinity where True says drop."""
    if drop.dtype != torch.bool:
        return drop.to(dtype)
    return torch.zeros_like(drop, dtype=dtype).masked_fill(drop, -math.inf)


def fits_attention(layer: str, _n: int, given: Given) -> Callable[[Tensor], Tensor]:
    """Tensors of four axes, keys and values for each head, one mask that is added."""
    size, p, mask = tuple(given["query"].shape), given["dropout_p"], given["attn_mask"]
    expect(layer, len(size) > 1, "query of shape (..., q, e)", size, WRONG)
    expect(layer, 0 <= p <= 1, "a probability dropout_p from 0 to 1", p)
    both = mask is not None and given["is_causal"]
    expect(layer, not both, "attn_mask or is_causal", "both")
    given |= {name: _for_each_head(layer, given, name) for name in ("key", "value")}
    fits(layer, given, "key", (*size[:-2], None, size[-1]))
    fits(layer, given, "value", (*size[:-2], given["key"].shape[-2], None))
    dtype, scores = numbers(layer, given, *QKV), (*size[:-1], given["key"].shape[-2])
    shape, seen = (*size[:-1], given["value"].shape[-1]), None
    if given["is_causal"]:
        q, s = (torch.arange(n, device=given["query"].device) for n in scores[-2:])
        mask = added(q[:, None] < s, given["query"].dtype)
    elif mask is not None:
        mask, seen = _seen(_added(layer, mask, scores, dtype, given["query"].dtype))
    given["attn_mask"] = mask if mask is None else mask.expand(scores)
    given["scale"] = 1.0 if (given["scale"], size[-1]) == (None, 0) else given["scale"]
    for name in ("attn_mask", *QKV):  # (b, head, q, e)
        x = given[name]
        if x is not None:
            heads = x.shape[-3:] if x.ndim > 2 else (1, *x.shape)
            given[name] = x.reshape(math.prod(x.shape[:-3]), *heads)
    return partial(_attended, shape=shape, seen=seen, dtype=dtype)


def _attended(
    output: Tensor, shape: tuple[int, ...], seen: Tensor | None, dtype: torch.dtype
) -> Tensor:
    output = output.reshape(shape)
    return (output if seen is None else output * seen).to(dtype)


def _for_each_head(layer: str, given: Given, name: str) -> Tensor:
    """Keys or values that several heads of queries share, for each of these."""
    x: Tensor = given[name]
    heads, groups = (t.shape[-3] if t.ndim > 2 else 0 for t in (given["query"], x))
    if not given["enable_gqa"]:
        shared = x.ndim > 3 and groups == 1
        return x.expand(*x.shape[:-3], heads, *x.shape[-2:]) if shared else x
    told = f"a number of heads, axis -3, that divides {heads}"
    right = groups > 0 and heads % groups == 0
    expect(layer, right, told, groups, (ValueError, IndexError))
    return x.repeat_interleave(heads // groups, -3)


def _added(
    layer: str, mask: Tensor, scores: Sequence[int], *dtypes: torch.dtype
) -> Tensor:
    """A mask that fits the scores, and in which True said keep, as it is added."""
    known = [torch.bool, torch.float32, dtypes[0]]
    told = f"attn_mask of one of the dtypes {known}"
    expect(layer, mask.dtype in known, told, mask.dtype)
    sizes = zip(reversed(mask.shape), reversed(scores), strict=False)
    right = mask.ndim <= len(scores) and all(m in (1, n) for m, n in sizes)
    told = f"attn_mask to fit scores of shape {tuple(scores)}"
    expect(layer, right, told, tuple(mask.shape))
    return added(~mask if mask.dtype == torch.bool else mask, dtypes[1])


def _seen(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Without the rows that hide all, and 0 for these, 1 for all others."""
    nothing = (mask == -math.inf).all(-1, keepdim=True)
    return mask.masked_fill(nothing, 0), (~nothing).to(mask.dtype)


def fits_multi_head(layer: str, _n: int, given: Given) -> Callable[[Any], Any]:
    """A batch, three weights, further sources as rows, one mask that is added."""
    if not given["use_separate_proj_weight"]:
        packed = given["in_proj_weight"]
        thirds = (None,) * 3 if packed is None else packed.chunk(3)
        given |= zip(WEIGHTS, thirds, strict=True)
    _check_multi_head(layer, given)
    dtype = numbers(layer, given, *QKV, *WEIGHTS, *OTHERS)
    single = given["query"].ndim == 2
    if single:
        once(lambda x: x[:, None], given)
    zeros = given["query"].new_zeros(1, *given["query"].shape[1:])
    for bias, static in (("bias_k", "static_k"), ("bias_v", "static_v")):
        row, more = given[bias], [zeros] if given["add_zero_attn"] else []
        more = more if row is None else [row.expand_as(zeros), *more]
        given[bias] = torch.cat(more) if more else None
        if given[static] is not None:
            given[static] = WHOLE(given[static], head=given["num_heads"])
    shown, padding = given["need_weights"], given["key_padding_mask"]
    given["is_causal"] = given["is_causal"] and padding is None and not shown
    given["attn_mask"] = None if given["is_causal"] else _merged(given, len(more))
    given["average_attn_weights"] = shown and given["average_attn_weights"]
    given["dropout_p"] = given["dropout_p"] if given["training"] else 0.0
    return partial(_shown, single=single, dtype=dtype)


def _shown(
    found: tuple[Tensor, Tensor | None], single: bool, dtype: torch.dtype
) -> Any:
    output = found[0].to(dtype)
    weights = None if found[1] is None else found[1].to(dtype)
    if single:
        return output[:, 0], weights if weights is None else weights[0]
    return output, weights


def once(function: Callable[[Tensor], Tensor], given: Given) -> None:
    """Does something to query, key and value; those that are one tensor stay one."""
    which = {name: id(given[name]) for name in QKV}
    made = {which[name]: function(given[name]) for name in QKV}
    given |= {name: made[which[name]] for name in QKV}


def _check_multi_head(layer: str, given: Given) -> None:
    e, heads = given["embed_dim_to_check"], given["num_heads"]
    size = tuple(given["query"].shape)
    expect(
        layer, len(size) in (2, 3), "query of shape (q, e) or (q, b, e)", size, WRONG
    )
    expect(layer, e % heads == 0, f"a number of heads that divides {e}", heads, WRONG)
    for name in WEIGHTS:
        expect(layer, given[name] is not None, name, None, WRONG)
    for name in ("bias_k", "bias_v"):
        bias = given[name]
        given[name] = bias[None, None] if bias is not None and bias.ndim == 1 else bias
    there = [given[name] is not None for name in OTHERS[3:]]
    right = there[:2] == [False, False] or there == [True, True, False, False]
    told = "both bias_k and bias_v, and no static_k or static_v with them"
    expect(layer, right, told, f"{sum(there[:2])} and {sum(there[2:])}", WRONG)
    key, value, instead = given["key"].shape, given["value"].shape, given["static_k"]
    q, *batch, i = size
    each = math.prod((*batch, heads))
    s = key[:1] if instead is None else instead.shape[1:2]
    shapes: dict[str, list[Sequence[int | None]]] = {
        "query": [(None, *batch, e)], "key": [(None, *batch, None)],
        "value": [(*key[:1], *batch, None)], "q_proj_weight": [(e, i)],
        "k_proj_weight": [(e, *key[-1:])], "v_proj_weight": [(e, *value[-1:])],
        "bias_k": [(1, 1, e)], "bias_v": [(1, 1, e)],
        "static_k": [(each, None, e // heads)], "static_v": [(each, None, e // heads)],
        "attn_mask": [(each, q, *s), (q, *s)], "key_padding_mask": [(*batch, *s)],
    }  # fmt: skip
    for name, some in shapes.items():
        fits(layer, given, name, *some)
    right = given["attn_mask"] is not None or not given["is_causal"]
    expect(layer, right, "an attn_mask, which is_causal only describes", None)
    for mask in (given["attn_mask"], given["key_padding_mask"]):
        if mask is not None and mask.dtype != torch.bool:
            told = "a mask of truth values or floating"
            expect(layer, mask.is_floating_point(), told, mask.dtype, WRONG)


def _merged(given: Given, more: int) -> Tensor | None:
    """Both masks as one for scores (b, head, q, s); further sources are seen."""
    mask, padding = given["attn_mask"], given["key_padding_mask"]
    if mask is not None:
        heads, mask = (1, mask[None]) if mask.ndim == 2 else (given["num_heads"], mask)
        mask = EACH_HEAD(added(mask, given["query"].dtype), head=heads)
    if padding is not None:
        padding = padding if padding.ndim == 2 else padding[None]
        padding = added(padding, given["query"].dtype)[:, None, None]
        mask = padding if mask is None else mask + padding
    return mask if mask is None else torch.constant_pad_nd(mask, (0, more))


def tokens_first(_layer: str, _n: int, given: Given) -> Callable[[Any], Any] | None:
    """With `batch_first` the batch behind the tokens, and in front of them again."""
    if not given["self"].batch_first or given["query"].ndim != 3:
        return None
    once(lambda x: x.transpose(0, 1), given)
    return lambda found: (found[0].transpose(0, 1), found[1])
