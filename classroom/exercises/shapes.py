"""The exercises on shapes."""

from classroom.judge import Exercise, Question, Task
from layerlib.recipe import Rearrange

EXERCISES: dict[str, Exercise] = {
    "shapes-read": Question(
        (2, 20, 3),
        {
            "The parentheses make one axis out of h and w.": (2, 4, 5, 3),
            "The axes come in the order of the right side: c is the last.": (2, 3, 20),
            "Merging multiplies the two sizes; it does not add them.": (2, 9, 3),
        },
    ),
    "shapes-flatten": Task(
        "image: b c h w -> b (c h w)",
        Rearrange("b c h w -> b (c h w)"),
        {
            "The channels run fastest; they are to run slowest.": (
                "b c h w -> b (h w c)"
            ),
            "Rows and columns are exchanged: w is to run fastest.": (
                "b c h w -> b (c w h)"
            ),
            "The examples are merged into the same axis; b stays by itself.": (
                "b c h w -> (b c h w)"
            ),
        },
        without=["flatten"],
    ),
    "shapes-patches": Task(
        "image: b c (h kh) (w kw) -> b (h w) (c kh kw)",
        Rearrange("b c (h kh) (w kw) -> b (h w) (c kh kw)"),
        {
            "The patches are listed column by column: (w h) in place of (h w).": (
                "b c (h kh) (w kw) -> b (w h) (c kh kw)"
            ),
            "Rows and columns within a patch are exchanged: (kw kh) for (kh kw).": (
                "b c (h kh) (w kw) -> b (h w) (c kw kh)"
            ),
            "The channels run fastest: (kh kw c) in place of (c kh kw).": (
                "b c (h kh) (w kw) -> b (h w) (kh kw c)"
            ),
            "A patch takes pixels that lie apart: (kh h) splits in the wrong order.": (
                "b c (kh h) (kw w) -> b (h w) (c kh kw)"
            ),
            "A reshape alone moves no axis, so a patch is a piece of a row.": (
                lambda image, kh, kw: image.reshape(
                    len(image),
                    image.shape[2] // kh * (image.shape[3] // kw),
                    image.shape[1] * kh * kw,
                )
            ),
        },
        without=["im2col"],
        numbers=["kh", "kw"],
    ),
    "shapes-unshuffle": Task(
        "image: b c (h kh) (w kw) -> b (c kh kw) h w",
        Rearrange("b c (h kh) (w kw) -> b (c kh kw) h w"),
        {
            "The channels run fastest: (kh kw c) in place of (c kh kw).": (
                "b c (h kh) (w kw) -> b (kh kw c) h w"
            ),
            "Rows and columns of a tile are exchanged: (kw kh) for (kh kw).": (
                "b c (h kh) (w kw) -> b (c kw kh) h w"
            ),
            "A tile takes pixels that lie apart: (kh h) splits in the wrong order.": (
                "b c (kh h) (kw w) -> b (c kh kw) h w"
            ),
        },
        without=["pixel_unshuffle"],
        numbers=["kh", "kw"],
    ),
    "shapes-channels": Task(
        "image: b (c g) h w -> b (g c) h w",
        Rearrange("b (c g) h w -> b (g c) h w"),
        {
            "This deals once more: on the left the group runs fastest.": (
                "b (g c) h w -> b (c g) h w"
            ),
            "Nothing has moved: the two letters are to change places.": (
                "b (c g) h w -> b (c g) h w"
            ),
            "Height and width have changed places as well; only g and c are to.": (
                "b (c g) h w -> b (g c) w h"
            ),
        },
        without=["channel_shuffle", "native_channel_shuffle"],
        numbers=["g"],
    ),
    "shapes-sheet": Task(
        "images: (y x) c h w -> c (y h) (x w)",
        Rearrange("(y x) c h w -> c (y h) (x w)"),
        {
            "The images are laid out column by column: (x y) in place of (y x).": (
                "(x y) c h w -> c (y h) (x w)"
            ),
            "The pixels of the images are mixed: each image is to stay whole.": (
                "(y x) c h w -> c (h y) (w x)"
            ),
            "The sheet has x rows; x is the number of its columns.": (
                "(x y) c h w -> c (x h) (y w)"
            ),
        },
        numbers=["x"],
    ),
    "shapes-story-strip": Task(
        "images: b c h w -> c h (b w)",
        Rearrange("b c h w -> c h (b w)"),
        {
            "The pictures are torn into columns: in (w b) the picture runs fastest.": (
                "b c h w -> c h (w b)"
            ),
            "They stand below each other: the pictures are to be merged with w.": (
                "b c h w -> c (b h) w"
            ),
            "This is a batch still: the channels are to come first.": (
                "b c h w -> h (b w) c"
            ),
            "A reshape moves no axis, so each picture is torn into pieces.": (
                lambda images: images.reshape(*images.shape[1:3], -1)
            ),
        },
    ),
    "shapes-story-deal": Task(
        "image: b (g c) h w -> b (c g) h w",
        Rearrange("b (g c) h w -> b (c g) h w"),
        {
            "Nothing has moved: in (g c) the channel still runs fastest.": (
                "b (g c) h w -> b (g c) h w"
            ),
            "This is the way back: the channels come as (g c), the group outside.": (
                "b (c g) h w -> b (g c) h w"
            ),
            "The groups are an axis of their own; merge them with the channels.": (
                "b (g c) h w -> b g c h w"
            ),
            "Height and width have changed places as well; only g and c are to.": (
                "b (g c) h w -> b (c g) w h"
            ),
        },
        without=["channel_shuffle", "native_channel_shuffle"],
        numbers=["g"],
    ),
}
