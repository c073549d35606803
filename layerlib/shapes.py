"""Layers that only rearrange: flatten, unflatten, and the shuffles."""

import math
from collections.abc import Sequence

from jaxtyping import Shaped
from torch import Tensor, nn

from layerlib.conventions.expect import expect
from layerlib.recipe import Rearrange

IDENTITY = Rearrange("... -> ...")
FLATTEN = Rearrange("b ... -> b (...)")
UNFLATTEN = Rearrange("b (c h w) -> b c h w")
PIXEL_SHUFFLE = Rearrange("... (c kh kw) h w -> ... c (h kh) (w kw)")
PIXEL_UNSHUFFLE = Rearrange("... c (h kh) (w kw) -> ... (c kh kw) h w")
CHANNEL_SHUFFLE = Rearrange("b (g c) ... -> b (c g) ...")


def flatten(
    input: Shaped[Tensor, "..."], start_dim: int = 0, end_dim: int = -1
) -> Shaped[Tensor, "..."]:
    """``(..., *n, ...) -> (..., prod(n), ...)``: merges the axes from start to end.

    The rightmost of them runs fastest. A number becomes one axis of length 1.

    Raises:
        IndexError: there is no such axis.
        ValueError: the start lies behind the end.

    >>> flatten(torch.zeros(2, 3, 4), start_dim=1).shape
    torch.Size([2, 12])

    Source: `torch.flatten`.
    """
    start = _axis("flatten", "start_dim", start_dim, input)
    end = _axis("flatten", "end_dim", end_dim, input) + 1
    got = f"{start_dim} and {end_dim} for an input of shape {tuple(input.shape)}"
    expect("flatten", start < end, "start_dim at or before end_dim", got)
    shape = input.shape
    return input.reshape(*shape[:start], math.prod(shape[start:end]), *shape[end:])


