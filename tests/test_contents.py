"""The list of parts on the landing page: pages, titles, and minutes that were counted."""

from pathlib import Path

import nbformat
import pytest

from layerlib.lab import contents
from layerlib.lab.contents import minutes, title, words

TOC = """
format: jb-book
root: index
parts:
  - caption: First & last
    chapters:
      - file: chapters/one
      - file: chapters/two
  - caption: To look up
    chapters:
      - file: names
      - file: chapters/further
"""
TEXT = """# Word <b>and</b> [word](a link to skip.html)

```
# No words: code
```
don't count it twice, 1,850 times."""


@pytest.fixture
def toc(tmp_path: Path) -> str:
    (tmp_path / "chapters").mkdir()
    for name, count in (("one", 0), ("two", 3), ("further", 99)):
        markdown = [nbformat.v4.new_markdown_cell(TEXT)]
        code = [nbformat.v4.new_code_cell("1 + 1") for _ in range(count)]
        page = nbformat.v4.new_notebook(cells=[*markdown, *code])
        nbformat.write(page, tmp_path / "chapters" / f"{name}.ipynb")
    (tmp_path / "_toc.yml").write_text(TOC)
    return str(tmp_path / "_toc.yml")


def test_what_is_read_is_counted(toc: str) -> None:
    page = Path(toc).parent / "chapters" / "further.ipynb"
    assert words(page) == 9
    assert minutes(page) == round(9 / 200 + 99 / 2)
    assert title(page) == "Word <b>and</b> [word](a link to skip.html)"


def test_parts_with_their_stories(toc: str) -> None:
    found = contents({"First & last": "One < two."}, toc)
    assert found.minutes() == 2
    assert repr(found) == "parts: 1, minutes: 2"
    html = found._repr_html_()
    assert html.startswith(
        '<dl class="contents"><dt>First &amp; last</dt><dd>One &lt; two.'
    )
    assert '<a href="chapters/two.ipynb">Word &lt;b&gt;' in html
    assert "</a> 2 min" in html
    assert "further" not in html


def test_each_part_has_its_sentence(toc: str) -> None:
    expected = "contents: expected a sentence for each of the parts First & last, got "
    with pytest.raises(ValueError, match=f"^{expected}Other$"):
        contents({"Other": "No such part."}, toc)
