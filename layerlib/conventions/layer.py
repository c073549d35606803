"""A class whose arithmetic is one function, given the class's own attributes."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from layerlib.recipe import Bend, Line

AXES = {"1d": ("w", "x"), "2d": ("h, w", "y, x"), "3d": ("d, h, w", "z, y, x")}


class Computed(nn.Module):
    """A layer that is `by`: ``class ELU(Computed, nn.ELU, by=elu)``.

    The forward pass calls the function with the input and, for each further argument
    that the layer has an attribute for, the attribute: torch names both alike. Without
    a docstring the class tells the shapes of its function.
    """

    by: ClassVar[Callable[..., Any]]
    settings: ClassVar[tuple[str, ...]]
    line: ClassVar[Any]
    _stacklevel = 5  # a warning names the line that called the layer

    def __init_subclass__(
        cls, *, by: Callable[..., Any] | None = None, line: Line | Bend | None = None
    ) -> None:
        """Keeps the function, the names of its further arguments, and the line."""
        super().__init_subclass__()
        line = line or vars(by or cls).get("line")
        if line is not None:
            cls.line = line
        if by is not None:
            cls.by, name = staticmethod(by), by.__name__
            cls.settings = tuple(inspect.signature(by).parameters)[1:]
            shapes = (by.__doc__ or "````").split("``")[1]
            if "*m" in shapes and name[-2:] in AXES:
                n, m = AXES[name[-2:]]
                shapes = shapes.replace("*n", n).replace("*m", m)
            told = f"``{shapes}``: `torch.nn.{cls.__name__}`, computed by `{name}`."
            cls.__doc__ = vars(cls).get("__doc__") or told

    def forward(self, input: Tensor) -> Any:
        """The function of the input, with the settings of this layer."""
        found = {name: getattr(self, name, self) for name in self.settings}
        return self.by(input, **{n: x for n, x in found.items() if x is not self})
