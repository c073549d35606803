"""The exercises on dropout. What is drawn is an input, so that answers are compared."""

from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.dropout import SATURATION
from layerlib.recipe import Recipe

_SCALE: float = (
    0.5 * (1 + 0.5 * SATURATION**2)
) ** -0.5  # of alpha dropout, for p = 0.5


def _scaled(x: Tensor, mask: Tensor, p: float) -> Tensor:
    return x * mask / (1 - p)


def _alpha(x: Tensor, drawn: Tensor, lowest: float = -SATURATION) -> Tensor:
    return _SCALE * (x * drawn + (1 - drawn) * lowest - 0.5 * lowest)


EXERCISES: dict[str, Exercise] = {
    "dropout-count": Question(
        32 * 64,
        {
            "That is one for each pixel; a channel is dropped as a whole.": (
                32 * 64 * 56 * 56
            ),
            "Each example of the batch has its own.": 64,
            "That is one for each example; its channels differ.": 32,
        },
    ),
    "dropout-moves": Task(
        "x: b c, drawn: b c -> b c",
        lambda x, drawn: _scaled(x, drawn, 0.2),
        {
            "What stays is not scaled, so the mean falls.": lambda x, drawn: x * drawn,
            "It is divided by p; what stays is 1 - p.": lambda x, d: x * d / 0.2,
            "It is divided by the share that was drawn; p says what to divide by.": (
                lambda x, drawn: x * drawn / drawn.mean()
            ),
            "It is multiplied by 1 - p, and the mean falls further.": (
                lambda x, drawn: x * drawn * 0.8
            ),
            "The scale alone, and nothing is dropped.": lambda x, d: x / 0.8 + 0 * d,
        },
        without=["dropout", "native_dropout"],
        masks=["drawn"],
    ),
    "dropout-channels": Task(
        "x: b c h w, drawn: b c -> b c h w",
        lambda x, drawn: _scaled(x, drawn[:, :, None, None], 0.5),
        {
            "What stays is not scaled, so the mean falls.": (
                lambda x, drawn: x * drawn[:, :, None, None]
            ),
            "The first example's mask is used for all.": (
                lambda x, drawn: 2 * x * drawn[:1, :, None, None]
            ),
            "The first channel's mask is used for all.": (
                lambda x, drawn: 2 * x * drawn[:, :1, None, None]
            ),
        },
        without=["dropout", "dropout2d", "feature_dropout"],
        masks=["drawn"],
    ),
    "dropout-variance": Task(
        "x: b c -> b c",
        lambda x: x.square() * 0.2 / 0.8,
        {
            "That is the mean of the square; subtract the square of the mean.": (
                lambda x: x.square() / 0.8
            ),
            "That is the variance without the scaling.": (
                lambda x: x.square() * 0.2 * 0.8
            ),
            "The input is to be squared.": lambda x: x * 0.2 / 0.8,
            "p and 1 - p are exchanged.": lambda x: x.square() * 0.8 / 0.2,
            "That is the standard deviation, the root of the variance.": (
                lambda x: x.abs() * (0.2 / 0.8) ** 0.5
            ),
        },
    ),
    "dropout-alpha": Task(
        "x: b c, drawn: b c -> b c",
        _alpha,
        {
            "What is dropped becomes 0; here it becomes s.": (
                lambda x, drawn: _SCALE * (x * drawn + 0.5 * SATURATION)
            ),
            "s is negative, and stands where drawn is 0.": (
                lambda x, drawn: _alpha(x, drawn, SATURATION)
            ),
            "The scale a is missing.": (
                lambda x, d: x * d - (1 - d) * SATURATION + 0.5 * SATURATION
            ),
            "The shift b is missing.": (
                lambda x, d: _SCALE * (x * d - (1 - d) * SATURATION)
            ),
            "The dropped and the kept are exchanged.": (
                lambda x, drawn: _alpha(x, 1 - drawn)
            ),
        },
        without=["alpha_dropout", "dropout"],
        masks=["drawn"],
    ),
    "dropout-story-thinned": Task(
        "input: b i, mask: b i, weight: o i -> b o",
        Recipe("b i, b i, o i -> b o"),
        {
            "i is still there: a linear layer sums its features.": (
                "b i, b i, o i -> b o i"
            ),
            "All examples are summed; each has an output of its own.": (
                "b i, b i, o i -> o"
            ),
            "The output is (o, b): its two axes are exchanged.": (
                "b i, b i, o i -> o b"
            ),
            "The weight is not used: that is dropout alone.": (
                lambda x, mask, _: x * mask
            ),
            "The mask is not used: that is the linear layer alone.": (
                lambda x, _, weight: x @ weight.T
            ),
        },
    ),
    "dropout-story-tokens": Task(
        "sentences: b n e, mask: b n -> b n e",
        Recipe("b n e, b n -> b n e"),
        {
            "The tokens of all sentences are exchanged with the batch.": (
                "b n e, b n -> n b e"
            ),
            "The features are summed; a dropout sums nothing.": "b n e, b n -> b n",
            "The tokens are summed; a dropout sums nothing.": "b n e, b n -> b e",
            "The mask of the first sentence is used for all.": (
                lambda sentences, mask: sentences * mask[:1, :, None]
            ),
            "The mask of the first token is used for all: whole sentences drop.": (
                lambda sentences, mask: sentences * mask[:, :1, None]
            ),
        },
    ),
}
