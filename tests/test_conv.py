"""Convolutions next to torch's: every option, layout and type, and their one form."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from examples import randn
from layerlib import conv
from layerlib.conv import CONV, Conv1d, Conv2d, Conv3d, conv1d, conv2d, conv3d
from layerlib.conventions.dtypes import HALVES
from layerlib.engine import sums
from layerlib.engine.kernel import Kernel
from layerlib.lab import same
from layerlib.windows import overlap_add, windows
from rounding import rounds_well

OURS = {1: conv1d, 2: conv2d, 3: conv3d}
THEIRS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
LAYERS = {1: Conv1d, 2: Conv2d, 3: Conv3d}
SIZES = {1: (9,), 2: (7, 9), 3: (5, 6, 7)}
KERNELS = {1: (3,), 2: (3, 2), 3: (2, 3, 1)}
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def compare(n: int, *given: Tensor, second: bool = True, **settings: Any) -> None:
    same(
        lambda *x: OURS[n](*x, **settings),
        lambda *x: THEIRS[n](*x, **settings),
        *given,
        second=second,
    )


def tensors(
    n: int,
    groups: int = 1,
    dtype: torch.dtype = torch.float64,
    batch: tuple[int, ...] = (2,),
) -> list[Tensor]:
    return [
        randn(*batch, 4, *SIZES[n], dtype=dtype),
        randn(8, 4 // groups, *KERNELS[n], dtype=dtype),
        randn(8, dtype=dtype),
    ]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(
    ("stride", "padding", "dilation"),
    [
        *itertools.product([1, 2, 3], [0, 2], [1, 2]),
        (1, "same", 1),
        (1, "same", 2),
        (2, "valid", 1),
    ],
)
def test_settings(
    n: int, groups: int, stride: int, padding: Any, dilation: int
) -> None:
    settings = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
    }
    compare(n, *tensors(n, groups), second=n < 3, **settings)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_kernels_of_one_cell(n: int, groups: int, stride: int, padding: int) -> None:
    """As in a ResNet's shortcuts: nothing is summed but channels."""
    x, weight, bias = tensors(n, groups)
    weight = weight[(..., *[slice(1)] * n)]
    settings = {"stride": stride, "padding": padding, "groups": groups}
    compare(n, x, weight, bias, second=n < 3, **settings)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(
    "settings",
    [
        {"stride": (1, 2)}, {"padding": (2, 0)}, {"padding": (0, 3)}, {"dilation": (2, 1)},
        {"stride": (2,)}, {"padding": [1]}, {"stride": (2, 3), "padding": (1, 2), "dilation": (1, 3)},
        {"padding": "same", "dilation": (1, 3)},
    ],
)  # fmt: skip
def test_settings_for_each_axis(groups: int, settings: dict[str, Any]) -> None:
    x, weight, bias = tensors(2, groups)
    compare(2, x, weight, bias, groups=groups, **settings)
    compare(2, x[0], weight, groups=groups, **settings)


@pytest.mark.parametrize("kernel", [(1, 1), (1, 4), (2, 2), (4, 1), (5, 5), (7, 9)])
@pytest.mark.parametrize("padding", [0, "same", 3])
def test_kernels(kernel: tuple[int, int], padding: Any) -> None:
    compare(2, randn(2, 3, 7, 9), randn(2, 3, *kernel), padding=padding)


