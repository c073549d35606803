"""Examples of pooling, and the known mistakes."""

import torch
from torch.nn import functional as F  # noqa: N812  (its usual name)

from examples import Example

SHAPES = {1: (2, 3, 9), 2: (2, 3, 9, 8), 3: (2, 2, 7, 6, 5)}
SAMPLES = {n: torch.linspace(0.05, 0.95, 6 * n).reshape(2, 3, n) for n in (2, 3)}


def _places(*shape: int) -> torch.Tensor:
    """Each maximum at the first cell of its window of 2."""
    many = torch.arange(torch.Size(shape[2:]).numel()).reshape(shape[2:])
    return many.expand(shape)


CLASSES = {
    **{
        f"MaxPool{n}d": [
            Example([shape], (3,)),
            Example([shape], (3, 2, 1, 2), {"ceil_mode": True}),
            Example([shape[1:]], (2,), {"return_indices": True}),
        ]
        for n, shape in SHAPES.items()
    },
    **{
        f"AvgPool{n}d": [
            Example([shape], (3,), {"divisor_override": 5} if n > 1 else {}),
            Example([shape[1:]], (3, 2, 1, True, False)),
        ]
        for n, shape in SHAPES.items()
    },
    **{
        f"LPPool{n}d": [Example([shape], (2, 3)), Example([shape], (4.0, 2, 3, True))]
        for n, shape in SHAPES.items()
    },
    **{
        f"AdaptiveAvgPool{n}d": [
            Example([shape], (3,)),
            *([Example([shape[1:]], ((None, 5, 1)[:n],))] if n > 1 else []),
        ]
        for n, shape in SHAPES.items()
    },
    **{
        f"AdaptiveMaxPool{n}d": [
            Example([shape], (4,)),
            Example([shape[1:]], ((5, 1, 2)[:n],), {"return_indices": True}),
        ]
        for n, shape in SHAPES.items()
    },
    **{
        f"MaxUnpool{n}d": [
            Example([size, _places(*size)], (2,)),
            Example(
                [size, _places(*size)],
                (3, 2, 1),
                forward={"output_size": [6] * n},
            ),
        ]
        for n, size in ((n, (2, 2, *[3] * n)) for n in SHAPES)
    },
    **{
        f"FractionalMaxPool{n}d": [
            Example([(2, 3, *[9] * n)], (2,), {"output_size": 4}),
            Example([(3, *[9] * n)], (3,), {"output_ratio": 0.5}),
            Example(
                [(2, 3, *[9] * n)],
                (2, 5),
                {"return_indices": True, "_random_samples": SAMPLES[n]},
            ),
        ]
        for n in (2, 3)
    },
}

FUNCTIONS = {
    **{
        f"max_pool{n}d": [
            Example([shape], (3, 2, 1, 2, True, True)),
            Example([shape[1:]], (2,)),
        ]
        for n, shape in SHAPES.items()
    },
    **{
        f"avg_pool{n}d": [
            Example([shape], (3, 2, 1, True, False, *([5] if n > 1 else []))),
            Example([shape[1:]], (3,), {"padding": 1}),
        ]
        for n, shape in SHAPES.items()
    },
    **{
        f"lp_pool{n}d": [
            Example([shape], (2.0, 3)),
            Example([shape], (4.0, 2, 3, True)),
            Example([shape], (torch.inf, 2)),
        ]
        for n, shape in SHAPES.items()
    },
    "bins": [Example([], (7, 4)), Example([], (6, 2))],
    "mean_of_bins": [Example([], (7, 4)), Example([], (6, 2))],
    **{f"adaptive_avg_pool{n}d": [Example([s], (5,))] for n, s in SHAPES.items()},
    **{f"adaptive_max_pool{n}d": [Example([s], (5, True))] for n, s in SHAPES.items()},
    **{
        f"max_unpool{n}d": [
            Example([size, _places(*size)], (2,)),
            Example([size, _places(*size)], (3, 2, 1, [6] * n)),
        ]
        for n, size in ((n, (2, 2, *[3] * n)) for n in SHAPES)
    },
    **{
        f"fractional_max_pool{n}d": [
            Example([(2, 3, *[9] * n)], (2, 4, None, True)),
            Example([(3, *[9] * n)], (3,), {"output_ratio": [0.5] * n}),
        ]
        for n in (2, 3)
    },
}


def _winners(gradient: torch.Tensor, picture: torch.Tensor, k: int) -> torch.Tensor:
    picture = picture.clone().requires_grad_()
    return torch.autograd.grad(F.max_pool1d(picture, k), picture, gradient)[0]


