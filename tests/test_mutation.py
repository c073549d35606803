"""Each recipe is broken on purpose, in its known ways, and its tests must notice."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples import CLASSES, FUNCTIONS, classes, collected, functions

ANSWER = "answer: "  # as in mutate.py, which is not imported: it must come first

TESTS = Path(__file__).parent
NOTICED = TESTS / "noticed.json"

# By the file that is broken, and the tests that must notice where those are others.
MISTAKES: dict[str, dict[str, tuple[str, str]]] = {
    "recipe": {
        "an outer sum instead of a product": ("torch.mul, moved", "torch.add, moved"),
        "the mean instead of the sum": ('summed, "sum"', 'summed, "mean"'),
        "the gradient forgets an input": (
            "(*self.inputs[:which], *self.inputs[which + 1 :])",
            "self.inputs[which + 1 :]",
        ),
        "the gradient keeps the input itself": (
            "*self.inputs[which + 1 :])",
            "*self.inputs[which:])",
        ),
        "sizes of 1 are stretched": ("if size != known:", "if size != known != (1,):"),
        "one product too many is counted": ("(len(tensors) - 1) * product", "len(tensors) * product"),
        "the output is counted in elements": (
            "for a in self.output) * width",
            "for a in self.output)",
        ),
        "kept letters are marked as summed": ("name not in set(right)", "name in set(right)"),
        "the bytes of the narrower type": ("torch.promote_types", "lambda _, narrow: narrow"),
    },
    "conventions.expect": {
        "only the error that was asked for": ("(*errors, RuntimeError)", "errors"),
        "only the first of several errors": ("else (*errors, RuntimeError)", "else (first, RuntimeError)"),
        "a copy that no other process knows": ('"__reduce__"', '"__reduced__"'),
        "the values instead of the shape": ("if isinstance(got, Tensor) else got", "if not got is got else got"),
    },
    "conventions.signature": {
        "an array let in": ("tensor(layer, key, given[key])", "pass"),
        "arguments given twice": ("if not known or any(", "if not known and any("),
        "traced move by move": ("if has_torch_function(everything):", "if None:"),
        "the output as it is": ("output = step(output)", "step(output)"),
        "the same number of axes each time": ('f"{function.__name__}{n}d", n, inplace', 'f"{function.__name__}{n}d", 1, inplace'),
        "autocast inside all the same": ('with torch.autocast("cpu", enabled=False)', 'with torch.autocast("cpu")'),
    },
    "conventions.layer": {
        "attributes read once": ("getattr(self, name, self)", "getattr(type(self), name, self)"),
        "the input among the settings": ("parameters)[1:]", "parameters)"),
    },
    "engine.pieces": {
        "the last piece as long as the others": ("min(step, n - i)", "step"),
        "one letter is enough": ("work = -(-work * step // n)", "work = 0"),
        "what belongs to all pieces from the last one": ("Tensor.copy_ if alone else Tensor.add_", "Tensor.copy_"),
        "sixteen bits in a piece": ("wide(_at(x, at, cut))", "_at(x, at, cut)"),
        "outputs kept, too": ("range(1, count) if self.keeps else False", "True"),
        "one for all is cut": (" and shape[axis] > 1]", "]"),
    },
    "lab.oracle": {
        "the gradient under a plain sum": ("torch.randn(x.shape, dtype=x.dtype, generator=dice)", "torch.ones_like(x)"),
        "gradients not compared": ('_equal(f"gradient of {name}"', '_keep(f"gradient of {name}"'),
        "the state not compared after the call": (
            "    _same_state(ours, theirs)\n    lines",
            "    lines",
        ),
        "a call that raises nothing is let pass": (
            'raise AssertionError(f"raised: {function!r} raised nothing")',
            'return ""',
        ),
        "inputs given, not copied": ("copy.deepcopy(x.detach())", "x.detach()"),
    },
    "lab.terms": {
        "what one input gives alone counted again": (
            "table = table - tables[each]",
            "table = table - 0 * tables[each]",
        ),
        "other random numbers in each call": ("with torch.no_grad(), torch.random.fork_rng(devices=[]):", "with torch.no_grad():"),
        "a mask is moved": ("if x.isfinite().all()]", "]"),
        "an influence that one random point hides": ("changed |=", "changed ="),
    },
    "lab.panel point_at": {
        "a minus sign lost": ('.replace("-", "−")', '.replace("-", "")'),
        "longer numbers in cells of one width": ("max(self.least, 9 *", "max(self.least, 0 *"),
    },
    "lab.panel film": {
        "rows and columns exchanged": (
            "left + (beside * columns + column) * self.cell",
            "left + (beside * columns + row) * self.cell",
        ),
    },
    "lab.point_at": {
        "the first term only": ("pieces = self._sum(made)", "pieces = self._sum(made[:1])"),
        "shares of another number of parts": ("abs(x[0] * parts - 1) < 1e-6", "True"),
        "the cells that decide unchecked": ("right = bool(seen) and math", "right = True or math"),
    },
    "lab.show": {
        "the lines of another module left out": ("isinstance(getattr(home, n, 0), Line | Bend)", "False"),
        "several functions at once": ("obj[0] if isinstance(obj, tuple) and obj else obj", "obj"),
        "all lines of the module": ("if name in names]", "]"),
        "moves without the gradient": ("if backward:", "if backward is None:"),
    },
    "lab.still": {
        "ids that stand twice on a page": ('"svg.hashsalt": alt', '"svg.hashsalt": ""'),
        "black on a dark page": (r'r"\1: currentColor"', 'r"\1: #000000"'),
    },
    "__init__ namespace": {
        "a family that is left out": ("if not module.ispkg", "if module.name != 'shapes'"),
        "what a family imports is taken for its own": (
            'if getattr(x, "__module__", "") == family.__name__',
            "if family",
        ),
        "torch's functions instead of ours": ("if n in _ours})", "if n not in _ours})"),
        "functions beside the classes": ("if inspect.isclass(x) and", "if not inspect.isclass(x) or"),
        "torch's layers instead of ours": ("globals().update(_families | _classes)\n", ""),
        "a list that leaves out what is handed on": ("{*_public(vars(_torch)), *_classes}", "_classes"),
    },
    **collected("MISTAKES"),
}  # fmt: skip


class Breaker:
    """A process that breaks a copy of layerlib; a new one where it has ended."""

    def __init__(self, new_folder: Callable[[], Path]) -> None:
        self._new_folder = new_folder
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, plan: dict[str, Any]) -> dict[str, dict[str, str]]:
        """Which test notices which mistake of a plan."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, TESTS / "mutate.py", self._new_folder()],
                cwd=TESTS.parent,
                env={**os.environ, "PYTHONPATH": str(TESTS)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._process.stdin.write(json.dumps(plan) + "\n")
        self._process.stdin.flush()
        said = ""
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                answer = json.loads(line.removeprefix(ANSWER))
                assert "noticed" in answer, said + answer["failure"]
                return answer["noticed"]
            said += line
        self.close()
        pytest.fail(f"it ended: {said}")

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


@pytest.fixture(scope="session")
def breaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breaker]:
    made = Breaker(lambda: tmp_path_factory.mktemp("broken"))
    yield made
    made.close()


