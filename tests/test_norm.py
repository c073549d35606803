"""The norms and their functions, next to torch's: every option, every layout."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from examples import randn
from layerlib import norm
from layerlib.distance import normalize
from layerlib.engine import pieces
from layerlib.lab import same
from layerlib.norm import (
    BATCH,
    GROUP,
    GROUPED,
    INSTANCE,
    LAYER,
    MERGED,
    NEIGHBORS,
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from layerlib.recipe import Reduce

HALVES = [torch.bfloat16, torch.float16]
SHAPES = [(4, 6), (2, 6, 5), (3, 6, 4, 2), (2, 6, 2, 3, 2)]
IMAGES = SHAPES[1:]
AFFINE = list(itertools.product([True, False], [True, False]))
NAMES = ["batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm"]


def pair(name: str) -> list[Callable[..., Any]]:
    return [getattr(norm, name), getattr(functional, name)]


def closed(name: str, ours: bool, *, groups: int = 3, eps: float = 1e-5) -> Any:
    """A norm of input, weight and bias alone, over what is usual for it."""
    f = pair(name)[not ours]
    return {
        "batch_norm": lambda x, w, b: f(x, None, None, w, b, True, 0.1, eps),  # noqa: FBT003
        "instance_norm": lambda x, w, b: f(x, None, None, w, b, True, 0.1, eps),  # noqa: FBT003
        "group_norm": lambda x, w, b: f(x, groups, w, b, eps),
        "layer_norm": lambda x, w, b: f(x, x.shape[1:2], w, b, eps),
        "rms_norm": lambda x, w, _: f(x, x.shape[1:2], w, eps),
    }[name]


def features(name: str, *, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """An input in which axis 1 is what the weights belong to, a weight and a bias."""
    shape = (5, 6) if name in ("layer_norm", "rms_norm") else (5, 6, 7)
    return [randn(*shape, dtype=dtype), randn(6, dtype=dtype), randn(6, dtype=dtype)]


def second(weight: bool, bias: bool) -> bool:
    """torch's second gradient of a norm with a bias and no weight fails."""
    return weight or not bias


@pytest.mark.parametrize(("weight", "bias"), AFFINE)
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_in_training(
    shape: tuple[int, ...], weight: bool, bias: bool
) -> None:
    given = [randn(6) if p else None for p in (weight, bias)]
    for eps in (1e-5, 0.3):
        both = (closed("batch_norm", ours, eps=eps) for ours in (True, False))
        same(*both, randn(*shape), *given, second=second(weight, bias))


@pytest.mark.parametrize(("weight", "bias"), AFFINE)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES[:2])
def test_with_running_averages(
    name: str, shape: tuple[int, ...], weight: bool, bias: bool
) -> None:
    given = [randn(6) if p else None for p in (weight, bias)]

    def evaluated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        kept = [randn(6) + 2, randn(6).exp()]
        return lambda x, w, b: function(x, *kept, w, b, False, 0.1, 0.2)  # noqa: FBT003

    twice = second(weight, bias)
    same(*map(evaluated, pair(name)), randn(*shape), *given, second=twice)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.7, 1.0])
@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("name", NAMES[:2])
def test_running_averages_follow(
    name: str, shape: tuple[int, ...], momentum: float, dtype: torch.dtype
) -> None:
    found = []
    for function in pair(name):
        kept = [randn(6).to(dtype) + 2, randn(6).to(dtype).exp()]
        x = (3 * randn(*shape) + 1).to(dtype).requires_grad_()
        function(x, *kept, None, None, True, momentum, 1e-5)  # noqa: FBT003
        function(2 * x, *kept, None, None, True, momentum, 1e-5)  # noqa: FBT003
        assert not any(k.requires_grad for k in kept)
        found.append(kept)
    for mine, right in zip(*found, strict=True):
        torch.testing.assert_close(mine, right)


@pytest.mark.parametrize(("weight", "bias"), AFFINE)
@pytest.mark.parametrize("shape", IMAGES)
def test_instance_norm(shape: tuple[int, ...], weight: bool, bias: bool) -> None:
    given = [None, None, *(randn(6) if p else None for p in (weight, bias))]
    same(*pair("instance_norm"), randn(*shape), *given, second=second(weight, bias))
    same(*pair("instance_norm"), randn(*shape), *given, True, 0.1, 0.3)  # noqa: FBT003


