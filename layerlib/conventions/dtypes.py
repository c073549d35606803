"""Numbers of 16 bits are computed with as numbers of 32 bits, as torch does."""

import torch
from torch import Tensor

HALVES = (torch.bfloat16, torch.float16)


def wide(x: Tensor) -> Tensor:
    """``(...) -> (...)``: 16 bits as float32, and all else as it is.

    A sum of many halves would be rounded at each step; in float32 it is rounded once,
    when the result becomes a half again.

    >>> wide(torch.ones(2, dtype=torch.float16)).dtype
    torch.float32
    """
    return x.float() if x.dtype in HALVES else x
