"""What the language models expect, and how their parameters are called in a folder."""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.call import Call
from layerlib.conventions.expect import expect
from layerlib.conventions.pretrained import ACTIVATIONS, Place

LONG = 100
"""From how many tokens on a progress bar is shown, where somebody looks on."""


class _Config:
    """What both configurations check."""

    def _check(self, activation: str, *sizes: str) -> None:
        name = type(self).__name__
        for size in sizes:
            found = getattr(self, size)
            right = isinstance(found, int) and found > 0
            expect(name, right, f"{size} of at least 1", found)
        told = f"an activation of {', '.join(ACTIVATIONS)}"
        expect(name, activation in ACTIVATIONS, told, activation)


@dataclass
class GPT2Config(_Config):
    """The sizes of a `GPT2`, by the names in config.json; by default those of GPT-2.

    Raises:
        ValueError: a size is not positive, the heads do not divide the features, or
            the activation is unknown.
    """

    vocab_size: int = 50257
    n_positions: int = 1024  # tokens that it can see at most
    n_embd: int = 768  # features of a token
    n_layer: int = 12  # blocks
    n_head: int = 12
    n_inner: int | None = None  # features within the MLP; None is 4 times n_embd
    activation_function: str = "gelu_new"
    resid_pdrop: float = 0.1  # dropout before what is added to the stream
    embd_pdrop: float = 0.1  # dropout of the stream where it begins
    attn_pdrop: float = 0.1  # dropout of the weights of attention
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02  # standard deviation of the initial weights
    tie_word_embeddings: bool = True  # the table that is read gives the scores, too
    eos_token_id: int | Sequence[int] | None = 50256  # ends a text

    def __post_init__(self) -> None:
        sizes = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
        self._check(self.activation_function, *sizes)
        fits = self.n_embd % self.n_head == 0
        told = f"an n_head that divides {self.n_embd} features"
        expect("GPT2Config", fits, told, self.n_head)


@dataclass
class LlamaConfig(_Config):
    """The sizes of a `Llama`, by the names in config.json; by default Llama 2's of 7B.

    Raises:
        ValueError: as for `GPT2Config`; the groups do not divide the heads; a head has
            an odd number of features.
    """

    vocab_size: int = 32000
    hidden_size: int = 4096  # features of a token
    intermediate_size: int = 11008  # features within the MLP
    num_hidden_layers: int = 32  # blocks
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None  # groups of heads that share; None is heads
    head_dim: int | None = None  # features of a head; None shares out hidden_size
    hidden_act: str = "silu"
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0  # the slowest pair turns by about 1 / theta a token
    attention_bias: bool = False
    mlp_bias: bool = False
    attention_dropout: float = 0.0
    initializer_range: float = 0.02
    tie_word_embeddings: bool = False
    eos_token_id: int | Sequence[int] | None = 2

    @property
    def groups(self) -> int:
        """The number of groups of heads that share keys and values."""
        return self.num_key_value_heads or self.num_attention_heads

    def __post_init__(self) -> None:
        heads = self.num_attention_heads
        self.num_key_value_heads = self.num_key_value_heads or heads
        self.head_dim = self.head_dim or self.hidden_size // max(heads, 1)
        sizes = (
            "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
            "num_attention_heads", "num_key_value_heads", "head_dim",
        )  # fmt: skip
        self._check(self.hidden_act, *sizes)
        told = f"a num_key_value_heads that divides {heads} heads"
        fits = heads % self.num_key_value_heads == 0
        expect("LlamaConfig", fits, told, self.num_key_value_heads)
        told = "an even head_dim: features turn in pairs"
        expect("LlamaConfig", self.head_dim % 2 == 0, told, self.head_dim)


FIXED: dict[str, dict[str, Any]] = {
    "gpt2": {
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
        "add_cross_attention": False,
    },
    "llama": {"rope_scaling": None, "rope_type": "default", "pretraining_tp": 1},
}
"""Settings of config.json that would change the result, and that these models lack."""


def understood(settings: dict[str, Any], model: str) -> dict[str, Any]:
    """Settings of config.json, without the ones that a model cannot follow.

    Raises:
        ValueError: one of these is set.
    """
    flat = settings | (settings.get("rope_parameters") or {})
    for key, value in FIXED[settings["model_type"]].items():
        told = f"{key} {value!r} in config.json"
        found = flat.get(key, value)
        expect(f"{model}.from_pretrained", found == value, told, repr(found))
    return flat


def written_down(config: Any, model_type: str, architecture: str) -> dict[str, Any]:
    """What `transformers` wants to read in config.json."""
    told = asdict(config)
    if "rope_theta" in told:
        theta = told.pop("rope_theta")
        told["rope_parameters"] = {"rope_type": "default", "rope_theta": theta}
    return {"model_type": model_type, "architectures": [architecture], **told}


GPT2_NAMES = {
    r"^tokens\.": "transformer.wte.",
    r"^position\.": "transformer.wpe.",
    r"^blocks\.": "transformer.h.",
    r"^norm\.": "transformer.ln_f.",
    r"^head\.": "lm_head.",
    r"\.norm(.)\.": r".ln_\1.",
    r"attention\.output": "attn.c_proj",
    r"attention\.(query|key|value)": "attn.c_attn",
    r"mlp\.up": "mlp.c_fc",
    r"mlp\.down": "mlp.c_proj",
}
"""What our names of parameters become in a folder of a GPT-2."""