# torch's has no gradient with a bias alone
@pytest.mark.parametrize(("weight", "bias"), [x for x in AFFINE if x != (False, True)])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_group_norm(
    shape: tuple[int, ...], groups: int, weight: bool, bias: bool
) -> None:
    given = [groups, *(randn(6) if p else None for p in (weight, bias))]
    same(*pair("group_norm"), randn(*shape), *given, second=True)
    same(group_norm, functional.group_norm, randn(*shape), *given, 0.3)


@pytest.mark.parametrize(("weight", "bias"), AFFINE)
@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 4, 5), (2, 3, 4, 5)])
def test_layer_and_rms_norm(shape: tuple[int, ...], weight: bool, bias: bool) -> None:
    for start in range(len(shape)):
        last = shape[start:]
        w, b = (randn(*last) if p else None for p in (weight, bias))
        x = randn(*shape)
        same(*pair("layer_norm"), x, last, w, b, second=second(weight, bias))
        same(layer_norm, functional.layer_norm, x, list(last), w, b, 0.3)
        same(rms_norm, functional.rms_norm, x, last, w, second=True)
        same(rms_norm, functional.rms_norm, x, list(last), w, 0.3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALVES])
def test_eps_of_the_root_mean_square(dtype: torch.dtype) -> None:
    x = (randn(3, 5) * 1e-4).to(dtype)
    same(rms_norm, functional.rms_norm, x, (5,))


@pytest.mark.parametrize("weight", [torch.complex128, torch.float64, None])
def test_complex_root_mean_square(weight: torch.dtype | None) -> None:
    w = None if weight is None else randn(5, dtype=weight)
    x = randn(3, 5, dtype=torch.complex128)
    same(rms_norm, functional.rms_norm, x, (5,), w, second=True)


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize(
    ("first", "second"), [(torch.float32, torch.float64), (torch.float64, HALVES[0])]
)
def test_root_mean_square_of_two_dtypes(
    first: torch.dtype, second: torch.dtype
) -> None:
    w = randn(5).to(second)
    ours, theirs = (lambda x, f=f: f(x, (5,), w) for f in pair("rms_norm"))
    same(ours, theirs, randn(3, 5, dtype=first))
    assert rms_norm(randn(3, 5), (5,), w.requires_grad_()).requires_grad


