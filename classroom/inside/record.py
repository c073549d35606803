"""Runs an answer on inputs and writes down which operations of torch made its output.

The record is data: a list of operations by name, their arguments, and which results are
the output. The grader replays it on inputs of its own, with its own closed list of
operations, and judges only what comes out there. So nothing depends on this process
telling the truth: a record that was forged has to be right on numbers never seen here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from . import wire
from .names import Names

OPERATIONS = 20_000  # in one call


class TooMany(RuntimeError):  # noqa: N818  (an answer meets it by this name)
    """An answer ran more operations than a record may have."""


class Written:
    """How deep in functions with a gradient of their own: those run without gradients.

    In a replay the gradient is that of their operations.
    """

    depth = 0

    @classmethod
    def watch(cls) -> None:
        """Counts from now on."""
        apply = torch.autograd.Function.apply.__func__  # type: ignore[attr-defined]

        def counted(function: Any, *args: Any, **kwargs: Any) -> Any:
            cls.depth += 1
            try:
                return apply(function, *args, **kwargs)
            finally:
                cls.depth -= 1

        torch.autograd.Function.apply = classmethod(counted)  # type: ignore[assignment]


class Record(TorchDispatchMode):
    """What a call runs, below autograd: each operation with its arguments."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Any] = []
        self.constants: list[Tensor] = []
        self.alive: list[Tensor] = list(inputs)  # so that no id is used twice
        self.places = {id(x): i for i, x in enumerate(inputs)}
        self.count = len(inputs)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if len(self.operations) >= OPERATIONS:
            raise TooMany(f"more than {OPERATIONS} operations in one call")
        given = [wire.encode(x, self.place) for x in args]
        named = {k: wire.encode(v, self.place) for k, v in (kwargs or {}).items()}
        result = func(*args, **(kwargs or {}))
        tensors = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        for x in tensors:
            self.places[id(x)] = self.count
            self.alive.append(x)
            self.count += 1
        graded = torch.is_grad_enabled() or Written.depth > 0
        self.operations.append([str(func), given, named, graded])
        return result

    def place(self, x: Tensor) -> list[Any]:
        """Where a tensor came from: an input or a result; else it is a constant."""
        if id(x) not in self.places:
            # Constants are counted downwards, from -1.
            self.constants.append(wire.plain(x))
            self.alive.append(x)
            self.places[id(x)] = -len(self.constants)
        return ["tensor", self.places[id(x)]]


def recorded(
    answer: Callable[..., Any], arguments: Sequence[Any], inputs: Sequence[Tensor]
) -> tuple[dict[str, Any], list[Tensor]]:
    """One call as a message: what ran, what was returned, and the constants.

    Args:
        answer: the function.
        arguments: what it is called with; `inputs` are the tensors in there.
        inputs: numbered from 0 in the record.
    """
    names, record = Names(), Record(inputs)
    with names, record:
        returned = answer(*arguments)
    message = {
        "returned": wire.encode(returned, record.place),
        "operations": record.operations,
        "names": sorted(names.called),
    }
    return message, record.constants
