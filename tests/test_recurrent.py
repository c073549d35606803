"""Recurrent cells and layers next to torch's: every option, packed sequences too."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.checkpoint import checkpoint

from examples import randn
from layerlib import recurrent
from layerlib.lab import lines, same
from layerlib.linear import LINEAR
from layerlib.recurrent import (
    gru_cell,
    lstm_cell,
    rnn_relu_cell,
    rnn_tanh_cell,
    scan,
)

HALVES = [torch.bfloat16, torch.float16]
DTYPES = [torch.float64, torch.float32, torch.complex128]
GATES = {"rnn_tanh_cell": 1, "rnn_relu_cell": 1, "lstm_cell": 4, "gru_cell": 3}
CELLS = {
    "rnn_tanh_cell": rnn_tanh_cell,
    "rnn_relu_cell": rnn_relu_cell,
    "lstm_cell": lstm_cell,
    "gru_cell": gru_cell,
}
EACH_CELL = pytest.mark.parametrize("name", CELLS)
EACH_LAYER = pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
EACH_CELL_CLASS = pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])


def weights(name: str, i: int = 3, h: int = 4, **kwargs: Any) -> list[Tensor]:
    g = GATES[name] * h
    return [randn(*s, **kwargs) for s in [(g, i), (g, h), (g,), (1, g)[1:]]]


def with_state(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The same with the states as arguments of their own, whose gradients count."""
    if "lstm" not in name.lower():
        return function
    return lambda x, h, c, *rest: function(x, (h, c), *rest)


def states(name: str, *shape: int, **kwargs: Any) -> list[Tensor]:
    return [randn(*shape, **kwargs), randn(*shape, **kwargs) / 2][
        : 1 + ("lstm" in name.lower())
    ]


def bends(nonlinearity: str) -> bool:
    """Whether second gradients are more than zeros, which torch has and we leave out."""
    return "relu" not in nonlinearity


def pair(twins: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
    return twins([getattr(recurrent, name), getattr(nn, name)], *args, **kwargs)


# Cells


@EACH_CELL
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [1, 2, 0])
def test_cell_function(name: str, batch: int, dtype: torch.dtype) -> None:
    if name == "rnn_relu_cell" and dtype.is_complex:
        return  # there is no order among complex numbers, and torch refuses as well
    given = [randn(batch, 3, dtype=dtype), *states(name, batch, 4, dtype=dtype)]
    made = weights(name, dtype=dtype)
    ours, theirs = (with_state(f, name) for f in (CELLS[name], getattr(torch, name)))
    for biases in (made[2:], [], [made[2], None], [None, made[3]]):
        same(ours, theirs, *given, *made[:2], *biases, second=bends(name) and batch > 0)


@EACH_CELL
def test_cell_in_its_own_words(name: str) -> None:
    """Written as in torch's documentation, with one literal line for ``[x, h]``."""
    x, state, made = randn(2, 3), states(name, 2, 4), weights(name)
    w_ih, w_hh, b_ih, b_hh = made
    joint = torch.cat([x, state[0]], -1), torch.cat([w_ih, w_hh], -1)
    total = LINEAR.literal(*joint) + b_ih + b_hh
    found = CELLS[name](x, tuple(state) if len(state) > 1 else state[0], *made)
    if name == "lstm_cell":
        i, f, g, o = total.chunk(4, -1)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        right: Any = (o.sigmoid() * c.tanh(), c)
    elif name == "gru_cell":
        r, z, _ = total.sigmoid().chunk(3, -1)
        of_x = LINEAR.literal(x, w_ih[-4:]) + b_ih[-4:]
        n = (of_x + r * (LINEAR.literal(state[0], w_hh[-4:]) + b_hh[-4:])).tanh()
        right = (1 - z) * n + z * state[0]
    else:
        right = total.tanh() if name == "rnn_tanh_cell" else total.clamp(min=0)
    torch.testing.assert_close(found, right)


def test_relu_at_zero_and_beyond() -> None:
    x = torch.tensor([[0.0], [-1.0], [1.0], [torch.nan], [torch.inf], [-torch.inf]])
    one = torch.ones(1, 1)
    same(rnn_relu_cell, torch.rnn_relu_cell, x, torch.zeros(6, 1), one, one)


