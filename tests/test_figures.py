"""Pictures: their sums are the recipe's output, and their bytes never change."""

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from matplotlib import pyplot as plt
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

import layerlib
from examples import FUNCTIONS, Example, functions, randn
from layerlib.lab import PointAt, influences, point_at, still, terms
from layerlib.lab.figures import LARGEST, Term
from layerlib.linear import BILINEAR, LINEAR
from layerlib.nlinear import NLINEAR
from layerlib.recipe import Rearrange, Recipe, Reduce
from layerlib.shapes import CHANNEL_SHUFFLE, PIXEL_SHUFFLE, PIXEL_UNSHUFFLE


def whole(*shape: int) -> Tensor:
    dice = torch.Generator().manual_seed(sum(shape))
    return torch.randint(-4, 5, shape, generator=dice)


PICTURES: list[tuple[Recipe | Rearrange, list[Tensor], dict[str, int]]] = [
    (LINEAR, [whole(2, 3), whole(4, 3)], {}),
    (LINEAR, [whole(3), whole(4, 3)], {}),
    (LINEAR, [whole(2, 2, 3), whole(2, 3)], {}),
    (NLINEAR, [whole(2, 3, 2), whole(3, 2, 2)], {}),
    (BILINEAR, [whole(2, 3), whole(2, 3, 2), whole(2, 2)], {}),
    (Recipe("b i, m i, o m -> b o"), [whole(2, 3), whole(2, 3), whole(2, 2)], {}),
    (Recipe("i, j -> i j"), [whole(3), whole(2)], {}),
    (Recipe("i, i ->"), [whole(3), whole(3)], {}),
    (Recipe("h w -> w"), [whole(2, 3)], {}),
    (Recipe("b g i, g o i -> b g o"), [whole(2, 2, 3), whole(2, 2, 3)], {}),
    (Recipe("... o, ... i -> o i"), [whole(2, 3), whole(2, 2)], {}),
    (Recipe(", i -> i"), [whole(), whole(3)], {}),
    (PIXEL_SHUFFLE, [whole(8, 1, 2)], {"kh": 2, "kw": 2}),
    (PIXEL_UNSHUFFLE, [whole(1, 4, 4)], {"kh": 2, "kw": 2}),
    (CHANNEL_SHUFFLE, [whole(1, 6, 2)], {"g": 2}),
    (Rearrange("b c h w -> b (c h w)"), [whole(2, 3, 2, 2)], {}),
]


@pytest.mark.parametrize(("line", "inputs", "sizes"), PICTURES)
def test_sums_equal_the_output(
    line: Recipe | Rearrange, inputs: list[Tensor], sizes: dict[str, int]
) -> None:
    picture = point_at(line, *inputs, **sizes)
    expected = line(*inputs, **sizes).flatten().tolist()
    sums = picture.sums()
    assert len(sums) == len(expected)
    for said, right in zip(sums, expected, strict=True):
        place, made, total = (s.replace("−", "-") for s in said.split(" = "))
        assert int(total) == right
        if isinstance(line, Recipe):
            assert eval(made.replace("·", "*")) == right  # noqa: S307
        else:
            index = [int(n) for n in re.findall(r"-?\d+", made)]
            assert inputs[0][tuple(index)] == right
        assert re.fullmatch(r"output(\[\d+(, \d+)*\])?", place)


@pytest.mark.parametrize(("line", "inputs", "sizes"), PICTURES)
def test_marked_cells_hold_the_numbers_of_the_sum(
    line: Recipe | Rearrange, inputs: list[Tensor], sizes: dict[str, int]
) -> None:
    picture = point_at(line, *inputs, **sizes)
    svg = ET.fromstring(re.search("<svg.*</svg>", picture._repr_html_(), re.DOTALL)[0])  # noqa: S314
    still_cells = _cells(svg)
    for group, said in zip(svg.findall("g"), picture.sums(), strict=True):
        assert group.get("aria-label") == said
        corners = re.findall(r"M(\d+) (\d+)h", group.find("g/path").get("d"))
        marked = sorted(still_cells[corner] for corner in corners)
        made = said.split(" = ")[1]
        if isinstance(line, Recipe):
            factors = re.findall(r"−?\d+", made)
            # A factor of several terms is one cell, and marked once.
            assert set(marked) == set(factors)
            assert len(marked) <= len(factors)
        else:
            assert marked == [said.split(" = ")[2]]
        told = " ".join(text.text for text in group.findall("g/text"))
        assert told == said


