"""The exercises on transposed convolutions."""

from einops import rearrange
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.conv_transpose import conv_transpose1d
from layerlib.engine.windows import Kernel
from layerlib.recipe import Rearrange, Recipe
from layerlib.windows import overlap_add

STAMPS = Recipe("b i w, i o k -> b o w k")


def _overlap(x: Tensor, weight: Tensor) -> Tensor:
    w, k = x.shape[-1], weight.shape[-1]
    return overlap_add(STAMPS(x, weight), (w + k - 1,), Kernel((k,)))[..., :w]


def _last_stamp_wins(x: Tensor, weight: Tensor) -> Tensor:
    stamps = STAMPS(x, weight)
    y = stamps.new_zeros(*stamps.shape[:2], stamps.shape[2] + stamps.shape[3])
    for w, stamp in enumerate(stamps.unbind(2)):
        y[..., w : w + stamp.shape[-1]] = stamp
    return y[..., : x.shape[-1]]


def _last_place_wins(x: Tensor, weight: Tensor) -> Tensor:
    stamps = STAMPS(x, weight)
    y = stamps.new_zeros(*stamps.shape[:2], stamps.shape[2] + stamps.shape[3])
    for k, numbers in enumerate(stamps.unbind(3)):
        y[..., k : k + numbers.shape[-1]] = numbers
    return y[..., : x.shape[-1]]


def _tiles(x: Tensor, weight: Tensor) -> Tensor:
    return _untiled(x, weight, "b o h w kh kw -> b o (h kh) (w kw)")


def _untiled(x: Tensor, weight: Tensor, pattern: str) -> Tensor:
    stamps = Recipe("b i h w, i o kh kw -> b o h w kh kw")(x, weight)
    tiled: Tensor = rearrange(stamps, pattern)
    return tiled


def _weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    seen = rearrange(gradient, "b o (w k) -> b o w k", w=x.shape[-1])
    return Recipe("b o w k, b i w -> i o k")(seen, x)


