"""Why an answer is wrong: one step of what is right, and another in its place.

The reference calls torch step by step: a product, a softmax, a tanh. One of them is
changed at a time: another function is taken, the softmax runs along another axis, what
is to be added is multiplied, a step reads another tensor. An answer that does the same
in every case is explained.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from classroom.judge.causes import Change, Sizes, Tensors
from classroom.judge.signs import named

BENDS: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "sigmoid": ("sigmoid", torch.sigmoid),
    "tanh": ("tanh", torch.tanh),
    "relu": ("ReLU", torch.relu),
    "silu": ("SiLU", functional.silu),
    "gelu": ("GELU", functional.gelu),
    "exp": ("exponential", torch.exp),
    "log": ("logarithm", torch.log),
    "square": ("square", torch.square),
    "sqrt": ("root", torch.sqrt),
    "rsqrt": ("inverse root", torch.rsqrt),
    "reciprocal": ("inverse", torch.reciprocal),
    "abs": ("magnitude", torch.abs),
    "erf": ("error function", torch.erf),
    "softplus": ("softplus", functional.softplus),
    "sign": ("sign", torch.sign),
    "sin": ("sine", torch.sin),
    "cube": ("cube", lambda x: x**3),
}
ALONG = {
    "softmax": "softmax", "sum": "sum", "mean": "mean", "amax": "largest number",
    "amin": "smallest number", "prod": "product",
}  # fmt: skip
TWO: dict[str, tuple[str, str, Callable[[Any, Any], Any]]] = {
    "add": ("+", "added", lambda a, b: a + b),
    "sub": ("−", "subtracted", lambda a, b: a - b),
    "mul": ("·", "multiplied", lambda a, b: a * b),
    "div": ("/", "divided", lambda a, b: a / b),
}
REVERSED = {"__rsub__": "sub", "__rdiv__": "div", "rsub": "sub"}
MOVES = (
    "reshape", "permute", "transpose", "expand", "expand_as", "unsqueeze", "__get__",
    "__getitem__", "contiguous", "clone", "movedim", "to", "unflatten", "flatten",
    "unfold", "pad",
)  # fmt: skip
LONG = 34  # characters; a longer expression is told by its last step


@dataclass
class Step:
    """A call of torch that made a tensor."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any]
    made: Tensor


_NONE: Mapping[int, Callable[..., Any]] = {}
Value = int | str  # a tensor: the number of its step, or the name of an input
Run = Callable[[Step, Callable[[Value], Tensor], Sizes], Any]


class Steps(TorchFunctionMode):
    """A context that notes the steps taken in it, and may run some of them otherwise.

    Attributes:
        runs: what is called in the place of a step, by its number.
        taken: the steps so far.
    """

    def __init__(self, runs: Mapping[int, Callable[..., Any]] = _NONE) -> None:
        super().__init__()
        self.runs = runs
        self.taken: list[Step] = []

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            step = Step(func.__name__, func, args, kwargs or {}, made)
            run = self.runs.get(len(self.taken))
            if run:
                made = step.made = run(step, self.taken)
            self.taken.append(step)
        return made


def variations(
    attempt: Callable[[Change, Sizes], Any], one: Sizes, two: Sizes
) -> list[Change]:
    """What is right with one step exchanged.

    Args:
        attempt: runs what is right in a case, with a change.
        one: a case in which all sizes differ.
        two: another one.
    """
    noted = [_noted(attempt, sizes) for sizes in (one, two)]
    if len(noted[0].steps) != len(noted[1].steps):
        return []  # as many steps as an axis is long: nothing can be said of each
    return [*_Varied(*noted)]


@dataclass
class _Note:
    """What one run of the reference did."""

    sizes: Sizes
    inputs: Tensors
    steps: list[Step]


def _noted(attempt: Callable[[Change, Sizes], Any], sizes: Sizes) -> _Note:
    steps, note = Steps(), _Note(sizes, {}, [])

    def around(tensors: Tensors, _: Sizes) -> Steps:
        note.inputs = dict(tensors)
        return steps

    attempt(Change("", around=around), sizes)
    note.steps = steps.taken
    return note


