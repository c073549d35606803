"""What all tests share: layers built alike, and a way to run as readers run."""

from collections.abc import Callable
from typing import Any

import jaxtyping
import pytest
import torch
from torch import nn


@pytest.fixture(autouse=True)
def _examples_have_torch(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace["torch"] = torch


@pytest.fixture
def as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the shape checks that pytest switches on, as everyone else runs.

    A wrong shape then meets our own error and not jaxtyping's, and torch.compile
    sees the functions themselves.
    """
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", value=True)


@pytest.fixture
def twins() -> Callable[..., list[nn.Module]]:
    """Builds each of some classes with the same arguments, under the same seed."""

    def build(classes: list[Any], *args: Any, **kwargs: Any) -> list[nn.Module]:
        built = []
        for cls in classes:
            torch.manual_seed(0)
            built.append(cls(*args, **kwargs))
        return built

    return build
