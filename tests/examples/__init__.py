"""Examples of every public class and function, and the known mistakes in each family.

There is a file for each family; the tests go over the package, not over these files:
what is public and has no example fails them. In a file of a family, `CLASSES` and
`FUNCTIONS` hold the examples, and `MISTAKES` what `test_mutation` breaks on purpose.
"""

import copy
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import delu
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._pytree import tree_map_only

import layerlib

HERE = Path(__file__).parent


def randn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """The same random numbers in each test, and others for other shapes."""
    dice = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=dtype, generator=dice)


def whole(*shape: int) -> Tensor:
    """The same small whole numbers in each test, and others for other shapes."""
    dice = torch.Generator().manual_seed(sum(shape))
    return torch.randint(-4, 5, shape, generator=dice)


@dataclass
class Example:
    """How to build a layer (or further arguments of a function), and what goes in.

    Attributes:
        shapes: the inputs: a shape of which random numbers are drawn, or a tensor
            (whole numbers, truth values) that is taken as it is.
        args: of the constructor; of a function, those that follow the inputs.
        kwargs: the same, by name.
        forward: arguments by name of the call of a layer.
        training: whether the layer is left in training.
        dtype: of the drawn inputs.
    """

    shapes: list[tuple[int, ...] | Tensor]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    forward: dict[str, Any] = field(default_factory=dict)
    training: bool = True
    dtype: torch.dtype = torch.float32

    def inputs(self, *, gradient: bool = False) -> list[Tensor]:
        """Fresh inputs; those with a gradient ask for one."""
        dice = torch.Generator().manual_seed(0)
        made = [
            shape.clone()
            if isinstance(shape, Tensor)
            else torch.randn(shape, generator=dice, dtype=self.dtype)
            for shape in self.shapes
        ]
        differentiable = [x.is_floating_point() or x.is_complex() for x in made]
        return [
            x.requires_grad_(gradient and d)
            for x, d in zip(made, differentiable, strict=True)
        ]

    def build(self, cls: Any) -> nn.Module:
        """A layer built under a fixed seed, called once: a lazy one is then ready."""
        torch.manual_seed(0)
        args, kwargs = copy.deepcopy((self.args, self.kwargs))  # layers among them
        layer: nn.Module = cls(*args, **kwargs).train(self.training)
        layer(*self.inputs(), **self.forward)
        return layer

    def meta(self) -> "Example":
        """The same on the meta device."""
        moved = tree_map_only(Tensor, lambda x: x.to("meta"), vars(self))
        if "device" in self.kwargs:
            moved["kwargs"] = {**moved["kwargs"], "device": "meta"}
        return Example(**moved)


def families() -> list[ModuleType]:
    """Every module of layerlib that holds layers."""
    return [
        importlib.import_module(f"layerlib.{module.name}")
        for module in pkgutil.iter_modules(layerlib.__path__)
        if not module.ispkg and module.name not in {"recipe", *layerlib.MODELS}
    ]


def collected(table: str) -> dict[str, Any]:
    """One table out of the files of all families."""
    found: dict[str, Any] = {}
    names = [family.__name__.removeprefix("layerlib.") for family in families()]
    names += sorted(m for m in layerlib.MODELS if (HERE / f"{m}.py").exists())
    for name in names:
        rows = getattr(importlib.import_module(f"examples.{name}"), table, {})
        assert not set(rows) & set(found)
        found |= rows
    return found


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


def torch_function(name: str) -> Callable[..., Any] | None:
    """The function that ours takes the place of, if there is one."""
    found = getattr(functional, name, None) or getattr(torch, name, None)
    return found if callable(found) else None  # torch.windows is a module


CLASSES: dict[str, list[Example]] = collected("CLASSES")
FUNCTIONS: dict[str, list[Example]] = collected("FUNCTIONS")
