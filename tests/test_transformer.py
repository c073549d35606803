"""The five transformers next to torch's: every option, and what is built of what."""

import copy
import io
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from examples import classes, randn
from layerlib import attention, dropout, linear, norm, transformer
from layerlib.lab import same
from layerlib.transformer import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from test_attention import is_torchs_too
from test_contract import WithArguments

CAUSAL = torch.ones(5, 5, dtype=torch.bool).triu(1)
LATER = torch.full((5, 5), -torch.inf, dtype=torch.float64).triu(1)
PADDING = torch.tensor([[False] * 5, [False] * 4 + [True], [False] * 2 + [True] * 3])
NESTED = "ignore:enable_nested_tensor is True"
NN = {name for name, cls in vars(nn).items() if isinstance(cls, type)}


def options(**fixed: Any) -> list[dict[str, Any]]:
    """Every activation, with all other options set in turn."""
    return [
        {
            "dim_feedforward": 6,
            "dropout": 0.3,
            "activation": activation,
            "layer_norm_eps": 1e-3,
            "batch_first": batch_first,
            "norm_first": norm_first,
            "bias": bias,
            "dtype": torch.float64,
            **fixed,
        }
        for n, (activation, batch_first, norm_first, bias) in enumerate(
            itertools.product(
                ["relu", "gelu", functional.gelu, torch.tanh, nn.ReLU()],
                *[[False, True]] * 3,
            )
        )
        if n % 3 == 0
    ]


def tokens(kwargs: dict[str, Any]) -> Tensor:
    return randn(*((3, 5) if kwargs["batch_first"] else (5, 3)), 8)


@pytest.mark.parametrize("kwargs", options())
def test_encoder_layer(twins: Callable[..., Any], kwargs: dict[str, Any]) -> None:
    pair = [TransformerEncoderLayer, nn.TransformerEncoderLayer]
    layers = twins(pair, 8, 2, **kwargs)
    assert repr(layers[0]) == repr(layers[1])
    for masks in (
        {},
        {"src_mask": CAUSAL, "src_key_padding_mask": PADDING},
        {"src_mask": LATER, "is_causal": True},
    ):
        for training in (True, False):
            given = [WithArguments(x.train(training), masks) for x in layers]
            same(*given, tokens(kwargs))


@pytest.mark.parametrize("kwargs", options())
def test_decoder_layer(twins: Callable[..., Any], kwargs: dict[str, Any]) -> None:
    pair = [TransformerDecoderLayer, nn.TransformerDecoderLayer]
    layers = twins(pair, 8, 2, **kwargs)
    assert repr(layers[0]) == repr(layers[1])
    for masks in (
        {},
        {"tgt_mask": CAUSAL, "memory_key_padding_mask": PADDING},
        {"tgt_key_padding_mask": PADDING, "memory_mask": CAUSAL},
        {"tgt_mask": LATER, "tgt_is_causal": True},
        {"memory_mask": LATER, "memory_is_causal": True},
    ):
        given = [WithArguments(layer, masks) for layer in layers]
        same(*given, tokens(kwargs), -tokens(kwargs))


@pytest.mark.filterwarnings(NESTED)
@pytest.mark.parametrize("kwargs", options())
def test_transformer(twins: Callable[..., Any], kwargs: dict[str, Any]) -> None:
    layers = twins([Transformer, nn.Transformer], 8, 2, 2, 1, **kwargs)
    assert repr(layers[0]) == repr(layers[1])
    for masks in (
        {"tgt_mask": CAUSAL, "src_key_padding_mask": PADDING},
        {"src_mask": CAUSAL, "tgt_key_padding_mask": PADDING, "memory_mask": CAUSAL},
        {"src_mask": LATER, "src_is_causal": True, "memory_key_padding_mask": PADDING},
    ):
        given = [WithArguments(layer, masks) for layer in layers]
        same(*given, tokens(kwargs), -tokens(kwargs))


def test_unbatched(twins: Callable[..., Any]) -> None:
    kwargs = {"dim_feedforward": 6, "dtype": torch.float64, "batch_first": True}
    layers = twins([Transformer, nn.Transformer], 8, 2, 1, 1, **kwargs)
    same(*layers, randn(5, 8), randn(4, 8))


