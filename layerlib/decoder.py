"""Decoders: tokens read those before them, and each guesses the one that comes next.

What `gpt2` and its successors share: attention with a cache, a stream through blocks,
and writing. Not part of `import layerlib`.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import Module, init

import layerlib
from layerlib.activation import softmax
from layerlib.conventions import pretrained
from layerlib.conventions.gpt2 import (
    dice,
    ends,
    fits_generation,
    fits_tokens,
    progress,
    understood,
    written_down,
)  # fmt: skip
from layerlib.conventions.signature import convention
from layerlib.recipe import Rearrange, Recipe

QUERIES = Rearrange("b n (g head e) -> b g head n e")
SHARED = Rearrange("b n (g e) -> b g n e")
SCORES = Recipe("b g head q e, b g s e -> b g head q s")
READ = Recipe("b g head q s, b g s e -> b g head q e")
MERGED = Rearrange("b g head q e -> b q (g head e)")
PAIRS = Rearrange("b n (head pair e) -> pair b n head e")
JOINED = Rearrange("pair b n head e -> b n (head pair e)")
LOGITS = Recipe("v e, b n e -> b n v")


class KeysValues:
    """What a block has worked out of the tokens so far: ``(b, g, s, e)``, twice."""

    def __init__(self) -> None:
        self.kept: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        """The number of tokens."""
        return self.kept[0].shape[2] if self.kept else 0

    def grown(self, *new: Tensor) -> tuple[Tensor, ...]:
        """Those of all tokens, the new ones last."""
        both = zip(self.kept, new, strict=True) if self.kept else [(x,) for x in new]
        self.kept = tuple(torch.cat(pair, 2) for pair in both)
        return self.kept


def seen(attention_mask: Tensor, n: int) -> Tensor:
    """``(b, s) -> (b, 1, 1, n, s)``: what each of the last `n` tokens may read.

    Nothing that comes later and no padding; but all read themselves, since the weights
    of nothing have no sum.
    """
    at = torch.arange(attention_mask.shape[1], device=attention_mask.device)
    own = at[-n:, None]
    sees = (at < own) & attention_mask[:, None] | (at == own)
    return sees[:, None, None]


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """``(b, n, head e) -> (b, n, head e)``: feature i and i + e / 2 turn together.

    The product of a query and a key that were turned depends on the distance of their
    positions alone.

    Source: Su et al. 2021, https://arxiv.org/abs/2104.09864.
    """
    first, second = PAIRS(x, pair=2, e=cos.shape[-1])
    cos, sin = cos.type_as(x), sin.type_as(x)
    turned = [first * cos - second * sin, second * cos + first * sin]
    return JOINED(torch.stack(turned))


class Attention(Module):
    """``(b, n, e) -> (b, n, e)``: each head reads what came before.

    The heads of a group share keys and values: with a head in each group it is the
    attention of 2017, with one group that of 2019.

    Source: https://arxiv.org/abs/1706.03762; https://arxiv.org/abs/2305.13245.
    """

    def __init__(
        self, features: int, heads: int, groups: int, size: int, dropout: float,
        nn: Any, **bias: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.groups, self.size = groups, size
        self.query = nn.Linear(features, heads * size, **bias)
        self.key = nn.Linear(features, groups * size, **bias)
        self.value = nn.Linear(features, groups * size, **bias)
        self.output = nn.Linear(heads * size, features, **bias)
        self.softmax, self.dropout = nn.Softmax(dim=-1), nn.Dropout(dropout)

    def forward(
        self, x: Tensor, sees: Tensor, turn: Sequence[Tensor] = (), cache: Any = None
    ) -> Any:
        """Scores, a softmax and a read; before them queries and keys may turn."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        if turn:
            query, key = rotated(query, *turn), rotated(key, *turn)
        query = QUERIES(query, g=self.groups, e=self.size)
        key, value = (SHARED(y, g=self.groups) for y in (key, value))
        key, value = (key, value) if cache is None else cache.grown(key, value)
        read = READ(self.weights(query, key, sees), value)
        return self.output(MERGED(read))

    def weights(self, query: Tensor, key: Tensor, sees: Tensor) -> Any:
        """``(b, g, head, q, e), (b, g, s, e) -> (b, g, head, q, s)``: sums are 1."""
        scores = SCORES(query * (1 / math.sqrt(self.size)), key)
        return self.dropout(self.softmax(scores.masked_fill(~sees, -math.inf)))