def _cells(svg: ET.Element) -> dict[tuple[str, str], str]:
    """What is written in each cell of the inputs, by its upper left corner."""
    parts = list(svg)
    return {
        (part.get("x"), part.get("y")): parts[n + 1].text
        for n, part in enumerate(parts)
        if part.get("class") == "c"
    }


def test_every_cell_lies_inside_and_none_on_another() -> None:
    for line, inputs, sizes in PICTURES:
        html = point_at(line, *inputs, **sizes)._repr_html_()
        wide, high = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', html).groups())
        corners = re.findall(r'class="c" x="(\d+)" y="(\d+)"', html)
        assert len(corners) == len(set(corners))
        assert all(int(x) + 26 <= wide and int(y) + 26 <= high for x, y in corners)


def test_same_bytes_in_another_process() -> None:
    program = (
        "import torch; from layerlib.lab import point_at;"
        "from layerlib.linear import LINEAR;"
        "x = torch.arange(6).reshape(2, 3);"
        "print(point_at(LINEAR, x, x)._repr_html_(), end='')"
    )
    out = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True
        ).stdout
        for _ in range(2)
    ]
    x = torch.arange(6).reshape(2, 3)
    assert out[0] == out[1] == point_at(LINEAR, x, x)._repr_html_().encode()


def test_names_and_caption() -> None:
    picture = point_at(LINEAR, whole(2, 3), whole(4, 3), names=("x", "w", "y"))
    assert picture.sums()[0].startswith("y[0, 0] = ")
    caption = re.search("<figcaption>(.*)</figcaption>", picture._repr_html_())[1]
    assert caption.startswith("y from x and w: ")
    assert repr(picture).startswith(
        "a picture to point at: x (2, 3), w (4, 3), y (2, 4); y[0, 0] = "
    )


