"""Sums over windows by themselves: places, pieces, letters, and every derivative."""

from typing import Any

import pytest
import torch
from torch import Tensor

from examples import randn
from layerlib.conv import CONV
from layerlib.conv_transpose import CONV_TRANSPOSE
from layerlib.engine import sums
from layerlib.engine.windows import Kernel, Windows, overlap_added
from layerlib.recipe import Recipe

KERNELS = [
    Kernel((3, 2)),
    Kernel((1, 1)),
    Kernel((1, 1), (2, 1)),
    Kernel((2, 2), (1, 1), (2, 1)),  # dilated, and with places that are views
    Kernel((2, 3), (2, 1), (1, 2)),
    Kernel((2, 2), (3, 2), (2, 1)),
]
CHANNELS = [(1, 1, 1), (1, 3, 2), (2, 1, 1), (2, 2, 3), (3, 1, 2)]  # g, o, i


@pytest.fixture(params=[(0, 2**18), (99, 2**18), (0, 1), (99, 1), (0, 300)])
def limits(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows stored or not, and pieces of one row, of some, or none."""
    stored, piece = request.param
    monkeypatch.setattr(sums, "STORED", stored)
    monkeypatch.setattr(sums, "PIECE", piece)


def tensors(kernel: Kernel, channels: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    (g, o, i), n = channels, (6, 7)
    k = kernel.size[0] * kernel.size[1]
    y = randn(3, g, o, *kernel.counts(n))
    return randn(3, g, i, *n), randn(g, o, i, k), y


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_three_faces(kernel: Kernel, channels: tuple[int, ...]) -> None:
    """Each one is the line on windows that are stored, and so are its gradients."""
    x, kernels, y = tensors(kernel, channels)
    leaves = [x.requires_grad_(), kernels.requires_grad_()]
    found = CONV(Windows(x, kernel), kernels)
    right = CONV(Windows(x, kernel).tensor(), kernels)
    torch.testing.assert_close(found, right)
    assert found.is_contiguous()
    torch.testing.assert_close(
        torch.autograd.grad(found, leaves, y), torch.autograd.grad(right, leaves, y)
    )
    weight = kernels.detach().requires_grad_()
    leaves = [y.requires_grad_(), weight]
    stamps = CONV.gradient(0).later(y, weight)
    found = overlap_added(stamps, (6, 7), kernel)
    right = overlap_added(stamps.tensor(), (6, 7), kernel)
    torch.testing.assert_close(found, right)
    cotangent = randn(*x.shape)
    torch.testing.assert_close(
        torch.autograd.grad(found, leaves, cotangent),
        torch.autograd.grad(right, leaves, cotangent),
    )


def both(kernel: Kernel) -> list[Any]:
    return [
        lambda x, w: CONV(Windows(x, kernel), w),
        lambda x, w: overlap_added(
            CONV_TRANSPOSE.later(x, w), kernel.length(x.shape[3:]), kernel
        ),
    ]


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("kernel", [Kernel((2,)), Kernel((2,), (2,), (2,))])
@pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated")
def test_derivatives(kernel: Kernel, which: int) -> None:
    """Of both orders, forward and backward, of complex numbers and of mapped ones."""
    function, w = both(kernel)[which], randn(2, 2, 2, 2)
    leaves = [randn(3, 2, 2, 4).requires_grad_(), w.requires_grad_()]
    assert torch.autograd.gradcheck(function, leaves, check_forward_ad=True)
    assert torch.autograd.gradcheck(function, leaves, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(function, leaves)
    x = leaves[0].detach()
    complex_ones = [torch.complex(x, 2 * x), torch.complex(3 * w, w).detach()]
    assert torch.autograd.gradcheck(
        function, [c.requires_grad_() for c in complex_ones]
    )
    xs, ws = torch.stack([x, 2 * x]), torch.stack([w, 3 * w]).detach()
    for dims, given in [((0, 0), (xs, ws)), ((0, None), (xs, w)), ((None, 0), (x, ws))]:
        found = torch.func.vmap(function, dims)(*given)
        each = [
            function(*[t[n] if d == 0 else t for t, d in zip(given, dims, strict=True)])
            for n in range(2)
        ]
        torch.testing.assert_close(found, torch.stack(each))


@pytest.mark.parametrize(
    ("line", "shapes", "size"),
    [
        ("b w k, k -> b w", [(2, 5), (3,)], (3,)),
        ("b i ... k, o i k -> b o ...", [(2, 3, 5, 4), (4, 3, 4)], (2, 2)),
        ("b c h w k, c k -> b c h w", [(2, 3, 5, 4), (3, 4)], (2, 2)),
        (
            "b head c ... k, k c o head -> head b o ...",
            [(2, 3, 4, 5), (2, 4, 5, 3)],
            (2,),
        ),
        ("i ... k, o k i -> o ...", [(3, 5), (4, 2, 3)], (2,)),
        # These are of another form: windows are stored.
        ("... k, k -> ...", [(2, 5), (3,)], (3,)),
        ("b w k, k -> w b", [(2, 5), (3,)], (3,)),
        ("b w k, w k -> b w", [(2, 5), (3, 3)], (3,)),
        ("b w k, b w k -> b w k", [(2, 5), (2, 3, 3)], (3,)),
        ("b w k, o -> b w k o", [(2, 5), (4,)], (3,)),
        ("b w k -> b w", [(2, 5)], (3,)),
        ("b i w k, o i k -> b o w", [(0, 2, 5), (4, 2, 3)], (3,)),
        ("b i w k, o i k -> b o w", [(2, 2, 2), (4, 2, 3)], (3,)),
    ],
)
def test_a_line_says_what_its_letters_do(
    line: str, shapes: list[tuple[int, ...]], size: tuple[int, ...]
) -> None:
    recipe, (x, *others) = Recipe(line), (randn(*shape) for shape in shapes)
    seen = Windows(x, Kernel(size))
    assert seen.shape == seen.tensor().shape
    torch.testing.assert_close(recipe(seen, *others), recipe(seen.tensor(), *others))
    for wrong in ([randn(7), *others], [*others, randn(2, 2)]):
        with pytest.raises((ValueError, TypeError)):
            recipe(seen, *wrong)


def test_known_lines_store_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    def stored(_: Windows) -> Tensor:
        raise AssertionError("stored")

    monkeypatch.setattr(Windows, "tensor", stored)
    line = Recipe("b w k, k -> b w")
    assert line(Windows(randn(2, 5), Kernel((3,))), randn(3)).shape == (2, 3)
    with pytest.raises(AssertionError, match="stored"):
        Recipe("... k, k -> ...")(Windows(randn(2, 5), Kernel((3,))), randn(3))


def test_whole_numbers_stay_whole() -> None:
    x, w = torch.arange(12).reshape(1, 1, 2, 6), torch.arange(8).reshape(1, 2, 2, 2)
    kernel = Kernel((2,))
    for dtype in (torch.int64, torch.int32):
        found = CONV(Windows(x.to(dtype), kernel), w.to(dtype))
        assert found.dtype == dtype
        assert torch.equal(found, CONV(Windows(x, kernel).tensor(), w).to(dtype))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.filterwarnings(  # of torch's own doing
    "ignore:.*should not be instantiated:DeprecationWarning",
    "ignore:.*torch.jit.script. is deprecated:DeprecationWarning",
)
def test_compiled(which: int, stride: int) -> None:
    function, w = both(Kernel((2,), (stride,)))[which], randn(1, 2, 2, 2)
    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend="eager")
    for b, n in ((2, 5), (3, 6)):
        leaf = randn(b, 1, 2, n).requires_grad_()
        found, right = compiled(leaf, w), function(leaf, w)
        torch.testing.assert_close(found, right)
        grads = [torch.autograd.grad(y.square().sum(), leaf) for y in (found, right)]
        torch.testing.assert_close(*grads)
