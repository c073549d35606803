"""What search engines, other sites and people who cite need to know of each page.

Where the site will stand is not known here. With its address in `BOOK_URL`, as in
`BOOK_URL=https://example.org/layers make book`, pages name their canonical address and
their picture, and the sitemap is written.
"""

import os
import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).parents[1]
LONGEST = 160  # letters of a description that search engines show

_LOST = """<section><h1>This page does not exist</h1>
<p>It may have been moved. The <a href="{home}">first page</a> leads to all others, and
the <a href="{search}">search</a> finds every word.</p></section>"""


def _set_address(app: Sphinx, config: Config) -> None:  # noqa: ARG001
    address = os.environ.get("BOOK_URL", "").rstrip("/")
    config.html_baseurl = f"{address}/" if address else ""
    config.html_context["citation"] = yaml.safe_load(
        (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    )


def describe(doctree: nodes.document) -> str:
    """The first sentences of a page, as many as fit."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) < 40 or not isinstance(paragraph.parent, nodes.section):
            continue
        if len(text) <= LONGEST:
            return text
        return text[:LONGEST].rsplit(" ", 1)[0].rstrip(",;:") + " …"
    return ""


def _plain(title: str) -> str:
    """The title of a page without its markup."""
    return unescape(re.sub("<[^>]*>", "", title))


def _tell(
    app: Sphinx,
    pagename: str,
    templatename: str,  # noqa: ARG001  # Sphinx passes all five
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Adds the description and the card that other sites show of a link."""
    address, book = app.config.html_baseurl, app.config.html_title
    if pagename == app.config.root_doc:
        context["docstitle"] = ""  # it is the title of this page already
    told = {}
    context["citable"] = doctree is not None
    if doctree is not None:
        description = describe(doctree) or book
        told["name", "description"] = description
        told["property", "og:title"] = _plain(context["title"])
        told["property", "og:description"] = description
        told["property", "og:type"] = "article"
        told["property", "og:site_name"] = book
        if address:
            told["property", "og:url"] = f"{address}{pagename}.html"
            told["property", "og:image"] = f"{address}_static/card.png"
            told["name", "twitter:card"] = "summary_large_image"
    context["metatags"] = context.get("metatags", "") + "".join(
        f'<meta {kind}="{key}" content="{escape(value)}" />\n'
        for (kind, key), value in told.items()
    )
    if pagename == "404" and address:  # it is shown in place of any address
        context["metatags"] += f'<base href="{address}" />\n'


def _add_lost(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The page that a server shows in place of one that does not exist."""
    body = _LOST.format(home="index.html", search="search.html")
    title = "This page does not exist"
    noindex = '<meta name="robots" content="noindex" />\n'
    if app.builder.format == "html":
        yield "404", {"title": title, "body": body, "metatags": noindex}, "page.html"


def _write_for_robots(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    address = app.config.html_baseurl
    robots = "User-agent: *\nAllow: /\n"
    if address:
        robots += f"Sitemap: {address}sitemap.xml\n"
        pages = sorted(app.env.found_docs)
        lines = "\n".join(f"  <url><loc>{address}{x}.html</loc></url>" for x in pages)
        (app.outdir / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            f"{lines}\n</urlset>\n",
            encoding="utf-8",
        )
        card = (ROOT / "site" / "picture.png").read_bytes()
        (app.outdir / "_static" / "card.png").write_bytes(card)
    (app.outdir / "robots.txt").write_text(robots, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the above."""
    app.connect("config-inited", _set_address)
    app.connect("html-collect-pages", _add_lost)
    app.connect("html-page-context", _tell, priority=800)
    app.connect("build-finished", _write_for_robots)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
