"""Pictures: what they say is what the layer does, whatever the reader changes."""

import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Browser, Locator, Page
from torch import Tensor

import layerlib
from examples import whole
from layerlib.attention import scaled_dot_product_attention
from layerlib.conv import conv1d, conv2d
from layerlib.lab import PointAt, point_at
from layerlib.lab.panel import rounded
from layerlib.lab.point_at import HUES, LARGEST
from layerlib.linear import BILINEAR, LINEAR, linear
from layerlib.nlinear import NLINEAR
from layerlib.norm import layer_norm
from layerlib.recipe import Rearrange, Recipe, Reduce
from layerlib.shapes import CHANNEL_SHUFFLE, PIXEL_SHUFFLE, PIXEL_UNSHUFFLE
from pages import PHONE

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


def parsed(picture: PointAt) -> Tag:
    """What a page without scripts shows."""
    figure = BeautifulSoup(picture._repr_html_(), "html.parser").figure
    assert figure is not None
    return figure


def written(cells: list[Tag]) -> list[str]:
    return [cell.text for cell in cells]


@pytest.mark.parametrize(("line", "inputs", "sizes"), PICTURES)
def test_one_cell_is_chosen_at_rest(
    line: Recipe | Rearrange, inputs: list[Tensor], sizes: dict[str, int]
) -> None:
    picture = point_at(line, *inputs, **sizes)
    figure = parsed(picture)
    (chosen,) = figure.select("[aria-selected]")
    said = figure.select_one(".q0").text
    assert said in picture.sums()
    assert said.endswith(f"= {chosen.text}")
    # The cells of a term have its number and its color, and are its factors.
    for term in figure.select(".q0 b"):
        n, color = term["data-n"], term["style"]
        cells = [x for x in figure.select("i[data-n]") if n in x["data-n"].split()]
        factors = re.findall(r"−?\d+", term.text)
        if isinstance(line, Recipe):
            assert sorted(written(cells)) == sorted(factors)
        else:
            assert written(cells) == [chosen.text]
        assert all(color.removeprefix("--c:") in cell["style"] for cell in cells)


def test_at_rest_it_is_the_cell_of_most_terms_nearest_to_the_middle() -> None:
    options = {"axes": "c w -> c x", "padding": 1}
    layer = functools.partial(layerlib.pool.avg_pool1d, kernel_size=3, stride=1)
    for size, middle in ((5, 2), (6, 2), (2, 0)):
        (chosen,) = parsed(point_at(layer, whole(1, size), **options)).select(
            "[aria-selected]"
        )
        assert chosen["aria-label"].startswith(f"c 0, x {middle}:")
    ends = point_at(layer, whole(1, 5), **options, at=(0, 4))
    assert parsed(ends).select_one(".q0").text.startswith("output[0, 4] = ")


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("at", [(2, 0), (0, -1), (0,), (0, 0, 0), (0.0, 1)])
def test_errors_of_at(at: tuple[Any, ...]) -> None:
    told = r"an index of output, of shape \(2, 4\), as at, got " + re.escape(str(at))
    with pytest.raises(ValueError, match=told):
        point_at(LINEAR, whole(2, 3), whole(4, 3), at=at)


def test_cells_are_in_a_grid_and_named() -> None:
    image, kernel = whole(2, 3, 3), whole(1, 2, 2, 2)
    axes = "i h w, o i kh kw -> o y x"
    figure = parsed(point_at(conv2d, image, kernel, axes=axes))
    grids = figure.select("[role=grid]")
    names = ["input, i by h by w", "weight, o by i by kh by kw", "output, o by y by x"]
    assert [grid["aria-label"] for grid in grids] == names
    for grid, values in zip(grids, (image, kernel, conv2d(image, kernel)), strict=True):
        cells = grid.select("[role=row] > [role=gridcell]")
        assert len(cells) == values.numel()
        for cell in cells:
            label, number = cell["aria-label"].split(": ")
            index = tuple(int(part.split()[-1]) for part in label.split(", "))
            axes_said = " by ".join(part.split()[0] for part in label.split(", "))
            assert grid["aria-label"].endswith(f", {axes_said}")
            assert rounded(float(values[index])) == number == cell.text
    # Blocks of one axis stand beside each other, row by row.
    assert written(grids[0].select("[role=row]")[0].select("i")) == [
        rounded(float(x)) for x in (*image[0, 0], *image[1, 0])
    ]


