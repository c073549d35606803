"""The reader's own layers: kept as files, and put in the place of the library's."""

import ast
import inspect
import linecache
import symtable
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

import layerlib

CHAPTERS = Path(__file__).parents[1] / "chapters"
MINE = CHAPTERS / "mine"
"""Where classes and answers are kept, a file each. Git does not look into it."""


@dataclass(frozen=True)
class Kept:
    """A class that was kept: in which file, and in whose place it runs."""

    path: Path
    name: str

    def __repr__(self) -> str:
        where = "/".join(self.path.parts[-3:])
        if not hasattr(layerlib, self.name):
            return f"kept as {where}"
        return f"kept as {where}, to run in the place of layerlib.{self.name}"


def keep(cls: type[nn.Module], name: str | None = None) -> Kept:
    """Saves a class with all that it needs, so that other pages can use it: `mine`.

    The file holds the class, the functions and constants of the notebook that it uses,
    and their imports. It is run before it is saved.

    Args:
        cls: a class written in this notebook, or in a file.
        name: the layer in whose place it is to run. Left out, it is the name of the
            class without a leading ``Own``: `OwnLinear` runs in the place of `Linear`.

    Raises:
        TypeError: `cls` is no class made from `nn.Module`.
        ValueError: it does not run by itself; the message says what it misses.
            Nothing is saved then.
    """
    if not (inspect.isclass(cls) and issubclass(cls, nn.Module)):
        raise TypeError(f"keep: expected a class made from nn.Module, got {cls!r}")
    name = name or cls.__name__.removeprefix("Own")
    if not name.isidentifier():
        raise ValueError(f"keep: expected the name of a layer, got {name!r}")
    text = needed(cls.__name__, _texts(cls))
    if cls.__name__ != name:
        text += f"\n\n{name} = {cls.__name__}"
    return Kept(_saved(name, text, cls.__name__), name)


def keep_answer(exercise: str, answer: ast.expr, cells: Iterable[str]) -> Path:
    """Saves what solves an exercise: `mine().linear_moves` for ``linear-moves``.

    Args:
        exercise: its name, which becomes one that can be imported.
        answer: what was handed to `check`.
        cells: the code that has run, with all that the answer needs.

    Raises:
        ValueError: it does not run by itself. Nothing is saved then.
    """
    name = exercise.replace("-", "_")
    written = ast.unparse(answer)
    named = f"{name} = {written}" if written != name else ""
    return _saved(name, needed(name, [*cells, named]), exercise)


def _saved(name: str, text: str, called: str) -> Path:
    """The file of that name with the text, which has run."""
    path = MINE / f"{name}.py"
    try:
        _run(text, path)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise ValueError(f"keep: {called} does not run by itself: {told}") from error
    MINE.mkdir(parents=True, exist_ok=True)
    return write(path, f"{text}\n")


def write(path: Path, text: str) -> Path:
    """The file with this text, and never a part of it."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(text, encoding="utf-8")
    return unfinished.replace(path)


class Mine:
    """Layers by their names: the reader's own where they were kept, else layerlib's.

    It can be given wherever a net takes its layers from a namespace.
    """

    def __getattr__(self, name: str) -> Any:
        path = MINE / f"{name}.py"
        if name.startswith("_") or not path.exists():
            return getattr(layerlib, name)
        try:
            layer = _run(path.read_text(encoding="utf-8"), path)[name]
        except Exception as error:
            raise ImportError(
                f"mine: {path} does not give a layer {name}: {error}"
            ) from error
        setattr(self, name, layer)  # it is read once
        return layer

    def __dir__(self) -> list[str]:
        """What is kept, by name."""
        return sorted(path.stem for path in MINE.glob("*.py"))

    def __repr__(self) -> str:
        return f"your own {', '.join(dir(self)) or 'layers: none yet'}; else layerlib's"


def mine() -> Mine:
    """The layers that were kept so far, and for all others those of layerlib."""
    return Mine()


def _run(text: str, path: Path) -> dict[str, Any]:
    """What the text of a file defines."""
    names: dict[str, Any] = {"__name__": f"mine.{path.stem}"}
    exec(compile(text, path, "exec"), names)  # noqa: S102
    return names


# ---- What a class needs


def needed(name: str, texts: Iterable[str]) -> str:
    """The source of a class, after that of all it uses, imports first.

    Args:
        name: what the class is called.
        texts: the code in which all of it is written, as it ran: the last counts.

    Raises:
        ValueError: no statement of the texts defines the class.
    """
    bound = {name: source for text in texts for name, source in _bindings(text)}
    if name not in bound:
        raise ValueError(f"keep: the source of {name} was not found")
    found: dict[str, None] = {}
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name in bound and name not in visited:
            visited.add(name)
            for used in _used(bound[name]):
                visit(used)
            found.setdefault(bound[name])

    visit(name)
    imports = sorted(source for source in found if _is_import(source))
    others = [source for source in found if not _is_import(source)]
    return "\n\n".join(["\n".join(imports), *others])


def _texts(cls: type) -> Iterator[str]:
    """Where the class may have been written: in cells of a notebook, or in a file."""
    yield from getattr(sys.modules[cls.__module__], "In", ())  # IPython: what has run
    for function in vars(cls).values():
        if inspect.isfunction(function):
            yield "".join(linecache.getlines(function.__code__.co_filename))
            return


def _bindings(text: str) -> Iterator[tuple[str, str]]:
    """The names that the statements of a text bind, each with its statement alone."""
    try:
        body = ast.parse(text).body
    except SyntaxError:  # a cell that did not run
        return
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                yield name, ast.unparse(ast.Import([alias]))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                one = ast.ImportFrom(node.module, [alias], node.level)
                yield alias.asname or alias.name, ast.unparse(one)
        else:
            source = _source(text, node)
            for symbol in symtable.symtable(source, "a cell", "exec").get_symbols():
                if symbol.is_assigned():
                    yield symbol.get_name(), source


def _source(text: str, node: ast.stmt) -> str:
    """A statement with its decorators, as it was written."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def _used(source: str) -> set[str]:
    """The names that a statement reads and does not bind itself."""
    tables = [symtable.symtable(source, "a cell", "exec")]
    own = {s.get_name() for s in tables[0].get_symbols() if s.is_assigned()}
    used = set()
    for table in tables:
        tables += table.get_children()
        used |= {
            s.get_name()
            for s in table.get_symbols()
            if s.is_referenced() and s.is_global()
        }
    used |= {s.get_name() for s in tables[0].get_symbols() if s.is_referenced()}
    return used - own


def _is_import(source: str) -> bool:
    return isinstance(ast.parse(source).body[0], ast.Import | ast.ImportFrom)
