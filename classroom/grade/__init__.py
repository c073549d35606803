"""Grades submissions: each answer runs apart, and is judged outside, from its record.

`sandbox` is where answers run and `classroom.inside` what runs there; `program` replays
the record of an answer and `operations` is the closed list of what it may have; `marks`
grades one notebook, `bench` in a process of its own, `batch` a class; `report` writes
what teachers and students read.
"""

from pathlib import Path


def grade_class(
    folder: Path,
    results: Path,
    release: Path | None = None,
    *,
    seconds: int = 10,
    memory: int = 1024,
    workers: int = 2,
    scheduler: str | None = None,
    seed: str | None = None,
    isolated: bool = True,
    progress: bool = True,
) -> tuple[int, int]:
    """Grades a folder of submissions, and writes the reports.

    What has been graded before, in the same way, is not graded again.

    Args:
        folder: notebooks, zips, or nbgrader's ``submitted/STUDENT/ASSIGNMENT/``.
        results: where marks and reports go.
        release: the folder that `release` wrote; left out, the book's exercises.
        seconds: processor time of an answer.
        memory: MiB of an answer.
        workers: processes on this machine.
        scheduler: the address of a running dask scheduler, in their place.
        seed: secret; left out, it is made once and kept in the results.
        isolated: False runs answers unprotected, with a warning.
        progress: whether a progress bar is shown.

    Returns:
        How many notebooks were graded now, and how many results there are.

    Raises:
        Unavailable: bubblewrap is not installed.
        FileNotFoundError: there are no submissions, or no assignments.
        ValueError: a line of ``mistakes.txt`` is malformed.
    """
    # dask is for whoever grades a class: its processes load this package without it.
    from classroom.grade import batch, report, sandbox  # noqa: PLC0415
    from classroom.grade.notebook import (  # noqa: PLC0415
        CHAPTERS,
        assignments,
        drawn_from,
    )

    if isolated:
        sandbox.command(0, 0, 0)  # at once, and not when the first answer is to run
    else:
        sandbox.warn_unprotected()
    graded = batch.grade_all(
        folder, results, assignments(release or CHAPTERS),
        drawn=drawn_from(release or CHAPTERS),
        limits=sandbox.Limits(seconds, memory), workers=workers, scheduler=scheduler,
        seed=seed, isolated=isolated, progress=progress,
    )  # fmt: skip
    return graded, report.write(results)
