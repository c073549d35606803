"""Vision models: an image becomes tokens, and blocks mix tokens, then features.

Each layer takes images with one, two or three axes by the same lines. A line that cuts
an axis is run once for each: it takes the first axis and puts what it makes of it last.
Not part of `import layerlib`: ``from layerlib.vision import ViT``.
"""
# mypy: disable-error-code="no-any-return"
# What a module returns is Any to mypy.

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Module, ModuleList, Parameter
from torch.nn.init import trunc_normal_

import layerlib
from layerlib.conventions.pretrained import Folder, set_apart
from layerlib.conventions.signature import convention
from layerlib.conventions.vision import (
    MixerConfig,
    SwinConfig,
    ViTConfig,
    fits_any_image,
    fits_features,
    fits_image,
    fits_patches,
    fits_tokens,
    pretrained,
)
from layerlib.mixer import Block, TokenMixing
from layerlib.recipe import Rearrange, Reduce
from layerlib.window_attention import (
    TOKENS,
    PatchMerging,
    SelfAttention,
    WindowAttention,
    extended,
)

Sizes: TypeAlias = tuple[int, ...]

PATCHES = Rearrange("b c (n k) ... -> b (c k) ... n")
LAST = Rearrange("b c ... -> b ... c")
MEAN = Reduce("b ... c -> b c", "mean")


def patches(image: Tensor, size: Sizes) -> Tensor:
    """``(b, c, *n) -> (b, *m, c k)``: the numbers of a patch become its features."""
    for k in size:
        image = PATCHES(image, k=k)
    return LAST(image)


