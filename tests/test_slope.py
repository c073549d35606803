"""A function of each number with its slope: in pieces, at once, by its output."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from layerlib.engine import pieces
from layerlib.engine.bits import above
from layerlib.engine.slope import of_output, sloped

CUBE = sloped(lambda x: x**3, lambda x: 3 * x * x, None, at_once=False)
KINK = sloped(lambda x: x.clamp_min(0), lambda x: above(x, 0), None, at_once=True)
SQUARE = sloped(lambda x: x * x, None, lambda g, x: 2 * g * x, at_once=False)
MEAN = of_output("b c -> b c", "b", lambda g, y: g - g.mean(1, keepdim=True) + 0 * y)(
    lambda x: x - x.mean(1, keepdim=True)
)
PLAIN: list[tuple[Callable[..., Tensor], Callable[..., Tensor]]] = [
    (CUBE, lambda x: x**3),
    (KINK, torch.relu),
    (SQUARE, lambda x: x * x),
    (MEAN, lambda x: x - x.mean(1, keepdim=True)),
]


@pytest.mark.parametrize(("ours", "plain"), PLAIN)
@pytest.mark.parametrize("shape", [(5, 7), (0, 3), (1, 1)])
def test_pieces_give_the_same(
    ours: Any, plain: Any, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", 4)
    found = []
    for function in (ours, plain):
        x = torch.linspace(-2, 2, max(1, shape[0] * shape[1])).double()
        x = x[: shape[0] * shape[1]].reshape(shape).requires_grad_()
        for y in (function(x), function(x.T.contiguous().T)):
            (first,) = torch.autograd.grad(y.sin().sum(), x, create_graph=True)
            found.append([y, first, *torch.autograd.grad(first.cos().sum(), x)])
    for mine, right in zip(found[:2], found[2:], strict=True):
        torch.testing.assert_close(mine, right)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize(("ours", "plain"), PLAIN)
def test_mapped_compiled_and_with_many_cotangents(ours: Any, plain: Any) -> None:
    x = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    many = torch.randn(3, 4, 6, dtype=torch.float64)
    found = []
    for function in (ours, plain):
        batch = torch.autograd.grad(function(x), x, many, is_grads_batched=True)
        rows = torch.func.vmap(function)(torch.stack([x, 2 * x]))
        compiled = torch.compile(
            function, fullgraph=True, backend="eager", dynamic=True
        )
        found.append([*batch, rows, compiled(x)])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_are_rounded_once(dtype: torch.dtype) -> None:
    small = sloped(lambda x: (x + 1) - 1, lambda x: (x + 1) - x, None, at_once=False)
    x = torch.tensor([1e-4, 3e-4], dtype=dtype, requires_grad=True)
    y = small(x)
    assert y.dtype == dtype
    torch.testing.assert_close(y, x, rtol=0.01, atol=0)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(slope, torch.ones_like(x))


def test_the_slope_of_a_complex_number_is_conjugated() -> None:
    x = torch.randn(5, dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(CUBE, x)


def test_what_reads_its_output_keeps_that_alone() -> None:
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: kept.append(x) or x, lambda x: x
    ):
        y = MEAN(torch.randn(3, 4, requires_grad=True))
    assert [x.data_ptr() for x in kept] == [y.data_ptr()]
