"""What the layers cost next to torch's own, forward and backward: `make bench`.

Both are measured in turn in one process, at sizes that a real network has, and each
ratio is the median of several rounds; below 1, ours is faster. The peak is what a call
with its backward pass allocates at most, with input and cotangent counted on both
sides, as torch's profiler reports it.
"""

import math
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._pytree import tree_leaves
from torch.utils.benchmark import Timer

import layerlib

ROUNDS = 5
IMAGE = (8, 64, 56, 56)
WORDS = (32, 128, 512)

CASES: dict[str, tuple[Callable[[Any], Any], list[tuple[int, ...]]]] = {
    "Linear 512 to 512": (lambda nn: nn.Linear(512, 512), [WORDS]),
    "Bilinear 64, 64 to 32": (lambda nn: nn.Bilinear(64, 64, 32), [(256, 64)] * 2),
    "Conv2d 3x3": (lambda nn: nn.Conv2d(64, 64, 3), [(8, 64, 32, 32)]),
    "Conv2d 1x1": (lambda nn: nn.Conv2d(64, 128, 1), [(8, 64, 32, 32)]),
    "Conv2d 7x7, stride 2": (
        lambda nn: nn.Conv2d(3, 64, 7, 2, 3),
        [(8, 3, 64, 64)],
    ),
    "Conv2d depthwise 3x3": (
        lambda nn: nn.Conv2d(64, 64, 3, padding=1, groups=64),
        [(8, 64, 32, 32)],
    ),
    "Conv1d 5, dilation 2": (
        lambda nn: nn.Conv1d(128, 128, 5, padding=4, dilation=2),
        [(16, 128, 256)],
    ),
    "Conv3d 3x3x3": (lambda nn: nn.Conv3d(16, 32, 3), [(2, 16, 16, 16, 16)]),
    "ConvTranspose2d 4x4, stride 2": (
        lambda nn: nn.ConvTranspose2d(64, 32, 4, 2, 1),
        [(8, 64, 32, 32)],
    ),
    "ReflectionPad2d": (lambda nn: nn.ReflectionPad2d(1), [IMAGE]),
    "Unfold 3x3": (lambda nn: nn.Unfold(3), [(8, 64, 32, 32)]),
    "MaxPool2d 3x3, stride 2": (lambda nn: nn.MaxPool2d(3, 2, 1), [IMAGE]),
    "AvgPool2d 2x2": (lambda nn: nn.AvgPool2d(2), [IMAGE]),
    "AdaptiveAvgPool2d to 1x1": (lambda nn: nn.AdaptiveAvgPool2d(1), [IMAGE]),
    "AdaptiveAvgPool2d to 7x7": (lambda nn: nn.AdaptiveAvgPool2d(7), [IMAGE]),
    "Upsample bilinear": (
        lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"),
        [(8, 64, 32, 32)],
    ),
    "Upsample nearest": (lambda nn: nn.Upsample(scale_factor=2), [(8, 64, 32, 32)]),
    "PixelShuffle": (lambda nn: nn.PixelShuffle(2), [(8, 64, 32, 32)]),
    "BatchNorm2d": (lambda nn: nn.BatchNorm2d(64), [IMAGE]),
    "InstanceNorm2d": (lambda nn: nn.InstanceNorm2d(64), [IMAGE]),
    "GroupNorm": (lambda nn: nn.GroupNorm(8, 64), [IMAGE]),
    "LayerNorm": (lambda nn: nn.LayerNorm(512), [WORDS]),
    "RMSNorm": (lambda nn: nn.RMSNorm(512), [WORDS]),
    "ReLU": (lambda nn: nn.ReLU(), [WORDS]),
    "GELU": (lambda nn: nn.GELU(), [WORDS]),
    "SiLU": (lambda nn: nn.SiLU(), [WORDS]),
    "ELU": (lambda nn: nn.ELU(), [WORDS]),
    "Sigmoid": (lambda nn: nn.Sigmoid(), [WORDS]),
    "GLU": (lambda nn: nn.GLU(), [WORDS]),
    "Softmax": (lambda nn: nn.Softmax(-1), [WORDS]),
    "LogSoftmax": (lambda nn: nn.LogSoftmax(-1), [WORDS]),
    "Dropout": (lambda nn: nn.Dropout(0.1), [WORDS]),
    "Embedding": (lambda nn: Words(nn.Embedding(10000, 256)), [(64, 128)]),
    "EmbeddingBag": (lambda nn: Words(nn.EmbeddingBag(10000, 256)), [(64, 128)]),
    "RNN": (lambda nn: nn.RNN(128, 128, batch_first=True), [(64, 100, 128)]),
    "LSTM": (lambda nn: nn.LSTM(128, 128, batch_first=True), [(64, 100, 128)]),
    "GRU": (lambda nn: nn.GRU(128, 128, batch_first=True), [(64, 100, 128)]),
    "MultiheadAttention": (
        lambda nn: nn.MultiheadAttention(512, 8, batch_first=True),
        [WORDS] * 3,
    ),
    "TransformerEncoderLayer": (
        lambda nn: nn.TransformerEncoderLayer(512, 8, 2048, batch_first=True),
        [WORDS],
    ),
    "TransformerDecoderLayer": (
        lambda nn: nn.TransformerDecoderLayer(512, 8, 2048, batch_first=True),
        [WORDS] * 2,
    ),
}


