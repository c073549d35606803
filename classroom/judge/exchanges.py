"""Why an answer is wrong: one step of what is right, and another in its place.

The reference calls torch step by step: a product, a softmax, a tanh. One of them is
exchanged at a time: another function is taken, the softmax runs along another axis,
what is to be added is multiplied, a step reads another tensor. An answer that does the
same in every case is explained.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from classroom.judge.causes import Change, Sizes, Tensors
from classroom.judge.signs import named
from classroom.judge.steps import MOVES, SIGNS, Reading, Run, Step, noted

Instead = Callable[[Step, Run], Any]
Exchange = tuple[str, Instead, int]  # told, what is done instead, weight
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
    "cube": ("cube", lambda x: x**3),
}
ALONG = {
    "softmax": "softmax", "sum": "sum", "mean": "mean", "amax": "largest number",
    "amin": "smallest number", "prod": "product", "var": "variance",
}  # fmt: skip
TWO: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "add": ("added", lambda a, b: a + b),
    "sub": ("subtracted", lambda a, b: a - b),
    "mul": ("multiplied", lambda a, b: a * b),
    "div": ("divided", lambda a, b: a / b),
}
COMMON = ("sigmoid", "tanh", "relu", "exp", "square", "sqrt", "abs")
MOST = 1500  # pairs of exchanges that are tried
TURNED = ("permute", "transpose", "movedim", "__get__")


def variations(
    attempt: Callable[[Change, Sizes], Any], one: Sizes, two: Sizes
) -> Iterator[Change]:
    """What is right with one step exchanged.

    Args:
        attempt: runs what is right in a case, with a change.
        one: a case in which all sizes differ.
        two: another one.
    """
    reading = Reading(noted(attempt, one), noted(attempt, two))
    if len(reading.run.steps) != len(reading.other.steps):
        return  # as many steps as an axis is long: nothing can be said of each
    alike: dict[tuple[str, ...], dict[int, list[Exchange]]] = {}
    for at, step in enumerate(reading.run.steps):
        exchanges = [*_exchanges(reading)]
        fixed = step.name in MOVES or step.is_in_place
        reads = [] if fixed else _reads(reading, step)
        for told, instead, weight in (*exchanges, *reads):
            yield _change(told, {at: instead}, weight)
        yield from _early(reading)
        for key in _kinds(reading):
            alike.setdefault(key, {})[at] = exchanges
        reading.go_on()
    yield from _each_time(alike.values())
    yield from _throughout(reading.run)


def pairs(
    attempt: Callable[[Change, Sizes], Any], one: Sizes, two: Sizes
) -> Iterator[Change]:
    """What is right with two steps exchanged; its arguments are those above."""
    reading = Reading(noted(attempt, one), noted(attempt, two))
    if len(reading.run.steps) != len(reading.other.steps):
        return
    found: list[tuple[int, Exchange]] = []
    for at in range(len(reading.run.steps)):
        found += [(at, each) for each in _exchanges(reading, LIGHT)]
        reading.go_on()
    both = [n for n in itertools.combinations(found, 2) if n[0][0] != n[1][0]]
    both.sort(key=lambda n: n[1][0] - n[0][0])  # those next to each other come first
    for (at, first), (later, second) in both[:MOST]:
        told = f"{first[0]}, and {second[0]}"
        yield _change(told, {at: first[1], later: second[1]}, 4)


def _change(told: str, instead: dict[int, Instead], weight: int = 2) -> Change:
    def around(tensors: Tensors, sizes: Sizes) -> Run:
        return Run(sizes, tensors, instead)

    return Change(told, around=around, weight=weight)


def _exchanges(reading: Reading, kinds: Sequence[Any] = ()) -> Iterator[Exchange]:
    """What may stand in the place of one step; all kinds, if none are given."""
    step, name = reading.step, reading.step.name
    if step.is_in_place:
        return  # what it changes has been changed already
    for names, kind in _KINDS:
        if name in names and (not kinds or kind in kinds):
            yield from kind(reading, step)


def _kinds(reading: Reading) -> Iterator[tuple[str, ...]]:
    """What a step has in common with those that a learner gets wrong like it."""
    step = reading.step
    numbers = [n for n in step.args if not isinstance(n, Tensor)]
    maker = reading.maker(step.args[0]) if step.args else None
    key = (step.name, str(numbers), str(step.options))
    yield key
    yield (*key, "" if maker is None else reading.run.steps[maker].name)


def _each_time(groups: Iterable[dict[int, list[Exchange]]]) -> Iterator[Change]:
    """The same exchange at all steps that are alike."""
    seen: set[tuple[int, ...]] = {()}
    for group in groups:
        many = len(group) > 1 and len({*map(len, group.values())}) == 1
        if many and tuple(group) not in seen:
            seen.add(tuple(group))
            for each in zip(*group.values(), strict=True):
                made = {at: n[1] for at, n in zip(group, each, strict=True)}
                yield _change(f"{each[0][0]}, and so each time", made, 3)


def _throughout(run: Run) -> Iterator[Change]:
    """All that runs along one axis runs along another."""
    groups: dict[tuple[str, ...], dict[int, list[str]]] = {}
    for at, step in enumerate(run.steps):
        if step.name in ALONG:
            letters, own = _lettered(step, run.sizes)
            if all(letters) and len({*letters}) == len(letters):
                groups.setdefault(tuple(letters[n] for n in own), {})[at] = letters

    def along(axes: Sequence[int]) -> Instead:
        def instead(s: Step, _: Run) -> Any:
            keep = bool(s.options.get("keepdim"))
            y = _reduced(s.name, s.args[0], axes, keep=keep)
            return y.expand_as(s.made) if len(axes) == s.args[0].dim() else y

        return instead

    for own_axes, group in groups.items():
        shared = set.intersection(*({*letters} for letters in group.values()))
        told = f"where {' and '.join(own_axes)} is meant"
        if len(group) > 1:
            for n in sorted(shared - {*own_axes}):
                made = {at: along([axes.index(n)]) for at, axes in group.items()}
                yield _change(f"all is taken along {n}, {told}", made)
            made = {at: along(range(len(axes))) for at, axes in group.items()}
            yield _change(f"all is taken over everything, {told}", made)


def _early(reading: Reading) -> Iterator[Change]:
    """Two steps in a row, the second of which is taken before the first."""
    step = reading.step
    maker = reading.maker(step.args[0]) if step.args else None
    many = sum(isinstance(n, Tensor) for n in step.args) > 1
    if maker is None or many or step.name in MOVES:
        return
    first = reading.run.steps[maker]
    if first.name in MOVES:
        return
    word = BENDS[step.name][0] if step.name in BENDS else ALONG.get(step.name)
    if step.name in SIGNS:
        number = next(n for n, x in enumerate(step.args) if not isinstance(x, Tensor))
        word = f"factor {reading.operand(number)}"
    told = f"the {word or step.name} comes too early: it is taken of"
    off: dict[int, Instead] = {reading.at: lambda s, _: 1 * s.args[0]}
    for at, own in enumerate(first.args):
        if isinstance(own, Tensor):

            def before(s: Step, _: Run, at: int = at) -> Any:
                return s.again(at, step.again(0, s.args[at]))

            text = f"{told} {reading.told(own)}, before that goes on"
            yield _change(text, {maker: before} | off)
            readers = {
                n: [p for p, x in enumerate(each.args) if x is own]
                for n, each in enumerate(reading.run.steps)
                if any(x is own for x in each.args)
            }
            if len(readers) > 1 and reading.at not in readers:
                every = {n: _each(step, places) for n, places in readers.items()}
                text = f"{told} {reading.told(own)}, wherever that is read"
                yield _change(text, every | off)
    if first.name in TWO and all(isinstance(x, Tensor) for x in first.args):
        both = " and of ".join(map(reading.told, first.args))
        yield _change(
            f"{told} {both}, each by itself", {maker: _each(step, [0, 1])} | off
        )


def _each(step: Step, places: Sequence[int]) -> Instead:
    """A step that reads some of its arguments as another step makes them."""

    def instead(s: Step, _: Run) -> Any:
        new = [step.again(0, x) if n in places else x for n, x in enumerate(s.args)]
        return s.function(*new, **s.options)

    return instead


def _bent(reading: Reading, step: Step) -> Iterator[Exchange]:
    word, of = BENDS[step.name][0], reading.told(step.args[0])
    yield f"the {word} of {of} is not taken", lambda s, _: 1 * s.args[0], 2
    yield f"the {word} of {of} is subtracted from 1", lambda s, _: 1 - s.made, 2
    for by in BENDS:
        if by in COMMON and by != step.name:
            yield _other_bend(of, word, by)


def _rarer(reading: Reading, step: Step) -> Iterator[Exchange]:
    word, of = BENDS[step.name][0], reading.told(step.args[0])
    for by in BENDS:
        if by not in COMMON and by != step.name:
            yield _other_bend(of, word, by)
    for n in reading.run.sizes if step.name == "sqrt" else ():
        told = f"the root of {of} is the {n}-th one, and not the second"
        yield told, _scaled(n, lambda y, length: y ** (2 / length)), 2


def _other_bend(of: str, word: str, by: str) -> Exchange:
    other, function = BENDS[by]
    return f"the {other} of {of} is taken, and not the {word}", _taken(function), 2


def _along(reading: Reading, step: Step) -> Iterator[Exchange]:
    name, x, word = step.name, step.args[0], ALONG[step.name]
    keep = bool(step.options.get("keepdim"))
    letters, own = _lettered(step, reading.run.sizes)
    of, along = reading.told(x), _axes(letters, own)

    def reduced(by: str, axes: Sequence[int]) -> Instead:
        return lambda s, _: _reduced(by, s.args[0], axes, keep=keep)

    most = min(x.dim(), 3)  # of more axes there are too many sets
    others = [
        [*at]
        for count in {*range(1, most + 1), x.dim()}
        for at in itertools.combinations(range(x.dim()), count)
    ]
    for other in others:
        if other != own and not (name == "softmax" and 1 < len(other) < x.dim()):
            told = f"the {word} of {of} runs {_axes(letters, other)}, not {along}"
            yield told, reduced(name, other), 2
    ways = [*ALONG.items()]
    ways += [] if name == "softmax" else [("first", "first one"), ("last", "last one")]
    for by, more in ways:
        if by != name:
            told = f"the {more} of {of} {along} is taken, and not the {word}"
            yield told, reduced(by, own), 2


def _in_part(reading: Reading, step: Step) -> Iterator[Exchange]:
    """Some of the axes are reduced in another way, before the rest."""
    letters, own = _lettered(step, reading.run.sizes)
    of, ways = reading.told(step.args[0]), ("mean", "amax", "amin", "sum")
    sets = (itertools.combinations(own, count) for count in range(1, len(own)))
    for some, by in itertools.product(itertools.chain(*sets), ways):
        if by != step.name:
            told = f"the {ALONG[by]} of {of} {_axes(letters, some)} is taken"
            told = f"{told}, and not the {ALONG[step.name]}"
            rest = [at for at in own if at not in some]
            yield told, _in_turn((by, some), (step.name, rest)), 2
            yield told, _in_turn((step.name, rest), (by, some)), 2


def _lettered(step: Step, sizes: Sizes) -> tuple[list[str], list[int]]:
    """The letters of what a step reduces, if they are known, and which axes it does."""
    x = step.args[0]
    axes = step.options.get("dim", step.args[1] if len(step.args) > 1 else None)
    if not isinstance(axes, (int, list, tuple)):
        axes = [*range(x.dim())]
    own = [n % x.dim() for n in ([axes] if isinstance(axes, int) else axes)]
    return named(tuple(x.shape), (), sizes) or [""] * x.dim(), own


def _in_turn(*ways: tuple[str, Sequence[int]]) -> Instead:
    def instead(s: Step, _: Run) -> Any:
        y = s.args[0]
        for name, axes in ways:
            y = _reduced(name, y, axes, keep=True)
        return y.reshape(s.made.shape)

    return instead


def _soft(reading: Reading, step: Step) -> Iterator[Exchange]:
    of = reading.told(step.args[0])
    at = step.options.get("dim", step.args[1] if len(step.args) > 1 else -1)
    bends: dict[str, Callable[[Tensor], Tensor]] = {
        "no softmax is taken of {}": lambda x: 1 * x,
        "the softmax of {} is a sigmoid": torch.sigmoid,
        "the exponentials of {} are not divided by their sum": torch.exp,
        "{} is divided by its sum, without exponentials": (
            lambda x: x / x.sum(at, keepdim=True)
        ),
        "all weights are equal: the softmax of {} is a mean": (
            lambda x: (0 * x).softmax(at)
        ),
        "the largest of {} is taken alone (argmax)": (
            lambda x: (x == x.amax(at, keepdim=True)).to(x.dtype)
        ),
    }
    for told, bend in bends.items():
        yield told.format(of), _taken(bend), 2


def _combined(reading: Reading, step: Step) -> Iterator[Exchange]:
    if len(step.args) != 2:
        return
    name, word = step.name, TWO[step.name][0]
    left, right = step.order
    one, two = reading.operand(left), reading.operand(right)
    for by, (other, function) in TWO.items():
        if by != name:
            told = f"{one} and {two} are {other} where they are to be {word}"
            yield told, _joined(function, left, right), 2
        elif name in ("sub", "div"):
            told = (
                f"it is {two} {SIGNS[name]} {one} where it is to be the other way round"
            )
            yield told, _joined(function, right, left), 2
    verb = {"add": "added to", "mul": "multiplied by", "div": "divided by"}.get(
        name, "subtracted from"
    )
    lost, kept = (two, one) if name in ("add", "sub") else (one, two)
    for at, told in (
        (left, f"{lost} is not {verb} {kept}"),
        (right, f"{one} is left out where it meets {two}"),
    ):
        yield told, _alone(at), 2


def _laid(reading: Reading, step: Step) -> Iterator[Exchange]:
    """A row that is laid along another axis of what it meets."""
    if len(step.args) != 2 or not all(isinstance(x, Tensor) for x in step.args):
        return
    for at, x in enumerate(step.args):
        other = step.args[1 - at]
        long = [n - x.dim() for n, length in enumerate(x.shape) if length > 1]
        if len(long) != 1 or other.dim() < 2 or other.dim() < x.dim():
            continue
        letters = named(tuple(step.made.shape), (), reading.run.sizes)
        if not letters or not all(letters):
            continue
        for place in range(-other.dim(), 0):
            if place != long[0]:

                def instead(s: Step, _: Run, at: int = at, place: int = place) -> Any:
                    return s.again(at, s.args[at].reshape(-1, *[1] * (-1 - place)))

                told = f"{reading.told(x)} lies along {letters[place]}"
                yield f"{told}, and not along {letters[long[0]]}", instead, 2


def _distributed(reading: Reading, step: Step) -> Iterator[Exchange]:
    """A factor that meets only one term of a sum."""
    verb = "divided by" if step.name == "div" else "multiplied by"
    for at in step.order[: 1 if step.name == "div" else 2]:
        maker = reading.maker(step.args[at])
        if maker is None or reading.run.steps[maker].name not in ("add", "sub"):
            continue
        for term, lone in enumerate(reading.run.steps[maker].args):

            def instead(
                s: Step, run: Run, at: int = at, maker: int = maker, term: int = term
            ) -> Any:
                both = run.steps[maker]
                return both.again(term, s.again(at, both.args[term]))

            if isinstance(lone, Tensor):
                factor, all_ = reading.operand(1 - at), reading.told(step.args[at])
                told = f"only {reading.told(lone)} is {verb} {factor}"
                yield f"{told}, and not all of {all_}", instead, 2


def _constants(reading: Reading, step: Step) -> Iterator[Exchange]:
    """Another number in the place of one."""
    for at, number in enumerate(step.args):
        if isinstance(number, (int, float)):
            yield from _constant(reading, at)


def _constant(reading: Reading, at: int) -> Iterator[Exchange]:
    own = reading.operand(at)
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
    for n in reading.run.sizes:
        numbers[n] = lambda _, sizes, n=n: float(sizes[n])  # type: ignore[misc]
        numbers[f"the root of {n}"] = lambda _, sizes, n=n: sizes[n] ** 0.5  # type: ignore[misc]
        numbers[f"{own} · {n}"] = lambda c, sizes, n=n: c * sizes[n]  # type: ignore[misc]
    beside = reading.operand(1 - at)
    for told, other in numbers.items():

        def instead(s: Step, run: Run, other: Any = other) -> Any:
            return s.again(at, other(s.args[at], run.sizes))

        if told != own:
            words = f"next to {beside} there is {told}, where {own} is to be"
            yield words, instead, 2


def _reads(reading: Reading, step: Step) -> Iterator[Exchange]:
    """A step that reads another tensor."""
    for at, own in enumerate(step.args):
        found = reading.found(own)
        if not isinstance(own, Tensor) or found is None:
            continue
        if isinstance(found, str):
            yield from _in_one_place(reading, at, own)
        twice = sum(each is own for each in step.args) > 1
        for other, x in reading.known.items():
            told, instead = reading.told(x), reading.told(own)
            if x.shape != own.shape or reading.found(x) != other or told == instead:
                continue

            def read(s: Step, run: Run, at: int = at, other: Any = other) -> Any:
                return s.again(at, run.value(other))

            def less(s: Step, run: Run, at: int = at, other: Any = other) -> Any:
                return s.again(at, 1 - run.value(other))

            def both(s: Step, run: Run, at: int = at, other: Any = other) -> Any:
                new = [run.value(other) if n is s.args[at] else n for n in s.args]
                return s.function(*new, **s.options)

            yield f"{told} is read where {instead} is to be", read, 2
            yield f"1 − {told} is read where {instead} is to be", less, 3
            if twice:
                yield f"{told} is read where {instead} is to be, twice", both, 2


def _in_one_place(reading: Reading, at: int, own: Tensor) -> Iterator[Exchange]:
    """A mean or a square of an input in one of the places where it is read."""
    letters = named(tuple(own.shape), (), reading.run.sizes) or [""] * own.dim()
    for axis in range(own.dim()):

        def mean(s: Step, _: Run, axis: int = axis) -> Any:
            x = s.args[at]
            return s.again(at, x.mean(axis, keepdim=True).expand_as(x))

        told = f"{reading.told(own)} is averaged {_axes(letters, [axis])} in one place"
        yield told, mean, 3
    told = f"{reading.told(own)} is squared in one place"
    yield told, lambda s, _: s.again(at, s.args[at].square()), 3


def _turned(reading: Reading, step: Step) -> Iterator[Exchange]:
    told = f"{reading.told(step.args[0])} is reshaped where its axes are to be moved"
    yield told, lambda s, _: s.args[0].reshape(s.made.shape), 2


def _hidden(reading: Reading, step: Step) -> Iterator[Exchange]:
    of = reading.told(step.args[0])
    for number in (0.0, -1.0, -10.0, -100.0):
        told = f"the hidden numbers of {of} are {number:g}, and not {step.args[2]:g}"
        yield told, _again(2, number), 2
    told = "the mask is turned over: what is to be seen is hidden"
    yield told, lambda s, _: s.again(1, ~s.args[1]), 2
    yield f"nothing of {of} is hidden", lambda s, _: 1 * s.args[0], 2


def _triangle(_: Reading, step: Step) -> Iterator[Exchange]:
    at = step.options.get("diagonal", step.args[1] if len(step.args) > 1 else 0)
    function = getattr(torch, step.name)

    def moved(by: int) -> Instead:
        return lambda s, _: function(s.args[0], at + by)

    for by, told in ((1, "up"), (-1, "down")):
        words = f"the mask is one diagonal too far {told}"
        yield words, moved(by), 2
    yield "the mask is transposed", lambda s, _: s.made.mT, 2


def _padded(reading: Reading, step: Step) -> Iterator[Exchange]:
    if len(step.args[1]) != 2:
        return
    of = reading.told(step.args[0])
    modes: dict[str, Callable[[Tensor, int], Tensor]] = {
        f"{of} goes on from its other side": lambda at, w: at % w,
        f"the edge of {of} is repeated": lambda at, w: at.clamp(0, w - 1),
        f"{of} is mirrored at its edge": (
            lambda at, w: (w - 1 - (at % max(1, 2 * w - 2) - w + 1).abs()).abs()
        ),
    }
    for told, place in modes.items():

        def instead(s: Step, _: Run, place: Any = place) -> Any:
            (left, right), w = s.args[1], s.args[0].shape[-1]
            return s.args[0][..., place(torch.arange(-left, w + right), w)]

        yield f"{told}, where the padding is zeros", instead, 2
    more = f"one cell of the padding of {of} too many is"
    less = "and one too few on the other side"
    sides: dict[str, Callable[[int, int], tuple[int, int]]] = {
        f"{more} in front, {less}": lambda left, right: (left + 1, right - 1),
        f"{more} at the end, {less}": lambda left, right: (left - 1, right + 1),
        f"{more} in front": lambda left, right: (left + 1, right),
        f"{more} at the end": lambda left, right: (left, right + 1),
        f"{of} is not padded": lambda *_: (0, 0),
        f"all of the padding of {of} is in front": lambda *both: (sum(both), 0),
        f"all of the padding of {of} is at the end": lambda *both: (0, sum(both)),
        f"the two sides of the padding of {of} are exchanged": (
            lambda left, right: (right, left)
        ),
        f"{of} is padded at the end as it is to be in front, on both sides alike": (
            lambda left, _: (left, left)
        ),
        f"{of} is padded in front as it is to be at the end, on both sides alike": (
            lambda _, right: (right, right)
        ),
        f"{of} is padded twice as much as it is to be": (
            lambda left, right: (2 * left, 2 * right)
        ),
    }
    for told, both in sides.items():

        def shifted(s: Step, _: Run, both: Any = both) -> Any:
            return functional.pad(s.args[0], both(*s.args[1]))

        yield told, shifted, 2


def _cut(reading: Reading, step: Step) -> Iterator[Exchange]:
    x, made = step.args[0], step.made
    if not isinstance(x, Tensor) or x.dim() != made.dim():
        return
    shorter = [n for n in range(x.dim()) if made.shape[n] < x.shape[n]]
    if len(shorter) != 1:
        return
    of, at = reading.told(x), shorter[0]
    yield f"{of} is not cut to its length", lambda s, _: 1 * s.args[0], 2

    def left(s: Step, _: Run) -> Any:
        return s.args[0].narrow(at, 0, s.made.shape[at])

    def right(s: Step, _: Run) -> Any:
        length = s.made.shape[at]
        return s.args[0].narrow(at, s.args[0].shape[at] - length, length)

    yield f"{of} is cut at the end alone", left, 2
    yield f"{of} is cut in front alone", right, 2


def _flipped(reading: Reading, step: Step) -> Iterator[Exchange]:
    of = reading.told(step.args[0])
    yield f"{of} is not reversed", lambda s, _: 1 * s.args[0], 2


def _clamped(reading: Reading, step: Step) -> Iterator[Exchange]:
    of = reading.told(step.args[0])
    yield f"{of} is not clamped", lambda s, _: 1 * s.args[0], 2
    yield f"{of} is clamped the other way", lambda s, _: s.args[0] - s.made, 2
    told = f"the magnitude of {of} is taken, where it is to be clamped"
    yield told, lambda s, _: s.args[0].abs(), 2


def _product(reading: Reading, step: Step) -> Iterator[Exchange]:
    text = reading.expression()
    for at, x in enumerate(step.args):
        if isinstance(x, Tensor) and x.dim() and at < 3:
            told = f"{reading.told(x)} is left out of {text}, as if it were 1"
            yield told, _ones(at), 2
    for n in reading.run.sizes:
        yield f"{text} is divided by {n}", _scaled(n, lambda y, length: y / length), 2
        told = f"{text} is divided by the root of {n}"
        yield told, _scaled(n, lambda y, length: y / length**0.5), 2
        yield (
            f"{text} is multiplied by {n}",
            _scaled(n, lambda y, length: y * length),
            3,
        )
    yield f"{text} is negated", lambda s, _: -s.made, 3
    for name in ("relu", "tanh", "sigmoid", "exp"):
        told = f"the {BENDS[name][0]} of {text} is taken, and nothing is to be"
        yield told, _bent_after(name), 3
    if step.made.dim():
        told = f"the softmax of {text} is taken, and nothing is to be"
        yield told, lambda s, _: s.made.softmax(-1), 3


def _largest(reading: Reading, step: Step) -> Iterator[Exchange]:
    """A sum of products, and along one letter the largest of them."""
    if not isinstance(step.args[0], str):
        return
    terms, _, kept = step.args[0].partition("->")
    by_size = {size: letter for letter, size in reading.run.sizes.items()}
    for own in sorted({n for n in terms if n.isalpha()} - {*kept}):
        length = next(
            x.shape[term.index(own) - len(term)]
            for term, x in zip(terms.split(","), step.args[1:], strict=True)
            if own in term
        )

        def instead(s: Step, _: Run, own: str = own) -> Any:
            return torch.einsum(f"{terms}->{kept}{own}", *s.args[1:]).amax(-1)

        told = f"of {reading.expression()} the largest along {by_size.get(length)}"
        yield f"{told} is taken, and not the sum", instead, 2


_KINDS: list[tuple[Any, Callable[[Reading, Step], Iterator[Exchange]]]] = [
    (BENDS, _bent), (BENDS, _rarer), (ALONG, _along), (ALONG, _in_part),
    (("softmax",), _soft), (TWO, _combined),
    (TWO, _laid), (TWO, _constants), (("mul", "div"), _distributed),
    (TURNED, _turned), (("masked_fill",), _hidden), (("triu", "tril"), _triangle),
    (("pad",), _padded), (("flip",), _flipped), (("clamp",), _clamped),
    (("einsum", "linear"), _product), (("__getitem__",), _cut),
    (("einsum",), _largest),
]  # fmt: skip
LIGHT = (_bent, _along, _soft, _combined)  # of which two are sought at once


def _taken(function: Callable[[Tensor], Tensor]) -> Instead:
    return lambda s, _: function(s.args[0])


def _bent_after(name: str) -> Instead:
    return lambda s, _: BENDS[name][1](s.made)


def _joined(function: Callable[[Any, Any], Any], one: int, two: int) -> Instead:
    return lambda s, _: function(s.args[one], s.args[two])


def _alone(at: int) -> Instead:
    return lambda s, _: s.args[at] + torch.zeros_like(s.made)


def _ones(at: int) -> Instead:
    return lambda s, _: s.again(at, torch.ones_like(s.args[at]))


def _again(at: int, value: Any) -> Instead:
    return lambda s, _: s.again(at, value)


def _scaled(letter: str, scale: Callable[[Tensor, int], Tensor]) -> Instead:
    return lambda s, run: scale(s.made, run.sizes[letter])


def _reduced(name: str, x: Tensor, axes: Sequence[int], *, keep: bool) -> Tensor:
    if name == "softmax":
        if len(axes) > 1:
            return x.flatten().softmax(0).reshape(x.shape)
        return x.softmax(axes[0])
    if name not in ("prod", "first", "last"):
        found: Tensor = getattr(x, name)([*axes], keepdim=keep)
        return found
    for at in sorted(axes, reverse=True):
        x = x.prod(at) if name == "prod" else x.select(at, -(name == "last"))
        x = x.unsqueeze(at) if keep else x
    return x


def _axes(letters: Sequence[str], axes: Sequence[int]) -> str:
    if len(axes) == len(letters) > 1:
        return "over everything"
    alike = {n for n in letters if letters.count(n) > 1 or not n}
    of = f"of ({', '.join(n or '·' for n in letters)})"
    told = [f"axis {n} {of}" if letters[n] in alike else letters[n] for n in axes]
    return f"along {' and '.join(told)}"
