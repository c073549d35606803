"""A picture in steps: all of them on paper, one large step at a time on a screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources

from layerlib.conventions.expect import expect
from layerlib.lab.still import framed

LARGEST = 60_000  # bytes of one picture


@dataclass(frozen=True)
class Step:
    """One step: what is drawn in a box of some width and height, and what it says."""

    drawn: str
    box: tuple[int, int, int, int]
    said: str
    label: str
    strip: bool = True

    def html(self, n: int) -> str:
        """The step as an item of a list."""
        x, y, width, height = self.box
        return (
            f"<li{'' if self.strip else ' class=more'}><svg "
            f'viewBox="{x} {y} {width} {height}" style="--w:{width}" '
            f'role="img" aria-label="{escape(self.label)}">{self.drawn}</svg>'
            f"<p>{n}. {escape(self.said)}</p></li>"
        )


class Steps:
    """A picture in steps: `cube` and `film` make it.

    Without its script it shows the steps that belong to the strip, each with its
    sentence. With it there are buttons, keys and, for many steps, a slider.
    """

    def __init__(
        self, kind: str, steps: Sequence[Step], caption: str, *, rest: str
    ) -> None:
        self._steps, self._caption = steps, caption
        items = "".join(step.html(n) for n, step in enumerate(steps, 1))
        files = resources.files("layerlib.lab")
        names = ("steps.css", "steps.js")
        style, script = ((files / x).read_text(encoding="utf-8") for x in names)
        drawn = f'<ol class="{kind}" data-rest="{rest}">{items}</ol>'
        few = sum(step.strip for step in steps)
        if few < len(steps):
            drawn += f'<p class="some">{few} of {len(steps)} steps, evenly chosen.</p>'
        figure = framed("steps", f"\n{style}", drawn, caption)
        self._html = f"{figure}<script>\n{script}</script>"
        expected, size = f"a picture of at most {LARGEST} bytes", len(self._html)
        told = f"{size}; use smaller tensors"
        expect(kind, size <= LARGEST, expected, told)

    def said(self) -> list[str]:
        """What each step says."""
        return [step.said for step in self._steps]

    def __repr__(self) -> str:
        return f"a picture in {len(self._steps)} steps: {self._caption}"

    def _repr_html_(self) -> str:
        return self._html
