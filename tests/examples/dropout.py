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
        "p is the probability to stay": ("mask.bernoulli_(1 - p)", "mask.bernoulli_(p)"),
        "what stays is not scaled": ("        mask.div_(1 - p)\n", ""),
        "dropped in use as well": ("p == 0 or not training or", "p == 0 or"),
        "a mask for each number of a channel": ("*(1 for _ in input.shape[kept:])", "*input.shape[kept:]"),
        "one channel for the whole batch": (
            "*input.shape[:kept], *",
            "*(1 for _ in input.shape[:kept]), *",
        ),
        "alpha dropout without its shift": (".add_(shift)", ""),
        "alpha dropout falls to 0": ("shift = mask.sub(1)", "shift = mask.sub(1).mul(0)"),
        "a number is drawn where none is needed": (
            "return input.mul_(0) if inplace else input * 0",
            "return input.mul_(0) if inplace else input * torch.empty_like(input).bernoulli_(0)",
        ),
        "two axes are read as (batch, channels)": ("if n == 2 or axes == n + 2 else 1", "if axes >= 2 else 1"),
        "the mask in the order of the shape": (
            "mask = torch.empty_like(input)",
            "mask = torch.empty(input.shape, dtype=input.dtype)",
        ),
        "in place is forgotten": (
            "return input.mul_(mask) if inplace else input * mask\n    scale",
            "return input * mask\n    scale",
        ),
    },
    "dropout contract": {
        "the layer is always in training": (
            "return alpha_dropout(input, self.p, self.training)",
            "return alpha_dropout(input, self.p, training=True)",
        ),
        "another default": (
            "n: int, input: Each, p: Number = 0.5",
            "n: int, input: Each, p: Number = 0.4",
        ),
    },
    "dropout purity": {
        "torch's own dropout": (
            'return _dropped("dropout", input, p, training, inplace)',
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
}
"""What each exercise asks for, by other means than the moves."""
