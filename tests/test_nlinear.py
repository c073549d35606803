"""NLinear next to delu's, under the same seed, and next to n separate Linears."""

from collections.abc import Callable
from typing import Any

import delu
import pytest
import torch
from torch import nn

import layerlib
from examples import randn
from layerlib.lab import same
from layerlib.nlinear import NLINEAR, nlinear
from rounding import rounds_well

NS = [1, 4, (4,), (2, 3), (2, 3, 2)]
BATCHES = [(), (1,), (5,), (5, 2), (0,), (2, 0, 3)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("n", NS)
def test_same_as_delu(
    twins: Callable[..., Any], n: Any, batch: tuple[int, ...], bias: bool
) -> None:
    ours, theirs = twins(
        [layerlib.NLinear, delu.nn.NLinear], n, 3, 5, bias, dtype=torch.float64
    )
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    positions = (n,) if isinstance(n, int) else n
    same(ours, theirs, randn(*batch, *positions, 3), second=True)


def test_single_precision(twins: Callable[..., Any]) -> None:
    ours, theirs = twins([layerlib.NLinear, delu.nn.NLinear], 4, 3, 5)
    same(ours, theirs, randn(2, 4, 3, dtype=torch.float32))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    shapes = [(7, 4, 64), (4, 64, 9), (4, 9)]
    rounds_well(nlinear, *(randn(*s, dtype=dtype) for s in shapes))


def test_complex_numbers() -> None:
    x, weight, bias = (
        randn(*s, dtype=torch.complex128) for s in [(2, 4, 3), (4, 3, 5), (4, 5)]
    )
    same(
        nlinear, lambda x, w, b: torch.einsum("bni,nio->bno", x, w) + b, x, weight, bias
    )


def test_layouts_in_memory(twins: Callable[..., Any]) -> None:
    ours, theirs = twins([layerlib.NLinear, delu.nn.NLinear], (2, 4), 3, 5)
    x = randn(4, 2, 6, 3, dtype=torch.float32)
    for given in (
        x.movedim(2, 0).transpose(1, 2),
        x.transpose(0, 1)[..., ::2, :].movedim(2, 0),
    ):
        same(ours, theirs, given.expand(*given.shape))


@pytest.mark.parametrize("bias", [True, False])
def test_same_as_one_linear_each(bias: bool) -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(3, 5, bias=bias, dtype=torch.float64) for _ in range(4)]
    ours = layerlib.NLinear(4, 3, 5, bias=bias, dtype=torch.float64)
    state = {"weight": torch.stack([layer.weight.T for layer in layers])}
    if bias:
        state["bias"] = torch.stack([layer.bias for layer in layers])
    ours.load_state_dict(state)
    same(
        ours,
        lambda x: torch.stack([f(x[:, n]) for n, f in enumerate(layers)], dim=1),
        randn(2, 4, 3),
    )


def test_the_form_that_runs_is_the_line_plus_the_bias() -> None:
    x, weight, bias = randn(6, 4, 3), randn(4, 3, 5), randn(4, 5)
    same(nlinear, lambda x, w, b: NLINEAR(x, w) + b, x, weight, bias)
    same(nlinear, lambda x, w, b: NLINEAR.literal(x, w) + b, x, weight, bias)
    same(nlinear, NLINEAR, x, weight)


def test_positions_do_not_talk() -> None:
    layer = layerlib.NLinear(4, 3, 5)
    jacobian = torch.func.jacrev(layer)(randn(4, 3, dtype=torch.float32))
    for n in range(4):
        for other in range(4):
            assert bool(jacobian[n, :, other].any()) == (n == other)


def test_says_its_arguments() -> None:
    assert repr(layerlib.NLinear(4, 3, 5)) == (
        "NLinear(n=4, in_features=3, out_features=5, bias=True)"
    )
    assert repr(layerlib.NLinear((2, 4), 3, 5, bias=False)) == (
        "NLinear(n=(2, 4), in_features=3, out_features=5, bias=False)"
    )


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    "shape", [(3,), (5, 3), (4, 2), (2, 1, 3), (2, 3), (1, 3), (4, 3, 1)]
)
def test_wrong_inputs_raise_as_in_delu(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (delu's words are its own)
        delu.nn.NLinear(4, 3, 5)(torch.ones(shape))
    with pytest.raises(ValueError, match=r"\(\*n, in_features\) = \(4, 3\), got shape"):
        layerlib.NLinear(4, 3, 5)(torch.ones(shape))


@pytest.mark.parametrize("n", [0, -1, (), (2, 0)])
def test_wrong_n_raises_as_in_delu(n: Any) -> None:
    with pytest.raises(ValueError, match="n must be a positive integer"):
        delu.nn.NLinear(n, 3, 5)
    with pytest.raises(ValueError, match="n to be a positive integer"):
        layerlib.NLinear(n, 3, 5)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: layerlib.NLinear(2, 0, 5), "expected a positive in_features, got 0"),
        (
            lambda: nlinear(randn(2, 3), randn(3, 5)),
            r"expected a weight of shape \(\*n, in_features, out_features\), got shape \(3, 5\)",
        ),
        (
            lambda: nlinear(randn(2, 3), randn(1, 3, 5)),
            r"= \(1, 3\), got shape \(2, 3\)",
        ),
        (
            lambda: nlinear(randn(2, 3), randn(2, 3, 5), randn(5)),
            r"expected a bias of shape \(\*n, out_features\) = \(2, 5\), got shape \(5,\)",
        ),
        (
            lambda: nlinear(randn(2, 3), randn(2, 3, 5), randn(1, 5)),
            r"= \(2, 5\), got shape \(1, 5\)",
        ),
    ],
)
def test_errors(call: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()
