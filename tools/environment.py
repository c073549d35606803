"""Makes .venv, the environment of the book, and repairs it; needs nothing but Python.

    python tools/environment.py book           what building and running the book needs
    python tools/environment.py test           that, and what only the tests need
    python tools/environment.py constraints    writes constraints.txt anew

`make` calls it before each of its targets. A stamp, written last, holds a hash of what
the environment was made from. While it matches, nothing is done; an interrupted run has
left none, and the next run goes on from there. Each failure ends in one line, and pip's
own words are in .venv/install.log.

Packages come from wherever pip is told to look (PIP_INDEX_URL and its other settings).
Of torch, a build for the CPU is enough; it is several gigabytes smaller than the one
for CUDA that Linux gets by default.

As far as its error messages, this file has to run on a Python that is too old for the
book, so it uses nothing newer than Python 3.9.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Sequence  # noqa: UP035

try:
    import fcntl
except ImportError:  # Windows: two runs at once are then not kept apart
    fcntl = None  # type: ignore[assignment]

OLDEST = (3, 11)
# Measured with a CPU build of torch: 1.6 for the book, 1.9 for the tests, and pip's own
# files while it installs. With the build for CUDA, Linux's default, it is 6.3.
GIGABYTES = 3
# A set holds those before it, so a test environment is a book environment too.
SETS = {
    "book": ["requirements.txt"],
    "test": ["requirements.txt", "requirements-test.txt"],
}
PACKAGE = ["--no-build-isolation", "--no-deps", "--editable", "."]

STAMP = "made-from"
LOCK = "lock"
LOG = "install.log"

CONSTRAINTS = """\
# What the packages of requirements.txt and requirements-test.txt bring along, in the
# exact versions that were tested together. Written by `make constraints` (Python {}):
# not to be edited. What only another system needs is not listed, and not pinned there.
"""
# A build of torch for CUDA pins these itself, and a build for the CPU has none of them.
ONLY_CUDA = ("cuda-", "nvidia-", "triton")


class EnvironmentFailure(Exception):  # noqa: N818
    """What went wrong and what to do, in the one line that the user is to read."""


class Environment:
    """The environment in `.venv` of a repository."""

    def __init__(self, root: Path) -> None:
        """Looks at nothing yet."""
        self.root = root
        self.folder = root / ".venv"
        windows = os.name == "nt"
        self.python = self.folder / ("Scripts/python.exe" if windows else "bin/python")
        self.log = self.folder / LOG

    def settings(self) -> dict[str, str]:
        """Returns what venv wrote down about the environment; empty when it has not."""
        with contextlib.suppress(OSError):
            lines = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8")
            return dict(re.findall(r"^(\w+) *= *(.*)$", lines, re.MULTILINE))
        return {}

    def version(self) -> tuple[int, ...]:
        """Returns the environment's version of Python, such as (3, 11)."""
        found = re.match(r"(\d+)\.(\d+)", self.settings().get("version", ""))
        return tuple(map(int, found.groups())) if found else ()

    def fingerprint(self, name: str) -> str:
        """Returns a hash of all that a set is made from."""
        # The place counts too: the scripts of an environment hold absolute paths.
        text = repr((name, str(self.root), self.version())).encode()
        for file in [*SETS[name], "constraints.txt", "pyproject.toml"]:
            text += b"\0" + (self.root / file).read_bytes()
        return f"{name} {hashlib.sha256(text).hexdigest()}"

    def is_made(self, name: str) -> bool:
        """Whether the environment holds the set, complete and up to date."""
        stamp = self.folder / STAMP
        if not (self.python.exists() and stamp.exists()):
            return False
        lines = set(stamp.read_text(encoding="utf-8").splitlines())
        # What is not there any more was deleted by hand; what came is the reader's own.
        gone = lines - {f"holds {entry}" for entry in self.entries()}
        return self.fingerprint(name) in lines and not any(
            line.startswith("holds ") for line in gone
        )

    def entries(self) -> Iterator[str]:
        """Yields the scripts and packages, and what is in each package's folder."""
        scripts = self.python.parent
        for place in (scripts, *self.folder.glob("lib/python*/site-packages"),
                      self.folder / "Lib" / "site-packages"):  # fmt: skip
            for path in [*place.glob("*"), *place.glob("*/*")]:
                if "__pycache__" not in path.parts:
                    yield path.relative_to(self.folder).as_posix()

    def works(self) -> bool:
        """Whether the environment has a Python new enough, in place, and with pip."""
        command = self.settings().get("command", "")
        folder = re.search(r" -m venv (?:--\S+ )*(.*)$", command)
        moved = folder is not None and folder[1] != str(self.folder)
        if moved or self.version() < OLDEST or not self.python.exists():
            return False
        probe = [str(self.python), "-I", "-c", "import pip"]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0

    def make(self, name: str, *, this_python: bool = False) -> None:
        """Makes the set, or completes it, or does nothing when it is there.

        Args:
            name: One of `SETS`.
            this_python: Makes the environment afresh when it has another version of
                Python than the one that runs this; without, any that is new enough
                will do.

        Raises:
            EnvironmentFailure: It could not be made; the next run goes on from here.
        """
        other = this_python and self.version() != sys.version_info[:2]
        if self.is_made(name) and not other:
            return
        with self.locked():
            if self.is_made(name) and not other:
                return  # by the run that was waited for
            stamp = self.folder / STAMP
            with contextlib.suppress(FileNotFoundError):
                stamp.unlink()
            self.log.write_bytes(b"")
            if other or not self.works():
                self.create()
            self.sweep()
            print(f"Installing {' and '.join(SETS[name])}; pip's words: {self.log}")
            files = (f"--requirement={file}" for file in SETS[name])
            self.pip("install", *files, "--constraint=constraints.txt")
            self.pip("install", *PACKAGE)
            held = list(SETS)[: list(SETS).index(name) + 1]
            prints = "".join(self.fingerprint(each) + "\n" for each in held)
            holds = "".join(f"holds {entry}\n" for entry in sorted(self.entries()))
            stamp.write_text(prints + holds, encoding="utf-8")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds off a second run until the first one is done."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / LOCK).open("w") as lock:
            if fcntl:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    print(f"Another run is at work in {self.folder}: waiting for it.")
                    fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def create(self) -> None:
        """Makes the environment afresh, with nothing but pip in it."""
        here = ".".join(map(str, sys.version_info[:3]))
        if sys.version_info < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise EnvironmentFailure(
                f"Python {oldest} or newer is needed, this is {here} "
                f"({sys.executable}). If there is another: make book PYTHON=python3.12"
            )
        free = shutil.disk_usage(self.root).free / 1e9
        if free < GIGABYTES:
            raise EnvironmentFailure(
                f"The disk is too full: about {GIGABYTES} GB are needed, "
                f"{free:.1f} GB are free in {self.root}."
            )
        for entry in self.folder.iterdir():
            if entry.name not in (LOCK, LOG):
                remove(entry)
        # Not sys.executable: that may be the Python of the environment just removed.
        base: str = getattr(sys, "_base_executable", sys.executable)
        print(f"Making {self.folder} with Python {here}.")
        self.run([base, "-m", "venv", str(self.folder)])

    def sweep(self) -> None:
        """Removes what an interrupted pip takes for a package that is installed.

        pip writes INSTALLER when all of a package's files are there, and renames the
        files of a package that it is about to replace, so that they begin with `~`.
        """
        remove(self.folder / "tmp")
        for place in ("lib/python*/site-packages", "Lib/site-packages"):
            for entry in self.folder.glob(f"{place}/*"):
                whole = entry.suffix != ".dist-info" or (entry / "INSTALLER").exists()
                if entry.name.startswith("~") or not whole:
                    remove(entry)

    def pip(self, *arguments: str) -> str:
        """Runs the environment's pip, in the repository, and returns what it said."""
        return self.run([str(self.python), "-I", "-m", "pip", *arguments])

    def run(self, command: list[str]) -> str:
        """Runs a command, its output into the log, and returns the output.

        Raises:
            EnvironmentFailure: It failed; the line says why, as far as that is known.
        """
        # pip unpacks where it installs: a small /tmp is then no matter, and one disk
        # is all that can be full.
        scratch = self.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        own = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
        own.update(PIP_USER="0", TMPDIR=str(scratch))
        output = ""
        with (
            self.log.open("a", encoding="utf-8") as log,
            subprocess.Popen(
                command,
                cwd=str(self.root),
                env={**os.environ, **own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            for line in process.stdout or ():
                log.write(line)
                log.flush()
                output += line
                show_progress(line)
            show_progress("")
        remove(scratch)
        if process.returncode:
            problem = diagnosis(output, process.returncode)
            # The same Python would meet the same fault again.
            on = "" if "has no build" in problem else "; the next run goes on from here"
            raise EnvironmentFailure(f"{problem} The full log is {self.log}{on}.")
        return output

    def write_constraints(self) -> None:
        """Writes constraints.txt: what the newest resolution of all sets brings along.

        Raises:
            EnvironmentFailure: The packages could not be installed together.
        """
        files = SETS["test"]
        with self.locked():
            self.log.write_bytes(b"")
            throwaway = Environment(self.folder / "throwaway")
            remove(throwaway.root)
            throwaway.root.mkdir()
            throwaway.folder.mkdir()
            throwaway.log = self.log
            throwaway.create()
            print(f"Installing without constraints; pip's words: {self.log}")
            paths = (f"--requirement={self.root / file}" for file in files)
            throwaway.pip("install", *paths)
            frozen = throwaway.pip("freeze", "--all", "--exclude=pip")
            remove(throwaway.root)
        required = "".join(
            (self.root / file).read_text(encoding="utf-8") for file in files
        )
        text = CONSTRAINTS.format(".".join(map(str, sys.version_info[:3])))
        text += brought_along(frozen, required)
        (self.root / "constraints.txt").write_text(text, encoding="utf-8")


def brought_along(frozen: str, required: str) -> str:
    r"""Returns the pins of `pip freeze` that the requirement files do not hold.

    Local version tags (`+cpu`) are cut off: they name one index's build.

    >>> print(brought_along("Jinja2==3.1.6\ntorch==2.13.0+cpu\n", "torch==2.13.0"))
    jinja2==3.1.6
    <BLANKLINE>
    """
    pin = re.compile(r"^([\w.-]+)==([^+\s]+)", re.MULTILINE)
    direct = {normal(name) for name, _ in pin.findall(required)}
    kept = {normal(name): version for name, version in pin.findall(frozen)}
    return "".join(
        f"{name}=={version}\n"
        for name, version in sorted(kept.items())
        if name not in direct and not name.startswith(ONLY_CUDA)
    )


def normal(name: str) -> str:
    """Returns a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def diagnosis(output: str, status: int) -> str:
    """Returns what the output of venv or pip means, in a sentence.

    >>> diagnosis("ERROR: [Errno 28] No space left on device", 1)
    'The disk is full.'
    """
    said = {
        "The disk is full.": r"No space left on device|Errno 28|Disk quota exceeded",
        f"This Python ({sys.executable}) lacks venv or pip: on Debian and Ubuntu, "
        "`sudo apt install python3-venv`.": r"ensurepip|No module named (venv|pip)",
        # An index that answers lists the versions that it has.
        "pip cannot reach its package index: is there a network?": (
            r"(?s)(connection broken by|Max retries exceeded|Timeout|ConnectionError)"
            r"(?!.*from versions: \d)"
        ),
    }
    for meaning, pattern in said.items():
        if re.search(pattern, output):
            return meaning
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if missing:
        here = ".".join(map(str, sys.version_info[:2]))
        return (
            f"pip's index has no build of {missing[1]} for Python {here} on this "
            "system: try another Python, as in make book PYTHON=python3.13."
        )
    errors = re.findall(r"^(?:ERROR|error): (.*)$", output, re.MULTILINE)
    return f"pip ended with status {status}: {(errors or ['no reason given'])[-1]}"


def show_progress(line: str) -> None:
    """Shows on a terminal what pip is at, always in the same line."""
    if sys.stdout.isatty() and re.match(
        r" *(Collecting|Downloading|Installing)|$", line
    ):
        print("\r\033[K" + line.strip()[:79], end="", flush=True)


def remove(path: Path) -> None:
    """Removes a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(str(path))
    elif path.exists() or path.is_symlink():
        path.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says; returns 1, after one line, when it cannot."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # into a file, too: before an error
        sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*SETS, "constraints"])
    parser.add_argument(
        "--this-python",
        action="store_true",
        help="make .venv afresh when it has another version of Python than this one",
    )
    here = Path(__file__).resolve().parent.parent
    parser.add_argument("--root", type=Path, default=here, help="of the repository")
    options = parser.parse_args(arguments)
    environment = Environment(options.root.resolve())
    try:
        if options.what == "constraints":
            environment.write_constraints()
        else:
            environment.make(options.what, this_python=options.this_python)
    except EnvironmentFailure as failure:
        problem = str(failure)
    except KeyboardInterrupt:
        problem = "Stopped; the next run goes on from here."
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        problem = "The disk is full." if full else f"{error.strerror}: {error.filename}"
    else:
        return 0
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
