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
}

MISTAKES = {
    "pool": {
        "padding counts when it must not": ("if count_include_pad\n", "if not count_include_pad\n"),
        "the last window begins in the padding": ("m -= ceil_mode and (m - 1) * s >= size + p", "m -= 0"),
        "ceil for floor": ("(s - 1) * ceil_mode", "(s - 1)"),
        "dilation ignored": ("- one.padding + place * one.dilation", "- one.padding + place"),
        "a stride of 1 where none is given": ("kernel_size if stride in", "1 if stride in"),
        "padding with zeros under a maximum": ("lowest = -torch.inf if real", "lowest = 0.0 if real"),
        "the last one on a tie": ("(seen[cells] > best[some])", "(seen[cells] >= best[some])"),
        "NaN found where it is no more": (" | seen[cells].isnan()", ""),
        "the first NaN along a whole axis": ("torch.where(best.isnan(), last, first)", "first"),
        "indices of a plane of another height": ("step *= input.shape[axis]", "step += input.shape[axis]"),
        "no gradient for the maximum": ("wide(input).flatten(-n)", "wide(input.detach()).flatten(-n)"),
        "bins that do not overlap": ("at * one.parts >= (part", "(at + 1) * one.parts > (part"),
        "half precision summed in half": ("    total = wide(input)\n", "    total = input\n"),
        "the mean and not the sum of powers": ("mean.mul(cells)", "mean.mul(1)"),
        "magnitudes before the power": ("input.pow(norm_type)", "input.abs().pow(norm_type)"),
        "an infinite gradient at zero": ("size.masked_fill(size == 0, 0)", "size"),
        "samples of width and height exchanged": (".unbind(-1)[:: -1 if n == 2 else 1]", ".unbind(-1)"),
        "unpooled as if windows touched": ("(m - 1) * s + k - 2 * p", "m * s - 2 * p"),
    },
    "pool contract": {
        "torch's own forward": ("MaxPool2d(_MaxPool, nn.MaxPool2d, by=max", "MaxPool2d(nn.MaxPool2d, _MaxPool, by=max"),
        "a class without its line": ("    line = BINS\n", "    lines = BINS\n"),
        "a docstring without shapes": (
            '"""``(b, c, *m), (b, c, *m) -> (b, c, *n)``: maxima go',
            '"""Maxima go',
        ),
        "a number read out of a tensor": (
            "    batched(layer, input, n)\n",
            "    float(input.sum())\n    batched(layer, input, n)\n",
        ),
    },
    "pool purity": {
        "torch's own function": (
            "    return _mean(input, bins, bins)\n",
            "    return getattr(nn.functional, layer)(input, output_size)\n",
        ),
    },
}  # fmt: skip