@EACH_CELL
def test_nan_and_infinity_pass_as_in_torch(name: str) -> None:
    x, state = randn(6, 3), states(name, 6, 4)
    x[0, 1], x[1, 2], x[2, 0] = torch.nan, torch.inf, -torch.inf
    state[-1][3, 1], state[-1][4, 2], state[-1][5, 0] = torch.nan, torch.inf, 1e300
    ours, theirs = (with_state(f, name) for f in (CELLS[name], getattr(torch, name)))
    same(ours, theirs, x, *state, *weights(name))


@EACH_CELL_CLASS
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(2,), (), (0,)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_cell_class(
    twins: Any, name: str, dtype: torch.dtype, shape: tuple[int, ...], bias: bool
) -> None:
    x, state = randn(*shape, 3, dtype=dtype), states(name, *shape, 4, dtype=dtype)
    nonlinear = name == "RNNCell" and not dtype.is_complex
    for kwargs in [{}, *([{"nonlinearity": "relu"}] if nonlinear else [])]:
        made = pair(twins, name, 3, 4, bias=bias, dtype=dtype, **kwargs)
        same(*made, x, second=not kwargs and 0 not in shape)
        same(*(with_state(layer, name) for layer in made), x, *state)


# Layers: all options


def options(name: str) -> list[dict[str, Any]]:
    rows = itertools.product((1, 2), (True, False), (True, False))
    found = [
        {"num_layers": n, "bias": b, "bidirectional": d, "dropout": 0.4 * (n > 1)}
        for n, b, d in rows
    ]
    found.append({"num_layers": 3, "bidirectional": True, "dropout": 1.0})
    if name == "RNN":
        found += [{**row, "nonlinearity": "relu"} for row in found[:4]]
    if name == "LSTM":
        found += [{**row, "proj_size": 2} for row in found]
    return found


LAYERS = [
    pytest.param(name, row, id=f"{name}{n}")
    for name in ("RNN", "LSTM", "GRU")
    for n, row in enumerate(options(name))
]


def first_state(name: str, row: dict[str, Any], *batch: int) -> list[Tensor]:
    n = row["num_layers"] * (1 + row.get("bidirectional", False))
    h = randn(n, *batch, row.get("proj_size", 0) or 4)
    return [h, randn(n, *batch, 4) / 2] if name == "LSTM" else [h]


@pytest.mark.parametrize(("name", "row"), LAYERS)
@pytest.mark.parametrize("batch_first", [True, False])
def test_layer(twins: Any, name: str, row: dict[str, Any], batch_first: bool) -> None:
    made = pair(twins, name, 3, 4, batch_first=batch_first, dtype=torch.float64, **row)
    x = randn(2, 5, 3)
    b = 2 if batch_first else 5
    given = [with_state(layer, name) for layer in made]
    same(*made, x, second=row["num_layers"] == 1 and not batch_first)
    same(*given, x, *first_state(name, row, b))
    same(*made, x[0])
    same(*given, x[0], *first_state(name, row))


@pytest.mark.parametrize(("name", "row"), LAYERS)
def test_layer_with_packed_sequences(
    twins: Any, name: str, row: dict[str, Any]
) -> None:
    made = pair(twins, name, 3, 4, dtype=torch.float64, **row)

    def packed(layer: nn.Module, lengths: list[int]) -> Callable[..., Any]:
        def call(x: Tensor, *state: Tensor) -> Any:
            given = pack_padded_sequence(x, lengths, enforce_sorted=False)
            hx = [state if name == "LSTM" else state[0]] if state else []
            output, last = layer(given, *hx)
            assert isinstance(output, PackedSequence)
            assert torch.equal(output.batch_sizes, given.batch_sizes)
            assert torch.equal(output.sorted_indices, given.sorted_indices)
            return output.data, output.unsorted_indices, last

        return call

    for lengths in ([2, 5, 1, 2], [3, 3, 3, 3]):
        given = [packed(layer, lengths) for layer in made]
        second = lengths[0] == 2 and bends(row.get("nonlinearity", ""))
        same(*given, randn(5, 4, 3), *first_state(name, row, 4), second=second)
        same(*given, randn(5, 4, 3))


