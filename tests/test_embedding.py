"""Embeddings, bags of them and one-hot rows, next to torch's: every option."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils.checkpoint import checkpoint

from examples import randn
from layerlib.embedding import (
    BAGS,
    EMBEDDING,
    LARGEST,
    Embedding,
    EmbeddingBag,
    embedding,
    embedding_bag,
    one_hot,
)
from layerlib.lab import lines, same

INPUTS = [
    torch.tensor(3),
    torch.tensor([1, 4, 1, 0, 4, 4]),
    torch.tensor([[1, 4], [2, 2], [0, 4]], dtype=torch.int32),
    torch.zeros(2, 0, dtype=torch.int64),
    torch.tensor([[[1, 4], [2, 2]], [[0, 4], [3, 1]]]).transpose(0, 2),
]
FLAT = torch.tensor([1, 4, 1, 0, 4, 4, 2])
OFFSETS = [[0], [0, 3], [0, 0, 3], [0, 2, 7], [0, 1, 1, 1, 5, 7]]


def both(
    function: Any, theirs: Any, *given: Any, second: bool = False, **kw: Any
) -> None:
    """Compares two functions of whole numbers, the weight and the rest by name."""
    same(
        lambda *inputs: function(*inputs, **kw),
        lambda *inputs: theirs(*inputs, **kw),
        *given,
        second=second,
    )


@pytest.mark.parametrize("input", INPUTS, ids=lambda x: str(tuple(x.shape)))
@pytest.mark.parametrize("padding_idx", [None, 0, 4, -1, -5])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("max_norm", [None, 1.0])
def test_embedding(
    input: Tensor, padding_idx: int | None, scale: bool, max_norm: float | None
) -> None:
    options = {"padding_idx": padding_idx, "scale_grad_by_freq": scale}
    weights = [randn(5, 3), randn(5, 3)]
    for function, weight in zip(
        [embedding, functional.embedding], weights, strict=True
    ):
        function(input, weight, max_norm=max_norm, **options)
    torch.testing.assert_close(*weights)
    both(embedding, functional.embedding, input, weights[0], **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.int64])
def test_dtypes(dtype: torch.dtype) -> None:
    weight = (10 * randn(5, 3)).to(dtype)
    found = embedding(INPUTS[1], weight)
    assert torch.equal(found, functional.embedding(INPUTS[1], weight))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("mode", [None, "sum", "mean", "max"])
def test_half_precision_is_rounded_once(dtype: torch.dtype, mode: str | None) -> None:
    """Half a unit of the exact result, of a mean two halves; and float32's sums."""
    dice = torch.Generator().manual_seed(0)
    rows, weight = torch.randint(5, (4, 64), generator=dice), randn(5, 8, dtype=dtype)
    cotangent = (randn(4, 8) if mode else randn(4, 64, 8)).to(dtype)

    def run(weight: Tensor) -> list[Tensor]:
        leaf = weight.detach().clone().requires_grad_()
        output = embedding_bag(rows, leaf, mode=mode) if mode else embedding(rows, leaf)
        return [output, *torch.autograd.grad(output, leaf, cotangent.to(leaf.dtype))]

    for mine, right in zip(run(weight), run(weight.double()), strict=True):
        assert mine.dtype == dtype
        halves = 2 if mode == "mean" else 1
        units = halves * torch.finfo(dtype).eps / 2 * right.abs()
        sums = 1e-5 * right.abs().max()
        if mode == "mean":  # each term of the gradient is rounded as well
            sums = (
                sums + torch.finfo(dtype).eps / 2 * 64 * cotangent.abs().max() / 64 * 4
            )
        assert bool(((mine.double() - right).abs() <= units + sums).all())


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, 0.5, torch.inf, 0.0, -1.0])
@pytest.mark.parametrize("max_norm", [0.5, 2.0, 0.0, -1.0])
def test_long_rows_are_made_shorter_in_the_weight(p: float, max_norm: float) -> None:
    weights = [randn(5, 3), randn(5, 3)]
    outputs = [
        function(INPUTS[2], weight, max_norm=max_norm, norm_type=p)
        for function, weight in zip(
            [embedding, functional.embedding], weights, strict=True
        )
    ]
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*weights)
    weights = [randn(5, 3), randn(5, 3)]
    for function, weight in zip(
        [embedding_bag, functional.embedding_bag], weights, strict=True
    ):
        function(INPUTS[2], weight, max_norm=max_norm, norm_type=p)
    torch.testing.assert_close(*weights)


