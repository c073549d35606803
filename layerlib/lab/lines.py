"""The lines and bends that a call really ran."""

from collections.abc import Callable, Mapping
from html import escape
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


class Beside(dict[str, tuple[Line, str]]):
    """Layers side by side: the name of each, its line, and a sentence on it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(
            f"{name}: {line}  {told}" for name, (line, told) in self.items()
        )

    def _repr_html_(self) -> str:
        columns = "".join(
            f"<div><strong>{escape(name)}</strong><p>{line._repr_html_()}</p>"
            f"<p>{escape(told)}</p></div>"
            for name, (line, told) in self.items()
        )
        return f'<div class="beside">{columns}</div>'


def beside(layers: Mapping[str, tuple[Line, str]]) -> Beside:
    """Some layers side by side, to see by which letters they differ.

    Args:
        layers: for each name of a layer its line and a sentence on it.

    >>> from layerlib.linear import LINEAR
    >>> beside({"Linear": (LINEAR, "one weight for all")})
    Linear: ... i, o i -> ... o  one weight for all
    """
    return Beside(layers)
