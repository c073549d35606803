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


def _tents(position: Tensor, pixel: Tensor) -> Tensor:
    """Each tent is two ramps, of which the lower one counts."""
    distance = position[:, None] - pixel
    return functional.relu(torch.minimum(1 - distance, 1 + distance))


def _volume(volume: Tensor, deep: Tensor, high: Tensor, wide: Tensor) -> Tensor:
    flat = high @ volume @ wide.T
    return torch.tensordot(flat, deep, dims=([2], [1])).movedim(-1, 2)


ANSWERS: dict[str, Any] = {
    "resample-each": lambda picture, high, wide: (
        high[:, None] @ picture @ wide[:, None].mT
    ),
    "resample-area": lambda x, kh, kw: functional.avg_pool2d(x, (kh, kw)),
    "resample-sample": _sampled,
    "resample-gradient": _resample_gradient,
    "resample-antialias": _smaller,
    "resample-story-weights": _tents,
    "resample-story-volume": _volume,
}

MISTAKES = {
    "resample": {
        "corners always aligned": ("i * step if aligned else (i + 0.5) * step - 0.5", "i * step"),
        "corners never aligned": ("    if align_corners:\n", "    if False:\n"),
        "cells measured from their edge": ("else (i + 0.5) * step - 0.5", "else i * step"),
        "nearest for nearest-exact": ('0.5 * (mode != "nearest")', "0.0"),
        "the scale of the sizes": ("1 / scale if scale else n / m", "n / m"),
        "the scale upside down": ("1 / scale if scale", "scale if scale"),
        "another cubic": ("a=-0.75", "a=-0.5"),
        "nothing averaged": ("max(step, 1.0), *AVERAGES", "1.0, *AVERAGES"),
        "the average not divided": ("weights / weights.sum(1, keepdim=True)", "weights"),
        "zero beyond the edge": ("Band(cells.clamp(0, n - 1), curve(place[:, None] - cells), n)", "Band(cells.clamp(0, n - 1), curve(place[:, None] - cells) * (cells >= 0), n)"),
        "places before the first cell": ("place = place.clamp(min=0)", "pass"),
        "infinity from where nothing is read": ("cells.where(inside, n)", "cells.where(inside, n - 1)"),
    },
    "resample contract": {
        "no default for the mode": ('mode: str = "nearest",', 'mode: str = "area",'),
        "the classes without their line": ("    line, lines = RESAMPLE, LINES\n", "    pass\n"),
    },
    "resample purity": {
        "torch's own function": ("    return LINES[input.ndim](input, *matrices)\n", "    return nn.functional.interpolate(input, tuple(size), None, mode, align_corners, None, antialias)\n"),
    },
    "conventions.resample": {
        "the scale never recomputed": ("[None] * n if call.recompute_scale_factor else each", "each"),
        "places in double precision": ("torch.float32 if single", "torch.float64 if single"),
        "bytes not rounded": ("(x + 0.5).floor()", "x.floor()"),
        "bytes with exact weights": ("(weights * steps).round() / steps", "weights"),
        "a kept axis resampled": ("        if kept or", "        if False or"),
        "twice as long by another step": ('(mode == "nearest" and b == 2 * a)', "False"),
    },
    "engine.bands": {
        "the gradient of a cell that is read twice": ("found.index_add_(axis,", "found.index_copy_(axis,"),
        "the axes exchanged": ("first.index(old) - len(first)", "first.index(new.replace('y', 'w').replace('x', 'h')) - len(first)"),
        "no column for none": ("[*[0, 0] * (-axis - 1), 0, 1]", "[*[0, 0] * (-axis - 1), 1, 0]"),
        "the mean is the sum": ("x = x.unflatten(axis, cells.shape).sum(axis)", "x = x.unflatten(axis, cells.shape).amax(axis)"),
        "bytes by axes in another order": ("x.dtype != torch.uint8 else", "True else"),
        "the first of two at one index": ("output.scatter(-1, self.index, x)", "output.scatter_add(-1, self.index, x)"),
    },
}  # fmt: skip
