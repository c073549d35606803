"""Still pictures, and the frame that every picture stands in."""

import io
import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def framed(kind: str, style: str, svg: str, caption: str) -> str:
    """A picture with its caption, as HTML that no viewer leaves half of."""
    # A viewer that does not trust a notebook strips <style> and <svg>, and would leave
    # a heap of numbers; the attribute `hidden`, which the style overrules, then leaves
    # the caption alone. It has a value, since JupyterLab strips empty attributes, too.
    return (
        f'<figure class="{kind}"><style>.{kind}{{margin:0;color:inherit}}'
        f".{kind} [hidden]{{display:block!important}}{style}</style>"
        f'<div hidden="hidden">{svg}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


class Still:
    """A picture that does not move: `still` makes it."""

    def __init__(self, svg: str, alt: str) -> None:
        self._svg, self._alt = svg, alt

    def __repr__(self) -> str:
        return f"a picture: {self._alt}"

    def _repr_html_(self) -> str:
        # Where the picture is drawn, its label says this already.
        style = ".still figcaption{display:none}"
        return framed("still", style, self._svg, self._alt)


def still(figure: "Figure", alt: str) -> Still:
    """A matplotlib figure as inline SVG: text as text, and the same bytes on every run.

    Black is drawn in the colour of the page's text, and colored text is mixed with it,
    so that a picture reads in light and in dark. The figure is closed.

    Args:
        figure: what is drawn.
        alt: what it shows, for those who do not see it.

    Raises:
        ValueError: the alternative text is empty.
    """
    import matplotlib as mpl  # noqa: PLC0415  (heavy, and needed here only)
    from matplotlib import pyplot as plt  # noqa: PLC0415

    if not alt.strip():
        raise ValueError("still: expected a text that says what the picture shows")
    for legend in (axes.get_legend() for axes in figure.axes):
        if legend:
            legend.set_frame_on(False)  # its white would hide a light text
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": alt}):
        figure.savefig(
            buffer,
            format="svg",
            bbox_inches="tight",
            transparent=True,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    plt.close(figure)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    # Only what is referred to needs an id: others would stand twice on a page.
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([\w.-]+)"', lambda m: m[0] if m[1] in used else "", svg)
    # What matplotlib draws in black it leaves without a color, or names it so.
    svg = re.sub(r"(fill|stroke): #000000", r"\1: currentColor", svg)
    svg = re.sub(r"(<text style=\"[^\"]*?fill: )(#\w{6})", _legible, svg)
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', lambda m: _opened(m[1], alt), svg
    )
    return Still(svg, alt)


def _legible(text: re.Match[str]) -> str:
    """A colored text is mixed with the page's own; a gray one is left as it is."""
    before, color = text.groups()
    gray = len({color[1:3], color[3:5], color[5:]}) == 1
    mixed = color if gray else f"color-mix(in srgb, {color} 60%, currentColor)"
    return before + mixed


def _opened(box: str, alt: str) -> str:
    width = float(box.split()[2]) * 4 / 3  # points to pixels
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box}" role="img" '
        'fill="currentColor" '
        f'aria-label="{escape(alt)}" style="width:100%;max-width:{width:.0f}px">'
    )