@EACH_LAYER
def test_packed_is_as_each_sequence_by_itself(name: str) -> None:
    layer = getattr(recurrent, name)(3, 4, 2, bidirectional=True, dtype=torch.float64)
    alone = [randn(n, 3) for n in (2, 5, 3)]
    output, last = layer(pack_sequence(alone, enforce_sorted=False))
    rows, _ = nn.utils.rnn.pad_packed_sequence(output)
    ends = last if name == "LSTM" else (last,)
    for b, x in enumerate(alone):
        right, state = layer(x)
        torch.testing.assert_close(rows[: len(x), b], right)
        each = state if name == "LSTM" else (state,)
        for mine, end in zip(ends, each, strict=True):
            torch.testing.assert_close(mine[:, b], end)


@EACH_LAYER
def test_sorted_packed_sequence_without_indices(twins: Any, name: str) -> None:
    ours, theirs = pair(twins, name, 3, 4, bidirectional=True, dtype=torch.float64)
    given = pack_sequence([randn(4, 3), randn(2, 3)])
    assert given.sorted_indices is None
    torch.testing.assert_close(ours(given), theirs(given))
    assert ours(given)[0].sorted_indices is None


@EACH_LAYER
@pytest.mark.parametrize("batch_first", [True, False])
def test_dropout_draws_as_torch(twins: Any, name: str, batch_first: bool) -> None:
    kwargs = {"dropout": 0.5, "batch_first": batch_first, "bidirectional": True}
    made = pair(twins, name, 3, 8, 3, **kwargs)
    x = randn(7, 6, 3, dtype=torch.float32)
    same(*made, x)
    torch.manual_seed(0)
    once, again = made[0](x)[0], made[0](x)[0]
    assert not torch.equal(once, again)
    same(*(layer.eval() for layer in made), x)
    assert torch.equal(made[0](x)[0], made[0](x)[0])


def test_one_layer_has_nothing_to_drop() -> None:
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but"):
        recurrent.LSTM(3, 4, dropout=0.5)


@EACH_LAYER
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex128])
def test_layer_in_other_dtypes(twins: Any, name: str, dtype: torch.dtype) -> None:
    made = pair(twins, name, 3, 4, 2, bidirectional=True, dtype=dtype)
    same(*made, randn(5, 2, 3, dtype=dtype))


@EACH_LAYER
@pytest.mark.parametrize("bidirectional", [True, False])
def test_empty_batch(twins: Any, name: str, bidirectional: bool) -> None:
    made = pair(twins, name, 3, 4, 2, bidirectional=bidirectional)
    same(*made, randn(5, 0, 3, dtype=torch.float32))


@EACH_LAYER
def test_layouts_in_memory(twins: Any, name: str) -> None:
    made = pair(twins, name, 3, 4, bidirectional=True, dtype=torch.float64)
    x = randn(5, 6, 6)
    for given in (
        x[..., ::2],
        x.transpose(0, 1)[..., :3],
        x[:1, :, :3].expand(4, 6, 3),
    ):
        same(*made, given)


