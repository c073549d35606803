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
        "the gradient of relu at 0 is 1": ("_spared(g, x <= 0), ", "_spared(g, x < 0), "),
        "the gradient at a bound of hardtanh is 1": (
            "(x <= low) | (x >= high)",
            "(x < low) | (x > high)",
        ),
        "what is dropped is multiplied by 0, and NaN stays": (
            "return (bits & given.view(bits.dtype)).view(given.dtype)",
            "return given * (1 - dead.to(given.dtype))",
        ),
        "the slope of elu runs over where it is not used": (
            "_spared(x, ~(x < 0)).mul_(inner).exp()",
            "(inner * x).exp()",
        ),
        "elu by exp, minus 1": (".expm1_()", ".exp_().sub_(1)"),
        "alpha inside the exponent forgotten": (
            "return _elu(input, alpha, 1.0, 1 / alpha)",
            "return _elu(input, alpha)",
        ),
        "the scale of selu forgotten": (
            "return _elu(input, SELU_ALPHA, SELU_SCALE)",
            "return _elu(input, SELU_ALPHA)",
        ),
        "a slope drawn for each number, used or not": (
            "int((x <= 0).sum())",
            "int((x <= math.inf).sum())",
        ),
        "the slopes drawn in float32": (
            "x.new_empty(count, dtype=torch.float64)",
            "x.new_empty(count, dtype=torch.float32)",
        ),
        "one slope for all channels": ("axis == min(1, input.ndim - 1)", "axis == input.ndim - 1"),
        "the two forms of gelu exchanged": (
            'if approximate == "none":\n        return _below',
            'if approximate == "tanh":\n        return _below',
        ),
        "softplus without its threshold": ("far = input * beta > threshold", "far = input * beta > math.inf"),
        "the halves of glu exchanged": (
            "return b.sigmoid().mul_(a)",
            "return a.sigmoid().mul_(b)",
        ),
        "softmax without its shift": ("exp = _shifted(input, dim).exp_()", "exp = wide(input).exp()"),
        "the gradient of softmax without its sum": (
            "torch.addcmul(product, y, total, value=-1)",
            "(product + 0 * total)",
        ),
        "softmax keeps its input as well": (
            "@with_gradient(_softmax_gradient, keeps_output=True, keeps_inputs=False)",
            "@with_gradient(_softmax_gradient, keeps_output=True)",
        ),
        "the implicit axis is always the last": ("dim = 0 if input.ndim in (0, 1, 3) else 1", "dim = -1"),
        "half precision is rounded at each step": (
            "from layerlib.conventions.dtypes import wide\n",
            "wide = lambda x: x\n",
        ),
        "in place, autograd is not told": (
            "return input.copy_(output) if within",
            "return input.data.copy_(output) if within",
        ),
        "in place, the gradient reads what was written over": (
            "x = input.clone() if asked else input",
            "x = input.data if asked else input",
        ),
        "the second gradient forgets x": ("return [_tied(found, input)]", "return [found]"),
    },
    "activation contract": {
        "another default": ('alpha: Number = 1.0) -> Each:\n    """``(...) -> (...)``: x above 0, and alpha (e^x', 'alpha: Number = 2.0) -> Each:\n    """``(...) -> (...)``: x above 0, and alpha (e^x'),
        "the initial slope is always 0.25": ("constant_(self.weight, self.init)", "constant_(self.weight, 0.25)"),
        "the line says nothing": ("    line = PRELU\n", "    line = None\n"),
    },
    "activation purity": {
        "torch's own relu": ("return input.clamp_min(0)\n", "return torch.relu(input)\n"),
        "torch's own gelu": (
            "return _below(input).mul_(input)",
            "return nn.functional.gelu(input)",
        ),
        "torch's own softmax": (
            "return exp.div_(exp.sum(dim, keepdim=True)).to(input.dtype)",
            "return input.softmax(dim)",
        ),
    },
}  # fmt: skip

ANSWERS: dict[str, Callable[..., Any]] = {
    "activation-prelu": functional.prelu,
    "activation-cold": lambda x: functional.softmax(100 * x, 1),
    "activation-swiglu": lambda x, gate, value: (
        functional.silu(functional.linear(x, gate)) * functional.linear(x, value)
    ),
    "activation-gradient": lambda gradient, y: torch.einsum(
        "bc,bcj->bj", gradient, torch.diag_embed(y) - y[:, :, None] * y[:, None]
    ),
}
"""What each exercise asks for, by other means than the moves."""
