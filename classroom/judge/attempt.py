"""One call of an answer, kept within bounds: what it returned, raised and changed."""

import io
import random
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

LIMIT = 10.0
"""Seconds that one call may take."""

WARNED = 160  # characters of a warning that are told

SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "It switches gradients on or off for all that follows (set_grad_enabled).": (
        torch.is_grad_enabled,
        torch.set_grad_enabled,
    ),
    "It changes torch's default dtype; give a dtype to the tensor itself.": (
        torch.get_default_dtype,
        torch.set_default_dtype,
    ),
    "It changes torch's default device; leave tensors where they are.": (
        torch.get_default_device,
        lambda before: torch.set_default_device(
            None if before.type == "cpu" else before
        ),
    ),
    "It changes the number of torch's threads.": (
        torch.get_num_threads,
        torch.set_num_threads,
    ),
    "It changes which algorithms torch may use.": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "It switches torch's search for anomalies on or off.": (
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    ),
    "It changes how numpy treats errors (seterr).": (
        np.geterr,
        lambda before: np.seterr(**before),
    ),
}
"""What a call is to leave as it was: a sentence for it, how it is read and set."""


@dataclass(frozen=True)
class Attempt:
    """One call: what it returned or raised, and the names of inputs it changed."""

    sizes: Mapping[str, int]
    values: tuple[Any, ...]
    error: BaseException | None = None
    changed: Sequence[str] = ()

    @property
    def is_unfilled(self) -> bool:
        """Whether the function has nothing in it yet."""
        if self.error:
            return isinstance(self.error, NotImplementedError)
        return self.values[0] is ... or self.values[0] is NotImplemented

    @property
    def is_empty(self) -> bool:
        """Whether its batch has no example in it."""
        return 0 in self.sizes.values()

    def is_like(self, other: "Attempt") -> bool:
        """Whether both raised something, or both returned the same."""
        if self.error or other.error:
            return bool(self.error and other.error)
        return len(self.values) == len(other.values) and all(
            map(close, self.values, other.values)
        )


class Overtime(BaseException):
    """A call took longer than it may; no ``except Exception`` of an answer stops it."""


WHATEVER = (Exception, SystemExit, Overtime)  # that an answer may raise


class Nowhere(io.TextIOBase):
    """A stream that keeps nothing, however much is written to it."""

    def write(self, text: str) -> int:
        """Takes the text, and forgets it."""
        return len(text)


@dataclass
class Bounds:
    """A context in which an answer is called, and which leaves nothing changed.

    Attributes:
        changes: a sentence for each thing that was changed in it, and put back.
        warned: the first warning, as text.
    """

    changes: list[str] = field(default_factory=list)
    warned: str = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for where in (redirect_stdout, redirect_stderr):
                stack.enter_context(where(Nowhere()))
            self._warnings = stack.enter_context(warnings.catch_warnings(record=True))
            warnings.simplefilter("default")
            stack.enter_context(torch.random.fork_rng(devices=[]))
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            stack.callback(torch.set_grad_enabled, torch.is_grad_enabled())
            stack.callback(random.setstate, random.getstate())
            stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002
            torch.set_num_threads(1)
            torch.set_grad_enabled(True)
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)  # noqa: NPY002  (what an answer may draw from)
            self._dice = _dice()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if _dice() != self._dice:
            self.changes.append(
                "It draws random numbers; the same inputs are to give the same output."
            )
        self._stack.close()

    @contextmanager
    def call(self) -> Iterator[None]:
        """One call: settings are put back after it, and it may take `LIMIT` seconds."""
        self._warnings.clear()  # those of our own calls
        before = {told: read() for told, (read, _) in SETTINGS.items()}
        try:
            with limited(LIMIT):
                yield
        finally:
            if self._warnings and not self.warned:
                first = self._warnings[0]
                message = str(first.message).partition("\n")[0][:WARNED]
                self.warned = f"{first.category.__name__}: {message}"
            for told, (read, put) in SETTINGS.items():
                if read() != before[told]:
                    put(before[told])
                    if told not in self.changes:
                        self.changes.append(told)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises `Overtime` in what runs longer.

    Only the main thread can be stopped so; elsewhere, whoever made the thread has to.
    """
    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "setitimer")):
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        raise Overtime

    handler, start = signal.signal(signal.SIGALRM, stop), time.monotonic()
    # Again each second, for an answer that catches everything.
    left, again = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # somebody else's clock goes on
            left = max(1e-3, left - (time.monotonic() - start))
            signal.setitimer(signal.ITIMER_REAL, left, again)


def close(x: Any, y: Any) -> bool:
    """Whether two tensors have one shape and nearly the same numbers."""
    if not (readable(x) and readable(y) and x.shape == y.shape):
        return False
    x, y = (value.detach().to(torch.complex128) for value in (x, y))
    return torch.allclose(x, y, rtol=1e-4, atol=1e-5, equal_nan=True)


def readable(x: Any) -> bool:
    """Whether it is a tensor whose numbers can be read."""
    return isinstance(x, Tensor) and x.layout == torch.strided and not x.is_meta


def _dice() -> tuple[Any, ...]:
    # Not Python's own: the type checker that our tests switch on draws from it.
    numpy_state: Any = np.random.get_state()  # noqa: NPY002
    return (
        torch.get_rng_state().numpy().tobytes(),
        numpy_state[1].tobytes(),
        numpy_state[2:],
    )
