"""What a function is called with: a convention says here what becomes of it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, no_type_check

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from layerlib.conventions.axes import numbers
from layerlib.conventions.dtypes import HALVES, wide
from layerlib.conventions.expect import Errors, expect

Step = Callable[[Any], Any]
AXES = {1: "length", 2: "height, width", 3: "depth, height, width"}


def is_last(x: Tensor) -> bool:
    """Whether channels, axis 1, lie last in memory."""
    return not x.is_contiguous() and x.movedim(1, -1).is_contiguous()


def channels_last(x: Tensor) -> Tensor:
    """A copy with its channels last in memory."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


@no_type_check  # torch.compile cannot look into what pytest wraps around it
class Call:
    """Each argument under its name, defaults included; what is put there is handed on.

    Errors begin with `layer`; `n` counts the axes of a function that is one of three.
    """

    if TYPE_CHECKING:  # the arguments
        input: Any

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init__(self, layer: str, n: int, given: dict[str, Any]) -> None:
        self.layer, self.n = layer, n
        self.after: tuple[Step, ...] = ()
        for name, value in given.items():
            setattr(self, name, value)

    def expect(
        self, holds: bool, expected: str, got: object, error: Errors = ValueError
    ) -> None:
        """Raises what was expected and what was got, unless it holds."""
        expect(self.layer, holds, expected, got, error)

    def then(self, step: Step) -> None:
        """Has this done to the output, before what it was told earlier."""
        self.after = (step, *self.after)

    def each(self, step: Step) -> None:
        """The same for each tensor of the output."""

        def run(output: Any) -> Any:
            alone = isinstance(output, Tensor)  # which is quicker
            return step(output) if alone else tree_map_only(Tensor, step, output)

        self.then(run)

    def change(self, function: Step, *names: str) -> None:
        """Puts the function of each tensor in its place; of one given twice, one."""
        given = [(name, getattr(self, name)) for name in names]
        made = {id(x): function(x) for _, x in given if x is not None}
        for name, x in given:
            setattr(self, name, made.get(id(x)))

    def shaped(
        self, name: str, *shapes: Sequence[int | None], error: Errors = ValueError
    ) -> None:
        """Raises, unless it has one of these shapes (None is any size) or is None."""
        x = getattr(self, name)
        size = () if x is None else tuple(x.shape)
        pairs = [zip(size, s, strict=True) for s in shapes if len(s) == len(size)]
        fits = any(all(m is None or n == m for n, m in each) for each in pairs)
        if not fits and x is not None:  # torch.compile joins no sizes
            told = " or ".join(map(str, shapes)).replace("None", "*")
            self.expect(fits, f"{name} of shape {told}", size, error)

    def numbers(self, name: str, n: int, least: int | None = None) -> tuple[Any, ...]:
        """One number becomes one for each of `n` axes; each is `least` or more."""
        given = getattr(self, name)
        found = numbers(self.layer, name, given, n)
        if least is not None:
            self.expect(min(found) >= least, f"{name} of at least {least}", given)
        setattr(self, name, found)
        return found

    def with_batch(self, n: int) -> Tensor:
        """The input of channels and `n` more axes, with a batch: if need be, of one."""
        x: Tensor = self.input
        told = f"an input of shape (batch, channels, {AXES[n]}), or without the batch"
        self.expect(x.ndim in (n + 1, n + 2), told, tuple(x.shape))
        return x if x.ndim == n + 2 else x[None]

    def batched(self, n: int) -> Tensor:
        """The same, put in its place; the output then loses that batch again."""
        axes, x = self.input.ndim, self.with_batch(n)
        self.input = x
        if axes == n + 1:
            self.each(lambda y: y[0])
        return x

    def like_input(self, last: bool) -> None:
        """The output in its dtype, and its channels `last` in memory or in rows."""
        dtype, last = self.input.dtype, last and is_last(self.input)
        self.each(lambda y: y.to(dtype) if y.is_floating_point() else y)
        self.each(lambda y: channels_last(y) if last else y.contiguous())

    def autocast(self, *names: str) -> None:
        """Under autocast the tensors get its dtype, except those of float64."""
        kind = getattr(self, names[0]).device.type
        known = torch.amp.is_autocast_available(kind)  # on a meta device there is none
        if known and torch.is_autocast_enabled(kind):
            few, cast = torch.get_autocast_dtype(kind), (torch.float32, *HALVES)
            self.change(lambda x: x.to(few) if x.dtype in cast else x, *names)

    def alike(self, *names: str) -> None:
        """Raises, unless the tensors have the dtype of the first."""
        first = getattr(self, names[0]).dtype
        for name in names[1:]:
            x = getattr(self, name)
            found = first if x is None else x.dtype
            told = f"{name} to be {first}, as {names[0]} is"
            self.expect(found == first, told, found, TypeError)

    def widen(self, *names: str) -> None:
        """16 bits become 32, and those of the output what the first tensor's were."""
        dtype = getattr(self, names[0]).dtype
        self.change(wide, *names)
        if dtype in HALVES:
            self.each(lambda y: y.to(dtype) if y.is_floating_point() else y)
