"""How windows lie in an input, and the way there and back where they are stored."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, no_type_check

import torch
from torch import Tensor

from layerlib.conventions.dtypes import wide
from layerlib.engine.gradient import adjoints


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class Kernel:
    """How windows lie, with a number for each axis: they are `stride` cells apart.

    A window sees `size` cells, each `dilation` cells after the one before. Each of the
    three is a tuple; stride and dilation are ones where they are not given.
    """

    size: Any
    stride: Any = ()
    dilation: Any = ()

    def __post_init__(self) -> None:
        ones = (1,) * len(self.size)
        object.__setattr__(self, "stride", self.stride or ones)
        object.__setattr__(self, "dilation", self.dilation or ones)

    def counts(self, length: Sequence[int]) -> tuple[int, ...]:
        """How many windows fit: their first cells are a range, and this is its length.

        >>> Kernel((3,), (2,), (1,)).counts([7])
        (3,)
        """
        each = zip(length, self.size, self.stride, self.dilation, strict=True)
        return tuple([max(0, n - d * (k - 1) + s - 1) // s for n, k, s, d in each])

    def length(self, counts: Sequence[int]) -> tuple[int, ...]:
        """How many cells so many windows see, from the first to the last one's.

        >>> Kernel((3,), (2,), (1,)).length([3])
        (7,)
        """
        each = zip(counts, self.size, self.stride, self.dilation, strict=True)
        return tuple([(m - 1) * s + d * (k - 1) + 1 for m, k, s, d in each])

    def places(self, counts: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """For each place in the kernel, in order: the cells that all windows see."""
        for at in itertools.product(*map(range, self.size)):
            yield tuple(
                slice(a * d, a * d + (m - 1) * s + 1 if m else 0, s)
                for a, s, d, m in zip(
                    at, self.stride, self.dilation, counts, strict=True
                )
            )


def resized(input: Tensor, widths: Any, value: float = 0) -> Tensor:
    """One value beyond the edges, or fewer cells, as by `pad`; no copy for nothing."""
    return torch.constant_pad_nd(input, widths, value) if any(widths) else input


def _see(input: Tensor, length: tuple[int, ...], kernel: Kernel) -> Tensor:
    m, n = kernel.counts(length), len(length)
    cells = [input[..., *at] for at in kernel.places(m)]
    return torch.stack(cells, -n - 1).movedim(-n - 1, -1)


def _add(windows: Tensor, length: tuple[int, ...], kernel: Kernel) -> Tensor:
    m, n = kernel.counts(length), len(length)
    windows, dtype = wide(windows), windows.dtype
    output = windows.new_zeros(*windows.shape[: -n - 1], *length)
    for k, at in enumerate(kernel.places(m)):
        output[..., *at].add_(windows[..., k])
    return output.to(dtype)


seen, added = adjoints(_see, _add)
"""``(..., *n) -> (..., *m, k)``, a copy of the input for each place in the kernel; and
back, each window's cells added where they were."""
