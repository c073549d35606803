"""The cards that other sites show of a link: one for each page with a picture."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tools import cards

PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8">
<meta property="og:site_name" content="The book">
<meta property="og:image" content="https://example.org/b/_static/card.png" />
<nav>Contents</nav><article class="bd-article"><h1>{title}<a class="headerlink">#</a></h1>
{body}</article></html>"""
SQUARE = """<figure class="still"><svg width="{0}" height="{0}">
<rect width="{0}" height="{0}" fill="#c00000"/></svg></figure>"""
PAGES = {
    "index": "<p>No picture.</p>",
    "chapters/norm": SQUARE.format(20) + SQUARE.format(200),
    "chapters/wide": SQUARE.format(4000),
}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "chapters").mkdir()
    for name, body in PAGES.items():
        text = PAGE.format(title=name, body=body)
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    return tmp_path


def red(card: bytes) -> tuple[int, int, int, int]:
    """Where the picture is on a card: left, upper, right, lower."""
    image = Image.open(io.BytesIO(card)).convert("RGB")
    assert image.size == (1200, 630)
    channels = image.split()
    mask = channels[1].point(lambda green: 255 if green < 60 else 0)
    reds = channels[0].point(lambda red: 255 if red > 150 else 0)
    mask.paste(0, mask=reds.point(lambda there: 255 - there))
    box = mask.getbbox()
    assert box is not None
    return box


def test_each_page_with_a_picture_has_its_card(browser: Browser, built: Path) -> None:
    for _ in range(2):  # again, when pages are led to their cards already
        assert cards.lead(browser, built, cards.asking(built)) == 2
    shared = "https://example.org/b/_static/card.png"
    for name in PAGES:
        text = (built / f"{name}.html").read_text(encoding="utf-8")
        own = f"_static/cards/{name.replace('/', '-')}.png"
        assert (shared in text) == (name == "index")
        assert (f"https://example.org/b/{own}" in text) == (name != "index")
        assert (built / own).exists() == (name != "index")


@pytest.mark.parametrize("name", ["norm", "wide"])
def test_card_shows_the_picture_whole_and_large(
    browser: Browser, built: Path, name: str
) -> None:
    page = browser.new_page(viewport=cards.SIZE)
    card = cards.draw(page, built / f"chapters/{name}.html")
    page.close()
    assert card is not None
    assert len(card) < 30_000
    left, upper, right, lower = red(card)
    assert right - left == pytest.approx(lower - upper, abs=3)
    assert lower - upper > 300
    assert lower <= 630 - 40


def test_site_without_an_address_is_refused(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in built.rglob("*.html"):
        path.write_text("<p>no card</p>", encoding="utf-8")
    assert cards.main([f"--site={built}"]) == 1
    assert "names a card: BOOK_URL=" in capsys.readouterr().err
