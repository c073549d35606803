"""What torch asks of the input of a norm, and of what belongs to its features."""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules import instancenorm

from layerlib.conventions.dtypes import HALVES, wide
from layerlib.conventions.expect import expect, tensor
from layerlib.conventions.signature import Given

Finish = Callable[[Tensor], Tensor]
CHANNELS = "an input of shape (batch, channels, ...)"
RUNNING = ("running_mean", "running_var")
KIND = (TypeError, NotImplementedError)


def continuous(layer: str, x: Tensor) -> None:
    """No whole numbers."""
    fits = x.is_floating_point() or x.is_complex()
    expect(layer, fits, "floating-point or complex input", x.dtype, KIND)


def _parameters(layer: str, given: Given, shape: Sequence[int], *names: str) -> None:
    """Of this shape, since they would be broadcast, and of the input's dtype."""
    x, some = given["input"], {n: given[n] for n in names if given[n] is not None}
    if layer != "rms_norm":  # in torch a composition: it takes what can be multiplied
        kinds = {p.dtype for p in some.values()} - {x.dtype}
        fits = not kinds or (kinds == {torch.float32} and x.dtype in HALVES)
        told = "floating-point numbers of one dtype, or 16 bits and float32 for "
        told, got = told + ", ".join(names), f"{x.dtype} and {kinds or 'none'}"
        expect(layer, x.is_floating_point() and fits, told, got, KIND)
    for name, p in some.items():
        told = f"{name} of shape {tuple(shape)}"
        expect(layer, p.shape == tuple(shape), told, p)


def _many(layer: str, holds: bool, what: str, x: Tensor) -> None:
    told, got = f"more than 1 {what} when training", f"input size {tuple(x.shape)}"
    expect(layer, holds, told, got)


def laid_out(x: Tensor, last: bool = True) -> Finish:
    """The output in rows, or its channels `last`, where the input has them so."""
    last = last and x.ndim in (4, 5) and not x.is_contiguous()
    if last and x.movedim(1, -1).is_contiguous():
        return lambda y: y.movedim(1, -1).contiguous().movedim(-1, 1).to(x.dtype)
    return lambda y: y.contiguous().to(x.dtype)


def by_channel(layer: str, _: int, given: Given) -> Finish:
    """Of `batch_norm` and `instance_norm`."""
    x, eps, batch = given["input"], given["eps"], "training" in given
    own = given["training" if batch else "use_input_stats"]
    count = math.prod(x.shape[2:]) * (math.prod(x.shape[:1]) if batch else 1)
    what = "value per channel" if batch else "spatial element"
    _many(layer, not own or count != 1, what, x)
    fits = not batch or eps > 0 or (eps == 0 and not own)
    expect(layer, fits, "a positive eps", eps)
    expect(layer, x.ndim >= 2, CHANNELS, tuple(x.shape))
    _parameters(layer, given, x.shape[1:2], *RUNNING, "weight", "bias")
    kept = sum(given[name] is not None for name in RUNNING)
    told = (
        f"both {' and '.join(RUNNING)} (or neither, to take the averages of the input)"
    )
    expect(layer, kept == 2 or (own and not kept), told, f"{kept} of them")
    if not own:
        given |= {name: wide(given[name].detach()) for name in RUNNING}
        given["input"] = wide(x)
    elif not x.numel():  # nothing is seen, and nothing followed
        given |= dict.fromkeys(RUNNING)
    return laid_out(x, batch)


def by_group(layer: str, _: int, given: Given) -> Finish:
    """Of `group_norm`."""
    x, groups = given["input"], given["num_groups"]
    fits = x.ndim >= 2 and groups >= 1 and not x.shape[1] % groups
    told = f"{CHANNELS}, with channels for {groups} equal groups"
    expect(layer, fits, told, tuple(x.shape))
    _many(layer, x.numel() != groups, "value per channel", x)
    _parameters(layer, given, x.shape[1:2], "weight", "bias")
    return laid_out(x)


