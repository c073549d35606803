"""Language models: `GPT2`, and `Llama`, the same decoder of newer parts.

Not part of `import layerlib`: ``from layerlib.gpt2 import GPT2``. With a folder of
weights, ``python -m layerlib.gpt2 FOLDER "prompt"`` continues a text.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, ModuleList

import layerlib
from layerlib.conventions import pretrained
from layerlib.conventions.gpt2 import (
    SAMPLING,
    GPT2Config,
    LlamaConfig,
    asked,
    ends,
    gpt2_place,
    llama_place,
    spoken,
)  # fmt: skip
from layerlib.conventions.pretrained import ACTIVATIONS, set_apart, tokenizer
from layerlib.decoder import Attention, Block, Decoder, stopped
from layerlib.recipe import Recipe

GATED = Recipe("b n m, b n m -> b n m")


class MLP(Module):
    """``(b, n, e) -> (b, n, e)``: each token by itself, in more features."""

    def __init__(self, features: int, inner: int, activation: str, nn: Any) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(features, inner), nn.Linear(inner, features)
        self.activation = ACTIVATIONS[activation](nn)

    def forward(self, x: Tensor) -> Any:
        """Up, a bend, and down."""
        return self.down(self.activation(self.up(x)))


class GPT2(Decoder):
    """``(b, n) -> (b, n, v)``: GPT-2, which knows a position by a table.

    Args:
        config: its sizes.
        nn: where its layers come from: `layerlib`, `torch.nn`, or your own.

    Source: Radford et al. 2019, "Language models are unsupervised multitask learners".
    """

    model_type, architecture, configuration = "gpt2", "GPT2LMHeadModel", GPT2Config
    place, body = staticmethod(gpt2_place), "transformer."
    ignored = r"\.attn\.(masked_)?bias$"

    def __init__(self, config: GPT2Config, nn: Any = layerlib) -> None:
        super().__init__()
        size, self.longest = (config.vocab_size, config.n_embd), config.n_positions
        self.config, self.tokens = config, nn.Embedding(*size)
        self.position = nn.Embedding(config.n_positions, config.n_embd)
        self.dropout, self.norm = nn.Dropout(config.embd_pdrop), gpt2_norm(config, nn)
        self.blocks = ModuleList(gpt2_block(config, nn) for _ in range(config.n_layer))
        self.head = self.tokens if config.tie_word_embeddings else nn.Embedding(*size)
        self.reset_parameters()

    def embedded(self, tokens: Tensor, positions: Tensor) -> tuple[Any, Sequence[Any]]:
        """``(b, n), (b, n) -> (b, n, e)``: a row for the word, one for the place."""
        return self.dropout(self.tokens(tokens) + self.position(positions)), ()


def gpt2_norm(config: GPT2Config, nn: Any) -> Any:
    """A layer norm."""
    return nn.LayerNorm(config.n_embd, **set_apart(eps=config.layer_norm_epsilon))


def gpt2_block(config: GPT2Config, nn: Any) -> Block:
    """Layer norms, a head in each group, and an MLP."""
    e, heads = config.n_embd, config.n_head
    attention = Attention(e, heads, heads, e // heads, config.attn_pdrop, nn)
    mlp = MLP(e, config.n_inner or 4 * e, config.activation_function, nn)
    norm1, norm2 = gpt2_norm(config, nn), gpt2_norm(config, nn)
    return Block(norm1, attention, norm2, mlp, nn.Dropout(config.resid_pdrop))


def turns(positions: Tensor, size: int, theta: float) -> tuple[Tensor, Tensor]:
    """``(b, n) -> (b, n, 1, e / 2)``: cosine and sine of the angle of each pair."""
    pair = torch.arange(0, size, 2, device=positions.device)
    angle = positions[:, :, None, None] * (1 / theta ** (pair / size))
    return angle.cos(), angle.sin()


class SwiGLU(Module):
    """``(b, n, e) -> (b, n, e)``: an MLP whose bend opens and closes another matrix.

    Source: Shazeer 2020, https://arxiv.org/abs/2002.05202.
    """

    def __init__(
        self, features: int, inner: int, activation: str, nn: Any, **bias: bool
    ) -> None:
        super().__init__()
        self.gate = nn.Linear(features, inner, **bias)
        self.up = nn.Linear(features, inner, **bias)
        self.down = nn.Linear(inner, features, **bias)
        self.activation = ACTIVATIONS[activation](nn)

    def forward(self, x: Tensor) -> Any:
        """The gate, times what it lets through."""
        return self.down(GATED(self.activation(self.gate(x)), self.up(x)))


class Llama(Decoder):
    """``(b, n) -> (b, n, v)``: RMS norms, turned queries and keys, groups and gates.

    Args:
        config: its sizes.
        nn: where its layers come from: `layerlib`, `torch.nn`, or your own.

    Source: Touvron et al. 2023, https://arxiv.org/abs/2302.13971.
    """

    model_type, architecture, configuration = "llama", "LlamaForCausalLM", LlamaConfig
    place, body = staticmethod(llama_place), "model."
    ignored = r"\.rotary_emb\.inv_freq$"

    def __init__(self, config: LlamaConfig, nn: Any = layerlib) -> None:
        super().__init__()
        size, blocks = (config.vocab_size, config.hidden_size), config.num_hidden_layers
        self.config, self.tokens = config, nn.Embedding(*size)
        self.blocks = ModuleList(llama_block(config, nn) for _ in range(blocks))
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.head = self.tokens if config.tie_word_embeddings else nn.Embedding(*size)
        self.reset_parameters()

    def embedded(self, tokens: Tensor, positions: Tensor) -> tuple[Any, Sequence[Any]]:
        """A row for the word; the place turns queries and keys."""
        turn = turns(positions, self.config.head_dim, self.config.rope_theta)
        return self.tokens(tokens), turn


def llama_block(config: LlamaConfig, nn: Any) -> Block:
    """RMS norms, groups of heads, and a SwiGLU."""
    e, heads, groups = config.hidden_size, config.num_attention_heads, config.groups
    norm1, norm2 = (nn.RMSNorm(e, eps=config.rms_norm_eps) for _ in range(2))
    settings: Any = (config.head_dim, config.attention_dropout, nn)
    bias, mlp_bias = set_apart(bias=config.attention_bias), {"bias": config.mlp_bias}
    attention = Attention(e, heads, groups, *settings, **bias)
    mlp = SwiGLU(e, config.intermediate_size, config.hidden_act, nn, **mlp_bias)
    return Block(norm1, attention, norm2, mlp, nn.Identity())


def decoder(folder: str | Path) -> Decoder:
    """The model in a folder, be it a `GPT2` or a `Llama`."""
    kinds: dict[str, type[Decoder]] = {kind.model_type: kind for kind in (GPT2, Llama)}
    settings = pretrained.config(folder, tuple(kinds), "decoder")
    return kinds[settings["model_type"]].from_pretrained(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Continues a text with the model of a folder, and prints each token at once."""
    told = asked(arguments)
    model, words = decoder(told.folder), tokenizer(told.folder)
    prompt = words.encode(told.prompt).ids
    how = {name: getattr(told, name) for name in SAMPLING}
    written = model.written(torch.tensor([prompt]), **how)
    spoken(words, told.prompt, prompt, stopped(written, ends(model.config)))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
