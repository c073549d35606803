"""The exercises on norms."""

from functools import partial
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.norm import GROUPED
from layerlib.recipe import Recipe, Reduce

EPS = 0.1  # so large that its place under the root can be told from others


def _standard(
    x: Tensor, axes: int | tuple[int, ...], correction: int = 0, eps: float = EPS
) -> Tensor:
    centered = x - x.mean(axes, keepdim=True)
    count = x.numel() / max(1, centered.sum(axes).numel())
    variance = (centered * centered).sum(axes, keepdim=True) / (count - correction)
    return centered / (variance + eps).sqrt()


def _layer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centered = x - x.mean(1, keepdim=True)
    variance = centered.square().mean(1, keepdim=True)
    return centered / (variance + EPS).sqrt() * weight + bias


Spread = Literal["standard", "variance", "absolute", "summed"]


def _wrong_layer(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    axes: tuple[int, ...] = (1,),
    correction: int = 0,
    eps: float = EPS,
    outside: bool = False,
    spread: Spread = "standard",
    centered: bool = True,
    early: bool = False,
) -> Tensor:
    """A layer norm with settings, each of which is a mistake that learners make."""
    apart = x - x.mean(axes, keepdim=True)
    count = x[0].numel() if axes == (1,) else x.numel() // x.sum(axes).numel()
    squares = apart.square().sum(axes, keepdim=True)
    under, over = (0.0, eps) if outside else (eps, 0.0)
    divisor = {
        "standard": (squares / (count - correction) + under).sqrt() + over,
        "variance": squares / (count - correction) + eps,
        "absolute": apart.abs().mean(axes, keepdim=True) + eps,
        "summed": (squares + under).sqrt() + over,
    }[spread]
    y = (apart if centered else x) / divisor
    return (y + bias) * weight if early else y * weight + bias


def _grouped(x: Tensor, g: int, *, correction: int = 0, eps: float = EPS) -> Tensor:
    return _standard(GROUPED(x, g=g), (2, 3), correction, eps).reshape(x.shape)


def _interleaved(x: Tensor, g: int) -> Tensor:
    apart = rearrange(x, "b (c g) n -> b c g n", g=g)
    return _standard(apart, (1, 3)).reshape(x.shape)


def _follow(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    new: float = 0.1,
    old: float | None = None,
    less: int = 1,
    root: bool = False,
) -> tuple[Tensor, Tensor]:
    seen = x.mean((0, 2))
    var = x.var((0, 2), correction=less)
    var = var.sqrt() if root else var
    old = 1 - new if old is None else old
    return old * mean + new * seen, old * variance + new * var


def _fold(*given: Tensor) -> tuple[Tensor, Tensor]:
    weight, bias, gamma, beta, mean, deviation = given
    scale = gamma / deviation
    return Recipe("o i, o -> o i")(weight, scale), beta + scale * (bias - mean)


def _gradient(
    gradient: Tensor, x: Tensor, ones: float = 1.0, along: float = 1.0
) -> Tensor:
    centered = x - x.mean(1, keepdim=True)
    scale = torch.rsqrt((centered * centered).mean(1, keepdim=True) + EPS)
    y = centered * scale
    mean = gradient.mean(1, keepdim=True)
    pull = y * (gradient * y).mean(1, keepdim=True)
    return scale * (gradient - ones * mean - along * pull)


