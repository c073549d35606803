"""Where answers run: apart from network, files, other answers and the grader."""

import importlib.util
import os
import shutil
import site
import socket
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from classroom.inside import wire

HERE = Path(__file__).parents[1] / "inside"
BOOK = "/book"
MISSING = (
    "grade: bubblewrap is not installed, and answers are not run without it.\n"
    "Install it: apt install bubblewrap (Debian, Ubuntu), dnf install bubblewrap "
    "(Fedora), pacman -S bubblewrap (Arch).\n"
    "On a machine that holds nothing of worth, --no-sandbox does without: an answer "
    "could then read and delete what you can."
)


@dataclass(frozen=True)
class Limits:
    """What the answers of one submission may use.

    Attributes:
        seconds: for an answer on all its cases, and for the cells; of the processor.
        patience: how many times as many may pass by the clock: a busy machine changes
            no mark.
        memory: MiB, above what torch itself needs.
    """

    seconds: int = 10
    memory: int = 1024
    patience: int = 10

    @property
    def clock(self) -> int:
        """Seconds by the clock."""
        return self.patience * self.seconds


class Unavailable(RuntimeError):  # noqa: N818  (an environment, not a program's error)
    """There is no sandbox on this machine; the message says how to get one."""


class Ended(Exception):  # noqa: N818  (the answer did it)
    """The process of a submission is gone: it ended itself, or it met a limit."""


def command(memory: int, seconds: int, control: int) -> list[str]:
    """How the warm process is started in bubblewrap.

    Raises:
        Unavailable: bubblewrap is not installed.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise Unavailable(MISSING)
    given = [
        bwrap, "--unshare-all", "--die-with-parent", "--new-session",
        "--cap-drop", "ALL", "--clearenv", "--hostname", "sandbox",
        "--uid", "1000", "--gid", "1000",  # root itself could not be mapped once more
    ]  # fmt: skip
    for name, value in environment().items():
        given += ["--setenv", name, value]
    given += ["--proc", "/proc", "--dev", "/dev", *_system()]
    for path in dict.fromkeys(_python()):
        given += ["--ro-bind", path, _there(path)]
    for path in _packages():  # this package, where it is installed and not a checkout
        if (Path(path) / "classroom").is_dir():
            given += ["--tmpfs", f"{_there(path)}/classroom"]
    layerlib = importlib.util.find_spec("layerlib")
    assert layerlib is not None and layerlib.submodule_search_locations  # noqa: S101, PT018
    given += ["--ro-bind", layerlib.submodule_search_locations[0], f"{BOOK}/layerlib"]
    given += ["--ro-bind", str(HERE), f"{BOOK}/inside"]
    given += ["--size", str(2**24), "--tmpfs", "/tmp"]  # noqa: S108
    given += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]  # noqa: S108
    paths = [BOOK, *map(_there, _packages())]
    return [*given, *_start(memory, seconds, control, paths, _there(sys.base_prefix))]


def environment() -> dict[str, str]:
    """The variables of the sandbox, all of them."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }


def _there(path: str) -> str:
    """Where a path stands in the sandbox, whose own /tmp hides what is below it."""
    return f"/elsewhere{path}" if Path(path).is_relative_to("/tmp") else path  # noqa: S108


def _start(
    memory: int, seconds: int, control: int, paths: Sequence[str], prefix: str
) -> Iterator[str]:
    # The interpreter without the environment's own start-up files, which may point at
    # the checkout with its exercises.
    python = Path(prefix) / "bin" / Path(os.path.realpath(sys.executable)).name
    yield from (str(python), "-I", "-S", "-B", "-c")
    yield (
        f"import runpy, sys; sys.path[:0] = {list(paths)}; "
        "runpy.run_module('inside.warm', run_name='__main__', alter_sys=True)"
    )
    yield from (str(control), str(memory * 2**20), str(seconds))


def _system() -> Iterator[str]:
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    yield from ("--ro-bind", "/usr", "/usr")
    if Path("/etc/ld.so.cache").exists():
        yield from ("--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache")


def _packages() -> list[str]:
    found = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return list(dict.fromkeys([*found, *filter(os.path.isdir, site.getsitepackages())]))


def _python() -> Iterator[str]:
    for path in (sys.base_prefix, *_packages()):
        if not path.startswith("/usr/") and path != "/usr":
            yield path


