"""The exercises on pooling."""

import torch
from einops import reduce
from torch import Tensor
from torch.nn.functional import one_hot

from classroom.judge import Exercise, Question, Task
from layerlib.pool import UNPOOL, avg_pool1d, lp_pool1d, max_pool1d, max_pool2d
from layerlib.recipe import Rearrange, Recipe
from layerlib.windows import pad

WINDOWS = Rearrange("b c (y kh) (x kw) -> b c y kh x kw")


def _gradient(gradient: Tensor, picture: Tensor, k: int) -> Tensor:
    seen = picture.reshape(*gradient.shape, k)
    largest = (seen == seen.amax(-1, keepdim=True)).to(gradient.dtype)
    y: Tensor = gradient[..., None] * largest
    return y.flatten(2)


def _mean_of_neighbors(picture: Tensor) -> Tensor:
    total = pad(picture, (1, 1)).unfold(-1, 3, 1).sum(-1)
    return total / pad(torch.ones_like(picture), (1, 1)).unfold(-1, 3, 1).sum(-1)


def _unpooled(value: Tensor, picture: Tensor, k: int) -> Tensor:
    """Each value in the cell of the largest of its window."""
    _, at = max_pool1d(picture, k, return_indices=True)
    return UNPOOL(value, one_hot(at, picture.shape[-1]).to(value.dtype))


EXERCISES: dict[str, Exercise] = {
    "pool-shape": Question(
        (8, 64, 56, 56),
        {
            "One window is missing: one stands there before the first stride.": (
                (8, 64, 55, 55)
            ),
            "The stride is 2 here; without one it would be 3, the window's size.": (
                (8, 64, 38, 38)
            ),
            "The channels stay as they are: each is pooled by itself.": (8, 32, 56, 56),
        },
    ),
    "pool-bin": Question(
        (2, 7),
        {
            "The border at 5 falls between two cells, and no bins share one there.": (
                (2, 5, 7)
            ),
            "The end, rounded up, is no longer in its bin.": (3, 5, 8),
            "4 does not divide 10, so some bins overlap.": (),
            "Those are bins; the cells that they share are asked for.": (0, 1, 2, 3),
        },
    ),
    "pool-max": Task(
        "picture: b c (y kh) (x kw) -> b c y x",
        lambda picture, kh, kw: WINDOWS(picture, kh=kh, kw=kw).amax((3, 5)),
        {
            "The axis is split as (kh y); a window holds neighbors: (y kh).": (
                lambda picture, kh, kw: reduce(
                    picture, "b c (kh y) (kw x) -> b c y x", "max", kh=kh, kw=kw
                )
            ),
            "It is the mean of each window.": (
                lambda picture, kh, kw: reduce(
                    1.0 * picture, "b c (y kh) (x kw) -> b c y x", "mean", kh=kh, kw=kw
                )
            ),
            "It is the smallest of each window.": (
                lambda picture, kh, kw: reduce(
                    picture, "b c (y kh) (x kw) -> b c y x", "min", kh=kh, kw=kw
                )
            ),
            "The channels are reduced, too; each is pooled by itself.": (
                lambda picture, kh, kw: max_pool2d(picture.amax(1), (kh, kw))
            ),
        },
        without=["max_pool2d", "adaptive_max_pool2d", "max_pool2d_with_indices"],
        numbers=["kh", "kw"],
    ),
    "pool-lp": Task(
        "picture: b c (x k) -> b c x",
        lambda picture, k: picture.unflatten(-1, (-1, k)).square().sum(-1).sqrt(),
        {
            "The root is missing.": (
                lambda picture, k: lp_pool1d(1.0 * picture, 2.0, k) ** 2
            ),
            "The squares are averaged; they are to be summed.": (
                lambda picture, k: lp_pool1d(1.0 * picture, 2.0, k) / k**0.5
            ),
            "The numbers are summed without their squares: that is p = 1.": (
                lambda picture, k: lp_pool1d(1.0 * picture, 1.0, k)
            ),
            "It is squared after the sum, not before.": (
                lambda picture, k: lp_pool1d(1.0 * picture, 1.0, k).abs()
            ),
        },
        without=["lp_pool1d", "avg_pool1d", "norm", "linalg_vector_norm"],
        numbers=["k"],
    ),
    "pool-gradient": Task(
        "gradient: b c x, picture: b c (x k) -> b c (x k)",
        _gradient,
        {
            "Each cell of a window gets it; only the largest is to.": (
                lambda gradient, _, k: gradient.repeat_interleave(k, -1)
            ),
            "It is shared evenly: that is the gradient of the mean.": (
                lambda gradient, _, k: gradient.repeat_interleave(k, -1) / k
            ),
            "The maxima go back; it is the gradient that goes there.": (
                lambda _, picture, k: _unpooled(
                    reduce(picture, "b c (x k) -> b c x", "max", k=k), picture, k
                )
            ),
            "It goes to the smallest cell.": (
                lambda gradient, picture, k: _unpooled(gradient, -picture, k)
            ),
        },
        without=["max_pool1d", "max_unpool1d", "max_pool2d_with_indices"],
        numbers=["k"],
    ),
    "pool-count": Task(
        "picture: b c w -> b c w",
        _mean_of_neighbors,
        {
            "The padding counts: at the edges only two cells are there.": (
                lambda picture: avg_pool1d(1.0 * picture, 3, 1, 1)
            ),
            "It is the sum; divide by the number of cells.": (
                lambda picture: 3 * avg_pool1d(1.0 * picture, 3, 1, 1)
            ),
            "The edges are divided by 2 even where one cell is all there is.": (
                lambda picture: _halved(1.0 * picture)
            ),
        },
        without=["avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d"],
    ),
    "pool-story-mean": Question(
        (2.75, 2.0, -3.0, 8.0),
        {
            "Those are the sums; each window has four cells.": (11, 8, -12, 32),
            "Those are the largest numbers; the mean is asked for.": (5, 4, -1, 9),
            "The signs in the lower left window are lost.": (2.75, 2, 3, 8),
        },
    ),
    "pool-story-bins": Task(
        "input: b c h w, rows: y h, columns: x w -> b c y x",
        Recipe("b c h w, y h, x w -> b c y x"),
        {
            "It is laid out as x y; rows come before columns.": (
                "b c h w, y h, x w -> b c x y"
            ),
            "The channels are summed; each is pooled by itself.": (
                "b c h w, y h, x w -> b y x"
            ),
            "h and w are still there; the bins take their place.": (
                "b c h w, y h, x w -> b c h w y x"
            ),
        },
    ),
}


def _halved(picture: Tensor) -> Tensor:
    total, last = 3 * avg_pool1d(picture, 3, 1, 1), picture.shape[-1] - 1
    count = [2.0 if n in (0, last) else 3.0 for n in range(last + 1)]
    return total / total.new_tensor(count)
