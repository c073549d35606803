"""Linear, Bilinear and their functions, next to torch's: every option, every layout."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import layerlib
from examples import randn
from layerlib.lab import same
from layerlib.linear import BILINEAR, DOT, LINEAR, bilinear, linear
from rounding import rounds_well

HALVES = [torch.bfloat16, torch.float16]
DTYPES = [torch.float64, torch.float32, *HALVES, torch.complex128]
BATCHES = [(), (1,), (4,), (4, 2), (0,), (2, 0, 3)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(("i", "o"), [(3, 5), (5, 3), (1, 1), (0, 2), (3, 0)])
def test_linear_function(batch: tuple[int, ...], i: int, o: int, bias: bool) -> None:
    given = [randn(*batch, i), randn(o, i), *([randn(o)] if bias else [])]
    same(linear, functional.linear, *given, second=True)


@pytest.mark.parametrize("batch", [(), (4, 2)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_with_one_row(batch: tuple[int, ...], bias: bool) -> None:
    given = [
        randn(*batch, 3),
        randn(3),
        *([torch.tensor(2.0).double()] if bias else []),
    ]
    same(linear, functional.linear, *given, second=True)
    torch.testing.assert_close(DOT(*given[:2]), given[0] @ given[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("i", [0, 1, 3, 64, 1000])
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_linear_class(
    twins: Callable[..., Any], dtype: torch.dtype, i: int, bias: bool
) -> None:
    ours, theirs = twins([layerlib.Linear, nn.Linear], i, 4, bias=bias, dtype=dtype)
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    if dtype not in HALVES:
        same(ours, theirs, randn(2, i, dtype=dtype))


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("function", [linear, functional.linear])
def test_linear_in_half_precision(
    function: Callable[..., Any], dtype: torch.dtype
) -> None:
    rounds_well(function, *(randn(*s, dtype=dtype) for s in [(7, 64), (9, 64), (9,)]))


def test_linear_starts_between_one_over_root_in() -> None:
    torch.manual_seed(0)
    layer = layerlib.Linear(49, 1000)
    for parameter in layer.parameters():
        assert parameter.abs().max() <= 1 / 7
        assert parameter.abs().max() > 0.99 / 7


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layouts_in_memory(dtype: torch.dtype) -> None:
    x, weight = randn(3, 4, 6, dtype=dtype), randn(5, 6, dtype=dtype)
    for given in (x.transpose(0, 1), x[:, ::2], x.expand(3, 4, 6)):
        same(linear, functional.linear, given, weight)
    same(linear, functional.linear, x, randn(6, 5, dtype=dtype).T)


def test_nan_and_infinity_pass_as_in_torch() -> None:
    x, weight = randn(3, 4), randn(5, 4)
    x[0, 1], x[1, 2] = torch.nan, torch.inf
    weight[0, 2] = 0
    same(linear, functional.linear, x, weight)


@pytest.mark.parametrize("bias", [True, False])
def test_lazy_linear(twins: Callable[..., Any], bias: bool) -> None:
    ours, theirs = twins([layerlib.LazyLinear, nn.LazyLinear], 4, bias=bias)
    states = []
    for layer in (ours, theirs):
        torch.manual_seed(1)
        layer(randn(2, 3, dtype=torch.float32))
        states.append(layer.state_dict())
    assert type(ours) is layerlib.Linear
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())
    same(ours, theirs, randn(2, 3, dtype=torch.float32))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_lazy_linear_loads_a_state(dtype: torch.dtype) -> None:
    given = nn.Linear(3, 4, dtype=dtype)
    lazy = layerlib.LazyLinear(4, dtype=dtype)
    lazy.load_state_dict(given.state_dict())
    same(lazy, given, randn(2, 3, dtype=dtype))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(("i", "j", "o"), [(3, 2, 5), (1, 1, 1), (2, 3, 1)])
def test_bilinear_function(
    batch: tuple[int, ...], i: int, j: int, o: int, bias: bool
) -> None:
    given = [randn(*batch, i), randn(*batch, j), randn(o, i, j)]
    given += [randn(o)] if bias else []
    same(bilinear, functional.bilinear, *given, second=bool(batch) and 0 not in batch)


@pytest.mark.parametrize("dtype", DTYPES[:-1])  # torch's has no complex gradient
@pytest.mark.parametrize("bias", [True, False])
def test_bilinear_class(
    twins: Callable[..., Any], dtype: torch.dtype, bias: bool
) -> None:
    ours, theirs = twins(
        [layerlib.Bilinear, nn.Bilinear], 3, 2, 5, bias=bias, dtype=dtype
    )
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    if dtype not in HALVES:
        same(ours, theirs, randn(4, 3, dtype=dtype), randn(4, 2, dtype=dtype))


@pytest.mark.parametrize("dtype", HALVES)
def test_bilinear_in_half_precision(dtype: torch.dtype) -> None:
    shapes = [(7, 16), (7, 8), (9, 16, 8), (9,)]
    rounds_well(bilinear, *(randn(*s, dtype=dtype) for s in shapes))


def test_literal_forms_mean_the_same() -> None:
    x, z = randn(4, 2, 3), randn(4, 2, 5)
    torch.testing.assert_close(LINEAR.literal(x, randn(6, 3)), linear(x, randn(6, 3)))
    torch.testing.assert_close(
        BILINEAR.literal(x, randn(6, 3, 5), z), bilinear(x, z, randn(6, 3, 5))
    )


def test_autocast_as_in_torch() -> None:
    x, weight, bias = (randn(*s, dtype=torch.float32) for s in [(4, 3), (5, 3), (5,)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, theirs = linear(x, weight, bias), functional.linear(x, weight, bias)
    torch.testing.assert_close(ours, theirs, check_dtype=False)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: linear(randn(2, 4), randn(5, 3)),
            r"linear: expected 3 features in the last axis of input, got shape \(2, 4\)",
        ),
        (lambda: linear(randn(2, 1), randn(5, 3)), "expected 3 features"),
        (
            lambda: linear(randn(), randn(5, 3)),
            r"expected 3 features .*, got shape \(\)",
        ),
        (
            lambda: linear(randn(3), randn(5, 3, 1)),
            r"expected a weight of shape \(out_features, in_features\).*got shape \(5, 3, 1\)",
        ),
        (lambda: linear(randn(3), randn()), r"expected a weight .* got shape \(\)"),
        (
            lambda: linear(randn(2, 3), randn(5, 3), randn(1)),
            r"linear: expected a bias of shape \(5,\), got shape \(1,\)",
        ),
        (
            lambda: linear(randn(2, 3), randn(5, 3), randn(2, 5)),
            r"expected a bias of shape \(5,\), got shape \(2, 5\)",
        ),
        (
            lambda: linear(randn(2, 3), randn(3), randn(1)),
            r"expected a bias of shape \(\), got shape \(1,\)",
        ),
        (lambda: layerlib.Linear(3, 5)(randn(2, 4)), "expected 3 features"),
        (
            lambda: bilinear(randn(2, 4), randn(2, 3), randn(5, 3, 3)),
            r"bilinear: expected 3 features in the last axis of input1, got shape \(2, 4\)",
        ),
        (
            lambda: bilinear(randn(2, 3), randn(2, 4), randn(5, 3, 3)),
            "3 features in the last axis of input2",
        ),
        (
            lambda: bilinear(randn(2, 3), randn(4, 3), randn(5, 3, 3)),
            r"differ in their last axis only, got \(2, 3\) and \(4, 3\)",
        ),
        (
            lambda: bilinear(randn(1, 3), randn(4, 3), randn(5, 3, 3)),
            "differ in their last axis only",
        ),
        (
            lambda: bilinear(randn(2, 3), randn(2, 3), randn(3, 3)),
            r"expected a weight of shape \(out_features, in1_features, in2_features\), got shape \(3, 3\)",
        ),
        (
            lambda: bilinear(randn(2, 3), randn(2, 3), randn(5, 3, 3), randn(1)),
            r"bilinear: expected a bias of shape \(5,\), got shape \(1,\)",
        ),
        (lambda: layerlib.Bilinear(0, 3, 5), "expected a positive in1_features, got 0"),
    ],
)
def test_errors(call: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()


@pytest.mark.parametrize("i", range(1, 200))
def test_bound_of_the_bias_is_exact(i: int) -> None:
    torch.manual_seed(0)
    ours = layerlib.Linear(i, 1, dtype=torch.float64)
    torch.manual_seed(0)
    theirs = nn.Linear(i, 1, dtype=torch.float64)
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)
    assert ours.bias.abs().item() <= 1 / math.sqrt(i)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("bias", [True, False])
def test_sparse_and_jagged_inputs(twins: Callable[..., Any], bias: bool) -> None:
    ours, theirs = twins([layerlib.Linear, nn.Linear], 3, 4, bias=bias)
    x = randn(5, 3, dtype=torch.float32).relu()
    for layout in (torch.sparse_coo, torch.sparse_csr):
        given = x.to_sparse(layout=layout)
        torch.testing.assert_close(ours(given), theirs(given))
    jagged = torch.nested.nested_tensor([x[:2], x[2:]], layout=torch.jagged)
    found, right = ours(jagged), theirs(jagged)
    assert found.is_nested
    for mine, value in zip(found.unbind(), right.unbind(), strict=True):
        torch.testing.assert_close(mine, value)
    found.values().sum().backward()
    right.values().sum().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


@pytest.mark.usefixtures("as_installed")
def test_what_is_not_stored_densely_is_refused_elsewhere() -> None:
    x = randn(2, 3).to_sparse()
    with pytest.raises(
        NotImplementedError, match=r"^bilinear: expected input1 to be s"
    ):
        bilinear(x, randn(2, 3), randn(5, 3, 3))
    nested = torch.nested.nested_tensor([randn(2, 3)], layout=torch.jagged)
    with pytest.raises(NotImplementedError, match="got a nested one"):
        bilinear(nested, nested, randn(5, 3, 3))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_dtypes_under_autocast(dtype: torch.dtype) -> None:
    given = [randn(*s, dtype=dtype) for s in [(4, 3), (5, 3), (5,)]]
    pairs = [randn(*s, dtype=dtype) for s in [(4, 3), (4, 2), (5, 3, 2), (5,)]]
    with torch.autocast("cpu", torch.bfloat16):
        for ours, theirs, inputs in (
            (linear, functional.linear, given),
            (bilinear, functional.bilinear, pairs),
            (bilinear, functional.bilinear, pairs[:-1]),  # a bias widens a half
        ):
            found, right = ours(*inputs), theirs(*inputs)
            assert found.dtype == right.dtype
            rounding = {"rtol": 2**-7, "atol": 2**-5} if dtype != torch.float64 else {}
            torch.testing.assert_close(found, right, **rounding)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("error", [TypeError, RuntimeError])
def test_two_dtypes_are_refused(error: type[Exception]) -> None:
    x, weight = randn(2, 3), randn(5, 3, dtype=torch.float32)
    with pytest.raises(
        error, match=r"^linear: expected weight to be torch.float64, as"
    ):
        linear(x, weight)
    with pytest.raises(error, match=r"^bilinear: expected input2 to be torch.float64"):
        bilinear(x, x.float(), randn(5, 3, 3))
