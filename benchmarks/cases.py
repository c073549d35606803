"""What is measured: layers of layerlib, and what takes the same place elsewhere."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import delu
import einx
import torch
from einx_page import PAGE
from torch import Tensor
from transformers import GPT2Config as TheirConfig
from transformers import GPT2LMHeadModel

import layerlib
from layerlib.gpt2 import GPT2, GPT2Config

Shapes = list[tuple[int, ...]]

IMAGE = (8, 64, 56, 56)
WORDS = (32, 128, 512)


class Case(NamedTuple):
    """Two layers that are built anew in each round, and the shapes of their inputs."""

    name: str
    theirs: Callable[[], Any]
    ours: Callable[[], Any]
    shapes: Shapes


class Words(torch.nn.Module):
    """Whole numbers out of a drawn input, for what looks words up."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self.table = table

    def forward(self, drawn: Tensor) -> Any:
        """The rows of some words."""
        return self.table((drawn.detach().abs() * 1e4).long() % 10000)


class Einx(torch.nn.Module):
    """The parameters of a layer of ours, and its forward pass written with einx."""

    def __init__(self, layer: Any, written: Callable[..., Any]) -> None:
        super().__init__()
        self.layer, self.written = layer, written

    def forward(self, *inputs: Tensor) -> Any:
        """What is written, of the layer and the inputs."""
        return self.written(self.layer, *inputs)


# By torch's namespace of layers, or ours.
LAYERS: dict[str, tuple[Callable[[Any], Any], Shapes]] = {
    "Linear 512 to 512": (lambda nn: nn.Linear(512, 512), [WORDS]),
    "Bilinear 64, 64 to 32": (lambda nn: nn.Bilinear(64, 64, 32), [(256, 64)] * 2),
    "Conv2d 3x3": (lambda nn: nn.Conv2d(64, 64, 3), [(8, 64, 32, 32)]),
    "Conv2d 1x1": (lambda nn: nn.Conv2d(64, 128, 1), [(8, 64, 32, 32)]),
    "Conv2d 7x7, stride 2": (
        lambda nn: nn.Conv2d(3, 64, 7, 2, 3),
        [(8, 3, 64, 64)],
    ),
    "Conv2d depthwise 3x3": (
        lambda nn: nn.Conv2d(64, 64, 3, padding=1, groups=64),
        [(8, 64, 32, 32)],
    ),
    "Conv1d 5, dilation 2": (
        lambda nn: nn.Conv1d(128, 128, 5, padding=4, dilation=2),
        [(16, 128, 256)],
    ),
    "Conv3d 3x3x3": (lambda nn: nn.Conv3d(16, 32, 3), [(2, 16, 16, 16, 16)]),
    "ConvTranspose2d 4x4, stride 2": (
        lambda nn: nn.ConvTranspose2d(64, 32, 4, 2, 1),
        [(8, 64, 32, 32)],
    ),
    "ReflectionPad2d": (lambda nn: nn.ReflectionPad2d(1), [IMAGE]),
    "Unfold 3x3": (lambda nn: nn.Unfold(3), [(8, 64, 32, 32)]),
    "MaxPool2d 3x3, stride 2": (lambda nn: nn.MaxPool2d(3, 2, 1), [IMAGE]),
    "AvgPool2d 2x2": (lambda nn: nn.AvgPool2d(2), [IMAGE]),
    "AdaptiveAvgPool2d to 1x1": (lambda nn: nn.AdaptiveAvgPool2d(1), [IMAGE]),
    "AdaptiveAvgPool2d to 7x7": (lambda nn: nn.AdaptiveAvgPool2d(7), [IMAGE]),
    "Upsample bilinear": (
        lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"),
        [(8, 64, 32, 32)],
    ),
    "Upsample nearest": (lambda nn: nn.Upsample(scale_factor=2), [(8, 64, 32, 32)]),
    "PixelShuffle": (lambda nn: nn.PixelShuffle(2), [(8, 64, 32, 32)]),
    "BatchNorm2d": (lambda nn: nn.BatchNorm2d(64), [IMAGE]),
    "InstanceNorm2d": (lambda nn: nn.InstanceNorm2d(64), [IMAGE]),
    "GroupNorm": (lambda nn: nn.GroupNorm(8, 64), [IMAGE]),
    "LayerNorm": (lambda nn: nn.LayerNorm(512), [WORDS]),
    "RMSNorm": (lambda nn: nn.RMSNorm(512), [WORDS]),
    "ReLU": (lambda nn: nn.ReLU(), [WORDS]),
    "GELU": (lambda nn: nn.GELU(), [WORDS]),
    "SiLU": (lambda nn: nn.SiLU(), [WORDS]),
    "ELU": (lambda nn: nn.ELU(), [WORDS]),
    "Sigmoid": (lambda nn: nn.Sigmoid(), [WORDS]),
    "GLU": (lambda nn: nn.GLU(), [WORDS]),
    "Softmax": (lambda nn: nn.Softmax(-1), [WORDS]),
    "LogSoftmax": (lambda nn: nn.LogSoftmax(-1), [WORDS]),
    "Dropout": (lambda nn: nn.Dropout(0.1), [WORDS]),
    "Embedding": (lambda nn: Words(nn.Embedding(10000, 256)), [(64, 128)]),
    "EmbeddingBag": (lambda nn: Words(nn.EmbeddingBag(10000, 256)), [(64, 128)]),
    "RNN": (lambda nn: nn.RNN(128, 128, batch_first=True), [(64, 100, 128)]),
    "LSTM": (lambda nn: nn.LSTM(128, 128, batch_first=True), [(64, 100, 128)]),
    "GRU": (lambda nn: nn.GRU(128, 128, batch_first=True), [(64, 100, 128)]),
    "MultiheadAttention": (
        lambda nn: nn.MultiheadAttention(512, 8, batch_first=True),
        [WORDS] * 3,
    ),
    "TransformerEncoderLayer": (
        lambda nn: nn.TransformerEncoderLayer(512, 8, 2048, batch_first=True),
        [WORDS],
    ),
    "TransformerDecoderLayer": (
        lambda nn: nn.TransformerDecoderLayer(512, 8, 2048, batch_first=True),
        [WORDS] * 2,
    ),
}

