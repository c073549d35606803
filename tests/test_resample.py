"""Resampling next to torch's: every mode, sizes and scales, layouts and dtypes."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError
from torch.nn import functional

from examples import randn
from layerlib.lab import same
from layerlib.resample import RESAMPLE, Upsample, interpolate
from rounding import rounded_once

AXES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "trilinear": (3,),
    "bicubic": (2,),
    "lanczos": (2,),
}
CASES = [(mode, n) for mode, ns in AXES.items() for n in ns]
SIZES = {
    1: [3, 8, (1,), (19,)],
    2: [3, (8, 2), (1, 12), (5, 6)],
    3: [3, (8, 2, 1), (5, 6, 7)],
}
SCALES = {1: [2.0, 0.3, (1.7,)], 2: [2.0, 1.3, (0.4, 3.1)], 3: [2.0, (1.0, 0.7, 1.3)]}
BLENDS = [
    ("bilinear", False, False),
    ("bilinear", True, False),
    ("bicubic", False, False),
    ("bicubic", True, False),
    ("bilinear", False, True),
    ("bilinear", True, True),
    ("bicubic", False, True),
    ("bicubic", True, True),
    ("lanczos", False, True),
]


def both(input: Tensor, *, second: bool = False, **options: Any) -> None:
    same(
        lambda x: interpolate(x, **options),
        lambda x: functional.interpolate(x, **options),
        input,
        second=second,
    )


def needs(mode: str) -> dict[str, Any]:
    return {"mode": mode, "antialias": mode == "lanczos"}


@pytest.mark.parametrize(("mode", "n"), CASES)
@pytest.mark.parametrize("batch", [0, 2])
def test_sizes(mode: str, n: int, batch: int) -> None:
    for size in SIZES[n]:
        for dtype in (torch.float64, torch.float32):
            x = randn(batch, 3, *[5, 6, 4][:n], dtype=dtype)
            both(
                x,
                size=size,
                second=dtype == torch.float64 and mode != "area",
                **needs(mode),
            )


@pytest.mark.parametrize(("mode", "n"), CASES)
@pytest.mark.parametrize("recompute", [None, True, False])
def test_scales(mode: str, n: int, recompute: bool | None) -> None:
    for scale in SCALES[n]:
        options = {
            **needs(mode),
            "scale_factor": scale,
            "recompute_scale_factor": recompute,
        }
        both(randn(2, 3, *[5, 6, 4][:n]), **options)


@pytest.mark.parametrize(("mode", "n"), CASES[9:])
def test_corners_aligned(mode: str, n: int) -> None:
    for options in [{"size": size} for size in SIZES[n]] + [
        {"scale_factor": s} for s in SCALES[n]
    ]:
        if mode != "lanczos":
            both(randn(2, 3, *[5, 6, 4][:n]), mode=mode, align_corners=True, **options)
        both(randn(2, 3, *[5, 6, 4][:n]), align_corners=False, **needs(mode), **options)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8])
def test_the_nearest_cell_at_every_size_and_scale(
    mode: str, dtype: torch.dtype
) -> None:
    given = [{"size": (m, 1)} for m in range(1, 61)]
    given += [{"scale_factor": (k / 10, 1.0)} for k in range(1, 36)]
    for n, options in itertools.product([*range(1, 36), 255], given):
        # above 128 cells torch computes places in another way, which differs rarely
        if 1 <= n * options.get("scale_factor", (1,))[0] < 128:
            x = torch.arange(n).to(dtype).reshape(1, 1, n, 1)
            theirs = functional.interpolate(x, mode=mode, **options)
            assert torch.equal(interpolate(x, mode=mode, **options), theirs)


@pytest.mark.parametrize(("mode", "align", "antialias"), BLENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blends_at_many_sizes_and_scales(
    mode: str, align: bool, antialias: bool, dtype: torch.dtype
) -> None:
    options = {"mode": mode, "align_corners": align, "antialias": antialias}
    for n in (1, 2, 3, 7, 12):
        x = randn(1, 1, n, 2, dtype=dtype)
        for m in (1, 2, 3, 4, 7, 11, 12, 13, 25):
            both(x, size=(m, 2), **options)
        for scale in (0.3, 0.5, 0.9, 1.1, 1.3, 2.0, 3.3):
            # where the size stays, torch's gradients are not those of its values
            if n * scale >= 1 and int(n * scale) != n:
                both(x, scale_factor=(scale, 1.0), **options)


@pytest.mark.parametrize(
    ("mode", "antialias"), [("bicubic", False), ("bicubic", True), ("bilinear", True)]
)
def test_a_scale_that_leaves_the_size(mode: str, antialias: bool) -> None:
    """Values are torch's, gradients are those of the values: torch's are not."""
    x, options = (
        randn(1, 1, 3, 3),
        {"scale_factor": 1.3, "mode": mode, "antialias": antialias},
    )
    torch.testing.assert_close(
        interpolate(x, **options), functional.interpolate(x, **options)
    )
    assert torch.autograd.gradcheck(
        lambda x: interpolate(x, **options), x.requires_grad_()
    )
    with pytest.raises(GradcheckError):
        torch.autograd.gradcheck(lambda x: functional.interpolate(x, **options), x)


@pytest.mark.parametrize(("mode", "n"), CASES)
def test_layouts_in_memory(mode: str, n: int) -> None:
    x = randn(2, 3, *[6] * n)
    last = {
        1: torch.contiguous_format,
        2: torch.channels_last,
        3: torch.channels_last_3d,
    }[n]
    for given in (
        x.transpose(0, 1),
        x.mT,
        x[..., ::2],
        x.contiguous(memory_format=last),
        x.expand_as(x),
    ):
        both(given, size=4, **needs(mode))


@pytest.mark.parametrize("mode", list(AXES))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(mode: str, dtype: torch.dtype) -> None:
    for antialias in {mode == "lanczos", mode in ("bilinear", "bicubic", "lanczos")}:
        x = randn(2, 3, *[9] * AXES[mode][-1], dtype=dtype)
        options = {"size": 5 if antialias else 13, "mode": mode, "antialias": antialias}
        exact = functional.interpolate(x.double(), **options)
        mine = interpolate(x, **options)
        assert mine.dtype == dtype
        assert torch.equal(mine, interpolate(x.float(), **options).to(dtype))
        # Computed in 32 bits, places and weights too, to about 100 roundings.
        rounded_once(mine, exact, 100 * 2**-24 * x.abs().max().double())


@pytest.mark.parametrize(("mode", "align", "antialias"), BLENDS)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_bytes(mode: str, align: bool, antialias: bool, channels: int) -> None:
    dice = torch.Generator().manual_seed(0)
    x = torch.randint(256, (2, channels, 7, 8), generator=dice, dtype=torch.uint8)
    for size in ((11, 13), (3, 5), (7, 12), (14, 16), (7, 8)):
        both(x, size=size, mode=mode, align_corners=align, antialias=antialias)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("place", [1, -1])
@pytest.mark.parametrize(("mode", "n"), CASES)
def test_nan_and_infinity_spread_as_in_torch(
    mode: str, n: int, place: int, value: float
) -> None:
    x = randn(1, 1, *[9] * n)
    x[(0, 0, *[place] * n)] = value
    for size in (4, 11, 18):
        both(x, size=size, **needs(mode))
        if mode in ("bilinear", "bicubic"):
            both(x, size=size, mode=mode, antialias=True)
            both(x, size=size, mode=mode, align_corners=True)


def test_an_axis_that_keeps_its_size_keeps_infinity() -> None:
    """torch adds nothing times infinity to it, and gets NaN."""
    x = torch.tensor([[[1.0, torch.inf, 2.0]]])
    assert torch.equal(interpolate(x, 3, mode="linear"), x)
    assert functional.interpolate(x, 3, mode="linear").isnan().any()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("length", [3, 24])
def test_a_column_is_a_row_turned(mode: str, length: int) -> None:
    """Averaged to a width of 1, torch gives the first number in each row."""
    row = randn(2, 3, 1, 12)
    options: dict[str, Any] = {"mode": mode, "antialias": True}
    theirs = functional.interpolate(row, (1, length), **options).mT
    torch.testing.assert_close(interpolate(row.mT, (length, 1), **options), theirs)
    wrong = functional.interpolate(row.mT, (length, 1), **options)
    torch.testing.assert_close(wrong, theirs[:, :, :1].expand_as(wrong))


@pytest.mark.parametrize(
    ("mode", "align", "antialias"),
    [*BLENDS, ("nearest", None, False), ("area", None, False)],
)
def test_the_line_means_the_same(
    mode: str, align: bool | None, antialias: bool
) -> None:
    """The matrix of an axis is what becomes of one-hot rows."""
    options = {"mode": mode, "align_corners": align, "antialias": antialias}
    x = randn(2, 3, 5, 6)
    high = interpolate(torch.eye(5).double()[None, :, :, None], (8, 1), **options)[
        0, :, :, 0
    ].T
    wide = interpolate(torch.eye(6).double()[None, :, None, :], (1, 4), **options)[
        0, :, 0
    ].T
    torch.testing.assert_close(
        RESAMPLE.literal(x, high, wide), interpolate(x, (8, 4), **options)
    )
    torch.testing.assert_close(high.sum(1), torch.ones(8).double())


def test_the_output_is_another_tensor_than_the_input() -> None:
    x = randn(1, 2, 3)
    for mode in ("nearest", "linear"):
        interpolate(x, 3, mode=mode).zero_()
    assert torch.equal(x, randn(1, 2, 3))


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_classes(mode: str) -> None:
    for given in (
        {"size": 4},
        {"scale_factor": 2},
        {"scale_factor": (0.5, 1.5), "recompute_scale_factor": True},
    ):
        same(
            Upsample(mode=mode, **given),
            nn.Upsample(mode=mode, **given),
            randn(2, 3, 5, 6),
        )


X = randn(1, 2, 4, 5)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: interpolate(X), ValueError, "expected a size or a scale_factor, and not both, got size=None and scale_factor=None"),
        (lambda: interpolate(X, 3, 2.0), ValueError, "not both, got size=3 and scale_factor=2.0"),
        (lambda: interpolate(X, (3,)), ValueError, r"interpolate: expected a size or scale_factor of 2 numbers for an input of shape \(1, 2, 4, 5\), got \(3,\)"),
        (lambda: interpolate(X, scale_factor=(3, 4, 5)), ValueError, r"of 2 numbers .* got \(3, 4, 5\)"),
        (lambda: interpolate(X, (3.0, 4)), TypeError, r"expected whole numbers as size, got \(3.0, 4\)"),
        (lambda: interpolate(X, size=True), TypeError, "whole numbers as size, got True"),
        (lambda: interpolate(X, 3, recompute_scale_factor=True), ValueError, "recompute_scale_factor is for a scale_factor"),
        (lambda: interpolate(X, 0), ValueError, r"expected channels and sizes of at least 1, got an input of shape \(1, 2, 4, 5\) and an output of size \(0, 0\)"),
        (lambda: interpolate(X, scale_factor=-1.0), ValueError, r"an output of size \(-4, -5\)"),
        (lambda: interpolate(X, scale_factor=0.1), ValueError, r"an output of size \(0, 0\)"),
        (lambda: interpolate(X[:, :0], 3), ValueError, r"got an input of shape \(1, 0, 4, 5\)"),
        (lambda: interpolate(X[:, :, :0], 3, mode="bilinear"), ValueError, r"got an input of shape \(1, 2, 0, 5\)"),
        (lambda: interpolate(X, 3, mode="cubic"), ValueError, "expected a mode of .*'nearest'.*, got 'cubic'"),
        (lambda: interpolate(X, 3, mode="linear"), ValueError, r"with mode='linear': expected 3 axes, got shape \(1, 2, 4, 5\)"),
        (lambda: interpolate(X, 3, mode="trilinear"), ValueError, "mode='trilinear': expected 5 axes"),
        (lambda: interpolate(X[0], 3, mode="bilinear"), ValueError, "mode='bilinear': expected 4 axes"),
        (lambda: interpolate(X[0, 0], 3), ValueError, r"expected 3 or 4 or 5 axes, got shape \(4, 5\)"),
        (lambda: interpolate(X, 3, align_corners=False), ValueError, "mode='nearest': expected no align_corners, got False"),
        (lambda: interpolate(X, 3, mode="area", align_corners=True), ValueError, "mode='area': expected no align_corners, got True"),
        (lambda: interpolate(X, 3, antialias=True), ValueError, "mode='nearest': expected antialias=False"),
        (lambda: interpolate(X[0], 3, mode="linear", antialias=True), ValueError, "mode='linear': expected antialias=False"),
        (lambda: interpolate(X, 3, mode="lanczos"), ValueError, "mode='lanczos': expected antialias=True and no align_corners"),
        (lambda: interpolate(X, 3, mode="lanczos", antialias=True, align_corners=True), ValueError, "and no align_corners"),
        (lambda: interpolate(X.long(), 3), TypeError, "mode='nearest': expected floating-point numbers.*, got torch.int64"),
        (lambda: interpolate(X.byte()[0], 3, mode="linear"), TypeError, "got torch.uint8"),
        (lambda: interpolate(X.byte(), 3, mode="area"), TypeError, "got torch.uint8"),
        (lambda: interpolate(X + 1j, 3), TypeError, "got torch.complex128"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[], Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        call()