@pytest.mark.parametrize("name", NAMES)
def test_in_many_pieces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 16)
    same(*(closed(name, ours) for ours in (True, False)), *features(name), second=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", range(3))
def test_gradients_of_some_only(name: str, which: int) -> None:
    found = []
    for ours in (True, False):
        given = [x.requires_grad_(n == which) for n, x in enumerate(features(name))]
        y = closed(name, ours)(*given)
        if name == "rms_norm" and which == 2:
            assert not y.requires_grad
            return
        found.append(torch.autograd.grad(y, given[which], randn(*y.shape)))
    torch.testing.assert_close(*found)


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_rounded_once(
    name: str, mixed: bool, dtype: torch.dtype
) -> None:
    given = [x.to(dtype) for x in features(name)]
    given[1:] = [p.float() if mixed else p for p in given[1:]]
    exact = run(closed(name, ours=False), [x.double() for x in given], dtype)
    mine, theirs = (run(closed(name, ours), given) for ours in (True, False))
    for a, b, c in zip(mine, theirs, exact, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        # Computed in 32 bits, to about 100 roundings, then rounded once: half a unit.
        assert_rounded(a, c, units=0.5, more=100 * 2**-24 * float(c.abs().max()))


def assert_rounded(x: Tensor, exact: Tensor, units: float, more: float = 0.0) -> None:
    """Off by at most that many units in the last place of the exact value, and more."""
    info = torch.finfo(x.dtype)
    unit = info.eps * 2.0 ** exact.abs().clamp_min(info.tiny).log2().floor()
    off = (x.double() - exact).abs()
    assert bool((off <= units * unit + more).all()), float((off / unit).max())


@pytest.mark.parametrize("name", NAMES)
def test_far_from_zero_the_mean_is_rounded_and_nothing_else(name: str) -> None:
    given = features(name, dtype=torch.float32)
    given[0] = given[0] + 1e4
    exact = run(closed(name, ours=False), [x.double() for x in given])
    mine = run(closed(name, ours=True), given)
    # Near 1e4 float32 has steps of 2**-10, and a mean is off by up to one of them. What
    # is standardized has a deviation near 1, so that this enters a few times, each time
    # in proportion. A mean of squares less a squared mean would be off by all of it.
    for a, c in zip(mine, exact, strict=True):
        assert (a - c).abs().max() <= 4 * 2**-10 * c.abs().max()


def run(
    function: Callable[..., Tensor],
    given: list[Tensor],
    dtype: torch.dtype = torch.float64,
) -> list[Tensor]:
    """The output, and the gradients under a cotangent that has been rounded."""
    given = [x.detach().clone().requires_grad_() for x in given]
    output = function(*given)
    # Flipped: along the input itself a norm has no gradient.
    cotangent = randn(*output.shape).flip(0).to(dtype).to(output.dtype)
    found = torch.autograd.grad(output, given, cotangent, allow_unused=True)
    return [output.detach(), *(x for x in found if x is not None)]


@pytest.mark.parametrize("name", NAMES)
def test_layouts_in_memory(name: str) -> None:
    _, *affine = features(name)
    layouts = [randn(12, 6, 9)[::2, :, ::2], randn(6, 4, 5).transpose(0, 1)]
    layouts += [randn(1, 6, 5).expand(3, 6, 5), randn(2, 5, 6).movedim(-1, 1)]
    if name in ("layer_norm", "rms_norm"):
        layouts = [x[:, :, 0] for x in layouts]
    else:
        image = randn(2, 6, 4, 3)
        layouts += [image.contiguous(memory_format=torch.channels_last)]
    for x in layouts:
        same(closed(name, ours=True), closed(name, ours=False), x, *affine)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_nan_and_infinity_pass_as_in_torch(name: str, value: float) -> None:
    x, w, b = features(name)
    x[1, 2] = value
    same(closed(name, ours=True), closed(name, ours=False), x, w, b)


@pytest.mark.parametrize("name", NAMES)
def test_constant_inputs(name: str) -> None:
    x, w, b = features(name)
    same(closed(name, ours=True), closed(name, ours=False), x * 0 + 3, w, b)
    large = x.float() * 0 + 123456789012.0
    assert closed(name, ours=True)(large, None, None).isfinite().all()


# torch's gradient of a group norm without positions is NaN.
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("batch_norm", (0, 6, 5)),
        ("batch_norm", (4, 6, 0)),
        ("batch_norm", (0, 6)),
        ("instance_norm", (4, 6, 0)),
        ("group_norm", (0, 6, 5)),
        ("group_norm", (4, 0, 5)),
        ("layer_norm", (0, 6)),
        ("layer_norm", (4, 0)),
        ("rms_norm", (0, 6)),
        ("rms_norm", (4, 0)),
    ],
)
def test_empty(name: str, shape: tuple[int, ...]) -> None:
    given = [randn(*shape), randn(shape[1]), randn(shape[1])]
    same(closed(name, ours=True), closed(name, ours=False), *given)


# With a weight, torch's gradient of these is an IndexError.
@pytest.mark.parametrize("shape", [(0, 6, 5), (2, 0, 3)])
@pytest.mark.parametrize("name", NAMES[:2])
def test_no_elements_and_no_channels(name: str, shape: tuple[int, ...]) -> None:
    ours, theirs = (closed(name, ours) for ours in (True, False))
    same(lambda x: ours(x, None, None), lambda x: theirs(x, None, None), randn(*shape))
    found = run(ours, [randn(*shape), randn(shape[1]), randn(shape[1])])
    assert not any(x.any() for x in found)


def test_an_empty_batch_of_images() -> None:
    for kwargs in ({}, {"affine": True, "track_running_stats": True}):
        layer = norm.InstanceNorm2d(6, **kwargs)
        assert layer(torch.zeros(0, 6, 3, 3)).shape == (0, 6, 3, 3)
        assert all(x.isfinite().all() for x in layer.state_dict().values())


