"""Which dtype a layer computes in, as torch decides it."""

import torch
from torch import Tensor

HALVES = (torch.bfloat16, torch.float16)
SINGLE = {f"{name}_pool3d" for name in ("max", "avg", "adaptive_avg", "adaptive_max")}
SINGLE |= {"fractional_max_pool2d", "fractional_max_pool3d"}
SINGLE |= {"max_unpool1d", "max_unpool2d", "max_unpool3d"}
SINGLE |= {"reflect_pad1d", "reflect_pad2d"}
SINGLE |= {"replicate_pad1d", "replicate_pad2d", "replicate_pad3d"}
"""What torch.autocast computes in 32 bits on a CPU."""


def wide(x: Tensor) -> Tensor:
    """16 bits as float32, where sums are rounded once; and all else as it is."""
    return x.float() if x.dtype in HALVES else x


def single(name: str, x: Tensor) -> Tensor:
    """What torch.autocast hands to the function of this name: on a CPU, 32 bits."""
    cast = name in SINGLE and x.is_cpu and torch.is_autocast_enabled("cpu")
    return wide(x) if cast else x
