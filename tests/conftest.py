"""What tests of pictures and of the website share: a real browser."""

import os
import shutil
import site
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tools.pdf import BROWSERS, FLAGS


def pytest_collection_finish() -> None:
    """Called by pytest, which has taken the folder site/ for Python's module `site`.

    torch.compile looks at each module that there is, and meets one without a file.
    """
    sys.modules["site"] = site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window; where there is none, its tests are skipped."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        missing = "no Chromium found: nothing is looked at in a browser"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
