"""What made a cell is asked of the layer, and gives what the layer gives."""

import functools
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

import layerlib
from examples import FUNCTIONS, Example, functions, randn, whole
from layerlib.lab import influences, point_at, terms
from layerlib.lab.terms import Term, ring, slopes
from layerlib.recipe import stored

MOST_CELLS, MOST = 900, 600_000
"""Of one input, and the cells of each input times those of the output.

An example that has more takes too long to ask, and is left out; each function has one
that is small enough, here if not in its family.
"""

SUMS = {
    "conv", "conv_transpose", "distance", "embedding", "linear", "nlinear", "pool",
    "resample", "shapes", "windows",
}  # fmt: skip
SMALLER = {
    "conv2d": [Example([(2, 4, 4), (4, 1, 3, 2), (4,)], (2, 1, (1, 2), 2))],
    "conv3d": [Example([(2, 2, 3, 3), (2, 1, 2, 2, 2)], (None, 2, 1, (1, 1, 2), 2))],
    "conv_transpose2d": [
        Example([(2, 2, 3), (2, 2, 3, 2), (4,)], (2, 1, 1, 2, (1, 2)))
    ],
    "conv_transpose3d": [
        Example([(2, 2, 2, 1), (2, 1, 2, 2, 2)], (None, 2, 1, 1, 2, (1, 1, 2)))
    ],
    "fractional_max_pool3d": [Example([(1, 4, 4, 4)], (2, 2))],
}
CHOSEN = {"max_pool", "adaptive_max_pool", "fractional_max_pool"}
NO_SUM = {
    "cosine_similarity": "it divides by lengths",
    "lp_pool": "it takes powers",
    "pairwise_distance": "it takes powers",
    "bins": "it makes a matrix of two sizes",
    "mean_of_bins": "it makes a matrix of two sizes",
    **dict.fromkeys(("triangle", "cubic", "lanczos"), "it bends a number"),
    "normalize": "it divides by lengths",
    "one_hot": "its input is no number",
}


def kind(name: str) -> str:
    """`max_pool` for `max_pool2d`."""
    return re.sub(r"[123]d$", "", name)


def _wide(x: Tensor) -> Tensor:
    return x.double() if x.is_floating_point() else x


def asked(name: str, example: Example) -> tuple[Callable[..., Any], list[Tensor]]:
    """A function with the arguments of an example, and small whole numbers for it."""
    function = functions()[name]

    def first(*tensors: Tensor) -> Tensor:
        kwargs = tree_map_only(Tensor, _wide, example.kwargs)
        output = function(*tensors, *example.args, **kwargs)
        return stored(output[0] if isinstance(output, tuple) else output)

    inputs = [
        _wide(shape if isinstance(shape, Tensor) else whole(*shape).double())
        for shape in example.shapes
    ]
    return first, inputs


def small(name: str, example: Example) -> bool:
    function, inputs = asked(name, example)
    cells = [x.numel() for x in inputs if x.is_floating_point()]
    output = function(*(x.clone() for x in inputs))
    return max(cells) <= MOST_CELLS and math.prod(cells) * output.numel() <= MOST


def examples_of(families: Iterable[str]) -> list[Any]:
    return [
        pytest.param(name, example, id=f"{name}{n}")
        for name, function in functions().items()
        for n, example in enumerate([*FUNCTIONS[name], *SMALLER.get(name, [])])
        if function.__module__.removeprefix("layerlib.") in families
        and kind(name) not in NO_SUM
        and example.kwargs.get("mode") != "max"  # of embedding_bag
        and "max_norm" not in example.kwargs  # it divides by lengths
        and small(name, example)
    ]


def total(made: list[Term], inputs: list[Tensor]) -> float:
    values = [x.flatten().tolist() for x in inputs]
    return math.fsum(
        factor
        * math.prod(v[n] for v, n in zip(values, at, strict=True) if n is not None)
        for factor, at in made
    )


@pytest.mark.parametrize(("name", "example"), examples_of(SUMS))
def test_terms_equal_the_layer(name: str, example: Example) -> None:
    function, inputs = asked(name, example)
    torch.manual_seed(0)
    expected = function(*(x.clone() for x in inputs)).flatten().tolist()
    torch.manual_seed(0)
    if kind(name) in CHOSEN:
        values = inputs[0].flatten().tolist()
        made = influences(function, *inputs, how="max")
        assert [max(values[at[0]] for _, at in cell) for cell in made] == expected
        with pytest.raises(ValueError, match="expected a sum of products"):
            terms(function, *inputs)
    else:
        found = [total(cell, inputs) for cell in terms(function, *inputs)]
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_every_sum_is_asked() -> None:
    asked_for = {parameter.values[0] for parameter in examples_of(SUMS)}
    assert asked_for == {
        name
        for name, function in functions().items()
        if function.__module__.removeprefix("layerlib.") in SUMS
        and kind(name) not in NO_SUM
    }
    assert {kind(name) for name in asked_for} >= CHOSEN


