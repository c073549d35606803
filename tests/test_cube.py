"""The cube of a line: its numbers are the line's, and nobody is left out."""

import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any

import pytest
import torch
from playwright.sync_api import Page
from torch import Tensor

from examples import whole
from layerlib.lab import Steps, cube
from layerlib.linear import LINEAR
from layerlib.recipe import Recipe, colour
from pages import (
    PHONE,
    Opened,
    Several,
    fit_a_phone_and_are_read,
    opened,
)

__all__ = ["opened"]


BATCHES = Recipe("b i, o i -> b o")
X, W, G = whole(2, 3), whole(4, 3), whole(2, 4)
CASES: dict[str, tuple[Recipe, list[Tensor], int | None]] = {
    "a batch": (BATCHES, [X, W], None),
    "its input": (BATCHES, [G, W], 0),
    "its weight": (BATCHES, [G, X], 1),
    "one input": (Recipe("i, o i -> o"), [X[0], W], None),
    "a dot product": (Recipe("i, i -> "), [X[0], W[0]], None),
    "an outer product": (Recipe("i, o -> o i"), [X[0], W[:, 0]], None),
    "an outer product's input": (Recipe("i, o -> o i"), [W, W[:, 0]], 0),
    "a weight for each": (Recipe("n i, n o i -> n o"), [X, whole(2, 2, 3)], None),
    "rows": (Recipe("b i, b i -> b"), [X, W[:2]], None),
    "cells": (Recipe("b i, b i -> b i"), [X, W[:2]], None),
    "a vector's cells": (Recipe("i, i -> i"), [X[0], W[0]], None),
    "all of it": (Recipe("h w, h w -> "), [X, W[:2]], None),
    "nothing summed": (Recipe("b i, o -> b o i"), [X, W[:, 0]], None),
    "alone": (Recipe("b i, o -> b o"), [X, W[:, 0]], None),
    "a number": (Recipe(", i -> i"), [whole(), X[0]], None),
    "numbers": (Recipe(", -> "), [whole(), whole()], None),
    "an ellipsis": (LINEAR, [X, W], None),
    "an empty ellipsis": (LINEAR, [X[0], W], None),
    "fractions": (BATCHES, [X / 8, W * 10.0], None),
    "long names": (Recipe("head q, head s -> q s"), [X, W[:2]], None),
}


