"""The exercises on transformers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.attention import READ, SCORES
from layerlib.linear import linear

SIZE, INNER = 64, 256
WEIGHTS = 2 * 4 * SIZE * SIZE + 2 * SIZE * INNER
BIASES = 2 * 4 * SIZE + INNER + SIZE
NORMS = 3 * 2 * SIZE


def _norm(x: Tensor) -> Tensor:
    centered = x - x.mean(-1, keepdim=True)
    return centered / (centered.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def _unit(x: Tensor) -> Tensor:
    return x / x.square().sum(-1, keepdim=True).sqrt()


def _read(
    x: Tensor, value: Tensor, *, causal: bool = False, power: float = 0.5
) -> Tensor:
    scores = SCORES(x, x) / x.shape[-1] ** power
    if causal:
        later = torch.ones_like(scores, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, -math.inf)
    return READ(scores.softmax(-1), value)


def _pre_norm(x: Tensor) -> Tensor:
    normed = _norm(x)
    return x + _read(normed, normed)


def _feed_forward(x: Tensor, weight1: Tensor, weight2: Tensor) -> Tensor:
    return linear(linear(x, weight1).relu(), weight2)


def _way_back(gradient: Tensor, x: Tensor, weight1: Tensor, weight2: Tensor) -> Tensor:
    back = linear(gradient, weight2.mT) * (linear(x, weight1) > 0)
    return gradient + linear(back, weight1.mT)


def _two_blocks(x: Tensor, weight1: Tensor, weight2: Tensor) -> Tensor:
    normed = _norm(x)
    x = x + _read(normed, normed, causal=True)
    return x + _feed_forward(_norm(x), weight1, weight2)


def _second(x: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
    """The first block as it should be, and another second one."""
    normed = _norm(x)
    x = x + _read(normed, normed, causal=True)
    return x + block(_norm(x))


def _blocks_side_by_side(x: Tensor, weight1: Tensor, weight2: Tensor) -> Tensor:
    normed = _norm(x)
    found = _read(normed, normed, causal=True)
    return x + found + _feed_forward(normed, weight1, weight2)


def _sees_all(x: Tensor, weight1: Tensor, weight2: Tensor) -> Tensor:
    normed = _norm(x)
    x = x + _read(normed, normed)
    return x + _feed_forward(_norm(x), weight1, weight2)


def _one_norm(x: Tensor, weight1: Tensor, weight2: Tensor) -> Tensor:
    normed = _norm(x)
    x = x + _read(normed, normed, causal=True)
    return x + _feed_forward(x, weight1, weight2)


EXERCISES: dict[str, Exercise] = {
    "transformer-masks": Question(
        (34, 28),
        {
            "A token sees itself, too.": (27, 21),
            "The tokens of the prompt see one another in both directions.": (28, 28),
            "A token does not see what is written after it.": (49, 28),
            "A written token sees those that were written before it, too.": (31, 28),
        },
    ),
    "transformer-count": Question(
        WEIGHTS + BIASES + NORMS,
        {
            "The biases and the three norms are missing.": WEIGHTS,
            "The three norms are missing: each has a weight and a bias.": (
                WEIGHTS + BIASES
            ),
            "The biases are missing: every linear layer has one.": WEIGHTS + NORMS,
            "That is an encoder layer; here a second attention reads the memory.": (
                WEIGHTS + BIASES + NORMS - 4 * SIZE * SIZE - 4 * SIZE - 2 * SIZE
            ),
            "There is a third norm, that of the second attention.": (
                WEIGHTS + BIASES + NORMS - 2 * SIZE
            ),
        },
    ),
    "transformer-back": Task(
        "gradient: b n e, x: b n e, weight1: m e, weight2: e m -> b n e",
        _way_back,
        {
            "What passes the block by is missing: a sum sends it to both terms.": (
                lambda g, x, w1, w2: _way_back(g, x, w1, w2) - g
            ),
            "The ReLU is missing: it stops what belongs to numbers below 0.": (
                lambda g, _, w1, w2: g + linear(linear(g, w2.mT), w1.mT)
            ),
            "The ReLU is taken of the gradient; the sign of the values decides.": (
                lambda g, _, w1, w2: g + linear(linear(g, w2.mT).relu(), w1.mT)
            ),
            "Nothing comes back through the block.": lambda g, *_: 1 * g,
        },
        without=["linear", "addmm"],
    ),
    "transformer-prenorm": Task(
        "x: b n e -> b n e",
        _pre_norm,
        {
            "Nothing is added to the stream.": lambda x: _read(_norm(x), _norm(x)),
            "The norm stands on the stream: that is post-norm.": (
                lambda x: _norm(x + _read(x, x))
            ),
            "The norm is missing.": lambda x: x + _read(x, x),
            "It is divided by its length: a layer norm centers, and takes a mean.": (
                lambda x: x + _read(_unit(x), _unit(x))
            ),
            "The stream is normalized; only what the block reads is.": (
                lambda x: _norm(x) + _read(_norm(x), _norm(x))
            ),
            "The values are read before the norm.": lambda x: x + _read(_norm(x), x),
            "The scores are not divided by the root of e.": (
                lambda x: x + _read(_norm(x), _norm(x), power=0)
            ),
            "The scores are divided by e; its root is meant.": (
                lambda x: x + _read(_norm(x), _norm(x), power=1)
            ),
        },
        without=["layer_norm", "native_layer_norm", "scaled_dot_product_attention"],
    ),
    "transformer-layer": Task(
        "x: b n e, weight1: m e, weight2: e m -> b n e",
        _two_blocks,
        {
            "A token sees those that come later.": _sees_all,
            "The second norm is missing.": _one_norm,
            "The ReLU is missing: two linear layers are one.": (
                lambda x, weight1, weight2: _second(
                    x, lambda y: linear(linear(y, weight1), weight2)
                )
            ),
            "The second block's result is not added to the stream.": (
                lambda x, weight1, weight2: (
                    _second(x, lambda y: _feed_forward(y, weight1, weight2))
                    - _second(x, torch.zeros_like)
                )
            ),
            "The second block has to read what the first one added.": (
                _blocks_side_by_side
            ),
        },
        without=["layer_norm", "native_layer_norm", "scaled_dot_product_attention"],
    ),
    "transformer-story-token": Question(
        (2, 0),
        {
            "That is what the feed-forward net adds: add it to the stream.": (0, -4),
            "The ReLU is missing: it sets -2 to 0.": (0, 0),
            "What attention has read is missing: it adds [2, 2].": (0, 2),
            "The second block adds to what the first one has left, [2, 4].": (0, -2),
        },
    ),
    "transformer-story-postnorm": Task(
        "stream: b n e, widen: m e, narrow: e m -> b n e",
        lambda x, w1, w2: _norm(x + _feed_forward(x, w1, w2)),
        {
            "That is pre-norm: the norm stands in the block, not on the stream.": (
                lambda x, w1, w2: x + _feed_forward(_norm(x), w1, w2)
            ),
            "The norm takes only what the block adds; it stands on the sum.": (
                lambda x, w1, w2: x + _norm(_feed_forward(x, w1, w2))
            ),
            "The block's result is not added to the stream.": (
                lambda x, w1, w2: _norm(_feed_forward(x, w1, w2))
            ),
            "The norm is missing.": lambda x, w1, w2: x + _feed_forward(x, w1, w2),
            "The norm stands inside, too; the block reads the stream itself.": (
                lambda x, w1, w2: _norm(x + _feed_forward(_norm(x), w1, w2))
            ),
        },
    ),
    "transformer-story-squares": Question(
        12,
        {
            "The weight that mixes the heads is missing.": 11,
            "Attention has four weights, and the feed-forward net two.": 8,
            "That is attention alone; the feed-forward net has weights, too.": 4,
            "Each weight of the feed-forward net is four squares large.": 6,
        },
    ),
}
