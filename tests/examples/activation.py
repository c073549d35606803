"""Examples of activations, and the known mistakes."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from examples import Example

ROW = [(4, 6)]

CLASSES = {
    "CELU": [Example(ROW), Example(ROW, (), {"alpha": 2.0, "inplace": True})],
    "ELU": [Example(ROW), Example(ROW, (), {"alpha": 0.5, "inplace": True})],
    "GELU": [Example(ROW), Example(ROW, (), {"approximate": "tanh"})],
    "GLU": [Example(ROW), Example(ROW, (), {"dim": 0})],
    "Hardshrink": [Example(ROW), Example(ROW, (), {"lambd": 1.0})],
    "Hardsigmoid": [Example(ROW), Example(ROW, (), {"inplace": True})],
    "Hardswish": [Example(ROW), Example(ROW, (), {"inplace": True})],
    "Hardtanh": [
        Example(ROW),
        Example(ROW, (), {"min_val": -0.5, "max_val": 2.0, "inplace": True}),
    ],
    "LeakyReLU": [Example(ROW), Example(ROW, (), {"negative_slope": 0.2, "inplace": True})],
    "LogSigmoid": [Example(ROW)],
    "LogSoftmax": [Example(ROW, (-1,)), Example([(2, 3, 4)], (1,))],
    "Mish": [Example(ROW), Example(ROW, (), {"inplace": True})],
    "PReLU": [
        Example([(4, 6, 2)]),
        Example([(4, 6, 2)], (6, 0.1), {"device": "cpu"}),
        Example([(4, 6)], (), {"dtype": torch.float64}, dtype=torch.float64),
    ],
    "RReLU": [
        Example(ROW),
        Example(ROW, (), {"lower": 0.2, "upper": 0.7, "inplace": True}),
        Example(ROW, training=False),
    ],
    "ReLU": [Example(ROW), Example(ROW, (), {"inplace": True})],
    "ReLU6": [Example(ROW), Example(ROW, (), {"inplace": True})],
    "SELU": [Example(ROW), Example(ROW, (), {"inplace": True})],
    "SiLU": [Example(ROW), Example(ROW, (), {"inplace": True})],
    "Sigmoid": [Example(ROW)],
    "Softmax": [Example(ROW, (-1,)), Example([(2, 3, 4)], (1,))],
    "Softmax2d": [Example([(2, 3, 4, 5)]), Example([(3, 4, 5)])],
    "Softmin": [Example(ROW, (-1,)), Example([(2, 3, 4)], (1,))],
    "Softplus": [Example(ROW), Example(ROW, (), {"beta": 2.0, "threshold": 1.0})],
    "Softshrink": [Example(ROW), Example(ROW, (), {"lambd": 1.0})],
    "Softsign": [Example(ROW)],
    "Tanh": [Example(ROW)],
    "Tanhshrink": [Example(ROW)],
    "Threshold": [Example(ROW, (0.1, 20.0)), Example(ROW, (0.1, 20.0), {"inplace": True})],
}  # fmt: skip

FUNCTIONS = {
    "celu": [Example(ROW, (2.0, True))],
    "celu_": [Example(ROW, (2.0,))],
    "elu": [Example(ROW, (0.5, True))],
    "elu_": [Example(ROW, (0.5,))],
    "gelu": [Example(ROW), Example(ROW, (), {"approximate": "tanh"})],
    "glu": [Example(ROW), Example(ROW, (), {"dim": 0})],
    "hardshrink": [Example(ROW, (1.0,))],
    "hardsigmoid": [Example(ROW, (True,))],
    "hardswish": [Example(ROW, (True,))],
    "hardtanh": [Example(ROW, (-0.5, 2.0, True))],
    "hardtanh_": [Example(ROW, (-0.5, 2.0))],
    "leaky_relu": [Example(ROW, (0.2, True))],
    "leaky_relu_": [Example(ROW, (0.2,))],
    "log_softmax": [Example(ROW, (0,), {"dtype": torch.float64})],
    "logsigmoid": [Example(ROW)],
    "mish": [Example(ROW, (True,))],
    "prelu": [Example([(4, 6, 2), (6,)])],
    "relu": [Example(ROW, (True,))],
    "relu6": [Example(ROW, (True,))],
    "relu_": [Example(ROW)],
    "rrelu": [
        Example(ROW, (0.2, 0.7)),
        Example(ROW, (), {"training": True, "inplace": True}),
    ],
    "rrelu_": [Example(ROW, (0.2, 0.7, True))],
    "selu": [Example(ROW, (True,))],
    "selu_": [Example(ROW)],
    "sigmoid": [Example(ROW)],
    "silu": [Example(ROW, (True,))],
    "softmax": [Example(ROW, (0,), {"dtype": torch.float64})],
    "softmin": [Example(ROW, (0,), {"dtype": torch.float64})],
    "softplus": [Example(ROW, (2.0, 1.0))],
    "softshrink": [Example(ROW, (1.0,))],
    "softsign": [Example(ROW)],
    "tanh": [Example(ROW)],
    "tanhshrink": [Example(ROW)],
    "threshold": [Example(ROW, (0.1, 20.0, True))],
    "threshold_": [Example(ROW, (0.1, 20.0))],
}

MISTAKES = {
    "activation": {
        "the slope of relu6 at 0 is 1": ("above(x, 0) & below(x, 6)", "~below(x, 0) & below(x, 6)"),
        "the slope at a bound of hardtanh is 1": (
            "above(x, low) & below(x, high)",
            "~below(x, low, nan=False) & ~above(x, high, nan=False)",
        ),
        "the slope of elu runs over where it is not used": (
            "(rate * keep(x, below(x, 0, nan=False))).exp()",
            "(rate * x).exp()",
        ),
        "elu by exp, minus 1": (
            "input.clamp_min(0) + alpha * input.clamp_max(0).expm1()",
            "input.clamp_min(0) + alpha * (input.clamp_max(0).exp() - 1)",
        ),
        "the slope of elu does not jump": ("if jump else slope", "if False else slope"),
        "alpha inside the exponent forgotten": ("(input.clamp_max(0) / alpha).expm1()", "input.clamp_max(0).expm1()"),
        "the scale of selu forgotten": ("return SELU_SCALE * (", "return 1.0 * ("),
        "the two forms of gelu exchanged": (
            'if approximate == "none":\n        return input',
            'if approximate == "tanh":\n        return input',
        ),
        "the slope of gelu is its gate": ("addcmul(x, bell", "addcmul(0 * x, bell"),
        "softplus without its threshold": (
            "return choose(above(x, threshold, nan=False), input, smooth)",
            "return choose(above(x, math.inf, nan=False), input, smooth)",
        ),
        "hardswish lets nothing through above 3": ("return inside + keep(", "return inside + 0 * keep("),
        "the halves of glu exchanged": (
            "return GATE(value, sigmoid(gate))",
            "return GATE(gate, sigmoid(value))",
        ),
        "softmax without its shift": ("exp = EXP(x - LARGEST(x))", "exp = EXP(x)"),
        "the gradient of softmax without its sum": (
            "return product - probabilities * TOTAL(product)",
            "return product - 0 * probabilities * TOTAL(product)",
        ),
        "log-softmax by the logarithm of softmax": (
            "return shifted - LOG(TOTAL(EXP(shifted)))",
            "return LOG(EXP(shifted) / TOTAL(EXP(shifted)))",
        ),
        "prelu lets 0 through as positive": (
            "positive = above(input, 0, nan=False)\n    slanted",
            "positive = ~below(input, 0)\n    slanted",
        ),
    },
    "conventions.activation": {
        "a slope drawn for each number, used or not": ("int((x <= 0).sum())", "int((x <= math.inf).sum())"),
        "the slopes drawn in float32": (
            "x.new_empty(count, dtype=torch.float64)",
            "x.new_empty(count, dtype=torch.float32)",
        ),
        "one slope for all channels": ("weight.expand(count)", "weight[:1].expand(count)"),
        "the implicit axis is always the last": ("dim = 0 if x.ndim in (0, 1, 3) else 1", "dim = -1"),
        "in place, autograd is not told": ("call.then(x.copy_)", "call.then(x.data.copy_)"),
        "in place, the gradient reads what was written over": (
            "call.input = x.clone()",
            "call.input = x.data",
        ),
        "settings of whole numbers are not cut": ("int(getattr(call, name)))", "getattr(call, name))"),
        "logsigmoid keeps the order of the axes": ("call.input = call.input.contiguous()", "pass"),
        "softmax keeps the order of the axes": ("x.contiguous().reshape(rows)", "x.reshape(rows)"),
        "prelu does not heed autocast": ('call.autocast("input", "weight")', "pass"),
    },
    "engine.slope": {
        "half precision is rounded at each step": (
            'InPieces("... -> ...", "...")(value)',
            "value",
        ),
        "softmax keeps its input as well": (
            "keeps_output=True, keeps_inputs=False",
            "keeps_output=True",
        ),
        "the slope of a complex number is not conjugated": ("g * by.conj()", "g * by"),
    },
    "engine.bits": {
        "what is dropped is multiplied by 0, and NaN stays": (
            "return (bits & x.view(bits.dtype)).view(x.dtype)",
            "return x * (bits != 0).to(x.dtype)",
        ),
        "NaN is never above": ("positive = over.clamp_min(0).abs() if nan else", "positive ="),
        "a negative zero is above": ("over.clamp_min(0).abs()", "over.clamp_min(0)"),
        "forward mode loses the tangent": (
            "if moved or traced():",
            "if traced():",
        ),
    },
    "activation contract": {
        "another default": (
            "def elu(input: Each, alpha: Number = 1.0)",
            "def elu(input: Each, alpha: Number = 2.0)",
        ),
        "the initial slope is always 0.25": ("constant_(self.weight, self.init)", "constant_(self.weight, 0.25)"),
        "the line says nothing": ("by=prelu, line=PRELU", "by=prelu, line=None"),
    },
    "activation purity": {
        "torch's own relu": ("return input.clamp_min(0)\n", "return torch.relu(input)\n"),
        "torch's own gelu": (
            "return input * _normal_cdf(input)",
            "return nn.functional.gelu(input)",
        ),
        "torch's own softmax": (
            "return exp / TOTAL(exp)",
            "return x.softmax(1)",
        ),
    },
}  # fmt: skip

ANSWERS: dict[str, Callable[..., Any]] = {
    "activation-prelu": functional.prelu,
    "activation-cold": lambda x: functional.softmax(100 * x, 1),
    "activation-geglu": lambda x, gate, value: (
        functional.gelu(functional.linear(x, gate)) * functional.linear(x, value)
    ),
    "activation-gradient": lambda gradient, y: torch.einsum(
        "bc,bcj->bj", gradient, torch.diag_embed(y) - y[:, :, None] * y[:, None]
    ),
    "activation-story-gelu": functional.gelu,
}
"""What each exercise asks for, by other means than the moves."""