def test_empty_positions_have_no_gradient() -> None:
    found = run(closed("group_norm", ours=True), [randn(4, 6, 0), randn(6), randn(6)])
    assert not any(x.any() for x in found)


@pytest.mark.parametrize("name", NAMES[:2])
def test_nothing_seen_is_nothing_followed(name: str) -> None:
    kept = [randn(6), randn(6).exp()]
    x = randn(4, 6, 0)
    pair(name)[0](x, *kept, None, None, True)  # noqa: FBT003
    assert torch.equal(kept[0], randn(6))
    assert torch.equal(kept[1], randn(6).exp())


@pytest.mark.parametrize(
    ("line", "name", "shape"),
    [
        (BATCH, "batch_norm", MERGED),
        (INSTANCE, "instance_norm", MERGED),
        (GROUP, "group_norm", lambda x: GROUPED(x, g=3)),
        (LAYER, "layer_norm", lambda x: x),
    ],
)
def test_the_line_is_what_the_norm_averages(
    line: Reduce, name: str, shape: Callable[[Tensor], Tensor]
) -> None:
    x, *_ = features(name)
    y = shape(closed(name, ours=True, eps=1e-12)(x, None, None))
    rest = shape(x) - line(shape(x))
    torch.testing.assert_close(y, rest / line(rest**2).sqrt())
    torch.testing.assert_close(line(y), torch.zeros_like(line(y)))
    torch.testing.assert_close(line(y**2), torch.ones_like(line(y)))


def test_the_gradient_is_a_projection() -> None:
    x = randn(4, 5).requires_grad_()
    y = layer_norm(x, (5,), eps=0.0)
    (found,) = torch.autograd.grad(y, x, randn(4, 5))
    zero = torch.zeros(4, 1).double()
    torch.testing.assert_close(LAYER(found), zero)
    torch.testing.assert_close(LAYER(found * y.detach()), zero)


@pytest.mark.parametrize("classes", ["BatchNorm1d", "InstanceNorm1d", "LayerNorm"])
def test_what_follows_may_work_in_place(classes: str) -> None:
    for affine in (True, False):
        given = (5, 1e-5, affine) if classes == "LayerNorm" else (6, 1e-5, 0.1, affine)
        ours, theirs = (getattr(m, classes)(*given).double() for m in (norm, nn))
        same(
            nn.Sequential(ours, nn.ReLU(inplace=True)),
            nn.Sequential(theirs, nn.ReLU(inplace=True)),
            randn(2, 6, 5),
        )


STATEFUL = [
    {},
    {"momentum": None},
    {"momentum": 0.4},
    {"track_running_stats": False},
    {"affine": False},
]


@pytest.mark.parametrize("kwargs", STATEFUL)
@pytest.mark.parametrize("name", ["BatchNorm2d", "LazyBatchNorm2d", "InstanceNorm2d"])
def test_many_batches(name: str, kwargs: dict[str, Any]) -> None:
    args = () if "Lazy" in name else (6,)
    kwargs = {"track_running_stats": True, **kwargs}
    layers = [getattr(module, name)(*args, **kwargs) for module in (norm, nn)]
    for layer in layers:  # a lazy one has no state before
        layer(randn(2, 6, 3, 3, dtype=torch.float32))
    for step in range(4):
        x = randn(2, 6, 3, 3, dtype=torch.float32) * (step + 1) + step
        same(*layers, x)
    for layer in layers:
        layer.eval()
    same(*layers, randn(2, 6, 3, 3, dtype=torch.float32))
    for layer in layers:
        layer.reset_running_stats()
    same(*layers, randn(2, 6, 3, 3, dtype=torch.float32))
    for layer in layers:
        layer.train()
        layer.running_mean = layer.running_var = None
        layer.track_running_stats = False
    same(*layers, randn(2, 6, 3, 3, dtype=torch.float32))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("affine", [True, False])
def test_instance_norm_without_a_batch(n: int, affine: bool) -> None:
    layers = [getattr(m, f"InstanceNorm{n}d")(6, affine=affine) for m in (norm, nn)]
    same(*(x.double() for x in layers), randn(6, *[3] * n))


