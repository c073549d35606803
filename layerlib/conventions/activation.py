"""What torch takes for an activation, and what all of them have in common."""

import functools
import inspect
import math
import warnings
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from layerlib.conventions.dtypes import autocast
from layerlib.conventions.expect import expect
from layerlib.conventions.layer import Computed
from layerlib.conventions.signature import Convention, Given, convention
from layerlib.engine.slope import of_output, sloped
from layerlib.recipe import Bend, Line

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
    "gelu": (
        "approximate to be 'none' or 'tanh'",
        lambda approximate: approximate in ("none", "tanh"),
    ),
    "hardtanh": ("min_val <= max_val", lambda min_val, max_val: min_val <= max_val),
    "rrelu": (
        "lower <= upper, both finite",
        lambda lower, upper: lower <= upper < math.inf,
    ),
    "softshrink": ("lambd >= 0 and finite", lambda lambd: 0 <= lambd < math.inf),
}


def taken(layer: str, x: Tensor, takes: str = "float") -> None:
    """Raises, unless torch takes numbers of this kind."""
    kind = (
        "float" if x.is_floating_point() else "complex" if x.is_complex() else "whole"
    )
    kind = "bool" if x.dtype == torch.bool else kind
    told = f"{takes.replace(' ', ' or ')} numbers"
    error = (TypeError, NotImplementedError)
    expect(layer, kind in takes.split(), told, x.dtype, error)


def written(given: Given) -> Function | None:
    """Takes `inplace` from the arguments: then the output is put into the input."""
    x = given["input"]
    if not given.pop("inplace", False):
        return None
    if torch.is_grad_enabled() and x.requires_grad:
        given["input"] = x.clone()  # what the gradient reads must outlive it
    write: Function = x.copy_
    return write


def with_inplace(function: Function) -> Function:
    """The function, said to take `inplace` after its own arguments."""
    own = inspect.signature(function).parameters.values()
    more = Parameter("inplace", Parameter.POSITIONAL_OR_KEYWORD, default=False)
    vars(function)["__signature__"] = Signature([*own, more])
    return function


def documented(function: Function, name: str, shapes: str) -> Function:
    """The function, with what all of them have in common in its docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = TOLD.format(told=function.__doc__, name=name, shapes=shapes)
    return function


def asked(
    prepare: Convention,
    shapes: str = "(...) -> (...)",
    run: Function | None = None,
    *,
    inplace: bool = False,
) -> Callable[[Function], Values]:
    """Decorates a function, by `run` first, with its convention and docstring."""

    def decorate(function: Function) -> Values:
        names = [*inspect.signature(function).parameters]
        inner = run(function) if run else function

        @functools.wraps(function)
        def wrapper(**given: Any) -> Any:
            return inner(*(given[name] for name in names))

        outer = convention(prepare)(with_inplace(wrapper) if inplace else wrapper)
        return documented(outer, function.__name__, shapes)

    return decorate


def each(
    slope: Function | None = None,
    takes: str = "float",
    *,
    gradient: Function | None = None,
    inplace: bool = True,
    at_once: bool = False,
) -> Callable[[Function], Values]:
    """Decorates a function of one number, given its slope: it is then one of each.

    Args:
        slope: its derivative, of the same arguments: numbers, or bits for 1 and 0.
            Without one it is derived move by move.
        takes: which kinds of numbers torch takes.
        gradient: instead of a slope, with the gradient of the output first.
        inplace: whether it has an argument of that name.
        at_once: it is a single move: no pieces, and no more than its own bits.
    """

    def decorate(value: Function) -> Values:
        name, names = value.__name__, [*inspect.signature(value).parameters]
        bend = Bend(name, sloped(value, slope, gradient, at_once=at_once))
        told, fits = RANGES.get(name, ("", lambda: True))
        checked = [*inspect.signature(fits).parameters]

        def prepare(layer: str, _n: int, given: Given) -> Function | None:
            x = given["input"]
            taken(layer, x, takes)
            settings = [given[n] for n in checked]
            if not fits(*settings):  # torch.compile cannot show a setting
                expect(
                    layer,
                    holds=False,
                    expected=told,
                    got=" and ".join(map(repr, settings)),
                )
            if not (x.is_floating_point() or x.is_complex()):
                given |= {n: int(given[n]) for n in names[1:]}  # as in torch
                least = min((given[n] for n in names[1:]), default=0)
                fit = x.dtype.is_signed or least >= 0
                expect(layer, fit, f"settings that {x.dtype} has", least)
            finish = written(given)
            if layer in ("logsigmoid", "rrelu"):  # torch's keep no order of the axes
                given["input"] = given["input"].contiguous()
            return finish

        function = asked(prepare, run=lambda _: bend, inplace=inplace)(value)
        vars(function)["line"] = bend
        return function

    return decorate


def in_place(function: Values) -> Values:
    """The same function, always in place, under its name with ``_``."""
    *settings, _ = inspect.signature(function).parameters.values()

    def wrapper(*args: Any, **kwargs: Any) -> Tensor:
        return function(*args, **kwargs, inplace=True)

    wrapper.__module__ = function.__module__
    wrapper.__doc__ = f"`{function.__name__}`, written into the input."
    vars(wrapper)["__signature__"] = Signature(settings)
    return documented(wrapper, f"{function.__name__}_", "(...) -> (...)")


def normalizes(gradient: Function | None = None) -> Callable[[Function], Values]:
    """Decorates a function of ``b c n``, given its gradient by its output.

    It is then one of any axes, normalized along `dim`, and takes what torch's takes.
    """

    def decorate(function: Function) -> Values:
        letters = "b c n -> b c n", "b n"
        run = of_output(*letters, gradient)(function) if gradient else function

        def normalized(
            input: Shaped[Tensor, "..."],
            dim: int | None = None,
            _stacklevel: int = 3,
            dtype: torch.dtype | None = None,
        ) -> Shaped[Tensor, "..."]:
            del dim, dtype
            output: Tensor = run(input)
            return output

        signature = inspect.signature(normalized)
        vars(functools.update_wrapper(normalized, function))["__signature__"] = (
            signature
        )
        return asked(along_dim, "(..., c) -> (..., c)")(normalized)

    return decorate


def along_dim(layer: str, _n: int, given: Given) -> Function:
    """The input in the letters ``b c n``, where c is its axis `dim`, and back."""
    x, dim = given["input"], given["dim"]
    if dim is None:
        message = f"Implicit dimension choice for {layer} has been deprecated. "
        message += "Change the call to include dim=X as an argument."
        warnings.warn(message, stacklevel=given["_stacklevel"])
        dim = 0 if x.ndim in (0, 1, 3) else 1
    x = x if given["dtype"] is None else x.to(given["dtype"])
    taken(layer, x)
    axes = max(1, x.ndim)
    told = f"a dim from {-axes} to {axes - 1} and no index out of range"
    expect(layer, -axes <= dim < axes, told, dim, IndexError)
    before, after = x.shape[: dim % axes], x.shape[dim % axes + 1 :]
    rows = (math.prod(before), -1, math.prod(after)) if x.numel() else (0, 1, 1)
    given["input"] = x.contiguous().reshape(rows)  # torch's output has this order
    return lambda output: output.reshape(x.shape)


def even(layer: str, _n: int, given: Given) -> None:
    """An axis that has two halves."""
    x, dim = given["input"], given["dim"]
    taken(layer, x)
    fits = x.ndim > 0 and x.shape[dim] % 2 == 0
    expect(layer, fits, f"an even size in axis {dim}", x)


def halves(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Views of the first and of the second half of an axis."""
    first, second = x.chunk(2, dim)
    return first, second


