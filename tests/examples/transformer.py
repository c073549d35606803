"""Examples of transformers, and the known mistakes."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from examples import Example
from layerlib.norm import LayerNorm
from layerlib.transformer import (
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)

CAUSAL = torch.ones(3, 3, dtype=torch.bool).triu(1)
LATER = torch.full((3, 3), -torch.inf).triu(1)
PADDING = torch.tensor([[False, False, False], [False, True, True]])
SMALL = {"dim_feedforward": 6, "dropout": 0.5}
TYPED = {"device": "cpu", "dtype": torch.float64}
OTHERS = {
    "dropout": 0.0,
    "activation": "gelu",
    "layer_norm_eps": 1e-3,
    "batch_first": True,
    "norm_first": True,
    "bias": False,
}
X, Y = (3, 2, 4), (2, 3, 4)


def layer(cls: type[nn.Module]) -> nn.Module:
    """Handed in, and copied: the same for ours and for torch's."""
    torch.manual_seed(0)
    return cls(4, 2, **SMALL, batch_first=True)


CLASSES = {
    "TransformerEncoderLayer": [
        Example([X], (4, 2), SMALL),
        Example([X], (4, 2), {**SMALL, "activation": torch.tanh}, {"src_mask": CAUSAL}),
        Example(
            [Y],
            (4, 2),
            {**SMALL, **OTHERS, **TYPED},
            {"src_key_padding_mask": PADDING},
            dtype=torch.float64,
        ),
        Example(
            [(3, 4)],
            (4, 2),
            SMALL,
            {"src_mask": LATER, "is_causal": True},
            training=False,
        ),
    ],
    "TransformerDecoderLayer": [
        Example([X, X], (4, 2), SMALL),
        Example([X, X], (4, 2), {**SMALL, "activation": torch.tanh}),
        Example(
            [Y, Y],
            (4, 2),
            {**SMALL, **OTHERS, **TYPED},
            {
                "tgt_mask": CAUSAL,
                "tgt_key_padding_mask": PADDING,
                "memory_key_padding_mask": PADDING,
            },
            dtype=torch.float64,
        ),
        Example(
            [(3, 4), (3, 4)],
            (4, 2),
            SMALL,
            {
                "tgt_mask": LATER,
                "tgt_is_causal": True,
                "memory_mask": LATER,
                "memory_is_causal": True,
            },
            training=False,
        ),
    ],
    "TransformerEncoder": [
        Example([Y], (layer(TransformerEncoderLayer), 2)),
        Example(
            [Y],
            (layer(TransformerEncoderLayer), 2, LayerNorm(4)),
            {"enable_nested_tensor": False, "mask_check": False},
            {"src_key_padding_mask": PADDING},
        ),
        Example(
            [(3, 4)],
            (layer(TransformerEncoderLayer), 1),
            forward={"mask": LATER, "is_causal": True},
        ),
    ],
    "TransformerDecoder": [
        Example([Y, Y], (layer(TransformerDecoderLayer), 2)),
        Example(
            [Y, Y],
            (layer(TransformerDecoderLayer), 1, LayerNorm(4)),
            forward={
                "tgt_mask": CAUSAL,
                "memory_mask": CAUSAL,
                "tgt_key_padding_mask": PADDING,
                "memory_key_padding_mask": PADDING,
            },
        ),
        Example(
            [(3, 4), (3, 4)],
            (layer(TransformerDecoderLayer), 1),
            forward={
                "tgt_mask": LATER,
                "tgt_is_causal": True,
                "memory_mask": LATER,
                "memory_is_causal": True,
            },
        ),
    ],
    "Transformer": [
        Example(
            [Y, Y],
            (4, 2, 2, 1),
            {**SMALL, **TYPED, "batch_first": True},
            dtype=torch.float64,
        ),
        Example(
            [Y, Y],
            (4, 2, 1, 2),
            {**SMALL, **OTHERS, **TYPED, "norm_first": False, "bias": True},
            {
                "src_mask": CAUSAL,
                "src_key_padding_mask": PADDING,
                "tgt_mask": CAUSAL,
                "tgt_key_padding_mask": PADDING,
                "memory_mask": CAUSAL,
                "memory_key_padding_mask": PADDING,
            },
            dtype=torch.float64,
        ),
        Example(
            [(3, 4), (3, 4)],
            (4, 2, 1, 1),
            {
                "dim_feedforward": 6,
                "norm_first": True,
                "bias": False,
                "custom_encoder": TransformerEncoder(layer(TransformerEncoderLayer), 1),
            },
            {
                "src_mask": LATER,
                "src_is_causal": True,
                "tgt_mask": LATER,
                "tgt_is_causal": True,
                "memory_mask": LATER,
                "memory_is_causal": True,
            },
        ),
        Example(
            [(3, 4), (3, 4)],
            (4, 2, 1, 1),
            {
                "dim_feedforward": 6,
                "batch_first": True,
                "custom_decoder": TransformerDecoder(layer(TransformerDecoderLayer), 1),
            },
        ),
    ],
}

