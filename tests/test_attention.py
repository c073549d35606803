"""Attention next to torch's: every mask, every option, and what is masked everywhere."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrize

from examples import randn
from layerlib import attention
from layerlib.attention import (
    READ,
    SCORES,
    MultiheadAttention,
    multi_head_attention_forward,
    scaled_dot_product_attention,
)
from layerlib.engine import pieces
from layerlib.lab import moves, same
from layerlib.linear import Linear
from test_contract import WithArguments

HALVES = [torch.bfloat16, torch.float16]
PAIR = [MultiheadAttention, nn.MultiheadAttention]
LATER = torch.ones(5, 5, dtype=torch.bool).triu(1)
EARLIER = torch.ones(4, 5, dtype=torch.bool).tril()
PADDING = torch.tensor([[False] * 5, [False] * 2 + [True] * 3])
MASKS = {
    "none": None,
    "bool": EARLIER,
    "float": randn(4, 5),
    "float32": randn(4, 5, dtype=torch.float32),
    "keys": ~PADDING[:, None, None],
    "heads": randn(3, 4, 1),
    "all": randn(2, 3, 4, 5),
    "one row": randn(5),
    "infinite": torch.zeros(4, 5).masked_fill(~EARLIER, -torch.inf),
}


def by_math(*inputs: Tensor | None, **kwargs: Any) -> Tensor:
    """torch's, on the path that has second gradients."""
    with sdpa_kernel(SDPBackend.MATH):
        return functional.scaled_dot_product_attention(*inputs, **kwargs)


def qkv(*batch: int, q: int = 4, s: int = 5, e: int = 6, v: int = 6) -> list[Tensor]:
    return [randn(*batch, q, e), 2 * randn(*batch, s, e), randn(*batch, s, v)]


