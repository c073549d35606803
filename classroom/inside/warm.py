"""The process in the sandbox that has torch loaded, and forks one for each submission.

It never runs a line of a submission itself. The grader talks to it over a socket that
no submission has: ``r`` and an open channel start a process for a submission, ``k``
ends it, and ``d`` ends it when it may have ended by itself, and asks how.
"""

import gc
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import NoReturn

import einops
import torch

import layerlib
from layerlib import lab  # noqa: F401

from . import record, seal, submission

ROOM = 16 * 2**20  # bytes in /tmp


def main(control: socket.socket, memory: int, seconds: int) -> None:
    """Serves until the grader closes the socket."""
    torch.set_num_threads(1)
    record.Written.watch()
    warm_up()
    memory += seal.used()
    gc.collect()
    gc.freeze()
    process = 0
    control.send(b"ready")
    while True:
        order, channels, _, _ = socket.recv_fds(control, 16, 1)
        if not order:
            return
        if order == b"r":
            if process:  # whoever asked for it is gone
                end(process)
            process, alone = start(control, channels[0], memory, seconds)
            os.close(channels[0])
            control.send(b"alone" if alone else b"shared")
        else:
            patience = 0.3 if order == b"d" else 0.0
            control.send(str(end(process, patience) if process else 0).encode())
            process = 0


def warm_up() -> None:
    """What the first call would load."""
    layer, x = layerlib.Linear(3, 4), torch.ones(2, 3, requires_grad=True)
    record.recorded(lambda x: layer(x).softmax(-1).sum().backward(), [x], [x])
    einops.reduce(torch.ones(2, 3), "a b -> b", "sum")


def start(
    control: socket.socket, channel: int, memory: int, seconds: int
) -> tuple[int, bool]:
    """Forks a process that goes into namespaces of its own, and one in them.

    Returns:
        The process that runs the submission, and whether it is alone.
    """
    told, tell = os.pipe()
    keeper = os.fork()
    if not keeper:
        control.close()
        alone = seal.apart(ROOM)
        process = os.fork()
        if process:
            os.write(tell, f"{process} {int(alone)}".encode())
            os.close(channel)
            os.close(tell)
            _, status = os.waitpid(process, 0)
            os._exit(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)
        os.close(tell)
        os.close(told)
        run(channel, memory, seconds)
    os.close(tell)
    answer = os.read(told, 32).split()
    os.close(told)
    global _keeper  # noqa: PLW0603  (one submission at a time)
    _keeper = keeper
    return int(answer[0]), answer[1] == b"1"


_keeper = 0


def end(process: int, patience: float = 0.0) -> int:
    """Ends the submission's process with all that it may have started.

    Returns:
        The signal that had ended it before, within the seconds of `patience`; else 0.
    """
    until = time.monotonic() + patience
    while time.monotonic() < until:
        gone, status = os.waitpid(_keeper, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    os.waitpid(_keeper, 0)
    return 0


def run(channel: int, memory: int, seconds: int) -> NoReturn:
    """Gives up all rights, and serves one submission."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        os.dup2(channel, 3)
        os.closerange(4, 256)
        seal.limit(memory, seconds, ROOM)
        seal.drop_capabilities()
        seal.refuse_system_calls()
        os.chdir("/tmp")  # noqa: S108  (its own, and empty)
        submission.serve(socket.socket(fileno=3))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))
