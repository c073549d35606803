"""What torch accepts for attention: masks of two meanings, shared heads, no batch."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.recipe import Rearrange

EACH_HEAD = Rearrange("(b head) q s -> b head q s")
FROM_HEADS = Rearrange("(b head) s e -> s b (head e)")
INPUTS = ("query", "key", "value")
WEIGHTS = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
OTHERS = (
    "in_proj_bias", "bias_k", "bias_v", "static_k", "static_v", "out_proj_weight",
    "out_proj_bias",
)  # fmt: skip


class Misfit(ValueError, RuntimeError, AssertionError):
    """Torch raises one of the three, another one for each fault."""


class NoSuchNumbers(Misfit, NotImplementedError):
    """Torch has no kernel for numbers of this kind."""


def fits(layer: str, name: str, x: Tensor | None, *shapes: tuple[Any, ...]) -> None:
    """It has one of these shapes, in which None is any size; or it is not there."""
    size = shapes[0] if x is None else tuple(x.shape)
    alike = [shape for shape in shapes if len(shape) == len(size)]
    pairs = [zip(size, shape, strict=True) for shape in alike]
    if not any(all(m is None or n == m for n, m in each) for each in pairs):
        told = " or ".join(map(str, shapes)).replace("None", "*")
        expect(layer, False, f"{name} of shape {told}", size, Misfit)


def lowered(x: Tensor) -> Tensor:
    """In the dtype of autocast, where that is on; but 64 bits are kept."""
    device = x.device.type
    on = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    low = on and x.is_floating_point() and x.dtype != torch.float64
    return x.to(torch.get_autocast_dtype(device)) if low else x


def numbers(layer: str, given: dict[str, Any], *names: str) -> torch.dtype:
    """Tensors of one floating dtype, in 32 bits at least; the dtype of the output.

    A tensor that is given twice stays one, so that its gradient is rounded once.
    """
    for name in (*names, *(n for n in given if n.endswith("_mask"))):
        known, kind = isinstance(given[name], Tensor | None), type(given[name])
        expect(layer, known, f"{name} to be a tensor", kind.__name__, TypeError)
    names = tuple(name for name in names if given[name] is not None)
    some = {id(given[name]): lowered(given[name]) for name in names}
    dtypes = list(dict.fromkeys(x.dtype for x in some.values()))
    alike = len(dtypes) == 1 and dtypes[0].is_floating_point
    told = f"{', '.join(names)} of one floating dtype"
    expect(layer, alike, told, dtypes, NoSuchNumbers)
    some = {key: wide(x) for key, x in some.items()}
    given |= {name: some[id(given[name])] for name in names}
    return dtypes[0]


def added(drop: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as numbers that are added: minus infinity where True says drop."""
    if drop.dtype != torch.bool:
        return drop.to(dtype)
    return torch.zeros_like(drop, dtype=dtype).masked_fill(drop, -math.inf)