COMPILED = (
    "Linear 512 to 512", "Conv2d 3x3", "MaxPool2d 3x3, stride 2", "BatchNorm2d",
    "LayerNorm", "GELU", "Softmax", "MultiheadAttention", "TransformerEncoderLayer",
)  # fmt: skip


def _layer_norm(layer: Any, x: Tensor) -> Any:
    centered = x - einx.mean("... [i] -> ... 1", x)
    variance = einx.mean("... [i] -> ... 1", centered.square())
    scaled = centered * torch.rsqrt(variance + layer.eps)
    return einx.add(
        "... i, i", einx.multiply("... i, i", scaled, layer.weight), layer.bias
    )


EINX: dict[str, tuple[Callable[[], Any], Callable[..., Any], Shapes]] = {
    "Linear 512 to 512": (
        lambda: layerlib.Linear(512, 512),
        lambda own, x: einx.dot("... [i], o [i] -> ... o", x, own.weight) + own.bias,
        [WORDS],
    ),
    "Bilinear 64, 64 to 32": (
        lambda: layerlib.Bilinear(64, 64, 32),
        lambda own, x, y: (
            einx.dot("b [i], o [i j], b [j] -> b o", x, own.weight, y) + own.bias
        ),
        [(256, 64)] * 2,
    ),
    "NLinear": (
        lambda: layerlib.NLinear(64, 64, 64),
        lambda own, x: einx.dot("b n [i], n [i] o -> b n o", x, own.weight) + own.bias,
        [(256, 64, 64)],
    ),
    "LayerNorm": (lambda: layerlib.LayerNorm(512), _layer_norm, [WORDS]),
    "Softmax": (
        lambda: layerlib.Softmax(-1),
        lambda _, x: einx.softmax("... [i]", x),
        [WORDS],
    ),
    "PixelShuffle": (
        lambda: layerlib.PixelShuffle(2),
        lambda _, x: einx.id("b (c p q) h w -> b c (h p) (w q)", x, p=2, q=2),
        [(8, 64, 32, 32)],
    ),
}
NLINEAR = [(256, 64, 64, 64), (32, 256, 128, 128), (1024, 32, 16, 16)]


def layers() -> Iterator[Case]:
    """Each layer next to torch's."""
    for name, (build, shapes) in LAYERS.items():
        yield Case(name, partial(build, torch.nn), partial(build, layerlib), shapes)


def _compiled(build: Callable[[], Any]) -> Any:
    return torch.compile(build(), fullgraph=True)


def compiled() -> Iterator[Case]:
    """Some layers, compiled, next to torch's as they are."""
    for name in COMPILED:
        case = next(case for case in layers() if case.name == name)
        yield case._replace(
            name=f"{name}, compiled",
            ours=partial(_compiled, case.ours),
        )


def peers() -> Iterator[Case]:
    """Layers next to the same with einx, and NLinear next to delu's."""
    for name, (build, written, shapes) in EINX.items():
        yield Case(
            f"{name}, einx",
            lambda build=build, written=written: Einx(build(), written),
            build,
            shapes,
        )
    for batch, *sizes in NLINEAR:
        yield Case(
            f"NLinear {(batch, *sizes)}, delu",
            partial(delu.nn.NLinear, *sizes),
            partial(layerlib.NLinear, *sizes),
            [(batch, *sizes[:2])],
        )


def page() -> Iterator[Case]:
    """The operations of einx's page next to the page's own lines."""
    for name, (build, written, shapes) in PAGE.items():
        yield Case(
            name,
            lambda build=build, written=written: Einx(build(), written),
            build,
            shapes,
        )


def models() -> Iterator[Case]:
    """GPT-2, as large as the smallest that was published, without its dropout."""
    sizes = {"vocab_size": 50257, "n_embd": 768, "n_layer": 12, "n_head": 12}
    theirs = TheirConfig(**sizes, attn_implementation="eager", use_cache=False)
    yield Case(
        "GPT-2, transformers",
        lambda: Words(GPT2LMHeadModel(theirs)).eval(),
        lambda: Words(GPT2(GPT2Config(**sizes))).eval(),
        [(1, 128)],
    )
