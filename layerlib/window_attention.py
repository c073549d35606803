"""Attention in windows: tokens on a grid read their neighbors, then others' neighbors.

Each layer takes grids with one, two or three axes by the same lines. A line that cuts
an axis is run once for each.
Not part of `import layerlib`: ``from layerlib.vision import SwinTransformer``.
"""
# mypy: disable-error-code="no-any-return"
# What a module returns is Any to mypy.

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import Module
from torch.nn.init import trunc_normal_

import layerlib
from layerlib.conventions.pretrained import set_apart
from layerlib.conventions.signature import convention
from layerlib.conventions.vision import divides, fits_windows
from layerlib.recipe import Rearrange
from layerlib.windows import pad

Sizes: TypeAlias = tuple[int, ...]

TOKENS = Rearrange("b ... c -> b (...) c")
WINDOWS = Rearrange("b (*k) c -> b *k c")
GRID = Rearrange("b (*n c) -> b *n c")
MERGED = Rearrange("b ... -> b (...)")
CUT = Rearrange("b ... (n k c) -> (b n) ... k c")
JOINED = Rearrange("(b n) ... k c -> b ... (n k c)")
NEIGHBORS = Rearrange("b (n k) ... c -> b ... n (k c)")
SEQUENCE = Rearrange("b n c -> n b c")
BATCH = Rearrange("n b c -> b n c")
AS_QUERY = Rearrange("... k c -> ... k 1 c")
AS_SOURCE = Rearrange("... k c -> ... 1 k c")
BY_HEAD = Rearrange("q s head -> head q s")
FOR_EACH = Rearrange("n q s -> n 1 q s")
MASKS = Rearrange("n head q s -> (n head) q s")


