"""Gives the letters in prose the colors that they have in lines and pictures.

A piece of inline code that holds nothing but letters of the alphabet of the book, as
``b``, ``kh kw`` or ``b i, o i -> b o``, becomes one chip a letter; what is summed is
bold and underlined, as in the output of a cell.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from layerlib.recipe import LETTERS, Line

_PARTS = re.compile(r"(->|→|\.\.\.|[^\W\d]\w*|\s+|.)")
_BETWEEN = re.compile(r"[\s,()1]|->|→")


def letters_of(text: str) -> list[str]:
    """The letters and what is between them; nothing, if the text is other code.

    >>> letters_of("b i -> b")
    ['b', ' ', 'i', ' ', '->', ' ', 'b']
    >>> letters_of("b.sum()")
    []
    """
    parts = _PARTS.findall(text)
    letters = [part for part in parts if part in LETTERS]
    others = [part for part in parts if part not in LETTERS]
    fine = letters and all(_BETWEEN.match(part) for part in others)
    return parts if fine and letters != ["..."] else []


def colored(text: str) -> nodes.literal | None:
    """The text as inline code with a chip for each letter; None for other code."""
    parts = letters_of(text)
    if not parts:
        return None
    line = text.replace("→", "->")
    is_line = line.count("->") == 1 and not re.search(r"\([^)]*,", line)
    summed = Line(line).summed if is_line else ()  # "(b, i) → (b, o)" is a contract
    code = nodes.literal(text, "", classes=["letters"])
    for part in parts:
        if part in LETTERS:
            how = ["summed"] if part in summed else []
            kind = [*how, "letter", f"letter-{part.replace('...', 'rest')}"]
            code += nodes.inline(part, part, classes=kind)
        else:
            code += nodes.Text(part.replace("->", "→"))
    return code


class ColorLetters(SphinxTransform):
    """Replaces inline code made of letters by its chips."""

    default_priority = 900  # when the page is complete

    def apply(self, **_: object) -> None:
        """Looks at each piece of inline code on a page."""
        for code in list(self.document.findall(nodes.literal)):
            chips = colored(code.astext())
            if chips is not None:
                code.replace_self(chips)


def _write_style(app: Sphinx) -> None:
    """Writes the colors of `LETTERS` as a style sheet beside the other ones."""
    rules = [
        f".letter-{letter.replace('...', 'rest')} {{background: {color}}}"
        for letter, (_, color) in LETTERS.items()
    ]
    folder = app.outdir / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "letters.css").write_text("\n".join(rules) + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the above."""
    app.add_transform(ColorLetters)
    app.connect("builder-inited", _write_style)
    app.add_css_file("letters.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
