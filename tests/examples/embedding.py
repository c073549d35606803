"""Examples of embeddings, and the known mistakes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from examples import Example

ROWS = torch.tensor([[1, 4], [2, 2], [0, 4]])
FLAT, STARTS = torch.tensor([1, 4, 1, 0, 4, 2]), torch.tensor([0, 2, 2, 6])
EQUALLY_OFTEN = torch.tensor([[0, 1], [2, 1], [0, 2]])
SHARES = torch.tensor([0.5, 2.0, -1.0, 1.0, 3.0, 0.0])
DOUBLE = {"device": "cpu", "dtype": torch.float64}

CLASSES = {
    "Embedding": [
        Example([ROWS], (5, 3)),
        Example([ROWS], (5, 3, 2, 1.0, 3.0, True), DOUBLE),
        Example([ROWS], (5, 3), {"sparse": True, "_freeze": True, "_weight": torch.ones(5, 3)}),
    ],
    "EmbeddingBag": [
        Example([ROWS], (5, 3)),
        Example([ROWS], (5, 3), {"mode": "max", "padding_idx": 4}),
        Example([EQUALLY_OFTEN], (5, 3, 1.0, 3.0, True), DOUBLE),
        Example([FLAT, STARTS], (5, 3), {"include_last_offset": True}),
        Example(
            [FLAT],
            (5, 3),
            {"mode": "sum", "sparse": True, "_weight": torch.ones(5, 3)},
            {"offsets": STARTS[:2], "per_sample_weights": SHARES},
        ),
    ],
}  # fmt: skip

FUNCTIONS = {
    "embedding": [
        Example([ROWS, (5, 3)], kwargs={"padding_idx": 4, "scale_grad_by_freq": True}),
        Example([ROWS, 3 * torch.ones(5, 3)], kwargs={"max_norm": 1.0, "norm_type": 3.0}),
        Example([FLAT, torch.ones(5, 3)], kwargs={"sparse": True}),
    ],
    "embedding_bag": [
        Example([FLAT, (5, 3), STARTS], kwargs={"include_last_offset": True}),
        Example([ROWS, (5, 3)], kwargs={"mode": "max", "padding_idx": 4}),
        Example([EQUALLY_OFTEN, (5, 3)], kwargs={"scale_grad_by_freq": True}),
        Example([ROWS, 3 * torch.ones(5, 3)], kwargs={"max_norm": 1.0, "norm_type": 3.0}),
        Example(
            [FLAT, torch.ones(5, 3), STARTS],
            kwargs={"mode": "sum", "sparse": True, "per_sample_weights": SHARES},
        ),
    ],
    "one_hot": [Example([ROWS]), Example([ROWS], (9,))],
}  # fmt: skip

MISTAKES = {
    "embedding": {
        "all rows made as long": ("torch.where(length > max_norm, max_norm / (length + 1e-7), 1)", "max_norm / (length + 1e-7)"),
        "always the norm of two": ("origin, norm_type, eps=0.0", "origin, 2.0, eps=0.0"),
        "a copy made shorter": ("weight.detach()[rows]", "weight.clone()[rows]"),
        "the padding in the bag": ("torch.where(padding.bool(), count, bag)", "bag"),
        "an empty bag is no number": (".masked_fill(in_bag.empty(), 0)", ""),
        "the mean not divided": ('if mode == "mean" else total', 'if mode == "median" else total'),
        "the last bag forgotten": ("len(offsets) - include_last_offset", "len(offsets) - 1"),
        "an offset begins one late": ("begin[:-1].cumsum(0) - 1", "begin[1:].cumsum(0)"),
        "the weights of a bag forgotten": ("count, bag), count, weights)", "count, bag), count)"),
        "the gradient not scaled": ("Learning(padding_idx, scale_grad_by_freq, sparse)\n    rows", "Learning(padding_idx, False, sparse)\n    rows"),
        "initial values of another kind": ("nn.init.normal_(", "nn.init.uniform_("),
    },
    "engine.lookup embedding": {
        "a row read twice learns once": ("total.index_add_(0, end[n], read)", "total.index_copy_(0, end[n].long(), read)"),
        "the padding learns": ("        found[padding] = 0", "        pass"),
        "the padding in a sparse gradient": ("-1 if padding is None else padding", "-1"),
        "a dense gradient": ("if sparse and not", "if False and not"),
        "multiplied by the frequency": ("cotangent.new_ones(()) / often.index_select", "cotangent.new_ones(()) * often.index_select"),
        "the weight kept for the backward pass": ("keeps_inputs=[1, 2, 3])", "keeps_inputs=True)"),
        "an empty bag divided by zero": (".clamp(min=1)", ""),
        "the largest with zero": ("(count, read.shape[1]), -torch.inf)", "(count, read.shape[1]), 0)"),
        "the last of equal numbers": ('places[:, None], len(rows))\n    none = places.new_full(top.shape, len(rows))\n    return none.scatter_reduce(0, bags, places, "amin")', 'places[:, None], -1)\n    none = places.new_full(top.shape, -1)\n    return none.scatter_reduce(0, bags, places, "amax")'),
        "a gradient for the weights from another row": ("_read(cotangent, end[n], None)).sum(-1)", "_read(cotangent, end[n].flip(0), None)).sum(-1)"),
    },
    "conventions.embedding embedding": {
        "padding counted from the end": ("padding % len(weight)", "abs(padding)"),
        "a number too many": ("int(x.max()) + 1", "int(x.max()) + 2"),
        "bags that begin one early": ("torch.arange(0, x.numel(), shape[1]", "torch.arange(0, x.numel(), shape[1] - 1"),
    },
    "embedding contract": {
        "the row of the padding drawn": ("        self._fill_padding_idx_with_zero()\n", ""),
        "the mode not used": ("            self.mode,\n", '            "mean",\n'),
        "a number read out of a tensor": ("    in_bag = _bags(", "    float(weight.sum())\n    in_bag = _bags("),
        "another order of arguments": ("    padding_idx: int | None = None,\n    max_norm", "    *,\n    max_norm: object = None,\n    padding_idx: int | None = None,\n    old_max_norm"),
    },
    "embedding purity": {
        "torch's own function": ("    return EMBEDDING(rows, weight)", "    return nn.functional.embedding(input, weight)"),
    },
}  # fmt: skip


def _from_autograd(
    function: Callable[..., Tensor], table: Tensor, gradient: Tensor
) -> Tensor:
    leaf = table.detach().requires_grad_()
    return torch.autograd.grad(function(leaf), leaf, gradient)[0]


ANSWERS: dict[str, Callable[..., Any]] = {
    "embedding-moves": torch.matmul,
    "embedding-gradient": lambda gradient, rows: _from_autograd(
        lambda table: rows @ table,
        torch.zeros(rows.shape[2], gradient.shape[2]),
        gradient,
    ),
    "embedding-bag": lambda shares, rows, table: torch.stack(
        [(rows @ table).T @ each / each.sum() for each in shares]
    ),
    "embedding-tied": lambda rows, table, gradient: _from_autograd(
        lambda table: rows @ table @ table.T, table, gradient
    ),
    "embedding-story-line": torch.mm,
    "embedding-story-scores": lambda features, table: features @ table.T,
}