@pytest.mark.parametrize("piece", [2**19, 45, 7, 1])
@pytest.mark.parametrize("name", MASKS)
def test_attention_with_masks(
    name: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", piece)
    mask = [] if MASKS[name] is None else [MASKS[name]]
    theirs = functional.scaled_dot_product_attention
    given = [*qkv(2, 3), *mask]
    same(scaled_dot_product_attention, by_math, *given, second=True)
    if not mask or mask[0].ndim > 1:  # torch's fast path refuses one axis
        same(scaled_dot_product_attention, theirs, *given)


@pytest.mark.parametrize("batch", [(), (2,), (2, 3), (2, 1, 3), (0,), (2, 0)])
@pytest.mark.parametrize(
    "sizes",
    [
        (4, 5, 6, 6),
        (5, 4, 6, 3),
        (1, 1, 1, 1),
        (4, 0, 6, 6),
        (0, 4, 6, 6),
        (4, 5, 0, 2),
    ],
)
@pytest.mark.parametrize("is_causal", [False, True])
def test_attention_shapes(
    batch: tuple[int, ...], sizes: tuple[int, ...], is_causal: bool
) -> None:
    given = qkv(*batch, **dict(zip("qsev", sizes, strict=True)))
    for scale in (None, 0.3, -2.0):
        same(
            lambda *x: scaled_dot_product_attention(
                *x,
                is_causal=is_causal,
                scale=scale,  # noqa: B023
            ),
            lambda *x: by_math(*x, is_causal=is_causal, scale=scale),  # noqa: B023
            *given,
        )


@pytest.mark.parametrize("dropout_p", [0.3, 1.0])
@pytest.mark.parametrize("piece", [2**19, 45, 7])
@pytest.mark.parametrize("mask", ["none", "bool", "float"])
def test_attention_dropout(
    dropout_p: float, piece: int, mask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", piece)
    same(
        lambda *x: scaled_dot_product_attention(*x, MASKS[mask], dropout_p),
        lambda *x: by_math(*x, MASKS[mask], dropout_p),
        *qkv(2, 3),
        second=True,
    )


@pytest.mark.parametrize(("k", "v"), [(1, 1), (2, 2), (2, 3), (6, 6)])
@pytest.mark.parametrize("batch", [(), (2,), (2, 2)])
def test_grouped_queries(batch: tuple[int, ...], k: int, v: int) -> None:
    given = [randn(*batch, 6, 3, 4), randn(*batch, k, 5, 4), randn(*batch, v, 5, 4)]
    same(
        lambda *x: scaled_dot_product_attention(*x, enable_gqa=True),
        lambda *x: by_math(*x, enable_gqa=True),
        *given,
        second=True,
    )


@pytest.mark.parametrize(
    ("keys", "values"),
    [((2, 1), (2, 1)), ((2, 4), (2, 1)), ((2, 1), (2, 4))],
)
@pytest.mark.parametrize("mask", ["none", "all"])
def test_one_head_of_sources_for_all_heads(
    keys: tuple[int, ...], values: tuple[int, ...], mask: str
) -> None:
    given = [randn(2, 4, 3, 8), randn(*keys, 5, 8), randn(*values, 5, 6)]
    given += [] if mask == "none" else [randn(2, 4, 3, 5)]
    same(scaled_dot_product_attention, by_math, *given, second=True)


def test_second_gradients_hang_on_no_tie() -> None:
    """A clamp at its bound has two slopes, and torch has changed which it takes."""
    inputs = [x.requires_grad_() for x in qkv(2, 3)]
    mask = torch.zeros(4, 5, dtype=torch.bool)
    mask[:, 2] = mask[3] = True  # one source is left, and then all of them

    def twice(*given: Tensor) -> Tensor:
        output = scaled_dot_product_attention(*given, mask)
        found = torch.autograd.grad(output.square().sum(), given, create_graph=True)
        return sum(x.square().sum() for x in found)

    ran = moves(twice, *inputs, backward=True)
    assert {"exp", "exp_"} & set(ran)
    assert not [name for name in ran if "clamp" in name or name == "max"]


@pytest.mark.parametrize("drop", [~EARLIER, torch.ones(4, 5, dtype=torch.bool)])
def test_a_row_masked_everywhere_reads_zeros(drop: Tensor) -> None:
    drop = drop.clone()
    drop[1] = True
    for mask in (~drop, torch.zeros(4, 5).masked_fill(drop, -torch.inf)):
        for batch in [(), (2, 3)]:
            given = [*qkv(*batch), mask]
            same(scaled_dot_product_attention, by_math, *given, second=True)
            assert (scaled_dot_product_attention(*given)[..., 1, :] == 0).all()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("mask", ["none", "bool"])
def test_nan_and_infinity_pass_as_in_torch(value: float, mask: str) -> None:
    for which in range(3):
        given = qkv(2, 3)
        given[which][0, 0, 1, 2] = value
        same(
            lambda *x: scaled_dot_product_attention(*x, MASKS[mask]),
            lambda *x: by_math(*x, MASKS[mask]),
            *given,
        )


def test_layouts_in_memory() -> None:
    q, k, v = (randn(2, n, 3, 6).transpose(1, 2) for n in (4, 5, 5))
    same(scaled_dot_product_attention, by_math, q, k, v)
    q, k, v = (x[..., ::2] for x in (q, k, v))
    same(scaled_dot_product_attention, by_math, q, k, v.expand(2, 3, 5, 3))


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("kwargs", [{}, {"is_causal": True}, {"dropout_p": 0.3}])
@pytest.mark.parametrize("batch", [(4,), (2, 2)])
def test_half_precision_is_rounded_once(
    dtype: torch.dtype, kwargs: dict[str, Any], batch: tuple[int, ...]
) -> None:
    given = [x.to(dtype) for x in qkv(*batch, q=60, s=80, e=16, v=16)]
    exact = gradients(by_math, [x.double() for x in given], kwargs)
    found = gradients(scaled_dot_product_attention, given, kwargs)
    for mine, right in zip(found, exact, strict=True):
        rounded_once(mine, right)


def rounded_once(x: Tensor, exact: Tensor, parts: int = 1) -> None:
    """Half a unit in the last place, after sums in 32 bits of some hundred terms.

    Parts that were rounded by themselves are off by half a unit of the largest.
    """
    info = torch.finfo(x.dtype)
    unit = info.eps * 2.0 ** exact.abs().clamp_min(info.tiny).log2().floor()
    sums = (500 * 2**-24 + (parts - 1) * info.eps) * exact.abs().max()
    assert ((x.double() - exact).abs() <= unit / 2 + sums).all()


def gradients(
    function: Callable[..., Tensor], given: list[Tensor], kwargs: dict[str, Any]
) -> list[Tensor]:
    leaves = [x.clone().requires_grad_() for x in given]
    torch.manual_seed(0)
    output = function(*leaves, **kwargs)
    assert output.dtype == given[0].dtype
    cotangent = randn(*output.shape, dtype=torch.bfloat16).to(output.dtype)
    return [output, *torch.autograd.grad(output, leaves, cotangent)]


def test_literal_forms_mean_the_same() -> None:
    q, k, v = qkv(2, 3)
    weights = (SCORES.literal(q, k) / 6**0.5).softmax(-1)
    read = READ.literal(weights, v)
    torch.testing.assert_close(scaled_dot_product_attention(q, k, v), read)


def test_memory_does_not_grow_with_the_square(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 100)
    sizes = []
    real = attention._weights  # noqa: SLF001
    monkeypatch.setattr(
        attention, "_weights", lambda *x: sizes.append(real(*x).numel()) or real(*x)
    )
    scaled_dot_product_attention(*qkv(3, 2, q=20, s=25))
    assert max(sizes) <= 100
    assert sum(sizes) == 3 * 2 * 20 * 25


MHA_MASKS: list[dict[str, Any]] = [
    {},
    {"attn_mask": LATER},
    {"attn_mask": LATER, "is_causal": True},
    {"key_padding_mask": PADDING},
    {"key_padding_mask": PADDING, "attn_mask": torch.eye(5, dtype=torch.bool)},
    {"attn_mask": randn(4, 5, 5), "key_padding_mask": randn(2, 5)},
    {
        "attn_mask": LATER,
        "key_padding_mask": PADDING,
        "is_causal": True,
    },
]


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("masks", MHA_MASKS)
def test_multihead_attention(
    twins: Callable[..., Any], masks: dict[str, Any], need_weights: bool, dropout: float
) -> None:
    for bias, add, zero in itertools.product([True, False], repeat=3):
        batch_first, kdim = bias == zero, None if bias == add else 3
        layers = twins(
            PAIR,
            *(8, 2, dropout, bias, add, zero, kdim, kdim, batch_first),
            dtype=torch.float64,
        )
        given = {**masks, "need_weights": need_weights, "average_attn_weights": add}
        shape = (2, 5) if batch_first else (5, 2)
        x = randn(*shape, kdim or 8)
        same(
            *(WithArguments(layer, given) for layer in layers), randn(*shape, 8), x, -x
        )


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("which", ["self", "memory"])
def test_one_tensor_for_several_inputs(
    twins: Callable[..., Any], which: str, training: bool, need_weights: bool
) -> None:
    for dtype, batch_first in itertools.product(
        [torch.float64, *HALVES], [False, True]
    ):
        layers = twins(
            PAIR,
            *(8, 2, 0.4),
            batch_first=batch_first,
            dtype=torch.float64,
        )
        layers = [layer.train(training) for layer in layers]
        if which == "self":
            calls = [lambda x, m=m: m(x, x, x, None, need_weights)[0] for m in layers]
        else:
            calls = [lambda x, m=m: m(-x, x, x, None, need_weights)[0] for m in layers]
        if dtype is torch.float64:
            same(*calls, randn(3, 2, 8), second=need_weights)
            continue
        x = randn(70, 9, 8).to(dtype)
        layers[1].load_state_dict(layers[0].to(dtype).state_dict())
        found, exact = (
            gradients(calls[0], [x], {}),
            gradients(calls[1], [x.double()], {}),
        )
        for mine, right in zip(found, exact, strict=True):
            # What is read twice (its negative is another tensor) is a sum of parts.
            rounded_once(mine, right, parts=1 + (which == "memory"))


def test_evaluation_without_gradients(twins: Callable[..., Any]) -> None:
    """torch then runs one kernel for all of it."""
    layers = twins(PAIR, 8, 2, batch_first=True)
    x = randn(2, 5, 8, dtype=torch.float32)
    for masks in MHA_MASKS[:5]:
        with torch.no_grad():
            found = [layer.eval()(x, x, x, **masks) for layer in layers]
        torch.testing.assert_close(*found)


def test_unbatched(twins: Callable[..., Any]) -> None:
    layers = twins(PAIR, 8, 2).copy()
    layers = [layer.double() for layer in layers]
    for given in (
        {},
        {"need_weights": False},
        {"attn_mask": randn(2, 4, 5), "average_attn_weights": False},
        {"key_padding_mask": PADDING[1], "attn_mask": ~EARLIER},
        {"key_padding_mask": randn(5), "need_weights": False},
    ):
        pair = [WithArguments(layer, given) for layer in layers]
        second = given.get("need_weights", True)  # torch's kernel has no second ones
        same(*pair, randn(4, 8), randn(5, 8), -randn(5, 8), second=second)


def test_a_mask_that_is_learned(twins: Callable[..., Any]) -> None:
    layers = twins(PAIR, 8, 2, dtype=torch.float64)
    for need_weights, shape in itertools.product([True, False], [(4, 5), (4, 4, 5)]):
        same(
            *(
                lambda q, k, bias, m=m: m(q, k, k, None, need_weights, bias)[0]  # noqa: B023
                for m in layers
            ),
            *(randn(4, 2, 8), randn(5, 2, 8), randn(*shape)),
        )


def test_a_row_masked_everywhere_has_no_weights(twins: Callable[..., Any]) -> None:
    """They are shown as NaN; where they are not asked for, the row reads zeros."""
    layers = twins(PAIR, 8, 2, dtype=torch.float64)
    mask = torch.zeros(5, 5, dtype=torch.bool)
    mask[2] = True
    for need_weights in (True, False):
        given = {"attn_mask": mask, "need_weights": need_weights}
        pair = [WithArguments(layer, given) for layer in layers]
        same(*pair, *[randn(5, 2, 8)] * 3)
        output, _ = pair[0](*[randn(5, 2, 8)] * 3)
        assert bool(output[2].isnan().all()) == need_weights


@pytest.mark.parametrize("static", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("zero", [False, True])
def test_static_keys_and_values(static: tuple[bool, bool], zero: bool) -> None:
    s = [randn(4, 5, 4) if given else None for given in static]
    for need_weights in (True, False):
        given = [
            8,
            2,
            randn(24, 8),
            randn(24),
            None,
            None,
            zero,
            0.0,
            randn(8, 8),
            None,
        ]
        kwargs = {"static_k": s[0], "static_v": s[1], "need_weights": need_weights}
        same(
            lambda *x: multi_head_attention_forward(*x, *given, **kwargs),  # noqa: B023
            lambda *x: functional.multi_head_attention_forward(*x, *given, **kwargs),  # noqa: B023
            *(randn(4, 2, 8), randn(5, 2, 8), randn(5, 2, 8)),
        )


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("zero", [False, True])
def test_a_source_of_one_axis(zero: bool, need_weights: bool) -> None:
    """`bias_k` and `bias_v` of shape (e,), as torch repeats them."""
    more = [randn(8), -randn(8)]
    given = [8, 2, randn(24, 8), randn(24), *more, zero, 0.0, randn(8, 8), None]
    for mask in (None, ~EARLIER):
        kwargs = {"need_weights": need_weights, "attn_mask": mask}
        same(
            lambda *x: multi_head_attention_forward(*x, *given, **kwargs),  # noqa: B023
            lambda *x: functional.multi_head_attention_forward(*x, *given, **kwargs),  # noqa: B023
            *(randn(4, 2, 8), randn(5, 2, 8), randn(5, 2, 8)),
        )


def test_parametrized_weights_are_read_once(twins: Callable[..., Any]) -> None:
    read: list[Any] = []

    class Counted(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            read.append(weight.shape)
            return 2 * weight

    for kdim, need_weights in itertools.product([None, 3], [False, True]):
        options = {"kdim": kdim, "vdim": kdim, "add_bias_kv": True}
        layers = twins(PAIR, 8, 2, **options, dtype=torch.float64)
        for layer in layers:
            for name, _ in [*layer.named_parameters(recurse=False)]:
                parametrize.register_parametrization(layer, name, Counted())
            parametrize.register_parametrization(layer.out_proj, "weight", Counted())
        read.clear()
        x, given = randn(5, 2, kdim or 8), {"need_weights": need_weights}
        layers[0](randn(4, 2, 8), x, x, **given)
        count = len([*layers[0].named_parameters()]) - 1  # less the output's bias
        assert len(read) == count
        same(*(WithArguments(layer, given) for layer in layers), randn(4, 2, 8), x, x)


def test_the_last_layer_is_linear(twins: Callable[..., Any]) -> None:
    """So that what goes over all linear layers reaches it."""
    reached = []
    layer, theirs = twins(PAIR, 8, 2)
    layer.apply(lambda m: reached.append(m) if isinstance(m, Linear) else None)
    assert reached == [layer.out_proj]
    assert isinstance(layer.out_proj, type(theirs.out_proj))
    assert repr(layer) == repr(theirs)
    same(layer.out_proj, theirs.out_proj, randn(3, 8, dtype=torch.float32))


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("size", [(0, 2, 5), (4, 2, 0), (4, 0, 5), (0, 0, 0)])
def test_no_tokens(
    twins: Callable[..., Any], size: tuple[int, ...], need_weights: bool
) -> None:
    q, b, s = size
    for batch_first, zero in itertools.product([False, True], repeat=2):
        options = {"batch_first": batch_first, "add_zero_attn": zero}
        layers = twins(PAIR, 8, 2, **options, dtype=torch.float64)
        given = [WithArguments(x, {"need_weights": need_weights}) for x in layers]
        shapes = [(b, n, 8) if batch_first else (n, b, 8) for n in (q, s, s)]
        same(*given, *(randn(*shape) for shape in shapes))


@pytest.mark.parametrize("kdim", [None, 5])
@pytest.mark.parametrize("bias", [True, False])
def test_initial_values(
    twins: Callable[..., Any], kdim: int | None, bias: bool
) -> None:
    layers = twins(
        PAIR,
        *(8, 2, 0.0, bias),
        add_bias_kv=True,
        kdim=kdim,
    )
    states = [layer.state_dict() for layer in layers]
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())
    assert (layers[0].in_proj_bias is None) != bias


Q, K = randn(3, 2, 4), randn(5, 2, 4)
EYE = torch.eye(4).double()
ONE = torch.ones(1, 1, 4).double()


def forward(
    *inputs: Tensor,
    heads: int = 2,
    weight: Any = ...,
    more: Any = (None, None),
    **kwargs: Any,
) -> Any:
    weight = torch.cat([EYE] * 3) if weight is ... else weight
    inputs = inputs or (Q, K, K)
    return multi_head_attention_forward(
        *inputs, 4, heads, weight, None, *more, *(False, 0.0, EYE, None), **kwargs
    )


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda f: f(randn(4), randn(5, 4), randn(5, 4)),
            r"expected query of shape \(..., q, e\), got \(4,\)",
        ),
        (
            lambda f: f(randn(2, 4), randn(5, 3), randn(5, 3)),
            r"expected key of shape \(\*, 4\), got \(5, 3\)",
        ),
        (
            lambda f: f(randn(2, 2, 4), randn(1, 5, 4), randn(1, 5, 4)),
            r"expected key of shape \(2, \*, 4\)",
        ),
        (
            lambda f: f(randn(2, 4), randn(5, 4), randn(1, 4)),
            r"expected value of shape \(5, \*\), got \(1, 4\)",
        ),
        (
            lambda f: f(randn(2, 4), randn(5, 4).float(), randn(5, 4)),
            "one floating dtype, got .*float32",
        ),
        (lambda f: f(*[torch.ones(2, 2, dtype=torch.int64)] * 3), "one floating dtype"),
        (
            lambda f: f(*[torch.ones(2, 2, dtype=torch.complex64)] * 3),
            "one floating dtype",
        ),
        (lambda f: f(*qkv(), dropout_p=1.5), "dropout_p from 0 to 1, got 1.5"),
        (lambda f: f(*qkv(), dropout_p=-0.5), "dropout_p from 0 to 1, got -0.5"),
        (
            lambda f: f(*qkv(), torch.ones(4, 5, dtype=torch.int64)),
            "attn_mask of one of the dtypes .*int64",
        ),
        (
            lambda f: f(*[x.float() for x in qkv()], randn(4, 5)),
            "attn_mask of one of the dtypes .*float64",
        ),
        (
            lambda f: f(*qkv(), randn(3, 5)),
            r"attn_mask to fit scores of shape \(4, 5\), got \(3, 5\)",
        ),
        (
            lambda f: f(*qkv(), randn(2, 4, 5)),
            r"attn_mask to fit scores of shape \(4, 5\), got \(2, 4, 5\)",
        ),
        (
            lambda f: f(*qkv(), EARLIER, is_causal=True),
            "expected attn_mask or is_causal, got both",
        ),
        (
            lambda f: f(*qkv(4, s=4), enable_gqa=True, attn_mask=randn(9)),
            "attn_mask to fit",
        ),
        (
            lambda f: f(
                randn(4, 3, 2), randn(3, 3, 2), randn(3, 3, 2), enable_gqa=True
            ),
            "divides 4, got 3",
        ),
        (
            lambda f: f(randn(3, 2), randn(3, 2), randn(3, 2), enable_gqa=True),
            "divides 0, got 0",
        ),
        (
            lambda f: f(
                randn(4, 3, 2), randn(0, 3, 2), randn(0, 3, 2), enable_gqa=True
            ),
            "divides 4, got 0",
        ),
    ],
)
def test_attention_errors(call: Callable[..., Any], told: str) -> None:
    with pytest.raises(
        ValueError, match="scaled_dot_product_attention: .*" + told
    ) as e:
        call(scaled_dot_product_attention)
    is_torchs_too(e.value, lambda: call(functional.scaled_dot_product_attention))


