"""What torch takes for an activation, and what all of them have in common."""

import functools
import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.call import Call
from layerlib.conventions.signature import Convention, convention
from layerlib.engine.slope import of_output, sloped
from layerlib.recipe import Bend

Function = Callable[..., Any]
Values = Callable[..., Tensor]

TOLD = """``{shapes}``: {told}

    Raises:
        TypeError: torch does not take numbers of this kind here.
        ValueError: a setting is out of its range, or a shape does not fit.
        RuntimeError: in place, autograd needs what would be written over.

    Source: `torch.nn.functional.{name}`."""

RANGES: dict[str, tuple[str, Function]] = {
    "celu": ("an alpha that is not 0", lambda alpha: alpha != 0),
    "gelu": ("approximate to be 'none' or 'tanh'", lambda by: by in ("none", "tanh")),
    "hardtanh": ("min_val <= max_val", lambda low, high: low <= high),
    "rrelu": ("lower <= upper, both finite", lambda low, high: low <= high < math.inf),
    "softshrink": ("lambd >= 0 and finite", lambda lambd: 0 <= lambd < math.inf),
}


def taken(call: Call, takes: str = "float") -> None:
    """Raises, unless torch takes numbers of this kind as input."""
    x = call.input
    kinds = {"bool": x.dtype == torch.bool, "complex": x.is_complex()}
    kinds |= {"float": x.is_floating_point(), "whole": True}
    kind = next(kind for kind, holds in kinds.items() if holds)
    told = f"{takes.replace(' ', ' or ')} numbers"
    call.expect(kind in takes.split(), told, x.dtype, (TypeError, NotImplementedError))


def written(call: Call) -> None:
    """The output into the input, if it was asked for."""
    x = call.input
    if call.inplace:
        if torch.is_grad_enabled() and x.requires_grad:
            call.input = x.clone()  # what the gradient reads must outlive it
        call.then(x.copy_)


def asked(
    prepare: Convention,
    shapes: str = "(...) -> (...)",
    run: Function | None = None,
    *,
    inplace: bool = False,
    signature: inspect.Signature | None = None,
) -> Callable[[Function], Values]:
    """Decorates a function, by `run` first, with its convention and docstring."""

    def decorate(function: Function) -> Values:
        own, inner = inspect.signature(function), run(function) if run else function
        count, told, name = len(own.parameters), function.__doc__, function.__name__

        @functools.wraps(function)
        def wrapper(**given: Any) -> Any:
            return inner(*[*given.values()][:count])

        wrapper.__doc__ = TOLD.format(told=told, name=name, shapes=shapes)
        vars(wrapper)["__signature__"] = signature or own
        return convention(prepare, inplace=inplace)(wrapper)

    return decorate


def each(
    slope: Function | None = None,
    takes: str = "float",
    *,
    gradient: Function | None = None,
    inplace: bool = True,
    at_once: bool = False,
) -> Callable[[Function], Values]:
    """Decorates a function of one number that torch `takes`: it is then one of each.

    Its slope is its derivative, of the same arguments: numbers, or bits for 1 and 0;
    or its gradient takes that of the output first. With neither it is derived move by
    move. A single move runs `at_once`: in no pieces, with no more than its own bits.
    """

    def decorate(value: Function) -> Values:
        name, (_, *settings) = value.__name__, inspect.signature(value).parameters
        bend = Bend(name, sloped(value, slope, gradient, at_once=at_once))
        told, fits = RANGES.get(name, ("", lambda: True))
        count = len(inspect.signature(fits).parameters)

        def prepare(call: Call) -> None:
            taken(call, takes)
            given = [getattr(call, name) for name in settings[:count]]
            if not fits(*given):  # torch.compile cannot show a setting
                call.expect(not told, told, " and ".join(map(repr, given)))
            x = call.input
            if not (x.is_floating_point() or x.is_complex()):
                _whole(call, settings)
            if inplace:
                written(call)
            if name in ("logsigmoid", "rrelu"):  # torch's keep no order of the axes
                call.input = call.input.contiguous()

        function = asked(prepare, run=lambda _: bend, inplace=inplace)(value)
        vars(function)["line"] = bend
        return function

    return decorate


def _whole(call: Call, settings: list[str]) -> None:
    """Settings of whole numbers are whole, as in torch."""
    for name in settings:
        setattr(call, name, int(getattr(call, name)))
    least = min((getattr(call, name) for name in settings), default=0)
    dtype = call.input.dtype
    call.expect(dtype.is_signed or least >= 0, f"settings that {dtype} has", least)


