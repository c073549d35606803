"""Prints the built site as one PDF: contents, then the stories, then the references.

    python tools/pdf.py                                   _build/layers.pdf
    python tools/pdf.py chapters/linear chapters/norm     only these pages

Chromium prints each page, with its outline (site/static/print.css and print.js say how
a page is printed); pypdf binds them: the numbers of the pages go on, the bookmarks are
one tree, and a link to another page of the site leads to that page of the book. A link
to what is not in it leads to the site, if `BOOK_URL` says where that is, or is no link.
"""

import argparse
import io
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml  # type: ignore[import-untyped]
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    Destination,
    Fit,
    FloatObject,
    IndirectObject,
    NameObject,
    NullObject,
)

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
# The first has no window that would be kept: a page takes a quarter of the time.
SHELL = "chromium-headless-shell"
BROWSERS = (SHELL, "chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]

CONTENTS = """<!DOCTYPE html><html lang="en"><meta charset="utf-8">
<title>{title}</title>
<style>
@page {{ size: A4; margin: 25mm 22mm; }}
body {{ color: #16181c; font: 10.5pt/1.5 Charter, "Noto Serif", Georgia, serif; }}
header {{ padding-top: 70mm; break-after: page; }}
header h1 {{ font-size: 30pt; line-height: 1.15; }}
h2 {{ margin: 1.5em 0 0.25em; font-size: 13pt; break-after: avoid; }}
p {{ display: flex; gap: 0.5em; margin: 0; }}
p i {{ flex: 1; border-bottom: 1pt dotted #888; margin-bottom: 0.4em; }}
a {{ color: inherit; text-decoration: none; }}
</style>
<header><h1>{title}</h1><div>{author}</div><div>Version {version}</div></header>
<h1>Contents</h1>
{entries}"""


class PaperError(Exception):
    """Why there is no PDF, and what to do, in a sentence."""


@dataclass
class Sheet:
    """A page of the site that goes into the book."""

    part: str
    name: str  # as in _toc.yml
    path: Path
    title: str
    links: set[tuple[str, str]]  # to pages of the site: the page, the place on it
    printed: PdfReader | None = None
    number: int = 0  # of its first page in the book


def order(toc: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The pages of the book and what they are, in their order.

    >>> norm = {"file": "chapters/norm"}
    >>> norm["sections"] = [{"file": "chapters/reference/norm"}]
    >>> others = [{"file": "site/api/index"}, {"file": "chapters/pool"}]
    >>> toc = {"parts": [{"chapters": [norm, *others]}]}
    >>> [page for _, page in order(toc)]
    ['chapters/norm', 'chapters/pool', 'chapters/reference/norm']
    """
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    for chapter in chapters:
        if chapter["file"].startswith("chapters/"):
            yield "Stories", chapter["file"]
    for chapter in chapters:
        for section in chapter.get("sections", []):
            if section["file"].startswith("chapters/reference/"):
                yield "References", section["file"]


def within(site: Path, path: Path, link: str) -> tuple[str, str] | None:
    """The page and the place on it that a link on a page of the site leads to."""
    parts = urlsplit(link)
    if parts.scheme not in {"", "file"}:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_relative_to(site):
        return None
    name = target.relative_to(site).as_posix().removesuffix(".html")
    return name, unquote(parts.fragment)


def read(site: Path, part: str, name: str) -> Sheet:
    """A page of the built site, not printed yet.

    Raises:
        PaperError: It is not in the site.
    """
    path = site / f"{name}.html"
    if not path.is_file():
        raise PaperError(f"no page {name} in {site}; `make book` builds the site")
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = page.select_one("article.bd-article")
    heading = article and article.select_one("h1")
    if not (article and heading):
        raise PaperError(f"{path} is no page of the book: it has no title")
    for mark in heading.select("a.headerlink"):
        mark.decompose()
    found = (within(site, path, str(a["href"])) for a in article.select("a[href]"))
    links = set(filter(None, found))
    return Sheet(part, name, path, heading.get_text(" ", strip=True), links)


def print_sheet(page: Page, sheet: Sheet, first: int, places: set[str]) -> None:
    """Prints a page of the site, its pages numbered from `first`.

    Chromium writes down where a place is only if a link on the same page leads to it,
    so the page gets a link to each place that another page leads to.
    """
    page.goto(sheet.path.as_uri())
    page.wait_for_load_state("load")
    page.evaluate(
        """([first, places]) => {
            document.documentElement.style.counterReset = `page ${first - 1}`;
            const known = places.filter(place => document.getElementById(place));
            const links = known.map(to => `<a href="#${to}">&#8203;</a>`).join("");
            document.querySelector("article.bd-article").insertAdjacentHTML(
                "afterbegin",
                `<div style="position: absolute; font-size: 1px">${links}</div>`);
        }""",
        [first, sorted(places)],
    )
    sheet.printed = on_paper(page)
    sheet.number = first


def on_paper(page: Page) -> PdfReader:
    """What the browser prints of the page that it shows."""
    printed = page.pdf(
        outline=True,
        tagged=True,  # without, Chromium makes no outline
        print_background=True,
        prefer_css_page_size=True,
    )
    return PdfReader(io.BytesIO(printed))


def print_contents(page: Page, sheets: Sequence[Sheet]) -> PdfReader:
    """The title and the contents; the numbers are those that the sheets have."""
    lines = []
    for number, sheet in enumerate(sheets):
        if not number or sheet.part != sheets[number - 1].part:
            lines.append(f"<h2>{sheet.part}</h2>")
        lines.append(
            f'<p><a href="{sheet.path.as_uri()}">{escape(sheet.title)}</a>'
            f"<i></i>{sheet.number}</p>"
        )
    page.set_content(CONTENTS.format(**about(), entries="\n".join(lines)))
    return on_paper(page)


def about() -> dict[str, str]:
    """Title, author and version of the book."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    author = ", ".join(author["name"] for author in cited["authors"])
    return {
        "title": cited["title"],
        "author": author,
        "version": str(cited["version"]),
    }


class Binder:
    """Binds printed pages into one book, in which links lead on."""

    def __init__(self, site: Path, address: str) -> None:
        """Begins with no page; `address` is where the site stands, or empty."""
        self.site = site
        self.address = address
        self.writer = PdfWriter()
        self.pages: dict[str, list[PageObject]] = {}
        self.printed: dict[str, PdfReader] = {}

    def add(self, name: str, printed: PdfReader) -> None:
        """Adds the pages of a sheet, their links as they were."""
        self.pages[name] = [self.writer.add_page(page) for page in printed.pages]
        self.printed[name] = printed

    def place(self, name: str, anchor: str = "") -> ArrayObject:
        """Where a place on a sheet is in the book; its top, if it is not known."""
        named = self.printed[name].named_destinations.get(f"/{anchor}")
        pages = self.pages[name]
        page, height = pages[0], FloatObject(pages[0].mediabox.top)
        if named is not None:
            page = pages[self.printed[name].get_destination_page_number(named) or 0]
            height = FloatObject(named.top or height)
        reference = page.indirect_reference or NullObject()
        zero = FloatObject(0)
        return ArrayObject([reference, NameObject("/XYZ"), zero, height, NullObject()])

    def link(self, sheets: Sequence[Sheet]) -> None:
        """Lets the links between the sheets lead from page to page of the book."""
        paths = {sheet.name: sheet.path for sheet in sheets}
        for name, pages in self.pages.items():
            here = paths.get(name, self.site / "index.html")
            for page in pages:
                links = page.get("/Annots")
                if links is None:
                    continue
                kept = [
                    link
                    for link in links.get_object()
                    if self.lead(link.get_object(), name, here)
                ]
                page[NameObject("/Annots")] = ArrayObject(kept)

    def lead(self, link: Any, name: str, here: Path) -> bool:
        """Sets where a link leads in the book; says whether it leads anywhere."""
        left, bottom, right, top = link.get("/Rect", (0, 0, 0, 0))
        if abs(right - left) < 2 and abs(top - bottom) < 2:
            return False  # one of those that only make a place known
        if "/Dest" in link:
            anchor = str(link["/Dest"]).removeprefix("/")
            link[NameObject("/Dest")] = self.place(name, anchor)
            return True
        action = link.get("/A", {})
        target = within(self.site, here, str(action.get("/URI", "")))
        if target is None:
            return True
        page, anchor = target
        if page in self.pages:
            del link["/A"]
            link[NameObject("/Dest")] = self.place(page, anchor)
            return True
        if self.address:
            end = f"#{anchor}" if anchor else ""
            file = page if "." in page.rpartition("/")[2] else f"{page}.html"
            action[NameObject("/URI")] = type(action["/URI"])(self.address + file + end)
        return bool(self.address)

    def outline(self, sheets: Sequence[Sheet]) -> None:
        """Makes one tree of the bookmarks of the sheets."""
        parts: dict[str, IndirectObject] = {}
        for sheet in sheets:
            printed = self.printed[sheet.name]
            start = self.writer.get_page_number(self.pages[sheet.name][0]) or 0
            if sheet.part not in parts:
                parts[sheet.part] = self.writer.add_outline_item(
                    title=sheet.part, page_number=start
                )
            self.branch(printed, printed.outline, start, parts[sheet.part])

    def branch(
        self, printed: PdfReader, items: Any, start: int, parent: IndirectObject
    ) -> None:
        """Adds the bookmarks of a sheet, and those below each, below another."""
        last = parent
        for item in items:
            if isinstance(item, Destination):
                number = start + (printed.get_destination_page_number(item) or 0)
                title = re.sub(r"\s*#$", "", str(item.title))
                last = self.writer.add_outline_item(
                    title=title,
                    page_number=number,
                    parent=parent,
                    fit=Fit.xyz(top=item.top),
                    is_open=False,
                )
            else:
                self.branch(printed, item, start, last)


def bind(browser: Browser, site: Path, sheets: Sequence[Sheet]) -> PdfWriter:
    """Prints and binds the sheets."""
    page = browser.new_context(color_scheme="light", reduced_motion="reduce").new_page()
    places = {sheet.name: set[str]() for sheet in sheets}
    for sheet in sheets:
        for name, anchor in sheet.links:
            if anchor and name in places:
                places[name].add(anchor)
    before = len(print_contents(page, sheets).pages)
    number = before + 1
    for sheet in sheets:
        print(f"{number:4} {sheet.name}", flush=True)
        print_sheet(page, sheet, number, places[sheet.name])
        if sheet.printed:
            number += len(sheet.printed.pages)
    address = os.environ.get("BOOK_URL", "").rstrip("/")
    binder = Binder(site, f"{address}/" if address else "")
    binder.add("", print_contents(page, sheets))
    for sheet in sheets:
        if sheet.printed:
            binder.add(sheet.name, sheet.printed)
    page.context.close()
    binder.link(sheets)
    binder.writer.add_outline_item(title="Contents", page_number=1)
    binder.outline(sheets)
    told = about()
    binder.writer.add_metadata({"/Title": told["title"], "/Author": told["author"]})
    binder.writer.compress_identical_objects(remove_duplicates=True)
    return binder.writer


def chromium() -> str:
    """Where the browser is that prints.

    Raises:
        PaperError: There is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise PaperError("no Chromium found, which prints the pages: install it")
    return found


@contextmanager
def started() -> Iterator[Browser]:
    """The browser, while it is needed.

    Raises:
        PaperError: There is none.
    """
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def chosen(site: Path, names: Sequence[str]) -> list[Sheet]:
    """The sheets of the book, or those that are named.

    Raises:
        PaperError: A name is no page's, or a page is not in the site.
    """
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = {name: part for part, name in order(toc)}
    for name in names:
        if name not in parts:
            raise PaperError(f"no page of the book is called {name!r}: see _toc.yml")
    return [read(site, parts[name], name) for name in names or parts]


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says; returns 1, after one line, when it cannot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", help="as in _toc.yml; all by default")
    parser.add_argument("--site", type=Path, default=SITE)
    parser.add_argument("--output", type=Path, default=ROOT / "_build" / "layers.pdf")
    options = parser.parse_args(arguments)
    try:
        sheets = chosen(options.site.resolve(), options.pages)
        with started() as browser:
            book = bind(browser, options.site.resolve(), sheets)
        book.write(options.output)
    except PaperError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.output}: {len(book.pages)} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
