"""The exercises on GPT-2."""

import torch
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.decoder import SCORES

FEATURES = 768
SQUARES = 12 * FEATURES * FEATURES
BIASES = 9 * FEATURES
NORMS = 4 * FEATURES
CACHE = 2 * 32 * 8 * 128 * 2 * 4096


def _normed(x: Tensor, weight: Tensor) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * weight


def _turned(
    first: Tensor, second: Tensor, speed: Tensor, start: int = 0
) -> list[Tensor]:
    """Pairs of features, turned by their position."""
    angle = (torch.arange(first.shape[1]) + start)[:, None] * speed
    cos, sin = angle.cos(), angle.sin()
    return [first * cos - second * sin, second * cos + first * sin]


EXERCISES: dict[str, Exercise] = {
    "gpt2-count": Question(
        SQUARES + BIASES + NORMS,
        {
            "The biases and the norms are missing.": SQUARES,
            "The norms are missing: each has a weight and a bias.": SQUARES + BIASES,
            "The biases of the linear layers are missing.": SQUARES + NORMS,
        },
    ),
    "gpt2-memory": Question(
        CACHE,
        {
            "Keys and values: there are two.": CACHE // 2,
            "The heads of a group share: count groups, not heads.": CACHE * 4,
            "A number of 16 bits takes two bytes.": CACHE // 2 * 4,
            "That is one block.": CACHE // 32,
        },
    ),
    "gpt2-groups": Task(
        "gradient: b g head q s, query: b g head q e -> b g s e",
        SCORES.gradient(1),
        {
            "The heads are still there; all of a group teach the same key.": (
                "b g head q s, b g head q e -> b g head s e"
            ),
            "The last two axes are exchanged.": (
                "b g head q s, b g head q e -> b g e s"
            ),
            "The lessons of the heads are added up; that is their mean.": (
                lambda gradient, query: (
                    SCORES.gradient(1)(gradient, query) / query.shape[2]
                )
            ),
            "Nothing is divided here.": (
                lambda gradient, query: (
                    SCORES.gradient(1)(gradient, query) / query.shape[-1] ** 0.5
                )
            ),
        },
    ),
    "gpt2-rms": Task(
        "input: b n e, weight: e -> b n e",
        _normed,
        {
            "No mean is taken away.": (
                lambda x, weight: _normed(x - x.mean(-1, keepdim=True), weight)
            ),
            "The weight is missing.": lambda x, weight: _normed(x, weight / weight),
            "1e-6 stands outside the root; it belongs under it.": (
                lambda x, weight: (
                    x / (x.square().mean(-1, keepdim=True).sqrt() + 1e-6) * weight
                )
            ),
            "1e-6 is missing.": (
                lambda x, weight: x * x.square().mean(-1, keepdim=True).rsqrt() * weight
            ),
            "The mean of the squares, not their sum.": (
                lambda x, weight: (
                    x * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt() * weight
                )
            ),
        },
        without=["rms_norm"],
        faint=["input"],
    ),
    "gpt2-turn": Task(
        "first: b n e, second: b n e, speed: e -> first: b n e, second: b n e",
        _turned,
        {
            "Every position is turned by the same angle; multiply it by n.": (
                lambda first, second, speed: [
                    first * speed.cos() - second * speed.sin(),
                    second * speed.cos() + first * speed.sin(),
                ]
            ),
            "The pairs are turned the other way: mind the sign of the sine.": (
                lambda first, second, speed: _turned(first, second, -speed)
            ),
            "Positions count from 0: the first token is not turned.": (
                lambda first, second, speed: _turned(first, second, speed, 1)
            ),
            "The second half is made from a first half that is turned already.": (
                lambda first, second, speed: [
                    _turned(first, second, speed)[0],
                    _turned(_turned(first, second, speed)[0], second, speed)[1],
                ]
            ),
            "Both halves are multiplied by the cosine, and nothing is exchanged.": (
                lambda first, second, speed: [
                    _turned(first, 0 * second, speed)[0],
                    _turned(0 * first, second, speed)[1],
                ]
            ),
        },
    ),
    "gpt2-story-merge": Question(
        " th",
        {
            "That pair is one token already.": "th",
            "It stands there three times; another pair four times.": "the",
            "Count again: `th` is one token now.": "he",
            "The space comes before the letters.": "th ",
        },
    ),
    "gpt2-story-cache": Question(
        2 * 12 * FEATURES,
        {
            "Keys and values are kept: twice as many.": 12 * FEATURES,
            "That is one block: there are twelve.": 2 * FEATURES,
            "The heads share the features: do not multiply by them.": (
                2 * 12 * 12 * FEATURES
            ),
        },
    ),
    "gpt2-story-temperature": Task(
        "scores: b v, temperature: -> b v",
        lambda scores, temperature: (scores / temperature).softmax(-1),
        {
            "Divide by the temperature.": (
                lambda scores, temperature: (scores * temperature).softmax(-1)
            ),
            "The sum below has no temperature: both exponentials are to have it.": (
                lambda scores, temperature: (
                    (scores / temperature).exp() / scores.exp().sum(-1, keepdim=True)
                )
            ),
            "The softmax goes over the words, the last axis.": (
                lambda scores, temperature: (scores / temperature).softmax(0)
            ),
            "Scores are divided before the softmax, not probabilities after it.": (
                lambda scores, temperature: scores.softmax(-1) / temperature
            ),
        },
    ),
}
