"""Windows: what a kernel sees from each of its places, and what is beyond the edge."""

import torch
from jaxtyping import Shaped
from torch import Tensor

from layerlib.axes import counts, places
from layerlib.gradient import with_gradient


def _windows_gradient(
    _needed: object, cotangent: Tensor, input: Tensor, *geometry: tuple[int, ...]
) -> list[Tensor]:
    length = input.shape[input.ndim - len(geometry[0]) :]
    return [overlap_add(cotangent, tuple(length), *geometry)]


def _overlap_add_gradient(
    _needed: object,
    cotangent: Tensor,
    _windows: Tensor,
    _length: object,
    *geometry: tuple[int, ...],
) -> list[Tensor]:
    return [windows(cotangent, *geometry)]


@with_gradient(_windows_gradient)
def windows(
    input: Shaped[Tensor, "..."],
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Shaped[Tensor, "... k"]:
    """``(..., *n) -> (..., *m, k)``: what the kernel sees from each of its places.

    Nothing is padded: a window lies inside. The places in the kernel are one axis
    ``k``, the last letter of the kernel running fastest. In memory ``k`` comes before
    ``*m``: copying the input once for each place, shifted, is faster than reading
    window by window.

    Raises:
        ValueError: ...

    >>> windows(torch.arange(5), (3,), (2,), (1,))
    tensor([[0, 1, 2],
            [2, 3, 4]])

    Source: `torch.Tensor.unfold`.
    """
    n = len(kernel_size)
    m = counts(input.shape[input.ndim - n :], kernel_size, stride, dilation)
    seen = [input[(..., *at)] for at in places(kernel_size, stride, dilation, m)]
    return torch.stack(seen, -n - 1).movedim(-n - 1, -1)


@with_gradient(_overlap_add_gradient)
def overlap_add(
    windows: Shaped[Tensor, "... k"],
    length: tuple[int, ...],
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Shaped[Tensor, "..."]:
    """``(..., *m, k) -> (..., *n)``: the adjoint of `windows`: each goes where it was.

    Where windows overlap, they are added.

    Raises:
        ValueError: ...

    >>> overlap_add(torch.ones(2, 3), (5,), (3,), (2,), (1,))
    tensor([1., 1., 2., 1., 1.])

    Source: the overlap-add method; `torch.nn.functional.fold`.
    """
    n = len(kernel_size)
    m = windows.shape[windows.ndim - n - 1 : -1]
    output = windows.new_zeros(*windows.shape[: windows.ndim - n - 1], *length)
    for k, at in enumerate(places(kernel_size, stride, dilation, m)):
        output[(..., *at)] += windows[..., k]
    return output