EXERCISES: dict[str, Exercise] = {
    "conv_transpose-size": Question(
        (10 - 1) * 3 + 4 - 2,
        {
            "The padding is left out: it crops the output, on both sides.": 31,
            "The padding crops both sides, so it counts twice.": 30,
            "Padding makes this output shorter, not longer.": 33,
            "That is the convolution; this layer goes the other way.": 3,
            "Ten stamps are nine steps apart, and the last one is 4 long.": 32,
        },
    ),
    "conv_transpose-stamps": Task(
        "x: b i w, weight: i o k -> b o w k",
        STAMPS,
        {
            "The weight is read as (o, i, k): here the inputs come first.": (
                "b i w, o i k -> b o w k"
            ),
            "The places of the kernel come last, after those of the input.": (
                "b i w, i o k -> b o k w"
            ),
            "k is summed: a stamp keeps all places of the kernel.": (
                "b i w, i o k -> b o w"
            ),
        },
    ),
    "conv_transpose-overlap": Task(
        "x: b i w, weight: i o k -> b o w",
        _overlap,
        {
            "Where stamps overlap they are to be added; here the last one wins.": (
                _last_stamp_wins
            ),
            "Each place of the kernel writes over those before it; add them.": (
                _last_place_wins
            ),
            "The kernel is flipped: its first number belongs at the cell itself.": (
                lambda x, w: conv_transpose1d(x, w.flip(-1))[..., : x.shape[-1]]
            ),
            "The front is cropped; the cells to leave out are at the end.": (
                lambda x, w: conv_transpose1d(x, w)[..., w.shape[-1] - 1 :]
            ),
            "Each stamp is averaged over the kernel; its numbers are to be added.": (
                lambda x, w: _overlap(x, w) / w.shape[-1]
            ),
        },
        without=["conv_transpose1d", "conv1d", "convolution", "fold", "col2im"],
    ),
    "conv_transpose-tiles": Task(
        "x: b i h w, weight: i o kh kw -> b o (h kh) (w kw)",
        _tiles,
        {
            "The tile is outside and the picture inside: h runs slower than kh.": (
                lambda x, w: _untiled(x, w, "b o h w kh kw -> b o (kh h) (kw w)")
            ),
            "The kernel is flipped; a stamp is the kernel as it is.": (
                lambda x, w: _tiles(x, w.flip(2, 3))
            ),
            "The weight is read as (o, i): here the inputs come first.": (
                lambda x, w: _tiles(x, w.transpose(0, 1))
            ),
            "Each cell is repeated, without the weights of its tile.": (
                lambda x, w: _tiles(x, w.mean((2, 3), keepdim=True).expand_as(w))
            ),
        },
        without=["conv_transpose2d", "conv2d", "convolution", "fold", "col2im"],
    ),
    "conv_transpose-gradient": Task(
        "x: b i w, gradient: b o (w k) -> i o k",
        _weight_gradient,
        {
            "It is laid out as (o, i, k); a gradient has the shape of its weight.": (
                lambda x, g: _weight_gradient(x, g).transpose(0, 1)
            ),
            "The tiles are split as (k w): k runs faster than w.": (
                lambda x, g: Recipe("b o k w, b i w -> i o k")(
                    rearrange(g, "b o (k w) -> b o k w", w=x.shape[-1]), x
                )
            ),
            "It is a mean over the batch; what all examples ask for is added up.": (
                lambda x, g: _weight_gradient(x, g) / max(1, len(x))
            ),
        },
        empty=False,
    ),
    "conv_transpose-pixels": Task(
        "weight: (g i) o kh kw -> (g o kh kw) i 1 1",
        Rearrange("(g i) o kh kw -> (g o kh kw) i 1 1"),
        {
            "The channels run fastest; PixelShuffle wants them outside the tile.": (
                lambda w, g: rearrange(w, "(g i) o kh kw -> (g kh kw o) i 1 1", g=g)
            ),
            "The groups are inside; in a grouped layer they are outermost.": (
                lambda w, g: rearrange(w, "(g i) o kh kw -> (o g kh kw) i 1 1", g=g)
            ),
            "The input channels are split as (i g); the groups come first.": (
                lambda w, g: rearrange(w, "(i g) o kh kw -> (g o kh kw) i 1 1", g=g)
            ),
            "Rows and columns of the tile are exchanged.": (
                lambda w, g: rearrange(w, "(g i) o kh kw -> (g o kw kh) i 1 1", g=g)
            ),
        },
        numbers=["g"],
    ),
    "conv_transpose-story-lay": Question(
        (2, 4, 19, 2, 6, 6, 12),
        {
            "Where stamps overlap they are to be added; here the last one wins.": (
                (2, 4, 11, 2, 3, 6, 12)
            ),
            "The stamps lie one cell apart; here the stride is 2.": (2, 15, 13, 9, 12),
            "The stamps are flipped: their first number belongs at the start.": (
                (8, 4, 5, 2, 23, 6, 3)
            ),
            "Nothing overlaps: the stamps lie three cells apart, not two.": (
                (2, 4, 8, 11, 2, 3, 3, 6, 12)
            ),
        },
    ),
    "conv_transpose-story-six": Question(
        (4, 9, 2, 7, 6, 12),
        {
            "No zero is added: the last stamp has a number there.": (4, 9, 2, 7, 6, 0),
            "The cell that is kept is at the end; padding still crops the front.": (
                (2, 4, 9, 2, 7, 6)
            ),
            "The added cell is at the end, and it is no zero.": (0, 4, 9, 2, 7, 6),
            "That is without output_padding; a sixth number follows.": (4, 9, 2, 7, 6),
            "Padding 1 still takes the first cell away.": (2, 4, 9, 2, 7, 6, 12),
        },
    ),
}