def test_padding_is_shown() -> None:
    axes = "i h w, o i kh kw -> o y x"
    picture = point_at(
        conv2d, whole(1, 3, 3), whole(1, 1, 2, 2), axes=axes, padding=1, at=(0, 0, 0)
    )
    figure = parsed(picture)
    image = figure.select_one("[role=grid]")
    rows = [row.select("i") for row in image.select("[role=row]")]
    assert [len(row) for row in rows] == [5] * 5
    padding = [[1, 1, 1, 1, 1], *[[1, 0, 0, 0, 1]] * 3, [1, 1, 1, 1, 1]]
    assert [["z" in x.get("class", []) for x in row] for row in rows] == padding
    assert {x.text for x in image.select(".z")} == {"0"}
    # The first window sees three cells of it, which the sum does not write.
    seen = [[int("q" in x.get("class", [])) for x in row[:2]] for row in rows[:2]]
    assert seen == [[1, 1], [1, 0]]
    assert len(image.select(".q")) == 3
    assert figure.select_one(".q0").text == f"{picture.sums()[0]} (and 3 of padding)"


def test_padding_of_a_maximum() -> None:
    layer = layerlib.MaxPool1d(3, 2, padding=1)
    figure = parsed(
        point_at(layer, whole(1, 6), axes="c w -> c x", how="max", at=(0, 0))
    )
    assert written(figure.select(".z")) == ["−∞"] * 2
    assert len(figure.select(".z.q")) == 1


def test_what_is_no_padding_is_not_shown() -> None:
    row = whole(1, 4)
    for layer, how in (
        (layerlib.AvgPool1d(3, 2, 1, count_include_pad=False), "sum"),
        (layerlib.ZeroPad1d(1), "sum"),
        (
            functools.partial(
                layerlib.conv_transpose.conv_transpose1d,
                weight=whole(1, 1, 3).double(),
                padding=1,
            ),
            "sum",
        ),
        (
            functools.partial(conv1d, weight=whole(1, 1, 3).double(), padding="same"),
            "sum",
        ),
    ):
        picture = point_at(layer, row, axes="c w -> o x", how=how)
        assert not parsed(picture).select(".z")


def test_weights_are_shades_with_their_numbers() -> None:
    query, key, value = whole(2, 2), whole(3, 2), whole(3, 2)
    axes = "q e, s e, s e -> q e"
    inputs = (query.double(), key.double(), value.double())
    picture = point_at(
        lambda q, k, v: scaled_dot_product_attention(q.double(), k.double(), v.double()),
        query, key, value, axes=axes, names=("q", "k", "v", "y"), how="marks", at=(1, 0),
    )  # fmt: skip
    weights = (inputs[0] @ inputs[1].T / 2**0.5).softmax(dim=1)[1]
    values = parsed(picture).select("[role=grid]")[2].select("i")
    assert [x.get("data-w") for x in values[::2]] == [
        rounded(float(w)) for w in weights
    ]
    assert not any(x.get("data-w") for x in values[1::2])
    shades = [int(re.search(r"--a:(\d+)%", x["style"])[1]) for x in values[::2]]
    assert sorted(shades) == [shades[int(n)] for n in weights.argsort()]


def test_negative_weights_are_of_another_color() -> None:
    picture = point_at(
        lambda x: x[:1] - x[1:] ** 2, torch.tensor([3, 2]), axes="t -> o", how="marks"
    )
    first, second = parsed(picture).select("[role=grid]")[0].select("i")
    assert (first["class"], first["data-w"]) == (["s"], "1")
    assert (second["class"], second["data-w"]) == (["s", "f"], "−4")


