"""Each recipe is broken on purpose, in its known ways, and its tests must notice."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "layerlib"

# By the file that is broken, and the tests that must notice where those are others.
MISTAKES: dict[str, dict[str, tuple[str, str]]] = {
    "recipe": {
        "an outer sum instead of a product": ("torch.mul, moved", "torch.add, moved"),
        "the mean instead of the sum": ('summed, "sum"', 'summed, "mean"'),
        "the gradient forgets an input": (
            "(*self.inputs[:which], *self.inputs[which + 1 :])",
            "self.inputs[which + 1 :]",
        ),
        "the gradient keeps the input itself": (
            "*self.inputs[which + 1 :])",
            "*self.inputs[which:])",
        ),
        "sizes of 1 are stretched": ("if size != known:", "if size != known != (1,):"),
        "one product too many is counted": ("(len(tensors) - 1) * product", "len(tensors) * product"),
        "the output is counted in elements": (
            "for a in self.output) * width",
            "for a in self.output)",
        ),
        "kept letters are marked as summed": ("name not in set(right)", "name in set(right)"),
        "the bytes of the narrower type": ("torch.promote_types", "lambda _, narrow: narrow"),
    },
    "shapes": {
        "width and height of the tiles exchanged": (
            '"... (c kh kw) h w -> ... c (h kh) (w kw)"',
            '"... (c kw kh) h w -> ... c (h kh) (w kw)"',
        ),
        "tiles laid out by the tile first": (
            '"... (c kh kw) h w -> ... c (h kh) (w kw)"',
            '"... (c kh kw) h w -> ... c (kh h) (kw w)"',
        ),
        "channels of a tile taken first": (
            '"... (c kh kw) h w -> ... c (h kh) (w kw)"',
            '"... (kh kw c) h w -> ... c (h kh) (w kw)"',
        ),
        "unshuffle reads the tile first": (
            '"... c (h kh) (w kw) -> ... (c kh kw) h w"',
            '"... c (kh h) (kw w) -> ... (c kh kw) h w"',
        ),
        "channels dealt out the other way": (
            '"b (g c) ... -> b (c g) ..."',
            '"b (c g) ... -> b (g c) ..."',
        ),
        "channels not dealt out": (
            '"b (g c) ... -> b (c g) ..."',
            '"b (g c) ... -> b (g c) ..."',
        ),
        "the end left out": ('"end_dim", end_dim, input) + 1', '"end_dim", end_dim, input)'),
        "the rest of the axes taken from the end": ("*shape[end:])", "*shape[end + 1:])"),
        "-1 takes the whole length": ("length // known if size == -1", "length if size == -1"),
        "the axis behind instead of the axis": (
            "*input.shape[dim + 1 :]",
            "*input.shape[dim:]",
        ),
    },
    "linear": {
        "the weight read as (in, out)": ('"... i, o i -> ... o"', '"... i, i o -> ... o"'),
        "the bias added twice": (
            ("    output = (LINEAR if weight.ndim == 2 else DOT)(input, weight)\n"
            "    return output if bias is None else output + bias"),
            ("    output = (LINEAR if weight.ndim == 2 else DOT)(input, weight)\n"
            "    return output if bias is None else output + 2 * bias"),
        ),
        "the bias forgotten": (
            "DOT)(input, weight)\n    return output if bias is None else output + bias",
            "DOT)(input, weight)\n    return output",
        ),
        "a bias of another shape is broadcast": (
            "if bias is not None and bias.shape != shape:",
            "if False:",
        ),
        "the weight detached": ("else DOT)(input, weight)", "else DOT)(input, weight.detach())"),
        "the bound without the root": (
            "bound = 1 / math.sqrt(self.in_features) if",
            "bound = 1 / self.in_features if",
        ),
        "another gain": ("a=math.sqrt(5)", "a=math.sqrt(3)"),
        "bias drawn before the weight": (
            ("        bound = 1 / math.sqrt(self.in1_features)\n"
            "        nn.init.uniform_(self.weight, -bound, bound)\n"),
            ("        bound = 1 / math.sqrt(self.in1_features)\n"
            "        nn.init.uniform_(self.bias, -bound, bound) if self.bias is not None else 0\n"
            "        nn.init.uniform_(self.weight, -bound, bound)\n"),
        ),
        "the inputs of a pair exchanged": ('"... i, o i j, ... j', '"... i, o j i, ... j'),
        "a lazy layer becomes torch's": ("    cls_to_become = Linear\n", ""),
    },
    "nlinear": {
        "one weight shared by all": (
            "w = weight.reshape(math.prod(n), i, o)",
            "w = weight.reshape(math.prod(n), i, o)[:1].expand(math.prod(n), i, o)",
        ),
        "the weight read as (out, in)": ('"b n i, n i o -> b n o"', '"b n i, n o i -> b n o"'),
        "the bias forgotten": (
            "start = bias.reshape(math.prod(n), 1, o)",
            "start = 0 * bias.reshape(math.prod(n), 1, o)",
        ),
        "batch and positions exchanged": (
            "input.reshape(math.prod(batch), math.prod(n), i)",
            "input.reshape(math.prod(n), math.prod(batch), i).transpose(0, 1)",
        ),
        "the bound of the outputs": ("self.in_features**-0.5", "self.out_features**-0.5"),
        "one position stretched over all": (
            "if tuple(input.shape[-len(expected) :]) != expected:",
            "if input.shape[-1] != expected[-1]:",
        ),
    },
    "oracle": {
        "the gradient under a plain sum": ("torch.randn(x.shape, dtype=x.dtype, generator=dice)", "torch.ones_like(x)"),
        "gradients not compared": ('_equal(f"gradient of {name}"', '_keep(f"gradient of {name}"'),
        "the state not compared after the call": (
            "    _same_state(ours, theirs)\n    lines",
            "    lines",
        ),
        "a call that raises nothing is let pass": (
            'raise AssertionError(f"raised: {function!r} raised nothing")',
            'return ""',
        ),
        "inputs given, not copied": ("copy.deepcopy(x.detach())", "x.detach()"),
    },
    "figures": {
        "the first term only": ("for term in self._made_of[flat]", "for term in self._made_of[flat][:1]"),
        "rows and columns exchanged": (
            "left + (beside * columns + column) * CELL",
            "left + (beside * columns + row) * CELL",
        ),
        "a minus sign lost": ('.replace("-", "−")', '.replace("-", "")'),
    },

    "linear contract": {
        "torch's own forward": (
            "    def forward(\n        self, input1",
            "    def backward(\n        self, input1",
        ),
        "no default for the bias": (
            'bias: Num[Tensor, "*o"] | None = None',
            'bias: Num[Tensor, "*o"] | None',
        ),
        "a docstring without shapes": (
            '"""``(..., i), (o, i), (o,) -> (..., o)``: each row',
            '"""Each row',
        ),
        "a class without its line": ("    line = BILINEAR\n", ""),
        "other initial values": (
            "bound = 1 / math.sqrt(self.in1_features)",
            "bound = 1 / math.sqrt(self.in2_features)",
        ),
        "a number read out of a tensor": (
            "shape: torch.Size) -> None:\n",
            "shape: torch.Size) -> None:\n    float(0 if bias is None else bias.sum())\n",
        ),
    },
    "linear purity": {
        "torch's own function": (
            "(LINEAR if weight.ndim == 2 else DOT)(input, weight)",
            "nn.functional.linear(input, weight)",
        ),
    },
    "nlinear contract": {
        "another name in the state": ("self.bias = (", "self.offset = ("),
        "arguments in another order": (
            "in_features: int,\n        out_features: int,",
            "out_features: int,\n        in_features: int,",
        ),
    },
    "shapes purity": {
        "torch's own function": (
            "return CHANNEL_SHUFFLE(input, g=groups)",
            "return nn.functional.channel_shuffle(input, groups)",
        ),
    },
    "__init__ contract": {
        "a class that is not exported": ('    "Bilinear",\n', ""),
        "something exported that is no class": (
            '    "Unflatten",\n]',
            '    "Unflatten",\n    "shapes",\n]\nfrom layerlib import shapes',
        ),
    },
}  # fmt: skip


