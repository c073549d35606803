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
        "a row read twice learns once": ("new_zeros(size).index_add_(0, rows, gradient)", "new_zeros(size).index_copy_(0, rows.long(), gradient)"),
        "the padding learns": ("        found[padding] = 0", "        pass"),
        "the padding in a sparse gradient": ("-1 if padding is None else padding", "-1"),
        "a dense gradient": ("if sparse and not", "if False and not"),
        "multiplied by the frequency": ("gradient = gradient / read", "gradient = gradient * read"),
        "padding counted from the end": ("padding_idx % len(weight)", "abs(padding_idx)"),
        "all rows made as long": ("torch.where(length > max_norm, max_norm / (length + 1e-7), 1)", "max_norm / (length + 1e-7)"),
        "always the norm of two": ("origin, norm_type, eps=0.0", "origin, 2.0, eps=0.0"),
        "a copy made shorter": ("    weight[rows] = read", "    weight.clone()[rows] = read"),
        "the weight kept for the backward pass": ("keeps_inputs=[1])", "keeps_inputs=[0, 1])"),
        "the padding in the bag": ("torch.where(flat == padding, count, bag)", "bag"),
        "an empty bag divided by zero": (".clamp(min=1)", ""),
        "the mean not divided": ('if mode == "mean":', "if False:"),
        "the largest with zero": ('"amax", include_self=False)', '"amax")'),
        "the last of equal numbers": ('bags, place, "amin")', 'bags, place, "amax", include_self=False)'),
        "the last bag forgotten": ("len(offsets) - include_last_offset", "len(offsets) - 1"),
        "an offset begins one late": ("starts[:-1].cumsum(0) - 1", "starts[1:].cumsum(0)"),
        "the weights of a bag forgotten": ("rows = rows * per_sample_weights", "rows = rows + 0 * per_sample_weights"),
        "a number too many": ("int(tensor.max()) + 1", "int(tensor.max()) + 2"),
        "initial values of another kind": ("nn.init.normal_(", "nn.init.uniform_("),
    },
    "embedding contract": {
        "the row of the padding drawn": ("        self._fill_padding_idx_with_zero()\n", ""),
        "the mode not used": ("            self.mode,\n", '            "mean",\n'),
        "a number read out of a tensor": ('    padding = _row("embedding_bag"', '    float(weight.sum())\n    padding = _row("embedding_bag"'),
        "another order of arguments": ("    padding_idx: int | None = None,\n    max_norm", "    *,\n    max_norm: object = None,\n    padding_idx: int | None = None,\n    old_max_norm"),
    },
    "embedding purity": {
        "torch's own function": ("weight.index_select(0, input.reshape(-1))", "nn.functional.embedding(input.reshape(-1), weight)"),
    },
}  # fmt: skip


def _from_autograd(
    function: Callable[..., Tensor], table: Tensor, gradient: Tensor
) -> Tensor:
    leaf = table.detach().requires_grad_()
    return torch.autograd.grad(function(leaf), leaf, gradient)[0]


ANSWERS: dict[str, Callable[..., Any]] = {
    "embedding-moves": torch.mm,
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
}
