"""A class whose arithmetic is one function, given the class's own attributes."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn


class Computed(nn.Module):
    """A layer that is `by`: ``class ELU(Computed, nn.ELU, by=elu)``.

    The forward pass calls the function with the input and, for each further argument
    that the layer has an attribute for, the attribute: ``elu(input, alpha=self.alpha,
    inplace=self.inplace)``. torch names its attributes as its functions name their
    arguments.
    """

    by: ClassVar[Callable[..., Any]]
    settings: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, *, by: Callable[..., Any] | None = None) -> None:
        """Keeps the function, and the names of its arguments after the input."""
        super().__init_subclass__()
        if by is not None:
            cls.by = staticmethod(by)
            cls.settings = tuple(inspect.signature(by).parameters)[1:]

    def forward(self, input: Tensor) -> Any:
        """The function of the input, with the settings of this layer."""
        found = {name: getattr(self, name, self) for name in self.settings}
        return self.by(input, **{n: x for n, x in found.items() if x is not self})
