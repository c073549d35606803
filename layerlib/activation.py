"""Activations: the steps that are no sum. Most bend each number by itself.

``@each(slope, kinds)`` is for those: the slope is a formula, or a mask for 1 and 0.
`above` and `below` make masks, true at NaN unless ``nan=False``; ``keep(x, mask)`` is
x or 0, `choose` is `torch.where`. One operation runs ``at_once``, more in pieces that
fit a cache. `normalizes` brings `dim` to the ``c`` of ``b c n`` and back; its gradient
is made from the output. ``@asked(check, shapes)`` is for `prelu` and `glu`.
"""
# isort: skip_file
# ruff: noqa: D403

import math

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from layerlib.conventions.activation import (
    asked, channels, drawn, each, even, halves, image, in_place, normalizes,
)  # fmt: skip
from layerlib.conventions.layer import Computed
from layerlib.conventions.signature import convention
from layerlib.engine.bits import above, below, choose, keep
from layerlib.engine.pieces import InPieces
from layerlib.recipe import Bend, Recipe, Reduce

Each = Shaped[Tensor, "..."]
Number = int | float
EXP, LOG = Bend("exp", torch.exp), Bend("log", torch.log)
GATE = Recipe("..., ... -> ...")
PRELU = Recipe("b c ..., c -> b c ...")
LARGEST = Reduce("b c n -> b 1 n", "max")
TOTAL = Reduce("b c n -> b 1 n", "sum")

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
GELU_LINEAR = 2 * math.sqrt(2 / math.pi)  # (1 + tanh u) / 2 = sigmoid(2 u): so the 2
GELU_CUBIC = 0.044715 * GELU_LINEAR


@each(lambda x, threshold, _: above(x, threshold), "float whole")
def threshold(input: Each, threshold: Number, value: Number) -> Each:
    """x above `threshold`, and `value` elsewhere."""
    return choose(above(input, threshold), input, value)


@each(lambda x: above(x, 0), "float whole", at_once=True)
def relu(input: Each) -> Each:
    """max(x, 0); its slope at 0 is 0."""
    return input.clamp_min(0)


@each(lambda x, low, high: above(x, low) & below(x, high), "float whole", at_once=True)
def hardtanh(input: Each, min_val: Number = -1.0, max_val: Number = 1.0) -> Each:
    """x, clamped between two bounds; at a bound the slope is 0."""
    return input.clamp(min_val, max_val)


@each(lambda x: above(x, 0) & below(x, 6), "float whole", at_once=True)
def relu6(input: Each) -> Each:
    """x, clamped between 0 and 6."""
    return input.clamp(0, 6)


def _elu_slope(x: Tensor, alpha: Number, rate: Number = 1.0) -> Tensor:
    """1 above 0, and below it the slope of alpha (e^(rate x) - 1)."""
    slope = alpha * rate * (rate * keep(x, below(x, 0, nan=False))).exp()
    jump = 1 - alpha * rate
    return slope + choose(above(x, 0), jump, 0.0) if jump else slope


@each(_elu_slope)
def elu(input: Each, alpha: Number = 1.0) -> Each:
    """x above 0, and alpha (e^x - 1) below."""
    return input.clamp_min(0) + alpha * input.clamp_max(0).expm1()


@each(lambda x: SELU_SCALE * _elu_slope(x, SELU_ALPHA))
def selu(input: Each) -> Each:
    """`elu`, scaled to keep mean 0 and variance 1: https://arxiv.org/abs/1706.02515."""
    return SELU_SCALE * (input.clamp_min(0) + SELU_ALPHA * input.clamp_max(0).expm1())


@each(lambda x, alpha: _elu_slope(x, alpha, 1 / alpha))
def celu(input: Each, alpha: Number = 1.0) -> Each:
    """x above 0, alpha (e^(x / alpha) - 1) below: https://arxiv.org/abs/1704.07483."""
    return input.clamp_min(0) + alpha * (input.clamp_max(0) / alpha).expm1()


