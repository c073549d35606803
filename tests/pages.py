"""A picture on a page by itself, in a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from test_site import FAINT, PHONE

PAGE = """<!DOCTYPE html><html lang="en" style="color-scheme:{theme}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>A picture</title><style>body{{margin:16px;font-family:sans-serif;
background:Canvas;color:CanvasText}}</style>
<article>{html}</article></html>"""

Opened = Callable[..., Page]


class Several:
    """Several pictures, one below the other."""

    def __init__(self, *pictures: Any) -> None:
        self.pictures = pictures

    def _repr_html_(self) -> str:
        return "".join(picture._repr_html_() for picture in self.pictures)


@pytest.fixture(scope="module")
def opened(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    """Opens a page with a picture: in a theme, at a width, with scripts or without."""
    folder = tmp_path_factory.mktemp("pages")

    def opened(picture: Any, theme: str = "light", **options: Any) -> Page:
        file: Path = folder / "picture.html"
        html = PAGE.format(theme=theme, html=picture._repr_html_())
        file.write_text(html, encoding="utf-8")
        context = {"color_scheme": theme, "reduced_motion": "reduce", **options}
        page = browser.new_context(**context).new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.goto(file.as_uri())
        return page

    yield opened
    for context in browser.contexts:
        context.close()


def cut_off(page: Page) -> list[str]:
    """What does not fit the width of the page, or the box of its picture."""
    found: list[str] = page.evaluate(
        """() => {
            const wide = document.documentElement.clientWidth;
            const found = [...document.querySelectorAll("article *")].filter(e => {
                if (getComputedStyle(e).visibility === "hidden") return false;
                const box = e.getBoundingClientRect();
                return box.width && (box.right > wide + 1 || box.left < -1);
            });
            for (const e of document.querySelectorAll("svg text, svg rect")) {
                const box = e.getBoundingClientRect();
                const svg = e.closest("svg").getBoundingClientRect();
                if (box.left < svg.left - 1 || box.right > svg.right + 1 ||
                    box.top < svg.top - 1 || box.bottom > svg.bottom + 1) found.push(e);
            }
            return found.map(e => e.outerHTML.slice(0, 120));
        }"""
    )
    return found


def faint(page: Page) -> list[str]:
    """The texts of the picture that differ too little from what is below them."""
    found: list[str] = page.evaluate(FAINT)
    return found


def fit_a_phone_and_are_read(page: Page) -> None:
    """Pictures in steps: all steps as they are at first, and the last one of each."""
    assert not cut_off(page)
    assert not faint(page)
    for figure in page.locator("figure").all():
        figure.locator("button").first.focus()
        page.keyboard.press("End")
    assert not cut_off(page)
    assert not faint(page)


__all__ = [
    "PHONE", "Opened", "Several", "cut_off", "faint", "fit_a_phone_and_are_read", "opened",
]  # fmt: skip
