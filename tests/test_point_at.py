"""Pictures: their sums are the recipe's output, and their bytes never change."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import layerlib
from examples import whole
from layerlib.lab import PointAt, point_at
from layerlib.lab.point_at import LARGEST
from layerlib.linear import BILINEAR, LINEAR
from layerlib.nlinear import NLINEAR
from layerlib.recipe import Rearrange, Recipe, Reduce
from layerlib.shapes import CHANNEL_SHUFFLE, PIXEL_SHUFFLE, PIXEL_UNSHUFFLE

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
        (torch.neg, [X], {"axes": "c u -> c u"}, ValueError, "expected letters of the alphabet, got 'u u' in 'c u -> c u'"),
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


def test_a_picture_is_an_object_of_its_own() -> None:
    assert isinstance(point_at(LINEAR, whole(2, 3), whole(4, 3)), PointAt)
