"""The film of a window or a stamp: what is marked and filled is what the layer does."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

import layerlib
from examples import whole
from layerlib.conv import conv1d, conv2d
from layerlib.conv_transpose import conv_transpose1d, conv_transpose2d
from layerlib.lab import Steps, film
from layerlib.lab.steps import LARGEST
from pages import (
    PHONE,
    Opened,
    Several,
    fit_a_phone_and_are_read,
    opened,
)

__all__ = ["opened"]

ROW, IMAGE = whole(1, 7), whole(1, 4, 4)
Window = tuple[int, int, int, int]  # kernel, stride, padding, dilation

WINDOWS: dict[str, tuple[Callable[..., Any], list[Tensor], dict[str, Any], Window]] = {
    "a row": (conv1d, [ROW, whole(1, 1, 3)], {}, (3, 1, 0, 1)),
    "stride": (conv1d, [ROW, whole(1, 1, 3)], {"stride": 2}, (3, 2, 0, 1)),
    "padding": (conv1d, [ROW, whole(1, 1, 3)], {"padding": 1}, (3, 1, 1, 1)),
    "dilation": (conv1d, [ROW, whole(1, 1, 3)], {"dilation": 2}, (3, 1, 0, 2)),
    "all of them": (conv1d, [ROW, whole(1, 1, 3)], {"dilation": 2, "padding": 2, "stride": 3}, (3, 3, 2, 2)),
    "a kernel of 1": (F.conv1d, [ROW, whole(1, 1, 1)], {"padding": 1, "stride": 2}, (1, 2, 1, 1)),
    "zeros in the kernel": (conv1d, [ROW, torch.tensor([[[1, 0, 0]]])], {"padding": 1}, (3, 1, 1, 1)),
    "a batch": (conv2d, [IMAGE[None], whole(1, 1, 2, 2)], {"stride": 2}, (2, 2, 0, 1)),
    "an image": (conv2d, [IMAGE, whole(1, 1, 3, 3)], {"padding": 1}, (3, 1, 1, 1)),
    "a module": (layerlib.Conv2d(1, 1, 3, 2, 1), [IMAGE / 1], {}, (3, 2, 1, 1)),
    "the largest": (layerlib.MaxPool2d(3, 2, 1), [IMAGE], {}, (3, 2, 1, 1)),
    "dilated": (layerlib.MaxPool2d(2, 1, 1, 2), [IMAGE], {}, (2, 1, 1, 2)),
    "the mean": (layerlib.AvgPool2d(2, 2, 1), [IMAGE], {}, (2, 2, 1, 1)),
    "what windows see": (layerlib.Unfold(2, padding=1), [IMAGE[None, :, :3, :3]], {"along": [-1]}, (2, 1, 1, 1)),
    "two channels": (conv2d, [IMAGE, whole(2, 1, 2, 2)], {"padding": 1, "along": (-2, -1)}, (2, 1, 1, 1)),
}  # fmt: skip
"""What slides, over what, with which options, and the window that it must show."""

STAMPS: dict[str, tuple[Callable[..., Any], list[Tensor], dict[str, Any], Window]] = {
    "a row": (conv_transpose1d, [whole(1, 3), whole(1, 1, 3)], {"stride": 2}, (3, 2, 0, 1)),
    "cut": (conv_transpose1d, [whole(1, 4), whole(1, 1, 3)], {"stride": 2, "padding": 1}, (3, 2, 1, 1)),
    "dilated": (conv_transpose1d, [whole(1, 3), whole(1, 1, 2)], {"dilation": 2, "stamps": True}, (2, 1, 0, 2)),
    "as many": (conv_transpose1d, [ROW, whole(1, 1, 3)], {"padding": 1, "stamps": True}, (3, 1, 1, 1)),
    "an image": (conv_transpose2d, [IMAGE[:, :3, :3], whole(1, 1, 3, 3)], {"stride": 2, "padding": 1}, (3, 2, 1, 1)),
    "copies": (layerlib.Upsample(scale_factor=2), [IMAGE[None, :, :2, :2]], {}, (2, 2, 0, 1)),
}  # fmt: skip


def said(value: float) -> str:
    text = f"{round(value, 9):.2f}".rstrip("0").rstrip(".").replace("-", "−")
    return "0" if text == "−0" else text


def drawn(picture: Steps) -> list[ET.Element]:
    found = re.findall("<svg.*?</svg>", picture._repr_html_(), re.DOTALL)
    svgs = [ET.fromstring(svg) for svg in found]  # noqa: S314
    assert svgs[0].find("g") is not None
    return svgs


def corners(svg: ET.Element, kind: str) -> list[tuple[int, int]]:
    """The corners of the boxes that a path draws."""
    path = svg.find(f".//path[@class='{kind}']")
    assert path is not None
    found = re.findall(r"M(\d+) (\d+)h", path.get("d") or "")
    return [(int(x), int(y)) for x, y in found]


def cells(
    svgs: list[ET.Element], which: str, marked: list[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Rows and columns of marked boxes of the input or the output."""
    if which == "input":
        rect = next(r for r in svgs[0].iter("rect") if r.get("class") == "c")
        x0, y0, wide = (int(rect.get(name) or 0) for name in ("x", "y", "width"))
    else:
        ((x0, y0), *_), wide = corners(svgs[0], "cell"), _wide(svgs[0], "cell")
    return {((y - y0) // 26, (x - x0) // wide) for x, y in marked}


def _wide(svg: ET.Element, kind: str) -> int:
    path = svg.find(f".//path[@class='{kind}']")
    assert path is not None
    found = re.search(r"h(\d+)", path.get("d") or "")
    assert found is not None
    return int(found[1])


def window(at: int, length: int, shape: Window) -> list[int]:
    """The places along one axis that the window sees, outside too."""
    kernel, stride, padding, dilation = shape
    assert length
    return [at * stride - padding + k * dilation for k in range(kernel)]


def inner(tensor: Tensor) -> tuple[int, int]:
    """How many rows and columns are drawn."""
    *_, high, wide = (1, 1, *tensor.shape)
    return (high, wide) if tensor.squeeze().ndim > 1 else (1, wide)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_frame_marks_what_the_window_sees(name: str) -> None:
    function, tensors, options, shape = WINDOWS[name]
    svgs = drawn(film(function, *tensors, **options))
    high, wide = inner(tensors[0])
    kernel, stride, padding, dilation = shape
    down, across = (
        1 if n == 1 else (n + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for n in (high, wide)
    )
    assert len(svgs) == down * across
    for n, svg in enumerate(svgs):
        row, column = divmod(n, across)
        rows = [0] if high == 1 else window(row, high, shape)
        expected = {(r, c) for r in rows for c in window(column, wide, shape)}
        assert cells(svgs, "input", corners(svg, "mark")) == expected


@pytest.mark.parametrize("name", STAMPS)
def test_a_frame_marks_what_is_stamped(name: str) -> None:
    function, tensors, options, shape = STAMPS[name]
    svgs = drawn(film(function, *tensors, **options))
    high, wide = inner(tensors[0])
    assert len(svgs) == high * wide
    for n, svg in enumerate(svgs):
        row, column = divmod(n, wide)
        assert cells(svgs, "input", corners(svg, "mark")) == {(row, column)}
        rows = [0] if high == 1 else window(row, high, shape)
        expected = {(r, c) for r in rows for c in window(column, wide, shape)}
        assert cells(svgs, "output", corners(svg, "new")) == expected


def numbers(svg: ET.Element) -> list[str]:
    """The numbers of the output."""
    return [text.text or "" for text in svg.findall("text")]


def called(
    function: Callable[..., Any], tensors: list[Tensor], options: dict[str, Any]
) -> Tensor:
    own = {k: v for k, v in options.items() if k not in {"stamps", "along"}}
    output: Tensor = function(*[x.double() for x in tensors], **own)
    return output


@pytest.mark.parametrize("name", WINDOWS)
def test_output_fills_up_with_the_layers_numbers(name: str) -> None:
    function, tensors, options, _ = WINDOWS[name]
    if isinstance(function, torch.nn.Module):
        function = function.double()
    output = called(function, tensors, options)
    svgs = drawn(film(function, *tensors, **options))
    frames = (
        output.reshape(-1, len(svgs)).T if "along" in options else output.reshape(-1, 1)
    )
    for n, svg in enumerate(svgs):
        assert numbers(svg) == [said(x) for x in frames[: n + 1].flatten().tolist()]
        assert len(corners(svg, "new")) == frames.shape[1]


@pytest.mark.parametrize("name", STAMPS)
def test_output_is_that_of_the_cells_so_far(name: str) -> None:
    function, tensors, options, _ = STAMPS[name]
    svgs = drawn(film(function, *tensors, **options))
    flat = tensors[0].flatten()
    touched = torch.zeros(0)
    for n, svg in enumerate(svgs):
        so_far = flat.where(torch.arange(len(flat)) <= n, 0).reshape(tensors[0].shape)
        ones = [torch.ones_like(x) for x in tensors]
        ones[0] = (torch.arange(len(flat)) <= n).reshape(tensors[0].shape) * ones[0]
        touched = called(function, ones, options).flatten() != 0
        output = called(function, [so_far, *tensors[1:]], options).flatten()
        assert numbers(svg) == [said(x) for x in output[touched].tolist()]
    assert touched.all()


def test_circular_padding_reads_the_other_end() -> None:
    kernel = whole(1, 1, 3)
    svgs = drawn(
        film(lambda x: conv1d(F.pad(x, (1, 1), mode="circular"), kernel.double()), ROW)
    )
    assert cells(svgs, "input", corners(svgs[0], "mark")) == {(0, 0), (0, 1), (0, 6)}
    assert not corners(svgs[0], "void")


@pytest.mark.parametrize(
    ("function", "reads"),
    [
        (lambda x: torch.cumsum(x, 0), [{0}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}]),
        (lambda x: torch.softmax(x, 0), [{0, 1, 2, 3}] * 4),
        (lambda x: x.flip(0), [{3}, {2}, {1}, {0}]),
        (lambda x: x[:2].repeat(2), [{0}, {1}, {0}, {1}]),
        (layerlib.AdaptiveAvgPool1d(2), [{0, 1}, {2, 3}]),
        (lambda x: x @ torch.ones(4, 2, dtype=x.dtype), [{0, 1, 2, 3}] * 2),
    ],
)
def test_what_is_no_window_has_nothing_outside(
    function: Callable[..., Any], reads: list[set[int]]
) -> None:
    module = isinstance(function, torch.nn.Module)
    tensor = whole(1, 4) if module else whole(4)
    svgs = drawn(film(function, tensor, stamps=False))
    marked = [cells(svgs, "input", corners(svg, "mark")) for svg in svgs]
    assert marked == [{(0, n) for n in each} for each in reads]


def test_windows_that_a_border_always_cuts_are_whole() -> None:
    said = film(F.conv1d, whole(1, 4), whole(1, 1, 3), padding=1, stride=3).said()
    assert said[0].endswith("reads input[0], input[1]; 1 cell lies outside.")
    said = film(
        layerlib.Unfold(2, padding=1, stride=2), whole(1, 1, 2, 2), along=[-1]
    ).said()
    assert all(x.endswith("; 3 cells lie outside.") for x in said)


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        (film(conv1d, torch.tensor([[4, 1, 2]]), torch.tensor([[[1, -1]]]), padding=1, names=("x", "y")), [
            "y[0] = −4 reads x[0]; 1 cell lies outside.",
            "y[1] = 3 reads x[0], x[1].",
            "y[2] = −1 reads x[1], x[2].",
            "y[3] = 2 reads x[2]; 1 cell lies outside.",
        ]),
        (film(layerlib.Unfold(2, padding=1, stride=2), torch.ones(1, 1, 2, 2), along=[-1]), [
            "output[:,\xa00] (4\xa0cells) reads input[0,\xa00]; 3 cells lie outside.",
            "output[:,\xa01] (4\xa0cells) reads input[0,\xa01]; 3 cells lie outside.",
            "output[:,\xa02] (4\xa0cells) reads input[1,\xa00]; 3 cells lie outside.",
            "output[:,\xa03] (4\xa0cells) reads input[1,\xa01]; 3 cells lie outside.",
        ]),
        (film(conv_transpose1d, torch.tensor([[2, -1]]), torch.tensor([[[1, 3]]]), stamps=True), [
            "input[0] = 2 adds to output[0], output[1].",
            "input[1] = −1 adds to output[1], output[2].",
        ]),
    ],
)  # fmt: skip
def test_what_is_said(picture: Steps, told: list[str]) -> None:
    assert picture.said() == told
    labels = [svg.get("aria-label") or "" for svg in drawn(picture)]
    for svg, label, line in zip(drawn(picture), labels, told, strict=True):
        assert label == f"{line} So far: {', '.join(numbers(svg))}."


