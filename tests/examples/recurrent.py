"""Examples of the recurrent cells and layers, and the known mistakes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (its usual name)

from examples import Example
from layerlib.recurrent import RELU

DOUBLE = {"dtype": torch.float64}


def ones(*shape: int) -> Tensor:
    return torch.ones(shape)


def two(*shape: int) -> tuple[Tensor, Tensor]:
    """Two states in float64."""
    return ones(*shape).double(), ones(*shape).double()


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
        Example([(5, 2, 3)], (3, 4), DOUBLE, {"hx": two(1, 2, 4)}, dtype=torch.float64),
    ],
    "LSTMCell": [
        *_cells(2)[1:],
        Example([(2, 3)], (3, 4), DOUBLE, {"hx": two(2, 4)}, dtype=torch.float64),
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
    "gru_step": [Example([(2, 12), (2, 4), (12, 4), (12,)])],
    "lstm_step": [
        Example([(2, 16), (2, 4), (2, 4), (16, 4)]),
        Example([(2, 16), (2, 2), (2, 4), (16, 2), (2, 4)]),
    ],
    "rnn_step": [Example([(2, 4), (2, 4), (4, 4)], (RELU,))],
    "rnn_relu_cell": [Example([(2, 3), (2, 4), (4, 3), (4, 4), (4,), (4,)])],
    "rnn_tanh_cell": [Example([(2, 3), (2, 4), (4, 3), (4, 4), (4,), (4,)])],
    "scan": [Example([(7, 2)], ([ones(3, 2)], _add, [3, 3, 1], True))],
}

MISTAKES = {
    "recurrent": {
        "the gates in another order": ("input, forget, candidate, output =", "input, candidate, forget, output ="),
        "the sum shown without its gate": ("SIGMOID(output) * TANH(c)", "TANH(c)"),
        "the old sum never forgotten": ("SIGMOID(forget) * c", "c"),
        "the new value enters whole": ("SIGMOID(input) * TANH(candidate)", "TANH(candidate)"),
        "the projection forgotten": ("h if w_hr is None else LINEAR(h, w_hr)", "h"),
        "the reset gate at the input": ("TANH(new + reset * new_h)", "TANH(reset * new + new_h)"),
        "the update gate inverted": ("(h - new) * update + new", "(new - h) * update + h"),
        "reset and update exchanged": ("reset, update, new = parts", "update, reset, new = parts"),
        "a gradient of relu at 0": ("x <= 0", "x < 0"),
        "the second bias of a layer forgotten": (
            "w_ih, w_hh, b_ih, b_hh, *w_hr = weights\n        projected = LINEAR(rows, w_ih) + (b_ih + b_hh)",
            "w_ih, w_hh, b_ih, b_hh, *w_hr = weights\n        projected = LINEAR(rows, w_ih) + b_ih",
        ),
        "the second bias of a cell forgotten": (
            "projected = LINEAR(input, w_ih) + b_ih + b_hh\n    h, c = hx",
            "projected = LINEAR(input, w_ih) + b_ih\n    h, c = hx",
        ),
        "the hidden bias of a GRU outside its gate": (
            "projected = LINEAR(rows, w_ih) + b_ih\n        return projected, lambda now, h: gru_step(now, h, w_hh, b_hh)",
            "projected = LINEAR(rows, w_ih) + b_ih + b_hh\n        return projected, lambda now, h: gru_step(now, h, w_hh, 0 * b_hh)",
        ),
        "always a tanh": ('RELU if self.nonlinearity == "relu" else TANH', "TANH"),
        "the gradient cut at each moment": ("step(rows, *current)", "step(rows, *[x.detach() for x in current])"),
        "the other direction's output not turned back": ("outputs[:: -1 if reverse else 1]", "outputs"),
        "the other direction read forward": ("reversed(steps) if reverse else steps", "steps"),
        "dropout before the first layer": (" if layer else rows", " if True else rows"),
        "dropout in evaluation": ("self.dropout, self.training", "self.dropout, True"),
        "each layer reads the input": ("self.one_direction(rows, sizes,", "self.one_direction(input[0], sizes,"),
    },
    "engine.steps": {
        "the total forgotten": ("torch.addmm(total, x, weight.T)", "x @ weight.T"),
        "what is made not added": ("return total + product.tensor()", "return product.tensor()"),
        "the last rows": ("x[:count]", "x[-count:]"),
        "ended sequences lose their state": ("torch.cat([new, old[len(new) :]])", "torch.cat([new, 0 * old[len(new) :]])"),
        "the rows of one moment more": ("torch.split(rows, sizes)", "torch.split(rows, sizes[0])"),
        "parts that lie in each other": ("x.chunk(count, dim=-1)", "x.unflatten(-1, (-1, count)).unbind(-1)"),
        "the line not put down": ("    ran(product.recipe)\n", ""),
    },
    "conventions.recurrent recurrent": {
        "packed sequences meet each other's first state": ("else _sorted(state, order)", "else state"),
        "last states in the order of the packing": ("_sorted(made[1], x.unsorted_indices)", "made[1]"),
        "batch_first forgotten": ("x.ndim == 3 and call.self.batch_first", "False"),
        "rounded at each step": ("from layerlib.conventions.dtypes import wide", "from torch import positive as wide"),
        "two dtypes in one product": ("call.expect(len(dtypes) == 1, told, dtypes)", "pass"),
        "a state of another shape is broadcast": ("call.expect(got == shape,", "call.expect(True,"),
        "a layer's state of another shape": ("if got != shapes:", "if False:"),
        "no bias of zero": ("[[*w[:2], None, None, *w[2:]] for w in weights]", "[[*w[:2], w[0][:, 0], None, *w[2:]] for w in weights]"),
        "the cell's given state not used": ("if call.hx is None:", "if True:"),
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
        "torch's own relu": ("lambda x: x.masked_fill(x <= 0, 0)", "torch.relu"),
        "torch's own cell": (
            "return gru_step(projected, hx, w_hh, b_hh)[0]",
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
    "recurrent-story-gate": lambda gate, new, state: torch.lerp(state, new, gate),
    "recurrent-story-two": lambda decay, new, next_decay, next_new: (
        decay * next_decay,
        torch.addcmul(next_new, next_decay, new),
    ),
}
