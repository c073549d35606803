"""What torch's transformers do besides: they build, pad and guess."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from layerlib.conventions.attention import added
from layerlib.conventions.call import Call


def built(init: Callable[..., None], ours: Mapping[type, type]) -> Callable[..., None]:
    """Torch's constructor; the class, no more, of what it builds then becomes ours."""

    @functools.wraps(init)
    def build(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        given = [x for x in (*args, *kwargs.values()) if isinstance(x, nn.Module)]
        kept = {self, *(module for x in given for module in x.modules())}
        for module in set(self.modules()) - kept:
            module.__class__ = ours.get(type(module), type(module))

    return build


def fits_transformer(call: Call) -> None:
    """Source and target of one batch, and of the features of the model."""
    model, src, tgt = call.self, call.src, call.tgt
    at, found = 1 - model.batch_first, f"{tuple(src.shape)} and {tuple(tgt.shape)}"
    alike = src.ndim == tgt.ndim in (2, 3)
    alike = alike and (src.ndim == 2 or src.shape[at] == tgt.shape[at])
    told = f"src and tgt of one batch in axis {at}, or without"
    call.expect(alike, told, found, (ValueError, IndexError))
    told = f"{model.d_model} features in the last axis of src and tgt"
    call.expect(src.shape[-1] == tgt.shape[-1] == model.d_model, told, found)


def for_encoder(call: Call) -> None:
    """Masks that are added, and whether it is causal: layers handed in rely on it."""
    masks = ("mask", "src_key_padding_mask")
    call.change(lambda mask: added(mask, call.src.dtype), *masks)
    call.is_causal = _hint(call, call.src, call.mask, call.is_causal)


def for_decoder(call: Call) -> None:
    """Whether the mask of the target is causal."""
    call.tgt_is_causal = _hint(call, call.tgt, call.tgt_mask, call.tgt_is_causal)


def _hint(call: Call, x: Tensor, mask: Tensor | None, said: bool | None) -> bool:
    """What was said; or, where nothing was, whether the mask looks causal."""
    if said is not None or mask is None:
        return bool(said)
    first = x.ndim == 3 and call.self.layers[0].self_attn.batch_first
    size = x.shape[int(first)]
    alike = mask.shape == (size, size)
    return alike and bool((mask == causal(size, mask.device, mask.dtype)).all())


def causal(size: int, device: Any, dtype: torch.dtype | None) -> Tensor:
    """``() -> (s, s)``: 0, and minus infinity where a token comes later."""
    at = torch.arange(size, device=device)
    later = torch.full((size, size), -torch.inf, device=device, dtype=dtype)
    return later.masked_fill(at[:, None] >= at, 0)


def left_out(
    encoder: Any, src: Tensor, mask: Tensor | None, padding: Tensor | None
) -> Tensor | None:
    """The places ``(b, s, 1)`` that torch leaves out in evaluation, if it does."""
    first, fast = encoder.layers[0], torch.backends.mha.get_fastpath_enabled()
    if padding is None or mask is not None or src.ndim != 3 or first.training:
        return None
    if not (encoder.use_nested_tensor and fast) or torch.is_autocast_enabled():
        return None
    tracked = any(x.requires_grad for x in (src, *first.parameters()))
    if torch.is_grad_enabled() and tracked:
        return None
    drop = padding != 0
    if encoder.mask_check and (
        torch.compiler.is_compiling() or bool((drop[:, :-1] & ~drop[:, 1:]).any())
    ):
        return None
    return drop[..., None]
