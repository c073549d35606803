"""ViT, Swin and the mixer equal `transformers`, plain torch, and loops."""

import copy
import itertools
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.testing import assert_close

import layerlib
from layerlib.lab import moves, same
from layerlib.mixer import MLP, Block, LayerScale, StochasticDepth, TokenMixing
from layerlib.vision import (
    ClassToken,
    MixerConfig,
    MLPMixer,
    PatchEmbedding,
    PositionalEmbedding,
    SwinConfig,
    SwinTransformer,
    ViT,
    ViTConfig,
)
from layerlib.window_attention import (
    SelfAttention,
    WindowAttention,
    merge,
    neighbors,
    partition,
    steps,
)
from test_project import OWN, STORIES, defined
from test_purity import PURE

VITS = {
    "square": {"image_size": 8, "patch_size": 4},
    "odd, with an edge that is left out": {
        "image_size": (13, 11), "patch_size": (4, 3), "num_channels": 1, "hidden_size": 15,
        "num_attention_heads": 5, "num_hidden_layers": 1, "hidden_act": "relu",
    },
    "deep": {
        "image_size": (6, 9), "patch_size": 3, "num_hidden_layers": 4, "num_attention_heads": 1,
        "layer_norm_eps": 1e-3, "hidden_act": "gelu_new",
    },
}  # fmt: skip
SWINS = {
    "four stages, down to one window": {
        "image_size": 32, "window_size": 2, "depths": (2, 1, 2, 2), "num_heads": (1, 2, 3, 4), "embed_dim": 12
    },
    "windows that do not fit": {"image_size": (27, 22), "window_size": 3},
    "patches that do not fit, and places": {
        "image_size": (32, 39), "patch_size": (2, 3), "window_size": 5, "num_channels": 1,
        "use_absolute_embeddings": True, "hidden_act": "relu", "mlp_ratio": 1.5,
        "layer_norm_eps": 1e-3,
    },
}  # fmt: skip
SMALL_VIT = {
    "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 10,
    "num_labels": 5,
}  # fmt: skip
SMALL_SWIN = {
    "patch_size": 2, "embed_dim": 4, "depths": (2, 2), "num_heads": (2, 4), "window_size": 4,
    "num_labels": 5, "drop_path_rate": 0.0,
}  # fmt: skip
MIXER = {
    "num_labels": 5, "hidden_size": 6, "num_hidden_layers": 2, "tokens_mlp_dim": 7,
    "channels_mlp_dim": 8,
}  # fmt: skip


OURS: dict[str, Any] = {"ViT": ViT, "Swin": SwinTransformer}


def shaken(model: Any, seed: int = 0) -> Any:
    """With parameters that are all drawn, in float64: none is zero or one."""
    torch.manual_seed(seed)
    for parameter in model.double().parameters():
        nn.init.normal_(parameter, std=0.5)
    return model.eval()


def pair(kind: str, case: dict[str, Any], folder: Path) -> tuple[Any, Any]:
    """A model of `transformers` and ours, with the same parameters."""
    small = {"ViT": SMALL_VIT, "Swin": SMALL_SWIN}[kind] | case
    config = getattr(transformers, f"{kind}Config")(**small, attn_implementation="sdpa")
    theirs = shaken(getattr(transformers, f"{kind}ForImageClassification")(config))
    theirs.save_pretrained(folder)
    return theirs, OURS[kind].from_pretrained(folder)


def hidden(model: Any, image: Tensor) -> tuple[Tensor, list[Tensor]]:
    """What our model says, and what runs between its blocks or stages."""
    layers = model.blocks if isinstance(model, ViT) else model.stages
    found: list[Tensor] = []
    hooks = [layers[0].register_forward_pre_hook(lambda _, x: found.append(x[0]))]
    hooks += [
        layer.register_forward_hook(lambda _, __, x: found.append(x))
        for layer in layers
    ]
    logits = model(image)
    for hook in hooks:
        hook.remove()
    return logits, [x.flatten(1, -2) for x in found]


