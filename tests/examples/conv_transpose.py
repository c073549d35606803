"""Examples of the transposed convolutions, and the known mistakes."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from examples import Example

SETTINGS = {
    "stride": 3,
    "padding": 1,
    "output_padding": 2,
    "dilation": 2,
    "groups": 2,
    "bias": False,
}
TYPES = {"device": "cpu", "dtype": torch.float64}


def _layers(n: int, inputs: tuple[int, ...]) -> list[Example]:
    size, wide = (2, 3, 4)[:n], torch.float64
    return [
        Example([(2, 4, *size)], (*inputs, 6, 3), SETTINGS),
        Example([(4, *size)], (*inputs, 6, 2), TYPES, dtype=wide),
        Example([(2, 4, *size)], (*inputs, 4, 3), {"groups": 4}),
        Example(
            [(2, 4, *[3] * n)], (*inputs, 6, 3, 2, 1), forward={"output_size": [6] * n}
        ),
    ]


CLASSES = {
    f"{lazy}ConvTranspose{n}d": _layers(n, (4,) if not lazy else ())
    for n in (1, 2, 3)
    for lazy in ("", "Lazy")
}

FUNCTIONS = {
    f"conv_transpose{n}d": [
        Example([(2, 4, *[4] * n), (4, 6, *[3] * n), (6,)]),
        Example([(4, *[4] * n), (4, 3, *[3] * n), (6,)], (2, 1, 1, 2, 2)),
        Example([(2, 4, *[4] * n), (4, 1, *[3] * n)], (), {"groups": 4}),
    ]
    for n in (1, 2, 3)
}


def _stamps(x: Tensor, weight: Tensor) -> Tensor:
    """Cell by cell: what becomes of an input of length 1."""
    cells = [functional.conv_transpose1d(cell, weight) for cell in x.split(1, -1)]
    return torch.stack(cells, 2)


def _weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    k = gradient.shape[2] // x.shape[2]
    weight = torch.zeros(x.shape[1], gradient.shape[1], k, requires_grad=True)
    y = functional.conv_transpose1d(x, weight, stride=k)
    return torch.autograd.grad(y, weight, gradient)[0]


def _one_by_one(weight: Tensor, g: int) -> Tensor:
    """Each row of the weight of 1 x 1 makes one number of the tile of one channel."""
    rows = [
        group[:, o, y, x]
        for group in weight.chunk(g)
        for o in range(weight.shape[1])
        for y in range(weight.shape[2])
        for x in range(weight.shape[3])
    ]
    return torch.stack(rows)[:, :, None, None]


ANSWERS: dict[str, Any] = {
    "conv_transpose-stamps": _stamps,
    "conv_transpose-overlap": lambda x, w: functional.conv1d(
        functional.pad(x, (w.shape[2] - 1, 0)), w.flip(2).transpose(0, 1)
    ),
    "conv_transpose-tiles": lambda x, w: functional.conv_transpose2d(
        x, w, stride=w.shape[2:]
    ),
    "conv_transpose-gradient": _weight_gradient,
    "conv_transpose-pixels": _one_by_one,
}

MISTAKES = {
    "conv_transpose": {
        "output_padding on no side": ("(-p, e - p)", "(-p, -p)"),
        "output_padding in front": ("(-p, e - p)", "(e - p, -p)"),
        "cropped on one side only": ("(-p, e - p)", "(0, e - p)"),
        "the first axis cropped as the last": ("in reversed(ends) for", "in ends for"),
        "the dilation ignored": ("Kernel(weight.shape[2:], stride, dilation)", "Kernel(weight.shape[2:], stride)"),
        "stride and dilation exchanged": ("Kernel(weight.shape[2:], stride, dilation)", "Kernel(weight.shape[2:], dilation, stride)"),
        "the input detached": ("GROUPS(input, g=groups)", "GROUPS(input.detach(), g=groups)"),
        "the size that is asked for ignored": ("padding_for(self, input, output_size)", "padding_for(self, input, None)"),
        "the letters of a convolution": ("b g i ..., g i o k -> b g o ... k", "b g i ..., g o i k -> b g o ... k"),
        "a lazy layer becomes torch's": ("    cls_to_become = ConvTranspose2d\n", "    cls_to_become = nn.ConvTranspose2d\n"),
    },
    "conventions.conv conv_transpose": {
        "output_padding as large as the stride": ("e < max(s, d)", "e <= max(s, d)"),
        "output_padding for the dilation refused": ("e < max(s, d)", "e < s"),
        "the bias of the input's channels": ("call, outputs=1)", "call, outputs=0)"),
    },
    "conv_transpose contract": {
        "torch's own forward": ("    def forward(", "    def _forward("),
        "arguments in the order of a convolution": (
            "    groups: int = 1,\n    dilation: Sizes = 1,\n",
            "    dilation: Sizes = 1,\n    groups: int = 1,\n",
        ),
        "a class without its line": ("    line = CONV_TRANSPOSE\n", "    line = None\n"),
    },
    "conv_transpose purity": {
        "torch's own function": (
            "MERGED(overlap_add(stamps, kernel.length(input.shape[2:]), kernel))",
            "nn.functional.conv_transpose2d(input, weight, None, stride, 0, 0, groups, dilation)",
        ),
    },
}  # fmt: skip
