"""A given gradient is autograd's: once, twice, mapped over, compiled."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from examples import randn
from layerlib.engine.gradient import adjoints, with_gradient
from layerlib.lab import same


def _cosine_gradient(
    needed: Sequence[bool], cotangent: Tensor, x: Tensor, factor: float
) -> list[Tensor]:
    assert needed == (True, False)
    return [-factor * cotangent * torch.sin(x)]


@with_gradient(_cosine_gradient)
def cosine(x: Tensor, factor: float) -> Tensor:
    """It says what it does."""
    return torch.cos(x).mul_(factor)  # in place: autograd is off here


@with_gradient(lambda _, cotangent, output, _x: [cotangent * output], keeps_output=True)
def exponential(x: Tensor) -> Tensor:
    return torch.exp(x)


@with_gradient(
    lambda needed, cotangent, a, b: [
        cotangent @ b.mT if needed[0] else None,
        a.mT @ cotangent if needed[1] else None,
    ]
)
def product(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


@with_gradient(lambda _, far, _at, x: [2 * far.unsqueeze(-1) * x / x.shape[-1]])
def power(x: Tensor) -> tuple[Tensor, Tensor]:
    return (x * x).mean(-1), x.argmax(-1)


def _grown(x: Tensor, n: int) -> Tensor:
    return torch.cat([x] * n, -1)


def _shrunk(x: Tensor, n: int) -> Tensor:
    return x.reshape(*x.shape[:-1], n, -1).sum(-2)  # several at once know it


repeated, summed = adjoints(_grown, _shrunk)

CASES = [
    (lambda x: cosine(x, 3.0), lambda x: 3 * torch.cos(x)),
    (exponential, torch.exp),
    (lambda x: product(x, x.mT), lambda x: x @ x.mT),
    (lambda x: power(x)[0], lambda x: (x * x).mean(-1)),
    (lambda x: repeated(x, 3) ** 3, lambda x: _grown(x, 3) ** 3),
    (lambda x: summed(x, 2) ** 3, lambda x: _shrunk(x, 2) ** 3),
]


@pytest.mark.parametrize(("ours", "theirs"), CASES)
def test_gradients_are_autograds(ours: Any, theirs: Any) -> None:
    x = randn(3, 4)
    same(ours, theirs, x, second=True)
    third = [
        torch.func.grad(
            lambda x, f=f: (
                torch.func.jacrev(torch.func.grad(lambda x: f(x).sum()))(x)
                .square()
                .sum()
            )
        )
        for f in (ours, theirs)
    ]
    torch.testing.assert_close(third[0](x), third[1](x))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(("ours", "theirs"), CASES)
@pytest.mark.filterwarnings(  # of torch's own doing
    "ignore:.*should not be instantiated:DeprecationWarning",
    "ignore:.*torch.jit.script. is deprecated:DeprecationWarning",
)
def test_transformed_and_compiled(ours: Any, theirs: Any) -> None:
    def gradient(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return torch.func.grad(lambda x: f(x).square().sum())

    x = randn(2, 3, 4)
    for transform in (lambda f: f, gradient, lambda f: torch.func.jacrev(gradient(f))):
        mapped = torch.func.vmap(transform(ours))
        torch.testing.assert_close(
            mapped(x), torch.stack([transform(theirs)(y) for y in x])
        )
    torch.testing.assert_close(
        torch.func.jacfwd(ours)(x[0]), torch.func.jacrev(theirs)(x[0])
    )
    torch.compiler.reset()
    same(torch.compile(ours, fullgraph=True, backend="eager"), theirs, x[0])
    leaf = x.to("meta").requires_grad_()
    assert torch.autograd.grad(ours(leaf).sum(), leaf)[0].shape == x.shape


@pytest.mark.parametrize(("ours", "theirs"), CASES)
def test_several_at_once(ours: Any, theirs: Any) -> None:
    """As `torch.autograd.functional.jacobian` asks, and derivable once more."""
    found = []
    for function in (ours, theirs):
        x = torch.linspace(0.5, 2, 12).reshape(3, 4).requires_grad_()
        y = function(x)
        cotangents = torch.linspace(-1, 1, 2 * y.numel()).reshape(2, *y.shape)
        (several,) = torch.autograd.grad(
            y, x, cotangents, is_grads_batched=True, create_graph=True
        )
        again = (several.square().sum() + several.sum() + x.square().sum(),)
        found.append((several, *torch.autograd.grad(again, x)))
    torch.testing.assert_close(found[0], found[1])


def test_only_what_is_needed_is_asked_for() -> None:
    asked = []

    @with_gradient(
        lambda needed, cotangent, *_: asked.append(needed) or [cotangent, -cotangent]
    )
    def difference(a: Tensor, b: Tensor) -> Tensor:
        return a - b

    for needed in [(True, False), (False, True), (True, True)]:
        given = [randn(3).requires_grad_(each) for each in needed]
        difference(*given).sum().backward()
        assert [x.grad is not None for x in given] == list(needed)
        assert asked.pop() == needed
    leaves = [randn(2, 3).requires_grad_(), randn(3, 4).requires_grad_()]
    for leaf in leaves:  # the other product is not computed
        assert torch.autograd.grad(product(*leaves).sum(), leaf)[0].shape == leaf.shape


def test_without_gradients_it_is_the_function() -> None:
    x = randn(3)
    assert cosine(x, 2.0).grad_fn is None
    with torch.no_grad():
        assert cosine(x.requires_grad_(), 2.0).grad_fn is None
    assert cosine.__name__ == "cosine"
    assert cosine.__doc__ == "It says what it does."


def test_whole_number_outputs_have_no_gradient() -> None:
    mean, at = power(randn(3, 4).requires_grad_())
    assert mean.requires_grad
    assert not at.requires_grad


def test_what_is_kept() -> None:
    x = randn(3).requires_grad_()
    kept = {
        f: f(x).grad_fn.saved_tensors for f in (exponential, lambda x: repeated(x, 2))
    }
    assert [[t is not None for t in found] for found in kept.values()] == [
        [True] * 2,
        [False] * 2,
    ]


def test_a_kept_output_must_not_be_changed() -> None:
    output = exponential(randn(3).requires_grad_())
    output.detach().mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()
