"""The exercises on GPT-2."""

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
        "query: b g head q e, key: b g s e -> b g head q s",
        SCORES,
        {
            "Nothing is divided here.": (
                lambda query, key: SCORES(query, key) / query.shape[-1] ** 0.5
            ),
            "The last two axes are exchanged.": (
                lambda query, key: SCORES(query, key).mT
            ),
            "Each head has to keep its own scores.": (
                lambda query, key: (
                    SCORES(query, key)
                    .sum(2, keepdim=True)
                    .expand(-1, -1, query.shape[2], -1, -1)
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