@EACH_LAYER
def test_layer_passes_nan_and_infinity_as_torch(twins: Any, name: str) -> None:
    made = pair(twins, name, 3, 4, bidirectional=True, dtype=torch.float64)
    x = randn(4, 3, 3)
    x[1, 0, 0], x[2, 1, 1] = torch.nan, torch.inf
    same(*made, x)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(
    "name", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]
)
def test_half_precision_is_rounded_once(name: str, dtype: torch.dtype) -> None:
    """Half a unit of the exact result, and what sums of float32 are off."""
    depth = () if name.endswith("Cell") else (2,)
    torch.manual_seed(0)
    layer = getattr(recurrent, name)(32, 48, *depth, dtype=dtype)
    x = randn(*([] if name.endswith("Cell") else [20]), 8, 32, dtype=dtype)
    wide = copy.deepcopy(layer).double()

    def ran(layer: nn.Module, x: Tensor) -> list[Tensor]:
        x = x.clone().requires_grad_()
        output = tree_leaves(layer(x))
        cotangent = randn(*output[0].shape).to(dtype).to(x.dtype)
        wrt = [x, *layer.parameters()]
        return [*output, *torch.autograd.grad(output[0], wrt, cotangent)]

    for mine, right in zip(ran(layer, x), ran(wide, x.double()), strict=True):
        assert mine.dtype == dtype
        half_a_unit = torch.finfo(dtype).eps / 2 * right.abs()
        sums = 1e-5 * right.abs().max() + torch.finfo(dtype).smallest_normal
        assert bool(((mine.double() - right).abs() <= half_a_unit + sums).all())


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_draws_as_torch(twins: Any, dtype: torch.dtype) -> None:
    moved = []
    for layer in pair(twins, "GRU", 3, 4, 3, dropout=0.5, dtype=dtype):
        torch.manual_seed(0)
        rows = layer(randn(5, 2, 3, dtype=dtype))[0]
        moved.append((rows, torch.get_rng_state()))
    assert torch.equal(moved[0][1], moved[1][1])
    torch.testing.assert_close(moved[0][0], moved[1][0], rtol=0.05, atol=0.02)


B, F = torch.bfloat16, torch.float32
AUTOCAST = {  # of the input and the state (None: of the input): dtype of the output
    "RNNCell": {(F, None): B, (F, F): B, (B, F): B, (F, B): B, (B, None): B},
    "LSTMCell": {(F, None): F, (F, F): F, (B, F): F, (F, B): B, (B, None): B},
    "GRUCell": {(F, None): F, (F, F): F, (B, F): F, (F, B): B, (B, None): B},
    "RNN": {(F, None): B, (F, F): B, (B, F): B, (F, B): B, (B, None): B},
    "LSTM": {(F, None): B, (F, F): B, (B, F): B, (F, B): B, (B, None): B},
    "GRU": {(F, None): F, (F, F): F, (B, F): F, (F, B): B, (B, None): B},
}
"""As torch has it on a processor that computes in bfloat16."""


@pytest.mark.parametrize("name", AUTOCAST)
@pytest.mark.parametrize("weights", [torch.float32, torch.bfloat16])
def test_autocast(twins: Any, name: str, weights: torch.dtype) -> None:
    made = pair(twins, name, 3, 4, dtype=weights)
    shape = [] if name.endswith("Cell") else [5]
    for (dtype, state), right in AUTOCAST[name].items():
        x = randn(*shape, 2, 3, dtype=dtype)
        first = states(name, *([1] if shape else []), 2, 4, dtype=state or dtype)
        hx = [tuple(first) if "LSTM" in name else first[0]] if state else []
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ours = made[0](x, *hx)
        # Not every processor runs torch's own LSTM in bfloat16.
        exact = copy.deepcopy(made[1]).float()
        theirs = exact(*tree_map(Tensor.float, (x, *hx)))
        assert {y.dtype for y in tree_leaves(ours)} == {right}
        torch.testing.assert_close(
            ours, theirs, check_dtype=False, rtol=0.05, atol=0.02
        )
        loss = sum(y.float().sum() for y in tree_leaves(ours))
        found = torch.autograd.grad(loss, [*made[0].parameters()])
        assert {g.dtype for g in found} == {weights}


def test_autocast_leaves_float64_alone() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = recurrent.LSTM(3, 4, dtype=torch.float64)(randn(5, 2, 3))
    assert {y.dtype for y in tree_leaves(found)} == {torch.float64}


@pytest.mark.parametrize("name", AUTOCAST)
def test_checkpoints(name: str) -> None:
    layer = getattr(recurrent, name)(3, 4, dtype=torch.float64)
    x = randn(*([] if name.endswith("Cell") else [5]), 2, 3)
    found = []
    for call in (layer, lambda x: checkpoint(layer, x, use_reentrant=False)):
        loss = sum(y.sin().sum() for y in tree_leaves(call(x)))
        found.append(torch.autograd.grad(loss, [*layer.parameters()]))
    torch.testing.assert_close(*found)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, inside torch
