"""Grading: right is right, hostile gains nothing, and a batch comes to its end."""

import csv
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import torch
from torch import Tensor

import classroom
import hostile
from classroom import EXERCISES, Task
from classroom.__main__ import main
from classroom.grade import batch, marks, report
from classroom.grade.bench import Bench, Job
from classroom.grade.collect import submissions
from classroom.grade.notebook import (
    CHAPTERS,
    Assignment,
    Item,
    Unreadable,
    assignments,
    cells_of,
)
from classroom.grade.operations import allowed
from classroom.grade.program import Program, Refused, Replay
from classroom.grade.sandbox import Limits, Sandbox
from classroom.inside.record import recorded
from classroom.variants import variant

# In CI they fail where it is missing.
pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None and not os.environ.get("CI"),
    reason="bubblewrap is not installed",
)
KNOWN = {
    "linear": Assignment("linear", [Item("linear-moves", "linear_by_moves")]),
    "other": Assignment(
        "other", [Item(e, v) for e, v, _ in hostile.ELSEWHERE.values()]
    ),
}
LIMITS = Limits(seconds=1, memory=512, patience=2)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(seconds=20, memory=1024, patience=10)) as made:
        yield made


def mark(sandbox: Sandbox, *sources: str, **more: Any) -> tuple[marks.Mark, list[str]]:
    data = hostile.notebook(*sources, **more)
    result = marks.grade(data, "linear", "ann", KNOWN, sandbox, "seed")
    return result.marks[0], [*result.remarks]


# ---- The verdict, from a record


RIGHT_STYLES = {
    "matmul": hostile.RIGHT,
    "einops": "from einops import rearrange, reduce\n" + hostile.body(
        "x, w = rearrange(x, 'b i -> b 1 i'), rearrange(weight, 'o i -> 1 o i')",
        "return reduce(x * w, 'b o i -> b o', 'sum') + bias"),
    "a loop that writes": "import torch\n" + hostile.body(
        "y = torch.zeros(len(x), len(bias))",
        "for b in range(len(x)):",
        "    for o in range(len(bias)): y[b, o] = (x[b] * weight[o]).sum() + bias[o]",
        "return y"),
    "einsum": "import torch\n" + hostile.body(
        "return torch.einsum('bi,oi->bo', x, weight) + bias"),
    "layerlib": "from layerlib.linear import LINEAR\n" + hostile.body(
        "return LINEAR(x, weight) + bias"),
    "vmap": "import torch\nlinear_by_moves = torch.func.vmap(lambda r, w, b: w @ r + b, (0, None, None))\n"
        "def linear_by_moves(x, weight, bias, f=linear_by_moves):\n    return f(x, weight, bias) if len(x) else x @ weight.T\n",
    "comparing values": hostile.body(
        "y = x @ weight.T + bias",
        "return y + 0 if len(x) and x[0, 0] > 0 else y * 1"),
    "a class": "class C:\n    def __call__(self, x, weight, bias):\n        return x @ weight.T + bias\nlinear_by_moves = C()\n",
}  # fmt: skip


@pytest.mark.parametrize("style", RIGHT_STYLES)
def test_what_is_right_is_right(style: str, sandbox: Sandbox) -> None:
    found, remarks = mark(sandbox, RIGHT_STYLES[style])
    assert found.points == 1, found.said
    assert found.said.startswith("right.")
    assert not remarks


@pytest.mark.parametrize("chapter", ["linear", "conv", "attention", "windows"])
def test_the_books_solutions_are_right(chapter: str, sandbox: Sandbox) -> None:
    path = CHAPTERS.parent / "solutions" / f"{chapter}.ipynb"
    result = marks.grade(path.read_bytes(), chapter, "ann", assignments(), sandbox, "s")
    assert [m.exercise for m in result.marks if not m.points] == []


def test_a_known_mistake_is_named(sandbox: Sandbox) -> None:
    found, _ = mark(sandbox, hostile.body("return x @ weight.T"))
    assert found.mistake == "The bias is forgotten."
    assert found.said.startswith("not yet. The bias is forgotten.\n")
    assert (
        found.answer == "def linear_by_moves(x, weight, bias):\n    return x @ weight.T"
    )