def is_torchs_too(error: Exception, call: Callable[[], Any]) -> None:
    """Who catches what torch raises catches ours."""
    theirs: type[Exception] = Exception  # where torch lets it pass
    try:
        call()
    except Exception as raised:  # noqa: BLE001
        theirs = type(raised)
    assert isinstance(error, theirs)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: forward(randn(4), K, K),
            r"expected query of shape \(q, e\) or \(q, b, e\), got \(4,\)",
        ),
        (
            lambda: forward(randn(3, 2, 5), K, K),
            r"expected query of shape \(\*, 2, 4\), got \(3, 2, 5\)",
        ),
        (
            lambda: forward(Q, randn(5, 3, 4), K),
            r"expected key of shape \(\*, 2, \*\), got \(5, 3, 4\)",
        ),
        (
            lambda: forward(Q, randn(5, 4), K),
            r"expected key of shape \(\*, 2, \*\), got \(5, 4\)",
        ),
        (
            lambda: forward(Q, K, randn(6, 2, 4)),
            r"expected value of shape \(5, 2, \*\), got \(6, 2, 4\)",
        ),
        (
            lambda: forward(Q, randn(5, 2, 3), K),
            r"expected k_proj_weight of shape \(4, 3\), got \(4, 4\)",
        ),
        (lambda: forward(weight=None), "expected q_proj_weight, got None"),
        (
            lambda: forward(
                use_separate_proj_weight=True, q_proj_weight=EYE, v_proj_weight=EYE
            ),
            "expected k_proj_weight, got None",
        ),
        (lambda: forward(heads=3), "expected a number of heads that divides 4, got 3"),
        (lambda: forward(more=(ONE, None)), "expected both bias_k and bias_v"),
        (
            lambda: forward(more=(ONE, ONE), static_k=randn(4, 5, 2)),
            "no static_k or static_v with them",
        ),
        (
            lambda: forward(more=(ONE, ONE[0])),
            r"expected bias_v of shape \(1, 1, 4\), got \(1, 4\)",
        ),
        (
            lambda: forward(static_v=randn(4, 5, 3)),
            r"expected static_v of shape \(4, \*, 2\), got \(4, 5, 3\)",
        ),
        (
            lambda: forward(is_causal=True),
            "expected an attn_mask, which is_causal only describes",
        ),
        (
            lambda: forward(attn_mask=randn(3, 4)),
            r"expected attn_mask of shape \(4, 3, 5\) or \(3, 5\), got \(3, 4\)",
        ),
        (
            lambda: forward(attn_mask=randn(2, 3, 5)),
            r"attn_mask of shape .*, got \(2, 3, 5\)",
        ),
        (
            lambda: forward(key_padding_mask=randn(5)),
            r"expected key_padding_mask of shape \(2, 5\), got \(5,\)",
        ),
        (
            lambda: forward(key_padding_mask=torch.ones(2, 5, dtype=torch.int64)),
            "truth values or floating, got torch.int64",
        ),
    ],
)
def test_multi_head_errors(
    call: Callable[..., Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ValueError, match="multi_head_attention_forward: .*" + told
    ) as error:
        call()
    theirs = functional.multi_head_attention_forward
    monkeypatch.setitem(globals(), "multi_head_attention_forward", theirs)
    is_torchs_too(error.value, call)


@pytest.mark.usefixtures("as_installed")
def test_what_is_no_tensor_or_of_another_dtype() -> None:
    layer, x = MultiheadAttention(4, 2, batch_first=True), randn(2, 3, 4).float()
    array = x.numpy()
    told = "MultiheadAttention: expected a tensor as key"
    with pytest.raises(TypeError, match=told):
        layer(x, array, x)
    with pytest.raises(TypeError, match="attention: expected a tensor as attn_mask"):
        scaled_dot_product_attention(x, x, x, array)
    told = "forward: expected query, .* of one floating dtype, got .*float64.*float32"
    with pytest.raises(RuntimeError, match=told):
        layer(*[x.double()] * 3)
