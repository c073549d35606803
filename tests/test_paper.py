"""The book on paper, and the pages to download, on a site of two pages."""

import subprocess
import sys
from pathlib import Path

import book_downloads
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import Browser
from pypdf import PdfReader

from tools import pdf

ROOT = Path(__file__).parents[1]

PAGE = """<!DOCTYPE html><html lang="en" data-theme="dark"><meta charset="utf-8">
<link rel="stylesheet" href="{static}/print.css"><script src="{static}/print.js"></script>
<article class="bd-article"><h1>{title}<a class="headerlink" href="#">#</a></h1>
{body}</article></html>"""
STORY = """<p>A question. <a href="reference/linear.html#options">Options</a>,
<a href="exercises/linear.html">exercises</a>, <a href="#end">end</a>.</p>
<details><summary>Show the answer</summary><p>Forty-two.</p></details>
<p style="break-before: page">Later.</p><h2 id="end">The end</h2>"""
REFERENCE = """<p style="break-after: page">Contract.</p><h2 id="options">Options</h2>
<p><a href="../linear.html">story</a></p>"""


@pytest.fixture(scope="module")
def bound(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> PdfReader:
    site = tmp_path_factory.mktemp("site").resolve()
    (site / "chapters/reference").mkdir(parents=True)
    static = (ROOT / "site/static").as_uri()
    for name, title, body in (
        ("chapters/linear", "Linear", STORY),
        ("chapters/reference/linear", "Linear: reference", REFERENCE),
    ):
        text = PAGE.format(static=static, title=title, body=body)
        (site / f"{name}.html").write_text(text)
    names = ["chapters/linear", "chapters/reference/linear"]
    sheets = pdf.chosen(site, names)
    pdf.bind(browser, site, sheets).write(site / "book.pdf")
    return PdfReader(site / "book.pdf")


def texts(book: PdfReader) -> list[str]:
    return [page.extract_text() for page in book.pages]


def test_contents_have_the_numbers_that_the_pages_have(bound: PdfReader) -> None:
    found = texts(bound)
    contents = found[1].splitlines()
    starts = {title: number for number, text in enumerate(found, 1)
              for title in ("Linear", "Linear: reference")
              if title in text.splitlines()[:3] and number > 2}  # fmt: skip
    assert starts == {"Linear": 3, "Linear: reference": 5}
    for title, number in starts.items():
        assert f"{title} {number}" in [" ".join(line.split()) for line in contents]
    for number, text in enumerate(found[2:], 3):
        assert str(number) in text.splitlines()


def test_folded_answer_stands_at_the_end_of_its_page(bound: PdfReader) -> None:
    found = texts(bound)
    assert "1. The answer, at the end of this page" in found[2]
    assert "Forty-two." not in found[2]
    assert "What this page folds" in found[3]
    assert "Forty-two." in found[3]


def test_links_lead_on_in_the_book(bound: PdfReader) -> None:
    led = {}
    for number, page in enumerate(bound.pages, 1):
        for link in page.get("/Annots", []):
            target = link.get_object()
            assert "/Dest" in target, "a link out of a book that has no address"
            to = target["/Dest"][0].get_object()
            led.setdefault(number, set()).add(bound.get_page_number(to) + 1)
    assert led == {2: {3, 5}, 3: {4, 6}, 4: {3}, 6: {3}}


def test_bookmarks_are_one_tree(bound: PdfReader) -> None:
    def tree(items: list) -> list:
        return [
            tree(x) if isinstance(x, list)
            else (str(x.title), bound.get_destination_page_number(x) + 1)
            for x in items
        ]  # fmt: skip

    folded = [("What this page folds", 4), [("1. The answer", 4)]]
    assert tree(bound.outline) == [
        ("Contents", 2),
        ("Stories", 3),
        [("Linear", 3), [("The end", 4), *folded]],
        ("References", 5),
        [("Linear: reference", 5), [("Options", 6)]],
    ]


def test_page_is_as_it_was_after_it_was_printed(browser: Browser, tmp_path) -> None:
    static = (ROOT / "site/static").as_uri()
    (tmp_path / "page.html").write_text(
        PAGE.format(static=static, title="Linear", body=STORY)
    )
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    before = page.content()
    page.pdf()
    assert page.content() == before
    page.close()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["chapters/nosuch"], "no page of the book is called 'chapters/nosuch'"),
        (["chapters/linear"], "no page chapters/linear in "),
    ],
)
def test_what_cannot_be_printed_is_said(arguments, told, tmp_path, capsys) -> None:
    assert pdf.main([*arguments, f"--site={tmp_path}"]) == 1
    assert told in capsys.readouterr().err


def test_missing_browser_is_said(monkeypatch) -> None:
    monkeypatch.setattr(pdf, "BROWSERS", ())
    with pytest.raises(pdf.PaperError, match="no Chromium found"):
        pdf.chromium()


# ------------------------------------------------------------------ pages to download

WORKS = {"one": "A. *First*.", "two": "B. *Second*."}


@pytest.fixture
def source() -> nbformat.NotebookNode:
    return new_notebook(
        cells=[
            new_markdown_cell("(here)=\n## Title\n\nSaid{footcite:p}`two,one`."),
            new_code_cell("print(1 + 1)"),
            new_code_cell("int('x')", metadata={"tags": ["raises-exception"]}),
            new_code_cell("print('after')"),
            new_markdown_cell("```{footbibliography}\n```"),
        ]
    )


def test_downloaded_notebook_needs_nothing_beside_it(source, monkeypatch) -> None:
    monkeypatch.delenv("BOOK_REPOSITORY", raising=False)
    before = nbformat.writes(source)
    first, title, *_, last = book_downloads.alone(source, WORKS).cells
    assert "%pip install --quiet --find-links . " in first.source
    assert f'"layerlib[book]=={book_downloads.layerlib.__version__}"' in first.source
    assert title.source == '<a id="here"></a>\n## Title\n\nSaid[1, 2].'
    assert last.source == "1. B. *Second*.\n2. A. *First*."
    assert nbformat.writes(source) == before


def test_repository_is_what_is_installed_from(source, monkeypatch) -> None:
    monkeypatch.setenv("BOOK_REPOSITORY", "https://github.com/someone/layers.git")
    first = book_downloads.alone(source, WORKS).cells[0].source
    assert '"layerlib[book] @ git+https://github.com/someone/layers"' in first


def test_script_goes_on_after_an_error_that_it_shows(source, tmp_path) -> None:
    path = tmp_path / "page.py"
    path.write_text(book_downloads.script(book_downloads.alone(source, WORKS)))
    run = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=True
    )
    first, error, last = run.stdout.splitlines()
    assert (first, last) == ("2", "after")
    assert error.startswith("invalid literal for int()")


def test_each_citation_of_the_book_is_listed() -> None:
    works = book_downloads.cited_works(ROOT / "chapters/references.bib")
    for name in ("attention", "reference/conv"):  # most are cited there
        path = ROOT / f"chapters/{name}.ipynb"
        notebook = book_downloads.alone(nbformat.read(path, as_version=4), works)
        prose = "".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        assert "{footcite" not in prose
        assert "{footbibliography" not in prose
