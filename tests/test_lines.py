"""What a layer claims to run is what runs."""

from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_leaves

from examples import CLASSES, FUNCTIONS, Example, classes, families, functions
from layerlib import recipe
from layerlib.lab import beside, lines
from layerlib.linear import LINEAR
from layerlib.recipe import Bend, Line

EACH_EXAMPLE = [
    pytest.param(name, example, id=f"{name}-{n}")
    for name in classes()
    for n, example in enumerate(CLASSES.get(name, []))
]

DROPOUTS = {name for name in classes() if "Dropout" in name}


def ran(
    name: str, example: Example, *, backward: bool = False
) -> tuple[Line | Bend, ...]:
    torch.manual_seed(0)
    given, kwargs = example.inputs(gradient=backward), example.kwargs
    if name in functions():
        run, given = functions()[name], [*given, *example.args]
    else:
        run, kwargs = example.build(classes()[name]), example.forward
    return lines(_and_back if backward else run, *[run] * backward, *given, **kwargs)


def _and_back(run: Any, *given: Any, **kwargs: Any) -> None:
    fresh = [x.clone() if torch.is_tensor(x) else x for x in given]  # for in place
    found = tree_leaves(run(*fresh, **kwargs))
    total = [y.abs().sum() for y in found if torch.is_tensor(y) and y.requires_grad]
    if total:
        sum(total).backward()


def idle(name: str, example: Example) -> bool:
    """Whether the layer gives its input back as it is: dropout in evaluation."""
    (first, *_), layer = example.inputs(), example.build(classes()[name])
    return not layer.training and layer(first) is first


def claimed(name: str, example: Example) -> Line | Bend:
    """The line of the class, which may depend on the number of axes or on the mode.

    A norm that goes by running averages takes none, and claims another line.
    """
    cls, ndim = classes()[name], len(example.shapes[0])
    layer = example.build(cls)
    if not layer.training and getattr(layer, "running_mean", None) is not None:
        evaluated: Line = cls.evaluated
        return evaluated
    others = getattr(cls, "lines", {})
    line: Line | Bend = others.get(
        ndim, others.get(getattr(layer, "mode", ""), cls.line)
    )
    return line


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_the_layer_runs_its_line(name: str, example: Example) -> None:
    if name in DROPOUTS and idle(name, example):
        assert ran(name, example) == ()
    else:
        assert claimed(name, example) in ran(name, example)


@pytest.mark.parametrize("family", families(), ids=lambda f: f.__name__.split(".")[-1])
def test_no_line_of_a_family_is_idle(family: Any) -> None:
    """Each line and bend that a family has at module level runs in some example.

    Those of a written gradient run in the backward pass.
    """
    named = {name: x for name, x in vars(family).items() if isinstance(x, (Line, Bend))}
    seen = [
        step
        for name, thing in {**classes(), **functions()}.items()
        if thing.__module__ == family.__name__
        for example in {**CLASSES, **FUNCTIONS}[name]
        for step in ran(name, example, backward=True)
    ]
    assert [name for name, step in named.items() if step not in seen] == []


def test_nothing_looks_on_between_two_calls() -> None:
    line = recipe.Recipe("a, b -> a b")
    x = torch.ones(2)
    assert lines(lambda: (line(x, x), line.literal(x, x), line(x, x))) == (line, line)
    assert recipe.RAN is None
    with pytest.raises(ValueError, match="expected 2 inputs"):
        lines(line, x)
    assert recipe.RAN is None


def test_layers_side_by_side() -> None:
    shown = beside({"Linear": (LINEAR, "one < two"), "Again": (LINEAR, "the same")})
    assert repr(shown).splitlines()[1] == "Again: ... i, o i -> ... o  the same"
    html = shown._repr_html_()
    assert html.count(LINEAR._repr_html_()) == 2
    assert "<strong>Again</strong>" in html
    assert "<p>one &lt; two</p>" in html