def by_shape(layer: str, _: int, given: Given) -> Finish:
    """Of `layer_norm` and `rms_norm`: the last axes become one, the others another."""
    x, shape = given["input"], tuple(given["normalized_shape"])
    rows, names = x.shape[: -len(shape)], [n for n in ("weight", "bias") if n in given]
    told = f"an input with the last axes {shape}, as normalized_shape (at least one)"
    fits = bool(shape) and (*rows, *shape) == tuple(x.shape)
    expect(layer, fits, told, tuple(x.shape))
    continuous(layer, x) if layer == "rms_norm" else None
    _parameters(layer, given, shape, *names)
    kind, n = wide(x[:0]).dtype, math.prod(shape)
    given |= {
        k: None if given[k] is None else given[k].reshape(1, n).to(kind) for k in names
    }
    given["eps"] = torch.finfo(kind).eps if given["eps"] is None else given["eps"]
    given["input"] = x.reshape(math.prod(rows), n)
    finish = laid_out(x, layer == "rms_norm")
    return lambda y: finish(y.view_as(x))


def by_neighbors(layer: str, _: int, given: Given) -> Finish:
    """Of `local_response_norm`."""
    x, size = given["input"], given["size"]
    told = "an input of shape (batch, channels, *n) and a positive size"
    expect(layer, x.ndim >= 3 and size >= 1, told, f"{tuple(x.shape)} and {size}")
    given["input"] = wide(x)
    # torch pools the squares of three axes and more, and in autocast with 32 bits.
    cast = x.ndim > 3 and x.is_cpu and torch.is_autocast_enabled("cpu")
    kind = given["input"].dtype if cast else x.dtype
    return lambda y: y.to(kind) if x.numel() else x


class Affine(nn.Module):
    """A norm that starts with weights of one, biases of zero, and no batch seen."""

    def reset_parameters(self) -> None:
        """Weights of one, biases of zero; the running averages as before any batch."""
        self.reset_running_stats()
        for name, fill in (("weight", nn.init.ones_), ("bias", nn.init.zeros_)):
            if getattr(self, name, None) is not None:
                fill(getattr(self, name))

    def reset_running_stats(self) -> None:
        """Mean zero and variance one, where they are kept, and no batch counted."""
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            if getattr(self, name, None) is not None:
                nn.init.constant_(getattr(self, name), name == "running_var")


class Tracking(Affine):
    """A norm that counts its batches."""

    num_batches_tracked: Tensor | None
    momentum: float | None
    track_running_stats: bool

    def checked(self, input: Tensor) -> Tensor:
        """The input, if it has as many axes as the class is for."""
        x = tensor(type(self).__name__, "input", input)
        self._check_input_dim(x)  # type: ignore[operator]
        return x

    def next_momentum(self) -> float:
        """The weight of this batch: without a momentum each one weighs the same."""
        count = self.num_batches_tracked
        if self.training and self.track_running_stats and count is not None:
            count.copy_(count + 1)
            return 1 / float(count) if self.momentum is None else self.momentum
        return self.momentum or 0.0


class EachElement(Affine, instancenorm._InstanceNorm):  # noqa: SLF001
    """A norm of each element, which may come without a batch."""

    def forward(self, input: Tensor) -> Tensor:
        """As torch's class checks it, and then `_apply_instance_norm` of a batch."""
        return super().forward(tensor(type(self).__name__, "input", input))


class Lazy(nn.Module):
    """``(b, c, ...) -> (b, c, ...)``: its first input tells it ``c``.

    It then becomes a layer of the class `to`.
    """

    cls_to_become: ClassVar[Any]

    def __init_subclass__(cls, *, to: type[nn.Module] | None = None) -> None:
        """Keeps the class that it becomes."""
        super().__init_subclass__()
        cls.cls_to_become = to
