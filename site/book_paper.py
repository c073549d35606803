"""The book on paper: loads what print.css and print.js do to a page that is printed."""

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Adds the two files to each page."""
    app.add_css_file("print.css", priority=900)  # after the theme and book.css
    app.add_js_file("print.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
