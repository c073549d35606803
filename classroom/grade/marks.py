"""Marks for one notebook: answers run in the sandbox, verdicts are found here."""

import functools
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from classroom import EXERCISES, Question, Task, check
from classroom.grade.notebook import (
    Assignment,
    Cell,
    Item,
    Unreadable,
    cells_of,
    renamed,
    snippet,
    which,
)  # fmt: skip
from classroom.grade.operations import allowed
from classroom.grade.program import Program, Replay
from classroom.grade.sandbox import Ended, Sandbox, Submission
from classroom.inside import wire
from classroom.variants import variant
from layerlib.recipe import Rearrange, Recipe, Reduce

LINES = {"Recipe": Recipe, "Rearrange": Rearrange, "Reduce": Reduce}
VALUES = 20_000  # of an output; the fingerprint of a larger one is its shape
UNPROVEN = (
    "not yet. On other numbers of the same shapes its operations give something else.\n"
    "Stay with operations on tensors: no item, no numpy, no stored results."
)


@dataclass(frozen=True)
class Mark:
    """What an answer is worth, and why.

    Attributes:
        exercise: its name.
        points: what it gets, of `possible`.
        said: the verdict, as `check` would say it.
        mistake: the known mistake's sentence, where it is one.
        cluster: the same for answers that return the same; empty for right ones.
        answer: the source of the answer, without comments.
    """

    exercise: str
    points: float
    possible: float
    said: str
    mistake: str = ""
    cluster: str = ""
    answer: str = ""


@dataclass(frozen=True)
class Result:
    """All that is known of one notebook."""

    student: str
    assignment: str
    marks: Sequence[Mark] = ()
    remarks: Sequence[str] = ()
    digest: str = field(default="", kw_only=True)

    def as_json(self) -> dict[str, Any]:
        """Plain data: to be kept, and to be sent."""
        return asdict(self)


def grade(
    data: bytes,
    stem: str,
    student: str,
    known: Mapping[str, Assignment],
    sandbox: Sandbox,
    seed: str,
    drawn: str = "",
) -> Result:
    """The marks of one notebook.

    Args:
        data: the file.
        stem: its name, which says what it is where it is an assignment's.
        student: whose it is.
        known: the assignments.
        sandbox: where the answers run.
        seed: the inputs of the last check are drawn from it.
        drawn: what the student's variants were drawn from.
    """
    try:
        cells, remark = cells_of(data)
    except Unreadable as error:
        assignment = known.get(stem)
        items = assignment.items if assignment else ()
        marks = [Mark(i.exercise, 0.0, i.points, "not graded.") for i in items]
        return Result(student, stem, marks, [str(error)])
    assignment = which(stem, cells, known)
    if assignment is None:
        told = "This notebook has no exercise of any assignment."
        return Result(student, stem, [], [told])
    remarks = [remark] if remark else []
    marks = _Sitting(cells, assignment, sandbox, (seed, drawn), remarks).marks()
    return Result(student, assignment.name, marks, remarks)


