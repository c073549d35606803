"""The public names of layerlib, its lab and the classroom: what the book is about."""

import importlib
import inspect
import typing
from collections.abc import Iterator
from functools import cache
from inspect import Parameter, Signature
from types import ModuleType
from typing import Any

from torch import nn

import classroom
import layerlib
from layerlib import lab
from layerlib.recipe import Bend, Line

MODULES: dict[str, ModuleType] = {
    **layerlib._families,  # noqa: SLF001
    **{n: importlib.import_module(f"layerlib.{n}") for n in sorted(layerlib.MODELS)},
    "lab": lab,
    "classroom": classroom,
}
"""What has a page of its own: each family, each file of models, lab, classroom."""

TAUGHT = {"decoder": "gpt2"}
"""Which family's pages tell of a family that has none of its own."""

_ARGS, _KWARGS = Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD

FAMILIES = [name for name in MODULES if name not in {"lab", "classroom"}]


@cache
def names(family: str) -> list[str]:
    """The public classes and functions of a family, in the order of its file.

    >>> names("linear")
    ['linear', 'bilinear', 'Linear', 'LazyLinear', 'Bilinear']
    """
    module = MODULES[family]
    if hasattr(module, "__all__"):
        return [n for n in module.__all__ if callable(getattr(module, n))]
    found = [
        name
        for name, x in vars(module).items()
        if not name.startswith("_")
        and getattr(x, "__module__", "") == module.__name__
        and (inspect.isclass(x) or inspect.isfunction(x))
    ]
    return sorted(found, key=lambda name: _line(getattr(module, name)))


def _line(x: Any) -> int:
    """Where something stands in its file."""
    code = getattr(inspect.unwrap(x), "__code__", None) if callable(x) else None
    return code.co_firstlineno if code else inspect.findsource(x)[1]


def lines(family: str) -> dict[str, Line | Bend]:
    """The lines and bends that a family names, in the order of its file."""
    found = vars(MODULES[family]).items()
    return {n: x for n, x in found if isinstance(x, Line | Bend) and n.isupper()}


@cache
def homes() -> dict[str, str]:
    """The family of each public name; of those that several share, the first one.

    >>> homes()["Conv2d"], homes()["check"]
    ('conv', 'classroom')
    """
    families = reversed(MODULES)
    return {name: family for family in families for name in names(family)}


def home(name: str, here: str) -> str | None:
    """The family of a name, as it is meant on the page of another one.

    Models share names, such as `Block`: one means its own, or the one that it imports.
    On other pages a name of a model is a word.

    >>> home("Block", "mixer"), home("Block", "gpt2"), home("Block", "conv")
    ('mixer', 'decoder', None)
    """
    meant = getattr(MODULES.get(here), name, None)
    family = getattr(meant, "__module__", "").rpartition(".")[2]
    if family in MODULES and name in names(family):
        return family
    family = homes().get(name)
    of_model = family in layerlib.MODELS and here not in layerlib.MODELS
    return None if of_model else family


def signature(x: Any) -> Signature:
    """The arguments that one gives, with their defaults and without their types.

    torch writes some constructors as overloads; then those of the first one count.

    >>> str(signature(layerlib.LSTM))[:40]
    '(input_size, hidden_size, num_layers=1, '
    """
    found = inspect.signature(x)
    own = inspect.isclass(x) and inspect.isfunction(x.__init__)
    if own and (overloads := typing.get_overloads(x.__init__)):
        found = inspect.signature(overloads[0])
        found = found.replace(parameters=[*found.parameters.values()][1:])
    if inspect.isclass(x) and x.__init__ is nn.Module.__init__:
        return Signature()  # it says that it takes anything, and refuses all
    plain = [
        p.replace(annotation=Parameter.empty, default=_Named.of(p.default))
        for p in found.parameters.values()
    ]
    return Signature(plain)


class _Named:
    """A module as a default, which says its name and not where it lies."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    @classmethod
    def of(cls, default: Any) -> Any:
        return cls(default.__name__) if isinstance(default, ModuleType) else default


def arguments() -> Iterator[tuple[str, str, str]]:
    """Each argument of each class and function: argument, name, family."""
    for family in FAMILIES:
        for name in names(family):
            for parameter in signature(
                getattr(MODULES[family], name)
            ).parameters.values():
                if parameter.kind not in {_ARGS, _KWARGS}:
                    yield parameter.name, name, family
