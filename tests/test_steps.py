"""What a scan does at each time step, next to the plain moves that it stands for."""

import pytest
import torch

from examples import randn
from layerlib.engine.steps import add_product, by_time_step, first, parts, renewed
from layerlib.lab import lines, moves, same
from layerlib.linear import LINEAR
from layerlib.recipe import Recipe


@pytest.mark.parametrize("shape", [(4, 3), (1, 3), (0, 3), (2, 4, 3)])
@pytest.mark.parametrize("total", [(), (5,), None])
def test_a_product_onto_a_sum(
    shape: tuple[int, ...], total: tuple[int, ...] | None
) -> None:
    given = randn(*((*shape[:-1], 5) if total is None else total)), randn(*shape)
    same(
        lambda t, x, w: add_product(t, LINEAR.later(x, w)),
        lambda t, x, w: t + LINEAR(x, w),
        *given,
        randn(5, 3),
    )


def test_another_line_onto_a_sum() -> None:
    outer = Recipe("b i, b o -> i o")
    same(
        lambda t, x, y: add_product(t, outer.later(x, y)),
        lambda t, x, y: t + outer(x, y),
        randn(3, 5),
        randn(4, 3),
        randn(4, 5),
    )


def test_it_is_one_move_and_puts_its_line_down() -> None:
    def call(total: torch.Tensor, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return add_product(total, LINEAR.later(x, w))

    given = randn(4, 5), randn(4, 3), randn(5, 3)
    assert list(lines(call, *given)) == [LINEAR]
    assert "add" not in moves(call, *given)


def test_rows_of_each_moment() -> None:
    rows = randn(6, 2)
    found = by_time_step(rows, [3, 2, 1])
    assert [len(moment) for moment in found] == [3, 2, 1]
    assert torch.equal(torch.cat(found), rows)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_parts_lie_side_by_side(count: int) -> None:
    x = randn(2, 12)
    found = parts(x, count)
    assert len(found) == count
    assert torch.equal(torch.cat(found, -1), x)


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_first_rows_and_new_ones(count: int) -> None:
    old, new = randn(4, 2), randn(count, 2) + 1
    assert torch.equal(first(count, old), old[:count])
    found = renewed(new, old)
    assert torch.equal(found[:count], new)
    assert torch.equal(found[count:], old[count:])
    assert not moves(lambda x: first(4, x), old)
    assert not moves(lambda x: renewed(x, old), old + 1)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("dynamic", [True, False])
def test_transformed(dynamic: bool) -> None:
    def call(total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return renewed(add_product(total, LINEAR.later(first(2, x), w)), x)

    w, x, total = randn(3, 3), randn(4, 3), randn(2, 3)
    right = torch.cat([total + x[:2] @ w.T, x[2:]])
    compiled = torch.compile(call, fullgraph=True, dynamic=dynamic, backend="eager")
    torch.testing.assert_close(compiled(total, x), right)
    stacked = torch.func.vmap(call)(total.expand(3, 2, 3), x.expand(3, 4, 3))
    torch.testing.assert_close(stacked, right.expand(3, 4, 3))
    assert torch.autograd.gradgradcheck(
        call, (total.requires_grad_(), x.requires_grad_())
    )
