"""Dropout next to torch's: the same masks, the same generator afterwards, every case."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from examples import randn
from layerlib import dropout as family
from layerlib.dropout import DROPOUT, FEATURE_DROPOUT
from layerlib.lab import same

SHAPES: dict[str, list[tuple[int, ...]]] = {
    "dropout": [(), (7,), (4, 3), (2, 3, 4, 5), (0, 3)],
    "alpha_dropout": [(), (7,), (4, 3), (2, 3, 4, 5), (0, 3)],
    "feature_alpha_dropout": [(4, 3), (2, 3, 4, 5), (2, 3, 0), (2, 3, 4, 5, 2, 2)],
    "dropout1d": [(4, 3, 5), (3, 5), (0, 3, 5)],
    "dropout2d": [(4, 3, 5, 2), (0, 3, 5, 2)],
    "dropout3d": [(4, 3, 5, 2, 2), (3, 5, 2, 2), (0, 3, 5, 2, 2)],
}
NAMES = {
    "dropout": "Dropout", "alpha_dropout": "AlphaDropout", "dropout1d": "Dropout1d",
    "feature_alpha_dropout": "FeatureAlphaDropout", "dropout2d": "Dropout2d",
    "dropout3d": "Dropout3d",
}  # fmt: skip


def both(name: str, p: float, **given: bool) -> list[Callable[[Tensor], Tensor]]:
    given = {"training": True} | given
    return [
        lambda x, home=home: getattr(home, name)(x * 1, p, **given)
        for home in (family, functional)
    ]


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0, 0, 1])
@pytest.mark.parametrize("name", SHAPES)
def test_masks_values_and_gradients(
    name: str, p: float, training: bool, inplace: bool
) -> None:
    for shape in SHAPES[name]:
        same(
            *both(name, p, training=training, inplace=inplace),
            randn(*shape),
            second=True,
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", SHAPES)
def test_precisions(name: str, dtype: torch.dtype) -> None:
    for shape in SHAPES[name]:
        same(*both(name, 0.3), randn(*shape, dtype=dtype))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x.transpose(-1, 0),
        lambda x: x[::2],
        lambda x: x[:1].expand_as(x),
        lambda x: x.to(memory_format=torch.channels_last) if x.ndim == 4 else x.mT,
    ],
)
def test_layouts_in_memory(name: str, layout: Callable[[Tensor], Tensor]) -> None:
    """The mask is drawn in the order that the input has in memory, as torch's is."""
    shape = next(s for s in SHAPES[name] if len(s) > 1)
    ours, theirs = (getattr(home, name) for home in (family, functional))
    same(
        lambda x: ours(x, 0.5, training=True),
        lambda x: theirs(x, 0.5, training=True),
        layout(randn(*shape)),
    )


@pytest.mark.parametrize("name", SHAPES)
def test_a_large_mask(name: str) -> None:
    shape = (64, 33, *SHAPES[name][0][2:])
    same(*both(name, 0.5), randn(*shape, dtype=torch.float32))


@pytest.mark.parametrize("name", SHAPES)
def test_infinity_and_nan(name: str) -> None:
    """What is dropped is multiplied by 0: NaN and infinity stay, as in torch."""
    x = randn(*next(s for s in SHAPES[name] if len(s) > 1))
    x[0], x[1] = math.inf, math.nan
    for p in (0.5, 1.0):
        same(*both(name, p), x)


