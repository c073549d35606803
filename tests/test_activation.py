"""Activations, next to torch's: at kinks, at infinity, in place, in all kinds of numbers."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from examples import randn
from examples.activation import CLASSES
from layerlib import activation
from layerlib.activation import GATE, PRELU, TOTAL
from layerlib.engine import pieces
from layerlib.lab import lines, same

INF, NAN = math.inf, math.nan
EDGES = [
    -INF, -1e4, -100.0, -6.0, -3.0, -1.0, -0.5, -0.1, -0.0, 0.0, 0.1, 0.5, 1.0, 2.0, 3.0,
    6.0, 25.0, 100.0, 1e4, INF, NAN,
]  # fmt: skip

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "threshold": [
        {"threshold": 0.5, "value": 20.0},
        {"threshold": 0.0, "value": -INF},
        {"threshold": -1.0, "value": 0.0},
    ],
    "relu": [{}],
    "hardtanh": [
        {},
        {"min_val": -3.0, "max_val": 0.5},
        {"min_val": 1.0, "max_val": 1.0},
    ],
    "relu6": [{}],
    "elu": [{}, {"alpha": 0.5}, {"alpha": -2.0}, {"alpha": 0.0}],
    "selu": [{}],
    "celu": [{}, {"alpha": 2.0}, {"alpha": 0.1}],
    "leaky_relu": [{}, {"negative_slope": 2.0}, {"negative_slope": -0.3}],
    "rrelu": [{}, {"lower": 0.1, "upper": 0.7}],
    "gelu": [{}, {"approximate": "tanh"}],
    "logsigmoid": [{}],
    "hardshrink": [{}, {"lambd": 1.0}, {"lambd": -1.0}, {"lambd": 0.0}],
    "tanhshrink": [{}],
    "softsign": [{}],
    "softplus": [{}, {"beta": 2.0, "threshold": 6.0}, {"threshold": -0.5}],
    "softshrink": [{}, {"lambd": 1.0}, {"lambd": 0.0}],
    "tanh": [{}],
    "sigmoid": [{}],
    "hardsigmoid": [{}],
    "silu": [{}],
    "mish": [{}],
    "hardswish": [{}],
}
INPLACE = [
    "threshold", "relu", "hardtanh", "relu6", "elu", "selu", "celu", "leaky_relu",
    "rrelu", "hardsigmoid", "silu", "mish", "hardswish",
]  # fmt: skip
UNDERSCORED = [
    "threshold_", "relu_", "hardtanh_", "elu_", "selu_", "celu_", "leaky_relu_", "rrelu_",
]  # fmt: skip
ONCE = {"hardsigmoid"}
"""torch has no second gradient of these."""

EACH = [(name, given) for name, many in SETTINGS.items() for given in many]


def both(name: str, **given: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    ours, theirs = getattr(activation, name), getattr(functional, name)
    positional = list(given.values())  # torch's own are not all called by name alike
    return (
        lambda *inputs: ours(*inputs, *positional),
        lambda *inputs: theirs(*inputs, *positional),
    )


def by_name(name: str, **given: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    ours, theirs = getattr(activation, name), getattr(functional, name)
    return lambda *x: ours(*x, **given), lambda *x: theirs(*x, **given)


def can_twice(name: str) -> bool:
    return name not in ONCE


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("name", "given"), EACH)
def test_values_and_gradients(
    name: str, given: dict[str, Any], dtype: torch.dtype
) -> None:
    ours, theirs = by_name(name, **given)
    for shape in [(), (7,), (4, 3), (2, 0), (2, 3, 4, 5)]:
        same(ours, theirs, 3 * randn(*shape, dtype=dtype), second=can_twice(name))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("name", "given"), EACH)
def test_at_kinks_and_at_infinity(
    name: str, given: dict[str, Any], dtype: torch.dtype
) -> None:
    """But where torch's float32 form of gelu says NaN at infinity, ours does not.

    Nor is torch's second gradient the one of the formula where softplus turns into a
    line, and its mish has none above 350.
    """
    ours, theirs = by_name(name, **given)
    x = torch.tensor(EDGES, dtype=dtype)
    if name == "gelu" and not given and dtype == torch.float32:
        x = x[x != INF]
    same(ours, theirs, x)
    if name == "softplus":
        x = x[x * given.get("beta", 1) != given.get("threshold", 20)]
    if can_twice(name):
        same(ours, theirs, x[x < 40] if name == "mish" else x, second=True)


@pytest.mark.parametrize("name", SETTINGS)
def test_an_unused_number_has_no_gradient_even_from_infinity(name: str) -> None:
    """As torch: sqrt(relu(x)) has the gradient 0 below 0, where that of sqrt is not."""
    given = SETTINGS[name][0]
    for cotangent in (INF, -INF, NAN):
        found = []
        for function in by_name(name, **given):
            x = torch.tensor([-4.0, -0.3, 0.0, 0.3, 4.0], requires_grad=True)
            found += torch.autograd.grad(function(x), x, torch.full_like(x, cotangent))
        torch.testing.assert_close(*found, equal_nan=True)


SMALLEST = torch.finfo(torch.float16).smallest_normal
"""Below it, a unit in the last place of float16 becomes no smaller."""


def of_sigmoid(y: Tensor, g: Tensor) -> Tensor:
    """Half a unit of y, and the three moves of g y (1 - y), each in 16 bits."""
    kept = y.clamp_min(SMALLEST) * (1 - 2 * y)
    return (g * kept).abs() / 2 + 1.5 * (g * y * (1 - y)).abs()


def of_tanh(y: Tensor, g: Tensor) -> Tensor:
    """Half a unit of y and of its square, and two more moves of g (1 - y y)."""
    return 1.5 * (g * y * y).abs() + (g * (1 - y * y)).abs()


KEPT: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sigmoid": of_sigmoid,
    "tanh": of_tanh,
    "softmax": lambda y, g: y * (g.abs() + 2 * (y * g).abs().sum(-1, keepdim=True)),
    "log_softmax": lambda y, g: y.abs() * y.exp() * g.sum(-1, keepdim=True).abs(),
}
KEPT["softmin"] = KEPT["softmax"]
"""How far a gradient is off that reads its output in 16 bits, in units of these."""


def rounded_once(
    ours: Any, theirs: Any, *inputs: Tensor, kept: Callable[..., Any] = lambda *_: 0
) -> None:
    """Holds each value and gradient to the exact one, rounded once.

    The exact one is torch's in float64. One unit in the last place is allowed, and for
    the way there in float32 a few units of that, in numbers as large as the input and
    the cotangent. What the gradient reads from an output y in 16 bits is off by half a
    unit already: `kept(y, cotangent)` times eps is what that may make.
    """
    dtype = inputs[0].dtype
    mine, exact = (
        _found(function, [x.to(kind) for x in inputs], dtype)
        for function, kind in ((ours, dtype), (theirs, torch.float64))
    )
    y, told = exact[0], torch.finfo(dtype)
    more = [0.0, told.eps * kept(y, cotangent(y, dtype).double()), 0.0]
    for value, right, allowed in zip(mine, exact, more, strict=False):
        assert value.dtype == dtype
        assert torch.equal(value.isnan(), right.isnan())
        size = 1 + inputs[0].double().abs()
        size = size if size.shape == right.shape else size.amax()
        on_the_way = 24 * torch.finfo(torch.float32).eps * size
        ok = (value == right.to(dtype)) | value.isnan()  # infinities, too
        ok |= (value.double() - right).abs() <= last_place(
            right, dtype
        ) + allowed + on_the_way
        assert bool(ok.all())


def last_place(exact: Tensor, dtype: torch.dtype) -> Tensor:
    """How far apart the numbers of a dtype lie there."""
    told = torch.finfo(dtype)
    _, exponent = torch.frexp(exact)
    apart = torch.ldexp(torch.full_like(exact, told.eps), exponent - 1)
    return apart.clamp_min(told.smallest_normal * told.eps)


def _found(function: Any, inputs: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    leaves = [x.clone().requires_grad_() for x in inputs]
    output = function(*leaves)
    g = cotangent(output, dtype).to(output.dtype)
    return [output.detach(), *torch.autograd.grad(output, leaves, g)]


def cotangent(output: Tensor, dtype: torch.dtype) -> Tensor:
    return randn(*output.shape).to(dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("name", "given"), EACH)
def test_half_precision(name: str, given: dict[str, Any], dtype: torch.dtype) -> None:
    edges = torch.tensor(EDGES[:-2] if name == "gelu" else EDGES).double()
    x = torch.cat([3 * randn(500), edges]).to(dtype)
    rounded_once(*by_name(name, **given), x, kept=KEPT.get(name, lambda *_: 0))


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("elu", -1e-12), ("selu", -1e-12), ("celu", -1e-12), ("logsigmoid", 40.0),
        ("softplus", -40.0), ("silu", -40.0), ("mish", -40.0),
    ],
)  # fmt: skip
def test_small_results_keep_their_digits(name: str, x: float) -> None:
    ours, theirs = by_name(name)
    given = torch.tensor([x], dtype=torch.float64)
    torch.testing.assert_close(ours(given), theirs(given), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", SETTINGS)
def test_kinds_of_numbers_that_torch_takes(name: str) -> None:
    """And those that it refuses: then ours says so."""
    ours, theirs = by_name(name, **SETTINGS[name][0])
    kinds = [torch.int64, torch.int8, torch.uint8, torch.bool, torch.complex128]
    for dtype in kinds:
        x = torch.tensor([-3, -1, 0, 1, 3]).to(dtype)
        if dtype.is_complex:
            x = randn(5, dtype=dtype)
        try:
            right = theirs(x)
        except RuntimeError:
            with pytest.raises((TypeError, ValueError), match=name.rstrip("6")):
                ours(x)
            continue
        torch.testing.assert_close(ours(x), right)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "tanhshrink", "softsign"])
def test_complex_gradients(name: str) -> None:
    same(*by_name(name), randn(4, 3, dtype=torch.complex128), second=True)


def test_complex_silu_has_a_gradient_that_torch_refuses() -> None:
    x = randn(5, dtype=torch.complex128).requires_grad_()
    with pytest.raises(RuntimeError, match="does not support automatic diff"):
        functional.silu(x)
    assert torch.autograd.gradcheck(activation.silu, x)


@pytest.mark.parametrize("name", ["threshold", "hardtanh"])
def test_settings_are_cut_to_whole_numbers_as_in_torch(name: str) -> None:
    ours, theirs = both(name, first=-1.5, second=1.5)
    x = torch.arange(-4, 5)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x.transpose(1, 3),
        lambda x: x[:, ::2, 1:],
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x[:, :1].expand(-1, 4, -1, -1),
    ],
)
@pytest.mark.parametrize("name", SETTINGS)
def test_layouts_in_memory(name: str, layout: Callable[[Tensor], Tensor]) -> None:
    given = SETTINGS[name][0]
    same(*by_name(name, **given), layout(randn(2, 4, 3, 5)))


@pytest.mark.parametrize("name", SETTINGS)
def test_many_numbers_at_a_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 10)
    ours, theirs = by_name(name, **SETTINGS[name][0])
    same(ours, theirs, 3 * randn(7, 9), second=can_twice(name))
    x = 3 * randn(7, 9)
    torch.testing.assert_close(ours(x), theirs(x))
    for given in (x, x.requires_grad_()):
        same(lambda x: ours(x).sum(), lambda x: theirs(x).sum(), given)
    same(ours, theirs, randn(9, 7).T)
    kept = KEPT.get(name, lambda *_: 0)
    rounded_once(ours, theirs, x.detach().bfloat16(), kept=kept)
    if name != "rrelu":  # torch cannot
        mapped = [torch.func.vmap(function)(x.detach()) for function in (ours, theirs)]
        torch.testing.assert_close(*mapped)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", INPLACE)
def test_in_place(name: str, dtype: torch.dtype) -> None:
    """Same values and gradients; the input is written over, and is what comes back."""
    given = SETTINGS[name][0] | {"inplace": True}
    for function in by_name(name, **given):
        x = randn(5, 3, dtype=dtype)
        kept = x.clone()
        assert function(x) is x
        torch.testing.assert_close(
            x, getattr(functional, name)(kept, **SETTINGS[name][0])
        )
    if dtype == torch.float64:
        ours, theirs = by_name(name, **given)
        same(
            lambda x: ours(x * 1),
            lambda x: theirs(x * 1),
            torch.cat([randn(9), torch.tensor([-0.0, 0.0])]),
            second=can_twice(name),
        )
        same(lambda x: ours((x * 1)[1:]), lambda x: theirs((x * 1)[1:]), randn(9))


@pytest.mark.parametrize("name", INPLACE)
def test_in_place_is_refused_where_torch_refuses(name: str) -> None:
    given = SETTINGS[name][0] | {"inplace": True}
    for function in by_name(name, **given):
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            function(randn(3).requires_grad_())
        x = randn(3).requires_grad_()
        read = x.exp()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            torch.autograd.grad(function(read).sum() + read.sum(), x)
        if name != "threshold":  # torch's writes the same number twice there
            with pytest.raises(RuntimeError, match="more than one element"):
                function(randn(1, 3).expand(2, 3))
        with torch.no_grad():
            function(x)


@pytest.mark.parametrize("name", UNDERSCORED)
def test_underscored_names(name: str) -> None:
    given = SETTINGS[name[:-1]][0]
    ours, theirs = by_name(name, **given)
    same(lambda x: ours(x * 1), lambda x: theirs(x * 1), randn(4, 3))
    x = randn(4)
    assert ours(x) is x


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(
    "x",
    [
        randn(5),
        randn(40, 50),
        randn(6, 7).T,
        randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        randn(0, 3),
        torch.tensor([NAN, -0.0, 0.0, INF, -INF]).double(),
    ],
    ids=["few", "many", "turned", "channels last", "none", "edges"],
)
def test_rrelu_draws_as_torch(x: Tensor, inplace: bool, dtype: torch.dtype) -> None:
    ours, theirs = by_name(
        "rrelu", lower=0.1, upper=0.9, training=True, inplace=inplace
    )
    same(lambda x: ours(x * 1), lambda x: theirs(x * 1), x.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("dim", [-1, 1, 0])
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
def test_softmax(name: str, dim: int, dtype: torch.dtype) -> None:
    ours, theirs = by_name(name, dim=dim)
    for shape in [(3, 4), (2, 3, 4), (1, 1), (2, 0), (0, 3), (2, 3, 4, 5)]:
        same(ours, theirs, randn(*shape, dtype=dtype), second=True)
    same(ours, theirs, randn(5, 4, 3).transpose(0, 2), second=True)
    if dim < 1:
        same(ours, theirs, randn(dtype=dtype), second=True)
        same(ours, theirs, randn(5, dtype=dtype), second=True)


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize(
    "row",
    [
        [1e4, -1e4, 0.0],
        [1e4, 1e4, 1e4 - 1],
        [-INF, -INF, -INF],
        [-INF, 0.0, 1.0],
        [INF, 0.0, 1.0],
        [NAN, 0.0, 1.0],
        [-1e4, -1e4 - 1, -INF],
    ],
)
def test_softmax_of_extremes(name: str, row: list[float]) -> None:
    x = torch.tensor([row, [1.0, 2.0, 3.0]])
    for dtype in (torch.float64, torch.float32):
        same(*by_name(name, dim=-1), x.to(dtype))
        same(*by_name(name, dim=-1), -x.to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax", "glu"])
def test_softmax_and_glu_in_half_precision(name: str, dtype: torch.dtype) -> None:
    x, kept = 4 * randn(20, 64, dtype=dtype), KEPT.get(name, lambda *_: 0)
    rounded_once(*by_name(name, dim=-1), x, kept=kept)


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize("given", [torch.int64, torch.float16, torch.float32])
def test_softmax_in_another_dtype(name: str, given: torch.dtype) -> None:
    x = (10 * randn(3, 4)).to(given)
    for dtype in (torch.float32, torch.float64):
        same(*by_name(name, dim=1, dtype=dtype), x)


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize("axes", range(5))
def test_softmax_chooses_an_axis_with_a_warning(name: str, axes: int) -> None:
    layer = {"softmax": "Softmax", "softmin": "Softmin", "log_softmax": "LogSoftmax"}
    ours, theirs = getattr(activation, layer[name]), getattr(nn, layer[name])
    for mine, right in (by_name(name), (ours(), theirs())):
        with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name}"):
            same(mine, right, randn(*range(2, axes + 2)))


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
def test_softmax_keeps_its_output_alone(name: str) -> None:
    kept: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        kept.append(x)
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        y = getattr(activation, name)(randn(3, 4).requires_grad_(), dim=1)
    assert [x.data_ptr() for x in kept] == [y.data_ptr()]


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5)])
def test_softmax2d(shape: tuple[int, ...]) -> None:
    same(activation.Softmax2d(), nn.Softmax2d(), randn(*shape), second=True)


@pytest.mark.parametrize("dim", [-1, 0, 1, -2])
def test_glu(dim: int) -> None:
    ours, theirs = by_name("glu", dim=dim)
    for shape in [(4, 6), (2, 2), (4, 6, 8), (0, 2), (2, 0)]:
        same(ours, theirs, randn(*shape), second=True)
    same(ours, theirs, randn(4, 6, 8).transpose(0, 2))
    same(ours, theirs, torch.tensor(EDGES[:-1]).repeat(4, 2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("shape", "count"),
    [((), 1), ((5,), 1), ((4, 3), 3), ((4, 3), 1), ((2, 3, 4, 5), 3), ((0, 3), 3), ((2, 3, 0), 1)],
)  # fmt: skip
def test_prelu(shape: tuple[int, ...], count: int, dtype: torch.dtype) -> None:
    x, weight = randn(*shape, dtype=dtype), randn(count, dtype=dtype)
    same(activation.prelu, functional.prelu, x, weight, second=True)
    if count == 1:
        same(activation.prelu, functional.prelu, x, weight[0], second=True)


def test_prelu_at_edges() -> None:
    """At 0 the second gradients are those of the formula, and not torch's."""
    x = torch.tensor(EDGES).double()
    for slope in (0.25, -1.0, 0.0):
        weight = torch.tensor([slope]).double()
        same(activation.prelu, functional.prelu, x, weight)
        x = x[x != 0]
        same(activation.prelu, functional.prelu, x, weight, second=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_prelu_in_half_precision(dtype: torch.dtype) -> None:
    x, weight = randn(50, 4, dtype=dtype), randn(4, dtype=dtype)
    rounded_once(activation.prelu, functional.prelu, x, weight)


def test_prelu_starts_where_it_is_told(twins: Callable[..., Any]) -> None:
    classes = [activation.PReLU, nn.PReLU]
    ours, theirs = twins(classes, 3, 0.1, dtype=torch.float64)
    same(ours, theirs, randn(2, 3, 4))
    nn.init.zeros_(ours.weight)
    ours.reset_parameters()
    assert torch.equal(ours.weight, torch.full((3,), 0.1, dtype=torch.float64))


def test_the_lines_are_what_is_computed() -> None:
    x, weight = randn(2, 4, 5), randn(4)
    a, b = x.chunk(2, 1)
    torch.testing.assert_close(GATE.literal(a, b.sigmoid()), activation.glu(x, 1))
    negative = PRELU.literal(x.clamp_max(0), weight)
    torch.testing.assert_close(x.clamp_min(0) + negative, activation.prelu(x, weight))
    exp = x.exp()
    torch.testing.assert_close(exp / TOTAL(exp), activation.softmax(x, 1))


@pytest.mark.parametrize(
    "name",
    [*(n for n in SETTINGS if n != "rrelu"), "softmax", "glu", "log_softmax"],
)
def test_mapped_and_differentiated(name: str) -> None:
    """torch has no rule for rrelu."""
    given = SETTINGS.get(name, [{"dim": -1}])[0]
    x = randn(3, 4)
    found = [
        torch.func.vmap(torch.func.grad(lambda row, f=f: f(row).sin().sum()))(x)
        for f in by_name(name, **given)
    ]
    torch.testing.assert_close(*found)


# torch compiles its own rules for it on first use, in a way that it advises against.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize(("name", "given"), [e for e in EACH if e[0] != "rrelu"])
def test_forward_mode(name: str, given: dict[str, Any]) -> None:
    x, tangent = 2 * randn(40), randn(40) + 1
    found = [
        torch.func.jvp(function, (x,), (tangent,))[1]
        for function in by_name(name, **given)
    ]
    torch.testing.assert_close(*found)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: activation.relu(x > 0), "relu: expected float or whole numbers, got torch.bool"),
        (lambda x: activation.elu(x.long()), "elu: expected float numbers, got torch.int64"),
        (lambda x: activation.glu(x.long()), "glu: expected float numbers"),
        (lambda x: activation.softmax(x.long(), 0), "softmax: expected float numbers"),
        (lambda x: activation.hardtanh(x, 1.0, -1.0), "hardtanh: expected min_val <= max_val, got 1.0 and -1.0"),
        (lambda x: activation.hardtanh(x.to(torch.uint8)), "hardtanh: expected settings that torch.uint8 has, got -1"),
        (lambda x: activation.celu(x, 0.0), "celu: expected an alpha that is not 0"),
        (lambda x: activation.rrelu(x, 0.5, 0.2), "rrelu: expected lower <= upper, both finite, got 0.5 and 0.2"),
        (lambda x: activation.rrelu(x, 0.5, INF), "rrelu: expected lower <= upper, both finite"),
        (lambda x: activation.gelu(x, approximate="tan"), "gelu: expected approximate to be 'none' or 'tanh', got 'tan'"),
        (lambda x: activation.softshrink(x, -0.1), "softshrink: expected lambd >= 0 and finite, got -0.1"),
        (lambda x: activation.softshrink(x, INF), "softshrink: expected lambd"),
        (lambda x: activation.glu(x, 1), r"glu: expected an even size in axis 1, got shape \(4, 3\)"),
        (lambda _: activation.glu(randn()), r"glu: expected an even size .*got shape \(\)"),
        (lambda x: activation.prelu(x, randn(4)), r"prelu: expected a weight of 1 or 3 numbers, got shape \(4,\)"),
        (lambda x: activation.prelu(x, randn(1, 3)), r"prelu: expected a weight of 1 or 3 numbers, got shape \(1, 3\)"),
        (lambda x: activation.prelu(x[0], randn(3)), "prelu: expected a weight of 1 or 1 numbers"),
        (lambda x: activation.prelu(x, randn(3).float()), "prelu: expected a weight of torch.float64, got torch.float32"),
        (activation.Softmax2d(), r"Softmax2d: expected an input of shape .*, got \(4, 3\)"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[Tensor], Any], told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=told):
        call(randn(4, 3))


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax", "glu"])
def test_no_such_axis(name: str) -> None:
    for function in by_name(name, dim=2):
        with pytest.raises(
            IndexError, match=r"Dimension out of range|index out of range"
        ):
            function(randn(4, 4))


