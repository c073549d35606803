"""The house: the environment that repairs itself, notebooks, and make."""

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from packaging.requirements import Requirement

from tools import book, environment, notebooks

ROOT = Path(__file__).resolve().parent.parent

# --------------------------------------------------------------------- environment

# A package builder of its own, so that a tiny repository is installed without network.
BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "layerlib-0.1-py3-none-any.whl"
    info = "layerlib-0.1.dist-info/"
    files = {
        info + "METADATA": "Metadata-Version: 2.1\\nName: layerlib\\nVersion: 0.1\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any",
        info + "RECORD": "",
        "layerlib.py": "",
    }
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""


def tiny_house(root: Path) -> environment.Environment:
    """A repository whose environment holds nothing but its own small package."""
    root.mkdir()
    (root / "requirements.txt").write_text("# nothing\n")
    (root / "requirements-test.txt").write_text("-r requirements.txt\n")
    (root / "constraints.txt").write_text("")
    (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]'
    )
    return environment.Environment(root)


@pytest.fixture
def house(tmp_path):
    return tiny_house(tmp_path / "a house")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny house with a whole test environment: a few seconds, so made only once."""
    house = tiny_house(tmp_path_factory.mktemp("made") / "a house")
    house.make("test")
    return house


@pytest.fixture
def unreachable_index(monkeypatch):
    """No index, no folder of wheels, no settings of this machine; nobody listens."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")


def forbid_commands(monkeypatch):
    def run(*_):
        pytest.fail("a command was run")

    monkeypatch.setattr(environment.Environment, "run", run)


