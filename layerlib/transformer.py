"""Transformers: a stream of tokens, to which each block adds."""

from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from layerlib.activation import gelu, relu
from layerlib.attention import BUILT, READ, MultiheadAttention
from layerlib.conventions.signature import convention
from layerlib.conventions.transformer import (
    built,
    causal,
    fits_transformer,
    for_decoder,
    for_encoder,
    left_out,
)
from layerlib.dropout import Dropout
from layerlib.linear import Linear
from layerlib.norm import LayerNorm

Device: TypeAlias = torch.device | str | int | None
Mask: TypeAlias = Shaped[Tensor, "..."] | None
Tokens: TypeAlias = Float[Tensor, "..."]

ACTIVATIONS = {functional.relu: relu, functional.gelu: gelu}
"""What torch's constructors keep under the names ``relu`` and ``gelu``."""

OURS: dict[type, type] = {
    **BUILT,
    nn.Dropout: Dropout,
    nn.LayerNorm: LayerNorm,
    nn.Linear: Linear,
    nn.MultiheadAttention: MultiheadAttention,
}
"""The class of layerlib for each one that torch's constructors build."""


class _Layer(nn.Module):
    """What the layers of encoder and decoder share: two blocks."""

    line = READ
    self_attn: Any
    activation: Any
    linear1: Any
    linear2: Any
    dropout: Any
    dropout1: Any

    def _sa_block(
        self, x: Tensor, attn_mask: Any, key_padding_mask: Any, is_causal: Any = False
    ) -> Any:
        masks = {"attn_mask": attn_mask, "key_padding_mask": key_padding_mask}
        hint = {"is_causal": is_causal, "need_weights": False}
        return self.dropout1(self.self_attn(x, x, x, **masks, **hint)[0])

    def _feed_forward(self, x: Tensor) -> Any:
        activation = ACTIVATIONS.get(self.activation, self.activation)
        return self.linear2(self.dropout(activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer, nn.TransformerEncoderLayer):
    """``(s, b, e) -> (s, b, e)``: tokens read one another, then each is worked on.

    `torch.nn.TransformerEncoderLayer`, built by torch's constructor out of layers of
    layerlib, which start as they start alone.

    Source: https://arxiv.org/abs/1706.03762, figure 1; with `norm_first` the right half
    of figure 1 of https://arxiv.org/abs/2002.04745.
    """

    __init__ = built(nn.TransformerEncoderLayer.__init__, OURS)

    def forward(
        self,
        src: Tokens,
        src_mask: Mask = None,
        src_key_padding_mask: Mask = None,
        is_causal: bool = False,
    ) -> Tokens:
        """Self-attention and a network of two layers, each added to the stream."""
        masks = src_mask, src_key_padding_mask, is_causal
        if self.norm_first:
            x = src + self._sa_block(self.norm1(src), *masks)
            output: Tensor = x + self._ff_block(self.norm2(x))
        else:
            x = self.norm1(src + self._sa_block(src, *masks))
            output = self.norm2(x + self._ff_block(x))
        return output

    def _ff_block(self, x: Tensor) -> Any:
        return self.dropout2(self._feed_forward(x))


class TransformerDecoderLayer(_Layer, nn.TransformerDecoderLayer):
    """``(q, b, e), (s, b, e) -> (q, b, e)``: tokens read one another, then a memory.

    `torch.nn.TransformerDecoderLayer`, built by torch's constructor out of layers of
    layerlib, which start as they start alone.
    """

    __init__ = built(nn.TransformerDecoderLayer.__init__, OURS)

    def forward(
        self,
        tgt: Tokens,
        memory: Tokens,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tokens:
        """Self-attention, attention to the memory, and a network of two layers."""
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        other = memory, memory_mask, memory_key_padding_mask, memory_is_causal
        run = self._pre_norm if self.norm_first else self._post_norm
        output: Tensor = run(tgt, own, other)
        return output

    def _pre_norm(self, x: Tensor, own: Any, other: Any) -> Any:
        x = x + self._sa_block(self.norm1(x), *own)
        x = x + self._mha_block(self.norm2(x), *other)
        return x + self._ff_block(self.norm3(x))

    def _post_norm(self, x: Tensor, own: Any, other: Any) -> Any:
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, *other))
        return self.norm3(x + self._ff_block(x))

    def _mha_block(
        self, x: Tensor, mem: Tensor, attn_mask: Any, key_padding_mask: Any,
        is_causal: Any = False,
    ) -> Any:  # fmt: skip
        masks = {"attn_mask": attn_mask, "key_padding_mask": key_padding_mask}
        hint = {"is_causal": is_causal, "need_weights": False}
        return self.dropout2(self.multihead_attn(x, mem, mem, **masks, **hint)[0])

    def _ff_block(self, x: Tensor) -> Any:
        return self.dropout3(self._feed_forward(x))


