"""Fields on the pages, in which an exercise is answered and judged without a server.

An exercise whose answer is a value or a line of letters gets one above the cell that
is to be filled in. It is empty until answers.js makes a form of it, and holds what the
judge knows of the exercise: what is right, the known mistakes with their sentences, and
of a line its contract. The script judges by that as `classroom.judge` does.

What is right is written in base64, so that nobody reads it who only looks at the source
of a page. It is no lock, and none is needed: the solution is a page of this book.
"""

import base64
import json
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from classroom import EXERCISES, Exercise, Question
from layerlib.recipe import Line, Rearrange, Recipe

_CHECK = re.compile(r'^check\("([\w-]+)", (\w+)\)$', re.MULTILINE)
_FIELD = '<div class="answer d-print-none" data-name="{}" data-exercise="{}"></div>'


def known(exercise: Exercise) -> dict[str, Any] | None:
    """What the script knows of an exercise; None, where the answer is a function."""
    right = exercise.reference
    if isinstance(exercise, Question):
        wrong = exercise.mistakes.items()
        return {
            "kind": type(right).__name__,
            "right": _plain(right),
            "mistakes": [(_plain(value), told) for told, value in wrong],
        }
    if not isinstance(right, Recipe | Rearrange):
        return None
    lines = [
        (getattr(wrong, "line", wrong), told)
        for told, wrong in exercise.mistakes.items()
        if isinstance(wrong, str | Line)
    ]
    return {
        "kind": type(right).__name__,
        "right": right.line,
        "mistakes": lines,
        "inputs": [*exercise.inputs.items()],
        "output": next(iter(exercise.outputs.items())),
        "numbers": exercise.numbers,
        "sizes": exercise.cases[-1],
    }


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def field(name: str) -> str:
    """The place of the form on the page, or nothing.

    >>> field("linear-count")[:58]
    '<div class="answer d-print-none" data-name="linear-count" '
    >>> field("linear-moves")
    ''
    """
    told = known(EXERCISES[name]) if name in EXERCISES else None
    if told is None:
        return ""
    data = base64.b64encode(json.dumps(told).encode()).decode()
    return _FIELD.format(name, data)


class AddFields(SphinxTransform):
    """Puts a field before each cell that is to be filled in with a value or a line."""

    default_priority = 900  # when the page is complete

    def apply(self, **_: object) -> None:
        """Looks at each check, and for the dots in its cell and in the one before."""
        cells = [
            cell
            for cell in self.document.findall(nodes.container)
            if cell.get("nb_element") == "cell_code"
        ]
        before = None
        for cell in cells:
            for name, answer in _CHECK.findall(_code(cell)):
                blank = re.compile(rf"^{answer} = \.\.\.", re.MULTILINE)
                open_ = [x for x in (before, cell) if x and blank.search(_code(x))]
                html = field(name)
                if open_ and html:
                    found = nodes.raw("", html, format="html", answers=name)
                    within = open_[0].parent
                    within.insert(within.index(open_[0]), found)
            before = cell


def _code(cell: nodes.Element) -> str:
    code = cell.next_node(nodes.literal_block)
    return code.astext() if code else ""


def _add_script(
    app: Sphinx,
    pagename: str,
    templatename: str,  # noqa: ARG001  # Sphinx passes all five
    context: dict[str, Any],  # noqa: ARG001
    doctree: nodes.document | None,
) -> None:
    """Loads the script for exercises; for a story, book.js does when it is near."""
    exercises = "/exercises/" in pagename
    if exercises and doctree is not None and any(doctree.findall(_is_field)):
        app.add_js_file("answers.js", priority=900)  # it uses what book.js defines


def _is_field(node: nodes.Node) -> bool:
    return isinstance(node, nodes.raw) and "answers" in node


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the above."""
    app.add_transform(AddFields)
    app.connect("html-page-context", _add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
