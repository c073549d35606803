"""The exercises on attention."""

import math

import torch
from einops import rearrange
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.attention import HEADS, READ, SCORES, scaled_dot_product_attention
from layerlib.recipe import Recipe


def _weights(query: Tensor, key: Tensor) -> Tensor:
    return (SCORES(query, key) / math.sqrt(query.shape[-1])).softmax(-1)


def _seen(query: Tensor, key: Tensor, value: Tensor, seen: Tensor) -> Tensor:
    """Under a mask that is True where a token is seen; no row is mended."""
    scores = SCORES(query, key) / math.sqrt(query.shape[-1])
    return READ(scores.masked_fill(~seen, -math.inf).softmax(-1), value)


def _square(x: Tensor) -> Tensor:
    return torch.ones(x.shape[1], x.shape[1], dtype=torch.bool)


def _softmax_gradient(scores: Tensor, gradient: Tensor) -> Tensor:
    weights = scores.softmax(-1)
    return weights * (gradient - (weights * gradient).sum(-1, keepdim=True))


def _grouped(query: Tensor, key: Tensor, value: Tensor, order: str) -> Tensor:
    g, scale = key.shape[1], 1 / math.sqrt(query.shape[-1])
    query = rearrange(query, f"b {order} q e -> b g head q e", g=g)
    scores = Recipe("b g head q e, b g s e -> b g head q s")(query, key) * scale
    read = Recipe("b g head q s, b g s o -> b g head q o")(scores.softmax(-1), value)
    return rearrange(read, f"b g head q o -> b {order} q o")


EXERCISES: dict[str, Exercise] = {
    "attention-count": Question(
        2 * 4 * 10 * 7,
        {
            "Each head has weights of its own.": 2 * 10 * 7,
            "Each sequence of the batch has weights of its own.": 4 * 10 * 7,
            "The queries read the sources, not each other.": 2 * 4 * 10 * 10,
            "The 16 features are summed: no weight has them.": 2 * 4 * 10 * 7 * 16,
        },
    ),
    "attention-heads": Task(
        "x: n b (head e) -> b head n e",
        HEADS,
        {
            "The features of a head stand together: (head e), not (e head).": (
                "n b (e head) -> b head n e"
            ),
            "Tokens and heads are exchanged in the output.": (
                "n b (head e) -> b n head e"
            ),
            "The tokens come first in the input, and then the batch.": (
                "b n (head e) -> b head n e"
            ),
        },
        numbers=["head"],
    ),
    "attention-weights": Task(
        "query: b q e, key: b s e -> b q s",
        _weights,
        {
            "The scores are not divided by the root of e.": (
                lambda q, k: SCORES(q, k).softmax(-1)
            ),
            "The scores are divided by e; its root is meant.": (
                lambda q, k: (SCORES(q, k) / q.shape[-1]).softmax(-1)
            ),
            "The softmax runs over the queries; it belongs to the sources.": (
                lambda q, k: (SCORES(q, k) / math.sqrt(q.shape[-1])).softmax(-2)
            ),
            "The exponentials are missing: a score may be negative.": (
                lambda q, k: SCORES(q, k) / SCORES(q, k).sum(-1, keepdim=True)
            ),
        },
        without=["scaled_dot_product_attention"],
    ),
    "attention-causal": Task(
        "query: b n e, key: b n e, value: b n e -> b n e",
        lambda q, k, v: scaled_dot_product_attention(q, k, v, is_causal=True),
        {
            "Nothing is masked.": scaled_dot_product_attention,
            "The mask is turned over: a token sees what comes later.": (
                lambda q, k, v: _seen(q, k, v, _square(q).triu())
            ),
            "A token does not see itself, and the first sees nothing.": (
                lambda q, k, v: _seen(q, k, v, _square(q).tril(-1))
            ),
            "The weights are masked after the softmax: their sum is not 1.": (
                lambda q, k, v: READ(_weights(q, k).tril(), v)
            ),
            "Scores of 0 are not hidden; minus infinity is.": (
                lambda q, k, v: READ(
                    (SCORES(q, k) / math.sqrt(q.shape[-1])).tril().softmax(-1), v
                )
            ),
        },
        without=["scaled_dot_product_attention"],
    ),
    "attention-gradient": Task(
        "scores: b q s, gradient: b q s -> b q s",
        _softmax_gradient,
        {
            "The mean of what was read is not subtracted.": (
                lambda scores, g: scores.softmax(-1) * g
            ),
            "The mean is the one weighted by the weights.": (
                lambda scores, g: scores.softmax(-1) * (g - g.mean(-1, keepdim=True))
            ),
            "A score moves the other weights of its query, too.": (
                lambda scores, g: scores.softmax(-1) * (1 - scores.softmax(-1)) * g
            ),
        },
        without=["grad", "backward", "_softmax_backward_data"],
    ),
    "attention-groups": Task(
        "query: b (g head) q e, key: b g s e, value: b g s o -> b (g head) q o",
        lambda q, k, v: _grouped(q, k, v, "(g head)"),
        {
            "Neighbouring heads share a key: (g head), not (head g).": (
                lambda q, k, v: _grouped(q, k, v, "(head g)")
            ),
            "All heads read the first group.": (
                lambda q, k, v: scaled_dot_product_attention(
                    q, k[:, :1], v[:, :1], enable_gqa=True
                )
            ),
            "The scores are not divided by the root of e.": (
                lambda q, k, v: scaled_dot_product_attention(
                    q, k, v, scale=1.0, enable_gqa=True
                )
            ),
        },
        without=["scaled_dot_product_attention", "repeat_interleave"],
    ),
    "attention-story-scores": Question(
        (6, -2, 2),
        {
            "Acid counts against the score: mind the sign of -1.": (6, 2, 4),
            "The second feature is missing.": (6, 0, 3),
            "Features are multiplied, and the products are summed.": (4, 4, 4),
        },
    ),
    "attention-story-lookup": Task(
        "query: b q e, key: b s e, value: b s o -> b q o",
        scaled_dot_product_attention,
        {
            "The scores are not divided by the root of e.": (
                lambda q, k, v: READ(SCORES(q, k).softmax(-1), v)
            ),
            "The scores are divided by e; its root is meant.": (
                lambda q, k, v: READ((SCORES(q, k) / q.shape[-1]).softmax(-1), v)
            ),
            "The softmax runs over the queries; it belongs to the sources.": (
                lambda q, k, v: READ(
                    (SCORES(q, k) / math.sqrt(q.shape[-1])).softmax(-2), v
                )
            ),
            "The softmax is missing: the scores themselves are the weights.": (
                lambda q, k, v: READ(SCORES(q, k) / math.sqrt(q.shape[-1]), v)
            ),
        },
        without=["scaled_dot_product_attention"],
    ),
    "attention-story-mask": Question(
        (4, 4, 4, 0),
        {
            "Nothing is masked: token 3 comes later than token 2.": (3, 3, 3, 3),
            "A token sees itself, too.": (6, 6, 0, 0),
            "The mask is turned over: a token sees those before it.": (0, 0, 6, 6),
            "What is left is shared again: a row adds up to 12.": (3, 3, 3, 0),
        },
    ),
}