@pytest.mark.parametrize("name", AUTOCAST)
def test_forward_mode_and_batches_of_gradients(name: str) -> None:
    layer = getattr(recurrent, name)(3, 4, dtype=torch.float64)
    x = randn(*([] if name.endswith("Cell") else [5]), 2, 3)

    def call(parameters: dict[str, Tensor]) -> Tensor:
        made = torch.func.functional_call(layer, parameters, (x,))
        return tree_leaves(made)[0]

    given = {name: p.detach() for name, p in layer.named_parameters()}
    forward = torch.func.jacfwd(call)(given)
    torch.testing.assert_close(forward, torch.func.jacrev(call)(given))
    output = tree_leaves(layer(x))[0]
    cotangents = randn(3, *output.shape)
    wrt = [*layer.parameters()]
    many = torch.autograd.grad(
        output, wrt, cotangents, is_grads_batched=True, retain_graph=True
    )
    for n, cotangent in enumerate(cotangents):
        one = torch.autograd.grad(output, wrt, cotangent, retain_graph=True)
        torch.testing.assert_close([g[n] for g in many], [*one])


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("name", AUTOCAST)
@torch._dynamo.config.patch(allow_rnn=True)  # noqa: SLF001  (torch's own break)
def test_compiles_for_any_size(name: str) -> None:
    layer = getattr(recurrent, name)(3, 4)
    moments = [] if name.endswith("Cell") else [3]
    torch.compiler.reset()
    call = torch.compile(layer, fullgraph=True, dynamic=True, backend="eager")
    for batch in (2, 5, 7):
        x = randn(*moments, batch, 3, dtype=torch.float32)
        torch.testing.assert_close(call(x), layer(x))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tracing itself
@EACH_LAYER
def test_traces(name: str) -> None:
    layer = getattr(recurrent, name)(3, 4, 2, bidirectional=True, batch_first=True)
    x = randn(2, 5, 3, dtype=torch.float32)
    traced = torch.jit.trace(layer, x, check_trace=False)
    torch.testing.assert_close(traced(x), layer(x))


@EACH_LAYER
@pytest.mark.parametrize("batch_first", [True, False])
def test_strides_are_torchs(twins: Any, name: str, batch_first: bool) -> None:
    made = pair(twins, name, 3, 4, 2, batch_first=batch_first, bidirectional=True)
    x = randn(5, 2, 3, dtype=torch.float32)
    for given in (x, x.transpose(0, 1), x.permute(2, 1, 0)[..., :3], x[0], x.mT.mT):
        ours, theirs = (tree_leaves(layer(given)) for layer in made)
        assert [y.stride() for y in ours] == [y.stride() for y in theirs]


@EACH_LAYER
def test_a_weight_is_computed_once_a_call(name: str) -> None:
    layer = getattr(recurrent, name)(3, 4, 2)

    class Doubled(nn.Module):
        calls = 0

        def forward(self, weight: Tensor) -> Tensor:
            Doubled.calls += 1
            return 2 * weight

    nn.utils.parametrize.register_parametrization(layer, "weight_hh_l1", Doubled())
    Doubled.calls = 0
    layer(torch.ones(5, 2, 3))
    assert Doubled.calls == 1


@EACH_LAYER
def test_is_a_layer_of_torchs_kind(name: str) -> None:
    layer = getattr(recurrent, name)(3, 4)
    assert isinstance(layer, nn.RNNBase)
    assert isinstance(layer, getattr(nn, name))


@EACH_LAYER
def test_runs_its_line_at_each_moment(name: str) -> None:
    ran = lines(getattr(recurrent, name)(3, 4), torch.ones(5, 2, 3))
    assert ran.count(LINEAR) == 1 + 5
    bends = {"RNN": 1, "LSTM": 5, "GRU": 3}[name]
    assert len(ran) == 6 + 5 * bends


# What layers keep


@pytest.mark.parametrize(
    "name", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]
)
def test_parameters_start_between_one_over_root_h(twins: Any, name: str) -> None:
    ours, theirs = pair(twins, name, 60, 49)
    for mine, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, right)
        assert mine.abs().max() <= 1 / 7
        assert mine.abs().max() > 0.95 / 7