def test_answers_that_return_the_same_are_one_cluster(sandbox: Sandbox) -> None:
    one, _ = mark(sandbox, hostile.WRONG)
    two, _ = mark(
        sandbox, hostile.body("# My name is Ann", "return -bias + x @ weight.mT")
    )
    three, _ = mark(sandbox, hostile.body("return x @ weight.T * bias"))
    assert one.cluster == two.cluster != three.cluster
    assert len(one.cluster) == 8
    assert not one.mistake
    assert "Ann" not in two.answer


def test_an_error_comes_with_its_line(sandbox: Sandbox) -> None:
    found, _ = mark(sandbox, hostile.body("y = x @ weight", "return y"))
    assert "RuntimeError: mat1 and mat2 shapes cannot be multiplied" in found.said
    assert "(line 2 of the cell: `y = x @ weight`)" in found.said


@pytest.mark.parametrize(
    ("sources", "points", "remark"),
    [
        # A cell is copied: what is bound last counts.
        ([hostile.WRONG, hostile.RIGHT], 1, ""),
        # A function is renamed, in its own cell.
        ([hostile.RIGHT.replace("linear_by_moves", "mine")], 1,
         "linear-moves: `linear_by_moves` is called `mine` here; it was graded."),
        # The check has the new name.
        (["", hostile.RIGHT.replace("linear_by_moves", "f"), "from classroom import check\ncheck('linear-moves', f)"], 1, ""),
        # Deleted.
        (["y = 1\nz = 2"], 0, ""),
        # Not filled in.
        ([hostile.body("return ...")], 0, ""),
        # A cell before it fails, and one ends the process.
        (["1 / 0", hostile.RIGHT], 1, "Cell 'linear-moves' raises ZeroDivisionError: division by zero"),
        (["import os; os._exit(1)", hostile.RIGHT], 1,
         "Cell 'linear-moves' is left out. It ended the process that it ran in, or broke its channel."),
        # Commands of a notebook.
        (["%matplotlib inline\n!pip install x\nimport torch", hostile.RIGHT], 1, ""),
    ],
)  # fmt: skip
def test_cells_as_students_leave_them(
    sources: list[str], points: int, remark: str, sandbox: Sandbox
) -> None:
    found, remarks = mark(sandbox, *sources)
    assert found.points == points, found.said
    assert remarks == ([remark] if remark else [])


def test_a_record_is_replayed_from_a_closed_list() -> None:
    x, w = torch.randn(2, 3), torch.randn(4, 3)
    message, constants = recorded(lambda x, w: x @ w.T, [x, w], [x, w])
    other = [torch.randn(2, 3, requires_grad=True), torch.randn(4, 3)]
    replay = Replay(message, constants, allowed([], []))
    torch.testing.assert_close(replay(other), other[0] @ other[1].T)
    assert replay(other).requires_grad
    with pytest.raises(Refused, match=r"^mm$"):
        Replay(message, constants, allowed(["matmul", "einsum"], []))(other)
    assert "mm" in allowed(["matmul", "einsum"], ["mm"])
    for name in (
        "aten.from_file.default",
        "aten.convolution.default",
        "prims.add.default",
        "os.system",
        "aten.add.__setattr__",
        "aten.resize_.default",
    ):
        with pytest.raises(Refused):
            Replay(
                {**message, "operations": [[name, [], {}, True]]}, [], allowed([], [])
            )(other)


