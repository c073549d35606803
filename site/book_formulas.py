r"""Formulas as MathML, written while the site is built: no script has to draw them.

Every current browser draws MathML, and a screen reader reads it. So that it looks alike
on each machine, pages with formulas bring the letters along: those of TeX Gyre Termes
Math that formulas of this book need. They lie in the style itself, because a browser
may forbid a page on disk to read a font from a file. A letter that is missing is added
with

    pyftsubset texgyretermes-math.otf --flavor=woff --layout-features= --no-hinting \
        --output-file=site/vendor/math/texgyretermes-math.woff --unicodes=...

where the font comes from Debian's package fonts-texgyre-math.
"""

import base64
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

FONT = Path(__file__).parent / "vendor" / "math" / "texgyretermes-math.woff"
STYLE = """/* TeX Gyre Termes Math, GUST e-foundry: site/vendor/math/LICENSE */
@font-face {{
  font-family: "Book Math";
  src: url("data:font/woff;base64,{font}") format("woff");
}}

math {{
  font-family: "Book Math", math;
  font-size: 1.06em;
}}

/* What browsers leave out of MathML. */
mtd[columnalign="left"],
mtable[columnalign^="left"] > mtr > mtd {{
  text-align: left;
}}

mtd[columnalign="right"] {{
  text-align: right;
}}

mtable[columnspacing^="0em"] > mtr > mtd {{
  padding-inline: 0;
}}

/* A formula that is wider than its column scrolls by itself. */
.bd-article div.math {{
  display: block;
  position: relative;
  margin: 1rem 0;
  overflow: auto hidden;
  padding: 0.25rem 0;
}}

.bd-article div.math > math {{
  width: max-content;
  margin-inline: auto;
}}

.bd-article div.math .eqno {{
  position: absolute;
  right: 0;
}}
"""

_CLOSING = set(")]}⌋⌉⟩|‖!′")
_SCRIPTS = {"msub", "msup", "msubsup", "munder", "munderover"}
_NO_SPACE = {"lspace": "0", "rspace": "0"}

logger = logging.getLogger(__name__)


def mathml(latex: str, *, block: bool = False) -> str:
    r"""A formula of LaTeX as MathML, spaced as TeX spaces it.

    >>> mathml("1/n")
    '<math><mn>1</mn><mo stretchy="false" lspace="0" rspace="0">/</mo><mi>n</mi></math>'

    Raises:
        ValueError: the formula has a command that is not known.

    """
    for name in ("aligned", "align", "align*"):  # without numbers
        latex = latex.replace(rf"\begin{{{name}}}", r"\begin{split}")
        latex = latex.replace(rf"\end{{{name}}}", r"\end{split}")
    if block and r"\\" in latex and r"\begin" not in latex:
        latex = rf"\begin{{split}}{latex}\end{{split}}"
    written = convert(latex, display="block" if block else "inline")
    written = written.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    math = ET.fromstring(written)  # noqa: S314  # it was written a line above
    if not block:
        del math.attrib["display"]
    _tidy(math)
    if len(math) == 1 and math[0].tag == "mrow":
        math[:] = math[0][:]
    unknown = [text for text in math.itertext() if "\\" in text]
    if unknown:
        raise ValueError(f"expected commands of LaTeX that are known, got {unknown}")
    return ET.tostring(math, encoding="unicode")


def _tidy(parent: ET.Element) -> None:
    """Mends what latex2mathml says in letters right, but spaces unlike TeX."""
    for at, child in enumerate(parent):
        _tidy(child)
        if child.tag in {"mi", "mo", "mtext"}:
            _tidy_letters(child)
        elif child.tag == "mrow" and len(child) == 1:
            if child[0].tag == "mo":  # {,} is a letter like any other
                child[0].attrib.update(_NO_SPACE)
            parent[at] = child[0]
        elif child.tag in _SCRIPTS and "minsize" in child[0].attrib:
            # With a neighbor it grows; alone below its exponent, it would not.
            group = ET.Element("mrow")
            group.extend([child[0], ET.Element("mrow")])
            child[0] = group
    if parent.tag in _SCRIPTS:  # there is no room for spaces
        for operator in (mo for script in parent[1:] for mo in script.iter("mo")):
            operator.attrib.update(_NO_SPACE)
    if parent.tag in {"math", "mrow", "mtd", "msqrt"}:
        parent[:] = _spaced(list(parent))


