"""Every piece of the engine, next to the plain moves that it stands for, in all uses.

Limits are so small that what is large is met with few numbers: each function runs in
several pieces. Values, first and second gradients, `vmap`, forward mode, and
`torch.compile` and `torch.export` have to be those of the moves on stored tensors.
"""

import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from examples import randn
from layerlib import engine
from layerlib.conv import CONV
from layerlib.conv_transpose import CONV_TRANSPOSE
from layerlib.embedding import BAGS, EMBEDDING
from layerlib.engine import lookup, pieces, reductions, sums
from layerlib.engine.bands import OneHot as Places
from layerlib.engine.bits import above, choose, keep
from layerlib.engine.gradient import with_gradient
from layerlib.engine.kernel import Kernel
from layerlib.engine.lookup import Bags, OneHot
from layerlib.engine.padding import Padding
from layerlib.engine.pieces import InPieces
from layerlib.engine.reductions import GatheredWindows, PaddedWindows
from layerlib.engine.slope import of_output, sloped
from layerlib.engine.steps import add_product
from layerlib.engine.windows import Windows, overlap_added
from layerlib.lab import same
from layerlib.linear import LINEAR
from layerlib.pool import BINS, MAX, SUM, UNPOOL, mean_of_bins
from layerlib.recipe import Recipe, Sizes
from layerlib.windows import MODES, PAD

KERNEL = Kernel((3, 2), (2, 1), (1, 2))
WORDS = torch.tensor([4, 0, 4, 2])
BAG = torch.tensor([0, 0, 2, 2])
CELLS = (torch.tensor([[0, 1], [2, 3], [3, 3]]),)
PLACES = torch.tensor([[0, 3, 5], [1, 2, 6]])
EDGES = Padding(5, 2, 3, MODES["reflect"])


class Piece(NamedTuple):
    """What the engine runs, the moves that it stands for, and some inputs."""

    fast: Callable[..., Tensor]
    plain: Callable[..., Tensor]
    shapes: list[tuple[int, ...]]


def over(line: Any, operand: Callable[[Tensor], Any]) -> tuple[Any, Any]:
    """A line of one thing that is not stored, and of the same stored."""
    return lambda x: line(operand(x)), lambda x: line(operand(x).tensor())


def _cube_gradient(_needed: object, g: Tensor, x: Tensor) -> list[Tensor]:
    return [3 * x * x * g]


def _shares(x: Tensor) -> Tensor:
    exp = x.exp()
    return exp / exp.sum(-1, keepdim=True)


def _shares_gradient(g: Tensor, y: Tensor) -> Tensor:
    return y * (g - (g * y).sum(-1, keepdim=True))


def _added_stamps(stored: bool) -> Callable[[Tensor, Tensor], Tensor]:
    def run(x: Tensor, weight: Tensor) -> Tensor:
        stamps = CONV_TRANSPOSE.later(x, weight)
        given = stamps.tensor() if stored else stamps
        return overlap_added(given, KERNEL.length(x.shape[3:]), KERNEL)

    return run


def einsum(equation: str) -> Callable[..., Tensor]:
    return lambda *inputs: torch.einsum(equation, *inputs)


PIECES = {
    "contract: rows and columns": Piece(
        LINEAR, einsum("...i,oi->...o"), [(3, 2, 4), (5, 4)]
    ),
    "contract: letters that are apart": Piece(
        Recipe("v i e, b e n i -> b v n"), einsum("vie,beni->bvn"), [(2, 4, 3), (5, 3, 2, 4)]
    ),
    "contract: nothing but a sum": Piece(
        Recipe("i, i ->"), einsum("i,i->"), [(4,), (4,)]
    ),
    "sums: a convolution": Piece(
        lambda x, weight: CONV(Windows(x, KERNEL), weight),
        lambda x, weight: CONV(Windows(x, KERNEL).tensor(), weight),
        [(3, 2, 2, 6, 5), (2, 3, 2, 6)],
    ),
    "sums: stamps": Piece(
        _added_stamps(stored=False),
        _added_stamps(stored=True),
        [(3, 2, 2, 3, 2), (2, 2, 3, 6)],
    ),
    "windows: a sum": Piece(
        *over(SUM, lambda x: Windows(x, KERNEL)), [(3, 2, 6, 5)]
    ),
    "reductions: a maximum": Piece(
        *over(MAX, lambda x: PaddedWindows(x, KERNEL, (1, 0, 1, 1), -torch.inf)),
        [(3, 2, 6, 5)],
    ),
    "reductions: told cells": Piece(
        *over(MAX, lambda x: GatheredWindows(x, CELLS)), [(3, 2, 4)]
    ),
    "bands: means of bins": Piece(
        lambda x: BINS(x, mean_of_bins(7, 3)),
        lambda x: BINS(x, mean_of_bins(7, 3).tensor()),
        [(3, 2, 7)],
    ),
    "bands: places": Piece(
        lambda x: UNPOOL(x, Places(PLACES.expand(3, 2, 3), 7)),
        lambda x: UNPOOL(x, Places(PLACES.expand(3, 2, 3), 7).tensor().double()),
        [(3, 2, 3)],
    ),
    "lookup: rows": Piece(
        lambda table: EMBEDDING(OneHot(WORDS, 5), table),
        lambda table: EMBEDDING(OneHot(WORDS, 5).tensor().double(), table),
        [(5, 3)],
    ),
    "lookup: bags": Piece(
        lambda table, w: BAGS(Bags(BAG, 3, w), OneHot(WORDS, 5), table),
        lambda table, w: BAGS(
            Bags(BAG, 3, w).tensor(), OneHot(WORDS, 5).tensor().double(), table
        ),
        [(5, 3), (4,)],
    ),
    "padding: a mirror": Piece(
        lambda x: PAD(x, EDGES),
        lambda x: PAD(x, EDGES.tensor().double()),
        [(3, 2, 5)],
    ),
    "steps: a product added": Piece(
        lambda total, x, weight: add_product(total, LINEAR.later(x, weight)),
        lambda total, x, weight: total + LINEAR(x, weight),
        [(3, 4), (3, 2), (4, 2)],
    ),
    "bits: cases": Piece(
        lambda x: keep(x, above(x, 0.25)) + choose(above(x, 0), x * x, 0.5),
        lambda x: torch.where(x > 0.25, x, 0) + torch.where(x > 0, x * x, 0.5),
        [(3, 4)],
    ),
    "gradient: written": Piece(
        with_gradient(_cube_gradient)(lambda x: x * x * x),
        lambda x: x * x * x,
        [(3, 4)],
    ),
    "slope: of each number": Piece(
        sloped(torch.sin, torch.cos, None, at_once=False), torch.sin, [(3, 4)]
    ),
    "slope: of the output": Piece(
        of_output("b n -> b n", "b", _shares_gradient)(_shares), _shares, [(5, 4)]
    ),
    "pieces: of rows": Piece(
        InPieces("b n -> b n", "b")(_shares), _shares, [(5, 4)]
    ),
}  # fmt: skip
"""Of each module of the engine at least one; each in all the tests below."""

