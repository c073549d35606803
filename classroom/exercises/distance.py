"""The exercises on distances."""

from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.distance import DOT, pairwise_distance
from layerlib.recipe import Recipe

_PAIRS = Recipe("q i, s i -> q s")


def _unit(x: Tensor) -> Tensor:
    return x / DOT(x, x).sqrt()[:, None]


def _along(x: Tensor, y: Tensor) -> Tensor:
    return (DOT(x, y) / DOT(x, x))[:, None] * x


def _squares(x: Tensor, y: Tensor, dots: float = 2.0) -> Tensor:
    """All squared distances, with so many dot products subtracted."""
    return DOT(x, x)[:, None] + DOT(y, y) - dots * _PAIRS(x, y)


def _turned(x: Tensor, y: Tensor, *, across: bool = True, far: bool = True) -> Tensor:
    """The gradient of the cosine, with or without each of its two parts."""
    one, two = _unit(x), _unit(y)
    turn = two - DOT(one, two)[:, None] * one if across else two
    return turn / DOT(x, x).sqrt()[:, None] if far else turn


EXERCISES: dict[str, Exercise] = {
    "distance-norms": Question(
        5,
        {
            "That is p = infinity, the largest difference.": 3,
            "That is p = 0, the number of places that differ.": 2,
            "These are the squares; p = 1 sums the magnitudes.": 13,
            "The signs are kept: take the magnitude of each difference.": -1,
        },
    ),
    "distance-along": Task(
        "x: b i, y: b i -> b i",
        _along,
        {
            "The length of x still counts: divide by it twice.": (
                lambda x, y: DOT(x, y)[:, None] * x
            ),
            "It is divided by the length of x once; that length comes in twice.": (
                lambda x, y: DOT(_unit(x), y)[:, None] * x
            ),
            "It is divided by the length of y; the part grows with y.": (
                lambda x, y: DOT(_unit(x), _unit(y))[:, None] * _unit(x)
            ),
            "That is the part at a right angle, the rest of y.": (
                lambda x, y: y - _along(x, y)
            ),
            "That is the part of x along y: the two are exchanged.": (
                lambda x, y: _along(y, x)
            ),
        },
        without=["cosine_similarity", "normalize", "norm", "linalg_vector_norm"],
    ),
    "distance-pairs": Task(
        "x: q i, y: s i -> q s",
        lambda x, y: (x[:, None] - y).square().sum(-1).sqrt(),
        {
            "The root is missing.": (
                lambda x, y: pairwise_distance(x[:, None], y, eps=0.0) ** 2
            ),
            "The magnitudes are summed: that is p = 1.": (
                lambda x, y: pairwise_distance(x[:, None], y, 1.0, eps=0.0)
            ),
            "The output is (s, q): its two axes are exchanged.": (
                lambda x, y: pairwise_distance(y[:, None], x, eps=0.0)
            ),
            "The vectors are added; a distance is of their difference.": (
                lambda x, y: pairwise_distance(x[:, None], -y, eps=0.0)
            ),
        },
        without=["cdist", "pairwise_distance", "norm", "linalg_vector_norm", "dist"],
    ),
    "distance-gradient": Task(
        "x: b i, y: b i -> b i",
        _turned,
        {
            "It is not divided by the length of x.": (
                lambda x, y: _turned(x, y, far=False)
            ),
            "The part along x is still there: no turn comes of it.": (
                lambda x, y: _turned(x, y, across=False)
            ),
            "It points away from y: the sign is wrong.": lambda x, y: -_turned(x, y),
            "y is not divided by its length.": (
                lambda x, y: _turned(x, y) * DOT(y, y).sqrt()[:, None]
            ),
        },
        without=["cosine_similarity", "normalize", "norm", "linalg_vector_norm"],
    ),
    "distance-story-directions": Task(
        "input: b i -> b i",
        _unit,
        {
            "The root is missing: the length is the root of the sum of squares.": (
                lambda x: x / DOT(x, x)[:, None]
            ),
            "It is divided by the sum of the numbers; square them first.": (
                lambda x: x / x.sum(1, keepdim=True)
            ),
            "The squares are summed over b; each row has a length of its own.": (
                lambda x: x / (x * x).sum(0, keepdim=True).sqrt()
            ),
            "It is divided by the sum of the magnitudes: that is p = 1.": (
                lambda x: x / x.abs().sum(1, keepdim=True)
            ),
            "It is divided by the largest magnitude: that is p = infinity.": (
                lambda x: x / x.abs().amax(1, keepdim=True)
            ),
            "It is multiplied by the length; divide by it.": (
                lambda x: x * DOT(x, x).sqrt()[:, None]
            ),
        },
        without=["normalize", "norm", "linalg_vector_norm"],
    ),
    "distance-story-squares": Task(
        "queries: q i, candidates: s i -> q s",
        _squares,
        {
            "The dot product is subtracted once; the formula has it twice.": (
                lambda x, y: _squares(x, y, 1.0)
            ),
            "The dot product is added: that is the square of the sum.": (
                lambda x, y: _squares(x, y, -2.0)
            ),
            "The squared lengths of the candidates are missing.": (
                lambda x, y: DOT(x, x)[:, None] - 2 * _PAIRS(x, y)
            ),
            "The lengths are not squared.": (
                lambda x, y: (
                    DOT(x, x).sqrt()[:, None] + DOT(y, y).sqrt() - 2 * _PAIRS(x, y)
                )
            ),
            "The root is taken; squared distances are asked for.": (
                lambda x, y: _squares(x, y).clamp(min=0).sqrt()
            ),
            "The output is (s, q): its two axes are exchanged.": (
                lambda x, y: _squares(y, x)
            ),
        },
        without=["cdist", "pairwise_distance", "norm", "linalg_vector_norm", "dist"],
    ),
}