CASES = [("ViT", name) for name in VITS] + [("Swin", name) for name in SWINS]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_equals_transformers(kind: str, name: str, tmp_path: Path) -> None:
    case = {"ViT": VITS, "Swin": SWINS}[kind][name]
    theirs, mine = pair(kind, case, tmp_path)
    sizes = mine.config.num_channels, *mine.config.image_size
    image = torch.randn(3, *sizes, dtype=torch.float64, requires_grad=True)
    copied = image.detach().clone().requires_grad_()
    right = theirs(image, output_hidden_states=True)
    logits, states = hidden(mine, copied)
    assert_close(logits, right.logits)
    assert len(states) == len(right.hidden_states)
    for state, expected in zip(states, right.hidden_states, strict=True):
        assert_close(state, expected)
    cotangent = torch.randn_like(logits)
    right.logits.backward(cotangent)
    logits.backward(cotangent)
    assert_close(copied.grad, image.grad)
    # Gradients have the shapes of the parameters, so they are saved and read like them.
    gradients = copy.deepcopy(theirs)
    for to, parameter in zip(gradients.parameters(), theirs.parameters(), strict=True):
        to.data = parameter.grad
    gradients.save_pretrained(tmp_path / "gradients")
    expected = type(mine).from_pretrained(tmp_path / "gradients")
    for key, parameter in mine.named_parameters():
        # That of a key's bias is zero but for rounding: a softmax does not see it.
        assert_close(
            parameter.grad,
            expected.get_parameter(key).data,
            msg=lambda told, key=key: f"{key}: {told}",
            atol=1e-9,
            rtol=1e-7,
        )


@pytest.mark.parametrize("size", [(26, 30), (17, 19), (40, 24)])
def test_swin_takes_images_of_another_size(
    size: tuple[int, int], tmp_path: Path
) -> None:
    theirs, mine = pair("Swin", {"image_size": 32}, tmp_path)
    image = torch.randn(2, 3, *size, dtype=torch.float64)
    assert_close(mine(image), theirs(image).logits)


MODELS = {
    "ViT": lambda layers: ViT(ViTConfig(8, 4, **SMALL_VIT | {"layer_norm_eps": 1e-5}), layers),
    "Swin": lambda layers: SwinTransformer(SwinConfig(13, **SMALL_SWIN), layers),
    "Mixer": lambda layers: MLPMixer(MixerConfig(8, 4, **MIXER), layers),
}  # fmt: skip
IMAGES = {"ViT": (2, 3, 8, 8), "Swin": (2, 3, 13, 13), "Mixer": (2, 3, 8, 8)}


@pytest.fixture(scope="module")
def own_layers() -> dict[str, Any]:
    """The layers of `layerlib`, and in their place those that the stories write."""
    layers = {name: getattr(layerlib, name) for name in layerlib.__all__}
    classes = {n: defined(STORIES / f"{page}.ipynb", c) for n, (page, c) in OWN.items()}

    def linear(*sizes: int, bias: bool = True) -> nn.Module:
        """The story's class always has a bias; Swin's merging wants none."""
        return (
            classes["Linear"](*sizes) if bias else layerlib.Linear(*sizes, bias=False)
        )

    return layers | classes | {"Linear": linear}


USED = {
    "ViT": {"OwnLinear", "OwnLayerNorm", "OwnGELUSolution", "OwnAttention"},
    "Swin": {"OwnLinear", "OwnLayerNorm", "OwnGELUSolution", "OwnEmbedding"},
    "Mixer": {"OwnLinear", "OwnLayerNorm", "OwnGELUSolution"},
}
"""What a model uses of the stories' classes."""


@pytest.mark.parametrize("name", MODELS)
def test_layers_come_from_the_namespace(name: str, own_layers: dict[str, Any]) -> None:
    mine = shaken(MODELS[name](layerlib))
    own = SimpleNamespace(**own_layers)
    if name == "Swin":  # the story's attention adds nothing to the scores
        own.MultiheadAttention = layerlib.MultiheadAttention
    for layers in (nn, own):
        others = shaken(MODELS[name](layers), seed=1)
        others.load_state_dict(mine.state_dict())
        same(mine, others, torch.randn(IMAGES[name], dtype=torch.float64))
        kinds = {type(module) for module in others.modules()}
        if layers is own:
            assert {kind.__name__ for kind in kinds} >= USED[name]
        else:
            files = {
                kind.__module__ for kind in kinds if "torch" not in kind.__module__
            }
            assert files <= {f"layerlib.{model}" for model in layerlib.MODELS}


