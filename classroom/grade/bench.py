"""A process that grades one notebook after another, each in a fork of itself.

It has torch, the exercises and a warm sandbox. The fork holds the seed and the
references and runs no code of a student; it has limits all the same, because a record
may ask for much. Whatever happens in it, the next notebook starts from the same state.
"""

import base64
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import torch

from classroom.grade.notebook import Assignment, Item
from classroom.grade.sandbox import Limits, Sandbox, Unavailable
from classroom.inside.seal import used

MEMORY = 2 * 2**30  # bytes above what the process has, for the replays of a notebook


@dataclass(frozen=True)
class Job:
    """A notebook to be graded, with all that this needs.

    Attributes:
        student: whose it is.
        stem: the name of its file.
        data: the file.
        seed: secret; the inputs of the last check are drawn from it.
        known: the assignments.
        limits: what the answers may use.
        isolated: whether they run in the sandbox.
        remarks: what is known of the file already.
        drawn: what the student's variants were drawn from.
    """

    student: str
    stem: str
    data: bytes
    seed: str
    known: Mapping[str, Assignment]
    limits: Limits
    isolated: bool = True
    remarks: tuple[str, ...] = ()
    drawn: str = ""


class Bench:
    """The process, as whoever gives it notebooks has it: started when needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def grade(self, job: Job) -> dict[str, Any]:
        """The marks of one notebook, as plain data.

        Raises:
            Unavailable: there is no sandbox on this machine.
        """
        text = json.dumps(
            {**asdict(job), "data": base64.b64encode(job.data).decode()}
        ).encode()
        for attempt in range(2):
            channel = self._start()
            with suppress(OSError, ValueError):
                channel.write(text + b"\n")
                channel.flush()
                line = channel.readline()
                result: dict[str, Any] = json.loads(line)
                if "unavailable" in result:
                    raise Unavailable(result["unavailable"])
                return result
            self.close()  # it was killed: once more, with another
            time.sleep(attempt)
        return lost(job, "The grader itself was stopped, twice.")

    def _start(self) -> Any:
        if self._process is None:
            ours, theirs = socket.socketpair()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "classroom.grade.bench", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
                stdin=subprocess.DEVNULL,
            )
            theirs.close()
            self._channel = ours.makefile("rwb")
            ours.close()
        return self._channel

    def close(self) -> None:
        """Ends the process, and with it the sandbox."""
        if self._process:
            with suppress(OSError):
                self._channel.close()
            self._process.kill()
            self._process.wait()
            self._process = None


_BENCH = Bench()


def grade_here(job: Job) -> dict[str, Any]:
    """Grades in this process's own bench: what a worker runs."""
    return _BENCH.grade(job)


def lost(job: Job, told: str) -> dict[str, Any]:
    """The result of a notebook whose grading came to no end."""
    assignment = job.known.get(job.stem)
    marks = [
        {"exercise": i.exercise, "points": 0.0, "possible": i.points,
         "said": "not graded.", "mistake": "", "cluster": "", "answer": ""}
        for i in (assignment.items if assignment else ())
    ]  # fmt: skip
    return {
        "student": job.student, "assignment": job.stem, "marks": marks,
        "remarks": [*job.remarks, told], "digest": "",
    }  # fmt: skip


def main(channel: socket.socket) -> None:
    """Serves until the other end closes the channel."""
    # Not in the worker, which has no use for the exercises.
    from classroom.grade import marks  # noqa: PLC0415

    lines = channel.makefile("rb")
    sandbox: Sandbox | None = None
    while line := lines.readline():
        job = _job(line)
        try:
            if sandbox is None:
                sandbox = Sandbox(job.limits, isolated=job.isolated)
            if sandbox.limits != job.limits or sandbox.isolated != job.isolated:
                sandbox.close()
                sandbox = Sandbox(job.limits, isolated=job.isolated)
            sandbox.warm()
            marks.warm(job.stem, job.known)
        except Unavailable as error:
            channel.sendall(json.dumps({"unavailable": str(error)}).encode() + b"\n")
            continue
        channel.sendall(_in_a_fork(job, sandbox, channel) + b"\n")
    if sandbox:
        sandbox.close()


def _in_a_fork(job: Job, sandbox: Sandbox, channel: socket.socket) -> bytes:
    receive, send = os.pipe()
    process = os.fork()
    if not process:
        os.close(receive)
        _grade(job, sandbox, send)
    os.close(send)
    deadline = time.monotonic() + job.limits.patience * _seconds(job) + 30
    parts: list[bytes] = []
    caller = channel.fileno()
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([receive, caller], [], [], left)
        if caller in ready:  # nobody waits for it any more
            os.kill(process, signal.SIGKILL)
            os._exit(0)
        if not ready:
            break
        part = os.read(receive, 2**16)
        if not part:
            break
        parts.append(part)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    os.close(receive)
    text = b"".join(parts)
    try:
        json.loads(text)
    except ValueError:
        told = "The grading was stopped: the record of an answer asks for too much."
        return json.dumps(lost(job, told)).encode()
    return text


def _seconds(job: Job) -> int:
    """Processor time for a notebook's verdicts and replays, more than any needs."""
    exercises = sum(len(a.items) for n, a in job.known.items() if n == job.stem) or 20
    return job.limits.seconds * (exercises + 8) + 30


def _grade(job: Job, sandbox: Sandbox, send: int) -> NoReturn:
    try:
        from classroom.grade.marks import grade  # noqa: PLC0415  (loaded by `main`)

        most = used() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CPU, 2 * (_seconds(job),))
        torch.manual_seed(0)
        result = grade(
            job.data, job.stem, job.student, job.known, sandbox, job.seed, job.drawn
        )
        told = result.as_json()
        told["remarks"] = [*job.remarks, *told["remarks"]]
        with os.fdopen(send, "wb") as out:
            out.write(json.dumps(told).encode())
    except BaseException:  # noqa: BLE001  (a fork must not go on where its parent is)
        traceback.print_exc()
    finally:
        os._exit(0)


def _job(line: bytes) -> Job:
    read = json.loads(line)
    known = {
        name: Assignment(a["name"], [Item(**item) for item in a["items"]])
        for name, a in read.pop("known").items()
    }
    data = base64.b64decode(read.pop("data"))
    limits = Limits(**read.pop("limits"))
    remarks = tuple(read.pop("remarks"))
    return Job(**read, data=data, known=known, limits=limits, remarks=remarks)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(socket.socket(fileno=int(sys.argv[1])))