def test_the_weight_may_change_before_the_backward_pass() -> None:
    gradients = []
    for cls in (Embedding, nn.Embedding):
        torch.manual_seed(0)
        layer = cls(5, 3, max_norm=0.5)
        loss = (layer(INPUTS[1]) * 2).sum() + (layer(INPUTS[4]) * 3).sum()
        layer(INPUTS[1])
        loss.backward()
        gradients.append(layer.weight.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize("padding_idx", [None, 4])
def test_sparse_gradients(padding_idx: int | None) -> None:
    found = []
    for function in (embedding, functional.embedding):
        weight = randn(5, 3).requires_grad_()
        output = function(INPUTS[1], weight, padding_idx=padding_idx, sparse=True)
        found.append(torch.autograd.grad(output, weight, randn(6, 3))[0])
    assert all(gradient.is_sparse for gradient in found)
    assert torch.equal(found[0].coalesce().indices(), found[1].coalesce().indices())
    torch.testing.assert_close(found[0].to_dense(), found[1].to_dense())


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_sparse_gradients_of_bags(mode: str) -> None:
    found = []
    for function in (embedding_bag, functional.embedding_bag):
        weight = randn(5, 3).requires_grad_()
        output = function(INPUTS[2], weight, mode=mode, padding_idx=4, sparse=True)
        found.append(torch.autograd.grad(output, weight, randn(3, 3))[0])
    assert all(gradient.is_sparse for gradient in found)
    assert torch.equal(found[0].coalesce().indices(), found[1].coalesce().indices())
    torch.testing.assert_close(found[0].to_dense(), found[1].to_dense())


def test_a_layer_with_sparse_gradients_learns() -> None:
    weights = []
    for cls in (Embedding, nn.Embedding):
        torch.manual_seed(0)
        layer = cls(5, 3, sparse=True)
        optimizer = torch.optim.SparseAdam(layer.parameters())
        layer(INPUTS[1]).square().sum().backward()
        optimizer.step()
        weights.append(layer.weight)
    torch.testing.assert_close(*weights)


@pytest.mark.parametrize("padding_idx", [None, 4])
@pytest.mark.parametrize("sparse", [True, False])
def test_second_gradients(padding_idx: int | None, sparse: bool) -> None:
    if sparse:  # torch has none
        return
    found = []
    for function in (embedding, functional.embedding):
        weight = randn(5, 3).requires_grad_()
        output = function(INPUTS[1], weight, padding_idx)
        first = torch.autograd.grad(output.pow(3).sum(), weight, create_graph=True)
        found.append(torch.autograd.grad(first, weight, randn(5, 3))[0])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("offsets", OFFSETS, ids=str)
@pytest.mark.parametrize("padding_idx", [None, 4, -4])
@pytest.mark.parametrize("last", [True, False])
def test_bags_of_different_sizes(
    mode: str, offsets: list[int], padding_idx: int | None, last: bool
) -> None:
    if last and offsets[-1] != 7:
        offsets = [*offsets, 7]
    both(
        embedding_bag,
        functional.embedding_bag,
        FLAT,
        randn(5, 3),
        torch.tensor(offsets),
        mode=mode,
        padding_idx=padding_idx,
        include_last_offset=last,
    )


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 4, -4])
@pytest.mark.parametrize("shape", [(3, 2), (1, 6), (6, 1), (0, 2)])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_bags_of_one_size(
    mode: str, padding_idx: int | None, shape: tuple[int, int], dtype: torch.dtype
) -> None:
    rows = FLAT[: shape[0] * shape[1]].reshape(shape).to(dtype)
    for weight in (randn(5, 3), randn(5, 3, dtype=torch.float32), randn(3, 5).T):
        both(
            embedding_bag, functional.embedding_bag, rows, weight,
            mode=mode, padding_idx=padding_idx,
        )  # fmt: skip


