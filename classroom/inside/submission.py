"""Runs the cells of one submission, and then its answers as often as it is asked to."""

import linecache
import re
import socket
import sys
import traceback
import types
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from layerlib.recipe import Line, Rearrange, Recipe, Reduce

from . import wire
from .record import recorded

MAGIC = re.compile(r"^(\s*)[%!?].*$|^(\s*)\S.*\?\?*$", re.MULTILINE)


def serve(channel: socket.socket) -> None:
    """Answers what the grader asks, until it closes the channel."""
    request, _ = wire.read(channel)
    answers: dict[str, Any] = {}
    names = book(answers)
    told = run(request["cells"], names, channel)
    for exercise, variable in request["answers"]:
        if exercise not in answers and variable in names:
            answers[exercise] = names[variable]
    found = {exercise: described(answer) for exercise, answer in answers.items()}
    functions = [
        name
        for name, value in names.items()
        if getattr(value, "__module__", "") == "__main__" and callable(value)
    ]
    header = {"found": found, "cells": told, "functions": sorted(functions)}
    wire.write(channel, header)
    while True:
        request, inputs = wire.read(channel)
        wire.write(channel, *called(answers.get(request["exercise"]), request, inputs))


def book(answers: dict[str, Any]) -> dict[str, Any]:
    """The namespace of the cells, with a classroom that only takes answers."""

    class Classroom(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return self

        def __call__(self, *_: Any, **__: Any) -> Any:
            return self

    classroom = Classroom("classroom")

    def check(name: str, answer: Any = None, *_: Any, **__: Any) -> Any:
        answers[name] = answer
        return classroom

    vars(classroom)["check"] = check
    sys.modules["classroom"] = classroom
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    vars(main)["get_ipython"] = lambda: classroom
    return vars(main)


def run(
    cells: Sequence[tuple[str, str]], names: dict[str, Any], channel: socket.socket
) -> list[Any]:
    """Runs each cell, whatever the ones before did; what they raised, by cell."""
    told = []
    for number, (identity, source) in enumerate(cells):
        wire.write(channel, {"running": number})
        name = f"<cell {identity}>"
        text = MAGIC.sub(r"\1\2pass", source) if not compiles(source) else source
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        try:
            exec(compile(text, name, "exec"), names)  # noqa: S102
        except BaseException as error:  # noqa: BLE001  (SystemExit, too)
            told.append([identity, *raised(error)])
    return told


def compiles(source: str) -> bool:
    """Whether it is Python as it stands, without the commands of a notebook."""
    try:
        compile(source, "<cell>", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def described(answer: Any) -> Any:
    """What the grader is told of an answer: a value, a line, or that it is called."""
    if isinstance(answer, (Recipe, Rearrange, Reduce)):
        operation = answer.operation if isinstance(answer, Reduce) else None
        return ["line", type(answer).__name__, str(answer.line), operation]
    if callable(answer) and not isinstance(answer, Line):
        return ["callable"]
    try:
        value = answer.tolist() if isinstance(answer, Tensor) else answer
        return ["value", wire.encode(value, lambda _: ["stranger", "Tensor"])]
    except Exception:  # noqa: BLE001  (whatever its methods do)
        return ["value", ["stranger", "object"]]


def called(
    answer: Any, request: Mapping[str, Any], inputs: Sequence[Tensor]
) -> tuple[Any, Sequence[Tensor]]:
    """One call of an answer: its record, or what it raised."""
    try:
        arguments = [wire.decode(a, lambda i: inputs[i]) for a in request["arguments"]]
        return recorded(answer, arguments, inputs)
    except BaseException as error:  # noqa: BLE001  (SystemExit, too)
        return {"raised": raised(error)}, ()


def raised(error: BaseException) -> tuple[str, str]:
    """The name of an error, and what it says, with the line of the student's code."""
    try:
        said = str(error)[:2000]
        for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
            if frame.f_code.co_filename.startswith("<cell "):
                line = linecache.getline(frame.f_code.co_filename, number).strip()
                said += f"\n(line {number} of the cell: `{line[:200]}`)"
                break
    except Exception:  # noqa: BLE001  (an error with a __str__ of its own)
        said = ""
    return type(error).__name__, said