def test_cell_without_a_state(twins: Any) -> None:
    same(*pair(twins, "GRUCell", 3, 0), torch.ones(2, 3))


@EACH_LAYER
def test_layer_is_its_cell_again_and_again(name: str) -> None:
    layer = getattr(recurrent, name)(3, 4, dtype=torch.float64)
    cell = getattr(recurrent, f"{name}Cell")(3, 4, dtype=torch.float64)
    cell.load_state_dict(
        {k.removesuffix("_l0"): p for k, p in layer.state_dict().items()}
    )
    x, state, outputs = randn(5, 2, 3), None, []
    for moment in x:
        state = cell(moment, state)
        outputs.append(state[0] if name == "LSTM" else state)
    output, last = layer(x)
    torch.testing.assert_close(output, torch.stack(outputs))
    ends = [s[0] for s in last] if name == "LSTM" else [last[0]]
    torch.testing.assert_close(ends, list(state) if name == "LSTM" else [state])


@EACH_LAYER
def test_weights_that_are_replaced(twins: Any, name: str) -> None:
    ours, theirs = pair(twins, name, 3, 4, dtype=torch.float64)
    for layer in (ours, theirs):
        layer.weight_hh_l0 = nn.Parameter(torch.ones_like(layer.weight_hh_l0))
        layer.flatten_parameters()
    same(ours, theirs, randn(5, 2, 3))
    torch.testing.assert_close(
        ours.float()(torch.ones(2, 3)), theirs.float()(torch.ones(2, 3))
    )
    weight_norm(ours.double(), "weight_ih_l0")
    weight_norm(theirs.double(), "weight_ih_l0")
    same(ours, theirs, randn(5, 2, 3))


@EACH_LAYER
def test_gradient_of_a_functional_call(twins: Any, name: str) -> None:
    def loss(layer: nn.Module) -> Any:
        def of(parameters: dict[str, Tensor]) -> Tensor:
            given = (randn(5, 2, 3),)
            return torch.func.functional_call(layer, parameters, given)[0].sin().sum()

        found = dict(layer.named_parameters())
        return torch.func.grad(of)({k: 2 * p.detach() for k, p in found.items()})

    ours, theirs = pair(twins, name, 3, 4, 2, dtype=torch.float64)
    torch.testing.assert_close(loss(ours), loss(theirs))
    same(ours, theirs, randn(5, 2, 3))


@EACH_LAYER
def test_vmap_over_whole_layers(name: str) -> None:
    """Torch's own cannot."""
    layer = getattr(recurrent, name)(3, 4, 2, bidirectional=True, dtype=torch.float64)
    x = randn(6, 5, 2, 3)
    found = torch.func.vmap(layer)(x)[0]
    torch.testing.assert_close(found, torch.stack([layer(each)[0] for each in x]))


# The scan


def add(x: Tensor, total: Tensor) -> list[Tensor]:
    return [total + x]


@pytest.mark.parametrize("reverse", [True, False])
def test_scan_is_a_running_sum(reverse: bool) -> None:
    sizes, lengths = [4, 4, 2, 1, 1], [5, 3, 2, 2]
    x, first = randn(12, 2), randn(4, 2)
    output, (last,) = scan(x, [first], add, sizes, reverse)
    starts = [sum(sizes[:t]) for t in range(5)]
    for b, length in enumerate(lengths):
        rows = [starts[t] + b for t in range(length)]
        each = x[rows].flip(0) if reverse else x[rows]
        sums = first[b] + each.cumsum(0)
        torch.testing.assert_close(output[rows], sums.flip(0) if reverse else sums)
        torch.testing.assert_close(last[b], sums[-1])


def test_scan_with_two_parts_of_the_state() -> None:
    def step(x: Tensor, h: Tensor, count: Tensor) -> list[Tensor]:
        return [h * x, count + 1]

    output, (h, count) = scan(
        torch.tensor([[2.0], [3.0], [5.0]]),
        [torch.ones(2, 1), torch.zeros(2)],
        step,
        [2, 1],
    )
    assert output.flatten().tolist() == [2, 3, 10]
    assert h.flatten().tolist() == [10, 3]
    assert count.tolist() == [2, 1]