def in_one_line(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


def run_main(house, *arguments) -> int:
    return environment.main([*arguments, f"--root={house.root}"])


def test_made_environment_is_left_alone(made, monkeypatch):
    forbid_commands(monkeypatch)
    monkeypatch.setattr(made, "locked", lambda: pytest.fail("a lock was taken"))
    made.make("test")
    made.make("book")


def test_package_is_installed_and_nothing_is_left_over(made):
    command = [str(made.python), "-I", "-c", "import layerlib"]
    assert subprocess.run(command, check=False).returncode == 0
    assert not (made.folder / "tmp").exists()


@pytest.mark.parametrize(
    "file",
    ["requirements.txt", "requirements-test.txt", "constraints.txt", "pyproject.toml"],
)
def test_change_of_what_it_is_made_from_makes_it_stale(made, file):
    path = made.root / file
    text = path.read_text()
    path.write_text(text + "\n# more\n")
    assert not made.is_made("test")
    path.write_text(text)
    assert made.is_made("test")


def test_book_environment_is_no_test_environment(house, monkeypatch):
    monkeypatch.setattr(house, "create", lambda: None)
    monkeypatch.setattr(house, "run", lambda _: "")
    house.python.parent.mkdir(parents=True)
    house.python.touch()
    house.make("book")
    assert house.is_made("book")
    assert not house.is_made("test")
    house.make("test")
    assert house.is_made("book")
    assert house.is_made("test")


def test_interrupted_installation_is_repaired(made):
    (made.folder / environment.STAMP).unlink()
    module = next(made.folder.glob("lib/python*/site-packages/layerlib.py"))
    module.unlink()
    made.make("test")
    assert made.is_made("test")
    assert module.exists()


def test_half_a_package_is_no_package(house):
    packages = house.folder / "lib/python3.11/site-packages"
    for path in ("half-1.dist-info", "whole-1.dist-info", "whole", "~moving"):
        (packages / path).mkdir(parents=True)
    (packages / "whole-1.dist-info/INSTALLER").touch()
    house.sweep()
    left = sorted(path.name for path in packages.iterdir())
    assert left == ["whole", "whole-1.dist-info"]


def test_environment_without_a_python_is_made_afresh(made):
    made.python.unlink()
    made.make("test")
    assert made.works()
    assert made.is_made("test")


def test_environment_that_was_half_deleted_is_made_whole(made):
    packages = next(made.folder.glob("lib/python*/site-packages"))
    (packages / "layerlib.py").unlink()
    (packages / "readers_own.py").touch()
    assert not made.is_made("test")
    made.make("test")
    assert made.is_made("test")
    (packages / "readers_own.py").unlink()
    assert (packages / "layerlib.py").exists()


def test_environment_moved_to_the_end_of_its_old_path_is_made_afresh(made, monkeypatch):
    command = f"/usr/bin/python3 -m venv /old{made.folder}"
    settings = {**made.settings(), "command": command}
    assert made.works()
    monkeypatch.setattr(made, "settings", lambda: settings)
    assert not made.works()


def test_progress_comes_before_the_error_in_a_file_too(made, tmp_path):
    requirements = made.root / "requirements.txt"
    text = requirements.read_text()
    requirements.write_text("no-such-package-anywhere==0\n")
    command = [sys.executable, environment.__file__, "book", f"--root={made.root}"]
    written = tmp_path / "log"
    with written.open("w") as log:
        variables = {**os.environ, "PIP_NO_INDEX": "1"}
        done = subprocess.run(
            command, stdout=log, stderr=log, check=False, env=variables
        )
    requirements.write_text(text)
    first, last = written.read_text().splitlines()
    assert (done.returncode, first.split()[0]) == (1, "Installing")
    assert "has no build of no-such-package-anywhere==0 for Python" in last
    assert "goes on from here" not in last


def test_moved_environment_is_made_afresh(made, tmp_path):
    shutil.copytree(made.root, tmp_path / "moved", symlinks=True)
    moved = environment.Environment(tmp_path / "moved")
    assert made.works()
    assert not moved.works()
    assert not moved.is_made("test")


def test_python_asked_for_by_name_replaces_another(made, monkeypatch):
    stamp = made.folder / environment.STAMP
    text = stamp.read_text() if stamp.exists() else None
    stamp.parent.mkdir(parents=True, exist_ok=True)
    forbid_commands(monkeypatch)
    monkeypatch.setattr(made, "version", lambda: (3, 99))
    stamp.write_text(made.fingerprint("test"))
    made.make("test")
    made_afresh = []
    monkeypatch.setattr(made, "create", lambda: made_afresh.append(made))
    with pytest.raises(pytest.fail.Exception, match="a command was run"):
        made.make("test", this_python=True)
    assert made_afresh == [made]
    stamp.unlink(missing_ok=True)
    if text is not None:
        stamp.write_text(text)


def test_python_that_is_too_old(house, monkeypatch, capsys):
    monkeypatch.setattr(environment, "OLDEST", (99, 0))
    assert run_main(house, "book") == 1
    here = ".".join(map(str, sys.version_info[:3]))
    assert f"Python 99.0 or newer is needed, this is {here} " in in_one_line(capsys)


def test_python_that_is_too_old_can_read_the_file():
    ast.parse(Path(environment.__file__).read_text(), feature_version=(3, 9))


@pytest.mark.usefixtures("unreachable_index")
def test_no_network(made, capsys):
    requirements = made.root / "requirements.txt"
    text = requirements.read_text()
    requirements.write_text("einops==0.8.2\n")
    assert run_main(made, "book") == 1
    line = in_one_line(capsys)
    assert "pip cannot reach its package index" in line
    assert str(made.log) in line
    assert "einops" in made.log.read_text()
    assert not made.is_made("book")
    requirements.write_text(text)
    assert run_main(made, "test") == 0


def test_disk_too_full_to_begin(house, monkeypatch, capsys):
    usage = shutil.disk_usage(house.root)._replace(free=5 * 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert run_main(house, "book") == 1
    line = in_one_line(capsys)
    assert line.startswith("The disk is too full: about 3 GB are needed, 0.5 GB are")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_disk_that_fills_up(house, capsys):
    house.folder.mkdir()
    house.log.symlink_to("/dev/full")
    house.pip = lambda *_: house.run(["echo", "text"])
    house.works = lambda: True
    with pytest.raises(OSError, match="No space left"):
        house.make("book")
    assert not house.is_made("book")
    assert run_main(house, "book") == 1
    assert in_one_line(capsys) == "The disk is full.\n"


DISK = "OSError: [Errno 28] No space left on device"
DEBIAN = """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv package
"""
OFFLINE = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'
ERROR: Could not find a version that satisfies the requirement a==1 (from versions: none)
"""
SHAKY = """\
WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError'
ERROR: Could not find a version that satisfies the requirement a==1 (from versions: 0.1)
ERROR: No matching distribution found for a==1
"""


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (DISK, "The disk is full."),
        (DEBIAN, "lacks venv or pip: on Debian and Ubuntu, `sudo apt install"),
        ("/usr/bin/python3: No module named venv", "lacks venv or pip"),
        (OFFLINE, "pip cannot reach its package index"),
        (SHAKY, "pip's index has no build of a==1 for Python"),
        ("", "pip ended with status 1: no reason given"),
    ],
)
def test_what_the_output_means(output, line):
    assert line in environment.diagnosis(output, 1)


def test_second_run_waits_for_the_first(made):
    stamp = made.folder / environment.STAMP
    text = stamp.read_text()
    command = [sys.executable, environment.__file__, "test", f"--root={made.root}"]
    with made.locked():
        stamp.unlink()
        second = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert second.stdout.readline().startswith("Another run is at work in ")
        stamp.write_text(text)
    # What the first run has made is not made again by the second.
    rest, _ = second.communicate(timeout=20)
    assert (second.returncode, rest) == (0, "")


def brought_along(names):
    """All packages that these need, by the metadata of what is installed."""
    found = set()
    queue = [Requirement(name) for name in names]
    while queue:
        wanted = queue.pop()
        if (key := (environment.normal(wanted.name), *sorted(wanted.extras))) in found:
            continue
        found.add(key)
        for text in metadata.requires(wanted.name) or ():
            needed = Requirement(text)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra})
                for extra in ("", *wanted.extras)
            ):
                queue.append(needed)
    return {name for name, *_ in found}


@pytest.mark.skipif(sys.platform != "linux", reason="constraints.txt is made on Linux")
def test_constraints_hold_what_the_requirements_bring_along():
    pin = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
    pins = pin.findall((ROOT / "constraints.txt").read_text())
    required = [
        name
        for file in environment.SETS["test"]
        for name, _ in pin.findall((ROOT / file).read_text())
    ]
    assert pins == sorted(set(pins))
    assert not any("+" in version for _, version in pins)
    brought = {
        f"{name}=={metadata.version(name)}"
        for name in brought_along(required) - set(map(environment.normal, required))
        if not name.startswith(environment.ONLY_CUDA)
    }
    assert brought <= {f"{name}=={version}" for name, version in pins}


# ----------------------------------------------------------------------- notebooks


def notebook(*cells, **metadata):
    # Not new_notebook: it would mend, or refuse, what is to be mended here.
    return nbformat.from_dict(
        {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    )


def stream(name, text):
    return new_output("stream", name=name, text=text)


def written(tmp_path, content) -> Path:
    path = tmp_path / "some.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def only_cell(content):
    (cell,) = notebooks.canonical(content).cells
    return cell


def test_canonical_form_is_a_fixed_point():
    for path in notebooks.find():
        content = notebooks.load(path)
        clean = notebooks.canonical(content)
        assert notebooks.canonical(clean) == clean


def test_argument_is_left_alone():
    content = notebook(new_code_cell("1  ", metadata={"collapsed": True}))
    before = json.dumps(content)
    notebooks.canonical(content)
    assert json.dumps(content) == before


def test_metadata_of_the_notebook():
    content = notebook(
        new_markdown_cell("# Title"),
        kernelspec={"display_name": "mine", "language": "python", "name": "mine"},
        language_info={"name": "python", "version": "3.99"},
        widgets={"state": {}},
        trusted=True,
        mystnb={"render_markdown_format": "gfm"},
    )
    assert notebooks.canonical(content).metadata == {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
        "mystnb": {"render_markdown_format": "gfm"},
    }


def test_metadata_of_a_cell():
    kept = {"tags": ["raises-exception"], "mystnb": {"image": {"alt": "A line."}}}
    dropped = {
        "execution": {"iopub.execute_input": "2026-01-01T00:00:00"},
        "collapsed": True,
        "scrolled": "auto",
        "jupyter": {"outputs_hidden": True},
        "trusted": True,
    }
    cell = only_cell(notebook(new_code_cell("1", metadata=kept | dropped)))
    assert cell.metadata == kept
    assert only_cell(notebook(new_code_cell("1", metadata={"tags": []}))).metadata == {}


def test_what_the_site_folds_is_folded_in_jupyterlab_too():
    folded = only_cell(notebook(new_code_cell("1", metadata={"tags": ["hide-cell"]})))
    assert folded.metadata.jupyter == {"outputs_hidden": True, "source_hidden": True}
    shown = {"tags": ["raises-exception"], "jupyter": {"source_hidden": True}}
    assert (
        "jupyter"
        not in only_cell(notebook(new_code_cell("1", metadata=shown))).metadata
    )


def test_cells_are_numbered_in_order():
    result = new_output("execute_result", {"text/plain": "2"}, execution_count=7)
    content = notebook(
        new_code_cell("1", execution_count=41),
        new_markdown_cell("Text."),
        new_code_cell("2", outputs=[result]),
    )
    first, _, second = notebooks.canonical(content).cells
    assert (first.execution_count, second.execution_count) == (1, 2)
    assert second.outputs[0].execution_count == 2


def test_ids_are_kept_or_made_from_the_content():
    cells = [
        new_markdown_cell("Text before\n## What it costs", id="gone"),
        new_code_cell("import torch\n\nlinear(x, weight)", id="gone"),
        new_code_cell("linear(x, weight)", id="twice"),
        new_code_cell("other()", id="twice"),
        new_code_cell("...", id="gone"),
        new_code_cell("kept", id="1a2b"),
    ]
    for cell in cells:
        if cell.id == "gone":
            del cell["id"]
    found = [cell.id for cell in notebooks.canonical(notebook(*cells)).cells]
    assert found == [
        "what-it-costs",
        "linear-x-weight",
        "twice",
        "other",
        "code",
        "1a2b",
    ]


def test_made_id_is_not_the_one_of_another_cell():
    cells = [
        new_code_cell("same"),
        new_code_cell("same"),
        new_code_cell("x", id="same"),
    ]
    del cells[0]["id"], cells[1]["id"]
    found = [cell.id for cell in notebooks.canonical(notebook(*cells)).cells]
    assert found == ["same-2", "same-3", "same"]


def test_white_space_and_empty_cells():
    content = notebook(
        new_code_cell("\nx = 1  \n\t\ny = 2\n\n"),
        new_code_cell(" \n"),
        new_code_cell("", metadata={"tags": ["fill-in"]}),
    )
    sources = [cell.source for cell in notebooks.canonical(content).cells]
    assert sources == ["x = 1\n\ny = 2", ""]


def test_streams_are_merged_and_stdout_is_first():
    outputs = [
        stream("stderr", "e1 "),
        stream("stdout", "o1 "),
        stream("stderr", "e2"),
        stream("stdout", "o2"),
        new_output("display_data", {"text/plain": "picture"}),
        stream("stdout", "o3"),
    ]
    cell = only_cell(notebook(new_code_cell("1", outputs=outputs)))
    assert [output.get("text") for output in cell.outputs] == [
        "o1 o2",
        "e1 e2",
        None,
        "o3",
    ]


def test_traceback_is_type_and_message():
    error = new_output(
        "error", ename="ValueError", evalue="no", traceback=["File /home/me/a.py:3"]
    )
    cell = only_cell(notebook(new_code_cell("1", outputs=[error])))
    assert cell.outputs[0].traceback == ["ValueError: no"]


def test_bytes_of_the_file():
    text = notebooks.as_text(notebooks.canonical(notebook(new_code_cell("a = '√'"))))
    assert text.endswith("\n}\n")
    assert text.startswith('{\n "cells": [\n  {\n   "cell_type": "code",\n')
    assert "√" in text


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (stream("stdout", "<object at 0x7f3a5c1d2e80>"), "a memory address"),
        (
            new_output("execute_result", {"text/plain": "<f at 0x10a2b3c4d>"}),
            "a memory address",
        ),
        (
            new_output("display_data", {"image/svg+xml": "<svg>0x7f3a5c1d2e80</svg>"}),
            "a memory address",
        ),
        (stream("stderr", "/var/ipykernel_12/3.py:1: W"), "a path of one machine"),
        (stream("stdout", f"{ROOT}/layerlib/conv.py"), "a path of one machine"),
        (stream("stdout", "/home/ada/book"), "a path of one machine"),
    ],
)
def test_noise_in_outputs_is_named_with_its_cell(tmp_path, output, fault):
    content = notebook(new_code_cell("x", id="the-cell", outputs=[output]))
    path = written(tmp_path, notebooks.canonical(content))
    with pytest.raises(
        notebooks.NotebookError, match=f"cell 'the-cell' prints {fault}"
    ):
        notebooks.normalise(path, run=False)


def test_hexadecimal_numbers_are_no_noise():
    output = stream("stdout", "0x3f800000 and 0xff, and home/made")
    assert notebooks.faults(notebook(new_code_cell("x", outputs=[output]))) == []


def test_tag_and_error_must_agree():
    tags = {"tags": ["raises-exception"]}
    error = new_output("error", ename="E", evalue="", traceback=[])
    (silent,) = notebooks.faults(notebook(new_code_cell("1", id="a", metadata=tags)))
    (loud,) = notebooks.faults(notebook(new_code_cell("1", id="b", outputs=[error])))
    assert silent == "cell 'a' is tagged raises-exception and raised nothing"
    assert loud == "cell 'b' raised, and is not tagged raises-exception"
    both = new_code_cell("1", metadata=tags, outputs=[error])
    assert notebooks.faults(notebook(both)) == []


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content.metadata.update(trusted=True), "notebook's metadata"),
        (lambda content: content.update(nbformat_minor=4), "the format is not 4.5"),
        (lambda content: content.cells.append(new_code_cell("")), "empty cells"),
        (lambda content: content.cells[0].update(source="x "), "cell 'a': source"),
        (
            lambda content: content.cells[0].update(execution_count=3),
            "cell 'a': execution_count",
        ),
        (lambda _: None, "the order of keys, the indentation or the line ends"),
    ],
)
def test_check_names_what_differs(tmp_path, capsys, spoil, reason):
    content = notebooks.canonical(notebook(new_code_cell("x", id="a")))
    spoil(content)
    path = written(tmp_path, content)
    assert notebooks.main(["--check", str(path)]) == 1
    error = capsys.readouterr().err
    assert str(path) in error
    assert reason in error
    assert notebooks.main(["--no-run", str(path)]) == 0
    assert notebooks.main(["--check", str(path)]) == 0


@pytest.mark.parametrize("text", ["not JSON", '{"nbformat": 3, "worksheets": []}'])
def test_check_of_what_is_no_notebook(tmp_path, capsys, text):
    path = tmp_path / "some.ipynb"
    path.write_text(text)
    assert notebooks.main(["--check", str(path)]) == 1
    assert str(path) in capsys.readouterr().err


def test_all_notebooks_are_found(tmp_path):
    for name in ("chapters/b", "chapters/a", "chapters/exercises/a", "index"):
        path = tmp_path / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    copies = tmp_path / "chapters/.ipynb_checkpoints"
    copies.mkdir()
    (copies / "a-checkpoint.ipynb").touch()
    found = [str(path.relative_to(tmp_path)) for path in notebooks.find(tmp_path)]
    assert found == [
        "index.ipynb",
        "chapters/a.ipynb",
        "chapters/b.ipynb",
        "chapters/exercises/a.ipynb",
    ]


def test_notebook_is_run_from_its_folder_and_written(tmp_path):
    (tmp_path / "data.txt").write_text("six")
    path = written(
        tmp_path,
        notebook(
            new_code_cell("print(open('data.txt').read())"),
            new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
            new_code_cell("2 * 3"),
        ),
    )
    assert notebooks.main([str(path)]) == 0
    read, error, result = nbformat.read(path, as_version=4).cells
    assert read.outputs[0].text == "six\n"
    assert error.outputs[0].traceback == ["ZeroDivisionError: division by zero"]
    assert result.outputs[0].data == {"text/plain": "6"}
    assert notebooks.check(path) == []
    before = path.stat().st_mtime_ns
    assert notebooks.main([str(path)]) == 0
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('no such axis')", "no such axis"),
        ("while True: pass", "after 2 seconds"),
        ("import os; os._exit(3)", "Kernel died"),
    ],
)
def test_notebook_that_does_not_run_stays_as_it_was(
    tmp_path, capsys, monkeypatch, source, reason
):
    monkeypatch.setattr(notebooks, "CELL_SECONDS", 2)
    path = written(tmp_path, notebook(new_code_cell(source)))
    before = path.read_bytes()
    assert notebooks.main([str(path)]) == 1
    error = capsys.readouterr().err
    assert str(path) in error
    assert reason in error
    assert path.read_bytes() == before


# ---------------------------------------------------------------------------- make


def make(folder, *arguments):
    # Outside of the make that may have started these tests, and without its flags.
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE")
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z][\w-]*):", text, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", text.replace("\\\n", ""), re.MULTILINE)[
        1
    ].split()
    listed = re.findall(r"^make (\S+) +\S", make(ROOT).stdout, re.MULTILINE)
    assert targets == phony == listed


def test_default_python_is_not_one_that_was_asked_for():
    assert "--this-python" not in make(ROOT, "-n", "book").stdout
    asked = make(ROOT, "-n", "book", "PYTHON=python3.99").stdout
    assert "python3.99 -I -S tools/environment.py --this-python book" in asked


@pytest.fixture
def small_book(tmp_path):
    """A book of two pages, built by the Makefile with the tools of this environment."""
    root = tmp_path / "a small book"
    for name in ("chapters", "layerlib", "site", "tools", ".venv/bin"):
        (root / name).mkdir(parents=True)
    builder = root / ".venv/bin/jupyter-book"
    builder.symlink_to(Path(sys.executable).parent / builder.name)
    (root / ".venv/bin/python").symlink_to(sys.executable)
    (root / ".venv/lib").symlink_to(Path(sys.prefix) / "lib")
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", root / ".venv")
    shutil.copy(ROOT / "Makefile", root)
    shutil.copy(ROOT / "tools/book.py", root / "tools")
    for name in ("constraints.txt", "requirements.txt"):
        (root / name).touch()
    (root / "_config.yml").write_text('title: Small\nexclude_patterns: [".*"]\n')
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters: [{file: chapters/page}]\n"
    )
    (root / "index.ipynb").write_text(
        notebooks.as_text(notebooks.canonical(notebook(new_markdown_cell("# Index"))))
    )
    (root / "chapters/page.md").write_text("# Page\n\n[there](missing.md)\n")
    return root


def build(root):
    return make(root, "book", "ENVIRONMENT=true")


def test_faulty_book_fails_each_time_and_a_mended_one_is_whole(small_book):
    for _ in range(2):
        failed = build(small_book)
        assert failed.returncode != 0
        assert "cross-reference target not found: 'missing.md'" in failed.stderr
        assert "The book has faults, named above" in failed.stderr

    page = small_book / "chapters/page.md"
    page.write_text("# Page\n")
    mended = build(small_book)
    assert mended.returncode == 0, mended.stderr
    html = small_book / "_build/html"
    assert mended.stdout.endswith(f"Open {html}/index.html\n")
    assert (html / "chapters/page.html").exists()

    again = build(small_book)
    assert (again.returncode, again.stdout) == (0, f"Open {html}/index.html\n")

    page.write_text("# Page\n\n[there](missing.md)\n")
    assert build(small_book).returncode != 0
    assert (html / "chapters/page.html").exists()  # the last good one

    page.unlink()
    (small_book / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    assert build(small_book).returncode == 0
    assert (html / "index.html").exists()
    assert not (html / "chapters/page.html").exists()


@pytest.mark.parametrize("source", ["chapters", "layerlib", "site", "_config.yml"])
def test_change_in_a_source_builds_the_book_again(small_book, source):
    builder = small_book / ".venv/bin/jupyter-book"
    builder.unlink()
    builder.write_text('#!/bin/sh\necho built\nmkdir -p "${8}/_build/html"\n')
    builder.chmod(0o755)
    long_ago = 1_000_000_000
    for path in [*small_book.rglob("*")]:
        os.utime(path, (long_ago, long_ago))
    assert "built" in build(small_book).stdout
    assert "built" not in build(small_book).stdout
    path = small_book / source
    changed = path if path.is_file() else path / "new.txt"
    changed.write_text("new")
    later = (small_book / "_build/done").stat().st_mtime + 1
    os.utime(changed, (later, later))
    assert "built" in build(small_book).stdout


def test_second_build_waits_and_does_not_build_again(small_book):
    builder = small_book / ".venv/bin/jupyter-book"
    builder.unlink()
    builder.write_text(
        '#!/bin/sh\necho built >>log\nsleep 1\nmkdir -p "${8}/_build/html"\n'
    )
    builder.chmod(0o755)
    command = [small_book / ".venv/bin/python", "tools/book.py"]
    both = [subprocess.Popen(command, cwd=small_book) for _ in range(2)]
    assert [run.wait(timeout=30) for run in both] == [0, 0]
    assert (small_book / "log").read_text() == "built\n"


def test_archive_of_the_same_site_has_the_same_bytes(tmp_path):
    site = tmp_path / "html"
    (site / "chapters").mkdir(parents=True)
    for name in ("index.html", "chapters/linear.html", "chapters/conv.html"):
        (site / name).write_text(f"<title>{name}</title>")
    book.pack(site, tmp_path / "first.zip")
    for path in site.rglob("*.html"):
        path.touch()
    book.pack(site, tmp_path / "second.zip")
    first, second = ((tmp_path / f"{n}.zip").read_bytes() for n in ("first", "second"))
    assert first == second
    with zipfile.ZipFile(tmp_path / "first.zip") as archive:
        assert sorted(archive.namelist()) == [
            f"{book.ARCHIVE}/{name}"
            for name in ("chapters/conv.html", "chapters/linear.html", "index.html")
        ]
        archive.extractall(tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / book.ARCHIVE / "index.html").is_file()


# ------------------------------------------------------------- what stands in the README


def commands():
    """The lines of the README's blocks of code that are for a terminal."""
    fenced = (ROOT / "README.md").read_text().split("```")[1::2]
    lines = "".join(block for block in fenced if block.startswith("\n")).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.strip()]


def test_commands_of_the_readme_are_there():
    targets = [line.removeprefix("make ") for line in commands() if "make " in line]
    assert {"book", "test"} <= set(targets)
    for target in targets:
        assert make(ROOT, "-n", target, "ENVIRONMENT=true").returncode == 0
    on_windows = [line for line in commands() if "python" in line]
    workflow = (ROOT / ".github/workflows/book.yml").read_text()
    for line in on_windows:
        assert f"          {line}\n" in workflow
        _, *rest = line.split()
        code = [*rest[: 2 if rest[0] == "-m" else 1], "--help"]
        done = subprocess.run(
            [sys.executable, *code], cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == 0, line
    assert len(on_windows) == 4


def test_readme_names_the_pythons_that_are_declared():
    text = (ROOT / "README.md").read_text()
    needs = re.search(
        r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text()
    )
    assert f"Python {needs[1]}" in text
    assert tuple(map(int, needs[1].split("."))) == environment.OLDEST
    assert f"about {environment.GIGABYTES} GB" in text


def test_weekly_workflow_has_the_oldest_torch_that_is_declared():
    declared = re.search(r'"torch>=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    workflow = (ROOT / ".github/workflows/book.yml").read_text()
    assert f'torch: ["torch=={declared[1]}.*", "torch"]' in workflow


def test_saving_in_jupyterlab_keeps_the_canonical_form():
    canonical = notebooks.load(ROOT / "index.ipynb")
    edited = nbformat.from_dict(canonical)
    edited.metadata.language_info.version = "3.99"
    edited.metadata.kernelspec.display_name = "mine"
    edited.cells[0].metadata.editable = True
    model = {"type": "notebook", "content": edited}
    names = runpy.run_path(str(ROOT / "tools/lab.py"))
    names["keep_canonical"](model, path="index.ipynb")
    assert model["content"] == canonical


def test_tests_run_in_order_and_stop_at_the_first_failure(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    tool = tmp_path / "python"
    tool.write_text(
        '#!/bin/sh\nline="$(basename $0) $*"; echo "$line"\n'
        'case "$line" in *"$FAIL"*) exit 1;; esac\n'
    )
    tool.chmod(0o755)
    (tmp_path / "ruff").symlink_to(tool)

    def headings(fail):
        done = make(tmp_path, "test", "ENVIRONMENT=true", "BIN=.", f"FAIL={fail}")
        steps = re.findall(r"^== (\w+)", done.stdout, re.MULTILINE)
        return steps, done.returncode, done.stdout.splitlines()[-1]

    order = ["format", "lint", "form", "types", "tests", "notebooks", "website"]
    last = "python -m pytest -n 2 --dist=worksteal --dist=loadgroup tests/test_site.py"
    assert headings("no such step") == (order, 0, last)
    failing = {
        "format": "format --check",
        "lint": "ruff check",
        "form": "notebooks.py --check",
        "types": "mypy",
        "tests": "--ignore=tests/test_site.py",
        "notebooks": "--nbval-kernel-name=forked",
        "website": "--dist=loadgroup tests/test_site.py",
    }
    for number, (step, command) in enumerate(failing.items(), 1):
        steps, status, last = headings(command)
        assert steps == order[:number], step
        assert status != 0
        assert command in last