@pytest.mark.parametrize("name", SHAPES)
def test_in_place_and_not(name: str) -> None:
    shape = SHAPES[name][-2] if name == "dropout3d" else SHAPES[name][0]
    for home in (family, functional):
        function, x = getattr(home, name), randn(*shape)
        kept = x.clone()
        assert function(x, 0.5, training=True) is not x
        assert torch.equal(x, kept)
        output = function(x, 1.0, training=True, inplace=True)
        assert output is x
        assert not x.any()
        leaf = randn(*shape).requires_grad_()
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            function(leaf, 0.5, training=True, inplace=True)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_classes(name: str, training: bool, inplace: bool) -> None:
    """In torch, AlphaDropout and FeatureAlphaDropout do not heed `inplace`."""
    for shape in SHAPES[name]:
        layers, seen = [], []
        for home in (family, nn):
            layer = getattr(home, NAMES[name])(0.3, inplace).train(training)
            x = randn(*shape)
            torch.manual_seed(0)
            layer(x)
            layers.append(layer)
            seen.append(x)
        assert torch.equal(*seen)
        same(*(lambda x, f=layer: f(x * 1) for layer in layers), randn(*shape))


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("dropout2d", (2, 3, 4), "three axes are taken as|Received a 3D input"),
        ("dropout2d", (2, 3), "expected 3 or 4 axes|Received a 2-D input"),
        ("dropout2d", (2, 3, 1, 1, 2), "expected 3 or 4 axes|Received a 5-D input"),
        ("dropout3d", (2, 3, 4), "expected 4 or 5 axes|Received a 3-D input"),
        ("dropout3d", (5,), "expected 4 or 5 axes|Received a 1-D input"),
    ],
)
def test_other_numbers_of_axes_warn_and_work(
    name: str, shape: tuple[int, ...], told: str
) -> None:
    for inplace in (False, True):
        with pytest.warns(UserWarning, match=told):
            same(*both(name, 0.5, inplace=inplace), randn(*shape))


@pytest.mark.parametrize("name", SHAPES)
def test_whole_numbers_where_nothing_is_drawn(name: str) -> None:
    x = torch.ones(next(s for s in SHAPES[name] if len(s) > 1), dtype=torch.int64)
    for p, training in [(0.5, False), (0.0, True), (1.0, True)]:
        same(*both(name, p, training=training), x)


@pytest.mark.parametrize("name", ["dropout", "feature_alpha_dropout", "alpha_dropout"])
def test_nothing_to_drop_gives_the_input_itself(name: str) -> None:
    x = randn(4, 3)
    for home in (family, functional):
        assert getattr(home, name)(x, 0.5, training=False) is x
        assert getattr(home, name)(x, 0.0, training=True) is x


def test_the_lines_are_what_is_computed() -> None:
    x = randn(4, 3, 5)
    torch.manual_seed(0)
    mask = torch.empty_like(x).bernoulli_(0.7).div_(0.7)
    torch.manual_seed(0)
    assert torch.equal(family.dropout(x, 0.3), DROPOUT.literal(x, mask))
    torch.manual_seed(0)
    mask = torch.empty(4, 3).double().bernoulli_(0.7).div_(0.7)
    torch.manual_seed(0)
    torch.testing.assert_close(
        family.dropout1d(x, 0.3), FEATURE_DROPOUT.literal(x, mask)
    )


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_means_and_variances(p: float) -> None:
    """Dropout keeps the mean, alpha dropout both; a channel goes as a whole."""
    torch.manual_seed(0)
    x = torch.randn(1000, 1000)
    assert abs(family.dropout(torch.ones_like(x), p).mean() - 1) < 0.01
    kept = family.alpha_dropout(x, p, training=True)
    assert abs(kept.mean()) < 0.01
    assert abs(kept.var() - 1) < 0.02
    channels = family.dropout1d(torch.ones(100, 10, 7), p)
    assert bool((channels == channels[..., :1]).all())


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: family.dropout(x, 1.5), "dropout: expected a probability p from 0 to 1, got 1.5"),
        (lambda x: family.alpha_dropout(x, -0.1), "alpha_dropout: expected a probability p from 0 to 1, got -0.1"),
        (lambda x: family.dropout2d(x, math.nan), "dropout2d: expected a probability p from 0 to 1, got nan"),
        (lambda x: family.dropout(x.long()), "dropout: expected floating-point numbers, got torch.int64"),
        (lambda x: family.dropout(x + 0j), "dropout: expected floating-point numbers, got torch.complex128"),
        (family.dropout1d, r"dropout1d: expected 2 or 3 axes, got \(3, 4, 5, 6\)"),
        (lambda x: family.feature_alpha_dropout(x[0, 0, 0], 0.5, training=True), r"feature_alpha_dropout: expected axes b and c, got \(6,\)"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[Tensor], Any], told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=told):
        call(randn(3, 4, 5, 6))


@pytest.mark.parametrize("cls", NAMES.values())
def test_constructors_refuse_what_torchs_refuse(cls: str) -> None:
    for home in (family, nn):
        with pytest.raises(
            ValueError, match=r"has to be between 0 and 1, but got 1\.5"
        ):
            getattr(home, cls)(1.5)
