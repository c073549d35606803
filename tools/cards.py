"""Draws the cards that other sites show of a link, each with the picture of its page.

    python tools/cards.py        one for each page with a picture, in _build/html

`BOOK_URL=… make book` gives all pages one card, since an address is asked for. Chromium
draws a page's own: its title and its first picture, in light; the page is led to it.
"""

import argparse
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pdf import SITE, PaperError, started

SIZE: ViewportSize = {"width": 1200, "height": 630}  # as Open Graph asks
COLORS = 64  # of the PNG
_CARD = re.compile(r'(property="og:image" content="[^"]*/_static/)[\w/-]+\.png"')

# Leaves of a page its title and, as large as fits below it, its first large picture.
CARD = """() => {
    const large = (e) => {
        const {width, height} = e.getBoundingClientRect();
        return width > 120 && height > 60;
    };
    const places = ".bd-article :is(figure svg, figure.pointat .m, .cell_output > img)";
    const picture = [...document.querySelectorAll(places)].find(large);
    if (!picture) return false;
    const kind = picture.closest("figure")?.cloneNode()
        ?? document.createElement("div");
    const title = document.querySelector(".bd-article h1").cloneNode(true);
    title.querySelector(".headerlink")?.remove();
    const {width, height} = picture.getBoundingClientRect();
    const card = document.createElement("section");
    card.className = "bd-article";
    card.style = "position:fixed;inset:0;padding:48px 64px;overflow:hidden";
    title.style = "margin:0 0 8px;max-width:none;font-size:60px";
    const book = document.createElement("div");
    book.style = "font:26px var(--book-sans);margin-bottom:36px";
    const name = document.querySelector("meta[property='og:site_name']").content;
    if (name !== title.textContent.trim()) book.textContent = name;
    card.append(title, book);
    const room = 630 - 96 - 120 - 44;
    const zoom = Math.min(1072 / width, room / height);
    kind.style = `margin:0;width:${width}px;zoom:${zoom}`;
    kind.append(picture);
    card.append(kind);
    document.body.replaceChildren(card);
    return true;
}"""


def draw(page: Page, path: Path) -> bytes | None:
    """The card of a page of the site, as PNG; None where it has no picture."""
    page.goto(path.as_uri())
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    if not page.evaluate(CARD):
        return None
    image = Image.open(io.BytesIO(page.screenshot()))
    small = io.BytesIO()
    image.convert("RGB").quantize(COLORS).save(small, "PNG", optimize=True)
    return small.getvalue()


def asking(site: Path) -> dict[Path, str]:
    """The pages of a built site that name a card.

    Raises:
        PaperError: There are none.
    """
    texts = {path: path.read_text("utf-8") for path in sorted(site.rglob("*.html"))}
    found = {path: text for path, text in texts.items() if _CARD.search(text)}
    if not found:
        raise PaperError(f"no page of {site} names a card: BOOK_URL=… make book")
    return found


def lead(browser: Browser, site: Path, pages: dict[Path, str]) -> int:
    """Draws the cards of pages and leads the pages to them; says how many."""
    page = browser.new_page(viewport=SIZE, color_scheme="light")
    drawn = 0
    for path, text in pages.items():
        card = draw(page, path)
        if card is None:
            continue
        name = path.relative_to(site).with_suffix("").as_posix().replace("/", "-")
        target = site / "_static" / "cards" / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(card)
        own = _CARD.sub(rf'\g<1>cards/{name}.png"', text)
        path.write_text(own, encoding="utf-8")
        drawn += 1
    page.close()
    return drawn


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says; 1 where it cannot be done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--site", type=Path, default=SITE)
    site = parser.parse_args(arguments).site.resolve()
    try:
        pages = asking(site)
        with started() as browser:
            drawn = lead(browser, site, pages)
    except PaperError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{site / '_static' / 'cards'}: {drawn} cards")
    return 0


if __name__ == "__main__":
    sys.exit(main())