def test_second_gradients(twins: Callable[..., Any]) -> None:
    """Dropout sends torch along the path that has them."""
    pair = [TransformerDecoderLayer, nn.TransformerDecoderLayer]
    layers = twins(pair, 8, 2, 6, 0.3, dtype=torch.float64)
    same(*layers, randn(5, 3, 8), randn(4, 3, 8), second=True)


PADDINGS = {
    "none": None,
    "left aligned": PADDING,
    "not left aligned": PADDING.flip(1),
    "a whole sequence": torch.tensor([[False] * 5, [True] * 5, [False] * 5]),
    "nothing": torch.zeros(3, 5, dtype=torch.bool),
    "as numbers": torch.zeros(3, 5).masked_fill(PADDING, -torch.inf),
}


@pytest.mark.filterwarnings(NESTED)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_padding_in_evaluation(
    padding: str, normed: bool, nested: bool, first: bool
) -> None:
    """torch leaves it out where no gradient is asked for, and puts zeros there."""
    torch.manual_seed(0)
    layer = TransformerEncoderLayer(8, 2, 6, 0.3, batch_first=True, norm_first=first)
    theirs = nn.TransformerEncoderLayer(
        8, 2, 6, 0.3, batch_first=True, norm_first=first
    )
    theirs.load_state_dict(layer.state_dict())
    ours = TransformerEncoder(layer, 2, norm.LayerNorm(8) if normed else None, nested)
    right = nn.TransformerEncoder(
        theirs, 2, nn.LayerNorm(8) if normed else None, nested
    )
    x = randn(3, 5, 8, dtype=torch.float32)
    for training, grad in itertools.product([False, True], [False, True]):
        if (
            PADDINGS[padding] is not None
            and padding == "a whole sequence"
            and not (nested and not first)
        ):
            continue  # torch's kernel makes NaN of it, its other path zeros
        found = []
        for stack in (ours, right):
            torch.manual_seed(1)
            with torch.set_grad_enabled(grad):
                stack.train(training)
                found.append(stack(x, src_key_padding_mask=PADDINGS[padding]))
        torch.testing.assert_close(*found)


def test_padding_that_is_left_out_is_zero() -> None:
    torch.manual_seed(0)
    layer = TransformerEncoderLayer(8, 2, 6, batch_first=True)
    x = randn(3, 5, 8, dtype=torch.float32)
    for mask_check, padding in [(True, PADDING), (False, PADDING.flip(1))]:
        stack = TransformerEncoder(layer, 1, mask_check=mask_check).eval()
        assert (stack(x, src_key_padding_mask=padding)[padding] != 0).all()
        with torch.no_grad():
            found = stack(x, src_key_padding_mask=padding)
        assert (found[padding] == 0).all()
        assert (found[~padding] != 0).all()