def image(_layer: str, _n: int, given: Given) -> None:
    """An input with channels, height and width, and perhaps a batch."""
    shape, told = (
        tuple(given["input"].shape),
        "an input of shape (b, c, h, w) or (c, h, w)",
    )
    expect("Softmax2d", len(shape) in (3, 4), told, shape)


def channels(layer: str, _n: int, given: Given) -> Function:
    """The input in the letters ``b c n``, and a slope for each c."""
    autocast(given, "input", "weight")
    x, weight = given["input"], given["weight"]
    taken(layer, x)
    count = x.shape[1] if x.ndim > 1 else 1
    fits = weight.ndim <= 1 and (weight.numel() == 1 or weight.numel() == count)
    expect(layer, fits, f"a weight of 1 or {count} numbers", weight)
    told, got = f"a weight of {x.dtype}", weight.dtype
    expect(layer, x.dtype == got, told, got, TypeError)
    rows = (x.shape[0], count, -1) if x.ndim > 1 else (-1, 1, 1)
    given["input"] = x.reshape(rows if x.numel() else (0, count, 1))
    given["weight"] = weight.expand(count)
    return lambda output: output.reshape(x.shape)


def drawn(input: Tensor, lower: float, upper: float) -> Tensor:
    """1 above 0, and elsewhere drawn as torch does: in float64, row by row."""
    x = input.detach()
    low, high = (x.new_full((), bound).double() for bound in (lower, upper))
    count = 0 if x.is_meta else int((x <= 0).sum())
    numbers = x.new_empty(count, dtype=torch.float64).uniform_() * (high - low) + low
    slope = torch.ones_like(x, memory_format=torch.contiguous_format)
    slope[x <= 0] = numbers.to(x.dtype)
    return slope


class Activation(Computed):
    """A layer that is a function: ``class ELU(Activation, nn.ELU, by=elu)``."""

    _stacklevel = 5  # a warning names the line that called the layer

    def __init_subclass__(
        cls, *, by: Function | None = None, line: Line | None = None
    ) -> None:
        """Takes what the function runs as its line, where no other is given."""
        super().__init_subclass__(by=by, line=line or (by and vars(by)["line"]))