@pytest.mark.parametrize("file", {group.split()[0]: 0 for group in MISTAKES})
def test_every_mistake_is_noticed(file: str, breaker: Breaker) -> None:
    groups = {g: planned(g) for g in MISTAKES if g.split()[0] == file}
    noticed = breaker({"file": file, "groups": groups})
    for group, tests in noticed.items():
        assert [mistake for mistake, test in tests.items() if not test] == [], group
    if "NOTICED" in os.environ:  # a folder: `make noticed` collects what is in it
        told = json.dumps(noticed)
        (Path(os.environ["NOTICED"]) / f"{file}.json").write_text(
            told, encoding="utf-8"
        )


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (("max(self.least, 9 *", "max(self.least, 0 *"), ""),
        (("no such place", ""), "no place, or several, for: a"),
        (("import math", "import math "), "nothing"),
    ],
)
def test_the_breaker_bites(
    mistake: tuple[str, str], told: str, breaker: Breaker
) -> None:
    """One that is noticed, one that has no place, and one that is none."""
    chosen = [str(TESTS / "test_point_at.py"), "-k", "wider or shades"]
    plan = {"file": "lab.panel", "groups": {"lab.panel": (chosen, {}, {"a": mistake})}}
    if told.startswith("no place"):
        with pytest.raises(AssertionError, match=told):
            breaker(plan)
    else:
        test = breaker(plan)["lab.panel"]["a"]
        assert ("test_point_at.py::" in test) == (not told)


def planned(
    group: str,
) -> tuple[list[str], dict[str, str], dict[str, tuple[str, str]]]:
    """The tests that must notice, those that did the last time, and the mistakes."""
    file, _, tests = group.partition(" ")
    chosen = [str(TESTS / f"test_{tests or file.split('.')[-1]}.py")]
    layers = [
        name
        for name, thing in {**classes(), **functions()}.items()
        if thing.__module__ == f"layerlib.{file}" and name in {*CLASSES, *FUNCTIONS}
    ]
    if tests and layers:  # of the tests of all layers, those of this family
        chosen += ["-k", " or ".join(layers)]
    known = json.loads(NOTICED.read_text(encoding="utf-8")).get(group, {})
    known = {
        mistake: test for mistake, test in known.items() if mistake in MISTAKES[group]
    }
    return chosen, known, MISTAKES[group]