def said(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−")
    return "0" if text == "−0" else text


def drawn(picture: Steps) -> list[ET.Element]:
    """The drawings of the steps."""
    found = re.findall("<svg.*?</svg>", picture._repr_html_(), re.DOTALL)
    return [ET.fromstring(svg) for svg in found]  # noqa: S314


def numbers(svg: ET.Element) -> list[str]:
    """The numbers in cells, in the order in which they are drawn."""
    return [text.text or "" for text in svg.iter("text") if not text.get("class")]


def counted(*tensors: Tensor) -> Counter[str]:
    return Counter(said(n) for x in tensors for n in x.flatten().tolist())


def literal(line: Recipe, inputs: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Each input, pulled to all letters of the line, and their product."""
    left = line.line.split("->")[0]
    names = dict.fromkeys(re.findall(r"\w+|\.\.\.", left))
    all_of_it = Recipe(f"{left} -> {' '.join(names)}")
    ones = [torch.ones_like(x) for x in inputs]
    pulled = [all_of_it(inputs[0], ones[1]), all_of_it(ones[0], inputs[1])]
    return pulled, pulled[0] * pulled[1]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Recipe, list[Tensor], Steps]:
    """The line that is drawn, what it takes, and its picture."""
    line, inputs, backward = CASES[request.param]
    drawn_line = line if backward is None else line.gradient(backward)
    return drawn_line, inputs, cube(line, *inputs, backward=backward)


def test_numbers_are_those_of_the_line(
    case: tuple[Recipe, list[Tensor], Steps],
) -> None:
    line, inputs, picture = case
    given, _, multiplied, summed = drawn(picture)
    _, product = literal(line, inputs)
    assert Counter(numbers(given)) == counted(*inputs)
    assert Counter(numbers(multiplied)) == counted(product)
    assert Counter(numbers(summed)) == counted(line(*inputs))


def test_labels_tell_all_numbers_in_order(
    case: tuple[Recipe, list[Tensor], Steps],
) -> None:
    line, inputs, picture = case
    labels = [svg.get("aria-label") or "" for svg in drawn(picture)]
    read = [
        re.findall(r"(?:^|; |cells\. )[a-z ]+? (\[.*?\]|[−\d.]+)(?=;|$)", x)
        for x in labels
    ]
    _, product = literal(line, inputs)
    for texts, tensors in (
        (read[0], inputs),
        (read[2], [product]),
        (read[3], [line(*inputs)]),
    ):
        told = [torch.tensor(eval(x.replace("−", "-"))) for x in texts]  # noqa: S307
        assert len(told) == len(tensors)
        for ours, right in zip(told, tensors, strict=True):
            assert ours.shape == right.shape
            assert torch.allclose(ours.double(), right.double(), atol=0.0051)


def test_sheets_of_products_add_up_to_the_output() -> None:
    for name in ("a batch", "its input", "its weight", "one input", "rows"):
        line, inputs, backward = CASES[name]
        _, _, multiplied, summed = drawn(cube(line, *inputs, backward=backward))
        sheets = [
            [int(n.replace("−", "-")) for n in numbers(group)]
            for group in multiplied.iter("g")
            if group.get("class") == "move"
        ]
        output = [int(n.replace("−", "-")) for n in numbers(summed)]
        assert [sum(each) for each in zip(*sheets, strict=True)] == output


def test_pulled_block_shows_three_sides() -> None:
    _, pulled, _, _ = drawn(cube(BATCHES, X, W))
    blocks = [group for group in pulled if group.get("transform")]
    b, o = len(X), len(W)
    x_sides = [X] + [X[:, -1]] * o + [X[0]] * o  # left, right, top
    w_sides = [W[:, -1]] * b + [W[0]] * b + [W]
    for block, sides in zip(blocks, (x_sides, w_sides), strict=True):
        assert Counter(numbers(block)) == counted(*sides)


def test_gradient_is_autograds() -> None:
    x, w = (t.double().requires_grad_() for t in (X, W))
    expected = torch.autograd.grad(BATCHES(x, w), (x, w), G.double())
    for which, other in enumerate((W, X)):
        summed = drawn(cube(BATCHES, G, other, backward=which))[-1]
        assert Counter(numbers(summed)) == counted(expected[which])


def test_gradient_lies_in_the_cube_of_its_line() -> None:
    def axes(*args: Any, **options: Any) -> dict[str, str]:
        """The class of the side that a tensor's sheet shows, by its color."""
        svgs = drawn(cube(*args, **options))
        paths = [
            path.get("class") for svg in (svgs[0], svgs[3]) for path in svg.iter("path")
        ]
        faces = (re.fullmatch(r"face f(\d) ([abr])", kind or "") for kind in paths)
        shown: dict[str, str] = {}
        for face, text in itertools.groupby(filter(None, faces), key=lambda m: m[2]):
            shown[face] = max((m[1] for m in text), key=str)
        return shown

    forward = axes(BATCHES, X, W)
    assert set(forward) == {"a", "b", "r"}
    for which, other in enumerate((W, X)):
        assert axes(BATCHES, G, other, backward=which) == forward


def test_nothing_hides_a_number(case: tuple[Recipe, list[Tensor], Steps]) -> None:
    for svg in drawn(case[2]):
        left, top, width, height = map(int, (svg.get("viewBox") or "").split())
        for group in [g for g in svg if g.get("transform")] or [svg]:
            spots = [
                (float(text.get("x") or 0), float(text.get("y") or 0), text.text or "")
                for text in group.iter("text")
            ]
            for (x, y, one), (u, v, other) in itertools.combinations(spots, 2):
                apart = abs(x - u) > 3 * (len(one) + len(other)) or abs(y - v) > 10
                assert apart, (one, other)
        if not svg.findall("g[@transform]"):
            assert all(left < x < left + width for x, _, _ in spots)
            assert all(top < y < top + height for _, y, _ in spots)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a batch", [
            "The inputs: input (b\xa02, i\xa03) and weight (o\xa04, i\xa03).",
            "Pulled: input along o, 4 times; weight along b, twice.",
            "Multiplied: 24 products, one in each cell.",
            "Summed along i: 3 products for each of 8 outputs.",
        ]),
        ("its input", [
            "The inputs: gradient of output (b\xa02, o\xa04) and weight (o\xa04, i\xa03).",
            "Pulled: gradient of output along i, 3 times; weight along b, twice.",
            "Multiplied: 24 products, one in each cell.",
            "Summed along o: 4 products for each of 6 outputs.",
        ]),
        ("its weight", [
            "The inputs: gradient of output (b\xa02, o\xa04) and input (b\xa02, i\xa03).",
            "Pulled: gradient of output along i, 3 times; input along o, 4 times.",
            "Multiplied: 24 products, one in each cell.",
            "Summed along b: 2 products for each of 12 outputs.",
        ]),
        ("a dot product", [
            "The inputs: input (i\xa03) and weight (i\xa03).",
            "Nothing is pulled: both inputs have all letters.",
            "Multiplied: 3 products, one in each cell.",
            "Summed along i: 3 products for 1 output.",
        ]),
        ("an outer product", [
            "The inputs: input (i\xa03) and weight (o\xa04).",
            "Pulled: input along o, 4 times; weight along i, 3 times.",
            "Multiplied: 12 products, one in each cell.",
            "Nothing is summed: the products are the output.",
        ]),
        ("all of it", [
            "The inputs: input (h\xa02, w\xa03) and weight (h\xa02, w\xa03).",
            "Nothing is pulled: both inputs have all letters.",
            "Multiplied: 6 products, one in each cell.",
            "Summed along h and w: 6 products for 1 output.",
        ]),
        ("one input", [
            "The inputs: input (i\xa03) and weight (o\xa04, i\xa03).",
            "Pulled: input along o, 4 times; weight has all letters.",
            "Multiplied: 12 products, one in each cell.",
            "Summed along i: 3 products for each of 4 outputs.",
        ]),
        ("numbers", [
            "The inputs: input (one number) and weight (one number).",
            "Nothing is pulled: both inputs have all letters.",
            "Multiplied: 1 product, one in each cell.",
            "Nothing is summed: the products are the output.",
        ]),
    ],
)  # fmt: skip
def test_what_is_said(name: str, told: list[str]) -> None:
    line, inputs, backward = CASES[name]
    assert cube(line, *inputs, backward=backward).said() == told