class _Varied:
    """All single steps exchanged, one after the other."""

    def __init__(self, note: _Note, other: _Note) -> None:
        self.note, self.other = note, other
        self.text = {id(x): name for name, x in note.inputs.items()}
        self.found: dict[int, Value] = {id(x): n for n, x in note.inputs.items()}
        self.made: dict[Value, Tensor] = dict(note.inputs)
        self.at = 0

    def __iter__(self) -> Iterator[Change]:
        for self.at, step in enumerate(self.note.steps):
            yield from self._of(step)
            self.text.setdefault(id(step.made), self._expression(step))
            self.found.setdefault(id(step.made), self.at)
            self.made[self.at] = step.made

    def _of(self, step: Step) -> Iterator[Change]:
        if step.name.endswith("_") and not step.name.startswith("__"):
            return  # in place: what it changes has been changed already
        name = REVERSED.get(step.name, step.name)
        if name in BENDS:
            yield from self._bent(name, step)
        if name in ALONG:
            yield from self._along(name, step)
        if name in TWO and len(step.args) == 2:
            yield from self._combined(name, step)
        if name in _OTHERS:
            for told, run, weight in _OTHERS[name](self, step):
                yield self._change(told, run, weight)
        if name in ("permute", "transpose", "movedim", "__get__"):
            yield self._change(
                f"{self._told(step.args[0])} is reshaped where its axes are to be moved",
                lambda s, *_: s.args[0].reshape(s.made.shape),
            )
        if name not in MOVES:
            yield from self._read(step)
            yield from self._early(name, step)

    def _early(self, name: str, step: Step) -> Iterator[Change]:
        """Two steps in a row that are taken in the other order."""
        maker = self._maker(step.args[0]) if step.args else None
        others = [n for n in step.args[1:] if isinstance(n, Tensor)]
        if maker is None or others or name in MOVES:
            return
        first = self.note.steps[maker]
        for at, own in enumerate(first.args):
            if isinstance(own, Tensor) and first.name not in MOVES:
                yield self._change(
                    f"{self._word(step)} comes too early: it is taken of "
                    f"{self._told(own)}, before that goes on",
                    lambda s, *_: 1 * s.args[0],
                    before=(
                        maker,
                        lambda s, *_, at=at: _again(
                            s, at, _again(step, 0, s.args[at])
                        ),
                    ),
                )

    def _maker(self, x: Any) -> int | None:
        """The number of the step that made a tensor."""
        found = self.found.get(id(x))
        return found if isinstance(found, int) else None

    def _word(self, step: Step) -> str:
        name = REVERSED.get(step.name, step.name)
        word = {**ALONG, **{n: told for n, (told, _) in BENDS.items()}}.get(name, name)
        if name in TWO:
            number = next(n for n, x in enumerate(step.args) if not isinstance(x, Tensor))
            return f"the factor {self._operand(number)}"
        return f"the {word}"

    def _change(
        self, told: str, run: Run, weight: int = 2, before: tuple[int, Run] | None = None
    ) -> Change:
        """A change of this step, and perhaps of one before it."""
        runs = {self.at: run} | ({before[0]: before[1]} if before else {})

        def around(tensors: Tensors, sizes: Sizes) -> Steps:
            def other(run: Run) -> Callable[[Step, Sequence[Step]], Any]:
                return lambda step, taken: run(
                    step,
                    lambda n: tensors[n] if isinstance(n, str) else taken[n].made,
                    sizes,
                )

            return Steps({at: other(run) for at, run in runs.items()})

        return Change(told, around=around, weight=weight)

    def _bent(self, name: str, step: Step) -> Iterator[Change]:
        word, of = BENDS[name][0], self._told(step.args[0])
        yield self._change(
            f"the {word} of {of} is not taken", lambda s, *_: 1 * s.args[0]
        )
        for by, (other, function) in BENDS.items():
            if by != name:
                yield self._change(
                    f"the {other} of {of} is taken, and not the {word}",
                    lambda s, *_, function=function: function(s.args[0]),
                )
        if name == "sqrt":
            for n in self.note.sizes:
                yield self._change(
                    f"the root of {of} is the {n}-th one, and not the second",
                    lambda s, _, sizes, n=n: s.args[0] ** (1 / sizes[n]),
                )
        yield self._change(
            f"the {word} of {of} is subtracted from 1", lambda s, *_: 1 - s.made
        )

    def _along(self, name: str, step: Step) -> Iterator[Change]:
        x, word = step.args[0], ALONG[name]
        axes = step.options.get("dim", step.args[1] if len(step.args) > 1 else None)
        if axes is None:
            axes = [*range(x.dim())]
        own = [n % x.dim() for n in ([axes] if isinstance(axes, int) else axes)]
        keep = bool(step.options.get("keepdim"))
        letters = named(tuple(x.shape), (), self.note.sizes) or [""] * x.dim()
        of, along = self._told(x), _axes(letters, own)
        others = [(at,) for at in range(x.dim())]
        if x.dim() > 1:
            others.append(tuple(range(x.dim())))
        for cell, word_ in ((0, "first"), (-1, "last")):
            if name != "softmax":
                yield self._change(
                    f"only the {word_} of {of} {along} is taken, not the {word}",
                    lambda s, *_, cell=cell: _one(s.args[0], own, cell, keep),
                )
        for other in others:
            if [*other] != own:
                yield self._change(
                    f"the {word} of {of} runs {_axes(letters, other)}, not {along}",
                    lambda s, *_, other=other: _reduced(name, s.args[0], other, keep),
                )
        for by, more in ALONG.items():
            if by != name:
                yield self._change(
                    f"the {more} of {of} {along} is taken, and not the {word}",
                    lambda s, *_, by=by: _reduced(by, s.args[0], own, keep),
                )
        if name == "softmax":
            bends = {
                "no softmax is taken of {}": lambda x: 1 * x,
                "the softmax of {} is a sigmoid": torch.sigmoid,
                "the exponentials of {} are not divided by their sum": torch.exp,
                "{} is divided by its sum, without exponentials": (
                    lambda x: x / x.sum(own[0], keepdim=True)
                ),
                "all weights are equal: the softmax of {} is a mean": (
                    lambda x: (0 * x).softmax(own[0])
                ),
                "the largest of {} is taken alone (argmax)": (
                    lambda x: (x == x.amax(own[0], keepdim=True)).to(x.dtype)
                ),
            }
            for told, bend in bends.items():
                yield self._change(
                    told.format(of), lambda s, *_, bend=bend: bend(s.args[0])
                )

    def _combined(self, name: str, step: Step) -> Iterator[Change]:
        flip = step.name in REVERSED
        sign, word, _ = TWO[name]
        one, two = (self._operand(n) for n in ((1, 0) if flip else (0, 1)))

        def both(step: Step) -> tuple[Any, Any]:
            a, b = step.args
            return (b, a) if flip else (a, b)

        for by, (other, instead, function) in TWO.items():
            if by != name:
                yield self._change(
                    f"{one} and {two} are {instead} ({other}) where they are to be "
                    f"{word} ({sign})",
                    lambda s, *_, function=function: function(*both(s)),
                )
            if name in ("sub", "div") and by == name:
                yield self._change(
                    f"it is {two} {sign} {one} where it is to be the other way round",
                    lambda s, *_, function=function: function(*both(s)[::-1]),
                )
        told = {
            "add": (f"{two} is not added to {one}", f"{one} is not added to {two}"),
            "sub": (f"{two} is not subtracted from {one}", f"{one} itself is left out"),
            "mul": (
                f"{one} is not multiplied by {two}",
                f"{two} is not multiplied by {one}",
            ),
            "div": (f"{one} is not divided by {two}", f"{one} itself is left out"),
        }[name]
        for at in range(2):
            yield self._change(
                told[at], lambda s, *_, at=at: both(s)[at] + torch.zeros_like(s.made)
            )
        if name in ("mul", "div"):
            yield from self._distributed(step)
        for at, argument in enumerate(step.args):
            if isinstance(argument, (int, float)):
                yield from self._constant(at, argument, self._operand(1 - at))

    def _distributed(self, step: Step) -> Iterator[Change]:
        """A factor that meets only one term of a sum."""
        for at, own in enumerate(step.args):
            maker = self._maker(own)
            if maker is None or (at and step.name == "div"):
                continue
            first = self.note.steps[maker]
            if REVERSED.get(first.name, first.name) not in ("add", "sub"):
                continue
            for term, lone in enumerate(first.args):
                if not isinstance(lone, Tensor):
                    continue
                verb = "divided by" if step.name == "div" else "multiplied by"

                def run(
                    s: Step, *_: Any, at: int = at, maker: int = maker, term: int = term
                ) -> Any:
                    sum_ = terms[maker]
                    part = _again(s, at, sum_.args[term])
                    return _again(sum_, term, part)

                terms: dict[int, Step] = {}

                def keep(
                    s: Step, *_: Any, terms: Any = terms, maker: int = maker
                ) -> Any:
                    terms[maker] = s
                    return s.made

                yield self._change(
                    f"only {self._told(lone)} is {verb} {self._operand(1 - at)}, "
                    f"and not all of {self._told(own)}",
                    run,
                    before=(maker, keep),
                )

    def _constant(self, at: int, number: float, beside: str) -> Iterator[Change]:
        """Another number in the place of one."""
        own = self._operand(at)
        numbers: dict[str, Callable[[float, Sizes], float]] = {
            "2": lambda *_: 2.0,
            "0.5": lambda *_: 0.5,
            "1e-5": lambda *_: 1e-5,
            "1e-8": lambda *_: 1e-8,
            f"the square of {own}": lambda c, _: c * c,
            f"the root of {own}": lambda c, _: abs(c) ** 0.5,
            f"1 / {own}": lambda c, _: 1 / c,
            f"−{own}": lambda c, _: -c,
            f"1 − {own}": lambda c, _: 1 - c,
            f"twice {own}": lambda c, _: 2 * c,
            f"half of {own}": lambda c, _: c / 2,
        }
        for n in self.note.sizes:
            numbers[n] = lambda _, sizes, n=n: float(sizes[n])  # type: ignore[misc]
            numbers[f"the root of {n}"] = lambda _, sizes, n=n: sizes[n] ** 0.5  # type: ignore[misc]
            numbers[f"{own} · {n}"] = lambda c, sizes, n=n: c * sizes[n]  # type: ignore[misc]
        for told, other in numbers.items():
            if told != own:

                def run(step: Step, _: Any, sizes: Sizes, other: Any = other) -> Any:
                    c = other(step.args[at], sizes)
                    return _again(step, at, c)

                verb = {
                    "mul": "is multiplied by", "div": "is divided by",
                    "add": "is added to", "sub": "is subtracted by",
                }[REVERSED.get(self.note.steps[self.at].name, self.note.steps[self.at].name)]
                yield self._change(f"{beside} {verb} {told}, and not {own}", run)

    def _read(self, step: Step) -> Iterator[Change]:
        """A step that reads another tensor."""
        for at, own in enumerate(step.args):
            if not isinstance(own, Tensor) or id(own) not in self.found:
                continue
            letters = named(tuple(own.shape), (), self.note.sizes) or [""] * own.dim()
            for axis in range(own.dim() * (id(own) in map(id, self.note.inputs.values()))):
                yield self._change(
                    f"where it meets the rest, {self._told(own)} is averaged "
                    f"{_axes(letters, [axis])}",
                    lambda s, *_, at=at, axis=axis: _again(
                        s, at, s.args[at].mean(axis, keepdim=True).expand_as(s.args[at])
                    ),
                    3,
                )
            for other, x in self.made.items():
                if x is own or x.shape != own.shape or not x.is_floating_point():
                    continue
                if self.found.get(id(x)) != other or other == self.found[id(own)]:
                    continue
                told = self._told(x)
                if told == self._told(own):
                    continue
                if sum(each is own for each in step.args) > 1:

                    def both(
                        s: Step, value: Any, *_: Any, own: Tensor = own, other: Any = other
                    ) -> Any:
                        new = [value(other) if n is s.args[at] else n for n in s.args]
                        return s.function(*new, **s.options)

                    yield self._change(
                        f"{told} is read where {self._told(own)} is to be, twice", both
                    )
                yield self._change(
                    f"{told} is read where {self._told(own)} is to be",
                    lambda s, value, _, at=at, other=other: _again(s, at, value(other)),
                )
                yield self._change(
                    f"1 − {told} is read where {self._told(own)} is to be",
                    lambda s, value, _, at=at, other=other: _again(
                        s, at, 1 - value(other)
                    ),
                    3,
                )

    def _operand(self, at: int) -> str:
        """How an operand of the step that is being varied is called."""
        step, twin = self.note.steps[self.at], self.other.steps[self.at]
        own, other = step.args[at], twin.args[at]
        if isinstance(own, Tensor):
            return self._told(own)
        if own == other:
            return f"{own:.4g}"
        for n in self.note.sizes:
            for power, told in _POWERS.items():
                pairs = ((own, self.note.sizes), (other, self.other.sizes))
                if all(math.isclose(c, sizes[n] ** power) for c, sizes in pairs):
                    return told.format(n)
        return "the factor"

    def _told(self, x: Any) -> str:
        return self.text.get(id(x), "a number")

    def _expression(self, step: Step) -> str:
        """What a step makes, as it is called in a sentence."""
        name = REVERSED.get(step.name, step.name)
        given = [n for n in step.args if isinstance(n, Tensor)]
        if not given and step.args and isinstance(step.args[0], (list, tuple)):
            given = [n for n in step.args[0] if isinstance(n, Tensor)]
        told = [self._told(n) for n in given]
        if name in MOVES and told:
            return told[0]
        if name in TWO and len(step.args) == 2:
            order = (1, 0) if step.name in REVERSED else (0, 1)
            text = f"({f' {TWO[name][0]} '.join(self._operand(n) for n in order)})"
        elif name == "einsum":
            text = f"Σ {' · '.join(told)}"
        elif name in BENDS or name in ALONG:
            text = f"{name}({told[0] if told else ''})"
        else:
            text = f"{name}({', '.join(told)})"
        word = "product" if name in ("einsum", "linear") else _RESULTS.get(name, name)
        return text if len(text) < LONG else f"the {word}"


