"""Examples of every public class and function, and numbers for the tests of families.

The tests go over the package, not over this table: what is public and has no example
here fails them.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import delu
import torch
from torch import Tensor, nn

import layerlib

TOOLS = {"exercises", "figures", "oracle", "recipe", "show"}
"""The modules that are no family of layers."""


def randn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """The same random numbers in each test, and others for other shapes."""
    dice = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=dtype, generator=dice)


@dataclass
class Example:
    """How to build a layer (or further arguments of a function), and what goes in."""

    shapes: list[tuple[int, ...]]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def inputs(self, *, gradient: bool = False) -> list[Tensor]:
        dice = torch.Generator().manual_seed(0)
        made = [torch.randn(shape, generator=dice) for shape in self.shapes]
        return [x.requires_grad_() for x in made] if gradient else made


CLASSES = {
    "Bilinear": [
        Example([(4, 3), (4, 2)], (3, 2, 5)),
        Example([(3,), (2,)], (3, 2, 5), {"bias": False}),
    ],
    "ChannelShuffle": [Example([(2, 6, 3)], (3,))],
    "Flatten": [Example([(2, 3, 4)]), Example([(2, 3, 4)], (0, 1))],
    "Identity": [Example([(2, 3)]), Example([(2, 3)], (1,), {"spare": 2})],
    "LazyLinear": [Example([(2, 3)], (4,)), Example([(2, 3)], (4,), {"bias": False})],
    "Linear": [
        Example([(2, 3)], (3, 4)),
        Example([(3,)], (3, 4)),
        Example([(2, 5, 3)], (3, 4), {"bias": False}),
    ],
    "NLinear": [
        Example([(2, 4, 3)], (4, 3, 5)),
        Example([(2, 3, 3)], ((2, 3), 3, 5)),
        Example([(2, 4, 3)], (4, 3, 5), {"bias": False}),
    ],
    "PixelShuffle": [Example([(2, 12, 2, 3)], (2,))],
    "PixelUnshuffle": [Example([(2, 3, 4, 6)], (2,))],
    "Unflatten": [Example([(2, 12)], (1, (3, 4)))],
}

FUNCTIONS = {
    "bilinear": [Example([(4, 3), (4, 2), (5, 3, 2), (5,)])],
    "channel_shuffle": [Example([(2, 6, 3)], (3,))],
    "flatten": [Example([(2, 3, 4)]), Example([(2, 3, 4)], (1, -1))],
    "linear": [
        Example([(2, 3), (4, 3), (4,)]),
        Example([(2, 5, 3), (4, 3)]),
        Example([(2, 3), (3,), ()]),
    ],
    "nlinear": [Example([(2, 4, 3), (4, 3, 5), (4, 5)]), Example([(4, 3), (4, 3, 5)])],
    "pixel_shuffle": [Example([(2, 12, 2, 3)], (2,))],
    "pixel_unshuffle": [Example([(2, 3, 4, 6)], (2,))],
    "unflatten": [Example([(2, 12)], (1, (3, -1)))],
}


def families() -> list[ModuleType]:
    """Every module of layerlib that holds layers."""
    names = [module.name for module in pkgutil.iter_modules(layerlib.__path__)]
    return [
        importlib.import_module(f"layerlib.{name}")
        for name in names
        if name not in TOOLS
    ]


def public(kind: Callable[[object], bool]) -> Iterator[tuple[str, Any]]:
    """The public names that a family defines itself."""
    for family in families():
        for name, value in vars(family).items():
            here = getattr(value, "__module__", None) == family.__name__
            if here and kind(value) and not name.startswith("_"):
                yield name, value


def classes() -> dict[str, type[nn.Module]]:
    return dict(public(lambda x: inspect.isclass(x) and issubclass(x, nn.Module)))


def functions() -> dict[str, Callable[..., Any]]:
    return dict(public(inspect.isfunction))


def torch_class(name: str) -> type[nn.Module]:
    """The class that ours takes the place of: torch's, or that of a peer."""
    return getattr(nn, name, None) or getattr(delu.nn, name)