def test_hardtanh_takes_its_deprecated_arguments() -> None:
    layers = []
    for cls in (activation.Hardtanh, nn.Hardtanh):
        with pytest.warns(FutureWarning, match="is deprecated"):
            layers.append(cls(min_value=-0.5, max_value=2.0))
    same(*layers, randn(5))


LAYERS = [
    pytest.param(name, example, id=f"{name}{n}")
    for name, examples in CLASSES.items()
    for n, example in enumerate(examples)
]


def built(name: str, example: Any) -> list[Any]:
    return [example.build(getattr(home, name)) for home in (activation, nn)]


@pytest.mark.parametrize(("name", "example"), LAYERS)
def test_checkpoints_give_the_gradient_of_the_layer(name: str, example: Any) -> None:
    layer, _ = built(name, example)

    def fresh(x: Tensor) -> Tensor:
        return layer(x * 1)  # in place, the input of a checkpoint would be lost

    def saved_on_cpu(x: Tensor) -> Tensor:
        with torch.autograd.graph.save_on_cpu():
            return fresh(x)

    def again(x: Tensor) -> Tensor:
        return checkpoint(fresh, x, use_reentrant=False)

    found = []
    for call in (fresh, again, saved_on_cpu):
        (x,) = example.inputs(gradient=True)
        torch.manual_seed(0)
        found.append(torch.autograd.grad(call(x).sin().sum(), x))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][0], found[2][0])