def test_mixer_equals_a_plain_build() -> None:
    class Mix(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(6), nn.LayerNorm(6)
            self.tokens = nn.Sequential(nn.Linear(6, 7), nn.GELU(), nn.Linear(7, 6))
            self.features = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6))

        def forward(self, x: Tensor) -> Tensor:
            x = x + self.tokens(self.norm1(x).mT).mT
            return x + self.features(self.norm2(x))

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 6, (4, 3), (4, 3))
            self.blocks = nn.Sequential(Mix(), Mix())
            self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 5)

        def forward(self, image: Tensor) -> Tensor:
            x = self.blocks(self.stem(image).flatten(2).mT)
            return self.head(self.norm(x).mean(1))

    mine, plain = shaken(MLPMixer(MixerConfig((13, 7), (4, 3), **MIXER))), Plain()
    order = [
        "patches", "blocks.0.norm1", "blocks.0.norm2", "blocks.0.mixing", "blocks.0.mlp",
        "blocks.1.norm1", "blocks.1.norm2", "blocks.1.mixing", "blocks.1.mlp", "norm",
        "head",
    ]  # fmt: skip
    values = [p for name in order for p in mine.get_submodule(name).parameters()]
    for to, value in zip(plain.double().parameters(), values, strict=True):
        to.data = value.detach().reshape(to.shape)
    image = torch.randn(2, 3, 13, 7, dtype=torch.float64)
    assert_close(mine(image), plain(image))


GRIDS = {
    "sequence": ((7,), (3,)),
    "image": ((5, 8), (2, 4)),
    "volume": ((4, 5, 3), (2, 3, 2)),
}


def places(size: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, size))


