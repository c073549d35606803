"""Examples of the transposed convolutions, and the known mistakes."""

import torch

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

MISTAKES = {
    "conv_transpose": {
        "output_padding on no side": (" - 2 * p + e for m", " - 2 * p + 0 * e for m"),
        "cropped on one side only": (" - 2 * p + e for m", " - p + e for m"),
        "output_padding in front": ("count, whole, before, channels", "count, whole, tuple(p + e for p, e in zip(before, more)), channels"),
        "the dilation ignored": ("(m - 1) * s + d * (k - 1)", "(m - 1) * s + (k - 1)"),
        "output_padding as large as the stride": ("e < max(s, d)", "e <= max(s, d)"),
        "output_padding for the dilation refused": ("e < max(s, d)", "e < s"),
        "stride and dilation exchanged": ("Geometry(size, steps, spread,", "Geometry(size, spread, steps,"),
        "the input detached": ("None, weight, x)", "None, weight, x.detach())"),
        "the bias of the input's channels": ("groups, 1, input, weight, bias)", "groups, 0, input, weight, bias)"),
        "the size that is asked for ignored": ("None if output_size is None else [*output_size]", "None"),
        "the letters of a convolution": ("b g i ..., g i o k -> b g o ... k", "b g i ..., g o i k -> b g o ... k"),
        "a lazy layer becomes torch's": ("    cls_to_become = ConvTranspose2d\n", "    cls_to_become = nn.ConvTranspose2d\n"),
    },
    "conv_transpose contract": {
        "torch's own forward": ("    def forward(", "    def _forward("),
        "arguments in the order of a convolution": (
            "    groups: int = 1,\n    dilation: int | Sequence[int] = 1,\n",
            "    dilation: int | Sequence[int] = 1,\n    groups: int = 1,\n",
        ),
        "a class without its line": ("    line = CONV_TRANSPOSE\n", "    line = None\n"),
    },
    "conv_transpose purity": {
        "torch's own function": (
            "_trilinear(at, bias, None, weight, x)",
            "nn.functional.__dict__[layer](x, weight, bias, steps, before, more, groups, spread)",
        ),
    },
}  # fmt: skip