def attention(layer: str, _: int, given: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    """Tensors of four axes, keys and values for each head, a mask that is added."""
    dtype = numbers(layer, given, *INPUTS)
    query, mask, p = given["query"], given["attn_mask"], given["dropout_p"]
    size = tuple(query.shape)
    if len(size) < 2:
        expect(layer, False, "query of shape (..., q, e)", size, Misfit)
    expect(layer, 0 <= p <= 1, "a probability dropout_p from 0 to 1", p, Misfit)
    both = mask is not None and given["is_causal"]
    expect(layer, not both, "attn_mask or is_causal", "both", Misfit)
    key, value = (_for_each_head(layer, given, name) for name in ("key", "value"))
    fits(layer, "key", key, (*size[:-2], None, size[-1]))
    fits(layer, "value", value, (*size[:-2], key.shape[-2], None))
    scores, seen = (*size[:-1], key.shape[-2]), None
    if given["is_causal"]:
        q, s = (torch.arange(n, device=query.device) for n in scores[-2:])
        mask = added(q[:, None] < s, query.dtype)
    elif mask is not None:
        mask = _checked(layer, mask, scores, dtype)
        # A row that is hidden everywhere reads zeros, and not NaN.
        mask = added(mask, query.dtype)
        hidden = (mask == -math.inf).all(-1, keepdim=True)
        mask, seen = mask.masked_fill(hidden, 0), (~hidden).to(mask.dtype)
    given["attn_mask"] = mask if mask is None else _four(mask.expand(scores))
    given |= {"query": _four(query), "key": _four(key), "value": _four(value)}
    if given["scale"] is None and not size[-1]:
        given["scale"] = 1.0  # no feature, no root

    def finish(output: Tensor) -> Tensor:
        output = output.reshape(*size[:-1], value.shape[-1])
        return (output if seen is None else output * seen).to(dtype)

    return finish


def _four(x: Tensor) -> Tensor:
    """``(..., q, e) -> (b, head, q, e)``."""
    return x.flatten(0, -4) if x.ndim > 4 else x[(None,) * (4 - x.ndim)]


def _for_each_head(layer: str, given: dict[str, Any], name: str) -> Tensor:
    """Keys or values that several heads of queries share, for each of these."""
    query, x = given["query"], given[name]
    heads, groups = (t.shape[-3] if t.ndim > 2 else 0 for t in (query, x))
    if not given["enable_gqa"]:
        shared = groups == 1 and x.ndim > 3
        return x.expand(*x.shape[:-3], heads, *x.shape[-2:]) if shared else x
    if groups == 0 or heads % groups:
        told = f"a number of heads, axis -3, that divides {heads}"
        expect(layer, False, told, groups, Misfit)
    return x.repeat_interleave(heads // groups, -3)


def _checked(layer: str, mask: Tensor, scores: Any, dtype: torch.dtype) -> Tensor:
    """The mask, if it can be broadcast to the scores; True then says drop."""
    known = [torch.bool, torch.float32, dtype]
    told = f"attn_mask of one of the dtypes {known}"
    expect(layer, mask.dtype in known, told, mask.dtype, Misfit)
    sizes = zip(reversed(mask.shape), reversed(scores), strict=False)
    if mask.ndim > len(scores) or not all(m in (1, n) for m, n in sizes):
        told = f"attn_mask to fit scores of shape {scores}"
        expect(layer, False, told, tuple(mask.shape), Misfit)
    return ~mask if mask.dtype == torch.bool else mask


def multi_head(layer: str, _: int, given: dict[str, Any]) -> Callable[[Any], Any]:
    """A batch, three weights, further sources as rows, one mask that is added."""
    if not given["use_separate_proj_weight"]:
        packed = given["in_proj_weight"]
        thirds = (None,) * 3 if packed is None else packed.chunk(3)
        given |= zip(WEIGHTS, thirds, strict=True)
    dtype = numbers(layer, given, *INPUTS, *WEIGHTS, *OTHERS)
    _check_multi_head(layer, given)
    unbatched = given["query"].ndim == 2
    if unbatched:
        once(lambda x: x[:, None], given)
    query, batch = given["query"], given["query"].shape[1:]
    more = [query.new_zeros(1, *batch)] if given["add_zero_attn"] else []
    for bias, static in (("bias_k", "static_k"), ("bias_v", "static_v")):
        row, instead = given[bias], given[static]
        rows = more if row is None else [row.expand(1, *batch), *more]
        given[bias] = torch.cat(rows) if rows else None
        if instead is not None:
            given[static] = FROM_HEADS(instead, head=given["num_heads"])
    shown = given["need_weights"]
    hint = given["is_causal"] and given["key_padding_mask"] is None and not shown
    given |= {
        "attn_mask": None if hint else _merged(given, len(rows)),
        "is_causal": hint,
        "average_attn_weights": shown and given["average_attn_weights"],
        "dropout_p": given["dropout_p"] if given["training"] else 0.0,
    }

    def finish(found: tuple[Tensor, Tensor | None]) -> Any:
        output, weights = (x if x is None else x.to(dtype) for x in found)
        if unbatched:
            return output[:, 0], weights if weights is None else weights[0]
        return output, weights

    return finish


def once(function: Callable[[Tensor], Tensor], given: dict[str, Any]) -> None:
    """Does something to query, key and value; those that are one tensor stay one."""
    made = {id(x): function(x) for x in (given[name] for name in INPUTS)}
    given |= {name: made[id(given[name])] for name in INPUTS}


def _check_multi_head(layer: str, given: dict[str, Any]) -> None:
    query, key, value = (given[name] for name in INPUTS)
    size, e, heads = tuple(query.shape), given["embed_dim_to_check"], given["num_heads"]
    if len(size) not in (2, 3):
        expect(layer, False, "query of shape (q, e) or (q, b, e)", size, Misfit)
    q, *batch, _ = size
    fits(layer, "query", query, (None, *batch, e))
    fits(layer, "key", key, (None, *batch, None))
    fits(layer, "value", value, (key.shape[0], *batch, None))
    for name, x in zip(WEIGHTS, (query, key, value), strict=True):
        expect(layer, given[name] is not None, name, None, Misfit)
        fits(layer, name, given[name], (e, x.shape[-1]))
    told = f"a number of heads that divides {e}"
    expect(layer, e % heads == 0, told, heads, Misfit)
    pairs = [("bias_k", "bias_v"), ("static_k", "static_v")]
    count, other = (sum(given[n] is not None for n in pair) for pair in pairs)
    told = "both bias_k and bias_v, and no static_k or static_v with them"
    right = count == 0 or (count, other) == (2, 0)
    expect(layer, right, told, f"{count} and {other}", Misfit)
    each, static = math.prod((*batch, heads)), given["static_k"]
    for bias, instead in zip(*pairs, strict=True):
        if given[bias] is not None and given[bias].ndim == 1:
            given[bias] = given[bias][None, None]
        fits(layer, bias, given[bias], (1, 1, e))
        fits(layer, instead, given[instead], (each, None, e // heads))
    s = key.shape[0] if static is None else static.shape[1]
    fits(layer, "attn_mask", given["attn_mask"], (each, q, s), (q, s))
    fits(layer, "key_padding_mask", given["key_padding_mask"], (*batch, s))
    told = "an attn_mask, which is_causal only describes"
    right = given["attn_mask"] is not None or not given["is_causal"]
    expect(layer, right, told, None, Misfit)
    for mask in (given["attn_mask"], given["key_padding_mask"]):
        if mask is not None and mask.dtype != torch.bool:
            told = "a mask of truth values or floating"
            expect(layer, mask.is_floating_point(), told, mask.dtype, Misfit)


def _merged(given: dict[str, Any], more: int) -> Tensor | None:
    """Both masks as one that is added to scores (b, head, q, s); more rows are seen."""
    mask, padding = given["attn_mask"], given["key_padding_mask"]
    if mask is not None:
        heads = given["num_heads"] if mask.ndim == 3 else 1
        mask = mask if mask.ndim == 3 else mask[None]
        mask = EACH_HEAD(added(mask, given["query"].dtype), head=heads)
    if padding is not None:
        padding = padding if padding.ndim == 2 else padding[None]
        padding = added(padding, given["query"].dtype)[:, None, None]
        mask = padding if mask is None else mask + padding
    return mask if mask is None else torch.constant_pad_nd(mask, (0, more))


def tokens_first(_: str, __: int, given: dict[str, Any]) -> Callable[[Any], Any] | None:
    """With `batch_first`, the batch behind the tokens, and in front again."""
    if not (given["self"].batch_first and getattr(given["query"], "ndim", 0) == 3):
        return None
    once(lambda x: x.transpose(0, 1), given)
    return lambda found: (found[0].transpose(0, 1), found[1])
