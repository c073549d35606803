"""What every public class and function keeps, by going over the package."""

import copy
import functools
import inspect
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import einops
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._pytree import tree_leaves

from examples import (
    CLASSES,
    FUNCTIONS,
    Example,
    classes,
    functions,
    torch_class,
    torch_function,
)
from layerlib import recipe
from layerlib.engine import windows
from layerlib.lab import same
from layerlib.recipe import Bend, Line
from test_readability import told_in_chapter

ROOT = Path(__file__).parent.parent
EACH_CLASS = [pytest.param(name, id=name) for name in classes()]
EACH_FUNCTION = [pytest.param(name, id=name) for name in functions()]
EACH_EXAMPLE = [
    pytest.param(name, example, id=f"{name}{n}")
    for name in classes()
    for n, example in enumerate(CLASSES.get(name, []))
]
EACH_CALL = [
    pytest.param(name, example, id=f"{name}{n}")
    for name in functions()
    for n, example in enumerate(FUNCTIONS.get(name, []))
]


def both(name: str, example: Example) -> tuple[nn.Module, nn.Module]:
    """Our layer, and the one whose place it takes."""
    return example.build(classes()[name]), example.build(torch_class(name))


def called(layer: nn.Module, example: Example) -> Any:
    """What a layer makes of the example, under a fixed seed."""
    torch.manual_seed(0)
    return layer(*example.inputs(), **example.forward)


def can(function: Callable[..., Any], *args: Any) -> bool:
    """Whether torch's own can do it: ours has to, too, then."""
    try:
        function(*args)
    except Exception:  # noqa: BLE001  (whatever torch raises)
        return False
    return True


def test_examples_are_of_what_there_is() -> None:
    assert set(CLASSES) == set(classes())
    assert set(FUNCTIONS) == set(functions())
    assert all([*CLASSES.values(), *FUNCTIONS.values()])


def never_set() -> list[str]:
    """Arguments that stand at their default in every example: ``name.argument``.

    Each example is compared with torch, so an argument that is in none of them is not
    shown to do what it does there.
    """
    missing = []
    for name, cls in classes().items():
        examples = CLASSES.get(name, [])
        if cls.__init__ is not nn.Module.__init__:  # that one takes no arguments
            built = [((None, *e.args), e.kwargs) for e in examples]
            missing += _unset(name, cls.__init__, built)
        calls = [((None, *e.shapes), e.forward) for e in examples]
        missing += _unset(name, cls.forward, calls)
    for name, function in functions().items():
        examples = FUNCTIONS.get(name, [])
        calls = [((*e.shapes, *e.args), e.kwargs) for e in examples]
        missing += _unset(name, function, calls)
    return missing


def _unset(name: str, function: Any, calls: list[Any]) -> list[str]:
    signature = inspect.signature(function)
    given = set()
    for args, kwargs in calls:
        for argument, value in signature.bind(*args, **kwargs).arguments.items():
            default = signature.parameters[argument].default
            if isinstance(value, torch.Tensor) or value != default:
                given.add(argument)
    return [
        f"{name}.{argument}"
        for argument in signature.parameters
        if argument not in given and not argument.startswith("_") and argument != "self"
    ]


ONE_VALUE = {
    "Hardtanh.min_value", "Hardtanh.max_value",  # deprecated: test_activation has them
    *(f"{lazy}ConvTranspose{n}d.padding_mode" for n in (1, 2, 3) for lazy in ("", "Lazy")),
}  # fmt: skip
"""Arguments that torch's class itself takes with their default only."""


def test_every_argument_is_set_in_an_example() -> None:
    assert set(never_set()) == ONE_VALUE


@pytest.mark.parametrize("name", EACH_CLASS)
def test_signature_is_torchs(name: str) -> None:
    ours, theirs = classes()[name], torch_class(name)
    assert _parameters(ours.__init__) == _parameters(theirs.__init__)
    assert _parameters(ours.forward) == _parameters(theirs.forward)
    if issubclass(ours, theirs):  # torch's own checks are then in force too
        # (a layer of layers wraps it, to give its children the class of layerlib)
        assert inspect.unwrap(ours.__init__) is theirs.__init__


def _parameters(function: Any) -> list[tuple[str, Any, Any]]:
    given = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in given]


