"""What a first visit loads, what it draws, and what others are told of each page."""

import gzip
import html
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import tinycss2
from book_formulas import mathml
from book_weight import _needed as needed
from fontTools.ttLib import TTFont
from playwright.sync_api import Browser

from test_site import DESK, EACH_PAGE, KINDS, PAGES, PHONE, ROOT, each_kind, site

LANDING, PAGE = 320_000, 420_000  # bytes, compressed: all that a first visit loads
ELEMENTS = 6_000  # of a page, with what its scripts add
LISTS = 9_000  # of a page of the API: a list of names, or each entry with its source
FONT = ROOT / "site" / "vendor" / "math" / "texgyretermes-math.woff"


# ---- Each page, on a first visit


@dataclass
class Visit:
    """What a first visit of a page loads, and what it is made of."""

    page: str
    weights: dict[str, int]
    elements: int
    copy: int  # copy buttons
    in_order: list[int]  # how many the Tab key meets: at first; with code in focus


COPY = """() => {
    const buttons = [...document.querySelectorAll("button.copybtn")];
    const met = () => buttons.filter(b => b.tabIndex >= 0).length;
    const counts = [met()];
    const code = buttons.map(b => b.parentElement.querySelector("pre"))
        .find(c => c.checkVisibility());
    if (code) {
        code.focus();
        counts.push(met());
        code.blur();
        counts.push(met());
    }
    return counts;
}"""


@pytest.fixture(scope="module", params=EACH_PAGE)
def visit(request: pytest.FixtureRequest, site: Path, browser: Browser) -> Visit:
    page = browser.new_context().new_page()
    loaded: list[str] = []
    page.on("requestfinished", lambda asked: loaded.append(asked.url))
    page.goto((site / f"{request.param}.html").as_uri())
    page.wait_for_timeout(500)  # the theme and ours make code focusable after 400 ms
    files = {
        Path(unquote(urlsplit(url).path))
        for url in loaded
        if url.startswith("file:")
    }  # fmt: skip
    visit = Visit(
        request.param,
        {x.name: len(gzip.compress(x.read_bytes(), 6)) for x in files},
        page.evaluate("() => document.querySelectorAll('*').length"),
        page.locator("button.copybtn").count(),
        page.evaluate(COPY),
    )
    page.context.close()
    return visit


def test_page_is_light(visit: Visit) -> None:
    budget = LANDING if "index.html" in visit.weights else PAGE
    assert sum(visit.weights.values()) <= budget, visit.weights


def test_page_has_few_elements(visit: Visit) -> None:
    assert visit.elements <= (LISTS if "/api/" in visit.page else ELEMENTS)


def test_copy_button_is_met_when_its_code_has_the_focus(visit: Visit) -> None:
    at_first, *with_focus = visit.in_order
    assert at_first == 0
    assert with_focus in ([], [1, 0])


def test_nothing_superfluous_is_loaded(visit: Visit) -> None:
    for name in visit.weights:
        assert not re.search(r"fontawesome|mathjax|tex-svg|\.woff|\.ttf", name)


# ---- What a first visit lays out

# Remembers what scripts ask for the size of where the browser has left it out.
ASKED = """
    window.asked = new Set();
    const far = (e) => {
        if (e.closest(".bd-article") && !e.checkVisibility({contentVisibilityAuto: true}))
            asked.add(e.outerHTML.slice(0, 120));
    };
    const sizes = {
        scrollWidth: Element, scrollHeight: Element, clientWidth: Element,
        clientHeight: Element, offsetWidth: HTMLElement, offsetHeight: HTMLElement,
    };
    for (const [name, {prototype}] of Object.entries(sizes)) {
        const {get} = Object.getOwnPropertyDescriptor(prototype, name);
        Object.defineProperty(prototype, name, {
            get() { far(this); return get.call(this); },
        });
    }
    const box = Element.prototype.getBoundingClientRect;
    Element.prototype.getBoundingClientRect = function () {
        far(this);
        return box.call(this);
    };
"""
LAID_OUT = """() => {
    const sections = [...document.querySelectorAll(".bd-article > section > section")];
    const shown = (e) => e.querySelector("h2").checkVisibility(
        {contentVisibilityAuto: true});
    return sections.map(shown);
}"""


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@each_kind
def test_what_is_far_below_is_not_laid_out(
    site: Path, browser: Browser, name: str, size: dict[str, int]
) -> None:
    page = browser.new_context(viewport=size).new_page()
    page.add_init_script(ASKED)
    page.goto((site / f"{name}.html").as_uri())
    page.wait_for_timeout(600)
    assert page.evaluate("() => [...asked]") == []
    shown = page.evaluate(LAID_OUT)
    assert not shown[-1]
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(300)
    shown = page.evaluate(LAID_OUT)
    assert shown[-1]
    page.context.close()


