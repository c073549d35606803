"""What is wrong first with an answer: in words, or as a counterexample."""

import inspect
import linecache
import re
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from classroom.inside.names import Names
from classroom.judge import attempt
from classroom.judge.attempt import WHATEVER, Attempt, Bounds, Overtime, close
from classroom.judge.cases import Cases, kind_of, shape
from classroom.judge.verdict import Counterexample, Shown
from layerlib.lab import moves, same


def problem(
    task: Cases, answer: Any, attempts: Sequence[Attempt], bounds: Bounds
) -> tuple[str, Counterexample | None]:
    """What is wrong first, in words or as a counterexample; or nothing."""
    pairs = [
        (mine, right.values) for mine, right in zip(attempts, task.right, strict=True)
    ]
    for empty in (False, True):
        some = [pair for pair in pairs if pair[0].is_empty == empty]
        # A shape says most where all sizes differ, and that case is the last one.
        for mine, right in reversed(some):
            told = _structure(task, answer, mine, right)
            if told:
                return _of_nothing(told, empty=empty), None
        for mine, right in some:
            shown = _values(task, mine, right)
            if shown:
                return _of_nothing("", empty=empty), shown
    return _gradients(task, answer, bounds), None


def _structure(
    task: Cases, answer: Any, mine: Attempt, right: tuple[Tensor, ...]
) -> str:
    """What can be said without a look at the values."""
    shapes = (f"{n} {shape(a, mine.sizes)}" for n, a in task.inputs.items())
    where = f"For {', '.join(shapes)}, "
    if mine.error:
        return f"{where}it raises an error.\n{_raised(answer, mine.error, mine.sizes)}"
    if mine.changed:
        return f"It changes {mine.changed[0]} in place; make a new tensor."
    if len(mine.values) != len(right):
        return f"Expected {len(right)} outputs: {', '.join(task.outputs)}."
    pairs = zip(task.outputs.items(), mine.values, right, strict=True)
    told = (_unlike(*output, where, *pair) for output, *pair in pairs)
    return next(filter(None, told), "")


def _values(
    task: Cases, mine: Attempt, right: tuple[Tensor, ...]
) -> Counterexample | None:
    for (name, axes), value, true in zip(
        task.outputs.items(), mine.values, right, strict=True
    ):
        if not close(value, true):
            which = f" {name}" if len(right) > 1 else ""
            inputs = task.draw(mine.sizes)
            return Counterexample(
                [Shown(n, task.inputs[n], x) for n, x in inputs.items()]
                + [Shown(n, [], mine.sizes[n]) for n in task.numbers],
                Shown(f"expected{which}", axes, true),
                Shown(f"got{which}", axes, value.detach()),
            )
    return None


def _gradients(task: Cases, answer: Any, bounds: Bounds) -> str:
    arguments = task.arguments(task.draw(task.cases[-1]), task.cases[-1])
    try:
        with bounds.call():
            same(task.function(answer), task.function(task.reference), *arguments)
    except AssertionError as error:
        if str(error).startswith("generator"):
            return ""  # that it draws is told by the bounds
        which = re.match(r"gradient of input (\d+)", str(error))
        of = f" of {list(task.inputs)[int(which[1])]}" if which else ""
        return (
            f"The values are right, and the gradient{of} is lost or wrong.\n"
            "Stay with operations on tensors: no detach, no item, no numpy."
        )
    except WHATEVER as error:
        return f"The values are right.\n{_raised(answer, error, task.cases[-1])}"
    return ""


def refused(task: Cases, answer: Any, bounds: Bounds) -> str:
    """What it calls and should not, or not as often as it should."""
    if not (task.without or task.once):
        return ""
    watch, sizes, ran = Names(), task.cases[-1], Counter[str]()
    arguments = task.arguments(task.draw(sizes), sizes)
    with suppress(*WHATEVER), bounds.call(), watch:
        ran.update(moves(task.function(answer), *arguments))
    # A kernel that the reference runs is no layer in another guise.
    names = {name.strip("_") for name in watch.called | ({*ran} - task.kernels)}
    for name in task.without:
        if name.strip("_") in names:
            return (
                f"It calls {name}, which this exercise does without.\n"
                "Write it with the moves: rearrange, multiply, sum."
            )
    for name in task.once:
        if ran and ran[name] != 1:
            return f"It is to call {name} once, and calls it {ran[name]} times."
    return ""


