"""What a layer expects of its input, said in one form where it is not met."""

import functools
from typing import Any, TypeAlias

from torch import Tensor

Error = type[Exception]
Errors: TypeAlias = Error | tuple[Error, ...]


def expect(
    layer: str, holds: bool, expected: str, got: object, error: Errors = ValueError
) -> None:
    """Raises ``"LAYER: expected EXPECTED, got GOT"``, unless it holds.

    Of a tensor the message says the shape. What is raised is each `error`, and also a
    RuntimeError, which torch's kernels raise: who catches theirs catches ours.

    >>> expect("linear", 3 == 4, "3 features in the last axis", torch.ones(2, 4))
    Traceback (most recent call last):
    ValueError: linear: expected 3 features in the last axis, got shape (2, 4)
    """
    if not holds:
        found = f"shape {tuple(got.shape)}" if isinstance(got, Tensor) else got
        kind = _both(error if isinstance(error, tuple) else (error,))
        raise kind(f"{layer}: expected {expected}, got {found}")


def tensor(layer: str, name: str, x: Any) -> Tensor:
    """Raises a TypeError, unless it is a tensor; then this is the tensor."""
    kind = f"an object of type {type(x).__name__}"
    expect(layer, isinstance(x, Tensor), f"a tensor as {name}", kind, TypeError)
    given: Tensor = x
    return given


@functools.cache
def _both(errors: tuple[Error, ...]) -> Error:
    """One class that is each error and a RuntimeError, named as the first is."""
    first = errors[0]
    bases = errors if issubclass(first, RuntimeError) else (*errors, RuntimeError)
    # A copy in another process is of the first class, which that one knows.
    inside = {"__module__": first.__module__, "__reduce__": lambda e: (first, e.args)}
    return type(first.__name__, bases, inside)
