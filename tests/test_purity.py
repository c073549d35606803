"""Every layer is made of the moves alone: the operations that ran are on a short list."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from examples import CLASSES, FUNCTIONS, Example, classes, functions
from layerlib.lab import moves

MOVES = {
    "rearrange": {
        "alias", "as_strided", "detach", "expand", "flip", "permute", "select", "slice",
        "split", "split_with_sizes", "squeeze", "t", "transpose", "unbind", "unsqueeze", "view",
    },
    "rearrange, by a copy": {
        "_to_copy", "_unsafe_view", "cat", "clone", "constant_pad_nd", "copy_",
        "lift_fresh", "select_backward", "slice_backward", "stack",
    },
    "gather and scatter": {
        "_sparse_coo_tensor_with_dims_and_tensors", "gather", "index", "index_add",
        "index_add_", "index_put_", "index_select", "masked_fill", "scatter",
        "scatter_add", "scatter_reduce", "where",
    },
    "make": {
        "arange", "empty_like", "fill_", "full", "new_empty", "new_full", "new_ones",
        "new_zeros", "ones_like", "scalar_tensor", "zeros", "zeros_like",
    },
    "draw": {"bernoulli_", "rand", "uniform_"},
    "add": {"add", "add_", "cumsum", "neg", "rsub", "sub"},
    "multiply": {
        "addcmul", "addcmul_", "div", "floor_divide", "mul", "mul_", "reciprocal",
    },
    "a function of each number": {
        "abs", "clamp", "clamp_max", "clamp_min", "cos", "erf", "exp", "expm1", "floor",
        "log", "log1p", "pow", "rsqrt", "sgn", "sigmoid", "sign", "sin", "tanh",
    },
    "its derivative": {"sigmoid_backward", "tanh_backward"},
    "compare": {
        "all", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_right_shift", "eq",
        "ge", "gt", "isnan", "le", "lt", "maximum", "ne",
    },
    "sum": {"mean", "sum"},
    "another reduction": {"amax", "amin", "max"},
    "multiply and sum at once": {"addmm", "baddbmm_", "bmm", "mm"},
    "read one number": {"_local_scalar_dense"},
}  # fmt: skip
"""All that a layer may run, forward and backward."""

PURE = set().union(*MOVES.values())


def ran(thing: Any, example: Example) -> set[str]:
    """What a class or function runs on an example, forward and backward."""
    inputs = example.inputs(gradient=True)
    if isinstance(thing, type):
        call: Any = example.build(thing)
        args, kwargs, parameters = (), example.forward, call.parameters
    else:
        call, args, kwargs, parameters = thing, example.args, example.kwargs, list

    def on_copies(*given: torch.Tensor) -> Any:  # a leaf is not written over
        return call(*(x.clone() for x in given), *args, **kwargs)

    on_copies.parameters = parameters
    return set(moves(on_copies, *inputs, backward=True))


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
