"""What torch asks of the input of a norm, and of what belongs to its features."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from layerlib.conventions.dtypes import HALVES, wide
from layerlib.conventions.expect import expect
from layerlib.conventions.signature import Given

Finish = Callable[[Tensor], Tensor]
CHANNELS = "an input of shape (batch, channels, ...)"
RUNNING = ("running_mean", "running_var")


class Misfit(ValueError, RuntimeError):
    """A shape or a setting that does not fit: in torch now the one, now the other."""


class WrongKind(TypeError, NotImplementedError):
    """Numbers of a kind that the layer is not made for."""


def tensor(layer: str, given: Given, name: str = "input") -> Tensor:
    """An argument that is a tensor. Raises `WrongKind`: it is none."""
    x = given[name]
    got = f"{type(x).__name__} for {name}"
    expect(layer, isinstance(x, Tensor), "a tensor", got, WrongKind)
    return x  # type: ignore[no-any-return]


def continuous(layer: str, x: Tensor) -> None:
    """No whole numbers. Raises `WrongKind`."""
    fits = x.is_floating_point() or x.is_complex()
    expect(layer, fits, "floating-point or complex input", x.dtype, WrongKind)


def _of_shape(layer: str, given: Given, shape: Sequence[int], names: list[str]) -> None:
    for name in names:  # else it would be broadcast
        p, told = given[name], f"{name} of shape {tuple(shape)}"
        expect(layer, p is None or p.shape == tuple(shape), told, p, Misfit)


def _of_kind(layer: str, x: Tensor, given: Given, names: list[str]) -> None:
    kinds = {given[name].dtype for name in names if given[name] is not None} - {x.dtype}
    fits = not kinds or (kinds == {torch.float32} and x.dtype in HALVES)
    told = "floating-point numbers of one dtype, or 16 bits and float32 for "
    told, got = told + ", ".join(names), f"{x.dtype} and {kinds or 'none'}"
    expect(layer, x.is_floating_point() and fits, told, got, WrongKind)


def _many(layer: str, holds: bool, what: str, x: Tensor) -> None:
    told, got = f"more than 1 {what} when training", f"input size {tuple(x.shape)}"
    expect(layer, holds, told, got, Misfit)


def laid_out(x: Tensor, last: bool = True) -> Finish:
    """Puts the output in rows; or its channels `last`, where the input has them so."""
    last = last and x.ndim in (4, 5) and not x.is_contiguous()
    if last and x.movedim(1, -1).is_contiguous():
        return lambda y: y.movedim(1, -1).contiguous().movedim(-1, 1).to(x.dtype)
    return lambda y: y.contiguous().to(x.dtype)


def by_channel(layer: str, _: int, given: Given) -> Finish:
    """Of `batch_norm` and `instance_norm`."""
    x, eps, batch = tensor(layer, given), given["eps"], "training" in given
    own = given["training" if batch else "use_input_stats"]
    what = "value per channel" if batch else "spatial element"
    count = math.prod(x.shape[2:]) * (x.shape[0] if batch and x.ndim else 1)
    _many(layer, not own or count != 1, what, x)
    fits = not batch or eps > 0 or (eps == 0 and not own)
    expect(layer, fits, "a positive eps", eps, Misfit)
    expect(layer, x.ndim >= 2, CHANNELS, tuple(x.shape), Misfit)
    names = [*RUNNING, "weight", "bias"]
    _of_kind(layer, x, given, names)
    _of_shape(layer, given, x.shape[1:2], names)
    kept = sum(given[name] is not None for name in RUNNING)
    told = (
        f"both {' and '.join(RUNNING)} (or neither, to take the averages of the input)"
    )
    expect(layer, kept == 2 or (own and not kept), told, f"{kept} of them", Misfit)
    if not own:
        given |= {name: wide(given[name].detach()) for name in RUNNING}
        given["input"] = wide(x)
    if not x.numel():  # nothing is seen, and nothing followed
        given |= dict.fromkeys(RUNNING) if own else {}
    return laid_out(x, batch)


def by_group(layer: str, _: int, given: Given) -> Finish:
    """Of `group_norm`."""
    x, groups, names = tensor(layer, given), given["num_groups"], ["weight", "bias"]
    fits = x.ndim >= 2 and groups >= 1 and not x.shape[1] % groups
    told = f"{CHANNELS}, with channels for {groups} equal groups"
    expect(layer, fits, told, tuple(x.shape), Misfit)
    _many(layer, x.numel() != groups, "value per channel", x)
    _of_kind(layer, x, given, names)
    _of_shape(layer, given, x.shape[1:2], names)
    return laid_out(x)


def by_shape(layer: str, _: int, given: Given) -> Finish:
    """Of `layer_norm` and `rms_norm`: the last axes become one, the others another."""
    x, shape = tensor(layer, given), tuple(given["normalized_shape"])
    rows, names = x.shape[: -len(shape)], [n for n in ("weight", "bias") if n in given]
    told = f"an input with the last axes {shape}, as normalized_shape (at least one)"
    fits = bool(shape) and (*rows, *shape) == tuple(x.shape)
    expect(layer, fits, told, tuple(x.shape), Misfit)
    root = (
        layer == "rms_norm"
    )  # a composition in torch: it takes what can be multiplied
    continuous(layer, x) if root else _of_kind(layer, x, given, names)
    _of_shape(layer, given, shape, names)
    kind, n = wide(x[:0]).dtype, math.prod(shape)
    for name in names:
        p = given[name]
        given[name] = None if p is None else p.reshape(1, n).to(kind)
    given["eps"] = torch.finfo(kind).eps if given["eps"] is None else given["eps"]
    given["input"] = x.reshape(math.prod(rows), n)
    finish = laid_out(x, root)
    return lambda y: finish(y.view_as(x))


def by_neighbors(layer: str, _: int, given: Given) -> Finish:
    """Of `local_response_norm` and `cross_map`."""
    x, size, cross = tensor(layer, given), given["size"], "cross" in layer
    layer = "CrossMapLRN2d" if cross else layer
    fits = (x.ndim == 4 if cross else x.ndim >= 3) and size >= 1
    axes = "of 4 axes" if cross else "of shape (batch, channels, *n)"
    got = (
        f"shape {tuple(x.shape)} and size {size}"
        if cross
        else f"{tuple(x.shape)} and {size}"
    )
    expect(layer, fits, f"an input {axes} and a positive size", got, Misfit)
    given["input"] = wide(x)
    cast = x.ndim > 3 and not cross and x.is_cpu and torch.is_autocast_enabled("cpu")
    kind = given["input"].dtype if cast else x.dtype  # torch's pooling: in 32 bits
    return lambda y: y.to(kind) if x.numel() else x


def by_axis(layer: str, _: int, given: Given) -> Finish:
    """Of `normalize`: the axes become one, the last."""
    x, dim, out = tensor(layer, given), given["dim"], given["out"]
    continuous(layer, x)
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    ends = tuple(range(-len(axes), 0))
    moved = x.movedim(axes, ends)
    given["input"] = wide(moved.flatten(-len(axes)))

    def finish(y: Tensor) -> Tensor:
        y = y.reshape(moved.shape).movedim(ends, axes).to(x.dtype)
        return y if out is None else torch.div(y, 1, out=out)

    return finish


def reach(size: int) -> tuple[int, int]:
    """How many channels before and after `_cross_gradient` sums, as torch does."""
    told = (
        "CrossMapLRN2d",
        size > 1,
        "a size above 1 for a gradient (torch has no gradient of a size of 1)",
    )
    expect(*told, size, Misfit)
    before = int(size - (size - 1) / 2)
    return before, size - 1 - before
