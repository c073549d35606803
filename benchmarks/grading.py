"""Grades a class that was made up: how fast, in how much memory, and after kills.

    python benchmarks/grading.py                 1,000 notebooks; two workers, and one
    python benchmarks/grading.py 100 --kills 3   fewer; fewer runs that are killed
    python benchmarks/grading.py --nbgrader PYTHON

The notebooks are the book's solutions, in which some answers are wrong ones that
learners write. PYTHON is one that has nbgrader and the book: its autograde takes 30 of
one chapter. Each line says what was compared; the status is 1 where results differ.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "examples")]

from wrong_answers import answers  # noqa: E402

SOLUTIONS = ROOT / "chapters" / "solutions"
WRONG = 0.3  # of the answers, where one is known
BESIDE = 30  # notebooks for nbgrader, all of one chapter
CHAPTER = "linear"
Results = dict[str, Any]


def write_class(folder: Path, count: int, chapters: Sequence[str]) -> None:
    """A folder for each student, with a notebook of one of the chapters."""
    dice = random.Random(0)  # noqa: S311  (no secret)
    wrong = defaultdict(list)
    for exercise, _, code in answers():
        wrong[exercise].append(code)
    for student in range(count):
        chapter = chapters[student % len(chapters)]
        path = SOLUTIONS / f"{chapter}.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            known = wrong[cell["id"]]
            if known and dice.random() < WRONG:
                cell["source"] = dice.choice(known)
        handed_in = folder / f"student-{student:04}" / chapter / f"{chapter}.ipynb"
        handed_in.parent.mkdir(parents=True)
        handed_in.write_text(json.dumps(notebook), encoding="utf-8")


def results(out: Path) -> Results:
    """All marks, but for nothing: each is a function of the notebook and the seed."""
    paths = sorted((out / "marks").glob("*/*.json"))
    return {p.parent.name: json.loads(p.read_text(encoding="utf-8")) for p in paths}


class Memory(threading.Thread):
    """The most that a process and all below it have had, in MiB."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self.process, self.first, self.most = process, 0.0, 0.0

    def run(self) -> None:
        """Looks twice a second; what several share is counted once."""
        while self.process.poll() is None:
            time.sleep(0.5)
            try:
                above = psutil.Process(self.process.pid)
                tree = [above, *above.children(recursive=True)]
                now = sum(p.memory_full_info().pss for p in tree) / 2**20
            except psutil.Error:
                continue  # one has just ended
            self.most = max(self.most, now)