@pytest.mark.parametrize("groups", [2, 4])
def test_depthwise(groups: int) -> None:
    x, weight = randn(3, groups, 8, 9), randn(groups, 1, 3, 2)
    for stride, dilation in itertools.product([1, 2], [1, 3]):
        compare(
            2, x, weight, stride=stride, padding=1, dilation=dilation, groups=groups
        )


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("batch", [(), (1,), (0,)])
@pytest.mark.parametrize("groups", [1, 4])
def test_batches(n: int, batch: tuple[int, ...], groups: int) -> None:
    compare(n, *tensors(n, groups, batch=batch), second=False, groups=groups)
    compare(
        n, *tensors(n, groups, batch=batch)[:2], second=False, groups=groups, padding=1
    )


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("limit", [1, 100, 400, 2**20])
def test_parts_of_the_batch(
    monkeypatch: pytest.MonkeyPatch, limit: int, groups: int
) -> None:
    monkeypatch.setattr(sums, "PIECE", limit)
    x, weight = randn(7, 4, 9), randn(4, 4 // groups, 3)
    compare(1, x, weight, stride=2, padding=1, groups=groups)


def test_no_channels_come_in() -> None:
    """torch's output has none either, whatever the weight says."""
    x, weight, bias = randn(2, 0, 5, 5), randn(4, 0, 3, 3), randn(4)
    for given in ((x, weight), (x[0], weight, bias), (x[:, :, :0], weight)):
        ours, theirs = (f(*given, padding=2) for f in (conv2d, functional.conv2d))
        assert ours.shape == theirs.shape
    assert functional.conv2d(x, weight).shape == (2, 0, 3, 3)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.complex128])
def test_types(n: int, groups: int, dtype: torch.dtype) -> None:
    # torch has no gradient for a complex bias of 3-d with a stride
    settings = {"stride": 1 if dtype.is_complex else 2, "padding": 1, "groups": groups}
    compare(n, *tensors(n, groups, dtype), second=False, **settings)


def test_whole_numbers() -> None:
    x, weight = torch.arange(40).reshape(2, 2, 10), torch.arange(12).reshape(2, 2, 3)
    assert torch.equal(conv1d(x, weight), functional.conv1d(x, weight))


