"""The exercises on activations."""

import math

import torch
from torch import Tensor
from torch.special import ndtr

from classroom.judge import Exercise, Question, Task
from layerlib.activation import gelu, silu, softmax
from layerlib.linear import LINEAR


def _geglu(x: Tensor, gate: Tensor, value: Tensor) -> Tensor:
    opened: Tensor = gelu(LINEAR(x, gate))
    return opened * LINEAR(x, value)


def _softmax(x: Tensor) -> Tensor:
    shares = (x - x.amax(1, keepdim=True)).exp()
    return shares / shares.sum(1, keepdim=True)


def _back(gradient: Tensor, y: Tensor) -> Tensor:
    return y * (gradient - (gradient * y).sum(1, keepdim=True))


EXERCISES: dict[str, Exercise] = {
    "activation-count": Question(
        3 * 10 + 3,
        {
            "These are all three layers; without activations they are one.": (
                10 * 20 + 20 + 20 * 20 + 20 + 20 * 3 + 3
            ),
            "The biases become one bias, but not none.": 3 * 10,
            "This is the last layer alone; the one layer starts at 10.": 20 * 3 + 3,
        },
    ),
    "activation-prelu": Task(
        "x: b c n, weight: c -> b c n",
        lambda x, w: x.clamp(min=0) + x.clamp(max=0) * w[:, None],
        {
            "What is above 0 is multiplied as well.": lambda x, w: x * w[:, None],
            "What is below 0 becomes 0: the slope is not used.": (
                lambda x, w: x.clamp(min=0) + 0 * w[:, None]
            ),
            "The two parts are exchanged: the slope belongs below 0.": (
                lambda x, w: x.clamp(max=0) + x.clamp(min=0) * w[:, None]
            ),
            "The larger of the two is taken; that is another function above slope 1.": (
                lambda x, w: torch.maximum(x, x * w[:, None])
            ),
            "The part below 0 changes its sign.": (
                lambda x, w: x.clamp(min=0) - x.clamp(max=0) * w[:, None]
            ),
        },
        without=["prelu", "leaky_relu", "where"],
    ),
    "activation-cold": Task(
        "x: b c -> b c",
        lambda x: _softmax(100 * x),
        {
            "Infinity over infinity: the scores are to be shifted first.": (
                lambda x: (100 * x).exp() / (100 * x).exp().sum(1, keepdim=True)
            ),
            "The sum runs over b; each row is to add up to 1.": (
                lambda x: softmax(100 * x, 0)
            ),
            "The factor of 100 is missing.": lambda x: softmax(x, 1),
            "The factor of 100 comes after the softmax; it belongs before it.": (
                lambda x: 100 * softmax(x, 1)
            ),
            "The scores are divided by 100; that is a hot softmax.": (
                lambda x: softmax(x / 100, 1)
            ),
        },
        without=["softmax", "log_softmax", "logsumexp"],
    ),
    "activation-geglu": Task(
        "x: b i, gate: o i, value: o i -> b o",
        _geglu,
        {
            "Gate and value are exchanged: the GELU belongs to the gate.": (
                lambda x, gate, value: _geglu(x, value, gate)
            ),
            "The gate is Φ alone; GELU multiplies it by z once more.": (
                lambda x, gate, value: ndtr(LINEAR(x, gate)) * LINEAR(x, value)
            ),
            "The gate has no GELU.": (
                lambda x, gate, value: LINEAR(x, gate) * LINEAR(x, value)
            ),
            "GELU is taken of the product; it is to be taken of the gate.": (
                lambda x, gate, value: gelu(LINEAR(x, gate) * LINEAR(x, value))
            ),
            "Both layers go through GELU; the value passes as it is.": (
                lambda x, gate, value: gelu(LINEAR(x, gate)) * gelu(LINEAR(x, value))
            ),
            "The two are added; a gate multiplies.": (
                lambda x, gate, value: gelu(LINEAR(x, gate)) + LINEAR(x, value)
            ),
            "That is SwiGLU: its gate has a sigmoid in the place of Φ.": (
                lambda x, gate, value: silu(LINEAR(x, gate)) * LINEAR(x, value)
            ),
            "The input goes through SiLU; the gate is to, after its weights.": (
                lambda x, gate, value: LINEAR(silu(x), gate) * LINEAR(silu(x), value)
            ),
        },
        without=["gelu", "glu", "linear"],
    ),
    "activation-gradient": Task(
        "gradient: b c, y: b c -> b c",
        _back,
        {
            "The sum is missing: each score moves all of its row.": (
                lambda gradient, y: gradient * y
            ),
            "That is the derivative of a sigmoid; here a row shares one sum.": (
                lambda gradient, y: gradient * y * (1 - y)
            ),
            "The sum runs over b; the cells of a row share a sum.": (
                lambda gradient, y: y * (gradient - (gradient * y).sum(0))
            ),
            "The sum is not weighted by the probabilities.": (
                lambda gradient, y: y * (gradient - gradient.sum(1, keepdim=True))
            ),
            "The sum is added; it is to be subtracted.": (
                lambda gradient, y: y * (gradient + (gradient * y).sum(1, keepdim=True))
            ),
            "The mean is subtracted instead of the sum.": (
                lambda gradient, y: (
                    y * (gradient - torch.mean(gradient * y, 1, keepdim=True))
                )
            ),
        },
    ),
    "activation-story-gelu": Task(
        "signal: b c -> b c",
        lambda signal: signal * (1 + torch.erf(signal / math.sqrt(2))) / 2,
        {
            "This is the gate alone; the number is multiplied by it.": (
                lambda signal: (1 + torch.erf(signal / math.sqrt(2))) / 2
            ),
            "The gate runs from -1 to 1: erf is to be moved up by 1 and halved.": (
                lambda signal: signal * torch.erf(signal / math.sqrt(2))
            ),
            "The gate runs from 0 to 2: the half is missing.": (
                lambda signal: signal * (1 + torch.erf(signal / math.sqrt(2)))
            ),
            "The square root of 2 is missing inside erf.": (
                lambda signal: signal * (1 + torch.erf(signal)) / 2
            ),
            "This is the form with tanh, which is off by up to half a thousandth.": (
                lambda signal: gelu(signal, "tanh")
            ),
            "This is the form with tanh, and without its cubic term.": (
                lambda signal: (
                    signal * (1 + torch.tanh(math.sqrt(2 / math.pi) * signal)) / 2
                )
            ),
            "The gate is a sigmoid, so this is SiLU.": silu,
            "A sigmoid of 1.702 times the number is near the gate, and not the gate.": (
                lambda signal: signal * torch.sigmoid(1.702 * signal)
            ),
        },
        without=["gelu"],
    ),
    "activation-story-shift": Question(
        (-3, -2, 0),
        {
            "The smallest is subtracted, and the others can still overflow.": (0, 1, 3),
            "These overflow: subtract one and the same number from all three.": (
                1000,
                1001,
                1003,
            ),
            "Each is subtracted from the largest, so the order is turned around.": (
                3,
                2,
                0,
            ),
            "All three lose the same number, so their distances stay as they are.": (
                0,
                0,
                0,
            ),
        },
    ),
}