# Errors

X, H, W, V, B = randn(2, 3), randn(2, 4), randn(4, 3), randn(4, 4), randn(4)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: rnn_tanh_cell(X[0], H, W, V), r"rnn_tanh_cell: expected input of shape \('batch', 3\), got \(3,\)"),
        (lambda: rnn_tanh_cell(randn(2, 4), H, W, V), r"expected input of shape \(2, 3\), got \(2, 4\)"),
        (lambda: rnn_relu_cell(X, H[:1], W, V), r"rnn_relu_cell: expected hx of shape \(2, 4\), got \(1, 4\)"),
        (lambda: rnn_relu_cell(X, H[0], W, V), r"expected hx of shape \(2, 4\), got \(4,\)"),
        (lambda: rnn_tanh_cell(X, randn(2, 5), W, V), r"expected hx of shape \(2, 4\), got \(2, 5\)"),
        (lambda: gru_cell(X, H, W, V), r"gru_cell: expected w_ih of shape \(12, 3\), got \(4, 3\)"),
        (lambda: gru_cell(X, H, randn(12, 3), V), r"expected w_hh of shape \(12, 4\), got \(4, 4\)"),
        (lambda: rnn_tanh_cell(X, H, randn(), V), r"expected input of shape \(2, 0\), got \(2, 3\)"),
        (lambda: rnn_tanh_cell(X, H, W, V, randn(1)), r"expected b_ih of shape \(4,\), got \(1,\)"),
        (lambda: rnn_tanh_cell(X, H, W, V, B, randn(1)), r"expected b_hh of shape \(4,\), got \(1,\)"),
        (lambda: lstm_cell(X, (H,), W, V), r"lstm_cell: expected two states, hx = \(h, c\), got 1"),
        (lambda: lstm_cell(X, H, W, V), "expected two states"),
        (lambda: lstm_cell(X, (H, H[:1]), randn(16, 3), randn(16, 4)), r"lstm_cell: expected hx of shape \(2, 4\), got \(1, 4\)"),
        (lambda: rnn_tanh_cell(X, H, W.float(), V), r"rnn_tanh_cell: expected input, state and weights of one dtype, got \['torch.float32', 'torch.float64'\]"),
        (lambda: recurrent.LSTM(3, 4)(randn(5, 2, 3).float(), (randn(1, 2, 4).float(), randn(1, 2, 4))), "LSTM: expected input, state and weights of one dtype"),
        (lambda: recurrent.RNNCell(3, 4, nonlinearity="gelu")(X.float()), "RNNCell: expected the nonlinearity 'tanh' or 'relu', got 'gelu'"),
        (lambda: recurrent.RNNCell(3, 4)(randn(2, 2, 3).float()), r"expected input of shape \('batch', 3\), got \(2, 2, 3\)"),
        (lambda: recurrent.GRUCell(3, 4)(X.float(), randn(4).float()), r"expected hx of shape \(2, 4\), got \(4,\)"),
        (lambda: recurrent.LSTM(3, 4)(randn(3).float()), r"LSTM: expected an input of 3 axes, or 2 without the batch, and at least one moment, got shape \(3,\)"),
        (lambda: recurrent.RNN(3, 4)(randn(0, 2, 3).float()), r"RNN: .* at least one moment, got shape \(0, 2, 3\)"),
        (lambda: recurrent.RNN(3, 4, batch_first=True)(randn(2, 0, 3).float()), r"at least one moment, got shape \(2, 0, 3\)"),
        (lambda: recurrent.GRU(3, 4)(randn(5, 2, 3).float(), randn(1, 4).float()), r"GRU: expected hx of shape \(1, 2, 4\), got \(1, 4\)"),
        (lambda: recurrent.GRU(3, 4)(randn(5, 3).float(), randn(1, 1, 4).float()), r"expected hx of shape \(1, 4\), got \(1, 1, 4\)"),
        (lambda: recurrent.LSTM(3, 4)(randn(5, 2, 3).float(), (randn(1, 2, 4).float(),)), r"LSTM: expected hx of shape \(1, 2, 4\), \(1, 2, 4\), got \(1, 2, 4\)"),
        (lambda: recurrent.LSTM(3, 4)(randn(5, 2, 3).float(), randn(2, 1, 2, 4).float()), r"expected hx of shape \(1, 2, 4\), \(1, 2, 4\), got \(2, 1, 2, 4\)"),
        (lambda: recurrent.LSTM(3, 4, proj_size=2)(randn(5, 2, 3).float(), (randn(1, 2, 4).float(), randn(1, 2, 4).float())), r"expected hx of shape \(1, 2, 2\), \(1, 2, 4\), got"),
        (lambda: recurrent.GRU(3, 4)(pack_sequence([randn(2, 3).float()]), randn(1, 2, 4).float()), r"expected hx of shape \(1, 1, 4\), got \(1, 2, 4\)"),
        (lambda: recurrent.GRU(3, 4)(randn(5, 2, 3)), r"GRU: expected input, state and weights of one dtype, got \['torch.float32', 'torch.float64'\]"),
        (lambda: recurrent.GRU(3, 4)(randn(5, 2, 4).float()), "GRU: expected 3 features in the last axis, got 4"),
        (lambda: recurrent.GRU(4, 4)(pack_sequence([randn(2, 3).float()])), "GRU: expected 4 features in the last axis, got 3"),
        (lambda: scan(X, [H], add, [1, 1]), r"scan: expected batch sizes that start with \[2\], as the state, never grow, and add up to the 2 rows of the input, got \[1, 1\]"),
        (lambda: scan(X, [H[:1]], add, [1, 2]), r"got \[1, 2\]"),
        (lambda: scan(X, [H], add, [2, 1]), r"got \[2, 1\]"),
        (lambda: scan(X[:0], [H[:0]], add, []), r"got \[\]"),
        (lambda: scan(X, [H, H[:1]], add, [2]), r"start with \[2, 1\]"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("name", [*AUTOCAST, *CELLS])
def test_an_error_is_of_torchs_class(twins: Any, name: str) -> None:
    if name in CELLS:
        ours, theirs = CELLS[name], getattr(torch, name)
        x, first, more = randn(2, 3), states(name, 2, 4), weights(name)
    else:
        ours, theirs = pair(twins, name, 3, 4, dtype=torch.float64)
        n = [] if name.endswith("Cell") else [1]
        x, more = randn(*(5 for _ in n), 2, 3), []
        first = states(name, *n, 2, 4)
    put: Any = tuple if "lstm" in name.lower() else next
    wrong = [
        (x[..., :2], put(iter(first)), *more),
        (x, put(y[..., :1, :] for y in first), *more),
        (x, put(y[..., :3] for y in first), *more),
        (x, put(y.float() for y in first), *more),
        (x.float(), put(iter(first)), *more),
    ]
    if name not in CELLS and not name.endswith("Cell"):
        wrong += [(x[:0],), (x[None],)]
    for given in wrong:
        with pytest.raises((ValueError, RuntimeError)) as told:
            theirs(*given)
        with pytest.raises(type(told.value), match=rf"(?i){name[:3]}.*: expected"):
            ours(*given)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("name", [*AUTOCAST, *CELLS])
def test_arrays_are_no_tensors(name: str) -> None:
    x, more = randn(2, 3).numpy(), []
    call = CELLS.get(name) or getattr(recurrent, name)(3, 4)
    if name in CELLS:
        first = states(name, 2, 4)
        more = [tuple(first) if "lstm" in name else first[0], *weights(name)]
    with pytest.raises(
        TypeError, match=rf"{name[:3]}.*: expected .*tensor.*, got .*ndarray"
    ):
        call(x, *more)


def test_torchs_own_checks_of_the_arguments() -> None:
    with pytest.raises(ValueError, match="only supported for LSTM"):
        recurrent.GRU(3, 4, proj_size=2)
    with pytest.raises(ValueError, match="Unknown nonlinearity"):
        recurrent.RNN(3, 4, nonlinearity="gelu")
