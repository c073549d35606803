"""Examples of the layers that only rearrange, and the known mistakes; what the answers are compared with."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (its usual name)

from examples import Example

CLASSES = {
    "ChannelShuffle": [Example([(2, 6, 3)], (3,))],
    "Flatten": [Example([(2, 3, 4)]), Example([(2, 3, 4)], (0, 1))],
    "Identity": [Example([(2, 3)]), Example([(2, 3)], (1,), {"spare": 2})],
    "PixelShuffle": [Example([(2, 12, 2, 3)], (2,))],
    "PixelUnshuffle": [Example([(2, 3, 4, 6)], (2,))],
    "Unflatten": [Example([(2, 12)], (1, (3, 4)))],
}

FUNCTIONS = {
    "channel_shuffle": [Example([(2, 6, 3)], (3,))],
    "flatten": [Example([(2, 3, 4)], (1, -1)), Example([(2, 3, 4)], (0, 1))],
    "pixel_shuffle": [Example([(2, 12, 2, 3)], (2,))],
    "pixel_unshuffle": [Example([(2, 3, 4, 6)], (2,))],
    "unflatten": [Example([(2, 12)], (1, (3, -1)))],
}

MISTAKES = {
    "shapes": {
        "width and height of the tiles exchanged": (
            '"... (c kh kw) h w -> ... c (h kh) (w kw)"',
            '"... (c kw kh) h w -> ... c (h kh) (w kw)"',
        ),
        "tiles laid out by the tile first": (
            '"... (c kh kw) h w -> ... c (h kh) (w kw)"',
            '"... (c kh kw) h w -> ... c (kh h) (kw w)"',
        ),
        "channels of a tile taken first": (
            '"... (c kh kw) h w -> ... c (h kh) (w kw)"',
            '"... (kh kw c) h w -> ... c (h kh) (w kw)"',
        ),
        "unshuffle reads the tile first": (
            '"... c (h kh) (w kw) -> ... (c kh kw) h w"',
            '"... c (kh h) (kw w) -> ... (c kh kw) h w"',
        ),
        "channels dealt out the other way": (
            '"b (g c) ... -> b (c g) ..."',
            '"b (c g) ... -> b (g c) ..."',
        ),
        "channels not dealt out": (
            '"b (g c) ... -> b (c g) ..."',
            '"b (g c) ... -> b (g c) ..."',
        ),
        "the end left out": ("n=end_dim + 1 - start_dim", "n=end_dim - start_dim"),
        "one axis more": ("n=end_dim + 1 - start_dim", "n=end_dim + 2 - start_dim"),
        "the axis behind instead of the axis": ("b=dim, n=sizes", "b=dim + 1, n=sizes"),
        "merged the other way": ('"*b *n ... -> *b (*n) ..."', '"*b *n ... -> *n (*b) ..."'),
    },
    "conventions.shapes": {
        "-1 takes the whole length": ("length // known if size == -1", "length if size == -1"),
        "an axis that is not there": ("-axes <= dim < axes", "True"),
        "the start behind the end": ("first <= last", "True"),
        "channels last become channels first": ("call.then(channels_last)", "pass"),
    },
    "shapes purity": {
        "torch's own function": (
            "return CHANNEL_SHUFFLE(input, g=groups)",
            "return nn.functional.channel_shuffle(input, groups)",
        ),
    },
}  # fmt: skip


def sheet(images: Tensor, columns: int) -> Tensor:
    rows = [torch.cat([*row], -1) for row in images.split(columns)]
    return torch.cat(rows, -2)


ANSWERS: dict[str, Callable[..., Any]] = {
    "shapes-flatten": lambda x: torch.flatten(x, 1),
    "shapes-patches": lambda x, kh, kw: F.unfold(x, (kh, kw), stride=(kh, kw)).mT,
    "shapes-unshuffle": lambda x, kh, kw: F.unfold(
        x, (kh, kw), stride=(kh, kw)
    ).reshape(len(x), -1, x.shape[2] // kh, x.shape[3] // kw),
    "shapes-channels": lambda x, g: F.channel_shuffle(x, x.shape[1] // g),
    "shapes-sheet": sheet,
    "shapes-story-strip": lambda x: torch.cat([*x], -1),
    "shapes-story-deal": F.channel_shuffle,
}
