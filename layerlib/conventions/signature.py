"""A function asked as torch asks it: what came is checked and prepared first."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeAlias, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Given: TypeAlias = dict[str, Any]
Convention: TypeAlias = Callable[[str, int, Given], Callable[[Any], Any] | None]
"""``(layer, n, given)`` -> what is done to the output, if anything.

It checks the arguments of a call, which are `given` by name, defaults included, and
replaces those that the function is to get in another form: a number becomes a tuple for
`n` axes, 16 bits become 32, an absent batch a batch of one. `layer` is the name that
errors begin with.
"""


def convention(prepare: Convention) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorates a function, whose signature is torch's, with what torch does first.

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
        return _asked(function, prepare, function.__name__, 0)

    return decorate


def along(
    prepare: Convention,
) -> Callable[[Callable[P, T]], tuple[Callable[P, T], Callable[P, T], Callable[P, T]]]:
    """The same along one, two and three axes: ``conv`` gives conv1d, conv2d, conv3d."""

    def decorate(
        function: Callable[P, T],
    ) -> tuple[Callable[P, T], Callable[P, T], Callable[P, T]]:
        one, two, three = (
            _asked(function, prepare, f"{function.__name__}{n}d", n) for n in (1, 2, 3)
        )
        return one, two, three

    return decorate


def _asked(
    function: Callable[P, T], prepare: Convention, name: str, n: int
) -> Callable[P, T]:
    signature = inspect.signature(function)
    names = [*signature.parameters]
    defaults = {
        key: p.default
        for key, p in signature.parameters.items()
        if p.default is not p.empty
    }

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        given = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
        known = len(given) == len(names) and len(args) <= len(names)
        if not known or any(key in kwargs for key in names[: len(args)]):
            signature.bind(*args, **kwargs)  # raises what is wrong
        finish = prepare(name, n, given)
        output = function(**given)  # type: ignore[call-arg]
        return output if finish is None else finish(output)

    wrapper.__name__ = wrapper.__qualname__ = name
    return wrapper
