"""The built site, in a real browser, opened from a folder as a reader may do."""

import functools
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from filelock import FileLock
from playwright.sync_api import Browser, Page
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "preload": False,  # it reads the stylesheets, which a page on disk may not
    "resultTypes": ["violations"],
}
# The colours are the same at each width, and looking at them takes the longest.
AXE_NARROW = {**AXE, "rules": {"color-contrast": {"enabled": False}}}
# And the colours are all that differs between light and dark.
AXE_DARK = {**AXE, "runOnly": {"type": "rule", "values": ["color-contrast"]}}
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


PAGES = [*parse_toc_yaml(ROOT / "_toc.yml"), "search"]


# ---- The site and the browser


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Path:
    """Builds the site, once a run for all workers.

    By `make book`, which never takes a failed build for a finished one.
    """
    if shutil.which("make") is None:
        pytest.skip("no make found: the site is not built")
    shared = tmp_path_factory.getbasetemp().parent
    log = shared / f"site-{testrun_uid}.log"
    with FileLock(shared / f"site-{testrun_uid}.lock"):
        if not log.exists():
            build = subprocess.run(
                ["make", "book"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            log.write_text(f"{build.returncode}\n{build.stdout}{build.stderr}")
    code, _, said = log.read_text().partition("\n")
    warnings = [line for line in said.splitlines() if "WARNING:" in line]
    assert code == "0", f"the site does not build:\n{said[-3000:]}"
    assert not warnings
    return SITE


@dataclass
class Looked:
    """What is wrong with a page in one of its two themes; nothing, if all is empty."""

    outside: list[str] = field(default_factory=list)  # requests to another host
    console: list[str] = field(default_factory=list)  # errors
    formulas: list[str] = field(default_factory=list)  # not drawn, or as typed
    images: list[str] = field(default_factory=list)  # without a text
    faint: list[str] = field(default_factory=list)  # text in pictures: axe skips it
    axe: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)  # at the width of a phone


def open_page(
    browser: Browser, path: Path, theme: str, **context: Any
) -> tuple[Page, Looked]:
    """A page in a theme, with its folds open, nothing moving."""
    page = browser.new_context(
        viewport=WIDE, color_scheme=theme, reduced_motion="reduce", **context
    ).new_page()
    looked = Looked()
    page.context.add_init_script(
        f"localStorage.setItem('mode', '{theme}');"
        f"localStorage.setItem('theme', '{theme}');"
    )
    # Nothing leaves this machine: what would is written down.
    page.context.route(re.compile("^(?!file:|data:|blob:)"), lambda r: r.abort())
    page.on("request", lambda r: _note_request(looked, r.url))
    page.on("console", lambda m: _note_message(looked, m.type, m.text))
    page.on("pageerror", lambda error: looked.console.append(str(error)))
    page.goto(path.as_uri())
    page.add_style_tag(
        content="*, ::before, ::after {transition: none !important;"
        "animation: none !important}"
    )
    page.evaluate("""() => {
        document.querySelectorAll("details").forEach(d => { d.open = true });
    }""")
    assert page.evaluate("() => document.documentElement.dataset.theme") == theme
    return page, looked


def _note_request(looked: Looked, url: str) -> None:
    if not url.startswith(("file:", "data:", "blob:")):
        looked.outside.append(url)


def _note_message(looked: Looked, kind: str, text: str) -> None:
    if kind == "error":
        looked.console.append(text)


FORMULAS = r"""() => {
    const found = [];
    for (const e of document.querySelectorAll("math, div.math"))
        if (e.querySelector("merror") || !e.closest("math, div.math:has(math)")
            || e.getBoundingClientRect().height < 5)
            found.push("not drawn: " + e.textContent);
    const article = document.querySelector("article");
    if (!article) return found;
    const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        const inside = text.parentElement;
        if (inside.closest("pre, code, script, style")) continue;
        if (/\$|\[\^|\\\(|\\\[/.test(text.data))
            found.push("left as typed: " + text.data);
    }
    return found;
}"""

IMAGES = r"""() => {
    const found = [];
    for (const e of document.querySelectorAll("img")) {
        const alt = (e.getAttribute("alt") || "").trim();
        if (/^([\w.\/-]*\.(svg|png|jpe?g|gif)|[0-9a-f]{32,}.*)?$/.test(alt))
            found.push(e.outerHTML.slice(0, 200));
    }
    const drawn = ".output.text_html svg";
    for (const e of document.querySelectorAll(drawn))
        if (!e.getAttribute("role") || !(e.getAttribute("aria-label") || "").trim())
            found.push(e.outerHTML.slice(0, 200));
    return found;
}"""

# For the middle of each text of a picture: what is painted below it, down to the page.
FAINT = r"""async () => {
    const pixels = new Map();  // of the images that lie in a picture
    for (const e of document.querySelectorAll("article figure svg image")) {
        const image = new Image();
        image.src = e.href.baseVal;
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.width, image.height];
        const drawn = canvas.getContext("2d");
        drawn.drawImage(image, 0, 0);
        pixels.set(e, drawn);
    }
    const pixel = (e, x, y) => {
        const at = new DOMPoint(x, y).matrixTransform(e.getScreenCTM().inverse());
        const {canvas} = pixels.get(e);
        const [u, v] = [(at.x - e.x.baseVal.value) / e.width.baseVal.value,
            (at.y - e.y.baseVal.value) / e.height.baseVal.value];
        const [r, g, b, a] = pixels.get(e).getImageData(
            u * canvas.width, v * canvas.height, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const rgba = (c) => {
        if (c.startsWith("color(srgb")) {  // what color-mix gives, from 0 to 1
            const [r, g, b, a] = c.match(/[\d.]+/g).map(Number);
            return [r * 255, g * 255, b * 255, a ?? 1];
        }
        const n = (c.match(/[\d.]+/g) || []).map(Number);
        return n.length < 3 ? [0, 0, 0, 0] : [n[0], n[1], n[2], n[3] ?? 1];
    };
    const over = (a, b) =>
        [0, 1, 2].map(k => a[k] * a[3] + b[k] * (1 - a[3])).concat(1);
    const light = (c) => {
        const [r, g, b] = c.map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = [];
    for (const t of document.querySelectorAll("article figure svg text")) {
        const style = getComputedStyle(t);
        if (style.visibility === "hidden" || !t.textContent.trim()) continue;
        t.scrollIntoView({block: "center"});
        const box = t.getBoundingClientRect();
        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
        const stack = document.elementsFromPoint(x, y)
            .filter(e => !e.matches("text, tspan"));
        let under = rgba(getComputedStyle(document.body).backgroundColor);
        for (const e of stack.reverse()) {
            const s = getComputedStyle(e);
            const shape = e instanceof SVGGeometryElement;
            const c = pixels.has(e) ? pixel(e, x, y)
                : rgba(shape ? s.fill : s.backgroundColor);
            if (shape) c[3] *= s.fillOpacity * s.opacity;
            under = over(c, under);
        }
        const ink = rgba(style.fill);
        ink[3] *= style.fillOpacity * style.opacity;
        const [a, b] = [light(over(ink, under)), light(under)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) found.push(`${t.textContent.trim()}: ${ratio.toFixed(2)}`);
    }
    return found;
}"""

CUT = r"""() => {
    const found = [], root = document.documentElement, width = root.clientWidth;
    if (root.scrollWidth > width) found.push(`the page is ${root.scrollWidth} wide`);
    const scrolls = (e) => {
        for (let p = e; p; p = p.parentElement)
            if (/auto|scroll/.test(getComputedStyle(p).overflowX)
                && p.getBoundingClientRect().right <= width + 1) return true;
        return false;
    };
    for (const e of document.querySelectorAll("main *")) {
        if (e.closest("dialog, .bd-sidebar-secondary")) continue;
        if (!e.checkVisibility({visibilityProperty: true})) continue;
        const box = e.getBoundingClientRect();
        if (!box.width || !box.height) continue;
        const svg = e.closest("figure svg");
        const frame = svg?.getBoundingClientRect();
        if (e.matches("text") && svg && (box.right > frame.right + 1
            || box.left < frame.left - 1 || box.bottom > frame.bottom + 1))
            found.push("cut off in its picture: " + e.textContent.trim());
        if ((box.right > width + 1 || box.left < -1) && !scrolls(e.parentElement))
            found.push(e.outerHTML.slice(0, 160));
    }
    return found;
}"""


# Of the words of code that are coloured alike, in the same kind of place, one stays
# marked up: ten thousand on a page, and axe would look at each.
THIN = """() => {
    const seen = new Set();
    for (const e of document.querySelectorAll("div.highlight pre span")) {
        const place = e.closest(".cell_input, .cell_output, .admonition, details");
        const kind = [e.className, e.parentElement.className, place?.className];
        if (seen.has(kind.join("|"))) e.replaceWith(...e.childNodes);
        else seen.add(kind.join("|"));
    }
}"""


def look(browser: Browser, path: Path, theme: str) -> Looked:
    """Looks at a page, wide and on a phone."""
    page, looked = open_page(browser, path, theme)
    looked.formulas = page.evaluate(FORMULAS)
    looked.images = page.evaluate(IMAGES)
    looked.faint = page.evaluate(FAINT)
    page.evaluate(THIN)
    light = ((WIDE, AXE), (PHONE, AXE_NARROW))
    for size, options in light if theme == "light" else ((WIDE, AXE_DARK),):
        page.set_viewport_size(size)
        page.wait_for_timeout(350)  # the theme makes wide things focusable after 300 ms
        for found in Axe().run(page, options=options).response["violations"]:
            looked.axe += [
                f"{found['id']} at {size['width']}: {node['html'][:200]}"
                for node in found["nodes"]
            ]
    page.set_viewport_size(PHONE)
    looked.cut = page.evaluate(CUT)
    page.context.close()
    return looked


@pytest.fixture(scope="module", params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return request.param


# One worker looks at a page, for all that is asked about it.
EACH_PAGE = [pytest.param(p, marks=pytest.mark.xdist_group(p)) for p in PAGES]


@pytest.fixture(scope="module", params=EACH_PAGE)
def looked(
    request: pytest.FixtureRequest, site: Path, browser: Browser, theme: str
) -> Looked:
    return look(browser, site / f"{request.param}.html", theme)


# ---- Each page, in light and in dark


def test_page_asks_no_other_host(looked: Looked) -> None:
    assert not looked.outside


def test_page_has_no_error_in_the_console(looked: Looked) -> None:
    assert not looked.console


def test_page_draws_its_formulas(looked: Looked) -> None:
    assert not looked.formulas


def test_page_tells_what_its_pictures_show(looked: Looked) -> None:
    assert not looked.images


def test_page_can_be_read_in_its_pictures(looked: Looked) -> None:
    assert not looked.faint


def test_page_has_no_violation_of_wcag(looked: Looked) -> None:
    assert not looked.axe


def test_page_fits_a_phone(looked: Looked) -> None:
    assert not looked.cut


# ---- Links


class _Links(HTMLParser):
    """What a page leads to, and the places in it that others may lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        for name, value in attrs:
            if name in {"href", "src", "xlink:href", "poster"} and value:
                self.links.append(value)
            elif name in {"id", "name"} and value:
                self.places.add(value)


def dead_links(site: Path, pages: list[str]) -> list[str]:
    """The links in these pages that lead to no file, or to no such place in it."""
    read = functools.cache(_Links)
    dead = []
    for page in pages:
        here = (site / f"{page}.html").resolve()
        for link in read(here).links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            there = (here.parent / unquote(url.path)).resolve() if url.path else here
            if not there.is_file() or (
                url.fragment
                and there.suffix == ".html"
                and unquote(url.fragment) not in read(there).places
            ):
                dead.append(f"{page}: {link}")
    return dead


def test_no_link_is_dead(site: Path) -> None:
    assert not dead_links(site, PAGES)


# ---- The pictures to point at


# For each picture and each cell of its output: what is said when it has the focus, its
# label, and the number in it. In one call a page: there are thousands of cells.
EACH_CELL = """() => [...document.querySelectorAll("figure.pointat")].map(
    figure => [...figure.querySelectorAll(".o:not(.off) i")].map(cell => {
        cell.focus();
        return [figure.querySelector(".q0").textContent,
            cell.getAttribute("aria-label"), cell.textContent];
    }))"""


def test_pictures_of_the_chapters_tell_their_numbers(
    site: Path, browser: Browser
) -> None:
    pictures = 0
    for name in PAGES:
        path = site / f"{name}.html"
        if 'class="pointat"' not in path.read_text(encoding="utf-8"):
            continue
        page, _ = open_page(browser, path, "light")
        for cells in page.evaluate(EACH_CELL):
            pictures += 1
            for said, label, number in cells:
                place = re.findall(r"\d+", said.split(" = ")[0].partition("[")[2])
                assert place == re.findall(r"\d+", label.partition(":")[0]), said
                told = rf"= {number}($| \(and|, (made of|which no cell))"
                assert re.search(told, said), said
        page.context.close()
    assert pictures


# ---- These tests see what they are there for


def _with(site: Path, folder: Path, html: str) -> Path:
    """A copy of the site with one more page, which holds this HTML and no more."""
    copy = folder / "site"
    if not copy.exists():
        shutil.copytree(site, copy)
    page = BeautifulSoup(
        (site / "index.html").read_text(encoding="utf-8"), "html.parser"
    )
    page.article.clear()
    page.article.append(BeautifulSoup(html, "html.parser"))
    page.select_one(".bd-sidebar-secondary").clear()  # it leads to what was there
    path = copy / "seeded.html"
    path.write_text(str(page), encoding="utf-8")
    return path


SEEDS = {
    "outside": '<img alt="a far picture" src="https://example.org/far.png">',
    "console": "<script>console.error('seeded')</script>",
    "formulas": "<p>as typed: $x$</p>",
    "images": '<img alt="logo.svg" src="_static/logo.svg">',
    "faint": '<figure><svg role="img" aria-label="a text" width="90" height="30">'
    '<text x="5" y="20" fill="#777">faint</text></svg></figure>',
    "axe": '<p style="color:#999;background:#aaa">faint</p>',
    "cut": '<div style="width:600px">too wide</div>',
}


@pytest.fixture(scope="module")
def seeded(
    site: Path, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Looked, Looked]:
    """The same page as it is, and with all of the faults."""
    folder = tmp_path_factory.mktemp("seeded")
    clean = look(browser, _with(site, folder, ""), "dark")
    return clean, look(browser, _with(site, folder, "".join(SEEDS.values())), "dark")


@pytest.mark.xdist_group("seeded")
@pytest.mark.parametrize("kind", SEEDS)
def test_seeded_fault_is_found(kind: str, seeded: tuple[Looked, Looked]) -> None:
    before, after = (getattr(looked, kind) for looked in seeded)
    assert not before
    assert after


def test_seeded_dead_links_are_found(site: Path, tmp_path: Path) -> None:
    links = ("nowhere.html", "index.html#nowhere", "#nowhere", "index.html")
    html = "".join(f'<a href="{link}">a link</a>' for link in links)
    clean = dead_links(_with(site, tmp_path, "").parent, ["seeded"])
    seeded = dead_links(_with(site, tmp_path, html).parent, ["seeded"])
    assert seeded == clean + [f"seeded: {link}" for link in links[:3]]