@each(lambda x, slope: choose(above(x, 0, nan=False), 1.0, slope))
def leaky_relu(input: Each, negative_slope: Number = 0.01) -> Each:
    """x above 0, and `negative_slope` times x elsewhere."""
    return input.clamp_min(0) + negative_slope * input.clamp_max(0)


@each(at_once=True)
def rrelu(
    input: Each, lower: Number = 1 / 8, upper: Number = 1 / 3, training: bool = False
) -> Each:
    """`leaky_relu`, in training with a random slope for each number: https://arxiv.org/abs/1505.00853."""
    mean = (lower + upper) / 2
    return drawn(input, lower, upper) * input if training else leaky_relu(input, mean)


def _prelu_gradient(g: Tensor, input: Tensor, weight: Tensor) -> list[Tensor]:
    """The input's slope is 1 or the weight; the weight's is the input below 0."""
    positive = above(input, 0, nan=False)
    slanted = PRELU(keep(g, ~positive), weight)
    return [keep(g, positive) + slanted, (g * keep(input, ~positive)).sum((0, 2))]


PER_CHANNEL = InPieces("b c n, c -> b c n", "b", _prelu_gradient)


@asked(channels, "(b, c, ...), (c,) -> (b, c, ...)", PER_CHANNEL)
def prelu(input: Each, weight: Each) -> Each:
    """`leaky_relu` with a learned slope for each channel: https://arxiv.org/abs/1502.01852."""
    positive = above(input, 0, nan=False)
    return keep(input, positive) + PRELU(keep(input, ~positive), weight)


def _normal_cdf(x: Tensor) -> Tensor:
    """The probability that a standard normal variable is below x."""
    return (x * math.sqrt(0.5)).erf() * 0.5 + 0.5


def _gelu_slope(x: Tensor, approximate: str) -> Tensor:
    """The product rule: the gate, plus x times the slope of the gate."""
    if approximate == "none":
        bell = (x * x * -0.5).exp()
        return _normal_cdf(x).addcmul(x, bell, value=1 / math.sqrt(2 * math.pi))
    inner = x * (GELU_LINEAR + GELU_CUBIC * x * x)
    gate, inner_slope = inner.sigmoid(), GELU_LINEAR + 3 * GELU_CUBIC * x * x
    return gate + x * inner_slope * gate * (-inner).sigmoid()


@each(_gelu_slope, inplace=False)
def gelu(input: Each, approximate: str = "none") -> Each:
    """x times the probability that a standard normal is below x: https://arxiv.org/abs/1606.08415."""
    if approximate == "none":
        return input * _normal_cdf(input)
    return input * (input * (GELU_LINEAR + GELU_CUBIC * input * input)).sigmoid()


@each(lambda x: (-x).sigmoid(), inplace=False)
def logsigmoid(input: Each) -> Each:
    """log(sigmoid(x)), also where sigmoid(x) would be rounded to 0."""
    return input.clamp_max(0) - (-input.abs()).exp().log1p()


def _softplus_slope(x: Tensor, beta: Number, threshold: Number) -> Tensor:
    """A sigmoid, and 1 beyond the threshold."""
    return choose(above(x * beta, threshold, nan=False), 1.0, (x * beta).sigmoid())


@each(_softplus_slope, inplace=False)
def softplus(input: Each, beta: Number = 1, threshold: Number = 20) -> Each:
    """log(1 + e^(beta x)) / beta, and x where beta x is above `threshold`."""
    x = input * beta
    smooth = (x.clamp_min(0) + (-x.abs()).exp().log1p()) / beta
    return choose(above(x, threshold, nan=False), input, smooth)


@each(lambda x, lambd: above(x.abs(), lambd), inplace=False)
def hardshrink(input: Each, lambd: Number = 0.5) -> Each:
    """x, but 0 where abs(x) is at most `lambd`."""
    return keep(input, above(input.abs(), lambd))


