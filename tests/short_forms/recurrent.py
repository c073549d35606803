"""Recurrent layers: a line reads, a line recalls, a bend; and that again and again."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.dropout import dropout
from layerlib.linear import LINEAR
from layerlib.recurrent import RELU, SIGMOID, TANH

Step = Callable[..., tuple[Tensor, ...]]


def rnn(x: Tensor, h: Tensor, w: Any, bend: Any) -> tuple[Tensor, ...]:
    return (bend(LINEAR(x, w[0]) + w[2] + LINEAR(h, w[1]) + w[3]),)


def lstm(x: Tensor, h: Tensor, c: Tensor, w: Any, _: Any) -> tuple[Tensor, ...]:
    gates = LINEAR(x, w[0]) + w[2] + LINEAR(h, w[1]) + w[3]
    i, f, g, o = gates.chunk(4, dim=-1)
    c = SIGMOID(f) * c + SIGMOID(i) * TANH(g)
    h = SIGMOID(o) * TANH(c)
    return LINEAR(h, w[4]) if len(w) > 4 else h, c


def gru(x: Tensor, h: Tensor, w: Any, _: Any) -> tuple[Tensor, ...]:
    reset, update, new = (LINEAR(x, w[0]) + w[2]).chunk(3, dim=-1)
    reset_h, update_h, new_h = (LINEAR(h, w[1]) + w[3]).chunk(3, dim=-1)
    new = TANH(new + SIGMOID(reset + reset_h) * new_h)
    update = SIGMOID(update + update_h)
    return ((1 - update) * new + update * h,)


def bend(layer: Any) -> Any:
    return RELU if getattr(layer, "nonlinearity", "tanh") == "relu" else TANH


def begin(sizes: list[int], x: Tensor, hx: Any) -> list[Tensor]:
    if hx is None:
        return [x.new_zeros(*x.shape[:-1], size) for size in sizes]
    return [hx] if isinstance(hx, Tensor) else [*hx]


def one(step: Step, states: int, layer: Any, x: Tensor, hx: Any) -> Any:
    state = begin([layer.hidden_size] * states, x, hx)
    biases = [0 if b is None else b for b in (layer.bias_ih, layer.bias_hh)]
    state = [*step(x, *state, [layer.weight_ih, layer.weight_hh, *biases], bend(layer))]
    return tuple(state) if states == 2 else state[0]


def all_moments(step: Step, states: int, layer: Any, x: Tensor, hx: Any) -> Any:
    alone, ways, h = x.ndim == 2, 1 + layer.bidirectional, layer.hidden_size
    x = x[:, None] if alone else x.transpose(0, 1) if layer.batch_first else x
    nothing = x[:1].expand(layer.num_layers * ways, *x.shape[1:])
    first = begin([layer.proj_size or h, h][:states], nothing, hx)
    last = []
    for n in range(layer.num_layers):
        both = layer.all_weights[n * ways : (n + 1) * ways]
        x = dropout(x, layer.dropout, layer.training) if n else x
        outputs = []
        for back, given in enumerate(both):
            w = given if layer.bias else [*given[:2], 0, 0, *given[2:]]
            state, made = [s[n * ways + back] for s in first], []
            for moment in x.flip(0) if back else x:
                state = [*step(moment, *state, w, bend(layer))]
                made.append(state[0])
            outputs.append(torch.stack(made[::-1] if back else made))
            last.append(state)
        x = torch.cat(outputs, dim=-1)
    ends = [
        torch.stack(s)[:, 0] if alone else torch.stack(s)
        for s in zip(*last, strict=True)
    ]
    y = x[:, 0] if alone else x.transpose(0, 1) if layer.batch_first else x
    return y, tuple(ends) if states == 2 else ends[0]


def rnn_cell(layer: Any, x: Tensor, hx: Any = None) -> Any:
    return one(rnn, 1, layer, x, hx)


def lstm_cell(layer: Any, x: Tensor, hx: Any = None) -> Any:
    return one(lstm, 2, layer, x, hx)


def gru_cell(layer: Any, x: Tensor, hx: Any = None) -> Any:
    return one(gru, 1, layer, x, hx)


def rnn_layer(layer: Any, x: Tensor, hx: Any = None) -> Any:
    return all_moments(rnn, 1, layer, x, hx)


def lstm_layer(layer: Any, x: Tensor, hx: Any = None) -> Any:
    return all_moments(lstm, 2, layer, x, hx)


def gru_layer(layer: Any, x: Tensor, hx: Any = None) -> Any:
    return all_moments(gru, 1, layer, x, hx)


SHORT: dict[str, Callable[..., Any]] = {
    "RNN": rnn_layer,
    "RNNCell": rnn_cell,
    "LSTM": lstm_layer,
    "LSTMCell": lstm_cell,
    "GRU": gru_layer,
    "GRUCell": gru_cell,
}

LEFT: dict[str, set[int]] = {}
