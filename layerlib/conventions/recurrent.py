"""How torch hands sequences, states and weights to recurrent cells and layers."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_map

from layerlib.conventions.call import Call, Step
from layerlib.conventions.dtypes import wide

GATES = {"lstm_cell": 4, "gru_cell": 3}
WEIGHTS = ("w_ih", "w_hh", "b_ih", "b_hh")


def cell(call: Call) -> None:
    """A cell's function: its shapes are checked, and no bias is a bias of zero."""
    x, weights = call.input, [getattr(call, name) for name in WEIGHTS]
    lstm = call.layer == "lstm_cell"
    state = _state(call, lstm)
    call.expect(len(state) == 1 + lstm, "two states, hx = (h, c)", len(state))
    _tensors(call, *state)
    i, h = (w.shape[-1] if w.ndim else 0 for w in weights[:2])
    b, g = x.shape[:1] if x.ndim == 2 else ("batch",), h * GATES.get(call.layer, 1)
    shapes = [(*b, i), *[(*b, h) for _ in state], (g, i), (g, h), (g,), (g,)]
    names = ["input", *["hx" for _ in state], *WEIGHTS]
    for name, shape, value in zip(names, shapes, [x, *state, *weights], strict=True):
        got = shape if value is None else tuple(value.shape)
        call.expect(got == shape, f"{name} of shape {shape}", got)
    call.input, state, (weights,) = _alike(call, x, state, [weights])
    call.w_ih, call.w_hh, call.b_ih, call.b_hh = weights
    call.hx = state if lstm else state[0]


def one_step(call: Call) -> None:
    """A cell: the state is zero by default, and an absent batch a batch of one."""
    layer, x = call.self, call.input
    call.layer = type(layer).__name__
    _tensors(call, x)
    bend = getattr(layer, "nonlinearity", "tanh")
    known = bend in ("tanh", "relu")
    call.expect(known, "the nonlinearity 'tanh' or 'relu'", repr(bend))
    if call.hx is None:
        zeros = x.new_zeros(*x.shape[:-1], layer.hidden_size)
        call.hx = (zeros, zeros) if isinstance(layer, nn.LSTMCell) else zeros
    if x.ndim == 1:
        call.input, call.hx = tree_map(lambda y: y[None], (x, call.hx))
        call.each(lambda y: y[0])


def sequences(call: Call) -> None:
    """A layer: the rows of each time step, the state of each layer and direction."""
    layer, x = call.self, call.input
    call.layer, lstm, order = type(layer).__name__, isinstance(layer, nn.LSTM), None
    single = isinstance(x, Tensor) and x.ndim == 2
    call.then(lambda made: (made[0], tuple(made[1]) if lstm else made[1][0]))
    if isinstance(x, PackedSequence):
        rows, sizes, order = x.data, x.batch_sizes.tolist(), x.sorted_indices
        call.then(lambda made: (made[0], _sorted(made[1], x.unsorted_indices)))
        _then_rows(call, lambda rows: PackedSequence(rows, *x[1:]))
    else:
        rows, sizes = _time_steps(call)
    told, i = f"{layer.input_size} features in the last axis", rows.shape[-1]
    call.expect(i == layer.input_size, told, i)
    b = [] if single else sizes[:1]
    n, h = layer.num_layers * (1 + layer.bidirectional), layer.hidden_size
    shapes = [(n, *b, layer.proj_size or h), (n, *b, h)][: 1 + lstm]
    zeros = [rows.new_zeros(shape) for shape in shapes] if call.hx is None else []
    state = zeros or _state(call, lstm)
    _tensors(call, *state)
    got = [tuple(y.shape) for y in state]
    if got != shapes:  # torch.compile makes no text of a size that it does not know
        told, found = (", ".join(map(str, each)) for each in (shapes, got))
        call.expect(not told, f"hx of shape {told}", found)
    state = [y.unsqueeze(1) for y in state] if single else _sorted(state, order)
    weights = call.weights
    if not layer.bias:
        weights = [[*w[:2], None, None, *w[2:]] for w in weights]
    rows, call.hx, call.weights = _alike(call, rows, state, weights, lstm=lstm)
    call.input = (rows, sizes)


