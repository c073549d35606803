"""Examples of dropout, and the known mistakes."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from examples import Example

CLASSES = {
    "AlphaDropout": [
        Example([(4, 6)]),
        Example([(4, 6)], (0.2,), {"inplace": True}),
        Example([(4, 6)], training=False),
    ],
    "Dropout": [
        Example([(4, 6)]),
        Example([(4, 6)], (0.2,), {"inplace": True}),
        Example([(4, 6)], training=False),
    ],
    "Dropout1d": [Example([(4, 6, 3)]), Example([(6, 3)], (0.2,), {"inplace": True})],
    "Dropout2d": [
        Example([(4, 6, 3, 2)]),
        Example([(4, 6, 3, 2)], (0.2,), {"inplace": True}),
    ],
    "Dropout3d": [
        Example([(4, 6, 3, 2, 2)]),
        Example([(6, 3, 2, 2)], (0.2,), {"inplace": True}),
    ],
    "FeatureAlphaDropout": [
        Example([(4, 6, 3)]),
        Example([(4, 6, 3)], (0.2,), {"inplace": True}),
    ],
}

FUNCTIONS = {
    "alpha_dropout": [Example([(4, 6)], (0.2, True)), Example([(4, 6)], (0.2, True, True))],
    "dropout": [Example([(4, 6)], (0.2, True, True)), Example([(4, 6)], (0.2, False))],
    "dropout1d": [Example([(4, 6, 3)], (0.2, False)), Example([(6, 3)], (0.2, True, True))],
    "dropout2d": [Example([(4, 6, 3, 2)], (0.2, True, True)), Example([(4, 6, 3, 2)], (0.2, False))],
    "dropout3d": [Example([(6, 3, 2, 2)], (0.2, True, True)), Example([(4, 6, 3, 2, 2)], (0.2, False))],
    "feature_alpha_dropout": [Example([(4, 6, 3)], (0.2, True)), Example([(4, 6, 3)], (0.2, True, True))],
}  # fmt: skip

MISTAKES = {
    "dropout": {
        "what stays is not scaled": ("return DROPOUT(input, kept / (1 - p))", "return DROPOUT(input, kept)"),
        "a channel that stays is not scaled": (
            "return FEATURE_DROPOUT(input, kept / (1 - p))",
            "return FEATURE_DROPOUT(input, kept)",
        ),
        "alpha dropout without its shift": ("return DROPOUT(input, scale) + shift", "return DROPOUT(input, scale)"),
        "alpha dropout falls to 0": ("lowest * (kept - 1) + lowest * p", "0 * (kept - 1) + lowest * p"),
        "the variance of what is dropped is forgotten": ("(1 + p * SATURATION**2)", "(1 + p)"),
    },
    "conventions.dropout": {
        "p is the probability to stay": (".bernoulli_(probability)", ".bernoulli_(1 - probability)"),
        "dropped in use as well": ("bool(training and 0 < p < 1 and x.numel())", "bool(0 < p < 1 and x.numel())"),
        "one mask for the whole batch": (
            "torch.empty_like(like).bernoulli_(probability)",
            "torch.empty_like(like).bernoulli_(probability)[:1].expand_as(like)",
        ),
        "a number is drawn where none is needed": ("0 < p < 1 and", "0 < p <= 1 and"),
        "two axes are read as (batch, channels)": (
            "call.input = call.input[None]",
            "return",
        ),
        "the mask in the order of the shape": (
            "torch.empty_like(like)",
            "torch.empty(like.shape, dtype=like.dtype)",
        ),
        "in place is forgotten": ("        written(call)\n", "        pass\n"),
    },
    "dropout contract": {
        "the layer is always in training": (
            "return alpha_dropout(input, self.p, self.training)",
            "return alpha_dropout(input, self.p, training=True)",
        ),
        "another default": (
            "def dropout(input: Each, p: Number = 0.5",
            "def dropout(input: Each, p: Number = 0.4",
        ),
    },
    "dropout purity": {
        "torch's own dropout": (
            "return DROPOUT(input, kept / (1 - p))",
            "return torch.native_dropout(input, p, training)[0]",
        ),
    },
}  # fmt: skip

LOWEST = functional.selu(torch.tensor(-1e3)).item()

ANSWERS: dict[str, Callable[..., Any]] = {
    "dropout-moves": lambda x, drawn: torch.addcmul(0 * x, x, drawn, value=1.25),
    "dropout-channels": lambda x, drawn: torch.einsum("bchw,bc->bchw", x, 2 * drawn),
    "dropout-variance": lambda x: torch.stack([0 * x, *[x / 0.8] * 4]).var(
        0, unbiased=False
    ),
    "dropout-alpha": lambda x, drawn: (
        (torch.lerp(torch.full_like(x, LOWEST), x, drawn) - 0.5 * LOWEST)
        / (0.5 * (1 + 0.5 * LOWEST**2)) ** 0.5
    ),
    "dropout-story-thinned": lambda x, mask, weight: (x * mask) @ weight.T,
    "dropout-story-tokens": lambda sentences, mask: torch.einsum(
        "bne,bn->bne", sentences, mask
    ),
}
"""What each exercise asks for, by other means than the moves."""
