"""Each layer is what its definition in one to nine lines of the book's pieces says."""

import ast
import copy
import importlib
import importlib.util
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from examples import CLASSES, Example, classes
from layerlib.lab import same

MOST = 9


def of_all_families(table: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for family in sorted({c.__module__.split(".")[-1] for c in classes().values()}):
        if importlib.util.find_spec(f"short_forms.{family}"):
            module = importlib.import_module(f"short_forms.{family}")
            found |= getattr(module, table)
    return found


SHORT: dict[str, Callable[..., Any]] = of_all_families("SHORT")
LEFT: dict[str, set[int]] = of_all_families("LEFT")


@pytest.mark.parametrize("name", classes())
def test_every_class_has_a_short_form(name: str) -> None:
    assert name in SHORT
    shown = set(range(len(CLASSES[name]))) - LEFT.get(name, set())
    assert shown, "no example is left"


def test_short_forms_are_of_what_there_is() -> None:
    assert set(SHORT) <= set(classes())
    assert {
        n for n, left in LEFT.items() for k in left if k >= len(CLASSES[n])
    } == set()
    assert set(LEFT) <= set(SHORT)


@pytest.mark.parametrize("name", SHORT)
def test_it_is_short_and_of_the_books_own_pieces(name: str) -> None:
    source = inspect.getsource(SHORT[name])
    lines = [line for line in source.splitlines() if line.strip()]
    assert len(lines) - 1 <= MOST
    module = inspect.getmodule(SHORT[name])
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom):
            assert not str(node.module).startswith("torch.nn")
            assert "nn" not in {alias.name for alias in node.names}
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) != "torch.nn"


@pytest.mark.parametrize(
    ("name", "example"),
    [
        pytest.param(name, example, id=f"{name}-{n}")
        for name in SHORT
        for n, example in enumerate(CLASSES[name])
        if n not in LEFT.get(name, set())
    ],
)
def test_short_form_is_the_layer(name: str, example: Example) -> None:
    layer = example.build(classes()[name]).double()
    parameters = dict(layer.named_parameters())
    inputs = [x.double() if x.is_floating_point() else x for x in example.inputs()]

    def called(form: Callable[..., Any]) -> Callable[..., Any]:
        module = Form(form, copy.deepcopy(layer), example.forward)

        def on_all(*given: Tensor) -> Any:  # what it computes with is an input, too
            values = given[len(inputs) :]
            names = (f"layer.{name}" for name in parameters)
            state = dict(zip(names, values, strict=True))
            return torch.func.functional_call(module, state, given[: len(inputs)])

        return on_all

    itself = called(lambda layer, *x, **given: layer(*x, **given))
    same(called(SHORT[name]), itself, *inputs, *parameters.values())


class Form(nn.Module):
    """A function of a layer and of copies of its inputs, which it may write over."""

    def __init__(
        self, form: Callable[..., Any], layer: nn.Module, given: dict[str, Any]
    ) -> None:
        super().__init__()
        self.form, self.layer, self.given = form, layer, given

    def forward(self, *inputs: Tensor) -> Any:
        return self.form(self.layer, *(x.clone() for x in inputs), **self.given)
