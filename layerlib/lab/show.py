"""The source that runs, and the operations that ran."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from layerlib.recipe import Bend, Line


class Source:
    """The source of something, as text, and as highlighted Markdown in a notebook."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.text}\n```"


def show(obj: Any) -> Source:
    """The source of a function or class, below the lines of letters that it uses.

    Lines and bends stand above it, and what else its module gives a name in capitals.
    A function along several axes (`conv`, which is `conv1d` and its kin) is shown once,
    with the decorator that says what torch does first. A method is given by its class:
    ``show(Linear.forward)``. A chapter shows the code of layerlib in this way, so that
    what is read is what runs.

    Raises:
        TypeError: the object has no source in Python, as most of torch's functions.

    >>> from layerlib.linear import Linear
    >>> show(Linear.forward)
    def forward(self, input: Num[Tensor, "..."]) -> Num[Tensor, "..."]:
        \"\"\"The input's dot product with each row of the weight, plus the bias.\"\"\"
        return linear(input, self.weight, self.bias)
    """
    one = obj[0] if isinstance(obj, tuple) and obj else obj
    try:
        source = textwrap.dedent(inspect.getsource(one)).rstrip()
    except (TypeError, OSError) as error:
        raise TypeError(f"show: {obj!r} has no source in Python") from error
    names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    used = [text for name, text in _constants(inspect.getmodule(one)) if name in names]
    return Source("\n".join([*used, "", "", source]) if used else source)


def _constants(module: ModuleType | None) -> Iterator[tuple[str, str]]:
    """The names in capitals of a module, and the statements that define them.

    Of those that come from another module, the lines and bends.
    """
    text = _text(module)
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom):
            home = sys.modules.get(statement.module or "")
            taken = {alias.name for alias in statement.names}
            lines = {n for n in taken if isinstance(getattr(home, n, 0), Line | Bend)}
            found = _constants(home) if lines else iter(())
            yield from (pair for pair in found if pair[0] in lines)
        for name in _targets(statement):
            if name.isupper():
                yield name, ast.get_source_segment(text, statement) or ""


def _text(module: ModuleType | None) -> str:
    """The source of a module; nothing for a notebook, which has none."""
    try:
        return inspect.getsource(module) if module else ""
    except (TypeError, OSError):
        return ""


def _targets(statement: ast.stmt) -> list[str]:
    """The names that a statement gives a value."""
    several = isinstance(statement, ast.Assign) and statement.targets
    one = isinstance(statement, ast.AnnAssign) and [statement.target]
    return [
        target.id for target in several or one or [] if isinstance(target, ast.Name)
    ]


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True imports all of torch.compile at the first call: 2 s

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def moves(
    function: Callable[..., Any], *args: Any, backward: bool = False, **kwargs: Any
) -> list[str]:
    """The names of the aten operations that a call really runs, in their order.

    These are torch's own kernels, below autograd and below whatever Python called.

    Args:
        function: a function or module.
        *args: its arguments.
        backward: run the gradients too, for the arguments and parameters that ask for
            one; they are thrown away.
        **kwargs: further arguments of the function.

    >>> moves(torch.nn.functional.linear, torch.ones(2, 3), torch.ones(4, 3))
    ['t', 'mm']

    Source: `torch.utils._python_dispatch.TorchDispatchMode`.
    """
    recorder = _Recorder()
    with recorder:
        outputs = function(*args, **kwargs)
    if backward:
        given = [*args, *kwargs.values(), *getattr(function, "parameters", list)()]
        leaves = [x for x in tree_leaves(given) if _has_gradient(x)]
        roots = [x for x in tree_leaves(outputs) if _has_gradient(x)]
        ones = [torch.ones_like(x) for x in roots]
        with recorder:
            if roots:
                torch.autograd.grad(roots, leaves, ones, allow_unused=True)
    return recorder.names


def _has_gradient(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad
