"""The exercises on convolutions."""

from einops import rearrange, reduce
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.conv import conv1d
from layerlib.recipe import Recipe
from layerlib.windows import pad


def _padded(x: Tensor, weight: Tensor, before: int, after: int) -> Tensor:
    seen = pad(x, (before, after)).unfold(-1, weight.shape[-1], 1)
    return Recipe("b i w k, o i k -> b o w")(seen, weight)


def _same(x: Tensor, weight: Tensor) -> Tensor:
    return _padded(x, weight, (weight.shape[-1] - 1) // 2, weight.shape[-1] // 2)


def _causal(x: Tensor, weight: Tensor, groups: int) -> Tensor:
    reach = 2 * (weight.shape[-1] - 1)
    seen = rearrange(pad(x, (reach, 0)), "b (g i) w -> b g i w", g=groups)
    seen = seen.unfold(-1, reach + 1, 1)[..., ::2]
    kernels = rearrange(weight, "(g o) i k -> g o i k", g=groups)
    y = Recipe("b g i w k, g o i k -> b g o w")(seen, kernels)
    return y.flatten(1, 2)


def _weigh(seen: Tensor, weight: Tensor) -> Tensor:
    seen = rearrange(seen, "b i y x kh kw -> b 1 i y x kh kw")
    kernels = rearrange(weight, "o i kh kw -> 1 o i 1 1 kh kw")
    return reduce(seen * kernels, "b o i y x kh kw -> b o y x", "sum")


EXERCISES: dict[str, Exercise] = {
    "conv-count": Question(
        128 * (64 // 4) * 9 + 128,
        {
            "In 4 groups, each kernel sees a quarter of the 64 channels.": (
                128 * 64 * 9 + 128
            ),
            "The biases are missing: each output channel has one.": 128 * 16 * 9,
            "A kernel of 3 × 3 has 9 places for each channel.": 128 * 16 * 3 + 128,
            "A bias belongs to an output channel, not to a group.": 128 * 16 * 9 + 4,
        },
    ),
    "conv-pointwise": Task(
        "x: b i h w, weight: o i -> b o h w",
        Recipe("b i h w, o i -> b o h w"),
        {
            "The channels stand last; a convolution has them before h and w.": (
                "b i h w, o i -> b h w o"
            ),
            "h and w are summed: each pixel has an output of its own.": (
                "b i h w, o i -> b o"
            ),
        },
    ),
    "conv-same": Task(
        "x: b i w, weight: o i k -> b o w",
        _same,
        {
            "The kernel runs backwards; torch does not flip it.": (
                lambda x, w: conv1d(x, w.flip(-1), padding="same")
            ),
            "An odd number of zeros has its last one in front, not at the end.": (
                lambda x, w: _padded(x, w, w.shape[-1] // 2, (w.shape[-1] - 1) // 2)
            ),
            "All zeros are at the end; half of them belong in front.": (
                lambda x, w: _padded(x, w, 0, w.shape[-1] - 1)
            ),
            "All zeros are in front; half of them belong at the end.": (
                lambda x, w: _padded(x, w, w.shape[-1] - 1, 0)
            ),
            "No zeros are added: the output is shorter than the input.": conv1d,
            "The products are averaged over the channels; sum them.": (
                lambda x, w: conv1d(x, w, padding="same") / x.shape[1]
            ),
        },
        without=["conv1d", "convolution"],
    ),
    "conv-separable": Task(
        "depthwise: i kh kw, pointwise: o i -> o i kh kw",
        Recipe("i kh kw, o i -> o i kh kw"),
        {
            "It is laid out as (i, o, kh, kw); a weight has its outputs first.": (
                "i kh kw, o i -> i o kh kw"
            ),
            "i is summed; the dense weight has a kernel for each pair o, i.": (
                "i kh kw, o i -> o kh kw"
            ),
        },
    ),
    "conv-gradient": Task(
        "gradient: b o x, weight: o i k -> b i x k",
        Recipe("b o x, o i k -> b i x k"),
        {
            "It is laid out as (b, x, i, k); the windows have their channels first.": (
                "b o x, o i k -> b x i k"
            ),
            "o is still there: a window hears from all kernels, added up.": (
                "b o x, o i k -> b o i x k"
            ),
            "k is summed: each place in a window has a gradient of its own.": (
                "b o x, o i k -> b i x"
            ),
        },
    ),
    "conv-causal": Task(
        "x: b (g i) w, weight: (g o) i k -> b (g o) w",
        _causal,
        {
            "The zeros are at the end: each output sees what comes later.": (
                lambda x, w, g: _causal(x.flip(-1), w.flip(-1), g).flip(-1)
            ),
            "The zeros are on both sides: each output sees its future.": (
                lambda x, w, g: conv1d(x, w, None, 1, w.shape[-1] - 1, 2, g)
            ),
            "The dilation is missing: the window has no gaps.": (
                lambda x, w, g: conv1d(pad(x, (w.shape[-1] - 1, 0)), w, groups=g)
            ),
            "The kernel runs backwards; torch does not flip it.": (
                lambda x, w, g: _causal(x, w.flip(-1), g)
            ),
            "The channels go to the groups in turn; a group holds neighbors.": (
                lambda x, w, g: _causal(
                    rearrange(x, "b (i g) w -> b (g i) w", g=g), w, g
                )
            ),
            "The groups are merged into the batch; they belong with the channels.": (
                lambda x, w, g: rearrange(
                    _causal(x, w, g), "b (g o) w -> (b g) o w", g=g
                )
            ),
        },
        without=["conv1d", "convolution"],
        numbers=["g"],
    ),
    "conv-story-edge": Question(
        (0, 4, 4, -3),
        {
            "The kernel lies as it stands, -1 on the left: nothing is flipped.": (
                (0, -4, -4, 3)
            ),
            "Nothing lies beyond the border here: there are four windows.": (
                (1, 0, 4, 4, -3, -5)
            ),
            "The weight between -1 and 1 is 0: subtract cells that lie two apart.": (
                (0, 0, 4, 0, -3)
            ),
        },
    ),
    "conv-story-moves": Task(
        "seen: b i y x kh kw, weight: o i kh kw -> b o y x",
        _weigh,
        {
            "i is still there: an output sums over the channels, too.": (
                lambda seen, weight: (seen[:, None] * weight[:, :, None, None]).sum(
                    (-2, -1)
                )
            ),
            "The channels stand last; a picture has them before y and x.": (
                lambda seen, weight: _weigh(seen, weight).movedim(1, -1)
            ),
            "The kernel is read backwards; torch does not flip it.": (
                lambda seen, weight: _weigh(seen, weight.flip(-2, -1))
            ),
            "The products are averaged; sum them.": (
                lambda seen, weight: _weigh(seen, weight) / weight[0].numel()
            ),
        },
        without=["conv2d", "convolution", "matmul", "mm", "bmm", "einsum"],
    ),
    "conv-story-separable": Question(
        64 * 9 + 64 * 64,
        {
            "That is the dense layer.": 64 * 64 * 9,
            "The 1 × 1 convolution that mixes the channels is missing.": 64 * 9,
            "A 1 × 1 convolution has a weight for each pair of channels.": (
                64 * 9 + 64
            ),
            "A depthwise kernel sees one channel, not all 64.": (64 * 64 * 9 + 64 * 64),
            "Count the weights only, without the biases.": 64 * 9 + 64 * 64 + 128,
        },
    ),
}
