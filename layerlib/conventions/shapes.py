"""What torch checks before a layer that only rearranges."""

import math

from layerlib.conventions.call import Call, channels_last, is_last


def fits_flatten(call: Call) -> None:
    """Of `flatten`: both axes are there, counted from the front, and in order."""
    x, start, end = call.input, call.start_dim, call.end_dim
    first, last = _axis(call, "start_dim"), _axis(call, "end_dim")
    got = f"{start} and {end} for an input of shape {tuple(x.shape)}"
    call.expect(first <= last, "start_dim at or before end_dim", got)
    call.end_dim = min(last, x.ndim - 1)


def fits_unflatten(call: Call) -> None:
    """Of `unflatten`: the sizes multiply up to the length, and -1 is what is left."""
    sizes, dim = call.sizes, _axis(call, "dim")
    length = call.input.shape[dim]
    known = math.prod([size for size in sizes if size != -1])
    split = [length // known if size == -1 and known else size for size in sizes]
    fits = min(split, default=-1) >= 0 and math.prod(split) == length
    told = f"sizes that multiply up to {length}, the length of axis {dim}, with at most"
    call.expect(fits, f"{told} one -1", tuple(sizes))
    call.sizes = tuple(split)


def fits_shuffle(call: Call) -> None:
    """Of the shuffles; images whose channels come last in memory stay so."""
    layer, x = call.layer, call.input
    argument = {"pixel_shuffle": "upscale_factor", "channel_shuffle": "groups"}
    name = argument.get(layer, "downscale_factor")
    by = getattr(call, name)
    call.expect(by > 0, f"a positive {name}", by)
    call.expect(x.ndim >= 3, "an input of at least 3 axes", x)
    divisors = {"pixel_shuffle": {-3: by**2}, "channel_shuffle": {1: by}}
    for axis, divisor in divisors.get(layer, {-2: by, -1: by}).items():
        got = f"{x.shape[axis]} in an input of shape {tuple(x.shape)}"
        told = f"axis {axis} to divide by {divisor}"
        call.expect(x.shape[axis] % divisor == 0, told, got)
    if x.ndim in (4, 5) and is_last(x):
        call.then(channels_last)


def _axis(call: Call, name: str) -> int:
    dim, axes = getattr(call, name), max(call.input.ndim, 1)
    got = f"{dim} for an input of shape {tuple(call.input.shape)}"
    told = f"{name} from {-axes} to {axes - 1}"
    call.expect(-axes <= dim < axes, told, got, IndexError)
    found: int = dim % axes
    setattr(call, name, found)
    return found