LLAMA_NAMES = {
    r"^(tokens)\.": r"model.embed_\1.",
    r"^blocks\.": "model.layers.",
    r"^norm\.": "model.norm.",
    r"^head\.": "lm_head.",
    r"\.norm1\.": ".input_layernorm.",
    r"\.norm2\.": ".post_attention_layernorm.",
    r"attention\.(.).*\.": r"self_attn.\1_proj.",
    r"mlp\.(\w+)\.": r"mlp.\1_proj.",
}
"""What our names of parameters become in a folder of a Llama."""


def _renamed(parameter: str, names: dict[str, str]) -> str:
    for ours, theirs in names.items():
        parameter = re.sub(ours, theirs, parameter)
    return parameter


def gpt2_place(parameter: str) -> Place:
    """Queries, keys and values stand side by side, and matrices the other way round.

    >>> gpt2_place("blocks.0.attention.key.weight")
    Place(name='transformer.h.0.attn.c_attn.weight', transposed=True, part=1, parts=3)
    """
    layer = re.search(r"(attention|mlp)\.(\w+)\.(weight)?", parameter)
    thirds = ("query", "key", "value")
    which = layer[2] if layer else ""
    third = {"part": thirds.index(which), "parts": 3} if which in thirds else {}
    turned = bool(layer and layer[3])
    return Place(_renamed(parameter, GPT2_NAMES), transposed=turned, **third)


def llama_place(parameter: str) -> str:
    """The name alone differs.

    >>> llama_place("blocks.0.attention.key.weight")
    'model.layers.0.self_attn.k_proj.weight'
    """
    return _renamed(parameter, LLAMA_NAMES)


def fits_tokens(call: Call) -> None:
    """Whole numbers (b, n), a mask of all tokens so far, no more than have a place."""
    model, tokens, cache = call.self, call.tokens, call.cache
    told = "tokens of shape (batch, n), n at least 1"
    call.expect(tokens.ndim == 2 and tokens.numel() > 0, told, tuple(tokens.shape))
    told = f"a cache of {len(model.blocks)} blocks"
    call.expect(cache is None or len(cache) == len(model.blocks), told, cache)
    batch, n = tokens.shape
    n += 0 if cache is None else len(cache[0])
    told = f"at most {model.longest} tokens, the cached ones among them"
    call.expect(model.longest is None or n <= model.longest, told, n)
    if call.attention_mask is None:
        call.attention_mask = torch.ones_like(tokens[:, :1]).expand(batch, n)
    call.shaped("attention_mask", (batch, n))
    call.attention_mask = call.attention_mask.bool()


def fits_generation(call: Call) -> None:
    """A number of tokens that still have a place, and settings of sampling."""
    call.expect(call.count >= 0, "a count of at least 0", call.count)
    if call.attention_mask is None:
        call.attention_mask = torch.ones_like(call.tokens)
    longest, n = call.self.longest, call.tokens.shape[-1] + call.count
    told = f"at most {longest} tokens, given and written"
    call.expect(longest is None or n <= longest, told, n)
    told = "a temperature of at least 0"
    call.expect(call.temperature >= 0, told, call.temperature)
    top_k, top_p = call.top_k, call.top_p
    call.expect(top_k is None or top_k >= 1, "a top_k of at least 1", top_k)
    right = top_p is None or 0 < top_p <= 1
    call.expect(right, "a top_p above 0 and at most 1", top_p)


def ends(config: Any) -> list[int]:
    """The tokens that end a text; where there are none, a number that no token has."""
    found = config.eos_token_id
    return [found] if isinstance(found, int) else list(found or [-1])


def dice(seed: int | None, like: Tensor) -> torch.Generator | None:
    """What is drawn with: for one seed the same; for None, torch's own."""
    return None if seed is None else torch.Generator(like.device).manual_seed(seed)


def progress(tokens: Iterable[Tensor], count: int) -> Iterator[Tensor]:
    """A bar on a terminal, where it takes long."""
    from tqdm import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415

    hidden = None if count >= LONG else True  # None: where nobody looks on
    return iter(tqdm(tokens, total=count, leave=False, disable=hidden))


SAMPLING = "count", "temperature", "top_k", "top_p", "seed"
"""What of the command line `written` is told."""


def asked(arguments: Sequence[str] | None) -> Namespace:
    """The command line."""
    parser = ArgumentParser("python -m layerlib.gpt2", description="Continues a text.")
    parser.add_argument("folder", help="config.json, *.safetensors, tokenizer.json")
    parser.add_argument("prompt", help="how the text begins")
    parser.add_argument("--count", type=int, default=100, help="tokens that it writes")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy")
    parser.add_argument("--top-k", type=int, help="draw among the k likeliest")
    parser.add_argument("--top-p", type=float, help="draw among those of probability p")
    parser.add_argument("--seed", type=int, help="the same text again")
    return parser.parse_args(arguments)


def spoken(words: Any, text: str, ids: list[int], written: Iterable[Tensor]) -> None:
    """Prints a text and what is written after it, as soon as a character is whole."""
    from tokenizers.decoders import DecodeStream  # noqa: PLC0415

    stream = DecodeStream(ids=ids, skip_special_tokens=True)
    print(text, end="", flush=True)
    for token in written:
        print(stream.step(words, int(token)) or "", end="", flush=True)
    print()
