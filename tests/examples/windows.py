"""Examples of windows and paddings, and the known mistakes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from examples import Example
from layerlib.engine.kernel import Kernel

PLANE = [(2, 3, 5, 6)]
LINES = {1: [(2, 3, 5)], 2: PLANE, 3: [(2, 2, 4, 3, 5)]}
EACH_SIDE = (1, 2, 0, 1, 2, 1)
LESS = (2, -1, -1, 1, 0, 2)

CLASSES = {
    **{
        f"{kind}Pad{n}d": [
            Example(LINES[n], (1, *value)),
            Example([LINES[n][0][1:]], (EACH_SIDE[: 2 * n], *value)),
            Example(LINES[n], (LESS[: 2 * n], *value)),
        ]
        for kind, value in {
            "Circular": (),
            "Constant": (1.5,),
            "Reflection": (),
            "Replication": (),
            "Zero": (),
        }.items()
        for n in (1, 2, 3)
    },
    "Fold": [
        Example([(2, 12, 20)], ((5, 6), 2)),
        Example(
            [(2, 12, 9)],
            ((5, 6), (2, 3)),
            {"dilation": (2, 1), "padding": 1, "stride": 2},
        ),
        Example([(12, 20)], ((5, 6), 2)),
    ],
    "Unfold": [
        Example(PLANE, (2,)),
        Example(PLANE, ((2, 3),), {"dilation": (2, 1), "padding": 1, "stride": 2}),
        Example([PLANE[0][1:]], (3,)),
    ],
}

FUNCTIONS = {
    "fold": [
        Example([(2, 12, 20)], ((5, 6), 2)),
        Example([(2, 12, 9)], ((5, 6), (2, 3), (2, 1), 1, 2)),
    ],
    "overlap_add": [
        Example([(2, 3, 2)], ((8,), Kernel((2,), (2,), (3,)))),
        Example([(3, 2, 3, 4)], ((4, 4), Kernel((2, 2), (2, 1)))),
    ],
    "pad": [
        Example([(2, 3)], ((1, 2),), {"value": 2.5}),
        Example([(2, 3, 4, 5)], ((1, 2, -1, 1), "reflect")),
        Example([(2, 3, 4)], ((1, 2), "replicate")),
        Example([(3, 4)], ((-1, 2), "circular")),
    ],
    "unfold": [Example(PLANE, (2,)), Example(PLANE, ((2, 3), (2, 1), 1, 2))],
    "windows": [
        Example([(2, 3, 6)], (Kernel((2,), (2,), (3,)),)),
        Example([(3, 3, 4)], (Kernel((2, 2), (2, 1)),)),
    ],
}

MISTAKES = {
    "windows": {
        "the edge cell mirrored as well": (
            "length - 1 - abs(length - 1 - abs(at))",
            "length - 1 - abs(length - 0.5 - abs(at + 0.5)).__trunc__()",
        ),
        "the other edge repeated": ("min(max(at, 0), length - 1)", "min(max(-at, 0), length - 1)"),
        "wrapped around one cell too early": ("at % length", "(at + 1) % length"),
        "the value forgotten": ("if value is None:", "if True:"),
        "the value inside as well": ("*matrices) == 0", "*matrices) >= 0"),
        "places before channels in a column": ('-> b (c k) (y x)"', '-> b (k c) (y x)"'),
        "columns read downwards": ('"b (c k) (y x) ->', '"b (c k) (x y) ->'),
        "padding of height and width exchanged": ("resized(input, (w, w, h, h))", "resized(input, (h, h, w, w))"),
        "the padding left in the output": ("(-w, -w, -h, -h)", "()"),
    },
    "engine.kernel windows": {
        "overlaps overwrite": ("output[..., *at].add_(windows[..., k])", "output[..., *at].copy_(windows[..., k])"),
        "one window too many": ("n - d * (k - 1) + s - 1) // s", "n - d * (k - 1) + s) // s"),
        "16 bits added up in 16 bits": ("windows, dtype = wide(windows), windows.dtype", "dtype = windows.dtype"),
        "the first letter of the kernel runs fastest": (
            "cells = [input[..., *at] for at in kernel.places(m)]",
            "cells = [input[..., *at] for at in sorted(kernel.places(m), key=lambda at: at[-1].start)]",
        ),
    },
    "engine.padding windows": {
        "a border counted once only": ("output.select(axis, cell).add_(", "output.select(axis, cell).copy_("),
        "one axis goes back to nowhere": ("in _repeats(paddings):\n        output", "in _repeats(paddings[-1:]):\n        output"),
        "before and after exchanged": ("for w in (p.before, p.after)]", "for w in (p.after, p.before)]"),
        "16 bits added up in 16 bits": ("output = wide(padded).clone()", "output = padded.clone()"),
    },
    "conventions.windows windows": {
        "the first axis first": ("(0, 0))][::-1]", "(0, 0))]"),
        "circular before cropping": ('if mode == "circular":\n        less', 'if mode == "":\n        less'),
        "mirrored after cropping": ('if mode == "circular":\n        less', "if True:\n        less"),
        "mirrored further than the input is long": (
            "length + before + after > 0 and widest < length",
            "length + before + after > 0 and widest <= length",
        ),
        "wrapped around more than once": ("(length if left else 0)", "(2 * length if left else 0)"),
        "a kernel that does not fit gives nothing": ("call.expect(0 not in counts,", "call.expect(-1 not in counts,"),
        "stride and dilation exchanged": (
            '"kernel_size", "stride", "dilation")',
            '"kernel_size", "dilation", "stride")',
        ),
    },
    "windows contract": {
        "a class without its line": (", line=FOLD)", ")"),
        "dilation after padding": (
            ('    input: Shaped[Tensor, "*b c h w"],\n    kernel_size: Sizes,\n'
            "    dilation: Sizes = 1,\n    padding: Sizes = 0,\n"),
            ('    input: Shaped[Tensor, "*b c h w"],\n    kernel_size: Sizes,\n'
            "    padding: Sizes = 0,\n    dilation: Sizes = 1,\n"),
        ),
        "another padding under the name": ('nn.ReflectionPad2d, line=PAD_PLANE, mode="reflect"', 'nn.ReflectionPad2d, line=PAD_PLANE, mode="replicate"'),
    },
    "windows purity": {
        "torch's own padding": (
            "    output = line(input, *matrices)\n",
            "    output = nn.functional.pad(input, [w for two in reversed(pad) for w in two], mode)\n",
        ),
        "torch's own unfold": (
            "    h, w = padding\n    framed = resized(",
            "    return nn.functional.unfold(input, kernel_size, dilation, padding, stride)\n    framed = resized(",
        ),
    },
}  # fmt: skip


def _same(x: Tensor, weight: Tensor) -> Tensor:
    left, right = (len(weight) - 1) // 2, len(weight) // 2
    padded = functional.pad(x, (left, right))
    return functional.conv1d(padded[:, None], weight[None, None])[:, 0]


def _back(gradient: Tensor, weight: Tensor) -> Tensor:
    x = torch.zeros_like(gradient, requires_grad=True)
    return torch.autograd.grad(_same(x, weight), x, gradient)[0]


def _put_back(copies: Tensor) -> Tensor:
    k = copies.shape[2]
    padded = [functional.pad(copies[:, :, n], (n, k - 1 - n)) for n in range(k)]
    return torch.stack(padded).sum(dim=0)[:, : copies.shape[1]]


ANSWERS: dict[str, Callable[..., Any]] = {
    "windows-patches": lambda x, kh, kw: functional.unfold(
        x, (kh, kw), stride=(kh, kw)
    ),
    "windows-pad": lambda image, tall, broad: tall @ image @ broad.T,
    "windows-same": _same,
    "windows-back": _back,
    "windows-story-back": _put_back,
}