def _tidy_letters(element: ET.Element) -> None:
    """Tells numbers and names from operators."""
    if len(element):  # \mathrel{+}
        element.text = "".join(element.itertext())
        element[:] = []
    text = element.text or ""
    if element.tag == "mtext":
        element.text = text.replace(r"\_", "_")
    elif text in {"/", "|", "‖"}:
        element.attrib.update({"stretchy": "false", **_NO_SPACE} | element.attrib)
    elif text == "±":
        element.tag = "mo"
    elif text == "∞" or _is_name(element):
        element.tag = "mi"
    elif "Α" <= text <= "Ω":
        element.set("mathvariant", "normal")


def _spaced(row: list[ET.Element]) -> list[ET.Element]:
    """A row with its signs told from its minuses, and a space beside sin and log."""
    spaced: list[ET.Element] = []
    for here in row:
        before = spaced[-1] if spaced else None
        operand = before is not None and before.tag not in {"mo", "mspace"}
        after_operator = before is not None and before.tag == "mo"
        if here.tag == "mo" and after_operator and before is not None:
            if here.text == "=" and before.text in {"+", "−", "<", ">"}:
                before.text += "="
                continue
            if here.text in {"+", "−", "±"} and before.text not in _CLOSING:
                here.set("form", "prefix")
        named = before is not None and _is_name(_base(before))
        if here.tag not in {"mo", "mspace"} and (
            (operand and _is_name(_base(here))) or named
        ):
            spaced.append(ET.Element("mspace", width="0.167em"))
        spaced.append(here)
    return spaced


def _base(element: ET.Element) -> ET.Element:
    return element[0] if element.tag in _SCRIPTS else element


def _is_name(element: ET.Element) -> bool:
    """Whether this is the name of a function: sin, log, mean."""
    text = element.text or ""
    return element.tag in {"mi", "mo"} and len(text) > 1 and text.isalpha()


def _convert(node: nodes.Element, *, block: bool) -> str:
    try:
        return mathml(node.astext(), block=block)
    except Exception as error:  # noqa: BLE001  # it has a class for each mistake
        logger.warning("formula %r: %s", node.astext(), error, location=node)
        return f"<code>{node.astext()}</code>"


def _visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(_convert(node, block=False))
    raise nodes.SkipNode


def _visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(f"{_convert(node, block=True)}</div>\n")
    raise nodes.SkipNode


def _write_style(app: Sphinx) -> None:
    font = base64.b64encode(FONT.read_bytes()).decode()
    target = app.outdir / "_static" / "formulas.css"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(STYLE.format(font=font), encoding="utf-8")


def _add_style(
    app: Sphinx,
    pagename: str,  # noqa: ARG001  # Sphinx passes all five
    templatename: str,  # noqa: ARG001
    context: dict[str, Any],  # noqa: ARG001
    doctree: nodes.document | None,
) -> None:
    """Only a page with formulas loads their letters."""
    if doctree is not None and any(doctree.findall(_is_math)):
        app.add_css_file("formulas.css")


def _is_math(node: nodes.Node) -> bool:
    return isinstance(node, nodes.math | nodes.math_block)


def setup(app: Sphinx) -> dict[str, bool]:
    """Takes the place of Sphinx's MathJax."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(_visit_inline, None),
        block_renderers=(_visit_block, None),
    )  # fmt: skip
    app.connect("builder-inited", _write_style)
    app.connect("html-page-context", _add_style)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
