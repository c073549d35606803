"""The exercises on attention in windows."""

import torch
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.recipe import Rearrange, Recipe


def _attend(
    query: Tensor, key: Tensor, value: Tensor, k: int, *, root: bool = True
) -> Tensor:
    cut, join = Rearrange("b (n k) e -> b n k e"), Rearrange("b n k e -> b (n k) e")
    query, key, value = (cut(each, k=k) for each in (query, key, value))
    scores = Recipe("... q e, ... s e -> ... q s")(query, key)
    weights = (scores / query.shape[-1] ** (0.5 * root)).softmax(-1)
    return join(Recipe("... q s, ... s e -> ... q e")(weights, value))


def _strided(query: Tensor, key: Tensor, value: Tensor, k: int) -> Tensor:
    n = query.shape[1] // k
    there = torch.arange(n * k).reshape(n, k).T.flatten()
    moved = [each[:, there.argsort()] for each in (query, key, value)]
    return _attend(moved[0], moved[1], moved[2], k)[:, there]


EXERCISES: dict[str, Exercise] = {
    "window_attention-scores": Question(
        48 * 48 * 8 * 8,
        {
            "That is attention to all tokens: (48 · 48)².": (48 * 48) ** 2,
            "That is one window; there are 36 of them.": 64 * 64,
            "Those are the tokens; each has a score with each of its window.": 48 * 48,
            "Those are the scores of one token.": 8 * 8,
        },
    ),
    "window_attention-reach": Question(
        tuple(range(8)),
        {
            "That is one block; the second carries on what the first has read.": (
                (0, 1, 2, 3)
            ),
            "The window of token 3 then holds 2 to 5, and each of them knows more.": (
                tuple(range(6))
            ),
            "Nothing comes round the edge: the mask forbids it.": tuple(range(12)),
            "Those are the tokens of the shifted window alone.": (2, 3, 4, 5),
        },
    ),
    "window_attention-cut": Task(
        "image: b (kh y) (kw x) c -> (b y x) (kh kw) c",
        Rearrange("b (kh y) (kw x) c -> (b y x) (kh kw) c"),
        {
            "Those are windows; the tokens of a grid lie y rows apart.": (
                "b (y kh) (x kw) c -> (b y x) (kh kw) c"
            ),
            "The sequences are in columns: x runs faster than y.": (
                "b (kh y) (kw x) c -> (b x y) (kh kw) c"
            ),
            "Within a sequence, kw runs faster than kh.": (
                "b (kh y) (kw x) c -> (b y x) (kw kh) c"
            ),
            "The images run fastest; an image keeps its sequences together.": (
                "b (kh y) (kw x) c -> (y x b) (kh kw) c"
            ),
        },
        numbers=["kh", "kw"],
        empty=False,
    ),
    "window_attention-merging": Task(
        "image: b (y kh) (x kw) c -> b y x (kh kw c)",
        Rearrange("b (y kh) (x kw) c -> b y x (kh kw c)"),
        {
            "The features run fastest: those of one token stay together.": (
                "b (y kh) (x kw) c -> b y x (c kh kw)"
            ),
            "Here kw runs faster than kh.": "b (y kh) (x kw) c -> b y x (kw kh c)",
            "Neighbors are merged, not tokens that lie far apart.": (
                "b (kh y) (kw x) c -> b y x (kh kw c)"
            ),
        },
        numbers=["kh", "kw"],
        empty=False,
    ),
    "window_attention-attend": Task(
        "query: b (n k) e, key: b (n k) e, value: b (n k) e -> b (n k) e",
        _attend,
        {
            "That is attention to all tokens; each reads its window only.": (
                lambda query, key, value, _: _attend(query, key, value, query.shape[1])
            ),
            "The scores are not divided by the root of e.": (
                lambda query, key, value, k: _attend(query, key, value, k, root=False)
            ),
            "A window holds neighbors, not each n-th token.": _strided,
        },
        without=["scaled_dot_product_attention"],
        numbers=["k"],
        empty=False,
    ),
    "window_attention-story-join": Task(
        "windows: (b y x) (kh kw) c -> b (y kh) (x kw) c",
        Rearrange("(b y x) (kh kw) c -> b (y kh) (x kw) c"),
        {
            "The patches of a window are neighbors: kh runs faster than y.": (
                "(b y x) (kh kw) c -> b (kh y) (kw x) c"
            ),
            "The windows are row by row: x runs faster than y.": (
                "(b x y) (kh kw) c -> b (y kh) (x kw) c"
            ),
            "The places in a window are row by row: kw runs faster than kh.": (
                "(b y x) (kw kh) c -> b (y kh) (x kw) c"
            ),
            "The batch comes first: an image has its windows together.": (
                "(y x b) (kh kw) c -> b (y kh) (x kw) c"
            ),
        },
        numbers=["y", "x", "kh", "kw"],
        empty=False,
    ),
    "window_attention-story-sees": Question(
        (0,),
        {
            "Those come round the edge; the mask keeps them apart.": (0, 9, 10, 11),
            "That is its window before the shift.": (0, 1, 2, 3),
            "A token reads itself, too, not only the others.": (),
            "Token 1 is first in its window now: the shift has moved 0 to the end.": (
                (0, 1)
            ),
        },
    ),
}