def test_terms_of_a_convolution_by_hand() -> None:
    x, w, bias = whole(1, 4), whole(1, 1, 2), whole(1)
    found = terms(layerlib.conv.conv1d, x, w, bias, stride=2, padding=1)
    last = (1.0, (None, None, 0))
    assert found == [
        [(1.0, (0, 1, None)), last],
        [(1.0, (1, 0, None)), (1.0, (2, 1, None)), last],
        [(1.0, (3, 0, None)), last],
    ]


def test_terms_have_factors_constants_and_nothing() -> None:
    x = whole(3)
    found = terms(lambda x: torch.stack([x[0] / 4 - x[1], 0 * x[1] + 7, 0 * x[2]]), x)
    assert found == [[(0.25, (0,)), (-1.0, (1,))], [(7.0, (None,))], []]


def test_what_is_random_is_drawn_alike_and_leaves_the_generator() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    found = terms(nn.Dropout(0.5), whole(20))
    assert torch.equal(before, torch.get_rng_state())
    dropped = nn.functional.dropout(torch.ones(20), 0.5)
    assert [bool(cell) for cell in found] == dropped.bool().tolist()
    assert {factor for cell in found for factor, _ in cell} == {2.0}


def test_a_function_that_looks_at_its_numbers_is_asked_one_by_one() -> None:
    def reversed_if_large(x: Tensor) -> Tensor:
        return x.flip(0) if float(x.sum()) > -1e9 else x

    assert terms(reversed_if_large, whole(2)) == [[(1.0, (1,))], [(1.0, (0,))]]


def test_a_module_stays_as_it_is() -> None:
    layer = nn.BatchNorm1d(2)
    influences(layer, whole(3, 2), how="marks")
    assert layer.weight.dtype == torch.float32
    assert layer.num_batches_tracked == 0


def marked(function: Callable[..., Any], *tensors: Tensor, **options: Any) -> Tensor:
    """``(output, cells)`` of the first tensor."""
    made = influences(function, *tensors, how="marks", **options)
    seen = torch.zeros(len(made), tensors[0].numel(), dtype=torch.bool)
    for cell, found in enumerate(made):
        for _, at in found:
            if at[0] is not None:
                seen[cell, at[0]] = True
    return seen


def together(labels: Tensor) -> Tensor:
    """Cells with the same label see each other."""
    return labels.flatten()[:, None] == labels.flatten()


ROWS, COLUMNS = torch.arange(3)[:, None].expand(3, 4), torch.arange(4).expand(3, 4)
GROUPS = ROWS * 2 + COLUMNS // 2
KEEP = torch.tensor([[True, True, False], [True, False, False], [True, True, True]])


@pytest.mark.parametrize(
    ("function", "labels"),
    [
        (nn.LayerNorm(4), ROWS),
        (layerlib.LayerNorm(4), ROWS),
        (layerlib.RMSNorm(4), ROWS),
        (layerlib.BatchNorm1d(4), COLUMNS),
        (layerlib.GroupNorm(2, 4), GROUPS),
        (layerlib.Softmax(-1), ROWS),
        (layerlib.Softmax(0), COLUMNS),
        (layerlib.GELU(), ROWS * 4 + COLUMNS),
        (layerlib.ReLU(), ROWS * 4 + COLUMNS),
    ],
)
def test_marks_of_norms_and_activations(function: nn.Module, labels: Tensor) -> None:
    assert torch.equal(marked(function, whole(3, 4)), together(labels))


def test_marks_of_a_batch_norm_in_evaluation() -> None:
    layer = layerlib.BatchNorm1d(4).eval()
    assert torch.equal(marked(layer, whole(3, 4)), torch.eye(12) > 0)


@pytest.mark.parametrize("additive", [False, True])
def test_marks_of_attention(additive: bool) -> None:
    q, k, v = randn(3, 2), randn(3, 2) + 1, randn(3, 2).square()
    mask = torch.zeros(3, 3).masked_fill(~KEEP, -torch.inf) if additive else KEEP
    attend = layerlib.attention.scaled_dot_product_attention
    keys = marked(lambda k: attend(q, k, v, mask), k)
    values = marked(lambda v: attend(q, k, v, mask), v)
    # A query that sees one key only takes its value, whatever the key is.
    several = KEEP & (KEEP.sum(dim=1, keepdim=True) > 1)
    assert torch.equal(
        keys.view(3, 2, 3, 2), several.view(3, 1, 3, 1).expand(3, 2, 3, 2)
    )
    same_feature = torch.eye(2).bool()
    expected = KEEP.view(3, 1, 3, 1) & same_feature.view(1, 2, 1, 2)
    assert torch.equal(values.view(3, 2, 3, 2), expected)
    picture = point_at(
        attend,
        *[whole(3, 2)] * 3,
        mask,
        axes="q e, s e, s e, q s -> q e",
        how="marks",
        names="qkvmy",
    )
    assert not any("m[" in said or "of m" in said for said in picture.sums())


