"""The operations of einx's page "Common neural network operations", and ours beside.

Each entry: a module of ours with its parameters, the page's own lines on the same
parameters, and the shapes at which both are measured. The page is written for an older
einx; where version 0.4 writes an operation otherwise, the lines are its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import einx
import torch
from torch import Tensor
from torch.nn import Module, Parameter

import layerlib
from layerlib.activation import softmax
from layerlib.attention import READ, SCORES
from layerlib.mixer import LayerScale
from layerlib.recipe import Rearrange, Recipe
from layerlib.vision import ClassToken, PositionalEmbedding
from layerlib.window_attention import TOKENS, merge, partition, shifted

HEADS = Rearrange("b n (head e) -> b head n e")
TOGETHER = Rearrange("b head n e -> b n (head e)")
GRID = Rearrange("b (*n) c -> b *n c")
MIX = Recipe("b n c, n m -> b m c")
HEAD_COUNT = 8
WINDOW, SHIFT = (7, 7), (3, 3)
GRID_SIZE = (14, 14)


class Words(Module):
    """``(b, n) -> (b, n, e)``: the rows of a table, for numbers drawn below one."""

    def __init__(self, words: int, features: int) -> None:
        super().__init__()
        self.table = layerlib.Embedding(words, features)

    def words(self, drawn: Tensor) -> Tensor:
        """Whole numbers out of drawn ones."""
        count = self.table.num_embeddings
        return (drawn.detach().abs() * 1e4).long() % count

    def forward(self, drawn: Tensor) -> Tensor:
        """The row of each word."""
        return self.table(self.words(drawn))


class Attention(Module):
    """``(b, q, (h e)), (b, s, (h e)), (b, s, (h e)) -> (b, q, (h e))``, not scaled."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """What each head reads, side by side."""
        query, key, value = (HEADS(x, head=HEAD_COUNT) for x in (query, key, value))
        weights = softmax(SCORES(query, key), -1)
        return TOGETHER(READ(weights, value))


class Windows(Module):
    """``(b, *n, c) -> (b m, k, c)``: shifted, and cut into windows."""

    def forward(self, x: Tensor) -> Tensor:
        """The windows one after the other."""
        return partition(shifted(x, [-k for k in SHIFT]), WINDOW)


class Back(Module):
    """``(b m, k, c) -> (b, *n, c)``: windows of a 14 x 14 grid, unshifted."""

    def forward(self, x: Tensor) -> Tensor:
        """The grid."""
        return shifted(merge(x, WINDOW, GRID_SIZE), SHIFT)


class Mixing(Module):
    """``(b, *n, c) -> (b, *n, c)``: a weight along the tokens, and one back."""

    def __init__(self, tokens: int, hidden: int) -> None:
        super().__init__()
        self.first = Parameter(torch.randn(tokens, hidden) / tokens**0.5)
        self.second = Parameter(torch.randn(hidden, tokens) / hidden**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens in one row are mixed twice, and lie on their grid again."""
        y = MIX(MIX(TOKENS(x), self.first), self.second)
        return GRID(y, n=GRID_SIZE)


def class_token(own: Any, x: Tensor) -> Any:
    """The token comes first, so it is told first."""
    return einx.id("c, b s... c -> b (1 + (s...)) c", own.token, x)


def layer_norm(own: Any, x: Tensor) -> Any:
    """The page's lines, but for `einx.var`, which on torch divides by n - 1."""
    centered = x - einx.mean("... [c] -> ... 1", x)
    variance = einx.mean("... [c] -> ... 1", centered * centered)
    y = centered * torch.rsqrt(variance + own.eps)
    return einx.add("... c, c", einx.multiply("... c, c", y, own.weight), own.bias)


def attention(_: Any, query: Tensor, key: Tensor, value: Tensor) -> Any:
    """The page's three lines."""
    scores = einx.dot("b q (h c), b k (h c) -> b q k h", query, key, h=HEAD_COUNT)
    weights = einx.softmax("b q [k] h", scores)
    return einx.dot("b q k h, b k (h c) -> b q (h c)", weights, value)


def windows(_: Any, x: Tensor) -> Any:
    """Shift and partition."""
    x = einx.roll("b [...] c", x, shift=tuple(-k for k in SHIFT))
    return einx.id("b (s w)... c -> (b s...) (w...) c", x, w=WINDOW[0])


def back(_: Any, x: Tensor) -> Any:
    """Merge and unshift."""
    s = tuple(n // k for n, k in zip(GRID_SIZE, WINDOW, strict=True))
    x = einx.id("(b s...) (w...) c -> b (s w)... c", x, s=s, w=WINDOW)
    return einx.roll("b [...] c", x, shift=SHIFT)


def mixing(own: Any, x: Tensor) -> Any:
    """A matrix product along the spatial axes, and one back."""
    first = einx.id("(s...) m -> s... m", own.first, s=GRID_SIZE)
    second = einx.id("m (s...) -> m s...", own.second, s=GRID_SIZE)
    y = einx.dot("b [s...] c, [s...] m -> b m c", x, first)
    return einx.dot("b [m] c, [m] s... -> b s... c", y, second)


class Operation(NamedTuple):
    """An operation of the page: ours, the page's, and the shapes of its inputs."""

    build: Callable[[], Module]
    written: Callable[..., Any]
    shapes: list[tuple[int, ...]]


PAGE = {
    "LayerScale": Operation(
        lambda: LayerScale(96),
        lambda own, x: einx.multiply("... c, c", x, own.scale),
        [(8, 56, 56, 96)],
    ),
    "Class token": Operation(
        lambda: ClassToken(384), class_token, [(16, *GRID_SIZE, 384)]
    ),
    "Positional embedding": Operation(
        lambda: PositionalEmbedding(*GRID_SIZE, 384),
        lambda own, x: einx.add("b s... c, s... c", x, own.position),
        [(16, *GRID_SIZE, 384)],
    ),
    "Word embedding": Operation(
        lambda: Words(10000, 256),
        lambda own, x: einx.get_at(
            "[v] c, b t -> b t c", own.table.weight, own.words(x)
        ),
        [(32, 128)],
    ),
    "Layer normalization": Operation(
        lambda: layerlib.LayerNorm(384), layer_norm, [(16, 196, 384)]
    ),
    "Multihead attention": Operation(Attention, attention, [(8, 196, 384)] * 3),
    "Shifted windows": Operation(Windows, windows, [(16, *GRID_SIZE, 384)]),
    "Shifted windows, and back": Operation(Back, back, [(64, 49, 384)]),
    "MLP along spatial axes": Operation(
        lambda: Mixing(196, 384), mixing, [(16, *GRID_SIZE, 384)]
    ),
}
