"""Pooling next to torch's: every option, ties, NaN and infinities, every layout."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from examples import randn
from layerlib import pool
from layerlib.conventions.dtypes import HALVES
from layerlib.engine.kernel import Kernel
from layerlib.lab import same
from layerlib.pool import BINS, MAX, SUM, UNPOOL
from layerlib.windows import windows
from rounding import rounded_once, rounds_well

AXES = [1, 2, 3]


def compare(
    name: str, input: Tensor, *args: Any, second: bool = True, **kwargs: Any
) -> None:
    """Ours next to torch's function of that name."""
    ours, theirs = getattr(pool, name), getattr(functional, name)
    same(
        lambda x: ours(x, *args, **kwargs),
        lambda x: theirs(x, *args, **kwargs),
        input,
        second=second,
    )


def torch_can(name: str, input: Tensor, *args: Any, **kwargs: Any) -> bool:
    try:
        getattr(functional, name)(input, *args, **kwargs)
    except RuntimeError:
        return False
    return True


def numbers(*shape: int, kind: str) -> Tensor:
    """Random ones; with ties; or with NaN and infinities, in places next to each other."""
    x = randn(*shape)
    dice = torch.Generator().manual_seed(1)
    if kind == "ties":
        return (2 * x).round()
    if kind == "extremes":
        odd = torch.tensor([torch.nan, torch.inf, -torch.inf, -torch.inf, 0.0])
        which = torch.randint(5, shape, generator=dice)
        return torch.where(
            torch.rand(shape, generator=dice) < 0.6, odd[which].double(), x
        )
    return x


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, dict[str, Any]]:
    """An input and the arguments of a pooling layer, each axis with its own."""
    n = draw(st.sampled_from(AXES))
    each = st.integers(1, 3)
    kernel = [draw(each) for _ in range(n)]
    made = {
        "kernel_size": kernel,
        "stride": draw(st.none() | st.lists(each, min_size=n, max_size=n)),
        "padding": [draw(st.integers(0, k // 2)) for k in kernel],
        "dilation": [draw(each) for _ in range(n)],
        "ceil_mode": draw(st.booleans()),
    }
    lead = draw(st.sampled_from([(2,), (2, 3), (0, 2)]))
    shape = (*lead, *[draw(st.integers(2, 7)) for _ in range(n)])
    kind = draw(st.sampled_from(["plain", "ties", "extremes"]))
    return numbers(*shape, kind=kind), made


@given(cases())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_max_pool(case: tuple[Tensor, dict[str, Any]]) -> None:
    x, given = case
    name = f"max_pool{len(given['kernel_size'])}d"
    lengths = x.shape[-len(given["kernel_size"]) :]
    blind = any(
        start % d >= n
        for n, p, d in zip(lengths, given["padding"], given["dilation"], strict=True)
        for start in range(-p, 0)
    )
    if blind or not torch_can(name, x, *given.values()):
        return  # too small, or torch's index lies outside of the input
    compare(name, x, **given, return_indices=True)
    compare(name, x, **given)


@given(cases(), st.booleans(), st.sampled_from([None, 3, -2]))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_avg_pool(
    case: tuple[Tensor, dict[str, Any]], include: bool, divisor: int | None
) -> None:
    x, given = case
    del given["dilation"]
    name = f"avg_pool{len(given['kernel_size'])}d"
    if name != "avg_pool1d":
        given |= {"divisor_override": divisor}
    if torch_can(name, x, **given):
        compare(name, x, **given, count_include_pad=include)


@given(cases(), st.sampled_from([1.0, 2, 2.0, 3.0, 0.5, -1.0, torch.inf, -torch.inf]))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_lp_pool(case: tuple[Tensor, dict[str, Any]], norm: float) -> None:
    x, given = case
    kernel, stride = given["kernel_size"], given["stride"]
    name = f"lp_pool{len(kernel)}d"
    kernel = kernel[0] if len(kernel) == 1 else kernel
    if torch_can(name, x, norm, kernel, stride):
        compare(name, x, norm, kernel, stride, given["ceil_mode"], second=False)


@pytest.mark.parametrize("norm", [2.0, 3.0, 1.0])
def test_lp_pool_of_zeros_has_no_gradient(norm: float) -> None:
    compare("lp_pool1d", torch.zeros(1, 1, 4).double(), norm, 2, second=False)


@pytest.mark.parametrize("kind", ["plain", "ties", "extremes"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 0])
@pytest.mark.parametrize("length", [1, 2, 4, 6, 7])
def test_adaptive_pool(length: int, size: int, kind: str) -> None:
    for n in AXES:
        shape, sizes = (2, 3, length, 5, 4)[: n + 2], (size, 3, 2)[:n]
        for lead in ([], [slice(1)], [0]):
            x = numbers(*shape, kind=kind)
            x = x[lead[0]] if lead else x
            with torch.set_grad_enabled(size > 0):  # torch has no gradient of nothing
                compare(f"adaptive_max_pool{n}d", x, sizes, return_indices=True)
                compare(f"adaptive_avg_pool{n}d", x, sizes, second=False)


@pytest.mark.parametrize("name", ["adaptive_avg_pool", "adaptive_max_pool"])
def test_adaptive_pool_of_one_number_and_of_none(name: str) -> None:
    for n in AXES:
        compare(f"{name}{n}d", randn(2, 3, *[7] * n), 3, second=False)
    compare(f"{name}2d", randn(2, 3, 7, 5), (None, 2), second=False)
    compare(f"{name}3d", randn(2, 3, 7, 5, 3), (2, None, None), second=False)
    with torch.no_grad():  # torch has no gradient of nothing
        compare("adaptive_avg_pool2d", randn(2, 0, 7, 5), 2)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("kind", ["plain", "ties", "extremes"])
@pytest.mark.parametrize("lead", [(2, 3), (3,), (0, 2)])
def test_fractional_max_pool(n: int, kind: str, lead: tuple[int, ...]) -> None:
    name, x = f"fractional_max_pool{n}d", numbers(*lead, *(9, 8, 11)[:n], kind=kind)
    for kernel in (1, 2, (3, 2, 1)[:n]):
        for size in (1, 3, 5, (4, 2, 6)[:n]):
            compare(name, x, kernel, size, return_indices=True)
    compare(name, x, 2, output_ratio=(0.5, 0.3, 0.4)[:n])
    compare(name, x, 2, (2, 3, 4)[:n], (0.5, 0.5, 0.5)[:n])  # the size counts
    compare(name, x, 2, 0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALVES])
@pytest.mark.parametrize("n", [2, 3])
def test_samples_decide_the_windows(n: int, dtype: torch.dtype) -> None:
    x, name = randn(2, 3, *[40] * n, dtype=dtype), f"fractional_max_pool{n}d"
    for seed in range(8):
        dice = torch.Generator().manual_seed(seed)
        sample = torch.rand(2, 3, n, dtype=dtype, generator=dice)
        given = {"_random_samples": sample, "return_indices": True}
        with torch.no_grad():
            compare(name, x, 3, (23, 17, 5)[:n], **given)
            compare(name, x[0], 2, 11, **given)


@given(cases(), st.integers(-2, 2), st.booleans())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_max_unpool(
    case: tuple[Tensor, dict[str, Any]], more: int, whole: bool
) -> None:
    x, given = case
    kernel, stride = given["kernel_size"], given["stride"]
    n, padding = len(kernel), given["padding"]
    name = f"max_unpool{n}d"
    steps = stride or kernel
    each = zip(x.shape[-n:], kernel, steps, padding, strict=True)
    size = [(m - 1) * s + k - 2 * p + more for m, k, s, p in each]
    output = [*x.shape[:2], *size] if whole and x.ndim == n + 2 else size
    count = int(torch.Size(size).numel()) if min(size) > 0 else 0
    dice = torch.Generator().manual_seed(0)
    indices = torch.randint(max(count, 1), x.shape, generator=dice)  # and some twice
    theirs = getattr(functional, name)
    try:
        theirs(x, indices, kernel, stride, padding, output)
    except (ValueError, RuntimeError):
        return
    for given_size in [output, *([None] if more == 0 else [])]:
        compare(name, x, indices, kernel, stride, padding, given_size, second=False)


@pytest.mark.parametrize("n", AXES)
def test_unpool_undoes_the_shape(n: int) -> None:
    x = randn(2, 3, *[7] * n)
    found, at = getattr(pool, f"max_pool{n}d")(x, 2, return_indices=True)
    back = getattr(pool, f"max_unpool{n}d")(found, at, 2, output_size=x.shape)
    assert torch.equal(back[back != 0], x[back != 0])
    assert int((back != 0).sum()) == found.numel()


@pytest.mark.parametrize("n", AXES)
def test_literal_forms_mean_the_same(n: int) -> None:
    x = randn(2, 3, *(7, 6, 5)[:n])
    kernel, stride, dilation = (3, 2, 2)[:n], (2, 1, 2)[:n], (1, 2, 1)[:n]
    padding = (1, 1, 0)[:n]
    widths = [p for p in reversed(padding) for _ in range(2)]
    padded = torch.constant_pad_nd(x, widths, -torch.inf)
    torch.testing.assert_close(
        MAX(windows(padded, Kernel(kernel, stride, dilation))),
        getattr(pool, f"max_pool{n}d")(x, kernel, stride, padding, dilation),
    )
    seen = windows(torch.constant_pad_nd(x, widths, 0.0), Kernel(kernel, stride))
    torch.testing.assert_close(
        SUM(seen) / seen.shape[-1],
        getattr(pool, f"avg_pool{n}d")(x, kernel, stride, padding),
    )
    seen = windows(x, Kernel(kernel, stride)).tensor()
    found = getattr(pool, f"lp_pool{n}d")(x, 4.0, kernel, stride)
    torch.testing.assert_close(SUM(seen**4) ** 0.25, found)


@pytest.mark.parametrize(("length", "size"), [(7, 3), (5, 8), (6, 2), (4, 1)])
def test_adaptive_mean_is_a_small_matrix(length: int, size: int) -> None:
    x = randn(2, 3, 5, length)
    rows = pool.adaptive_avg_pool1d(torch.eye(length).double()[None], size)[0].T
    columns = pool.adaptive_avg_pool1d(torch.eye(5).double()[None], 2)[0].T
    found = pool.adaptive_avg_pool2d(x, (2, size))
    across = BINS(x, rows)
    torch.testing.assert_close(BINS(across.mT, columns).mT, found)
    torch.testing.assert_close(BINS.literal(x, rows), across)


def test_unpool_is_a_product_with_one_hot() -> None:
    x, at = randn(2, 3, 4), torch.arange(4).expand(2, 3, 4) * 2
    hot = torch.nn.functional.one_hot(at, 8).double()
    torch.testing.assert_close(UNPOOL.literal(x, hot), pool.max_unpool1d(x, at, 2))


@pytest.mark.parametrize("n", AXES)
def test_whole_numbers(n: int) -> None:
    x = torch.randint(-9, 9, (2, 3, *[5] * n), generator=torch.Generator())
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8):
        given = x.to(dtype)
        compare(f"max_pool{n}d", given, 3, 2, 1, return_indices=True)
    compare(f"max_pool{n}d", (x + 9).to(torch.uint8), 3, 2, 1, return_indices=True)
    low = torch.full_like(x, torch.iinfo(torch.int64).min)
    compare(f"max_pool{n}d", low, 3, 2, 1, return_indices=True)
    compare(f"avg_pool{n}d", x, 3, 2, 1)
    compare(f"avg_pool{n}d", x + 2**40, 3, 2, 1)  # float32 has not as many digits
    compare(f"lp_pool{n}d", x.abs(), 2, 2)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
@pytest.mark.parametrize("n", AXES)
def test_maxima_in_every_type(n: int, dtype: torch.dtype) -> None:
    x = randn(2, 3, *[7] * n, dtype=dtype)
    with torch.set_grad_enabled(dtype not in HALVES):  # torch's are worse: below
        compare(f"max_pool{n}d", x, 3, 2, 1, ceil_mode=True, return_indices=True)
        compare(f"adaptive_max_pool{n}d", x, 3, return_indices=True)
    at = torch.arange(7**n).view([7] * n).expand(x.shape)
    compare(f"max_unpool{n}d", x, at, 2, second=False)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("n", AXES)
def test_gradients_of_maxima_are_rounded_once(n: int, dtype: torch.dtype) -> None:
    x = randn(2, 3, *[9] * n, dtype=dtype)
    for name, size in ((f"max_pool{n}d", (3, 1, 1)), (f"adaptive_max_pool{n}d", (7,))):
        ours, theirs = getattr(pool, name), getattr(functional, name)
        cotangent = randn(*ours(x, *size).shape, dtype=dtype)
        mine = _gradient(ours, x, size, cotangent)
        wide = x.double(), size, cotangent.double()
        exact = _gradient(theirs, *wide)
        terms = _gradient(theirs, *wide[:2], wide[2].abs())
        assert mine.dtype == dtype
        # At most as many terms as a window has cells are added in 32 bits.
        rounded_once(mine, exact, 3**n * 2**-24 * terms)


def _gradient(f: Any, x: Tensor, size: tuple[int, ...], cotangent: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x, *size), x, cotangent)[0]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("n", AXES)
def test_means_round_well(n: int, dtype: torch.dtype) -> None:
    x = randn(2, 3, *[12] * n, dtype=dtype)
    rounds_well(lambda x: getattr(pool, f"avg_pool{n}d")(x, 5, 1, 2), x)
    for size in (5, 1):
        rounds_well(lambda x: getattr(pool, f"adaptive_avg_pool{n}d")(x, size), x)  # noqa: B023


