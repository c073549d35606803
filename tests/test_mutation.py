"""Each recipe is broken on purpose, in its known ways, and its tests must notice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples import CLASSES, FUNCTIONS, classes, collected, functions

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
        "an array let in": ("isinstance(x, Tensor)", "True"),
        "arguments given twice": ("if not known or any(", "if not known and any("),
        "traced move by move": ("if has_torch_function(everything):", "if None:"),
        "the output as it is": ("return output if finish is None else finish(output)", "return output"),
        "the same number of axes each time": ('f"{function.__name__}{n}d", n, autocast', 'f"{function.__name__}{n}d", 1, autocast'),
        "autocast inside all the same": ('with torch.autocast("cpu", enabled=False)', 'with torch.autocast("cpu")'),
    },
    "conventions.layer": {
        "attributes read once": ("getattr(self, name, self)", "getattr(type(self), name, self)"),
        "the input among the settings": ("parameters)[1:]", "parameters)"),
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
        "rows and columns exchanged": (
            "left + (beside * columns + column) * self.cell",
            "left + (beside * columns + row) * self.cell",
        ),
        "a minus sign lost": ('.replace("-", "−")', '.replace("-", "")'),
    },
    "lab.point_at": {
        "the first term only": ("_cells(self._made_of[flat])", "_cells(self._made_of[flat][:1])"),
        "shares of another number of parts": ("abs(x[0] * parts - 1) < 1e-6", "True"),
        "the cells that decide unchecked": ("right = bool(seen) and math", "right = True or math"),
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


@pytest.mark.parametrize("file", {group.split()[0]: 0 for group in MISTAKES})
def test_every_mistake_is_noticed(file: str, tmp_path: Path) -> None:
    groups = {g: planned(g) for g in MISTAKES if g.split()[0] == file}
    plan = json.dumps({"file": file, "groups": groups})
    (tmp_path / "plan.json").write_text(plan, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, TESTS / "mutate.py", tmp_path],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = (tmp_path / "noticed.json").read_text(encoding="utf-8")
    for group, noticed in json.loads(told).items():
        assert [mistake for mistake, test in noticed.items() if not test] == [], group
    if "NOTICED" in os.environ:  # a folder: `make noticed` collects what is in it
        folder = Path(os.environ["NOTICED"])
        (folder / f"{file}.json").write_text(told, encoding="utf-8")


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
