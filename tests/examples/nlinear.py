"""Examples of NLinear, and the known mistakes."""

import torch

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
            "w = weight.reshape(math.prod(n), i, o)",
            "w = weight.reshape(math.prod(n), i, o)[:1].expand(math.prod(n), i, o)",
        ),
        "the weight read as (out, in)": ('"b n i, n i o -> b n o"', '"b n i, n o i -> b n o"'),
        "the bias forgotten": (
            "start = bias.reshape(math.prod(n), 1, o)",
            "start = 0 * bias.reshape(math.prod(n), 1, o)",
        ),
        "batch and positions exchanged": (
            "input.reshape(math.prod(batch), math.prod(n), i)",
            "input.reshape(math.prod(n), math.prod(batch), i).transpose(0, 1)",
        ),
        "the bound of the outputs": ("self.in_features**-0.5", "self.out_features**-0.5"),
        "one position stretched over all": (
            "if tuple(input.shape[-len(expected) :]) != expected:",
            "if input.shape[-1] != expected[-1]:",
        ),
    },
    "nlinear contract": {
        "another name in the state": ("self.bias = (", "self.offset = ("),
        "arguments in another order": (
            "in_features: int,\n        out_features: int,",
            "out_features: int,\n        in_features: int,",
        ),
    },
}  # fmt: skip