@pytest.mark.parametrize(("grid", "size"), GRIDS.values(), ids=GRIDS)
class TestAnyNumberOfAxes:
    def test_patches_are_a_convolution(
        self, grid: tuple[int, ...], size: tuple[int, ...]
    ) -> None:
        layer = PatchEmbedding(3, size, 5)
        image = torch.randn(
            2, 3, *(n // k * k for n, k in zip(grid, size, strict=True))
        )
        conv = getattr(functional, f"conv{len(grid)}d")
        weight, bias = layer.projection.weight, layer.projection.bias
        expected = conv(image, weight.reshape(5, 3, *size), bias, size)
        assert_close(layer(image), expected.movedim(1, -1))

    def test_windows_and_back(
        self, grid: tuple[int, ...], size: tuple[int, ...]
    ) -> None:
        whole = tuple(n // k * k * 2 for n, k in zip(grid, size, strict=True))
        x = torch.randn(2, *whole, 3)
        counts = tuple(n // k for n, k in zip(whole, size, strict=True))
        found = partition(x, size)
        assert torch.equal(merge(found, size, whole), x)
        rows = iter(found)
        for image in x:
            for first in places(counts):
                slices = [
                    slice(n * k, n * k + k) for n, k in zip(first, size, strict=True)
                ]
                assert torch.equal(next(rows), image[tuple(slices)].reshape(-1, 3))

    def test_steps(self, grid: tuple[int, ...], size: tuple[int, ...]) -> None:
        assert len(grid) == len(size)
        every = [*itertools.product(*(range(1 - k, k) for k in size))]
        for q, query in enumerate(places(size)):
            for s, source in enumerate(places(size)):
                step = tuple(a - b for a, b in zip(query, source, strict=True))
                assert steps(size)[q, s] == every.index(step)

    @pytest.mark.parametrize("shift", [0, 1])
    def test_window_attention_is_attention_with_a_mask(
        self, grid: tuple[int, ...], size: tuple[int, ...], shift: int
    ) -> None:
        """All tokens at once: whoever lies in one window of the shifted lattice."""
        layer = shaken(WindowAttention(4, 2, size, (shift,) * len(size)))
        x = torch.randn(2, *grid, 4, dtype=torch.float64)
        whole = tuple(-(-n // k) * k for n, k in zip(grid, size, strict=True))
        padded = x.new_zeros(2, *whole, 4)
        padded[:, *(slice(n) for n in grid)] = x
        every = [*itertools.product(*(range(1 - k, k) for k in size))]
        at = [*places(whole)]
        bias = torch.full((2, len(at), len(at)), -math.inf, dtype=torch.float64)
        for (q, query), (s, source) in itertools.product(enumerate(at), repeat=2):
            lattice = [
                tuple((p - shift) // k for p, k in zip(place, size, strict=True))
                for place in (query, source)
            ]
            if lattice[0] == lattice[1]:
                step = tuple(a - b for a, b in zip(query, source, strict=True))
                bias[:, q, s] = layer.bias.table.weight[every.index(step)].detach()
        read = layer.attention(padded.flatten(1, -2), bias.repeat(2, 1, 1))
        expected = read.reshape(padded.shape)[:, *(slice(n) for n in grid)]
        assert_close(layer(x), expected)

    def test_neighbors_are_merged(
        self, grid: tuple[int, ...], size: tuple[int, ...]
    ) -> None:
        """The first axis moves fastest, as in the models that others have trained."""
        whole = tuple(k * n * 2 for n, k in zip(grid, size, strict=True))
        x, n = torch.randn(2, *whole, 3), len(size)
        parts = [
            x[:, *(slice(k, None, 2) for k in reversed(at))] for at in places((2,) * n)
        ]
        assert torch.equal(neighbors(x, (2,) * n), torch.cat(parts, -1))

    def test_models(self, grid: tuple[int, ...], size: tuple[int, ...]) -> None:
        image = torch.randn(2, 3, *(n * k for n, k in zip(grid, size, strict=True)))
        sizes = {"image_size": image.shape[2:], "patch_size": size}
        for model in (
            ViT(ViTConfig(**SMALL_VIT | sizes)),
            SwinTransformer(SwinConfig(**SMALL_SWIN | sizes)),
            MLPMixer(MixerConfig(**MIXER | sizes)),
        ):
            assert model(image).shape == (2, 5)

    def test_tokens(self, grid: tuple[int, ...], size: tuple[int, ...]) -> None:
        x, token = torch.randn(*size[:1], *grid, 3), ClassToken(3)
        flat = x.flatten(1, -2)
        expected = [torch.stack([token.token, *tokens]) for tokens in flat]
        assert torch.equal(token(x), torch.stack(expected))
        place = PositionalEmbedding(*grid, 3)
        assert torch.equal(place(x), x + place.position[None])


def test_a_shift_that_no_window_needs() -> None:
    """Where one window holds an axis, a shift would only tear it apart."""
    x = torch.randn(2, 4, 9, 6)
    shifted, still = (WindowAttention(6, 2, (4, 3), s) for s in ((2, 1), (0, 0)))
    still.load_state_dict(shifted.state_dict())
    assert torch.equal(shifted(x), still(x))
    assert not torch.equal(shifted(x.repeat(1, 2, 1, 1)), still(x.repeat(1, 2, 1, 1)))


def test_layer_scale() -> None:
    layer, x = LayerScale(3), torch.randn(2, 4, 3)
    assert torch.equal(layer(x), x * 1e-5)
    mixing = TokenMixing(4, 5)
    block = Block(mixing, 3, 6, scale=0.5)
    half = x + block.scale1.scale * mixing(block.norm1(x))
    assert_close(block(x), half + block.scale2.scale * block.mlp(block.norm2(half)))
    small = {"image_size": 8, "patch_size": 4} | SMALL_VIT
    scaled = ViT(ViTConfig(**small, layerscale_value=1e-3))
    assert [
        float(m.scale.detach()[0])
        for m in scaled.modules()
        if isinstance(m, LayerScale)
    ] == (pytest.approx([1e-3] * 4))


def test_stochastic_depth() -> None:
    layer, x = StochasticDepth(0.25), torch.randn(200, 3, 2)
    assert torch.equal(layer.eval()(x), x)
    torch.manual_seed(0)
    found = layer.train()(x)
    left_out = (found == 0).all((1, 2))
    assert_close(found[~left_out], x[~left_out] / 0.75)
    assert 30 <= left_out.sum() <= 70


def test_later_blocks_are_left_out_more_often() -> None:
    config = SwinConfig(32, **SMALL_SWIN | {"drop_path_rate": 0.3})
    model = SwinTransformer(config)
    rates = [m.drop.p for m in model.modules() if isinstance(m, StochasticDepth)]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3])


def test_dropouts_are_where_the_configuration_says() -> None:
    rates = {"hidden_dropout_prob": 0.25, "attention_probs_dropout_prob": 0.5}
    for model in (
        ViT(ViTConfig(8, 4, **SMALL_VIT | rates)),
        SwinTransformer(SwinConfig(32, **SMALL_SWIN | rates)),
    ):
        drops = [m.p for m in model.modules() if isinstance(m, layerlib.Dropout)]
        assert len(drops) > 2
        assert set(drops) == {0.25}
        read = [
            m.dropout
            for m in model.modules()
            if isinstance(m, layerlib.MultiheadAttention)
        ]
        assert set(read) == {0.5}


@pytest.mark.parametrize("name", MODELS)
def test_models_are_made_of_the_moves(name: str) -> None:
    """As the layers are; and a shift is a roll, a mask asks for any and is repeated."""
    model = MODELS[name](layerlib)
    image = torch.randn(IMAGES[name], requires_grad=True)
    found = set(moves(model, image, backward=True)) - PURE
    assert found <= {"roll", "repeat", "any"}


@pytest.mark.parametrize("kind", OURS)
def test_reads_a_folder_in_shards(kind: str, tmp_path: Path) -> None:
    theirs, mine = pair(kind, {"image_size": 32, "patch_size": 4}, tmp_path)
    assert not mine.training
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="4KB")
    assert len([*(tmp_path / "shards").glob("*.safetensors")]) > 1
    again = OURS[kind].from_pretrained(tmp_path / "shards", nn)
    image = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    same(again, mine, image)
    assert_close(again(image), theirs(image).logits)


@pytest.mark.parametrize(("labels", "count"), [(["cat", "dog", "bird"], 3), (None, 2)])
def test_reads_the_sizes_of_a_configuration(
    labels: list[str] | None, count: int, tmp_path: Path
) -> None:
    """Names of classes say how many there are; two are not written down."""
    sizes = {key: x for key, x in SMALL_VIT.items() if key != "num_labels"}
    sizes |= {"image_size": (9, 8), "patch_size": 4}
    named = {"id2label": dict(enumerate(labels))} if labels else {}
    theirs = transformers.ViTForImageClassification(
        transformers.ViTConfig(**sizes, **named)
    )
    theirs.save_pretrained(tmp_path)
    assert ViT.from_pretrained(tmp_path).config == ViTConfig(**sizes, num_labels=count)


def test_what_a_folder_has_besides_is_not_read(tmp_path: Path) -> None:
    """Older folders hold the index, which follows from the window, and a pooler."""
    for kind, more in {
        "Swin": "swin.encoder.layers.0.blocks.0.attention.self.relative_position_index",
        "ViT": "vit.pooler.dense.bias",
    }.items():
        folder = tmp_path / kind
        pair(kind, {"image_size": 16}, folder)
        changed(folder, lambda found, more=more: found | {more: torch.zeros(3)})
        OURS[kind].from_pretrained(folder)


def changed(folder: Path, change: Any) -> None:
    file = folder / "model.safetensors"
    tensors = change(load_file(file))
    save_file({name: x.contiguous() for name, x in tensors.items()}, file)


def configured(folder: Path, **settings: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def without(name: str) -> Any:
    return lambda found: {key: x for key, x in found.items() if key != name}


KEY = "vit.encoder.layer.1.attention.attention.key.weight"
KERNEL = "vit.embeddings.patch_embeddings.projection.weight"
PLACES = "vit.embeddings.position_embeddings"
BAD = {
    "a tensor is missing": (
        lambda folder: changed(folder, without(KEY)),
        f"ViT.from_pretrained: expected the .* tensors of the model, got missing: {KEY}",
    ),
    "a tensor is unexpected": (
        lambda folder: changed(folder, lambda x: x | {"vit.more": torch.zeros(2)}),
        "got unexpected: vit.more$",
    ),
    "a kernel of another shape, with as many numbers": (
        lambda folder: changed(folder, lambda x: x | {KERNEL: x[KERNEL].reshape(12, 3, 8, 2)}),
        rf"{KERNEL} has shape \(12, 3, 8, 2\) and not \(12, 3, 4, 4\)",
    ),
    "other positions": (
        lambda folder: changed(folder, lambda x: x | {PLACES: x[PLACES][:, 1:]}),
        rf"{PLACES} has shape \(1, 16, 12\) and not \(1, 17, 12\)",
    ),
    "a truncated file": (
        lambda folder: (folder / "model.safetensors").write_bytes(
            (folder / "model.safetensors").read_bytes()[:-8]
        ),
        "expected a whole file of safetensors in model.safetensors",
    ),
    "a pickle under the name of the weights": (
        lambda folder: torch.save({}, folder / "model.safetensors"),
        "expected a whole file of safetensors in model.safetensors",
    ),
    "a pickle and no weights": (
        lambda folder: (folder / "model.safetensors").rename(folder / "model.bin"),
        "got only model.bin: a pickle, which can run code",
    ),
    "a missing shard": (
        lambda folder: (folder / "model.safetensors").rename(folder / "one.safetensors")
        and (folder / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {KEY: "two.safetensors", PLACES: "one.safetensors"}})
        ),
        "expected the shard two.safetensors beside model.safetensors.index.json, got none",
    ),
    "no configuration": (
        lambda folder: (folder / "config.json").unlink(),
        r"ViT.from_pretrained: expected a file .*config.json, got none",
    ),
    "another model": (
        lambda folder: configured(folder, model_type="swin"),
        "ViT.from_pretrained: expected a config.json of model_type vit, got swin",
    ),
    "projections without bias": (
        lambda folder: configured(folder, qkv_bias=False),
        "ViT.from_pretrained: expected qkv_bias true, got False",
    ),
    "an unknown activation": (
        lambda folder: configured(folder, hidden_act="quick_gelu"),
        "expected an activation of gelu, .*, got quick_gelu",
    ),
    "other features": (
        lambda folder: configured(folder, hidden_size=15),
        r"classifier.weight has shape \(5, 12\) and not \(5, 15\), .* and 29 more",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vit")
    pair("ViT", {"image_size": 16, "patch_size": 4}, folder)
    return folder


@pytest.mark.parametrize(("spoil", "told"), BAD.values(), ids=BAD)
def test_a_bad_folder_is_an_error(
    spoil: Any, told: str, good: Path, tmp_path: Path
) -> None:
    shutil.copytree(good, tmp_path / "bad")
    spoil(tmp_path / "bad")
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        ViT.from_pretrained(tmp_path / "bad")


WRONG = {
    "ViT: an image of another size": (
        lambda: MODELS["ViT"](layerlib)(torch.zeros(2, 3, 8, 9)),
        r"ViT: expected an image of shape \(\*, 3, 8, 8\), got \(2, 3, 8, 9\)",
    ),
    "MLPMixer: an image of another size": (
        lambda: MODELS["Mixer"](layerlib)(torch.zeros(2, 3, 9, 8)),
        r"MLPMixer: expected an image of shape \(\*, 3, 8, 8\)",
    ),
    "Swin: other channels": (
        lambda: MODELS["Swin"](layerlib)(torch.zeros(2, 4, 8, 8)),
        r"SwinTransformer: expected an image of shape \(\*, 3, \*, \*\), got \(2, 4, 8, 8\)",
    ),
    "Swin: a missing axis": (
        lambda: MODELS["Swin"](layerlib)(torch.zeros(3, 8, 8)),
        r"SwinTransformer: expected an image",
    ),
    "no tensor": (
        lambda: MODELS["Swin"](layerlib)([1.0]),
        "expected a tensor as image",
    ),
    "patches that do not fit": (
        lambda: PatchEmbedding(3, (2, 2), 4)(torch.zeros(1, 3, 4, 5)),
        r"PatchEmbedding: expected axes that are multiples of the patch \(2, 2\), got \(4, 5\)",
    ),
    "a class token of other features": (
        lambda: ClassToken(3)(torch.zeros(2, 4, 1)),
        r"ClassToken: expected 3 features in the last axis, got \(2, 4, 1\)",
    ),
    "positions that would be stretched": (
        lambda: PositionalEmbedding(4, 3)(torch.zeros(2, 1, 3)),
        r"PositionalEmbedding: expected tokens of shape \(\*, 4, 3\), got \(2, 1, 3\)",
    ),
    "a scale that would be stretched": (
        lambda: LayerScale(3)(torch.zeros(2, 1)),
        "letter 'c' is 1 in input 0 and 3 in input 1",
    ),
    "windows on another grid": (
        lambda: WindowAttention(4, 2, (2, 2), (0, 0))(torch.zeros(2, 4, 4)),
        r"WindowAttention: expected tokens on a grid, of shape \(\*, \*, \*, features\)",
    ),
    "heads that do not divide": (
        lambda: SelfAttention(4, 3),
        "SelfAttention: expected heads that divide 4 features, got 3",
    ),
    "a patch larger than the image": (
        lambda: ViTConfig(image_size=8, patch_size=9),
        r"ViTConfig: expected a patch_size that fits into image_size \(8, 8\)",
    ),
    "axes that do not match": (
        lambda: MixerConfig(image_size=(8,), patch_size=4),
        r"MixerConfig: expected a patch_size that fits",
    ),
    "heads for each stage": (
        lambda: SwinConfig(depths=(2, 2)),
        r"SwinConfig: expected heads for each of the 2 stages, got \(3, 6, 12, 24\)",
    ),
    "an unknown activation": (
        lambda: MLP(3, 4, "tanhshrink"),
        "MLP: expected an activation of gelu, .*, got tanhshrink",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "told"), WRONG.values(), ids=WRONG)
@pytest.mark.usefixtures("as_installed")
def test_what_does_not_fit_is_said(call: Any, told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=told):
        call()
