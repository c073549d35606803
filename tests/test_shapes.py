"""Layers that only rearrange, next to torch's: every option, value and gradient."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import layerlib
from layerlib.lab import same
from layerlib.shapes import (
    channel_shuffle,
    flatten,
    pixel_shuffle,
    pixel_unshuffle,
    unflatten,
)

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.int64, torch.complex64]


def numbers(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0, 4), (2, 3, 4, 5)])
def test_flatten_between_all_axes(shape: tuple[int, ...]) -> None:
    x = numbers(*shape)
    axes = max(len(shape), 1)
    for start, end in itertools.product(range(-axes, axes), repeat=2):
        if start % axes <= end % axes:
            same(flatten, torch.flatten, x, start, end)


@pytest.mark.parametrize("start", [0, 1, 2, -2])
@pytest.mark.parametrize("end", [-1, 2, 3])
def test_flatten_class(twins: Callable[..., Any], start: int, end: int) -> None:
    x = numbers(2, 3, 4, 5)
    same(*twins([layerlib.Flatten, nn.Flatten], start, end), x)
    same(*twins([layerlib.Flatten, nn.Flatten]), x)


def test_flatten_copies_no_more_than_torch() -> None:
    x = numbers(2, 3, 4)
    for given in (x, x.transpose(0, 1), x.transpose(1, 2)):
        ours, theirs = flatten(given, 1), torch.flatten(given, 1)
        assert (ours.data_ptr() == x.data_ptr()) == (theirs.data_ptr() == x.data_ptr())


@pytest.mark.parametrize(
    ("shape", "dim", "sizes"),
    [
        ((2, 12), 1, (3, 4)),
        ((2, 12), -1, (3, -1)),
        ((2, 12), 1, (-1, 3, 2)),
        ((2, 12), 1, [12]),
        ((12, 2, 5), 0, (1, 12, 1)),
        ((12, 2, 5), -3, torch.Size((3, 4))),
        ((0, 12), 1, (3, -1)),
        ((2, 0), 1, (0, 3)),
        ((2, 0), 1, (-1, 3)),
    ],
)
def test_unflatten(
    twins: Callable[..., Any], shape: tuple[int, ...], dim: int, sizes: Any
) -> None:
    x = numbers(*shape)
    same(unflatten, torch.unflatten, x, dim, sizes)
    same(*twins([layerlib.Unflatten, nn.Unflatten], dim, sizes), x)


@pytest.mark.parametrize("batch", [(), (1,), (2,), (2, 3)])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixel_shuffles(
    twins: Callable[..., Any], batch: tuple[int, ...], factor: int
) -> None:
    many = numbers(*batch, 5 * factor**2, 2, 3)
    large = numbers(*batch, 5, 2 * factor, 3 * factor)
    same(pixel_shuffle, torch.pixel_shuffle, many, factor)
    same(pixel_unshuffle, torch.pixel_unshuffle, large, factor)
    same(*twins([layerlib.PixelShuffle, nn.PixelShuffle], factor), many)
    same(*twins([layerlib.PixelUnshuffle, nn.PixelUnshuffle], factor), large)
    assert torch.equal(pixel_unshuffle(pixel_shuffle(many, factor), factor), many)


def test_pixel_shuffles_of_an_empty_batch() -> None:
    # torch 2.13 gives back an empty input of pixel_unshuffle in its old shape, and its
    # pixel_shuffle has no gradient there.
    many, large = numbers(0, 20, 2, 3), numbers(0, 5, 4, 6)
    assert pixel_unshuffle(large, 2).shape == many.shape
    assert pixel_shuffle(many.requires_grad_(), 2).shape == large.shape
    pixel_shuffle(many, 2).sum().backward()
    assert many.grad is not None


@pytest.mark.parametrize("spatial", [(3,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("batch", [0, 1, 2])
def test_channel_shuffle(
    twins: Callable[..., Any], spatial: tuple[int, ...], groups: int, batch: int
) -> None:
    x = numbers(batch, 6, *spatial)
    same(channel_shuffle, torch.channel_shuffle, x, groups)
    same(*twins([layerlib.ChannelShuffle, nn.ChannelShuffle], groups), x)


def test_identity_takes_anything(twins: Callable[..., Any]) -> None:
    x = numbers(2, 3)
    ours, theirs = twins([layerlib.Identity, nn.Identity], 54, spare=0.1)
    same(ours, theirs, x)
    assert ours(x) is x


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_and_layout(dtype: torch.dtype) -> None:
    x = numbers(2, 12, 4, 6, dtype=dtype)
    channels_last = x.contiguous(memory_format=torch.channels_last)
    for given in (x, x.transpose(2, 3), channels_last, x[:, :, ::2], x[..., 1:3]):
        same(pixel_shuffle, torch.pixel_shuffle, given, 2)
        same(pixel_unshuffle, torch.pixel_unshuffle, given, 2)
        same(channel_shuffle, torch.channel_shuffle, given, 3)
        same(flatten, torch.flatten, given, 1)
        same(unflatten, torch.unflatten, given, 1, (3, 4))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (
            lambda: flatten(numbers(2, 3), 2),
            IndexError,
            "expected start_dim from -2 to 1, got 2 for an input of shape",
        ),
        (
            lambda: flatten(numbers(2, 3), 0, -3),
            IndexError,
            "expected end_dim from -2 to 1, got -3",
        ),
        (
            lambda: layerlib.Flatten()(numbers(3)),
            IndexError,
            "start_dim from -1 to 0, got 1",
        ),
        (
            lambda: flatten(numbers(2, 3), 1, 0),
            ValueError,
            "expected start_dim at or before end_dim, got 1 and 0",
        ),
        (
            lambda: unflatten(numbers(2, 3), 2, (3,)),
            IndexError,
            "expected dim from -2 to 1, got 2",
        ),
        (
            lambda: unflatten(numbers(2, 8), 1, (3, 2)),
            ValueError,
            r"multiply up to 8, the length of axis 1, .* got \(3, 2\)",
        ),
        (lambda: unflatten(numbers(2, 8), 1, (3, -1)), ValueError, "multiply up to 8"),
        (
            lambda: unflatten(numbers(2, 8), 1, (-1, -1)),
            ValueError,
            "with at most one -1",
        ),
        (lambda: unflatten(numbers(2, 8), 1, (-2, -4)), ValueError, "multiply up to 8"),
        (lambda: unflatten(numbers(2, 0), 1, (0, -1)), ValueError, "multiply up to 0"),
        (lambda: unflatten(numbers(2, 1), 1, ()), ValueError, "multiply up to 1"),
        (
            lambda: pixel_shuffle(numbers(4, 2, 2), 0),
            ValueError,
            "expected a positive upscale_factor, got 0",
        ),
        (
            lambda: pixel_shuffle(numbers(4, 2), 2),
            ValueError,
            r"pixel_shuffle: expected an input of at least 3 axes, got shape \(4, 2\)",
        ),
        (
            lambda: pixel_shuffle(numbers(6, 2, 2), 2),
            ValueError,
            "expected axis -3 to divide by 4, got 6",
        ),
        (
            lambda: pixel_unshuffle(numbers(4, 2, 2), -1),
            ValueError,
            "positive downscale_factor, got -1",
        ),
        (
            lambda: pixel_unshuffle(numbers(4, 3, 2), 2),
            ValueError,
            "expected axis -2 to divide by 2, got 3",
        ),
        (
            lambda: pixel_unshuffle(numbers(4, 2, 3), 2),
            ValueError,
            "expected axis -1 to divide by 2, got 3",
        ),
        (
            lambda: pixel_unshuffle(numbers(2, 2), 2),
            ValueError,
            "pixel_unshuffle: expected an input of at least 3 axes",
        ),
        (
            lambda: channel_shuffle(numbers(2, 4), 2),
            ValueError,
            "channel_shuffle: expected an input of at least 3 axes",
        ),
        (
            lambda: channel_shuffle(numbers(2, 4, 1), 3),
            ValueError,
            "expected axis 1 to divide by 3, got 4",
        ),
        (
            lambda: channel_shuffle(numbers(2, 4, 1), 0),
            ValueError,
            "expected a positive groups, got 0",
        ),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        call()


def test_channels_last_stay_last() -> None:
    x = numbers(2, 8, 4, 6).contiguous(memory_format=torch.channels_last)
    for ours, theirs in (
        (pixel_shuffle, torch.pixel_shuffle),
        (pixel_unshuffle, torch.pixel_unshuffle),
        (channel_shuffle, torch.channel_shuffle),
    ):
        assert ours(x, 2).stride() == theirs(x, 2).stride()
        same(ours, theirs, x, 2)


@pytest.mark.usefixtures("as_installed")
def test_identity_takes_what_is_no_tensor() -> None:
    given = {"x": [1, None]}
    assert layerlib.Identity()(given) is given
