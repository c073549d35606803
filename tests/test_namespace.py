"""`import layerlib as nn` takes the place of `import torch.nn as nn`."""

import inspect
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import layerlib
from examples import CLASSES, classes, functions, torch_class
from layerlib import recipe


def public(module: ModuleType) -> dict[str, Any]:
    return {name: x for name, x in vars(module).items() if not name.startswith("_")}


OTHERWISE = {"attention": "a family of layerlib; `torch.nn.attention` chooses kernels"}
"""Names of `torch.nn` that are neither ours nor torch's own object, and why."""

LANGUAGE = {
    "Bend",
    "Cost",
    "Deferred",
    "Line",
    "Product",
    "Rearrange",
    "Recipe",
    "Reduce",
}
"""What torch has nothing of: the classes of the language."""


def test_every_name_of_torch_nn_is_here() -> None:
    ours = {**classes(), "functional": layerlib.functional}
    for name, theirs in public(nn).items():
        found = getattr(layerlib, name)
        if name not in OTHERWISE:
            assert found is ours.get(name, theirs), name


def test_every_name_of_functional_is_here() -> None:
    assert list(public(layerlib.functional)) == list(public(functional))
    for name, theirs in public(functional).items():
        found = getattr(layerlib.functional, name)
        assert found is functions().get(name, theirs), name
    for name in functions():
        assert hasattr(layerlib.functional, name) == hasattr(functional, name)
    assert sys.modules["layerlib.functional"] is layerlib.functional


def test_top_level_holds_every_class_and_no_function() -> None:
    exported = {name: getattr(layerlib, name) for name in layerlib.__all__}
    own = {n: x for n, x in exported.items() if getattr(nn, n, None) is not x}
    beside = {"attention", "functional"}
    assert set(own) == {*classes(), *LANGUAGE, *beside}
    assert all(getattr(recipe, name) is own[name] for name in LANGUAGE)
    assert set(exported) == {*public(nn), *own}


def test_layers_that_torch_has_and_layerlib_not() -> None:
    """Losses are torch's; what else is handed on is no layer, but for one."""
    handed_on = {
        name
        for name, x in public(nn).items()
        if inspect.isclass(x) and name not in classes() and "Loss" not in name
    }
    assert handed_on == {
        "Buffer", "Container", "DataParallel", "LinearCrossEntropyOptions", "Module",
        "ModuleDict", "ModuleList", "Parameter", "ParameterDict", "ParameterList",
        "RNNBase", "RNNCellBase", "Sequential",
        "SyncBatchNorm",  # its mean is over several machines
        "UninitializedBuffer", "UninitializedParameter",
    }  # fmt: skip


def test_importing_loads_no_pictures_and_no_models() -> None:
    code = "import sys, layerlib; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in told.stdout.split()}
    assert "layerlib.linear" in told.stdout.split()
    assert not loaded & {"matplotlib", "IPython", "classroom"}
    assert not loaded & {"safetensors", "tokenizers", "transformers"}
    assert not {f"layerlib.{name}" for name in layerlib.MODELS} & set(
        told.stdout.split()
    )
    assert not [n for n in told.stdout.split() if n.startswith("layerlib.lab")]


PAIRS = {name: x for name, x in public(nn).items() if inspect.isclass(x)}


@pytest.mark.parametrize("name", PAIRS)
def test_is_an_instance_of_what_torchs_is(name: str) -> None:
    ours = {other: getattr(layerlib, other) for other in PAIRS}
    found = {n for n, other in ours.items() if issubclass(ours[name], other)}
    assert found == {n for n, x in PAIRS.items() if issubclass(PAIRS[name], x)}


@pytest.mark.parametrize("name", classes())
def test_children_are_instances_of_what_torchs_are(name: str) -> None:
    for example in CLASSES[name]:
        ours, theirs = (example.build(c) for c in (classes()[name], torch_class(name)))
        mine, right = (
            {
                path: {n for n in PAIRS if isinstance(child, getattr(package, n))}
                for path, child in layer.named_modules()
            }
            for layer, package in ((ours, layerlib), (theirs, nn))
        )
        assert mine == right


def quickstart(nn: Any) -> list[float]:
    """The model of PyTorch's quickstart, with what programs around it ask of `nn`."""

    class NeuralNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flatten = nn.Flatten()
            self.linear_relu_stack = nn.Sequential(
                nn.Linear(28 * 28, 32),
                nn.ReLU(),
                nn.Linear(32, 32),
                nn.BatchNorm1d(32),
                nn.ReLU(),
                nn.Linear(32, 10),
            )
            self.scale = nn.Buffer(torch.tensor(0.5))
            self.shift = nn.Parameter(torch.zeros(10))
            for layer in self.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.xavier_uniform_(layer.weight)
                    nn.init.zeros_(layer.bias)

        def forward(self, x: Tensor) -> Tensor:
            logits = self.linear_relu_stack(self.flatten(x))
            return nn.functional.gelu(logits) * self.scale + self.shift

    torch.manual_seed(0)
    model = NeuralNetwork()
    nn.utils.parametrizations.weight_norm(model.linear_relu_stack[0])
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    x, y = torch.randn(16, 1, 28, 28), torch.randint(10, (16,))
    losses = []
    for _ in range(5):
        pred = model(x)
        loss = loss_fn(pred, y) + 0.1 * nn.functional.mse_loss(pred, pred.detach() + 1)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def test_the_quickstart_runs_with_one_line_changed() -> None:
    ours, theirs = quickstart(layerlib), quickstart(nn)
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert theirs[-1] < 0.9 * theirs[0]  # it did train
