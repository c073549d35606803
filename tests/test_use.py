"""What programs do with layers, over all examples: what torch's layer can, ours can.

Each test calls torch's own layer first. What it cannot do is not asked of ours; what it
gives (values, dtypes, strides) is what ours has to give.
"""

import copy
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

from examples import CLASSES, Example, classes, torch_class

pytestmark = [
    pytest.mark.usefixtures("as_installed"),
    # What torch says of its own: slow batching rules, tracing that is on its way out.
    pytest.mark.filterwarnings("ignore"),
]

EACH_EXAMPLE = [
    pytest.param(name, example, id=f"{name}-{n}")
    for name in classes()
    if not name.startswith("Lazy")  # once called, it is one of the others
    for n, example in enumerate(CLASSES.get(name, []))
]
FIRST_OF_EACH = [
    pytest.param(name, CLASSES[name][0], id=name)
    for name in classes()
    if not re.match(r"Lazy|.*[23]d$", name) or f"{name[:-2]}1d" not in classes()
    if not name.startswith("Lazy")
]
"""For what takes long. What is there along one axis stands for two and three."""

HALF = torch.bfloat16

Use = Callable[[nn.Module, Example], Any]


def compare(use: Use, name: str, example: Example) -> None:
    """Asks ours for what torch's layer gives, if it gives anything."""
    ours, theirs = example.build(classes()[name]), example.build(torch_class(name))
    torch.manual_seed(0)
    try:
        right = use(theirs, example)
    except Exception:  # noqa: BLE001  (whatever torch raises: it cannot do it)
        return
    torch.manual_seed(0)
    found = use(ours, example)
    mine, values = (
        [x for x in tree_leaves(given) if isinstance(x, Tensor)]
        for given in (found, right)
    )
    if values:
        torch.testing.assert_close(mine, values, equal_nan=True)
    else:
        assert found == right


def outputs_of(layer: nn.Module, inputs: list[Tensor], example: Example) -> list[Any]:
    # Copies, which a layer may write over where a leaf asks for its gradient.
    found = layer(*(x.clone() for x in inputs), **example.forward)
    return [x for x in tree_leaves(found) if isinstance(x, Tensor)]


