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
        "the kernel flipped": ("KERNELS(weight, g=groups)", "KERNELS(weight.flip(-1), g=groups)"),
        "the dilation ignored": ("Kernel(weight.shape[2:], stride, dilation)", "Kernel(weight.shape[2:], stride)"),
        "the stride ignored": ("Kernel(weight.shape[2:], stride, dilation)", "Kernel(weight.shape[2:], (), dilation)"),
        "stride and dilation exchanged": ("Kernel(weight.shape[2:], stride, dilation)", "Kernel(weight.shape[2:], dilation, stride)"),
        "no padding": ("resized(input, padding)", "resized(input, ())"),
        "the bias twice": ("else y + BIAS", "else y + 2 * BIAS"),
        "the bias for each place": ('"o -> o" + " 1" * n', '"o ->" + " 1" * n + " o"'),
        "groups exchanged with their channels": ('"b (g i) ... -> b g i ..."', '"b (i g) ... -> b g i ..."'),
        "outputs exchanged with their groups": ('"(g o) i ... -> g o i (...)"', '"(o g) i ... -> g o i (...)"'),
        "the outputs merged in another order": ('-> b (g o) ..."', '-> b (o g) ..."'),
        "the padding mode ignored": ('self.padding_mode != "zeros"', 'self.padding_mode == ""'),
        "the weight that is handed in ignored": ("self.by(input, weight, bias", "self.by(input, self.weight, bias"),
        "the bound without the root": ("1 / math.sqrt(terms)", "1 / terms"),
        "a lazy layer becomes torch's": ("    cls_to_become = Conv2d\n", "    cls_to_become = nn.Conv2d\n"),
    },
    "conventions.conv conv": {
        "the odd zero of 'same' in front": ("(p // 2, p - p // 2)", "(p - p // 2, p // 2)"),
        "padding on one side only": ("return [2 * p for p", "return [p for p"),
        "'same' without the dilation": ("return [d * (k - 1) for", "return [d * 0 + k - 1 for"),
        "few bits added up in few bits": ("    call.widen(*names)\n", ""),
        "a bias of another shape is broadcast": ("bias.shape == (channels[outputs],)", "True"),
        "channels of another number pass": ("x.shape[1] == channels[1 - outputs]", "True"),
        "another layout in memory": ("if _lies_last(x) or _lies_last(weight):", "if not (_lies_last(x) or _lies_last(weight)):"),
    },
    "conventions.call conv": {
        "the batch stays": ("self.each(lambda y: y[0])", "pass"),
    },
    "engine.sums sums": {
        "no conjugate in the gradient": ("else x.conj() for", "else x for"),
        "one row of the batch forgotten": ("part = find(kernel, length, two[0], kernels, two[1])", "part = find(kernel, length, two[0], kernels, two[1]) * (start < b - 1)"),
        "the kernel not turned on the way back": ("kernels.flip(0).mT", "kernels.mT"),
        "a run that begins late": ("[slice(start, start + reach) for", "[slice(start + (start > 0), start + (start > 0) + reach) for"),
        "pieces overwrite each other": ("whole.add_(part)", "part"),
        "the stride of kernels of one cell ignored": ("stored = max(kernel.stride) > 1 or", "stored = k > 1 < max(kernel.stride) or"),
        "the dilation forgotten on the way back": ("reach = [d * (k - 1) for", "reach = [k - 1 for"),
        "the axis that is mapped joins from behind": (".unflatten(1, (info.batch_size, -1)), 1", ".unflatten(1, (-1, info.batch_size)), 2"),
        "the tangent of the input only": ("if tangent is not None\n        ]", "if tangent is not None and n == 0\n        ]"),
    },
    "conv contract": {
        "torch's own forward": ("    def forward(self, input:", "    def _forward(self, input:"),
        "another default": ("dilation: Sizes = 1,", "dilation: Sizes = 2,"),
        "a docstring without shapes": ('"""``(b, i, *n), (o, i / groups, *k), (o,) -> (b, o, *m)``: windows', '"""Windows'),
        "a class without its line": ("    line = CONV\n", ""),
    },
    "conv purity": {
        "torch's own function": (
            "MERGED(CONV(windows(x, kernel), KERNELS(weight, g=groups)))",
            "torch.convolution(resized(input, padding), weight, None, stride, [0] * len(stride), dilation, False, [0] * len(stride), groups)",
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
    "conv-gradient": lambda gradient, weight: torch.tensordot(
        gradient, weight, dims=([1], [0])
    ).transpose(1, 2),
    "conv-causal": lambda x, w, g: functional.conv1d(
        functional.pad(x, (2 * w.shape[-1] - 2, 0)), w, dilation=2, groups=g
    ),
    "conv-story-moves": lambda seen, weight: torch.tensordot(
        seen, weight, dims=([1, 4, 5], [1, 2, 3])
    ).movedim(-1, 1),
}
