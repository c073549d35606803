"""Every layer is made of the moves alone: the operations that ran are on a short list."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from examples import CLASSES, FUNCTIONS, Example, classes, functions
from layerlib.show import moves

MOVES = {
    "rearrange": {"permute", "squeeze", "transpose", "unsqueeze", "view"},
    "rearrange, by a copy": {"_unsafe_view", "clone"},
    "add": {"add"},
    "sum": {"sum"},
    "multiply and sum at once": {"baddbmm", "bmm"},
}
"""All that a layer may run, forward and backward."""

PURE = set().union(*MOVES.values())


def ran(thing: Any, example: Example) -> set[str]:
    """What a class or function runs on an example, forward and backward."""
    inputs = example.inputs(gradient=True)
    if not isinstance(thing, type):
        return set(moves(thing, *inputs, *example.args, backward=True))
    layer = thing(*example.args, **example.kwargs)
    layer(*example.inputs())  # a lazy layer draws its parameters here
    return set(moves(layer, *inputs, backward=True))


@pytest.mark.parametrize("name", classes())
def test_classes_are_pure(name: str) -> None:
    for example in CLASSES[name]:
        assert not ran(classes()[name], example) - PURE


@pytest.mark.parametrize("name", functions())
def test_functions_are_pure(name: str) -> None:
    for example in FUNCTIONS[name]:
        assert not ran(functions()[name], example) - PURE


@pytest.mark.parametrize(
    ("call", "shape", "name"),
    [
        (nn.Conv1d(3, 4, 2), (2, 3, 5), "convolution"),
        (nn.LayerNorm(5), (2, 3, 5), "native_layer_norm"),
        (nn.Softmax(-1), (2, 5), "_softmax"),
        (nn.GELU(), (2, 5), "gelu_backward"),
        (nn.Linear(5, 3), (2, 5), "addmm"),
        (nn.PixelShuffle(2), (2, 4, 3, 3), "pixel_shuffle"),
        (functional.max_pool2d, (2, 4, 3, 3), "max_pool2d_with_indices"),
    ],
)
def test_what_is_fused_is_found(call: Any, shape: tuple[int, ...], name: str) -> None:
    args = (2,) if call is functional.max_pool2d else ()
    found = set(
        moves(call, torch.randn(shape, requires_grad=True), *args, backward=True)
    )
    assert name in found - PURE


def test_every_move_is_used() -> None:
    """A name that no layer needs would only make the list longer."""
    needed = [
        ran(things[name], example)
        for table, things in ((CLASSES, classes()), (FUNCTIONS, functions()))
        for name, examples in table.items()
        for example in examples
    ]
    assert PURE - set().union(*needed) == set()