def test_what_is_read_by_nobody() -> None:
    assert film(lambda x: 0 * x, torch.tensor([2])).said() == [
        "output[0] = 0 reads no cell."
    ]
    picture = film(lambda x: x[:1], torch.tensor([2, 3]), stamps=True)
    assert picture.said()[1] == "input[1] = 3 adds to no cell."


def test_of_many_frames_twelve_are_in_the_strip() -> None:
    few = film(conv1d, whole(1, 12), whole(1, 1, 1))._repr_html_()
    assert few.count("<li>") == 12
    assert "class=more" not in few
    assert "evenly" not in few
    many = film(conv2d, whole(1, 5, 5), whole(1, 1, 1, 1))._repr_html_()
    strip = [
        n for n, kind in enumerate(re.findall("<li( class=more)?>", many)) if not kind
    ]
    assert strip == [0, 2, 4, 7, 9, 11, 13, 15, 17, 20, 22, 24]
    assert "12 of 25 steps, evenly chosen." in many


def test_names_and_axes() -> None:
    picture = film(layerlib.MaxPool2d(2), IMAGE, axes="y x -> h w", names=("x", "y"))
    letters = re.findall(r'class="letter"[^>]*>(\w)<', picture._repr_html_())
    assert letters == ["y", "x", "h", "w"]
    assert repr(picture) == "a picture in 4 steps: y from x, window by window."
    letters = re.findall(
        r'class="letter"[^>]*>(\w)<',
        film(layerlib.Unfold(2), IMAGE[None], along=[-1])._repr_html_(),
    )
    assert sorted(letters) == ["h", "w"]


