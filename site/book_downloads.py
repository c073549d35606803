"""Each page as a notebook and as a script that run by themselves, and where to run it.

The notebook of a page gets a first cell that installs what the page imports, and its
citations as text: what stands in the repository is for readers of the site. With the
address of the repository in `BOOK_REPOSITORY`, as in
`BOOK_REPOSITORY=https://github.com/someone/layers make book`, that cell installs from
there, and pages have buttons for Colab, which opens the notebook from the branch that
the site is published on, and for Binder.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell
from pybtex.backends.markdown import Backend
from pybtex.database import parse_file
from pybtex.style.formatting.unsrt import Style
from sphinx.application import Sphinx
from sphinx.config import Config

import layerlib

ROOT = Path(__file__).parents[1]
FOLDER = "_downloads"
PUBLISHED = "gh-pages"  # as in .github/workflows/book.yml
WHEEL = f"layerlib-{layerlib.__version__}-py3-none-any.whl"

_CITATION = re.compile(r"\{footcite:p\}`([^`]*)`")
_BIBLIOGRAPHY = re.compile(r"```\{footbibliography\}\s*```")
_TARGET = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)


def repository() -> str:
    """The address of the repository, or nothing."""
    return os.environ.get("BOOK_REPOSITORY", "").rstrip("/").removesuffix(".git")


def requirement() -> str:
    """What pip is told to install, so that each page runs.

    >>> requirement().startswith('"layerlib[book]')
    True
    """
    if repository():
        return f'"layerlib[book] @ git+{repository()}"'
    return f'"layerlib[book]=={layerlib.__version__}"'


def alone(
    source: nbformat.NotebookNode, works: dict[str, str]
) -> nbformat.NotebookNode:
    """A notebook of the book as one that needs nothing beside it.

    Args:
        source: The notebook, as it is in the repository.
        works: What is cited, by the key of the citation.
    """
    notebook = nbformat.from_dict(source)
    cited: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        keys = [key.strip() for key in match[1].split(",")]
        numbers = [cited.setdefault(key, len(cited) + 1) for key in keys]
        return f"[{', '.join(map(str, numbers))}]"

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _CITATION.sub(number, cell.source)
            cell.source = _TARGET.sub(r'<a id="\1"></a>', cell.source)
    listed = "\n".join(f"{n}. {works[key]}" for key, n in cited.items())
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _BIBLIOGRAPHY.sub(lambda _: listed, cell.source)
    note = "# Once: what this page imports."
    if not repository():
        note += (
            f" {WHEEL} is\n# on the site beside this page, to be put beside this file."
        )
    install = new_code_cell(
        f"{note}\n%pip install --quiet --find-links . {requirement()}", id="install"
    )
    notebook.cells.insert(0, install)
    return notebook


def script(notebook: nbformat.NotebookNode) -> str:
    """The cells of a notebook as a program; prose is comments.

    A cell that shows an error as its output does not end the program.
    """
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            lines = cell.source.splitlines()
            parts.append("\n".join(f"# {line}".rstrip() for line in lines))
        elif cell.get("id") == "install":
            parts.append(cell.source.replace("%pip", "# pip"))
        elif "raises-exception" in cell.metadata.get("tags", []):
            body = "\n".join(
                f"    {line}".rstrip() for line in cell.source.splitlines()
            )
            parts.append(f"try:\n{body}\nexcept Exception as error:\n    print(error)")
        else:
            parts.append(cell.source)
    return "\n\n".join(parts) + "\n"


def cited_works(path: Path) -> dict[str, str]:
    """What a file of BibTeX lists, as lines of Markdown."""
    entries = parse_file(str(path)).entries.values()
    return {
        entry.key: entry.text.render(Backend("utf-8"))
        for entry in Style().format_entries(entries)
    }


def wheel(folder: Path) -> None:
    """Builds the package of the book: the same sources, the same bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary)
        for name in ("layerlib", "classroom"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index",
             "--no-build-isolation", "--wheel-dir", folder, source],
            env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"},
            check=True,
        )  # fmt: skip


def _write(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    folder = app.outdir / FOLDER
    folder.mkdir(exist_ok=True)
    works = cited_works(ROOT / "chapters" / "references.bib")
    for page in sorted(app.env.found_docs):
        source = Path(app.env.doc2path(page))
        if source.suffix != ".ipynb":
            continue
        notebook = alone(nbformat.read(source, as_version=4), works)
        target = folder / f"{page}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
        target.with_suffix(".py").write_text(script(notebook), encoding="utf-8")
    wheel(folder)


def _offer(
    app: Sphinx,
    pagename: str,
    templatename: str,  # noqa: ARG001  # Sphinx passes all five
    context: dict[str, Any],
    doctree: object,
) -> None:
    """Puts the files, and the places to run them, into the header of a page."""
    groups = context.get("header_buttons", [])
    (downloads, *_) = [
        *(group for group in groups if group["label"] == "download-buttons"), None,
    ]  # fmt: skip
    if doctree is None or downloads is None:
        return
    printing = [b for b in downloads["buttons"] if b["type"] == "javascript"]
    if Path(app.env.doc2path(pagename)).suffix != ".ipynb":
        downloads["buttons"] = printing  # the text of such a page is no program
        return

    def link(url: str, text: str, tooltip: str) -> dict[str, str]:
        label = f"download-{text.lower()}-button"
        return {
            "type": "link", "url": url, "text": text, "tooltip": tooltip,
            "label": label,
        }  # fmt: skip

    def file(name: str) -> str:
        return str(context["pathto"](f"{FOLDER}/{name}", 1))

    downloads["buttons"] = [
        link(file(f"{pagename}.ipynb"), "Notebook", "Download this page as a notebook"),
        link(file(f"{pagename}.py"), "Script", "Download this page as a script"),
        link(file(WHEEL), "Package", "Download layerlib, which both install"),
        *printing,
    ]
    if repository():
        place = repository().removeprefix("https://github.com/")
        colab = "https://colab.research.google.com/github"
        binder = "https://mybinder.org/v2/gh"
        path = f"{FOLDER}/{pagename}.ipynb"
        downloads["buttons"] += [
            link(
                f"{colab}/{place}/blob/{PUBLISHED}/{path}", "Colab", "Run it in Colab"
            ),
            link(
                f"{binder}/{place}/HEAD?urlpath=lab/tree/{pagename}.ipynb",
                "Binder",
                "Run it on Binder",
            ),
        ]
        downloads["tooltip"] = "Download or run this page"


def _keep_one_copy(app: Sphinx, config: Config) -> None:  # noqa: ARG001
    config.html_copy_source = False  # the notebooks to download are the ones above


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the above; later than the theme, which fills the header at 501."""
    app.connect("config-inited", _keep_one_copy)
    app.connect("html-page-context", _offer, priority=850)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
