"""The built site, in a real browser, opened from a folder as a reader may do."""

import functools
import itertools
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
# Looking at colors takes the longest, and they are all that differs in the dark.
AXE_COLORS = {**AXE, "runOnly": ["color-contrast"]}
AXE_FORM = {**AXE, "rules": {"color-contrast": {"enabled": False}}}
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TABLET = {"width": 768, "height": 1024}
ZOOMED = {"width": 640, "height": 450}  # the wide one at 200 %
DESK = {"width": 1440, "height": 900}
PAPER = {"width": 688, "height": 1000}  # A4 without its margins


# What is far from the window has no places that a test could ask for.
LAID_OUT = "section {content-visibility: visible !important}"

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
    cut: list[str] = field(default_factory=list)  # on a phone, a tablet, at 200 %
    unsigned: list[str] = field(default_factory=list)  # goes on, and does not say so


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
        "animation: none !important}" + LAID_OUT
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

# What scrolls or is cut and has not the shadow that book.css draws there.
UNSIGNED = r"""() => [...document.querySelectorAll("article, article *")].filter(e => {
    const style = getComputedStyle(e);
    return e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 2
        && style.overflowX !== "visible" && style.display !== "inline"
        && !style.backgroundAttachment.includes("local");
}).map(e => e.outerHTML.slice(0, 160))"""


# Whether a text is faint depends on colors, size and weight, and on what is below it. Of
# those that have all of it in common, axe looks at one: it takes a second for 200.
ONE_OF_EACH = """() => {
    const seen = new Set();
    for (const e of document.body.querySelectorAll("*")) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        if (!e.checkVisibility({visibilityProperty: true})) continue;
        const {color, fontSize, fontWeight} = getComputedStyle(e);
        const kind = [color, fontSize, fontWeight];
        for (let p = e; p; p = p.parentElement) {
            const {backgroundColor, backgroundImage, opacity} = getComputedStyle(p);
            kind.push(p.tagName, p.className, backgroundColor, backgroundImage, opacity);
        }
        if (!seen.has(kind.join())) e.dataset.looked = "";
        seen.add(kind.join());
    }
    return seen.size;
}"""


def violations(page: Page, options: dict[str, Any], places: str = "html") -> list[str]:
    """What axe finds on a page, in these places."""
    width = page.viewport_size["width"]
    found = Axe().run(page, places, options).response["violations"]
    return [
        f"{each['id']} at {width}: {node['html'][:200]}"
        for each in found
        for node in each["nodes"]
    ]


def look(browser: Browser, path: Path, theme: str) -> Looked:
    """Looks at a page, wide and on a phone."""
    page, looked = open_page(browser, path, theme)
    looked.formulas = page.evaluate(FORMULAS)
    looked.images = page.evaluate(IMAGES)
    looked.faint = page.evaluate(FAINT)
    if page.evaluate(ONE_OF_EACH):
        looked.axe += violations(page, AXE_COLORS, "[data-looked]")
    for size in (WIDE, PHONE) if theme == "light" else ():
        page.set_viewport_size(size)
        page.wait_for_timeout(350)  # the theme makes wide things focusable after 300 ms
        looked.axe += violations(page, AXE_FORM)
    for size in (PHONE, TABLET, ZOOMED) if theme == "light" else (PHONE,):
        page.set_viewport_size(size)
        page.wait_for_timeout(50)  # the marks of what goes on follow the width
        looked.cut += page.evaluate(CUT)
        looked.unsigned += page.evaluate(UNSIGNED)
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


def test_page_fits_its_window(looked: Looked) -> None:
    assert not looked.cut


def test_page_shows_where_it_goes_on(looked: Looked) -> None:
    assert not looked.unsigned


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


# ---- Each kind of page, in the hands of different readers

FOLDERS = ("", "reference/", "exercises/", "solutions/")
KINDS = ["index", *(f"chapters/{folder}conv" for folder in FOLDERS)]
each_kind = pytest.mark.parametrize("name", KINDS)
STORY = KINDS[1]


def visit(browser: Browser, site: Path, name: str, **context: Any) -> Page:
    """A page as a reader meets it: nothing opened, nothing kept from before."""
    page = browser.new_context(**{"viewport": DESK, **context}).new_page()
    page.goto((site / f"{name}.html").as_uri())
    page.wait_for_timeout(500)  # the theme and book.js make code focusable after 400 ms
    return page