def partition(x: Tensor, window: Sizes) -> Tensor:
    """``(b, *n, c) -> (b m, k, c)``: each of the m windows becomes a sequence."""
    grid, x = x.shape[1:-1], MERGED(x)
    for n, k in zip(grid, window, strict=True):
        x = CUT(x, k=k, c=x.shape[-1] // n)
    return TOKENS(x)


def merge(x: Tensor, window: Sizes, grid: Sequence[int]) -> Tensor:
    """``(b m, k, c) -> (b, *n, c)``: windows back on their grid, after `partition`."""
    x = WINDOWS(x, k=window)
    for n, k in zip(reversed(grid), reversed(window), strict=True):
        x = JOINED(x, n=n // k)
    return GRID(x, n=grid)


def shifted(x: Tensor, shift: Sequence[int]) -> Tensor:
    """``(b, *n, c) -> (b, *n, c)``: what leaves on one side enters opposite."""
    return torch.roll(x, tuple(shift), tuple(range(1, len(shift) + 1)))


def extended(x: Tensor, more: Sequence[int]) -> Tensor:
    """``(..., *n) -> (..., *m)``: zeros behind the last axes; where negative, less."""
    return pad(x, [width for n in reversed(more) for width in (0, n)])


def strangers(
    grid: Sequence[int], window: Sizes, shift: Sizes, device: Any = None
) -> Bool[Tensor, "n q s"]:
    """``() -> (m, q, s)``: True where only the shift has brought two tokens together.

    The last `shift` places of an axis hold what has come round its edge. Two tokens of
    one window belong apart, if along some axis one of them has and the other has not.

    >>> strangers((4,), (2,), (1,)).int().tolist()  # the tokens 1 2, then 3 0
    [[[0, 0], [0, 0]], [[0, 1], [1, 0]]]
    """
    places = [torch.arange(n, device=device) for n in grid]
    edges = [at >= len(at) - k for at, k in zip(places, shift, strict=True)]
    came = torch.stack(torch.meshgrid(*edges, indexing="ij"), -1)
    came = partition(came[None], window)
    return (AS_QUERY(came) != AS_SOURCE(came)).any(-1)


def steps(window: Sizes) -> Int[Tensor, "q s"]:
    """``() -> (q, s)``: which step leads from source to query, by its number.

    A window with k places has 2 k - 1 steps along its axis, from 1 - k to k - 1. The
    steps along several axes are numbered row by row.

    >>> steps((3,))
    tensor([[2, 1, 0],
            [3, 2, 1],
            [4, 3, 2]])
    """
    axes = torch.meshgrid(*map(torch.arange, window), indexing="ij")
    (place,) = TOKENS(torch.stack(axes, -1)[None])
    step = AS_QUERY(place) - AS_SOURCE(place) + torch.tensor(window) - 1
    counts = [2 * k - 1 for k in window]
    number = torch.arange(math.prod(counts)).reshape(counts)
    return number[step.unbind(-1)]


def neighbors(x: Tensor, size: Sizes) -> Tensor:
    """``(b, *n, c) -> (b, *m, k c)``: each few tokens become one, features joined."""
    for k in size:
        x = NEIGHBORS(x, k=k)
    return x


class SelfAttention(Module):
    """``(b, n, c) -> (b, n, c)``: each token reads all tokens."""

    def __init__(
        self, features: int, heads: int, dropout: float = 0.0, nn: Any = layerlib
    ) -> None:
        super().__init__()
        divides("SelfAttention", heads, features)
        settings = set_apart(dropout=dropout)
        self.attention = nn.MultiheadAttention(features, heads, **settings)

    def forward(
        self, x: Float[Tensor, "b n c"], mask: Tensor | None = None
    ) -> Float[Tensor, "b n c"]:
        """What the tokens read; a mask is added to the scores."""
        x = SEQUENCE(x)
        return BATCH(self.attention(x, x, x, attn_mask=mask)[0])


class RelativePosition(Module):
    """``() -> (head, q, s)``: what a step is worth, by head.

    Source: https://arxiv.org/abs/2103.14030, section 3.2, equation 4.
    """

    index: Tensor

    def __init__(self, window: Sizes, heads: int, nn: Any = layerlib) -> None:
        super().__init__()
        self.table = nn.Embedding(math.prod(2 * k - 1 for k in window), heads)
        trunc_normal_(self.table.weight, std=0.02)
        self.register_buffer("index", steps(window), persistent=False)

    def forward(self) -> Float[Tensor, "head q s"]:
        """The row of the table for each pair, the heads first."""
        return BY_HEAD(self.table(self.index))


class WindowAttention(Module):
    """``(b, *n, c) -> (b, *n, c)``: each token reads those of its window.

    Zeros behind the grid make its windows whole. They are read like tokens, as in the
    models that others have trained. Where one window holds an axis, nothing is shifted.

    Args:
        features: of each token.
        heads: how many read at once; each has so many of the features.
        window: how many tokens it holds along each axis.
        shift: how far the windows lie from their first place, along each axis.
        dropout: the probability with which a weight is left out in training.
        nn: where the layers come from.

    Raises:
        ValueError: the heads do not divide the features.

    Source: https://arxiv.org/abs/2103.14030, section 3.2.
    """

    def __init__(
        self, features: int, heads: int, window: Sizes, shift: Sizes,
        dropout: float = 0.0, nn: Any = layerlib,
    ) -> None:  # fmt: skip
        super().__init__()
        self.window, self.shift = window, shift
        self.attention = SelfAttention(features, heads, dropout, nn)
        self.bias = RelativePosition(window, heads, nn)

    @convention(fits_windows)
    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Shift, cut, read, join, shift back."""
        more = [-n % k for n, k in zip(x.shape[1:-1], self.window, strict=True)]
        shift = self.shift_on(x.shape[1:-1])
        moved = shifted(extended(x, (*more, 0)), [-k for k in shift])
        mask = self.mask(moved, shift)
        read = self.attention(partition(moved, self.window), mask)
        joined = merge(read, self.window, moved.shape[1:-1])
        return extended(shifted(joined, shift), [-n for n in (*more, 0)])

    def shift_on(self, grid: Sequence[int]) -> Sizes:
        """The shift, or none where one window holds an axis of the grid."""
        small = any(n <= k for n, k in zip(grid, self.window, strict=True))
        return (0,) * len(grid) if small else self.shift

    def mask(self, x: Tensor, shift: Sizes) -> Float[Tensor, "... q s"]:
        """``(b, *n, c) -> (b m head, q, s)``: what is added to the scores.

        The bias of each step, and minus infinity between tokens that belong apart.
        """
        apart = strangers(x.shape[1:-1], self.window, shift, x.device)
        each = torch.where(FOR_EACH(apart), -torch.inf, self.bias())
        return MASKS(each).repeat(len(x), 1, 1)


class PatchMerging(Module):
    """``(b, *n, c) -> (b, *m, 2 c)``: two neighbors along each axis become one token.

    Source: https://arxiv.org/abs/2103.14030, section 3.1.
    """

    def __init__(self, features: int, axes: int = 2, nn: Any = layerlib) -> None:
        super().__init__()
        self.size = (2,) * axes
        self.norm = nn.LayerNorm(2**axes * features)
        self.reduction = nn.Linear(2**axes * features, 2 * features, bias=False)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The neighbors' features side by side, mixed down; a last one meets zeros."""
        more = [n % 2 for n in x.shape[1:-1]]
        joined = neighbors(extended(x, (*more, 0)), self.size)
        return self.reduction(self.norm(joined))
