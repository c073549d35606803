"""Examples of the convolutions, and the known mistakes."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from examples import Example

SETTINGS = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2, "bias": False}
TYPES = {"device": "cpu", "dtype": torch.float64}
SHAPES = {1: (9,), 2: (7, 8), 3: (3, 4, 4)}


def _layers(n: int, inputs: tuple[int, ...]) -> list[Example]:
    size, wide = SHAPES[n], torch.float64
    return [
        Example([(2, 4, *size)], (*inputs, 6, 3), SETTINGS),
        Example([(4, *size)], (*inputs, 6, 3), {"padding": "same"}),
        Example([(2, 4, *size)], (*inputs, 4, 3), {"groups": 4, "padding": 2}),
        *(
            Example([(2, 4, *size)], (*inputs, 6, 3, 1, 1), {"padding_mode": mode})
            for mode in ("reflect", "replicate")
        ),
        Example(
            [(2, 4, *size)],
            (*inputs, 6, 3, 1, 2),
            {"padding_mode": "circular", **TYPES},
            dtype=wide,
        ),
    ]


CLASSES = {
    f"{lazy}Conv{n}d": _layers(n, (4,) if not lazy else ())
    for n in SHAPES
    for lazy in ("", "Lazy")
}

FUNCTIONS = {
    f"conv{n}d": [
        Example([(2, 4, *size), (6, 4, *[3] * n), (6,)]),
        Example([(4, *size), (6, 2, *[3] * n), (6,)], (2, 1, 2, 2)),
        Example(
            [(2, 4, *size), (4, 1, *[3] * n)], (), {"padding": "same", "groups": 4}
        ),
    ]
    for n, size in SHAPES.items()
}

MISTAKES = {
    "conv": {
        "the kernel flipped": ("(WEIGHT(w, g=g) @ x)", "(WEIGHT(w, g=g).flip(-1) @ x)"),
        "the dilation ignored": ("count = counts(padded, size, steps, spread)", "spread = (1,) * n\n    count = counts(padded, size, steps, spread)"),
        "the stride ignored": ("count = counts(padded, size, steps, spread)", "steps = (1,) * n\n    count = counts(padded, size, steps, spread)"),
        "the odd zero of 'same' in front": ("before, channels = tuple([p // 2", "before, channels = tuple([-(-p // 2)"),
        "padding on one side only": ("return [2 * p for p", "return [p for p"),
        "'same' without the dilation": ("return [d * (k - 1) for", "return [d * 0 + k - 1 for"),
        "the bias twice": ("part + column for", "part + 2 * column for"),
        "the bias for each place": ("reshape(-1, *[1 for _ in at.kernel_size])", "reshape(*[1 for _ in at.kernel_size], -1)"),
        "groups exchanged with their channels": ('"b (g i) ... k -> b g (i k) (...)"', '"b (i g) ... k -> b g (i k) (...)"'),
        "outputs exchanged with their groups": ('"(g o) i ... -> g o (i ...)"', '"(o g) i ... -> g o (i ...)"'),
        "one row of the batch forgotten": ("torch.split(x, rows)", "torch.split(x, rows)[: 7 // rows]"),
        "no conjugate in the gradient": ("else x.conj() for", "else x for"),
        "few bits added up in few bits": ("layerlib.conventions.dtypes import HALVES, wide", "torch import positive as wide\nHALVES = (torch.bfloat16, torch.float16)"),
        "the padding mode ignored": ('self.padding_mode != "zeros"', 'self.padding_mode == ""'),
        "a bias of another shape is broadcast": ("bias.shape == (outputs,)", "True"),
        "channels of another number pass": ("x.shape[1] == inputs, told", "True, told"),
        "the bound without the root": ("1 / math.sqrt(terms)", "1 / terms"),
        "a lazy layer becomes torch's": ("    cls_to_become = Conv2d\n", "    cls_to_become = nn.Conv2d\n"),
    },
    "conv contract": {
        "torch's own forward": ("    def forward(self, input:", "    def _forward(self, input:"),
        "another default": ("dilation: int | Sequence[int] = 1,", "dilation: int | Sequence[int] = 2,"),
        "a docstring without shapes": ('"""``(b, i, *n), (o, i / groups, *k), (o,) -> (b, o, *m)``: windows', '"""Windows'),
        "a class without its line": ("    line = CONV\n", ""),
    },
    "conv purity": {
        "torch's own function": (
            "_trilinear(at, bias, x, weight, None)",
            "torch.convolution(torch.constant_pad_nd(x, at.widths), weight, bias, steps, [0] * n, spread, False, [0] * n, groups)",
        ),
    },
}  # fmt: skip


ANSWERS: dict[str, Callable[..., Any]] = {
    "conv-pointwise": lambda x, w: functional.conv2d(x, w[:, :, None, None]),
    "conv-same": lambda x, w: functional.conv1d(
        functional.pad(x, ((w.shape[-1] - 1) // 2, w.shape[-1] // 2)), w
    ),
    "conv-separable": lambda depthwise, pointwise: torch.einsum(
        "ikl,oi->oikl", depthwise, pointwise
    ),
    "conv-gradient": lambda gradient, seen: torch.tensordot(
        gradient, seen, dims=([0, 2], [0, 2])
    ),
    "conv-causal": lambda x, w, g: functional.conv1d(
        functional.pad(x, (2 * w.shape[-1] - 2, 0)), w, dilation=2, groups=g
    ),
}
