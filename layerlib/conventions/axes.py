"""What layers along one, two and three axes take, under torch's three names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from layerlib.conventions.expect import expect

if TYPE_CHECKING:  # a convention makes tuples of them, and no type can say so
    Sizes: TypeAlias = Any
else:
    Sizes = int | Sequence[int]
    """One number for all axes, or one for each."""


def numbers(layer: str, argument: str, value: Any, n: int) -> tuple[Any, ...]:
    """`value` for each of `n` axes: one number stands for all of them."""
    given = tuple(value) if isinstance(value, Sequence) else (value,)
    told = f"{argument} to be a number or {n} numbers"
    expect(layer, len(given) in (1, n), told, value)
    return given * n if len(given) == 1 else given
