"""The exercises on a linear layer for each position."""

import torch
from einops import einsum, rearrange
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.nlinear import NLINEAR, nlinear
from layerlib.recipe import Rearrange, Recipe

GRID = Recipe("b h w i, h w i o -> b h w o")


def _states(weight: Tensor, bias: Tensor) -> list[dict[str, Tensor]]:
    """The state dicts of as many `Linear` as there are positions."""
    return [{"weight": w, "bias": b} for w, b in zip(weight, bias, strict=True)]


def _stacked(states: list[dict[str, Tensor]], name: str) -> Tensor:
    return torch.stack([state[name] for state in states])


def _reshaped(states: list[dict[str, Tensor]]) -> Tensor:
    return torch.stack([s["weight"].reshape(s["weight"].T.shape) for s in states])


def _blocks(weight: Tensor, line: str) -> Tensor:
    """The weight on the diagonal of two axes for the positions: n, and s."""
    return rearrange(
        einsum(weight, torch.eye(len(weight)), "n i o, n s -> n o s i"), line
    )


EXERCISES: dict[str, Exercise] = {
    "nlinear-count": Question(
        16 * (8 * 4 + 4),
        {
            "This is one Linear; there are 16 of them.": 8 * 4 + 4,
            "The biases are missing: each position has its own.": 16 * 8 * 4,
            "One bias for all is too little: each position has its own.": (
                16 * 8 * 4 + 4
            ),
            "A bias belongs to an output, not to an input.": 16 * (8 * 4 + 8),
        },
    ),
    "nlinear-moves": Task(
        "x: b n i, weight: n i o, bias: n o -> b n o",
        lambda x, w, bias: NLINEAR(x, w) + bias,
        {
            "The bias is forgotten.": lambda x, w, _: NLINEAR(x, w),
            "All positions use the first weight.": (lambda x, w, bias: x @ w[0] + bias),
            "All positions use the first bias.": (
                lambda x, w, bias: NLINEAR(x, w) + bias[0]
            ),
            "The weight is read as (n, out, in); its shape is (n, i, o).": (
                lambda x, w, bias: einsum(x, w, "b n i, n o i -> b n o") + bias
            ),
            "The positions are summed: n has to stand on the right.": (
                lambda x, w, bias: einsum(x, w, "b n i, n i o -> b o") + bias.sum(0)
            ),
        },
    ),
    "nlinear-grid": Task(
        "x: b h w i, weight: h w i o, bias: h w o -> b h w o",
        lambda x, w, bias: GRID(x, w) + bias,
        {
            "The bias is forgotten.": lambda x, w, _: nlinear(x, w),
            "Rows and columns of the weight are exchanged.": (
                lambda x, w, bias: nlinear(x, w.transpose(0, 1)) + bias
            ),
            "All columns use the weight of the first.": (
                lambda x, w, bias: nlinear(x, w[:, :1].expand_as(w)) + bias
            ),
            "All rows use the weight of the first.": (
                lambda x, w, bias: nlinear(x, w[:1].expand_as(w)) + bias
            ),
        },
    ),
    "nlinear-states": Task(
        "weights: n o i, biases: n o -> weight: n i o, bias: n o",
        lambda states: (
            rearrange(_stacked(states, "weight"), "n o i -> n i o"),
            _stacked(states, "bias"),
        ),
        {
            "The weights are still (o, i); in NLinear each one is (i, o).": (
                lambda states: (_stacked(states, "weight"), _stacked(states, "bias"))
            ),
            "A reshape moves no axis: the weights are to be transposed.": (
                lambda states: (_reshaped(states), _stacked(states, "bias"))
            ),
            "All positions have the parameters of the first.": (
                lambda states: (
                    _stacked([states[0]] * len(states), "weight").mT,
                    _stacked([states[0]] * len(states), "bias"),
                )
            ),
        },
        given=_states,
    ),
    "nlinear-kernel": Task(
        "weight: n i o -> (n o) i 1",
        Rearrange("n i o -> (n o) i 1"),
        {
            "The outputs run slowest: those of one position are to stand together.": (
                "n i o -> (o n) i 1"
            ),
            "Inputs and outputs are exchanged: a kernel is (outputs, inputs, 1).": (
                "n i o -> (n i) o 1"
            ),
            "A reshape moves no axis: o is to stand next to n first.": (
                lambda w: w.reshape(-1, w.shape[1], 1)
            ),
        },
    ),
    "nlinear-blocks": Task(
        "weight: n i o -> (n o) (n i)",
        lambda weight: _blocks(weight, "n o s i -> (n o) (s i)"),
        {
            "It is (in, out): the weight of a Linear is (out, in).": (
                lambda weight: _blocks(weight, "n o s i -> (s i) (n o)")
            ),
            "The positions run fastest: n is to be outside, (n o) and (n i).": (
                lambda weight: _blocks(weight, "n o s i -> (o n) (i s)")
            ),
            "All blocks are there; off the diagonal there are to be zeros.": (
                lambda weight: rearrange(
                    weight[:, None].expand(-1, len(weight), -1, -1),
                    "n s i o -> (n o) (s i)",
                )
            ),
        },
        without=["block_diag"],
    ),
}
