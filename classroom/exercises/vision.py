"""The exercises on pictures as tokens."""

from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.linear import linear
from layerlib.recipe import Rearrange, Recipe

CUT = Rearrange("b c (y kh) (x kw) -> b (y x) (c kh kw)")
ROWS = Recipe("o i, o -> o i")


def _embedded(
    image: Tensor, weight: Tensor, bias: Tensor | float, line: str, **sizes: int
) -> Tensor:
    """Patches in the order of the line, through the filters."""
    return linear(Rearrange(line)(image, **sizes), weight) + bias


def _scaled(weight: Tensor, bias: Tensor, scale: Tensor) -> list[Tensor]:
    return [ROWS(weight, scale), bias * scale]


EXERCISES: dict[str, Exercise] = {
    "vision-count": Question(
        768 * 768 + 768,
        {
            "Each filter has a bias, too.": 768 * 768,
            "A patch has three colors.": 768 * 256 + 768,
            "All patches share one weight.": 196 * (768 * 768 + 768),
            "A filter is as large as a patch, not as the picture.": (
                768 * 3 * 224 * 224 + 768
            ),
        },
    ),
    "vision-reshape": Question(
        (0, 1, 2, 3),
        {
            "That is the right patch, and the code is wrong.": (0, 1, 4, 5),
            "A reshape goes row by row, not column by column.": (0, 4, 8, 12),
            "A reshape leaves no number out.": (0, 2, 8, 10),
        },
    ),
    "vision-back": Task(
        "tokens: b (y x) e -> b e y x",
        Rearrange("b (y x) e -> b e y x"),
        {
            "The patches are listed row by row: (y x), not (x y).": (
                "b (x y) e -> b e y x"
            ),
            "The channels stand last; a picture has them before y and x.": (
                "b (y x) e -> b y x e"
            ),
            "Height and width are exchanged in the output.": "b (y x) e -> b e x y",
        },
        numbers=["y"],
        empty=False,
    ),
    "vision-scale": Task(
        "weight: o i, bias: o, scale: o -> weight: o i, bias: o",
        _scaled,
        {
            "The bias is scaled, too.": (
                lambda weight, bias, scale: [ROWS(weight, scale), bias + 0 * scale]
            ),
            "The factor comes twice.": (
                lambda weight, bias, scale: _scaled(weight, bias, scale * scale)
            ),
            "LayerScale multiplies; it adds nothing.": (
                lambda weight, bias, scale: [weight + scale[:, None], bias + scale]
            ),
        },
    ),
    "vision-video": Task(
        "video: b c (t kt) (y kh) (x kw) -> b (t y x) (c kt kh kw)",
        Rearrange("b c (t kt) (y kh) (x kw) -> b (t y x) (c kt kh kw)"),
        {
            "The time runs slowest among the tokens: (t y x).": (
                "b c (t kt) (y kh) (x kw) -> b (y x t) (c kt kh kw)"
            ),
            "The frames of a patch come before its rows: (c kt kh kw).": (
                "b c (t kt) (y kh) (x kw) -> b (t y x) (c kh kw kt)"
            ),
            "The frames of a patch follow each other: (t kt), not (kt t).": (
                "b c (kt t) (y kh) (x kw) -> b (t y x) (c kt kh kw)"
            ),
        },
        numbers=["kt", "kh", "kw"],
        empty=False,
    ),
    "vision-story-embed": Task(
        "image: b c (y kh) (x kw), weight: e (c kh kw), bias: e -> b (y x) e",
        lambda image, weight, bias, kh, kw: linear(
            CUT(image, kh=kh, kw=kw), weight, bias
        ),
        {
            "The bias is missing.": (
                lambda image, weight, bias, kh, kw: (
                    linear(CUT(image, kh=kh, kw=kw), weight) + 0 * bias
                )
            ),
            "The patches are listed column by column: (x y) in place of (y x).": (
                lambda image, weight, bias, kh, kw: _embedded(
                    image, weight, bias,
                    "b c (y kh) (x kw) -> b (x y) (c kh kw)", kh=kh, kw=kw,
                )
            ),
            "Rows and columns within a patch are exchanged: (kw kh) for (kh kw).": (
                lambda image, weight, bias, kh, kw: _embedded(
                    image, weight, bias,
                    "b c (y kh) (x kw) -> b (y x) (c kw kh)", kh=kh, kw=kw,
                )
            ),
            "The channels run fastest: (kh kw c) in place of (c kh kw).": (
                lambda image, weight, bias, kh, kw: _embedded(
                    image, weight, bias,
                    "b c (y kh) (x kw) -> b (y x) (kh kw c)", kh=kh, kw=kw,
                )
            ),
            "A patch takes pixels that lie apart: (kh y) splits in the wrong order.": (
                lambda image, weight, bias, kh, kw: _embedded(
                    image, weight, bias,
                    "b c (kh y) (kw x) -> b (y x) (c kh kw)", kh=kh, kw=kw,
                )
            ),
        },
        numbers=["kh", "kw"],
        empty=False,
    ),
    "vision-story-stream": Question(
        (8, 65, 192),
        {
            "The class token is missing.": (8, 64, 192),
            "The stream has the features of the embedding.": (8, 65, 48),
            "There are 8 patches along each axis, so 64 in all.": (8, 9, 192),
            "The tokens come before the features.": (8, 192, 65),
        },
    ),
}  # fmt: skip
"""The exercises, as data: a file for each family."""
