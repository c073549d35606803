"""Examples of the recurrent cells and layers, and the known mistakes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (its usual name)

from examples import Example

DOUBLE = {"dtype": torch.float64}


def ones(*shape: int) -> Tensor:
    return torch.ones(shape)


def _add(x: Tensor, total: Tensor) -> list[Tensor]:
    return [total + x]


def _cells(rows: int) -> list[Example]:
    return [
        Example([(2, 3), (2, 4)], (3, 4)),
        Example([(3,)], (3, 4), {"bias": False, "device": "cpu"}),
        Example([(2, 3)], (3, 4), DOUBLE, dtype=torch.float64),
        Example([(rows, 3)], (3, 4, True)),
    ]


def _layers() -> list[Example]:
    deep = {"num_layers": 2, "dropout": 0.5, "bidirectional": True}
    return [
        Example([(5, 2, 3)], (3, 4)),
        Example([(2, 5, 3)], (3, 4), {**deep, "batch_first": True}),
        Example([(5, 3)], (3, 4), {"bias": False, "device": "cpu"}),
        Example([(5, 2, 3)], (3, 4), DOUBLE, dtype=torch.float64),
        Example([(5, 2, 3)], (3, 4), deep, training=False),
    ]


CLASSES = {
    "GRU": [*_layers(), Example([(5, 2, 3), (1, 2, 4)], (3, 4))],
    "GRUCell": _cells(1),
    "LSTM": [
        *_layers(),
        # In float32 torch warns that it is slow with a projection.
        Example([(5, 2, 3)], (3, 4), {"proj_size": 2, **DOUBLE}, dtype=torch.float64),
        Example([(5, 2, 3)], (3, 4), forward={"hx": (ones(1, 2, 4), ones(1, 2, 4))}),
    ],
    "LSTMCell": [
        *_cells(2)[1:],
        Example([(2, 3)], (3, 4), forward={"hx": (ones(2, 4), ones(2, 4))}),
    ],
    "RNN": [
        *_layers(),
        Example([(5, 2, 3), (1, 2, 4)], (3, 4), {"nonlinearity": "relu"}),
    ],
    "RNNCell": [*_cells(2), Example([(2, 3)], (3, 4), {"nonlinearity": "relu"})],
}

FUNCTIONS = {
    "gru_cell": [
        Example([(2, 3), (2, 4), (12, 3), (12, 4), (12,), (12,)]),
        Example([(2, 3), (2, 4), (12, 3), (12, 4)]),
    ],
    "lstm_cell": [
        Example(
            [(2, 3)],
            (
                (ones(2, 4), ones(2, 4)),
                *[ones(16, 3), ones(16, 4), ones(16), ones(16)],
            ),
        ),
    ],
    "rnn_relu_cell": [Example([(2, 3), (2, 4), (4, 3), (4, 4), (4,), (4,)])],
    "rnn_tanh_cell": [Example([(2, 3), (2, 4), (4, 3), (4, 4), (4,), (4,)])],
    "scan": [Example([(7, 2)], ([ones(3, 2)], _add, [3, 3, 1], True))],
}

MISTAKES = {
    "recurrent": {
        "the gates in another order": ("enter, forget, new, show", "enter, new, forget, show"),
        "the sum shown without its gate": ("show.sigmoid() * c.tanh()", "c.tanh()"),
        "the old sum never forgotten": ("c = forget.sigmoid() * c", "c = c"),
        "the reset gate at the input": (
            "(new + (reset + reset_h).sigmoid() * new_h)",
            "((reset + reset_h).sigmoid() * new + new_h)",
        ),
        "the update gate inverted": (
            "[new + (update + update_h).sigmoid() * (h - new)]",
            "[h + (update + update_h).sigmoid() * (new - h)]",
        ),
        "reset and update exchanged": ("reset, update, new = read", "update, reset, new = read"),
        "a gradient of relu at 0": ("total <= 0", "total < 0"),
        "the second bias forgotten": ("torch.addmm(b_hh, h, w_hh.T)", "h @ w_hh.T"),
        "the gradient cut at each moment": (
            "step(rows, *now)",
            "step(rows, *[x.detach() for x in now])",
        ),
        "the other direction's output not turned back": ("outputs[:: -1 if reverse else 1]", "outputs"),
        "the given state not used": (
            "new = [first[before:size] for first in state]",
            "new = [0 * first[before:size] for first in state]",
        ),
        "ended sequences in the order of their end": ("*reversed(ended)", "*ended"),
        "dropout before the first layer": ("            if layer:\n", "            if True:\n"),
        "dropout in evaluation": ("self.dropout, self.training", "self.dropout, True"),
        "packed sequences meet each other's first state": (
            "self.permute_hidden(self._state(rows, sizes, hx), order)",
            "self._state(rows, sizes, hx)",
        ),
        "last states in the order of the packing": (
            "return packed, self.permute_hidden(last, back)",
            "return packed, last",
        ),
        "batch_first forgotten": ("input.ndim == 3 and self.batch_first", "False"),
        "rounded at each step": ("None if x is None else wide(x)", "x"),
        "two dtypes in one product": ("one = len(dtypes) == 1 or", "one = True or"),
        "a state of another shape is broadcast": (
            "if value is not None:\n            got",
            "if False:\n            got",
        ),
    },
    "recurrent contract": {
        "torch's own forward": (
            '    def forward(\n        self, input: Num[Tensor, "..."] | PackedSequence',
            '    def backward(\n        self, input: Num[Tensor, "..."] | PackedSequence',
        ),
        "a docstring without shapes": (
            "``(b, i), (b, h), (h, i), (h, h), (h,), (h,) -> (b, h)``: relu",
            "relu",
        ),
        "a class without its line": ("    line = LINEAR\n", ""),
        "other initial values": ("1 / math.sqrt(self.hidden_size)", "1 / self.hidden_size"),
    },
    "recurrent purity": {
        "torch's own relu": ("total.masked_fill(total <= 0, 0)", "total.relu()"),
        "torch's own cell": (
            'return _cell("gru_cell", _gru, 3, [input, hx, w_ih, w_hh, b_ih, b_hh])[0]',
            "return torch.gru_cell(input, hx, w_ih, w_hh, b_ih, b_hh)",
        ),
    },
}  # fmt: skip


def _lstm_cell(*given: Tensor) -> Any:
    """torch's cell, its sums handed in through a weight that is the identity."""
    *sums, c, w_hr = given
    rows = 4 * c.shape[1]
    weights = torch.eye(rows), torch.zeros(rows, c.shape[1])
    h, c = torch.lstm_cell(torch.cat(sums, -1), (torch.zeros_like(c), c), *weights)
    return h @ w_hr.T, c


