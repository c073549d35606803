"""A padding as a matrix of ones and zeros that is not stored, since it only copies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, no_type_check

import torch
from torch import Tensor

from layerlib.conventions.dtypes import wide
from layerlib.engine.gradient import adjoints
from layerlib.engine.kernel import resized
from layerlib.recipe import Deferred, Operand

Mode = Callable[[int, int], int]


@no_type_check  # torch.compile cannot look into what pytest wraps around it
@dataclass(frozen=True)
class Padding(Deferred):
    """``(y, h)``: in row y a 1 for the cell h that it shows, if it shows one.

    `mode` maps a place beyond the edge to the cell that it repeats; without, it shows
    none. A line with paddings for its last axes, in their order, copies cells.
    """

    length: int
    before: int
    after: int
    mode: Mode | None = None

    @property
    def shape(self) -> torch.Size:
        """How long the axis becomes, and how long it was."""
        return torch.Size((self.before + self.length + self.after, self.length))

    def tensor(self) -> Tensor:
        """The matrix."""
        places = range(-self.before, self.length + self.after)
        cells = [self.cell(at) for at in places]
        return (torch.tensor(cells)[:, None] == torch.arange(self.length)).float()

    def cell(self, at: int) -> int:
        """The cell that a place shows, both counted from the first one inside."""
        inside = 0 <= at < self.length or self.mode is None
        return at if inside else self.mode(at, self.length)  # type: ignore[misc]

    def run(self, line: Any, inputs: Sequence[Operand], **sizes: int) -> Tensor:
        """The first input, padded along its last axes."""
        input = inputs[0]  # noqa: A001
        paddings = [p for p in inputs[1:] if isinstance(p, Padding)]
        if not isinstance(input, Tensor) or len(paddings) < len(inputs) - 1:
            return super().run(line, inputs, **sizes)
        line.sizes(*inputs)
        widths = [w for p in reversed(paddings) for w in (p.before, p.after)]
        if paddings[0].mode is None:
            return torch.constant_pad_nd(input, widths)
        more, less = ([pick(w, 0) for w in widths] for pick in (max, min))
        return resized(_extended(input, more, paddings), less)


def _repeats(paddings: Sequence[Padding]) -> Iterator[tuple[int, int, int]]:
    """For each place beyond an edge: its axis, where it is, and the cell it repeats."""
    for axis, p in zip(range(-len(paddings), 0), paddings, strict=True):
        before, after = max(p.before, 0), max(p.after, 0)
        for at in (*range(-before, 0), *range(p.length, p.length + after)):
            yield axis, before + at, before + p.cell(at)


def _extend(
    input: Tensor, widths: Sequence[int], paddings: Sequence[Padding]
) -> Tensor:
    padded = torch.constant_pad_nd(input, widths)
    for axis, place, cell in _repeats(paddings):
        padded.select(axis, place).copy_(padded.select(axis, cell))
    return padded


def _gather(
    padded: Tensor, widths: Sequence[int], paddings: Sequence[Padding]
) -> Tensor:
    """Each place beyond an edge goes back to the cell that it repeats."""
    output = wide(padded).clone()
    for axis, place, cell in _repeats(paddings):
        output.select(axis, cell).add_(output.select(axis, place))
    return torch.constant_pad_nd(output, [-w for w in widths]).to(padded.dtype)


_extended, _gathered = adjoints(_extend, _gather)