FOCUS = """() => {
    const e = document.activeElement, box = e.getBoundingClientRect();
    return {
        end: e === document.body,
        what: e.outerHTML.slice(0, 120),
        ring: [e, ...e.children].map(e => getComputedStyle(e)).some(
            s => parseFloat(s.outlineWidth) > 0 && s.outlineStyle !== "none"
                || s.boxShadow !== "none"),
        seen: box.bottom > 0 && box.top < innerHeight,
    };
}"""


@each_kind
def test_keyboard_reaches_all_and_shows_where_it_is(
    site: Path, browser: Browser, name: str
) -> None:
    page = visit(browser, site, name)
    stops = []
    for _ in range(600):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus["end"]:
            break
        stops.append(focus)
    assert stops[-1]["what"]
    assert focus["end"], "the Tab key never leaves the page"
    assert not [stop["what"] for stop in stops if not stop["ring"]]
    assert not [stop["what"] for stop in stops if not stop["seen"]]
    page.context.close()


def test_keys_are_listed_work_and_can_be_turned_off(
    site: Path, browser: Browser
) -> None:
    page = visit(browser, site, STORY)
    page.keyboard.press("?")
    keys = page.locator("dialog.keys")
    assert keys.is_visible()
    assert not violations(page, AXE, "dialog.keys")
    page.keyboard.press("Escape")
    assert not keys.is_visible()
    page.keyboard.press("/")
    page.wait_for_timeout(100)
    assert page.evaluate("() => document.activeElement.matches('input[type=search]')")
    page.keyboard.type("n?")  # letters, in a field
    assert not keys.is_visible()
    assert page.url.endswith(f"{STORY}.html")
    page.keyboard.press("Escape")
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("n")
    page.wait_for_url("**/reference/conv.html")
    page.keyboard.press("p")
    page.wait_for_url(f"**/{STORY}.html")
    page.keyboard.press("?")
    keys.locator("input").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("n")
    page.keyboard.press("?")
    assert not keys.is_visible()
    assert page.url.endswith(f"{STORY}.html")
    page.context.close()


def test_menu_opens_by_key_and_closes(site: Path, browser: Browser) -> None:
    page = visit(browser, site, STORY)
    menu = page.locator(".dropdown-menu")
    button = page.get_by_role("button", name="Download this page")
    button.focus()
    page.keyboard.press("Enter")
    assert menu.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    assert not page.evaluate(CUT)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.innerText.trim()") == "Notebook"
    page.keyboard.press("Escape")
    assert not menu.is_visible()
    assert page.evaluate("() => document.activeElement.ariaExpanded") == "false"
    page.keyboard.press("Enter")
    page.locator("article h1").click()
    assert not menu.is_visible()
    page.keyboard.press("Escape")
    page.context.close()


def test_way_back_is_offered_to_who_scrolls_up(site: Path, browser: Browser) -> None:
    page = visit(browser, site, STORY, viewport=TABLET)
    back = page.locator("#pst-back-to-top")
    page.mouse.wheel(0, 3000)
    page.wait_for_timeout(200)
    assert not back.is_visible()
    page.mouse.wheel(0, -500)
    page.wait_for_timeout(200)
    back.click()
    page.wait_for_timeout(200)
    assert page.evaluate("() => scrollY") == 0
    assert not back.is_visible()
    page.context.close()


@each_kind
def test_page_is_whole_without_scripts(site: Path, browser: Browser, name: str) -> None:
    page = visit(browser, site, name, viewport=PHONE, java_script_enabled=False)
    assert not page.evaluate(CUT)
    assert not page.evaluate(UNSIGNED)
    assert not page.evaluate(FORMULAS)
    assert page.locator(".progress-read, button.plain").count() == 0
    assert page.locator("article h1").is_visible()
    fold = page.locator("article details:not([open]) > summary").first
    if fold.count():
        fold.click()
        assert page.locator("article details[open]").count()
    page.context.close()


