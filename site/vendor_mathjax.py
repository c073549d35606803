"""Fetches MathJax for the built site, so that no page asks another host for it.

    python site/vendor_mathjax.py

Needs npm and is only run to change the version: the files are in the repository. The
form that draws with SVG is one file and needs no fonts, which a browser may refuse to
read from a folder on disk.
"""

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "3.2.2"
SHA256 = "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09"
FILES = {"package/es5/tex-svg.js": "tex-svg.js", "package/LICENSE": "LICENSE"}
TARGET = Path(__file__).parent / "vendor" / "mathjax"


def fetch(folder: Path) -> Path:
    """The archive of the package, from npm's registry, checked."""
    subprocess.run(
        ["npm", "pack", "--silent", f"mathjax@{VERSION}"], cwd=folder, check=True
    )
    archive = folder / f"mathjax-{VERSION}.tgz"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{archive.name}: expected SHA-256 {SHA256}, got {found}")
    return archive


def main() -> None:
    """Puts the files that the pages need, and no other, below ``site/vendor``."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        tarfile.open(fetch(Path(folder))) as archive,
    ):
        for name, target in FILES.items():
            member = archive.extractfile(name)
            if member is None:
                raise SystemExit(f"mathjax {VERSION} has no file {name}")
            (TARGET / target).write_bytes(member.read())
    print(f"MathJax {VERSION} is in {TARGET}")


if __name__ == "__main__":
    main()
