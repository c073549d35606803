"""Windows, paddings, unfold and fold, next to torch's: every mode, option and layout."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from examples import randn
from layerlib import windows as family
from layerlib.engine.kernel import Kernel
from layerlib.lab import same
from layerlib.windows import (
    FOLD,
    MODES,
    PAD,
    UNFOLD,
    fold,
    overlap_add,
    pad,
    unfold,
    windows,
)

SHAPES = {1: (2, 3, 5), 2: (2, 3, 4, 5), 3: (2, 2, 4, 5, 4)}
WIDTHS = [(1, 2), (2, 0), (0, 0), (-1, 2), (2, -2), (-1, -1)]
GEOMETRIES = [
    {"kernel_size": 2},
    {"kernel_size": (1, 3), "stride": (2, 1)},
    {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 0)},
    {"kernel_size": [2, 2], "dilation": 2, "padding": 2, "stride": 3},
]


def mapped(mode: str, length: int, before: int, after: int) -> Tensor:
    """The padding as a matrix (y, h): a 1 where a place shows a cell."""
    matrix = torch.zeros(length + before + after, length, dtype=torch.float64)
    for row, at in enumerate(range(-before, length + after)):
        if mode != "constant" or 0 <= at < length:
            matrix[row, at if 0 <= at < length else MODES[mode](at, length)] = 1
    return matrix


@pytest.mark.parametrize("mode", ["constant", *MODES])
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("batch", [True, False])
def test_pad(mode: str, n: int, batch: bool) -> None:
    x = randn(*SHAPES[n][0 if batch else 1 :])
    for first in range(len(WIDTHS)):
        widths = sum((WIDTHS[(first + axis) % len(WIDTHS)] for axis in range(n)), ())
        same(
            lambda x, w=widths: pad(x, w, mode) ** 3,
            lambda x, w=widths: functional.pad(x, w, mode) ** 3,
            x,
            second=True,
        )


@pytest.mark.parametrize("mode", ["constant", *MODES])
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_pad_takes_the_widths_that_torch_takes(mode: str, length: int) -> None:
    x = randn(2, length)
    for before, after in itertools.product(range(-5, 6), repeat=2):
        left = length + min(before, 0) + min(after, 0)
        if mode == "circular" and left <= 0 < max(before, after):
            # There is nothing to repeat: torch gives memory that it has not written.
            with pytest.raises(ValueError, match="has cells for"):
                pad(x, (before, after), mode)
        elif mode == "circular" and 0 < left < max(before, after) <= length:
            # Nor has torch written all of this, or it refuses.
            inside = x[:, max(-before, 0) : length - max(-after, 0)]
            at = torch.arange(-max(before, 0), left + max(after, 0)) % left
            torch.testing.assert_close(pad(x, (before, after), mode), inside[:, at])
        else:
            widths = (before, after)
            both_or_neither(lambda f, w=widths: f(x, w, mode), pad, functional.pad)


def both_or_neither(call: Callable[..., Tensor], ours: Any, theirs: Any) -> None:
    try:
        right = call(theirs)
    except (RuntimeError, NotImplementedError):
        with pytest.raises(ValueError, match=f"^{ours.__name__}: expected "):
            call(ours)
    else:
        torch.testing.assert_close(call(ours), right, rtol=0, atol=0)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("mode", ["constant", *MODES, "mirror"])
def test_pad_takes_the_shapes_that_torch_takes(mode: str) -> None:
    shapes = [(2, 3, 4, 3, 4, 3)[:n] for n in range(7)]
    shapes += [(0, 3, 4), (2, 0, 4), (0, 4), (2, 3, 0), (0, 2, 4, 4), (0, 0, 4, 4)]
    for shape, count, width in itertools.product(shapes, range(10), (0, 1, -1)):
        given = randn(*shape), (width,) * count, mode
        if (mode, width, 0 in shape[3:] or shape[-1:] == (0,)) != (
            "circular",
            -1,
            True,
        ):
            both_or_neither(lambda f, g=given: f(*g), pad, functional.pad)


def test_pad_with_a_value() -> None:
    for value in (None, 0, 2, -1.5, torch.inf, True):
        same(
            lambda x, v=value: pad(x, (1, 2, -1, 0), value=v),
            lambda x, v=value: functional.pad(x, (1, 2, -1, 0), value=v),
            randn(3, 4),
        )
    for mode, value in itertools.product(MODES, (None, 0, 0.0, 1, -2.5)):
        both_or_neither(
            lambda f, m=mode, v=value: f(randn(2, 4), (1, 1), m, v), pad, functional.pad
        )


@pytest.mark.parametrize("mode", ["constant", *MODES])
def test_pad_of_every_dtype(mode: str) -> None:
    kinds = [torch.float32, torch.bfloat16, torch.float16, torch.complex64, torch.int64]
    kinds += [
        torch.uint8,
        torch.int8,
        *([torch.bool] if mode in "constant circular" else []),
    ]
    for dtype in kinds:
        x = (3 * randn(2, 3, 4, 5)).to(dtype)
        ours, theirs = (f(x, (2, 1, 0, 3), mode) for f in (pad, functional.pad))
        assert torch.equal(ours, theirs)
        assert ours.dtype == dtype
    if mode in ("reflect", "replicate"):  # torch's has no kernel for truth values
        x = randn(2, 3, 4, 5) > 0
        assert torch.equal(
            pad(x, (2, 1, 0, 3), mode), pad(x.int(), (2, 1, 0, 3), mode).bool()
        )
    same(
        lambda x: pad(x, (2, 1), mode) ** 3,
        lambda x: functional.pad(x, (2, 1), mode) ** 3,
        randn(2, 3, 4, dtype=torch.complex128),
        second=True,
    )


def is_rounded_once(
    function: Callable[[Tensor], Tensor], x: Tensor, terms: int
) -> None:
    """Of a sum of so many copies: half a unit in the last place of the exact one.

    To that comes what the additions in float32 round, twice, since it may carry.
    """
    found, exact = function(x), function(x.double())
    assert found.dtype == x.dtype
    added = 2 * terms * torch.finfo(torch.float32).eps * function(x.abs().double())
    half = torch.finfo(x.dtype).eps / 2
    assert bool(((found.double() - exact).abs() <= half * exact.abs() + added).all())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradient_of_pad_in_half_precision(mode: str, dtype: torch.dtype) -> None:
    """Up to 25 copies of a cell go back to it, and are rounded once."""

    def back(cotangent: Tensor) -> Tensor:
        leaf = randn(1, 2, 6, 6).to(cotangent.dtype).requires_grad_()
        return torch.autograd.grad(pad(leaf, (5,) * 4, mode), leaf, cotangent)[0]

    is_rounded_once(back, randn(1, 2, 16, 16, dtype=dtype), terms=36)


@pytest.mark.parametrize("mode", ["constant", *MODES])
def test_pad_in_other_layouts(mode: str) -> None:
    x = randn(2, 3, 4, 5)
    x[0, 0, 0, 0], x[1, 2, 3, 4] = torch.nan, torch.inf
    for given in (
        x,
        x.transpose(2, 3),
        x.to(memory_format=torch.channels_last),
        x[:, :, ::2],
    ):
        same(
            lambda x: pad(x, (1, 1, 0, 1), mode),
            lambda x: functional.pad(x, (1, 1, 0, 1), mode),
            given,
        )


@pytest.mark.parametrize("mode", ["constant", *MODES])
@pytest.mark.parametrize("widths", [(0, 0), (-1, 0), (0, 1)])
def test_pad_gives_a_new_tensor(mode: str, widths: tuple[int, int]) -> None:
    x = randn(2, 3)
    assert (
        pad(x, widths, mode).untyped_storage().data_ptr()
        != x.untyped_storage().data_ptr()
    )


@pytest.mark.parametrize("mode", ["constant", *MODES])
@pytest.mark.parametrize(("before", "after"), [(2, 1), (0, 3), (3, 0)])
def test_a_padding_is_a_product_with_a_matrix(
    mode: str, before: int, after: int
) -> None:
    x = randn(2, 3, 4)
    matrix = mapped(mode, 4, before, after)
    torch.testing.assert_close(PAD.literal(x, matrix), pad(x, (before, after), mode))
    plane = randn(2, 4, 4)
    rows = PAD.literal(plane.mT, matrix).mT
    torch.testing.assert_close(
        PAD.literal(rows, matrix), pad(plane, (before, after) * 2, mode)
    )


def test_modes_are_maps_of_places() -> None:
    shown = {mode: [f(at, 4) for at in range(-3, 7)] for mode, f in MODES.items()}
    assert shown == {
        "reflect": [3, 2, 1, 0, 1, 2, 3, 2, 1, 0],
        "replicate": [0, 0, 0, 0, 1, 2, 3, 3, 3, 3],
        "circular": [1, 2, 3, 0, 1, 2, 3, 0, 1, 2],
    }


@pytest.mark.parametrize(
    "kind", ["Zero", "Constant", "Reflection", "Replication", "Circular"]
)
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("batch", [True, False])
def test_padding_classes(kind: str, n: int, batch: bool) -> None:
    name = f"{kind}Pad{n}d"
    value = (1.5,) if kind == "Constant" else ()
    for widths in (1, (1, 2, 0, 1, 2, 2)[: 2 * n], (-1, 2, 0, -1, -1, 0)[: 2 * n]):
        ours, theirs = (getattr(m, name)(widths, *value) for m in (family, nn))
        same(ours, theirs, randn(*SHAPES[n][0 if batch else 1 :]))
        assert repr(ours) == repr(theirs)
    assert issubclass(family.ZeroPad1d, family.ConstantPad1d)  # as in torch


@pytest.mark.parametrize("shape", [(2, 3, 5, 6), (3, 5, 6), (0, 3, 5, 6)])
@pytest.mark.parametrize("how", GEOMETRIES)
def test_unfold_and_fold(shape: tuple[int, ...], how: dict[str, Any]) -> None:
    x = randn(*shape)
    columns = functional.unfold(x, **how)
    same(
        lambda x: unfold(x, **how),
        lambda x: functional.unfold(x, **how),
        x,
        second=True,
    )
    same(
        lambda x: fold(x, (5, 6), **how),
        lambda x: functional.fold(x, (5, 6), **how),
        columns + randn(*columns.shape),
        second=True,
    )
    same(family.Unfold(**how), nn.Unfold(**how), x)
    same(family.Fold((5, 6), **how), nn.Fold((5, 6), **how), columns)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex128, torch.bool])
@pytest.mark.filterwarnings("ignore:Casting complex values")
def test_unfold_and_fold_of_other_dtypes(dtype: torch.dtype) -> None:
    x = randn(2, 3, 4, 4).to(dtype)
    same(lambda x: unfold(x, 3), lambda x: functional.unfold(x, 3), x)
    same(lambda x: fold(x, 4, 3), lambda x: functional.fold(x, 4, 3), unfold(x, 3))
    assert torch.equal(unfold(x.int(), 2), unfold(x.int().double(), 2).int())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_fold_in_half_precision(dtype: torch.dtype) -> None:
    columns = randn(1, 50, 100, dtype=dtype)
    is_rounded_once(lambda columns: fold(columns, 14, 5), columns, terms=25)
    is_rounded_once(
        lambda x: overlap_add(x, (9,), Kernel((5,))),
        randn(2, 5, 5, dtype=dtype),
        terms=5,
    )


def test_unfold_in_other_layouts() -> None:
    x = randn(2, 3, 4, 5)
    x[0, 0, 1, 1], x[1, 2, 3, 4] = torch.nan, -torch.inf
    for given in (
        x.transpose(2, 3),
        x.to(memory_format=torch.channels_last),
        x[:, :, ::2],
    ):
        same(lambda x: unfold(x, 2), lambda x: functional.unfold(x, 2), given)
    columns = randn(2, 12, 12)[:, :, ::2].transpose(0, 1).contiguous().transpose(0, 1)
    same(lambda x: fold(x, (3, 4), 2), lambda x: functional.fold(x, (3, 4), 2), columns)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3), (0, 3)])
def test_windows(n: int, lead: tuple[int, ...]) -> None:
    size, stride, dilation = (2, 3, 1)[:n], (1, 2, 3)[:n], (2, 1, 1)[:n]
    x, kernel = randn(*lead, *(5, 7, 4)[:n]), Kernel(size, stride, dilation)

    def looked_up(x: Tensor) -> Tensor:
        for axis, (k, s, d) in enumerate(zip(size, stride, dilation, strict=True)):
            x = x.unfold(axis + len(lead), d * (k - 1) + 1, s)[..., ::d]
        return x.flatten(-n)

    same(lambda x: windows(x, kernel).tensor(), looked_up, x, second=True)
    # <windows(x), y> = <x, overlap_add(y)>, and that for the gradients as well
    seen = windows(x, kernel).tensor()
    y = randn(*seen.shape)
    back = overlap_add(y, tuple(x.shape[-n:]), kernel)
    torch.testing.assert_close((seen * y).sum(), (x * back).sum())
    torch.autograd.gradcheck(
        lambda y: overlap_add(y, tuple(x.shape[-n:]), kernel),
        y.requires_grad_(),
    )
    assert seen.movedim(-1, -n - 1).is_contiguous()


def test_windows_where_none_fits() -> None:
    seen = windows(randn(3, 2), Kernel((3,)))
    assert seen.shape == seen.tensor().shape == (3, 0, 3)
    assert not overlap_add(randn(3, 0, 3), (2,), Kernel((3,), (1,), (1,))).any()


def test_counts_and_places_are_those_of_unfold() -> None:
    for n, k, s, d in itertools.product(
        range(9), range(1, 4), range(1, 4), range(1, 4)
    ):
        kernel, reach, x = Kernel((k,), (s,), (d,)), d * (k - 1) + 1, torch.arange(n)
        right = x.unfold(0, reach, s)[:, ::d] if reach <= n else x.new_zeros(0, k)
        (count,) = kernel.counts([n])
        assert count == len(right)
        seen = [x[at] for at in kernel.places([count])]
        assert torch.equal(torch.stack(seen, 1), right)


def test_places_run_fastest_along_the_last_axis() -> None:
    found = list(Kernel((2, 3), (1, 2)).places((4, 5)))
    starts = [tuple(at.start for at in place) for place in found]
    assert starts == list(itertools.product(range(2), range(3)))
    assert found[-1] == (slice(1, 5, 1), slice(2, 11, 2))


def test_the_count_is_torchs() -> None:
    for how in ({}, {"stride": 2}, {"dilation": 2, "stride": 3}):
        layer = nn.Conv1d(1, 1, 3, **how)
        right = layer(torch.zeros(1, 1, 10)).shape[-1:]
        assert Kernel((3,), layer.stride, layer.dilation).counts([10]) == right


def test_lengths_that_do_not_fit_a_kernel_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Kernel((3,)).counts([7, 7])
    with pytest.raises(ValueError, match="zip"):
        list(Kernel((3, 3), (1, 1), (1,)).places([1, 1]))


def test_fold_of_unfold_counts_how_often_a_cell_is_seen() -> None:
    x = randn(2, 3, 5, 6)
    seen = fold(unfold(torch.ones_like(x), 3, stride=2), (5, 6), 3, stride=2)
    torch.testing.assert_close(
        fold(unfold(x, 3, stride=2), (5, 6), 3, stride=2), x * seen
    )
    assert seen[0, 0].tolist()[2] == [2, 2, 4, 2, 2, 0]


def test_lines_are_what_runs() -> None:
    x, kernel = randn(2, 3, 4, 5), Kernel((2, 3), (1, 2))
    columns = UNFOLD(windows(x, kernel))
    torch.testing.assert_close(columns, unfold(x, (2, 3), stride=(1, 2)))
    y, x_ = kernel.counts((4, 5))
    back = overlap_add(FOLD(columns, k=6, y=y, x=x_), (4, 5), kernel)
    torch.testing.assert_close(back, fold(columns, (4, 5), (2, 3), stride=(1, 2)))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: pad(x, (2, 1, 1, -1), "reflect"), (1, 2, 4, 5)),
        (lambda x: pad(x, (-2, 1, 1, 1), "circular"), (1, 2, 4, 5)),
        (lambda x: pad(x, (2, 1), "replicate"), (2, 5)),
        (lambda x: unfold(x, 2, padding=1), (1, 2, 4, 5)),
        (lambda x: fold(x, (3, 4), 2, stride=1), (1, 8, 6)),
        (lambda x: windows(x, Kernel((2,), (1,), (2,))).tensor(), (2, 5)),
        (lambda x: overlap_add(x, (5,), Kernel((2,), (1,), (2,))), (3, 2)),
    ],
)
@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.filterwarnings(  # of torch's own doing
    "ignore:.*should not be instantiated:DeprecationWarning",
    "ignore:.*torch.jit.script. is deprecated:DeprecationWarning",
)
def test_compiled_and_transformed(
    function: Callable[[Tensor], Tensor], shape: tuple[int, ...], dynamic: bool
) -> None:
    def score(x: Tensor) -> Tensor:
        return (function(x) ** 3).sum()

    x = randn(*shape)
    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, backend="eager", dynamic=dynamic)
    torch.testing.assert_close(compiled(x), function(x))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((compiled(leaf) ** 3).sum(), leaf)
    torch.testing.assert_close(torch.func.grad(score)(x), gradient)
    many = torch.stack([x, 2 * x])
    for f in (
        function,
        torch.func.grad(score),
        torch.func.jacrev(torch.func.grad(score)),
    ):
        expected = torch.stack([f(x), f(2 * x)])
        torch.testing.assert_close(torch.func.vmap(f)(many), expected)
    tangent = torch.func.jvp(score, (x,), (torch.ones_like(x),))[1]
    torch.testing.assert_close(tangent, gradient.sum())
    assert function(x.to("meta")).shape == function(x).shape


def test_input_need_not_stay() -> None:
    x = randn(2, 3, 4, 4).requires_grad_()
    for output in (
        pad(x, (1, 1) * 2, "reflect"),
        unfold(x, 2),
        fold(unfold(x, 2), 4, 2),
    ):
        node, kept = output.grad_fn, []
        while node is not None and node.next_functions:
            kept += [t for t in getattr(node, "saved_tensors", ()) if t is not None]
            node = node.next_functions[0][0]
        assert kept == []


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: pad(randn(2, 3), (1, 1), "mirror"),
            r"pad: expected a mode of \['constant', 'reflect', .*\], got 'mirror'",
        ),
        (
            lambda: pad(randn(2, 3), (1, 1, 1)),
            r"pad: expected two widths for each of at most 2 axes, got \(1, 1, 1\)",
        ),
        (lambda: pad(randn(3), (1,) * 4), "two widths for each of at most 1 axes"),
        (lambda: pad(randn(2, 3), (), "reflect"), r"of at most 3 axes, got \(\)"),
        (lambda: pad(randn(1, 1, 1, 1, 1), (1,) * 8, "circular"), "of at most 3 axes"),
        (
            lambda: pad(randn(2, 3), (1, 1), "reflect", 2.0),
            "pad: expected no value in mode 'reflect', got 2.0",
        ),
        (
            lambda: pad(randn(2, 3, 4, 5), (1, 1), "replicate"),
            (
                r"pad: expected an input of shape \(batch, channels, length\), or without "
                r"the batch, got \(2, 3, 4, 5\)"
            ),
        ),
        (lambda: family.CircularPad2d(1)(randn(3, 4)), "channels, height, width"),
        (
            lambda: family.ReflectionPad1d(1)(randn(2, 0, 4)),
            r"pad: expected no empty axis besides the batch, .* \(2, 0, 4\)",
        ),
        (
            lambda: pad(randn(2, 3), (-2, -2)),
            (
                r"pad: expected widths in mode 'constant' that an axis of length 3 has cells "
                r"for, got \(-2, -2\) for axis -1"
            ),
        ),
        (
            lambda: pad(randn(2, 3), (3, 0), "reflect"),
            "an axis of length 3 .* got .3, 0",
        ),
        (lambda: pad(randn(2, 3), (0, -3), "replicate"), "has cells for"),
        (lambda: family.CircularPad1d((0, 4))(randn(2, 3)), "has cells for"),
        (lambda: pad(randn(1, 3, 4), (1, 1, 3, 0), "reflect"), "for axis -2"),
        (
            lambda: windows(randn(4), Kernel((2, 2), (1, 1), (1, 1))),
            (
                r"windows: expected a number for each axis of the kernel, and at most 1 "
                r"axes, got \(2, 2\), \(1, 1\), \(1, 1\)"
            ),
        ),
        (
            lambda: windows(randn(4), Kernel((), (), ())),
            "a number for each axis of the kernel",
        ),
        (
            lambda: windows(randn(4), Kernel((2,), (1, 1), (1,))),
            "a number for each axis",
        ),
        (
            lambda: windows(randn(4), Kernel((2,), (0,), (1,))),
            (
                r"windows: expected a positive kernel_size, stride and dilation, "
                r"got \(2,\), \(0,\), \(1,\)"
            ),
        ),
        (
            lambda: overlap_add(randn(3), (3,), Kernel((1,), (1,), (1,))),
            "at most 0 axes",
        ),
        (
            lambda: overlap_add(randn(3, 2), (4, 4), Kernel((2,), (1,), (1,))),
            "for each axis",
        ),
        (
            lambda: overlap_add(randn(3, 2), (4,), Kernel((2,), (1,), (0,))),
            "a positive",
        ),
        (
            lambda: overlap_add(randn(3, 2), (5,), Kernel((2,), (1,), (1,))),
            r"overlap_add: expected windows of shape \(\.\.\., \(4, 2\)\), got \(3, 2\)",
        ),
        (
            lambda: overlap_add(randn(3, 3), (4,), Kernel((2,), (1,), (1,))),
            r"got \(3, 3\)",
        ),
        (
            lambda: unfold(randn(3, 4), 2),
            r"unfold: expected an input of shape \(batch, channels, height, width\)",
        ),
        (lambda: unfold(randn(2, 0, 4, 4), 2), "unfold: expected no empty axis"),
        (
            lambda: unfold(randn(1, 2, 4, 4), (2, 2, 2)),
            "unfold: expected kernel_size to be a number or 2 numbers",
        ),
        (lambda: unfold(randn(1, 2, 4, 4), 0), "unfold: expected a positive kernel"),
        (lambda: unfold(randn(1, 2, 4, 4), 2, 0), "expected a positive kernel"),
        (lambda: unfold(randn(1, 2, 4, 4), 2, stride=-1), "expected a positive kernel"),
        (
            lambda: unfold(randn(1, 2, 4, 4), 2, padding=(0, -1)),
            r"unfold: expected a padding of at least 0, got \(0, -1\)",
        ),
        (
            lambda: family.Unfold((3, 2), dilation=2)(randn(2, 4, 4)),
            (
                r"unfold: expected a kernel that fits into the padded input, got kernel_size "
                r"\(3, 2\) with dilation \(2, 2\) for \(4, 4\)"
            ),
        ),
        (
            lambda: fold(randn(1, 7, 9), 4, 2),
            (
                r"fold: expected 3 x 3 columns, each of 4 rows for each channel, for an "
                r"output of size \(4, 4\), got shape \(1, 7, 9\)"
            ),
        ),
        (lambda: family.Fold(4, 2)(randn(1, 8, 8)), "expected 3 x 3 columns"),
        (lambda: fold(randn(2, 8, 1), 0, 2, padding=1), "expected 1 x 1 columns"),
        (lambda: fold(randn(1, 8, 9), -1, 2), "expected 0 x 0 columns"),
        (lambda: fold(randn(8), 4, 2), "fold: expected an input of shape"),
        (lambda: fold(randn(1, 8, 0), 1, 2), "fold: expected no empty axis"),
        (
            lambda: fold(randn(1, 8, 9), (4, 4, 4), 2),
            "fold: expected output_size to be",
        ),
        (lambda: fold(randn(1, 8, 9), 4, 2, stride=0), "fold: expected a positive"),
        (lambda: fold(randn(1, 8, 9), 4, 2, padding=-1), "fold: expected a padding"),
    ],
)
def test_errors(call: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()
