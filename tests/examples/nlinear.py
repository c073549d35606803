"""Examples of NLinear, and the known mistakes; what the answers are compared with."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (its usual name)

from examples import Example

CLASSES = {
    "NLinear": [
        Example([(2, 4, 3)], (4, 3, 5)),
        Example([(2, 3, 3)], ((2, 3), 3, 5)),
        Example([(2, 4, 3)], (4, 3, 5), {"bias": False}),
        Example(
            [(2, 4, 3)],
            (4, 3, 5),
            {"device": "cpu", "dtype": torch.float64},
            dtype=torch.float64,
        ),
    ],
}

FUNCTIONS = {
    "nlinear": [Example([(2, 4, 3), (4, 3, 5), (4, 5)]), Example([(4, 3), (4, 3, 5)])],
}

MISTAKES = {
    "nlinear": {
        "one weight shared by all": (
            "weight.reshape(n.numel(), i, o)",
            "weight.reshape(n.numel(), i, o)[:1].expand(n.numel(), i, o)",
        ),
        "the weight read as (out, in)": ('"b n i, n i o -> b n o"', '"b n i, n o i -> b n o"'),
        "the bias forgotten": ("else y + bias", "else y + 0 * bias"),
        "batch and positions exchanged": (
            "input.reshape(batch.numel(), n.numel(), i)",
            "input.reshape(n.numel(), batch.numel(), i).transpose(0, 1)",
        ),
        "the bound of the outputs": ("self.in_features) **", "self.out_features) **"),
    },
    "conventions.linear nlinear": {
        "one position stretched over all": (
            "call.input.shape[-len(n) - 1 :] == (*n, i)",
            "call.input.shape[-1] == i",
        ),
        "a bias shared by all positions": ('_bias(call, "(*n, out_features) = ", (*n, o))', "pass"),
    },
    "nlinear contract": {
        "another name in the state": ("self.bias = (", "self.offset = ("),
        "arguments in another order": (
            "in_features: int,\n        out_features: int,",
            "out_features: int,\n        in_features: int,",
        ),
    },
}  # fmt: skip


def nlinears(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A loop of torch's linear over all places."""
    places = [
        F.linear(*xwb)
        for xwb in zip(
            x.flatten(1, -2).unbind(1),
            weight.flatten(0, -3).mT,
            bias.flatten(0, -2),
            strict=True,
        )
    ]
    return torch.stack(places, 1).reshape(*x.shape[:-1], weight.shape[-1])


def stacked(states: list[dict[str, Tensor]]) -> list[Tensor]:
    """The parameters of an NLinear that does what the Linears do."""
    weights, biases = zip(*(state.values() for state in states), strict=True)
    return [torch.stack([w.T for w in weights]), torch.stack(biases)]


ANSWERS: dict[str, Callable[..., Any]] = {
    "nlinear-moves": nlinears,
    "nlinear-grid": nlinears,
    "nlinear-states": stacked,
    "nlinear-kernel": lambda w: w.mT.flatten(0, 1)[:, :, None],
    "nlinear-blocks": lambda w: torch.block_diag(*w.mT),
}
