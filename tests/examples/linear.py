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
            ("    y = rows(input, weight)\n"
            "    return y if bias is None else y + bias"),
            ("    y = rows(input, weight)\n"
            "    return y if bias is None else y + 2 * bias"),
        ),
        "the bias forgotten": (
            "    y = rows(input, weight)\n    return y if bias is None else y + bias",
            "    y = rows(input, weight)\n    return y",
        ),
        "the weight detached": ("y = rows(input, weight)", "y = rows(input, weight.detach())"),
        "the bound without the root": (
            "bound = 1 / math.sqrt(self.in_features) if",
            "bound = 1 / self.in_features if",
        ),
        "another gain": ("a=math.sqrt(5)", "a=math.sqrt(3)"),
        "bias drawn before the weight": (
            "for parameter in self.parameters():",
            "for parameter in [*self.parameters()][::-1]:",
        ),
        "the inputs of a pair exchanged": ('"... i, o i j, ... j', '"... i, o j i, ... j'),
        "a lazy layer becomes torch's": ("    cls_to_become = Linear\n", ""),
        "autocast inside of a bilinear layer": ("@convention(fits_bilinear, autocast=False)", "@convention(fits_bilinear)"),
    },
    "conventions.linear": {
        "a bias of another shape is broadcast": (
            "fits = call.bias is None or call.bias.shape == shape",
            "fits = True",
        ),
        "a linear layer without autocast": ('    call.autocast("input", "weight", "bias")\n', ""),
        "two dtypes in one product": ('    call.alike("input", "weight", "bias")\n', ""),
        "two dtypes in a bilinear product": ('    call.alike("input1", "input2", "weight", "bias")\n', ""),
        "a sparse input as it is": ("x.to_dense()", "x"),
        "a jagged output without its lengths": (
            "lambda y: torch.nested.nested_tensor_from_jagged(y, x.offsets())",
            "lambda y: y",
        ),
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
            '"in1_features", self.in1_features)',
            '"in1_features", self.in2_features)',
        ),
        "a number read out of a tensor": (
            "    rows = LINEAR if",
            "    float(0 if bias is None else bias.sum())\n    rows = LINEAR if",
        ),
    },
    "linear purity": {
        "torch's own function": (
            "y = rows(input, weight)",
            "y = nn.functional.linear(input, weight)",
        ),
    },
}  # fmt: skip


def collapsed(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> list[Tensor]:
    """The one layer, read off what two of them do to the unit vectors and to zero."""
    bias = F.linear(F.linear(torch.zeros(w1.shape[1]), w1, b1), w2, b2)
    unit = F.linear(F.linear(torch.eye(w1.shape[1]), w1, b1), w2, b2)
    return [(unit - bias).T, bias]


def gradient_of_each(gradient: Tensor, x: Tensor) -> Tensor:
    weight = torch.zeros(len(x), gradient.shape[1], x.shape[1], requires_grad=True)
    output = (weight @ x[..., None])[..., 0]
    return torch.autograd.grad(output, weight, gradient)[0]


ANSWERS: dict[str, Callable[..., Any]] = {
    "linear-moves": F.linear,
    "linear-ones": F.linear,
    "linear-collapse": collapsed,
    "linear-each": gradient_of_each,
    "linear-bilinear": F.bilinear,
    "linear-story-moves": F.linear,
    "linear-story-two": lambda first, second: second @ first,
}