def gradients_of(
    outputs: list[Tensor], layer: nn.Module, inputs: list[Tensor]
) -> list[Tensor | None]:
    roots = [x for x in outputs if x.requires_grad]
    leaves = [x for x in [*inputs, *layer.parameters()] if x.requires_grad]
    if not roots or not leaves:
        return []
    dice = torch.Generator().manual_seed(0)
    cotangents = [torch.randn(x.shape, generator=dice).to(x) for x in roots]
    return list(torch.autograd.grad(roots, leaves, cotangents, allow_unused=True))


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_checkpoint(name: str, example: Example) -> None:
    """What was not kept is computed again, and the gradients are the same."""

    def again(*x: Tensor) -> list[Tensor]:
        return outputs_of(layer, list(x), example)

    layer, inputs = example.build(classes()[name]), example.inputs(gradient=True)
    results = []
    for call in (again, lambda *x: checkpoint(again, *x, use_reentrant=False)):
        torch.manual_seed(0)
        outputs = call(*inputs)
        results.append((outputs, gradients_of(outputs, layer, inputs)))
    plain, checkpointed = results
    torch.testing.assert_close(checkpointed, plain, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_saved_elsewhere(name: str, example: Example) -> None:
    """What is kept for the gradient may be moved away and back."""

    def use(layer: nn.Module, example: Example) -> Any:
        inputs = example.inputs(gradient=True)
        with save_on_cpu():
            outputs = outputs_of(layer, inputs, example)
        return outputs, gradients_of(outputs, layer, inputs)

    compare(use, name, example)


@pytest.mark.parametrize("dtype", [torch.float32, HALF], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_autocast(name: str, example: Example, dtype: torch.dtype) -> None:
    """Outputs have torch's dtypes, and the gradients those of their inputs."""

    def use(layer: nn.Module, example: Example) -> Any:
        inputs = [
            x.detach().to(dtype).requires_grad_() if x.is_floating_point() else x
            for x in example.inputs()
        ]
        with torch.autocast("cpu", HALF):
            outputs = outputs_of(layer, inputs, example)
        found = gradients_of(outputs, layer, inputs)
        return [x.dtype for x in outputs], [x is not None and x.dtype for x in found]

    compare(use, name, example)


@pytest.mark.parametrize(("name", "example"), FIRST_OF_EACH)
def test_compiles_for_any_size(name: str, example: Example) -> None:
    def use(layer: nn.Module) -> Any:
        torch.compiler.reset()
        run = torch.compile(layer, fullgraph=True, dynamic=True, backend="eager")
        torch.manual_seed(0)
        return outputs_of(run, example.inputs(), example)

    ours = example.build(classes()[name])
    torch.manual_seed(0)
    right = outputs_of(copy.deepcopy(ours), example.inputs(), example)
    try:
        found = use(ours)
    except Exception:  # noqa: BLE001  (whatever a compiler raises)
        with pytest.raises(Exception):  # noqa: B017, PT011  (it cannot do it, either)
            use(example.build(torch_class(name)))
    else:
        torch.testing.assert_close(found, right, equal_nan=True)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_forward_mode(name: str, example: Example) -> None:
    """The derivative along one direction, computed with the value."""

    def use(layer: nn.Module, example: Example) -> Any:
        inputs = example.inputs()
        turned = [n for n, x in enumerate(inputs) if x.is_floating_point()]
        assert turned, "no direction"

        def of_turned(*some: Tensor) -> Any:
            given = dict(enumerate(inputs)) | dict(zip(turned, some, strict=True))
            found = outputs_of(layer, list(given.values()), example)
            return [x for x in found if x.is_floating_point()]

        dice = torch.Generator().manual_seed(0)
        primals = tuple(inputs[n] for n in turned)
        tangents = tuple(torch.randn(x.shape, generator=dice).to(x) for x in primals)
        plain = copy.deepcopy(layer)
        torch.manual_seed(0)
        values, slopes = torch.func.jvp(of_turned, primals, tangents)
        torch.manual_seed(0)
        # Not so in torch's transformer, whose dropout then draws in another order.
        right = [x for x in outputs_of(plain, inputs, example) if x.is_floating_point()]
        torch.testing.assert_close(values, right, equal_nan=True)
        return values, slopes

    compare(use, name, example)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.mT.contiguous().mT if x.ndim > 1 else x,
    "batch second": lambda x: (
        x.transpose(0, 1).contiguous().transpose(0, 1) if x.ndim > 1 else x
    ),
    "channels last": lambda x: (
        x.movedim(1, -1).contiguous().movedim(-1, 1) if x.ndim > 2 else x
    ),
}
"""The same numbers in the same places, in another order in memory."""


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_strides(name: str, example: Example) -> None:
    """The order in memory is torch's; along an axis of length 1 nothing hangs on it."""

    def use(layer: nn.Module, example: Example) -> Any:
        found: dict[str, list[Any]] = {}
        for layout, laid_out in LAYOUTS.items():
            outputs = layer(*map(laid_out, example.inputs()), **example.forward)
            found[layout] = [
                [(n, s) for n, s in zip(x.shape, x.stride(), strict=True) if n > 1]
                for x in tree_leaves(outputs)
                if isinstance(x, Tensor) and x.numel()
            ]
        return found

    compare(use, name, example)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_several_gradients_at_once(name: str, example: Example) -> None:
    def use(layer: nn.Module, example: Example) -> Any:
        inputs = example.inputs(gradient=True)
        roots = [x for x in outputs_of(layer, inputs, example) if x.requires_grad]
        leaves = [x for x in [*inputs, *layer.parameters()] if x.requires_grad]
        dice = torch.Generator().manual_seed(0)
        stacked = [torch.randn((2, *x.shape), generator=dice).to(x) for x in roots]
        return torch.autograd.grad(
            roots, leaves, stacked, allow_unused=True, is_grads_batched=True
        )

    compare(use, name, example)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_traced_by_jit(name: str, example: Example) -> None:
    def use(layer: nn.Module, example: Example) -> Any:
        layer = layer.eval()  # no random numbers
        run = torch.jit.trace(
            layer,
            example_kwarg_inputs=_named(layer, example),
            check_trace=False,
        )
        return run(**_named(layer, example))

    compare(use, name, example)


def _named(layer: nn.Module, example: Example) -> dict[str, Any]:
    names = inspect.signature(layer.forward).parameters
    return dict(zip(names, example.inputs(), strict=False)) | example.forward


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_traced_by_fx(name: str, example: Example) -> None:
    def use(layer: nn.Module, example: Example) -> Any:
        run = torch.fx.symbolic_trace(layer)
        torch.manual_seed(0)
        return outputs_of(run, example.inputs(), example)

    compare(use, name, example)


OURS = re.compile(r"^\w+: expected .+, got .+", re.DOTALL)
"""How an error of ours reads."""


DOCUMENTED = (TypeError, ValueError, RuntimeError, IndexError)
"""What torch raises on purpose; an AttributeError is an accident."""


def refused(name: str, example: Example, inputs: list[Any]) -> None:
    """Ours refuses what torch's refuses, in our words, as what torch raises."""
    ours, theirs = example.build(classes()[name]), example.build(torch_class(name))
    try:
        theirs(*inputs, **example.forward)
    except Exception as error:  # noqa: BLE001  (whatever torch raises)
        right = type(error) if isinstance(error, DOCUMENTED) else Exception
    else:
        return
    with pytest.raises(right, match=OURS):
        ours(*inputs, **example.forward)


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_an_array_is_no_tensor(name: str, example: Example) -> None:
    refused(name, example, [x.numpy() for x in example.inputs()])


@pytest.mark.parametrize(("name", "example"), EACH_EXAMPLE)
def test_two_dtypes(name: str, example: Example) -> None:
    """Parameters of 32 bits do not meet inputs of 64, nor the other way round."""
    others = {torch.float32: torch.float64, torch.float64: torch.float32}
    inputs = [x.to(others.get(x.dtype, x.dtype)) for x in example.inputs()]
    refused(name, example, inputs)
