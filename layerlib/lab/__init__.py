"""What a page looks at layers with: pictures, sources, operations, and a comparison."""

from layerlib.lab.contents import contents
from layerlib.lab.cube import cube
from layerlib.lab.film import film
from layerlib.lab.lines import Lines, beside, lines
from layerlib.lab.oracle import Report, raised, same
from layerlib.lab.point_at import PointAt, point_at
from layerlib.lab.show import Source, moves, show
from layerlib.lab.steps import Steps
from layerlib.lab.still import Still, still
from layerlib.lab.terms import influences, terms
from layerlib.lab.texts import sonnets

__all__ = [
    "Lines", "PointAt", "Report", "Source", "Steps", "Still", "beside", "contents",
    "cube", "film", "influences", "lines", "moves", "point_at", "raised", "same",
    "show", "sonnets", "still", "terms",
]  # fmt: skip
