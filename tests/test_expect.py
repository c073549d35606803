"""One form for all errors."""

import pickle

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


@pytest.mark.parametrize("error", [ValueError, TypeError, IndexError, RuntimeError])
def test_who_catches_torchs_error_catches_ours(error: type[Exception]) -> None:
    for caught in (error, RuntimeError):
        with pytest.raises(caught, match=r"^pool: expected 3 axes, got 2$") as told:
            expect("pool", False, "3 axes", 2, error)  # noqa: FBT003
        assert told.type.__name__ == told.type.__qualname__ == error.__name__
        other = pickle.loads(pickle.dumps(told.value))  # noqa: S301
        assert (type(other), str(other)) == (error, str(told.value))


def test_an_error_of_several_classes() -> None:
    for caught in (TypeError, ValueError, RuntimeError):
        with pytest.raises(caught, match="expected 3 axes"):
            expect("pool", False, "3 axes", 2, (TypeError, ValueError))  # noqa: FBT003
    with pytest.raises(NotImplementedError, match="expected 3 axes"):
        expect("pool", False, "3 axes", 2, NotImplementedError)  # noqa: FBT003
