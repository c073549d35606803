"""What one runs while working: below 90 seconds, the checks of what changed.

    python tools/check.py           what changed against the last commit
    python tools/check.py conv      one family, changed or not

Format, lint and types of everything; the form of the notebooks that changed; and the
tests of the modules that changed. A family brings its own tests and those that go over
all layers, of its layers only. A module that families stand on (the engine, the
conventions, the recipes) brings its tests, and of each family that imports it those of
one layer. What was left out is said: `make test` is everything.
"""

import argparse
import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 85.0

OVER_ALL = ("contract", "purity", "lines", "short_forms")
"""The tests that go over all layers."""
MODELS = {
    "decoder": "gpt2",
    "gpt2": "gpt2",
    "mixer": "vision",
    "vision": "vision",
    "window_attention": "vision",
}
"""Files of whole models, and which tests are about each."""
TESTS = {
    "Makefile": ["tools"],
    "_config.yml": ["book"],
    "_toc.yml": ["book"],
    "classroom": ["exercises", "own", "progress"],
    "constraints.txt": ["tools"],
    "requirements-test.txt": ["tools"],
    "requirements.txt": ["tools"],
    "site": ["book"],
    "tools": ["tools"],
    "benchmarks": ["benchmarks"],
}
"""What tests the files of a folder, besides those that are named like the file."""


@dataclass
class Plan:
    """What is to be run; the dictionaries are sets that keep their order.

    Attributes:
        whole: files whose tests and examples all run.
        layers: names out of the tests over all layers.
        notebooks: those whose form is checked.
        left: what is not run, in words.
    """

    whole: dict[str, None] = field(default_factory=dict)
    layers: dict[str, None] = field(default_factory=dict)
    notebooks: dict[str, None] = field(default_factory=dict)
    left: dict[str, None] = field(default_factory=dict)

    def commands(self, root: Path = ROOT) -> dict[str, list[str]]:
        """The steps by name, in their order."""
        python = [sys.executable, "-m"]
        quick = ["-x", "-q", "-n2", "--dist=worksteal", "-p", "no:nbval"]
        pytest = [*python, "pytest", *quick]
        over_all = [f"tests/test_{name}.py" for name in OVER_ALL]
        over_all = [name for name in over_all if (root / name).is_file()]
        over_all = [name for name in over_all if name not in self.whole]
        steps = {
            "format": [*python, "ruff", "format", "--check", "."],
            "lint": [*python, "ruff", "check", "."],
            "types": [*python, "mypy"],
        }
        if self.notebooks:
            form = [sys.executable, "tools/notebooks.py", "--check"]
            steps["form of the notebooks"] = [*form, *self.notebooks]
        if self.whole:
            steps["tests of what changed"] = [*pytest, *self.whole]
        if self.layers and over_all:
            chosen = " or ".join(self.layers)
            steps["tests over all layers"] = [*pytest, *over_all, "-k", chosen]
        return steps


def plan(changed: Iterable[str], root: Path = ROOT) -> Plan:
    """Chooses what is to be run for some files that changed, as paths from the root."""
    made = Plan()
    for name in changed:
        path = Path(name)
        if not (root / path).is_file():
            made.left[f"what stood on {name}, as it is gone"] = None
        elif path.suffix == ".ipynb":
            made.notebooks[name] = None
        elif path.parts[0] == "layerlib" and path.suffix == ".py":
            _module(made, path, root)
        elif path.parts[0] == "tests" and path.stem.startswith("test_"):
            made.whole[name] = None
        elif path.parts[0] == "tests" and path.stem in families(root):
            _family(made, path.stem, root)  # its examples, or its short forms
        else:
            _tests(made, [path.stem, *TESTS.get(path.parts[0], ())], root)
    return made


def _tests(made: Plan, stems: Iterable[str], root: Path) -> None:
    for file in (f"tests/test_{stem}.py" for stem in stems):
        if (root / file).is_file():
            made.whole[file] = None


