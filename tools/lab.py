"""The settings of `make lab`: JupyterLab saves a notebook in its canonical form.

Jupyter runs this file by itself, with `get_config` among its names.
"""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import notebooks


def keep_canonical(model: dict[str, Any], **_: object) -> None:
    """Takes from a notebook what an editor adds, before it is written."""
    if model["type"] == "notebook" and model["content"]["nbformat"] == 4:
        model["content"] = notebooks.canonical(model["content"])


settings = globals().get("get_config")
if settings is not None:
    configured = settings()
    configured.FileContentsManager.pre_save_hook = keep_canonical
    configured.AsyncFileContentsManager.pre_save_hook = keep_canonical
    configured.AsyncLargeFileManager.pre_save_hook = keep_canonical
    configured.LargeFileManager.pre_save_hook = keep_canonical
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        configured.ServerApp.allow_root = True