@pytest.mark.parametrize(("name", "example"), LAYERS)
def test_many_cotangents_at_once(name: str, example: Any) -> None:
    found = []
    for layer in built(name, example):
        (x,) = example.inputs()
        x[:2, :2] = torch.tensor([[-0.5, 0.0], [0.5, 6.0]], dtype=x.dtype).reshape(
            2, 2, *(1 for _ in x.shape[2:])
        )
        x.requires_grad_()
        torch.manual_seed(0)
        y = layer(x * 1)
        many = torch.stack([torch.ones_like(y), y.detach(), y.detach().exp()])
        found += torch.autograd.grad(y, x, many, is_grads_batched=True)
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("name", "example"), LAYERS)
def test_dtypes_under_autocast(name: str, example: Any, dtype: torch.dtype) -> None:
    found = []
    for layer in built(name, example):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            try:
                found.append(layer(example.inputs()[0].to(dtype)).dtype)
            except (RuntimeError, TypeError):  # prelu, of two dtypes
                found.append(None)
    assert found[0] == found[1]


@pytest.mark.parametrize(("name", "example"), LAYERS)
def test_strides_are_torchs(name: str, example: Any) -> None:
    (given,) = example.inputs()
    turned = given.transpose(0, -1).contiguous().transpose(0, -1)
    found = []
    for layer in built(name, example):
        torch.manual_seed(0)
        outputs = [layer(turned.clone()), layer(given[:1].expand_as(given).clone())]
        if given.ndim == 2 and name != "GLU":
            image = given[None, :, :, None].expand(2, -1, -1, 3)
            image = image.contiguous(memory_format=torch.channels_last)
            outputs += [layer(image)] if getattr(layer, "dim", 0) in (0, 1) else []
        found.append([y.stride() for y in outputs])
    assert found[0] == found[1]