def test_lazy_layers_become_ours() -> None:
    for kind, n in itertools.product(["BatchNorm", "InstanceNorm"], [1, 2, 3]):
        lazy = getattr(norm, f"Lazy{kind}{n}d")()
        lazy(randn(2, 6, *[3] * n, dtype=torch.float32))
        assert type(lazy) is getattr(norm, f"{kind}{n}d")
        assert lazy.num_features == 6


def test_an_old_state_has_no_count() -> None:
    ours, theirs = norm.BatchNorm1d(3), nn.BatchNorm1d(3)
    theirs(randn(4, 3).float())
    state = {k: v for k, v in theirs.state_dict().items() if "num" not in k}
    ours.load_state_dict(state)
    assert ours.num_batches_tracked == 0


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 3, 2), (2, 1, 3, 2, 2)])
def test_local_response_norm(size: int, shape: tuple[int, ...]) -> None:
    x = 3 * randn(*shape)
    for settings in ((), (0.5, 0.6, 2.0), (0.5, 2.0, 0.3)):
        same(*pair("local_response_norm"), x, size, *settings, second=True)
    same(*pair("local_response_norm"), x.transpose(0, 1), size)


def test_local_response_is_of_neighbours() -> None:
    x = randn(2, 6, 4)
    padded = torch.constant_pad_nd(x**2, (0, 0, 2, 1))
    seen = torch.stack([padded[:, k : k + 6] for k in range(4)], -1)
    right = x / (2.0 + 0.5 / 4 * NEIGHBORS(seen)) ** 0.75
    torch.testing.assert_close(local_response_norm(x, 4, 0.5, 0.75, 2.0), right)


@pytest.mark.parametrize("dtype", HALVES)
def test_local_response_norm_in_half_precision(dtype: torch.dtype) -> None:
    x = randn(3, 8, 5).to(dtype)
    exact = functional.local_response_norm(x.double(), 3, 0.5)
    mine = local_response_norm(x, 3, 0.5)
    assert mine.dtype == dtype
    assert_rounded(mine, exact, units=0.5, more=20 * 2**-24)


def test_local_response_norm_of_nothing() -> None:
    x = randn(2, 0, 3)
    assert local_response_norm(x, 3) is x


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6, 9])
@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_cross_map_as_torch_has_it(size: int, channels: int) -> None:
    x = 2 * randn(2, channels, 3, 2)
    for settings in ((), (0.5, 0.6, 2)):
        layers = [m.CrossMapLRN2d(size, *settings) for m in (norm, nn)]
        same(*layers, x)


def test_cross_map_without_neighbours() -> None:
    layers = [m.CrossMapLRN2d(1, 0.5) for m in (norm, nn)]
    with torch.no_grad():
        x = randn(2, 6, 3, 2)
        torch.testing.assert_close(layers[0](x), layers[1](x))
    # torch's, too, has no gradient then
    with pytest.raises(ValueError, match="no gradient of a size of 1"):
        layers[0](x.requires_grad_()).sum().backward()


@pytest.mark.parametrize("dtype", HALVES)
def test_normalize_in_half_precision(dtype: torch.dtype) -> None:
    x = randn(3, 40).to(dtype)
    exact = run(functional.normalize, [x.double()], dtype)
    mine = run(normalize, [x])
    for a, c in zip(mine, exact, strict=True):
        assert a.dtype == dtype
        assert_rounded(a, c, units=0.5, more=40 * 2**-24 * float(c.abs().max()))