def test_a_record_that_is_right_only_on_the_inputs_it_saw_is_not_right() -> None:
    task = EXERCISES["linear-moves"]
    assert isinstance(task, Task)

    class Constant:
        """A process that sends the right numbers, and no operation."""

        def ask(self, _: Any, inputs: Any) -> Any:
            y = inputs[0] @ inputs[1].T + inputs[2]
            return {"returned": ["tensor", -1], "operations": [], "names": []}, [y]

    class Honest:
        def ask(self, _: Any, inputs: Any) -> Any:
            return recorded(lambda x, w, b: x @ w.T + b, inputs, inputs)

    class Zeroing:
        """What it returns is right of the inputs as it leaves them."""

        def ask(self, _: Any, inputs: Any) -> Any:
            def answer(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
                with torch.no_grad():
                    return torch.add(x.mul_(0) @ w.mul_(0).T, b.mul_(0))

            inputs = [x.clone() for x in inputs]
            return recorded(answer, inputs, inputs)

    names = marks.permitted("linear-moves")
    zeroing = Program(Zeroing(), "linear-moves", names)  # type: ignore[arg-type]
    assert not marks.proven(zeroing, task, "1")
    assert marks.proven(Program(Honest(), "linear-moves", names), task, "1")  # type: ignore[arg-type]
    assert not marks.proven(Program(Constant(), "linear-moves", names), task, "1")  # type: ignore[arg-type]


# ---- A class of cheats, and what is written about it


class Graded(NamedTuple):
    """A folder with what was handed in and the results, and what still runs of it."""

    folder: Path
    running: list[str]

    @property
    def out(self) -> Path:
        return self.folder / "out"


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    folder = tmp_path_factory.mktemp("hostile")
    hostile.write_all(folder / "in")
    for name in ("ann", "zoe"):
        path = folder / "in" / name / "linear"
        path.mkdir(parents=True)
        (path / "linear.ipynb").write_bytes(hostile.notebook(hostile.RIGHT))
    (folder / "in" / "zoe" / "linear-Copy1.ipynb").write_bytes(
        hostile.notebook(hostile.WRONG)
    )
    os.utime(folder / "in" / "zoe" / "linear-Copy1.ipynb", (0, 0))
    arguments = {"limits": LIMITS, "workers": 2, "progress": False, "seed": "secret"}
    before = {*psutil.Process().children(recursive=True)}
    batch.grade_all(folder / "in", folder / "out", KNOWN, **arguments)
    after = {*psutil.Process().children(recursive=True)} - before
    report.write(folder / "out")
    return Graded(folder, [" ".join(process.cmdline()) for process in after])


def test_the_corpus_is_large() -> None:
    assert len({*hostile.CHEATS, *hostile.BROKEN, *hostile.ELSEWHERE}) >= 80


def test_no_hostile_submission_gains_a_mark(graded: Graded) -> None:
    results = [*batch.kept(graded.out)]
    count = len(hostile.CHEATS) + len(hostile.BROKEN) + len(hostile.ELSEWHERE) + 1
    assert len(results) == count + 2
    gained = {r["student"] for r in results if sum(m["points"] for m in r["marks"])}
    assert gained == {"ann", "zoe"}
    for result in results:
        told = [*result["remarks"], *(m["said"] for m in result["marks"])]
        assert told, result["student"]
        assert all(told)


def test_nothing_is_left_running_or_written(graded: Graded) -> None:
    # Python's own, which counts what the cluster's processes share, stays until the end.
    assert not [name for name in graded.running if "resource_tracker" not in name]
    assert not [*Path("/tmp").glob("hostile-*"), *Path("/dev/shm").glob("hostile*")]  # noqa: S108
    files = {p.suffix or p.name for p in graded.out.rglob("*") if p.is_file()}
    assert files <= {".json", ".html", ".csv", ".txt", "seed"}


def test_broken_files_are_told_in_a_sentence(graded: Graded) -> None:
    told = {
        r["student"].split(" ", 1)[1]: " ".join(r["remarks"])
        for r in batch.kept(graded.out)
        if " " in r["student"]
    }
    for name, part in {
        "broken json": "its JSON is broken",
        "empty file": "The file is empty.",
        "a list": "it has no list of cells",
        "too large": "larger than 20 MB",
        "a zip bomb": "larger than 20 MB",
        "many in a zip": "it may have 1000",
        "a broken zip": "The zip is broken",
        "a link in a zip": "It is a link",
        "a link": "It is a link",
        "a zip without notebooks": "The zip has no notebook.",
        "nothing that is asked for": "no exercise of any assignment",
    }.items():
        assert part in told[name], name


def test_of_several_the_newest_counts(graded: Graded) -> None:
    (zoe,) = [r for r in batch.kept(graded.out) if r["student"] == "zoe"]
    assert zoe["marks"][0]["points"] == 1
    assert zoe["remarks"] == ["2 files were handed in; the newest was graded."]


def test_grades_as_tables_and_pages(graded: Graded) -> None:
    out = graded.out
    with (out / "grades.csv").open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert (rows["ann"]["points"], rows["ann"]["possible"]) == ("1.0", "1.0")
    scores = json.loads((out / "gradescope/ann/linear/results.json").read_text())
    assert scores["tests"] == [
        {"name": "linear-moves", "score": 1.0, "max_score": 1.0, "status": "passed",
         "output": "right.\nAll 21 cases agree, and so do the gradients."}
    ]  # fmt: skip
    page = (out / "students/ann/linear.html").read_text()
    assert "1 of 1 points" in page
    whole = (out / "class.html").read_text()
    for private in ("ann", "zoe", "patched allclose"):
        assert f">{private}" not in whole
    assert '<td class="number">2</td>' in whole


def test_a_teacher_names_a_cluster_in_one_line(graded: Graded) -> None:
    out = graded.out
    result = next(r for r in batch.kept(out) if r["student"].endswith("patched numpy"))
    cluster = result["marks"][0]["cluster"]
    assert (
        f"linear-moves {cluster} What it does wrong."
        in (out / "class.html").read_text()
    )
    names = out / "mistakes.txt"
    before = names.read_text()
    try:
        names.write_text(f"{before}linear-moves {cluster} The bias is subtracted.\n")
        report.write(out)
        assert "× The bias is subtracted.</h3>" in (out / "class.html").read_text()
        page = next((out / "students").glob("*patched_numpy*")) / "linear.html"
        assert "not yet. The bias is subtracted.\n" in page.read_text()
        names.write_text("linear-moves what\n")
        with pytest.raises(
            ValueError, match="line 1: expected EXERCISE CLUSTER SENTENCE"
        ):
            report.write(out)
    finally:
        names.write_text(before)


def test_what_is_graded_is_not_graded_again(graded: Graded, tmp_path: Path) -> None:
    before = {p.name: p.read_bytes() for p in (graded.out / "marks").rglob("*.json")}
    out = tmp_path / "out"
    shutil.copytree(graded.out, out)
    ann = out / "marks" / "ann" / "linear.json"
    ann.write_text(ann.read_text()[:50])  # a run was killed while it wrote
    (out / "marks" / "zoe" / "linear.json").unlink()
    arguments = {"limits": LIMITS, "workers": 1, "progress": False, "seed": "secret"}
    assert batch.grade_all(graded.folder / "in", out, KNOWN, **arguments) == 2
    after = {p.name: p.read_bytes() for p in (out / "marks").rglob("*.json")}
    assert after == before


def test_what_is_graded_in_another_way_is_graded_again() -> None:
    job = Job("ann", "linear", b"{}", "7", KNOWN, LIMITS)
    others: list[dict[str, Any]] = [
        {"data": b"{ }"}, {"seed": "8"}, {"known": {}}, {"limits": Limits(seconds=2)},
        {"drawn": "7 ann"}, {"remarks": ("2 files were handed in.",)},
    ]  # fmt: skip
    found = {batch.digest(dataclasses.replace(job, **other)) for other in [{}, *others]}
    assert len(found) == 1 + len(others)
    assert batch.digest(dataclasses.replace(job)) in found


def test_what_other_exercises_graded_is_graded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job("ann", "linear", b"{}", "7", KNOWN, LIMITS)
    before = batch.digest(job)
    root = tmp_path / "classroom"
    (root / "exercises").mkdir(parents=True)
    exercise = root / "exercises" / "linear.py"
    monkeypatch.setattr(classroom, "__path__", [str(root)])
    found = set()
    for reference in ("x @ w.T", "x @ w.T + bias", "x @ w.T"):
        exercise.write_text(reference)
        batch.version.cache_clear()
        found.add(batch.digest(job))
    batch.version.cache_clear()
    assert len(found) == 2
    assert before not in found


# ---- Runs that are killed


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    for number in range(6):
        path = folder / f"s{number}"
        path.mkdir()
        text = hostile.RIGHT if number % 2 else hostile.WRONG
        (path / "linear.ipynb").write_bytes(hostile.notebook(text))
    return folder


def results(out: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(out)): p.read_bytes() for p in (out / "marks").rglob("*.json")
    }


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """The workers of a cluster: those that have a bench."""
    benches = [
        p for p in process.children(recursive=True)
        if "classroom.grade.bench" in " ".join(p.cmdline())
    ]  # fmt: skip
    return [p.parent() for p in benches]