# torch compiles its own rules for it on first use, in a way that it advises against.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize(("name", "example"), LAYERS)
def test_forward_mode_in_the_dtype_of_the_layer(name: str, example: Any) -> None:
    if name == "RReLU":  # torch's has no tangent
        return
    (x,) = example.inputs()
    found = []
    for layer in built(name, example):
        layer.eval()
        for parameter in layer.parameters():
            parameter.requires_grad_(requires_grad=False)
        found.append(torch.func.jvp(lambda x, f=layer: f(x * 1), (x,), (x + 1,)))
    torch.testing.assert_close(*found)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(("name", "example"), LAYERS)
def test_compiles_for_any_size(name: str, example: Any) -> None:
    if name == "RReLU" and example.training:  # torch's has no graph, either
        return
    layer, _ = built(name, example)
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager", dynamic=True)
    (x,) = example.inputs()
    torch.testing.assert_close(compiled(x.clone()), layer(x.clone()))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("name", [*SETTINGS, "softmax", "glu"])
def test_what_is_no_tensor_is_refused_by_name(name: str) -> None:
    given = SETTINGS.get(name, [{}])[0]
    for wrong in (randn(4).numpy(), [1.0, 2.0], None):
        if wrong is not None:
            with pytest.raises(TypeError, match=f"{name}: expected a tensor"):
                getattr(activation, name)(wrong, **given)


