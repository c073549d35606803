"""Writes noticed.json from what `test_mutation` left in a folder: `make noticed`."""

import json
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Merges the files of all groups of mistakes into one, in order."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        found |= json.loads(file.read_text(encoding="utf-8"))
    text = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False)
    (Path(__file__).parent / "noticed.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
