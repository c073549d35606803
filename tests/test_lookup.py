"""One-hot rows and bags that are not stored, next to those that are."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from examples import randn
from layerlib.embedding import BAGS, EMBEDDING, LARGEST
from layerlib.engine import lookup
from layerlib.engine.lookup import Bags, Learning, Members, OneHot, moved
from layerlib.lab import same
from layerlib.recipe import Recipe, Reduce, stored

WORDS = torch.tensor([1, 4, 1, 0, 4, 4, 2])
BAG = torch.tensor([0, 0, 2, 3, 2, 2, 0])


@pytest.fixture(params=[1, 6, 2**17])
def piece(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces, so that there are several."""
    monkeypatch.setattr(lookup, "PIECE", request.param)


@pytest.mark.parametrize("words", [WORDS, WORDS[:6].reshape(3, 2).int(), WORDS[0]])
def test_one_hot_rows_read(words: Tensor) -> None:
    rows = OneHot(words, 5)
    assert rows.shape == (*words.shape, 5) == tuple(rows.tensor().shape)
    same(
        lambda table: EMBEDDING(rows, table),
        lambda table: EMBEDDING(rows.tensor().to(table), table),
        randn(5, 3),
        second=True,
    )


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("n", [7, 1, 0])
def test_bags_add_up(n: int, weights: bool) -> None:
    shares, table, words = randn(7)[:n], randn(5, 3), OneHot(WORDS[:n], 5)

    def bags(shares: Tensor) -> Bags:
        return Bags(BAG[:n], 3, shares if weights else None)

    assert bags(shares).shape == (3, n) == tuple(bags(shares).tensor().shape)
    same(
        lambda table, shares: BAGS(bags(shares), words, table) + 0 * shares.sum(),
        lambda table, shares: (
            BAGS(bags(shares).tensor().to(table), words.tensor().to(table), table)
            + 0 * shares.sum()
        ),
        table,
        shares,
        second=True,
    )


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("n", [7, 1])
def test_the_largest_of_each_bag(n: int) -> None:
    bags, words = Bags(BAG[:n], 3), OneHot(WORDS[:n], 5)
    table = randn(5, 3)
    members = Members(bags, words, table)
    assert members.shape == (3, n, 3) == tuple(members.tensor().shape)
    same(
        lambda table: LARGEST(Members(bags, words, table)),
        lambda table: LARGEST(Members(bags, words, table).tensor()),
        table,
    )


def test_other_lines_get_what_is_stored() -> None:
    rows, bags = OneHot(WORDS, 5), Bags(BAG, 3)
    both: list[tuple[Any, list[Any]]] = [
        (Recipe("n v -> v"), [rows]),
        (Recipe("n v, m v -> n m"), [rows, rows]),
        (Recipe("b n, n v -> b v"), [bags, rows]),
        (Reduce("b n e -> b n", "max"), [Members(bags, rows, randn(5, 3))]),
        (Recipe("b n -> b"), [bags]),
    ]
    for line, given in both:
        assert torch.equal(line(*given), line(*map(stored, given)))


def test_sizes_of_bags() -> None:
    bags = Bags(BAG, 3)
    assert bags.sizes().flatten().tolist() == [3, 1, 3]
    assert bags.empty().flatten().tolist() == [False, True, False]


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize(
    "learning",
    [Learning(4), Learning(by_frequency=True), Learning(1, by_frequency=True)],
)
@pytest.mark.parametrize("weights", [None, randn(7)])
def test_how_a_table_learns(learning: Learning, weights: Tensor | None) -> None:
    table, g = randn(5, 3).requires_grad_(), randn(4, 3)
    output = moved(table, weights, WORDS, BAG, 4, learning)
    (found,) = torch.autograd.grad(output, table, g)
    shares = torch.ones(7).double() if weights is None else weights
    right = torch.zeros(5, 3).double()
    for word, bag, share in zip(WORDS, BAG, shares, strict=True):
        often = (word == WORDS).sum() if learning.by_frequency else 1
        right[word] += share * g[bag] / often
    if learning.padding is not None:
        right[learning.padding] = 0
    torch.testing.assert_close(found, right)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("dynamic", [True, False])
def test_compiles_and_maps(dynamic: bool) -> None:
    calls: list[Callable[..., Tensor]] = [
        lambda x, table: EMBEDDING(OneHot(x, 5), table),
        lambda x, table: BAGS(Bags(BAG[: len(x)], 3), OneHot(x, 5), table),
        lambda x, table: LARGEST(Members(Bags(BAG[: len(x)], 3), OneHot(x, 5), table)),
    ]
    for call in calls:
        torch.compiler.reset()
        compiled = torch.compile(call, fullgraph=True, dynamic=dynamic, backend="eager")
        for n in (7, 5, 4):
            given = WORDS[:n], randn(5, 3)
            torch.testing.assert_close(compiled(*given), call(*given))
        tables, words = randn(4, 5, 3), torch.stack([WORDS, WORDS.flip(0)])
        found = torch.func.vmap(call, (None, 0))(WORDS, tables)
        torch.testing.assert_close(found[1], call(WORDS, tables[1]))
        found = torch.func.vmap(call, (0, None))(words, tables[0])
        torch.testing.assert_close(found[1], call(words[1], tables[0]))


@pytest.mark.usefixtures("piece")
def test_maps_in_pieces_too() -> None:
    words, tables = torch.stack([WORDS, WORDS.flip(0)]), randn(2, 5, 3)
    found = torch.func.vmap(lambda x, w: BAGS(Bags(BAG, 3), OneHot(x, 5), w))
    each = [
        BAGS(Bags(BAG, 3), OneHot(x, 5), w) for x, w in zip(words, tables, strict=True)
    ]
    torch.testing.assert_close(found(words, tables), torch.stack(each))


def test_exports() -> None:
    class Read(torch.nn.Module):
        def forward(self, x: Tensor, table: Tensor) -> Tensor:
            return EMBEDDING(OneHot(x, 5), table) + BAGS(
                Bags(BAG, 7), OneHot(x, 5), table
            )

    given = WORDS, randn(5, 3)
    exported = torch.export.export(Read(), given).module()
    torch.testing.assert_close(exported(*given), Read()(*given))