@each_kind
def test_nothing_moves_where_that_was_asked_for(
    site: Path, browser: Browser, name: str
) -> None:
    page = visit(browser, site, name, reduced_motion="reduce")
    page.evaluate("""() => document.querySelectorAll("article details, .film *")
        .forEach(e => { e.open = true; })""")
    moving = """() => document.getAnimations().map(a => a.effect.target?.outerHTML)"""
    assert page.evaluate(moving) == []
    page.mouse.wheel(0, 2000)
    page.wait_for_timeout(100)
    assert page.evaluate(moving) == []
    smooth = "() => getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(smooth) == "auto"
    page.context.close()


# The text that is on paper, light upon light, and what still stands beside the page.
PRINTED = """() => {
    const light = (c) => c.match(/[\\d.]+/g).slice(0, 3).map(Number)
        .reduce((sum, v) => sum + v / 765, 0);
    const ink = [...document.querySelectorAll("article :is(p, h1, h2, pre)")]
        .filter(e => e.checkVisibility())
        .map(e => light(getComputedStyle(e).color));
    const beside = [...document.querySelectorAll(".bd-sidebar, .bd-header-article,"
        + ".prev-next-footer, button.copybtn, .progress-read, button.plain")]
        .filter(e => e.checkVisibility()).map(e => e.outerHTML.slice(0, 100));
    return {lightest: Math.max(...ink), beside};
}"""


@each_kind
@pytest.mark.parametrize("color", ["light", "dark"])
def test_page_can_be_printed(
    site: Path, browser: Browser, name: str, color: str
) -> None:
    page = visit(browser, site, name, color_scheme=color, viewport=PAPER)
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.wait_for_timeout(100)
    assert not page.evaluate(CUT)
    printed = page.evaluate(PRINTED)
    assert not printed["beside"]
    assert printed["lightest"] < 0.5
    page.context.close()


# ---- What a designer would see


@each_kind
def test_targets_are_large_enough_for_a_finger(
    site: Path, browser: Browser, name: str
) -> None:
    page = visit(browser, site, name, viewport=PHONE)
    page.add_style_tag(content=LAID_OUT)
    assert not violations(page, {**AXE, "runOnly": ["target-size"]})
    page.context.close()


# Where the text of code, of outputs and of the prose around them begins.
EDGES = """() => {
    const left = (e) => {
        const texts = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            if (!texts.currentNode.data.trim()) continue;
            const range = document.createRange();
            range.selectNodeContents(texts.currentNode);
            const box = texts.currentNode.parentElement.closest("p code") ?? range;
            return Math.round(box.getClientRects()[0].left);
        }
    };
    const found = {};
    for (const [kind, places] of Object.entries({
        prose: "article > section > p, article > section > section > p",
        headings: "article :is(h1, h2, h3)",
        code: "article .cell > .cell_input pre",
        outputs: ".cell_output .output:is(.stream, .text_plain) pre",
        folds: "article details.hide > summary",
    })) found[kind] = [...new Set([...document.querySelectorAll(places)]
        .filter(e => e.checkVisibility() && !/^\\s/.test(e.textContent)).map(left))];
    found.pictures = [...new Set([...document.querySelectorAll(
        ".cell_output > :is(img, .output.text_html)")].filter(e => e.checkVisibility())
        .map(e => Math.round(e.getBoundingClientRect().left
            + parseFloat(getComputedStyle(e).paddingLeft))))];
    return found;
}"""


@each_kind
@pytest.mark.parametrize("size", [DESK, TABLET, PHONE], ids=["desk", "tablet", "phone"])
def test_page_has_one_left_edge(
    site: Path, browser: Browser, name: str, size: dict[str, int]
) -> None:
    page = visit(browser, site, name, viewport=size)
    page.add_style_tag(content=LAID_OUT)
    edges = page.evaluate(EDGES)
    (edge,) = edges["prose"]
    off = {k: v for k, v in edges.items() if any(abs(x - edge) > 2 for x in v)}
    assert not off, edge
    page.context.close()


SIZES = """() => {
    const size = (e) => parseFloat(getComputedStyle(e).fontSize);
    const text = size(document.querySelector("article section > p"));
    const heads = [..."1234"].map(n => document.querySelector("article h" + n));
    return {
        text,
        heads: heads.filter(Boolean).map(size),
        boxes: [...document.querySelectorAll("article :is(h1, h2, h3, h4) code")]
            .filter(e => getComputedStyle(e).backgroundColor !== "rgba(0, 0, 0, 0)")
            .map(e => e.outerHTML),
        faces: [...document.fonts].filter(f => f.status === "loaded")
            .map(f => f.family.replaceAll('"', "")),
    };
}"""