@pytest.mark.parametrize("dtype", HALVES)
def test_a_large_sum_does_not_overflow(dtype: torch.dtype) -> None:
    x = torch.full((1, 1, 9, 9), 30000.0, dtype=dtype)
    for found in (pool.avg_pool2d(x, 9), pool.adaptive_avg_pool2d(x, 1)):
        assert torch.equal(found.flatten(), x.flatten()[:1])


def test_float32_means() -> None:
    x = randn(2, 3, 9, 9, dtype=torch.float32)
    compare("avg_pool2d", x, 3, 2, 1, second=False)
    compare("adaptive_avg_pool2d", x, 4, second=False)
    compare("lp_pool2d", x, 2.0, 3)


@pytest.mark.parametrize("n", [2, 3])
def test_layouts_in_memory(n: int) -> None:
    last = {2: torch.channels_last, 3: torch.channels_last_3d}[n]
    x = randn(2, 3, *[8] * n)
    for moved in (
        x.contiguous(memory_format=last),
        x.transpose(-1, -2),
        x[..., ::2],
        x[:, :1].expand(2, 3, *[8] * n),
    ):
        compare(f"max_pool{n}d", moved, 3, 2, 1, return_indices=True)
        compare(f"avg_pool{n}d", moved, 3, 2, 1, second=False)
        compare(f"adaptive_avg_pool{n}d", moved, 3, second=False)
        compare(f"adaptive_max_pool{n}d", moved, 3, return_indices=True)
        compare(f"fractional_max_pool{n}d", moved, 2, 2, return_indices=True)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_what_is_outside_of_a_window_stays_there(name: str, odd: float) -> None:
    x = randn(1, 1, 6, 6)
    x[0, 0, 2, 3] = odd
    found = getattr(pool, name)(x, 2)
    assert int(found.isfinite().sum()) == 8
    ours = torch.autograd.functional.jacobian(lambda x: getattr(pool, name)(x, 2), x)
    assert bool(ours.isfinite().all())


