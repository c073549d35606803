"""What layers along one, two and three axes share, under torch's three names."""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")


def along(
    function: Callable[Concatenate[int, P], T],
) -> tuple[Callable[P, T], Callable[P, T], Callable[P, T]]:
    """`function` along one, two and three axes, under torch's names.

    The first argument of ``_conv(n, ...)`` is the number of axes; ``conv1d``,
    ``conv2d`` and ``conv3d`` give it.
    """

    def fixed(n: int) -> Callable[P, T]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            return function(n, *args, **kwargs)

        _, *parameters = inspect.signature(function).parameters.values()
        signature = inspect.signature(function).replace(parameters=parameters)
        wrapper.__signature__ = signature  # type: ignore[attr-defined]
        wrapper.__name__ = f"{function.__name__.lstrip('_')}{n}d"
        wrapper.__qualname__ = wrapper.__name__
        return wrapper

    return fixed(1), fixed(2), fixed(3)


def numbers(layer: str, argument: str, value: V | Sequence[V], n: int) -> tuple[V, ...]:
    """`value` for each of `n` axes: one number stands for all of them.

    Raises:
        ValueError: there are neither one nor `n` numbers.
    """
    given = tuple(value) if isinstance(value, Sequence) else (value,)
    if len(given) not in (1, n):
        raise ValueError(
            f"{layer}: expected {argument} to be a number or {n} numbers, got {value}"
        )
    return given * n if len(given) == 1 else given


def batched(layer: str, input: Tensor, n: int) -> tuple[Tensor, bool]:
    """``(b, c, *n)`` or ``(c, *n)`` -> ``(b, c, *n)``, and whether it came with b.

    Raises:
        ValueError: the input has neither `n` + 1 nor `n` + 2 axes.
    """
    if input.ndim not in (n + 1, n + 2):
        axes = ["depth", "height", "width"][-n:] if n > 1 else ["length"]
        raise ValueError(
            f"{layer}: expected an input of shape (batch, channels, "
            f"{', '.join(axes)}), or without the batch, got {tuple(input.shape)}"
        )
    return (input, True) if input.ndim == n + 2 else (input[None], False)


def places(
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    count: Sequence[int],
) -> Iterator[tuple[Any, ...]]:
    """For each place in the kernel, in order: the cells that all windows see there."""
    for at in itertools.product(*map(range, kernel_size)):
        yield tuple(
            slice(a * d, a * d + (m - 1) * s + 1 if m else 0, s)
            for a, d, s, m in zip(at, dilation, stride, count, strict=True)
        )


def counts(
    length: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> tuple[int, ...]:
    """How many windows fit, along each axis: one, and one more for each stride left.

    >>> counts([7], [3], stride=[2], dilation=[1])
    (3,)
    """
    each = zip(length, kernel_size, stride, dilation, strict=True)
    return tuple([max(0, n - d * (k - 1) + s - 1) // s for n, k, s, d in each])
