"""The layers of `torch.nn` as recipes: rearrange, multiply, sum on named axes.

Classes stand here, under torch's names; functions stand in their families:
`from layerlib import Linear`, and `from layerlib.linear import linear`. What has no
arithmetic of its own is torch's, handed on: containers, parameters, losses, `init`,
`utils`. `functional` is torch's with layerlib's functions where it has them. So
`import layerlib as nn` takes the place of `import torch.nn as nn` in a program.
"""
# isort: skip_file
# ruff: noqa: F403, F405, PLE0605
# Ours take the place of what stars give, torch's above all; and families have lines of
# one name, such as MERGED, which are not handed on at all.
# mypy: disable-error-code="assignment,has-type"

import importlib
import inspect
import pkgutil
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from torch import nn as _torch
from torch.nn import *

from layerlib import recipe

__version__ = "0.1.0"

if TYPE_CHECKING:  # what is put here below, for who reads the types without running it
    from layerlib.activation import *
    from layerlib.attention import *
    from layerlib.conv import *
    from layerlib.conv_transpose import *
    from layerlib.distance import *
    from layerlib.dropout import *
    from layerlib.embedding import *
    from layerlib.linear import *
    from layerlib.nlinear import *
    from layerlib.norm import *
    from layerlib.pool import *
    from layerlib.recipe import *
    from layerlib.recurrent import *
    from layerlib.resample import *
    from layerlib.shapes import *
    from layerlib.transformer import *
    from layerlib.windows import *


def _public(namespace: dict[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in namespace.items() if not name.startswith("_")}


MODELS = {"decoder", "gpt2", "mixer", "vision", "window_attention"}
"""Files of whole models, which who needs them imports."""

_names = [
    module.name
    for module in pkgutil.iter_modules(__path__)
    if not module.ispkg and module.name not in MODELS
]
_families = {name: importlib.import_module(f"{__name__}.{name}") for name in _names}
_ours = {
    name: x
    for family in _families.values()
    for name, x in _public(vars(family)).items()
    if getattr(x, "__module__", "") == family.__name__
}
"""Every public class and function that a family defines itself."""

_theirs = _public(vars(_torch.functional))
functional = sys.modules["layerlib.functional"] = ModuleType("layerlib.functional")
vars(functional).update(_theirs | {n: _ours[n] for n in _theirs if n in _ours})
_classes = {
    name: x
    for name, x in _ours.items()
    if inspect.isclass(x) and (issubclass(x, Module) or x.__module__ == recipe.__name__)
}
globals().update(_families | _classes)
__all__ = sorted({*_public(vars(_torch)), *_classes})
