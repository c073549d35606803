"""Re-executes the notebooks of the book and brings them into their one canonical form.

Run it as `make notebooks`, or by hand:

    python tools/notebooks.py                     # all notebooks: execute, normalise
    python tools/notebooks.py chapters/linear.ipynb    # only this one
    python tools/notebooks.py --no-run            # normalise only, keep the outputs
    python tools/notebooks.py --check             # change nothing, name what differs

The canonical form holds what the book says and nothing about the machine or the moment
in which it was made, so that a difference between two versions is a difference in the
book. Its rules are the functions below, one a rule.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
# The version of Python is not in here: a newer one must not change every notebook.
LANGUAGE = {"name": "python"}
# What MyST and nbval read. Everything else is left behind by an editor.
NOTEBOOK_METADATA = ("kernelspec", "language_info", "myst", "mystnb")
CELL_METADATA = ("mystnb", "raw_mimetype", "tags")
# The site folds a cell by its tag, JupyterLab by its metadata.
FOLDED = {
    "hide-cell": {"outputs_hidden": True, "source_hidden": True},
    "hide-input": {"source_hidden": True},
    "hide-output": {"outputs_hidden": True},
}

# What differs between two machines or two runs, and so may not be in an output.
NOISE = {
    "a memory address": re.compile(r"\bat 0x[0-9a-fA-F]{6,}|\b0x[0-9a-fA-F]{9,}"),
    "a path of one machine": re.compile(
        r"/(?:home|Users|root)/|\bsite-packages/|[/\\]ipykernel_\d+"
        rf"|{re.escape(str(ROOT))}"
    ),
}

# einops and others print sets of names, in an order that depends on this. `make test`
# sets the same.
VARIABLES = {"PYTHONHASHSEED": "0"}
CELL_SECONDS = 60
STARTUP_SECONDS = 60


class NotebookError(Exception):
    """A notebook that cannot be brought into the canonical form, and why."""


def find(root: Path = ROOT) -> list[Path]:
    """Returns all notebooks of the book, the landing page first."""
    chapters = (
        path
        for path in sorted((root / "chapters").rglob("*.ipynb"))
        if ".ipynb_checkpoints" not in path.parts
    )
    return [path for path in (root / "index.ipynb", *chapters) if path.is_file()]


def from_dict(value: object) -> NotebookNode:
    """Returns a deep copy of plain dictionaries as nodes with attributes."""
    node: NotebookNode = nbformat.from_dict(value)
    return node


def code_cells(cells: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """Yields the cells that run."""
    return (cell for cell in cells if cell.cell_type == "code")


def slug(cell: NotebookNode) -> str:
    """Returns a readable id: the cell's first heading, or its first line of code."""
    lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
    first = next((line for line in lines if line.startswith("#")), (lines or [""])[0])
    if cell.cell_type == "code":
        code = (line for line in lines if not line.startswith(("#", "import", "from")))
        first = next(code, first)
    words = re.sub(r"[^a-z0-9]+", "-", first.lower()).strip("-")
    return words[:40].rstrip("-") or cell.cell_type


