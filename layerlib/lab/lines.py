"""The lines and bends that a call really ran."""

from collections.abc import Callable
from typing import Any

from layerlib import recipe
from layerlib.recipe import Bend, Line


class Lines(tuple[Line | Bend, ...]):
    """Some lines and bends in their order, as text or, in a notebook, in colour."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        return "<br>".join(step._repr_html_() for step in self)


def lines(layer: Callable[..., Any], *inputs: Any, **further: Any) -> Lines:
    """The lines and bends that a call of the layer really runs, in their order.

    Args:
        layer: a module or function of layerlib.
        *inputs: what it is called with.
        **further: arguments by name of the same call.

    >>> from layerlib import Linear
    >>> lines(Linear(3, 2), torch.ones(4, 3))[0]
    Recipe("... i, o i -> ... o")
    """
    before, recipe.RAN = recipe.RAN, []
    try:
        layer(*inputs, **further)
        return Lines(recipe.RAN)
    finally:
        recipe.RAN = before
