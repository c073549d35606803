"""A function asked as torch asks it: what came is checked and prepared first."""

import functools
import inspect
from collections.abc import Callable
from types import UnionType
from typing import Any, ParamSpec, TypeAlias, TypeVar, Union, get_args, get_origin

import torch
from jaxtyping import AbstractArray
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from layerlib.conventions.expect import expect, tensor

P = ParamSpec("P")
T = TypeVar("T")

Given: TypeAlias = dict[str, Any]
Convention: TypeAlias = Callable[[str, int, Given], Callable[[Any], Any] | None]
"""``(layer, n, given)`` -> what is done to the output, if anything.

It checks the arguments of a call, which are `given` by name, defaults included, and
replaces those that the function is to get in another form: a number becomes a tuple for
`n` axes, 16 bits become 32, an absent batch a batch of one. `layer` is the name that
errors begin with. What is annotated as a tensor is one, and stored densely.
"""


def convention(
    prepare: Convention, *, autocast: bool = True
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorates a function, whose signature is torch's, with what torch does first.

    Without `autocast` the function runs in the dtypes that `prepare` has chosen.

    >>> def doubled(layer, n, given):
    ...     given["input"] *= 2
    >>> @convention(doubled)
    ... def plus(input, other=1):
    ...     return input + other
    >>> plus(3), plus(input=3, other=2)
    (7, 8)

    Raises:
        TypeError: an argument is missing, unknown, or given twice; as in any call.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        return _asked(function, prepare, function.__name__, 0, autocast=autocast)

    return decorate


def along(
    prepare: Convention,
) -> Callable[[Callable[P, T]], tuple[Callable[P, T], Callable[P, T], Callable[P, T]]]:
    """The same along one, two and three axes: ``conv`` gives conv1d, conv2d, conv3d."""

    def decorate(
        function: Callable[P, T],
    ) -> tuple[Callable[P, T], Callable[P, T], Callable[P, T]]:
        one, two, three = (
            _asked(function, prepare, f"{function.__name__}{n}d", n, autocast=True)
            for n in (1, 2, 3)
        )
        return one, two, three

    return decorate


def _asked(
    function: Callable[P, T], prepare: Convention, name: str, n: int, *, autocast: bool
) -> Callable[P, T]:
    signature = inspect.signature(function)
    parameters = signature.parameters.items()
    names = [*signature.parameters]
    defaults = {key: p.default for key, p in parameters if p.default is not p.empty}
    tensors = [key for key, p in parameters if _is_tensor(p.annotation)]
    *_, owner, _ = ["", *function.__qualname__.split(".")]
    layer = name if owner in ("", "<locals>") else owner  # a method's is its class

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        everything = (*args, *kwargs.values())
        if has_torch_function(everything):  # a proxy that is traced, a subclass
            result: T = handle_torch_function(wrapper, everything, *args, **kwargs)
            return result
        given = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
        known = len(given) == len(names) and len(args) <= len(names)
        if not known or any(key in kwargs for key in names[: len(args)]):
            signature.bind(*args, **kwargs)  # raises what is wrong
        for key in tensors:
            if given[key] is not None:
                tensor(layer, key, given[key])
        finish = prepare(layer, n, given)
        for key in tensors:
            _check_layout(layer, key, given[key])
        if autocast:
            output = function(**given)  # type: ignore[call-arg]
        else:
            with torch.autocast("cpu", enabled=False):
                output = function(**given)  # type: ignore[call-arg]
        return output if finish is None else finish(output)

    wrapper.__name__ = wrapper.__qualname__ = name
    return wrapper


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
