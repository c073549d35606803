"""Activations: the one step of a network that is no sum: each number, by itself.

A function of one number stands beside its gradient, ``lambda g, x: ...``: that of the
loss for its output, g, and its input in, that for its input out.
"""

import functools
import inspect
import math
import warnings
from collections.abc import Callable, Sequence
from inspect import Parameter
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.autograd import forward_ad

from layerlib.conventions.dtypes import wide
from layerlib.conventions.expect import expect
from layerlib.conventions.layer import Computed
from layerlib.engine.gradient import with_gradient
from layerlib.recipe import Rearrange, Recipe, Reduce

Each = Shaped[Tensor, "..."]
Number = int | float
DType = torch.dtype | None

BLOCK = 2**18
"""How many numbers are computed at a time."""

ELEMENTWISE = Rearrange("... -> ...")
GATE = Recipe("..., ... -> ...")
PRELU = Recipe("b c ..., c -> b c ...")
SOFTMAX = Reduce("... c -> ... 1", "sum")

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
GELU_LINEAR = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715 * GELU_LINEAR

_COMMON = """{told}

    Raises:
        TypeError: torch does not take numbers of this kind here.
        ValueError: a setting is out of its range, or a shape does not fit.
        RuntimeError: in place, autograd needs what would be written over.

    Source: `torch.nn.functional.{name}`."""


def _computed_gradient(
    _needed: object,
    cotangent: Tensor,
    input: Tensor,
    _value: object,
    gradient: Callable[..., Tensor],
    *settings: Any,
) -> list[Tensor]:
    found = _blockwise(
        lambda g, x: gradient(wide(g), wide(x), *settings).to(x.dtype),
        cotangent,
        input,
    )
    return [_tied(found, input)]


@with_gradient(_computed_gradient)
def _computed(
    input: Tensor, value: Callable[..., Tensor], _gradient: object, *settings: Any
) -> Tensor:
    return _blockwise(lambda x: value(wide(x), *settings).to(x.dtype), input)


