"""Reads a student's notebook, whatever state it is in."""

import ast
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTES = 20 * 2**20  # of a notebook
TOO_LARGE = (
    f"The file is larger than {BYTES // 2**20} MB: clear the outputs of the notebook "
    "and hand it in again."
)
CELLS = 2000
CHAPTERS = Path(__file__).parents[2] / "chapters" / "exercises"
CHECK = re.compile(r"""check\(\s*["']([\w-]+)["']\s*,\s*(\w+)\s*[,)]""")


class Unreadable(ValueError):  # noqa: N818  (a student's file)
    """This is no notebook; the message says in a sentence why."""


@dataclass(frozen=True)
class Item:
    """An exercise of an assignment: what its answer is called, and its points."""

    exercise: str
    variable: str
    points: float = 1.0


@dataclass(frozen=True)
class Assignment:
    """A notebook with exercises, by the name of its file."""

    name: str
    items: Sequence[Item]


@dataclass(frozen=True)
class Cell:
    """A cell of code."""

    identity: str
    source: str


def cells_of(data: bytes) -> tuple[list[Cell], str]:
    """The code of a notebook, and a remark for the student, or nothing.

    Raises:
        Unreadable: it is no notebook.
    """
    if len(data) > BYTES:
        raise Unreadable(TOO_LARGE)
    if not data.strip():
        raise Unreadable("The file is empty.")
    text, remark = _decoded(data)
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            f"The file is not a notebook: its JSON is broken ({str(error)[:100]}). "
            "Save it in Jupyter and hand it in again."
        ) from error
    cells = _list_of_cells(notebook)
    found = []
    for number, cell in enumerate(cells[:CELLS]):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        if isinstance(source, list):
            source = "".join(map(str, source))
        identity = str(cell.get("id", ""))[:64] or f"cell {number + 1}"
        found.append(Cell(identity, str(source)))
    return found, remark


def _decoded(data: bytes) -> tuple[str, str]:
    marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
    encoding = marks.get(data[:2]) or marks.get(data[:3]) or "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding, text = "latin-1", data.decode("latin-1")
    if encoding == "utf-8":
        return text, ""
    return text, f"The file is written in {encoding}; a notebook is UTF-8."


def _list_of_cells(notebook: Any) -> list[Any]:
    if isinstance(notebook, dict):
        cells = notebook.get("cells")
        sheets = notebook.get("worksheets")  # the format of before 2015
        if cells is None and isinstance(sheets, list) and sheets:
            cells = sheets[0].get("cells") if isinstance(sheets[0], dict) else None
        if isinstance(cells, list):
            return cells
    raise Unreadable("The file is JSON, and not a notebook: it has no list of cells.")


def assignments(folder: Path = CHAPTERS) -> dict[str, Assignment]:
    """The assignments of a release, or of the book: what each one asks for.

    Args:
        folder: a release, with its ``assignments.json``, or notebooks.

    Raises:
        FileNotFoundError: there is neither.
    """
    listed = folder / "assignments.json"
    if listed.exists():
        read = json.loads(listed.read_text(encoding="utf-8"))["assignments"]
        return {
            name: Assignment(name, [Item(**item) for item in items])
            for name, items in read.items()
        }
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        cells, _ = cells_of(path.read_bytes())
        items = [
            Item(match[1], match[2])
            for cell in cells
            if (match := CHECK.match(cell.source))
        ]
        found[path.stem] = Assignment(path.stem, items)
    if not found:
        raise FileNotFoundError(f"no assignments.json and no notebook in {folder}")
    return found


def folder_name(name: str) -> str:
    """A name that any system takes for a file, and another one for each name."""
    plain = re.sub(r"[^\w.-]", "_", name)[:80].lstrip(".") or "_"
    tail = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:6]
    return plain if plain == name else f"{plain}-{tail}"


def drawn_from(folder: Path) -> Callable[[str], str]:
    """What the variants of each student were drawn from, in a release."""
    listed = folder / "assignments.json"
    told = json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else {}
    seed, each = told.get("seed", ""), told.get("each", False)

    def drawn(student: str) -> str:
        return f"{seed} {folder_name(student)}" if seed and each else seed

    return drawn


def which(
    stem: str, cells: Sequence[Cell], known: Mapping[str, Assignment]
) -> Assignment | None:
    """The assignment that a notebook belongs to: by its name, or by what it checks."""
    if stem in known:
        return known[stem]
    checked = {name for cell in cells for name, _ in CHECK.findall(cell.source)}
    identities = {cell.identity for cell in cells}

    def met(assignment: Assignment) -> int:
        return sum(
            (item.exercise in checked) + (item.exercise in identities)
            for item in assignment.items
        )

    best = max(known.values(), key=met, default=None)
    return best if best and met(best) else None


def snippet(variable: str, cells: Sequence[Cell], lines: int = 24) -> str:
    """The statement that binds a name last, without comments: they may have names."""
    for cell in reversed(cells):
        try:
            body = ast.parse(cell.source).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in reversed(body):
            if variable in _bound(node):
                try:
                    return "\n".join(ast.unparse(node).splitlines()[:lines])
                except RecursionError:
                    return ""
    return ""


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    return set()


def renamed(
    item: Item, cells: Sequence[Cell], functions: Sequence[str], taken: set[str]
) -> str:
    """What an answer is called that has another name: the one in its own cell."""
    for cell in cells:
        if cell.identity == item.exercise:
            try:
                body = ast.parse(cell.source).body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return ""
            bound = [name for node in body for name in _bound(node)]
            free = [name for name in bound if name not in taken]
            return (
                free[-1] if free and (free[-1] in functions or len(free) == 1) else ""
            )
    return ""
