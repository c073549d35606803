"""Breaks a copy of layerlib, mistake by mistake, and runs tests on it: `test_mutation`.

One process breaks file after file, since starting one takes longer than most of the
tests: a line of JSON in, with the plan for a file, and a line out, with what was
noticed. It imports nothing of ours before pytest does: the shapes are then checked as
in every test.

The test that noticed a mistake the last time is run first, and the others only if it
does not; which one that was stands in `noticed.json`. An entry that is missing or out
of date costs time, and nothing else.
"""

import ast
import contextlib
import functools
import importlib
import inspect
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from beartype._cache.cacheclear import clear_caches

TESTS = Path(__file__).parent
ANSWER = "answer: "


class FirstFailure:
    """Which test failed first, or could not even be collected."""

    test = ""

    def pytest_sessionstart(self) -> None:
        """Called by pytest before it collects: what is imported anew gets its parts.

        Python sets `layerlib.conv` when it loads that module, and it is loaded already.
        """
        with contextlib.suppress(Exception):  # the tests meet it, too
            importlib.import_module("layerlib")
        for name in sorted(sys.modules):
            above, _, part = name.rpartition(".")
            if above.split(".")[0] == "layerlib" and above in sys.modules:
                package = sys.modules[above]
                if not hasattr(package, part):
                    setattr(package, part, sys.modules[name])

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest after each test."""
        if report.failed and not self.test:
            self.test = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        """Called by pytest after each file."""
        if report.failed and not self.test:
            self.test = report.nodeid


def main(folder: Path) -> None:
    """Answers each plan with which test notices which of its mistakes, if any."""
    package = folder / "layerlib"
    shutil.copytree(TESTS.parent / "layerlib", package)
    # The copy first; what else the tests import, such as tools, from the repository.
    sys.path[:] = [str(folder), *sys.path, str(TESTS.parent)]
    for plan in map(json.loads, sys.stdin):
        file = package / f"{plan['file'].replace('.', '/')}.py"
        source = file.read_text(encoding="utf-8")
        try:
            answer = {"noticed": noticed(plan, file, source)}
        except AssertionError as error:
            answer = {"failure": str(error)}
        file.write_text(source, encoding="utf-8")
        print(f"\n{ANSWER}{json.dumps(answer)}", flush=True)


def noticed(plan: dict[str, Any], file: Path, source: str) -> dict[str, dict[str, str]]:
    """For each group of the plan and each mistake in it, the test that notices it.

    Of a mistake that is new, the tests that noticed others of its group are tried
    first.
    """
    module = f"layerlib.{plan['file']}".removesuffix(".__init__")
    found = {}
    for group, (chosen, known, mistakes) in plan["groups"].items():
        found[group], others = {}, set[str]()
        for mistake, (right, wrong) in mistakes.items():
            assert source.count(right) == 1, f"no place, or several, for: {mistake}"
            file.write_text(source.replace(right, wrong), encoding="utf-8")
            guesses = [known[mistake]] if mistake in known else sorted({*others})
            guess = failure(guesses, module) if guesses else ""
            found[group][mistake] = guess or failure(chosen, module)
            others |= {test for test in (found[group][mistake],) if "::" in test}
    # None was noticed for another reason than the mistake.
    file.write_text(source, encoding="utf-8")
    noticing = {test for tests in found.values() for test in tests.values() if test}
    # A file that could not be imported is enough if it is: its tests take minutes.
    files = {test for test in noticing if "::" not in test}
    for some, how in ((files, ["--collect-only"]), (noticing - files, [])):
        unbroken = failure([*sorted(some), *how], module) if some else ""
        assert not unbroken, f"fails without any mistake: {unbroken}"
    loaded = Path(sys.modules[module].__file__)
    assert loaded.samefile(file), f"not the copy, but {loaded}, was tested"
    return found


def importers(module: str) -> set[str]:
    """A module, and those of layerlib that import it, at once or through another."""
    imports = {
        name: imported(inspect.getsource(loaded))
        for name, loaded in sys.modules.items()
        if name.split(".")[0] == "layerlib" and hasattr(loaded, "__file__")
    }
    found, before = {module}, set[str]()
    while found != before:
        before = set(found)
        found |= {name for name, those in imports.items() if found & those}
    return found | {"layerlib"}  # the hook that checks the shapes wants it fresh


@functools.cache
def imported(source: str) -> set[str]:
    """The modules that a source imports, or something out of them."""
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return found


def failure(chosen: list[str], module: str) -> str:
    """The first of the chosen tests that fails on the copy as it is now, if any.

    The tests are imported anew, and of layerlib the module and what imports it.
    """
    helpers = {file.stem for file in TESTS.glob("*.py")}
    tests = {"conftest", "examples", "tests", *helpers}
    for name in [name for name in sys.modules if name.split(".")[0] in tests]:
        del sys.modules[name]
    for name in importers(module):
        sys.modules.pop(name, None)
        package, _, part = name.rpartition(".")
        if package in sys.modules:  # `from package import part` would find the old one
            vars(sys.modules[package]).pop(part, None)
    if "torch" in sys.modules:  # it counts what it has compiled
        sys.modules["torch"].compiler.reset()
    clear_caches()  # they would take a class that is imported anew for the old one
    hooks, first = list(sys.meta_path), FirstFailure()
    # Without what takes as long as a test, to be loaded or to collect garbage.
    needless = ("cacheprovider", "hypothesispytest", "nbval", "unraisableexception")
    without = [part for name in needless for part in ("-p", f"no:{name}")]
    root = ["--rootdir", str(TESTS.parent), *without]
    code = pytest.main(["-x", "-q", *root, *chosen], plugins=[first])
    sys.meta_path[:] = hooks  # without the hook that checks the shapes
    assert code in {
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.INTERRUPTED,
        pytest.ExitCode.USAGE_ERROR,  # a guess that is no test any more
    }
    return first.test


if __name__ == "__main__":
    sys.dont_write_bytecode = True  # a mistake may be as long as what it replaces
    main(Path(sys.argv[1]))
