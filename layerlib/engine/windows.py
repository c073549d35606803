"""What every window of an input sees, and where stamps go, without storing either."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import no_type_check

import torch
from einops import rearrange
from torch import Tensor

from layerlib.engine.kernel import Kernel, added, seen
from layerlib.engine.reductions import reduced
from layerlib.engine.sums import over_windows, stamped
from layerlib.recipe import (
    Deferred,
    Line,
    Operand,
    Product,
    Recipe,
    Reduce,
    ran,
    stored,
)

__all__ = ["Kernel", "Windows", "overlap_added"]


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class Windows(Deferred):
    """``(..., *n) -> (..., *m, k)``: what the kernel sees from each of its places.

    A recipe over windows and kernels runs as a sum of `engine.sums`, a reduction as
    one of `engine.reductions`, and any other line on windows that are stored.
    """

    input: Tensor
    kernel: Kernel

    @property
    def shape(self) -> torch.Size:
        """The axes before the windows' own, how many there are, and their cells."""
        n, shape = len(self.kernel.size), tuple(self.input.shape)
        many = self.kernel.counts(shape[-n:])
        return torch.Size((*shape[:-n], *many, math.prod(self.kernel.size)))

    def tensor(self) -> Tensor:
        """A copy of the input for each place in the kernel, shifted."""
        length = tuple(self.input.shape[-len(self.kernel.size) :])
        return seen(self.input, length, self.kernel)

    def run(self, line: Line, inputs: Sequence[Operand], **sizes: int) -> Tensor:
        """What `line` makes of the windows, and of kernels."""
        if isinstance(line, Reduce) and not sizes:
            return reduced(self, line)
        if isinstance(line, Recipe):
            arranged = _arranged(line, inputs, len(self.kernel.size))
            if arranged:
                x, kernels, back = arranged
                return back(over_windows(self.kernel, x, kernels))
        return line.stored(*map(stored, inputs), **sizes)


def overlap_added(stamps: Operand, length: tuple[int, ...], kernel: Kernel) -> Tensor:
    """``(..., *m, k) -> (..., *n)``: each number goes where a window would see it."""
    if isinstance(stamps, Product):
        arranged = _arranged(stamps.recipe, stamps.inputs, len(kernel.size))
        if arranged:
            ran(stamps.recipe)
            y, kernels, back = arranged
            return back(stamped(kernel, length, kernels.mT, y))
    return added(stored(stamps), length, kernel)


Arranged = tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]


def _arranged(line: Recipe, inputs: Sequence[Operand], n: int) -> Arranged | None:
    """``b g i *n`` and ``k g o i``, and the way from ``b g o *m`` to the output.

    What a letter does is read off where it stands: those of the batch ``b`` are not in
    the kernels, groups ``g`` are everywhere, ``i`` is summed, and ``o`` is in the
    kernels and the output alone. None, if the line has another form or nothing in it.
    """
    sizes = line.sizes(*inputs)
    if len(inputs) != 2 or not all(map(all, sizes.values())):
        return None
    first, second = inputs
    k = (line.inputs if isinstance(first, Windows) else (line.output,))[0][-1]
    one, kernels, out = (
        [a for a in term if a != k] for term in (*line.inputs, line.output)
    )
    space = one[-1:] if one[-1:] == ["..."] else one[-n:]
    b = [a for a in one if a in out and a not in (*kernels, *space)]
    g = [a for a in one if a in out and a in kernels]
    i = [a for a in one if a in kernels and a not in out]
    o = [a for a in kernels if a in out and a not in one]
    terms = ({*b, *g, *i, *space}, {*g, *o, *i}, {*b, *g, *o, *space})
    fits = terms == ({*one}, {*kernels}, {*out}) and out[-len(space) :] == space
    ks = [k in term for term in (*line.inputs, line.output)]
    whole = sum(len(sizes[a]) for a in space) == n and {*kernels}.isdisjoint(space)
    if not (fits and whole and ks[1] and ks[0] != ks[2]) or isinstance(
        second, Deferred
    ):
        return None

    bs, gs, os, is_ = (" ".join(each) for each in (b, g, o, i))
    at = " ".join(space)
    x = first.input if isinstance(first, Windows) else stored(first)
    x = rearrange(x, f"{' '.join(one)} -> ({bs}) ({gs}) ({is_}) {at}")
    weight = rearrange(
        second, f"{' '.join(line.inputs[1])} -> {k} ({gs}) ({os}) ({is_})"
    )
    apart = {a: sizes[a][0] for a in (*b, *g, *o)}
    return (
        x,
        weight,
        lambda y: rearrange(
            y, f"({bs}) ({gs}) ({os}) {at} -> {' '.join(out)}", **apart
        ),
    )
