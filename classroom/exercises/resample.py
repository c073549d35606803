"""The exercises on resampling."""

import torch
from einops import reduce
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.recipe import Rearrange, Recipe
from layerlib.resample import RESAMPLE, RESAMPLE_3D, triangle

TILES = Rearrange("b c (h kh) (w kw) -> b c h kh w kw")


def _area(x: Tensor, kh: int, kw: int) -> Tensor:
    return TILES(x, kh=kh, kw=kw).mean((3, 5))


def _inside(x: Tensor, place: Tensor) -> Tensor:
    return place.clamp(0, x.shape[-1] - 1)


def _sample(x: Tensor, place: Tensor) -> Tensor:
    return _triangles(x, _inside(x, place))


def _exchanged(x: Tensor, place: Tensor) -> Tensor:
    left = _inside(x, place).long()
    right = (left + 1).clamp(max=x.shape[-1] - 1)
    share = _inside(x, place) - left
    return share * x[:, left] + (1 - share) * x[:, right]


def _right(x: Tensor, place: Tensor) -> Tensor:
    return x[:, (_inside(x, place).long() + 1).clamp(max=x.shape[-1] - 1)]


def _triangles(x: Tensor, place: Tensor) -> Tensor:
    distance = place[:, None] - torch.arange(x.shape[-1])
    return Recipe("b w, n w -> b n")(x, (1 - distance.abs()).clamp(min=0))


