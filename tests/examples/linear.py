"""Examples of the linear layers, and the known mistakes; what the answers are compared with."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (its usual name)

from examples import Example

DOUBLE = {"device": "cpu", "dtype": torch.float64}

CLASSES = {
    "Bilinear": [
        Example([(4, 3), (4, 2)], (3, 2, 5)),
        Example([(3,), (2,)], (3, 2, 5), {"bias": False}),
        Example([(3,), (2,)], (3, 2, 5), DOUBLE, dtype=torch.float64),
    ],
    "LazyLinear": [
        Example([(2, 3)], (4,)),
        Example([(2, 3)], (4,), {"bias": False}),
        Example([(2, 3)], (4,), DOUBLE, dtype=torch.float64),
    ],
    "Linear": [
        Example([(2, 3)], (3, 4)),
        Example([(3,)], (3, 4)),
        Example([(2, 5, 3)], (3, 4), {"bias": False}),
        Example([(2, 3)], (3, 4), DOUBLE, dtype=torch.float64),
    ],
}

FUNCTIONS = {
    "bilinear": [Example([(4, 3), (4, 2), (5, 3, 2), (5,)])],
    "linear": [
        Example([(2, 3), (4, 3), (4,)]),
        Example([(2, 5, 3), (4, 3)]),
        Example([(3,), (3,), ()]),
    ],
}

MISTAKES = {
    "linear": {
        "the weight read as (in, out)": ('"... i, o i -> ... o"', '"... i, i o -> ... o"'),
        "the bias added twice": (
            ("    output = (LINEAR if weight.ndim == 2 else DOT)(input, weight)\n"
            "    return output if bias is None else output + bias"),
            ("    output = (LINEAR if weight.ndim == 2 else DOT)(input, weight)\n"
            "    return output if bias is None else output + 2 * bias"),
        ),
        "the bias forgotten": (
            "DOT)(input, weight)\n    return output if bias is None else output + bias",
            "DOT)(input, weight)\n    return output",
        ),
        "a bias of another shape is broadcast": (
            "fits = bias is None or bias.shape == shape",
            "fits = True",
        ),
        "the weight detached": ("else DOT)(input, weight)", "else DOT)(input, weight.detach())"),
        "the bound without the root": (
            "bound = 1 / math.sqrt(self.in_features) if",
            "bound = 1 / self.in_features if",
        ),
        "another gain": ("a=math.sqrt(5)", "a=math.sqrt(3)"),
        "bias drawn before the weight": (
            ("        bound = 1 / math.sqrt(self.in1_features)\n"
            "        nn.init.uniform_(self.weight, -bound, bound)\n"),
            ("        bound = 1 / math.sqrt(self.in1_features)\n"
            "        nn.init.uniform_(self.bias, -bound, bound) if self.bias is not None else 0\n"
            "        nn.init.uniform_(self.weight, -bound, bound)\n"),
        ),
        "the inputs of a pair exchanged": ('"... i, o i j, ... j', '"... i, o j i, ... j'),
        "a lazy layer becomes torch's": ("    cls_to_become = Linear\n", ""),
    },
    "linear contract": {
        "torch's own forward": (
            "    def forward(\n        self, input1",
            "    def backward(\n        self, input1",
        ),
        "no default for the bias": (
            'bias: Num[Tensor, "*o"] | None = None',
            'bias: Num[Tensor, "*o"] | None',
        ),
        "a docstring without shapes": (
            '"""``(..., i), (o, i), (o,) -> (..., o)``: each row',
            '"""Each row',
        ),
        "a class without its line": ("    line = BILINEAR\n", ""),
        "other initial values": (
            "bound = 1 / math.sqrt(self.in1_features)",
            "bound = 1 / math.sqrt(self.in2_features)",
        ),
        "a number read out of a tensor": (
            "shape: torch.Size) -> None:\n",
            "shape: torch.Size) -> None:\n    float(0 if bias is None else bias.sum())\n",
        ),
    },
    "linear purity": {
        "torch's own function": (
            "(LINEAR if weight.ndim == 2 else DOT)(input, weight)",
            "nn.functional.linear(input, weight)",
        ),
    },
}  # fmt: skip


def collapsed(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> list[Tensor]:
    """The one layer, read off what two of them do to the unit vectors and to zero."""
    bias = F.linear(F.linear(torch.zeros(w1.shape[1]), w1, b1), w2, b2)
    unit = F.linear(F.linear(torch.eye(w1.shape[1]), w1, b1), w2, b2)
    return [(unit - bias).T, bias]


def weight_gradient(gradient: Tensor, x: Tensor) -> Tensor:
    weight = torch.zeros(gradient.shape[1], x.shape[1], requires_grad=True)
    return torch.autograd.grad(F.linear(x, weight), weight, gradient)[0]


ANSWERS: dict[str, Callable[..., Any]] = {
    "linear-moves": F.linear,
    "linear-ones": F.linear,
    "linear-collapse": collapsed,
    "linear-gradient": weight_gradient,
    "linear-bilinear": F.bilinear,
}