def test_typefaces_are_asked_for_before_the_text(site: Path, browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.add_init_script("""addEventListener("DOMContentLoaded", () => {
        window.late = [...document.fonts].filter(f => f.status === "unloaded").length;
    })""")
    for name in KINDS:
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("() => [late, document.fonts.size > 3]") == [0, True]
    page.context.close()


# ---- Formulas


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("n/m", '<mi>n</mi><mo stretchy="false" lspace="0" rspace="0">/</mo>'),
        ("p = -1", '<mo>=</mo><mo form="prefix">−</mo>'),
        ("a - b", "<mi>a</mi><mo>−</mo><mi>b</mi>"),
        (r"\pm 1", "<mo>±</mo><mn>1</mn>"),
        (r"-\infty", "<mi>∞</mi>"),
        (r"\Delta_i", '<mi mathvariant="normal">Δ</mi>'),
        (r"a \sin b", '<mspace width="0.167em" /><mi>sin</mi><mspace width="0.167em"'),
        (r"\operatorname{mean}(g)", '<mi>mean</mi><mo stretchy="false">('),
        (r"y \mathrel{+}= x", "<mo>+=</mo>"),
        (r"\text{output\_padding}", "<mtext>output_padding</mtext>"),
        (r"x_{t+1}", '<mo lspace="0" rspace="0">+</mo>'),
        (r"\Big( x \Big)^2", "</mo><mrow /></mrow><mn>2</mn></msup>"),
        (r"2{,}048", '<mn>2</mn><mo lspace="0" rspace="0">,</mo>'),
        (r"\sqrt{\varepsilon}", "<msqrt><mi>ε</mi></msqrt>"),
    ],
)
def test_formula_is_spaced_as_tex_spaces_it(latex: str, expected: str) -> None:
    assert expected in mathml(latex)


@pytest.mark.parametrize("name", ["", "aligned", "align", "align*", "split"])
def test_formula_of_several_lines_is_aligned(name: str) -> None:
    lines = r"a &= b \\ c &= d"
    if name:
        lines = rf"\begin{{{name}}}{lines}\end{{{name}}}"
    drawn = mathml(lines, block=True)
    assert drawn.startswith('<math display="block"><mtable')
    assert drawn.count("<mtr>") == 2


def test_formula_of_its_own_puts_bounds_below_sums() -> None:
    assert "<munder>" in mathml(r"\sum_i a_i", block=True)
    assert "<munder>" not in mathml(r"\sum_i a_i")


def test_unknown_command_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected commands .* got .*unheard"):
        mathml(r"\unheard x")


def test_font_has_every_letter_of_the_formulas(site: Path) -> None:
    letters: set[str] = set()
    for name in PAGES:
        page = (site / f"{name}.html").read_text(encoding="utf-8")
        for formula in re.findall(r"<math.*?</math>", page, re.DOTALL):
            letters.update(html.unescape(re.sub(r"<[^>]*>", "", formula)))
    assert letters
    has = TTFont(FONT).getBestCmap()
    assert not {letter for letter in letters if ord(letter) not in has}


def test_page_brings_letters_only_for_its_formulas(site: Path) -> None:
    for name in PAGES:
        page = (site / f"{name}.html").read_text(encoding="utf-8")
        assert ("formulas.css" in page) == ("<math" in page), name


