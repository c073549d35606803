"""What torch takes for a table of rows, for bags of them, and for one-hot rows."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.call import Call
from layerlib.conventions.expect import expect


def classes(call: Call) -> None:
    """One-hot rows: whole numbers, and as many places as the largest needs."""
    x, count = call.tensor, call.num_classes
    call.expect(x.dtype == torch.int64, "classes as int64", x.dtype, TypeError)
    count = int(x.max()) + 1 if count == -1 and x.numel() else count
    got = f"{count} for classes of shape {tuple(x.shape)}"
    call.expect(count >= 1, "a positive num_classes", got)
    call.num_classes = count


def table(call: Call) -> None:
    """A table with rows, and `padding_idx` counted from the first of them."""
    x, weight, padding = call.input, call.weight, call.padding_idx
    whole = x.dtype in (torch.int32, torch.int64)
    call.expect(whole, "int32 or int64 as input", x.dtype, TypeError)
    shape = tuple(weight.shape)
    call.expect(len(shape) == 2, "a weight of shape (rows, features)", shape)
    if padding is not None:
        there = -len(weight) <= padding < max(len(weight), 1)
        told = f"a padding_idx that is one of {len(weight)} rows"
        call.expect(there, told, padding, (ValueError, AssertionError))
        call.padding_idx = padding % len(weight) if len(weight) else None


def bags(call: Call) -> None:
    """Bags in one axis, one after the other, with the offsets where each begins."""
    table(call)
    x, weight, offsets, mode = call.input, call.weight, call.offsets, call.mode
    kind, shape = weight.dtype, tuple(x.shape)
    call.expect(kind.is_floating_point, "a floating-point weight", kind, TypeError)
    told = "an input of shape (bags, size), or (size,) with offsets"
    got = f"{shape} {'without' if offsets is None else 'with'} offsets"
    call.expect(x.ndim == (2 if offsets is None else 1), told, got)
    if offsets is None:
        call.expect(shape[1] > 0, "bags of at least one row", shape)
        offsets = torch.arange(0, x.numel(), shape[1], device=x.device)
        call.offsets, call.include_last_offset = offsets, False
    call.expect(offsets.ndim == 1, "offsets of one axis", tuple(offsets.shape))
    call.expect(mode in ("sum", "mean", "max"), "mode sum, mean or max", repr(mode))
    plain = mode != "max" or not (call.sparse or call.scale_grad_by_freq)
    call.expect(plain, "no sparse or scaled gradient for mode max", "one")
    if call.per_sample_weights is not None:
        shares, told = call.per_sample_weights, "per_sample_weights of the"
        size, got = tuple(shares.shape), shares.dtype
        call.expect(size == shape, f"{told} input's shape {shape}", size)
        call.expect(got == kind, f"{told} weight's dtype {kind}", got, TypeError)
        told, errors = (
            "mode sum for per_sample_weights",
            (ValueError, NotImplementedError),
        )
        call.expect(mode == "sum", told, repr(mode), errors)
        call.per_sample_weights = shares.reshape(-1)
    call.input = x.reshape(-1)


def explained(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Says which numbers are out of range: only then are they looked at."""

    @functools.wraps(function)
    def wrapper(**given: Any) -> Tensor:
        try:
            return function(**given)
        except (IndexError, RuntimeError):
            _look(function.__name__, *given.values())
            raise

    return wrapper


def _look(layer: str, x: Tensor, size: Any, *more: Any) -> None:
    """Raises, if a class, a row or an offset is out of range."""
    low, high = (int(x.min()), int(x.max())) if x.numel() else (0, 0)
    table = isinstance(size, Tensor)
    count, kind = (len(size), IndexError) if table else (size, ValueError)
    told = f"rows from 0 to {count - 1} of the weight"
    told = told if table else f"classes from 0 to {count - 1}"
    fits, got = low >= 0 and high < count, f"some from {low} to {high}"
    expect(layer, fits, told, got, kind)
    if layer == "embedding_bag":
        told = f"offsets that start at 0 and end within the input of {len(x)}"
        expect(layer, not more, told, str(more[0]))