ANSWERS = {
    "pool-max": lambda picture, kh, kw: F.max_pool2d(picture, (kh, kw)),
    "pool-lp": lambda picture, k: F.lp_pool1d(picture, 2.0, k),
    "pool-gradient": _winners,
    "pool-count": lambda x: F.avg_pool1d(x, 3, 1, 1, count_include_pad=False),
    "pool-story-bins": lambda x, rows, columns: rows @ x @ columns.T,
}

MISTAKES = {
    "pool": {
        "padding counts when it must not": ("float(count_include_pad)", "1.0"),
        "what is beyond the padding counts": ("resized(counted, ceil_mode)", "resized(counted, ceil_mode, 1.0)"),
        "the mean and not the sum of powers": ("mean * math.prod(kernel_size)", "mean * 1"),
        "magnitudes before the power": ("POWER(input, norm_type)", "POWER(input.abs(), norm_type)"),
        "an infinite gradient at zero": (".masked_fill(x == 0, 0)", ""),
        "bins that do not overlap": ("((i + 1) * n + m - 1) // m", "(i + 1) * n // m"),
        "the mean of the longest bin": ("cells.where(cells < end, n)", "cells.clamp(max=n)"),
        "a shorter bin sees the next cell": ("cells.clamp(max=end - 1)", "cells.clamp(max=end)"),
        "the last window anywhere": ("torch.where(i < m - 1, first, n - size)", "first"),
        "the largest number, and no divisor": ("return total / divisor_override", "return total"),
        "indices given unasked": ("(MAX(seen), where_largest(seen)) if return_indices else MAX(seen)\n\n\nmax_pool1d", "(MAX(seen), where_largest(seen))\n\n\nmax_pool1d"),
    },
    "pool contract": {
        "torch's own forward": ("class MaxPool2d(Computed, nn.MaxPool2d,", "class MaxPool2d(nn.MaxPool2d, Computed,"),
        "a class without its line": ("by=adaptive_avg_pool1d, line=BINS\n", "by=adaptive_avg_pool1d\n"),
        "a docstring without shapes": (
            '"""``(b, c, *m), (b, c, *m) -> (b, c, *n)``: maxima go',
            '"""Maxima go',
        ),
        "a number read out of a tensor": (
            "    hot = OneHot(indices.flatten(2)",
            "    float(input.sum())\n    hot = OneHot(indices.flatten(2)",
        ),
    },
    "pool purity": {
        "torch's own function": (
            "    return line(input, *map(mean_of_bins, lengths, output_size))\n",
            '    return getattr(nn.functional, f"adaptive_avg_pool{len(lengths)}d")(input, output_size)\n',
        ),
    },
    "conventions.pool": {
        "the last window begins in the padding": ("m -= 1", "m -= 0"),
        "ceil for floor": ("(s - 1) * call.ceil_mode", "(s - 1)"),
        "a stride of 1 where none is given": ("in (None, [], ()):\n        call.stride = call.kernel_size", "in (None, [], ()):\n        call.stride = 1"),
        "half precision summed in half": ("    call.input = wide(call.input)\n", ""),
        "samples of width and height exchanged": ("sample[:b].flip(-1) if n == 2", "sample[:b] if n == 2"),
        "unpooled as if windows touched": ("(m - 1) * s + k - 2 * p", "m * s - 2 * p"),
        "no batch taken off again": ("x = call.batched(call.n)", "x = call.input = call.with_batch(call.n)"),
        "whole means of few digits": ("call.input = call.input.double()", "pass"),
    },
    "conventions.pool use": {
        "channels last always": ("call.n + 2 and call.layer in LAYOUT", "call.n + 2"),
        "autocast unheeded": ("x if exempt else single(call.layer, x)", "x"),
    },
    "engine.reductions": {
        "dilation ignored": ("(first + place * d).clamp", "(first + place).clamp"),
        "dilation ignored inside": ("slice(a * d, a * d +", "slice(a, a +"),
        "the last one on a tie": ("(seen > best) | ", "(seen >= best) | "),
        "NaN found where it is no more": (" | (seen != seen)", ""),
        "indices of a plane of another height": ("at * lengths[axis] + ", "at * lengths[-1] + "),
        "no gradient for the maximum": ("return input.flatten(-n).gather", "return input.detach().flatten(-n).gather"),
        "the mean is the sum": ('total / windows.shape[-1] if operation == "mean" else total', "total"),
        "the gradient of one place only": ("_seen(x, axis, at).add_(y)", "_seen(x, axis, at).copy_(y)"),
        "padding found": ("first = begin + ((-begin).clamp(min=0) + d - 1) // d * d", "first = begin.clamp(min=0)"),
        "the first cell counted as the last": ("last = begin + (end - begin) // d * d", "last = end"),
    },
}  # fmt: skip
