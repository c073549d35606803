"""Models written once over `nn`: with layerlib in its place, training does not change.

Twenty steps from one seed, with dropout and running statistics; what differs at all
would have grown by then.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._pytree import tree_leaves

import layerlib

STEPS = 20
BATCH = 8
CLASSES = 5
WORDS = 11


def residual_network(nn: Any) -> Any:
    """Strides, groups, dilation, every kind of pooling, batch and group norms."""

    class Block(nn.Module):
        def __init__(self, channels: int, out: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(channels, out, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(inplace=True),
                nn.Conv2d(out, out, 3, padding="same", dilation=2, groups=2),
                nn.GroupNorm(2, out),
                nn.Dropout2d(0.2),
            )
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(channels, out, 1, bias=False),
                nn.BatchNorm2d(out, momentum=None),
            )
            self.last = nn.GELU()

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.body(x) + self.shortcut(x))

    return nn.Sequential(
        nn.Conv2d(3, 8, 5, padding=2, padding_mode="reflect"),
        nn.InstanceNorm2d(8, affine=True),
        nn.SiLU(),
        nn.MaxPool2d(3, 2, 1),
        Block(8, 8, 1),
        Block(8, 16, 2),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ConvTranspose2d(16, 8, 2, 2),
        nn.PReLU(8),
        nn.AdaptiveAvgPool2d((3, None)),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.LazyLinear(CLASSES),
    )


def lstm_classifier(nn: Any) -> Any:
    """Words, packed sequences of several lengths, two layers and two directions."""

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(WORDS, 6, padding_idx=0, scale_grad_by_freq=True)
            self.norm = nn.LayerNorm(6)
            self.lstm = nn.LSTM(
                6, 8, 2, batch_first=True, dropout=0.3, bidirectional=True, proj_size=5
            )
            self.out = nn.Bilinear(10, 10, CLASSES)
            self.scores = nn.LogSoftmax(dim=-1)

        def forward(self, words: Tensor) -> Tensor:
            lengths = (words != 0).sum(1)
            packed = nn.utils.rnn.pack_padded_sequence(
                self.norm(self.table(words)), lengths, batch_first=True,
                enforce_sorted=False,
            )  # fmt: skip
            states, (last, _) = self.lstm(packed)
            padded, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
            ends = torch.cat([last[-2], last[-1]], -1)
            return self.scores(self.out(padded.mean(1), ends))

    return Classifier()


def translator(nn: Any) -> Any:
    """Encoder and decoder, causal and padding masks, a linear layer tied to a table."""

    class Translator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(WORDS, 16)
            self.places = nn.Parameter(torch.randn(12, 16) / 4)
            self.model = nn.Transformer(
                16, 4, 2, 2, 32, dropout=0.1, activation="gelu", batch_first=True
            )
            self.out = nn.Linear(16, WORDS, bias=False)
            self.out.weight = self.table.weight

        def forward(self, source: Tensor, target: Tensor) -> Tensor:
            mask = self.model.generate_square_subsequent_mask(target.shape[1])
            made = self.model(
                self.table(source) + self.places[: source.shape[1]],
                self.table(target) + self.places[: target.shape[1]],
                tgt_mask=mask.to(self.places.dtype),
                tgt_is_causal=True,
                src_key_padding_mask=source == 0,
                memory_key_padding_mask=source == 0,
            )
            return self.out(made)

    return Translator()


def photographs() -> tuple[list[Tensor], Tensor]:
    return [torch.randn(BATCH, 3, 13, 14)], torch.randint(CLASSES, (BATCH,))


def sentences() -> tuple[list[Tensor], Tensor]:
    return [_padded(9)], torch.randint(CLASSES, (BATCH,))


def translations() -> tuple[list[Tensor], Tensor]:
    target = torch.randint(1, WORDS, (BATCH, 8))
    return [_padded(9), target[:, :-1]], target[:, 1:]


def _padded(length: int) -> Tensor:
    words = torch.randint(1, WORDS, (BATCH, length))
    lengths = torch.randint(2, length + 1, (BATCH, 1))
    lengths[0] = length
    return words.where(torch.arange(length) < lengths, 0)


MODELS = {
    "residual network": (residual_network, photographs, 0.05),
    "lstm classifier": (lstm_classifier, sentences, 0.5),
    "translator": (translator, translations, 0.05),
}


def train(
    nn: ModuleType,
    build: Callable[[Any], Any],
    data: Callable[[], tuple[list[Tensor], Tensor]],
    rate: float,
    dtype: torch.dtype,
) -> tuple[list[Tensor], dict[str, Tensor], Tensor, Tensor]:
    """The losses, the final state, what it says in evaluation, and the generator."""
    torch.manual_seed(0)
    model = build(nn)
    inputs, right = data()
    model.eval()(*inputs)  # the lazy layer draws its parameters
    model = model.to(dtype).train()
    inputs = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        scores = model(*inputs)
        loss = functional.cross_entropy(scores.flatten(0, -2), right.flatten())
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    dice = torch.get_rng_state()
    return losses, model.state_dict(), model.eval()(*inputs).detach(), dice


@pytest.mark.parametrize("name", MODELS)
def test_training_does_not_change(name: str) -> None:
    ours, theirs = (
        train(nn, *MODELS[name], torch.float64) for nn in (layerlib, torch.nn)
    )
    assert list(ours[1]) == list(theirs[1])
    torch.testing.assert_close(ours[:3], theirs[:3], rtol=1e-10, atol=1e-12)
    assert torch.equal(ours[3], theirs[3])
    assert theirs[0][-1] < 0.9 * theirs[0][0]  # it did train


@pytest.mark.parametrize("name", MODELS)
def test_float32_is_as_near_to_float64_as_torchs(name: str) -> None:
    """Each step rounds, and the next one starts from there: twice the error at most."""
    exact = train(torch.nn, *MODELS[name], torch.float64)
    ours, theirs = (
        train(nn, *MODELS[name], torch.float32) for nn in (layerlib, torch.nn)
    )
    assert torch.equal(ours[3], theirs[3])
    assert _error(ours, exact) <= 2 * _error(theirs, exact)


def _error(found: Any, exact: Any) -> float:
    pairs = zip(tree_leaves(found[:3]), tree_leaves(exact[:3]), strict=True)
    return max(float((mine - right).abs().max()) for mine, right in pairs)
