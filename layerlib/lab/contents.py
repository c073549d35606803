"""The parts of the book, with how long it takes to read them."""

import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from layerlib.conventions.expect import expect

WORDS, CELLS = 200, 2
"""How much is read in a minute: words of text, cells of code with what they printed."""


def cells(page: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The cells of a notebook, or those of a kind, each with its source as one text."""
    found = json.loads(page.read_text(encoding="utf-8"))["cells"]
    for cell in found:
        cell["source"] = "".join(cell["source"])
    return [cell for cell in found if kind in {None, cell["cell_type"]}]


def prose(page: Path) -> str:
    """All text of a page."""
    return "\n\n".join(cell["source"] for cell in cells(page, "markdown"))


def words(page: Path) -> int:
    """Of the text that is read: without code, tags, and where links lead."""
    blocks = re.sub(r"^ *```.*?^ *```", "", prose(page), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^ *:::.*$|\]\([^)]*\)|<[^>]*>", " ", blocks, flags=re.MULTILINE)
    return len(re.findall(r"\w[\w'’.,-]*", text))


def minutes(page: Path) -> int:
    """How long a page takes to read."""
    return round(words(page) / WORDS + len(cells(page, "code")) / CELLS)


def title(page: Path) -> str:
    """The heading of a page."""
    return prose(page).splitlines()[0].removeprefix("# ")


class Contents:
    """The parts of the book: what each is about, its stories, and their minutes."""

    def __init__(self, about: Mapping[str, str], toc: Path) -> None:
        # It comes with Jupyter Book; who uses only layerlib does without both.
        from sphinx_external_toc.parsing import parse_toc_yaml  # noqa: PLC0415

        every = {
            str(part.caption): [toc.parent / f"{page}.ipynb" for page in part.items]
            for part in parse_toc_yaml(toc).root.subtrees
        }
        parts = {k: v for k, v in every.items() if all(page.exists() for page in v)}
        expected = f"a sentence for each of the parts {', '.join(parts)}"
        expect("contents", [*about] == [*parts], expected, f"{', '.join(about)}")
        self.about, self.parts, self.folder = about, parts, toc.parent

    def minutes(self) -> int:
        """How long all stories take together."""
        return sum(minutes(page) for pages in self.parts.values() for page in pages)

    def __repr__(self) -> str:
        return f"parts: {len(self.parts)}, minutes: {self.minutes()}"

    def _repr_html_(self) -> str:
        return f'<dl class="contents">{"".join(map(self._part, self.parts))}</dl>'

    def _part(self, name: str) -> str:
        pages = " · ".join(
            f'<a href="{page.relative_to(self.folder).as_posix()}">'
            f"{escape(title(page))}</a> {minutes(page)} min"
            for page in self.parts[name]
        )
        return (
            f"<dt>{escape(name)}</dt>"
            f"<dd>{escape(self.about[name])}</dd><dd>{pages}</dd>"
        )


def contents(about: Mapping[str, str], toc: str = "_toc.yml") -> Contents:
    """The parts of the book with their stories, and how long each takes to read.

    A part that has other pages than notebooks is looked up, not read, and is left out.

    Args:
        about: a sentence for each part, by the part's name, in their order.
        toc: the file with the order of the pages.

    Raises:
        ValueError: the sentences are not those of the parts.
    """
    return Contents(about, Path(toc))
