"""Every layer is made of the moves alone: the operations that ran are on a short list."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from examples import CLASSES, FUNCTIONS, Example, classes, functions
from layerlib.show import moves

MOVES = {
    "rearrange": {
        "as_strided", "expand", "permute", "select", "slice", "split", "squeeze",
        "transpose", "t", "unbind", "unsqueeze", "view", "unfold", "detach", "alias",
        "diagonal", "flip",
    },
    "rearrange, by a copy": {
        "_unsafe_view", "cat", "clone", "constant_pad_nd", "copy_", "stack", "repeat",
        "_to_copy", "select_backward", "slice_backward", "select_scatter",
        "slice_scatter", "lift_fresh", "_reshape_alias", "as_strided_scatter",
    },
    "gather and scatter": {
        "gather", "index", "index_add", "index_add_", "index_put", "index_put_",
        "_unsafe_index", "_unsafe_index_put", "index_select", "scatter", "scatter_",
        "scatter_add", "scatter_add_", "masked_fill", "masked_fill_", "where",
    },
    "make": {
        "arange", "empty", "empty_like", "fill_", "full", "full_like", "new_empty",
        "new_full", "new_ones", "new_zeros", "ones", "ones_like", "scalar_tensor",
        "zero_", "zeros", "zeros_like", "eye", "linspace",
    },
    "draw": {"bernoulli_", "uniform_", "rand"},
    "add": {"add", "add_", "neg", "sub", "sub_", "rsub", "cumsum"},
    "multiply": {"div", "div_", "mul", "mul_", "reciprocal", "square", "addcmul", "addcmul_", "lerp", "lerp_"},
    "a function of each number": {
        "abs", "ceil", "clamp", "clamp_max", "clamp_min", "erf", "exp", "exp_", "expm1",
        "floor", "log", "log1p", "pow", "round", "rsqrt", "rsqrt_", "sigmoid",
        "sigmoid_", "sign", "sgn", "sin", "cos", "sqrt", "tanh", "tanh_", "conj",
        "_conj", "conj_physical", "fmod", "remainder", "trunc", "frac",
    },
    "its derivative": {"sigmoid_backward", "tanh_backward"},
    "compare": {
        "all", "any", "bitwise_and", "bitwise_not", "bitwise_or", "eq", "ge", "gt",
        "isinf", "isnan", "le", "logical_and", "logical_not", "logical_or", "lt",
        "maximum", "minimum", "ne", "isfinite",
    },
    "sum": {"mean", "sum"},
    "another reduction": {"amax", "amin", "max", "min", "sort", "argmax", "unique_consecutive"},
    "multiply and sum at once": {"addmm", "addmm_", "baddbmm", "baddbmm_", "bmm", "mm", "mv", "dot", "addmv"},
    "read one number": {"_local_scalar_dense", "item"},
}  # fmt: skip
"""All that a layer may run, forward and backward."""

PURE = set().union(*MOVES.values())


def ran(thing: Any, example: Example) -> set[str]:
    """What a class or function runs on an example, forward and backward."""
    inputs = example.inputs(gradient=True)
    if isinstance(thing, type):
        layer = example.build(thing)
        return set(moves(layer, *inputs, backward=True, **example.forward))
    return set(moves(thing, *inputs, *example.args, backward=True, **example.kwargs))


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
        (nn.Softplus(), (2, 5), "softplus"),
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
