"""Transformers: a stream of tokens, to which each block adds."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from layerlib.dropout import dropout
from short_forms.attention import attention, dense


def encoder_layer(layer: Any, x: Tensor, **given: Any) -> Tensor:
    own = masks("src", given)
    read = lambda x: attention(layer.self_attn, x, x, x, **own)[0]  # noqa: E731
    return added(layer, x, read, lambda x: feed_forward(layer, x))


def decoder_layer(layer: Any, x: Tensor, m: Tensor, **given: Any) -> Tensor:
    own, other = masks("tgt", given), masks("memory", given)
    read = lambda x: attention(layer.self_attn, x, x, x, **own)[0]  # noqa: E731
    recall = lambda x: attention(layer.multihead_attn, x, m, m, **other)[0]  # noqa: E731
    return added(layer, x, read, recall, lambda x: feed_forward(layer, x))


def masks(of: str, given: dict[str, Any]) -> dict[str, Any]:
    padding = given.get(f"{of}_key_padding_mask")
    return {"attn_mask": given.get(f"{of}_mask"), "key_padding_mask": padding}


def added(layer: Any, x: Tensor, *blocks: Callable[[Tensor], Tensor]) -> Tensor:
    for n, block in enumerate(blocks, 1):
        normed, p = getattr(layer, f"norm{n}"), getattr(layer, f"dropout{n}").p
        found = block(norm(normed, x) if layer.norm_first else x)
        x = x + dropout(found, p, layer.training)
        x = x if layer.norm_first else norm(normed, x)
    return x


def feed_forward(layer: Any, x: Tensor) -> Tensor:
    bent = layer.activation(dense(layer.linear1, x))
    return dense(layer.linear2, dropout(bent, layer.dropout.p, layer.training))


def norm(layer: Any, x: Tensor) -> Tensor:
    centered = x - x.mean(-1, keepdim=True)
    variance = centered.square().mean(-1, keepdim=True)
    y = centered / (variance + layer.eps).sqrt() * layer.weight
    return y if layer.bias is None else y + layer.bias


def encoder(stack: Any, x: Tensor, **given: Any) -> Tensor:
    given["src_mask"] = given.get("mask")
    for layer in stack.layers:
        x = encoder_layer(layer, x, **given)
    return x if stack.norm is None else norm(stack.norm, x)


def decoder(stack: Any, x: Tensor, memory: Tensor, **given: Any) -> Tensor:
    for layer in stack.layers:
        x = decoder_layer(layer, x, memory, **given)
    return x if stack.norm is None else norm(stack.norm, x)


def transformer(model: Any, src: Tensor, tgt: Tensor, **given: Any) -> Tensor:
    memory = encoder(model.encoder, src, mask=given.get("src_mask"), **given)
    return decoder(model.decoder, tgt, memory, **given)


SHORT: dict[str, Callable[..., Any]] = {
    "TransformerEncoderLayer": encoder_layer,
    "TransformerDecoderLayer": decoder_layer,
    "TransformerEncoder": encoder,
    "TransformerDecoder": decoder,
    "Transformer": transformer,
}
LEFT: dict[str, set[int]] = {}
