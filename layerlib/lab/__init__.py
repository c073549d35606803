"""What a page looks at layers with: pictures, sources, operations, and a comparison."""

from layerlib.lab.figures import PointAt, Still, influences, point_at, still, terms
from layerlib.lab.lines import Lines, lines
from layerlib.lab.oracle import Report, raised, same
from layerlib.lab.show import Source, moves, show

__all__ = [
    "Lines", "PointAt", "Report", "Source", "Still", "influences", "lines", "moves",
    "point_at", "raised", "same", "show", "still", "terms",
]  # fmt: skip