def _blockwise(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """A function of each number, on many numbers block by block.

    What it needs on the way then takes the memory of one block. A function that is
    recorded or compiled is called once.
    """
    *_, last = tensors
    recorded = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
    few = last.numel() <= BLOCK or not last.is_contiguous()
    if recorded or few or torch.compiler.is_compiling():
        return function(*tensors)
    output = torch.empty_like(last)
    blocks = (torch.split(x.reshape(-1), BLOCK) for x in (*tensors, output))
    for *given, written in zip(*blocks, strict=True):
        written.copy_(function(*given))
    return output


@with_gradient(lambda _needed, cotangent, _given, x: [cotangent, torch.zeros_like(x)])
def _tied(given: Tensor, _x: Tensor) -> Tensor:
    """`given`, as a function of x as well: one with the gradient 0."""
    return given.view_as(given)


def _spared_gradient(
    _needed: object, cotangent: Tensor, _given: Tensor, dead: Tensor
) -> list[Tensor]:
    return [_spared(cotangent, dead)]


@with_gradient(_spared_gradient)
def _spared(given: Tensor, dead: Tensor) -> Tensor:
    """`given`, and 0 where `dead`, whatever was there: infinity and NaN too.

    `torch.where` branches for each number, and takes ten times as long where the
    processor cannot guess the branch.
    """
    if forward_ad.unpack_dual(given).tangent is not None:  # type: ignore[no-untyped-call]
        return given.masked_fill(dead, 0)  # bits would lose it
    whole = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    bits = dead.to(whole[given.element_size()]).sub_(1)  # all of them, or none
    return (bits & given.view(bits.dtype)).view(given.dtype)


def _takes(*kinds: str) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Checks the kind of the numbers, and documents what all have in common."""

    def decorate(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        name = function.__name__

        @functools.wraps(function)
        def wrapper(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            _check_kind(name, input, *kinds)
            return function(input, *args, **kwargs)

        wrapper.__doc__ = _COMMON.format(told=function.__doc__, name=name)
        return wrapper

    return decorate


def _check_kind(name: str, input: Tensor, *kinds: str) -> None:
    kind = "float" if input.is_floating_point() else "whole"
    kind = "complex" if input.is_complex() else kind
    kind = "bool" if input.dtype == torch.bool else kind
    told = f"{' or '.join(kinds)} numbers"
    expect(name, kind in kinds, told, input.dtype, TypeError)


def _elementwise(
    gradient: Callable[..., Tensor], *kinds: str, inplace: bool = True
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """A function of each number, with its gradient, and with an argument `inplace`.

    Both get the same settings. Half precision is computed in float32 and rounded once,
    and for whole numbers the settings are cut to such, as in torch.
    """

    def decorate(value: Callable[..., Tensor]) -> Callable[..., Tensor]:
        _, *parameters = inspect.signature(value).parameters.values()
        if inplace:
            kind = Parameter.POSITIONAL_OR_KEYWORD
            parameters += [Parameter("inplace", kind, default=False)]
        names = [p.name for p in parameters]
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}

        @functools.wraps(value)
        def wrapper(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            given = defaults | dict(zip(names, args, strict=False)) | kwargs
            if given.keys() != set(names) or len(args) > len(names):
                signature.bind(input, *args, **kwargs)  # raises what is wrong
            within = given.pop("inplace", False)
            settings = [given[name] for name in names if name in given]
            if not (input.is_floating_point() or input.is_complex()):
                settings = [int(setting) for setting in settings]
            # What the gradient reads must outlive the input that is written over.
            asked = within and torch.is_grad_enabled() and input.requires_grad
            x = input.clone() if asked else input
            output = _computed(x, value, gradient, *settings)
            return input.copy_(output) if within else output

        first = Parameter("input", Parameter.POSITIONAL_OR_KEYWORD)
        signature = inspect.Signature([first, *parameters])
        vars(wrapper)["__signature__"] = signature
        return _takes("float", *kinds)(wrapper)

    return decorate


@_elementwise(lambda g, x, threshold, _: _spared(g, x <= threshold), "whole")
def threshold(input: Each, threshold: Number, value: Number) -> Each:
    """``(...) -> (...)``: what is above `threshold` stays, and the rest is `value`."""
    low = input <= threshold
    return _spared(input, low).add_(_spared(input.new_full((), value), ~low))


@_elementwise(lambda g, x: _spared(g, x <= 0), "whole")
def relu(input: Each) -> Each:
    """``(...) -> (...)``: max(0, x); its gradient at 0 is 0."""
    return input.clamp_min(0)


@_elementwise(lambda g, x, low, high: _spared(g, (x <= low) | (x >= high)), "whole")
def hardtanh(input: Each, min_val: Number = -1.0, max_val: Number = 1.0) -> Each:
    """``(...) -> (...)``: x, held between two bounds; at a bound the gradient is 0."""
    told = f"{min_val} and {max_val}"
    expect("hardtanh", min_val <= max_val, "min_val <= max_val", told)
    if min_val < 0 and not input.dtype.is_signed:
        raise ValueError(f"hardtanh: {input.dtype} has no number below 0, as {min_val}")
    return input.clamp(min_val, max_val)


@_elementwise(lambda g, x: _spared(g, (x <= 0) | (x >= 6)), "whole")
def relu6(input: Each) -> Each:
    """``(...) -> (...)``: x, held between 0 and 6."""
    return input.clamp(0, 6)


def _elu(x: Tensor, alpha: Number, scale: Number = 1.0, inner: Number = 1.0) -> Tensor:
    low = (x.clamp_max(0) * inner).expm1_().mul_(alpha * scale)
    return low.add_(x.clamp_min(0), alpha=scale)


def _elu_gradient(
    g: Tensor, x: Tensor, alpha: Number, scale: Number = 1.0, inner: Number = 1.0
) -> Tensor:
    slope = _spared(x, ~(x < 0)).mul_(inner).exp().mul(alpha * inner * scale)
    if alpha * inner != 1:  # it jumps at 0
        slope.add_(~(x <= 0), alpha=scale * (1 - alpha * inner))
    return g * slope


@_elementwise(_elu_gradient)
def elu(input: Each, alpha: Number = 1.0) -> Each:
    """``(...) -> (...)``: x above 0, and alpha (e^x - 1) below."""
    return _elu(input, alpha)


@_elementwise(lambda g, x: _elu_gradient(g, x, SELU_ALPHA, SELU_SCALE))
def selu(input: Each) -> Each:
    """``(...) -> (...)``: `elu`, scaled so that mean 0 and variance 1 stay.

    That is, from layer to layer: https://arxiv.org/abs/1706.02515.
    """
    return _elu(input, SELU_ALPHA, SELU_SCALE)


@_elementwise(lambda g, x, alpha: _elu_gradient(g, x, alpha, 1.0, 1 / alpha))
def celu(input: Each, alpha: Number = 1.0) -> Each:
    """``(...) -> (...)``: x above 0, and alpha (e^(x / alpha) - 1) below.

    Its gradient has no jump at 0, whatever alpha: https://arxiv.org/abs/1704.07483.
    """
    expect("celu", alpha != 0, "an alpha that is not 0", alpha)
    return _elu(input, alpha, 1.0, 1 / alpha)


@_elementwise(lambda g, x, slope: g * (x > 0).to(x.dtype).mul_(1 - slope).add_(slope))
def leaky_relu(input: Each, negative_slope: Number = 0.01) -> Each:
    """``(...) -> (...)``: x above 0, and `negative_slope` times x elsewhere."""
    return input.clamp_min(0).add_(input.clamp_max(0), alpha=negative_slope)


@_takes("float")
def rrelu(
    input: Each,
    lower: Number = 1.0 / 8,
    upper: Number = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Each:
    """``(...) -> (...)``: `leaky_relu` with a slope drawn for each number.

    In training between `lower` and `upper`, and later their mean:
    https://arxiv.org/abs/1505.00853.
    """
    fits, told = lower <= upper < math.inf, f"{lower} and {upper}"
    expect("rrelu", fits, "lower <= upper, both finite", told)
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slope = _drawn(input.detach(), lower, upper)
    return input.mul_(slope) if inplace else input * slope


def _drawn(x: Tensor, lower: Number, upper: Number) -> Tensor:
    # torch draws float64, row by row, and only for the numbers that are not above 0.
    low, high = (x.new_full((), bound).double() for bound in (lower, upper))
    count = 0 if x.is_meta else int((x <= 0).sum())
    drawn = x.new_empty(count, dtype=torch.float64).uniform_() * (high - low) + low
    slope = torch.ones_like(x, memory_format=torch.contiguous_format)
    slope[x <= 0] = drawn.to(x.dtype)
    return slope


@_takes("float")
def prelu(input: Each, weight: Each) -> Each:
    """``(b, c, ...), (c,) -> (b, c, ...)``: `leaky_relu`, its slope a parameter.

    One number serves all channels; what has no axis ``c`` has one channel.
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    fits = weight.ndim <= 1 and weight.numel() in (1, channels)
    expect("prelu", fits, f"a weight of 1 or {channels} numbers", weight)
    told, got = f"a weight of {input.dtype}", weight.dtype
    expect("prelu", input.dtype == got, told, got, TypeError)
    shape = [-1 if axis == min(1, input.ndim - 1) else 1 for axis in range(input.ndim)]
    return _prelu(input, weight.reshape(shape))


def _prelu_gradient(
    needed: Sequence[bool], cotangent: Tensor, input: Tensor, weight: Tensor
) -> list[Tensor | None]:
    g, x, w = wide(cotangent), wide(input), wide(weight)
    found = (g * w.lerp(w.new_ones(()), (x > 0).to(x.dtype))).to(input.dtype)
    if not needed[1]:
        return [found]
    return [found, _spared(g * x, x > 0).sum_to_size(w.shape).to(w.dtype)]


@with_gradient(_prelu_gradient)
def _prelu(input: Tensor, weight: Tensor) -> Tensor:
    x = wide(input)
    return (x.clamp_max(0) * wide(weight)).add_(x.clamp_min(0)).to(input.dtype)


def _below(x: Tensor) -> Tensor:
    return (x * math.sqrt(0.5)).erf().add_(1).mul_(0.5)


def _gelu_gradient(g: Tensor, x: Tensor, approximate: str) -> Tensor:
    square = x * x
    if approximate == "none":
        density = square.mul_(-0.5).exp()
        return g * _below(x).addcmul(x, density, value=1 / math.sqrt(2 * math.pi))
    z, slope = (x * (square * (n * GELU_CUBIC) + GELU_LINEAR) for n in (1, 3))
    s = z.sigmoid()
    return g * torch.addcmul(s, slope, s * (-z).sigmoid())


@_elementwise(_gelu_gradient, inplace=False)
def gelu(input: Each, approximate: str = "none") -> Each:
    """``(...) -> (...)``: x times the probability that a normal number is below x.

    With ``approximate="tanh"`` that probability is the sigmoid of a polynomial:
    https://arxiv.org/abs/1606.08415.
    """
    fits, told = approximate in ("none", "tanh"), repr(approximate)
    expect("gelu", fits, "approximate to be 'none' or 'tanh'", told)
    if approximate == "none":
        return _below(input).mul_(input)
    polynomial = (input * input).mul_(GELU_CUBIC).add_(GELU_LINEAR).mul_(input)
    return polynomial.sigmoid_().mul_(input)


@_elementwise(lambda g, x: g * (-x).sigmoid(), inplace=False)
def logsigmoid(input: Each) -> Each:
    """``(...) -> (...)``: log(sigmoid(x)), exact where sigmoid(x) would be 0."""
    return input.clamp_max(0) - input.abs().neg_().exp_().log1p_()


def _softplus_gradient(g: Tensor, x: Tensor, beta: Number, threshold: Number) -> Tensor:
    far = x * beta > threshold
    return _spared(g, ~far) + _spared(g * (x * beta).sigmoid(), far)


@_elementwise(_softplus_gradient, inplace=False)
def softplus(input: Each, beta: Number = 1, threshold: Number = 20) -> Each:
    """``(...) -> (...)``: log(1 + e^(beta x)) / beta: `relu` without its corner.

    Where beta x is above `threshold` it is x.
    """
    far = input * beta > threshold
    return _spared(input, ~far).sub_(_spared(logsigmoid(input * -beta) / beta, far))


@_elementwise(lambda g, x, lambd: _spared(g, x.abs() <= lambd), inplace=False)
def hardshrink(input: Each, lambd: Number = 0.5) -> Each:
    """``(...) -> (...)``: what is at most `lambd` from 0 becomes 0."""
    return _spared(input, input.abs() <= lambd)


@_elementwise(lambda g, x, lambd: _spared(g, x.abs() <= lambd), inplace=False)
def softshrink(input: Each, lambd: Number = 0.5) -> Each:
    """``(...) -> (...)``: each number moves towards 0 by `lambd`, and not beyond."""
    fits = 0 <= lambd <= torch.finfo(input.dtype).max
    expect("softshrink", fits, "lambd >= 0 and finite", lambd)
    return input - input.clamp(-lambd, lambd)


@_takes("float", "complex", "whole", "bool")
def tanh(input: Each) -> Each:
    """``(...) -> (...)``: (e^x - e^-x) / (e^x + e^-x), between -1 and 1."""
    return input.tanh()


@_takes("float", "complex", "whole")
def tanhshrink(input: Each) -> Each:
    """``(...) -> (...)``: x - tanh(x)."""
    return input - input.tanh()


@_takes("float", "complex", "whole")
def softsign(input: Each) -> Each:
    """``(...) -> (...)``: x / (1 + abs(x)), between -1 and 1."""
    return input / (input.abs() + 1)


@_takes("float", "complex", "whole", "bool")
def sigmoid(input: Each) -> Each:
    """``(...) -> (...)``: 1 / (1 + e^-x), between 0 and 1."""
    return input.sigmoid()


@_elementwise(lambda g, x: _spared(g / 6, ~(x.abs() < 3)))
def hardsigmoid(input: Each) -> Each:
    """``(...) -> (...)``: x / 6 + 1 / 2, held between 0 and 1."""
    return (input + 3).clamp(0, 6).div_(6)


@_elementwise(
    lambda g, x: _spared((x / 3).add_(0.5).mul(g), ~(x.abs() < 3)).add_(
        _spared(g, x < 3)
    )
)
def hardswish(input: Each) -> Each:
    """``(...) -> (...)``: x times `hardsigmoid` of x: https://arxiv.org/abs/1905.02244."""
    return (input + 3).clamp(0, 6).div_(6).mul_(input)


def _silu_gradient(g: Tensor, x: Tensor) -> Tensor:
    s = x.sigmoid()
    return g * s.lerp(s.new_ones(()), x * s).conj()


@_elementwise(_silu_gradient, "complex")
def silu(input: Each) -> Each:
    """``(...) -> (...)``: x times sigmoid(x): https://arxiv.org/abs/1702.03118."""
    return input.sigmoid().mul_(input)


def _tanh_softplus(x: Tensor) -> Tensor:
    exp = x.clamp_max(20).exp()  # above, it is 1 even in float64
    n = exp * (exp + 2)
    return n / (n + 2)


def _mish_gradient(g: Tensor, x: Tensor) -> Tensor:
    t = _tanh_softplus(x)
    return g * torch.addcmul(t, x * x.sigmoid(), 1 - t * t)


@_elementwise(_mish_gradient)
def mish(input: Each) -> Each:
    """``(...) -> (...)``: x times tanh(softplus(x)): https://arxiv.org/abs/1908.08681.

    With n = e^x (e^x + 2) that is x n / (n + 2).
    """
    return _tanh_softplus(input).mul_(input)


@_takes("float")
def glu(input: Each, dim: int = -1) -> Each:
    """``(..., 2 c) -> (..., c)``: one half along `dim`, times sigmoid of the other.

    https://arxiv.org/abs/1612.08083.
    """
    even = input.ndim > 0 and input.shape[dim] % 2 == 0
    expect("glu", even, f"an even size in axis {dim}", input)
    return _glu(input, dim)


def _glu_gradient(
    _needed: object, cotangent: Tensor, input: Tensor, dim: int
) -> list[Tensor]:
    a, b = wide(input).chunk(2, dim)
    s = b.sigmoid()
    gated = wide(cotangent) * s
    return [torch.cat([gated, gated * a * (1 - s)], dim).to(input.dtype)]


@with_gradient(_glu_gradient)
def _glu(input: Tensor, dim: int) -> Tensor:
    a, b = wide(input).chunk(2, dim)
    return b.sigmoid().mul_(a).to(input.dtype)


def softmax(
    input: Each, dim: int | None = None, _stacklevel: int = 3, dtype: DType = None
) -> Each:
    """``(..., c) -> (..., c)``: e^x, divided by its sum along `dim`.

    The largest number is first subtracted: that changes nothing, and without it e^x
    overflows.

    Raises:
        TypeError: the numbers are not floating-point.
        IndexError: there is no axis `dim`.

    >>> softmax(torch.tensor([1000.0, 1000.0]), dim=0)
    tensor([0.5000, 0.5000])

    Source: `torch.nn.functional.softmax`.
    """
    return _softmax(*_axis("softmax", input, dim, _stacklevel, dtype))


def softmin(
    input: Each, dim: int | None = None, _stacklevel: int = 3, dtype: DType = None
) -> Each:
    """``(..., c) -> (..., c)``: `softmax` of the negative.

    Raises: what `softmax` raises.

    Source: `torch.nn.functional.softmin`.
    """
    return _softmax(*_axis("softmin", -input, dim, _stacklevel, dtype))


def log_softmax(
    input: Each, dim: int | None = None, _stacklevel: int = 3, dtype: DType = None
) -> Each:
    """``(..., c) -> (..., c)``: the logarithm of `softmax`, which is never 0 inside.

    Raises: what `softmax` raises.

    >>> log_softmax(torch.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])

    Source: `torch.nn.functional.log_softmax`.
    """
    return _log_softmax(*_axis("log_softmax", input, dim, _stacklevel, dtype))


def _axis(
    name: str, input: Tensor, dim: int | None, level: int, dtype: DType
) -> tuple[Tensor, int]:
    if dim is None:
        told = f"Implicit dimension choice for {name} has been deprecated. "
        told += "Change the call to include dim=X as an argument."
        warnings.warn(told, stacklevel=level)
        dim = 0 if input.ndim in (0, 1, 3) else 1
    numbers = input if dtype is None else input.to(dtype)
    _check_kind(name, numbers, "float")
    return numbers, dim


def _softmax_gradient(
    _needed: object, cotangent: Tensor, output: Tensor, _input: object, dim: int
) -> list[Tensor]:
    y = wide(output)
    product = wide(cotangent) * y
    total = product.sum(dim, keepdim=True)
    return [torch.addcmul(product, y, total, value=-1).to(output.dtype)]


@with_gradient(_softmax_gradient, keeps_output=True, keeps_inputs=False)
def _softmax(input: Tensor, dim: int) -> Tensor:
    exp = _shifted(input, dim).exp_()
    return exp.div_(exp.sum(dim, keepdim=True)).to(input.dtype)


def _log_softmax_gradient(
    _needed: object, cotangent: Tensor, output: Tensor, _input: object, dim: int
) -> list[Tensor]:
    g, exp = wide(cotangent), wide(output).exp()
    total = g.sum(dim, keepdim=True)
    return [torch.addcmul(g, exp, total, value=-1).to(output.dtype)]


@with_gradient(_log_softmax_gradient, keeps_output=True, keeps_inputs=False)
def _log_softmax(input: Tensor, dim: int) -> Tensor:
    shifted = _shifted(input, dim)
    total = shifted.exp().sum(dim, keepdim=True)
    return shifted.sub_(total.log_()).to(input.dtype)


def _shifted(input: Tensor, dim: int) -> Tensor:
    x = wide(input)  # where there are no numbers, there is no largest one
    return x - (x.amax(dim, keepdim=True) if x.numel() else x.sum(dim, keepdim=True))


def _in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The same function, always in place, under its name with ``_``."""
    name = f"{function.__name__}_"
    told = f"``(...) -> (...)``: `{function.__name__}`, written into the input."
    *settings, _ = inspect.signature(function).parameters.values()

    def wrapper(*args: Any, **kwargs: Any) -> Tensor:
        return function(*args, **kwargs, inplace=True)

    wrapper.__name__ = wrapper.__qualname__ = name
    wrapper.__doc__ = _COMMON.format(told=told, name=name)
    vars(wrapper)["__signature__"] = inspect.Signature(settings)
    return wrapper


threshold_ = _in_place(threshold)
relu_ = _in_place(relu)
hardtanh_ = _in_place(hardtanh)
elu_ = _in_place(elu)
selu_ = _in_place(selu)
celu_ = _in_place(celu)
leaky_relu_ = _in_place(leaky_relu)
rrelu_ = _in_place(rrelu)


class _Each(Computed):
    line = ELEMENTWISE


class Threshold(_Each, nn.Threshold, by=threshold):
    """``(...) -> (...)``: `torch.nn.Threshold`, computed by `threshold`."""


class ReLU(_Each, nn.ReLU, by=relu):
    """``(...) -> (...)``: `torch.nn.ReLU`, computed by `relu`."""


class RReLU(_Each, nn.RReLU, by=rrelu):
    """``(...) -> (...)``: `torch.nn.RReLU`, computed by `rrelu`."""


class Hardtanh(_Each, nn.Hardtanh, by=hardtanh):
    """``(...) -> (...)``: `torch.nn.Hardtanh`, computed by `hardtanh`."""


class ReLU6(_Each, nn.ReLU6, by=hardtanh):
    """``(...) -> (...)``: `torch.nn.ReLU6`, computed by `hardtanh`: 0 and 6."""


class Sigmoid(_Each, nn.Sigmoid, by=sigmoid):
    """``(...) -> (...)``: `torch.nn.Sigmoid`, computed by `sigmoid`."""


class Hardsigmoid(_Each, nn.Hardsigmoid, by=hardsigmoid):
    """``(...) -> (...)``: `torch.nn.Hardsigmoid`, computed by `hardsigmoid`."""


class Tanh(_Each, nn.Tanh, by=tanh):
    """``(...) -> (...)``: `torch.nn.Tanh`, computed by `tanh`."""


class SiLU(_Each, nn.SiLU, by=silu):
    """``(...) -> (...)``: `torch.nn.SiLU`, computed by `silu`."""


class Mish(_Each, nn.Mish, by=mish):
    """``(...) -> (...)``: `torch.nn.Mish`, computed by `mish`."""


class Hardswish(_Each, nn.Hardswish, by=hardswish):
    """``(...) -> (...)``: `torch.nn.Hardswish`, computed by `hardswish`."""


class ELU(_Each, nn.ELU, by=elu):
    """``(...) -> (...)``: `torch.nn.ELU`, computed by `elu`."""


class CELU(_Each, nn.CELU, by=celu):
    """``(...) -> (...)``: `torch.nn.CELU`, computed by `celu`."""


class SELU(_Each, nn.SELU, by=selu):
    """``(...) -> (...)``: `torch.nn.SELU`, computed by `selu`."""


class GELU(_Each, nn.GELU, by=gelu):
    """``(...) -> (...)``: `torch.nn.GELU`, computed by `gelu`."""


class Hardshrink(_Each, nn.Hardshrink, by=hardshrink):
    """``(...) -> (...)``: `torch.nn.Hardshrink`, computed by `hardshrink`."""


class LeakyReLU(_Each, nn.LeakyReLU, by=leaky_relu):
    """``(...) -> (...)``: `torch.nn.LeakyReLU`, computed by `leaky_relu`."""


class LogSigmoid(_Each, nn.LogSigmoid, by=logsigmoid):
    """``(...) -> (...)``: `torch.nn.LogSigmoid`, computed by `logsigmoid`."""


class Softplus(_Each, nn.Softplus, by=softplus):
    """``(...) -> (...)``: `torch.nn.Softplus`, computed by `softplus`."""


class Softshrink(_Each, nn.Softshrink, by=softshrink):
    """``(...) -> (...)``: `torch.nn.Softshrink`, computed by `softshrink`."""


class Softsign(_Each, nn.Softsign, by=softsign):
    """``(...) -> (...)``: `torch.nn.Softsign`, computed by `softsign`."""


class Tanhshrink(_Each, nn.Tanhshrink, by=tanhshrink):
    """``(...) -> (...)``: `torch.nn.Tanhshrink`, computed by `tanhshrink`."""


class GLU(Computed, nn.GLU, by=glu):
    """``(..., 2 c) -> (..., c)``: `torch.nn.GLU`, computed by `glu`."""

    line = GATE


class PReLU(Computed, nn.PReLU, by=prelu):
    """``(b, c, ...) -> (b, c, ...)``: `torch.nn.PReLU`, computed by `prelu`.

    ``weight`` has shape ``(num_parameters,)`` and starts at `init`.
    """

    line = PRELU

    def reset_parameters(self) -> None:
        """Sets the initial value."""
        nn.init.constant_(self.weight, self.init)


class _Softmax(Computed):
    line = SOFTMAX
    _stacklevel = 5  # a warning names the line that called the layer


class Softmin(_Softmax, nn.Softmin, by=softmin):
    """``(..., c) -> (..., c)``: `torch.nn.Softmin`, computed by `softmin`."""


class Softmax(_Softmax, nn.Softmax, by=softmax):
    """``(..., c) -> (..., c)``: `torch.nn.Softmax`, computed by `softmax`."""


class LogSoftmax(_Softmax, nn.LogSoftmax, by=log_softmax):
    """``(..., c) -> (..., c)``: `torch.nn.LogSoftmax`, computed by `log_softmax`."""


class Softmax2d(_Softmax, nn.Softmax2d, by=softmax):
    """``(b, c, h, w) -> (b, c, h, w)``: `softmax` over the channels of each place.

    Raises:
        ValueError: the input has neither three nor four axes.
    """

    dim = -3

    def forward(self, input: Each) -> Each:
        """The softmax of the channels."""
        told = "an input of shape (b, c, h, w) or (c, h, w)"
        expect("Softmax2d", input.ndim in (3, 4), told, tuple(input.shape))
        return softmax(input, self.dim)
