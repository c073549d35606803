"""In pieces a function is the same: its values, its gradients, and what is kept."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from examples import randn
from layerlib.engine import pieces
from layerlib.engine.pieces import InPieces
from layerlib.lab import same
from layerlib.recipe import Recipe

BOTH = Recipe("b q e, b s e -> b q s")


def shares(x: Tensor) -> Tensor:
    exp = x.exp()
    return exp / exp.sum(-1, keepdim=True)


def shares_gradient(g: Tensor, x: Tensor) -> list[Tensor]:
    y = shares(x)
    return [y * (g - (g * y).sum(-1, keepdim=True))]


def met(query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    scores = BOTH(query, key) * scale
    return scores.sin() if mask is None else (scores + mask).sin()


def scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Any:
    mean = x.mean((0, 2), keepdim=True)
    y = (x - mean) ** 3 * (1 if weight is None else weight)
    return y + (0 if bias is None else bias), mean


def gated(x: Tensor, gate: Tensor) -> Tensor:
    return x * gate.tanh()


LINES: dict[str, tuple[str, str, Any, Any, list[Any]]] = {
    "rows": ("b n -> b n", "b", shares, None, [(5, 3)]),
    "written": ("b n -> b n", "b", shares, shares_gradient, [(5, 3)]),
    "two letters": ("b c n -> b c n", "b c", shares, None, [(3, 4, 5)]),
    "meeting": (
        "b q e, b s e, b q s -> b q s", "b q", met, None,
        [(2, 5, 3), (2, 4, 3), (2, 5, 4), 0.5],
    ),
    "broadcast": (
        "b q e, b s e, b q s -> b q s", "b q", met, None,
        [(2, 5, 3), (2, 4, 3), (1, 1, 4), 0.5],
    ),
    "without": (
        "b q e, b s e, b q s -> b q s", "b q", met, None,
        [(2, 5, 3), (2, 4, 3), None, 0.5],
    ),
    "averaged": (
        "b c n, 1 c 1, 1 c 1 -> b c n, 1 c 1", "c", scaled, None,
        [(2, 5, 3), (1, 5, 1), (1, 5, 1)],
    ),
    "no weight": (
        "b c n, 1 c 1, 1 c 1 -> b c n, 1 c 1", "c", scaled, None,
        [(2, 5, 3), None, (1, 5, 1)],
    ),
    "each number": ("..., ... -> ...", "...", gated, None, [(2, 3, 5), (2, 3, 5)]),
    "one number": ("..., ... -> ...", "...", gated, None, [(), ()]),
    "a row of one": ("b n -> b n", "b", shares, None, [(1, 3)]),
    "no rows": ("b n -> b n", "b", shares, None, [(0, 3)]),
    "rows of nothing": ("b n -> b n", "b", shares, None, [(4, 0)]),
}  # fmt: skip


def made(name: str) -> tuple[Callable[..., Any], Callable[..., Any], list[Any]]:
    line, along, function, gradient, given = LINES[name]
    inputs = [randn(*x) + n if isinstance(x, tuple) else x for n, x in enumerate(given)]
    settings = [x for x in inputs if isinstance(x, float)]
    assert len(settings) <= 1
    return InPieces(line, along, gradient)(function), function, inputs


@pytest.fixture(params=[1, 7, 30, 10**6], autouse=True)
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(pieces, "PIECE", request.param)
    return int(request.param)


@pytest.mark.parametrize("name", LINES)
def test_values_and_gradients(name: str) -> None:
    ours, function, inputs = made(name)
    same(ours, function, *inputs, second=True)


@pytest.mark.parametrize("name", LINES)
def test_layouts(name: str) -> None:
    ours, function, inputs = made(name)
    turned = [
        x.mT.contiguous().mT if isinstance(x, Tensor) and x.ndim > 1 else x
        for x in inputs
    ]
    same(ours, function, *turned)
    spread = [
        x[:1].expand(x.shape) if isinstance(x, Tensor) and x.ndim > 1 else x
        for x in inputs
    ]
    same(ours, function, *spread)


@pytest.mark.parametrize("name", ["meeting", "broadcast", "averaged", "each number"])
def test_some_gradients_only(name: str) -> None:
    ours, function, inputs = made(name)
    places = [n for n, x in enumerate(inputs) if isinstance(x, Tensor)]
    for needed in itertools.product([True, False], repeat=len(places)):
        found = []
        for run in (ours, function):
            given = [x.clone() if isinstance(x, Tensor) else x for x in inputs]
            leaves = [
                given[n].requires_grad_()
                for n, need in zip(places, needed, strict=True)
                if need
            ]
            y = run(*given)
            y = y[0] if isinstance(y, tuple) else y
            assert y.requires_grad == any(needed)
            g = randn(*y.shape).flip(0)
            found.append(torch.autograd.grad(y, leaves, g) if leaves else ())
        torch.testing.assert_close(*found)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated")
@pytest.mark.parametrize("name", ["rows", "written", "meeting", "averaged"])
def test_transformed(name: str) -> None:
    ours, function, inputs = made(name)

    def first(f: Any) -> Any:
        def run(x: Tensor) -> Tensor:
            y = f(x, *inputs[1:])
            return y[0] if isinstance(y, tuple) else y

        return run

    x = inputs[0]
    many = torch.stack([x, 2 * x, 1 - x])
    jvp, vmap = torch.func.jvp, torch.func.vmap

    def gradient(f: Any) -> Any:
        return torch.func.grad(lambda x: first(f)(x).square().sum())

    for transform in (first, gradient):
        right = torch.stack([transform(function)(y) for y in many])
        torch.testing.assert_close(vmap(transform(ours))(many), right)
    slopes = [jvp(first(f), (x,), (x.flip(0),))[1] for f in (ours, function)]
    torch.testing.assert_close(*slopes)
    leaf = x.clone().requires_grad_()
    y = first(ours)(leaf)
    cotangents = torch.stack([y.detach(), -y.detach()])
    settings = {"is_grads_batched": True}
    (found,) = torch.autograd.grad(y, leaf, cotangents, **settings)
    (right,) = torch.autograd.grad(first(function)(leaf), leaf, y.detach())
    torch.testing.assert_close(found, torch.stack([right, -right]))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["rows", "written", "meeting", "averaged"])
def test_compiled_and_exported(name: str, piece: int) -> None:
    if piece != 7:  # a compiler is told nothing of pieces
        return
    ours, function, inputs = made(name)
    for dynamic in (False, True):
        torch.compiler.reset()
        settings: dict[str, Any] = {"dynamic": dynamic, "backend": "eager"}
        same(torch.compile(ours, fullgraph=True, **settings), function, *inputs)

    class Layer(torch.nn.Module):
        def forward(self, *given: Any) -> Any:
            return ours(*given)

    exported = torch.export.export(Layer(), tuple(inputs), strict=False).module()
    torch.testing.assert_close(exported(*inputs), function(*inputs))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_are_rounded_once(dtype: torch.dtype) -> None:
    ours, function, (x, *more) = made("averaged")
    x = x.to(dtype).requires_grad_()
    y, mean = ours(x, *[p.float() for p in more])
    right, right_mean = function(x.float(), *[p.float() for p in more])
    assert (y.dtype, mean.dtype) == (dtype, torch.float32)
    torch.testing.assert_close(y, right.to(dtype), rtol=0, atol=0)
    torch.testing.assert_close(mean, right_mean)
    (found,) = torch.autograd.grad(y.sum(), x)
    (wide,) = torch.autograd.grad(right.sum(), x)
    assert found.dtype == dtype
    torch.testing.assert_close(found, wide)


def test_only_the_inputs_are_kept() -> None:
    ours, _, inputs = made("meeting")
    given = [x.requires_grad_() if isinstance(x, Tensor) else x for x in inputs]
    kept = [x for x in ours(*given).grad_fn.saved_tensors if x is not None]
    assert [x.data_ptr() for x in kept] == [x.data_ptr() for x in inputs[:3]]


def test_no_piece_is_larger(piece: int) -> None:
    seen = []

    def noted(x: Tensor, y: Tensor) -> Tensor:
        seen.append(max(x.numel(), y.numel(), x.shape[0] * x.shape[1] * y.shape[1]))
        return BOTH(x, y)

    InPieces("b q e, b s e -> b q s", "b q")(noted)(randn(4, 6, 3), randn(4, 5, 3))
    smallest = max(5 * 3, 5)  # keys are never cut
    assert max(seen) <= max(piece, smallest) or piece >= 4 * 6 * 5
    assert len(seen) > 1 or piece > 4 * 6 * 3


def test_what_it_says() -> None:
    assert InPieces("b n -> b n", "b")(shares).__name__ == "shares"