def start(folder: Path, out: Path, workers: int) -> subprocess.Popen[bytes]:
    """Begins to grade, or goes on."""
    command = [sys.executable, "-m", "classroom", "grade", folder, "--out", out]
    return subprocess.Popen(
        [*command, "--seed", "7", "--workers", str(workers)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def graded(
    folder: Path, out: Path, workers: int, meanwhile: Callable[[psutil.Process], None]
) -> tuple[float, float]:
    """Grades all; how long it took, in seconds, and the most memory, in MiB."""
    begun = time.perf_counter()
    running = start(folder, out, workers)
    memory = Memory(running)
    memory.start()
    meanwhile(psutil.Process(running.pid))
    status = running.wait()
    if status:
        raise subprocess.CalledProcessError(status, running.args)
    return time.perf_counter() - begun, memory.most


def done(out: Path) -> int:
    """How many notebooks are graded."""
    return len([*out.glob("marks/*/*.json")])


def wait_for_marks(out: Path, count: int) -> None:
    """Returns when so many notebooks are graded."""
    while done(out) < count:
        time.sleep(0.02)


def killed(folder: Path, out: Path, kills: int, whole: Results) -> bool:
    """Kills run after run, until one ends; whether the results are the same."""
    dice = random.Random(1)  # noqa: S311
    for _ in range(kills):
        if done(out) == len(whole):
            break  # nothing is left that a kill could interrupt
        running = start(folder, out, 2)
        wait_for_marks(out, done(out) + 1)
        time.sleep(dice.random())
        below = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGKILL)
        running.wait()
        psutil.wait_procs(below, timeout=60)
    at = done(out)
    graded(folder, out, 2, lambda _: None)
    same = results(out) == whole
    print(f"{kills} kills, the last at {at} of {len(whole)}: same results: {same}")
    return same


def one_lost(folder: Path, out: Path, whole: Results) -> bool:
    """Kills one of two workers half-way; whether the results are the same."""

    def kill(process: psutil.Process) -> None:
        wait_for_marks(out, len(whole) // 2)
        benches = (
            p for p in process.children(recursive=True)
            if "classroom.grade.bench" in " ".join(p.cmdline())
        )  # fmt: skip
        next(benches).parent().kill()

    graded(folder, out, 2, kill)
    same = results(out) == whole
    print(f"one of two workers killed half-way: same results: {same}")
    return same


def beside_nbgrader(python: str, folder: Path, rate: float) -> None:
    """The same 30 notebooks by `nbgrader autograde`."""
    course, handed_in = folder / "course", folder / "thirty"

    def run(*command: str | Path) -> None:
        subprocess.run(command, cwd=course, check=True, capture_output=True)

    write_class(handed_in, BESIDE, [CHAPTER])
    course.mkdir()
    run(sys.executable, "-m", "classroom", "release", course, CHAPTER, "--nbgrader")
    run(python, "-m", "nbgrader", "generate_assignment", CHAPTER)
    empty = next(course.glob(f"release/**/{CHAPTER}.ipynb")).read_text(encoding="utf-8")
    for student in handed_in.iterdir():
        path = next(student.rglob("*.ipynb"))
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        mine = {cell["id"]: cell["source"] for cell in cells}
        notebook = json.loads(empty)
        for cell in notebook["cells"]:
            cell["source"] = mine.get(cell["id"], cell["source"])
        target = course / "submitted" / student.name / CHAPTER / f"{CHAPTER}.ipynb"
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(notebook), encoding="utf-8")
    begun = time.perf_counter()
    run(python, "-m", "nbgrader", "autograde", CHAPTER)
    theirs = 60 * BESIDE / (time.perf_counter() - begun)
    seconds, _ = graded(handed_in, folder / "thirty-out", 2, lambda _: None)
    print(f"nbgrader autograde, {BESIDE} notebooks: {theirs:.1f} a minute")
    print(f"these {BESIDE}, started anew: {60 * BESIDE / seconds:.0f} a minute")
    print(f"the whole class: {rate:.0f} a minute, {rate / theirs:.0f} times as many")


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says; 1 where results differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="?", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--nbgrader", metavar="PYTHON")
    options = parser.parse_args(arguments)
    chapters = sorted(path.stem for path in SOLUTIONS.glob("*.ipynb"))
    folder = Path(tempfile.mkdtemp(prefix="grading-", dir=ROOT / "_build"))
    try:
        handed_in = folder / "submitted"
        write_class(handed_in, options.notebooks, chapters)
        rates = {}
        for workers in (2, 1):
            out = folder / f"by-{workers}"
            seconds, most = graded(handed_in, out, workers, lambda _: None)
            rates[workers] = 60 * options.notebooks / seconds
            told = f"{rates[workers]:.0f} a minute, at most {most:.0f} MiB"
            print(
                f"{options.notebooks} notebooks, workers: {workers}: {told}", flush=True
            )
        print(f"two workers next to one: {rates[2] / rates[1]:.2f} times as many")
        whole = results(folder / "by-2")
        same = [results(folder / "by-1") == whole]
        print(f"one worker and two: same results: {same[0]}", flush=True)
        same.append(one_lost(handed_in, folder / "lost", whole))
        if options.kills:
            same.append(killed(handed_in, folder / "killed", options.kills, whole))
        if options.nbgrader:
            beside_nbgrader(options.nbgrader, folder, rates[2])
    finally:
        shutil.rmtree(folder)
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