def _weighed(x: Tensor, k: int, width: int, middle: float = 0.5) -> Tensor:
    """Triangles around each new cell, not yet divided by their sum."""
    centre = (torch.arange(x.shape[-1] // k) + middle) * k
    distance = torch.arange(x.shape[-1]) + 0.5 - centre[:, None]
    weight = (1 - distance.abs() / width).clamp(min=0)
    return Recipe("b h, w h -> b w")(x, weight)


def _antialias(x: Tensor, k: int) -> Tensor:
    old = torch.arange(x.shape[-1]) + 0.5
    new = (torch.arange(x.shape[-1] // k) + 0.5) * k
    weight = (1 - (old - new[:, None]).abs() / k).clamp(min=0)
    weight = weight / weight.sum(1, keepdim=True)
    return Recipe("b h, w h -> b w")(x, weight)


EXERCISES: dict[str, Exercise] = {
    "resample-place": Question(
        (3 + 0.5) * 4 / 8 - 0.5,
        {
            "That is the place of its edge; a cell is where its center is.": 3 * 4 / 8,
            "The center of input cell 0 is at 0, not at a half: subtract it.": 1.75,
            "That is with corners aligned; here the outer edges coincide.": 3 * 3 / 7,
            "The step is upside down: four cells become eight.": 6.5,
        },
    ),
    "resample-each": Task(
        "picture: b c h w, high: b y h, wide: b x w -> b c y x",
        Recipe("b c h w, b y h, b x w -> b c y x"),
        {
            "The output's height and width are exchanged.": (
                "b c h w, b y h, b x w -> b c x y"
            ),
            "The matrices of all examples are added up; each has its own.": (
                "b c h w, g y h, k x w -> b c y x"
            ),
            "The matrices are read the other way; their rows are output cells.": (
                "b c h w, b h y, b w x -> b c y x"
            ),
            "The channels are summed; each is resampled by itself.": (
                "b c h w, b y h, b x w -> b y x"
            ),
        },
    ),
    "resample-area": Task(
        "x: b c (h kh) (w kw) -> b c h w",
        _area,
        {
            "The cells are added; the mean of a blank picture is blank.": (
                lambda x, kh, kw: _area(x, kh, kw) * kh * kw
            ),
            "One cell of each tile is taken; that is nearest, and it aliases.": (
                lambda x, kh, kw: x[:, :, ::kh, ::kw]
            ),
            "The axes are split as (kh h): cells that are far apart are averaged.": (
                lambda x, kh, kw: reduce(
                    x, "b c (kh h) (kw w) -> b c h w", "mean", kh=kh, kw=kw
                )
            ),
            "The largest cell of each tile is taken; area is the mean.": (
                lambda x, kh, kw: reduce(
                    x, "b c (h kh) (w kw) -> b c h w", "max", kh=kh, kw=kw
                )
            ),
        },
        without=["interpolate", "avg_pool2d", "adaptive_avg_pool2d"],
        numbers=["kh", "kw"],
    ),
    "resample-sample": Task(
        "x: b w, place: n -> b n",
        _sample,
        {
            "Beyond the edge there is nothing; the edge cell is to be repeated.": (
                _triangles
            ),
            "The cell to the left is taken, and nothing is blended.": (
                lambda x, place: x[:, _inside(x, place).long()]
            ),
            "The nearest cell is taken, and nothing is blended.": (
                lambda x, place: x[:, (_inside(x, place) + 0.5).long()]
            ),
            "Half of each neighbor is taken; the nearer one counts more.": (
                lambda x, place: (x[:, _inside(x, place).long()] + _right(x, place)) / 2
            ),
            "The two shares are exchanged: the nearer cell has more weight.": (
                _exchanged
            ),
        },
        without=["grid_sample", "interpolate", "grid_sampler_2d"],
    ),
    "resample-gradient": Task(
        "gradient: b c y x, high: y h, wide: x w -> b c h w",
        RESAMPLE.gradient(0),
        {
            "That is the forward pass: its matrices must be read the other way.": (
                "b c h w, y h, x w -> b c y x"
            ),
            "The gradient's height and width are exchanged.": (
                "b c y x, y h, x w -> b c w h"
            ),
            "The channels are summed; each has a gradient of its own.": (
                "b c y x, y h, x w -> b h w"
            ),
        },
    ),
    "resample-antialias": Task(
        "x: b (w k) -> b w",
        _antialias,
        {
            "The weights of a row must add up to 1: divide by their sum.": (
                lambda x, k: _weighed(x, k, k)
            ),
            "The triangle is as narrow as one cell; make it as wide as the step.": (
                lambda x, k: _weighed(x, k, 1) / _weighed(torch.ones_like(x[:1]), k, 1)
            ),
            "That is the mean of a tile; the triangle reaches into its neighbors.": (
                lambda x, k: reduce(x, "b (w k) -> b w", "mean", k=k)
            ),
            "The triangle stands on the edge of the new cell, not on its center.": (
                lambda x, k: (
                    _weighed(x, k, k, 0.0) / _weighed(torch.ones_like(x[:1]), k, k, 0.0)
                )
            ),
        },
        without=["interpolate", "avg_pool1d"],
        numbers=["k"],
    ),
    "resample-story-blend": Question(
        (4, 5, 7, 6, 2, 0),
        {
            "The shares are exchanged: the nearer pixel has the larger weight.": (
                (4, 7, 5, 2, 6, 0)
            ),
            "Outside the centers the edge pixel is repeated; nothing there is 0.": (
                (3, 5, 7, 6, 2, 0)
            ),
            "Those are the positions by the corners; here the edges coincide.": (
                (4, 5.6, 7.2, 6.4, 3.2, 0)
            ),
            "Each pixel is written twice; mode linear blends two neighbors.": (
                (4, 4, 8, 8, 0, 0)
            ),
        },
    ),
    "resample-story-weights": Task(
        "position: x, pixel: w -> x w",
        lambda position, pixel: triangle(position[:, None] - pixel),
        {
            "It has a row for each old pixel; a row belongs to a new one.": (
                lambda position, pixel: triangle(position - pixel[:, None])
            ),
            "A distance has no sign: pixels on both sides of a position count.": (
                lambda position, pixel: (1 - (position[:, None] - pixel)).clamp(min=0)
            ),
            "Further away than 1 the weight is 0, and not negative.": (
                lambda position, pixel: 1 - (position[:, None] - pixel).abs()
            ),
            "That is the distance; the weight is 1 where the distance is 0.": (
                lambda position, pixel: (position[:, None] - pixel).abs().clamp(max=1)
            ),
        },
        without=["interpolate"],
    ),
    "resample-story-volume": Task(
        "volume: b c d h w, deep: z d, high: y h, wide: x w -> b c z y x",
        RESAMPLE_3D,
        {
            "The matrices are read the other way; their rows are new pixels.": (
                "b c d h w, d z, h y, w x -> b c z y x"
            ),
            "The output is to be (z, y, x): depth, height, width.": (
                "b c d h w, z d, y h, x w -> b c x y z"
            ),
            "The channels are summed; each is resampled by itself.": (
                "b c d h w, z d, y h, x w -> b z y x"
            ),
            "The depth is summed away; its matrix gives the output a z.": (
                "b c d h w, z d, y h, x w -> b c y x"
            ),
        },
    ),
}