# ---- Styles


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        (".here, .gone { a: b }", ".here{a: b}"),
        (".here.gone { a: b }", ""),
        (".here > #gone { a: b }", ""),
        ("p:not(.gone) { a: b }", "p:not(.gone){a: b}"),
        ("@media print { .gone { a: b } }", ""),
        ("@media print { /* why */ .here { a: b } }", "@media print{.here{a: b}}"),
        ('@font-face { src: url("x") }', '@font-face {src: url("x")}'),
    ],
)
def test_what_matches_nothing_is_left_out(style: str, kept: str) -> None:
    assert needed(tinycss2.parse_stylesheet(style), {"here"}) == kept


# ---- Building again


def _built(source: Path, target: Path) -> dict[str, bytes]:
    """The pages, styles and scripts of a small book."""
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(source), str(target)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "site")},
        check=True,
    )
    kinds = {".html", ".css", ".js"}
    made = [x for x in target.glob("[!.]*/**/*.*") if x.suffix in kinds]
    made += target.glob("*.html")
    return {str(x.relative_to(target)): x.read_bytes() for x in made}


def test_built_again_it_is_the_same_as_built_from_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "conf.py").write_text(
        'extensions = ["book_weight"]\nhtml_theme = "sphinx_book_theme"\n'
    )
    raw = '.. raw:: html\n\n   <style>{}</style><i class="{}"></i>\n'
    shared = raw.format(".pic{color:red}" * 14, "pic")
    own = raw.format(".own{color:red}" * 14, "own")
    pages = {"a": shared, "b": shared + "\n" + own, "c": "Without a picture.\n"}
    contents = "\n.. toctree::\n\n   a\n   b\n   c\n"
    (source / "index.rst").write_text("Book\n====\n" + contents)
    for name, text in pages.items():
        (source / f"{name}.rst").write_text(f"{name}\n=\n\n{text}")
    first = _built(source, tmp_path / "again")
    assert "_static/site.css" in first["a.html"].decode()
    assert b"<style>.pic" not in first["a.html"]
    for changed, text in (("a", shared + "\nMore.\n"), ("c", own), ("b", "Less.\n")):
        (source / f"{changed}.rst").write_text(f"{changed}\n=\n\n{text}")
        again = _built(source, tmp_path / "again")
        assert again != first
        fresh = _built(source, tmp_path / changed)
        differ = {n for n in again | fresh if again.get(n) != fresh.get(n)}
        assert not differ


# ---- What others are told


def _told(page: str, name: str) -> list[str]:
    return re.findall(rf'<meta (?:name|property)="{name}" content="([^"]*)"', page)


def test_pages_are_described(site: Path) -> None:
    described = {}
    for name in PAGES[:-1]:  # all but the search
        page = (site / f"{name}.html").read_text(encoding="utf-8")
        (description,) = _told(page, "description")
        assert 20 <= len(html.unescape(description)) <= 165, name
        assert _told(page, "og:description") == [description]
        assert len(_told(page, "og:title")) == 1
        described[name] = description
    assert len(set(described.values())) == len(described)


def test_title_names_the_page_and_the_book_once(site: Path) -> None:
    titles = [
        re.findall(r"<title>(.*?)</title>", (site / f"{name}.html").read_text("utf-8"))
        for name in PAGES
    ]
    assert titles[0] == ["Layers from First Principles"]
    assert all(len(found) == 1 for found in titles)
    assert len({found[0] for found in titles}) == len(titles)
    assert all(found[0].count("Layers from First") == 1 for found in titles)


def test_robots_and_who_is_lost_are_told(site: Path) -> None:
    assert "Allow: /" in (site / "robots.txt").read_text(encoding="utf-8")
    lost = (site / "404.html").read_text(encoding="utf-8")
    assert 'content="noindex"' in lost
    assert 'href="index.html"' in lost


def test_page_says_how_it_is_cited(site: Path) -> None:
    for name in PAGES[:-1]:
        page = (site / f"{name}.html").read_text(encoding="utf-8")
        (cited,) = re.findall(r"@misc\{.*?\n\}", html.unescape(page), re.DOTALL)
        assert "The Layers from First Principles contributors" in cited
        assert "year   = {2026}" in cited


__all__ = ["site"]