def test_same_bytes_in_another_process() -> None:
    program = (
        "import torch; from layerlib import MaxPool1d; from layerlib.lab import film;"
        "x = torch.arange(6).reshape(1, 6);"
        "print(film(MaxPool1d(3, 2, 1), x)._repr_html_(), end='')"
    )
    out = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        for _ in range(2)
    ]
    ours = film(layerlib.MaxPool1d(3, 2, 1), torch.arange(6).reshape(1, 6))
    assert out[0].stdout == out[1].stdout == ours._repr_html_().encode()


def test_each_drawing_has_a_role_and_a_text() -> None:
    picture = film(layerlib.MaxPool2d(2), IMAGE)
    for svg in drawn(picture):
        assert svg.get("role") == "img"
        assert svg.get("aria-label")
    html = picture._repr_html_()
    ids = re.findall(r'\bid="(film-\w+)"', html)
    assert len(ids) == 1
    assert set(re.findall(r'href="#([\w-]+)"', html)) == set(ids)
    assert '<div hidden="hidden"><ol' in html


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("function", "input", "options", "error", "told"),
    [
        (layerlib.MaxPool2d(2), whole(2, 4, 4), {}, ValueError, r"film: expected an input of one or two axes, after any of size 1, and some cells, got shape \(2, 4, 4\)"),
        (torch.neg, whole(), {}, ValueError, r"film: expected an input of one or two axes, .* got shape \(\)"),
        (torch.neg, whole(2, 0), {}, ValueError, r"film: expected an input .* some cells, got shape \(2, 0\)"),
        (lambda x: x[:0], whole(2, 2), {}, ValueError, r"film: expected an output of at most 4 axes, and some cells, got shape \(0, 2\)"),
        (lambda x: x.expand(2, 2, 2, 2, 2), whole(2, 2), {}, ValueError, "film: expected an output of at most 4 axes, and some cells, got shape"),
        (torch.sort, ROW, {}, TypeError, "expected a function that gives one tensor .*, got sort"),
        (torch.neg, ROW, {"names": ("x",)}, ValueError, "film: expected 2 names, of the input and the output, got 1"),
        (torch.neg, ROW, {"axes": "w"}, ValueError, "film: expected axes of one input and one output, as in 'h w -> y x', got 'w'"),
        (torch.neg, ROW, {"axes": "h w -> x"}, ValueError, r"film: expected axes 'h w' of input, got shape \(7,\)"),
        (torch.neg, ROW, {"axes": "w -> y x"}, ValueError, r"film: expected axes 'y x' of output, got shape \(7,\)"),
        (torch.neg, ROW, {"along": [1]}, ValueError, r"film: expected axes of an output of shape \(7,\) to slide along, got \[1\]"),
        (torch.neg, ROW, {"along": [0, -1]}, ValueError, r"film: expected axes of an output of shape \(7,\) to slide along, got \[0, -1\]"),
        (torch.neg, ROW, {"along": []}, ValueError, r"film: expected axes of an output .* to slide along, got \[\]"),
        (torch.neg, whole(9, 9), {}, ValueError, "film: expected a film of at most 64 frames, got 81; use smaller tensors"),
        (layerlib.ConstantPad2d(5, 0.5), whole(1, 8, 8), {"stamps": True}, ValueError, f"film: expected a picture of at most {LARGEST} bytes, got .*; use smaller"),
    ],
)  # fmt: skip
def test_errors(
    function: Callable[..., Any],
    input: Tensor,
    options: dict[str, Any],
    error: type[Exception],
    told: str,
) -> None:
    with pytest.raises(error, match=told):
        film(function, input, **options)