EXERCISES: dict[str, Exercise] = {
    "norm-shares": Question(
        (8 * 10 * 10, 16 * 10 * 10, 10 * 10, 4 * 10 * 10),
        {
            "The positions share a mean as well, in each of the four.": (
                8,
                16,
                1,
                4,
            ),
            "The order is batch, layer, instance, group.": (
                8 * 10 * 10,
                10 * 10,
                16 * 10 * 10,
                4 * 10 * 10,
            ),
            "A layer norm stays within its example.": (
                8 * 10 * 10,
                8 * 16 * 10 * 10,
                10 * 10,
                4 * 10 * 10,
            ),
            "Batch and layer are exchanged: a batch norm averages over b.": (
                16 * 10 * 10,
                8 * 10 * 10,
                10 * 10,
                4 * 10 * 10,
            ),
        },
    ),
    "norm-moves": Task(
        "x: b n, weight: n, bias: n -> b n",
        _layer,
        {
            "The variance is divided by n − 1; here it is the biased one.": (
                partial(_wrong_layer, correction=1)
            ),
            "eps stands outside the root; it belongs under it.": (
                partial(_wrong_layer, outside=True)
            ),
            "The average is over the batch; that would be a batch norm.": (
                partial(_wrong_layer, axes=(0,))
            ),
            "The root is forgotten: it divides by the variance.": (
                partial(_wrong_layer, spread="variance")
            ),
            "The mean is not taken away.": partial(_wrong_layer, centered=False),
            "The bias is added before the weight multiplies.": (
                partial(_wrong_layer, early=True)
            ),
            "eps is 1e-5 by habit; here it is 0.1.": partial(_wrong_layer, eps=1e-5),
            "There is no eps under the root.": partial(_wrong_layer, eps=0.0),
            "All examples share one mean and variance; each has its own.": (
                partial(_wrong_layer, axes=(0, 1))
            ),
            "The squares are summed; a variance is their mean.": (
                partial(_wrong_layer, spread="summed")
            ),
            "That is the mean distance from the mean, not the standard deviation.": (
                partial(_wrong_layer, spread="absolute")
            ),
        },
        without=["layer_norm", "native_layer_norm", "batch_norm", "group_norm"],
    ),
    "norm-groups": Task(
        "x: b (g c) n -> b (g c) n",
        _grouped,
        {
            "The groups are read as (c g): a group is neighbors, (g c).": _interleaved,
            "Each channel is by itself; that would be an instance norm.": (
                lambda x, _: _standard(x, 2)
            ),
            "All channels share a mean; that would be a layer norm.": (
                lambda x, _: _standard(x, (1, 2))
            ),
            "Each position is by itself; the group goes over n, too.": (
                lambda x, g: _standard(GROUPED(x, g=g), 2).flatten(1, 2)
            ),
            "The variance is divided by one less; here it is the biased one.": (
                partial(_grouped, correction=1)
            ),
            "eps is 1e-5 by habit; here it is 0.1.": partial(_grouped, eps=1e-5),
            "The examples of a batch share their mean; each has its own.": (
                lambda x, g: _standard(GROUPED(x, g=g), (0, 2, 3)).flatten(1, 2)
            ),
        },
        without=["group_norm", "native_group_norm", "layer_norm", "batch_norm"],
        numbers=["g"],
    ),
    "norm-running": Task(
        "x: b c n, mean: c, variance: c -> mean: c, variance: c",
        _follow,
        {
            "The variance that is kept is the unbiased one.": (
                partial(_follow, less=0)
            ),
            "Momentum is the weight of the new, and not of the old.": (
                partial(_follow, new=0.9)
            ),
            "The old is forgotten: momentum 0.1 leaves 0.9 of it.": (
                partial(_follow, new=1.0)
            ),
            "It is the standard deviation; torch keeps the variance.": (
                partial(_follow, root=True)
            ),
            "The new is added, and nothing of the old is taken away.": (
                partial(_follow, old=1.0)
            ),
        },
        without=["batch_norm", "native_batch_norm"],
        empty=False,
    ),
    "norm-fold": Task(
        "weight: o i, bias: o, gamma: o, beta: o, mean: o, deviation: o "
        "-> weight: o i, bias: o",
        _fold,
        {
            "The bias of the layer is lost.": (
                lambda w, _, *norm: _fold(w, torch.zeros_like(norm[0]), *norm)
            ),
            "The mean is to be scaled, too: it is subtracted before that.": (
                lambda w, b, gamma, beta, mean, deviation: (
                    w * (gamma / deviation)[:, None],
                    b * gamma / deviation - mean + beta,
                )
            ),
            "beta is scaled here; it is added last, as it is.": (
                lambda w, b, gamma, beta, mean, deviation: (
                    w * (gamma / deviation)[:, None],
                    (b - mean + beta) * gamma / deviation,
                )
            ),
            "The columns are scaled; gamma belongs to the outputs, the rows.": (
                lambda w, *rest: (w * (rest[1] / rest[4]), _fold(w, *rest)[1])
            ),
            "gamma is forgotten.": (
                lambda w, b, gamma, *rest: _fold(w, b, torch.ones_like(gamma), *rest)
            ),
        },
        without=["fuse_linear_bn_weights", "batch_norm"],
    ),
    "norm-gradient": Task(
        "gradient: b n, x: b n -> b n",
        _gradient,
        {
            "The averages are taken for constants: both parts are still in.": (
                lambda g, x: _gradient(g, x, ones=0.0, along=0.0)
            ),
            "The part along ones is still in.": lambda g, x: _gradient(g, x, ones=0.0),
            "The part along the output is still in.": (
                lambda g, x: _gradient(g, x, along=0.0)
            ),
            "It sums where it is to average: over n.": (
                lambda g, x: _gradient(g, x, ones=x.shape[1], along=x.shape[1])
            ),
            "It is not divided by the standard deviation.": (
                lambda g, x: (
                    _gradient(g, x)
                    * (x.var(1, keepdim=True, correction=0) + EPS).sqrt()
                )
            ),
        },
        without=["layer_norm", "native_layer_norm", "grad", "backward"],
    ),
    "norm-story-row": Question(
        (-1, -1, 1, 1),
        {
            "These are centered. Now divide by the standard deviation, 2.": (
                -2,
                -2,
                2,
                2,
            ),
            "That is divided by the variance, 4, and not by its root.": (
                -0.5,
                -0.5,
                0.5,
                0.5,
            ),
            "Subtract the mean, 4, before you divide.": (1, 1, 3, 3),
        },
    ),
    "norm-story-line": Task(
        "input: b c h w -> b c 1 1",
        Reduce("b c h w -> b c 1 1", "mean"),
        {
            "Each example by itself: b is kept, or it is a batch norm.": (
                Reduce("b c h w -> 1 c 1 1", "mean")
            ),
            "The channels share a mean here, which makes it a layer norm.": (
                Reduce("b c h w -> b 1 1 1", "mean")
            ),
            "A letter that is averaged leaves an axis of length 1.": (
                Reduce("b c h w -> b c", "mean")
            ),
            "Each position has a mean of its own; average over h and w.": (
                Reduce("b c h w -> b 1 h w", "mean")
            ),
            "It sums, and a mean is to be taken.": (
                Reduce("b c h w -> b c 1 1", "sum")
            ),
        },
        empty=False,
    ),
    "norm-story-running": Question(
        (2.5, 1.25),
        {
            "Momentum is the weight of the new value, not of the old.": (7.5, 1.75),
            "The variance that is kept is unbiased: 2 / (2 - 1), not 2 / 2.": (
                2.5,
                1.0,
            ),
            "These are the values of the batch; they only move toward them.": (
                10,
                2,
            ),
        },
    ),
}
