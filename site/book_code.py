"""Code with as few elements as its colors need.

Pygments puts each name, bracket and space into an element of its own; together they are
two thirds of the elements of a page, and most have the color of the text around them.
"""

from pygments.formatters import HtmlFormatter
from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES, Text
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.highlighting import PygmentsBridge


def _spare(app: Sphinx, config: Config) -> None:  # noqa: ARG001  # Sphinx passes both
    """Marks up only what differs from text, in the light style or in the dark one."""
    options = config.html_theme_options
    names = (options["pygments_light_style"], options["pygments_dark_style"])
    styles = [get_style_by_name(name) for name in names]

    class Spare(HtmlFormatter):
        def _get_css_classes(self, ttype: object) -> str:
            plain = ttype in STANDARD_TYPES and all(
                style.style_for_token(ttype) == style.style_for_token(Text)
                for style in styles
            )
            return "" if plain else super()._get_css_classes(ttype)

    PygmentsBridge.html_formatter = Spare


def setup(app: Sphinx) -> dict[str, bool]:
    """Takes the place of the formatter of Pygments."""
    app.connect("config-inited", _spare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