def _of_nothing(told: str, *, empty: bool) -> str:
    """What is told of an empty batch says that it is one."""
    about = "Only the empty batch is left, b = 0: all other cases agree."
    return "\n".join(filter(None, [about, told])) if empty else told


def _unlike(
    name: str, axes: Sequence[str], where: str, value: Any, right: Tensor
) -> str:
    """How an output differs from the right one in type, shape or dtype; or nothing."""
    if not isinstance(value, Tensor):
        return (
            f"{where}expected a tensor as {name}, got {kind_of(value)}.{_hint(value)}"
        )
    if value.is_meta:
        return f"{where}the {name} is on the device meta, which has no numbers."
    if value.layout != torch.strided:
        return (
            f"{where}the {name} is a sparse tensor; `.to_dense()` makes it a plain one."
        )
    if value.shape != right.shape:
        letters = ", ".join(axis.replace(" ", "·") for axis in axes)
        return (
            f"{where}the shape of the {name} is wrong:\n"
            f"expected ({letters}) = {tuple(right.shape)}, got {tuple(value.shape)}."
        )
    if value.dtype != right.dtype:
        return (
            f"{where}the dtype of the {name} is wrong:\n"
            f"expected {right.dtype}, got {value.dtype}."
        )
    return ""


def _hint(value: Any) -> str:
    """What makes a tensor of something else."""
    kind = type(value).__module__.partition(".")[0]
    if kind == "numpy":
        return "\nnumpy knows no gradients: stay with operations on tensors."
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], Tensor):
        return "\n`torch.stack` makes one tensor of several."
    if isinstance(value, (int, float, complex, list)):
        return "\nA tensor has gradients; what `.item()` or `.tolist()` gives has none."
    return ""


_LAID = r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)"
_INNER = r"shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)"


def _laid(error: str, sizes: Mapping[str, int]) -> str:
    """Which axes meet that do not fit, where an error tells their sizes."""
    by_size = {size: letter for letter, size in sizes.items()}
    if len(by_size) < len(sizes):
        return ""
    found = re.search(_LAID, error)
    if found:
        one, two = (by_size.get(int(n), n) for n in found.groups())
        return (
            f"\nAn axis as long as {one} meets one as long as {two}: axes are laid on "
            "each other from the last one on.\nWhere a tensor lacks one in between, "
            "it is to have one of length 1: `[:, None]`, or `keepdim=True`."
        )
    found = re.search(_INNER, error)
    if found:
        a, b, c, d = (by_size.get(int(n), n) for n in found.groups())
        return (
            f"\nBy their sizes ({a}, {b}) meets ({c}, {d}): a product of matrices sums "
            "the last axis of the first\nand the first axis of the second. "
            "Is one to be transposed?"
        )
    return ""


def _raised(answer: Any, error: BaseException, sizes: Mapping[str, int]) -> str:
    """What was raised, and the line of the student's own code that it came from."""
    own = getattr(inspect.unwrap(answer), "__globals__", None)
    told = f"{type(error).__name__}: {error}".strip() + _laid(str(error), sizes)
    if isinstance(error, Overtime):
        told = f"It has run for {attempt.LIMIT:g} s, and was stopped."
    if isinstance(error, SystemExit):
        told = "It ends the program (SystemExit); leave that to the notebook."
    # The cells of a notebook share their globals; no library has the same ones.
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals is own:
            line = linecache.getline(frame.f_code.co_filename, number).strip()
            return f"Line {number} of your code{line and f', `{line}`'}:\n{told}"
    return told