def halves(dtype: torch.dtype, groups: int) -> list[Tensor]:
    shapes = [(5, 16, 7, 7), (16, 16 // groups, 3, 3), (16,)]
    return [randn(*shape, dtype=dtype) for shape in shapes]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("groups", [1, 16])
def test_half_precision(dtype: torch.dtype, groups: int) -> None:
    given = halves(dtype, groups)
    rounds_well(lambda *x: conv2d(*x, padding=1, groups=groups), *given)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("groups", [1, 16])
def test_few_bits_are_rounded_once(dtype: torch.dtype, groups: int) -> None:
    given, found = halves(dtype, groups), []
    for numbers in (given, [x.float() for x in given]):
        leaves = [x.requires_grad_() for x in numbers]
        y = conv2d(*leaves, groups=groups)
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
    compare(2, x, weight.mT.contiguous().mT, **settings)


@pytest.mark.parametrize("groups", [1, 4])
def test_nan_and_infinity_pass_as_in_torch(groups: int) -> None:
    x, weight, _ = tensors(2, groups)
    x[0, 0, 0, 0], x[0, 1, 4, 4] = torch.nan, torch.inf
    weight[1, 0, 0, 0] = 0
    compare(2, x, weight, padding=1, groups=groups, second=False)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [1, "same", "valid"])
@pytest.mark.parametrize("bias", [True, False])
def test_classes(
    twins: Callable[..., Any], n: int, mode: str, padding: Any, bias: bool
) -> None:
    name = f"Conv{n}d"
    settings = {"padding": padding, "padding_mode": mode, "bias": bias, "groups": 2}
    ours, theirs = twins(
        [LAYERS[n], getattr(nn, name)],
        4,
        6,
        KERNELS[n],
        dilation=2,
        dtype=torch.float64,
        **settings,
    )
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value)
    same(ours, theirs, randn(2, 4, *SIZES[n]))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_lazy_classes(twins: Callable[..., Any], n: int, bias: bool) -> None:
    name = f"LazyConv{n}d"
    ours, theirs = twins(
        [getattr(conv, name), getattr(nn, name)], 6, 3, groups=2, bias=bias
    )
    for layer in (ours, theirs):
        torch.manual_seed(1)
        layer(randn(2, 4, *[5] * n, dtype=torch.float32))
    assert type(ours) is LAYERS[n]
    same(ours, theirs, randn(4, *[6] * n, dtype=torch.float32))


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(
    "shape", [(3, 5, 2), (5, 3, 3), (0, 5, 2), (3, 0, 2), (3, 5, 0)]
)
def test_initial_values(
    twins: Callable[..., Any], shape: tuple[int, int, int], last: bool
) -> None:
    built = twins([Conv2d, nn.Conv2d], *shape)
    for layer in built:
        if last:
            layer.to(memory_format=torch.channels_last)
        torch.manual_seed(1)
        layer.reset_parameters()
    for mine, right in zip(*(layer.parameters() for layer in built), strict=True):
        assert torch.equal(mine, right)
        assert mine.stride() == right.stride()


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_line_is_the_layer(groups: int) -> None:
    """Windows, then the line: and the lines of its gradients are its other forms."""
    x, weight, y = randn(2, 4, 7, 9), randn(8, 4 // groups, 3, 2), randn(2, 8, 3, 8)
    kernel, kernels = Kernel((3, 2), (2, 1)), conv.KERNELS(weight, g=groups)
    seen = windows(x, kernel).tensor().unflatten(1, (groups, -1))
    out = y.unflatten(1, (groups, -1))
    leaves = [x.requires_grad_(), weight.requires_grad_()]
    found = conv2d(*leaves, None, (2, 1), groups=groups)
    at_x, at_weight = torch.autograd.grad(found, leaves, y)
    for line, two, right in [
        (CONV, (seen, kernels), found.unflatten(1, (groups, -1))),
        (CONV.gradient(1), (out, seen), conv.KERNELS(at_weight, g=groups)),
    ]:
        torch.testing.assert_close(line(*two), right)
        torch.testing.assert_close(line.literal(*two), right)
    stamps = CONV.gradient(0)(out, kernels).flatten(1, 2)
    torch.testing.assert_close(overlap_add(stamps, (7, 9), kernel), at_x)


@pytest.mark.parametrize("groups", [1, 4])
def test_gradients_of_any_order(groups: int) -> None:
    x, weight, _ = tensors(1, groups)
    leaves = [x[:1, :, :4].clone().requires_grad_(), weight.requires_grad_()]
    call = lambda *two: conv1d(*two, stride=2, padding=1, groups=groups)  # noqa: E731
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

    torch.testing.assert_close(gradients(conv2d), gradients(functional.conv2d))


class Standardized(Conv2d):
    """What subclasses in the wild do: another weight for the same arithmetic."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Any:
        return super()._conv_forward(input, weight - weight.mean(), bias)


def test_a_subclass_may_override_the_inner_forward() -> None:
    layer = Standardized(4, 8, 3).double()
    weight = layer.weight - layer.weight.mean()
    x = randn(2, 4, 7, 9)
    torch.testing.assert_close(layer(x), functional.conv2d(x, weight, layer.bias))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("n", [2, 3])
def test_layout_of_the_output_is_torchs(n: int, dtype: torch.dtype) -> None:
    last = torch.channels_last if n == 2 else torch.channels_last_3d
    x, weight, _ = tensors(n, dtype=dtype)
    for given in (
        (x.to(memory_format=last), weight),
        (x, weight.to(memory_format=last)),
    ):
        # In bfloat16 torch has the layout of float32, if the processor computes in it.
        same = (t.float() if dtype is torch.bfloat16 else t for t in given)
        assert OURS[n](*given).stride() == THEIRS[n](*same).stride()
    assert OURS[n](x, weight).is_contiguous()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated")
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_forward_mode_and_batched_gradients(n: int, stride: int) -> None:
    given = [x[:1] if k == 0 else x for k, x in enumerate(tensors(n))]
    tangents, found = tuple(x.cos() for x in given), []
    for f in (OURS[n], THEIRS[n]):
        call = lambda *x, f=f: f(*x, stride=stride)  # noqa: E731
        leaves = [x.detach().requires_grad_() for x in given]
        y = call(*leaves)
        many = torch.stack([randn(*y.shape), randn(*y.shape).sin()])
        back = torch.autograd.grad(y, leaves, many, is_grads_batched=True)
        found.append((torch.func.jvp(call, tuple(given), tangents), back))
    torch.testing.assert_close(*found)


def test_autocast_as_in_torch() -> None:
    given = tensors(2, dtype=torch.float32)
    few, many = [x.bfloat16().double() for x in given], [x.double() for x in given]
    terms = conv2d(*[x.abs() for x in few])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for found in (conv2d(*given), functional.conv2d(*given)):
            assert found.dtype == torch.bfloat16
            error = found.double() - conv2d(*few)
            assert bool((error.abs() <= 2 * torch.finfo(found.dtype).eps * terms).all())
            assert (
                conv2d(found, randn(2, 8, 1, 1)[:, :, :1].float()).dtype == found.dtype
            )
        torch.testing.assert_close(conv2d(*many), functional.conv2d(*many))
    leaf = given[1].requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (gradient,) = torch.autograd.grad(conv2d(given[0], leaf).sum(), leaf)
    assert gradient.dtype == torch.float32


def refused(*given: Any, **settings: Any) -> Callable[[Any], Any]:
    return lambda function: function(*given, **settings)


X, W = randn(2, 4, 6, 6), randn(8, 4, 3, 3)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (refused(randn(6, 6), W), r"conv2d: expected an input of shape \(batch, channels, height, width\).*got \(6, 6\)"),
        (refused(X, randn(8, 4, 3)), r"conv2d: expected a weight of 4 axes, got shape \(8, 4, 3\)"),
        (refused(X[:, :3], W), r"conv2d: expected 4 channels in axis 1 of input, got shape \(2, 3, 6, 6\)"),
        (refused(X[0, :3], W), r"expected 4 channels in axis 0 of input, got shape \(3, 6, 6\)"),
        (refused(X, randn(8, 1, 3, 3)), "expected 1 channels in axis 1 of input"),
        (refused(X, W, groups=2), "expected 8 channels in axis 1 of input"),
        (refused(X, randn(3, 2, 3, 3), groups=2), r"channels for 2 groups in axis 0 of weight, got shape \(3, 2, 3, 3\)"),
        (refused(X, randn(0, 4, 3, 3)), "channels for 1 groups in axis 0 of weight"),
        (refused(X, W, groups=0), "expected at least one group, got 0"),
        (refused(X, W, groups=-1), "expected at least one group, got -1"),
        (refused(X, randn(8, 4, 0, 3)), "expected a kernel of at least one place"),
        (refused(X, W, randn(1)), r"expected a bias of shape \(8,\), got shape \(1,\)"),
        (refused(X, W, randn(8, 1)), r"expected a bias of shape \(8,\), got shape \(8, 1\)"),
        (refused(X, W.float()), "expected tensors of one dtype, got .*float64.*float32"),
        (refused(X.bfloat16(), W.float()), "expected tensors of one dtype"),
        (refused(X, W, randn(8).float()), "expected tensors of one dtype"),
        (refused(X[:, :, :2], W), r"kernel that fits, dilated, into the padded input \(2, 6\), got shape \(8, 4, 3, 3\)"),
        (refused(X, W, dilation=3), "kernel that fits, dilated"),
        (refused(X[:0, :, :2], W), "kernel that fits"),
        (refused(X[:, :, :0], W, padding=2), "expected an input with places"),
        (refused(X, W, stride=0), "conv2d: expected stride of at least 1, got 0"),
        (refused(X, W, stride=(1, -1)), r"expected stride of at least 1, got \(1, -1\)"),
        (refused(X, W, stride=(1, 1, 1)), "expected stride to be a number or 2 numbers"),
        (refused(X, W, padding=-1), "expected padding of at least 0, got -1"),
        (refused(X, W, padding=(1, 1, 1)), "expected padding to be a number or 2 numbers"),
        (refused(X, W, dilation=0), "expected dilation of at least 1, got 0"),
        (refused(X, W, padding="sam"), "expected padding 'same' or 'valid', got sam"),
        (refused(X, W, padding="same", stride=2), "expected stride 1 for padding 'same', got 2"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[Any], Any], told: str) -> None:
    """What torch refuses as well."""
    with pytest.raises(RuntimeError):
        call(functional.conv2d)
    with pytest.raises(ValueError, match=told):
        call(conv2d)
