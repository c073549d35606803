"""What made each cell of a layer's output: the layer itself is asked."""

import copy
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from layerlib.conventions.expect import expect

ZERO = 1e-9  # what is smaller is a rounding
STEP = 1e-5  # how far a number is moved for its slope
FILL = {"sum": 0.0, "max": -1e30}  # what padding holds: it adds nothing, it never wins
CHOICES: dict[str, tuple[float, Callable[[list[float]], float]]] = {
    "max": (1e3, max),
    "min": (-1e3, min),
}
"""How loud a cell must be to be chosen, and the choice."""

Term = tuple[float, tuple[int | None, ...]]
"""A factor, and the cell of each tensor that it is multiplied with, if there is one."""


def terms(
    function: Callable[..., Any], *tensors: Tensor, **options: Any
) -> list[list[Term]]:
    """For each cell of the output, the products that are added up in it.

    A cell of a convolution is a sum of products, of a cell of the input and one of the
    kernel each. Which ones is found by asking the layer: where all of an input is 0
    but a single 1, nothing is left but the products with that cell. Inputs are asked
    alone and together, and what fewer of them give is taken off.

    Args:
        function: a sum of products, in each of which an input stands at most once.
        *tensors: its inputs. Truth values stay as they are, tensors with an infinity
            in them, and whole numbers next to floating point: those are masks and
            indices. All others are given as float64.
        **options: of the function.

    Raises:
        TypeError: the output is no tensor, or there is no input of numbers.
        ValueError: the function is no such sum.

    >>> terms(torch.mul, torch.tensor([2, 5]), torch.tensor(3))
    [[(1.0, (0, 0))], [(1.0, (1, 0))]]

    Source: a function of this kind is a sum over the subsets of its inputs; each
    summand is found by Möbius inversion.
    """
    layer = Asked(function, tensors, options)
    made: list[list[Term]] = [[] for _ in range(layer.output.numel())]
    tables = _tables(layer)
    for inputs in sorted(tables, key=lambda inputs: (-len(inputs), inputs)):
        table = tables[inputs].movedim(-1, 0)
        factors = table[table != 0].tolist()
        for factor, (cell, *at) in zip(factors, table.nonzero().tolist(), strict=True):
            places = dict(zip((layer.which[n] for n in inputs), at, strict=True))
            term = tuple(places.get(n) for n in range(len(tensors)))
            made[cell].append((factor, term))
    return made


def influences(
    function: Callable[..., Any], *tensors: Tensor, how: str, **options: Any
) -> list[list[Term]]:
    """For each cell of the output, the cells that have an influence on it.

    Each cell of the inputs is changed, and what follows it is marked. The others are
    random: of those that are seen, none can hide at all of several random points.

    Args:
        function: what is asked.
        *tensors: its inputs; those that stay as they are, as in `terms`, are not asked.
        how: ``max`` or ``min`` makes the changed cell far larger, or smaller, than the
            others; ``marks`` changes it by a little.
        **options: of the function.

    Raises:
        TypeError: the output is no tensor, or there is no input of numbers.

    >>> influences(torch.cumsum, torch.tensor([2, 5]), how="marks", dim=0)
    [[(1.0, (0,))], [(1.0, (0,)), (1.0, (1,))]]
    """
    layer = Asked(function, tensors, options)
    loud = CHOICES[how][0] if how in CHOICES else 0.0
    made: list[list[Term]] = [[] for _ in range(layer.output.numel())]
    for which, n in enumerate(layer.which):
        changed = torch.zeros(layer.values[which].numel(), len(made), dtype=torch.bool)
        for seed in range(1 if loud else 6):
            point = layer.random(seed)
            if seed % 2:  # where the given numbers are, the layer is defined
                point = [x + y for x, y in zip(point, layer.values, strict=True)]
            steps = (loud, 2 * loud) if loud else (0.0, (-1.0) ** seed)
            before, after = (layer.moved(point, which, step) for step in steps)
            changed |= ~before.isclose(after, ZERO, ZERO, equal_nan=True)
        for cell, at in changed.T.nonzero().tolist():
            term = tuple(at if k == n else None for k in range(len(tensors)))
            made[cell].append((1.0, term))
    return made


def slopes(
    function: Callable[..., Any], *tensors: Tensor, **options: Any
) -> dict[int, Tensor]:
    """How far each cell of the output moves, for each 1 that a cell of an input moves.

    Each cell of the inputs is moved a little up and a little down, from the numbers
    that are given. For the values of attention that is the attention's weight.

    Args:
        function: what is asked.
        *tensors: its inputs; those that stay as they are, as in `terms`, are not asked.
        **options: of the function.

    Returns:
        For each input that is asked ``(cells, output)``; NaN at a kink, where up and
        down differ.

    Raises:
        TypeError: the output is no tensor, or there is no input of numbers.

    >>> slopes(torch.square, torch.tensor([5]))[0].round()
    tensor([[10.]], dtype=torch.float64)
    """
    layer = Asked(function, tensors, options)
    now, found = layer.output.flatten(), {}
    for n, which in enumerate(layer.which):
        up, down = (layer.moved(layer.values, n, step) for step in (STEP, -STEP))
        kink = ~(up - now).isclose(now - down, 1e-2, 1e-3 * STEP)
        found[which] = ((up - down) / (2 * STEP)).masked_fill(kink, torch.nan)
    return found


