"""A gradient that is written down, where deriving it move by move would cost more.

Autograd keeps what each move needs for its backward pass, and runs the moves one by
one. Where the gradient of a whole layer is a short formula of its own, the layer gives
it: less is kept, and less is read and written.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, no_type_check

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch.autograd import Function, forward_ad

P = ParamSpec("P")
T = TypeVar("T", Tensor, tuple[Tensor, ...])
Linear = Callable[Concatenate[Tensor, P], Tensor]


@no_type_check  # torch.compile cannot look into what pytest wraps around it
class _Given(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(function: Any, _gradient: Any, _keeps: Any, *inputs: Any) -> Any:
        return function(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.function, ctx.gradient, keeps, *given = inputs
        keeps_output, keeps_inputs, ctx.by_moves = keeps
        outputs = output if isinstance(output, tuple) else (output,)
        whole = [x for x in outputs if not (x.is_floating_point() or x.is_complex())]
        if whole:
            ctx.mark_non_differentiable(*whole)
        ctx.others = [None if isinstance(x, Tensor) else x for x in given]
        all_or_none = range(len(given) if keeps_inputs is True else 0)
        keep = all_or_none if isinstance(keeps_inputs, bool) else keeps_inputs
        tensors = [
            x if n in keep and isinstance(x, Tensor) else None
            for n, x in enumerate(given)
        ]
        chosen = range(len(outputs) if keeps_output is True else 0)
        kept = chosen if isinstance(keeps_output, bool) else keeps_output
        ctx.save_for_backward(*tensors, *[outputs[n] for n in kept])

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        saved, count = ctx.saved_tensors, len(ctx.others)  # checkpoints allow one look
        inputs = [
            other if x is None else x
            for x, other in zip(saved[:count], ctx.others, strict=True)
        ]
        kept = saved[count:]
        needed = ctx.needs_input_grad[3:]
        lost = any(x is None for x, need in zip(inputs, needed, strict=True) if need)
        compiling = torch.compiler.is_compiling()
        several = not compiling and any(map(is_legacy_batchedtensor, cotangents))
        if (
            several and ctx.by_moves and not lost
        ):  # is_grads_batched knows the moves, and not all lines
            found = _again(ctx.function, needed, cotangents, inputs)
        else:
            found = ctx.gradient(needed, *cotangents, *kept, *inputs)
        return None, None, None, *found, *(None for _ in inputs[len(found) :])


def _again(function: Any, needed: Any, cotangents: Any, inputs: Any) -> list[Any]:
    """The gradients of the needed inputs, derived move by move."""
    second, pairs = torch.is_grad_enabled(), zip(inputs, needed, strict=True)
    with torch.enable_grad():
        given = [x.view_as(x) if need else x for x, need in pairs]
        outputs = function(*given)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    both = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
    leaves = [x for x, need in zip(given, needed, strict=True) if need]
    roots, pulled = zip(*both, strict=True)
    found = iter(
        torch.autograd.grad(
            roots, leaves, pulled, allow_unused=True, create_graph=second
        )
    )
    return [next(found) if need else None for need in needed]


def with_gradient(
    gradient: Callable[..., Sequence[Tensor | None]],
    *,
    keeps_output: bool | Sequence[int] = False,
    keeps_inputs: bool | Sequence[int] = True,
    by_moves: bool = True,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorates a function of positional arguments with its gradient.

    ``gradient(needed, *cotangents, *inputs)`` gives the gradients of the first inputs,
    in their order: None where ``needed`` (a truth value for each input) is false, or
    where there is none. It is made of moves with gradients of their own, so that
    second gradients, `torch.func` and `torch.compile` work. Whole-number outputs have
    no gradient; their cotangents are given all the same.

    Args:
        gradient: computes the gradients of the inputs.
        keeps_output: the outputs, or those at these places, are given as well,
            between cotangents and inputs.
        keeps_inputs: the tensors among the inputs are given, or those at these places;
            for another stands None. It need not stay in memory until the backward
            pass, and may be written over before.
        by_moves: several gradients at once may be derived move by move instead; not so
            where the gradient at a kink is chosen.

    >>> @with_gradient(lambda needed, cotangent, x: [2 * x * cotangent])
    ... def square(x):
    ...     return x * x
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> torch.autograd.grad(square(x), x)
    (tensor(6.),)

    Source: `torch.autograd.Function`.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            # The moves have tangents, and a trace records them.
            forward_mode = forward_ad._current_level >= 0  # noqa: SLF001
            plain = forward_mode or traced()
            if plain or not (torch.is_grad_enabled() and _any_gradient(args)):
                return function(*args, **kwargs)
            keeps = (keeps_output, keeps_inputs, by_moves)
            result: T = _Given.apply(function, gradient, keeps, *args)  # type: ignore[no-untyped-call]
            return result

        return wrapper

    return decorate


def traced() -> bool:
    """Whether `torch.jit.trace` records moves: it knows no gradient of ours, no bits.

    >>> traced()
    False
    """
    found: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return found


def _any_gradient(inputs: tuple[object, ...]) -> bool:
    return any(isinstance(x, Tensor) and x.requires_grad for x in inputs)


def adjoints(one: Linear[P], other: Linear[P]) -> tuple[Linear[P], Linear[P]]:
    """Gives two linear functions each other as their gradients.

    Both are linear in their first argument, with real weights, and take the same
    further ones. Neither keeps its input.

    >>> double, _ = adjoints(lambda x, n: n * x, lambda y, n: n * y)
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> torch.autograd.grad(double(x, 2), x)
    (tensor(2.),)

    Source: the transpose of a matrix, without the matrix.
    """

    def gradient_of_one(
        _: object, cotangent: Tensor, _input: None, *args: P.args, **kwargs: P.kwargs
    ) -> list[Tensor]:
        return [second(cotangent, *args, **kwargs)]

    def gradient_of_other(
        _: object, cotangent: Tensor, _input: None, *args: P.args, **kwargs: P.kwargs
    ) -> list[Tensor]:
        return [first(cotangent, *args, **kwargs)]

    first = with_gradient(gradient_of_one, keeps_inputs=False)(one)
    second = with_gradient(gradient_of_other, keeps_inputs=False)(other)
    return first, second


@torch.no_grad()
def overwrite(buffer: Tensor, values: Tensor) -> None:
    """``(...), (...)``: puts numbers into a buffer, with no gradient.

    Inside `torch.func` nothing may be written into a tensor from outside, but through
    an alias.

    >>> buffer = torch.zeros(2)
    >>> overwrite(buffer, torch.ones(2))
    >>> buffer
    tensor([1., 1.])
    """
    torch.ops.aten.alias(buffer).copy_(values)