def with_ids(cells: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Keeps each cell's id; a missing or repeated one is made from the content."""
    cells = list(cells)
    kept = {cell["id"] for cell in cells if "id" in cell}
    seen: set[str] = set()
    for cell in cells:
        if cell.get("id") is None or cell["id"] in seen:
            base = name = slug(cell)
            number = 1
            while name in seen | kept:
                number += 1
                name = f"{base}-{number}"
            cell["id"] = name
        seen.add(cell["id"])
    return cells


def with_merged_streams(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Joins neighbouring streams, stdout before stderr.

    How a text is cut into messages, and which of the two streams comes first, is
    decided by the kernel's clock.
    """
    merged: list[NotebookNode] = []
    neighbours: dict[str, NotebookNode] = {}

    def close() -> None:
        merged.extend(neighbours[name] for name in sorted(neighbours, reverse=True))
        neighbours.clear()

    for output in outputs:
        if output.output_type != "stream":
            close()
            merged.append(output)
        elif output.name in neighbours:
            neighbours[output.name].text += output.text
        else:
            neighbours[output.name] = output
    close()
    return merged


def with_short_traceback(output: NotebookNode) -> NotebookNode:
    """Keeps an error's type and message, which are what the book is about.

    The frames between hold paths and line numbers, and change with every edit of a file
    that the error passes through.
    """
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    return output


def trimmed(source: str) -> str:
    """Strips white space at the ends of the lines, and empty lines at both ends."""
    return "\n".join(line.rstrip() for line in source.splitlines()).strip("\n")


def cell_metadata(cell: NotebookNode) -> NotebookNode:
    """Returns what is kept of a cell's metadata, and what follows from its tags."""
    kept = {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
    for tag in kept.get("tags", []):
        if tag in FOLDED:
            kept["jupyter"] = FOLDED[tag]
    return from_dict(kept)


def canonical(notebook: NotebookNode) -> NotebookNode:
    """Returns the notebook in its canonical form; the argument stays as it is.

    Code cells are numbered from 1 in their order: nbval does not compare the numbers,
    but a cell without one counts as never run, and its output is not compared.
    """
    # Ids come first: nbformat would draw random ones for the cells that have none.
    cells = with_ids(
        cell
        for cell in from_dict(notebook).cells
        if cell.source.strip() or cell.metadata.get("tags")
    )
    for cell in cells:
        cell.source = trimmed(cell.source)
        cell.metadata = cell_metadata(cell)
    for number, cell in enumerate(code_cells(cells), 1):
        cell.execution_count = number
        cell.outputs = with_merged_streams(cell.outputs)
        for output in cell.outputs:
            with_short_traceback(output)
            if output.output_type == "execute_result":
                output.execution_count = number
    metadata = {
        key: notebook.metadata[key]
        for key in NOTEBOOK_METADATA
        if key in notebook.metadata
    }
    metadata |= {"kernelspec": KERNELSPEC, "language_info": LANGUAGE}
    return from_dict(
        {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    )


def as_text(notebook: NotebookNode) -> str:
    """Returns the bytes of the file: sorted keys, indent 1, UTF-8, one newline last."""
    text: str = nbformat.writes(notebook)
    return text.rstrip("\n") + "\n"


def texts(output: NotebookNode) -> Iterable[str]:
    """Yields every text of an output that a reader may see."""
    if output.output_type == "stream":
        yield output.text
    elif output.output_type == "error":
        yield f"{output.ename}: {output.evalue}"
    else:
        for kind, data in output.data.items():
            if not kind.startswith("image/") or kind == "image/svg+xml":
                yield str(data)


def faults(notebook: NotebookNode) -> list[str]:
    """Returns what normalising cannot mend: noise in outputs, unannounced errors."""
    found = []
    for cell in code_cells(notebook.cells):
        where = f"cell {cell.get('id', slug(cell))!r}"
        for what, pattern in NOISE.items():
            for output in cell.outputs:
                match = next(filter(None, map(pattern.search, texts(output))), None)
                if match:
                    found.append(f"{where} prints {what}: {match[0]!r}")
        announced = "raises-exception" in cell.metadata.get("tags", [])
        raised = any(output.output_type == "error" for output in cell.outputs)
        if announced and not raised:
            found.append(f"{where} is tagged raises-exception and raised nothing")
        if raised and not announced:
            found.append(f"{where} raised, and is not tagged raises-exception")
    return found


def differences(raw: NotebookNode, clean: NotebookNode) -> list[str]:
    """Names what the canonical form would change, for a reader of `--check`."""
    found = []
    if (raw.get("nbformat"), raw.get("nbformat_minor")) != (4, 5):
        found.append("the format is not 4.5")
    if raw.metadata != clean.metadata:
        found.append("the notebook's metadata")
    if len(raw.cells) != len(clean.cells):
        found.append("empty cells")
        return found
    for before, after in zip(raw.cells, clean.cells, strict=True):
        changed = [
            key
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ]
        if changed:
            found.append(f"cell {after.id!r}: {', '.join(changed)}")
    return found or ["the order of keys, the indentation or the line ends"]


def load(path: Path) -> NotebookNode:
    """Reads a notebook as it is, and says so when it is none.

    Raises:
        NotebookError: The file is not JSON, or no notebook of format 4.
    """
    try:
        # nbformat.read would repair ids silently, and at random.
        text = path.read_text(encoding="utf-8")
        notebook: NotebookNode = nbformat.reader.reads(text)
    except (OSError, UnicodeDecodeError, nbformat.reader.NotJSONError) as error:
        raise NotebookError(f"{path}: cannot be read: {error}") from error
    if notebook.get("nbformat") != 4:
        raise NotebookError(f"{path}: is not a notebook of format 4")
    return notebook


def check(path: Path) -> list[str]:
    """Returns each reason why a notebook is not in canonical form, or nothing."""
    raw = load(path)
    clean = canonical(raw)
    found = faults(clean)
    try:
        nbformat.validate(clean)
    except nbformat.ValidationError as error:
        found.append(f"is not a valid notebook: {error.message}")
    if path.read_bytes() != as_text(clean).encode():
        found += differences(raw, clean)
    return found


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Runs all cells in a fresh kernel, from the notebook's own folder.

    Raises:
        NotebookError: A cell raised without the tag `raises-exception`, took longer
            than `CELL_SECONDS`, or ended the kernel.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        startup_timeout=STARTUP_SECONDS,
        kernel_name=KERNELSPEC["name"],
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    with tempfile.TemporaryDirectory() as profile:
        # The profile and start-up files of whoever runs this stay out of the book.
        environment = {**os.environ, **VARIABLES, "IPYTHONDIR": profile}
        try:
            # Without encryption, the kernel warns on the terminal about having none.
            return client.execute(env=environment, transport_encryption="auto")
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise NotebookError(str(error)) from error


def normalise(path: Path, *, run: bool = True) -> bool:
    """Re-executes a notebook and writes its canonical form; says whether it changed.

    Raises:
        NotebookError: It does not run, or prints what it may not. The file then
            stays as it was.
    """
    notebook = canonical(load(path))
    if run:
        notebook = canonical(execute(notebook, path.parent))
    nbformat.validate(notebook)
    found = faults(notebook)
    if found:
        raise NotebookError("\n".join(found))
    new = as_text(notebook).encode()
    changed = path.read_bytes() != new
    if changed:
        path.write_bytes(new)
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says; returns 1 when a notebook is at fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="change nothing")
    mode.add_argument("--no-run", action="store_true", help="keep the outputs")
    options = parser.parse_args(arguments)

    wrong = 0
    for path in options.notebooks or find():
        try:
            if options.check:
                reasons = check(path)
                verdict = "canonical"
            else:
                changed = normalise(path, run=not options.no_run)
                reasons, verdict = [], "changed" if changed else "unchanged"
        except NotebookError as error:
            reasons = [str(error)]
        if reasons:
            wrong += 1
            print(f"{path}:", *reasons, sep="\n  ", file=sys.stderr)
        else:
            print(f"{path}: {verdict}")
    if wrong and options.check:
        print("`make notebooks` mends what can be mended.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