def test_offsets_of_another_dtype() -> None:
    both(
        embedding_bag,
        functional.embedding_bag,
        FLAT.int(),
        randn(5, 3),
        torch.tensor([0, 2]),
    )
    both(
        embedding_bag,
        functional.embedding_bag,
        FLAT,
        randn(5, 3),
        torch.tensor([0, 2]).int(),
    )


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_bags_of_nothing_are_zero(mode: str) -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    both(
        embedding_bag,
        functional.embedding_bag,
        nothing,
        randn(5, 3),
        torch.tensor([0, 0]),
        mode=mode,
    )
    assert (
        embedding_bag(nothing, randn(5, 3), torch.tensor([0, 0]), mode="max")
        .eq(0)
        .all()
    )
    both(
        embedding_bag,
        functional.embedding_bag,
        nothing,
        randn(5, 3),
        nothing,
        mode=mode,
    )


@pytest.mark.parametrize("padding_idx", [None, 4])
@pytest.mark.parametrize("two", [True, False])
def test_weights_of_what_is_in_a_bag(padding_idx: int | None, two: bool) -> None:
    rows = FLAT[:6].reshape(3, 2) if two else FLAT
    same(
        *(
            lambda rows, weight, shares, f=f: f(
                rows,
                weight,
                None if two else torch.tensor([0, 2, 2]),
                mode="sum",
                per_sample_weights=shares,
                padding_idx=padding_idx,
            )
            for f in (embedding_bag, functional.embedding_bag)
        ),
        rows,
        randn(5, 3),
        randn(*rows.shape),
    )


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_bags_scaled_by_frequency(mode: str) -> None:
    """torch divides by the count of another row, unless all counts are the same."""
    rows = torch.tensor([[0, 1], [2, 1], [0, 2]])
    given = {"mode": mode, "scale_grad_by_freq": True}
    both(embedding_bag, functional.embedding_bag, rows, randn(5, 3), **given)
    weight = randn(5, 3).requires_grad_()
    output = embedding_bag(torch.tensor([[1], [1], [2]]), weight, **given)
    (found,) = torch.autograd.grad(output, weight, torch.ones(3, 3).double())
    assert torch.equal(found[:, 0], torch.tensor([0, 1, 1, 0, 0]).double())


def test_the_first_of_equal_numbers_gets_the_gradient() -> None:
    both(
        embedding_bag, functional.embedding_bag, INPUTS[2], torch.ones(5, 3), mode="max"
    )


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 3])
def test_nan_and_infinity_stay_in_their_bag(mode: str, padding_idx: int | None) -> None:
    """torch's maximum misses a NaN that is not the first of its bag: ours is NaN."""
    weight = randn(5, 3)
    weight[1], weight[2], weight[3] = torch.nan, torch.inf, -torch.inf
    rows = torch.tensor([[1, 2], [2, 2], [3, 4], [3, 3], [0, 4]])
    both(
        embedding_bag,
        functional.embedding_bag,
        rows,
        weight,
        mode=mode,
        padding_idx=padding_idx,
    )
    both(embedding, functional.embedding, rows, weight)
    for bag in ([2, 1], [0, 4, 1], [1, 2], [4, 1, 0]):
        assert embedding_bag(torch.tensor([bag]), weight, mode="max").isnan().all()


def test_literal_forms_mean_the_same() -> None:
    weight, rows = randn(5, 3), one_hot(INPUTS[4], 5).double()
    torch.testing.assert_close(
        EMBEDDING.literal(rows, weight), embedding(INPUTS[4], weight)
    )
    bag = torch.tensor([0, 0, 1, 1, 1, 1, 1])
    for mode, size in (("sum", torch.ones(2)), ("mean", torch.tensor([2, 5]))):
        share = one_hot(bag).T / size[:, None].double()
        found = embedding_bag(FLAT, weight, torch.tensor([0, 2]), mode=mode)
        literal = BAGS.literal(share, one_hot(FLAT, 5).double(), weight)
        torch.testing.assert_close(literal, found)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("num_classes", [-1, 5, 9])
def test_one_hot(shape: tuple[int, ...], num_classes: int) -> None:
    tensor = torch.randint(5, shape, generator=torch.Generator().manual_seed(0))
    if tensor.numel() or num_classes > 0:
        same(
            lambda x: one_hot(x, num_classes),
            lambda x: functional.one_hot(x, num_classes),
            tensor,
        )


