"""What the layers cost, next to torch's own and to peers: `make bench`.

Both are measured in turn in one process, at sizes that a real network has, and are
built anew for each round, since where tensors lie in memory can cost a fifth. A ratio
is the median over the rounds; below 1, layerlib is faster or leaner. The peak is what a
call with its backward pass allocates at most, with input and cotangent counted on both
sides, as torch's profiler reports it.
"""

import argparse
import contextlib
import json
import math
import os
import platform
import re
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # or the profiler writes into the table

import torch
from cases import Case, compiled, layers, models, page, peers
from torch.profiler import ProfilerActivity, profile
from torch.utils._pytree import tree_leaves
from torch.utils.benchmark import Timer

ROUNDS = 5
WIDE = 33  # the longest name

Run = Callable[[], object]
Shapes = list[tuple[int, ...]]
Timed = Callable[[Run], float]


class Row(NamedTuple):
    """A layer: theirs in milliseconds, and ratios of ours to theirs."""

    layer: str
    forward_ms: float
    forward: float
    backward_ms: float
    backward: float
    peak: float


HEADINGS = ("layer", "forward", "ratio", "and back", "ratio", "  peak")


class Table(NamedTuple):
    """What is measured next to what, and whether it can be."""

    title: str
    cases: Callable[[], Iterator[Case]]
    missing: str = ""


def tables() -> list[Table]:
    """All that is measured."""
    compiler = os.environ.get("CXX", "g++")
    found = shutil.which(compiler)
    return [
        Table("layerlib next to torch.nn", layers),
        Table(
            "layerlib, compiled, next to torch.nn, not compiled",
            compiled,
            "" if found else f"torch.compile needs a C++ compiler: no {compiler} here",
        ),
        Table("layerlib next to einx and delu", peers),
        Table("layerlib next to einx's page of common operations", page),
        Table("layerlib next to transformers, eager attention", models),
    ]


def calls(layer: Any, shapes: list[tuple[int, ...]]) -> tuple[Run, Run]:
    """The forward pass alone, and with the backward pass."""
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    roots = [x for x in tree_leaves(layer(*inputs)) if x is not None]
    cotangents = [torch.randn_like(x) for x in roots]
    leaves = [x for x in [*inputs, *layer.parameters()] if x.requires_grad]

    def both() -> object:
        made = [x for x in tree_leaves(layer(*inputs)) if x is not None]
        return torch.autograd.grad(made, leaves, cotangents, allow_unused=True)

    return lambda: layer(*inputs), both


def seconds(run: Run) -> float:
    """Median time of one call."""
    timer = Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=0.05).median


def peak(layer: Any, shapes: list[tuple[int, ...]]) -> int:
    """Bytes: of inputs and cotangents, and what a call allocates beyond them."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as told:
        calls(layer, shapes)[1]()
    events = told.profiler.kineto_results.events()  # type: ignore[union-attr]
    held = most = 0
    for event in sorted(
        (e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()
    ):
        held += event.nbytes()
        most = max(most, held)
    return most


def measured(case: Case, rounds: int, timed: Timed) -> Row:
    """A row of a table: both layers are built anew in each round."""
    forward, backward, peaks = [], [], []
    for _ in range(rounds):
        torch.manual_seed(0)
        pair = [build() for build in (case.theirs, case.ours)]
        if not peaks:
            peaks = [peak(layer, case.shapes) for layer in pair]
        alone, both = zip(*(calls(layer, case.shapes) for layer in pair), strict=True)
        forward.append([timed(run) for run in alone])
        backward.append([timed(run) for run in both])
    columns = []
    for times in (forward, backward):
        columns.append(1e3 * statistics.median(right for right, _ in times))
        columns.append(statistics.median(mine / right for right, mine in times))
    return Row(case.name, *columns, peaks[1] / peaks[0])


def summary(rows: Sequence[Row]) -> list[Row]:
    """The geometric mean and the largest of each ratio."""
    columns = list(zip(*rows, strict=True))[1:]
    means = [math.exp(statistics.fmean(map(math.log, column))) for column in columns]
    return [Row("geometric mean", *means), Row("largest", *map(max, columns))]


def machine() -> str:
    """What it is measured on, in two lines."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        name = [*re.findall(r"^model name\s*: (.*)$", told, re.MULTILINE), name][0]
    return (
        f"{name}, {os.cpu_count()} cores; {platform.system()} {platform.release()}\n"
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads"
    )


def line(cells: Sequence[str]) -> str:
    """A row of a table in Markdown, its columns below each other."""
    first, *others = cells
    wide = map(len, HEADINGS[1:])
    shown = (f"{cell:>{w}}" for cell, w in zip(others, wide, strict=True))
    return f"| {first:{WIDE}} | {' | '.join(shown)} |"


def cells(row: Row, *, times: bool = True) -> list[str]:
    """What is written in a row; times say nothing in a summary."""
    layer, *numbers = row
    hidden = () if times else (0, 2)
    told = (("" if n in hidden else f"{x:.2f}") for n, x in enumerate(numbers))
    return [layer, *told]


def report(
    chosen: Sequence[str], rounds: int, timed: Timed, say: Callable[[str], None]
) -> dict[str, list[Row]]:
    """Measures what is chosen and says it as Markdown, row by row."""
    say(f"# What the layers cost\n\n{machine()}\n")
    say(
        "Theirs in milliseconds, forward alone, then with the way back; and ratios of\n"
        f"layerlib to it, medians of {rounds} rounds: below 1, layerlib is faster, or\n"
        "needs less memory at its peak, with the way back."
    )
    found: dict[str, list[Row]] = {}
    for table in tables():
        cases = [case for case in table.cases() if is_chosen(case, chosen)]
        if not cases:
            continue
        say(f"\n## {table.title}\n")
        if table.missing:
            say(f"Left out: {table.missing}.")
            continue
        say(line(HEADINGS))
        say(line(["-" * WIDE, *("-" * (len(name) - 1) + ":" for name in HEADINGS[1:])]))
        rows = found[table.title] = []
        for case in cases:
            rows.append(measured(case, rounds, timed))
            say(line(cells(rows[-1])))
        for row in summary(rows):
            say(line(cells(row, times=False)))
    return found


def is_chosen(case: Case, words: Sequence[str]) -> bool:
    """Whether a name on the command line is in the case's, if there is any."""
    return not words or any(word.lower() in case.name.lower() for word in words)


def main(arguments: Sequence[str] | None = None, timed: Timed = seconds) -> int:
    """Prints the tables; returns 2, after one line, where a name is no case's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help="parts of names; all by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--markdown", type=Path, help="a file for the tables")
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    options = parser.parse_args(arguments)
    known = [case for table in tables() for case in table.cases()]
    for word in options.cases:
        if not any(is_chosen(case, [word]) for case in known):
            first = dict.fromkeys(re.split(r"\W", case.name)[0] for case in known)
            print(
                f"no case is called {word!r}; there are: {', '.join(first)}",
                file=sys.stderr,
            )
            return 2
    text = []

    def say(told: str) -> None:
        print(told, flush=True)
        text.append(f"{told}\n")

    found = report(options.cases, options.rounds, timed, say)
    if options.markdown:
        options.markdown.write_text("".join(text), encoding="utf-8")
    if options.json:
        told = {"machine": machine().splitlines(), "rounds": options.rounds}
        for title, rows in found.items():
            told[title] = [row._asdict() for row in [*rows, *summary(rows)]]
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