class Words(torch.nn.Module):
    """Whole numbers out of a drawn input, for the layers that look words up."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self.table = table

    def forward(self, drawn: Tensor) -> Any:
        """The rows of some words."""
        return self.table((drawn.detach().abs() * 1e4).long() % 10000)


def calls(layer: Any, shapes: list[tuple[int, ...]]) -> dict[str, Callable[[], object]]:
    """The forward pass alone, and with the backward pass."""
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    roots = [x for x in tree_leaves(layer(*inputs)) if x is not None]
    cotangents = [torch.randn_like(x) for x in roots]
    leaves = [x for x in [*inputs, *layer.parameters()] if x.requires_grad]

    def both() -> object:
        made = [x for x in tree_leaves(layer(*inputs)) if x is not None]
        return torch.autograd.grad(made, leaves, cotangents, allow_unused=True)

    return {"forward": lambda: layer(*inputs), "and backward": both}


def seconds(run: Callable[[], object]) -> float:
    """Median time of one call."""
    timer = Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=0.05).median


def peak(layer: Any, shapes: list[tuple[int, ...]]) -> int:
    """Bytes: of inputs and cotangents, and what a call allocates beyond them."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as told:
        calls(layer, shapes)["and backward"]()
    events = told.profiler.kineto_results.events()  # type: ignore[union-attr]
    held = most = 0
    for event in sorted(
        (e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()
    ):
        held += event.nbytes()
        most = max(most, held)
    return most


def main(chosen: list[str]) -> None:
    """Prints the times in milliseconds, the ratios, and the ratio of the peaks."""
    print(f"{torch.get_num_threads()} threads, median of {ROUNDS} rounds, milliseconds")
    print(f"{'layer':32}{'pass':14}{'torch':>9}{'layerlib':>10}{'ratio':>7}{'peak':>7}")
    ratios: dict[str, list[float]] = {"forward": [], "and backward": []}
    for name, (build, shapes) in CASES.items():
        if chosen and not any(word in name for word in chosen):
            continue
        torch.manual_seed(0)
        layers = [build(nn) for nn in (torch.nn, layerlib)]
        peaks = [peak(layer, shapes) for layer in layers]
        theirs, ours = (calls(layer, shapes) for layer in layers)
        for kind, found in ratios.items():
            times = [
                (seconds(theirs[kind]), seconds(ours[kind])) for _ in range(ROUNDS)
            ]
            found.append(statistics.median(m / t for t, m in times))
            right, mine = (
                statistics.median(each) * 1e3 for each in zip(*times, strict=True)
            )
            told = f"{peaks[1] / peaks[0]:7.2f}" if kind == "and backward" else ""
            print(
                f"{name:32}{kind:14}{right:9.2f}{mine:10.2f}{found[-1]:7.2f}{told}",
                flush=True,
            )
    for kind, found in ratios.items():
        mean = math.exp(statistics.fmean(map(math.log, found)))
        print(f"{'geometric mean, largest':32}{kind:14}{mean:26.2f}{max(found):7.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