def test_size_is_watched() -> None:
    picture = point_at(LINEAR, whole(4, 4), whole(5, 4))
    assert len(picture._repr_html_().encode()) < 16_000
    with pytest.raises(
        ValueError, match=f"at most {LARGEST} bytes, got .*; use smaller"
    ):
        point_at(LINEAR, whole(20, 12), whole(20, 12))


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("tensors", "names", "error", "told"),
    [
        (
            [torch.tensor([1, 0.5])],
            (),
            TypeError,
            r"expected whole numbers, got \[0.5\] in torch.float32",
        ),
        (
            [torch.ones(2) > 0],
            (),
            TypeError,
            "expected an input of numbers, got torch.bool",
        ),
        (
            [whole(2, 2, 2, 2, 2)],
            (),
            ValueError,
            "expected 0 to 4 axes and at least one cell, got shape",
        ),
        ([whole(2, 0)], (), ValueError, r"at least one cell, got shape \(2, 0\)"),
        (
            [whole(2, 3)],
            ("x",),
            ValueError,
            "expected 2 names, inputs and output, got 1",
        ),
    ],
)
def test_errors(
    tensors: list[Tensor], names: tuple[str, ...], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        point_at(Rearrange("... -> ..."), *tensors, names=names)


def test_outputs_of_too_many_axes() -> None:
    with pytest.raises(ValueError, match="an output of at most 4 axes"):
        point_at(
            Rearrange("(b c h w d) -> b c h w d"), whole(4), b=1, c=1, h=2, w=2, d=1
        )


# ---- What made each cell, found from the layer itself

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
        return output[0] if isinstance(output, tuple) else output

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


SAID: dict[str, tuple[Callable[..., Any], Tensor, str, str, list[str]]] = {
    "one share": (
        layerlib.AvgPool1d(3, 2, 1), torch.tensor([[1, 2, 3, 0]]), "sum", "c w -> c x",
        ["(1 + 2) / 3 = 1", "(2 + 3 + 0) / 3 = 1.67"],
    ),
    "one share of one": (torch.nn.AvgPool1d(2, 1, 1), torch.tensor([[3]]), "sum", "c w -> c x", ["3 / 2 = 1.5"] * 2),
    "factors": (
        layerlib.Upsample(scale_factor=2, mode="linear"), torch.tensor([[[1, -2]]]), "sum", "b c w -> b c x",
        ["x[0, 0, 0] = 1", "0.75·1 + 0.25·(−2) = 0.25", "0.25·1 + 0.75·(−2) = −1.25", "x[0, 0, 1] = −2"],
    ),
    "padding": (layerlib.ZeroPad1d(1), torch.tensor([[5]]), "sum", "c w -> c x", ["0", "x[0, 0] = 5", "0"]),
    "a constant": (layerlib.ConstantPad1d(1, 2.5), torch.tensor([[5]]), "sum", "c w -> c x", ["2.5", "x[0, 0] = 5", "2.5"]),
    "minus": (
        lambda x: torch.stack([x[0] - x[1], -x[0], x[1] / -8, x[0] + x[1] - 3]),
        torch.tensor([4, -1]), "sum", "n -> t",
        ["4 − (−1) = 5", "−4 = −4", "−0.125·(−1) = 0.12", "4 + (−1) − 3 = 0"],
    ),
    "the largest": (layerlib.MaxPool1d(2, 1, 1), torch.tensor([[3, -1]]), "max", "c w -> c x", ["max(3) = 3", "max(3, −1) = 3", "max(−1) = −1"]),
    "the smallest": (Reduce("c w -> c", "min"), torch.tensor([[3, -1]]), "sum", "", ["min(3, −1) = −1"]),
    "a mean": (Reduce("c w -> c", "mean"), torch.tensor([[3, -1]]), "sum", "", ["(3 + (−1)) / 2 = 1"]),
    "few marks": (lambda x: x.square().cumsum(0), torch.tensor([3, 1]), "marks", "t -> t", ["9, made of x[0]", "10, made of x[0], x[1]"]),
    "many marks": (
        lambda x: torch.stack([x.exp().sum(), x[1].exp().sum(), x[:, 1:3].exp().sum(), x.diagonal().exp().sum() + x[2, 0].exp(), 0 * x[0, 0]]),
        torch.zeros(3, 4, dtype=torch.int64), "marks", "b c -> t",
        [
            "12, made of all 12 cells of x", "4, made of x[1, :] (4 cells)", "6, made of x[:, 1:3] (6 cells)",
            "4, made of 4 cells of x", "0, which no cell changes",
        ],
    ),
    "no number": (lambda x: torch.stack([x[0].log(), x[1].log()]), torch.tensor([0, -1]), "marks", "t -> t", ["−∞, made of x[0]", "NaN, made of x[1]"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_what_is_said(case: str) -> None:
    function, x, how, axes, said = SAID[case]
    picture = point_at(function, x, axes=axes, how=how, names=("x", "y"))
    assert [each.split(" = ", 1)[1] for each in picture.sums()] == said
    svg = ET.fromstring(re.search("<svg.*</svg>", picture._repr_html_(), re.DOTALL)[0])  # noqa: S314
    told = [
        " ".join(text.text for text in group.findall("g/text"))
        for group in svg.findall("g")
    ]
    assert told == picture.sums()


def test_longer_numbers_get_wider_cells() -> None:
    picture = point_at(
        lambda x: x / 3, torch.tensor([[100, -200, 1]]), axes="b c -> b c"
    )
    html = picture._repr_html_()
    assert ">−66.67<" in html
    widths = [int(wide) for wide in re.findall(r'class="c".*?width="(\d+)"', html)]
    assert widths == [34] * 3 + [50] * 3
    assert re.findall(r"M\d+ \d+h(\d+)v26h-(\d+)z", html) == [("34", "34")] * 3


def test_letters_that_are_gone_are_underlined() -> None:
    html = point_at(
        layerlib.MaxPool1d(2), whole(1, 4), axes="c w -> c x", how="max"
    )._repr_html_()
    letters = re.findall(r'class="(letter[a-z ]*)"[^>]*>(\w)<', html)
    assert letters == [
        ("letter", "c"), ("letter summed", "w"), ("letter", "c"), ("letter", "x"),
    ]  # fmt: skip


X, W = whole(1, 4), whole(1, 1, 2)


@pytest.mark.parametrize(
    ("function", "tensors", "options", "error", "told"),
    [
        (torch.flip, [X], {"dims": (0,)}, ValueError, "expected the axes of a function that is no line, as in .*, got none"),
        (torch.neg, [X], {"axes": "c w"}, ValueError, "expected exactly one '->'"),
        (torch.neg, [X], {"axes": "c w, o -> c x"}, ValueError, "expected axes of 1 inputs and an output, got 'c w, o -> c x'"),
        (torch.neg, [X], {"axes": "c z -> c z"}, ValueError, "expected letters of the alphabet, got 'z z' in 'c z -> c z'"),
        (torch.neg, [X], {"axes": "c -> c w"}, ValueError, r"expected the axes 'c' of input, got shape \(1, 4\)"),
        (torch.neg, [X], {"axes": "c w -> w"}, ValueError, r"expected the axes 'w' of output, got shape \(1, 4\)"),
        (torch.neg, [X], {"axes": "c ... w h -> c w"}, ValueError, r"expected the axes 'c ... w h' of input, got shape \(1, 4\)"),
        (layerlib.MaxPool1d(2), [X], {"axes": "c w -> c w", "how": "max"}, ValueError, "expected one size of axis 'w', got 4 in input and 2 in output"),
        (torch.neg, [X], {"axes": "1 w -> w 1"}, ValueError, "expected one size of axis 'w', got 4 in input and 1 in output"),
        (torch.neg, [X], {"axes": "c w -> c w", "how": "mean"}, ValueError, "expected how to be .'sum', 'max', 'min', 'marks'., got mean"),
        (torch.square, [X], {"axes": "c w -> c w"}, ValueError, 'expected a sum of products of its inputs, for how="sum", got a function that is none; use how="max", how="min" or how="marks"'),
        (torch.relu, [X.abs()], {"axes": "c w -> c w"}, ValueError, "expected a sum of products"),
        (torch.sum, [X], {"axes": "c w ->", "how": "max"}, ValueError, r'expected the max of \[.*\], the cells that decide, for how="max", got .*; use how="sum" or how="marks"'),
        (torch.zeros_like, [X], {"axes": "c w -> c w", "how": "max"}, ValueError, r"expected the max of \[\], the cells that decide"),
        (torch.sort, [X], {"axes": "c w -> c w"}, TypeError, r"expected a function that gives one tensor \(pick one in a lambda\), got sort"),
        (lambda x: x[:0], [X], {"axes": "c w -> c w"}, ValueError, r"expected an output of at most 4 axes and at least one cell, got shape \(0, 4\)"),
        (torch.neg, [1j * X], {"axes": "c w -> c w"}, TypeError, "expected whole numbers, got torch.complex64"),
    ],
)  # fmt: skip
def test_errors_of_functions(
    function: Callable[..., Any],
    tensors: list[Tensor],
    options: dict[str, Any],
    error: type[Exception],
    told: str,
) -> None:
    with pytest.raises(error, match=told):
        point_at(function, *tensors, **options)


# ---- Still pictures


def drawing(*, height: float = 2.0) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(3, height))
    axes.plot([1, 2, 3], [3, 1, 2], label="a & b")
    axes.set_title("<losses>")
    axes.legend()
    return figure


def test_still_is_inline_svg_with_its_text() -> None:
    html = still(drawing(), alt='Falls & "rises"')._repr_html_()
    svg = ET.fromstring(re.search("<svg.*</svg>", html, re.DOTALL)[0])  # noqa: S314
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == 'Falls & "rises"'
    assert "&lt;losses&gt;" in html
    assert "currentColor" in html
    assert "#000000" not in html
    assert "#ffffff" not in html  # the legend's frame
    assert svg.get("fill") == "currentColor"  # what has no color of its own
    assert "metadata" not in html
    assert not plt.get_fignums()


def test_still_has_the_same_bytes_and_its_own_ids() -> None:
    one, again = (still(drawing(), alt="one")._repr_html_() for _ in range(2))
    assert one == again
    other = still(drawing(), alt="other")._repr_html_()
    ids = [set(re.findall(r' id="([^"]*)"', html)) for html in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_still_says_what_it_shows() -> None:
    with pytest.raises(ValueError, match="expected a text that says what"):
        still(drawing(), alt=" ")
    assert repr(still(drawing(), alt="a curve")) == "a picture: a curve"


def test_import_stays_light() -> None:
    program = (
        "import sys, layerlib, layerlib.lab;"
        "print({'matplotlib', 'IPython', 'numpy.testing'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_viewer_that_strips_the_svg_shows_the_caption_alone() -> None:
    for picture in (
        point_at(LINEAR, whole(2, 3), whole(4, 3)),
        still(drawing(), "Up."),
    ):
        html = re.sub(
            r"<(style|script)>.*?</\1>", "", picture._repr_html_(), flags=re.DOTALL
        )
        left = re.sub(r'<div hidden="hidden">.*?</div>', "", html, flags=re.DOTALL)
        caption = re.search("<figcaption>(.*)</figcaption>", html)[1]
        assert re.sub("<[^>]*>", "", left) == caption
        assert caption


def test_a_picture_is_an_object_of_its_own() -> None:
    assert isinstance(point_at(LINEAR, whole(2, 3), whole(4, 3)), PointAt)