@each_kind
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_headings_stand_above_their_text(
    site: Path, browser: Browser, name: str, size: dict[str, int]
) -> None:
    page = visit(browser, site, name, viewport=size)
    found = page.evaluate(SIZES)
    sizes = [*found["heads"], found["text"]]
    assert all(a > b for a, b in itertools.pairwise(sizes)), sizes
    assert not found["boxes"]
    assert {"Book Serif", "Book Sans"} <= set(found["faces"])
    page.context.close()


# The words that stand on more than one line.
BROKEN = """(places) => [...document.querySelectorAll(places)].flatMap(e => {
    const text = e.firstChild, found = [];
    for (const word of text.data.matchAll(/[^\\s-]+/g)) {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        if (range.getClientRects().length > 1) found.push(word[0]);
    }
    return found;
})"""


def test_previous_and_next_break_no_word(site: Path, browser: Browser) -> None:
    page = browser.new_context(viewport=PHONE).new_page()
    for name in PAGES[:-1]:
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate(BROKEN, ".prev-next-title") == [], name
    page.context.close()


CURRENT = "#pst-page-toc-nav a[aria-current]"


def test_contents_follow_the_reader(site: Path, browser: Browser) -> None:
    page = visit(browser, site, STORY)
    links = page.locator("#pst-page-toc-nav a")
    assert page.locator(CURRENT).count() == 0  # above the first section
    for at in (2, links.count() - 1, 0):  # a jump, also to where the page ends
        links.nth(at).click()
        page.wait_for_timeout(150)
        assert page.locator(CURRENT).all_inner_texts() == [links.nth(at).inner_text()]
    page.evaluate("""() => document.querySelectorAll("article h2")[3]
        .scrollIntoView()""")
    page.wait_for_timeout(150)
    page.mouse.wheel(0, 1)
    page.wait_for_timeout(150)
    assert page.locator(CURRENT).all_inner_texts() == [links.nth(3).inner_text()]
    page.goto(page.url.partition("#")[0] + links.nth(4).get_attribute("href"))
    page.reload()
    page.wait_for_timeout(300)
    assert page.locator(CURRENT).all_inner_texts() == [links.nth(4).inner_text()]
    page.context.close()


def test_sidebar_begins_at_its_top(site: Path, browser: Browser) -> None:
    for name in PAGES[:-1]:
        page = visit(browser, site, name)
        top, shown = page.evaluate("""() => {
            const bar = document.querySelector(".bd-sidebar-primary");
            const here = [...bar.querySelectorAll(".bd-docs-nav a.current")].at(-1);
            const end = here?.getBoundingClientRect().bottom ?? 0;
            return [bar.scrollTop, end <= innerHeight
                && end + bar.scrollTop > innerHeight];
        }""")
        assert top == 0 or shown, f"{name}: the sidebar begins {top} pixels down"
        page.context.close()


def test_what_was_read_is_kept_and_shown(site: Path, browser: Browser) -> None:
    page = visit(browser, site, STORY)
    read = ".bd-docs-nav a.story-read"
    assert page.locator(read).count() == 0
    page.locator(".prev-next-footer").scroll_into_view_if_needed()
    page.locator(read).wait_for(state="attached")
    assert page.locator(read).all_inner_texts() == ["Convolution"]
    page.goto((site / "index.html").as_uri())
    assert page.locator("dl.contents a.story-read").all_inner_texts() == ["Convolution"]
    said = page.locator(".progress-read").inner_text()
    assert re.fullmatch(r"1 of \d+ stories read", said)
    page.goto((site / f"{STORY}.html").as_uri())
    page.get_by_role("button", name="Mark as not read").click()
    assert page.locator(read).count() == 0
    page.goto((site / "index.html").as_uri())
    assert page.locator(".progress-read").inner_text().startswith("0 of")
    page.evaluate("() => localStorage.setItem('layers-read', 'not a list')")
    page.reload()
    assert page.locator(".progress-read").inner_text().startswith("0 of")
    page.context.close()


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
    "unsigned": '<div style="overflow-x:auto"><p style="width:900px">too wide</p></div>',
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