@pytest.mark.parametrize("name", EACH_FUNCTION)
def test_function_takes_what_torchs_takes(name: str) -> None:
    # What torch dispatches to has the signature: max_pool2d(*args, **kwargs) hides it.
    theirs = getattr(functional, f"{name}_with_indices", torch_function(name))
    if theirs is None:
        assert not hasattr(nn, name), "a function without a counterpart in torch"
        return
    if not inspect.isfunction(theirs) or "args" in inspect.signature(theirs).parameters:
        theirs = _documented(name, theirs)
    ours, right = (_parameters(function) for function in (functions()[name], theirs))
    assert [(n, default) for n, _, default in ours] == [(n, d) for n, _, d in right]


def _documented(name: str, theirs: Any) -> Any:
    """A function with the signature that torch has in a docstring, or in a schema."""
    text = theirs.__doc__
    if text is None:
        schema = getattr(torch.ops.aten, name).default._schema  # noqa: SLF001
        text = re.sub(r"Tensor(\[\]|\?)? ", "", str(schema))
    told, *_ = re.findall(rf"{name}\(([^)]*(?:\(\)[^)]*)*)\) -> ", text)
    return eval(f"lambda {' '.join(told.split())}: None")  # noqa: S307  (torch's text)


@pytest.mark.parametrize(("name", "example"), EACH_CALL)
def test_function_is_the_same_as_torchs(name: str, example: Example) -> None:
    ours, theirs = functions()[name], torch_function(name)
    if theirs is not None:
        same(
            lambda *x: ours(*fresh(x), *example.args, **example.kwargs),
            lambda *x: theirs(*fresh(x), *example.args, **example.kwargs),
            *example.inputs(),
        )


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_state_and_initial_values_are_torchs(name: str, example: Example) -> None:
    ours = example.build(classes()[name])
    ours_dice = torch.get_rng_state()
    theirs = example.build(torch_class(name))
    mine, right = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(right)
    for key, value in right.items():
        torch.testing.assert_close(mine[key], value, msg=key)
    for key, parameter in theirs.named_parameters():
        assert torch.equal(ours.get_parameter(key), parameter), key
    assert torch.equal(ours_dice, torch.get_rng_state())


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_new_initial_values_are_torchs(name: str, example: Example) -> None:
    ours, theirs = both(name, example)
    names = [n for n in ("reset_parameters", "_reset_parameters") if hasattr(theirs, n)]
    if not names:  # its children have them
        assert not list(theirs.parameters(recurse=False))
        return
    assert getattr(type(ours), names[0]).__module__.startswith("layerlib.")
    for layer in (ours, theirs):
        torch.manual_seed(1)
        getattr(layer, names[0])()
    for mine, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, right)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_same_as_torch(name: str, example: Example) -> None:
    compare(*both(name, example), example)


def compare(ours: nn.Module, theirs: nn.Module, example: Example) -> None:
    same(
        WithArguments(ours, example.forward),
        WithArguments(theirs, example.forward),
        *example.inputs(),
    )


class WithArguments(nn.Module):
    """A layer that is called with further arguments by name."""

    def __init__(self, layer: nn.Module, given: dict[str, Any]) -> None:
        super().__init__()
        self.layer, self.given = layer, given

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.layer(*fresh(inputs), **self.given)


def fresh(inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """Copies, which a layer may write over where a leaf asks for its gradient."""
    return [x.clone() for x in inputs]


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_states_load_both_ways(name: str, example: Example) -> None:
    ours, theirs = both(name, example)
    # With larger weights the gradients of a deep layer are so large that it shows in
    # which order float32 adds.
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours.load_state_dict(theirs.state_dict())
    compare(ours, theirs, example)
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.3)
    theirs.load_state_dict(ours.state_dict())
    compare(ours, theirs, example)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_copies_and_files_keep_the_layer(name: str, example: Example) -> None:
    layer = example.build(classes()[name])
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for other in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        assert type(other) is type(layer)
        compare(other, copy.deepcopy(layer), example)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_repr_is_torchs(name: str, example: Example) -> None:
    ours, theirs = both(name, example)
    if isinstance(ours, type(theirs)):
        assert repr(ours) == repr(theirs)
    else:
        assert repr(ours).startswith(f"{type(ours).__name__}(")


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_function_transforms(name: str, example: Example) -> None:
    for transformed in (_functional, _over_inputs, _over_parameters):
        ours, theirs = both(name, example)
        if not can(transformed, copy.deepcopy(theirs), example):
            continue
        found = transformed(ours, example)
        right = transformed(theirs, example)
        for mine, value in zip(tree_leaves(found), tree_leaves(right), strict=True):
            torch.testing.assert_close(mine, value, equal_nan=True)