class ClassToken(Module):
    """``(b, *n, c) -> (b, 1 + n, c)``: a learned token before those of the grid.

    Source: https://arxiv.org/abs/2010.11929, equation 1.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.token = Parameter(trunc_normal_(torch.empty(features), std=0.02))

    @convention(fits_features)
    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "b n c"]:
        """The token, then the grid row by row."""
        first = self.token.expand(len(x), 1, -1)
        return torch.cat([first, TOKENS(x)], 1)


class PositionalEmbedding(Module):
    """``(b, *n, c) -> (b, *n, c)``: a learned vector is added at each position.

    Args:
        *shape: the positions along each axis, then the features.

    Source: https://arxiv.org/abs/2010.11929, equation 1.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.position = Parameter(trunc_normal_(torch.empty(shape), std=0.02))

    @convention(fits_tokens)
    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The tokens, and where each of them is."""
        return x + self.position


class PatchEmbedding(Module):
    """``(b, c, *n) -> (b, *m, e)``: the image is cut, and each patch goes through E.

    The same as a convolution whose stride is the size of its kernel.

    Source: https://arxiv.org/abs/2010.11929, equation 1.
    """

    def __init__(
        self, channels: int, size: Sizes, features: int, nn: Any = layerlib
    ) -> None:
        super().__init__()
        self.channels, self.size = channels, size
        self.projection = nn.Linear(channels * math.prod(size), features)

    @convention(fits_patches)
    def forward(self, image: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """A token for each patch, on their grid."""
        return self.projection(patches(image, self.size))


class ViT(Module):
    """``(b, c, *n) -> (b, o)``: the vision transformer, an encoder of patches.

    Args:
        config: its sizes; of an image of another size the model knows no positions.
        nn: where the layers come from: `layerlib`, `torch.nn`, or classes of your own.

    >>> small = ViTConfig(image_size=8, patch_size=4, hidden_size=6, num_labels=3,
    ...     num_attention_heads=2, num_hidden_layers=1, intermediate_size=12)
    >>> ViT(small)(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 3])

    Source: https://arxiv.org/abs/2010.11929; `transformers.ViTForImageClassification`.
    """

    @classmethod
    def from_pretrained(cls, folder: Folder, nn: Any = layerlib) -> "ViT":
        """The model of a folder with config.json and weights of safetensors.

        It is in evaluation, and its parameters have the dtype that they have there.

        Raises:
            FileNotFoundError: the folder lacks a file.
            ValueError: it is of another model, damaged, or a tensor is missing,
                unexpected or of another shape.
        """
        return pretrained(cls, ViTConfig, "vit", folder, nn)

    def __init__(self, config: ViTConfig, nn: Any = layerlib) -> None:
        super().__init__()
        self.config, width = config, config.hidden_size
        self.patches = PatchEmbedding(config.num_channels, config.patch_size, width, nn)
        self.token = ClassToken(width)
        self.position = PositionalEmbedding(1 + math.prod(config.grid), width)
        self.drop = nn.Dropout(config.hidden_dropout_prob)
        self.blocks = ModuleList(vit_blocks(config, nn))
        self.norm, self.head = norm_and_head(width, config, nn)

    @convention(fits_image)
    def forward(self, image: Float[Tensor, "..."]) -> Float[Tensor, "b o"]:
        """Patches and a token, their places, the blocks; what the token knows."""
        x = self.token(self.patches(whole_patches(image, self.config.patch_size)))
        x = self.drop(self.position(x))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


def norm_and_head(features: int, config: Any, nn: Any) -> tuple[Module, Module]:
    """What reads the stream at its end: a norm, and a row of weights for each class."""
    norm = nn.LayerNorm(features, **set_apart(eps=config.layer_norm_eps))
    return norm, nn.Linear(features, config.num_labels)


def whole_patches(image: Tensor, size: Sizes) -> Tensor:
    """``(b, c, *n) -> (b, c, *m)``: without the edge that makes no whole patch."""
    more = [-(n % k) for n, k in zip(image.shape[2:], size, strict=True)]
    return extended(image, more)


def vit_blocks(config: ViTConfig, nn: Any) -> Iterator[Block]:
    """The blocks of a ViT: attention to all tokens."""
    width, heads = config.hidden_size, config.num_attention_heads
    for _ in range(config.num_hidden_layers):
        mixing = SelfAttention(width, heads, config.attention_probs_dropout_prob, nn)
        yield Block(
            mixing, width, config.intermediate_size, config.hidden_act,
            config.layer_norm_eps, config.hidden_dropout_prob,
            scale=config.layerscale_value, nn=nn,
        )  # fmt: skip


class SwinTransformer(Module):
    """``(b, c, *n) -> (b, o)``: attention in windows, on grids that get coarser.

    Each second block shifts its windows by half of one. Images may have any size: zeros
    behind them make patches whole.

    Args:
        config: its sizes.
        nn: where the layers come from: `layerlib`, `torch.nn`, or classes of your own.

    Source: https://arxiv.org/abs/2103.14030; `transformers.SwinForImageClassification`.
    """

    @classmethod
    def from_pretrained(cls, folder: Folder, nn: Any = layerlib) -> "SwinTransformer":
        """The model of a folder, read as `ViT.from_pretrained` does, with its errors.

        A folder's index of steps is not read: it follows from the window.
        """
        return pretrained(cls, SwinConfig, "swin", folder, nn)

    def __init__(self, config: SwinConfig, nn: Any = layerlib) -> None:
        super().__init__()
        self.config, last = config, config.embed_dim * 2 ** (len(config.depths) - 1)
        self.embedding = nn.Sequential(*swin_embedding(config, nn))
        self.stages = ModuleList(swin_stages(config, nn))
        self.norm, self.head = norm_and_head(last, config, nn)

    @convention(fits_any_image)
    def forward(self, image: Float[Tensor, "..."]) -> Float[Tensor, "b o"]:
        """Patches, stages, and the mean of all tokens."""
        sides = zip(image.shape[2:], self.config.patch_size, strict=True)
        x = self.embedding(extended(image, [-n % k for n, k in sides]))
        for stage in self.stages:
            x = stage(x)
        return self.head(MEAN(self.norm(x)))


def swin_embedding(config: SwinConfig, nn: Any) -> Iterator[Module]:
    """Patches, their norm and, if asked for, their places."""
    width, grid = config.embed_dim, config.grid
    yield PatchEmbedding(config.num_channels, config.patch_size, width, nn)
    yield nn.LayerNorm(width)
    if config.use_absolute_embeddings:
        yield PositionalEmbedding(*grid, width)
    yield nn.Dropout(config.hidden_dropout_prob)


def swin_stages(config: SwinConfig, nn: Any) -> Iterator[Module]:
    """The blocks of each stage, then the neighbors merged, but for the last stage."""
    first, last = 0, len(config.depths) - 1
    for stage, depth in enumerate(config.depths):
        blocks = [swin_block(config, stage, first + k, k, nn) for k in range(depth)]
        merging = [PatchMerging(config.embed_dim * 2**stage, len(config.grid), nn)]
        yield nn.Sequential(*blocks, *merging if stage < last else [])
        first += depth


def swin_block(config: SwinConfig, stage: int, at: int, k: int, nn: Any) -> Block:
    """Block `k` of a stage, and `at` of all: later ones are left out more often."""
    width, heads = config.embed_dim * 2**stage, config.num_heads[stage]
    window = (config.window_size,) * len(config.grid)
    shift = tuple(n // 2 * (k % 2) for n in window)
    dropout = config.attention_probs_dropout_prob
    path = config.drop_path_rate * at / max(sum(config.depths) - 1, 1)
    return Block(
        WindowAttention(width, heads, window, shift, dropout, nn), width,
        int(config.mlp_ratio * width), config.hidden_act, config.layer_norm_eps,
        config.hidden_dropout_prob, path, nn=nn,
    )  # fmt: skip


class MLPMixer(Module):
    """``(b, c, *n) -> (b, o)``: two MLPs in turn, along tokens and along features.

    Args:
        config: its sizes; of an image of another size the model knows no tokens.
        nn: where the layers come from: `layerlib`, `torch.nn`, or classes of your own.

    Source: https://arxiv.org/abs/2105.01601.
    """

    def __init__(self, config: MixerConfig, nn: Any = layerlib) -> None:
        super().__init__()
        self.config, width = config, config.hidden_size
        self.patches = PatchEmbedding(config.num_channels, config.patch_size, width, nn)
        self.blocks = ModuleList(mixer_blocks(config, nn))
        self.norm, self.head = norm_and_head(width, config, nn)

    @convention(fits_image)
    def forward(self, image: Float[Tensor, "..."]) -> Float[Tensor, "b o"]:
        """Patches, blocks, and the mean of all tokens."""
        x = TOKENS(self.patches(whole_patches(image, self.config.patch_size)))
        for block in self.blocks:
            x = block(x)
        return self.head(MEAN(self.norm(x)))


def mixer_blocks(config: MixerConfig, nn: Any) -> Iterator[Block]:
    """The blocks of a mixer: an MLP along the tokens."""
    tokens, act = math.prod(config.grid), config.hidden_act
    for _ in range(config.num_hidden_layers):
        mixing = TokenMixing(tokens, config.tokens_mlp_dim, act, nn)
        yield Block(
            mixing, config.hidden_size, config.channels_mlp_dim, act,
            config.layer_norm_eps, nn=nn,
        )  # fmt: skip
