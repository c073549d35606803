"""The table of all layers, each with the lines that a call of it really ran."""

import warnings
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import layerlib
from layerlib.lab.contents import title
from layerlib.lab.lines import Lines, lines

Call = tuple[str, tuple[Any, ...], list[Any]]

CALLS: list[Call] = [
    ("Identity Flatten", (), [(4, 6)]),
    ("Unflatten", (1, (2, 3)), [(4, 6)]),
    ("PixelShuffle PixelUnshuffle", (2,), [(2, 4, 6, 6)]),
    ("ChannelShuffle", (2,), [(2, 4, 6)]),
    ("Linear", (6, 3), [(4, 6)]),
    ("LazyLinear", (3,), [(4, 6)]),
    ("Bilinear", (6, 5, 3), [(4, 6), (4, 5)]),
    ("NLinear", (4, 6, 3), [(2, 4, 6)]),
    (("CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU "
     "LogSigmoid Mish PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softplus Softshrink "
     "Softsign Tanh Tanhshrink"), (), [(4, 6)]),
    ("Threshold", (0.0, 0.0), [(4, 6)]),
    ("Softmax Softmin LogSoftmax", (-1,), [(4, 6)]),
    ("Softmax2d Dropout AlphaDropout FeatureAlphaDropout", (), [(2, 4, 6, 6)]),
    ("Dropout#d", (), ["#"]),
    ("BatchNorm#d InstanceNorm#d", (4,), ["#"]),
    ("LazyBatchNorm#d LazyInstanceNorm#d", (), ["#"]),
    ("GroupNorm", (2, 4), [(2, 4, 6)]),
    ("LayerNorm RMSNorm", (6,), [(4, 6)]),
    ("LocalResponseNorm CrossMapLRN2d", (2,), [(2, 4, 6, 6)]),
    ("ConstantPad#d", (1, 0.0), ["#"]),
    ("ZeroPad#d ReflectionPad#d ReplicationPad#d CircularPad#d", (1,), ["#"]),
    ("Unfold", (2,), [(2, 4, 6, 6)]),
    ("Fold", ((3, 3), 2), [(2, 16, 4)]),
    ("Conv#d ConvTranspose#d", (4, 3, 2), ["#"]),
    ("LazyConv#d LazyConvTranspose#d", (3, 2), ["#"]),
    ("MaxPool#d AvgPool#d", (2,), ["#"]),
    ("LPPool#d", (2, 2), ["#"]),
    ("AdaptiveAvgPool#d AdaptiveMaxPool#d", (3,), ["#"]),
    ("FractionalMaxPool2d", (2, 3), [(2, 4, 6, 6)]),
    ("FractionalMaxPool3d", (2, 3), [(2, 4, 6, 6, 6)]),
    ("MaxUnpool#d", (2,), ["#", torch.zeros]),
    ("Upsample", (None, 2), [(2, 4, 6, 6)]),
    ("UpsamplingNearest2d UpsamplingBilinear2d", (None, 2), [(2, 4, 6, 6)]),
    ("CosineSimilarity PairwiseDistance", (), [(4, 6), (4, 6)]),
    ("Embedding", (9, 6), [torch.tensor([[1, 8]])]),
    ("EmbeddingBag", (9, 6), [torch.tensor([[1, 8]])]),
    ("RNN LSTM GRU", (6, 4), [(5, 2, 6)]),
    ("RNNCell LSTMCell GRUCell", (6, 4), [(2, 6)]),
    ("MultiheadAttention", (6, 2), [(5, 2, 6), (7, 2, 6), (7, 2, 6)]),
    ("TransformerEncoderLayer", (6, 2, 8), [(5, 2, 6)]),
    ("TransformerDecoderLayer", (6, 2, 8), [(5, 2, 6), (7, 2, 6)]),
    ("TransformerEncoder", ("TransformerEncoderLayer", 1), [(5, 2, 6)]),
    ("TransformerDecoder", ("TransformerDecoderLayer", 1), [(5, 2, 6), (7, 2, 6)]),
    ("Transformer", (6, 2, 1, 1, 8), [(7, 2, 6), (5, 2, 6)]),
]  # fmt: skip
"""How each layer is built and called: names (# is 1, 2, 3), arguments, and inputs.

An input is a shape; # stands for channels and as many axes as the name says.
"""


def layers() -> Iterator[tuple[type[nn.Module], Lines]]:
    """Each public layer, and what a call of it ran: every line once, in its order."""
    for names, args, shapes in CALLS:
        for name in names.split():
            for n in (1, 2, 3) if "#" in name else (0,):
                yield _called(name.replace("#", str(n)), args, shapes, n)


def _called(
    name: str, args: tuple[Any, ...], shapes: list[Any], n: int
) -> tuple[type[nn.Module], Lines]:
    cls = getattr(layerlib, name)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of a faster way it does not take
        built = [
            getattr(layerlib, arg)(6, 2, 8) if str(arg).startswith("Tr") else arg
            for arg in args
        ]
        seen = lines(cls(*built), *[_input(shape, n) for shape in shapes])
    return cls, Lines(dict.fromkeys(seen))


def _input(shape: Any, n: int) -> Tensor:
    if isinstance(shape, Tensor):
        return shape
    if shape is torch.zeros:  # positions, for what was the largest
        return torch.arange(6**n).expand(2, 4, 6**n).reshape(2, 4, *[6] * n)
    return torch.randn((2, 4, *[6] * n) if shape == "#" else shape)


class Table:
    """All layers by family, with links to their pages that lie in a folder."""

    def __init__(self, chapters: str) -> None:
        self.chapters = Path(chapters)
        self.rows: dict[str, dict[Lines, list[str]]] = {}
        for cls, ran in layers():
            family = self.rows.setdefault(cls.__module__.split(".")[-1], {})
            family.setdefault(ran, []).append(cls.__name__)

    def __repr__(self) -> str:
        return f"a table of {self._count()} layers"

    def _repr_html_(self) -> str:
        caption = f"{self._count()} layers, each with the lines that it ran"
        rows = "".join(map(self._family, sorted(self.rows)))
        script = resources.files("layerlib.lab") / "table.js"
        return (
            f'<table class="layers"><caption>{caption}</caption>{rows}</table>'
            f"<script>\n{script.read_text(encoding='utf-8')}</script>"
        )

    def _family(self, family: str) -> str:
        story, reference, exercises = (
            self.chapters / folder / f"{family}.ipynb"
            for folder in ("", "reference", "exercises")
        )
        name = title(story) if story.exists() else family
        further = {"reference": reference, "exercises": exercises}
        links = [self._link(text, page) for text, page in further.items()]
        head = " · ".join(filter(None, [self._link(name, story) or name, *links]))
        html = f'<tbody><tr><th colspan="2" scope="rowgroup">{head}</th></tr>'
        for ran, names in self.rows[family].items():
            codes = [f"<code>{name}</code>" for name in names]
            shown = ", ".join(self._link(code, reference) or code for code in codes)
            html += f'<tr><th scope="row">{shown}</th><td>{ran._repr_html_()}</td></tr>'
        return f"{html}</tbody>"

    def _link(self, text: str, page: Path) -> str:
        """A link from beside the folder of the chapters, if the page is there."""
        if not page.exists():
            return ""
        there = page.relative_to(self.chapters.parent).as_posix()
        return f'<a href="{there}">{text}</a>'

    def _count(self) -> int:
        return sum(
            len(names) for family in self.rows.values() for names in family.values()
        )


def table(chapters: str = "chapters") -> Table:
    """Every layer of the package with the lines and bends that a call of it ran."""
    return Table(chapters)