class TransformerEncoder(nn.TransformerEncoder):
    """``(s, b, e) -> (s, b, e)``: one encoder layer after the other, copies at first.

    `torch.nn.TransformerEncoder`. In evaluation, where torch leaves out the padding to
    save time (`enable_nested_tensor`), the padding holds zeros before the last norm.
    """

    line = READ

    @convention(for_encoder)
    def forward(
        self,
        src: Tokens,
        mask: Mask = None,
        src_key_padding_mask: Mask = None,
        is_causal: bool | None = None,
    ) -> Tokens:
        """The layers in turn, and the norm, if there is one."""
        padding = left_out(self, src, mask, src_key_padding_mask)
        masks = {"src_mask": mask, "src_key_padding_mask": src_key_padding_mask}
        for layer in self.layers:
            src = layer(src, **masks, is_causal=is_causal)
        src = src if padding is None else src.masked_fill(padding, 0)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(nn.TransformerDecoder):
    """``(q, b, e), (s, b, e) -> (q, b, e)``: one decoder layer after the other.

    `torch.nn.TransformerDecoder`; the layers are copies of one at first.
    """

    line = READ

    @convention(for_decoder)
    def forward(
        self,
        tgt: Tokens,
        memory: Tokens,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tokens:
        """The layers in turn, and the norm, if there is one."""
        masks = {
            "tgt_mask": tgt_mask,
            "memory_mask": memory_mask,
            "tgt_key_padding_mask": tgt_key_padding_mask,
            "memory_key_padding_mask": memory_key_padding_mask,
        }
        hints = {"tgt_is_causal": tgt_is_causal, "memory_is_causal": memory_is_causal}
        for layer in self.layers:
            tgt = layer(tgt, memory, **masks, **hints)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(nn.Transformer):
    """``(s, b, e), (q, b, e) -> (q, b, e)``: an encoder, and a decoder that reads it.

    `torch.nn.Transformer`, built by torch's constructor out of layers of layerlib. All
    weights with two axes start uniform, with the variance ``2 / (rows + columns)``.
    """

    line = READ
    __init__ = built(nn.Transformer.__init__, OURS)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: Device = None, dtype: torch.dtype | None = None
    ) -> Float[Tensor, "s s"]:
        """``() -> (s, s)``: 0, and minus infinity where a token comes later."""
        return causal(sz, device, dtype)

    @convention(fits_transformer)
    def forward(
        self,
        src: Tokens,
        tgt: Tokens,
        src_mask: Mask = None,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
        src_key_padding_mask: Mask = None,
        tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tokens:
        """What the decoder makes of `tgt`, reading what the encoder makes of `src`."""
        source = {"mask": src_mask, "src_key_padding_mask": src_key_padding_mask}
        memory = self.encoder(src, **source, is_causal=src_is_causal)
        masks = {
            "tgt_mask": tgt_mask,
            "memory_mask": memory_mask,
            "tgt_key_padding_mask": tgt_key_padding_mask,
            "memory_key_padding_mask": memory_key_padding_mask,
        }
        hints = {"tgt_is_causal": tgt_is_causal, "memory_is_causal": memory_is_causal}
        output: Tensor = self.decoder(tgt, memory, **masks, **hints)
        return output


OURS |= {
    nn.TransformerDecoder: TransformerDecoder,
    nn.TransformerDecoderLayer: TransformerDecoderLayer,
    nn.TransformerEncoder: TransformerEncoder,
    nn.TransformerEncoderLayer: TransformerEncoderLayer,
}