def unflatten(
    input: Shaped[Tensor, "..."], dim: int, sizes: Sequence[int]
) -> Shaped[Tensor, "..."]:
    """``(..., prod(n), ...) -> (..., *n, ...)``: splits one axis into several.

    One of the sizes may be -1: it is then what is left.

    Raises:
        IndexError: there is no such axis.
        ValueError: the sizes do not multiply up to the length of the axis.

    >>> unflatten(torch.zeros(2, 12), 1, (3, -1)).shape
    torch.Size([2, 3, 4])

    Source: `torch.unflatten`.
    """
    dim, length = _axis("unflatten", "dim", dim, input), input.shape[dim]
    known = math.prod([size for size in sizes if size != -1])
    split = [length // known if size == -1 and known else size for size in sizes]
    fits = min(split, default=-1) >= 0 and math.prod(split) == length
    told = f"sizes that multiply up to {length}, the length of axis {dim}, with at most"
    expect("unflatten", fits, f"{told} one -1", tuple(sizes))
    return input.reshape(*input.shape[:dim], *split, *input.shape[dim + 1 :])


def pixel_shuffle(
    input: Shaped[Tensor, "... ckk h w"], upscale_factor: int
) -> Shaped[Tensor, "... c y x"]:
    """``(..., c * r**2, h, w) -> (..., c, h * r, w * r)``: channels become pixels.

    Each group of ``r**2`` channels is laid out as a tile of ``r x r`` pixels.

    Raises:
        ValueError: the factor is not positive, an axis is missing, or the channels
            do not divide by the square of the factor.

    >>> pixel_shuffle(torch.tensor([[[1]], [[2]], [[3]], [[4]]]), 2)
    tensor([[[1, 2],
             [3, 4]]])

    Source: Shi et al. 2016, https://arxiv.org/abs/1609.05158; `torch.pixel_shuffle`.
    """
    _check("pixel_shuffle", input, "upscale_factor", upscale_factor, axes=3)
    _divides("pixel_shuffle", input, axis=-3, by=upscale_factor**2)
    return PIXEL_SHUFFLE(input, kh=upscale_factor, kw=upscale_factor)


def pixel_unshuffle(
    input: Shaped[Tensor, "... c y x"], downscale_factor: int
) -> Shaped[Tensor, "... ckk h w"]:
    """``(..., c, h * r, w * r) -> (..., c * r**2, h, w)``: undoes `pixel_shuffle`.

    Raises:
        ValueError: the factor is not positive, an axis is missing, or the height or
            the width does not divide by the factor.

    Source: `torch.pixel_unshuffle`.
    """
    _check("pixel_unshuffle", input, "downscale_factor", downscale_factor, axes=3)
    _divides("pixel_unshuffle", input, axis=-2, by=downscale_factor)
    _divides("pixel_unshuffle", input, axis=-1, by=downscale_factor)
    return PIXEL_UNSHUFFLE(input, kh=downscale_factor, kw=downscale_factor)


def channel_shuffle(
    input: Shaped[Tensor, "b gc *n"], groups: int
) -> Shaped[Tensor, "b gc *n"]:
    """``(b, c, *n) -> (b, c, *n)``: deals the groups of channels out in turn.

    Raises:
        ValueError: the groups are not positive, there are fewer than three axes, or
            the channels do not divide by the groups.

    >>> channel_shuffle(torch.arange(6).reshape(1, 6, 1), groups=2).flatten()
    tensor([0, 3, 1, 4, 2, 5])

    Source: Zhang et al. 2018, https://arxiv.org/abs/1707.01083;
    `torch.channel_shuffle`.
    """
    _check("channel_shuffle", input, "groups", groups, axes=3)
    _divides("channel_shuffle", input, axis=1, by=groups)
    return CHANNEL_SHUFFLE(input, g=groups)


def _axis(layer: str, argument: str, dim: int, input: Tensor) -> int:
    axes = max(input.ndim, 1)
    told = f"{argument} from {-axes} to {axes - 1}"
    got = f"{dim} for an input of shape {tuple(input.shape)}"
    expect(layer, -axes <= dim < axes, told, got, IndexError)
    return dim % axes


def _check(layer: str, input: Tensor, argument: str, value: int, axes: int) -> None:
    expect(layer, value > 0, f"a positive {argument}", value)
    expect(layer, input.ndim >= axes, f"an input of at least {axes} axes", input)


def _divides(layer: str, input: Tensor, axis: int, by: int) -> None:
    got = f"{input.shape[axis]} in an input of shape {tuple(input.shape)}"
    expect(layer, input.shape[axis] % by == 0, f"axis {axis} to divide by {by}", got)


class Flatten(nn.Flatten):
    """``(b, *n) -> (b, prod(n))``: `torch.nn.Flatten`, computed by `flatten`."""

    line = FLATTEN

    def forward(self, input: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The axes from `start_dim` to `end_dim`, merged."""
        return flatten(input, self.start_dim, self.end_dim)


class Unflatten(nn.Unflatten):
    """``(b, prod(n)) -> (b, *n)``: `torch.nn.Unflatten`, computed by `unflatten`."""

    line = UNFLATTEN

    def forward(self, input: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The axis `dim`, split into `unflattened_size`."""
        return unflatten(input, self.dim, self.unflattened_size)


class PixelShuffle(nn.PixelShuffle):
    """``(..., c * r**2, h, w) -> (..., c, h * r, w * r)``: `torch.nn.PixelShuffle`."""

    line = PIXEL_SHUFFLE

    def forward(
        self, input: Shaped[Tensor, "... ckk h w"]
    ) -> Shaped[Tensor, "... c y x"]:
        """Channels laid out as tiles of pixels."""
        return pixel_shuffle(input, self.upscale_factor)


class PixelUnshuffle(nn.PixelUnshuffle):
    """``(..., c, h * r, w * r) -> (..., c * r**2, h, w)``: undoes `PixelShuffle`."""

    line = PIXEL_UNSHUFFLE

    def forward(
        self, input: Shaped[Tensor, "... c y x"]
    ) -> Shaped[Tensor, "... ckk h w"]:
        """Tiles of pixels laid out as channels."""
        return pixel_unshuffle(input, self.downscale_factor)


class ChannelShuffle(nn.ChannelShuffle):
    """``(b, c, *n) -> (b, c, *n)``: `torch.nn.ChannelShuffle`."""

    line = CHANNEL_SHUFFLE

    def forward(self, input: Shaped[Tensor, "b gc *n"]) -> Shaped[Tensor, "b gc *n"]:
        """The groups of channels, dealt out in turn."""
        return channel_shuffle(input, self.groups)


class Identity(nn.Identity):
    """``(...) -> (...)``: `torch.nn.Identity`; takes any arguments and ignores them."""

    line = IDENTITY

    def forward(self, input: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The input itself."""
        return input
