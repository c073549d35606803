"""Pictures: their sums are the recipe's output, and their bytes never change."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
import torch
from matplotlib import pyplot as plt
from torch import Tensor

from layerlib.figures import LARGEST, PointAt, point_at, still
from layerlib.linear import BILINEAR, LINEAR
from layerlib.nlinear import NLINEAR
from layerlib.recipe import Rearrange, Recipe
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
        "import torch; from layerlib.figures import point_at;"
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
            [torch.ones(2, 3)],
            (),
            TypeError,
            "expected whole numbers, got torch.float32",
        ),
        (
            [torch.ones(2) > 0],
            (),
            TypeError,
            "expected whole numbers, got torch.bool",
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
        "import sys, layerlib, layerlib.figures, layerlib.show, layerlib.oracle;"
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
