"""What every window of an input sees, and where stamps go, without storing either."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, no_type_check

import torch
from torch import Tensor

from layerlib.recipe import Deferred


class Kernel(NamedTuple):
    """How windows lie, with a number for each axis: they are `stride` cells apart.

    A window sees `size` cells, each `dilation` cells after the one before.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    def counts(self, length: Sequence[int]) -> tuple[int, ...]:
        """How many windows fit: one, and one more for each stride that is left.

        >>> Kernel((3,), (2,), (1,)).counts([7])
        (3,)
        """
        each = zip(length, *self, strict=True)
        return tuple([max(0, n - d * (k - 1) + s - 1) // s for n, k, s, d in each])

    def places(self, counts: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """For each place in the kernel, in order: the cells that all windows see."""
        for at in itertools.product(*map(range, self.size)):
            yield tuple(
                slice(a * d, a * d + (m - 1) * s + 1 if m else 0, s)
                for a, s, d, m in zip(at, *self[1:], counts, strict=True)
            )


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class Windows(Deferred):
    """``(..., *n) -> (..., *m, k)``: what the kernel sees from each of its places."""

    input: Tensor
    kernel: Kernel

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes before the windows' own, how many there are, and their cells."""
        n, shape = len(self.kernel.size), tuple(self.input.shape)
        many = self.kernel.counts(shape[-n:])
        return (*shape[:-n], *many, math.prod(self.kernel.size))

    def tensor(self) -> Tensor:
        """A copy of the input for each place in the kernel, shifted."""
        n = len(self.kernel.size)
        places = self.kernel.places(self.shape[-n - 1 : -1])
        seen = [self.input[..., *cells] for cells in places]
        return torch.stack(seen, -n - 1).movedim(-n - 1, -1)
