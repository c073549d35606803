"""Breaks a copy of layerlib, mistake by mistake, and runs tests on it: `test_mutation`.

All in one process, since starting one takes longer than most of the tests. It imports
nothing of ours before pytest does: the shapes are then checked as in every test.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def main(folder: Path) -> None:
    """Writes down which mistakes of the folder's plan no test notices."""
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    package = folder / "layerlib"
    shutil.copytree(TESTS.parent / "layerlib", package)
    sys.path.insert(0, str(folder))
    assert passes(plan["chosen"]), "the tests fail without any mistake"
    assert Path(sys.modules["layerlib"].__file__).parent == package
    file = package / f"{plan['file']}.py"
    source, unnoticed = file.read_text(encoding="utf-8"), []
    for mistake, (right, wrong) in plan["mistakes"].items():
        assert source.count(right) == 1, f"no place, or several, for: {mistake}"
        file.write_text(source.replace(right, wrong), encoding="utf-8")
        if passes(plan["chosen"]):
            unnoticed.append(mistake)
    (folder / "unnoticed.json").write_text(json.dumps(unnoticed), encoding="utf-8")


def passes(chosen: list[str]) -> bool:
    """Whether the chosen tests pass on the copy as it is now."""
    helpers = {file.stem for file in TESTS.glob("*.py")}
    ours = {"layerlib", "conftest", "examples", "tests", *helpers}
    for name in [name for name in sys.modules if name.split(".")[0] in ours]:
        del sys.modules[name]
    hooks = list(sys.meta_path)
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *chosen])
    sys.meta_path[:] = hooks  # without the hook that checks the shapes
    assert code in {
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.INTERRUPTED,
    }
    return code == pytest.ExitCode.OK


if __name__ == "__main__":
    sys.dont_write_bytecode = True  # a mistake may be as long as what it replaces
    main(Path(sys.argv[1]))
