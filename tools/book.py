"""Builds the website, and the archive of it that works from a disk.

    python tools/book.py             _build/html, if a source is newer than it
    python tools/book.py offline     the same, and _build/layers-offline.zip

Sphinx by itself would keep a page that was deleted, and be silent the second time about
a fault that it has reported once: so all pages are built, beside the last good site,
and take its place when they are whole. A second run at the same time waits for the
first.
"""

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
# What the website is made from; the environment of the build counts, too.
SOURCES = (
    "Makefile", "_config.yml", "_toc.yml", "chapters", "classroom", "constraints.txt",
    "index.ipynb", "layerlib", "requirements.txt", "site", "tools/book.py",
)  # fmt: skip
SETTINGS = ("BOOK_REPOSITORY", "BOOK_URL")
ARCHIVE = "layers-offline"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that an archive can hold


def files(folder: Path) -> Iterator[Path]:
    """The files in a folder, or the file itself, without what Python leaves behind."""
    if folder.is_file():
        yield folder
    for path in sorted(folder.rglob("*")):
        hidden = {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
        if path.is_file() and not hidden:
            yield path


def settings() -> str:
    """What the build takes from the variables of its environment."""
    return "".join(f"{name}={os.environ.get(name, '')}\n" for name in SETTINGS)


def is_built(root: Path) -> bool:
    """Whether the site is whole, and none of its sources newer."""
    done = root / "_build" / "done"
    if not done.is_file() or done.read_text(encoding="utf-8") != settings():
        return False
    made = done.stat().st_mtime
    present = [root / name for name in SOURCES if (root / name).exists()]
    # A file that was removed shows in the date of its folder.
    folders = {path.parent for source in present for path in files(source)} - {root}
    dates = [path.stat().st_mtime for source in present for path in files(source)]
    return max([*dates, *(folder.stat().st_mtime for folder in folders)]) <= made


def build(root: Path) -> int:
    """Builds the site if need be; returns the status of the builder."""
    place = root / "_build"
    place.mkdir(exist_ok=True)
    with FileLock(place / "lock"):
        if is_built(root):
            return 0
        fresh = place / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        started = fresh / "started"
        started.write_text(settings(), encoding="utf-8")
        builder = Path(sys.executable).parent / "jupyter-book"
        command = [str(builder), "build", ".", "-q", "-W", "-n", "--keep-going"]
        status = subprocess.run(
            [*command, "--path-output", str(fresh)], cwd=root, check=False
        ).returncode
        if status:
            return status
        (place / "done").unlink(missing_ok=True)
        shutil.rmtree(place / "html", ignore_errors=True)
        (fresh / "_build" / "html").rename(place / "html")
        started.rename(place / "done")
        shutil.rmtree(fresh)
    return 0


def pack(site: Path, archive: Path) -> None:
    """Writes the site into an archive: the same site, the same bytes."""
    unfinished = archive.with_suffix(".part")
    with zipfile.ZipFile(
        unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9
    ) as zipped:
        for path in files(site):
            name = Path(ARCHIVE) / path.relative_to(site)
            entry = zipfile.ZipInfo(name.as_posix(), EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, path.read_bytes())
    unfinished.replace(archive)


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says; returns the status of the builder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=["html", "offline"], default="html")
    parser.add_argument("--root", type=Path, default=ROOT, help="of the repository")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    status = build(root)
    if status:
        print(
            f"The book has faults, named above; {root / '_build'} is as it was.",
            file=sys.stderr,
        )
        return status
    if options.what == "offline":
        archive = root / "_build" / f"{ARCHIVE}.zip"
        pack(root / "_build" / "html", archive)
        print(f"{archive}: unpack it and open {ARCHIVE}/index.html")
    else:
        print(f"Open {root / '_build' / 'html' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
