"""Examples of distances, and the known mistakes."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (its usual name)

from examples import Example, randn

CLASSES = {
    "CosineSimilarity": [
        Example([(4, 3), (4, 3)]),
        Example([(2, 4, 3), (4, 3)], (-1,), {"eps": 5.0}),
    ],
    "PairwiseDistance": [
        Example([(4, 3), (4, 3)]),
        Example([(2, 4, 3), (3,)], (1.5,), {"eps": 0.1, "keepdim": True}),
    ],
}

FUNCTIONS = {
    "normalize": [
        Example([(2, 6, 5)]),
        Example([(2, 6, 5)], (3.0, 2, 1.0)),
        Example([(2, 6, 5)], (float("inf"), (0, 1))),
        Example([], (randn(2, 3), 2.0, 1, 1e-12, torch.empty(2, 3).double())),
    ],
    "cosine_similarity": [
        Example([(4, 3), (4, 3)], kwargs={"dim": 0, "eps": 5.0}),
        Example([(2, 4, 3), (3,)]),
    ],
    "pairwise_distance": [
        Example([(4, 3), (4, 3)], kwargs={"p": 3.0, "eps": 0.1, "keepdim": True}),
        Example([(3,), (3,)]),
        *(Example([(4, 3), (3,)], (p,)) for p in (float("inf"), -float("inf"), 0.0)),
    ],
}


def _turned(x: Tensor, y: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(F.cosine_similarity(x, y).sum(), x)[0]


ANSWERS = {
    "distance-along": lambda x, y: (
        (x @ y.mT).diagonal()[:, None] * x / x.norm(dim=1, keepdim=True) ** 2
    ),
    "distance-pairs": torch.cdist,
    "distance-gradient": _turned,
    "distance-story-directions": F.normalize,
    "distance-story-squares": lambda x, y: torch.cdist(x, y) ** 2,
}

MISTAKES = {
    "distance": {
        "the length without its root": ("return POWER(total, 1 / p)", "return total"),
        "eps taken off": ("x1 - x2 + eps", "x1 - x2 - eps"),
        "eps added to the length": ("_length(x1 - x2 + eps, p)", "_length(x1 - x2, p) + eps"),
        "the sum of two vectors": ("x1 - x2 + eps", "x1 + x2 + eps"),
        "always the p-norm of two": ("size.masked_fill(size == 0, 0), p)", "size.masked_fill(size == 0, 0), 2.0)"),
        "the largest for the smallest": ("LARGEST(size) if p > 0", "LARGEST(size) if p < 0"),
        "a count that is a sum": ("TOTAL(SIGN(size.detach()))", "TOTAL(size.detach())"),
        "the axis kept": ("distance if keepdim else", "distance if True else"),
        "eps added to the product": ("AT_LEAST(length, eps)", "length + eps"),
        "the gradient stops at a raised length": ("[cotangent, None]", "[cotangent * 0, None]"),
        "no length is divided by": ("x / _raised", "x * _raised"),
        "a number of zero with a slope": ("size.masked_fill(size == 0, 0)", "size"),
        "the largest of nothing but signs": ("LARGEST(size) if", "LARGEST(SIGN(size)) if"),
        "as long as it was": ("return input / AT_LEAST(", "return input * AT_LEAST("),
        "eps added to a length": ("AT_LEAST(_length(input, p), eps)", "(_length(input, p) + eps)"),
        "the product of the bare vectors": ("return DOT(one, two)", "return DOT(x1, x2)"),
    },
    "conventions.distance": {
        "the first axis for the last": ('getattr(call, "dim", -1)', 'getattr(call, "dim", 0)'),
        "the axes of a vector left where they are": ("movedim(ends, axes).to", "to"),
        "half precision all the way": ('    call.widen("x1", "x2")\n', ""),
        "whole numbers have a cosine": ("real = dtype.is_floating_point or", "real = True or"),
    },
    "distance contract": {
        "another eps": ("eps: float = 1e-6", "eps: float = 1e-8"),
        "eps of the layer not used": ("x1, x2, self.dim, self.eps)", "x1, x2, self.dim)"),
        "keepdim not used": ("self.norm, self.eps, self.keepdim)", "self.norm, self.eps)"),
    },
    "distance purity": {
        "torch's own norm": ("_length(x1 - x2 + eps, p)", "torch.linalg.vector_norm(x1 - x2 + eps, p, -1, True)"),
    },
}  # fmt: skip