def test_marks_of_causal_attention() -> None:
    attend = layerlib.attention.scaled_dot_product_attention
    q, k = whole(3, 1).double(), whole(3, 1).double()
    values = marked(lambda v: attend(q, k, v, is_causal=True), whole(3, 1))
    assert torch.equal(values, torch.ones(3, 3).tril() > 0)


@pytest.mark.parametrize("layer", [layerlib.RNN, layerlib.LSTM, layerlib.GRU])
def test_marks_of_recurrence(layer: Any) -> None:
    torch.manual_seed(0)
    net = layer(1, 1).double()
    seen = marked(lambda x: net(x)[0], whole(4, 1))
    assert torch.equal(seen, torch.ones(4, 4).tril() > 0)


PADDED: dict[str, tuple[Callable[..., Any], list[Tensor], dict[str, Any], str]] = {
    "an option": (layerlib.conv.conv2d, [whole(2, 4, 3), whole(1, 2, 2, 3)], {"padding": (1, 2), "stride": 2}, "sum"),
    "one number": (layerlib.conv.conv2d, [whole(1, 4, 3), whole(1, 1, 2, 3)], {"padding": 1, "dilation": 2}, "sum"),
    "a keyword": (functools.partial(layerlib.conv.conv1d, padding=2), [whole(1, 4), whole(1, 1, 3)], {}, "sum"),
    "a module": (layerlib.MaxPool2d(3, 2, 1), [whole(2, 4, 5)], {}, "max"),
    "a module of pairs": (layerlib.AvgPool2d((3, 2), 1, (1, 0)), [whole(1, 4, 5)], {}, "sum"),
    "a module with parameters": (layerlib.Conv1d(2, 3, 3, padding=1), [whole(2, 5)], {}, "sum"),
    "torch's": (nn.Conv1d(2, 3, 3, padding=1), [whole(2, 5)], {}, "sum"),
}  # fmt: skip


@pytest.mark.parametrize("case", PADDED)
def test_padding_is_found_by_windows(case: str) -> None:
    """Next to the cells that are there, each window has those of its padding."""
    function, tensors, options, how = PADDED[case]
    found = ring(function, *tensors, how=how, **options)
    assert found is not None
    around, beyond = found
    made = (
        terms(function, *tensors, **options)
        if how == "sum"
        else influences(function, *tensors, how=how, **options)
    )
    seen = [
        len({at[0] for _, at in cell if at[0] is not None}) + len(outside)
        for cell, outside in zip(made, beyond, strict=True)
    ]
    assert len(set(seen)) == 1
    assert any(beyond)
    shape = [*tensors[0].shape]
    for n, size in enumerate(reversed(around), 1):
        shape[-n] += 2 * size
    for flat in {n for cell in beyond for n in cell}:
        *_, row, column = torch.unravel_index(torch.tensor(flat), shape)
        sides = [int(column) - around[-1]]
        inside = [0 <= sides[0] < tensors[0].shape[-1]]
        if len(around) == 2:
            inside.append(0 <= int(row) - around[0] < tensors[0].shape[-2])
        assert not all(inside)


@pytest.mark.parametrize(
    ("function", "tensors", "how"),
    [
        (layerlib.MaxPool1d(2), [whole(1, 4)], "max"),
        (layerlib.MaxPool1d(2, padding=1), [whole(1, 4)], "marks"),
        (layerlib.AvgPool1d(3, 1, 1, count_include_pad=False), [whole(1, 4)], "sum"),
        (layerlib.Conv1d(1, 1, 3, padding="same"), [whole(1, 4)], "sum"),
        (layerlib.Conv1d(1, 1, 3, padding=1, padding_mode="circular"), [whole(1, 4)], "sum"),
        (layerlib.ConvTranspose1d(1, 1, 3, padding=1), [whole(1, 4)], "sum"),
        (torch.neg, [whole(1, 4)], "sum"),
    ],
)  # fmt: skip
def test_no_padding_is_made_up(
    function: Callable[..., Any], tensors: list[Tensor], how: str
) -> None:
    assert ring(function, *tensors, how=how) is None


def test_slopes_are_autograds() -> None:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return layerlib.attention.scaled_dot_product_attention(q, k, v)

    inputs = randn(2, 3).double(), randn(4, 3).double(), randn(4, 2).double()
    found = slopes(attend, *inputs)
    expected = torch.autograd.functional.jacobian(attend, inputs)
    for which, right in enumerate(expected):
        cells = inputs[which].numel()
        assert torch.allclose(found[which], right.reshape(-1, cells).T, atol=1e-8)


def test_a_kink_has_no_slope() -> None:
    found = slopes(torch.relu, torch.tensor([0, 2, -2]))[0].diagonal()
    assert found.isnan().tolist() == [True, False, False]
    assert found[1:].tolist() == pytest.approx([1, 0])