@each(lambda x, lambd: above(x.abs(), lambd), inplace=False)
def softshrink(input: Each, lambd: Number = 0.5) -> Each:
    """x moves towards 0 by `lambd`, but not past it."""
    return input - input.clamp(-lambd, lambd)


@each(takes="float complex whole bool", inplace=False, at_once=True)
def tanh(input: Each) -> Each:
    """(e^x - e^-x) / (e^x + e^-x), between -1 and 1."""
    return input.tanh()


@each(takes="float complex whole", inplace=False)
def tanhshrink(input: Each) -> Each:
    """x - tanh(x)."""
    return input - input.tanh()


@each(takes="float complex whole", inplace=False)
def softsign(input: Each) -> Each:
    """x / (1 + abs(x)), between -1 and 1."""
    return input / (input.abs() + 1)


@each(takes="float complex whole bool", inplace=False, at_once=True)
def sigmoid(input: Each) -> Each:
    """1 / (1 + e^-x), between 0 and 1."""
    return input.sigmoid()


@each(gradient=lambda g, x: keep(g / 6, below(x.abs(), 3, nan=False)))
def hardsigmoid(input: Each) -> Each:
    """x / 6 + 1 / 2, clamped between 0 and 1."""
    return (input + 3).clamp(0, 6) / 6


def _hardswish_gradient(g: Tensor, x: Tensor) -> Tensor:
    """The slope is x / 3 + 1 / 2 inside, and 1 above."""
    inside = keep(g * (x / 3 + 0.5), below(x.abs(), 3, nan=False))
    return inside + keep(g, ~below(x, 3, nan=False))


@each(gradient=_hardswish_gradient)
def hardswish(input: Each) -> Each:
    """x times `hardsigmoid` of x: https://arxiv.org/abs/1905.02244."""
    return input * (input + 3).clamp(0, 6) / 6


def _silu_slope(x: Tensor) -> Tensor:
    """The product rule: the gate, plus x times the slope of the gate."""
    gate = x.sigmoid()
    return gate * (1 + x * (1 - gate))


@each(_silu_slope, "float complex")
def silu(input: Each) -> Each:
    """x times sigmoid(x): https://arxiv.org/abs/1702.03118."""
    return input * input.sigmoid()


def _tanh_softplus(x: Tensor) -> Tensor:
    """tanh(softplus(x)) = n / (n + 2), where n = e^x (e^x + 2)."""
    exp = x.clamp_max(20).exp()  # beyond 20 the ratio rounds to 1
    n = exp * (exp + 2)
    return n / (n + 2)


def _mish_slope(x: Tensor) -> Tensor:
    """The product rule: the gate, plus x times the slope of the gate."""
    gate = _tanh_softplus(x)
    return gate + x * x.sigmoid() * (1 - gate * gate)


@each(_mish_slope)
def mish(input: Each) -> Each:
    """x times tanh(softplus(x)): https://arxiv.org/abs/1908.08681."""
    return input * _tanh_softplus(input)


def _gated_gradient(g: Tensor, value: Tensor, gate: Tensor) -> list[Tensor]:
    """The value's slope is sigmoid(gate); the gate's is the value times its slope."""
    share = gate.sigmoid()
    opened = g * share
    return [opened, opened * value * (1 - share)]


@InPieces("..., ... -> ...", "...", _gated_gradient)
def _gated(value: Tensor, gate: Tensor) -> Tensor:
    """The value, times the sigmoid of the gate."""
    return GATE(value, sigmoid(gate))


@asked(even, "(..., 2 c) -> (..., c)")
def glu(input: Each, dim: int = -1) -> Each:
    """The first half along `dim`, times the sigmoid of the second: https://arxiv.org/abs/1612.08083."""
    return _gated(*halves(input, dim))


