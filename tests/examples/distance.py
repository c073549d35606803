"""Examples of distances, and the known mistakes."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (its usual name)

from examples import Example

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
    "cosine_similarity": [
        Example([(4, 3), (4, 3)], kwargs={"dim": 0, "eps": 5.0}),
        Example([(2, 4, 3), (3,)]),
    ],
    "pairwise_distance": [
        Example([(4, 3), (4, 3)], kwargs={"p": 3.0, "eps": 0.1, "keepdim": True}),
        Example([(3,), (3,)]),
    ],
}


def _turned(x: Tensor, y: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(F.cosine_similarity(x, y).sum(), x)[0]


ANSWERS = {
    "distance-cosine": F.cosine_similarity,
    "distance-pairs": torch.cdist,
    "distance-gradient": _turned,
}

MISTAKES = {
    "distance": {
        "the length without its root": ("keepdim=True).pow(1 / p)", "keepdim=True)"),
        "eps taken off": ("x1 - x2 + eps", "x1 - x2 - eps"),
        "eps added to the length": ("_length(x1 - x2 + eps, p, -1)", "_length(x1 - x2, p, -1) + eps"),
        "the sum of two vectors": ("x1 - x2 + eps", "x1 + x2 + eps"),
        "the first axis for the last": ("x1 - x2 + eps, p, -1)", "x1 - x2 + eps, p, 0)"),
        "always the p-norm of two": ("size.pow(p)", "size.pow(2.0)"),
        "the largest for the smallest": ("size.amax if p > 0", "size.amax if p < 0"),
        "the axis kept": ("if keepdim or not x1.ndim", "if True"),
        "eps added to the product": ("length.clamp(min=eps)", "length + eps"),
        "the gradient stops at a raised length": ("[cotangent], keeps_inputs", "[cotangent * 0], keeps_inputs"),
        "no length is divided by": ("x / _at_least", "x * _at_least"),
        "half precision all the way": ("wide(x.to(dtype))", "x.to(dtype)"),
        "the gradient of no length": ("length.masked_fill(length == 0, 1)", "length"),
        "the sum of the whole": (").sum(dim).to(dtype)", ").sum().to(dtype)"),
    },
    "distance contract": {
        "another eps": ("eps: float = 1e-6", "eps: float = 1e-8"),
        "eps of the layer not used": ("x1, x2, self.dim, self.eps)", "x1, x2, self.dim)"),
        "keepdim not used": ("self.norm, self.eps, self.keepdim)", "self.norm, self.eps)"),
    },
    "distance purity": {
        "torch's own norm": ("_length(x1 - x2 + eps, p, -1)", "torch.linalg.vector_norm(x1 - x2 + eps, p, -1, True)"),
    },
}  # fmt: skip