@pytest.mark.parametrize("family", MISTAKES)
def test_every_mistake_is_noticed(family: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, __file__, family, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    unnoticed = json.loads((tmp_path / "unnoticed.json").read_text(encoding="utf-8"))
    assert unnoticed == []


def main(family: str, folder: Path) -> None:
    """Runs the family's tests on a copy of the package, with each mistake in turn.

    All in one process, since starting one takes longer than most of the tests.
    """
    package = folder / "layerlib"
    shutil.copytree(PACKAGE, package)
    sys.path.insert(0, str(folder))
    name, _, tests = family.partition(" ")
    assert passes(tests or name), "the tests fail without any mistake"
    assert Path(sys.modules["layerlib"].__file__).parent == package
    file = package / f"{name}.py"
    source, unnoticed = file.read_text(encoding="utf-8"), []
    for mistake, (right, wrong) in MISTAKES[family].items():
        assert source.count(right) == 1, f"no place, or several, for: {mistake}"
        file.write_text(source.replace(right, wrong), encoding="utf-8")
        if passes(tests or name):
            unnoticed.append(mistake)
    (folder / "unnoticed.json").write_text(json.dumps(unnoticed), encoding="utf-8")


def passes(family: str) -> bool:
    ours = {"layerlib", "conftest", "tests", *(f.stem for f in TESTS.glob("*.py"))}
    for name in [name for name in sys.modules if name.split(".")[0] in ours]:
        del sys.modules[name]
    hooks = list(sys.meta_path)
    tests = str(TESTS / f"test_{family}.py")
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", tests])
    sys.meta_path[:] = hooks  # without the hook that checks the shapes
    assert code in {
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.INTERRUPTED,
    }
    return code == pytest.ExitCode.OK


if __name__ == "__main__":
    sys.dont_write_bytecode = True  # a mistake may be as long as what it replaces
    main(sys.argv[1], Path(sys.argv[2]))
