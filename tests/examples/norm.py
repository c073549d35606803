"""Examples of the norms, and the known mistakes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from examples import Example, randn

SHAPES: dict[int, tuple[int, ...]] = {1: (4, 6, 5), 2: (4, 6, 3, 2), 3: (4, 6, 2, 3, 2)}
PLACED: dict[str, Any] = {"device": "cpu", "dtype": torch.float64}
WIDE: dict[str, Any] = {"dtype": torch.float64}
LATE = {"eps": 0.1, "momentum": 0.3}


def _batch(shape: tuple[int, ...], *args: Any) -> list[Example]:
    """Of a batch norm; `args` are before eps: the channels, or none where lazy."""
    return [
        Example([shape], args),
        Example([shape], args, {**LATE, "bias": False}),
        Example([shape], args, {"momentum": None}),
        Example([shape], args, {"affine": False}, training=False),
        Example([shape], args, {"track_running_stats": False, **PLACED}, **WIDE),
        Example([shape], args, {"track_running_stats": False}, training=False),
    ]


def _instance(shape: tuple[int, ...], *args: Any) -> list[Example]:
    """Of an instance norm; a lazy one has other defaults."""
    return [
        Example([shape], args),
        Example([shape], args, {"affine": bool(args)}),
        Example([shape], args, {"track_running_stats": bool(args)}),
        Example([shape], args, {"affine": True, "track_running_stats": True, **LATE}),
        Example([shape], args, {"affine": True, "bias": False, **PLACED}, **WIDE),
        Example([shape], args, {"track_running_stats": True}, training=False),
    ]


CLASSES = {
    **{f"BatchNorm{n}d": _batch(shape, 6) for n, shape in SHAPES.items()},
    **{f"InstanceNorm{n}d": _instance(shape, 6) for n, shape in SHAPES.items()},
    **{f"LazyBatchNorm{n}d": _batch(shape) for n, shape in SHAPES.items()},
    **{f"LazyInstanceNorm{n}d": _instance(shape) for n, shape in SHAPES.items()},
    "CrossMapLRN2d": [
        Example([(2, 6, 3, 2)], (3,)),
        Example([(2, 6, 3, 2)], (4,), {"alpha": 0.5, "beta": 0.5, "k": 2.0}),
        Example([(2, 2, 3, 2)], (5,), {"alpha": 0.5}),
    ],
    "GroupNorm": [
        Example([(2, 6, 5)], (3, 6)),
        Example([(2, 6, 3, 2)], (2, 6, 0.1), {"bias": False}),
        Example([(2, 6)], (2, 6), {"affine": False}),
        Example([(2, 6, 5)], (3, 6), PLACED, **WIDE),
    ],
    "LayerNorm": [
        Example([(2, 3, 5)], (5,)),
        Example([(2, 3, 5)], ([3, 5],), {"eps": 0.1, "bias": False}),
        Example([(5,)], (5,), {"elementwise_affine": False}),
        Example([(2, 3, 5)], (5,), PLACED, **WIDE),
    ],
    "LocalResponseNorm": [
        Example([(2, 6, 5)], (3,)),
        Example([(2, 6, 3, 2)], (4,), {"alpha": 0.5, "beta": 0.5, "k": 2.0}),
    ],
    "RMSNorm": [
        Example([(2, 3, 5)], (5,)),
        Example([(2, 3, 5)], ([3, 5],), {"eps": 0.1}),
        Example([(5,)], (5,), {"elementwise_affine": False}),
        Example([(2, 3, 5)], (5,), PLACED, **WIDE),
    ],
}

RUNNING = [randn(6).float() + 2, randn(6).float().exp()]
AFFINE = [randn(6).float(), randn(6).float()]

FUNCTIONS = {
    "batch_norm": [
        Example([(4, 6, 5)], (*RUNNING, *AFFINE)),
        Example([(4, 6, 5)], (None, None, None, None, True, 0.3, 0.1)),
    ],
    "group_norm": [Example([(2, 6, 5)], (3, randn(6).float(), randn(6).float(), 0.1))],
    "instance_norm": [
        Example([(4, 6, 5)], (*RUNNING, *AFFINE, False, 0.3, 0.1)),
        Example([(4, 6, 5)]),
    ],
    "layer_norm": [
        Example([(2, 3, 5)], ((5,), randn(5).float(), randn(5).float(), 0.1))
    ],
    "local_response_norm": [Example([(2, 6, 5)], (3, 0.5, 0.5, 2.0))],
    "rms_norm": [Example([(2, 3, 5)], ((5,), randn(5).float(), 0.1))],
}


def _running(x: Tensor, *kept: Tensor) -> list[Tensor]:
    copies = [k.clone() for k in kept]
    functional.batch_norm(x, *copies, training=True)
    return copies


def _gradient(g: Tensor, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    y = functional.layer_norm(x, x.shape[1:], eps=0.1)
    return torch.autograd.grad(y, x, g)[0]


def _folded(
    w: Tensor, b: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, deviation: Tensor
) -> tuple[Tensor, Tensor]:
    """The deviation is positive for torch; its sign goes to gamma."""
    affine = (gamma * deviation.sign(), beta)
    norm = (mean, deviation.square(), 0.0, *affine)
    return torch.nn.utils.fuse_linear_bn_weights(w, b, *norm)


ANSWERS: dict[str, Callable[..., Any]] = {
    "norm-moves": lambda x, w, b: functional.layer_norm(x, x.shape[1:], w, b, 0.1),
    "norm-groups": lambda x, g: functional.group_norm(x, g, eps=0.1),
    "norm-running": _running,
    "norm-fold": _folded,
    "norm-gradient": _gradient,
    "norm-story-line": lambda x: x.mean((2, 3), keepdim=True),
}

MISTAKES = {
    "norm": {
        "batch norm of each element": ('"b c n -> 1 c 1", "mean"', '"b c n -> b c 1", "mean"'),
        "instance norm of the batch": ('"b c n -> b c 1", "mean"', '"b c n -> 1 c 1", "mean"'),
        "a group norm of single channels": ('"b g c n -> b g 1 1", "mean"', '"b g c n -> b g c 1", "mean"'),
        "groups of neighbors read as every g-th": ('"b (g c) ... -> b g c (...)"', '"b (c g) ... -> b g c (...)"'),
        "the biased variance in the running one": ("variance * (n / max(1, n - 1))", "variance"),
        "the unbiased variance in the output": (
            "RSQRT(variance + eps), weight)\n    return _scaled(centered",
            "RSQRT(_unbiased(variance, x) + eps), weight)\n    return _scaled(centered",
        ),
        "momentum as the weight of the old": ("(1 - momentum) * running + momentum *", "momentum * running + (1 - momentum) *"),
        "the root without eps": (
            "RSQRT(variance + eps), weight)\n    return _scaled(centered",
            "RSQRT(variance), weight)\n    return _scaled(centered",
        ),
        "eps outside the root": (
            "RSQRT(variance + eps), weight)\n    return _scaled(centered",
            "1 / (variance.sqrt() + eps), weight)\n    return _scaled(centered",
        ),
        "the mean of the squares less the square of the mean": (
            "variance = line(centered * centered)",
            "variance = line(x * x) - mean * mean",
        ),
        "the variance detached": (" - y * line(along * y)", ""),
        "the mean detached": ("along - line(along) -", "along -"),
        "the part along the output left in": ("along - y * (TOTAL(along * y) / x.shape[1])", "along"),
        "a complex weight not conjugated": ("g * weight.conj()", "g * weight"),
        "the gradient of a weight from the bare input": ("_summed(g * y, weight), _summed(g, bias)", "_summed(g * x, weight), _summed(g, bias)"),
        "evaluated by the averages of the batch": ("if not own:", "if False:"),
        "neighbors on the wrong side": ("size // 2, (size - 1) // 2", "(size - 1) // 2, size // 2"),
        "a lazy layer becomes torch's": ("_BatchNorm, to=BatchNorm1d", "_BatchNorm, to=nn.BatchNorm1d"),
        "the variance of another place": ("mean, variance\n\n\ndef _standardize_gradient", "mean, variance * 0.9\n\n\ndef _standardize_gradient"),
        "two gradients of one piece": ('"b c n, 1 c 1, 1 c 1 -> b c n, 1 c 1, 1 c 1", "c"', '"b c n, 1 c 1, 1 c 1 -> b c n, 1 c 1, 1 c 1", "b"'),
    },
    "conventions.norm": {
        "a cumulative average of the last batch": ("1 / float(count)", "1.0"),
        "a weight of another shape is broadcast": ("p.shape == tuple(shape), f", "True, f"),
        "running averages of nothing": ("if not x.numel():", "if False:"),
        "always 16 bits out of a local response": ("cast = x.ndim > 3 and", "cast = False and"),
        "biases of one": ('("bias", nn.init.zeros_)', '("bias", nn.init.ones_)'),
        "eps of the 16 bits": ("torch.finfo(kind).eps", "torch.finfo(x.dtype).eps"),
    },
    "conventions.call norm": {
        "channels are never last": ("last and is_last(self.input)", "False"),
        "the output in the layout of the computation": ("if last else y.contiguous()", "if last else y"),
    },
    "conventions.cross_map norm": {
        "the neighbors' part of the gradient forgotten": ("[straight - 2 * alpha", "[straight - 0 * alpha"),
        "the first channel given back": (" + late * square[:, :1]", ""),
        "a size of 1 has a gradient": ("size > 1, told, size", "True, told, size"),
    },
    "norm contract": {
        "a class without its line": (", line=GROUP)", ")"),
        "another eps by default": ("eps: float | None = None", "eps: float | None = 1e-6"),
    },
    "norm purity": {
        "torch's own function": (
            "return rms_norm(x, self",
            "return nn.functional.layer_norm(x, self.normalized_shape) + rms_norm(x, self",
        ),
    },
}  # fmt: skip