@pytest.mark.parametrize("mask", [CAUSAL, LATER, LATER.float(), randn(5, 5), CAUSAL.T])
@pytest.mark.parametrize("said", [None, True, False])
@pytest.mark.parametrize("batch_first", [False, True])
def test_causal_masks_are_found(
    mask: Tensor, said: bool | None, batch_first: bool
) -> None:
    """What is not said is looked up, and the layers are told."""
    told = {}

    class Told(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.self_attn = nn.Identity()
            self.self_attn.batch_first = batch_first
            self.training = True

        def forward(self, x: Tensor, *_: Tensor, **given: Any) -> Tensor:
            told.update(given)
            return x

    x = randn(*((3, 5) if batch_first else (5, 3)), 8)
    causal = mask is CAUSAL or mask is LATER or bool(mask[0, -1].isinf())
    expected = causal if said is None else said
    TransformerDecoder(Told(), 1)(x, x, mask, tgt_is_causal=said)
    assert told["tgt_is_causal"] is expected
    with pytest.warns(UserWarning, match="enable_nested_tensor"):
        encoder = TransformerEncoder(Told(), 1)
    encoder(x, mask, is_causal=said)
    assert told["is_causal"] is expected
    assert told["src_mask"].is_floating_point()


@pytest.mark.filterwarnings(NESTED)
def test_children_are_of_layerlib() -> None:
    model = Transformer(8, 2, 1, 1, 6)
    kinds = {type(x) for x in model.modules()} - {nn.ModuleList}
    assert kinds == {
        attention.MultiheadAttention,
        dropout.Dropout,
        linear.Linear,
        norm.LayerNorm,
        attention._OutProjection,  # noqa: SLF001  (holds numbers only)
        Transformer,
        TransformerDecoder,
        TransformerDecoderLayer,
        TransformerEncoder,
        TransformerEncoderLayer,
    }
    assert isinstance(model, nn.Transformer)


@pytest.mark.filterwarnings(NESTED)
def test_children_are_what_torchs_are(twins: Callable[..., Any]) -> None:
    """Of the same classes, layerlib's in the place of torch's: for `model.apply`."""
    pairs = [(getattr(nn, name), cls) for name, cls in classes().items() if name in NN]
    models = twins([Transformer, nn.Transformer], 8, 2, 1, 1, 6)
    for (name, ours), (other, theirs) in zip(
        *(model.named_modules() for model in models), strict=True
    ):
        assert name == other
        for right, mine in pairs:
            assert isinstance(ours, mine) == isinstance(theirs, right), (name, mine)
            assert isinstance(ours, right) == isinstance(theirs, right), (name, right)


def test_blocks_may_be_overridden() -> None:
    """The private methods of torch's layers are called as torch calls them."""
    called = []

    class Encoder(TransformerEncoderLayer):
        def _sa_block(self, x: Any, attn_mask: Any, key_padding_mask: Any, is_causal: Any = False) -> Any:  # fmt: skip
            called.append((attn_mask, key_padding_mask, is_causal))
            return super()._sa_block(x, attn_mask, key_padding_mask, is_causal)

        def _ff_block(self, x: Any) -> Any:
            return 0 * super()._ff_block(x)

    class Decoder(TransformerDecoderLayer):
        def _sa_block(self, x: Any, attn_mask: Any, key_padding_mask: Any, is_causal: Any = False) -> Any:  # fmt: skip
            called.append("its own tokens")
            return super()._sa_block(x, attn_mask, key_padding_mask, is_causal)

        def _mha_block(self, x: Any, mem: Any, attn_mask: Any, key_padding_mask: Any, is_causal: Any = False) -> Any:  # fmt: skip
            called.append((attn_mask, key_padding_mask, is_causal))
            return 0 * super()._mha_block(
                x, mem, attn_mask, key_padding_mask, is_causal
            )

    x = randn(5, 3, 8)
    for norm_first in (False, True):
        kwargs = {"norm_first": norm_first, "dtype": torch.float64}
        encoder = Encoder(8, 2, 6, **kwargs).eval()
        found = encoder(x, CAUSAL, PADDING, is_causal=False)
        assert called.pop() == (CAUSAL, PADDING, False)
        seen = encoder.norm1(x) if norm_first else x
        read = encoder._sa_block(seen, CAUSAL, PADDING)  # noqa: SLF001
        called.clear()
        right = x + read if norm_first else encoder.norm2(encoder.norm1(x + read))
        torch.testing.assert_close(found, right)
        decoder = Decoder(8, 2, 6, **kwargs).eval()
        found = decoder(x, x, memory_mask=CAUSAL)
        assert called == ["its own tokens", (CAUSAL, None, False)]
        torch.testing.assert_close(found, decoder(x, -x))  # nothing is read of it
        called.clear()


def test_what_is_handed_in_stays() -> None:
    custom = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8))
    layer = TransformerEncoderLayer(8, 2, 6, activation=custom)
    assert [type(x) for x in layer.activation] == [nn.Linear, nn.LayerNorm]
    layer = nn.TransformerEncoderLayer(8, 2, 6, batch_first=True)
    stack = TransformerEncoder(layer, 2, custom)
    assert type(stack.layers[1]) is nn.TransformerEncoderLayer
    assert stack.layers[1] is not layer
    model = Transformer(8, 2, 1, 1, 6, custom_encoder=stack, custom_decoder=custom)
    assert type(model.encoder.layers[0].linear1) is nn.Linear
    assert type(model.decoder[0]) is nn.Linear


