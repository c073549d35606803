"""Recurrent layers: a cell that reads one moment, and a scan that repeats it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Num
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_map

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.dropout import dropout
from layerlib.linear import LINEAR, linear

Step = Callable[..., Sequence[Tensor]]


def _rnn_tanh(read: Tensor, recalled: Tensor, _h: Tensor) -> Sequence[Tensor]:
    return [(read + recalled).tanh()]


def _rnn_relu(read: Tensor, recalled: Tensor, _h: Tensor) -> Sequence[Tensor]:
    total = read + recalled
    return [total.masked_fill(total <= 0, 0)]


def _lstm(read: Tensor, recalled: Tensor, _h: Tensor, c: Tensor) -> Sequence[Tensor]:
    enter, forget, new, show = (read + recalled).chunk(4, dim=-1)
    c = forget.sigmoid() * c + enter.sigmoid() * new.tanh()
    return [show.sigmoid() * c.tanh(), c]


def _gru(read: Tensor, recalled: Tensor, h: Tensor) -> Sequence[Tensor]:
    reset, update, new = read.chunk(3, dim=-1)
    reset_h, update_h, new_h = recalled.chunk(3, dim=-1)
    new = (new + (reset + reset_h).sigmoid() * new_h).tanh()
    return [new + (update + update_h).sigmoid() * (h - new)]


STEPS: dict[str, Step] = {
    "RNN_TANH": _rnn_tanh,
    "RNN_RELU": _rnn_relu,
    "LSTM": _lstm,
    "GRU": _gru,
}
"""The next state, from ``w_ih x + b_ih``, ``w_hh h + b_hh`` and the state."""


def rnn_tanh_cell(
    input: Num[Tensor, "b i"],
    hx: Num[Tensor, "b h"],
    w_ih: Num[Tensor, "h i"],
    w_hh: Num[Tensor, "h h"],
    b_ih: Num[Tensor, " h"] | None = None,
    b_hh: Num[Tensor, " h"] | None = None,
) -> Num[Tensor, "b h"]:
    """``(b, i), (b, h), (h, i), (h, h), (h,), (h,) -> (b, h)``: tanh of a `linear`.

    It is linear in the input and the state together, ``[x, h]``: a product each, and
    then their sum. Of the two biases one would do.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: Elman, https://doi.org/10.1207/s15516709cog1402_1; `torch.nn.RNNCell`.
    """
    return _cell("rnn_tanh_cell", _rnn_tanh, 1, [input, hx, w_ih, w_hh, b_ih, b_hh])[0]


def rnn_relu_cell(
    input: Num[Tensor, "b i"],
    hx: Num[Tensor, "b h"],
    w_ih: Num[Tensor, "h i"],
    w_hh: Num[Tensor, "h h"],
    b_ih: Num[Tensor, " h"] | None = None,
    b_hh: Num[Tensor, " h"] | None = None,
) -> Num[Tensor, "b h"]:
    """``(b, i), (b, h), (h, i), (h, h), (h,), (h,) -> (b, h)``: relu of a `linear`.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: Le, Jaitly and Hinton, https://arxiv.org/abs/1504.00941;
    `torch.nn.RNNCell`.
    """
    return _cell("rnn_relu_cell", _rnn_relu, 1, [input, hx, w_ih, w_hh, b_ih, b_hh])[0]


def lstm_cell(
    input: Num[Tensor, "b i"],
    hx: Sequence[Num[Tensor, "b h"]],
    w_ih: Num[Tensor, "g i"],
    w_hh: Num[Tensor, "g h"],
    b_ih: Num[Tensor, " g"] | None = None,
    b_hh: Num[Tensor, " g"] | None = None,
) -> tuple[Num[Tensor, "b h"], Num[Tensor, "b h"]]:
    """``(b, i), ((b, h), (b, h)), ... -> ((b, h), (b, h))``: a sum that remembers.

    The state ``(h, c)`` is what the cell shows, and a sum that it keeps. Gates between
    0 and 1 say how much enters the sum, how much of the old sum is not forgotten, and
    how much of the new one is shown; what may enter is a tanh. The rows of the weights
    are those of enter, forget, new and show.

    Raises:
        ValueError: there are not two states, or a shape or a dtype does not fit.

    Source: Hochreiter and Schmidhuber, https://doi.org/10.1162/neco.1997.9.8.1735;
    the forget gate: Gers et al., https://doi.org/10.1162/089976600300015015;
    `torch.nn.LSTMCell`.
    """
    two = not isinstance(hx, Tensor) and len(hx) == 2
    expect("lstm_cell", two, "two states, hx = (h, c)", len(hx))
    h, c = _cell("lstm_cell", _lstm, 4, [input, *hx, w_ih, w_hh, b_ih, b_hh])
    return h, c


def gru_cell(
    input: Num[Tensor, "b i"],
    hx: Num[Tensor, "b h"],
    w_ih: Num[Tensor, "g i"],
    w_hh: Num[Tensor, "g h"],
    b_ih: Num[Tensor, " g"] | None = None,
    b_hh: Num[Tensor, " g"] | None = None,
) -> Num[Tensor, "b h"]:
    """``(b, i), (b, h), (3 h, i), (3 h, h), ... -> (b, h)``: between old and new.

    One gate says where between the two the next state lies; the other how much of the
    old state the new one sees: after its product and bias, where the paper has it
    before. The rows of the weights are those of reset, update and new.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: Cho et al., https://arxiv.org/abs/1406.1078; `torch.nn.GRUCell`.
    """
    return _cell("gru_cell", _gru, 3, [input, hx, w_ih, w_hh, b_ih, b_hh])[0]


def _cell(name: str, step: Step, gates: int, given: list[Any]) -> list[Tensor]:
    x, *state, w_ih, w_hh, _, _ = given
    (i, h) = [w.shape[-1] if w.ndim else 0 for w in (w_ih, w_hh)]
    b = x.shape[:1] if x.ndim == 2 else ("batch",)
    dtype, g = x.dtype, gates * h
    expected = [(*b, i), *[(*b, h) for _ in state], (g, i), (g, h), (g,), (g,)]
    names = ["input", *["hx" for _ in state], "w_ih", "w_hh", "b_ih", "b_hh"]
    for argument, shape, value in zip(names, expected, given, strict=True):
        if value is not None:
            got = tuple(value.shape)
            expect(name, got == shape, f"{argument} of shape {shape}", got)
    x, h, *kept, w_ih, w_hh, b_ih, b_hh = _alike(name, given)
    made = step(linear(x, w_ih, b_ih), linear(h, w_hh, b_hh), h, *kept)
    return [state.to(dtype) for state in made]


def _alike(name: str, given: Sequence[Tensor | None]) -> list[Any]:
    """All of one dtype, and halves as float32, to be rounded once, at the end."""
    dtypes = sorted({str(x.dtype) for x in given if x is not None})
    # A product of two dtypes would quietly take the wider one.
    one = len(dtypes) == 1 or torch.is_autocast_enabled("cpu")
    expect(name, one, "input, state and weights of one dtype", dtypes)
    return [None if x is None else wide(x) for x in given]


def scan(
    input: Num[Tensor, "n i"],
    state: Sequence[Num[Tensor, "b ..."]],
    step: Step,
    batch_sizes: Sequence[int],
    reverse: bool = False,
) -> tuple[Num[Tensor, "n ..."], tuple[Num[Tensor, "b ..."], ...]]:
    """``(n, i), ((b, h), ...) -> (n, h), ((b, h), ...)``: one step for each moment.

    The rows of the input are those of the first moment, one for each sequence, then
    those of the second: `batch_sizes` of them, fewer where sequences have ended.
    ``step(rows, *state)`` gives the next state, and its first part is the output. The
    last state of each sequence is returned as well. In reverse, each sequence is read
    from its own end.

    Raises:
        ValueError: the sizes of the batch do not fit the rows or the state, or grow.

    >>> def add(x, total):
    ...     return [total + x]
    >>> output, last = scan(torch.ones(3, 1), [torch.zeros(2, 1)], add, [2, 1])
    >>> output.flatten(), last[0].flatten()
    (tensor([1., 1., 2.]), tensor([2., 1.]))

    Source: the prefix sum, with a step for its plus; the rows of a
    `torch.nn.utils.rnn.PackedSequence`.
    """
    sizes, batch = list(batch_sizes), [len(first) for first in state]
    starts, grows = {*batch, *sizes[:1]}, sizes != sorted(sizes, reverse=True)
    fits = bool(sizes) and len(starts) == 1 and not grows and sum(sizes) == len(input)
    told = f"batch sizes that start with {batch}, as the state, never grow, and add up"
    expect("scan", fits, f"{told} to the {len(input)} rows of the input", sizes)
    moments = torch.split(input, sizes)
    now, outputs, ended = [first[:0] for first in state], [], []
    for rows in reversed(moments) if reverse else moments:
        size, before = len(rows), len(now[0])
        if size > before:  # at first all start; in reverse, the shorter ones later
            new = [first[before:size] for first in state]
            now = [torch.cat(pair) for pair in zip(now, new, strict=True)]
        elif size < before:
            ended.append([x[size:] for x in now])
            now = [x[:size] for x in now]
        now = list(step(rows, *now))
        outputs.append(now[0])
    last = zip(now, *reversed(ended), strict=True)
    return torch.cat(outputs[:: -1 if reverse else 1]), tuple(map(torch.cat, last))


class _Uniform(nn.Module):
    """Parameters that all start alike."""

    line = LINEAR
    hidden_size: int

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)


class _Recurrent(_Uniform, nn.RNNBase):
    """Layers and directions: a scan each."""

    def forward(
        self, input: Num[Tensor, "..."] | PackedSequence, hx: Any = None
    ) -> tuple[Num[Tensor, "..."] | PackedSequence, Any]:
        """The last layer's output at each moment, and the last state of each layer."""
        self._update_flat_weights()  # for check_input
        if isinstance(input, PackedSequence):
            rows, batch_sizes, order, back = input
            sizes = batch_sizes.tolist()
            state = self.permute_hidden(self._state(rows, sizes, hx), order)
            rows, last = self._layers(rows, sizes, state)
            packed = PackedSequence(rows, batch_sizes, order, back)
            return packed, self.permute_hidden(last, back)
        single, turned = input.ndim == 2, input.ndim == 3 and self.batch_first
        moments = input.unsqueeze(1) if single else input
        moments = moments.transpose(0, 1) if turned else moments
        told = "an input of 3 axes, or 2 without the batch, and at least one moment"
        expect(type(self).__name__, moments.ndim == 3 and len(moments) > 0, told, input)
        t, b, _ = moments.shape
        rows, sizes = moments.flatten(0, 1), [b] * t
        state = self._state(rows, sizes, hx, single=single)
        rows, last = self._layers(rows, sizes, state)
        output = rows.reshape(t, b, rows.shape[-1])
        if single:
            return output.squeeze(1), tree_map(lambda x: x.squeeze(1), last)
        return output.transpose(0, 1) if turned else output, last

    def _state(self, rows: Tensor, sizes: Any, hx: Any, *, single: bool = False) -> Any:
        """The first state, zero by default."""
        self.check_input(rows, sizes)
        shapes = [self.get_expected_hidden_size(rows, sizes)]
        if isinstance(self, nn.LSTM):
            shapes.append(self.get_expected_cell_size(rows, sizes))
        lstm = len(shapes) == 2
        if hx is None:
            state = [rows.new_zeros(shape) for shape in shapes]
        else:
            state = list(hx) if lstm and not isinstance(hx, Tensor) else [hx]
            expected = [(n, h) if single else (n, b, h) for n, b, h in shapes]
            given = [tuple(x.shape) for x in state]
            right, got = (", ".join(map(str, each)) for each in (expected, given))
            name = type(self).__name__
            expect(name, given == expected, f"hx of shape {right}", got)
            state = [x.unsqueeze(1) for x in state] if single else state
        return tuple(state) if lstm else state[0]

    def _layers(self, rows: Tensor, sizes: list[int], hx: Any) -> tuple[Tensor, Any]:
        states, last = hx if isinstance(hx, tuple) else [hx], []
        each = zip(self.all_weights, *states, strict=True)
        for layer in range(self.num_layers):
            if layer:
                rows = dropout(rows, self.dropout, self.training)
            made = [
                self.one_direction(rows, sizes, bool(back), *next(each))
                for back in range(1 + self.bidirectional)
            ]
            rows = torch.cat([output for output, _ in made], dim=-1)
            last += [state for _, state in made]
        ends = tuple(torch.stack(x) for x in zip(*last, strict=True))
        return rows, ends if isinstance(hx, tuple) else ends[0]

    def one_direction(
        self, rows: Tensor, sizes: list[int], back: bool, weights: Any, *state: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """The output and the last state of one layer that reads one way."""
        given = _alike(type(self).__name__, [rows, *weights, *state])
        x, w_ih, w_hh, *others = given[: 1 + len(weights)]
        b_ih, b_hh = others[:2] if self.bias else (None, None)
        w_hr = others[-1] if self.proj_size else None

        def step(read: Tensor, h: Tensor, *kept: Tensor) -> list[Tensor]:
            # LINEAR, with the bias added on the way.
            recalled = h @ w_hh.T if b_hh is None else torch.addmm(b_hh, h, w_hh.T)
            h, *rest = STEPS[self.mode](read, recalled, h, *kept)
            return [h if w_hr is None else h @ w_hr.T, *rest]

        read = linear(x, w_ih, b_ih)  # at all moments at once
        output, last = scan(read, given[1 + len(weights) :], step, sizes, back)
        return output.to(rows.dtype), [x.to(rows.dtype) for x in last]


class RNN(_Recurrent, nn.RNN):  # type: ignore[misc]
    """``(t, b, i), (l, b, h) -> (t, b, o), (l, b, h)``: `torch.nn.RNN`, by `scan`.

    ``weight_ih_l0`` has shape ``(h, i)``, ``weight_hh_l0`` ``(h, h)``, ``bias_ih_l0``
    and ``bias_hh_l0`` ``(h,)``; the next layer's end in ``_l1``, and in ``_l0_reverse``
    those of the other direction. All start uniform between ``-1 / sqrt(h)`` and
    ``1 / sqrt(h)``.
    """


class LSTM(_Recurrent, nn.LSTM):  # type: ignore[misc]
    """``(t, b, i), ((l, b, h), ...) -> (t, b, o), ((l, b, h), ...)``: `torch.nn.LSTM`.

    Computed by `scan`. The parameters are those of `RNN` with ``4 h`` rows; with a
    projection there is ``weight_hr_l0`` of shape ``(proj_size, h)`` too.
    """


class GRU(_Recurrent, nn.GRU):  # type: ignore[misc]
    """``(t, b, i), (l, b, h) -> (t, b, o), (l, b, h)``: `torch.nn.GRU`, by `scan`.

    The parameters are those of `RNN` with ``3 h`` rows.
    """


class _Cell(_Uniform, nn.RNNCellBase):
    """One moment: the state is zero by default."""

    cell: Callable[..., Any]

    def forward(self, input: Num[Tensor, "..."], hx: Any = None) -> Any:
        """The next state."""
        if hx is None:
            zeros = input.new_zeros(*input.shape[:-1], self.hidden_size)
            hx = (zeros, zeros) if isinstance(self, nn.LSTMCell) else zeros
        if input.ndim == 1:
            batched = tree_map(lambda x: x.unsqueeze(0), (input, hx))
            return tree_map(lambda x: x.squeeze(0), self.forward(*batched))
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return self.cell(input, hx, *weights)


class RNNCell(_Cell, nn.RNNCell):
    """``(b, i), (b, h) -> (b, h)``: `torch.nn.RNNCell`, computed by `rnn_tanh_cell`.

    Or by `rnn_relu_cell`. ``weight_ih`` has shape ``(h, i)``, ``weight_hh`` ``(h, h)``,
    ``bias_ih`` and ``bias_hh`` ``(h,)``; all start uniform between ``-1 / sqrt(h)`` and
    ``1 / sqrt(h)``.
    """

    @property
    def cell(self) -> Callable[..., Any]:  # type: ignore[override]
        """The function with this nonlinearity."""
        cells = {"tanh": rnn_tanh_cell, "relu": rnn_relu_cell}
        name, told = self.nonlinearity, "the nonlinearity 'tanh' or 'relu'"
        expect("RNNCell", name in cells, told, repr(name))
        return cells[name]


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