def test_names() -> None:
    picture = cube(BATCHES, G, W, backward=0, names=("image", "kernel", "map"))
    assert picture.said()[0].startswith("The inputs: gradient of map (")
    caption = re.search("<figcaption>(.*)</figcaption>", picture._repr_html_())
    assert caption is not None
    assert caption[1] == (
        "gradient of image from gradient of map and kernel: "
        "the cube of the line b o, o i → b i."
    )
    assert repr(picture) == f"a picture in 4 steps: {caption[1]}"


def test_letters_have_their_colors_and_the_summed_are_underlined() -> None:
    for svg in drawn(cube(BATCHES, X, W)):
        letters = [
            text for text in svg.iter("text") if "letter" in text.get("class", "")
        ]
        assert letters
        fills = {rect.get("fill") for rect in svg.iter("rect")}
        assert fills == {colour(text.text or "") for text in letters}
        for text in letters:
            assert ("summed" in text.get("class", "")) == (text.text == "i")
        edges = {path.get("stroke") for path in svg.iter("path")} - {None}
        assert edges == fills


def test_each_drawing_has_a_role_and_a_text() -> None:
    picture = cube(BATCHES, X, W)
    for svg, told in zip(drawn(picture), picture.said(), strict=True):
        assert svg.get("role") == "img"
        assert svg.get("aria-label")
        assert told in picture._repr_html_()
    assert '<div hidden="hidden"><ol' in picture._repr_html_()
    assert not re.search(r'\bid="', picture._repr_html_())


def test_same_bytes_in_another_process() -> None:
    program = (
        "import torch; from layerlib.lab import cube; from layerlib.linear import LINEAR;"
        "x = torch.arange(6).reshape(2, 3); print(cube(LINEAR, x, x)._repr_html_(), end='')"
    )
    out = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        for _ in range(2)
    ]
    x = torch.arange(6).reshape(2, 3)
    ours = cube(LINEAR, x, x)._repr_html_().encode()
    assert out[0].stdout == out[1].stdout == ours
    assert len(ours) < 25_000


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("line", "inputs", "options", "error", "told"),
    [
        ("b i, o i -> b o", [X, W], {}, TypeError, "cube: expected a Recipe as the line, got an object of type str"),
        (Recipe("b i -> i"), [X], {}, ValueError, "cube: expected a line of 2 inputs, got 1 in 'b i -> i'"),
        (Recipe("b i, o i, o -> b"), [X, W, W[:, 0]], {}, ValueError, "cube: expected a line of 2 inputs, got 3 in"),
        (BATCHES, [X], {}, ValueError, "expected 2 inputs, got 1"),
        (BATCHES, [X, W.T], {}, ValueError, "letter 'i' is 3 in input 0 and 4 in input 1"),
        (LINEAR, [whole(2, 2, 3), W], {}, ValueError, r"cube: expected at most 3 axes, got 4 in '\.\.\. i, o i -> \.\.\. o' for shapes \(2, 2, 3\) and \(4, 3\)"),
        (Recipe("b g i, g o i -> b g o"), [whole(2, 2, 3), whole(2, 2, 3)], {}, ValueError, "cube: expected at most 3 axes, got 4 in"),
        (BATCHES, [whole(6, 6), whole(6, 6)], {}, ValueError, "cube: expected a cube of 1 to 100 cells, got 216"),
        (BATCHES, [whole(0, 3), W], {}, ValueError, "cube: expected a cube of 1 to 100 cells, got 0"),
        (BATCHES, [X > 0, W > 0], {}, TypeError, "cube: expected real numbers, got torch.bool"),
        (BATCHES, [X + 1j, W + 1j], {}, TypeError, "cube: expected real numbers, got torch.complex64"),
        (BATCHES, [X, W], {"names": ("x", "y")}, ValueError, "cube: expected 3 names, of the inputs and the output, got 2"),
        (BATCHES, [G, W], {"backward": 2}, IndexError, "expected an input from 0 to 1, got 2"),
        (BATCHES, [X, W], {"backward": 0}, ValueError, "letter 'o' is 3 in input 0 and 4 in input 1"),
    ],
)  # fmt: skip
def test_errors(
    line: Any,
    inputs: list[Tensor],
    options: dict[str, Any],
    error: type[Exception],
    told: str,
) -> None:
    with pytest.raises(error, match=told):
        cube(line, *inputs, **options)


