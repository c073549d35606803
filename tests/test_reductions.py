"""Reductions over windows that are not stored, next to the same line on stored ones."""

import pytest
import torch
from torch import Tensor

from examples import randn
from layerlib.engine import reductions
from layerlib.engine.reductions import GatheredWindows, PaddedWindows, where_largest
from layerlib.engine.windows import Kernel, Windows
from layerlib.lab import same
from layerlib.recipe import Reduce

LINES = {name: Reduce("b c ... k -> b c ...", name) for name in ("max", "sum", "mean")}
KERNELS = [
    Kernel((3,), (1,), (1,)),
    Kernel((2,), (3,), (2,)),
    Kernel((3, 2), (2, 1), (1, 3)),
    Kernel((2, 1, 3), (1, 2, 2), (2, 1, 1)),
]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_a_line_on_windows_is_the_line_on_stored_ones(
    kernel: Kernel, name: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reductions, "PIECE", 64)
    x, line = randn(batch, 2, *(7, 8, 9)[: len(kernel.size)]), LINES[name]
    same(
        lambda x: line(Windows(x, kernel)),
        lambda x: line(Windows(x, kernel).tensor()),
        x,
    )
    assert tuple(Windows(x, kernel).tensor().shape) == Windows(x, kernel).shape


def test_another_reduction_is_taken_of_stored_windows() -> None:
    x, kernel = randn(2, 3, 7), Kernel((3,), (2,), (1,))
    line = Reduce("b c ... k -> b c ...", "min")
    right = Windows(x, kernel).tensor().amin(-1)
    torch.testing.assert_close(line(Windows(x, kernel)), right)
    whole = Reduce("b c x k -> b c", "max")
    right = Windows(x, kernel).tensor().amax((-2, -1))
    torch.testing.assert_close(whole(Windows(x, kernel)), right)


@pytest.mark.parametrize("name", LINES)
def test_windows_beyond_the_edges(name: str) -> None:
    x = randn(2, 3, 6, 5)
    x[0, 0] = -torch.inf
    value = -torch.inf if name == "max" else 0.0
    seen = PaddedWindows(x.abs(), Kernel((3, 2), (2, 1), (1, 2)), (1, 1, 1, 0), value)
    assert tuple(seen.tensor().shape) == seen.shape
    torch.testing.assert_close(LINES[name](seen), LINES[name](seen.tensor()))


def test_padding_is_never_found() -> None:
    x = torch.full((1, 1, 4), -torch.inf)
    seen = PaddedWindows(x, Kernel((3,), (1,), (2,)), (2, 2), -torch.inf)
    assert where_largest(seen).tolist() == [[[0, 1, 0, 1]]]


@pytest.mark.parametrize("lead", [(), (2, 3)])
def test_windows_at_told_cells(lead: tuple[int, ...]) -> None:
    x = randn(2, 3, 6, 5)
    dice = torch.Generator().manual_seed(0)
    cells = tuple(
        [
            torch.randint(n, (*lead, m, k), generator=dice)
            for n, m, k in ((6, 4, 2), (5, 3, 3))
        ]
    )
    seen = GatheredWindows(x, cells)
    assert tuple(seen.tensor().shape) == seen.shape
    for line in LINES.values():
        torch.testing.assert_close(line(seen), line(seen.tensor()))


def test_the_first_of_several_and_the_last_nan() -> None:
    x = torch.tensor([[[1.0, 2.0, 2.0], [2.0, torch.nan, 0.0], [torch.nan, 0.0, 3.0]]])
    seen = Windows(x[None], Kernel((2, 3), (1, 1), (1, 1)))
    assert where_largest(seen).tolist() == [[[[4], [6]]]]
    ties = Windows(x[None, :, :1], Kernel((1, 3), (1, 1), (1, 1)))
    assert where_largest(ties).tolist() == [[[[1]]]]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("name", LINES)
def test_transforms(name: str) -> None:
    x, kernel = randn(3, 2, 3, 7, 6), Kernel((3, 2), (2, 1), (1, 1))

    def ours(x: Tensor) -> Tensor:
        return LINES[name](Windows(x, kernel))

    right = torch.stack([ours(one) for one in x])
    torch.testing.assert_close(torch.func.vmap(ours)(x), right)
    torch.testing.assert_close(
        torch.func.jacfwd(ours)(x[0]), torch.func.jacrev(ours)(x[0])
    )
    assert torch.autograd.gradgradcheck(ours, x[0].requires_grad_())