def _module(made: Plan, path: Path, root: Path) -> None:
    """Adds the tests of a module of layerlib, and of what stands on it."""
    if len(path.parts) == 2 and path.stem in MODELS:
        _tests(made, [MODELS[path.stem], "readability"], root)
        made.whole[path.as_posix()] = None
    elif path.stem == "__init__":
        _tests(made, ["contract"] * (len(path.parts) == 2), root)
    elif path.stem in families(root) and len(path.parts) == 2:
        _family(made, path.stem, root)
    else:
        _tests(made, [path.stem], root)
        made.whole[path.as_posix()] = None
        for family in importers(path, root):
            made.layers |= dict.fromkeys(layers(family, root)[:1])
            made.left[f"tests/test_{family}.py"] = None


def _family(made: Plan, name: str, root: Path) -> None:
    """Adds all tests of a family."""
    _tests(made, [name, "readability"], root)
    made.whole[f"layerlib/{name}.py"] = None
    made.layers |= dict.fromkeys(layers(name, root))


def families(root: Path = ROOT) -> list[str]:
    """The families of layers, by the names of their files."""
    files = sorted((root / "layerlib").glob("*.py"))
    others = {"__init__", "recipe", *MODELS}
    return [file.stem for file in files if file.stem not in others]


def layers(family: str, root: Path = ROOT) -> list[str]:
    """The public classes of a family that build on another, then its functions.

    A name stands for all that hold it: ``conv`` for conv1d, too.
    """
    tree = ast.parse((root / f"layerlib/{family}.py").read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    names = [node.name for node in classes if node.bases and not _is_tuple(node)]
    names += [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if not name.startswith("_")]


def _is_tuple(node: ast.ClassDef) -> bool:
    return any(isinstance(b, ast.Name) and b.id == "NamedTuple" for b in node.bases)


def importers(path: Path, root: Path = ROOT) -> list[str]:
    """The families that import a module, at once or through another."""
    files = {
        ".".join(file.relative_to(root).with_suffix("").parts): file
        for file in sorted((root / "layerlib").rglob("*.py"))
        if file.stem != "__init__"
    }
    imports = {name: _imported(file) for name, file in files.items()}
    found, before = {".".join(path.with_suffix("").parts)}, set[str]()
    while found != before:
        before = set(found)
        found |= {name for name, those in imports.items() if those & found}
    return [name for name in families(root) if f"layerlib.{name}" in found]


def _imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    parts = {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
    return parts | {node.module for node in froms if node.module}


def changed(root: Path = ROOT) -> list[str]:
    """The files that differ from the last commit, new ones too.

    Raises:
        OSError: there is no git, or no repository.
    """
    told = ""
    for command in (
        "ls-files --others --exclude-standard -z",
        "diff --name-only --relative HEAD -z",
    ):
        done = subprocess.run(
            ["git", *command.split()],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise OSError(done.stderr.splitlines()[0])
        told += done.stdout
    return sorted(filter(None, told.split("\0")))


def run(steps: dict[str, list[str]], seconds: float, root: Path = ROOT) -> int:
    """Runs the steps until one fails or the time is up, and returns an exit code.

    The last step may be cut off: those are tests, and what ran of them passed.
    """
    end = time.monotonic() + seconds
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    waiting = list(steps)
    for name, command in steps.items():
        print(f"== {name}", flush=True)
        with subprocess.Popen(command, cwd=root, env=variables) as process:
            try:
                process.wait(max(1.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)  # pytest then says how far it came
                process.wait()
                print(f"The time was up before the end of: {', '.join(waiting)}.")
                return int(len(waiting) > 1)
            except KeyboardInterrupt:
                return 130
        if process.returncode:
            return process.returncode
        waiting.remove(name)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks, and says what was left out; returns 0 when all is well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("family", nargs="?", help="one family instead of what changed")
    family = parser.parse_args(arguments).family
    if family and family not in families():
        told = f"there is no family {family!r}; there are: {', '.join(families())}"
        print(told, file=sys.stderr)
        return 2
    try:
        made = plan([f"layerlib/{family}.py"] if family else changed())
    except OSError as error:
        told = f"git does not say what changed ({error}); use make check FAMILY=conv"
        print(told, file=sys.stderr)
        return 2
    status = run(made.commands(), SECONDS)
    if not status:
        made.left["the notebooks and the website"] = None
        print(f"Not run: {', '.join(made.left)}. `make test` runs everything.")
    return status


if __name__ == "__main__":
    sys.exit(main())