# ---- In a browser


PICTURE = film(conv2d, whole(1, 4, 4), whole(1, 1, 3, 3), padding=1)

# The frame that is seen, and the last number in it.
NOW = """() => [...document.querySelectorAll(".steps li")]
    .map((e, n) => [n, getComputedStyle(e), e.querySelectorAll("svg > text").length])
    .filter(([n, s]) => s.visibility === "visible" && s.display !== "none")
    .map(([n, s, count]) => [n, count])"""


def test_one_frame_is_seen_at_rest(opened: Opened) -> None:
    assert opened(PICTURE).evaluate(NOW) == [[0, 1]]


def test_the_strip_is_seen_without_scripts(opened: Opened) -> None:
    page = opened(PICTURE, java_script_enabled=False)
    assert page.locator(".steps li svg:visible").count() == 12
    assert page.locator(".some").is_visible()


def test_the_strip_is_printed(opened: Opened) -> None:
    page = opened(PICTURE)
    assert not page.locator(".some").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".steps li svg:visible").count() == 12
    assert page.locator(".some").is_visible()


def test_frames_by_mouse(opened: Opened) -> None:
    page = opened(PICTURE)
    live = page.locator("[aria-live=polite]")
    for n in (1, 2):
        page.get_by_role("button", name="Next").click()
        assert page.evaluate(NOW) == [[n, n + 1]]
        assert live.text_content() == f"Step {n + 1} of 16. {PICTURE.said()[n]}"
    page.get_by_role("button", name="Back").click()
    assert page.evaluate(NOW) == [[1, 2]]


