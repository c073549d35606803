"""Still pictures: inline, in the page's colours, and their bytes never change."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from bs4 import BeautifulSoup
from matplotlib import pyplot as plt

from examples import whole
from layerlib.lab import point_at, still
from layerlib.linear import LINEAR


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
        "import sys, layerlib; found = 'layerlib.lab' in sys.modules;"
        "import layerlib.lab;"
        "print(found, {'matplotlib', 'IPython', 'numpy.testing'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False set()\n"


def test_a_viewer_that_strips_the_svg_shows_the_caption_alone() -> None:
    for picture in (
        point_at(LINEAR, whole(2, 3), whole(4, 3)),
        still(drawing(), "Up."),
    ):
        page = BeautifulSoup(picture._repr_html_(), "html.parser")
        caption = page.figcaption.get_text()
        for gone in page.select("style, script, [hidden]"):
            gone.decompose()
        assert page.get_text().strip() == caption
        assert caption