class _Sitting:
    """One notebook in the sandbox; where an answer ends its process, in several."""

    def __init__(
        self,
        cells: Sequence[Cell],
        assignment: Assignment,
        sandbox: Sandbox,
        seeds: tuple[str, str],
        remarks: list[str],
    ) -> None:
        self.cells, self.assignment = list(cells), assignment
        self.sandbox, self.seeds, self.remarks = sandbox, seeds, remarks
        self.found: dict[str, Any] = {}
        self.names = {item.exercise: item.variable for item in assignment.items}

    def marks(self) -> list[Mark]:
        submission = self.start()
        marks = []
        for item in self.assignment.items:
            if submission is not None and submission.ended:
                submission = self.start()
            if submission is None:
                said = "not yet. The cells of the notebook do not run to the end."
                marks.append(Mark(item.exercise, 0.0, item.points, said))
                continue
            submission.allow()
            marks.append(self.mark(item, submission))
        if submission is not None:
            submission.close()
        return marks

    def start(self) -> Submission | None:
        """Runs the cells in a fresh process, without those that end it."""
        for _ in range(4):
            submission = self.sandbox.open()
            wanted = [[exercise, name] for exercise, name in self.names.items()]
            try:
                ran = self.cells
                asked = {"cells": [[c.identity, c.source] for c in ran]}
                told, _ = submission.ask({**asked, "answers": wanted})
                self.learn(told)
            except Ended as error:
                bad = self.ending(submission)
                if bad is None:
                    self.remark(f"The cells do not run to the end. {error}")
                    return None
                self.cells = [cell for cell in self.cells if cell is not bad]
                self.remark(f"Cell {bad.identity!r} is left out. {error}")
                continue
            except (KeyError, TypeError, ValueError, IndexError):
                submission.close()
                return None
            moved = self.search(told)
            if not moved:
                return submission
            submission.close()
            self.names |= moved
        return None

    def learn(self, told: Mapping[str, Any]) -> None:
        self.found = dict(told["found"])
        for identity, name, said in told["cells"]:
            first = str(said).splitlines()[:1] or [""]
            if name != "NameError" or "check" not in str(said):
                self.remark(f"Cell {identity!r} raises {name}: {first[0][:200]}")

    def search(self, told: Mapping[str, Any]) -> dict[str, str]:
        """Answers under other names, in the cells that were theirs."""
        moved = {}
        for item in self.assignment.items:
            if item.exercise not in self.found and (
                self.names[item.exercise] == item.variable
            ):
                taken = set(self.names.values())
                name = renamed(item, self.cells, told["functions"], taken)
                if name:
                    moved[item.exercise] = name
                    self.remark(
                        f"{item.exercise}: `{item.variable}` is called `{name}` here; "
                        "it was graded."
                    )
        return moved

    def ending(self, submission: Submission) -> Cell | None:
        """The cell that ran when the process ended, as far as it was told."""
        running = submission.running
        known = isinstance(running, int) and 0 <= running < len(self.cells)
        return self.cells[running] if known else None

    def remark(self, text: str) -> None:
        if text not in self.remarks and len(self.remarks) < 20:
            self.remarks.append(text)

    def mark(self, item: Item, submission: Submission) -> Mark:
        name = item.exercise
        source = snippet(self.names[name], self.cells)
        if name not in EXERCISES:
            return Mark(
                name, 0.0, item.points, "There is no such exercise in this book."
            )
        described = self.found.get(name)
        if described is None:
            said = (
                f"not yet. There is no `{item.variable}` in the notebook: "
                "was its cell deleted?"
            )
            return Mark(name, 0.0, item.points, said)
        try:
            right, said, cluster = judged(name, described, submission, *self.seeds)
        except Exception:  # noqa: BLE001  (what a record of 10^12 numbers raises)
            said = "not yet. What it does takes too much memory."
            right, cluster = False, ""
        mistake = next(
            (s for s in EXERCISES[name].mistakes if said.startswith(f"not yet. {s}")),
            "",
        )
        points = item.points if right else 0.0
        return Mark(name, points, item.points, said, mistake, cluster, source)


@functools.cache
def warm_exercise(name: str) -> None:
    """Loads and compiles what a verdict on this exercise needs, for all forks."""
    if name in EXERCISES:
        exercise = EXERCISES[name]
        check(name, exercise.reference)
        if isinstance(exercise, Task):
            permitted(name)


def warm(stem: str, known: Mapping[str, Assignment]) -> None:
    """Does what is the same for all notebooks of an assignment once."""
    for item in known[stem].items if stem in known else ():
        warm_exercise(item.exercise)


def judged(
    name: str, described: Any, submission: Submission, seed: str, drawn: str = ""
) -> tuple[bool, str, str]:
    """Whether an answer is right, what is said to it, and what it returns, in short."""
    exercise = EXERCISES[name]
    answer = answered(name, described, submission)
    asked = variant(name, drawn)
    if asked is not None:
        right, said, *_ = asked.judge(answer)
        return right, said, "" if right else returns(answer, asked)
    verdict = check(name, answer)
    right, said = bool(verdict), repr(verdict).removeprefix(f"{name}: ")
    if isinstance(answer, Program) and isinstance(exercise, Task):
        if answer.refused:
            right = False
            said = (
                f"not yet. It runs {answer.refused}, an operation that this exercise "
                "does without.\nWrite it with the moves: rearrange, multiply, sum."
            )
        elif answer.ended:
            right, said = False, f"not yet. {answer.ended}"
        elif right and not proven(answer, exercise, f"{seed} {name}"):
            right, said = False, UNPROVEN
    cluster = "" if right else returns(answer, exercise)
    return right, said, cluster