def in_place(function: Values) -> Values:
    """The same function, always in place, under its name with ``_``."""
    signature = inspect.signature(function)
    *settings, _ = signature.parameters.values()

    def wrapper(*args: Any, **kwargs: Any) -> Tensor:
        return function(*args, **kwargs, inplace=True)

    name = wrapper.__name__ = wrapper.__qualname__ = f"{function.__name__}_"
    wrapper.__module__ = function.__module__
    told = f"`{function.__name__}`, written into the input."
    wrapper.__doc__ = TOLD.format(told=told, name=name, shapes="(...) -> (...)")
    vars(wrapper)["__signature__"] = signature.replace(parameters=settings)
    return wrapper


def normalizes(gradient: Function | None = None) -> Callable[[Function], Values]:
    """Decorates a function of ``b c n``, given its gradient by its output, as torch's.

    It is then one of any axes, normalized along `dim`.
    """
    run = of_output("b c n -> b c n", "b n", gradient) if gradient else None

    def decorate(function: Function) -> Values:
        torchs = inspect.signature(getattr(torch.nn.functional, function.__name__))
        return asked(along_dim, "(..., c) -> (..., c)", run, signature=torchs)(function)

    return decorate


def along_dim(call: Call) -> None:
    """The input in the letters ``b c n``, where c is its axis `dim`, and back."""
    x, dim = call.input, call.dim
    if dim is None:
        message = f"Implicit dimension choice for {call.layer} has been deprecated. "
        message += "Change the call to include dim=X as an argument."
        warnings.warn(message, stacklevel=call._stacklevel)  # noqa: SLF001
        dim = 0 if x.ndim in (0, 1, 3) else 1
    x = call.input = x if call.dtype is None else x.to(call.dtype)
    taken(call)
    axes = max(1, x.ndim)
    told = f"a dim from {-axes} to {axes - 1} and no index out of range"
    call.expect(-axes <= dim < axes, told, dim, IndexError)
    before, after = x.shape[: dim % axes], x.shape[dim % axes + 1 :]
    rows = (math.prod(before), -1, math.prod(after)) if x.numel() else (0, 1, 1)
    call.input = x.contiguous().reshape(rows)  # torch's output has this order
    call.then(lambda output: output.reshape(x.shape))


def even(call: Call) -> None:
    """An axis that has two halves."""
    taken(call)
    x, dim = call.input, call.dim
    call.expect(x.ndim > 0 and x.shape[dim] % 2 == 0, f"an even size in axis {dim}", x)


def halves(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Views of the first and of the second half of an axis."""
    first, second = x.chunk(2, dim)
    return first, second


def image(call: Call) -> None:
    """An input with channels, height and width, and perhaps a batch."""
    shape = tuple(call.input.shape)
    told = "an input of shape (b, c, h, w) or (c, h, w)"
    call.expect(len(shape) in (3, 4), told, shape)


def channels(call: Call) -> None:
    """The input in the letters ``b c n``, and a slope for each c."""
    call.autocast("input", "weight")
    taken(call)
    x, weight = call.input, call.weight
    count = x.shape[1] if x.ndim > 1 else 1
    fits = weight.ndim <= 1 and (weight.numel() == 1 or weight.numel() == count)
    call.expect(fits, f"a weight of 1 or {count} numbers", weight)
    same = x.dtype == weight.dtype
    call.expect(same, f"a weight of {x.dtype}", weight.dtype, TypeError)
    rows = (x.shape[0], count, -1) if x.ndim > 1 else (-1, 1, 1)
    call.input = x.reshape(rows if x.numel() else (0, count, 1))
    call.weight = weight.expand(count)
    call.then(lambda output: output.reshape(x.shape))


def drawn(input: Tensor, lower: float, upper: float) -> Tensor:
    """1 above 0, and elsewhere drawn as torch does: in float64, row by row."""
    x = input.detach()
    low, high = (x.new_full((), bound).double() for bound in (lower, upper))
    count = 0 if x.is_meta else int((x <= 0).sum())
    numbers = x.new_empty(count, dtype=torch.float64).uniform_() * (high - low) + low
    slope = torch.ones_like(x, memory_format=torch.contiguous_format)
    slope[x <= 0] = numbers.to(x.dtype)
    return slope
