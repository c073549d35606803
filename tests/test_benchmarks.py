"""What a layer costs is printed as a table, and the same layers stand side by side."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cases
import layers
import pytest
import torch
from cases import Case
from torch import nn

BENCHMARKS = Path(layers.__file__)


class Clock:
    """Says 1, 2, 3, ... milliseconds."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, run: layers.Run) -> float:
        run()
        self.calls += 1
        return self.calls / 1000


@pytest.fixture
def two_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    def shapes() -> Iterator[Case]:
        for name in ("ReLU", "Tanh"):
            yield Case(name, getattr(nn, name), getattr(nn, name), [(2, 3)])

    def others() -> Iterator[Case]:
        yield Case("Linear", lambda: nn.Linear(3, 2), lambda: nn.Linear(3, 4), [(2, 3)])

    found = [layers.Table("one", shapes), layers.Table("two", others, "no compiler")]
    monkeypatch.setattr(layers, "tables", lambda: found)


@pytest.mark.usefixtures("two_tables")
def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "bench.md", tmp_path / "bench.json"]
    options = ["--rounds=1", f"--markdown={files[0]}", f"--json={files[1]}"]
    assert layers.main(options, Clock()) == 0
    told = capsys.readouterr().out
    assert files[0].read_text() == told
    assert f"torch {torch.__version__}, {torch.get_num_threads()} threads" in told
    one, two = told.split("\n## ")[1:]
    rows = [row.strip("|").split("|") for row in one.splitlines() if row[:1] == "|"]
    assert [[cell.strip() for cell in row] for row in rows[2:]] == [
        ["ReLU", "1.00", "2.00", "3.00", "1.33", "1.00"],
        ["Tanh", "5.00", "1.20", "7.00", "1.14", "1.00"],
        ["geometric mean", "", "1.55", "", "1.23", "1.00"],
        ["largest", "", "2.00", "", "1.33", "1.00"],
    ]
    assert len({len(row) for row in one.splitlines() if row[:1] == "|"}) == 1
    assert two == "two\n\nLeft out: no compiler.\n"
    numbers = json.loads(files[1].read_text())
    assert list(numbers) == ["machine", "rounds", "one"]
    assert numbers["one"][1]["backward"] == pytest.approx(8 / 7)
    assert numbers["one"][2]["forward"] == pytest.approx(2.4**0.5)


@pytest.mark.usefixtures("two_tables")
def test_a_ratio_is_the_median_of_the_rounds() -> None:
    (case, _) = layers.tables()[0].cases()
    clock = Clock()
    row = layers.measured(case, 3, clock)
    assert clock.calls == 12
    assert row.forward == pytest.approx(6 / 5)
    assert row.forward_ms == pytest.approx(5)
    assert row.backward == pytest.approx(8 / 7)


@pytest.mark.usefixtures("two_tables")
def test_names_choose_cases(capsys: pytest.CaptureFixture[str]) -> None:
    assert layers.main(["tan", "--rounds=1"], Clock()) == 0
    told = capsys.readouterr().out
    assert "Tanh" in told
    assert "ReLU" not in told
    assert "two" not in told


@pytest.mark.usefixtures("two_tables")
def test_a_name_of_no_case_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert layers.main(["Tanh", "nosuch"], Clock()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "no case is called 'nosuch'; there are: ReLU, Tanh, Linear\n"


def test_peak_counts_what_a_call_keeps() -> None:
    class Wasteful(nn.ReLU):
        def forward(self, input: Any) -> Any:
            return super().forward(input) + 0 * torch.cat([input] * 8).sum()

    plain, more = (layers.peak(cls(), [(100, 100)]) for cls in (nn.ReLU, Wasteful))
    assert plain >= 3 * 40_000
    assert more >= plain + 7 * 40_000


def test_the_profiler_is_silent_and_a_wrong_name_has_its_exit_code() -> None:
    def run(*arguments: str) -> Any:
        command = [sys.executable, BENCHMARKS, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = run("Sigmoid", "--rounds=1")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^\| (\w+)", done.stdout, re.MULTILINE)[1:] == [
        "Sigmoid", "geometric", "largest",
    ]  # fmt: skip
    failed = run("nosuch")
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("case", [*cases.peers()], ids=lambda case: case.name)
def test_peers_compute_the_same(case: Case) -> None:
    results = []
    for build in (case.theirs, case.ours):
        torch.manual_seed(0)
        layer = build()
        results.append(layer(*(torch.randn(2, *s[1:]) for s in case.shapes)))
    torch.testing.assert_close(*results)


def test_each_name_is_there_once_and_fits() -> None:
    names = [case.name for table in layers.tables() for case in table.cases()]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= layers.WIDE
