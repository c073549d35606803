"""What NLinear costs next to delu's, forward and backward: `make bench`.

Each pair is measured in turn, so that a machine that changes its speed changes both,
and in several processes: where the tensors lie in memory is drawn anew in each, and can
cost a fifth. The ratio is the median over the processes; below 1, ours is faster.
"""

import statistics
from collections.abc import Iterator
from multiprocessing import get_context

import delu
import torch
from layers import calls, seconds

import layerlib

SHAPES = [(256, 64, 64, 64), (32, 256, 128, 128), (1024, 32, 16, 16)]
PROCESSES = 9


def pairs() -> Iterator[tuple[str, float, float]]:
    """For each shape and pass, its name, the time of delu's and of ours."""
    for batch, n, features, out in SHAPES:
        shapes = [(batch, n, features)]
        theirs = calls(delu.nn.NLinear(n, features, out), shapes)
        ours = calls(layerlib.NLinear(n, features, out), shapes)
        for kind in ours:
            name = f"{(batch, n, features, out)!s:22}{kind:14}"
            yield name, seconds(theirs[kind]), seconds(ours[kind])


def measured(_: int) -> list[tuple[str, float, float]]:
    """One process's share."""
    return list(pairs())


def main() -> None:
    """Prints the times in milliseconds, and their ratio, for each shape and pass."""
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        rounds = pool.map(measured, range(PROCESSES), chunksize=1)
    print(
        f"NLinear, {torch.get_num_threads()} threads, median of {PROCESSES} processes"
    )
    print(
        f"{'(batch, n, in, out)':22}{'pass':14}{'delu':>8}{'layerlib':>10}{'ratio':>7}"
    )
    for same_case in zip(*rounds, strict=True):
        (name, *_), *_ = same_case
        delus, layerlibs, ratio = (
            statistics.median(values)
            for values in zip(
                *((d * 1e3, m * 1e3, m / d) for _, d, m in same_case), strict=True
            )
        )
        print(f"{name}{delus:8.2f}{layerlibs:10.2f}{ratio:7.2f}")


if __name__ == "__main__":
    main()
