"""What tests of pictures and of the website share: a real browser."""

import os
import site
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tools.pdf import PaperError, chromium, started


def pytest_collection_finish() -> None:
    """Called by pytest, which has taken the folder site/ for Python's module `site`.

    torch.compile looks at each module that there is, and meets one without a file.
    """
    sys.modules["site"] = site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window; where there is none, its tests are skipped."""
    try:
        chromium()
    except PaperError:
        missing = "no Chromium found: nothing is looked at in a browser"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with started() as browser:
        yield browser