def test_a_killed_run_and_a_lost_worker_lose_nothing(
    small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "classroom",
        "grade",
        str(small),
        "--out",
        str(out),
    ]
    first = subprocess.Popen(
        [*command, "--workers", "1", "--seed", "7"],
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 100
    while not (out / "marks").exists() and time.monotonic() < until:
        time.sleep(0.01)
    started = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    first.wait()
    _, alive = psutil.wait_procs(started, timeout=30)
    assert not alive
    done = len([*out.rglob("*.json")])
    assert 0 < done < 6

    def lose_one() -> None:
        here = psutil.Process()
        while not (found := workers_of(here)):
            time.sleep(0.01)
        found[0].kill()

    losing = threading.Thread(target=lose_one)
    losing.start()
    again = batch.grade_all(
        small, out, KNOWN, limits=Limits(), workers=2, progress=False, seed="7"
    )
    losing.join()
    assert again == 6
    whole = results(out)
    for path in out.rglob("*.json"):
        points = json.loads(path.read_text())["marks"][0]["points"]
        assert points == int(path.parent.name[1:]) % 2
    (out / "marks" / "s1" / "linear.json").unlink()
    bench = Bench()
    job = Job("s1", "linear", hostile.notebook(hostile.RIGHT), "7", KNOWN, Limits())
    told = bench.grade(job)
    bench.close()
    batch.write(batch.place(out, "s1", "linear"), {**told, "digest": batch.digest(job)})
    assert results(out) == whole


# ---- What is handed in, and the command


def test_where_submissions_lie(tmp_path: Path) -> None:
    data = hostile.notebook(hostile.RIGHT)
    for name in (
        "ann/linear/linear.ipynb", "bob/linear (1).ipynb", "cy.ipynb",
        "ann/.ipynb_checkpoints/linear-checkpoint.ipynb", "eve/linear/mine.ipynb",
    ):  # fmt: skip
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    (tmp_path / "in" / "dan.zip").write_bytes(
        hostile.zipped(**{"a/linear.ipynb": data})
    )
    found = submissions(tmp_path / "in", KNOWN)
    assert [(one.student, one.stem) for one in found] == [
        ("ann", "linear"), ("bob", "linear"), ("cy", "cy"), ("dan", "linear"),
        ("eve", "linear"),
    ]  # fmt: skip
    assert all(one.read() == data for one in found)
    (tmp_path / "all.zip").write_bytes(
        hostile.zipped(**{"x/linear.ipynb": data, "y/linear.ipynb": data})
    )
    found = submissions(tmp_path / "all.zip", KNOWN)
    assert [(one.student, one.stem) for one in found] == [
        ("x", "linear"),
        ("y", "linear"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_other_encodings_are_read(encoding: str) -> None:
    notebook = json.loads(hostile.notebook("x = 'ü'"))
    data = json.dumps(notebook, ensure_ascii=False).encode(encoding)
    cells, remark = cells_of(data)
    assert cells[0].source == "x = 'ü'"
    assert remark == f"The file is written in {encoding}; a notebook is UTF-8."


def test_notebooks_of_before_are_read() -> None:
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["x = ", "1"]}]}]}
    assert cells_of(json.dumps(old).encode())[0][0].source == "x = 1"
    with pytest.raises(Unreadable, match="no list of cells"):
        cells_of(b'{"worksheets": [1]}')


def test_variants_are_graded_with_their_own_numbers(sandbox: Sandbox) -> None:
    known = {"linear": Assignment("linear", [Item("linear-count", "parameters")])}
    found = variant("linear-count", "a seed")
    assert found is not None
    for value, points in ((found.reference, 1), (101770, 0)):
        data = hostile.notebook(f"parameters = {value}", identity="linear-count")
        result = marks.grade(data, "linear", "ann", known, sandbox, "s", "a seed")
        assert result.marks[0].points == points


def test_the_command_refuses_what_it_cannot_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["grade", str(tmp_path / "nowhere"), *out]) == 1
    assert "expected a folder of submissions" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert main(["grade", str(tmp_path), *out]) == 1
    assert "bubblewrap is not installed" in capsys.readouterr().err


def test_without_a_sandbox_the_marks_are_the_same() -> None:
    bench = Bench()
    try:
        for text, points in ((hostile.RIGHT, 1), (hostile.WRONG, 0)):
            job = Job(
                "ann",
                "linear",
                hostile.notebook(text),
                "s",
                KNOWN,
                LIMITS,
                isolated=False,
            )
            assert bench.grade(job)["marks"][0]["points"] == points
    finally:
        bench.close()
