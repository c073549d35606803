"""Bits in the place of truth values: what passes, at bounds, at infinity, at NaN."""

import math

import pytest
import torch
from torch import Tensor

from layerlib.engine.bits import above, below, choose, keep

INF, NAN = math.inf, math.nan
EDGES = [-INF, -2.0, -1.0, -1e-300, -0.0, 0.0, 1e-300, 1.0, 2.0, INF, NAN]
FLOATS = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", [*FLOATS, torch.int64, torch.int8, torch.uint8])
@pytest.mark.parametrize("bound", [-INF, -1, 0.0, 0, 1, INF])
def test_which_numbers_pass(bound: float, dtype: torch.dtype) -> None:
    x = torch.tensor(EDGES if dtype.is_floating_point else [0, 1, 2]).to(dtype)
    unsaid = x.isnan()
    assert torch.equal(above(x, bound) != 0, (x > bound) | unsaid)
    assert torch.equal(above(x, bound, nan=False) != 0, x > bound)
    if dtype.is_signed:
        assert torch.equal(below(x, bound) != 0, (x < bound) | unsaid)
        assert torch.equal(below(x, bound, nan=False) != 0, x < bound)
    assert set(above(x, bound).tolist()) <= {0, -1}, "all bits or none"


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_does_not_pass_is_0_whatever_it_was(dtype: torch.dtype) -> None:
    x = torch.tensor([INF, NAN, -3.0, 5.0], dtype=dtype)
    bits = above(torch.tensor([-1.0, -1.0, 1.0, 1.0], dtype=dtype), 0)
    assert torch.equal(keep(x, bits), torch.tensor([0, 0, -3, 5], dtype=dtype))
    chosen = choose(bits, x, -2.0)
    assert torch.equal(chosen, torch.tensor([-2, -2, -3, 5], dtype=dtype))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_derivatives_of_all_kinds() -> None:
    x = torch.randn(7, dtype=torch.float64, requires_grad=True)
    bits = above(x, 0)

    def kept(x: Tensor) -> Tensor:
        return keep(x.sin(), bits)

    assert torch.autograd.gradcheck(kept, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(kept, x)
    both = torch.func.vmap(keep)(x.detach().expand(3, 7), bits.expand(3, 7))
    assert torch.equal(both, keep(x.detach(), bits).expand(3, 7))
    compiled = torch.compile(kept, fullgraph=True, backend="eager", dynamic=True)
    assert torch.equal(compiled(x), kept(x))
