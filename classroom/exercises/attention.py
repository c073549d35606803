"""The exercises on attention."""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.attention import READ, SCORES, scaled_dot_product_attention
from layerlib.recipe import Rearrange, Recipe


def _weights(
    query: Tensor,
    key: Tensor,
    *,
    power: float = 0.5,
    by: int = -1,
    axis: int = -1,
    late: bool = False,
    bend: Literal["softmax", "sigmoid", "exp", "none"] = "softmax",
) -> Tensor:
    """The weights of attention; each setting is a mistake that learners make."""
    scale = float(key.shape[by] ** power)
    scores = SCORES(query, key) / (1 if late else scale)
    bends: dict[str, Callable[[Tensor], Tensor]] = {
        "softmax": lambda x: x.softmax(axis),
        "sigmoid": torch.sigmoid,
        "exp": torch.exp,
        "none": lambda x: x,
    }
    shares = bends[bend](scores)
    return shares / scale if late else shares


Mask = Literal["later", "none", "earlier", "itself", "turned", "after", "zero"]


def _causal(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    power: float = 0.5,
    axis: int = -1,
    mask: Mask = "later",
    hidden: float = -math.inf,
) -> Tensor:
    """Causal attention; each setting is a mistake that learners make."""
    scores = SCORES(query, key) / query.shape[-1] ** power
    all_ = _square(query)
    seen = {
        "earlier": all_.triu(),
        "itself": all_.tril(-1),
        "turned": all_.triu(1),
    }.get(mask, all_.tril())
    if mask in ("none", "after"):
        shares = scores.softmax(axis)
    elif mask == "zero":
        shares = (scores * seen).softmax(axis)
    else:
        shares = scores.masked_fill(~seen, hidden).softmax(axis)
    return READ(shares * seen if mask == "after" else shares, value)


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
        "tokens: n b (part head e) -> part b head n e",
        Rearrange("n b (part head e) -> part b head n e"),
        {
            "The features of a head stand together: (head e), not (e head).": (
                "n b (part e head) -> part b head n e"
            ),
            "A part holds all its heads: (part head e), not (head part e).": (
                "n b (head part e) -> part b head n e"
            ),
            "Tokens and heads are exchanged in the output.": (
                "n b (part head e) -> part b n head e"
            ),
            "The batch comes before the heads.": (
                "n b (part head e) -> part head b n e"
            ),
            "The tokens come first in the input, and then the batch.": (
                "b n (part head e) -> part b head n e"
            ),
        },
        numbers=["part", "head"],
    ),
    "attention-weights": Task(
        "query: b q e, key: b s e -> b q s",
        _weights,
        {
            "The scores are not divided by the root of e.": (
                partial(_weights, power=0)
            ),
            "The scores are divided by e; its root is meant.": (
                partial(_weights, power=1)
            ),
            "The softmax runs over the queries; it belongs to the sources.": (
                partial(_weights, axis=-2)
            ),
            "The softmax runs over the batch; it belongs to the sources.": (
                partial(_weights, axis=0)
            ),
            "The scores are multiplied by the root of e; divide by it.": (
                partial(_weights, power=-0.5)
            ),
            "It is divided by the root of s; the products are summed over e.": (
                partial(_weights, by=1)
            ),
            "The weights are divided by the root of e, after the softmax.": (
                partial(_weights, late=True)
            ),
            "It is a sigmoid; the weights of a row are to add up to 1.": (
                partial(_weights, bend="sigmoid")
            ),
            "The exponentials are not divided by their sum.": (
                partial(_weights, bend="exp")
            ),
            "The softmax is missing.": partial(_weights, bend="none"),
            "Query and key are brought to length 1: that is a cosine.": (
                lambda q, k: SCORES(
                    *(x / x.square().sum(-1, keepdim=True).sqrt() for x in (q, k))
                ).softmax(-1)
            ),
            "The exponentials are missing: a score may be negative.": (
                lambda q, k: SCORES(q, k) / SCORES(q, k).sum(-1, keepdim=True)
            ),
        },
        without=["scaled_dot_product_attention"],
    ),
    "attention-causal": Task(
        "query: b n e, key: b n e, value: b n e -> b n e",
        _causal,
        {
            "Nothing is masked.": partial(_causal, mask="none"),
            "The mask is turned over: a token sees what comes later.": (
                partial(_causal, mask="earlier")
            ),
            "A token does not see itself, and the first sees nothing.": (
                partial(_causal, mask="itself")
            ),
            "The mask hides what is to be seen: a token sees only later ones.": (
                partial(_causal, mask="turned")
            ),
            "A token does not see itself; the first one reads all alike.": (
                partial(_causal, mask="itself", hidden=-1e9)
            ),
            "The weights are masked after the softmax: their sum is not 1.": (
                partial(_causal, mask="after")
            ),
            "Scores of 0 are not hidden; minus infinity is.": (
                partial(_causal, mask="zero")
            ),
            "The scores are not divided by the root of e.": partial(_causal, power=0),
            "The scores are divided by e; its root is meant.": (
                partial(_causal, power=1)
            ),
            "The softmax runs over the queries; it belongs to the sources.": (
                partial(_causal, axis=-2)
            ),
            "A hidden score of -10 still counts; minus infinity does not.": (
                partial(_causal, hidden=-10.0)
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
            "The sum runs over the queries; the sources of a query share it.": (
                lambda scores, g: (
                    scores.softmax(-1)
                    * (g - (scores.softmax(-1) * g).sum(1, keepdim=True))
                )
            ),
            "The mean of the products is subtracted, where their sum is to be.": (
                lambda scores, g: (
                    scores.softmax(-1)
                    * (g - (scores.softmax(-1) * g).mean(-1, keepdim=True))
                )
            ),
            "The scores are taken for the weights: the softmax is missing.": (
                lambda scores, g: scores * (g - (scores * g).sum(-1, keepdim=True))
            ),
            "The sum is added; it is to be subtracted.": (
                lambda scores, g: (
                    scores.softmax(-1)
                    * (g + (scores.softmax(-1) * g).sum(-1, keepdim=True))
                )
            ),
        },
        without=["grad", "backward", "_softmax_backward_data"],
    ),
    "attention-groups": Task(
        "query: b (g head) q e, key: b g s e, value: b g s o -> b (g head) q o",
        lambda q, k, v: _grouped(q, k, v, "(g head)"),
        {
            "Neighboring heads share a key: (g head), not (head g).": (
                lambda q, k, v: _grouped(q, k, v, "(head g)")
            ),
            "The query heads of a group are averaged; each keeps its own output.": (
                lambda q, k, v: scaled_dot_product_attention(
                    rearrange(q, "b (g head) q e -> b g head q e", g=k.shape[1]).mean(
                        2
                    ),
                    k,
                    v,
                )
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
        without=[
            "scaled_dot_product_attention",
            "repeat_interleave",
            "repeat",
            "tile",
            "index_select",
            "index",
            "gather",
        ],
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
        lambda q, k, v: READ(_weights(q, k), v),
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
