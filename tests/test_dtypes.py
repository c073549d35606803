"""Halves become floats, and nothing else changes."""

import pytest
import torch

from layerlib.conventions.dtypes import wide


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_halves_become_floats(dtype: torch.dtype) -> None:
    x = torch.tensor([1.5, -2.0], dtype=dtype)
    assert wide(x).dtype == torch.float32
    assert wide(x).tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.complex64, torch.int16, torch.bool]
)
def test_all_else_is_handed_back(dtype: torch.dtype) -> None:
    x = torch.ones(2, dtype=dtype)
    assert wide(x) is x
