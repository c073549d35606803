"""Cosine similarity and pairwise distance, next to torch's: every option and shape."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from examples import randn
from layerlib import distance
from layerlib.distance import DOT, cosine_similarity, normalize, pairwise_distance
from layerlib.lab import same

SHAPES = [
    ((4, 3), (4, 3)),
    ((3,), (3,)),
    ((3,), (4, 3)),
    ((4, 1), (4, 3)),
    ((2, 1, 3), (4, 3)),
    ((0, 3), (0, 3)),
    ((4, 0), (4, 0)),
    ((2, 4, 3), (2, 4, 3)),
]
POWERS = [2.0, 1.0, 3.0, 1.5, 0.5, 0.0, -1.0, torch.inf, -torch.inf]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("keepdim", [True, False])
def test_pairwise_distance(shapes: Any, p: float, keepdim: bool) -> None:
    if shapes[0] == (4, 0) and p in (torch.inf, -torch.inf, -1.0):
        return  # there is no largest of no numbers; torch raises, and so do we
    same(
        lambda a, b: pairwise_distance(a, b, p, 1e-3, keepdim),
        lambda a, b: functional.pairwise_distance(a, b, p, 1e-3, keepdim),
        *(3 * randn(*s) for s in shapes),
        second=0 < p < torch.inf,
    )


def test_pairwise_distance_of_two_numbers() -> None:
    same(pairwise_distance, functional.pairwise_distance, randn(), randn(1)[0] + 1)


@pytest.mark.parametrize("p", POWERS)
def test_no_difference_has_no_gradient(p: float) -> None:
    x, y = randn(3, 4), randn(3, 4)
    y[0], y[1, 2] = x[0], x[1, 2]
    for eps in (0.0, 1e-6):
        same(
            lambda a, b, eps=eps: pairwise_distance(a, b, p, eps),
            lambda a, b, eps=eps: functional.pairwise_distance(a, b, p, eps),
            x,
            y,
            second=p == 3.0,
        )


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, torch.inf])
def test_complex_distance(p: float) -> None:
    same(
        lambda a, b: pairwise_distance(a, b, p),
        lambda a, b: functional.pairwise_distance(a, b, p),
        *(randn(4, 3, dtype=torch.complex128) + i for i in range(2)),
    )


def test_cosine_similarity_of_numbers_of_two_dtypes() -> None:
    given = [randn(4, 3, dtype=torch.float32), torch.arange(12).reshape(4, 3)]
    for x, y in (given, given[::-1]):
        same(cosine_similarity, functional.cosine_similarity, x, y)
    same(pairwise_distance, functional.pairwise_distance, *given)
    whole = [torch.arange(6).reshape(2, 3), torch.ones(2, 3, dtype=torch.int64)]
    same(pairwise_distance, functional.pairwise_distance, *whole)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("dim", [-1, 0, 1])
@pytest.mark.parametrize("eps", [1e-8, 1.0])
def test_cosine_similarity(shapes: Any, dim: int, eps: float) -> None:
    if len(shapes[1]) == 1 and dim == 1:
        return
    given = [randn(*s) for s in shapes]
    if shapes[0] == shapes[1] == (4, 3):
        given[0][1], given[1][2] = 0, 0
    same(
        lambda a, b: cosine_similarity(a, b, dim, eps),
        lambda a, b: functional.cosine_similarity(a, b, dim, eps),
        *given,
        second=eps == 1e-8 and shapes != SHAPES[0],
    )


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_nan_and_infinity_pass_as_in_torch(value: float) -> None:
    x, y = randn(3, 4), randn(3, 4)
    x[0, 1] = value
    same(pairwise_distance, functional.pairwise_distance, x, y)
    same(cosine_similarity, functional.cosine_similarity, x, y)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1, 100])
def test_half_precision_is_rounded_once(dtype: torch.dtype, scale: int) -> None:
    x, y = (scale * randn(9, 64 + i, dtype=dtype)[:, :64] for i in range(2))
    for ours, theirs in (
        (pairwise_distance, functional.pairwise_distance),
        (cosine_similarity, functional.cosine_similarity),
    ):
        exact, mine = theirs(x.double(), y.double()), ours(x, y)
        assert mine.dtype == dtype
        # In 32 bits, to about 100 roundings, and then to half a unit in the last place.
        unit = torch.finfo(dtype).eps * 2.0 ** exact.abs().log2().floor()
        more = 100 * 2**-24 * exact.abs().max()
        assert bool(((mine.double() - exact).abs() <= 0.5 * unit + more).all())


def test_lines_mean_the_same() -> None:
    x, y = randn(4, 3), randn(4, 3) + 1
    lengths = DOT.literal(x, x).sqrt() * DOT.literal(y, y).sqrt()
    torch.testing.assert_close(cosine_similarity(x, y), DOT.literal(x, y) / lengths)
    torch.testing.assert_close(
        pairwise_distance(x, y, eps=0.0), DOT.literal(x - y, x - y).sqrt()
    )


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (
            lambda: cosine_similarity(randn(2, 3), randn(2, 4)),
            ValueError,
            r"cosine_similarity: expected two shapes that can be broadcast, got \(2, 3\) and \(2, 4\)",
        ),
        (
            lambda: pairwise_distance(randn(2, 3), randn(3, 3)),
            ValueError,
            r"pairwise_distance: expected two shapes .* got \(2, 3\) and \(3, 3\)",
        ),
        (
            lambda: cosine_similarity(torch.arange(3), torch.arange(3), 0),
            TypeError,
            "expected real numbers, got torch.int64",
        ),
        (
            lambda: cosine_similarity(randn(3) + 1j, randn(3), 0),
            TypeError,
            "expected real numbers, got torch.complex128",
        ),
        (lambda: cosine_similarity(randn(3), randn(3)), IndexError, "out of range"),
        (
            lambda: pairwise_distance(randn(4, 0), randn(4, 0), torch.inf),
            IndexError,
            "to have non-zero size",
        ),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        call()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dtypes_under_autocast(dtype: torch.dtype) -> None:
    x, y = randn(4, 3).to(dtype), randn(4, 3).flip(0).to(dtype)
    for name in ("cosine_similarity", "pairwise_distance"):
        with torch.autocast("cpu", torch.bfloat16):
            ours, theirs = getattr(distance, name), getattr(functional, name)
            assert ours(x, y).dtype == theirs(x, y).dtype
        torch.testing.assert_close(ours(x, y), theirs(x, y))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.cosine_similarity(randn(2, 3), randn(2, 4)),
        lambda m: m.cosine_similarity(torch.arange(3), torch.arange(3), 0),
        lambda m: m.cosine_similarity(randn(3) + 1j, randn(3), 0),
        lambda m: m.cosine_similarity(randn(2, 3).numpy(), randn(2, 3)),
        lambda m: m.pairwise_distance(randn(2, 3), randn(3, 3)),
        lambda m: m.pairwise_distance(randn(2, 3), randn(2, 3).numpy()),
    ],
)
def test_an_error_is_of_torchs_class_too(call: Callable[[Any], Any]) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        call(functional)
    with pytest.raises(theirs.type, match=r"(similarity|distance): expected .*, got "):
        call(distance)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated")
@pytest.mark.parametrize("name", ["cosine_similarity", "pairwise_distance"])
def test_checkpoint_forward_mode_and_many_cotangents(name: str) -> None:
    f = getattr(distance, name)
    x, y = randn(4, 3).requires_grad_(), randn(4, 3).flip(0).requires_grad_()
    again = checkpoint(f, x, y, use_reentrant=False)
    right = torch.autograd.grad(f(x, y), [x, y], randn(4))
    torch.testing.assert_close(torch.autograd.grad(again, [x, y], randn(4)), right)
    _, slope = torch.func.jvp(lambda x: f(x, y), (x,), (randn(4, 3),))
    (along,) = torch.autograd.grad(f(x, y).sum(), x)
    torch.testing.assert_close(slope, (along * randn(4, 3)).sum(-1))
    many = torch.stack([randn(4), 2 * randn(4)])
    found = torch.autograd.grad(f(x, y), [x, y], many, is_grads_batched=True)
    torch.testing.assert_close([g[1] for g in found], [2 * g for g in right])


PS = [2.0, 1.0, 3.0, 1.5, 0.5, 0.0, -1.0, math.inf, -math.inf]


@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize("dim", [0, 1, -1, (1, 2), (0, 1, 2)])
def test_normalize(p: float, dim: Any) -> None:
    same(normalize, functional.normalize, randn(3, 4, 5), p, dim)
    same(normalize, functional.normalize, randn(3, 4, 5), p, dim, 3.0)


@pytest.mark.parametrize("p", [2.0, 3.0, 1.5])
def test_second_gradients_of_normalize(p: float) -> None:
    same(normalize, functional.normalize, randn(3, 4), p, second=True)


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 4.0, 1.5, 0.5, 0.0, math.inf])
def test_normalize_zeros(p: float) -> None:
    x = randn(3, 4)
    x[0], x[1, 2], x[2, 1:3] = 0, 0, 5
    same(normalize, functional.normalize, x, p)


@pytest.mark.parametrize("p", PS)
def test_normalize_complex(p: float) -> None:
    x = randn(3, 4, dtype=torch.complex128)
    same(normalize, functional.normalize, x, p)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_normalize_nothing(shape: tuple[int, ...]) -> None:
    same(normalize, functional.normalize, randn(*shape))


def test_normalize_into_a_tensor() -> None:
    out = torch.empty(2, 3).double()
    assert normalize(randn(2, 3), out=out) is out
    torch.testing.assert_close(out, functional.normalize(randn(2, 3)))


def test_the_errors_of_normalize_are_of_torchs_class_too() -> None:
    whole = torch.ones(2, 3).long()
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        functional.normalize(whole)
    with pytest.raises(theirs.type, match=r"normalize: expected .*, got "):
        normalize(whole)


@pytest.mark.usefixtures("as_installed")
def test_an_array_is_no_vector() -> None:
    with pytest.raises(TypeError, match="normalize: expected a tensor as input"):
        normalize(randn(2, 3).numpy())  # type: ignore[arg-type]
