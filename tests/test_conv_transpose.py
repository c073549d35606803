"""Transposed convolutions next to torch's, and next to the convolutions they undo."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from examples import randn
from layerlib import conv_transpose
from layerlib.conv import CONV, conv2d
from layerlib.conv_transpose import (
    CONV_TRANSPOSE,
    ConvTranspose2d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from layerlib.conventions.dtypes import HALVES
from layerlib.engine import sums
from layerlib.engine.kernel import Kernel
from layerlib.lab import same
from layerlib.windows import overlap_add
from rounding import rounds_well

OURS = {1: conv_transpose1d, 2: conv_transpose2d, 3: conv_transpose3d}
SIZES = {1: (6,), 2: (4, 5), 3: (3, 4, 4)}
KERNELS = {1: (3,), 2: (3, 2), 3: (2, 3, 1)}


def theirs(n: int) -> Any:
    return getattr(functional, f"conv_transpose{n}d")


def compare(n: int, *given: Tensor, second: bool = True, **settings: Any) -> None:
    same(
        lambda *x: OURS[n](*x, **settings),
        lambda *x: theirs(n)(*x, **settings),
        *given,
        second=second,
    )


def tensors(
    n: int,
    groups: int = 1,
    dtype: torch.dtype = torch.float64,
    batch: tuple[int, ...] = (2,),
) -> list[Tensor]:
    each = 8 // groups if groups < 4 else 1
    return [
        randn(*batch, 4, *SIZES[n], dtype=dtype),
        randn(4, each, *KERNELS[n], dtype=dtype),
        randn(each * groups, dtype=dtype),
    ]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(("stride", "output_padding"), [(1, 0), (2, 0), (2, 1), (3, 2)])
def test_kernels_of_one_cell(
    n: int, groups: int, stride: int, output_padding: int
) -> None:
    x, weight, bias = tensors(n, groups)
    weight = weight[(..., *[slice(1)] * n)]
    settings = {"stride": stride, "output_padding": output_padding, "groups": groups}
    compare(n, x, weight, bias, second=n < 3, **settings)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "output_padding"),
    [
        *itertools.product([1, 2, 3], [0, 1], [1, 2], [0]),
        (2, 1, 1, 1), (3, 0, 1, 2), (3, 0, 1, 1), (1, 1, 3, 2), (2, 0, 4, 3), (2, 0, 3, 2),
    ],
)  # fmt: skip
def test_settings(
    n: int, groups: int, stride: int, padding: int, dilation: int, output_padding: int
) -> None:
    settings = {
        "stride": stride, "padding": padding, "dilation": dilation,
        "output_padding": output_padding, "groups": groups,
    }  # fmt: skip
    compare(n, *tensors(n, groups), second=n < 3, **settings)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(
    "settings",
    [
        {"stride": (1, 2)}, {"padding": (1, 0)}, {"dilation": (2, 1)}, {"stride": (2,)},
        {"stride": (2, 3), "output_padding": (1, 2)}, {"stride": [3], "output_padding": [1]},
        {"stride": (2, 3), "padding": (1, 2), "dilation": (1, 3), "output_padding": (0, 1)},
    ],
)  # fmt: skip
def test_settings_for_each_axis(groups: int, settings: dict[str, Any]) -> None:
    x, weight, bias = tensors(2, groups)
    compare(2, x, weight, bias, groups=groups, **settings)
    compare(2, x[0], weight, groups=groups, **settings)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("batch", [(), (1,), (0,)])
@pytest.mark.parametrize("groups", [1, 4])
def test_batches(n: int, batch: tuple[int, ...], groups: int) -> None:
    compare(n, *tensors(n, groups, batch=batch), second=False, groups=groups)
    compare(
        n, *tensors(n, groups, batch=batch)[:2], second=False, groups=groups, stride=2
    )


@pytest.mark.parametrize("limit", [1, 100, 2**20])
@pytest.mark.parametrize("groups", [1, 4])
def test_parts_of_the_batch(
    monkeypatch: pytest.MonkeyPatch, limit: int, groups: int
) -> None:
    monkeypatch.setattr(sums, "PIECE", limit)
    compare(1, randn(7, 4, 9), randn(4, 4 // groups, 3), stride=2, groups=groups)


def test_nothing_may_be_left() -> None:
    """In float32 only torch gives an output without a place; ours does in each type."""
    x, weight = (randn(*s, dtype=torch.float32) for s in [(2, 3, 2), (3, 4, 3)])
    compare(1, x, weight, padding=2, second=False)
    assert conv_transpose1d(x.double(), weight.double(), padding=2).shape == (2, 4, 0)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.complex128])
def test_types(n: int, groups: int, dtype: torch.dtype) -> None:
    compare(
        n, *tensors(n, groups, dtype), second=False, stride=2, padding=1, groups=groups
    )


def test_whole_numbers() -> None:
    x, weight = torch.arange(40).reshape(2, 2, 10), torch.arange(12).reshape(2, 2, 3)
    assert torch.equal(
        conv_transpose1d(x, weight), functional.conv_transpose1d(x, weight)
    )


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("groups", [1, 16])
def test_half_precision(dtype: torch.dtype, groups: int) -> None:
    shapes = [(5, 16, 7, 7), (16, 16 // groups, 3, 3), (16,)]
    given = [randn(*s, dtype=dtype) for s in shapes]
    rounds_well(lambda *x: conv_transpose2d(*x, padding=1, groups=groups), *given)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("groups", [1, 16])
def test_few_bits_are_rounded_once(dtype: torch.dtype, groups: int) -> None:
    given = [
        randn(*s, dtype=dtype) for s in [(5, 16, 7, 7), (16, 16 // groups, 3, 3), (16,)]
    ]
    found = []
    for numbers in (given, [x.float() for x in given]):
        leaves = [x.requires_grad_() for x in numbers]
        y = conv_transpose2d(*leaves, groups=groups)
        cotangent = randn(*y.shape, dtype=dtype).to(y.dtype)
        found.append([y, *torch.autograd.grad(y, leaves, cotangent)])
    for few, many in zip(*found, strict=True):
        assert few.dtype == dtype
        assert torch.equal(few, many.to(dtype))


@pytest.mark.parametrize("settings", [{}, {"groups": 4}, {"stride": 2, "padding": 1}])
def test_layouts_in_memory(settings: dict[str, Any]) -> None:
    x, weight, bias = tensors(2, settings.get("groups", 1))
    last = torch.channels_last
    for given in (
        x.transpose(2, 3),
        x[..., ::2],
        x.to(memory_format=last),
        x[:1].expand(3, -1, -1, -1),
    ):
        compare(2, given, weight, bias, **settings)
    compare(2, x, weight.to(memory_format=last), **settings)


@pytest.mark.parametrize("groups", [1, 4])
def test_nan_and_infinity_pass_as_in_torch(groups: int) -> None:
    x, weight, _ = tensors(2, groups)
    x[0, 0, 0, 0], x[0, 1, 2, 2] = torch.nan, torch.inf
    compare(2, x, weight, padding=1, groups=groups, second=False)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
def test_classes(twins: Callable[..., Any], n: int, bias: bool, groups: int) -> None:
    name = f"ConvTranspose{n}d"
    ours, right = twins(
        [getattr(conv_transpose, name), getattr(nn, name)],
        4, 6, KERNELS[n], 3, 1, 2, groups, bias, 2, dtype=torch.float64,
    )  # fmt: skip
    for key, value in right.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value)
    same(ours, right, randn(2, 4, *SIZES[n]))
    same(ours, right, randn(4, *SIZES[n]))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_output_size(twins: Callable[..., Any], n: int) -> None:
    name = f"ConvTranspose{n}d"
    ours, right = twins(
        [getattr(conv_transpose, name), getattr(nn, name)],
        4,
        6,
        3,
        3,
        1,
        dtype=torch.float64,
    )
    for size, batch in itertools.product([10, 11, 12], [(), (2,)]):
        x = randn(*batch, 4, *[4] * n)
        for asked in ([size] * n, torch.Size([*x.shape[:-n], *[size] * n])):
            same(lambda t: ours(t, asked), lambda t: right(t, asked), x)  # noqa: B023
    for refused in ([9] * n, [13] * n, [10] * (n + 3)):
        with pytest.raises(ValueError, match="output"):
            ours(x, refused)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_lazy_classes(twins: Callable[..., Any], n: int, bias: bool) -> None:
    name = f"LazyConvTranspose{n}d"
    ours, right = twins(
        [getattr(conv_transpose, name), getattr(nn, name)], 6, 3, groups=2, bias=bias
    )
    for layer in (ours, right):
        torch.manual_seed(1)
        layer(randn(2, 4, *[5] * n, dtype=torch.float32))
    assert type(ours) is getattr(conv_transpose, f"ConvTranspose{n}d")
    same(ours, right, randn(4, *[6] * n, dtype=torch.float32))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_padding_is_with_zeros_only(n: int, mode: str) -> None:
    for lazy in ("", "Lazy"):
        cls = getattr(conv_transpose, f"{lazy}ConvTranspose{n}d")
        with pytest.raises(ValueError, match='Only "zeros" padding mode'):
            cls(*([] if lazy else [4]), 6, 3, padding_mode=mode)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    "shape", [(3, 5, 2), (5, 3, 3), (0, 5, 2), (3, 0, 2), (3, 5, 0)]
)
def test_initial_values(twins: Callable[..., Any], shape: tuple[int, int, int]) -> None:
    built = twins([ConvTranspose2d, nn.ConvTranspose2d], *shape)
    for mine, right in zip(*(layer.parameters() for layer in built), strict=True):
        assert torch.equal(mine, right)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_line_is_the_layer(groups: int) -> None:
    """The line, then stamps; its letters i and o are those of a convolution, exchanged."""
    x, weight = randn(2, 4, 3, 5), randn(4, 8 // groups, 3, 2)
    apart, grouped = (
        x.unflatten(1, (groups, -1)),
        weight.unflatten(0, (groups, -1)).flatten(3),
    )
    stamps = CONV_TRANSPOSE(apart, grouped)
    torch.testing.assert_close(CONV_TRANSPOSE.literal(apart, grouped), stamps)
    torch.testing.assert_close(CONV.gradient(0)(apart, grouped), stamps)
    found = overlap_add(stamps.flatten(1, 2), (7, 6), Kernel((3, 2), (2, 1)))
    torch.testing.assert_close(
        found, conv_transpose2d(x, weight, stride=(2, 1), groups=groups)
    )


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_it_is_the_adjoint_of_a_convolution(groups: int) -> None:
    x, weight = randn(2, 8, 9, 10), randn(8, 8 // groups, 3, 2)
    settings: Any = {
        "stride": (2, 3),
        "padding": 1,
        "dilation": (1, 2),
        "groups": groups,
    }
    there = conv2d(x, weight, **settings)
    y = randn(*there.shape)
    back = conv_transpose2d(y, weight, **settings)
    torch.testing.assert_close((there * y).sum(), (x * back).sum())


@pytest.mark.parametrize("groups", [1, 4])
def test_gradients_of_any_order(groups: int) -> None:
    x, weight, _ = tensors(1, groups)
    leaves = [x[:1, :, :3].clone().requires_grad_(), weight.requires_grad_()]
    call = lambda *two: conv_transpose1d(*two, stride=2, padding=1, groups=groups)  # noqa: E731
    assert torch.autograd.gradcheck(call, leaves)
    assert torch.autograd.gradgradcheck(call, leaves)


@pytest.mark.parametrize("groups", [1, 4])
def test_transforms(groups: int) -> None:
    x, weight, _ = tensors(2, groups)
    xs, weights = torch.stack([x, 2 * x]), torch.stack([weight, 3 * weight])

    def gradients(function: Any) -> list[Any]:
        grad = torch.func.grad(
            lambda a, b: function(a, b, groups=groups).sin().sum(), (0, 1)
        )
        return [
            torch.func.vmap(grad, dims)(*given)
            for dims, given in [
                ((0, 0), (xs, weights)),
                ((0, None), (xs, weight)),
                ((None, 0), (x, weights)),
            ]
        ]

    torch.testing.assert_close(
        gradients(conv_transpose2d), gradients(functional.conv_transpose2d)
    )


def test_autocast_as_in_torch() -> None:
    given = tensors(2, dtype=torch.float32)
    few = [x.bfloat16().double() for x in given]
    terms = conv_transpose2d(*[x.abs() for x in few])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, right = conv_transpose2d(*given), functional.conv_transpose2d(*given)
    assert ours.dtype == right.dtype == torch.bfloat16
    error = ours.double() - conv_transpose2d(*few)
    assert bool((error.abs() <= 2 * torch.finfo(ours.dtype).eps * terms).all())


def refused(*given: Any, **settings: Any) -> Callable[[Any], Any]:
    return lambda function: function(*given, **settings)


X, W = randn(2, 4, 6, 6), randn(4, 8, 3, 3)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (refused(randn(6, 6), W), r"conv_transpose2d: expected an input of shape \(batch, channels, height, width\).*got \(6, 6\)"),
        (refused(X, randn(4, 8, 3)), r"conv_transpose2d: expected a weight of 4 axes, got shape \(4, 8, 3\)"),
        (refused(X[:, :3], W), r"expected 4 channels in axis 1 of input, got shape \(2, 3, 6, 6\)"),
        (refused(X[0, :3], W), r"expected 4 channels in axis 0 of input, got shape \(3, 6, 6\)"),
        (refused(X, randn(1, 8, 3, 3)), "expected 1 channels in axis 1 of input"),
        (refused(X[:, :3], W[:3], groups=2), "expected channels for 2 groups in axis 0 of weight"),
        (refused(X[:, :0], W[:0]), "expected channels for 1 groups in axis 0 of weight"),
        (refused(X, W[:, :0]), r"expected an output channel in axis 1 of weight, got shape \(4, 0, 3, 3\)"),
        (refused(X, W, groups=0), "expected at least one group, got 0"),
        (refused(X, W[:, :, :0]), "expected a kernel of at least one place"),
        (refused(X, W, randn(1)), r"expected a bias of shape \(8,\), got shape \(1,\)"),
        (refused(X, W, randn(8), groups=2), r"expected a bias of shape \(16,\), got shape \(8,\)"),
        (refused(X, W.float()), "expected tensors of one dtype"),
        (refused(X[:, :, :0], W), "expected an input with places"),
        (refused(X, W, stride=0), "expected stride of at least 1, got 0"),
        (refused(X, W, stride=(1, 1, 1)), "expected stride to be a number or 2 numbers"),
        (refused(X, W, padding=-1), "expected padding of at least 0, got -1"),
        (refused(X, W, padding=(1, 1, 1)), "expected padding to be a number or 2 numbers"),
        (refused(X, W, dilation=0), "expected dilation of at least 1, got 0"),
        (refused(X, W, stride=2, output_padding=-1), "expected output_padding of at least 0, got -1"),
        (refused(X, W, output_padding=1), "output_padding less than the stride or the dilation, got 1"),
        (refused(X, W, stride=(2, 1), output_padding=(0, 1)), r"less than the stride or the dilation, got \(0, 1\)"),
        (refused(X, W, padding=5), r"an output of length at least 0, got \(-2, -2\)"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[Any], Any], told: str) -> None:
    """What torch refuses as well."""
    with pytest.raises(RuntimeError):
        call(functional.conv_transpose2d)
    with pytest.raises(ValueError, match=told):
        call(conv_transpose2d)