_POWERS = {1: "{}", 0.5: "the root of {}", -1: "1 / {}", -0.5: "1 / the root of {}"}


_RESULTS = {"add": "sum", "sub": "difference", "mul": "product", "div": "quotient"}


def _again(step: Step, at: int, value: Any) -> Any:
    """The step with another argument."""
    args = [*step.args]
    args[at] = value
    return step.function(*args, **step.options)


def _reduced(name: str, x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:  # noqa: FBT001
    if name == "softmax":
        if len(axes) > 1:
            return x.flatten().softmax(0).reshape(x.shape)
        return x.softmax(axes[0])
    if name == "prod":
        for at in sorted(axes, reverse=True):
            x = x.prod(at, keepdim=keep)
        return x
    found: Tensor = getattr(x, name)([*axes], keepdim=keep)
    return found


def _one(x: Tensor, axes: Sequence[int], cell: int, keep: bool) -> Tensor:  # noqa: FBT001
    for axis in sorted(axes, reverse=True):
        one = x.select(axis, cell)
        x = one.unsqueeze(axis) if keep else one
    return x


def _axes(letters: Sequence[str], axes: Sequence[int]) -> str:
    if len(axes) == len(letters) > 1:
        return "over everything"
    twice = {n for n in letters if letters.count(n) > 1 or not n}
    told = [
        f"axis {n} of ({', '.join(letters)})" if letters[n] in twice else letters[n]
        for n in axes
    ]
    return f"along {' and '.join(told)}"


Other = tuple[str, Run, int]


def _hidden(varied: _Varied, step: Step) -> Iterator[Other]:
    of = varied._told(step.args[0])  # noqa: SLF001
    for number in (0.0, -1.0, -10.0, -100.0):
        yield (
            f"the hidden numbers of {of} are {number:g}, and not {step.args[2]:g}",
            lambda s, *_, number=number: s.args[0].masked_fill(s.args[1], number),
            2,
        )
    yield (
        "the mask is turned over: what is to be seen is hidden",
        lambda s, *_: s.args[0].masked_fill(~s.args[1], s.args[2]),
        2,
    )
    yield (f"nothing of {of} is hidden", lambda s, *_: 1 * s.args[0], 2)


def _triangle(varied: _Varied, step: Step) -> Iterator[Other]:
    at = step.options.get("diagonal", step.args[1] if len(step.args) > 1 else 0)
    function = getattr(torch, step.name)
    for by, told in ((1, "up"), (-1, "down")):
        yield (
            f"the mask is one diagonal too far {told}",
            lambda s, *_, by=by: function(s.args[0], at + by),
            2,
        )
    yield (
        "the mask is transposed",
        lambda s, *_: s.made.mT,
        2,
    )


def _padded(varied: _Varied, step: Step) -> Iterator[Other]:
    lengths = step.args[1]
    of = varied._told(step.args[0])  # noqa: SLF001
    told = {
        "circular": "{} goes on from its other side; the padding is zeros",
        "replicate": "the edge of {} is repeated; the padding is zeros",
        "reflect": "{} is mirrored at its edge; the padding is zeros",
    }
    for mode, words in told.items():
        yield (
            words.format(of),
            lambda s, *_, mode=mode: _pad(s.args[0], s.args[1], mode),
            2,
        )
    if len(lengths) == 2:
        for by, word in ((1, "more"), (-1, "less")):
            yield (
                f"the padding of {of} has one cell {word} in front, and so much the "
                "other way at the end",
                lambda s, *_, by=by: functional.pad(
                    s.args[0], (s.args[1][0] + by, s.args[1][1] - by)
                ),
                2,
            )


def _pad(x: Tensor, lengths: Sequence[int], mode: str) -> Tensor:
    """Padded by another rule, however far it reaches."""
    left, right = lengths[0], lengths[1]
    w = x.shape[-1]
    at = torch.arange(-left, w + right)
    if mode == "circular":
        at = at % w
    elif mode == "replicate":
        at = at.clamp(0, w - 1)
    else:
        period = max(1, 2 * (w - 1))
        at = at % period
        at = torch.where(at < w, at, period - at)
    return x[..., at]


def _flipped(varied: _Varied, step: Step) -> Iterator[Other]:
    of = varied._told(step.args[0])  # noqa: SLF001
    yield (f"{of} is not reversed", lambda s, *_: 1 * s.args[0], 2)


def _clamped(varied: _Varied, step: Step) -> Iterator[Other]:
    of = varied._told(step.args[0])  # noqa: SLF001
    yield (f"{of} is not clamped", lambda s, *_: 1 * s.args[0], 2)
    yield (f"{of} is clamped the other way", lambda s, *_: s.args[0] - s.made, 2)


def _summed(varied: _Varied, step: Step) -> Iterator[Other]:
    """A sum of products that is divided by the length of what is summed."""
    for n in varied.note.sizes:
        text = varied._expression(step)  # noqa: SLF001
        yield f"{text} is divided by {n}", lambda s, _, z, n=n: s.made / z[n], 2
        yield (
            f"{text} is divided by the root of {n}",
            lambda s, _, z, n=n: s.made / z[n] ** 0.5,
            2,
        )
        yield f"{text} is multiplied by {n}", lambda s, _, z, n=n: s.made * z[n], 3
    for told, bend in (("negated", torch.neg), ("a ReLU is taken of", torch.relu)):
        text = varied._expression(step)  # noqa: SLF001
        words = f"{text} is negated" if told == "negated" else f"{told} {text}"
        yield words, lambda s, *_, bend=bend: bend(s.made), 3
    for by in ("tanh", "sigmoid", "softmax"):
        yield (
            f"a {by} is taken of {text}",
            lambda s, *_, by=by: getattr(s.made, by)(*[-1] * (by == "softmax")),
            3,
        )


_OTHERS: Mapping[str, Callable[[_Varied, Step], Iterator[Other]]] = {
    "masked_fill": _hidden,
    "triu": _triangle,
    "tril": _triangle,
    "pad": _padded,
    "flip": _flipped,
    "clamp": _clamped,
    "einsum": _summed,
    "linear": _summed,
}
