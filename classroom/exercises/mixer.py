"""The exercises on mixers."""

from torch import Tensor
from torch.nn.functional import relu

from classroom.judge import Exercise, Question, Task
from layerlib.recipe import Recipe

WITHIN = Recipe("b n c, o c -> b n o")
ACROSS = Recipe("b n c, o n -> b o c")


def _mlp(tokens: Tensor, weight1: Tensor, weight2: Tensor) -> Tensor:
    return tokens + ACROSS(relu(ACROSS(tokens, weight1)), weight2)


EXERCISES: dict[str, Exercise] = {
    "mixer-count": Question(
        2 * 16 * 32 + 32 + 16,
        {
            "The biases are missing: each output has one.": 2 * 16 * 32,
            "The second layer is missing, which goes back to 16 tokens.": 16 * 32 + 32,
            "All features share the weights: their number does not count.": (
                (2 * 16 * 32 + 32 + 16) * 8
            ),
            "That is a layer along 8 features; this one runs along 16 tokens.": (
                2 * 8 * 32 + 32 + 8
            ),
        },
    ),
    "mixer-block": Task(
        "tokens: b n c, weight1: m n, weight2: n m -> b n c",
        _mlp,
        {
            "Nothing is added to the stream.": (lambda x, w1, w2: _mlp(x, w1, w2) - x),
            "The bend is missing: the two weights are one.": (
                lambda x, w1, w2: x + ACROSS(ACROSS(x, w1), w2)
            ),
            "The bend is taken of the result; it stands between the two.": (
                lambda x, w1, w2: x + relu(ACROSS(ACROSS(x, w1), w2))
            ),
            "The tokens are averaged over the features first.": (
                lambda x, w1, w2: _mlp(x.mean(2, keepdim=True).expand_as(x), w1, w2)
            ),
        },
        without=["linear", "addmm"],
    ),
    "mixer-each": Task(
        "tokens: b n c, weight: c o n -> b o c",
        Recipe("b n c, c o n -> b o c"),
        {
            "All features share the first feature's weight.": (
                lambda x, w: ACROSS(x, w[0])
            ),
            "The weights are summed over the features before they meet them.": (
                "b n c, d o n -> b o c"
            ),
            "The output is (b, c, o): its last two axes are exchanged.": (
                "b n c, c o n -> b c o"
            ),
        },
    ),
    "mixer-back": Task(
        "gradient: b o c, weight: o n -> b n c",
        Recipe("b o c, o n -> b n c"),
        {
            "It is laid out as (b, c, n); a gradient has the shape of its tokens.": (
                "b o c, o n -> b c n"
            ),
            "The batch is summed: each picture has tokens of its own.": (
                "b o c, o n -> n c"
            ),
            "The features are summed; each has a gradient of its own.": (
                "b o c, o n -> b n"
            ),
        },
    ),
    "mixer-shuffle": Task(
        "tokens: b n c, weight: o n -> b o c",
        lambda x, w: ACROSS(x, w.flip(1)),
        {
            "The table's rows are reversed; its columns meet the tokens.": (
                lambda x, w: ACROSS(x, w.flip(0))
            ),
            "The table is the old one, or the tokens are turned round as well.": ACROSS,
            "The features are reversed, too; only the tokens are.": (
                lambda x, w: ACROSS(x.flip(2), w.flip(1))
            ),
        },
    ),
    "mixer-story-moves": Task(
        "tokens: b n c, weight: o n -> b o c",
        ACROSS,
        {
            "The output is (b, c, o): its last two axes are exchanged.": (
                "b n c, o n -> b c o"
            ),
            "The products are averaged; they are to be summed.": (
                lambda x, w: ACROSS(x, w) / x.shape[1]
            ),
            "The weight is not used: all tokens are added up.": (
                lambda x, w: x.sum(1, keepdim=True).expand(-1, len(w), -1)
            ),
            "The features are summed, too; each keeps to itself.": (
                lambda x, w: ACROSS(x.sum(2, keepdim=True).expand_as(x), w)
            ),
        },
        without=["linear", "addmm"],
    ),
    "mixer-story-cost": Question(
        385,
        {
            "At 384 both cost the same.": 384,
            "Both have the factor 2: it cancels.": 769,
            "Both have the factor 2: it cancels, and they are equal there.": 768,
            "Both have the factor 2, scores and reading, first and second.": 193,
        },
    ),
}
