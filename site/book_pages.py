"""What the pages of the book need on top of the theme, for readers who cannot see.

The theme draws an arrow that shows and hides the pages below a chapter, and gives it no
name. A screen reader says "button" there, and axe counts a violation on each page.
"""

import re
from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx

_ARROW = re.compile(r"(?P<link><a [^>]*>(?P<title>[^<]*)</a><details[^>]*>)<summary>")


def _name_arrows(
    app: Sphinx,  # noqa: ARG001  # Sphinx passes all five
    pagename: str,  # noqa: ARG001
    templatename: str,  # noqa: ARG001
    context: dict[str, Any],
    doctree: object,  # noqa: ARG001
) -> None:
    """Names each arrow of the sidebar after the chapter that it belongs to."""
    toctree: Callable[..., object] = context["generate_toctree_html"]

    def named(*args: object, **options: object) -> str:
        return _ARROW.sub(
            r'\g<link><summary aria-label="Pages below \g<title>">',
            str(toctree(*args, **options)),
        )

    context["generate_toctree_html"] = named


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the above; later than the theme, which fills the context at 500."""
    app.connect("html-page-context", _name_arrows, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
