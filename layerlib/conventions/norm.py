"""What torch asks of the input of a norm, and of what belongs to its features."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules import instancenorm

from layerlib.conventions.call import Call
from layerlib.conventions.dtypes import HALVES, wide
from layerlib.conventions.expect import tensor

CHANNELS = "an input of shape (batch, channels, ...)"
RUNNING = ("running_mean", "running_var")
KIND = (TypeError, NotImplementedError)


def continuous(call: Call) -> None:
    """No whole numbers."""
    x = call.input
    fits = x.is_floating_point() or x.is_complex()
    call.expect(fits, "floating-point or complex input", x.dtype, KIND)


def _parameters(call: Call, shape: Sequence[int], *names: str) -> None:
    """Of this shape, since they would be broadcast, and of the input's dtype."""
    dtype, some = call.input.dtype, {n: getattr(call, n) for n in names}
    some = {n: p for n, p in some.items() if p is not None}
    if call.layer != "rms_norm":  # in torch a composition: it takes what it multiplies
        kinds = {p.dtype for p in some.values()} - {dtype}
        fits = not kinds or (kinds == {torch.float32} and dtype in HALVES)
        told = "floating-point numbers of one dtype, or 16 bits and float32 for "
        told, got = told + ", ".join(names), f"{dtype} and {kinds or 'none'}"
        call.expect(dtype.is_floating_point and fits, told, got, KIND)
    for name, p in some.items():
        call.expect(p.shape == tuple(shape), f"{name} of shape {tuple(shape)}", p)


def _many(call: Call, holds: bool, what: str) -> None:
    got = f"input size {tuple(call.input.shape)}"
    call.expect(holds, f"more than 1 {what} when training", got)


def by_channel(call: Call) -> None:
    """Of `batch_norm` and `instance_norm`."""
    x, batch = call.input, hasattr(call, "training")
    own = call.training if batch else call.use_input_stats
    count = math.prod(x.shape[2:]) * (math.prod(x.shape[:1]) if batch else 1)
    what = "value per channel" if batch else "spatial element"
    _many(call, not own or count != 1, what)
    fits = not batch or call.eps > 0 or (call.eps == 0 and not own)
    call.expect(fits, "a positive eps", call.eps)
    call.expect(x.ndim >= 2, CHANNELS, tuple(x.shape))
    _parameters(call, x.shape[1:2], *RUNNING, "weight", "bias")
    kept = sum(getattr(call, name) is not None for name in RUNNING)
    told = f"both {' and '.join(RUNNING)} (or neither, to take the averages of the"
    call.expect(kept == 2 or (own and not kept), f"{told} input)", f"{kept} of them")
    call.like_input(batch and x.ndim in (4, 5))
    if not own:
        call.change(lambda average: wide(average.detach()), *RUNNING)
        call.input = wide(x)
    elif not x.numel():  # nothing is seen, and nothing followed
        call.running_mean = call.running_var = None


def by_group(call: Call) -> None:
    """Of `group_norm`."""
    x, groups = call.input, call.num_groups
    fits = x.ndim >= 2 and groups >= 1 and not x.shape[1] % groups
    told = f"{CHANNELS}, with channels for {groups} equal groups"
    call.expect(fits, told, tuple(x.shape))
    _many(call, x.numel() != groups, "value per channel")
    _parameters(call, x.shape[1:2], "weight", "bias")
    call.like_input(x.ndim in (4, 5))


def by_shape(call: Call) -> None:
    """Of `layer_norm` and `rms_norm`: the last axes become one, the others another."""
    x, shape, rms = call.input, tuple(call.normalized_shape), call.layer == "rms_norm"
    rows, names = x.shape[: -len(shape)], ["weight", "bias"][: 2 - rms]
    told = f"an input with the last axes {shape}, as normalized_shape (at least one)"
    call.expect(bool(shape) and (*rows, *shape) == tuple(x.shape), told, tuple(x.shape))
    if rms:
        continuous(call)
    _parameters(call, shape, *names)
    kind, n = wide(x[:0]).dtype, math.prod(shape)
    call.change(lambda p: p.reshape(1, n).to(kind), *names)
    call.eps = torch.finfo(kind).eps if call.eps is None else call.eps
    call.like_input(rms and x.ndim in (4, 5))
    call.input = x.reshape(math.prod(rows), n)
    call.then(lambda y: y.view_as(x))


def by_neighbors(call: Call) -> None:
    """Of `local_response_norm`."""
    x, size = call.input, call.size
    told = "an input of shape (batch, channels, *n) and a positive size"
    call.expect(x.ndim >= 3 and size >= 1, told, f"{tuple(x.shape)} and {size}")
    call.input = wide(x)
    # torch pools the squares of three axes and more, and in autocast with 32 bits.
    cast = x.ndim > 3 and x.is_cpu and torch.is_autocast_enabled("cpu")
    kind = call.input.dtype if cast else x.dtype
    call.then(lambda y: y.to(kind) if x.numel() else x)


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
    """``(b, c, ...) -> (b, c, ...)``: it becomes a `to`, told ``c`` by an input."""

    cls_to_become: ClassVar[Any]

    def __init_subclass__(cls, *, to: type[nn.Module] | None = None) -> None:
        """Keeps the class that it becomes."""
        super().__init_subclass__()
        cls.cls_to_become = to
