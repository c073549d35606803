"""What the vision models expect: images of their size, tokens of their features."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import floordiv, le
from typing import Any, TypeAlias, TypeVar

from torch import Tensor
from torch.nn import Module

from layerlib.conventions.call import Call
from layerlib.conventions.expect import expect
from layerlib.conventions.pretrained import (
    ACTIVATIONS,
    Folder,
    Place,
    chosen,
    config,
    load,
)

Model = TypeVar("Model", bound=Module)
Number: TypeAlias = int | float
Sizes: TypeAlias = tuple[int, ...]


def activated(name: str, nn: Any) -> Module:
    """The activation of that name. Raises a ValueError where there is none."""
    told = f"an activation of {', '.join(ACTIVATIONS)}"
    expect("MLP", name in ACTIVATIONS, told, name)
    return ACTIVATIONS[name](nn)


@dataclass
class _Config:
    """What the models share; the names are those of `transformers`' config.json.

    Raises:
        ValueError: image and patch have not the same number of axes, or no patch fits
            into the image.
    """

    image_size: Any = 224  # along each axis; one number is height and width
    patch_size: Any = 16
    num_channels: int = 3
    num_labels: int = 1000  # how many classes it tells apart
    hidden_act: str = "gelu"
    layer_norm_eps: Number = 1e-5  # is added to the variance

    def __post_init__(self) -> None:
        image, patch = _axes(self.image_size), _axes(self.patch_size)
        fits = len(image) == len(patch) and all(map(le, patch, image))
        told = f"a patch_size that fits into image_size {image}, axis by axis"
        expect(type(self).__name__, fits and min(patch) > 0, told, patch)
        self.image_size, self.patch_size = image, patch

    @property
    def grid(self) -> Sizes:
        """How many whole patches there are along each axis."""
        return tuple(map(floordiv, _axes(self.image_size), _axes(self.patch_size)))


@dataclass
class ViTConfig(_Config):
    """The sizes of a `ViT`; by default those of ViT-B/16."""

    layer_norm_eps: Number = 1e-12
    hidden_size: int = 768  # features of a token
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072  # features within the MLP
    hidden_dropout_prob: Number = 0.0
    attention_probs_dropout_prob: Number = 0.0
    layerscale_value: Number = 0.0  # where a LayerScale starts; 0 is none


@dataclass
class SwinConfig(_Config):
    """The sizes of a `SwinTransformer`; by default those of Swin-T."""

    patch_size: Any = 4
    embed_dim: int = 96  # features of a token in the first stage; they double
    depths: Sizes = (2, 2, 6, 2)  # blocks of each stage
    num_heads: Sizes = (3, 6, 12, 24)  # of each stage
    window_size: int = 7  # tokens along each axis of a window
    mlp_ratio: Number = 4.0  # features within the MLP, of those of a token
    use_absolute_embeddings: bool = False  # a vector for each position, as in ViT
    hidden_dropout_prob: Number = 0.0
    attention_probs_dropout_prob: Number = 0.0
    drop_path_rate: Number = 0.1  # how often the last block is left out in training

    def __post_init__(self) -> None:
        super().__post_init__()
        told = f"heads for each of the {len(self.depths)} stages"
        fits = len(self.num_heads) == len(self.depths)
        expect("SwinConfig", fits, told, tuple(self.num_heads))


@dataclass
class MixerConfig(_Config):
    """The sizes of an `MLPMixer`; by default those of Mixer-B/16."""

    hidden_size: int = 768  # features of a token
    num_hidden_layers: int = 12
    tokens_mlp_dim: int = 384  # tokens within the MLP along tokens
    channels_mlp_dim: int = 3072  # features within the MLP along features


def _axes(size: Sizes | int) -> Sizes:
    return (size, size) if isinstance(size, int) else tuple(size)


def divides(name: str, heads: int, features: int) -> None:
    """Raises a ValueError, unless each head has as many features as the others."""
    fits = heads > 0 and features % heads == 0
    expect(name, fits, f"heads that divide {features} features", heads)


def fits_patches(call: Call) -> None:
    """Channels first, then axes that hold whole patches."""
    size, channels = call.self.size, call.self.channels
    _channels(call, call.image, channels, len(size))
    sides = tuple(call.image.shape[2:])
    whole = all(n % k == 0 for n, k in zip(sides, size, strict=True))
    call.expect(whole, f"axes that are multiples of the patch {size}", sides)


def fits_image(call: Call) -> None:
    """Exactly the image that the model was made for: it has so many positions."""
    config = call.self.config
    expected = ("*", config.num_channels, *config.image_size)
    found = tuple(call.image.shape)
    told = f"an image of shape {expected}".replace("'", "")
    call.expect(len(found) == len(expected) and found[1:] == expected[1:], told, found)


def fits_any_image(call: Call) -> None:
    """An image with the channels and the number of axes that the model was made for."""
    config = call.self.config
    _channels(call, call.image, config.num_channels, len(config.image_size))


def _channels(call: Call, image: Tensor, channels: int, n: int) -> None:
    expected = ("*", channels, *"*" * n)
    told = f"an image of shape {expected}".replace("'", "")
    found = tuple(image.shape)
    call.expect(len(found) == n + 2 and found[1] == channels, told, found)


def fits_tokens(call: Call) -> None:
    """As many tokens as there are positions, to avoid accidental broadcasting."""
    _tokens(call, call.self.position.shape)


def fits_features(call: Call) -> None:
    """Tokens of the features that the parameter has."""
    call.expect(
        call.x.ndim > 1 and call.x.shape[-1:] == call.self.token.shape,
        f"{len(call.self.token)} features in the last axis",
        tuple(call.x.shape),
    )


def fits_windows(call: Call) -> None:
    """Tokens on a grid with as many axes as the window has."""
    n, found = len(call.self.window), tuple(call.x.shape)
    told = f"tokens on a grid, of shape (*, {'*, ' * n}features)"
    call.expect(len(found) == n + 2, told, found)


def _tokens(call: Call, expected: Sequence[int]) -> None:
    found = tuple(call.x.shape)
    told = f"tokens of shape (*, {', '.join(map(str, expected))})"
    call.expect(found[1:] == tuple(expected), told, found)


PROJECTED = ("query", "key", "value")
"""What one projection of ours makes, and three in a folder."""

_VIT = {
    r"patches\.projection": "vit.embeddings.patch_embeddings.projection",
    r"token\.token": "vit.embeddings.cls_token",
    r"position\.position": "vit.embeddings.position_embeddings",
    r"blocks\.(\d+)\.": r"vit.encoder.layer.\1.",
    r"mixing\.attention\.in_proj_": "attention.attention.*.",
    r"mixing\.attention\.out_proj": "attention.output.dense",
    r"norm1": "layernorm_before",
    r"norm2": "layernorm_after",
    r"mlp\.linear1": "intermediate.dense",
    r"mlp\.linear2": "output.dense",
    r"^norm\.": "vit.layernorm.",
    r"^head": "classifier",
}

_SWIN = {
    r"embedding\.0": "swin.embeddings.patch_embeddings",
    r"embedding\.1": "swin.embeddings.norm",
    r"embedding\.2\.position": "swin.embeddings.position_embeddings",
    r"stages\.(\d+)\.\d+\.(norm|reduction)\.": r"swin.encoder.layers.\1.downsample.\2.",
    r"stages\.(\d+)\.(\d+)": r"swin.encoder.layers.\1.blocks.\2",
    r"mixing\.attention\.attention\.in_proj_": "attention.self.*.",
    r"mixing\.attention\.attention\.out_proj": "attention.output.dense",
    r"mixing\.bias\.table\.weight": "attention.self.relative_position_bias_table",
    r"norm1": "layernorm_before",
    r"norm2": "layernorm_after",
    r"mlp\.linear1": "intermediate.dense",
    r"mlp\.linear2": "output.dense",
    r"^norm\.": "swin.layernorm.",
    r"^head": "classifier",
}
NAMES = {"vit": _VIT, "swin": _SWIN}
"""What our names of parameters become in a folder, by the type of model there."""

NOT_READ = r"relative_position_index$|^vit\.pooler\."
"""What folders have besides: an index that is computed, a layer for another task."""


@dataclass(frozen=True)
class Reshaped(Place):
    """A parameter that a folder has under another shape, with its numbers in order."""

    there: Sizes = ()
    here: Sizes = ()

    def whole(self, shape: Sequence[int]) -> Sizes:
        """The shape in the folder."""
        del shape
        return self.there

    def read(self, stored: Any) -> Tensor:
        """The parameter, from a slice of a file."""
        read: Tensor = stored[...]
        return read.reshape(self.here)


def placed(model: Any, model_type: str, parameter: str) -> list[str] | Reshaped:
    """Where a parameter stands in a folder: in three places, what is projected at once.

    Kernels of patches have all their axes there, and what is added to tokens has one
    for the batch, and one for all positions.
    """
    name, config = parameter, model.config
    for ours, theirs in NAMES[model_type].items():
        name = re.sub(ours, theirs, name)
    if "*" in name:
        return [name.replace("*", one) for one in PROJECTED]
    here = tuple(model.get_parameter(parameter).shape)
    if name.endswith("projection.weight"):
        there = (here[0], config.num_channels, *config.patch_size)
    elif name.endswith(("cls_token", "position_embeddings")):
        there = (1, math.prod(here[:-1]), here[-1])
    else:
        there = here
    return Reshaped(name, there=there, here=here)


def pretrained(
    cls: Callable[..., Model], kind: type, model_type: str, folder: Folder, nn: Any
) -> Model:
    """A model in evaluation, out of a folder that `transformers` has saved."""
    name = getattr(cls, "__name__", "")
    told = config(folder, model_type, name)
    given = told.get("qkv_bias", True)
    expect(f"{name}.from_pretrained", given is True, "qkv_bias true", given)
    labels = told.get("num_labels", len(told.get("id2label") or (0, 1)))
    settings = {key: _tupled(x) for key, x in told.items()}
    model = cls(chosen(kind, {**settings, "num_labels": labels}), nn)
    where = partial(placed, model, model_type)
    load(model, folder, where, prefix=f"{model_type}.", ignored=NOT_READ)
    return model.eval()


def _tupled(x: Any) -> Any:
    return tuple(x) if isinstance(x, list) else x
