"""Norms: mean zero, length one. They differ by the letters that are averaged over."""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn.modules import batchnorm, instancenorm

from layerlib.conventions.dtypes import HALVES, wide
from layerlib.conventions.expect import expect
from layerlib.conventions.layer import Computed
from layerlib.engine.gradient import with_gradient
from layerlib.engine.kernel import Kernel
from layerlib.recipe import Rearrange, Reduce
from layerlib.windows import windows

BATCH = Reduce("b c n -> 1 c 1", "mean")
INSTANCE = Reduce("b c n -> b c 1", "mean")
GROUP = Reduce("b g c n -> b g 1 1", "mean")
LAYER = Reduce("b n -> b 1", "mean")
NEIGHBOURS = Reduce("b c n k -> b c n", "sum")
OF_CHANNEL = Reduce("b c n -> c", "mean")
MERGED = Rearrange("b c ... -> b c (...)")
GROUPED = Rearrange("b (g c) ... -> b g c (...)")
PER_CHANNEL = Rearrange("c -> 1 c 1")
PER_GROUP = Rearrange("(g c) -> 1 g c 1")

PIECE = 2**18  # as many numbers as fit a cache, with what is computed from them


def _count(x: Tensor, mean: Tensor) -> int:
    """How many numbers were averaged, and at least 1."""
    return max(1, x.numel() // max(1, mean.numel()))


def _summed(x: Tensor, factor: Tensor, shape: torch.Size) -> Tensor:
    """`x` times `factor`, summed to `shape`: first where the factor is constant."""
    if x.ndim == 2 and factor.numel() > 1:
        return (x @ factor.mT if len(factor) == 1 else factor.mT @ x).sum_to_size(shape)
    common = torch.broadcast_shapes(shape, factor.shape)  # type: ignore[no-untyped-call]
    return (x.sum_to_size(common) * factor).sum_to_size(shape)


def _pieces(line: Reduce, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Shares of a batch of its own averages: what comes between then fits a cache."""
    count = 1 + tensors[0].numel() // PIECE if line is not BATCH else 1
    return zip(*(x.chunk(count) for x in tensors), strict=True)


def _joined(pieces: tuple[Tensor, ...]) -> Tensor:
    return torch.cat(pieces) if len(pieces) > 1 else pieces[0]


def _averages(x: Tensor, line: Reduce, centred: bool) -> tuple[Tensor, Tensor]:
    """The mean, and the variance around it: two passes, since squares are large."""
    mean = line(x) if centred else x.new_zeros(len(x), 1)
    if not (centred and x.numel()):
        squares = (x * x).sum_to_size(mean.shape)
        return torch.zeros_like(mean), squares / _count(x, mean)
    rest = x - mean
    off = line(rest)  # a long sum was rounded, and this is by how much
    squares = rest * rest if torch.is_grad_enabled() else rest.mul_(rest)
    return mean + off, (line(squares) - off.square()).clamp_min(0)


def _vmapped(x: Tensor, *given: Tensor | None) -> Tensor:
    """`x`, plus zero: in vmap, with the batch of all that is given.

    Without it, what is computed from `x` could not be changed in place.
    """
    for p in given:
        x = x if p is None else x + torch.zeros_like(p).sum()
    return x


def _standardize_gradient(
    needed: Sequence[bool], cotangent: Tensor, input: Tensor, *others: Any
) -> list[Tensor | None]:
    weight, bias, mean, variance, line, eps, centred = others
    if torch.is_grad_enabled():  # a second gradient goes through the averages
        mean, variance = _averages(wide(input), line, centred)
    scale = torch.rsqrt(_vmapped(variance, weight, bias) + eps).conj()
    given = [p for p in (weight, bias, scale[:1]) if p is not None]
    w = torch.ones_like(given[0]) if weight is None else weight.conj()
    pieces = _pieces(line, input, cotangent, mean, scale)
    found = [_projected(piece, w, centred, needed[0]) for piece in pieces]
    x_gradients, w_gradients, b_gradients = zip(*found, strict=True)
    return [
        _joined(x_gradients) if needed[0] else None,
        functools.reduce(torch.add, w_gradients) if needed[1] else None,
        functools.reduce(torch.add, b_gradients) if needed[2] else None,
    ]


def _projected(
    piece: tuple[Tensor, ...], weight: Tensor, centred: bool, needed: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of a piece: for its input, the weight and the bias."""
    half, cotangent, mean, scale = piece
    x, g = wide(half), wide(cotangent)
    rest = (x - mean if centred else x).conj()
    along, shape = g * rest, scale.shape
    weights = _summed(along, scale, weight.shape), g.sum_to_size(weight.shape)
    if not needed:
        return half, *weights
    # A projection: what of it points along ones, or along the output, is gone.
    share = scale / _count(x, scale)
    pull = _summed(along, weight, shape) * scale.square() * share
    del along
    straight = (g * scale).mul_(weight)
    if centred:
        straight.sub_(_summed(g, weight, shape) * share)
    return straight.addcmul_(rest, pull, value=-1).to(half.dtype), *weights


@with_gradient(_standardize_gradient)
def _scaled(input: Tensor, *others: Any) -> Tensor:
    weight, bias, mean, variance, _, eps, _ = others
    output = wide(input) - _vmapped(mean, weight, bias)
    output.mul_(torch.rsqrt(variance + eps))
    output = output if weight is None else output.mul_(weight)
    output = output if bias is None else output.add_(bias)
    return output.to(input.dtype)


def _standardize(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    line: Reduce,
    eps: float,
    centred: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean zero and variance one over what `line` averages; the mean, the variance.

    Only the input and its averages are kept for the gradient.
    """
    with torch.no_grad():
        mean, variance = _averages(wide(input), line, centred)
    w, b = (p if p is None else p.to(mean.dtype) for p in (weight, bias))
    return _scaled(input, w, b, mean, variance, line, eps, centred), mean, variance


def _check(
    layer: str, input: Tensor, shape: Sequence[int], **given: Tensor | None
) -> None:
    kinds = {x.dtype for x in given.values() if x is not None} - {input.dtype}
    mixed = kinds and (kinds != {torch.float32} or input.dtype not in HALVES)
    names = ", ".join(given)
    # The root mean square is a composition in torch, and takes what can be multiplied.
    expect(
        layer,
        layer == "rms_norm" or not (mixed or not input.is_floating_point()),
        f"floating-point numbers of one dtype, or 16 bits and float32 for {names}",
        f"{input.dtype} and {kinds or 'none'}",
        TypeError,
    )
    for name, x in given.items():
        fits = x is None or x.shape == tuple(shape)  # else it would be broadcast
        expect(layer, fits, f"{name} of shape {tuple(shape)}", x, ValueError)


def _by_channel(
    layer: str,
    line: Reduce,
    input: Tensor,
    running: tuple[Tensor | None, Tensor | None],
    affine: tuple[Tensor | None, Tensor | None],
    own: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """Batch and instance norm: by the averages of the input, or by the running ones."""
    expect(
        layer,
        input.ndim >= 2 and 0 not in input.shape[line is BATCH : 2],
        "an input of shape (batch, channels, ...) with at least one channel",
        tuple(input.shape),
    )
    names = ("running_mean", "running_var", "weight", "bias")
    given = dict(zip(names, (*running, *affine), strict=True))
    _check(layer, input, input.shape[1:2], **given)
    kept = [x for x in running if x is not None]
    expect(
        layer,
        len(kept) == 2 or (own and not kept),
        "both running_mean and running_var (or neither, to take the averages of the "
        "input)",
        f"{len(kept)} of them",
    )
    x = MERGED(input)
    weight, bias = (p if p is None else PER_CHANNEL(p) for p in affine)
    if own:
        output, *found = _standardize(x, weight, bias, line, eps)
        _follow(kept if x.numel() else [], found, momentum, _count(x, found[0]))
    else:  # what is given is a scale and a shift for each channel
        mean, variance = (PER_CHANNEL(wide(p.detach())) for p in kept)
        scale = torch.rsqrt(variance + eps) * (1 if weight is None else weight)
        shift = (0 if bias is None else bias) - mean * scale
        output = (wide(x) * scale + shift).to(x.dtype)
    return output.reshape(input.shape)


def _follow(
    kept: list[Tensor], found: list[Tensor], momentum: float, count: int
) -> None:
    """Moves the running averages by `momentum`: the variance is the unbiased one."""
    for old, new, by in zip(kept, found, (1, count / max(1, count - 1)), strict=False):
        seen = OF_CHANNEL(new * by)
        old.copy_(old.to(seen.dtype).lerp(seen, momentum))


def _more_than_one(layer: str, many: bool, what: str, input: Tensor) -> None:
    got = f"input size {tuple(input.shape)}"  # torch's words
    expect(layer, many, f"more than 1 {what} when training", got)


def batch_norm(
    input: Float[Tensor, "..."],
    running_mean: Float[Tensor, "..."] | None,
    running_var: Float[Tensor, "..."] | None,
    weight: Float[Tensor, "..."] | None = None,
    bias: Float[Tensor, "..."] | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Tensor, "..."]:
    """``(b, c, ...) -> (b, c, ...)``: each channel gets mean zero and variance one.

    The averages are over the batch and all positions. In training they are those of
    the input, and the running ones, where given, move towards them by `momentum`, the
    weight of the new: in the output the variance is biased, in the running one it is
    not. Else the running ones are used: each channel is scaled and shifted.

    Raises:
        ValueError: a parameter does not fit, one running average comes alone, eps is
            not positive, or a channel has one value to take an average of.
        TypeError: the dtypes are none that torch takes.

    >>> batch_norm(torch.tensor([[1.0, 10.0], [3.0, 30.0]]), None, None, training=True)
    tensor([[-1.0000, -1.0000],
            [ 1.0000,  1.0000]])

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167;
    `torch.nn.functional.batch_norm`.
    """
    layer, count = "batch_norm", math.prod(input.shape[:1] + input.shape[2:])
    _more_than_one(layer, not training or count != 1, "value per channel", input)
    expect(layer, eps > 0 or (eps == 0 and not training), "a positive eps", eps)
    running, affine = (running_mean, running_var), (weight, bias)
    return _by_channel(layer, BATCH, input, running, affine, training, momentum, eps)


def instance_norm(
    input: Float[Tensor, "b c ..."],
    running_mean: Float[Tensor, " c"] | None = None,
    running_var: Float[Tensor, " c"] | None = None,
    weight: Float[Tensor, " c"] | None = None,
    bias: Float[Tensor, " c"] | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Tensor, "b c ..."]:
    """``(b, c, ...) -> (b, c, ...)``: a batch norm of each element by itself.

    The running averages move towards the mean of those of the batch.

    Raises:
        ValueError: a parameter does not fit, one running average comes alone, or a
            channel has one value to take an average of.
        TypeError: the dtypes are none that torch takes.

    >>> instance_norm(torch.tensor([[[1.0, 3.0], [10.0, 30.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])

    Source: Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022;
    `torch.nn.functional.instance_norm`.
    """
    layer, own = "instance_norm", use_input_stats
    many = not own or math.prod(input.shape[2:]) != 1
    _more_than_one(layer, many, "spatial element", input)
    running, affine = (running_mean, running_var), (weight, bias)
    return _by_channel(layer, INSTANCE, input, running, affine, own, momentum, eps)


def group_norm(
    input: Float[Tensor, "b c ..."],
    num_groups: int,
    weight: Float[Tensor, " c"] | None = None,
    bias: Float[Tensor, " c"] | None = None,
    eps: float = 1e-5,
) -> Float[Tensor, "b c ..."]:
    """``(b, c, ...) -> (b, c, ...)``: the channels of a group share their averages.

    Raises:
        ValueError: the channels do not make `num_groups` equal groups, a parameter does
            not fit, or the batch is one value in each group.
        TypeError: the dtypes are none that torch takes.

    >>> group_norm(torch.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])

    Source: Wu and He 2018, https://arxiv.org/abs/1803.08494;
    `torch.nn.functional.group_norm`.
    """
    layer, shape = "group_norm", tuple(input.shape)
    expect(
        layer,
        input.ndim >= 2 and num_groups >= 1 and not shape[1] % num_groups,
        f"an input of shape (batch, channels, ...), with channels for {num_groups} "
        "equal groups",
        shape,
    )
    many = input.numel() != num_groups
    _more_than_one(layer, many, "value per channel", input)
    _check(layer, input, shape[1:2], weight=weight, bias=bias)
    w, b = (p if p is None else PER_GROUP(p, g=num_groups) for p in (weight, bias))
    x = GROUPED(input, g=num_groups)
    return _standardize(x, w, b, GROUP, eps)[0].reshape(input.shape)


def layer_norm(
    input: Float[Tensor, "..."],
    normalized_shape: Sequence[int],
    weight: Float[Tensor, "..."] | None = None,
    bias: Float[Tensor, "..."] | None = None,
    eps: float = 1e-5,
) -> Float[Tensor, "..."]:
    """``(..., *n) -> (..., *n)``: mean zero and variance one over the last axes.

    Raises:
        ValueError: the last axes of the input, or a parameter, do not fit.
        TypeError: the dtypes are none that torch takes.

    >>> layer_norm(torch.tensor([[1.0, 3.0], [10.0, 30.0]]), (2,))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])

    Source: Ba et al. 2016, https://arxiv.org/abs/1607.06450;
    `torch.nn.functional.layer_norm`.
    """
    return _over_last("layer_norm", input, normalized_shape, (weight, bias), eps)


def rms_norm(
    input: Num[Tensor, "..."],
    normalized_shape: Sequence[int],
    weight: Num[Tensor, "..."] | None = None,
    eps: float | None = None,
) -> Num[Tensor, "..."]:
    """``(..., *n) -> (..., *n)``: the root mean square over the last axes becomes one.

    A layer norm that takes no mean away. `eps` is that of the dtype of the sums.

    Raises:
        ValueError: the last axes of the input, or the weight, do not fit.
        TypeError: the input holds whole numbers.

    >>> rms_norm(torch.tensor([1.0, 1.0, 1.0, 5.0]), (4,))
    tensor([0.3780, 0.3780, 0.3780, 1.8898])

    Source: Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467;
    `torch.nn.functional.rms_norm`.
    """
    _no_whole_numbers("rms_norm", input)
    eps = torch.finfo(wide(input[:0]).dtype).eps if eps is None else eps
    return _over_last("rms_norm", input, normalized_shape, (weight, None), eps)


def _no_whole_numbers(layer: str, x: Tensor) -> None:
    fits = x.is_floating_point() or x.is_complex()
    expect(layer, fits, "floating-point or complex input", x.dtype, TypeError)


def _over_last(
    layer: str,
    input: Tensor,
    shape: Sequence[int],
    affine: tuple[Tensor | None, Tensor | None],
    eps: float,
) -> Tensor:
    shape, rest = tuple(shape), input.ndim - len(shape)
    expect(
        layer,
        bool(shape) and rest >= 0 and input.shape[rest:] == shape,
        f"an input with the last axes {shape}, as normalized_shape (at least one)",
        tuple(input.shape),
    )
    _check(layer, input, shape, **dict(zip(("weight", "bias"), affine, strict=True)))
    x = input.reshape(math.prod(input.shape[:rest]), math.prod(shape))
    w, b = (p if p is None else p.reshape(1, math.prod(shape)) for p in affine)
    return _standardize(x, w, b, LAYER, eps, layer == "layer_norm")[0].view_as(input)


def _near(x: Tensor, before: int, after: int) -> Tensor:
    """Each channel, plus those just before and after it."""
    padded = torch.constant_pad_nd(MERGED(x), (0, 0, before, after))
    seen = windows(padded, Kernel((before + after + 1, 1))).tensor()
    return NEIGHBOURS(seen).reshape(x.shape)


def _response(x: Tensor, size: int, alpha: float, k: float, legacy: bool) -> Tensor:
    """`k` plus `alpha` times the mean square of the channels nearby."""
    square, half = x * x, (size - 1) // 2
    total = _near(square, half if legacy else size // 2, half)
    if legacy:  # its running sum never gives back the first channel
        late = torch.arange(x.shape[1], device=x.device).view(-1, 1, 1) > half
        total = total + late * square[:, :1]
    return total * (alpha / size) + k


def _respond_gradient(
    _needed: object, cotangent: Tensor, input: Tensor, *settings: Any
) -> list[Tensor]:
    x, g, (size, alpha, beta, k, legacy) = wide(input), wide(cotangent), settings
    if legacy and size == 1:
        raise ValueError("CrossMapLRN2d: there is no gradient of a size of 1, in torch")
    scale = _response(x, size, alpha, k, legacy)
    straight = g * scale.pow(-beta)
    before = int(size - (size - 1) / 2) if legacy else (size - 1) // 2
    pull = _near(straight * x / scale, before, size - 1 - before)
    return [(straight - 2 * alpha * beta / size * x * pull).to(input.dtype)]


@with_gradient(_respond_gradient)
def _respond(
    input: Tensor, size: int, alpha: float, beta: float, k: float, legacy: bool
) -> Tensor:
    x = wide(input)
    return (x * _response(x, size, alpha, k, legacy).pow(-beta)).to(input.dtype)


def local_response_norm(
    input: Float[Tensor, "..."],
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Float[Tensor, "..."]:
    """``(b, c, ...) -> (b, c, ...)``: over the strength of the `size` channels nearby.

    That is the mean of their squares, times `alpha`, plus `k`, to the power `beta`.
    Beyond the first and the last channel are zeros, and they count in the mean.

    Raises:
        ValueError: the input has no positions, or `size` is not positive.

    >>> local_response_norm(torch.ones(1, 3, 1), 3, alpha=3.0, beta=1.0).flatten()
    tensor([0.3333, 0.2500, 0.3333])

    Source: Krizhevsky et al. 2012, section 3.3, https://papers.nips.cc/paper/4824;
    `torch.nn.functional.local_response_norm`.
    """
    expect(
        "local_response_norm",
        input.ndim >= 3 and size >= 1,
        "an input of shape (batch, channels, *n) and a positive size",
        f"{tuple(input.shape)} and {size}",
    )
    settings = (size, alpha, beta, k, False)
    return _respond(input, *settings) if input.numel() else input


def normalize(
    input: Num[Tensor, "..."],
    p: float = 2.0,
    dim: int | tuple[int, ...] = 1,
    eps: float = 1e-12,
    out: Num[Tensor, "..."] | None = None,
) -> Num[Tensor, "..."]:
    """``(...) -> (...)``: vectors along `dim`, over their `p`-norm: of length one.

    What is shorter than `eps` is divided by `eps`.

    Raises:
        TypeError: the input holds whole numbers.
        IndexError: there is no such axis, or an infinite norm is taken of nothing.
        RuntimeError: `out` is given, and a gradient is asked for.

    >>> normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])

    Source: `torch.nn.functional.normalize`.
    """
    _no_whole_numbers("normalize", input)
    norm = _norm(wide(input), p, dim).to(input.abs().dtype)
    return torch.div(input, norm.clamp_min(eps), out=out)


def _norm(x: Tensor, p: float, dim: int | tuple[int, ...]) -> Tensor:
    size = x.abs()
    if math.isinf(p):
        return (size.amax if p > 0 else size.amin)(dim, keepdim=True)
    if p == 0:
        return (size != 0).to(size.dtype).sum(dim, keepdim=True)
    # At zero, where a root has no slope, torch takes 0.
    total = size.masked_fill(size == 0, 0).pow(p).sum(dim, keepdim=True)
    return torch.where(total == 0, 0, total.masked_fill(total == 0, 1).pow(1 / p))


class _Affine(nn.Module):
    """A norm that starts with weights of one, biases of zero, and no batch seen."""

    def reset_parameters(self) -> None:
        """Weights of one, biases of zero; the running averages as before any batch."""
        self.reset_running_stats()
        for name, start in (("weight", 1.0), ("bias", 0.0)):
            if getattr(self, name, None) is not None:
                nn.init.constant_(getattr(self, name), start)

    def reset_running_stats(self) -> None:
        """Mean zero and variance one, where they are kept, and no batch counted."""
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            if getattr(self, name, None) is not None:
                getattr(self, name).fill_(name == "running_var")


class _BatchNorm(_Affine, batchnorm._BatchNorm):  # noqa: SLF001
    line = BATCH

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """By the averages of the batch in training, else by the running ones."""
        self._check_input_dim(input)  # type: ignore[no-untyped-call]
        kept, momentum = (self.running_mean, self.running_var), self.momentum or 0.0
        own = self.training or all(x is None for x in kept)
        if self.training and not self.track_running_stats:
            kept = (None, None)
        elif self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # each batch weighs the same
                momentum = 1 / float(self.num_batches_tracked)
        affine = (self.weight, self.bias)
        return batch_norm(input, *kept, *affine, own, momentum, self.eps)


class _InstanceNorm(_Affine, instancenorm._InstanceNorm):  # noqa: SLF001
    line = INSTANCE

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """`_apply_instance_norm`, after torch's checks, and within a batch of one."""
        output: Tensor = super().forward(input)
        return output

    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        given = (self.running_mean, self.running_var, self.weight, self.bias)
        own = self.training or not self.track_running_stats
        return instance_norm(input, *given, own, self.momentum or 0.0, self.eps)


class BatchNorm1d(_BatchNorm, nn.BatchNorm1d):
    """``(b, c) or (b, c, n) -> (as the input)``: `torch.nn.BatchNorm1d`."""


class BatchNorm2d(_BatchNorm, nn.BatchNorm2d):
    """``(b, c, h, w) -> (b, c, h, w)``: `torch.nn.BatchNorm2d`."""


class BatchNorm3d(_BatchNorm, nn.BatchNorm3d):
    """``(b, c, d, h, w) -> (b, c, d, h, w)``: `torch.nn.BatchNorm3d`."""


class InstanceNorm1d(_InstanceNorm, nn.InstanceNorm1d):
    """``(b, c, n) -> (b, c, n)``: `torch.nn.InstanceNorm1d`."""


class InstanceNorm2d(_InstanceNorm, nn.InstanceNorm2d):
    """``(b, c, h, w) -> (b, c, h, w)``: `torch.nn.InstanceNorm2d`."""


class InstanceNorm3d(_InstanceNorm, nn.InstanceNorm3d):
    """``(b, c, d, h, w) -> (b, c, d, h, w)``: `torch.nn.InstanceNorm3d`."""


class LazyBatchNorm1d(nn.LazyBatchNorm1d, _BatchNorm):
    """``(b, c, n) -> (b, c, n)``: its input tells it ``c``."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(nn.LazyBatchNorm2d, _BatchNorm):
    """``(b, c, h, w) -> (b, c, h, w)``: its input tells it ``c``."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(nn.LazyBatchNorm3d, _BatchNorm):
    """``(b, c, d, h, w) -> (b, c, d, h, w)``: its input tells it ``c``."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(nn.LazyInstanceNorm1d, _InstanceNorm):
    """``(b, c, n) -> (b, c, n)``: its input tells it ``c``."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(nn.LazyInstanceNorm2d, _InstanceNorm):
    """``(b, c, h, w) -> (b, c, h, w)``: its input tells it ``c``."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(nn.LazyInstanceNorm3d, _InstanceNorm):
    """``(b, c, d, h, w) -> (b, c, d, h, w)``: its input tells it ``c``."""

    cls_to_become = InstanceNorm3d


class LayerNorm(Computed, _Affine, nn.LayerNorm, by=layer_norm):
    """``(..., *n) -> (..., *n)``: `torch.nn.LayerNorm`, computed by `layer_norm`.

    ``weight`` and ``bias`` have shape ``(*n)`` and start as one and zero.
    """

    line = LAYER


class GroupNorm(Computed, _Affine, nn.GroupNorm, by=group_norm):
    """``(b, c, ...) -> (b, c, ...)``: `torch.nn.GroupNorm`, computed by `group_norm`.

    ``weight`` and ``bias`` have shape ``(c,)`` and start as one and zero.
    """

    line = GROUP


class RMSNorm(_Affine, nn.RMSNorm):
    """``(..., *n) -> (..., *n)``: `torch.nn.RMSNorm`, computed by `rms_norm`.

    ``weight`` has shape ``(*n)`` and starts as one.
    """

    line = LAYER

    def forward(self, x: Num[Tensor, "..."]) -> Num[Tensor, "..."]:
        """Root mean square one over the last axes, times the weight."""
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)


class LocalResponseNorm(Computed, nn.LocalResponseNorm, by=local_response_norm):
    """``(b, c, ...) -> (b, c, ...)``: `torch.nn.LocalResponseNorm`."""

    line = NEIGHBOURS


class CrossMapLRN2d(nn.CrossMapLRN2d):
    """``(b, c, h, w) -> (b, c, h, w)``: an older `LocalResponseNorm`, as torch has it.

    From some channel on its sum of squares has the first channel in it as well, and its
    gradient sums over other channels than its output does.
    """

    line = NEIGHBOURS

    def forward(self, input: Num[Tensor, "..."]) -> Num[Tensor, "..."]:
        """Each channel over the strength of those nearby.

        Raises:
            ValueError: the input has not 4 axes, or `size` is not positive.
        """
        expect(
            "CrossMapLRN2d",
            input.ndim == 4 and self.size >= 1,
            "an input of 4 axes and a positive size",
            f"shape {tuple(input.shape)} and size {self.size}",
        )
        return _respond(input, self.size, self.alpha, self.beta, float(self.k), True)  # noqa: FBT003