ONE = "expected more than 1 "


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (
            lambda: batch_norm(randn(1, 6), None, None, training=True),
            ValueError,
            rf"batch_norm: {ONE}value per channel when training, got .* \(1, 6\)",
        ),
        (
            lambda: batch_norm(randn(2, 6), None, None, training=True, eps=0),
            ValueError,
            "batch_norm: expected a positive eps, got 0",
        ),
        (
            lambda: batch_norm(randn(2, 6), randn(6), randn(6), eps=-1.0),
            ValueError,
            "expected a positive eps, got -1.0",
        ),
        (
            lambda: batch_norm(randn(2, 6), None, None, randn(1), training=True),
            ValueError,
            r"batch_norm: expected weight of shape \(6,\), got shape \(1,\)",
        ),
        (
            lambda: batch_norm(randn(2, 6), randn(5), randn(6)),
            ValueError,
            r"expected running_mean of shape \(6,\), got shape \(5,\)",
        ),
        (
            lambda: batch_norm(randn(2, 6), None, None),
            ValueError,
            "expected both running_mean and running_var .* got 0 of them",
        ),
        (
            lambda: batch_norm(randn(2, 6), randn(6), None, training=True),
            ValueError,
            "got 1 of them",
        ),
        (
            lambda: batch_norm(randn(6), None, None, training=True),
            ValueError,
            r"batch_norm: expected an input of shape \(batch, channels, .*got \(6,\)",
        ),
        (
            lambda: batch_norm(
                randn(2, 6), None, None, randn(6).float(), training=True
            ),
            TypeError,
            "batch_norm: expected floating-point numbers of one dtype, .* got torch.float64",
        ),
        (
            lambda: layer_norm(torch.ones(2, 3, dtype=torch.int64), (3,)),
            TypeError,
            "layer_norm: expected floating-point numbers .* torch.int64 and none",
        ),
        (
            lambda: group_norm(randn(2, 6, dtype=torch.complex64), 2),
            TypeError,
            "group_norm: expected floating-point",
        ),
        (
            lambda: instance_norm(randn(2, 6, 1)),
            ValueError,
            rf"instance_norm: {ONE}spatial element when training, got .*\(2, 6, 1\)",
        ),
        (
            lambda: instance_norm(randn(6), use_input_stats=False),
            ValueError,
            r"instance_norm: expected an input of shape .* got \(6,\)",
        ),
        (
            lambda: instance_norm(randn(2, 6, 3), bias=randn(3)),
            ValueError,
            r"instance_norm: expected bias of shape \(6,\), got shape \(3,\)",
        ),
        (
            lambda: instance_norm(randn(2, 6, 3), use_input_stats=False),
            ValueError,
            "instance_norm: expected both running_mean and running_var",
        ),
        (
            lambda: group_norm(randn(2, 6, 3), 4),
            ValueError,
            r"group_norm: expected an input .* for 4 equal groups, got \(2, 6, 3\)",
        ),
        (lambda: group_norm(randn(2, 6, 3), 0), ValueError, "for 0 equal groups"),
        (lambda: group_norm(randn(6), 2), ValueError, r"equal groups, got \(6,\)"),
        (
            lambda: group_norm(randn(1, 6), 6),
            ValueError,
            rf"group_norm: {ONE}value per channel when training, got .*\(1, 6\)",
        ),
        (
            lambda: group_norm(randn(2, 6), 2, randn(3)),
            ValueError,
            r"group_norm: expected weight of shape \(6,\), got shape \(3,\)",
        ),
        (
            lambda: layer_norm(randn(2, 3, 4), (3,)),
            ValueError,
            r"layer_norm: expected an input with the last axes \(3,\).*got \(2, 3, 4\)",
        ),
        (lambda: layer_norm(randn(2), ()), ValueError, r"the last axes \(\)"),
        (lambda: layer_norm(randn(2), (1, 2)), ValueError, r"the last axes \(1, 2\)"),
        (
            lambda: layer_norm(randn(2, 3), (2, 3), randn(3)),
            ValueError,
            r"layer_norm: expected weight of shape \(2, 3\), got shape \(3,\)",
        ),
        (
            lambda: rms_norm(randn(2, 3), (2, 3), randn(3)),
            ValueError,
            r"rms_norm: expected weight of shape \(2, 3\), got shape \(3,\)",
        ),
        (
            lambda: rms_norm(torch.ones(3, dtype=torch.int64), (3,)),
            TypeError,
            "rms_norm: expected floating-point or complex input, got torch.int64",
        ),
        (
            lambda: normalize(torch.ones(2, 3, dtype=torch.int64)),
            TypeError,
            "normalize: expected floating-point or complex input, got torch.int64",
        ),
        (lambda: normalize(randn(3)), IndexError, "Dimension out of range"),
        (
            lambda: normalize(randn(3, 0), math.inf),
            IndexError,
            "Expected reduction dim 1 to have non-zero size",
        ),
        (
            lambda: normalize(randn(2, 3).requires_grad_(), out=randn(2, 3)),
            RuntimeError,
            "out=... arguments don't support automatic differentiation",
        ),
        (
            lambda: local_response_norm(randn(2, 3), 2),
            ValueError,
            r"local_response_norm: expected an input of shape .* got \(2, 3\) and 2",
        ),
        (
            lambda: local_response_norm(randn(2, 3, 4), 0),
            ValueError,
            r"a positive size, got \(2, 3, 4\) and 0",
        ),
        (
            lambda: norm.CrossMapLRN2d(3)(randn(2, 3, 4)),
            ValueError,
            r"CrossMapLRN2d: expected an input of 4 axes .* got shape \(2, 3, 4\)",
        ),
        (
            lambda: norm.CrossMapLRN2d(0)(randn(2, 3, 4, 4)),
            ValueError,
            "and a positive size, got .* and size 0",
        ),
        (
            lambda: norm.InstanceNorm1d(3, affine=True)(randn(2, 4, 5)),
            ValueError,
            "expected input's size at dim=1 to match num_features",
        ),
        (
            lambda: norm.BatchNorm2d(3)(randn(2, 3)),
            ValueError,
            r"expected 4D input \(got 2D input\)",
        ),
    ],
)
def test_what_does_not_fit_is_told(
    call: Callable[[], Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        call()


EVERY = [
    (lambda m: m.BatchNorm1d(6), (4, 6, 5)),
    (lambda m: m.BatchNorm1d(6, affine=False).eval(), (4, 6)),
    (lambda m: m.BatchNorm2d(6), (4, 6, 3, 2)),
    (lambda m: m.InstanceNorm1d(6, affine=True, track_running_stats=True), (4, 6, 5)),
    (lambda m: m.InstanceNorm2d(6), (4, 6, 3, 2)),
    (lambda m: m.GroupNorm(3, 6), (4, 6, 3, 2)),
    (lambda m: m.LayerNorm(6), (4, 5, 6)),
    (lambda m: m.RMSNorm(6), (4, 5, 6)),
    (lambda m: m.LocalResponseNorm(3), (4, 6, 3, 2)),
    (lambda m: m.CrossMapLRN2d(3), (4, 6, 3, 2)),
]
each_norm = pytest.mark.parametrize(("build", "shape"), EVERY)


@each_norm
def test_under_a_checkpoint(build: Any, shape: tuple[int, ...]) -> None:
    found = []
    for again in (False, True):
        layer, x = build(norm).double(), randn(*shape).requires_grad_()
        y = checkpoint(layer, x, use_reentrant=False) if again else layer(x)
        leaves = [x, *layer.parameters()]
        found.append(torch.autograd.grad(y, leaves, randn(*shape).flip(0)))
    torch.testing.assert_close(*found)


@each_norm
@pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated")
def test_forward_mode(build: Any, shape: tuple[int, ...]) -> None:
    layer, x, v = build(norm).double(), randn(*shape), randn(*shape).flip(0)
    if isinstance(layer, norm.CrossMapLRN2d):  # its gradient is not its slope, in torch
        return
    if getattr(layer, "running_mean", None) is not None:
        layer.eval()
    _, found = torch.func.jvp(layer, (x,), (v,))
    h = 1e-6
    right = (layer(x + h * v) - layer(x - h * v)) / (2 * h)
    torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-7)


@each_norm
def test_many_cotangents_at_once(build: Any, shape: tuple[int, ...]) -> None:
    layer, x = build(norm).double(), randn(*shape).requires_grad_()
    many, leaves = randn(3, *shape), [x, *layer.parameters()]
    found = torch.autograd.grad(layer(x), leaves, many, is_grads_batched=True)
    for n, g in enumerate(many):
        right = torch.autograd.grad(layer(x), leaves, g)
        torch.testing.assert_close([f[n] for f in found], list(right))


@each_norm
@pytest.mark.usefixtures("as_installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_for_sizes_that_change(build: Any, shape: tuple[int, ...]) -> None:
    torch.compiler.reset()
    layer = build(norm).double()
    settings: dict[str, Any] = {"dynamic": True, "fullgraph": True, "backend": "eager"}
    compiled = torch.compile(copy.deepcopy(layer), **settings)
    for more in (0, 1):
        x = randn(shape[0] + more, *shape[1:])
        torch.testing.assert_close(compiled(x), layer(x))


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "rows": lambda x: x,
    "channels last": lambda x: x.movedim(1, -1).contiguous().movedim(-1, 1),
    "transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "sliced": lambda x: torch.cat([x, x], -1)[..., ::2],
    "expanded": lambda x: x[:1].expand(x.shape),
}


@each_norm
@pytest.mark.parametrize("layout", LAYOUTS)
def test_strides_are_torchs(build: Any, shape: tuple[int, ...], layout: str) -> None:
    x = LAYOUTS[layout](randn(*shape))
    ours, theirs = (build(m).double()(x) for m in (norm, nn))
    assert ours.stride() == theirs.stride()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize("dtype", [*HALVES, torch.float32])
@pytest.mark.parametrize("cast", HALVES)
@each_norm
def test_dtypes_under_autocast(
    build: Any, shape: tuple[int, ...], cast: torch.dtype, dtype: torch.dtype
) -> None:
    def run_in(module: Any) -> torch.dtype | None:
        with torch.autocast("cpu", cast):
            try:
                found: Tensor = build(module)(randn(*shape).to(dtype))
            except RuntimeError:
                return None
        return found.dtype

    theirs = run_in(nn)
    assert theirs is None or run_in(norm) == theirs


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.batch_norm(randn(2, 6), None, None, randn(1), training=True),
        lambda m: m.batch_norm(randn(2, 6), randn(5), randn(6)),
        lambda m: m.batch_norm(randn(2, 6), None, None),
        lambda m: m.batch_norm(randn(1, 6), None, None, training=True),
        lambda m: m.batch_norm(randn(2, 6), randn(6), None, training=True),
        lambda m: m.batch_norm(torch.ones(2, 6).long(), None, None, training=True),
        lambda m: m.instance_norm(randn(2, 6, 1)),
        lambda m: m.instance_norm(randn(2, 6, 3), use_input_stats=False),
        lambda m: m.instance_norm(randn(2, 6, 3), weight=randn(6).float()),
        lambda m: m.group_norm(randn(2, 6, 3), 4),
        lambda m: m.group_norm(randn(6), 2),
        lambda m: m.group_norm(randn(1, 6), 6),
        lambda m: m.group_norm(randn(2, 6), 2, randn(3)),
        lambda m: m.group_norm(randn(2, 6, dtype=torch.complex64), 2),
        lambda m: m.layer_norm(randn(2, 3, 4), (3,)),
        lambda m: m.layer_norm(randn(2), ()),
        lambda m: m.layer_norm(randn(2, 3), (2, 3), randn(3)),
        lambda m: m.layer_norm(torch.ones(2, 3).long(), (3,)),
        lambda m: m.layer_norm(randn(2, 3).numpy(), (3,)),
        lambda m: m.rms_norm(randn(2, 3), (2, 3), randn(3)),
        lambda m: m.rms_norm(torch.ones(3).long(), (3,)),
        lambda m: m.local_response_norm(randn(2, 3), 2),
        lambda m: m.local_response_norm(randn(2, 3, 4), 0),
    ],
)
def test_an_error_is_of_torchs_class_too(call: Callable[[Any], Any]) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        call(functional)
    with pytest.raises(theirs.type, match=r"norm.*: expected .*, got "):
        call(norm)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
@pytest.mark.usefixtures("as_installed")
def test_an_array_is_no_tensor(name: str) -> None:
    more = {"batch_norm": (None, None), "layer_norm": ((3,),)}[name]
    with pytest.raises(TypeError, match=f"{name}: expected a tensor as input"):
        getattr(norm, name)(randn(2, 3).numpy(), *more)


def test_the_bits_of_a_local_response_under_autocast() -> None:
    x = randn(2, 6, 3, 2).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert norm.LocalResponseNorm(3)(x).dtype == torch.float32
    assert norm.LocalResponseNorm(3)(x).dtype == torch.bfloat16


def test_parameters_are_read_once_a_call() -> None:
    read = []

    class Counted(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            read.append(weight)
            return weight

    for layer, shape in ((norm.LayerNorm(6), (4, 6)), (norm.BatchNorm1d(6), (4, 6))):
        parametrize.register_parametrization(layer, "weight", Counted())
        read.clear()
        layer(torch.randn(shape))
        assert len(read) == 1