def _new(
    read: Tensor, reset: Tensor, state: Tensor, w_hh: Tensor, b_hh: Tensor
) -> Tensor:
    """torch's cell with the update gate at 0, on a state that is long enough."""
    (b, m), o = state.shape, len(w_hh)
    long = torch.cat([state, torch.zeros(b, o)], -1)[:, : max(m, o)]
    n = long.shape[1]
    x = torch.zeros(b, 3 * n)
    x[:, :o], x[:, n : 2 * n], x[:, 2 * n : 2 * n + o] = reset, -1000.0, read
    weight, bias = torch.zeros(3 * n, n), torch.zeros(3 * n)
    weight[2 * n : 2 * n + o, :m], bias[2 * n : 2 * n + o] = w_hh, b_hh
    return torch.gru_cell(x, long, torch.eye(3 * n), weight, 0 * bias, bias)[:, :o]


def _back(gradient: Tensor, decay: Tensor) -> Tensor:
    x = torch.zeros_like(gradient, requires_grad=True)
    states = [x[0]]
    for moment in x[1:]:
        states.append(moment + decay * states[-1])
    return torch.autograd.grad(torch.stack(states), x, gradient)[0]


ANSWERS: dict[str, Callable[..., Any]] = {
    "recurrent-step": lambda x, h, w, u, b, c: (
        F.linear(x, w, b) + F.linear(h, u, c)
    ).tanh(),
    "recurrent-lstm": _lstm_cell,
    "recurrent-gru": _new,
    "recurrent-back": _back,
}
