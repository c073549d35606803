"""`python -m classroom`: releases notebooks to students, and grades what comes back."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(given: Sequence[str] | None = None) -> int:
    """Runs one command; 0 where it worked."""
    parser = argparse.ArgumentParser(prog="python -m classroom", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _release(commands.add_parser("release", help="write the notebooks for students"))
    _grade(commands.add_parser("grade", help="grade what students handed in"))
    arguments = parser.parse_args(given)
    try:
        arguments.run(arguments)
    except (OSError, ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder")
    parser.add_argument(
        "chapters", nargs="*", help="names such as linear; all, if none is given"
    )
    parser.add_argument("--points", type=float, default=1.0, help="of an exercise: 1")
    parser.add_argument(
        "--seed", default="", help="variants of the exercises are drawn from it"
    )
    parser.add_argument(
        "--students", type=Path, metavar="FILE", help="a name a line: one notebook each"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--nbgrader", action="store_true", help="for nbgrader generate_assignment"
    )
    form.add_argument("--otter", action="store_true", help="for otter assign")

    def run(arguments: argparse.Namespace) -> None:
        from classroom.release import release  # noqa: PLC0415  (loads torch)

        form = next((f for f in ("nbgrader", "otter") if getattr(arguments, f)), "")
        students = (
            arguments.students.read_text(encoding="utf-8").split("\n")
            if arguments.students
            else []
        )
        written = release(
            arguments.out, arguments.chapters, form=form, points=arguments.points,
            seed=arguments.seed, students=[s.strip() for s in students if s.strip()],
        )  # fmt: skip
        print(f"{len(written)} notebooks in {arguments.out}")

    parser.set_defaults(run=run)


def _grade(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submissions", type=Path, metavar="SUBMISSIONS")
    parser.add_argument("--out", type=Path, required=True, metavar="RESULTS")
    parser.add_argument(
        "--assignments", type=Path, metavar="RELEASE",
        help="the folder that release wrote; without it, the book's exercises",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes here"
    )
    parser.add_argument("--scheduler", help="the address of a dask scheduler")
    parser.add_argument("--seed", help="secret; otherwise it is kept in RESULTS/seed")
    parser.add_argument(
        "--seconds", type=int, default=10, help="of the processor, an answer: 10"
    )
    parser.add_argument("--memory", type=int, default=1024, help="MiB, an answer: 1024")
    parser.add_argument(
        "--no-sandbox", action="store_true", help="run answers unprotected, as you"
    )

    def run(arguments: argparse.Namespace) -> None:
        from classroom.grade import grade_class  # noqa: PLC0415  (loads dask)

        graded, all_of_them = grade_class(
            arguments.submissions, arguments.out, arguments.assignments,
            seconds=arguments.seconds, memory=arguments.memory,
            workers=arguments.workers, scheduler=arguments.scheduler,
            seed=arguments.seed, isolated=not arguments.no_sandbox,
        )  # fmt: skip
        print(
            f"{graded} graded now, {all_of_them} in all. Open "
            f"{(arguments.out / 'class.html').resolve()}"
        )

    parser.set_defaults(run=run)


if __name__ == "__main__":
    sys.exit(main())
