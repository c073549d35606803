"""Finds the submissions in a folder: notebooks, zips, or nbgrader's ``submitted/``."""

import dataclasses
import re
import stat
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from classroom.grade.notebook import BYTES

MEMBERS = 1000  # of a zip
COPY = re.compile(r"(-Copy\d*|[ _]?\(\d+\)|[ _]copy\d*)+$", re.IGNORECASE)
NAME = 200  # characters of a file's name; a zip can have 65535
HIDDEN = re.compile(r"^(\.|__MACOSX$)")


@dataclass(frozen=True)
class Found:
    """A notebook that was handed in, not read yet.

    Attributes:
        student: whose it is.
        stem: the name of the assignment, as far as the file's name says it.
        path: the file, or the zip that it is in.
        member: its name in the zip.
        handed_in: when, to tell the newest of several.
        problem: why it is not to be read, in a sentence.
        others: how many older ones there are.
    """

    student: str
    stem: str
    path: Path
    member: str = ""
    handed_in: float = 0.0
    problem: str = ""
    others: int = 0

    def read(self) -> bytes:
        """The file; of a larger one than a notebook may be, a little more than that.

        Raises:
            OSError, zipfile.BadZipFile, RuntimeError: it cannot be read.
        """
        if not self.member:
            with self.path.open("rb") as file:
                return file.read(BYTES + 1)
        with zipfile.ZipFile(self.path) as zipped, zipped.open(self.member) as file:
            return file.read(BYTES + 1)


def submissions(folder: Path, known: Collection[str]) -> list[Found]:
    """What is to be graded: the newest notebook of each student and assignment.

    Args:
        folder: a folder as in the module's text, or a zip of one.
        known: the names of the assignments.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not folder.exists():
        raise FileNotFoundError(
            f"grade: expected a folder of submissions, got {folder}"
        )
    found = _in_zip(folder, None) if folder.is_file() else _in_folder(folder)
    newest: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        student, stem = _whose(one, folder, known)
        owned = dataclasses.replace(one, student=student, stem=stem)
        newest.setdefault((student, stem), []).append(owned)
    chosen = []
    for several in newest.values():
        good = [one for one in several if not one.problem] or several
        best = max(good, key=lambda one: (one.handed_in, str(one.path), one.member))
        chosen.append(dataclasses.replace(best, others=len(several) - 1))
    return sorted(chosen, key=lambda one: (one.student, one.stem))


def _in_folder(folder: Path) -> Iterator[Found]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(HIDDEN.match(part) for part in inside.parts):
            continue
        name = "/".join(inside.parts)
        if path.is_symlink():
            if path.suffix in {".ipynb", ".zip"} or path.is_dir():
                yield Found(name, "", path, problem="It is a link, and not a file.")
        elif not path.is_file():
            if path.suffix == ".ipynb":
                yield Found(name, "", path, problem="It is not a file.")
        elif path.suffix.lower() == ".ipynb":
            yield Found(name, "", path, handed_in=path.stat().st_mtime)
        elif path.suffix.lower() == ".zip":
            yield from _in_zip(path, name.removesuffix(path.suffix))


def _in_zip(path: Path, owner: str | None) -> Iterator[Found]:
    """Notebooks in a zip: of its owner, or of a class, in folders."""
    try:
        with zipfile.ZipFile(path) as zipped:
            members = zipped.infolist()
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        yield Found(
            f"{owner or path.stem}/", "", path, problem=f"The zip is broken: {error}."
        )
        return
    if owner is not None and len(members) > MEMBERS:
        told = f"The zip has {len(members)} files; it may have {MEMBERS}."
        yield Found(f"{owner}/", "", path, problem=told)
        return
    found = False
    for member in members:
        inside = PurePosixPath(member.filename)
        hidden = any(HIDDEN.match(part) for part in inside.parts)
        if inside.suffix.lower() != ".ipynb" or member.is_dir() or hidden:
            continue
        found = True
        name = f"{owner}/{inside.name}" if owner is not None else str(inside)
        link = stat.S_ISLNK(member.external_attr >> 16)
        problem = "It is a link, and not a file." if link else ""
        time = float("".join(f"{part:02}" for part in member.date_time))
        yield Found(name, "", path, member.filename, time, problem)
    if owner is not None and not found:
        yield Found(f"{owner}/", "", path, problem="The zip has no notebook.")


def _whose(one: Found, folder: Path, known: Collection[str]) -> tuple[str, str]:
    """Student and assignment, from where a notebook lies."""
    *above, name = one.student.split("/")
    stem = COPY.sub("", name.removesuffix(".ipynb")[-NAME:])
    if not above:
        return (folder.stem, stem) if stem in known else (stem, stem)
    if stem not in known and len(above) > 1 and above[1] in known:
        stem = above[1]
    return above[0], stem
