"""Is this layer the same as that one, and does that call fail as it is meant to?"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Report:
    """What `same` compared and found equal; its text is the same on every machine."""

    lines: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        width = max(len(kind) for kind, _ in self.lines)
        return "\n".join(f"{kind:<{width}}  {what}" for kind, what in self.lines)

    __repr__ = __str__


@dataclass(frozen=True)
class _Run:
    """One call: what came out of it, under the names that an error would use."""

    values: list[Tensor]
    gradients: dict[str, Tensor | None]
    second: dict[str, Tensor | None]
    generator: Tensor


def same(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    *inputs: Any,
    seed: int = 0,
    second: bool = False,
) -> Report:
    """Compares two functions or modules on the same inputs.

    Both are called under the same seed. Compared are the shape, dtype and value of
    each output; the gradients for each floating-point input and each parameter, under
    one random cotangent (a plain sum would hide errors that cancel); how far both
    moved the random generator; for modules also the names and values in their state
    dicts, before and after. Values are equal when `torch.testing.assert_close` says
    so, at its tolerance for their dtype. The global generator is left as it was.

    Args:
        ours: the function or module that is tried.
        theirs: the one that it is to equal.
        *inputs: what both are called with; they are copied, never changed.
        seed: of the two calls and of the cotangents.
        second: compare the gradients of the gradients, too.

    Raises:
        AssertionError: something differs; the message says what and by how much.

    >>> x = torch.tensor([2.0, 3.0])
    >>> same(lambda x: x * x.sigmoid(), torch.nn.functional.silu, x)
    value     (2,) float32
    gradient  input 0

    Source: the tests of torch, which compare a module with a reference in this way.
    """
    state = _same_state(ours, theirs)
    with torch.random.fork_rng(devices=[]):
        mine = _run(ours, inputs, state, seed, second=second)
        right = _run(theirs, inputs, state, seed, second=second)
    if len(mine.values) != len(right.values):
        raise AssertionError(
            f"value: expected {len(right.values)} tensors, got {len(mine.values)}"
        )
    for ours_value, value in zip(mine.values, right.values, strict=True):
        _equal("value", ours_value, value)
    for name, gradient in right.gradients.items():
        _equal(f"gradient of {name}", mine.gradients[name], gradient)
    for name, gradient in right.second.items():
        _equal(f"second gradient of {name}", mine.second[name], gradient)
    if not torch.equal(mine.generator, right.generator):
        raise AssertionError("generator: ours drew other random numbers than theirs")
    _same_state(ours, theirs)
    lines = {
        "value": ", ".join(map(_told, right.values)),
        "gradient": ", ".join(n for n, g in right.gradients.items() if g is not None),
        "second gradient": ", ".join(
            n for n, g in right.second.items() if g is not None
        ),
        "state": ", ".join(state),
    }
    return Report(tuple((kind, what) for kind, what in lines.items() if what))


def raised(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """What a call raises, as text: ``Type: message``.

    A chapter shows a call that fails, and checks with this what was raised.

    Raises:
        AssertionError: the call raised nothing.

    >>> raised(int, "seven")
    "ValueError: invalid literal for int() with base 10: 'seven'"
    """
    try:
        function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  (whatever the call raises)
        return f"{type(error).__name__}: {error}"
    raise AssertionError(f"raised: {function!r} raised nothing")


def _same_state(ours: Any, theirs: Any) -> list[str]:
    """Compares two state dicts; their names, or none where one is no module."""
    if not (isinstance(ours, nn.Module) and isinstance(theirs, nn.Module)):
        return []
    mine, right = ours.state_dict(), theirs.state_dict()
    if list(mine) != list(right):
        raise AssertionError(f"state: expected {list(right)}, got {list(mine)}")
    for name, value in right.items():
        _equal(f"state '{name}'", mine[name], value)
    return list(right)


def _run(
    function: Any, inputs: tuple[Any, ...], state: list[str], seed: int, *, second: bool
) -> _Run:
    inputs = tuple(_copy(x) for x in inputs)
    leaves = {f"input {n}": x for n, x in enumerate(inputs) if _differentiable(x)}
    if state:
        leaves |= {
            name: p for name, p in function.named_parameters() if p.requires_grad
        }
    torch.manual_seed(seed)
    outputs = [x for x in tree_leaves(function(*inputs)) if isinstance(x, Tensor)]
    generator = torch.get_rng_state()
    gradients = _gradients(outputs, leaves, seed, create_graph=second)
    first = [x for x in gradients.values() if x is not None]
    return _Run(
        values=[x.detach() for x in outputs],
        gradients=gradients,
        second=_gradients(first, leaves, seed, create_graph=False) if second else {},
        generator=generator,
    )


def _gradients(
    outputs: Sequence[Tensor],
    leaves: dict[str, Tensor],
    seed: int,
    *,
    create_graph: bool,
) -> dict[str, Tensor | None]:
    outputs = [x for x in outputs if x.requires_grad]
    if not outputs or not leaves:
        return dict.fromkeys(leaves)
    dice = torch.Generator().manual_seed(seed)
    cotangents = [torch.randn(x.shape, dtype=x.dtype, generator=dice) for x in outputs]
    found = torch.autograd.grad(
        outputs,
        list(leaves.values()),
        cotangents,
        create_graph=create_graph,
        allow_unused=True,
    )
    return dict(zip(leaves, found, strict=True))


def _differentiable(x: Any) -> bool:
    return isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex())


def _copy(x: Any) -> Any:
    # A deep copy keeps the strides, so that a non-contiguous input stays one.
    if not isinstance(x, Tensor):
        return copy.deepcopy(x)
    return copy.deepcopy(x.detach()).requires_grad_(_differentiable(x))


def _equal(what: str, mine: Tensor | None, right: Tensor | None) -> None:
    if mine is None or right is None:
        if mine is not right:
            which = "ours" if mine is None else "theirs"
            raise AssertionError(f"{what}: {which} does not depend on it")
        return
    assert_close(mine, right, equal_nan=True, msg=lambda told: f"{what}: {told}")


def _told(x: Tensor) -> str:
    return f"{tuple(x.shape)} {str(x.dtype).removeprefix('torch.')}"