def test_a_long_window_counts_its_places() -> None:
    x = randn(1, 1, 700)
    x[0, 0, 600] = 9
    compare("max_pool1d", x, 650, 7, return_indices=True)
    compare("adaptive_max_pool1d", x, 1, return_indices=True)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d", "adaptive_max_pool2d"])
def test_function_transforms(name: str) -> None:
    size = 3 if "adaptive" in name else 2

    def ours(x: Tensor) -> Tensor:
        return getattr(pool, name)(x, size)

    def theirs(x: Tensor) -> Tensor:
        return getattr(functional, name)(x, size)

    x, weight = randn(4, 2, 3, 6, 6), randn(2, 3, 3, 3)
    right = torch.stack([theirs(one) for one in x])
    torch.testing.assert_close(torch.func.vmap(ours)(x), right)
    loss = torch.func.grad(lambda x: (ours(x) ** 2 * weight).sum())
    for one, mine in zip(x, torch.func.vmap(loss)(x), strict=True):
        one.requires_grad_()
        (g,) = torch.autograd.grad((theirs(one) ** 2 * weight).sum(), one)
        torch.testing.assert_close(mine, g)
    expected = torch.autograd.functional.jacobian(theirs, x[0])
    torch.testing.assert_close(torch.func.jacrev(ours)(x[0]), expected)


