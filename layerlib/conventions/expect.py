"""What a layer expects of its input, said in one form where it is not met."""

from torch import Tensor


def expect(
    layer: str,
    holds: bool,
    expected: str,
    got: object,
    error: type[Exception] = ValueError,
) -> None:
    """Raises ``"LAYER: expected EXPECTED, got GOT"``, unless it holds.

    Args:
        layer: the name of the layer, first in the message.
        holds: whether it is as expected.
        expected: what was expected.
        got: what came. Of a tensor the message says the shape.
        error: what is raised.

    Raises:
        ValueError: it does not hold; or `error`, where one is given.

    >>> expect("linear", 3 == 4, "3 features in the last axis", torch.ones(2, 4))
    Traceback (most recent call last):
    ValueError: linear: expected 3 features in the last axis, got shape (2, 4)
    """
    if not holds:
        found = f"shape {tuple(got.shape)}" if isinstance(got, Tensor) else got
        raise error(f"{layer}: expected {expected}, got {found}")
