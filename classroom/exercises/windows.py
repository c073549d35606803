"""The exercises on windows and padding."""

import torch
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.engine.windows import Kernel
from layerlib.recipe import Rearrange, Recipe
from layerlib.windows import overlap_add, pad


def _same(
    x: Tensor, weight: Tensor, more_left: int = 0, mode: str = "constant"
) -> Tensor:
    k = len(weight)
    left = (k - 1) // 2 + more_left * (1 - k % 2)
    padded = pad(x, (left, k - 1 - left), mode)
    return Recipe("b w k, k -> b w")(padded.unfold(1, k, 1), weight)


def _back(gradient: Tensor, weight: Tensor, more_left: int = 0) -> Tensor:
    k, w = len(weight), gradient.shape[1]
    left = (k - 1) // 2 + more_left * (1 - k % 2)
    sent = Recipe("b w, k -> b w k")(gradient, weight)
    padded = overlap_add(sent, (w + k - 1,), Kernel((k,)))
    return padded[:, left : left + w]


def _last(gradient: Tensor, weight: Tensor) -> Tensor:
    k, w = len(weight), gradient.shape[1]
    padded = gradient.new_zeros(len(gradient), w + k - 1)
    for at in range(w):
        padded[:, at : at + k] = gradient[:, at, None] * weight
    return padded[:, (k - 1) // 2 :][:, :w]


def _put_back(copies: Tensor, cut: int = 0) -> Tensor:
    _, x, k = copies.shape
    return overlap_add(copies, (x + k - 1,), Kernel((k,)))[:, cut : cut + x]


def _written_over(copies: Tensor) -> Tensor:
    b, x, k = copies.shape
    output = copies.new_zeros(b, x + k - 1)
    for at in range(k):
        output[:, at : at + x] = copies[:, :, at]
    return output[:, :x]


EXERCISES: dict[str, Exercise] = {
    "windows-count": Question(
        len(range(-4, 30 + 4 - 2 * 3, 3)),
        {
            "The padding is forgotten.": len(range(0, 30 - 2 * 3, 3)),
            "The dilation is forgotten: the kernel reaches over 7 cells.": len(
                range(-4, 30 + 4 - 3, 3)
            ),
            "One is missing: the first start counts, and both sides are padded.": 10,
            "Those are all starts; with stride 3 every third counts.": len(
                range(-4, 30 + 4 - 2 * 3)
            ),
        },
    ),
    "windows-seen": Question(
        (1, 0, 2, 0, 3, 0, 2, 0, 1),
        {
            "That is stride 1; here the kernel goes two cells at a time.": (
                (1, 1, 2, 2, 3, 2, 2, 1, 1)
            ),
            "The dilation is forgotten: neighbors in a window are two cells apart.": (
                (1, 1, 2, 1, 2, 1, 2, 1, 1)
            ),
            "Windows overlap: more than one of them sees cell 4.": (
                (1, 0, 1, 0, 1, 0, 1, 0, 1)
            ),
            "A window of 3 cells reaches from cell 4 to cell 8: one more fits.": (
                (1, 0, 2, 0, 2, 0, 1, 0, 0)
            ),
        },
    ),
    "windows-patches": Task(
        "image: b c (y kh) (x kw) -> b (c kh kw) (y x)",
        Rearrange("b c (y kh) (x kw) -> b (c kh kw) (y x)"),
        {
            "The channels run fastest; they stand before the places in the kernel.": (
                "b c (y kh) (x kw) -> b (kh kw c) (y x)"
            ),
            "The columns are read downwards: x runs faster than y.": (
                "b c (y kh) (x kw) -> b (c kh kw) (x y)"
            ),
            "kh and kw are exchanged: kw runs fastest.": (
                "b c (y kh) (x kw) -> b (c kw kh) (y x)"
            ),
            "The cells of a patch lie kh rows apart; they are neighbors.": (
                "b c (kh y) (kw x) -> b (c kh kw) (y x)"
            ),
        },
        without=["unfold", "im2col"],
        numbers=["kh", "kw"],
        empty=False,
    ),
    "windows-pad": Task(
        "image: b c h w, tall: y h, broad: x w -> b c y x",
        Recipe("b c h w, y h, x w -> b c y x"),
        {
            "The channels are summed; each is padded by itself.": (
                "b c h w, y h, x w -> b y x"
            ),
            "The output is transposed: y comes before x.": (
                "b c h w, y h, x w -> b c x y"
            ),
        },
    ),
    "windows-same": Task(
        "x: b w, weight: k -> b w",
        _same,
        {
            "The kernel is flipped; a window meets it as it stands.": (
                lambda x, weight: _same(x, weight.flip(0))
            ),
            "For an even kernel the extra cell goes to the right.": (
                lambda x, weight: _same(x, weight, 1)
            ),
            "The windows are averaged; their products are to be summed.": (
                lambda x, weight: _same(x, weight) / len(weight)
            ),
            "The edge cells are repeated; the padding is zeros.": (
                lambda x, weight: _same(x, weight, mode="replicate")
            ),
            "The largest product of each window is taken; sum them.": (
                lambda x, weight: (
                    pad(x, ((len(weight) - 1) // 2, len(weight) // 2)).unfold(
                        1, len(weight), 1
                    )
                    * weight
                ).amax(-1)
            ),
            "All padding is on the left; it goes to both sides.": (
                lambda x, weight: Recipe("b w k, k -> b w")(
                    pad(x, (len(weight) - 1, 0)).unfold(1, len(weight), 1), weight
                )
            ),
        },
        without=["conv1d", "convolution"],
    ),
    "windows-back": Task(
        "gradient: b w, weight: k -> b w",
        _back,
        {
            "That is the layer itself; going back, each product is sent home.": _same,
            "For an even kernel the padding is cut off at the wrong end.": (
                lambda gradient, weight: _back(gradient, weight, 1)
            ),
            "Copies of one cell are written over; they are to be added.": _last,
            "The kernel is flipped: each copy goes back with its own weight.": (
                lambda gradient, weight: _back(gradient, weight.flip(0))
            ),
        },
        without=["conv1d", "convolution", "conv_transpose1d", "grad", "backward"],
    ),
    "windows-story-starts": Question(
        tuple(range(-3, 10 + 3 - 2 * (4 - 1), 3)),
        {
            "Windows may begin in the padding, at -3.": (0, 3),
            "The padding after the row counts, too: the last cell is 12.": (-3, 0, 3),
            "With dilation 2, a window of 4 reaches 6 cells beyond its first.": (
                tuple(range(-3, 10 + 3 - 3, 3))
            ),
            "Those are all starts; with stride 3 every third counts.": (
                tuple(range(-3, 10 + 3 - 2 * (4 - 1)))
            ),
            "Count the cells of the row itself, not of the padded one.": ((0, 3, 6, 9)),
        },
    ),
    "windows-story-beside": Question(
        (2, 1, 0, 0, 1, 2, 3, 3, 2, 1),
        {
            "That mirror stands on the edge cell; this one shows the edge twice.": (
                (3, 2, 1, 0, 1, 2, 3, 2, 1, 0)
            ),
            "That repeats the edge cell; a mirror goes back into the row.": (
                (0, 0, 0, 0, 1, 2, 3, 3, 3, 3)
            ),
            "That goes on at the other side; a mirror turns back.": (
                (1, 2, 3, 0, 1, 2, 3, 0, 1, 2)
            ),
            "The four cells have the numbers 0 to 3.": (3, 2, 1, 1, 2, 3, 4, 4, 3, 2),
        },
    ),
    "windows-story-back": Task(
        "copies: b x k -> b x",
        _put_back,
        {
            "Copies of one cell are written over; they are to be added.": _written_over,
            "The sum is divided by the counts; here it is to stay a sum.": (
                lambda copies: _put_back(copies) / _put_back(torch.ones_like(copies))
            ),
            "Position k belongs k cells after the start, not before it.": (
                lambda copies: _put_back(copies.flip(2))
            ),
            "The padding stands at the end of the row, and is cut off there.": (
                lambda copies: _put_back(copies, copies.shape[2] - 1)
            ),
        },
        without=["fold", "conv_transpose1d", "unfold", "backward", "grad"],
    ),
}
