"""The wheel is complete: it runs where the repository is not."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import layerlib

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(
        [
            "git",
            "ls-files",
            "-z",
            "layerlib",
            "classroom",
            "*.toml",
            "LICENSE*",
            "*.md",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, tracked):
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-index",
            "--no-build-isolation",
            "-w",
            folder,
            source,
        ],
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_has_all_that_the_packages_have(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(
        ["git", "ls-files", "layerlib", "classroom"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert packed == set(tracked)


def test_metadata_of_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        told = archive.read(name).decode()
        licenses = [n for n in archive.namelist() if "/licenses/" in n]
    assert re.search(
        rf"^Version: {re.escape(layerlib.__version__)}$", told, re.MULTILINE
    )
    assert re.search(r"^License-Expression: MIT$", told, re.MULTILINE)
    assert [Path(n).name for n in licenses] == ["LICENSE"]
    cited = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {layerlib.__version__}\n" in cited


def test_wheel_runs_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import classroom, layerlib, layerlib.lab, torch;"
        "assert layerlib.__file__.startswith(sys.argv[1]);"
        "line = layerlib.Recipe('b i, o i -> b o');"
        "print(layerlib.lab.point_at(line, torch.ones(1, 3), torch.ones(2, 3))._repr_html_()[:4])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("<")