@pytest.mark.usefixtures("as_installed")
def test_one_hot_transformed() -> None:
    tensor = torch.tensor([[0, 2], [1, 1]])
    expected = functional.one_hot(tensor, 3)
    assert torch.equal(torch.func.vmap(lambda x: one_hot(x, 3))(tensor), expected)
    compiled = torch.compile(lambda x: one_hot(x, 3), fullgraph=True, backend="eager")
    assert torch.equal(compiled(tensor), expected)


@pytest.mark.parametrize("padding_idx", [None, 2, -1])
@pytest.mark.parametrize("cls", [0, 1])
def test_initial_values(
    twins: Callable[..., Any], cls: int, padding_idx: int | None
) -> None:
    pair = [(Embedding, nn.Embedding), (EmbeddingBag, nn.EmbeddingBag)][cls]
    ours, theirs = twins(pair, 5, 3, padding_idx=padding_idx)
    assert torch.equal(ours.weight, theirs.weight)
    if padding_idx is not None:
        assert ours.weight[padding_idx].eq(0).all()


@pytest.mark.parametrize("cls", [0, 1])
def test_from_a_given_table(cls: int) -> None:
    ours, theirs = [(Embedding, nn.Embedding), (EmbeddingBag, nn.EmbeddingBag)][cls]
    for freeze in (True, False):
        made = [
            c.from_pretrained(randn(5, 3), freeze=freeze, padding_idx=1)
            for c in (ours, theirs)
        ]
        assert type(made[0]) is ours
        assert made[0].weight.requires_grad is not freeze
        same(*made, INPUTS[2])


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's own
def test_over_several_tables() -> None:
    tables = randn(4, 5, 3)
    for options in itertools.product([None, 1.0], [None, 2]):
        found = [
            torch.func.vmap(
                lambda w, f=f, o=options: f(
                    INPUTS[2], w, max_norm=o[0], padding_idx=o[1]
                )
            )(tables.clone())
            for f in (embedding, functional.embedding)
        ]
        torch.testing.assert_close(*found)


LAYERS = {
    "read": lambda: Embedding(5, 3, padding_idx=2, scale_grad_by_freq=True),
    "sparse": lambda: Embedding(5, 3, sparse=True),
    "sum": lambda: EmbeddingBag(5, 3, mode="sum"),
    "mean": lambda: EmbeddingBag(5, 3, padding_idx=2),
    "max": lambda: EmbeddingBag(5, 3, mode="max"),
}
EACH_LAYER = pytest.mark.parametrize("name", LAYERS)


@EACH_LAYER
def test_checkpoints(name: str) -> None:
    layer, found = LAYERS[name]().double(), []
    for call in (layer, lambda x: checkpoint(layer, x, use_reentrant=False)):
        loss = call(INPUTS[2]).sin().sum()
        found.append(torch.autograd.grad(loss, layer.weight)[0].to_dense())
    torch.testing.assert_close(*found)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, inside torch
@pytest.mark.parametrize("name", ["read", "sum", "mean", "max"])
def test_forward_mode_and_batches_of_gradients(name: str) -> None:
    layer = LAYERS[name]().double()
    if name == "read":  # its gradient is no derivative
        layer.scale_grad_by_freq, layer.padding_idx = False, None

    def call(weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (INPUTS[2],))

    weight = layer.weight.detach()
    forward = torch.func.jacfwd(call)(weight)
    torch.testing.assert_close(forward, torch.func.jacrev(call)(weight))
    output = layer(INPUTS[2])
    cotangents = randn(4, *output.shape)
    many = torch.autograd.grad(
        output, layer.weight, cotangents, is_grads_batched=True, retain_graph=True
    )[0]
    for mine, cotangent in zip(many, cotangents, strict=True):
        one = torch.autograd.grad(output, layer.weight, cotangent, retain_graph=True)
        torch.testing.assert_close(mine, one[0])


@pytest.mark.usefixtures("as_installed")
@EACH_LAYER
def test_compiles_for_any_size(name: str) -> None:
    layer = LAYERS[name]()
    torch.compiler.reset()
    call = torch.compile(layer, fullgraph=True, dynamic=True, backend="eager")
    for words in (INPUTS[2], INPUTS[2].T.contiguous(), torch.zeros(4, 5).int()):
        torch.testing.assert_close(call(words), layer(words))


