"""What layers along one, two and three axes take, under torch's three names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # a convention makes tuples of them, and no type can say so
    Sizes: TypeAlias = Any
else:
    Sizes = int | Sequence[int]
    """One number for all axes, or one for each."""
