"""Takes out of the built site what no page needs, so that it opens at once.

The themes bring all of Bootstrap and Font Awesome along: two megabytes of styles, fonts
and scripts of which a page uses a tenth. After the pages are written,

- their common styles become one file without the rules that match nothing,
- the icons become one small font in it,
- what a picture brings for a notebook, its style and its script, becomes one file for
  all pictures of its kind,
- no script stands in the way of the text, and none asks for the size of what is far
  below.

On disk, a page may be forbidden to read a font from a file, so it is in the style.
"""

import base64
import hashlib
import io
import itertools
import logging
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tinycss2
from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

# The web font draws the icons, and book.js opens the one menu.
_LEFT_OUT = ("fontawesome.js", "bootstrap.js")
_SUPERFLUOUS = re.compile(
    rf"\s*(<script[^>]*scripts/(?:{'|'.join(map(re.escape, _LEFT_OUT))})[^>]*></script>"
    r'|<link rel="preload" as="script"[^>]*>)'
)
# Needed where one searches; the theme loads it on all other pages, for a search as one
# types that is off.
_SEARCH = re.compile(
    r"\s*<script[^>]*/?(?:searchtools|language_data|searchindex)\.js[^>]*></script>"
)
_STYLESHEET = re.compile(r'[ ]*<link [^>]*rel="stylesheet"[^>]*>\n?')
_IMPORT = re.compile(r"""@import (?:url\()?["']?([^"')]+)["']?\)?;""")
_HREF = re.compile(r'href="([^"?]*)')
_REPEATED = re.compile(r"<(style|script)>((?:(?!</\1>).){200,})</\1>", re.DOTALL)
_LOADED = re.compile(r"<script(?=[^>]* src=)(?![^>]* (?:defer|async))")
_OPTION = re.compile(r"<script>(?=DOCUMENTATION_OPTIONS\.)")
_THEME = re.compile(r'(dataset\.theme = localStorage\.getItem\("theme"\) \|\|) "auto"')
_FROM_SYSTEM = (
    r'\1 (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'
)
# Where the theme asks which code and outputs scroll; book.js asks when one is near.
_MEASURE = re.compile(
    r'"complete"===document\.readyState\?(\w+)\(\):'
    r'window\.addEventListener\("load",\1\)'
)
# Typefaces are there when the text is first painted, so that it does not move.
_EARLY = "<script>for (const face of document.fonts) face.load();</script>\n"
_THEMES = "_static/styles/pydata-sphinx-theme.css"
_CREDIT = "/* Icons: Font Awesome Free, CC BY 4.0; as a font, SIL OFL 1.1 */\n"