def _functional(layer: nn.Module, example: Example) -> Any:
    torch.manual_seed(0)
    state = dict(layer.named_parameters())
    inputs = tuple(example.inputs())
    return torch.func.functional_call(layer, state, inputs, example.forward)


def _over_inputs(layer: nn.Module, example: Example) -> Any:
    torch.manual_seed(0)
    stacked = [torch.stack([x, 2 * x]) for x in example.inputs()]
    mapped = torch.func.vmap(
        lambda *inputs: layer(*inputs, **example.forward), randomness="same"
    )
    return mapped(*stacked)


def _over_parameters(layer: nn.Module, example: Example) -> Any:
    torch.manual_seed(0)
    state = {k: torch.stack([p, 2 * p]) for k, p in layer.named_parameters()}
    inputs = tuple(example.inputs())
    mapped = torch.func.vmap(
        lambda p: torch.func.functional_call(layer, p, inputs, example.forward),
        randomness="same",
    )
    return mapped(state)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_meta_device(name: str, example: Example) -> None:
    def on_meta(cls: type[nn.Module]) -> Any:
        with torch.device("meta"):
            return example.meta().build(cls)(*meta.inputs(), **meta.forward)

    meta = example.meta()
    if can(on_meta, torch_class(name)):
        found = tree_leaves(on_meta(classes()[name]))
        right = tree_leaves(called(example.build(torch_class(name)), example))
        assert all(x.device.type == "meta" for x in found if x is not None)
        assert [x.shape for x in found if x is not None] == [
            x.shape for x in right if x is not None
        ]


@pytest.mark.parametrize("name", EACH_CLASS)
def test_a_subclass_is_the_same_layer(name: str) -> None:
    """Programs derive their own classes, with nothing but a name or a method."""
    example, cls = CLASSES[name][0], classes()[name]
    if hasattr(cls, "cls_to_become"):  # it becomes the class of layerlib
        return
    derived = type("Derived", (cls,), {})
    found, right = (called(example.build(kind), example) for kind in (derived, cls))
    torch.testing.assert_close(found, right)


@pytest.mark.parametrize("name", EACH_CLASS)
def test_arithmetic_is_in_layerlib(name: str) -> None:
    """In its own file, or in the one of the family that it belongs to."""
    assert classes()[name].forward.__module__.startswith("layerlib.")


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
    """A line that stands in its family, or the bend that an activation is."""
    cls = classes()[name]
    assert isinstance(cls.line, Line | Bend)
    if isinstance(cls.line, Bend):
        assert cls.line is cls.by.line
        assert cls.line.name == cls.by.__name__
    else:
        assert cls.line in vars(inspect.getmodule(cls)).values()


@pytest.mark.parametrize("name", [*EACH_CLASS, *EACH_FUNCTION])
def test_has_its_place_in_a_chapter(name: str) -> None:
    family = {**classes(), **functions()}[name].__module__.removeprefix("layerlib.")
    assert re.search(rf"\b{name}\b", told_in_chapter(family))


@functools.cache
def as_one_operation(run: Callable[..., Any]) -> Any:
    """Made when it is first wanted: it imports what compiles, which takes seconds."""

    def as_here(*given: Any, **sizes: int) -> Any:  # elsewhere it is traced
        return run(*given, **sizes)

    return torch.compiler.allow_in_graph(as_here)


@pytest.fixture
def einops_is_one_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not traced line by line, which is more than half of what compiling costs.

    That it can be, `test_compiles_for_any_size` and `test_engine` show for each layer
    and for each piece of the engine.
    """
    for home in (recipe, windows):
        monkeypatch.setattr(home, "rearrange", as_one_operation(einops.rearrange))
    monkeypatch.setattr(recipe, "reduce", as_one_operation(einops.reduce))


@pytest.mark.usefixtures("as_installed", "einops_is_one_operation")
@pytest.mark.parametrize(
    ("name", "example"),
    [pair for pair in EACH_EXAMPLE if not pair.values[0].startswith("Lazy")],
)
def test_compiles_in_one_graph(name: str, example: Example) -> None:
    """A lazy layer was called, and has become one of the others."""

    def compiled(layer: nn.Module) -> Any:
        torch.compiler.reset()
        return called(torch.compile(layer, fullgraph=True, backend="eager"), example)

    ours, theirs = both(name, example)
    expected = called(copy.deepcopy(ours), example)
    try:
        found = compiled(ours)
    except Exception:
        if can(compiled, theirs):
            raise
    else:
        torch.testing.assert_close(found, expected)