class Block(Module):
    """``(b, n, e) -> (b, n, e)``: tokens read, then each is worked on; both add."""

    def __init__(
        self, norm1: Module, attention: Module, norm2: Module, mlp: Module,
        dropout: Module,
    ) -> None:  # fmt: skip
        super().__init__()
        self.norm1, self.attention, self.dropout = norm1, attention, dropout
        self.norm2, self.mlp = norm2, mlp

    def forward(self, x: Tensor, *where: Any) -> Any:
        """The stream, with what both have added to it."""
        x = x + self.dropout(self.attention(self.norm1(x), *where))
        return x + self.dropout(self.mlp(self.norm2(x)))


class Decoder(Module):
    """``(b, n) -> (b, n, v)``: what `GPT2` and `Llama` share; each of them builds it.

    Attributes:
        longest: how many tokens it can see, if that is limited.
    """

    model_type: ClassVar[str]
    architecture: ClassVar[str]  # as `transformers` calls it
    configuration: ClassVar[type]
    place: ClassVar[Any]  # where a folder has a parameter
    body: ClassVar[str]  # what names in a folder begin with, but those of the head
    ignored: ClassVar[str]  # what folders have besides parameters

    longest: int | None = None
    config: Any
    tokens: Any
    blocks: Any
    norm: Any
    head: Any

    def reset_parameters(self) -> None:
        """Draws new initial values: smaller ones where much is added to the stream."""
        std = self.config.initializer_range
        for name, parameter in self.named_parameters():
            adds = "output" in name or "down" in name
            if parameter.ndim == 2:
                few = math.sqrt(2 * len(self.blocks)) if adds else 1
                init.normal_(parameter, std=std / few)
            elif name.endswith("bias"):
                init.zeros_(parameter)

    def embedded(self, tokens: Tensor, positions: Tensor) -> tuple[Any, Sequence[Any]]:
        """``(b, n), (b, n) -> (b, n, e), ...``: the stream's beginning, and turns."""
        raise NotImplementedError

    @convention(fits_tokens)
    def stream(
        self,
        tokens: Int[Tensor, "..."],
        attention_mask: Shaped[Tensor, "..."] | None = None,
        cache: Any = None,
    ) -> list[Tensor]:
        """``(b, n) -> (b, n, e), ...``: what flows into each block; out of the last."""
        mask: Any = attention_mask
        positions = (mask.cumsum(1) - 1).clamp_min(0)[:, -tokens.shape[1] :]
        x, turn = self.embedded(tokens, positions)
        stream, sees = [x], seen(mask, tokens.shape[1])
        caches = cache or [None] * len(self.blocks)
        for block, kept in zip(self.blocks, caches, strict=True):
            stream.append(block(stream[-1], sees, turn, kept))
        return stream

    def scores(self, x: Float[Tensor, "b n e"]) -> Float[Tensor, "b n v"]:
        """How well each word fits what flows out of the last block."""
        return LOGITS(self.head.weight, self.norm(x))

    def forward(
        self,
        tokens: Int[Tensor, "..."],
        attention_mask: Shaped[Tensor, "..."] | None = None,
        cache: Any = None,
    ) -> Float[Tensor, "..."]:
        """After each token, the scores of all words to come next.

        Args:
            tokens: whole numbers; with a cache, those that are not in it.
            attention_mask: True or 1 where there is a token, also one in the cache,
                and False or 0 where there is padding, on the left; None for no padding.
            cache: of `cache()`; the call puts its tokens there.

        Raises:
            ValueError: a shape does not fit, or there are too many tokens.
        """
        return self.scores(self.stream(tokens, attention_mask, cache)[-1])

    def cache(self) -> list[KeysValues]:
        """For each block an empty one."""
        return [KeysValues() for _ in self.blocks]

    @convention(fits_generation)
    @torch.no_grad()
    def written(
        self,
        tokens: Int[Tensor, "..."],
        attention_mask: Shaped[Tensor, "..."] | None = None,
        *,
        count: int,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        cached: bool = True,
    ) -> Iterator[Tensor]:
        """``(b, n) -> (b, 1), ...``: `count` tokens, each as soon as it is written."""
        mask: Any = attention_mask
        cache, draw = self.cache() if cached else None, dice(seed, tokens)
        for _ in range(count):
            last = self.stream(tokens, mask, cache)[-1][:, -1:]
            scores = self.scores(last)[:, 0]
            yield (token := pick(scores, draw, temperature, top_k, top_p))
            tokens = token if cached else torch.cat([tokens, token], 1)
            mask = torch.cat([mask, mask[:, -1:]], 1)

    def generate(
        self,
        tokens: Int[Tensor, "..."],
        attention_mask: Shaped[Tensor, "..."] | None = None,
        *,
        count: int,
        **how: Any,
    ) -> Int[Tensor, "..."]:
        """``(b, n) -> (b, n + count)``: the tokens, continued, until all texts end.

        Args:
            tokens: how the texts begin.
            attention_mask: 0 or False where there is padding, on the left.
            count: how many tokens are written at most.
            how: `temperature` 0 takes the likeliest token; otherwise it divides the
                scores and one is drawn, among the `top_k` likeliest, or those that
                together reach the probability `top_p`. One `seed`, one text. With
                `cached=False` all is worked out again for each token.

        Raises:
            ValueError: the model cannot see as many tokens, or a setting is no such.
        """
        written = self.written(tokens, attention_mask, count=count, **how)
        new = stopped(progress(written, count), ends(self.config))
        return torch.cat([tokens, *new], 1)

    @classmethod
    def from_pretrained(cls, folder: str | Path, nn: Any = layerlib) -> "Decoder":
        """The model in a folder that `transformers` has saved, in evaluation.

        ``config.json``, and ``model.safetensors`` or its shards. All layers are taken
        from `nn`.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: a file is damaged, or of another model; what is missing,
                unexpected or of another shape is said.
        """
        settings = pretrained.config(folder, cls.model_type, cls.__name__)
        known = understood(settings, cls.__name__)
        model = cls(pretrained.chosen(cls.configuration, known), nn)
        rest = {"prefix": cls.body, "ignored": cls.ignored}
        pretrained.load(model, folder, cls.place, **rest)
        return model.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes what `from_pretrained` reads, and `transformers` as well."""
        told = written_down(self.config, self.model_type, self.architecture)
        pretrained.save(self, folder, told, type(self).place)


def pick(
    scores: Tensor, draw: Any = None, temperature: float = 0.0,
    top_k: int | None = None, top_p: float | None = None,
) -> Tensor:  # fmt: skip
    """``(b, v) -> (b, 1)``: the likeliest word, or one that is drawn."""
    if temperature == 0:
        return scores.argmax(-1, keepdim=True)
    scores = best(scores / temperature, top_k)
    probabilities = softmax(likeliest(scores, top_p), -1)
    return torch.multinomial(probabilities, 1, generator=draw)


def best(scores: Tensor, top_k: int | None) -> Tensor:
    """``(b, v) -> (b, v)``: minus infinity for all but the `top_k` best."""
    if top_k is None or top_k >= scores.shape[-1]:
        return scores
    worst = scores.topk(top_k).values[:, -1:]
    return scores.masked_fill(scores < worst, -math.inf)


def likeliest(scores: Tensor, top_p: float | None) -> Tensor:
    """``(b, v) -> (b, v)``: minus infinity for the tail beyond `top_p`.

    Source: Holtzman et al. 2020, https://arxiv.org/abs/1904.09751.
    """
    if top_p is None:
        return scores
    rising, order = scores.sort(-1)
    below = softmax(rising, -1).cumsum(-1) <= 1 - top_p
    tail = torch.zeros_like(below).scatter(-1, order, below)
    return scores.masked_fill(tail & (scores < rising[:, -1:]), -math.inf)


def stopped(written: Iterator[Tensor], ends: list[int]) -> Iterator[Tensor]:
    """The same tokens until all texts have ended; one that has repeats its end."""
    ended = torch.tensor(data=False)
    for token in written:
        told = torch.where(ended, ends[0], token)
        ended = ended | torch.isin(told, token.new_tensor(ends))
        yield told
        if ended.all():
            return
