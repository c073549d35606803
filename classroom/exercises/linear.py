"""The exercises on linear layers."""

import torch
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.linear import BILINEAR, LINEAR
from layerlib.recipe import Recipe


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return LINEAR(x, weight) + bias


def _stacked(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    products = LINEAR(x, weight)
    return torch.stack([products, bias.expand_as(products)]).sum(0)


EXERCISES: dict[str, Exercise] = {
    "linear-count": Question(
        784 * 128 + 128 + 128 * 10 + 10,
        {
            "The biases are missing: each output has one.": 784 * 128 + 128 * 10,
            "The second layer is missing.": 784 * 128 + 128,
            "A bias belongs to an output, not to an input.": (
                784 * 128 + 784 + 128 * 10 + 128
            ),
        },
    ),
    "linear-moves": Task(
        "x: b i, weight: o i, bias: o -> b o",
        _linear,
        {
            "The bias is forgotten.": lambda x, w, _: LINEAR(x, w),
            "The bias is added twice.": lambda x, w, bias: LINEAR(x, w) + 2 * bias,
            "The bias is added to each product, before the sum.": (
                lambda x, w, bias: (x[:, None] * w + bias[:, None]).sum(-1)
            ),
            "The weight is read as (in, out); its shape is (o, i).": (
                lambda x, w, bias: x @ w + bias
            ),
            "The sum runs over o; the letter that is summed is i.": (
                lambda x, w, bias: (x[:, None] * w).sum(1) + bias
            ),
            "The products are averaged; they are to be summed.": (
                lambda x, w, bias: (x[:, None] * w).mean(-1) + bias
            ),
            "The output is (o, b): its two axes are exchanged.": (
                lambda x, w, bias: w @ x.T + bias[:, None]
            ),
        },
        without=["linear", "addmm"],
    ),
    "linear-ones": Task(
        "x: b i, weight: o i, bias: o -> b o",
        _stacked,
        {
            "The bias has no effect.": lambda x, w, _: LINEAR(x, w),
            "The two are averaged; they are to be summed.": (
                lambda x, w, bias: (LINEAR(x, w) + bias) / 2
            ),
            "The two are multiplied; they are to be summed.": (
                lambda x, w, bias: LINEAR(x, w) * bias
            ),
            "The sum runs over the examples, too.": (
                lambda x, w, bias: (LINEAR(x, w) + bias).sum(0).expand(len(x), -1)
            ),
        },
        without=[
            "linear",
            "addmm",
            "add",
            "sub",
            "baddbmm",
            "addmv",
            "addcmul",
            "lerp",
            "cat",
        ],
    ),
    "linear-collapse": Task(
        "weight1: m i, bias1: m, weight2: o m, bias2: o -> weight: o i, bias: o",
        lambda w1, b1, w2, b2: (
            Recipe("m i, o m -> o i")(w1, w2),
            Recipe("m, o m -> o")(b1, w2) + b2,
        ),
        {
            "The first bias is lost: the second layer takes it as an input.": (
                lambda w1, _, w2, b2: (w2 @ w1, b2)
            ),
            "The second bias is lost.": lambda w1, b1, w2, _: (w2 @ w1, w2 @ b1),
            "The first bias goes through the second weight before it is added.": (
                lambda w1, b1, w2, b2: (w2 @ w1, b1 + b2)
            ),
            "The second bias goes through no weight; it is added as it is.": (
                lambda w1, b1, w2, b2: (w2 @ w1, w2 @ (b1 + b2))
            ),
            "The weights are exchanged: the letter that is summed is m.": (
                lambda w1, b1, w2, b2: (w1 @ w2, w2 @ b1 + b2)
            ),
        },
    ),
    "linear-each": Task(
        "gradient: b o, x: b i -> b o i",
        Recipe("b o, b i -> b o i"),
        {
            "It is laid out as (i, o); a gradient has the shape of its weight.": (
                "b o, b i -> b i o"
            ),
            "That is the gradient of all examples together; b is to be kept.": (
                "b o, b i -> o i"
            ),
            "The outputs are summed; each row of the weight has its own gradient.": (
                "b o, b i -> b i"
            ),
        },
    ),
    "linear-bilinear": Task(
        "one: b i, two: b j, weight: o i j, bias: o -> b o",
        lambda one, two, w, bias: BILINEAR(one, w, two) + bias,
        {
            "The bias is forgotten.": lambda one, two, w, _: BILINEAR(one, w, two),
            "The two inputs are exchanged: i belongs to the first.": (
                lambda one, two, w, bias: BILINEAR(two, w, one) + bias
            ),
            "The inputs are summed before they are multiplied.": (
                lambda one, two, w, bias: (
                    (one.sum(-1) * two.sum(-1))[:, None] * w.sum((1, 2)) + bias
                )
            ),
            "i and j walk together: each pair of them has a weight.": (
                lambda one, two, w, bias: (
                    torch.einsum("bi,oii,bi->bo", one, w, two) + bias
                )
            ),
        },
        without=["bilinear", "trilinear"],
    ),
    "linear-story-scores": Question(
        (5, 5, -3),
        {
            "Cells that differ count against the score.": (7, 7, 3),
            "Paper that agrees with paper counts, too: -1 times -1 is 1.": (3, 3, 1),
            "More cells differ from the diagonal than agree: the sign.": (5, 5, 3),
        },
    ),
    "linear-story-moves": Task(
        "input: b i, weight: o i, bias: o -> b o",
        lambda x, w, bias: (x[:, None] * w).sum(-1) + bias,
        {
            "The bias is missing.": lambda x, w, _: LINEAR(x, w),
            "The products are summed over o; the letter to be summed is i.": (
                lambda x, w, bias: (x[:, None] * w).sum(1) + bias
            ),
            "The bias is added to each product, and so i times.": (
                lambda x, w, bias: (x[:, None] * w + bias[:, None]).sum(-1)
            ),
            "The output is (o, b): its two axes are exchanged.": (
                lambda x, w, bias: w @ x.T + bias[:, None]
            ),
        },
        without=["linear", "addmm", "matmul", "mm", "einsum"],
    ),
    "linear-story-two": Task(
        "first: m i, second: o m -> o i",
        Recipe("m i, o m -> o i"),
        {
            "It is laid out as (in, out); a weight is stored as (out, in).": (
                "m i, o m -> i o"
            ),
            "m is still there. Nobody sees it from outside: it is summed.": (
                "m i, o m -> o m i"
            ),
            "A matrix product sums its inner axes, here i and o: exchange the two.": (
                lambda first, second: first @ second
            ),
        },
    ),
}
