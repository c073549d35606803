"""How torch hands sequences, states and weights to recurrent cells and layers."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_map

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.conventions.signature import Given

Finish = Callable[[Any], Any]

GATES = {"lstm_cell": 4, "gru_cell": 3}
WEIGHTS = ("w_ih", "w_hh", "b_ih", "b_hh")


def cell(name: str, _: int, given: Given) -> Finish:
    """A cell's function: its shapes are checked, and no bias is a bias of zero."""
    x, hx, weights = given["input"], given["hx"], [given[key] for key in WEIGHTS]
    state = list(hx) if name == "lstm_cell" and not isinstance(hx, Tensor) else [hx]
    two = len(state) == 1 + (name == "lstm_cell")
    expect(name, two, "two states, hx = (h, c)", len(state))
    tensors(name, *state)
    i, h = (w.shape[-1] if w.ndim else 0 for w in weights[:2])
    b, g = x.shape[:1] if x.ndim == 2 else ("batch",), h * GATES.get(name, 1)
    shapes = [(*b, i), *[(*b, h) for _ in state], (g, i), (g, h), (g,), (g,)]
    names = ["input", *["hx" for _ in state], *WEIGHTS]
    for key, shape, value in zip(names, shapes, [x, *state, *weights], strict=True):
        got = shape if value is None else tuple(value.shape)
        expect(name, got == shape, f"{key} of shape {shape}", got)
    given["input"], state, (weights,), finish = alike(name, x, state, [weights])
    given.update(zip(WEIGHTS, weights, strict=True))
    given["hx"] = state if name == "lstm_cell" else state[0]
    return finish


def one_step(_: str, _n: int, given: Given) -> Finish | None:
    """A cell: the state is zero by default, and an absent batch a batch of one."""
    layer, x = given["self"], given["input"]
    tensors(type(layer).__name__, x)
    bend, told = getattr(layer, "nonlinearity", "tanh"), "'tanh' or 'relu'"
    known = bend in ("tanh", "relu")
    expect("RNNCell", known, f"the nonlinearity {told}", repr(bend))
    if given["hx"] is None:
        zeros = x.new_zeros(*x.shape[:-1], layer.hidden_size)
        given["hx"] = (zeros, zeros) if isinstance(layer, nn.LSTMCell) else zeros
    if x.ndim != 1:
        return None
    given["input"], given["hx"] = tree_map(lambda y: y[None], (x, given["hx"]))
    return lambda made: tree_map(lambda y: y[0], made)


def sequences(_: str, _n: int, given: Given) -> Finish:
    """A layer: the rows of each time step, the state of each layer and direction."""
    layer, x, hx = given["self"], given["input"], given["hx"]
    name, lstm = type(layer).__name__, isinstance(layer, nn.LSTM)
    packed = isinstance(x, PackedSequence)
    single, turned, order = False, False, x.sorted_indices if packed else None
    if packed:
        rows, sizes = x.data, x.batch_sizes.tolist()
    else:
        tensors(name, x)
        single, turned = x.ndim == 2, x.ndim == 3 and layer.batch_first
        by_time = x.unsqueeze(1) if single else x.transpose(0, 1) if turned else x
        told = "an input of 3 axes, or 2 without the batch, and at least one moment"
        expect(name, by_time.ndim == 3 and len(by_time) > 0, told, x)
        rows, sizes = by_time.flatten(0, 1), [by_time.shape[1]] * len(by_time)
    told, got = f"{layer.input_size} features in the last axis", rows.shape[-1]
    expect(name, got == layer.input_size, told, got)
    b = [] if single else sizes[:1]
    n, h = layer.num_layers * (1 + layer.bidirectional), layer.hidden_size
    shapes = [(n, *b, layer.proj_size or h), (n, *b, h)][: 1 + lstm]
    zeros = [rows.new_zeros(shape) for shape in shapes] if hx is None else []
    state = zeros or (list(hx) if lstm and not isinstance(hx, Tensor) else [hx])
    tensors(name, *state)
    got = [tuple(y.shape) for y in state]
    if got != shapes:  # torch.compile makes no text of a size that it does not know
        told, got = (", ".join(map(str, each)) for each in (shapes, got))
        expect(name, not told, f"hx of shape {told}", got)
    state = [y.unsqueeze(1) if single else sort(y, order) for y in state]
    all_weights = given["weights"]
    if not layer.bias:
        all_weights = [[*w[:2], None, None, *w[2:]] for w in all_weights]
    rows, state, all_weights, finish = alike(name, rows, state, all_weights, lstm=lstm)
    given.update(input=(rows, sizes), hx=state, weights=all_weights)

    how: Any = {"single": single, "turned": turned, "lstm": lstm}
    return lambda made: restored(finish(made), x, sizes, **how)


