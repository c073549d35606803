"""What every function with a convention does before it asks its convention."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from examples import randn
from layerlib.conventions.call import Call
from layerlib.conventions.signature import along, convention


def prepare(call: Call) -> None:
    assert call.layer.startswith("scale")
    call.factor = call.factor ** max(call.n, 1)
    if call.negative:
        call.then(torch.neg)


@convention(prepare)
def scale(input: Tensor, factor: float = 2.0, negative: bool = False) -> Tensor:
    """``(...) -> (...)``: as it is told."""
    del negative
    return input * factor


scale1d, scale2d, scale3d = along(prepare)(inspect.unwrap(scale))


def test_the_convention_changes_arguments_and_output() -> None:
    x = randn(3)
    assert torch.equal(scale(x), 2 * x)
    assert torch.equal(scale(input=x, factor=3.0, negative=True), -3 * x)
    assert torch.equal(scale3d(x), 8 * x)
    for n, function in enumerate((scale1d, scale2d, scale3d), 1):
        assert function.__name__ == function.__qualname__ == f"scale{n}d"
        assert inspect.signature(function) == inspect.signature(scale)
        assert torch.equal(function(x, 3.0), 3**n * x)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3, 4), {}), ((1,), {"input": 1}), ((1,), {"other": 1})],
)
def test_a_wrong_call_raises_as_any_call(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError, match="argument"):
        scale(*args, **kwargs)


@pytest.mark.usefixtures("as_installed")
def test_what_is_no_tensor_is_refused() -> None:
    told = "scale: expected a tensor as input, got an object of type ndarray"
    with pytest.raises(TypeError, match=told):
        scale(np.ones(3))  # type: ignore[arg-type]


@pytest.mark.usefixtures("as_installed")
def test_what_is_traced_or_a_subclass_sees_one_function() -> None:
    traced = torch.fx.symbolic_trace(lambda x: scale(x, 3.0))
    calls = [node.target for node in traced.graph.nodes if node.op == "call_function"]
    assert calls == [scale]
    x = randn(3)
    assert torch.equal(traced(x), 3 * x)

    class Own(Tensor):
        pass

    assert type(scale(x.as_subclass(Own))) is Own


@pytest.mark.usefixtures("as_installed")
def test_without_autocast_the_convention_decides() -> None:
    @convention(lambda *_: None, autocast=False)
    def product(input: Tensor, other: Tensor) -> Tensor:
        return input @ other

    x = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert product(x, x).dtype == torch.float32
        assert (x @ x).dtype == torch.bfloat16
