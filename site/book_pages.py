"""What the pages of the book need on top of the theme: arrows' names, links, typefaces.

The theme draws an arrow that shows and hides the pages below a chapter, and gives it no
name. A screen reader says "button" there, and axe counts a violation on each page.

What a cell prints may link to another notebook: in JupyterLab, it leads there.
On the site the link leads to the page of that notebook.

The typefaces lie in site/vendor/fonts, cut down to the letters of the book. On disk, a
page may be forbidden to read a font from a file, so they are in a style, which
book_weight puts into the one of all pages.
"""

import base64
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FONTS = Path(__file__).parent / "vendor" / "fonts"

_ARROW = re.compile(r"(?P<link><a [^>]*>(?P<title>[^<]*)</a><details[^>]*>)<summary>")
_NOTEBOOK = re.compile(r'(?P<link><a [^>]*href=")(?P<page>[^":#]+)\.ipynb(?=["#])')
_FACES = (
    ("book-serif", "Book Serif", "normal", "400"),
    ("book-serif-italic", "Book Serif", "italic", "400"),
    ("book-sans", "Book Sans", "normal", "400 700"),
)
_FACE = (
    '@font-face {{font-family: "{family}"; font-style: {style}; '
    "font-weight: {weight}; font-display: swap; "
    'src: url("data:font/woff2;base64,{data}") format("woff2")}}\n'
)


def _name_arrows(
    app: Sphinx,  # noqa: ARG001  # Sphinx passes all five
    pagename: str,  # noqa: ARG001
    templatename: str,  # noqa: ARG001
    context: dict[str, Any],
    doctree: object,  # noqa: ARG001
) -> None:
    """Names each arrow of the sidebar after the chapter that it belongs to."""
    toctree: Callable[..., object] = context["generate_toctree_html"]

    def named(*args: object, **options: object) -> str:
        return _ARROW.sub(
            r'\g<link><summary aria-label="Pages below \g<title>">',
            str(toctree(*args, **options)),
        )

    context["generate_toctree_html"] = named


def _lead_to_pages(
    app: Sphinx,
    pagename: str,
    templatename: str,  # noqa: ARG001  # Sphinx passes all five
    context: dict[str, Any],
    doctree: object,  # noqa: ARG001
) -> None:
    """Leads each link to a notebook of the book to its page."""

    def page(link: re.Match[str]) -> str:
        there = posixpath.normpath(
            posixpath.join(posixpath.dirname(pagename), link["page"])
        )
        known = there in app.env.found_docs
        return f"{link['link']}{link['page']}.html" if known else link[0]

    if "body" in context:
        context["body"] = _NOTEBOOK.sub(page, context["body"])


def _write_fonts(app: Sphinx) -> None:
    """Writes the typefaces as a style sheet beside the other ones."""
    faces = ["/* Type: Source Serif 4, Source Sans 3, cut down; SIL OFL 1.1 */\n"]
    for name, family, style, weight in _FACES:
        data = base64.b64encode((FONTS / f"{name}.woff2").read_bytes()).decode()
        faces.append(_FACE.format(family=family, style=style, weight=weight, data=data))
    target = app.outdir / "_static" / "fonts.css"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(faces), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the above; the arrows later than the theme, which comes at 500."""
    app.connect("html-page-context", _name_arrows, priority=900)
    app.connect("html-page-context", _lead_to_pages)
    app.connect("builder-inited", _write_fonts)
    app.add_css_file("fonts.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