def ring(
    function: Callable[..., Any], *tensors: Tensor, how: str, **options: Any
) -> tuple[tuple[int, ...], list[list[int]]] | None:
    """The padding of a layer, and which cells of it each cell of the output sees.

    The layer has an option, a keyword or an attribute ``padding``. Without it, it is
    asked on the padded input: if it gives the same, the cells of the padding are seen
    as all others are.

    Args:
        function: what is asked.
        *tensors: its inputs, of which the first is padded.
        how: ``sum`` or ``max``; what else there is has no padding.
        **options: of the function.

    Returns:
        How many cells lie at either end of each of the last axes, and for each cell of
        the output the flat indices in the padded input. None if there is no padding, or
        if it is none that the layer could do without.

    >>> from layerlib.conv import conv1d
    >>> x, w = torch.ones(1, 3), torch.ones(1, 1, 2)
    >>> ring(conv1d, x, w, how="sum", padding=1)
    ((1,), [[0], [], [], [4]])
    """
    found = _without_padding(function, options)
    if how not in FILL or found is None:
        return None
    padding, bare, without = found
    several = isinstance(padding, tuple)
    for around in [padding] if several else [(padding,), (padding, padding)]:
        if any(around) and len(around) <= min(2, tensors[0].ndim):
            layer = Asked(function, tensors, options)
            if _alike(layer, bare, without, around, how):
                return around, _beyond(bare, tensors, without, around, how)
    return None


def _without_padding(
    function: Callable[..., Any], options: dict[str, Any]
) -> tuple[Any, Callable[..., Any], dict[str, Any]] | None:
    """The padding of a function, and the function and options that have none."""
    keywords = getattr(function, "keywords", {})
    if "padding" in options:
        found = options["padding"], function, {**options, "padding": 0}
    elif "padding" in keywords:
        found = keywords["padding"], functools.partial(function, padding=0), options
    elif isinstance(function, nn.Module) and hasattr(function, "padding"):
        bare: Any = copy.deepcopy(function)
        several = isinstance(bare.padding, tuple)
        bare.padding = (0,) * len(bare.padding) if several else 0
        found = function.padding, bare, options
    else:
        return None
    numbers = found[0] if isinstance(found[0], tuple) else (found[0],)
    return found if all(isinstance(n, int) for n in numbers) else None


def _wider(
    tensors: Sequence[Tensor], around: tuple[int, ...], value: float
) -> list[Tensor]:
    """The inputs, the first of them with cells at either end of its last axes."""
    widths = [n for size in reversed(around) for n in (size, size)]
    return [pad(tensors[0], widths, value=value), *tensors[1:]]


def _alike(
    layer: "Asked",
    bare: Callable[..., Any],
    options: dict[str, Any],
    around: tuple[int, ...],
    how: str,
) -> bool:
    """Whether a layer is another one, without padding, on the padded input."""
    for values in (layer.values, layer.random(0)):
        given, expected = layer.given(values), layer(*values)
        try:
            output = Asked(bare, _wider(given, around, FILL[how]), options).output
        except (RuntimeError, TypeError, ValueError):
            return False
        if output.shape != expected.shape or not output.allclose(expected):
            return False
    return True


def _beyond(
    function: Callable[..., Any],
    tensors: Sequence[Tensor],
    options: dict[str, Any],
    around: tuple[int, ...],
    how: str,
) -> list[list[int]]:
    """For each cell of the output, the cells of the padding that it is made of."""
    wider = _wider(tensors, around, 0.0)
    if how == "sum":
        made = terms(function, *wider, **options)
    else:
        made = influences(function, *wider, how=how, **options)
    inside = _wider([torch.ones(tensors[0].shape)], around, 0.0)[0].flatten().tolist()
    cells = [{at[0] for _, at in cell if at[0] is not None} for cell in made]
    return [sorted(n for n in cell if not inside[n]) for cell in cells]


