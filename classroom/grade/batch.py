"""Grades a class: notebooks stream to workers, and each result is kept at once."""

import functools
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, as_completed
from distributed.scheduler import KilledWorker
from tqdm import tqdm  # type: ignore[import-untyped]

import classroom
import layerlib
from classroom import own
from classroom.grade.bench import Job, grade_here, lost
from classroom.grade.collect import Found, submissions
from classroom.grade.notebook import BYTES, TOO_LARGE, Assignment, folder_name
from classroom.grade.sandbox import Limits

WAITING = 2  # notebooks for each worker, in its hands or on the way


def kept(results: Path) -> Iterator[dict[str, Any]]:
    """All results so far, one at a time, in the order of their names."""
    for path in sorted((results / "marks").glob("*/*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def grade_all(
    folder: Path,
    results: Path,
    known: Mapping[str, Assignment],
    *,
    drawn: Callable[[str], str] = lambda _: "",
    limits: Limits | None = None,
    workers: int = 2,
    scheduler: str | None = None,
    isolated: bool = True,
    seed: str | None = None,
    progress: bool = True,
) -> int:
    """Grades what has not been graded yet, and keeps each result as soon as it exists.

    Args:
        folder: the submissions: see `classroom.grade.collect`.
        results: a folder; ``marks/STUDENT/ASSIGNMENT.json`` are kept there.
        known: the assignments.
        drawn: what the variants of a student were drawn from; nothing, if from nothing.
        limits: what an answer may use.
        workers: processes on this machine, where no scheduler is given.
        scheduler: the address of a running one of dask.distributed.
        isolated: whether answers run in the sandbox.
        seed: secret. Left out, it is kept in the results, where it is made once.
        progress: whether a progress bar is shown.

    Returns:
        How many notebooks were graded now.
    """
    limits, seed = limits or Limits(), seed or secret(results)
    found = submissions(folder, known)
    jobs = _jobs(found, results, known, drawn, limits, seed, isolated=isolated)
    done = 0
    with tqdm(total=len(found), unit="notebook", disable=not progress) as bar:

        def keep(job: Job | None, result: dict[str, Any] | None) -> None:
            nonlocal done
            if job is not None and result is not None:
                result["digest"] = digest(job)
                write(place(results, job.student, job.stem), result)
                done += 1
            bar.update()

        _stream(jobs, keep, workers, scheduler)
    return done


def _jobs(
    found: Iterable[Found],
    results: Path,
    known: Mapping[str, Assignment],
    drawn: Callable[[str], str],
    limits: Limits,
    seed: str,
    *,
    isolated: bool,
) -> Iterator[tuple[Job, str]]:
    """Each notebook, read when its turn comes; and why it is not to be graded."""
    for one in found:
        remarks = (
            (f"{one.others + 1} files were handed in; the newest was graded.",)
            if one.others
            else ()
        )
        data, problem = b"", one.problem
        if not problem:
            try:
                data = one.read()
            except Exception as error:  # noqa: BLE001  (what a broken zip raises)
                problem = f"The file cannot be read: {error}."
        if len(data) > BYTES:
            problem, data = TOO_LARGE, data[:1000]
        job = Job(
            one.student, one.stem, data, seed, known, limits, isolated, remarks,
            drawn(one.student),
        )  # fmt: skip
        path = place(results, job.student, job.stem)
        if path.exists():
            try:
                before = json.loads(path.read_text(encoding="utf-8"))["digest"]
            except (ValueError, KeyError, TypeError):
                before = ""  # a run was ended while it was written
            if before == digest(job):
                yield job, "done"
                continue
        yield job, problem


def _stream(
    jobs: Iterator[tuple[Job, str]],
    keep: Callable[[Job | None, dict[str, Any] | None], None],
    workers: int,
    scheduler: str | None,
) -> None:
    """Hands jobs out and results on, with few of them in memory at a time."""
    todo = _without_work(jobs, keep)
    first = next(todo, None)
    if first is None:
        return
    whole = {"distributed.admin.large-graph-warning-threshold": 2 * BYTES}
    with dask.config.set(whole), _client(workers, scheduler) as client:
        places = sum(client.nthreads().values()) or workers
        running = as_completed()
        waiting: dict[Any, Job] = {}

        def hand_out(job: Job) -> None:
            future = client.submit(grade_here, job, pure=False, retries=2)
            waiting[future.key] = job
            running.add(future)

        hand_out(first)
        for _, job in zip(range(places * WAITING - 1), todo, strict=False):
            hand_out(job)
        for future in running:
            job = waiting.pop(future.key)
            keep(job, _result(future, job))
            future.release()
            following = next(todo, None)
            if following is not None:
                hand_out(following)


def _without_work(
    jobs: Iterator[tuple[Job, str]],
    keep: Callable[[Job | None, dict[str, Any] | None], None],
) -> Iterator[Job]:
    """The jobs that a worker is to do; the others are kept at once."""
    for job, problem in jobs:
        if problem == "done":
            keep(None, None)
        elif problem:
            keep(job, lost(job, problem))
        else:
            yield job


def _result(future: Any, job: Job) -> dict[str, Any]:
    try:
        result: dict[str, Any] = future.result()
    except KilledWorker:
        return lost(job, "Each worker that graded this notebook was lost.")
    return result


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Client]:
    """Of the cluster at that address; without one, of a cluster that ends with it."""
    if scheduler:
        with Client(scheduler) as client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0,
            dashboard_address="localhost:0", silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


def digest(job: Job) -> str:
    """The same for the same notebook, graded in the same way by the same exercises."""
    told = hashlib.sha256(job.data)
    known = {name: asdict(assignment) for name, assignment in job.known.items()}
    rest = [job.seed, job.drawn, known, asdict(job.limits), job.remarks, version()]
    told.update(json.dumps(rest).encode())
    return told.hexdigest()


@functools.cache
def version() -> str:
    """That of the exercises, and of all that judges them: a digest of the sources."""
    told = hashlib.sha256()
    for package in (classroom, layerlib):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            told.update(f"{path.relative_to(root)}\n".encode())
            told.update(path.read_bytes())
    return told.hexdigest()


def place(results: Path, student: str, stem: str) -> Path:
    """Where a result is kept."""
    return results / "marks" / folder_name(student) / f"{folder_name(stem)}.json"


def write(path: Path, value: Any) -> None:
    """Writes a whole file, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own.write(path, json.dumps(value, indent=1, sort_keys=True))


def secret(results: Path) -> str:
    """The seed of these results: made once, readable by its owner alone."""
    path = results / "seed"
    if not path.exists():
        results.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