# ---- In a browser


PICTURE = cube(BATCHES, X, W)


def shown(page: Page) -> list[int]:
    """The steps that one sees."""
    found: list[int] = page.locator(".steps li").evaluate_all(
        "items => items.map((e, n) => [n, getComputedStyle(e)])"
        ".filter(([n, s]) => s.visibility === 'visible' && s.display !== 'none')"
        ".map(([n]) => n)"
    )
    return found


def told(page: Page) -> str:
    return page.locator(".steps [aria-live=polite]").text_content() or ""


def test_all_steps_are_seen_at_rest(opened: Opened) -> None:
    assert shown(opened(PICTURE)) == [0, 1, 2, 3]


def test_all_steps_are_seen_without_scripts(opened: Opened) -> None:
    page = opened(PICTURE, java_script_enabled=False)
    assert page.locator("button").count() == 0
    assert page.locator(".steps li svg:visible").count() == 4
    assert page.locator(".steps li p:visible").all_text_contents() == [
        f"{n}. {said}" for n, said in enumerate(PICTURE.said(), 1)
    ]


def test_steps_by_mouse(opened: Opened) -> None:
    page = opened(PICTURE)
    back, next_ = (page.get_by_role("button", name=n) for n in ("Back", "Next"))
    assert back.get_attribute("aria-disabled") == "true"
    for n in range(4):
        next_.click()
        assert shown(page) == [n]
        assert told(page) == f"Step {n + 1} of 4. {PICTURE.said()[n]}"
    assert next_.get_attribute("aria-disabled") == "true"
    next_.click(force=True)
    assert shown(page) == [3]
    for n in (2, 1, 0):
        back.click()
        assert shown(page) == [n]
    back.click()
    assert shown(page) == [0, 1, 2, 3]


def test_steps_by_keyboard(opened: Opened) -> None:
    page = opened(PICTURE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Back"
    for key, steps in (
        ("ArrowRight", [0]),
        ("ArrowRight", [1]),
        ("ArrowLeft", [0]),
        ("End", [3]),
        ("ArrowRight", [3]),
        ("Home", [0, 1, 2, 3]),
        ("End", [3]),
        ("Escape", [0, 1, 2, 3]),
    ):
        page.keyboard.press(key)
        assert shown(page) == steps, key
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert shown(page) == [0]
    page.keyboard.press("Alt+ArrowRight")
    assert shown(page) == [0]


def test_steps_by_touch_on_a_phone(opened: Opened) -> None:
    page = opened(PICTURE, theme="dark", viewport=PHONE, has_touch=True)
    button = page.get_by_role("button", name="Next")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 32
    button.tap()
    assert shown(page) == [0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_they_fit_a_phone_and_are_read(opened: Opened, theme: str) -> None:
    pictures = [cube(line, *given, backward=k) for line, given, k in CASES.values()]
    fit_a_phone_and_are_read(opened(Several(*pictures), theme=theme, viewport=PHONE))


def test_all_steps_are_printed(opened: Opened) -> None:
    page = opened(PICTURE)
    page.get_by_role("button", name="Next").click()
    page.emulate_media(media="print")
    assert shown(page) == [0, 1, 2, 3]
    assert not page.locator(".steps .bar").is_visible()
    assert not page.locator(".steps .now").is_visible()


def test_it_moves_only_for_those_who_like_that(opened: Opened) -> None:
    page = opened(PICTURE)
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    moving = "() => document.getAnimations().length"
    assert page.evaluate(moving) == 0
    assert not page.locator(".steps .play").is_visible()
    page.emulate_media(reduced_motion="no-preference")
    assert page.locator(".steps .play").is_visible()
    assert page.evaluate(moving) > 0


def test_two_pictures_on_a_page_are_apart(opened: Opened) -> None:
    page = opened(Several(PICTURE, PICTURE))
    assert page.locator(".bar").count() == 2
    page.get_by_role("button", name="Next").first.click()
    assert shown(page) == [0, 4, 5, 6, 7]