each_piece = pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)


@pytest.fixture(autouse=True, params=[1, 9, 2**20])
def limit(request: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Pieces of one row, of some, and all in one."""
    for module in (lookup, pieces, reductions, sums):
        monkeypatch.setattr(module, "PIECE", request.param)
    return request.param


def inputs_of(piece: Piece) -> list[Tensor]:
    return [randn(*shape) for shape in piece.shapes]


def test_every_module_is_here() -> None:
    told = {name.split(":")[0] for name in PIECES}
    files = {module.name for module in pkgutil.iter_modules(engine.__path__)}
    assert files - told == {"kernel"}  # which is in several of them


@each_piece
def test_second_gradients(piece: Piece) -> None:
    same(piece.fast, piece.plain, *inputs_of(piece), second=True)


@each_piece
def test_mapped(piece: Piece) -> None:
    inputs = inputs_of(piece)
    many = torch.stack([inputs[0], 1 - inputs[0], inputs[0].flip(-1)])

    def gradient(function: Any) -> Any:
        return torch.func.grad(lambda x: function(x, *inputs[1:]).square().sum())

    def value(function: Any) -> Any:
        return lambda x: function(x, *inputs[1:])

    for transform in (value, gradient):
        found = torch.func.vmap(transform(piece.fast))(many)
        right = torch.stack([transform(piece.plain)(x) for x in many])
        torch.testing.assert_close(found, right)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated")
@each_piece
def test_forward_mode(piece: Piece) -> None:
    inputs = tuple(inputs_of(piece))
    tangents = tuple(x.flip(-1) for x in inputs)
    found, right = (
        torch.func.jvp(function, inputs, tangents)
        for function in (piece.fast, piece.plain)
    )
    torch.testing.assert_close(found, right)


@pytest.mark.usefixtures("as_installed")
@each_piece
def test_compiled_and_exported(piece: Piece, limit: int) -> None:
    if limit != 9:  # a compiler is told nothing of pieces
        return
    for dynamic in (False, True):
        torch.compiler.reset()
        settings: dict[str, Any] = {"dynamic": dynamic, "backend": "eager"}
        compiled = torch.compile(piece.fast, fullgraph=True, **settings)
        same(compiled, piece.plain, *inputs_of(piece))

    class Layer(torch.nn.Module):
        def forward(self, *given: Any) -> Any:
            return piece.fast(*given)

    inputs = tuple(inputs_of(piece))
    exported = torch.export.export(Layer(), inputs, strict=False).module()
    torch.testing.assert_close(exported(*inputs), piece.plain(*inputs))


@pytest.mark.parametrize("batch", [(), (0,), (2, 0), (3, 2)])
@pytest.mark.parametrize("features", [0, 4])
def test_a_gradient_lies_as_its_weight(batch: Sizes, features: int) -> None:
    """Turned, it would be copied where it is stored. With nothing to sum it is 0."""
    x, weight = torch.randn(*batch, features), torch.randn(5, features)
    y = LINEAR(x, weight.requires_grad_())
    torch.testing.assert_close(y, x @ weight.T)
    (gradient,) = torch.autograd.grad(y, weight, torch.ones_like(y))
    assert gradient.is_contiguous()
    right = torch.einsum("...o,...i->oi", torch.ones_like(y), x)
    torch.testing.assert_close(gradient, right)


@pytest.mark.parametrize(
    ("line", "matrices"),
    [
        ("b n e, v e -> b n v", (0, ("b", "n"), ("e",), ("v",))),
        ("v e, b n e -> b n v", (1, ("b", "n"), ("e",), ("v",))),
        ("n, n ->", (0, (), ("n",), ())),
        ("b n i, n i o -> b n o", None),  # n is in all three
        ("b i, o -> b o", None),  # i is in one alone
        ("b i j, o i -> b o", None),
        ("b, o -> b o", None),  # there is no sum
        ("b i, i o, o -> b", None),
        ("b i -> b", None),
    ],
)
def test_which_lines_are_matrices(line: str, matrices: Any) -> None:
    found = Recipe(line).matrices
    assert (found and found[2:]) == matrices


@pytest.mark.parametrize("name", [n for n in PIECES if "slope" in n or "bits" in n])
def test_no_numbers(name: str) -> None:
    empty = torch.zeros(0, 4, dtype=torch.float64)
    same(PIECES[name].fast, PIECES[name].plain, empty)
