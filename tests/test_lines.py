"""What a layer claims to run is what runs."""

from typing import Any

import pytest
import torch

from examples import CLASSES, FUNCTIONS, Example, classes, families, functions
from layerlib import recipe
from layerlib.lab import lines
from layerlib.recipe import Bend, Line

EACH_EXAMPLE = [
    pytest.param(name, example, id=f"{name}-{n}")
    for name in classes()
    for n, example in enumerate(CLASSES.get(name, []))
]

IN_TRAINING = {"AlphaDropout", "Dropout"}
"""In use they give back their input, and nothing runs."""


def ran(name: str, example: Example) -> tuple[Line | Bend, ...]:
    torch.manual_seed(0)
    if name in functions():
        given = (*example.inputs(), *example.args)
        return lines(functions()[name], *given, **example.kwargs)
    layer = example.build(classes()[name])
    return lines(layer, *example.inputs(), **example.forward)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_the_layer_runs_its_line(name: str, example: Example) -> None:
    cls, ndim = classes()[name], len(example.shapes[0])
    if name in IN_TRAINING and not example.training:
        assert ran(name, example) == ()
    else:  # a layer for several numbers of axes has a line for each
        assert getattr(cls, "lines", {}).get(ndim, cls.line) in ran(name, example)


@pytest.mark.parametrize("family", families(), ids=lambda f: f.__name__.split(".")[-1])
def test_no_line_of_a_family_is_idle(family: Any) -> None:
    """Each line and bend that a family has at module level runs in some example."""
    named = {name: x for name, x in vars(family).items() if isinstance(x, (Line, Bend))}
    seen = [
        step
        for name, thing in {**classes(), **functions()}.items()
        if thing.__module__ == family.__name__
        for example in {**CLASSES, **FUNCTIONS}[name]
        for step in ran(name, example)
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