def test_stride_may_be_an_empty_list() -> None:
    compare("max_pool2d", randn(1, 1, 6, 6), 2, [])


WRONG = {
    "max_pool2d: expected an input of shape": lambda: pool.max_pool2d(randn(4, 4), 2),
    r"max_pool1d: expected no empty axis but the batch, got \(2, 0, 4\)": (
        lambda: pool.max_pool1d(randn(2, 0, 4), 2)
    ),
    "adaptive_avg_pool2d: expected no empty axis": (
        lambda: pool.adaptive_avg_pool2d(randn(2, 3, 0, 4), 2)
    ),
    "max_pool2d: expected floating point, got torch.bool": (
        lambda: pool.max_pool2d(torch.ones(1, 4, 4, dtype=torch.bool), 2)
    ),
    "max_pool1d: expected floating point, got torch.complex64": (
        lambda: pool.max_pool1d(torch.ones(1, 4, dtype=torch.complex64), 2)
    ),
    "avg_pool1d: expected floating point, got torch.int32": (
        lambda: pool.avg_pool1d(torch.ones(1, 4, dtype=torch.int32), 2)
    ),
    "adaptive_max_pool1d: expected floating point, got torch.int64": (
        lambda: pool.adaptive_max_pool1d(torch.ones(1, 4, dtype=torch.int64), 2)
    ),
    r"max_pool2d: expected kernel_size to be a number or 2 numbers, got \(2, 2, 2\)": (
        lambda: pool.max_pool2d(randn(1, 4, 4), (2, 2, 2))
    ),
    "at least 1 and padding from 0 to half of kernel_size, got 0, 0, 1 and 0": (
        lambda: pool.max_pool2d(randn(1, 4, 4), 0)
    ),
    "half of kernel_size, got 2, 0, 1 and 0": (
        lambda: pool.avg_pool2d(randn(1, 4, 4), 2, 0)
    ),
    "half of kernel_size, got 2, 2, 0 and 0": (
        lambda: pool.max_pool2d(randn(1, 4, 4), 2, dilation=0)
    ),
    "half of kernel_size, got 3, 3, 1 and 2": (
        lambda: pool.avg_pool1d(randn(1, 4), 3, padding=2)
    ),
    "half of kernel_size, got 2, 2, 1 and -1": (
        lambda: pool.max_pool1d(randn(1, 4), 2, padding=-1)
    ),
    "max_pool2d: expected windows that see the input, got 3 cells with a dilation of 1 on an axis of 2": (
        lambda: pool.max_pool2d(randn(1, 2, 5), 3)
    ),
    "got 2 cells with a dilation of 3 on an axis of 2 with a padding of 1": (
        lambda: pool.max_pool1d(randn(1, 2), 2, 1, 1, 3)  # torch's index is outside
    ),
    "avg_pool2d: expected a divisor_override other than 0": (
        lambda: pool.avg_pool2d(randn(1, 4, 4), 2, divisor_override=0)
    ),
    r"adaptive_max_pool2d: expected sizes of at least 0, got \(2, -1\)": (
        lambda: pool.adaptive_max_pool2d(randn(1, 4, 4), (2, -1))
    ),
    "fractional_max_pool2d: expected an output_size or an output_ratio": (
        lambda: pool.fractional_max_pool2d(randn(1, 4, 4), 2)
    ),
    r"windows that begin at different cells, got an output_size of \(4, 4\) and a kernel_size of \(2, 2\) on \(4, 4\)": (
        lambda: pool.fractional_max_pool2d(randn(1, 4, 4), 2, 4)
    ),
    "fractional_max_pool3d: expected windows that begin at different cells": (
        lambda: pool.fractional_max_pool3d(randn(1, 4, 4, 4), 2, 3)  # 2-d may, 3-d not
    ),
    r"expected random samples \(1, 1, 2\) of torch.float64, got \(1, 2, 2\)": (
        lambda: pool.fractional_max_pool2d(
            randn(1, 4, 4), 2, 2, _random_samples=torch.rand(1, 2, 2).double()
        )
    ),
    "of torch.float64, got .* of torch.float32": (
        lambda: pool.fractional_max_pool2d(
            randn(1, 4, 4), 2, 2, _random_samples=torch.rand(1, 1, 2)
        )
    ),
    r"max_unpool1d: expected indices \(1, 2\) of torch.int64, got \(1, 3\)": (
        lambda: pool.max_unpool1d(randn(1, 2), torch.zeros(1, 3).long(), 2)
    ),
    "of torch.int64, got .* of torch.int32": (
        lambda: pool.max_unpool1d(randn(1, 2), torch.zeros(1, 2).int(), 2)
    ),
    r"expected an output_size of \[4\], more or less by less than \(2,\), got \[6\]": (
        lambda: pool.max_unpool1d(
            randn(1, 2), torch.zeros(1, 2).long(), 2, output_size=[6]
        )
    ),
    r"expected an output_size of \[4, 4\].* got \[4\]": (
        lambda: pool.max_unpool2d(
            randn(1, 2, 2), torch.zeros(1, 2, 2).long(), 2, output_size=[4]
        )
    ),
}


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(("told", "call"), WRONG.items(), ids=range(len(WRONG)))
def test_errors(told: str, call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=told):
        call()


def test_other_errors() -> None:
    with pytest.raises(RuntimeError, match="index 4 is out of bounds"):
        pool.max_unpool1d(randn(1, 1, 2), torch.tensor([[[0, 4]]]), 2)
    with pytest.raises(ZeroDivisionError):
        pool.lp_pool1d(randn(1, 4), 0.0, 2)
