"""The sandbox: what a submission sees and may do, and how it ends."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch

from classroom.grade import sandbox as module
from classroom.grade.sandbox import Ended, Limits, Sandbox, Submission, Unavailable
from classroom.inside import wire

# In CI they fail where it is missing.
pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None and not os.environ.get("CI"),
    reason="bubblewrap is not installed",
)
LOOK = """
import os, pathlib, sys
try:
    {0}
except BaseException as error:
    seen = type(error).__name__
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(seconds=2, memory=512, patience=20)) as made:
        yield made


def look(sandbox: Sandbox, code: str) -> object:
    """What `seen` is, after the code ran as a cell."""
    with sandbox.open() as submission:
        return ran(submission, code)


def ran(submission: Submission, code: str) -> object:
    cells = [["one", LOOK.format(code)]]
    told, _ = submission.ask({"cells": cells, "answers": [["it", "seen"]]})
    kind, value = told["found"]["it"]
    assert kind == "value"
    return wire.decode(value, lambda _: torch.zeros(()))


def test_each_submission_is_alone(sandbox: Sandbox) -> None:
    with sandbox.open() as submission:
        assert submission.alone
        assert ran(submission, "seen = os.getpid(), os.listdir('/proc'), os.listdir('/tmp')") == (
            1, [], [],
        )  # fmt: skip
        # The other end has no file of the first one, and is another process.
    assert look(
        sandbox, "open('/tmp/mine', 'w').write('x'); seen = os.listdir('/tmp')"
    ) == ["mine"]
    assert look(sandbox, "seen = os.listdir('/tmp')") == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import classroom.exercises", "ModuleNotFoundError"),
        ("import classroom.judge", "ModuleNotFoundError"),
        ("import layerlib; seen = layerlib.__name__", "layerlib"),
        ("seen = os.environ.get('HOME')", "/nonexistent"),
        ("seen = [n for n in ('USER', 'PYTHONPATH', 'VIRTUAL_ENV') if n in os.environ]", []),
        ("seen = sorted(os.listdir('/book'))", ["inside", "layerlib"]),
        ("seen = os.path.exists('/home') or os.path.exists('/var')", False),
        ("os.fork()", "PermissionError"),
        ("os.kill(1, 9)", "PermissionError"),
        ("os.execv('/bin/true', ['true'])", "PermissionError"),
        ("import socket; socket.socket()", "PermissionError"),
        ("open('/usr/x', 'w')", "OSError"),
        ("open('/book/inside/x', 'w')", "OSError"),
        ("open('/x', 'w')", "OSError"),
        ("open('/dev/x', 'w')", "OSError"),
        ("import ctypes; seen = ctypes.CDLL(None).unshare(0x10000000)", -1),
        ("import ctypes; seen = ctypes.CDLL(None).umount2(b'/proc', 2)", -1),
        ("import ctypes; seen = ctypes.CDLL(None).ptrace(16, 1, 0, 0)", -1),
        ("import ctypes; seen = ctypes.CDLL(None).shmget(0, 4096, 0o1600)", -1),
        ("os.memfd_create('m')", "PermissionError"),
        ("seen = bytearray(10**10)", "MemoryError"),
        ("open('/tmp/x', 'wb').write(bytes(2**25))", "OSError"),
        ("input()", "EOFError"),
        ("import resource; resource.setrlimit(resource.RLIMIT_CPU, (99, 99))", "ValueError"),
        ("import threading; t = threading.Thread(target=len, args=[[]]); t.start(); t.join(); seen = 'ran'", "ran"),
    ],
)  # fmt: skip
def test_what_a_submission_may_do(
    sandbox: Sandbox, code: str, expected: object
) -> None:
    seen = look(sandbox, code)
    assert [*seen] == expected if isinstance(seen, list) else seen == expected


def test_the_repository_is_not_there(sandbox: Sandbox) -> None:
    here = Path(__file__).parents[1]
    for name in ("chapters", "classroom/exercises", "classroom/judge", "tests", ".git"):
        hidden = str(here / name)
        assert look(sandbox, f"seen = os.path.exists({hidden!r})") is False
    assert (
        look(
            sandbox,
            "seen = any('exercises' in (getattr(m, '__file__', '') or '') for m in [*sys.modules.values()])",
        )
        is False
    )


