"""The exercises on recipes."""

import torch
from einops import rearrange
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.recipe import Recipe

SCORES = Recipe("... q e, ... s e -> ... q s")
BATCHED = Recipe("b i m, b m o -> b i o")


def _by_bmm(query: Tensor, key: Tensor) -> Tensor:
    product = torch.bmm(
        rearrange(query, "b q head e -> (b head) q e"),
        rearrange(key, "b s head e -> (b head) e s"),
    )
    return rearrange(product, "(b head) q s -> b head q s", b=len(query))


EXERCISES: dict[str, Exercise] = {
    "recipe-summed": Question(
        frozenset({"i", "j"}),
        {
            "These stand on the right, so they are kept.": frozenset({"b", "o"}),
            "b is shared, and it stands on the right: it is kept.": frozenset("bij"),
            "There is a second one: look at the last input.": frozenset({"i"}),
            "There is a second one: look at the first input.": frozenset({"j"}),
        },
    ),
    "recipe-outer": Task(
        "x: b i, y: b j -> b i j",
        Recipe("b i, b j -> b i j"),
        {
            "b is not on the right, so the examples are summed.": "b i, b j -> i j",
            "The last two axes are exchanged: i comes before j.": "b i, b j -> b j i",
            "Two letters for the batch: each x then meets the y of every example.": (
                "b i, c j -> b c i j"
            ),
        },
    ),
    "recipe-order": Question(
        1000 * 100 * 10 + 1000 * 10 * 100,
        {
            "This is the other order, which pairs i with o first.": (
                10 * 100 * 100 + 1000 * 100 * 100
            ),
            "This is the first of two products; the second one costs as well.": (
                1000 * 100 * 10
            ),
            "This multiplies all letters at once, twice: the literal form.": (
                2 * 1000 * 100 * 10 * 100
            ),
        },
    ),
    "recipe-literal": Task(
        "query: b q e, key: b s e -> b q s",
        SCORES.literal,
        {
            "This is the mean of the products; the line takes their sum.": (
                lambda query, key: SCORES(query, key) / query.shape[-1]
            ),
            "The last two axes are exchanged: the output is b q s.": (
                lambda query, key: SCORES(key, query)
            ),
            "q and s share an axis: each query meets the key of its own place only.": (
                lambda query, key: (query * key).sum(-1)
            ),
            "The inputs are summed before they are multiplied.": (
                lambda query, key: query.sum(-1)[:, :, None] * key.sum(-1)[:, None]
            ),
        },
        without=["einsum", "matmul", "mm", "bmm", "baddbmm", "linear", "tensordot"],
    ),
    "recipe-gradient": Task(
        "gradient: b q s, query: b q e -> b s e",
        Recipe("b q s, b q e -> b s e"),
        {
            "The last two axes are exchanged: a gradient has the shape of its input.": (
                "b q s, b q e -> b e s"
            ),
            "b is not on the right, so the gradients of the examples are summed.": (
                "b q s, b q e -> s e"
            ),
            "This is the gradient for the query; the key is asked for.": (
                "b q s, b s e -> b q e"
            ),
        },
    ),
    "recipe-bmm": Task(
        "query: b q head e, key: b s head e -> b head q s",
        _by_bmm,
        {
            "In as (head b), out as (b head): merge and split in one order.": (
                lambda query, key: rearrange(
                    rearrange(query, "b q head e -> (head b) q e")
                    @ rearrange(key, "b s head e -> (head b) e s"),
                    "(b head) q s -> b head q s",
                    b=len(query),
                )
            ),
            "A reshape moves no axis: head is to stand next to b first.": (
                lambda query, key: SCORES(
                    query.reshape(query.transpose(1, 2).shape),
                    key.reshape(key.transpose(1, 2).shape),
                )
            ),
            "The last two axes are exchanged: q comes before s.": (
                lambda query, key: _by_bmm(key, query)
            ),
        },
        without=["einsum", "matmul"],
        once=["bmm"],
        empty=False,
    ),
    "recipe-story-pairs": Task(
        "first: b i, second: b i -> b",
        Recipe("b i, b i -> b"),
        {
            "i is still on the right: the products are not summed.": "b i, b i -> b i",
            "b is not on the right, so the pairs are summed as well.": "b i, b i ->",
            "Two letters for the batch: each vector then meets every other.": (
                "b i, c i -> b c"
            ),
            "This sums over the pairs, and keeps the features.": "b i, b i -> i",
        },
    ),
    "recipe-story-gradient": Task(
        "gradient: b o, input: b i -> o i",
        Recipe("b o, b i -> o i"),
        {
            "The last two axes are exchanged: a gradient has the shape of its input.": (
                "b o, b i -> i o"
            ),
            "b is still on the right; the weight serves all examples and has no b.": (
                "b o, b i -> b o i"
            ),
            "This is the gradient for the input; the weight's is asked for.": (
                "b o, o i -> b i"
            ),
        },
    ),
    "recipe-story-class": Task(
        "first: b i m, second: b m o -> b o i",
        Recipe("b i m, b m o -> b o i").literal,
        {
            "The output's axes come in the order of its letters: b o i.": BATCHED,
            "All letters are summed; those of the output are to be kept.": (
                lambda first, second: BATCHED(first, second).sum()
            ),
            "The product is not summed: reduce it to the letters of the output.": (
                lambda first, second: first.mT[:, None] * second.mT[..., None]
            ),
            "The inputs are added where they are to be multiplied.": (
                lambda first, second: first.sum(2)[:, None] + second.sum(1)[..., None]
            ),
        },
        without=["einsum", "matmul", "mm", "bmm", "baddbmm", "linear", "tensordot"],
    ),
}
