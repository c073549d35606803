"""Recurrent layers: a cell that reads one time step, and a scan that repeats it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Num
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from layerlib.conventions.recurrent import cell, one_step, sequences, time_steps
from layerlib.conventions.signature import convention
from layerlib.dropout import dropout
from layerlib.engine.steps import add_product, by_time_step, first, parts, renewed
from layerlib.linear import LINEAR
from layerlib.recipe import Bend

SIGMOID = Bend("sigmoid", torch.sigmoid)
TANH = Bend("tanh", torch.tanh)
RELU = Bend("relu", lambda x: x.masked_fill(x <= 0, 0))  # its slope at 0 is 0

Rows = Num[Tensor, "_ _"]
Bias = Any  # the convention replaces None by zeros
Step = Callable[..., Sequence[Tensor]]
"""``step(rows, *state)`` -> the next state; its first part is the output."""


def rnn_step(projected: Rows, h: Rows, w_hh: Tensor, bend: Bend = TANH) -> list[Tensor]:
    """``(b, h), (b, h), (h, h) -> ((b, h),)``: input and old state, bent together.

    `projected` is the input after its linear map, with both biases: it needs no
    state, so all time steps are projected at once.

    Raises:
        RuntimeError: the state does not fit the weight.

    Source: Elman, https://doi.org/10.1207/s15516709cog1402_1.
    """
    return [bend(add_product(projected, LINEAR.later(h, w_hh)))]


def lstm_step(
    projected: Rows, h: Rows, c: Rows, w_hh: Tensor, w_hr: Tensor | None = None
) -> list[Tensor]:
    """``(b, 4 h), (b, h), (b, h), (4 h, h) -> ((b, h), (b, h))``: a sum with gates.

    The cell state ``c`` is a running sum. The gates are between 0 and 1: `forget` says
    how much of the old sum is kept, `input` how much of the new value enters it,
    `output` how much of tanh(c) is put out as ``h``. `w_hr` gives ``h`` fewer features.

    Raises:
        RuntimeError: the state does not fit the weight.
        ValueError: the state does not fit the projection.

    Source: Hochreiter and Schmidhuber, https://doi.org/10.1162/neco.1997.9.8.1735;
    the forget gate: Gers et al., https://doi.org/10.1162/089976600300015015;
    the projection: Sak et al., https://arxiv.org/abs/1402.1128.
    """
    gates = add_product(projected, LINEAR.later(h, w_hh))
    input, forget, candidate, output = parts(gates, 4)  # noqa: A001
    kept = SIGMOID(forget) * c
    new = SIGMOID(input) * TANH(candidate)
    c = kept + new
    h = SIGMOID(output) * TANH(c)
    return [h if w_hr is None else LINEAR(h, w_hr), c]


def gru_step(projected: Rows, h: Rows, w_hh: Tensor, b_hh: Tensor) -> list[Tensor]:
    """``(b, 3 h), (b, h), (3 h, h), (3 h,) -> ((b, h),)``: between old and new.

    `reset` scales the recurrent part of the new value, after the product with `w_hh`
    and the bias, as in torch; in the paper it scales the state before. `update` says
    where between the new value (0) and the old state (1) the next state lies.

    Raises: what `rnn_step` raises.

    Source: Cho et al., https://arxiv.org/abs/1406.1078.
    """
    recurrent = add_product(b_hh, LINEAR.later(h, w_hh))
    reset, update, new = parts(projected, 3)
    reset_h, update_h, new_h = parts(recurrent, 3)
    reset = SIGMOID(reset + reset_h)
    update = SIGMOID(update + update_h)
    new = TANH(new + reset * new_h)
    return [(h - new) * update + new]


@convention(cell)
def rnn_tanh_cell(
    input: Rows, hx: Rows, w_ih: Rows, w_hh: Rows, b_ih: Bias = None, b_hh: Bias = None
) -> Rows:
    """``(b, i), (b, h), (h, i), (h, h), (h,), (h,) -> (b, h)``: tanh of a `linear`.

    Inside the tanh is one linear map of ``[x, h]``, written as two products and their
    sum. One of the two biases would do.

    Raises:
        ValueError: a shape, a dtype or the number of states does not fit.

    Source: `torch.nn.RNNCell`.
    """
    projected = LINEAR(input, w_ih) + b_ih + b_hh
    return rnn_step(projected, hx, w_hh)[0]


@convention(cell)
def rnn_relu_cell(
    input: Rows, hx: Rows, w_ih: Rows, w_hh: Rows, b_ih: Bias = None, b_hh: Bias = None
) -> Rows:
    """``(b, i), (b, h), (h, i), (h, h), (h,), (h,) -> (b, h)``: relu of a `linear`.

    Raises: what `rnn_tanh_cell` raises.

    Source: Le, Jaitly and Hinton, https://arxiv.org/abs/1504.00941;
    `torch.nn.RNNCell`.
    """
    projected = LINEAR(input, w_ih) + b_ih + b_hh
    return rnn_step(projected, hx, w_hh, RELU)[0]


@convention(cell)
def lstm_cell(
    input: Rows, hx: Any, w_ih: Rows, w_hh: Rows, b_ih: Bias = None, b_hh: Bias = None
) -> Any:
    """``(b, i), ((b, h), (b, h)), ... -> ((b, h), (b, h))``: one `lstm_step`.

    The rows of the weights are those of input gate, forget gate, candidate and output
    gate.

    Raises: what `rnn_tanh_cell` raises.

    Source: `torch.nn.LSTMCell`.
    """
    projected = LINEAR(input, w_ih) + b_ih + b_hh
    h, c = hx
    return tuple(lstm_step(projected, h, c, w_hh))


@convention(cell)
def gru_cell(
    input: Rows, hx: Rows, w_ih: Rows, w_hh: Rows, b_ih: Bias = None, b_hh: Bias = None
) -> Rows:
    """``(b, i), (b, h), (3 h, i), (3 h, h), ... -> (b, h)``: one `gru_step`.

    The rows of the weights are those of reset, update and new.

    Raises: what `rnn_tanh_cell` raises.

    Source: `torch.nn.GRUCell`.
    """
    projected = LINEAR(input, w_ih) + b_ih
    return gru_step(projected, hx, w_hh, b_hh)[0]


@convention(time_steps)
def scan(
    input: Tensor, state: Any, step: Step, batch_sizes: Any, reverse: bool = False
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """``(n, i), ((b, h), ...) -> (n, h), ((b, h), ...)``: one step after the other.

    The input holds the rows of the first time step, one for each sequence, then those
    of the second, and so on: ``batch_sizes[t]`` rows at step ``t``, fewer once
    sequences have ended. ``step(rows, *state)`` gives the next state, and its first
    part is the output. A sequence that has ended keeps its last state; in reverse, each
    is read from its own end.

    Raises:
        ValueError: the sizes of the batch do not fit the rows or the state, or grow.

    >>> add = lambda x, total: [total + x]
    >>> output, last = scan(torch.ones(3, 1), [torch.zeros(2, 1)], add, [2, 1])
    >>> output.flatten(), last[0].flatten()
    (tensor([1., 1., 2.]), tensor([2., 1.]))

    Source: the prefix sum, with `step` in place of the plus; the rows are those of a
    `torch.nn.utils.rnn.PackedSequence`.
    """
    steps, outputs = by_time_step(input, batch_sizes), []
    for rows in reversed(steps) if reverse else steps:
        current = [first(len(rows), x) for x in state]
        new = step(rows, *current)
        state = [renewed(*pair) for pair in zip(new, state, strict=True)]
        outputs.append(new[0])
    return torch.cat(outputs[:: -1 if reverse else 1]), tuple(state)


class _Uniform(nn.Module):
    """All parameters are drawn from one uniform distribution."""

    line = LINEAR
    hidden_size: int

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)


class _Recurrent(_Uniform, nn.RNNBase):
    """Layers and directions: a scan each."""

    prepare: Callable[..., tuple[Rows, Step]]

    def forward(
        self, input: Num[Tensor, "..."] | PackedSequence, hx: Any = None
    ) -> tuple[Num[Tensor, "..."] | PackedSequence, Any]:
        """The last layer's output at each time step, the last state of each layer."""
        return self.layers(input, hx, self.all_weights)

    @convention(sequences)
    def layers(self, input: Any, hx: Any, weights: Any) -> tuple[Tensor, Any]:
        """Each layer reads what the one below puts out, in one direction or both.

        `input` is the rows, and how many there are at each time step.
        """
        rows, sizes = input
        last, each = [], zip(weights, *hx, strict=True)
        for layer in range(self.num_layers):
            rows = dropout(rows, self.dropout, self.training) if layer else rows
            directions = [
                self.one_direction(rows, sizes, back, *next(each))
                for back in range(1 + self.bidirectional)
            ]
            rows = torch.cat([output for output, _ in directions], dim=-1)
            last += [state for _, state in directions]
        return rows, [torch.stack(x) for x in zip(*last, strict=True)]

    def one_direction(
        self, rows: Tensor, sizes: list[int], back: int, weights: Any, *state: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The output and the last state of one layer that reads one way."""
        projected, step = self.prepare(rows, *weights)
        return scan(projected, state, step, sizes, bool(back))


class RNN(_Recurrent, nn.RNN):  # type: ignore[misc]
    """``(t, b, i), (l, b, h) -> (t, b, o), (l, b, h)``: `torch.nn.RNN`, by `scan`.

    ``l`` is the number of layers, doubled if bidirectional; ``o`` is ``h`` or ``2 h``.
    ``weight_ih_l0`` has shape ``(h, i)``, ``weight_hh_l0`` ``(h, h)``, ``bias_ih_l0``
    and ``bias_hh_l0`` ``(h,)``; names end in ``_l1`` for the next layer, which reads
    ``o`` features, and in ``_reverse`` for the other direction. All start uniform
    between ``-1 / sqrt(h)`` and ``1 / sqrt(h)``. `batch_first` puts ``b`` before ``t``.
    """

    def prepare(self, rows: Rows, *weights: Tensor) -> tuple[Rows, Step]:
        """The projected input of all time steps, and the step that uses it."""
        w_ih, w_hh, b_ih, b_hh = weights
        projected = LINEAR(rows, w_ih) + (b_ih + b_hh)
        bend = RELU if self.nonlinearity == "relu" else TANH
        return projected, lambda now, h: rnn_step(now, h, w_hh, bend)


class LSTM(_Recurrent, nn.LSTM):  # type: ignore[misc]
    """``(t, b, i), ((l, b, h), ...) -> (t, b, o), ((l, b, h), ...)``: `torch.nn.LSTM`.

    By `scan`. The parameters are those of `RNN` with ``4 h`` rows; a projection adds
    ``weight_hr_l0`` ``(proj_size, h)`` and makes ``weight_hh_l0`` ``(4 h, proj_size)``.
    """

    def prepare(self, rows: Rows, *weights: Tensor) -> tuple[Rows, Step]:
        """The projected input of all time steps, and the step that uses it."""
        w_ih, w_hh, b_ih, b_hh, *w_hr = weights
        projected = LINEAR(rows, w_ih) + (b_ih + b_hh)
        return projected, lambda now, h, c: lstm_step(now, h, c, w_hh, *w_hr)


class GRU(_Recurrent, nn.GRU):  # type: ignore[misc]
    """``(t, b, i), (l, b, h) -> (t, b, o), (l, b, h)``: `torch.nn.GRU`, by `scan`.

    The parameters are those of `RNN` with ``3 h`` rows.
    """

    def prepare(self, rows: Rows, *weights: Tensor) -> tuple[Rows, Step]:
        """The projected input of all time steps, and the step that uses it."""
        w_ih, w_hh, b_ih, b_hh = weights
        projected = LINEAR(rows, w_ih) + b_ih
        return projected, lambda now, h: gru_step(now, h, w_hh, b_hh)


class _Cell(_Uniform, nn.RNNCellBase):
    """One time step: the state is zero by default."""

    cell: Callable[..., Any]

    @convention(one_step)
    def forward(self, input: Any, hx: Any = None) -> Any:
        """The next state."""
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return self.cell(input, hx, *weights)


class RNNCell(_Cell, nn.RNNCell):
    """``(b, i), (b, h) -> (b, h)``: `torch.nn.RNNCell`.

    Computed by `rnn_tanh_cell` or `rnn_relu_cell`. ``weight_ih`` has shape ``(h, i)``,
    ``weight_hh`` ``(h, h)``, ``bias_ih`` and ``bias_hh`` ``(h,)``; all start uniform
    between ``-1 / sqrt(h)`` and ``1 / sqrt(h)``.
    """

    @property
    def cell(self) -> Callable[..., Any]:  # type: ignore[override]
        """The function with this nonlinearity."""
        return {"tanh": rnn_tanh_cell, "relu": rnn_relu_cell}[self.nonlinearity]


class LSTMCell(_Cell, nn.LSTMCell):
    """``(b, i), ((b, h), (b, h)) -> ((b, h), (b, h))``: `torch.nn.LSTMCell`.

    The parameters are those of `RNNCell` with ``4 h`` rows.
    """

    cell = staticmethod(lstm_cell)


class GRUCell(_Cell, nn.GRUCell):
    """``(b, i), (b, h) -> (b, h)``: `torch.nn.GRUCell`, computed by `gru_cell`.

    The parameters are those of `RNNCell` with ``3 h`` rows.
    """

    cell = staticmethod(gru_cell)