def _softmax_gradient(g: Tensor, probabilities: Tensor) -> Tensor:
    """p times (g minus its mean under p): the sum of the probabilities p stays 1."""
    product = g * probabilities
    return product - probabilities * TOTAL(product)


@normalizes(_softmax_gradient)
def softmax(x: Each) -> Each:
    """e^x, divided by its sum along `dim`.

    Subtracting the largest x changes nothing, and keeps e^x from overflowing.

    >>> softmax(torch.tensor([1000.0, 1000.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    exp = EXP(x - LARGEST(x))
    return exp / TOTAL(exp)


@normalizes()
def softmin(x: Each) -> Each:
    """`softmax` of the negative."""
    return softmax(-x, 1)


def _log_softmax_gradient(g: Tensor, logarithms: Tensor) -> Tensor:
    """Adding one number to all x changes nothing, so the slopes must add up to 0."""
    return g - EXP(logarithms) * TOTAL(g)


@normalizes(_log_softmax_gradient)
def log_softmax(x: Each) -> Each:
    """The logarithm of `softmax`, also where softmax would be rounded to 0."""
    shifted = x - LARGEST(x)
    return shifted - LOG(TOTAL(EXP(shifted)))


threshold_, relu_, hardtanh_ = map(in_place, (threshold, relu, hardtanh))
elu_, selu_, celu_ = map(in_place, (elu, selu, celu))
leaky_relu_, rrelu_ = map(in_place, (leaky_relu, rrelu))


# fmt: off
class Threshold(Computed, nn.Threshold, by=threshold): ...
class ReLU(Computed, nn.ReLU, by=relu): ...
class RReLU(Computed, nn.RReLU, by=rrelu): ...
class Hardtanh(Computed, nn.Hardtanh, by=hardtanh): ...
class ReLU6(Hardtanh, nn.ReLU6, by=hardtanh): ...
class Sigmoid(Computed, nn.Sigmoid, by=sigmoid): ...
class Hardsigmoid(Computed, nn.Hardsigmoid, by=hardsigmoid): ...
class Tanh(Computed, nn.Tanh, by=tanh): ...
class SiLU(Computed, nn.SiLU, by=silu): ...
class Mish(Computed, nn.Mish, by=mish): ...
class Hardswish(Computed, nn.Hardswish, by=hardswish): ...
class ELU(Computed, nn.ELU, by=elu): ...
class CELU(Computed, nn.CELU, by=celu): ...
class SELU(Computed, nn.SELU, by=selu): ...
class GELU(Computed, nn.GELU, by=gelu): ...
class Hardshrink(Computed, nn.Hardshrink, by=hardshrink): ...
class LeakyReLU(Computed, nn.LeakyReLU, by=leaky_relu): ...
class LogSigmoid(Computed, nn.LogSigmoid, by=logsigmoid): ...
class Softplus(Computed, nn.Softplus, by=softplus): ...
class Softshrink(Computed, nn.Softshrink, by=softshrink): ...
class Softsign(Computed, nn.Softsign, by=softsign): ...
class Tanhshrink(Computed, nn.Tanhshrink, by=tanhshrink): ...
class GLU(Computed, nn.GLU, by=glu, line=GATE): ...
class Softmin(Computed, nn.Softmin, by=softmin, line=TOTAL): ...
class Softmax(Computed, nn.Softmax, by=softmax, line=TOTAL): ...
class LogSoftmax(Computed, nn.LogSoftmax, by=log_softmax, line=TOTAL): ...


class PReLU(Computed, nn.PReLU, by=prelu, line=PRELU):
    def reset_parameters(self) -> None:
        """Sets the initial value."""
        nn.init.constant_(self.weight, self.init)


class Softmax2d(Computed, nn.Softmax2d, by=softmax, line=TOTAL):
    """``(b, c, h, w) -> (b, c, h, w)``: `softmax` over the channels of each place."""

    @convention(image)
    def forward(self, input: Each) -> Each:
        """The softmax of the channels."""
        return softmax(input, -3)