def test_strides_are_torchs() -> None:
    for words in (INPUTS[1], INPUTS[2].T, INPUTS[4]):
        for weight in (randn(5, 3), randn(3, 5).T):
            pair = [f(words, weight) for f in (embedding, functional.embedding)]
            assert pair[0].stride() == pair[1].stride()
            if words.ndim == 2:
                bags = (embedding_bag, functional.embedding_bag)
                pair = [f(words, weight) for f in bags]
                assert pair[0].stride() == pair[1].stride()


@EACH_LAYER
def test_autocast_changes_nothing(name: str) -> None:
    layer = LAYERS[name]()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(INPUTS[2])
    assert torch.equal(found, layer(INPUTS[2]))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("offsets", [[0, 3], [0, 3, 5], [0, 0, 3], [0, 3, 3], [0]])
def test_what_comes_after_the_last_offset_is_in_no_bag(
    mode: str, offsets: list[int]
) -> None:
    """torch's mean divides by another count, its maximum reads the rest; some crash."""
    given = {"mode": mode, "include_last_offset": True}
    weight = randn(5, 3)
    found = embedding_bag(FLAT, weight, torch.tensor(offsets), **given)
    shorter = torch.tensor([*offsets[:-1], offsets[-1]])
    right = embedding_bag(FLAT[: offsets[-1]], weight, shorter, **given)
    assert found.shape == (len(offsets) - 1, 3)
    torch.testing.assert_close(found, right)


