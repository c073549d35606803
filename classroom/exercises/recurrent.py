"""The exercises on recurrent layers."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.linear import LINEAR, linear

Bend = Callable[[Tensor], Tensor]


def _step(
    x: Tensor,
    state: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
    *,
    bend: Bend = torch.tanh,
    second: float = 1.0,
    outside: bool = False,
) -> Tensor:
    read, recalled = LINEAR(x, w_ih) + b_ih, LINEAR(state, w_hh) + second * b_hh
    return bend(read) + recalled if outside else bend(read + recalled)


def _lstm(
    input_gate: Tensor,
    forget_gate: Tensor,
    cell: Tensor,
    output_gate: Tensor,
    c: Tensor,
    w_hr: Tensor,
    *,
    new: Bend = torch.tanh,
    enter: Bend = torch.sigmoid,
    keep: Bend = torch.sigmoid,
    show: Bend = torch.sigmoid,
    shown: Bend = torch.tanh,
    old: bool = False,
) -> tuple[Tensor, Tensor]:
    total = keep(forget_gate) * c + enter(input_gate) * new(cell)
    return LINEAR(show(output_gate) * shown(c if old else total), w_hr), total


def _gate_last(*given: Tensor) -> tuple[Tensor, Tensor]:
    input_gate, forget_gate, cell, output_gate, c, w_hr = given
    total = forget_gate.sigmoid() * c + input_gate.sigmoid() * cell.tanh()
    return linear(output_gate, w_hr).sigmoid() * linear(total.tanh(), w_hr), total


def _new(
    read: Tensor,
    reset: Tensor,
    state: Tensor,
    w_hh: Tensor,
    b_hh: Tensor,
    *,
    gate: Bend = torch.sigmoid,
    bend: Bend = torch.tanh,
    all_: bool = False,
) -> Tensor:
    recalled = LINEAR(state, w_hh) + b_hh
    return bend(
        gate(reset) * (read + recalled) if all_ else read + gate(reset) * recalled
    )


def _forward(x: Tensor, decay: Tensor) -> Tensor:
    state, states = torch.zeros_like(x[0]), []
    for moment in x:
        state = moment + decay * state
        states.append(state)
    return torch.stack(states)


EXERCISES: dict[str, Exercise] = {
    "recurrent-shape": Question(
        (6, 7, 20),
        {
            "batch_first turns input and output, and not the states.": (7, 6, 20),
            "The two directions are rows of h_n, not features.": (3, 7, 40),
            "The second direction has states of its own.": (3, 7, 20),
            "With batch_first the first axis, 7, is the batch.": (6, 50, 20),
        },
    ),
    "recurrent-count": Question(
        2 * (4 * 20 * (10 + 20) + 2 * 4 * 20) + 2 * (4 * 20 * (40 + 20) + 2 * 4 * 20),
        {
            "Each direction of each layer has two biases, not one.": (
                2 * (80 * 30 + 80) + 2 * (80 * 60 + 80)
            ),
            "The second layer reads both directions: 40 numbers, not 20.": (
                2 * (80 * 30 + 160) + 2 * (80 * 40 + 160)
            ),
            "Only one direction is counted.": 80 * 30 + 160 + 80 * 60 + 160,
            "An LSTM has four blocks of rows: three gates and the new value.": (
                2 * (60 * 30 + 120) + 2 * (60 * 60 + 120)
            ),
            "The biases are missing.": 2 * 80 * 30 + 2 * 80 * 60,
        },
    ),
    "recurrent-step": Task(
        "x: b i, state: b m, weight_ih: o i, weight_hh: o m, bias_ih: o, bias_hh: o "
        "-> b o",
        _step,
        {
            "The second bias is forgotten.": (partial(_step, second=0.0)),
            "The tanh is forgotten.": partial(_step, bend=torch.clone),
            "It is a sigmoid; the new state is a tanh.": (
                partial(_step, bend=torch.sigmoid)
            ),
            "It is a ReLU; the new state is a tanh.": partial(_step, bend=torch.relu),
            "The old state's part is added after the tanh; it belongs inside.": (
                partial(_step, outside=True)
            ),
            "There is one tanh, of the sum of both parts.": (
                lambda x, h, w, u, b, c: linear(x, w, b).tanh() + linear(h, u, c).tanh()
            ),
            "The old state does not enter.": (
                lambda x, h, w, u, b, c: (linear(x, w, b) + linear(0 * h, u, c)).tanh()
            ),
        },
        without=["linear", "addmm", "rnn_tanh_cell"],
    ),
    "recurrent-lstm": Task(
        "input_gate: b m, forget_gate: b m, cell: b m, output_gate: b m, c: b m, "
        "weight_hr: o m -> h: b o, sum: b m",
        _lstm,
        {
            "Input and forget gate are exchanged.": (
                lambda input_gate, forget_gate, *rest: _lstm(
                    forget_gate, input_gate, *rest
                )
            ),
            "A forget gate of 1 keeps the old sum, and one of 0 loses it.": (
                lambda input_gate, forget_gate, *rest: _lstm(
                    input_gate, -forget_gate, *rest
                )
            ),
            "The new value goes in without its tanh.": partial(_lstm, new=torch.clone),
            "The new value is a sigmoid; it is a tanh.": (
                partial(_lstm, new=torch.sigmoid)
            ),
            "The input gate is not used: all that is new goes in.": (
                partial(_lstm, enter=torch.ones_like)
            ),
            "The output gate is a tanh; a gate is a sigmoid.": (
                partial(_lstm, show=torch.tanh)
            ),
            "The input gate is a tanh; a gate is a sigmoid.": (
                partial(_lstm, enter=torch.tanh)
            ),
            "The forget gate is a tanh; a gate is a sigmoid.": (
                partial(_lstm, keep=torch.tanh)
            ),
            "The input gate has no sigmoid.": partial(_lstm, enter=torch.clone),
            "The forget gate has no sigmoid.": partial(_lstm, keep=torch.clone),
            "The output gate has no sigmoid.": partial(_lstm, show=torch.clone),
            "The old sum is shown; the new one is to be.": partial(_lstm, old=True),
            "The output gate is projected, too; it belongs before the projection.": (
                _gate_last
            ),
            "The old sum is never forgotten.": (
                lambda input_gate, forget_gate, *rest: _lstm(
                    input_gate, torch.full_like(forget_gate, 40.0), *rest
                )
            ),
            "What is shown is the tanh of the sum, not the sum.": (
                lambda input_gate, forget_gate, cell, output_gate, c, w: (
                    linear(
                        output_gate.sigmoid()
                        * _lstm(input_gate, forget_gate, cell, output_gate, c, w)[1],
                        w,
                    ),
                    _lstm(input_gate, forget_gate, cell, output_gate, c, w)[1],
                )
            ),
            "The gate belongs before the projection: the sum is shown as a whole.": (
                lambda input_gate, forget_gate, cell, output_gate, c, w: (
                    linear(
                        _lstm(input_gate, forget_gate, cell, output_gate, c, w)[
                            1
                        ].tanh(),
                        w,
                    ),
                    _lstm(input_gate, forget_gate, cell, output_gate, c, w)[1],
                )
            ),
        },
        without=["lstm_cell", "linear", "addmm"],
    ),
    "recurrent-gru": Task(
        "read: b o, reset: b o, state: b m, weight_hh: o m, bias_hh: o -> b o",
        _new,
        {
            "The hidden bias is inside: the reset gate multiplies it, too.": (
                lambda read, reset, h, w, b: (
                    read + reset.sigmoid() * linear(h, w) + b
                ).tanh()
            ),
            "The reset gate belongs to the recalled part, not to what is read.": (
                lambda read, reset, h, w, b: (
                    reset.sigmoid() * read + linear(h, w, b)
                ).tanh()
            ),
            "A gate is between 0 and 1: it needs its sigmoid.": (
                partial(_new, gate=torch.clone)
            ),
            "The new value is a tanh.": partial(_new, bend=torch.clone),
            "The new value is a tanh, not a sigmoid.": (
                partial(_new, bend=torch.sigmoid)
            ),
            "The reset gate multiplies all; what is read passes as it is.": (
                partial(_new, all_=True)
            ),
            "A reset gate of 1 keeps the old state, and one of 0 loses it.": (
                partial(_new, gate=lambda reset: 1 - reset.sigmoid())
            ),
        },
        without=["gru_cell", "linear", "addmm"],
    ),
    "recurrent-back": Task(
        "gradient: t b o, decay: o -> t b o",
        lambda gradient, decay: _forward(gradient.flip(0), decay).flip(0),
        {
            "It runs forward: the gradient comes from the later moments.": _forward,
            "The result is in reverse: moment 0 stands last.": (
                lambda gradient, decay: _forward(gradient.flip(0), decay)
            ),
            "The decay is missing: a later moment counts less.": (
                lambda gradient, _: gradient.flip(0).cumsum(0).flip(0)
            ),
            "The gradient of the moment itself decays, too; only later ones do.": (
                lambda gradient, decay: (
                    decay * _forward(gradient.flip(0), decay).flip(0)
                )
            ),
            "All later moments decay once; each step decays once more.": (
                lambda gradient, decay: (decay * gradient).flip(0).cumsum(0).flip(0)
            ),
            "Only the next moment is asked, not those after it.": (
                lambda gradient, decay: (
                    gradient
                    + decay * torch.cat([gradient[1:], torch.zeros_like(gradient[:1])])
                )
            ),
        },
    ),
    "recurrent-story-gate": Task(
        "gate: b o, new: b o, state: b o -> b o",
        lambda gate, new, state: gate * new + (1 - gate) * state,
        {
            "It is the other way round: a gate of 1 takes the new row.": (
                lambda gate, new, state: gate * state + (1 - gate) * new
            ),
            "What the gate lets in is added, and nothing of the old state leaves.": (
                lambda gate, new, state: gate * new + state
            ),
            "The old state is lost: a gate of 0 keeps it.": (
                lambda gate, new, state: gate * new + 0 * state
            ),
            "A gate of one half takes one half of each, not the whole of both.": (
                lambda gate, new, state: (
                    torch.where(gate != 0, new, 0) + torch.where(gate != 1, state, 0)
                )
            ),
        },
    ),
    "recurrent-story-two": Task(
        "decay: b o, new: b o, next_decay: b o, next_new: b o -> decay: b o, new: b o",
        lambda decay, new, next_decay, next_new: (
            next_decay * decay,
            next_decay * new + next_new,
        ),
        {
            "What the first step adds is multiplied by the second decay, too.": (
                lambda decay, new, next_decay, next_new: (
                    next_decay * decay,
                    new + next_new,
                )
            ),
            "The steps are exchanged: the first one comes first.": (
                lambda decay, new, next_decay, next_new: (
                    decay * next_decay,
                    decay * next_new + new,
                )
            ),
            "The state is multiplied twice, so the decays are multiplied, not added.": (
                lambda decay, new, next_decay, next_new: (
                    next_decay + decay,
                    next_decay * new + next_new,
                )
            ),
            "The second step adds something as well.": (
                lambda decay, new, next_decay, next_new: (
                    next_decay * decay,
                    next_decay * new + 0 * next_new,
                )
            ),
        },
    ),
}