FUNCTIONS = {}


def by_autograd(g: Tensor, x: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
    def block(x: Tensor) -> Tensor:
        return x + functional.linear(functional.linear(x, w1).relu(), w2)

    back: Tensor = torch.func.vjp(block, x)[1](g)[0]
    return back


def attention_block(x: Tensor, *, is_causal: bool = False) -> Tensor:
    normed = functional.layer_norm(x, x.shape[-1:])
    return x + functional.scaled_dot_product_attention(
        normed, normed, normed, is_causal=is_causal
    )


def causal_layer(x: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
    x = attention_block(x, is_causal=True)
    normed = functional.layer_norm(x, x.shape[-1:])
    return x + functional.linear(functional.linear(normed, w1).relu(), w2)


def on_the_stream(x: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
    added = x + functional.linear(functional.linear(x, w1).relu(), w2)
    return functional.layer_norm(added, added.shape[-1:])


ANSWERS = {
    "transformer-back": by_autograd,
    "transformer-prenorm": attention_block,
    "transformer-layer": causal_layer,
    "transformer-story-postnorm": on_the_stream,
}

MISTAKES = {
    "transformer": {
        "the norm in the other place": ("if self.norm_first:", "if not self.norm_first:"),
        "the norm in the other place, in the decoder": ("self._pre_norm if self.norm_first", "self._pre_norm if not self.norm_first"),
        "nothing is added to the stream": ("x = src + self._sa_block(self.norm1(src)", "x = self._sa_block(self.norm1(src)"),
        "the stream is not normalized": ("self.norm1(src + self._sa_block(src, *masks))", "src + self._sa_block(src, *masks)"),
        "one norm for two": ("self._mha_block(self.norm2(x)", "self._mha_block(self.norm1(x)"),
        "the memory is not read": ("self.multihead_attn(x, mem, mem,", "self.multihead_attn(x, x, x,"),
        "keys and values exchanged with queries": ("self.self_attn(x, x, x,", "self.self_attn(-x, x, x,"),
        "the masks of the memory for the target": ("other = memory, memory_mask,", "other = memory, tgt_mask,"),
        "no activation between the two layers": (
            "self.dropout(activation(self.linear1(x)))",
            "self.dropout(self.linear1(x))",
        ),
        "dropout before the activation": (
            "self.dropout(activation(self.linear1(x)))",
            "activation(self.dropout(self.linear1(x)))",
        ),
        "the last norm forgotten": ("src if self.norm is None else self.norm(src)", "src"),
        "the last norm forgotten, in the decoder": ("tgt if self.norm is None else self.norm(tgt)", "tgt"),
        "the same layer each time": (
            "for layer in self.layers:\n            src",
            "for layer in [self.layers[0]] * len(self.layers):\n            src",
        ),
        "the padding holds what was read": ("src if padding is None else src.masked_fill(padding, 0)", "src"),
        "weights start as they start alone": ("nn.init.xavier_uniform_(parameter)", "pass"),
        "the layers inside stay torch's": ("    nn.Linear: Linear,\n", ""),
        "the blocks are not those of a subclass": (
            "x + self._sa_block(x, *own)",
            "x + _Layer._sa_block(self, x, *own)",
        ),
    },
    "transformer contract": {
        "a default of its own": ("src_is_causal: bool | None = None", "src_is_causal: bool | None = False"),
        "a class without its line": ("    line = READ\n    __init__", "    __init__"),
    },
    "transformer purity": {
        "torch's own attention": ("    nn.MultiheadAttention: MultiheadAttention,\n", ""),
    },
    "conventions.transformer": {
        "tokens see those before them only": ("at[:, None] >= at", "at[:, None] > at"),
        "padding that is not at the end is left out": ("if encoder.mask_check and (", "if False and ("),
        "padding is left out in training": (" or first.training:", ":"),
        "padding is left out for a gradient": ("torch.is_grad_enabled() and tracked", "False"),
        "a causal mask is not looked for": ("return alike and bool", "return False and bool"),
        "what was said is looked up": ("if said is not None or mask is None:", "if mask is None:"),
        "the masks are not added": ("lambda mask: added(mask, call.src.dtype)", "lambda mask: mask"),
        "layers that were handed in are changed": (
            "set(self.modules()) - kept:",
            "set(self.modules()) - {self}:",
        ),
        "children drawn again": (
            "        given = [x for x in (*args",
            "        torch.rand(1)\n        given = [x for x in (*args",
        ),
        "source and target of two batches": ("src.ndim == 2 or src.shape[at] == tgt.shape[at]", "True"),
        "other features": ("src.shape[-1] == tgt.shape[-1] == model.d_model", "src.shape[-1] == model.d_model"),
    },
}  # fmt: skip
