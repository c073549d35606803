"""Transformers: a stream of tokens, to which each block adds."""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from layerlib.activation import gelu, relu
from layerlib.attention import READ, MultiheadAttention, _added
from layerlib.conventions.expect import expect
from layerlib.dropout import Dropout
from layerlib.linear import Linear
from layerlib.norm import LayerNorm

Device: TypeAlias = torch.device | str | int | None

ACTIVATIONS = {functional.relu: relu, functional.gelu: gelu}
"""What torch's constructors keep under the names ``relu`` and ``gelu``."""


def _of_layerlib(init: Callable[..., None]) -> Callable[..., None]:
    """Torch's constructor; the layers that it builds then become layerlib's.

    Only their class is another one, so that nothing is drawn again. What was handed in
    stays what it is.
    """

    @functools.wraps(init)
    def build(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        given = [x for x in (*args, *kwargs.values()) if isinstance(x, nn.Module)]
        kept = {self, *(module for x in given for module in x.modules())}
        for module in set(self.modules()) - kept:
            module.__class__ = OURS.get(type(module), type(module))

    return build


class _Layer(nn.Module):
    """What the layers of encoder and decoder share."""

    line = READ
    norm_first: bool
    self_attn: Any
    activation: Any
    linear1: Any
    linear2: Any
    dropout: Any
    dropout1: Any

    def _add(
        self, x: Tensor, norm: nn.Module, block: Callable[[Tensor], Any]
    ) -> Tensor:
        # Figure 1 of https://arxiv.org/abs/2002.04745.
        added: Tensor = x + block(norm(x)) if self.norm_first else norm(x + block(x))
        return added

    def _read(
        self, attention: nn.Module, x: Tensor, memory: Tensor, mask: Any, padding: Any,
        is_causal: Any,
    ) -> Any:  # fmt: skip
        masks = {"attn_mask": mask, "is_causal": is_causal}
        return attention(x, memory, memory, padding, need_weights=False, **masks)[0]

    def _sa_block(
        self, x: Tensor, attn_mask: Any, key_padding_mask: Any, is_causal: Any = False
    ) -> Any:
        masks = attn_mask, key_padding_mask, is_causal
        return self.dropout1(self._read(self.self_attn, x, x, *masks))

    def _feed_forward(self, x: Tensor) -> Any:
        activation = ACTIVATIONS.get(self.activation, self.activation)
        return self.linear2(self.dropout(activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer, nn.TransformerEncoderLayer):
    """``(s, b, e) -> (s, b, e)``: tokens read one another, then each is worked on.

    `torch.nn.TransformerEncoderLayer`, built by torch's constructor out of layers of
    layerlib, which start as they start alone.
    """

    __init__ = _of_layerlib(nn.TransformerEncoderLayer.__init__)

    def forward(
        self,
        src: Float[Tensor, "..."],
        src_mask: Shaped[Tensor, "..."] | None = None,
        src_key_padding_mask: Shaped[Tensor, "..."] | None = None,
        is_causal: bool = False,
    ) -> Float[Tensor, "..."]:
        """Self-attention and a network of two layers, each added to the stream."""
        masks = src_mask, src_key_padding_mask, is_causal
        x = self._add(src, self.norm1, lambda x: self._sa_block(x, *masks))
        return self._add(x, self.norm2, self._ff_block)

    def _ff_block(self, x: Tensor) -> Any:
        return self.dropout2(self._feed_forward(x))


class TransformerDecoderLayer(_Layer, nn.TransformerDecoderLayer):
    """``(q, b, e), (s, b, e) -> (q, b, e)``: tokens read one another, then a memory.

    `torch.nn.TransformerDecoderLayer`, built by torch's constructor out of layers of
    layerlib, which start as they start alone.
    """

    __init__ = _of_layerlib(nn.TransformerDecoderLayer.__init__)

    def forward(
        self,
        tgt: Float[Tensor, "..."],
        memory: Float[Tensor, "..."],
        tgt_mask: Shaped[Tensor, "..."] | None = None,
        memory_mask: Shaped[Tensor, "..."] | None = None,
        tgt_key_padding_mask: Shaped[Tensor, "..."] | None = None,
        memory_key_padding_mask: Shaped[Tensor, "..."] | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Float[Tensor, "..."]:
        """Self-attention, attention to the memory, and a network of two layers."""
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        other = memory_mask, memory_key_padding_mask, memory_is_causal
        x = self._add(tgt, self.norm1, lambda x: self._sa_block(x, *own))
        x = self._add(x, self.norm2, lambda x: self._mha_block(x, memory, *other))
        return self._add(x, self.norm3, self._ff_block)

    def _mha_block(
        self,
        x: Tensor,
        mem: Tensor,
        attn_mask: Any,
        key_padding_mask: Any,
        is_causal: Any = False,
    ) -> Any:
        masks = attn_mask, key_padding_mask, is_causal
        return self.dropout2(self._read(self.multihead_attn, x, mem, *masks))

    def _ff_block(self, x: Tensor) -> Any:
        return self.dropout3(self._feed_forward(x))


class _Stack(nn.Module):
    """What encoder and decoder share: the same layer several times, then a norm."""

    line = READ
    layers: Any
    norm: Any

    def _through(
        self, x: Tensor, *memory: Tensor, padding: Tensor | None = None, **masks: Any
    ) -> Tensor:
        for layer in self.layers:
            x = layer(x, *memory, **masks)
        x = x if padding is None else x.masked_fill(padding, 0)
        output: Tensor = x if self.norm is None else self.norm(x)
        return output

    def _is_causal(self, x: Tensor, mask: Tensor | None, said: bool | None) -> bool:
        """What was said; or, where nothing was, whether the mask looks causal."""
        if said is not None or mask is None:
            return bool(said)
        first = x.ndim == 3 and self.layers[0].self_attn.batch_first
        causal = _causal(x.shape[int(first)], mask.device, mask.dtype)
        return mask.shape == causal.shape and bool((mask == causal).all())


def _causal(size: int, device: Device, dtype: torch.dtype | None) -> Tensor:
    at = torch.arange(size, device=device)
    later = torch.full((size, size), -torch.inf, device=device, dtype=dtype)
    return later.masked_fill(at[:, None] >= at, 0)


class TransformerEncoder(_Stack, nn.TransformerEncoder):
    """``(s, b, e) -> (s, b, e)``: one encoder layer after the other, copies at first.

    `torch.nn.TransformerEncoder`. In evaluation, where torch leaves out the padding to
    save time (`enable_nested_tensor`), the padding holds zeros before the last norm.
    """

    def forward(
        self,
        src: Float[Tensor, "..."],
        mask: Shaped[Tensor, "..."] | None = None,
        src_key_padding_mask: Shaped[Tensor, "..."] | None = None,
        is_causal: bool | None = None,
    ) -> Float[Tensor, "..."]:
        """The layers in turn, and the norm, if there is one."""
        padding = self._left_out(src, mask, src_key_padding_mask)
        masks = {"src_mask": mask, "src_key_padding_mask": src_key_padding_mask}
        # As in torch: layers that were handed in rely on masks that are added.
        masks = {k: m if m is None else _added(m, src.dtype) for k, m in masks.items()}
        hint = self._is_causal(src, masks["src_mask"], is_causal)
        return self._through(src, padding=padding, **masks, is_causal=hint)

    def _left_out(
        self, src: Tensor, mask: Tensor | None, padding: Tensor | None
    ) -> Tensor | None:
        """The places ``(b, s, 1)`` that torch leaves out, if it does."""
        first, fast = self.layers[0], torch.backends.mha.get_fastpath_enabled()
        if padding is None or mask is not None or src.ndim != 3 or first.training:
            return None
        if not (self.use_nested_tensor and fast) or torch.is_autocast_enabled():
            return None
        tracked = any(x.requires_grad for x in (src, *first.parameters()))
        if torch.is_grad_enabled() and tracked:
            return None
        drop = padding != 0
        if self.mask_check and (
            torch.compiler.is_compiling() or bool((drop[:, :-1] & ~drop[:, 1:]).any())
        ):
            return None
        return drop[..., None]


class TransformerDecoder(_Stack, nn.TransformerDecoder):
    """``(q, b, e), (s, b, e) -> (q, b, e)``: one decoder layer after the other.

    `torch.nn.TransformerDecoder`; the layers are copies of one at first.
    """

    def forward(
        self,
        tgt: Float[Tensor, "..."],
        memory: Float[Tensor, "..."],
        tgt_mask: Shaped[Tensor, "..."] | None = None,
        memory_mask: Shaped[Tensor, "..."] | None = None,
        tgt_key_padding_mask: Shaped[Tensor, "..."] | None = None,
        memory_key_padding_mask: Shaped[Tensor, "..."] | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Float[Tensor, "..."]:
        """The layers in turn, and the norm, if there is one."""
        return self._through(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=self._is_causal(tgt, tgt_mask, tgt_is_causal),
            memory_is_causal=memory_is_causal,
        )


class Transformer(nn.Transformer):
    """``(s, b, e), (q, b, e) -> (q, b, e)``: an encoder, and a decoder that reads it.

    `torch.nn.Transformer`, built by torch's constructor out of layers of layerlib. All
    weights with two axes start uniform, with the variance ``2 / (rows + columns)``.
    """

    line = READ
    __init__ = _of_layerlib(nn.Transformer.__init__)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> Float[Tensor, "s s"]:
        """``() -> (s, s)``: 0, and minus infinity where a token comes later."""
        return _causal(sz, device, dtype)

    def forward(
        self,
        src: Float[Tensor, "..."],
        tgt: Float[Tensor, "..."],
        src_mask: Shaped[Tensor, "..."] | None = None,
        tgt_mask: Shaped[Tensor, "..."] | None = None,
        memory_mask: Shaped[Tensor, "..."] | None = None,
        src_key_padding_mask: Shaped[Tensor, "..."] | None = None,
        tgt_key_padding_mask: Shaped[Tensor, "..."] | None = None,
        memory_key_padding_mask: Shaped[Tensor, "..."] | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Float[Tensor, "..."]:
        """What the decoder makes of `tgt`, reading what the encoder makes of `src`."""
        at = 0 if self.batch_first else 1
        found = f"{tuple(src.shape)} and {tuple(tgt.shape)}"
        alike = src.ndim == tgt.ndim in (2, 3) and (
            src.ndim == 2 or src.shape[at] == tgt.shape[at]
        )
        told = f"src and tgt of one batch in axis {at}, or without"
        expect("Transformer", alike, told, found)
        told = f"{self.d_model} features in the last axis of src and tgt"
        features = src.shape[-1] == tgt.shape[-1] == self.d_model
        expect("Transformer", features, told, found)
        memory = self.encoder(
            src,
            mask=src_mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )
        output: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return output


_BUILT = (
    Dropout, LayerNorm, Linear, MultiheadAttention, TransformerDecoder,
    TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
)  # fmt: skip
OURS = {getattr(nn, layer.__name__): layer for layer in _BUILT}
"""The class of layerlib for each one that torch's constructors build."""