def test_frames_by_slider(opened: Opened) -> None:
    page = opened(PICTURE)
    slider = page.get_by_role("slider", name="Step")
    slider.fill("9")
    assert page.evaluate(NOW) == [[9, 10]]
    assert (
        slider.get_attribute("aria-valuetext") == f"Step 10 of 16. {PICTURE.said()[9]}"
    )
    slider.press("ArrowRight")
    assert page.evaluate(NOW) == [[10, 11]]
    slider.press("Home")
    assert page.evaluate(NOW) == [[0, 1]]


def test_frames_by_keyboard(opened: Opened) -> None:
    page = opened(PICTURE)
    page.keyboard.press("Tab")
    for key, n in (
        ("ArrowRight", 1),
        ("End", 15),
        ("ArrowRight", 15),
        ("ArrowLeft", 14),
        ("Home", 0),
        ("ArrowLeft", 0),
    ):
        page.keyboard.press(key)
        assert page.evaluate(NOW) == [[n, n + 1]], key
    assert page.get_by_role("slider").input_value() == "0"


def test_frames_play_to_the_end_and_stop(opened: Opened) -> None:
    page = opened(film(conv1d, ROW, whole(1, 1, 5)), reduced_motion="no-preference")
    page.clock.install()
    page.get_by_role("button", name="Play").click()
    assert page.evaluate(NOW) == [[1, 2]]
    page.clock.run_for(1200)
    assert page.evaluate(NOW) == [[2, 3]]
    assert page.locator(".play").text_content() == "Play"
    page.get_by_role("button", name="Play").click()  # again, from the start
    assert page.evaluate(NOW) == [[1, 2]]
    page.get_by_role("button", name="Stop").click()
    page.clock.run_for(5000)
    assert page.evaluate(NOW) == [[1, 2]]


def test_nothing_plays_for_those_who_do_not_like_that(opened: Opened) -> None:
    page = opened(PICTURE)
    assert not page.locator(".play").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_they_fit_a_phone_and_are_read(opened: Opened, theme: str) -> None:
    cases = [*WINDOWS.values(), *STAMPS.values()]
    pictures = [film(function, *given, **more) for function, given, more, _ in cases]
    fit_a_phone_and_are_read(opened(Several(*pictures), theme=theme, viewport=PHONE))


def test_a_copy_of_the_cells_looks_like_them(opened: Opened) -> None:
    page = opened(PICTURE)
    page.get_by_role("button", name="Next").click()
    svg = page.locator("li.on svg")
    copied = svg.screenshot()
    page.evaluate(
        """() => {
            const use = document.querySelector("li.on use");
            const cells = document.querySelector(use.getAttribute("href"));
            use.replaceWith(...cells.cloneNode(true).children);
        }"""
    )
    assert svg.locator("use").count() == 0
    assert svg.screenshot() == copied
