"""Examples of resampling, and the known mistakes."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from examples import Example

CLASSES = {
    "Upsample": [
        Example([(2, 3, 5, 4)], (7,)),
        Example([(2, 3, 5)], (None, 2.0, "linear", True, True)),
        Example([(1, 2, 3, 4, 2)], kwargs={"size": (2, 5, 3), "mode": "trilinear"}),
    ],
    "UpsamplingBilinear2d": [
        Example([(2, 3, 5, 4)], (7,)),
        Example([(2, 3, 5, 4)], kwargs={"scale_factor": 1.5}),
    ],
    "UpsamplingNearest2d": [
        Example([(2, 3, 5, 4)], ((7, 3),)),
        Example([(2, 3, 5, 4)], kwargs={"scale_factor": 2}),
    ],
}


def _options(**given: Any) -> Example:
    return Example([(2, 3, 5, 4)], kwargs=given, dtype=torch.float64)


FUNCTIONS = {
    "triangle": [Example([(2, 7)])],
    "cubic": [Example([(2, 7)]), Example([(2, 7)], (-0.75,))],
    "lanczos": [Example([(2, 7)])],
    "interpolate": [
        Example([(2, 3, 5)], (8,)),
        _options(scale_factor=1.3, mode="nearest-exact", recompute_scale_factor=True),
        _options(scale_factor=(1.3, 0.6), mode="bilinear", align_corners=True),
        _options(size=(3, 9), mode="bicubic", antialias=True),
        _options(size=(3, 9), mode="lanczos", antialias=True),
        _options(scale_factor=0.5, mode="area"),
    ],
}


def _sampled(x: Tensor, place: Tensor) -> Tensor:
    """By grid_sample, whose places run from -1 to 1."""
    across = 2 * place / (x.shape[-1] - 1) - 1
    grid = torch.stack([across, torch.zeros_like(across)], -1)
    options = {"padding_mode": "border", "align_corners": True}
    row = functional.grid_sample(x[None, :, None], grid[None, None], **options)
    return row[0, :, 0]


def _resample_gradient(gradient: Tensor, high: Tensor, wide: Tensor) -> Tensor:
    shape = (*gradient.shape[:2], high.shape[1], wide.shape[1])
    picture = torch.zeros(shape, requires_grad=True)
    return torch.autograd.grad(high @ picture @ wide.T, picture, gradient)[0]


def _smaller(x: Tensor, k: int) -> Tensor:
    row = x[:, None, None]  # as a column, torch would repeat the first number
    size, options = (1, x.shape[1] // k), {"mode": "bilinear", "antialias": True}
    return functional.interpolate(row, size, **options)[:, 0, 0]


ANSWERS: dict[str, Any] = {
    "resample-line": lambda picture, high, wide: high @ picture @ wide.T,
    "resample-area": lambda x, kh, kw: functional.avg_pool2d(x, (kh, kw)),
    "resample-sample": _sampled,
    "resample-gradient": _resample_gradient,
    "resample-antialias": _smaller,
}

MISTAKES = {
    "resample": {
        "corners always aligned": ("if align_corners else (at + 0.5) * step - 0.5", "if True else at"),
        "corners never aligned": ("step = (n - 1) / (m - 1) if m > 1 else 0.0", "pass"),
        "cells measured from their edge": ("else (at + 0.5) * step - 0.5", "else at * step"),
        "nearest for nearest-exact": ("((at + 0.5) * step).long()", "(at * step).long()"),
        "the scale of the sizes": ("1 / scale if scale else n / m", "n / m"),
        "the scale upside down": ("1 / scale if scale", "scale if scale"),
        "the scale never recomputed": ("[None] * n if recompute else each", "each"),
        "places in double precision": ("torch.arange(m, dtype=torch.float32", "torch.arange(m, dtype=torch.float64"),
        "another cubic": ("_cubic(distance, -0.75)", "_cubic(distance, -0.5)"),
        "nothing averaged": ("stretch = max(step, 1.0)", "stretch = 1.0"),
        "the average not divided": ("weight / weight.sum(1, keepdim=True)", "weight"),
        "zero beyond the edge": ("return index.clamp(0, n - 1), weight", "return index.clamp(0, n - 1), weight * (index >= 0)"),
        "places before the first cell": ("else place.clamp(min=0)", "else place"),
        "infinity from where nothing is read": ("return index.where(index < end, n),", "return index.where(index < end, n - 1),"),
        "the gradient of a cell that is read twice": ("found.scatter_add_(axis,", "found.scatter_(axis,"),
        "the axes exchanged": ("ends = length[axis - 2]", "ends = length[1 - axis]"),
        "bytes not rounded": ("(output + 0.5).floor()", "output.floor()"),
        "bytes with exact weights": ("_of_bytes(index, weight) if byte", "weight if byte"),
        "the input given back": ("copy=output is input", "copy=False"),
    },
    "resample contract": {
        "no default for the mode": ('mode: str = "nearest",', 'mode: str = "area",'),
        "the classes without their line": ("    line = RESAMPLE\n", "    pass\n"),
    },
    "resample purity": {
        "torch's own function": ("        output = _along(output,", "        return nn.functional.interpolate(input, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)\n        output = _along(output,"),
    },
}  # fmt: skip
