"""What is wrong with a line of letters: how it is written, and what it says."""

import re
from collections.abc import Mapping, Sequence

from layerlib.recipe import Line, Recipe, Reduce, split_axes

Axes = Mapping[str, Sequence[str]]
Met = tuple[str, str, str]  # a letter, that of the contract, and the input


def written(line: str, inputs: Axes) -> str:
    """What is wrong with how a line is written, as a sentence; or nothing."""
    if "→" in line:
        return "The arrow is written `->`, as a minus and a greater-than sign."
    arrow = re.search(r"=+>?|-{2,}>|[—–]>", line)
    if arrow:
        return f"The arrow is written `->`, not `{arrow[0]}`."
    left, _, right = line.partition("->")
    if "->" not in line or "->" in right:
        return ""  # a Line says so itself
    if re.search(r"[^\w\s,.()]", left + right):
        return "A line has letters, spaces, commas, parentheses and one `->` only."
    if "," in right:
        return "A line has one output: there is no comma to the right of `->`."
    return _counted(left, inputs) or _glued(left, right, inputs)


def _counted(left: str, inputs: Axes) -> str:
    """Whether a line has as many inputs as there are."""
    count = left.count(",") + 1
    if count == len(inputs):
        return ""
    few = count < len(inputs)
    why = "is a comma missing?" if few else "a comma separates inputs, not letters."
    of = f"{count} input{'s' * (count != 1)}"
    return f"The line has {of}, and {len(inputs)} are given: {why}"


def _glued(left: str, right: str, inputs: Axes) -> str:
    """Whether letters stand together, as in ``torch.einsum``."""
    terms = [term.strip() for term in left.split(",")]
    ranks = [len(axes) for axes in inputs.values()]
    pairs = zip(terms, ranks, strict=True)
    glued = all(re.fullmatch("[a-zA-Z]+", term) and len(term) == n for term, n in pairs)
    if not glued or max(ranks) == 1:
        return ""
    spaced = ", ".join(map(" ".join, terms))
    return (
        f"Between letters there are spaces; `{max(terms, key=len)}` is one letter "
        f"with a long name.\nWith spaces it is `{spaced} -> {' '.join(right.strip())}`."
    )


def says(line: Line, inputs: Axes, outputs: Axes, named: Sequence[str] = ()) -> str:
    """What a line says that the contract does not, in sentences; or nothing.

    Args:
        line: the answer.
        inputs: the axes of each input, as the contract has them.
        outputs: those of the output.
        named: letters whose sizes are given by their names.
    """
    left, _, right = line.line.partition("->")
    terms = [split_axes(term) for term in left.split(",")]
    if any("..." in term for term in terms) or len(terms) != len(inputs):
        return ""
    told: list[str] = []
    met: list[Met] = []
    for (name, axes), term in zip(inputs.items(), terms, strict=True):
        if len(term) != len(axes):
            return f"{name} has {len(axes)} axes, and the line gives it {len(term)}."
        for axis, own in zip(axes, term, strict=True):
            asked, given = axis.split(), own.split()
            if len(given) == 1 < len(asked):
                told.append(f"`{own}` of {name} is to be split into ({axis}).")
                continue
            if len(asked) == 1 < len(given):
                return f"`({own})` stands where {name} has {axis}, which is not split."
            if len(asked) != len(given):
                return ""
            if (
                given != asked
                and sorted(given) == sorted(asked)
                and {*asked} & {*named}
            ):
                told.append(f"{name} is split as ({own}); its order is ({axis}).")
                asked = given
            met += [(by, n, name) for n, by in zip(asked, given, strict=True)]
    told += _clashes([each for each in met if not each[0].isdigit()])
    own_names = {by for by, _, _ in met}
    told = told or [
        f"The size of {n} is given by its name, and the line has no `{n}`."
        for n in named
        if n not in own_names
    ]
    if told:
        return "\n".join(told)
    summed = "so it is summed" if isinstance(line, Recipe | Reduce) else "so it is lost"
    names = {by: letter for by, letter, _ in met}
    return _output(split_axes(right), next(iter(outputs.values())), names, summed)


def _clashes(met: Sequence[Met]) -> list[str]:
    """Letters that stand for two axes, and axes that have two letters."""
    told: list[str] = []
    for by in dict.fromkeys(by for by, _, _ in met):
        both = list(dict.fromkeys((n, name) for own, n, name in met if own == by))
        if len({n for n, _ in both}) > 1:
            where = " and ".join(f"{n} of {name}" for n, name in both[:2])
            told.append(f"`{by}` stands for two axes, {where}: they walk together.")
    for letter in dict.fromkeys(n for _, n, _ in met):
        both = list(dict.fromkeys((by, name) for by, n, name in met if n == letter))
        if len({by for by, _ in both}) > 1:
            where = " and ".join(f"`{by}` in {name}" for by, name in both[:2])
            told.append(
                f"The axis {letter} has two letters, {where}: "
                "each then meets every other."
            )
    return told


def _output(
    axes: Sequence[str],
    right: Sequence[str],
    as_asked: Mapping[str, str],
    lost_is: str,
) -> str:
    """How the right side differs from what is asked for."""
    own = [[as_asked.get(by, by) for by in axis.split()] for axis in axes]
    asked = [axis.split() for axis in right]
    flat = [letter for axis in own for letter in axis if letter != "1"]
    wanted = [letter for axis in asked for letter in axis if letter != "1"]
    back = {letter: by for by, letter in as_asked.items()}
    told = [
        f"`{back.get(n, n)}` is not on the right, {lost_is}; keep it."
        for n in wanted
        if n not in flat
    ] + [
        f"`{back[n]}` is still on the right; it is to be summed."
        if n in back
        else f"`{n}` of the output is in no input."
        for n in flat
        if n not in wanted
    ]
    if told or own == asked:
        return "\n".join(told)

    def text(axes: Sequence[Sequence[str]]) -> str:
        named = [" ".join(back.get(n, n) for n in axis) for axis in axes]
        return " ".join(f"({n})" if " " in n else n or "1" for n in named)

    if sorted(map(sorted, own)) == sorted(map(sorted, asked)):
        for axis, wish in zip(own, asked, strict=True):
            if axis != wish and sorted(axis) == sorted(wish):
                return (
                    f"{text([axis])} is merged in another order: "
                    f"it is to be {text([wish])}, where the last runs fastest."
                )
        both = f"{text(own)}; asked for is {text(asked)}"
        return f"The axes of the output come as {both}."
    return f"The output is {text(own)}; asked for is {text(asked)}."