@EACH_LAYER
def test_runs_its_line(name: str) -> None:
    layer = LAYERS[name]()
    line = LARGEST if name == "max" else layer.line
    assert list(lines(layer, INPUTS[2])) == [line]


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("weighted", [True, False])
def test_rows_in_bags_are_not_stored(mode: str, weighted: bool) -> None:
    """All of them would be 16 MB; a piece is half of one, and the table is small."""
    if weighted and mode != "sum":
        return
    words = torch.zeros(64, 256, dtype=torch.int64)
    weights = torch.ones(64, 256, requires_grad=True) if weighted else None
    table = torch.randn(50, 256, requires_grad=True)

    def most(bag: Callable[..., Tensor]) -> int:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as told:
            output = bag(words, table, mode=mode, per_sample_weights=weights)
            output.sum().backward()
        held = peak = 0
        events = told.profiler.kineto_results.events()
        for event in sorted(
            (e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()
        ):
            held += event.nbytes()
            peak = max(peak, held)
        return peak

    assert most(embedding_bag) < 6 * 2**20


T = torch.tensor


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: embedding([1, 2], randn(5, 3)), TypeError, "embedding: expected .*tensor.*, got .*list"),
        (lambda: embedding(T([1]), randn(5, 3).numpy()), TypeError, "embedding: expected .*tensor.*, got .*ndarray"),
        (lambda: embedding_bag(T([[1]]).numpy(), randn(5, 3)), TypeError, "embedding_bag: expected .*tensor.*, got .*ndarray"),
        (lambda: embedding_bag(T([1]), randn(5, 3), [0]), TypeError, "embedding_bag: expected .*tensor.*, got .*list"),
        (lambda: one_hot([1]), TypeError, "one_hot: expected .*tensor.*, got .*list"),
        (lambda: embedding(T([1, 5]), randn(5, 3)), IndexError, "embedding: expected rows from 0 to 4 of the weight, got some from 1 to 5"),
        (lambda: embedding(T([-1, 2]), randn(5, 3)), IndexError, "rows from 0 to 4 .* from -1 to 2"),
        (lambda: embedding(T([1.0]), randn(5, 3)), TypeError, "embedding: expected int32 or int64 as input, got torch.float32"),
        (lambda: embedding(T([1]).short(), randn(5, 3)), TypeError, "got torch.int16"),
        (lambda: embedding(T([True]), randn(5, 3)), TypeError, "got torch.bool"),
        (lambda: embedding(T([1]), randn(5)), ValueError, r"embedding: expected a weight of shape \(rows, features\), got \(5,\)"),
        (lambda: embedding(T([1]), randn(1, 5, 3)), ValueError, r"expected a weight .* got \(1, 5, 3\)"),
        (lambda: embedding(T([1]), randn(5, 3), 5), ValueError, "embedding: expected a padding_idx that is one of 5 rows, got 5"),
        (lambda: embedding(T([1]), randn(5, 3), -6), ValueError, "one of 5 rows, got -6"),
        (lambda: embedding(T([1]), randn(5, 3).requires_grad_(), sparse=True, scale_grad_by_freq=True).sum().backward(), ValueError, "embedding: expected a gradient that is sparse, or scaled by frequency, got both"),
        (lambda: embedding_bag(T([[5]]), randn(5, 3)), IndexError, "rows from 0 to 4"),
        (lambda: embedding_bag(T([[1.0]]), randn(5, 3)), TypeError, "int32 or int64"),
        (lambda: embedding_bag(T([1, 2]), randn(5, 3)), ValueError, r"embedding_bag: expected an input of shape \(bags, size\), or \(size,\) with offsets, got \(2,\) without offsets"),
        (lambda: embedding_bag(T([[1, 2]]), randn(5, 3), T([0])), ValueError, r"got \(1, 2\) with offsets"),
        (lambda: embedding_bag(T([[[1]]]), randn(5, 3)), ValueError, r"got \(1, 1, 1\) without"),
        (lambda: embedding_bag(torch.zeros(2, 0).long(), randn(5, 3)), ValueError, r"bags of at least one row, got \(2, 0\)"),
        (lambda: embedding_bag(T([1]), randn(5, 3), T([[0]])), ValueError, r"offsets of one axis, got \(1, 1\)"),
        (lambda: embedding_bag(T([1, 2]), randn(5, 3), T([1])), ValueError, r"offsets that start at 0 and end within the input of 2, got tensor\(\[1\]\)"),
        (lambda: embedding_bag(T([1, 2]), randn(5, 3), T([0, 3])), ValueError, r"within the input of 2, got tensor\(\[0, 3\]\)"),
        (lambda: embedding_bag(T([1, 2]), randn(5, 3), T([1]), mode="max"), ValueError, "offsets that start at 0"),
        (lambda: embedding_bag(T([[1]]), randn(5)), ValueError, r"embedding_bag: expected a weight of shape \(rows, features\), got \(5,\)"),
        (lambda: embedding_bag(T([[1]]), randn(5, 3).long()), TypeError, "floating-point weight, got torch.int64"),
        (lambda: embedding_bag(T([[1]]), randn(5, 3), padding_idx=5), ValueError, "embedding_bag: expected a padding_idx .* one of 5 rows, got 5"),
        (lambda: embedding_bag(T([[1]]), randn(5, 3), mode="median"), ValueError, "expected mode sum, mean or max, got 'median'"),
        (lambda: embedding_bag(T([[1]]), randn(5, 3), mode="max", sparse=True), ValueError, "embedding_bag: expected no sparse or scaled gradient for mode max, got one"),
        (lambda: embedding_bag(T([[1]]), randn(5, 3), mode="max", scale_grad_by_freq=True), ValueError, "no sparse or scaled gradient for mode max"),
        (lambda: embedding_bag(T([[1]]), randn(5, 3), per_sample_weights=randn(1, 1)), ValueError, "embedding_bag: expected mode sum for per_sample_weights, got 'mean'"),
        (lambda: embedding_bag(T([[1]]), randn(5, 3), mode="sum", per_sample_weights=randn(1)), ValueError, r"per_sample_weights of the input's shape \(1, 1\), got \(1,\)"),
        (lambda: embedding_bag(T([[1]]), randn(5, 3), mode="sum", per_sample_weights=randn(1, 1).float()), TypeError, "weight's dtype torch.float64, got torch.float32"),
        (lambda: one_hot(T([1]).int()), TypeError, "one_hot: expected classes as int64, got torch.int32"),
        (lambda: one_hot(T([1, 3]), 3), ValueError, "one_hot: expected classes from 0 to 2, got some from 1 to 3"),
        (lambda: one_hot(T([-1, 1]), 3), ValueError, "got some from -1 to 1"),
        (lambda: one_hot(T([-1, 1])), ValueError, "got some from -1 to 1"),
        (lambda: one_hot(T([]).long()), ValueError, r"expected a positive num_classes, got -1 for classes of shape \(0,\)"),
        (lambda: one_hot(T([1]), 0), ValueError, "positive num_classes, got 0"),
        (lambda: Embedding(5, 3, padding_idx=5), AssertionError, "within num_embeddings"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[], Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told) as raised:
        call()
    if error not in (AssertionError, TypeError):
        assert isinstance(raised.value, RuntimeError)  # as torch's kernels raise