def answered(name: str, described: Any, submission: Submission) -> Any:
    """The answer as the judge takes it: a value, a line, or a program."""
    exercise = EXERCISES[name]
    kind = described[0]
    if kind == "value":
        return wire.decode(described[1], lambda _: torch.zeros(()))
    if kind == "line" and described[1] in LINES:
        _, cls, text, operation = described
        given = [str(text)[:500], *([str(operation)] if operation else [])]
        try:
            return LINES[cls](*given)
        except (TypeError, ValueError):
            return text
    if isinstance(exercise, Question):
        return wire.stranger("function")
    return Program(submission, name, permitted(name))


@functools.cache
def permitted(name: str) -> frozenset[str]:
    """The kernels that an answer to this exercise may run."""
    task = EXERCISES[name]
    assert isinstance(task, Task)  # noqa: S101
    return allowed(task.without, task.kernels)


def proven(program: Program, task: Task, seed: str) -> bool:
    """Whether the operations of an answer are right on numbers that it never had."""
    dice = torch.Generator().manual_seed(
        int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7])
    )
    for sizes in _sizes(task, dice):
        drawn = task.draw(sizes)
        arguments = task.arguments(drawn, sizes)
        inputs = _tensors(arguments)
        try:
            replay = program.record(arguments, inputs)
            secrets = [task.arguments(x, sizes) for x in _secrets(drawn, dice)]
            if not any(_holds(program, replay, task, secret) for secret in secrets):
                return False
        except Exception:  # noqa: BLE001  (whatever an answer does with such sizes)
            return False
    return True


def _sizes(task: Task, dice: torch.Generator) -> Iterator[Mapping[str, int]]:
    """The last case, and the same sizes in other orders."""
    apart = task.cases[-1]
    yield apart
    for _ in range(2):
        order = torch.randperm(len(apart), generator=dice).tolist()
        sizes = [*apart.values()]
        yield {letter: sizes[i] for letter, i in zip(apart, order, strict=True)}


def _secrets(
    drawn: Mapping[str, Tensor], dice: torch.Generator
) -> Iterator[dict[str, Tensor]]:
    """Other inputs: any; then some in the same order by size, of the same signs.

    The second are for answers that compare values and go on accordingly.
    """
    for same_order in (False, True):
        power, factor = (0.6 + torch.rand(2, generator=dice)).tolist()
        secret = {}
        for name, x in drawn.items():
            if not x.is_floating_point():
                secret[name] = x.clone()
            elif same_order:
                secret[name] = factor * x.sign() * x.abs() ** power
            else:
                secret[name] = torch.randn(x.shape, generator=dice).to(x.dtype)
        yield secret


def _holds(
    program: Program, replay: Replay, task: Task, arguments: Sequence[Any]
) -> bool:
    """Whether a record gives what the reference gives, and leaves its inputs alone."""
    inputs = _tensors(arguments)
    before = [x.clone() for x in inputs]
    output = program.run(replay, inputs)
    if not all(map(torch.equal, inputs, before)):
        return False
    right = task.function(task.reference)(*arguments)
    outputs, rights = (
        list(x) if isinstance(x, (tuple, list)) else [x] for x in (output, right)
    )
    return len(outputs) == len(rights) and all(
        isinstance(x, Tensor)
        and x.shape == y.shape
        and torch.allclose(
            x.detach().to(torch.complex128), y.detach().to(torch.complex128),
            rtol=1e-4, atol=1e-5, equal_nan=True,
        )
        for x, y in zip(outputs, rights, strict=True)
    )  # fmt: skip


def _tensors(arguments: Sequence[Any]) -> list[Tensor]:
    return [x for x in tree_leaves(list(arguments)) if isinstance(x, Tensor)]


def returns(answer: Any, exercise: Question | Task) -> str:
    """Eight letters for what an answer returns: the same for those that do the same."""
    if isinstance(exercise, Task):
        sizes = exercise.cases[-1]
        arguments = exercise.arguments(exercise.draw(sizes), sizes)
        try:
            returned = exercise.function(answer)(*arguments)
        except Exception as error:  # noqa: BLE001  (whatever an answer raises)
            told = f"raises {type(error).__name__}"
        else:
            told = " ".join(map(_rounded, tree_leaves(returned)))
    else:
        told = repr(answer)[:1000]
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def _rounded(value: Any) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    if value.numel() > VALUES:
        return f"{tuple(value.shape)}"
    numbers = value.detach().to(torch.float64).reshape(-1).tolist()
    shown = (f"{x:.3g}" if math.isfinite(x) and abs(x) > 1e-6 else "0" for x in numbers)
    return f"{tuple(value.shape)} {' '.join(shown)}"