@pytest.mark.parametrize("activation", ["relu", "gelu", functional.gelu, torch.tanh])
def test_activation_outlives_a_file(activation: Any) -> None:
    torch.manual_seed(0)
    layer = TransformerEncoderLayer(8, 2, 6, 0.0, activation)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    x = randn(5, 3, 8, dtype=torch.float32)
    for other in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        torch.testing.assert_close(other(x), layer(x))
        assert other.activation is layer.activation
    theirs = nn.TransformerEncoderLayer(8, 2, 6, 0.0, activation)
    assert layer.activation is theirs.activation
    assert layer.activation_relu_or_gelu == theirs.activation_relu_or_gelu


def test_torchs_relu_and_gelu_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    names = {functional.relu: "relu", functional.gelu: "gelu"}
    found = {f: lambda x, n=n: ran.append(n) or x for f, n in names.items()}
    monkeypatch.setattr(transformer, "ACTIVATIONS", found)
    for given in ("relu", functional.gelu):
        TransformerDecoderLayer(8, 2, 6, activation=given)(*[randn(5, 8).float()] * 2)
    assert ran == ["relu", "gelu"]


@pytest.mark.filterwarnings(NESTED)
def test_new_initial_values(twins: Callable[..., Any]) -> None:
    models = twins([Transformer, nn.Transformer], 8, 2, 1, 1, 6)
    for model in models:
        torch.manual_seed(1)
        model._reset_parameters()  # noqa: SLF001
    for mine, right in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(mine, right)


@pytest.mark.filterwarnings(NESTED)
def test_construction_draws_no_more_than_torchs() -> None:
    after = []
    for kind in (Transformer, nn.Transformer):
        torch.manual_seed(0)
        kind(8, 2, 1, 1, 6)
        after.append(torch.random.get_rng_state())
    assert torch.equal(*after)


@pytest.mark.parametrize("size", [0, 1, 4])
@pytest.mark.parametrize("dtype", [None, torch.float64, torch.bfloat16])
def test_square_subsequent_mask(size: int, dtype: torch.dtype | None) -> None:
    for device in (None, "cpu", "meta"):
        mine, right = (
            kind.generate_square_subsequent_mask(size, device, dtype)
            for kind in (Transformer, nn.Transformer)
        )
        assert mine.dtype == right.dtype
        assert mine.device == right.device
        assert device == "meta" or torch.equal(mine, right)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.filterwarnings(NESTED)
@pytest.mark.parametrize(
    ("shapes", "batch_first", "told"),
    [
        (
            [(5, 2, 8), (5, 3, 8)],
            False,
            r"one batch in axis 1, .* got \(5, 2, 8\) and \(5, 3, 8\)",
        ),
        ([(5, 2, 8), (4, 2, 8)], True, "one batch in axis 0, or without"),
        ([(5, 2, 8), (5, 8)], False, "one batch in axis 1, or without"),
        ([(8,), (8,)], False, "one batch in axis 1, or without"),
        (
            [(5, 2, 8), (5, 2, 7)],
            False,
            r"8 features in the last axis of src and tgt, got .* \(5, 2, 7\)",
        ),
        ([(5, 2, 7), (5, 2, 7)], False, "expected 8 features"),
    ],
)
def test_errors(shapes: list[tuple[int, ...]], batch_first: bool, told: str) -> None:
    model = Transformer(8, 2, 1, 1, 6, batch_first=batch_first)
    given = [randn(*shape).float() for shape in shapes]
    with pytest.raises(
        ValueError, match="Transformer: expected .*" + told.removeprefix("expected ")
    ) as error:
        model(*given)
    theirs = nn.Transformer(8, 2, 1, 1, 6, batch_first=batch_first)
    is_torchs_too(error.value, lambda: theirs(*given))


@pytest.mark.usefixtures("as_installed")
def test_errors_of_the_constructor_are_torchs() -> None:
    with pytest.raises(RuntimeError, match="activation should be relu/gelu, not tanh"):
        TransformerEncoderLayer(8, 2, activation="tanh")
    with pytest.raises(AssertionError, match="must be divisible"):
        TransformerDecoderLayer(8, 3)
    with pytest.raises(ValueError, match="expected query of shape"):
        TransformerEncoderLayer(8, 2)(randn(5, 3, 7).float())
