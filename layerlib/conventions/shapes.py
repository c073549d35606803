"""What torch checks before a layer that only rearranges."""

import math
from collections.abc import Callable

from torch import Tensor

from layerlib.conventions.expect import expect
from layerlib.conventions.signature import Given


def fits_flatten(layer: str, _n: int, given: Given) -> None:
    """Of `flatten`: both axes are there, counted from the front, and in order."""
    x, start, end = given["input"], given["start_dim"], given["end_dim"]
    first = _axis(layer, "start_dim", start, x)
    last = _axis(layer, "end_dim", end, x)
    got = f"{start} and {end} for an input of shape {tuple(x.shape)}"
    expect(layer, first <= last, "start_dim at or before end_dim", got)
    given.update(start_dim=first, end_dim=min(last, x.ndim - 1))


def fits_unflatten(layer: str, _n: int, given: Given) -> None:
    """Of `unflatten`: the sizes multiply up to the length, and -1 is what is left."""
    x, sizes = given["input"], given["sizes"]
    dim = _axis(layer, "dim", given["dim"], x)
    length = x.shape[dim]
    known = math.prod([size for size in sizes if size != -1])
    split = [length // known if size == -1 and known else size for size in sizes]
    fits = min(split, default=-1) >= 0 and math.prod(split) == length
    told = f"sizes that multiply up to {length}, the length of axis {dim}, with at most"
    expect(layer, fits, f"{told} one -1", tuple(sizes))
    given.update(dim=dim, sizes=tuple(split))


def fits_shuffle(
    layer: str, _n: int, given: Given
) -> Callable[[Tensor], Tensor] | None:
    """Of the shuffles; images whose channels come last in memory stay so."""
    x, argument = given["input"], next(key for key in given if key != "input")
    by = given[argument]
    expect(layer, by > 0, f"a positive {argument}", by)
    expect(layer, x.ndim >= 3, "an input of at least 3 axes", x)
    divisors = {"pixel_shuffle": {-3: by**2}, "channel_shuffle": {1: by}}
    for axis, divisor in divisors.get(layer, {-2: by, -1: by}).items():
        got = f"{x.shape[axis]} in an input of shape {tuple(x.shape)}"
        told = f"axis {axis} to divide by {divisor}"
        expect(layer, x.shape[axis] % divisor == 0, told, got)
    return _channels_last if _is_last(x) else None


def _axis(layer: str, argument: str, dim: int, input: Tensor) -> int:
    axes = max(input.ndim, 1)
    told = f"{argument} from {-axes} to {axes - 1}"
    got = f"{dim} for an input of shape {tuple(input.shape)}"
    expect(layer, -axes <= dim < axes, told, got, IndexError)
    return dim % axes


def _is_last(x: Tensor) -> bool:
    last = x.ndim in (4, 5) and x.movedim(1, -1).is_contiguous()
    return last and not x.is_contiguous()


def _channels_last(x: Tensor) -> Tensor:
    return x.movedim(1, -1).contiguous().movedim(-1, 1)
