"""An answer as the grader has it: a record of operations, run again on its own numbers.

The answer itself runs elsewhere, and what it returns is never believed: only what its
operations make of inputs of the grader's. So there is nothing to be gained by reading
the inputs, by patching torch, or by switching off what watches: it is all over there.
"""

import builtins
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.overrides import _get_current_function_mode, handle_torch_function
from torch.utils._pytree import tree_flatten, tree_leaves

from classroom.grade.operations import FRESH
from classroom.grade.sandbox import Ended, Submission
from classroom.inside import wire

ELEMENTS = 2**26  # that the operations of a replay read and write, together


class Refused(Exception):  # noqa: N818  (the answer did it)
    """A record has an operation that is not on the list."""


class TooMuch(Exception):  # noqa: N818
    """A replay would take more memory, or longer, than any answer needs."""


class Replay:
    """A record: called with the inputs, it gives the output that they lead to.

    Args:
        message: the record, as the sandbox sent it: untrusted.
        constants: the tensors that were neither inputs nor results.
        allowed: the kernels that it may have.
    """

    def __init__(
        self,
        message: Mapping[str, Any],
        constants: Sequence[Tensor],
        allowed: frozenset[str],
    ) -> None:
        self.operations = list(message["operations"])[:20_000]
        self.returned = message["returned"]
        self.names = [str(name) for name in message["names"]][:1000]
        self.constants, self.allowed = constants, allowed

    def __call__(self, inputs: Sequence[Tensor]) -> Any:
        """The output.

        Raises:
            Refused: an operation is not on the list.
            TooMuch: the tensors have too many numbers, together.
        """
        known = dict(enumerate(inputs))
        known |= {-1 - i: x.clone() for i, x in enumerate(self.constants)}
        count, left = len(inputs), ELEMENTS
        for name, given, named, graded in self.operations:
            kernel = self.kernel(name)
            args = [wire.decode(x, known.__getitem__) for x in given]
            kwargs = {k: wire.decode(x, known.__getitem__) for k, x in named.items()}
            with torch.set_grad_enabled(bool(graded) and torch.is_grad_enabled()):
                result = kernel(*args, **kwargs)
            for x in _tensors(result):
                known[count] = x
                count += 1
            left -= sum(x.numel() for x in _tensors([args, kwargs, result]))
            if left < 0:
                raise TooMuch
            if self.simple(name) in FRESH:
                with torch.no_grad():
                    result.zero_()
        return wire.decode(self.returned, known.__getitem__)

    def kernel(self, name: str) -> OpOverload:
        """The operation of that name, if it is on the list.

        Raises:
            Refused: it is not.
        """
        if self.simple(name) not in self.allowed:
            raise Refused(self.simple(name)[:80])
        _, packet, overload = name.split(".")
        found = getattr(getattr(torch.ops.aten, packet), overload)
        if not isinstance(found, OpOverload):  # ``aten.add.__setattr__``
            raise Refused(str(name)[:80])
        return found

    @staticmethod
    def simple(name: str) -> str:
        """``aten.add.Tensor`` as ``add``; of another library, all of its name."""
        parts = str(name).split(".")
        return parts[1] if len(parts) == 3 and parts[0] == "aten" else str(name)


class Program:
    """An answer that runs in a sandbox, to be called like any function.

    For inputs that it has not had, the answer runs there and its record comes back; the
    output is always that of the record, run here.

    Args:
        submission: the process that has the answer.
        exercise: which of its answers.
        allowed: the kernels that it may run.
    """

    def __init__(
        self, submission: Submission, exercise: str, allowed: frozenset[str]
    ) -> None:
        self.submission, self.exercise, self.allowed = submission, exercise, allowed
        self.refused = ""
        self.ended = ""
        self.records: dict[bytes, Replay | Exception] = {}

    def __call__(self, *arguments: Any) -> Any:
        """The output of its record, or what the answer raised."""
        inputs = _tensors(list(arguments))
        replay = self.record(arguments, inputs)
        announce(replay.names, inputs)
        return self.run(replay, inputs)

    def run(self, replay: Replay, inputs: Sequence[Tensor]) -> Any:
        """The output of a record, on these inputs."""
        if self.ended:
            raise TooMuch
        try:
            return replay(inputs)
        except Refused as error:
            self.refused = str(error)
            raise
        except TooMuch:
            self.ended = self.ended or "What it does takes too much memory or time."
            raise

    def record(self, arguments: Sequence[Any], inputs: Sequence[Tensor]) -> Replay:
        """What the answer does with these arguments.

        Raises:
            Exception: what the answer raised.
        """
        key = fingerprint(arguments)
        if key not in self.records:
            self.records[key] = self.ask(arguments, inputs)
        found = self.records[key]
        if isinstance(found, Replay):
            return found
        raise found.with_traceback(None)

    def ask(
        self, arguments: Sequence[Any], inputs: Sequence[Tensor]
    ) -> Replay | Exception:
        """Has the answer run, there."""
        places = {id(x): i for i, x in enumerate(inputs)}
        header = {
            "exercise": self.exercise,
            "arguments": [
                wire.encode(a, lambda x: ["tensor", places[id(x)]]) for a in arguments
            ],
        }
        try:
            message, constants = self.submission.ask(header, inputs)
        except Ended as error:
            self.ended = str(error)
            return error
        if "raised" in message:
            return error_like(*map(str, message["raised"]))
        return Replay(message, constants, self.allowed)


def _tensors(tree: Any) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


def error_like(name: str, said: str) -> Exception:
    """An exception of that name: one of Python's own, or one made for it."""
    kind = getattr(builtins, name, None)
    plain = ("NotImplementedError", "TypeError", "ValueError", "NameError",
             "IndexError", "RuntimeError", "AttributeError", "ZeroDivisionError",
             "RecursionError", "MemoryError", "AssertionError")  # fmt: skip
    if kind is None or name not in plain:
        kind = type(name if name.isidentifier() else "Error", (Exception,), {})
    made: Exception = kind(said[:2500])
    return made


def fingerprint(arguments: Sequence[Any]) -> bytes:
    """Tells arguments apart, by their numbers."""
    digest = hashlib.blake2b(digest_size=16)
    leaves, structure = tree_flatten(list(arguments))
    digest.update(str(structure).encode())
    for leaf in leaves:
        if isinstance(leaf, Tensor):
            plain = wire.plain(leaf)
            digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
            digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            digest.update(repr(leaf).encode())
    return digest.digest()


def announce(names: Sequence[str], inputs: Sequence[Tensor]) -> None:
    """Tells whoever watches here which public functions of torch ran over there.

    A record has kernels only: `torch.einsum` is a `bmm` in it, or an `mm`.
    """
    if _get_current_function_mode() is None or not inputs:
        return
    for name in names:

        def said(*_: Any) -> None:
            return None

        said.__name__ = name
        handle_torch_function(said, (inputs[0],), inputs[0])
