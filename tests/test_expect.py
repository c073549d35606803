"""One form for all errors."""

import pytest
import torch

from layerlib.conventions.expect import expect


def test_says_layer_expectation_and_what_came() -> None:
    with pytest.raises(ValueError, match=r"^norm: expected a positive eps, got -1$"):
        expect("norm", False, "a positive eps", -1)  # noqa: FBT003


def test_of_a_tensor_the_shape() -> None:
    with pytest.raises(TypeError, match=r"^pool: expected 3 axes, got shape \(2, 4\)$"):
        expect("pool", False, "3 axes", torch.ones(2, 4), TypeError)  # noqa: FBT003


def test_says_nothing_where_it_holds() -> None:
    expect("pool", True, "3 axes", torch.ones(2, 4))  # noqa: FBT003