class Asked:
    """A function of numbers in float64, and calls of it on many inputs at once."""

    def __init__(
        self,
        function: Callable[..., Any],
        tensors: Sequence[Tensor],
        options: dict[str, Any],
    ) -> None:
        if isinstance(function, nn.Module):
            function = copy.deepcopy(function).double()
        self._call = functools.partial(function, **options)
        finite = [n for n, x in enumerate(tensors) if x.isfinite().all()]
        real = [n for n in finite if tensors[n].is_floating_point()]
        whole = [n for n in finite if tensors[n].dtype != torch.bool]
        self.which = real or whole
        told = ", ".join(str(x.dtype) for x in tensors)
        expect("point_at", self.which != [], "an input of numbers", told, TypeError)
        self._tensors = tensors
        self._at_once = True
        self.values = [tensors[n].double() for n in self.which]
        self.output = self(*self.values)

    def __call__(self, *values: Tensor) -> Tensor:
        """The output for other values of the inputs that are asked."""
        given = self.given(values)
        # What is random in it is drawn alike in each call, and as the next call would.
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            output: Tensor = self._call(*given)
        expected = "a function that gives one tensor (pick one in a lambda)"
        is_tensor = isinstance(output, Tensor)
        expect("point_at", is_tensor, expected, type(output).__name__, TypeError)
        return output.double()

    def given(self, values: Sequence[Tensor]) -> list[Tensor]:
        """All inputs, with other values of those that are asked."""
        given = list(self._tensors)
        for n, value in zip(self.which, values, strict=True):
            given[n] = value.clone()
        return given

    def random(self, seed: int) -> list[Tensor]:
        """A point like no other."""
        dice = torch.Generator().manual_seed(seed)
        return [
            torch.randn(x.shape, dtype=x.dtype, generator=dice) for x in self.values
        ]

    def moved(self, point: Sequence[Tensor], which: int, step: float) -> Tensor:
        """``(cells, output)``: with each cell of an input changed by a step."""
        count = point[which].numel()
        many = [x.expand(count, *x.shape) for x in point]
        many[which] = many[which] + step * torch.eye(count).view(many[which].shape)
        return self._many(*many)

    def units(self, inputs: Sequence[int]) -> Tensor:
        """``(cells, cells, ..., output)``: with a single 1 in each of these inputs."""
        sizes = [self.values[n].numel() for n in inputs]
        found = []
        for at in torch.split(torch.ones(sizes).nonzero(), 1024):
            many = [x.new_zeros(len(at), *x.shape) for x in self.values]
            for n, cell in zip(inputs, at.T, strict=True):
                many[n].view(len(at), -1)[range(len(at)), cell] = 1
            found.append(self._many(*many))
        return torch.cat(found).reshape(*sizes, -1)

    def _many(self, *batches: Tensor) -> Tensor:
        if self._at_once:
            try:
                output: Tensor = torch.func.vmap(self, randomness="same")(*batches)
                return output.reshape(len(batches[0]), -1)
            except (RuntimeError, TypeError, ValueError):
                self._at_once = False  # it looks at its numbers, or writes over them
        one_by_one = [self(*each) for each in zip(*batches, strict=True)]
        return torch.stack(one_by_one).reshape(len(one_by_one), -1)


def _tables(layer: Asked) -> dict[tuple[int, ...], Tensor]:
    """For each set of inputs that are multiplied: ``(cells, cells, ..., output)``."""
    tables: dict[tuple[int, ...], Tensor] = {}
    alone: dict[tuple[int, ...], Tensor] = {}  # what the set adds at a random point
    point, count = layer.random(0), len(layer.values)
    large = 1 + layer(*point).abs().max()
    for inputs in _subsets(range(count)):
        some = [x if n in inputs else 0 * x for n, x in enumerate(point)]
        output, fewer = layer(*some).flatten(), _subsets(inputs)[:-1]
        alone[inputs] = output - sum(alone[each] for each in fewer)
        if alone[inputs].abs().max() <= ZERO * large:
            continue
        table = layer.units(inputs)
        for each in fewer:
            if each in tables:
                sizes = [
                    table.shape[k] if n in each else 1 for k, n in enumerate(inputs)
                ]
                table = table - tables[each].reshape(*sizes, -1)
        tables[inputs] = table.where(table.abs() > ZERO, 0)
    other = layer.random(1)
    for values in (layer.values, other, [-x for x in other]):
        total = torch.zeros(layer.output.numel(), dtype=torch.float64)
        for inputs, table in tables.items():
            for n in inputs:
                table = torch.tensordot(values[n].flatten(), table, 1)  # noqa: PLW2901
            total = total + table
        expect(
            "point_at",
            bool(total.isclose(layer(*values).flatten(), ZERO, ZERO).all()),
            'a sum of products of its inputs, for how="sum"',
            'a function that is none; use how="max", how="min" or how="marks"',
        )
    return tables


def _subsets(items: Sequence[int]) -> list[tuple[int, ...]]:
    """All of them, the smaller ones first."""
    sizes = range(len(items) + 1)
    return [each for size in sizes for each in itertools.combinations(items, size)]
