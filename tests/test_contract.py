"""What every public class and function keeps, by going over the package."""

import copy
import inspect
import io
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import layerlib
from examples import CLASSES, FUNCTIONS, Example, classes, functions, torch_class
from layerlib.oracle import same
from layerlib.recipe import Line

ROOT = Path(__file__).parent.parent
EACH_CLASS = [pytest.param(name, id=name) for name in classes()]
EACH_FUNCTION = [pytest.param(name, id=name) for name in functions()]
EACH_EXAMPLE = [
    pytest.param(name, example, id=f"{name}{n}")
    for name in classes()
    for n, example in enumerate(CLASSES.get(name, []))
]


def build(cls: Any, example: Example) -> tuple[nn.Module, torch.Tensor]:
    """A layer built under a fixed seed, called once, and the generator's state."""
    torch.manual_seed(0)
    layer = cls(*example.args, **example.kwargs)
    layer(*example.inputs())  # a lazy layer draws its parameters here
    return layer, torch.get_rng_state()


def both(name: str, example: Example) -> tuple[nn.Module, nn.Module]:
    """Our layer, and the one whose place it takes."""
    (ours, _), (theirs, _) = (
        build(cls, example) for cls in (classes()[name], torch_class(name))
    )
    return ours, theirs


def test_examples_are_of_what_there_is() -> None:
    assert set(CLASSES) == set(classes())
    assert set(FUNCTIONS) == set(functions())
    assert all([*CLASSES.values(), *FUNCTIONS.values()])


def test_top_level_holds_every_class_and_nothing_but_classes() -> None:
    exported = {name: getattr(layerlib, name) for name in layerlib.__all__}
    assert all(inspect.isclass(value) for value in exported.values())
    layers = {n: c for n, c in exported.items() if issubclass(c, nn.Module)}
    assert layers == classes()


@pytest.mark.parametrize("name", EACH_CLASS)
def test_signature_is_torchs(name: str) -> None:
    ours, theirs = classes()[name], torch_class(name)
    assert _parameters(ours.__init__) == _parameters(theirs.__init__)
    assert _parameters(ours.forward) == _parameters(theirs.forward)
    if issubclass(ours, theirs):  # torch's own checks are then in force too
        assert ours.__init__ is theirs.__init__


def _parameters(function: Any) -> list[tuple[str, Any, Any]]:
    given = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in given]


@pytest.mark.parametrize("name", EACH_FUNCTION)
def test_function_takes_what_torchs_takes(name: str) -> None:
    theirs = getattr(functional, name, None) or getattr(torch, name, None)
    if theirs is None:
        assert not hasattr(nn, name), "a function without a counterpart in torch"
        return
    # torch's builtin functions have their signature in their docstring only.
    (told,) = re.findall(rf"^\s*{name}\((.*?)\) -> ", theirs.__doc__, re.MULTILINE)
    ours = [
        n if default is inspect.Parameter.empty else f"{n}={default}"
        for n, _, default in _parameters(functions()[name])
    ]
    assert ", ".join(ours) == told


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_state_and_initial_values_are_torchs(name: str, example: Example) -> None:
    ours, ours_dice = build(classes()[name], example)
    theirs, dice = build(torch_class(name), example)
    mine, right = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(right)
    for key, value in right.items():
        assert torch.equal(mine[key], value), key
    assert torch.equal(ours_dice, dice)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_new_initial_values_are_torchs(name: str, example: Example) -> None:
    ours, theirs = both(name, example)
    if not hasattr(theirs, "reset_parameters"):
        assert not list(theirs.parameters())
        return
    assert type(ours).reset_parameters.__module__.startswith("layerlib.")
    for layer in (ours, theirs):
        torch.manual_seed(1)
        layer.reset_parameters()
    for mine, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, right)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_same_as_torch(name: str, example: Example) -> None:
    ours, theirs = both(name, example)
    same(ours, theirs, *example.inputs())


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_states_load_both_ways(name: str, example: Example) -> None:
    ours, theirs = both(name, example)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter)
    ours.load_state_dict(theirs.state_dict())
    same(ours, theirs, *example.inputs())
    for parameter in ours.parameters():
        nn.init.normal_(parameter)
    theirs.load_state_dict(ours.state_dict())
    same(ours, theirs, *example.inputs())


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_copies_and_files_keep_the_layer(name: str, example: Example) -> None:
    layer, _ = build(classes()[name], example)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for other in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        assert type(other) is type(layer)
        same(other, layer, *example.inputs())


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_repr_is_torchs(name: str, example: Example) -> None:
    ours, theirs = both(name, example)
    if isinstance(ours, type(theirs)):
        assert repr(ours) == repr(theirs)
    else:
        assert repr(ours).startswith(f"{type(ours).__name__}(")


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_compiles_in_one_graph(name: str, example: Example) -> None:
    torch.compiler.reset()
    layer, _ = build(classes()[name], example)
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*example.inputs()), layer(*example.inputs()))


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_function_transforms(name: str, example: Example) -> None:
    layer, _ = build(classes()[name], example)
    parameters = dict(layer.named_parameters())
    inputs = example.inputs()
    expected = layer(*inputs)
    called = torch.func.functional_call(layer, parameters, tuple(inputs))
    torch.testing.assert_close(called, expected)
    stacked = [torch.stack([x, 2 * x]) for x in inputs]
    many = torch.func.vmap(layer)(*stacked)
    torch.testing.assert_close(many[0], expected)
    two = {key: torch.stack([p, 2 * p]) for key, p in parameters.items()}
    if two:
        ensemble = torch.func.vmap(
            lambda p: torch.func.functional_call(layer, p, tuple(inputs))
        )(two)
        torch.testing.assert_close(ensemble[0], expected)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_meta_device(name: str, example: Example) -> None:
    with torch.device("meta"):
        layer = classes()[name](*example.args, **example.kwargs)
    inputs = example.inputs()
    output = layer(*(x.to("meta") for x in inputs))
    assert output.device.type == "meta"
    assert output.shape == build(classes()[name], example)[0](*inputs).shape


@pytest.mark.parametrize("name", EACH_CLASS)
def test_arithmetic_is_in_layerlib(name: str) -> None:
    assert "forward" in vars(classes()[name])


@pytest.mark.parametrize("name", [*EACH_CLASS, *EACH_FUNCTION])
def test_docstring_opens_with_the_shapes(name: str) -> None:
    thing = {**classes(), **functions()}[name]
    first = inspect.getdoc(thing).split("\n", maxsplit=1)[0]
    assert re.match(r"``\(.*\)(, .*)? -> \(.*\)``: \S", first), first


@pytest.mark.parametrize("name", EACH_FUNCTION)
def test_docstring_gives_source_and_errors(name: str) -> None:
    told = inspect.getdoc(functions()[name])
    assert "Raises:" in told
    assert "Source: " in told


@pytest.mark.parametrize("name", EACH_CLASS)
def test_line_is_an_object_and_says_what_the_layer_does(name: str) -> None:
    cls = classes()[name]
    assert isinstance(cls.line, Line)
    assert cls.line in vars(inspect.getmodule(cls)).values()


@pytest.mark.parametrize("name", [*EACH_CLASS, *EACH_FUNCTION])
def test_has_its_place_in_a_chapter(name: str) -> None:
    family = {**classes(), **functions()}[name].__module__.removeprefix("layerlib.")
    text = (ROOT / "chapters" / f"{family}.ipynb").read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", text)