class Sandbox:
    """A warm process in bubblewrap that runs submissions, each alone and once.

    Args:
        limits: what a submission may use.
        isolated: False runs it as an ordinary process: `--no-sandbox`.

    Raises:
        Unavailable: there is no sandbox here; the message says how to get one.
    """

    def __init__(self, limits: Limits | None = None, *, isolated: bool = True) -> None:
        self.limits = limits or Limits()
        self.isolated = isolated
        if isolated:
            command(0, 0, 0)  # raises where bubblewrap is missing
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def warm(self) -> socket.socket:
        """The socket of the warm process, which is started when there is none."""
        if self._control:
            return self._control
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        seconds, memory = self.limits.seconds, self.limits.memory
        if self.isolated:
            given = command(memory, seconds, theirs.fileno())
        else:
            paths = [str(HERE.parent), str(HERE.parents[1]), *_packages()]
            given = [*_start(memory, seconds, theirs.fileno(), paths, sys.base_prefix)]
        self._process = subprocess.Popen(
            given,
            pass_fds=[theirs.fileno()],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        theirs.close()
        ours.settimeout(120)
        if ours.recv(16) != b"ready":
            ours.close()
            assert self._process.stderr is not None  # noqa: S101
            said = self._process.stderr.read().decode(errors="replace")
            self.close()
            raise Unavailable(f"grade: the sandbox does not start:\n{said[-2000:]}")
        self._control = ours
        return ours

    def open(self) -> "Submission":
        """A fresh process for one submission."""
        for _ in range(2):
            control = self.warm()
            ours, theirs = socket.socketpair()
            with theirs, suppress(OSError):
                socket.send_fds(control, [b"r"], [theirs.fileno()])
                alone = control.recv(16)
                if alone:
                    return Submission(self, ours, alone=alone == b"alone")
            ours.close()
            self.close()  # the warm process is gone: once more, with another
        raise Unavailable("grade: the sandbox starts, and then ends by itself")

    def end(self, *, alone: bool, died: bool = False) -> int:
        """Ends the process of a submission; where it was not alone, all the sandbox.

        Returns:
            The signal that had ended it, if it `died`; else 0.
        """
        status = 0
        if self._control:
            self._control.send(b"d" if died else b"k")
            status = int(self._control.recv(16) or 0)
        if not alone:
            self.close()
        return status

    def close(self) -> None:
        """Ends all that runs in the sandbox."""
        if self._process:
            self._process.kill()
            self._process.communicate()
        if self._control:
            self._control.close()
        self._process = self._control = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()


class Submission:
    """The process of one submission: its cells, and calls of its answers."""

    def __init__(
        self, sandbox: Sandbox, channel: socket.socket, *, alone: bool
    ) -> None:
        self.sandbox, self.channel, self.alone = sandbox, channel, alone
        self.ended = ""
        self.running: Any = None  # the cell that runs
        self.allow()

    def allow(self) -> None:
        """Starts the clock anew: for the cells, and for each exercise."""
        self.deadline = time.monotonic() + self.sandbox.limits.clock

    def ask(
        self, header: Any, tensors: Sequence[Tensor] = ()
    ) -> tuple[Any, Sequence[Tensor]]:
        """One question and its answer.

        Raises:
            Ended: the process is gone; the message says in a sentence why.
        """
        if self.ended:
            raise Ended(self.ended)
        try:
            self.channel.settimeout(max(0.1, self.deadline - time.monotonic()))
            wire.write(self.channel, header, tensors)
            while True:
                told, tensors = wire.read(self.channel, self.deadline)
                if not (isinstance(told, dict) and "running" in told):
                    return told, tensors
                self.running = told["running"]
        except (wire.TooLate, TimeoutError):
            self.close()
            seconds = self.sandbox.limits.clock
            self.ended = f"It was stopped: it had not ended after {seconds} s."
        except (wire.BrokenMessage, OSError):
            seconds = self.sandbox.limits.seconds
            self.ended = {
                9: f"It was stopped: it used the processor for more than {seconds} s.",
            }.get(
                self.close(died=True),
                "It ended the process that it ran in, or broke its channel.",
            )
        raise Ended(self.ended)

    def close(self, *, died: bool = False) -> int:
        """Ends the process; the signal that had ended it before, if it `died`."""
        if self.channel.fileno() < 0:
            return 0
        self.channel.close()
        with suppress(OSError):
            return self.sandbox.end(alone=self.alone, died=died)
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()


def warn_unprotected() -> None:
    """Says what `--no-sandbox` means."""
    warnings.warn(
        "grade --no-sandbox: answers run as you. They can read and delete your files, "
        "and use the network.",
        stacklevel=2,
    )
