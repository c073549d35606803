"""What NLinear costs next to delu's, forward and backward: `make bench`.

Each pair is measured in turn, several times, in one process: machines change their
speed, and the ratio of neighbours does not mind. A ratio below 1 says that ours is
faster.
"""

import statistics
from collections.abc import Callable

import delu
import torch
from torch import Tensor, nn
from torch.utils.benchmark import Timer

import layerlib

SHAPES = [(256, 64, 64, 64), (32, 256, 128, 128), (1024, 32, 16, 16)]
ROUNDS = 9


def measured(run: Callable[[], object]) -> float:
    """Median seconds of one call."""
    timer = Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=0.2).median


def calls(
    layer: nn.Module, x: Tensor, cotangent: Tensor
) -> dict[str, Callable[[], object]]:
    """The forward pass alone, and with the backward pass."""
    leaves = [x, *layer.parameters()]
    return {
        "forward": lambda: layer(x),
        "and backward": lambda: torch.autograd.grad(layer(x), leaves, cotangent),
    }


def main() -> None:
    """Prints the times and their ratio for each shape."""
    print(f"NLinear, {torch.get_num_threads()} threads, median of {ROUNDS} pairs")
    print(
        f"{'(batch, n, in, out)':22}{'pass':14}{'delu':>9}{'layerlib':>10}{'ratio':>8}"
    )
    for batch, n, features, out in SHAPES:
        x = torch.randn(batch, n, features, requires_grad=True)
        cotangent = torch.randn(batch, n, out)
        theirs = calls(delu.nn.NLinear(n, features, out), x, cotangent)
        ours = calls(layerlib.NLinear(n, features, out), x, cotangent)
        for kind in ours:
            pairs = [
                (measured(theirs[kind]), measured(ours[kind])) for _ in range(ROUNDS)
            ]
            delus, layerlibs = (
                statistics.median(times) for times in zip(*pairs, strict=True)
            )
            ratio = statistics.median(mine / right for right, mine in pairs)
            shape = str((batch, n, features, out))
            print(
                f"{shape:22}{kind:14}{delus * 1e3:6.2f} ms{layerlibs * 1e3:7.2f} ms"
                f"{ratio:8.2f}"
            )


if __name__ == "__main__":
    main()
