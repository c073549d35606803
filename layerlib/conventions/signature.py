"""A function asked as torch asks it: what came is checked and prepared first."""

import functools
import inspect
from collections.abc import Callable
from inspect import Parameter
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import torch
from jaxtyping import AbstractArray
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from layerlib.conventions.call import Call
from layerlib.conventions.expect import expect, tensor

F = TypeVar("F", bound=Callable[..., Any])
Convention = Callable[[Call], None]
"""Checks a call, in which what is annotated as a tensor is one, and changes it."""


def convention(
    prepare: Convention, *, autocast: bool = True, inplace: bool = False
) -> Callable[[F], F]:
    """Decorates a function, whose signature is torch's, with what torch does first.

    Without `autocast` it runs in the dtypes that `prepare` has chosen; with `inplace`
    the call has an argument of that name, and the function has not.

    >>> def doubled(call):
    ...     call.input *= 2
    >>> @convention(doubled)
    ... def plus(input, other=1):
    ...     return input + other
    >>> plus(3), plus(input=3, other=2)
    (7, 8)
    """
    how = {"autocast": autocast, "inplace": inplace}
    return lambda function: _asked(function, prepare, function.__name__, 0, **how)


def along(
    prepare: Convention, *, inplace: bool = False
) -> Callable[[F], tuple[F, F, F]]:
    """The same along one, two and three axes: ``conv`` gives conv1d, conv2d, conv3d."""

    def of(function: F, n: int) -> F:
        return _asked(function, prepare, f"{function.__name__}{n}d", n, inplace=inplace)

    return lambda function: (of(function, 1), of(function, 2), of(function, 3))


def _asked(
    function: F, prepare: Convention, name: str, n: int, *,
    autocast: bool = True, inplace: bool = False,
) -> F:  # fmt: skip
    signature = inspect.signature(function)
    own = signature.parameters
    if inplace:
        more = Parameter("inplace", Parameter.POSITIONAL_OR_KEYWORD, default=False)
        signature = signature.replace(parameters=[*own.values(), more])
    parameters = signature.parameters.items()
    names = [*signature.parameters]
    defaults = {key: p.default for key, p in parameters if p.default is not p.empty}
    tensors = [key for key, p in parameters if _is_tensor(p.annotation)]
    *_, owner, _ = ["", *function.__qualname__.split(".")]
    layer = name if owner in ("", "<locals>") else owner  # a method's is its class

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        everything = (*args, *kwargs.values())
        if has_torch_function(everything):  # a proxy that is traced, a subclass
            return handle_torch_function(wrapper, everything, *args, **kwargs)
        given = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
        known = len(given) == len(names) and len(args) <= len(names)
        if not known or any(key in kwargs for key in names[: len(args)]):
            signature.bind(*args, **kwargs)  # raises what is wrong
        for key in tensors:
            if given[key] is not None:
                tensor(layer, key, given[key])
        call = Call(layer, n, given)
        prepare(call)
        for key in tensors:
            _check_layout(layer, key, getattr(call, key))
        ready = {key: getattr(call, key) for key in own}
        if autocast:
            output = function(**ready)
        else:
            with torch.autocast("cpu", enabled=False):
                output = function(**ready)
        for step in call.after:
            output = step(output)
        return output

    wrapper.__name__ = wrapper.__qualname__ = name
    vars(wrapper)["__signature__"] = signature
    return wrapper  # type: ignore[return-value]


def _is_tensor(annotation: Any) -> bool:
    """Whether it says tensor, or tensor or None: no sequence of such, nothing else."""
    union = isinstance(annotation, UnionType) or get_origin(annotation) is Union
    kinds = {*(get_args(annotation) if union else [annotation])} - {type(None)}
    tensors = (Tensor, AbstractArray)
    return all(isinstance(kind, type) and issubclass(kind, tensors) for kind in kinds)


def _check_layout(layer: str, key: str, x: Tensor | None) -> None:
    if x is not None and not torch.compiler.is_compiling():  # there layouts are unknown
        dense = x.layout == torch.strided and not x.is_nested
        kind = "a nested one" if x.is_nested else f"one of layout {x.layout}"
        expect(layer, dense, f"{key} to be stored densely", kind, NotImplementedError)