@pytest.mark.parametrize(
    "call",
    [
        lambda home, x: home.relu(x > 0),
        lambda home, x: home.elu(x.long()),
        lambda home, x: home.glu(x.long()),
        lambda home, x: home.softmax(x.long(), 0),
        lambda home, x: home.hardtanh(x, 1.0, -1.0),
        lambda home, x: home.hardtanh(x.to(torch.uint8)),
        lambda home, x: home.celu(x, 0.0),
        lambda home, x: home.rrelu(x, 0.5, 0.2),
        lambda home, x: home.gelu(x, approximate="tan"),
        lambda home, x: home.softshrink(x, -0.1),
        lambda home, x: home.glu(x, 1),
        lambda home, x: home.prelu(x, randn(4)),
        lambda home, x: home.prelu(x, randn(3).float()),
        lambda home, x: home.softmax(x, 2),
    ],
)
@pytest.mark.usefixtures("as_installed")
def test_who_catches_torchs_error_catches_ours(call: Callable[..., Any]) -> None:
    x = randn(4, 3)
    try:
        call(functional, x)
    except Exception as error:  # noqa: BLE001  (whatever torch raises)
        with pytest.raises(type(error)):
            call(activation, x)
    else:
        raise AssertionError("torch refuses it")


@pytest.mark.parametrize("name", [n for n in SETTINGS if n != "rrelu"])
def test_the_bend_is_what_runs(name: str) -> None:
    function = getattr(activation, name)
    assert lines(function, randn(3), **SETTINGS[name][0])[0] is function.line
    assert str(function.line) == name