def restored(
    made: Any, x: Any, sizes: list[int], *, single: bool,
    turned: bool, lstm: bool,
) -> Any:  # fmt: skip
    """The output as the input came: packed, the batch first, or without one."""
    rows, last = made
    if isinstance(x, PackedSequence):
        y: Any = PackedSequence(rows, *x[1:])
        last = [sort(state, x.unsorted_indices) for state in last]
    else:
        y = rows.reshape(len(sizes), sizes[0], rows.shape[-1])
        y = y.squeeze(1) if single else y.transpose(0, 1) if turned else y
        last = [state.squeeze(1) for state in last] if single else last
    return y, tuple(last) if lstm else last[0]


def sort(state: Tensor, order: Tensor | None) -> Tensor:
    """The states of the sequences of a batch in another order, if there is one."""
    return state if order is None else state.index_select(1, order)


def time_steps(name: str, _: int, given: Given) -> None:
    """A scan: the rows are those of sequences that end one after the other."""
    rows, batch = given["input"], [len(first) for first in given["state"]]
    sizes = given["batch_sizes"] = list(given["batch_sizes"])
    starts = bool(sizes) and all(b == sizes[0] for b in batch)
    falls = all(a >= b for a, b in pairwise(sizes))
    if not (starts and falls and sum(sizes) == len(rows)):
        told = f"that start with {batch}, as the state, never grow, and add up to the"
        told = f"batch sizes {told} {len(rows)} rows of the input"
        expect(name, not told, told, sizes)


def tensors(name: str, *values: Any) -> None:
    """Raises, unless all are tensors."""
    for value in values:
        told = "input, state and weights as tensors"
        expect(name, isinstance(value, Tensor), told, type(value).__name__, TypeError)


def alike(
    name: str, x: Tensor, state: list[Tensor], weights: list[Any], *, lstm: bool = False
) -> tuple[Tensor, list[Tensor], list[Any], Finish]:
    """All of one dtype, and 16 bits as 32, to be rounded once; or as autocast wants."""
    given = [x, *state, *(w for each in weights for w in each if w is not None)]
    dtypes, device = sorted({str(y.dtype) for y in given}), x.device.type
    can = torch.amp.is_autocast_available(device)
    if can and torch.is_autocast_enabled(device) and "torch.float64" not in dtypes:
        few = torch.get_autocast_dtype(device)
        cast: Callable[[Tensor], Tensor] = lambda y: y.to(few)  # noqa: E731
        # torch's LSTM then runs in bfloat16 as a whole, its GRU keeps its state
        state = list(map(cast, state)) if lstm and few == torch.bfloat16 else state
        finish: Finish = lambda made: made  # noqa: E731
    else:  # a product of two dtypes would quietly take the wider one
        told, dtype = "input, state and weights of one dtype", x.dtype
        expect(name, len(dtypes) == 1, told, dtypes)
        cast, state = wide, list(map(wide, state))
        finish = lambda made: tree_map(lambda y: y.to(dtype), made)  # noqa: E731
    zeros = [each[0].new_zeros(len(each[0])) for each in weights]
    found = [
        [cast(zero if w is None else w) for w in each]
        for each, zero in zip(weights, zeros, strict=True)
    ]
    return cast(x), state, found, finish
