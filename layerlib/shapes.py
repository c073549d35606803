"""Layers that only rearrange: flatten, unflatten, and the shuffles."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Shaped
from torch import Tensor, nn

from layerlib.conventions.layer import Computed
from layerlib.conventions.shapes import fits_flatten, fits_shuffle, fits_unflatten
from layerlib.conventions.signature import convention
from layerlib.recipe import Rearrange

IDENTITY = Rearrange("... -> ...")
FLATTEN = Rearrange("*b *n ... -> *b (*n) ...")
UNFLATTEN = Rearrange("*b (*n) ... -> *b *n ...")
PIXEL_SHUFFLE = Rearrange("... (c kh kw) h w -> ... c (h kh) (w kw)")
PIXEL_UNSHUFFLE = Rearrange("... c (h kh) (w kw) -> ... (c kh kw) h w")
CHANNEL_SHUFFLE = Rearrange("b (g c) ... -> b (c g) ...")


@convention(fits_flatten)
def flatten(
    input: Shaped[Tensor, "..."], start_dim: int = 0, end_dim: int = -1
) -> Shaped[Tensor, "..."]:
    """``(*b, *n, ...) -> (*b, prod(n), ...)``: merges the axes from start to end.

    The rightmost of them runs fastest. A number becomes one axis of length 1.

    Raises:
        IndexError: there is no such axis.
        ValueError: the start lies behind the end.

    >>> flatten(torch.zeros(2, 3, 4), start_dim=1).shape
    torch.Size([2, 12])

    Source: `torch.flatten`.
    """
    return FLATTEN(input, b=start_dim, n=end_dim + 1 - start_dim)


@convention(fits_unflatten)
def unflatten(
    input: Shaped[Tensor, "..."], dim: int, sizes: Sequence[int]
) -> Shaped[Tensor, "..."]:
    """``(*b, prod(n), ...) -> (*b, *n, ...)``: splits one axis into several.

    At most one of the sizes may be -1: it is then what is left.

    Raises:
        IndexError: there is no such axis.
        ValueError: the sizes do not multiply up to the length of the axis.

    >>> unflatten(torch.zeros(2, 12), 1, (3, -1)).shape
    torch.Size([2, 3, 4])

    Source: `torch.unflatten`.
    """
    return UNFLATTEN(input, b=dim, n=sizes)


@convention(fits_shuffle)
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
    return PIXEL_SHUFFLE(input, kh=upscale_factor, kw=upscale_factor)


@convention(fits_shuffle)
def pixel_unshuffle(
    input: Shaped[Tensor, "... c y x"], downscale_factor: int
) -> Shaped[Tensor, "... ckk h w"]:
    """``(..., c, h * r, w * r) -> (..., c * r**2, h, w)``: undoes `pixel_shuffle`.

    Raises:
        ValueError: the factor is not positive, an axis is missing, or the height or
            the width does not divide by the factor.

    Source: `torch.pixel_unshuffle`.
    """
    return PIXEL_UNSHUFFLE(input, kh=downscale_factor, kw=downscale_factor)


@convention(fits_shuffle)
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
    return CHANNEL_SHUFFLE(input, g=groups)


class Flatten(Computed, nn.Flatten, by=flatten, line=FLATTEN):
    """``(b, *n) -> (b, prod(n))``: `torch.nn.Flatten`, computed by `flatten`."""


class Unflatten(nn.Unflatten):
    """``(b, prod(n)) -> (b, *n)``: `torch.nn.Unflatten`, computed by `unflatten`."""

    line = UNFLATTEN

    def forward(self, input: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The axis `dim`, split into `unflattened_size`."""
        return unflatten(input, self.dim, self.unflattened_size)


class PixelShuffle(Computed, nn.PixelShuffle, by=pixel_shuffle, line=PIXEL_SHUFFLE):
    """``(..., c * r**2, h, w) -> (..., c, h * r, w * r)``: `torch.nn.PixelShuffle`."""


class PixelUnshuffle(
    Computed, nn.PixelUnshuffle, by=pixel_unshuffle, line=PIXEL_UNSHUFFLE
):
    """``(..., c, h * r, w * r) -> (..., c * r**2, h, w)``: undoes `PixelShuffle`."""


class ChannelShuffle(
    Computed, nn.ChannelShuffle, by=channel_shuffle, line=CHANNEL_SHUFFLE
):
    """``(b, c, *n) -> (b, c, *n)``: `torch.nn.ChannelShuffle`."""


class Identity(nn.Identity):
    """``(...) -> (...)``: `torch.nn.Identity`; takes any arguments and ignores them."""

    line = IDENTITY

    def forward(self, input: Any) -> Any:
        """The input itself, tensor or not."""
        return IDENTITY(input)