def _time_steps(call: Call) -> tuple[Tensor, list[int]]:
    """The rows of all time steps, and how many each has; and the way back."""
    x = call.input
    _tensors(call, x)
    if x.ndim == 2:
        by_time = x.unsqueeze(1)
        call.each(lambda y: y.squeeze(1))
    elif x.ndim == 3 and call.self.batch_first:
        by_time = x.transpose(0, 1)
        _then_rows(call, lambda y: y.transpose(0, 1))
    else:
        by_time = x
    told = "an input of 3 axes, or 2 without the batch, and at least one moment"
    call.expect(by_time.ndim == 3 and len(by_time) > 0, told, x)
    t, b = by_time.shape[:2]
    _then_rows(call, lambda rows: rows.reshape(t, b, rows.shape[-1]))
    return by_time.flatten(0, 1), [b] * t


def _then_rows(call: Call, step: Step) -> None:
    """Has this done to the output of all time steps, and not to the last state."""
    call.then(lambda made: (step(made[0]), made[1]))


def _sorted(state: list[Tensor], order: Tensor | None) -> list[Tensor]:
    """The states of the sequences of a batch in another order, if there is one."""
    return state if order is None else [y.index_select(1, order) for y in state]


def _state(call: Call, lstm: bool) -> list[Any]:
    return [*call.hx] if lstm and not isinstance(call.hx, Tensor) else [call.hx]


def time_steps(call: Call) -> None:
    """A scan: the rows are those of sequences that end one after the other."""
    rows, batch = call.input, [len(first) for first in call.state]
    sizes = call.batch_sizes = list(call.batch_sizes)
    starts = bool(sizes) and all(b == sizes[0] for b in batch)
    falls = all(a >= b for a, b in pairwise(sizes))
    if not (starts and falls and sum(sizes) == len(rows)):
        told = f"that start with {batch}, as the state, never grow, and add up to the"
        told = f"batch sizes {told} {len(rows)} rows of the input"
        call.expect(not told, told, sizes)


def _tensors(call: Call, *values: Any) -> None:
    for value in values:
        told, kind = "input, state and weights as tensors", type(value).__name__
        call.expect(isinstance(value, Tensor), told, kind, TypeError)


def _alike(
    call: Call,
    x: Tensor,
    state: list[Tensor],
    weights: list[Any],
    *,
    lstm: bool = False,
) -> tuple[Tensor, list[Tensor], list[Any]]:
    """All of one dtype, and 16 bits as 32, to be rounded once; or as autocast wants."""
    given = [x, *state, *(w for each in weights for w in each if w is not None)]
    dtypes, device = sorted({str(y.dtype) for y in given}), x.device.type
    can = torch.amp.is_autocast_available(device)
    cast: Step = wide
    if can and torch.is_autocast_enabled(device) and "torch.float64" not in dtypes:
        few = torch.get_autocast_dtype(device)
        cast = lambda y: y.to(few)  # noqa: E731
        # torch's LSTM then runs in bfloat16 as a whole, its GRU keeps its state
        state = list(map(cast, state)) if lstm and few == torch.bfloat16 else state
    else:  # a product of two dtypes would quietly take the wider one
        told, dtype = "input, state and weights of one dtype", x.dtype
        call.expect(len(dtypes) == 1, told, dtypes)
        state = list(map(wide, state))
        call.each(lambda y: y.to(dtype))
    zeros = [each[0].new_zeros(len(each[0])) for each in weights]
    pairs = zip(weights, zeros, strict=True)
    found = [[cast(zero if w is None else w) for w in each] for each, zero in pairs]
    return cast(x), state, found
