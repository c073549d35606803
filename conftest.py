"""What every test and doctest has: shapes checked at each call, and torch at hand."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _examples_have_torch(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace["torch"] = torch
