"""A class whose arithmetic is one function, given the class's own attributes."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from layerlib.recipe import Bend, Line


class Computed(nn.Module):
    """A layer that is `by`: ``class ELU(Computed, nn.ELU, by=elu)``.

    The forward pass calls the function with the input and, for each further argument
    that the layer has an attribute for, the attribute: ``elu(input, alpha=self.alpha,
    inplace=self.inplace)``. torch names its attributes as its functions name their
    arguments.
    """

    by: ClassVar[Callable[..., Any]]
    settings: ClassVar[tuple[str, ...]]
    line: ClassVar[Any]

    def __init_subclass__(
        cls, *, by: Callable[..., Any] | None = None, line: Line | Bend | None = None
    ) -> None:
        """Keeps the function, the names of its arguments after the input, and the line.

        Without a docstring the class tells the shapes of its function.
        """
        super().__init_subclass__()
        if line is not None:
            cls.line = line
        if by is not None:
            cls.by = staticmethod(by)
            cls.settings = tuple(inspect.signature(by).parameters)[1:]
            shapes = (by.__doc__ or "````").split("``")[1]
            told = f"``{shapes}``: `torch.nn.{cls.__name__}`, computed by `{{}}`."
            cls.__doc__ = vars(cls).get("__doc__") or told.format(by.__name__)

    def forward(self, input: Tensor) -> Any:
        """The function of the input, with the settings of this layer."""
        found = {name: getattr(self, name, self) for name in self.settings}
        return self.by(input, **{n: x for n, x in found.items() if x is not self})
