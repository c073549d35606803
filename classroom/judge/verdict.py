"""What is told to an answer, as text and as HTML in the colors of the letters."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import torch
from torch import Tensor

from layerlib.recipe import LETTERS

UNFILLED = (
    "not filled in yet.\n"
    "Put your answer in place of `...`, run that\n"
    "cell, and then this one."
)
CELLS = 64  # of a tensor that is shown as a table; a larger one is told by its shape
STYLE = {
    "box": "font-family:system-ui,sans-serif;max-width:46em;padding:.2em 0",
    "no": "border-left:.3em solid #d9822b;padding-left:.8em",
    "code": "white-space:pre-wrap;font-family:ui-monospace,monospace;margin:.5em 0",
    "side": "display:flex;flex-wrap:wrap;gap:.4em 1.4em;align-items:flex-end",
    "table": "border-collapse:collapse;margin:.2em 0 .6em",
    "name": "text-align:left;font-weight:600;padding:.2em 0",
    "cell": "border:1px solid #8888;padding:.15em .5em;text-align:right;"
    "font-variant-numeric:tabular-nums",
    "wrong": "background:#ffd0c7;color:#111;font-weight:700;outline:2px solid #c0392b",
    "chip": "color:#111;border-radius:.3em;padding:.05em .4em;font-weight:600",
}


def asked_in(exercise: str) -> tuple[str, bool]:
    """The family of an exercise, and whether its story asks it.

    >>> asked_in("linear-count"), asked_in("linear-story-moves")
    (('linear', False), ('linear', True))
    """
    family, _, rest = exercise.partition("-")
    return family, rest.startswith("story-")


class Shown(NamedTuple):
    """A tensor of a counterexample, with its name and the letters of its axes."""

    name: str
    axes: Sequence[str]
    value: Any


@dataclass(frozen=True)
class Counterexample:
    """A case in which an answer is wrong: what went in, what was expected and got."""

    inputs: Sequence[Shown]
    expected: Shown
    got: Shown

    def __str__(self) -> str:
        table = {each.name: each.value for each in self.inputs}
        table |= {each.name: each.value for each in (self.expected, self.got)}
        wide = max(map(len, table)) + 2
        below = "\n" + " " * wide
        rows = (f"{key:<{wide}}{value}" for key, value in table.items())
        return "\n".join(
            ["The smallest counterexample:"]
            + [row.replace("\n", below) for row in rows]
        )

    def html(self) -> str:
        """The inputs, and below them what was expected and got, side by side."""
        right, got = (
            x.value.detach().to(torch.complex128) for x in (self.expected, self.got)
        )
        wrong = ~torch.isclose(right, got, rtol=1e-4, atol=1e-5, equal_nan=True)
        given = "".join(map(_table, self.inputs))
        both = _table(self.expected) + _table(self.got, wrong)
        return f"{_div('side', given)}{_div('side', both)}"


class Judgement(NamedTuple):
    """What is said to an answer.

    Attributes:
        right: whether it is right.
        said: the whole text.
        sentences: what the text says before its counterexample.
        shown: the counterexample, if there is one.
    """

    right: bool
    said: str
    sentences: str = ""
    shown: Counterexample | None = None


def not_yet(sentences: str) -> Judgement:
    """What is said to a wrong answer."""
    return Judgement(right=False, said=f"not yet. {sentences}", sentences=sentences)


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and why not. In a condition, a right one is true.

    Attributes:
        exercise: its name.
        right: whether the answer is right.
        said: what is told, as text.
    """

    exercise: str
    right: bool
    said: str
    sentences: str = field(default="", repr=False)
    shown: Counterexample | None = field(default=None, repr=False, compare=False)
    following: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"{self.exercise}: {self.said}"

    def expect_right(self) -> "Verdict":
        """The verdict itself, where it is right: for a harness that gives marks.

        Raises:
            AssertionError: the answer is not right, or not there; it says why.
        """
        if not self.right:
            raise AssertionError(repr(self))
        return self

    def _repr_html_(self) -> str | None:
        # A notebook as it is stored has only the two others, and they stay as text.
        if self.right or self.said == UNFILLED:
            return None
        sentences = (self.sentences or self.said).removeprefix("not yet.").strip()
        shown = self.shown.html() if self.shown else ""
        told = _div("code", escape(sentences)) if sentences else ""
        name = f"<strong>{escape(self.exercise)}</strong>: not yet."
        return _div("box", _div("no", name + told + shown) + self._links())

    def _links(self) -> str:
        family, by_story = asked_in(self.exercise)
        links = []
        if not by_story:
            story = f'style="color:inherit" href="../{family}.ipynb"'
            links.append(f"<a {story}>Read the story again</a>")
        if self.following:
            links.append(f"or go on with <code>{escape(self.following)}</code>")
        return f"<p>{', '.join(links)}</p>" if links else ""


def _div(style: str, content: str) -> str:
    return f'<div style="{STYLE[style]}">{content}</div>'


def _chip(letter: str) -> str:
    color = LETTERS[letter][1] if letter in LETTERS else "#ececec"
    return f'<span style="{STYLE["chip"]};background:{color}">{escape(letter)}</span>'


def _table(shown: Shown, wrong: Tensor | None = None) -> str:
    """A tensor as a table for each pair of its last two axes, the letters beside them.

    Of one axis it is a row, of none a cell. What is wrong is marked by more than color.
    """
    name, axes, value = shown
    axes = [axis or "1" for axis in axes]
    letters = " ".join("·".join(map(_chip, axis.split())) for axis in axes)
    head = f'<div style="{STYLE["name"]}">{escape(name)} {letters}</div>'
    if not isinstance(value, Tensor):
        return f"<div>{head}<code>{escape(str(value))}</code></div>"
    if value.numel() > CELLS or value.numel() == 0:
        return f"<div>{head}shape {tuple(value.shape)}</div>"
    if wrong is None:
        wrong = torch.zeros(value.shape, dtype=torch.bool)
    planes = []
    for at in itertools.product(*map(range, value.shape[:-2])):
        where = ", ".join(f"{a} = {n}" for a, n in zip(axes, at, strict=False))
        rows = zip(*(_rows(x.detach()[at]) for x in (value, wrong)), strict=True)
        body = "".join(
            f"<tr>{''.join(map(_cell, numbers, marks))}</tr>" for numbers, marks in rows
        )
        caption = f"<caption>{escape(where)}</caption>" if where else ""
        planes.append(f'<table style="{STYLE["table"]}">{caption}{body}</table>')
    return f"<div>{head}{''.join(planes)}</div>"


def _rows(x: Tensor) -> list[list[Any]]:
    rows: list[list[Any]] = x.reshape(-1, x.shape[-1] if x.dim() else 1).tolist()
    return rows


def _cell(number: Any, wrong: bool) -> str:
    style = f"{STYLE['cell']};{STYLE['wrong']}" if wrong else STYLE["cell"]
    mark = "✗ " if wrong else ""
    told = f"{number:.4g}" if isinstance(number, float) else str(number)
    return f'<td style="{style}">{mark}{told}</td>'