def _lighten(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    static = app.outdir / "_static"
    for file in static.glob("picture-*"):
        file.unlink()
    kept = app.doctreedir / "written"
    others = {*static.rglob("*.html"), *kept.rglob("*.html")}
    paths = sorted(set(app.outdir.rglob("*.html")) - others)
    pages = {
        path: _written(path, kept / path.relative_to(app.outdir)) for path in paths
    }
    for path, page in pages.items():
        pages[path] = _SUPERFLUOUS.sub("", page)
        if path.name != "search.html":
            pages[path] = _SEARCH.sub("", pages[path])
    pages = _share(pages, static)
    theme = static / "scripts" / "pydata-sphinx-theme.js"
    theme.write_text(_MEASURE.sub("0", theme.read_text("utf-8")), encoding="utf-8")
    used = _words(pages.values(), static.rglob("*.js"))
    pages = _bundle(pages, static, used)
    for path, page in pages.items():
        page = _LOADED.sub("<script defer", page)  # noqa: PLW2901
        page = _OPTION.sub('<script type="module">', page)  # noqa: PLW2901
        page = _THEME.sub(_FROM_SYSTEM, page, count=1)  # noqa: PLW2901
        page = page.replace('data-theme="auto"', 'data-theme="light"', 1)  # noqa: PLW2901
        page = page.replace("</head>", _EARLY + "</head>", 1)  # noqa: PLW2901
        path.write_text(page, encoding="utf-8")


def _written(path: Path, kept: Path) -> str:
    """A page as Sphinx wrote it: what pages share is found anew in each build.

    One that was not built anew is light already, and is read from where it was kept.
    """
    page = path.read_text(encoding="utf-8")
    if _THEMES not in page and kept.exists():
        return kept.read_text(encoding="utf-8")
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(page, encoding="utf-8")
    return page


def _root(path: Path, static: Path) -> str:
    """The way from a page to the root of the site."""
    return "../" * (len(path.relative_to(static.parent).parts) - 1)


def _write(static: Path, name: str, text: str) -> str:
    """Writes a file under a name that changes with it; gives its address."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    target = static / name
    target.write_text(text, encoding="utf-8")
    return f"_static/{target.name}?v={digest}"


def _share(pages: dict[Path, str], static: Path) -> dict[Path, str]:
    """Moves the styles and scripts that pictures repeat into files."""
    found = Counter(
        match.groups() for page in pages.values() for match in _REPEATED.finditer(page)
    )
    repeated = [block for block, times in found.items() if times > 1]
    links = {}
    for kind, text in repeated:
        name = hashlib.sha256(text.encode()).hexdigest()[:8]
        suffix = "css" if kind == "style" else "js"
        link = _write(static, f"picture-{name}.{suffix}", text.strip() + "\n")
        links[kind, text] = (
            f'<link href="{{root}}{link}" rel="stylesheet" />\n'
            if kind == "style"
            else f'<script defer src="{{root}}{link}"></script>\n'
        )

    def shared(path: Path, page: str) -> str:
        needed: dict[str, None] = {}

        def taken(match: re.Match[str]) -> str:
            link = links.get((match[1], match[2]))
            if link is None:
                return match[0]
            needed[link.format(root=_root(path, static))] = None
            return ""

        page = _REPEATED.sub(taken, page)
        return page.replace("</head>", "".join(needed) + "</head>", 1)

    return {path: shared(path, page) for path, page in pages.items()}


def _words(pages: Iterable[str], scripts: Iterable[Path]) -> set[str]:
    """All that a page or a script may call a class or an id."""
    used: set[str] = set()
    for page in pages:
        for value in re.findall(r' (?:class|id)="([^"]*)"', page):
            used.update(value.split())
        for script in re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL):
            used.update(re.findall(r"[\w-]+", script))
    for path in scripts:
        if path.name in _LEFT_OUT:
            continue
        used.update(re.findall(r"[\w-]+", path.read_text(encoding="utf-8")))
    return used


def _bundle(pages: dict[Path, str], static: Path, used: set[str]) -> dict[Path, str]:
    """Makes one file of the styles that all pages load, in their order."""
    linked = {path: _styles(page, _root(path, static)) for path, page in pages.items()}
    linked = {path: links for path, links in linked.items() if _THEMES in links}
    common = [
        name
        for name in next(iter(linked.values()))
        if all(name in links for links in linked.values())
    ]
    texts = (_with_imports(static.parent / name) for name in common)
    rules = (tinycss2.parse_stylesheet(text) for text in texts)
    css = "\n".join(_needed(sheet, used) for sheet in rules)
    file = _write(static, "site.css", _CREDIT + _with_icons(css, static))
    bundled = dict(pages)
    for path, links in linked.items():
        page = pages[path]
        first = f'<link href="{_root(path, static)}{file}" rel="stylesheet" />\n'
        for name in common:
            page = page.replace(links[name], first, 1)
            first = ""
        bundled[path] = page
    return bundled


def _with_imports(file: Path) -> str:
    """A stylesheet, with those that it imports in their place."""
    return _IMPORT.sub(
        lambda match: _with_imports(file.parent / match[1]),
        file.read_text(encoding="utf-8"),
    )


def _styles(page: str, root: str) -> dict[str, str]:
    """The links of a page to stylesheets, by the files that they load."""
    links = _STYLESHEET.findall(page)
    hrefs = (_HREF.search(link) for link in links)
    return {
        href[1].removeprefix(root): link
        for href, link in zip(hrefs, links, strict=True)
        if href
    }


def _needed(rules: list[Any], used: set[str]) -> str:
    """The rules that may match something, without remarks and needless spaces."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [
                text
                for tokens in _split(rule.prelude)
                if _matches(tokens, used) and (text := _compact(tokens))
            ]
            body = _compact(rule.content)
            if selectors and body:
                kept.append(f"{','.join(selectors)}{{{body}}}")
        elif rule.type == "at-rule":
            prelude = _compact(rule.prelude)
            if rule.lower_at_keyword in {"media", "supports"}:
                inner = tinycss2.parse_rule_list(
                    rule.content, skip_comments=True, skip_whitespace=True
                )
                body = _needed(inner, used)
                if body:
                    kept.append(f"@{rule.at_keyword} {prelude}{{{body}}}")
            elif rule.content is None:
                kept.append(f"@{rule.at_keyword} {prelude};")
            else:
                body = _compact(rule.content)
                kept.append(f"@{rule.at_keyword} {prelude}{{{body}}}")
    return "\n".join(kept)


def _split(prelude: list[Any]) -> list[list[Any]]:
    selectors: list[list[Any]] = [[]]
    for token in prelude:
        if token == ",":  # noqa: S105
            selectors.append([])
        else:
            selectors[-1].append(token)
    return selectors


def _matches(tokens: list[Any], used: set[str]) -> bool:
    """Whether each class and id of a selector is used, but for those in :is(…)."""
    names = [
        name.value
        for dot, name in itertools.pairwise(tokens)
        if dot == "." and name.type == "ident"
    ]
    names += [token.value for token in tokens if token.type == "hash"]
    return used.issuperset(names)


def _compact(tokens: list[Any]) -> str:
    spaced = [
        " " if token.type == "whitespace" else token.serialize()
        for token in tokens
        if token.type != "comment"
    ]
    return re.sub(r" {2,}", " ", "".join(spaced)).strip()


def _with_icons(css: str, static: Path) -> str:
    """Replaces the icon fonts by the icons that the styles still name."""
    solid = static / "vendor" / "fontawesome" / "webfonts" / "fa-solid-900.ttf"
    codes = {ord(letter) for letter in css if "\ue000" <= letter <= "\uf8ff"}
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of each table
    font = TTFont(solid, recalcTimestamp=False)
    options = subset.Options(layout_features=[], hinting=False, notdef_outline=True)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes)
    subsetter.subset(font)
    font.flavor = "woff"
    drawn = io.BytesIO()
    font.save(drawn)
    data = base64.b64encode(drawn.getvalue()).decode()

    def face(match: re.Match[str]) -> str:
        if "fontawesome" not in match[0]:
            return match[0]
        if "fa-solid" not in match[0]:
            return ""
        return re.sub(
            r"src: ?url\(.*", f'src:url("data:font/woff;base64,{data}")}}', match[0]
        )

    return re.sub(r"@font-face \{.*\}", face, css)


def setup(app: Sphinx) -> dict[str, bool]:
    """Works on what is written, after all else."""
    app.connect("build-finished", _lighten, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
