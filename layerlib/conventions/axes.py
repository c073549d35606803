"""What layers along one, two and three axes share, under torch's three names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from torch import Tensor

V = TypeVar("V")

if TYPE_CHECKING:  # a convention makes tuples of them, and no type can say so
    Sizes: TypeAlias = Any
else:
    Sizes = int | Sequence[int]
    """One number for all axes, or one for each."""


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
