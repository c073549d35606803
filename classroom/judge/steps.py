"""The steps that a right answer takes in torch, and a run in which one is exchanged."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from classroom.judge.causes import Change, Sizes, Tensors

Value = int | str  # a tensor: the number of its step, or the name of an input
SIGNS = {"add": "+", "sub": "−", "mul": "·", "div": "/"}
RESULTS = {"add": "sum", "sub": "difference", "mul": "product", "div": "quotient"}
REVERSED = {"__rsub__": "sub", "rsub": "sub", "__rdiv__": "div"}
MOVES = (
    "reshape", "permute", "transpose", "expand", "expand_as", "unsqueeze", "__get__",
    "__getitem__", "contiguous", "clone", "movedim", "to", "unflatten", "flatten",
    "unfold", "pad",
)  # fmt: skip
POWERS = {1: "{}", 0.5: "the root of {}", -1: "1 / {}", -0.5: "1 / the root of {}"}
LONG = 34  # characters; a longer expression is told by its last step


@dataclass
class Step:
    """A call of torch that made a tensor."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any]
    made: Tensor

    @property
    def name(self) -> str:
        """That of the function; of ``1 - x`` it is ``sub``, too."""
        name: str = self.function.__name__
        return REVERSED.get(name, name)

    @property
    def is_in_place(self) -> bool:
        """Whether it changes its first argument."""
        name = self.function.__name__
        return name.endswith("_") and not name.startswith("__")

    @property
    def order(self) -> tuple[int, int]:
        """Which of its two arguments stands on the left, and which on the right."""
        return (1, 0) if self.function.__name__ in REVERSED else (0, 1)

    def again(self, at: int, value: Any) -> Any:
        """The step with another argument."""
        args = [*self.args]
        args[at] = value
        return self.function(*args, **self.options)


@dataclass
class Run(TorchFunctionMode):
    """A context that notes the steps taken in it, and may take some of them otherwise.

    Attributes:
        sizes: those of the letters.
        inputs: what the function is called with.
        instead: what is called in the place of a step, by its number.
        steps: the steps so far.
    """

    sizes: Sizes
    inputs: Tensors
    instead: Mapping[int, Callable[[Step, "Run"], Any]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            step = Step(func, args, kwargs or {}, made)
            instead = self.instead.get(len(self.steps))
            if instead:
                made = step.made = instead(step, self)
            self.steps.append(step)
        return made

    def value(self, of: Value) -> Tensor:
        """A tensor that is there by now."""
        return self.inputs[of] if isinstance(of, str) else self.steps[of].made


def noted(attempt: Callable[[Change, Sizes], Any], sizes: Sizes) -> Run:
    """The steps that are taken in a case."""
    runs: list[Run] = []

    def around(tensors: Tensors, sizes: Sizes) -> Run:
        runs.append(Run(sizes, dict(tensors)))
        return runs[-1]

    attempt(Change("", around=around), sizes)
    return runs[0]


class Reading:
    """The steps of a run one after the other, and a name for each tensor so far.

    A second run, in other sizes, tells which of the numbers are sizes of letters.
    """

    def __init__(self, run: Run, other: Run) -> None:
        self.run, self.other, self.at = run, other, 0
        self.known: dict[Any, Tensor] = dict(run.inputs)
        self._found: dict[int, Value] = {id(x): n for n, x in run.inputs.items()}
        self._text = {id(x): name for name, x in run.inputs.items()}

    @property
    def step(self) -> Step:
        """The one that is looked at."""
        return self.run.steps[self.at]

    def go_on(self) -> None:
        """Looks at the next step."""
        made = self.step.made
        self._text.setdefault(id(made), self.expression())
        self._found.setdefault(id(made), self.at)
        self.known[self.at] = made
        self.at += 1

    def found(self, x: Any) -> Value | None:
        """Where a tensor comes from."""
        return self._found.get(id(x))

    def maker(self, x: Any) -> int | None:
        """The number of the step that made a tensor."""
        found = self.found(x)
        return found if isinstance(found, int) else None

    def told(self, x: Any) -> str:
        """What a tensor is called in a sentence."""
        return self._text.get(id(x), "a number")

    def operand(self, at: int) -> str:
        """What an argument of the step is called; a number by its letter, if any."""
        own, other = self.step.args[at], self.other.steps[self.at].args[at]
        if isinstance(own, Tensor):
            return self.told(own)
        if own == other:
            return f"{own:.4g}"
        for letter in self.run.sizes:
            for power, told in POWERS.items():
                pairs = ((own, self.run), (other, self.other))
                if all(math.isclose(c, r.sizes[letter] ** power) for c, r in pairs):
                    return told.format(letter)
        return "the factor"

    def expression(self) -> str:
        """What the step makes, as it is called in a sentence."""
        step, name = self.step, self.step.name
        first = step.args[0] if step.args else None
        given = first if isinstance(first, (list, tuple)) else step.args
        told = [self.told(n) for n in given if isinstance(n, Tensor)]
        if name in MOVES and told:
            return told[0]
        if name in SIGNS and len(step.args) == 2:
            text = f"({f' {SIGNS[name]} '.join(map(self.operand, step.order))})"
        elif name == "einsum":
            text = f"Σ {' · '.join(told)}"
        else:
            bare = (n[1:-1] if n.startswith("(") else n for n in told)
            text = f"{name}({', '.join(bare)})"
        word = "product" if name in ("einsum", "linear") else RESULTS.get(name, name)
        return text if len(text) < LONG else f"the {word}"
