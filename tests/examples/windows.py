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
        "the first axis first": (
            "enumerate(zip(widths[::2], widths[1::2], strict=True), 1)",
            "zip(range(len(widths) // 2, 0, -1), zip(widths[::2], widths[1::2]))",
        ),
        "before and after exchanged": (
            "zip(widths[::2], widths[1::2], strict=True)",
            "zip(widths[1::2], widths[::2], strict=True)",
        ),
        "the value forgotten": ("0 if value is None else value", "0"),
        "circular before cropping": ('if mode == "circular":\n        return', 'if mode == "":\n        return'),
        "mirrored after cropping": ('if mode == "circular":\n        return', "if True:\n        return"),
        "mirrored further than the input is long": (
            "length + before + after > 0 and widest < length",
            "length + before + after > 0 and widest <= length",
        ),
        "wrapped around more than once": ("(length if left else 0)", "(2 * length if left else 0)"),
        "a border counted once only": (
            "output.index_add_(axis, at, border)",
            "output.index_copy_(axis, at, border)",
        ),
        "the corners go back to nowhere": (
            "in reversed(list(_borders(padded, widths, mode))):",
            "in _borders(padded, widths, mode):",
        ),
        "the first letter of the kernel runs fastest": (
            "seen = [input[..., *at] for at in places(*geometry, m)]",
            ("seen = [input[..., *at] for at in sorted(places(*geometry, m), "
            "key=lambda at: at[-1].start)]"),
        ),
        "overlaps overwrite": (
            "output[..., *at].add_(windows[..., k])",
            "output[..., *at].copy_(windows[..., k])",
        ),
        "places before channels in a column": ('-> b (c k) (y x)"', '-> b (k c) (y x)"'),
        "columns read downwards": ('"b (c k) (y x) ->', '"b (c k) (x y) ->'),
        "padding of height and width exchanged": (
            "frame = (width, width, height, height)",
            "frame = (height, height, width, width)",
        ),
        "stride and dilation exchanged": ("(kernel, steps, gaps)", "(kernel, gaps, steps)"),
        "the padding left in the output": (
            "_resized(output, [-width for width in frame])",
            "output",
        ),
        "a kernel that does not fit gives nothing": ("fits = 0 not in counts(length", "fits = -1 not in counts(length"),
    },
    "windows contract": {
        "a class without its line": ("    line = FOLD\n", ""),
        "dilation after padding": (
            ('    input: Shaped[Tensor, "*b c h w"],\n    kernel_size: int | Sequence[int],\n'
            "    dilation: int | Sequence[int] = 1,\n    padding: int | Sequence[int] = 0,\n"),
            ('    input: Shaped[Tensor, "*b c h w"],\n    kernel_size: int | Sequence[int],\n'
            "    padding: int | Sequence[int] = 0,\n    dilation: int | Sequence[int] = 1,\n"),
        ),
        "another padding under the name": ('nn.ReflectionPad2d, mode="reflect"', 'nn.ReflectionPad2d, mode="replicate"'),
    },
    "windows purity": {
        "torch's own padding": (
            "return _resized(_extended(input, more, mode), less)",
            "return nn.functional.pad(input, widths, mode)",
        ),
        "torch's own unfold": (
            "    return output if had_batch else output[0]\n\n\ndef fold(",
            ("    return nn.functional.unfold(input, *(geometry[n] for n in (0, 2)), "
            "padding, geometry[1])\n\n\ndef fold("),
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


ANSWERS: dict[str, Callable[..., Any]] = {
    "windows-patches": lambda x, kh, kw: functional.unfold(
        x, (kh, kw), stride=(kh, kw)
    ),
    "windows-pad": lambda image, tall, broad: tall @ image @ broad.T,
    "windows-same": _same,
    "windows-back": _back,
}
