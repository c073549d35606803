"""The families are read: short functions, no engine, no manners, no private words.

As a program it prints how long each file is, and each family's longest function:
``python tests/test_readability.py``.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import layerlib

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "layerlib"
FAMILIES = {
    file.stem: file
    for file in sorted(PACKAGE.glob("*.py"))
    if file.stem not in {"__init__", "recipe"}
}

STATEMENTS = 8
LINES = 350
ALL_FAMILIES = 3600
ENGINE_AND_CONVENTIONS = 1300

TOO_LONG = pytest.mark.xfail(strict=True, reason="is not that short yet")
"""A limit that does not hold: once it does, this mark fails and has to go."""

NAMES = {"expect", "wide", "HALVES", "alike", "isinstance", "autocast", "vmap", "finfo"}
"""Manners and engine: checks, dtypes, kinds of input."""

ATTRIBUTES = {
    "dtype", "to", "float", "half", "double", "type", "is_floating_point", "is_complex",
    "autocast", "is_autocast_enabled", "get_autocast_dtype", "chunk", "split",
    "tensor_split", "is_compiling", "is_grad_enabled", "vmap",
}  # fmt: skip
"""The same as attributes, and cutting for speed."""

INITIAL_VALUES = {"copy_", "lerp_"}
"""What changes buffers in place: the running statistics of a norm."""


def statements(function: ast.FunctionDef) -> int:
    """All statements inside, nested ones too, without docstrings."""
    inside = (node for part in function.body for node in ast.walk(part))
    return sum(
        isinstance(node, ast.stmt)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in inside
    )


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


class Bare(ast.NodeTransformer):
    """Drops annotations and decorators: they say what a function is given."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list, node.returns = [], None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def unread(tree: ast.Module) -> list[str]:
    """What in a family is not its business, with the line that it stands on."""
    found = []
    for node in ast.walk(Bare().visit(tree)):
        name = getattr(node, "id", None) or getattr(node, "attr", "")
        if name in (NAMES if isinstance(node, ast.Name) else ATTRIBUTES):
            found.append(f"{node.lineno}: {name}")
        if isinstance(node, ast.Call):
            found += _in_place(node)
    return found


def _in_place(call: ast.Call) -> list[str]:
    found = [f"{call.lineno}: out=" for k in call.keywords if k.arg == "out"]
    if isinstance(call.func, ast.Attribute):
        name, source = call.func.attr, ast.unparse(call.func.value)
        allowed = name in INITIAL_VALUES or source.endswith("init")
        if re.fullmatch(r"[a-z]\w*_", name) and not allowed:
            found.append(f"{call.lineno}: {name}")
    return found


def private(tree: ast.Module) -> set[str]:
    """The private names that a family gives at module level."""
    found = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {x.id for t in targets for x in ast.walk(t) if hasattr(x, "id")}
    return {name for name in found if name.startswith("_") and name != "__all__"}


def told_in_chapter(family: str) -> str:
    """What story and reference say in their own words and code, without outputs."""
    pages = [
        ROOT / "chapters" / place / f"{family}.ipynb" for place in ("", "reference")
    ]
    texts = [page.read_text(encoding="utf-8") for page in pages if page.exists()]
    cells = [cell for text in texts for cell in json.loads(text)["cells"]]
    return "\n".join("".join(cell["source"]) for cell in cells)


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def length(*files: Path) -> int:
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def of_layers() -> list[Path]:
    """The families, without the files of whole models, which the rule holds for, too."""
    return [file for name, file in FAMILIES.items() if name not in layerlib.MODELS]


def out_of_sight() -> list[Path]:
    folders = (PACKAGE / "engine", PACKAGE / "conventions")
    return [file for folder in folders for file in sorted(folder.glob("*.py"))]


@pytest.mark.parametrize("family", FAMILIES)
def test_functions_are_short(family: str) -> None:
    long = {
        f"{function.name}, line {function.lineno}": statements(function)
        for function in functions(parsed(FAMILIES[family]))
        if statements(function) > STATEMENTS
    }
    assert long == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_stands_there_but_the_layer(family: str) -> None:
    assert unread(parsed(FAMILIES[family])) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_private_names_are_explained(family: str) -> None:
    told = told_in_chapter(family)
    names = private(parsed(FAMILIES[family]))
    assert {name for name in names if not re.search(rf"\b{name}\b", told)} == set()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_is_no_longer_than_a_sitting(family: str) -> None:
    assert length(FAMILIES[family]) <= LINES


def test_all_families_together() -> None:
    assert length(*of_layers()) <= ALL_FAMILIES


@TOO_LONG
def test_engine_and_conventions_together() -> None:
    assert length(*out_of_sight()) <= ENGINE_AND_CONVENTIONS


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(x): expect('f', x)", ["1: expect"]),
        ("def f(x): return x.to(y.dtype)", ["1: to", "1: dtype"]),
        ("def f(x): return isinstance(x, int)", ["1: isinstance"]),
        ("def f(x): return [wide(p) for p in x.split(2)]", ["1: wide", "1: split"]),
        ("def f(x): x.mul_(2)", ["1: mul_"]),
        ("def f(x): torch.add(x, x, out=x)", ["1: out="]),
        ("def f(x):\n  with torch.autocast('cpu'): pass", ["2: autocast"]),
        ("def f(x): nn.init.uniform_(x)", []),
        ("def f(x): self.running_mean.lerp_(x, 0.1)", []),
        ("@convention(fits, autocast=False)\ndef f(x): return x * 2", []),
        ("def f(x: Tensor, dtype: torch.dtype) -> float: return g(x, dtype=dtype)", []),
        ("HALF = lambda x: x.half()", ["1: half"]),
    ],
)
def test_what_is_no_layer_is_found(source: str, found: list[str]) -> None:
    assert sorted(unread(ast.parse(source))) == sorted(found)


def test_all_statements_are_counted() -> None:
    source = '''def f(x):
    """Docstring."""
    if x:
        x = 1; y = 2
    def g():
        """Another."""
        return x
    return [x for x in g()]
'''
    (outer, _) = functions(ast.parse(source))
    assert statements(outer) == 6


def test_private_names_are_found() -> None:
    source = (
        "_A = 1\n_b: int = 2\nC = 3\ndef _d(): pass\nclass _E: pass\n__all__ = []\n"
    )
    assert private(ast.parse(source)) == {"_A", "_b", "_d", "_E"}


def table() -> str:
    """Lines of each file, and the longest function of each family."""
    rows = []
    for family, file in FAMILIES.items():
        longest = max(functions(parsed(file)), key=statements)
        told = f"{statements(longest):3} statements in {longest.name}"
        rows.append(f"{family:<16}{length(file):5} lines {told}")
    rows.append(f"{'all families':<16}{length(*of_layers()):5} of {ALL_FAMILIES}")
    rows += [
        f"{file.relative_to(PACKAGE).as_posix():<28}{length(file):5}"
        for file in out_of_sight()
    ]
    both = length(*out_of_sight())
    rows.append(f"engine and conventions {both} of {ENGINE_AND_CONVENTIONS}")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
