"""What torch takes for a table of rows, for bags of them, and for one-hot rows."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerlib.conventions.expect import expect
from layerlib.conventions.signature import Given


def classes(layer: str, _: int, given: Given) -> None:
    """One-hot rows: whole numbers, and as many places as the largest needs."""
    x, count = given["tensor"], given["num_classes"]
    expect(layer, x.dtype == torch.int64, "classes as int64", x.dtype, TypeError)
    count = int(x.max()) + 1 if count == -1 and x.numel() else count
    got = f"{count} for classes of shape {tuple(x.shape)}"
    expect(layer, count >= 1, "a positive num_classes", got)
    given["num_classes"] = count


def table(layer: str, _: int, given: Given) -> None:
    """A table with rows, and `padding_idx` counted from the first of them."""
    x, weight, padding = given["input"], given["weight"], given["padding_idx"]
    whole = x.dtype in (torch.int32, torch.int64)
    expect(layer, whole, "int32 or int64 as input", x.dtype, TypeError)
    told, shape = "a weight of shape (rows, features)", tuple(weight.shape)
    expect(layer, len(shape) == 2, told, shape)
    if padding is not None:
        there = -len(weight) <= padding < max(len(weight), 1)
        told = f"a padding_idx that is one of {len(weight)} rows"
        expect(layer, there, told, padding, (ValueError, AssertionError))
        given["padding_idx"] = padding % len(weight) if len(weight) else None


def bags(layer: str, n: int, given: Given) -> None:
    """Bags in one axis, one after the other, with the offsets where each begins."""
    table(layer, n, given)
    check, x, weight = functools.partial(expect, layer), given["input"], given["weight"]
    offsets, shares, mode = (
        given[k] for k in ("offsets", "per_sample_weights", "mode")
    )
    real, shape = weight.is_floating_point(), tuple(x.shape)
    check(real, "a floating-point weight", weight.dtype, TypeError)
    told = "an input of shape (bags, size), or (size,) with offsets"
    got = f"{shape} {'without' if offsets is None else 'with'} offsets"
    check(x.ndim == (2 if offsets is None else 1), told, got)
    if offsets is None:
        check(shape[1] > 0, "bags of at least one row", shape)
        offsets = torch.arange(0, x.numel(), shape[1], device=x.device)
        given.update(offsets=offsets, include_last_offset=False)
    check(offsets.ndim == 1, "offsets of one axis", tuple(offsets.shape))
    check(mode in ("sum", "mean", "max"), "mode sum, mean or max", repr(mode))
    plain = mode != "max" or not (given["sparse"] or given["scale_grad_by_freq"])
    check(plain, "no sparse or scaled gradient for mode max", "one")
    if shares is not None:
        right, told = weight.dtype, "per_sample_weights of the"
        check(
            shares.shape == shape, f"{told} input's shape {shape}", tuple(shares.shape)
        )
        check(
            shares.dtype == right,
            f"{told} weight's dtype {right}",
            shares.dtype,
            TypeError,
        )
        kinds = (ValueError, NotImplementedError)
        check(mode == "sum", "mode sum for per_sample_weights", repr(mode), kinds)
        given["per_sample_weights"] = shares.reshape(-1)
    given["input"] = x.reshape(-1)


def explained(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Says which numbers are out of range: only then are they looked at."""

    @functools.wraps(function)
    def wrapper(**given: Any) -> Tensor:
        try:
            return function(**given)
        except (IndexError, RuntimeError):
            look(function.__name__, **given)
            raise

    return wrapper


def look(layer: str, **given: Any) -> None:
    """Raises, if a class, a row or an offset is out of range."""
    if "tensor" in given:
        x, count, told = given["tensor"], given["num_classes"], "classes from 0 to {}"
    else:
        x, count = given["input"], len(given["weight"])
        told = "rows from 0 to {} of the weight"
    low, high = (int(x.min()), int(x.max())) if x.numel() else (0, 0)
    error, got = IndexError if "input" in given else ValueError, f"{low} to {high}"
    fits = low >= 0 and high < count
    expect(layer, fits, told.format(count - 1), f"some from {got}", error)
    if "offsets" in given:
        told = f"offsets that start at 0 and end within the input of {len(x)}"
        expect(layer, not given, told, str(given["offsets"]))