def test_a_kink_has_no_weight() -> None:
    picture = point_at(
        torch.abs, torch.tensor([0, 2]), axes="t -> t", how="marks", at=(0,)
    )
    (cell,) = parsed(picture).select("i.s")
    assert cell["data-w"] == ""


def variants() -> dict[str, Callable[..., Tensor]]:
    settings: dict[str, dict[str, int]] = {
        "stride 1": {}, "stride 2": {"stride": 2}, "padding 1": {"padding": 1},
        "padding 2, dilation 2": {"padding": 2, "dilation": 2},
    }  # fmt: skip
    return {
        label: functools.partial(conv2d, **each) for label, each in settings.items()
    }


def test_variants_have_sums_of_their_own() -> None:
    image, kernel = whole(1, 4, 4), whole(1, 1, 2, 2)
    axes = "i h w, o i kh kw -> o y x"
    picture = point_at(variants(), image, kernel, axes=axes)
    for label, function in variants().items():
        expected = function(image, kernel).flatten().tolist()
        found = [said.rsplit(" = ", 1)[1] for said in picture.sums(label)]
        assert found == [rounded(float(x)) for x in expected]
    assert picture.sums() == picture.sums("stride 1")
    with pytest.raises(
        ValueError, match=r"one of the labels \['stride 1', .*, got stride 3"
    ):
        picture.sums("stride 3")
    figure = parsed(picture)
    assert [x.text for x in figure.select("label")] == list(variants())
    assert [("off" in x["class"]) for x in figure.select(".o")] == [
        False,
        True,
        True,
        True,
    ]


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("functions", "error", "told"),
    [
        ({}, ValueError, "at least one function, got none"),
        ({1: torch.neg}, TypeError, "functions by their labels, got the label 1"),
        ({"a": torch.neg, "": torch.neg}, TypeError, "functions by their labels, got the label ''"),
        ({"a": torch.neg, "b": 3}, TypeError, "functions by their labels, got 3 for 'b'"),
    ],
)  # fmt: skip
def test_errors_of_variants(functions: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        point_at(functions, whole(2, 3), axes="c w -> c w")


def test_variants_are_of_one_kind_and_one_input() -> None:
    lines = {"max": Reduce("c w -> c", "max"), "sum": Reduce("c w -> c", "sum")}
    with pytest.raises(
        ValueError, match=r"functions of one kind, got \['max', 'sum'\]"
    ):
        point_at(lines, whole(2, 3))
    other = {"rows": Recipe("c w -> c"), "columns": Recipe("w c -> c")}
    with pytest.raises(
        ValueError, match=r"the axes \['c w'\] in each line, got 'w c -> c'"
    ):
        point_at(other, whole(2, 3))


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
    assert len(picture._repr_html_().encode()) < 22_000
    with pytest.raises(
        ValueError, match=f"at most {LARGEST} bytes, got .*; use smaller"
    ):
        point_at(LINEAR, whole(16, 12), whole(20, 12))


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


def test_longer_numbers_get_wider_cells() -> None:
    picture = point_at(
        lambda x: x / 3, torch.tensor([[100, -200, 1]]), axes="b c -> b c"
    )
    widths = [
        re.search(r"--w:(\d+)px", x["style"])[1] for x in parsed(picture).select(".p")
    ]
    assert widths == ["46", "64"]


def test_letters_that_are_gone_are_underlined() -> None:
    picture = point_at(layerlib.MaxPool1d(2), whole(1, 4), axes="c w -> c x", how="max")
    letters = [(x.text, x["class"]) for x in parsed(picture).select(".l")]
    assert letters == [("w", ["l", "d"]), ("c", ["l"]), ("x", ["l"]), ("c", ["l"])]


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


# ---- In a browser

LETTERS = "i h w, o i kh kw -> o y x"


Opener = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens a page that holds these pictures and no more; it may say no error."""
    errors: list[str] = []
    contexts = []

    def opened(*pictures: PointAt, dark: bool = False, **context: Any) -> Page:
        ink, paper = ("#e4e5e7", "#16181c") if dark else ("#24262b", "#fffefb")
        html = "".join(picture._repr_html_() for picture in pictures)
        path = tmp_path / "page.html"
        path.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Pictures</title>'
            '<meta name="viewport" content="width=device-width">'
            f"<style>body{{margin:16px;color:{ink};background:{paper}}}</style>"
            f"<main><h1>Pictures</h1>{html}</main></html>",
            encoding="utf-8",
        )
        contexts.append(browser.new_context(has_touch=True, **context))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not errors


def shown(scope: Page | Locator) -> list[str]:
    """The numbers of the output that is seen, by rows."""
    return scope.locator(".o:not(.off) i").all_text_contents()


def right(values: Tensor) -> list[str]:
    """The same of the layer: one row of blocks after the other."""
    return [rounded(x) for x in values.double().flatten().tolist()]


def placed(page: Page) -> dict[tuple[int, ...], str]:
    """The numbers of the output that is seen, by their index, as their labels say."""
    cells = page.locator(".o:not(.off) i")
    labels = cells.evaluate_all("all => all.map(x => x.getAttribute('aria-label'))")
    split = (label.split(": ") for label in labels)
    found = {tuple(map(int, re.findall(r"\d+", at))): number for at, number in split}
    assert list(found.values()) == shown(page)
    return found


def by_place(values: Tensor) -> dict[tuple[int, ...], str]:
    """The same of the layer."""
    indices = torch.ones(values.shape).nonzero().tolist()
    return {tuple(at): rounded(float(values[tuple(at)])) for at in indices}


def cell(page: Page, name: str, label: str) -> Locator:
    grid = page.locator(f".p:not(.off) > .g[data-t='{name}']")
    return grid.locator(f"i[aria-label^='{label}:']")


def put(page: Page, name: str, label: str, number: float) -> None:
    """Clicks a number and types another one."""
    cell(page, name, label).click()
    page.keyboard.type(f"{number:g}")
    page.keyboard.press("Enter")


def said(page: Page) -> str:
    return page.locator(".q0").text_content() or ""


def images() -> tuple[Tensor, Tensor]:
    return whole(1, 4, 4), whole(1, 1, 2, 2)


SWITCHED: dict[str, tuple[dict[str, Callable[..., Any]], list[Tensor], str, str]] = {
    "a convolution": (variants(), [*images()], LETTERS, "sum"),
    "groups": (
        {"one": conv2d, "two": lambda x, w: conv2d(x, w[:, :1], groups=2)},
        [whole(2, 3, 3), whole(2, 2, 2, 2)], LETTERS, "sum",
    ),
    "a maximum": (
        {"plain": layerlib.MaxPool2d(2), "padding 1": layerlib.MaxPool2d(2, 2, 1),
         "ceil_mode": layerlib.MaxPool2d(3, 2, ceil_mode=True)},
        [whole(1, 4, 4)], "c h w -> c y x", "max",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SWITCHED)
def test_numbers_and_options_follow_the_layer(opened: Opener, case: str) -> None:
    functions, given, axes, how = SWITCHED[case]
    page = opened(point_at(functions, *given, axes=axes, how=how))
    inputs = [x.double() for x in given]
    sides = [side.split() for side in axes.split("->")[0].split(",")]
    for which, number in [(0, 7.0), (-1, -2.5), (0, -40.0)]:
        at = tuple((n + int(number)) % n for n in inputs[which].shape)
        label = ", ".join(f"{x} {n}" for x, n in zip(sides[which], at, strict=True))
        put(page, ("input", "weight")[which % len(inputs)], label, number)
        inputs[which][at] = number
        for option, function in functions.items():
            page.get_by_label(option, exact=True).check()
            expected = function(*inputs)
            assert placed(page) == by_place(expected)
            # The sentence is that of the chosen cell, and has its number.
            place, total = said(page).split(" = ")[0], said(page)
            index = tuple(int(n) for n in re.findall(r"\d+", place))
            found = re.search(r"= (\S+)(?: \(and \d+ of padding\))?$", total)[1]
            assert found == rounded(float(expected[index]))
    page.get_by_role("button", name="All numbers as they were").click()
    for option, function in functions.items():
        page.get_by_label(option, exact=True).check()
        assert placed(page) == by_place(function(*map(torch.Tensor.double, given)))


EDITED: dict[str, tuple[Callable[..., Any], str, str]] = {
    "the largest": (layerlib.MaxPool1d(3, 2, padding=1), "c w -> c x", "max"),
    "the smallest": (lambda x: -layerlib.MaxPool1d(2)(-x), "c w -> c x", "min"),
    "a mean": (layerlib.AvgPool1d(3, 1, padding=1), "c w -> c x", "sum"),
    "factors": (lambda x: layerlib.resample.interpolate(x[None], 8, mode="linear")[0], "c w -> c x", "sum"),
    "constants": (lambda x: 2 * x - x.flip(1) / 8 + 1, "c w -> c w", "sum"),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITED)
def test_changed_numbers_give_what_the_layer_gives(opened: Opener, case: str) -> None:
    function, axes, how = EDITED[case]
    row = torch.tensor([[1.0, 5, -3, 2, 0]])
    page = opened(point_at(function, row, axes=axes, how=how))
    row = row.double()
    for column, number in ((1, -9.0), (4, 0.375), (0, 0.125), (2, -3.0), (3, 1234.0)):
        put(page, "input", f"c 0, w {column}", number)
        row[0, column] = number
        picture = point_at(
            lambda _, now=row: function(now), whole(1), axes="c -> c w", how="marks"
        )
        assert shown(page) == [x.split(" = ")[1].split(", ")[0] for x in picture.sums()]


def test_every_sentence_is_pythons(opened: Opener) -> None:
    """The page writes sums by itself; they are the ones that Python writes."""
    pictures = [point_at(line, *inputs, **sizes) for line, inputs, sizes in PICTURES]
    pictures += [
        point_at(function, x, axes=axes, how=how, names=("x", "y"))
        for function, x, how, axes, _ in SAID.values()
    ]
    image, kernel = images()
    pictures.append(point_at(conv2d, image, kernel, axes=LETTERS, padding=1))
    page = opened(*pictures)
    found = page.evaluate(
        """() => [...document.querySelectorAll(".pointat")].map(figure =>
            [...figure.querySelectorAll(".o i")].map(cell => {
                cell.focus();
                const terms = [...figure.querySelectorAll(".q0 b")].map(term => [
                    term.textContent, term.style.getPropertyValue("--c"),
                    [...figure.querySelectorAll("i[data-n]")].filter(
                        cell => cell.dataset.n.split(" ").includes(term.dataset.n)
                    ).map(c => [c.textContent, c.style.getPropertyValue("--c")])]);
                return [figure.querySelector(".q0").textContent, terms];
            }))"""
    )
    for picture, cells in zip(pictures, found, strict=True):
        sentences = [re.sub(r" \(and \d+ of padding\)$", "", each) for each, _ in cells]
        assert sorted(sentences) == sorted(picture.sums())
        for text, color, marked in (term for _, terms in cells for term in terms):
            numbers = re.findall(r"−?\d+(?:\.\d+)?", text)
            assert color in {f"var(--p{n})" for n in range(HUES)}
            assert marked
            assert all(color in fill for _, fill in marked)
            assert "[" in text or all(number in numbers for number, _ in marked)


def drawn(page: Page) -> Any:
    """The cells with all their marks, and the sentence."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".pointat")].map(figure => [
            figure.querySelector(".q0").textContent,
            [...figure.querySelectorAll(".q0 b")].map(x => [x.dataset.n, x.className,
                x.style.getPropertyValue("--c")]),
            [...figure.querySelectorAll("i")].map(x => [x.textContent,
                [...x.classList].sort().join(" "), x.dataset.n, x.dataset.w,
                ["--c", "--a"].map(y => x.style.getPropertyValue(y).replaceAll(" ", "")),
                x.getAttribute("aria-selected") === "true"])])"""
    )


@functools.cache
def gallery() -> list[PointAt]:
    image, kernel = images()
    q, k, v = whole(2, 2), whole(3, 2), whole(3, 2)
    mask = torch.tensor([[True, False, True], [True, True, True]])
    return [
        point_at(LINEAR, whole(2, 3), whole(4, 3)),
        point_at(conv2d, torch.cat([image, image]), kernel.expand(1, 2, 2, 2), axes=LETTERS, padding=1, at=(0, 0, 0)),
        point_at(layerlib.MaxPool2d(2), image, axes="c h w -> c y x", how="max"),
        point_at(scaled_dot_product_attention, q, k, v, mask, axes="q e, s e, s e, q s -> q e", how="marks", names=("q", "k", "v", "mask", "y")),
        point_at(layer_norm, whole(2, 4), axes="b n -> b n", how="marks", normalized_shape=(4,)),
        point_at(BILINEAR, whole(2, 3), whole(2, 3, 2), whole(2, 2)),
        point_at(variants(), image, kernel, axes=LETTERS),
        point_at(Recipe("i, i ->"), whole(3), whole(3)),
    ]  # fmt: skip


def test_without_scripts_it_is_the_picture_at_rest(opened: Opener) -> None:
    pictures = gallery()
    still = opened(*pictures, java_script_enabled=False)
    assert not still.locator("fieldset").first.is_visible()
    assert still.get_by_role("button").count() == 0
    live = opened(*pictures)
    assert drawn(still) == drawn(live)
    # The script draws it again, and the same.
    live.evaluate(
        "() => document.querySelectorAll('[aria-selected=true]').forEach(x => x.focus())"
    )
    assert drawn(still) == drawn(live)


def test_by_mouse(opened: Opener) -> None:
    page = opened(point_at(LINEAR, whole(2, 3), whole(4, 3), axes="b i, o i -> b o"))
    sums = point_at(LINEAR, whole(2, 3), whole(4, 3)).sums()
    rest = said(page)
    outputs = page.locator(".o i")
    for n, sentence in enumerate(sums):
        outputs.nth(n).hover()
        assert said(page) == sentence
    page.mouse.move(0, 0)
    assert said(page) == rest
    outputs.nth(5).click()
    page.mouse.move(0, 0)
    assert said(page) == sums[5]
    assert page.locator(".o i[aria-selected=true]").count() == 1


def test_by_keyboard_alone(opened: Opener) -> None:
    x, weight = whole(2, 3).double(), whole(4, 3).double()
    page = opened(
        point_at(
            {"plain": linear, "twice": lambda x, w: 2 * linear(x, w)},
            x,
            weight,
            axes="b i, o i -> b o",
        )
    )
    press = page.keyboard.press

    def where() -> str:
        return page.evaluate(
            "() => document.activeElement.getAttribute('aria-label') || document.activeElement.type || ''"
        )

    press("Tab")
    assert where() == "radio"
    press("ArrowRight")
    assert shown(page) == right(2 * linear(x, weight))
    press("ArrowLeft")
    press("Tab")
    assert where().startswith("b 0, i 0: ")
    for key, label in (
        ("ArrowRight", "b 0, i 1"), ("ArrowDown", "b 1, i 1"), ("ArrowDown", "b 1, i 1"), ("Home", "b 0, i 0"),
        ("ArrowLeft", "b 0, i 0"), ("End", "b 1, i 2"), ("ArrowRight", "b 1, i 2"), ("ArrowUp", "b 0, i 2"),
    ):  # fmt: skip
        press(key)
        assert where().startswith(f"{label}: ")
    page.evaluate(
        "() => addEventListener('keydown', e => { window.heard = (window.heard || '') + e.key })"
    )
    press("ArrowUp")
    press("ArrowDown")
    press("ArrowUp")
    # What a key does here it does not do to the page, or to the notebook, too.
    assert page.evaluate("() => window.heard") is None
    assert page.locator("[data-lm-suppress-shortcuts=true]").count() == 1
    press("Enter")
    assert where() == "input[0, 2]"
    press("ArrowUp")
    press("ArrowUp")
    press("ArrowDown")
    x[0, 2] += 1
    assert shown(page) == right(linear(x, weight))
    press("Enter")
    assert where().startswith("b 0, i 2: ")
    page.keyboard.type("-12")  # typing begins to edit
    x[0, 2] = -12
    assert shown(page) == right(linear(x, weight))
    press("Escape")
    x[0, 2] = whole(2, 3)[0, 2] + 1
    assert shown(page) == right(linear(x, weight))
    press("F2")
    page.keyboard.type("non")
    assert page.locator("input[aria-invalid=true]").count() == 1
    press("Enter")
    assert shown(page) == right(linear(x, weight))
    press("Tab")
    assert where().startswith("o 0, i 0: ")
    press("Tab")
    assert re.match(r"b \d, o \d: ", where())
    press("Home")
    assert said(page).startswith("output[0, 0] = ")
    press("Tab")
    assert where() == "One less in the cell"
    press("Enter")
    weight[0, 0] -= 1
    assert shown(page) == right(linear(x, weight))
    press("Tab")
    press("Tab")
    press("Enter")
    assert shown(page) == right(linear(whole(2, 3).double(), whole(4, 3).double()))


def test_arrows_walk_over_padding(opened: Opener) -> None:
    image, kernel = whole(2, 2, 3), whole(1, 2, 2, 2)
    page = opened(point_at(conv2d, image, kernel, axes=LETTERS, padding=1))
    cell(page, "input", "i 0, h 0, w 2").click()
    page.keyboard.press("Enter")
    for key, label in (
        ("ArrowUp", "i 0, h 0, w 2"), ("ArrowRight", "i 1, h 0, w 0"), ("ArrowDown", "i 1, h 1, w 0"),
        ("ArrowLeft", "i 0, h 1, w 2"), ("End", "i 1, h 1, w 2"), ("ArrowRight", "i 1, h 1, w 2"),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert page.locator("i:focus").get_attribute("aria-label").startswith(label)


def test_by_touch(opened: Opener) -> None:
    x, weight = whole(2, 3).double(), whole(4, 3).double()
    page = opened(point_at(LINEAR, x, weight, axes="b i, o i -> b o"), viewport=PHONE)
    cell(page, "output", "b 1, o 2").tap()
    assert said(page).startswith("output[1, 2] = ")
    cell(page, "weight", "o 2, i 1").tap()
    for _ in range(3):
        page.get_by_role("button", name="One more in the cell").tap()
    weight[2, 1] += 3
    assert shown(page) == right(x @ weight.T)
    assert said(page).startswith("output[1, 2] = ")
    assert said(page).endswith(f"= {rounded(float((x @ weight.T)[1, 2]))}")


def test_marks_have_no_numbers_to_change(opened: Opener) -> None:
    picture = point_at(
        layer_norm, whole(2, 4), axes="b n -> b n", how="marks", normalized_shape=(4,)
    )
    assert "Click" not in picture._repr_html_()
    page = opened(picture)
    before = shown(page)
    page.locator(".p:not(.o) i").first.click()
    page.keyboard.type("7")
    assert page.locator("input").count() == 0
    assert shown(page) == before
    assert not page.get_by_role("button").first.is_visible()
    grids = page.locator(".g").evaluate_all(
        "gs => gs.map(g => g.getAttribute('aria-readonly'))"
    )
    assert grids == ["true", "true"]
    sums = picture.sums()
    for n in range(8):
        page.locator(".o i").nth(n).hover()
        assert said(page) == sums[n]


def test_masks_and_indices_are_not_changed(opened: Opener) -> None:
    row = whole(3).double()
    page = opened(
        point_at(
            lambda x, keep: x * keep, row, torch.tensor([1, 0, 1]), axes="i, i -> i"
        )
    )
    page.locator(".g[data-t='weight'] i").first.click()
    assert page.locator("input").count() == 0


# The contrast of each text with what lies below it, for colors that axe leaves open.
FAINT = r"""() => {
    const paint = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const over = colors => {
        paint.clearRect(0, 0, 1, 1);
        for (const color of colors) { paint.fillStyle = color; paint.fillRect(0, 0, 1, 1); }
        return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = rgb => {
        const [r, g, b] = rgb.map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = [];
    for (const e of document.querySelectorAll(".pointat :is(i, b, span, .t, label, small, figcaption)")) {
        if (!e.checkVisibility()) continue;
        const grounds = [], style = getComputedStyle(e);
        for (let p = e; p; p = p.parentElement) {
            const s = getComputedStyle(p);
            const stripes = s.backgroundImage.match(/rgba?\([^)]*\)/g);
            grounds.unshift(stripes || [s.backgroundColor]);
        }
        for (const last of grounds.at(-1)) {
            const under = grounds.slice(0, -1).map(g => g[0]).concat(last);
            const [a, b] = [light(over([...under, style.color])), light(over(under))].sort((x, y) => y - x);
            const ratio = (a + 0.05) / (b + 0.05);
            if (ratio < 4.5) found.push(`${e.outerHTML}: ${ratio.toFixed(2)}`);
        }
    }
    return found;
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_all_can_be_read(opened: Opener, dark: bool) -> None:
    page = opened(*gallery(), dark=dark)
    assert not page.evaluate(FAINT)
    page.locator(".q0 span").first.evaluate("e => { e.style.color = '#777' }")
    assert len(page.evaluate(FAINT)) == 1
    page.locator(".q0 span").first.evaluate("e => { e.style.color = '' }")
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
    violations = Axe().run(page, options={"runOnly": rules}).response["violations"]
    assert not [(found["id"], found["nodes"][0]["html"][:200]) for found in violations]


def test_the_hues_are_nine_and_apart() -> None:
    style = (Path(layerlib.__file__).parent / "lab" / "point_at.css").read_text()
    hues = re.findall(r"--p(\d):#(\w{6})", style)
    assert [int(n) for n, _ in hues] == list(range(HUES))
    colors = torch.tensor([[int(c[k : k + 2], 16) for k in (0, 2, 4)] for _, c in hues])
    apart = torch.cdist(colors.double(), colors.double()) + 999 * torch.eye(HUES)
    assert float(apart.min()) > 50


def test_it_fits_a_phone(opened: Opener) -> None:
    wide = point_at(conv2d, whole(2, 4, 4), whole(1, 2, 3, 3), axes=LETTERS, padding=1)
    page = opened(*gallery(), wide, viewport=PHONE)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    outside = page.evaluate(
        """() => [...document.querySelectorAll(".pointat :is(i, b, .t, label)")]
            .filter(e => e.checkVisibility() && (e.getBoundingClientRect().right > 391
                || e.getBoundingClientRect().left < 0 || e.scrollWidth > e.clientWidth + 1
                && e.matches("i")))
            .map(e => e.outerHTML)"""
    )
    assert not outside


def test_nothing_moves_while_one_points(opened: Opener) -> None:
    page = opened(
        point_at(torch.cumsum, whole(12), axes="t -> t", dim=0), viewport=PHONE
    )
    below = page.locator("figcaption").bounding_box()
    for n in (11, 0):
        page.locator(".o i").nth(n).hover()
        assert page.locator("figcaption").bounding_box() == below


def test_what_is_told_to_the_page_cannot_end_it() -> None:
    html = point_at(
        torch.neg, whole(2), axes="i -> i", names=("<b>", "</script>"), how="marks"
    )._repr_html_()
    assert html.count("</script>") == 2
    data = json.loads(re.search(r'json">(.*?)</script>', html)[1])
    assert data["v"][0]["s"][0].endswith("made of <b>[0]")