def test_an_environment_below_tmp_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox has a /tmp of its own, which hides that of the machine."""
    below = Path(tempfile.mkdtemp(dir="/tmp", prefix=tmp_path.name))
    try:
        (below / "brought.py").write_text("number = 7\n")
        packages = [*module._packages(), str(below)]  # noqa: SLF001
        monkeypatch.setattr(module, "_packages", lambda: packages)
        with Sandbox(Limits(seconds=2, patience=20)) as made:
            assert look(made, "import brought; seen = brought.number") == 7
            assert look(made, "seen = os.listdir('/tmp')") == []
        monkeypatch.setattr(module.sys, "base_prefix", str(below))
        assert f"/elsewhere{below}/bin/" in " ".join(module.command(0, 0, 0))
    finally:
        shutil.rmtree(below)


def test_a_sandbox_that_does_not_start_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_packages", list)  # no torch
    broken = Sandbox(Limits(seconds=2))
    opened = psutil.Process()
    before, others = opened.num_fds(), opened.children()
    with pytest.raises(Unavailable, match=r"(?s)does not start:\n.*No module named"):
        broken.warm()
    assert opened.num_fds() == before
    assert opened.children() == others  # a browser, of other tests


def test_a_loop_is_ended_by_the_processor_time_that_it_used(sandbox: Sandbox) -> None:
    with sandbox.open() as submission:
        with pytest.raises(Ended, match="used the processor for more than 2 s"):
            ran(submission, "while True: pass")
        assert submission.running == 0
        with pytest.raises(Ended, match="used the processor"):
            submission.ask({})


def test_who_sleeps_is_ended_by_the_clock() -> None:
    with (
        Sandbox(Limits(seconds=1, patience=1)) as short,
        short.open() as submission,
        pytest.raises(Ended, match="had not ended after 1 s"),
    ):
        ran(submission, "import time; time.sleep(100)")


def test_all_threads_end_with_their_process() -> None:
    """Root is held to no number of them: only memory and the clock bound them."""
    bomb = "import threading, time; threading.stack_size(2**15)\n    while True: threading.Thread(target=time.sleep, args=[100]).start()"
    others = {*psutil.Process().children(recursive=True)}  # a browser, of other tests
    with Sandbox(Limits(seconds=1, memory=64, patience=3)) as short:
        with short.open() as submission, suppress(Ended):
            ran(submission, bomb)
        assert look(short, "seen = 1") == 1
        below = {*psutil.Process().children(recursive=True)} - others
        assert max(n.num_threads() for n in below) < 16


def test_who_ends_itself(sandbox: Sandbox) -> None:
    with (
        sandbox.open() as submission,
        pytest.raises(Ended, match="It ended the process"),
    ):
        ran(submission, "os._exit(0)")
    assert look(sandbox, "seen = 1") == 1


def test_without_bubblewrap_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    with pytest.raises(Unavailable, match="apt install bubblewrap"):
        Sandbox()
    with pytest.warns(UserWarning, match="answers run as you"):
        module.warn_unprotected()


def test_a_sandbox_that_is_killed_comes_back(sandbox: Sandbox) -> None:
    assert sandbox._process is not None  # noqa: SLF001
    sandbox._process.kill()  # noqa: SLF001
    sandbox._process.wait()  # noqa: SLF001
    assert look(sandbox, "seen = 2") == 2


@pytest.mark.parametrize(
    "value",
    [
        None, ..., True, 3, 2**70, 0.5, "text", (1, (2,)), [1, None], {"a": (1,)},
        {1, 2}, frozenset("ab"),
    ],
)  # fmt: skip
def test_a_value_arrives_as_it_was_sent(value: object) -> None:
    sent = json.loads(json.dumps(wire.encode(value, lambda _: None)))
    arrived = wire.decode(sent, lambda _: torch.zeros(()))
    assert arrived == value
    assert type(arrived) is type(value)


def test_what_a_message_cannot_hold() -> None:
    class Liar(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    assert (
        type(
            wire.decode(wire.encode(Liar(3), lambda _: None), lambda _: torch.zeros(()))
        )
        is int
    )
    strange = wire.decode(
        wire.encode(object(), lambda _: None), lambda _: torch.zeros(())
    )
    assert isinstance(strange, wire.Stranger)
    with pytest.raises(wire.BrokenMessage, match="marked 'pickle'"):
        wire.decode(["pickle", "x"], lambda _: torch.zeros(()))
