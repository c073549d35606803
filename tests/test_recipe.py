"""Recipes: literal form, fast form, gradient and cost agree, and errors say why."""

import pickle
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from layerlib.recipe import LETTERS, Bend, Cost, Line, Rearrange, Recipe, Reduce, chip

LINEAR = Recipe("... i, o i -> ... o")


@st.composite
def recipes(draw: st.DrawFn) -> tuple[str, list[Tensor]]:
    """A random line of 1 to 3 inputs over up to 5 letters, and inputs that fit."""
    names = ["b", "i", "o", "head", "..."]
    lengths = st.sampled_from([0, 1, 1, 2, 3])
    rest = draw(st.lists(lengths, max_size=2))
    sizes = {name: [draw(lengths)] for name in names} | {"...": rest}
    term = st.lists(st.sampled_from(names), max_size=5, unique=True)
    terms = draw(st.lists(term, min_size=1, max_size=3))
    known = sorted({name for term in terms for name in term})
    output = draw(st.permutations(known))[: draw(st.integers(0, len(known)))]
    line = ", ".join(" ".join(t) for t in terms) + " -> " + " ".join(output)
    dice = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return line, [
        torch.randn(
            [size for name in t for size in sizes[name]],
            dtype=torch.float64,
            generator=dice,
        ).requires_grad_()
        for t in terms
    ]


@settings(max_examples=300, deadline=None)
@given(recipes(), st.integers(0, 2**31))
def test_literal_fast_and_gradient_agree(
    drawn: tuple[str, list[Tensor]], seed: int
) -> None:
    recipe, inputs = Recipe(drawn[0]), drawn[1]
    fast, literal = recipe(*inputs), recipe.literal(*inputs)
    torch.testing.assert_close(literal, fast)
    dice = torch.Generator().manual_seed(seed)
    cotangent = torch.randn(fast.shape, dtype=fast.dtype, generator=dice)
    gradients = torch.autograd.grad(fast, inputs, cotangent)
    for mine, right in zip(
        torch.autograd.grad(literal, inputs, cotangent), gradients, strict=True
    ):
        torch.testing.assert_close(mine, right)
    for which, right in enumerate(gradients):
        others = inputs[:which] + inputs[which + 1 :]
        kept = set(recipe.output).union(
            *recipe.inputs[:which], *recipe.inputs[which + 1 :]
        )
        if kept.issuperset(recipe.inputs[which]):
            mine = recipe.gradient(which)(cotangent, *others)
            torch.testing.assert_close(mine, right)
        else:
            with pytest.raises(ValueError, match="there is no gradient recipe"):
                recipe.gradient(which)


@settings(max_examples=200, deadline=None)
@given(recipes())
def test_cost_counts_what_the_literal_form_does(
    drawn: tuple[str, list[Tensor]],
) -> None:
    recipe, inputs = Recipe(drawn[0]), drawn[1]
    product = 1.0
    *patterns, _ = recipe.patterns
    multiplications = -1
    for tensor, pattern in zip(inputs, patterns, strict=True):
        product = product * Rearrange(pattern)(tensor)
        multiplications += 1
    assert recipe.cost(*inputs) == Cost(
        multiplications=multiplications * product.numel(),
        product_bytes=product.nbytes,
        read_bytes=sum(x.nbytes for x in inputs),
        written_bytes=recipe(*inputs).nbytes,
    )


@pytest.mark.parametrize(
    ("line", "shapes", "dtype", "counted"),
    [
        ("b i, o i -> b o", [(4, 5), (3, 5)], torch.float32, (60, 240, 140, 48)),
        (
            "b i, m i, o m -> b o",
            [(2, 3), (4, 3), (5, 4)],
            torch.float64,
            (240, 960, 304, 80),
        ),
        ("h w -> h", [(6, 7)], torch.float16, (0, 84, 84, 12)),
        ("i, i ->", [(8,), (8,)], torch.bfloat16, (8, 16, 32, 2)),
        (
            "... i, o i -> ... o",
            [(2, 3, 5), (7, 5)],
            torch.float32,
            (210, 840, 260, 168),
        ),
    ],
)
def test_cost_counted_by_hand(
    line: str,
    shapes: list[tuple[int, ...]],
    dtype: torch.dtype,
    counted: tuple[int, ...],
) -> None:
    for device in ("cpu", "meta"):
        inputs = [torch.empty(s, dtype=dtype, device=device) for s in shapes]
        assert Recipe(line).cost(*inputs) == Cost(*counted)


def test_cost_of_two_types_is_of_the_wider_one() -> None:
    one, two = torch.ones(3, dtype=torch.float16), torch.ones(3, dtype=torch.float64)
    assert Recipe("i, i ->").cost(one, two) == Cost(3, 24, 30, 8)
    assert Recipe("i, i ->").cost(two, one) == Cost(3, 24, 30, 8)


def test_dots_are_one_axis_or_many() -> None:
    weight = torch.randn(4, 3)
    for batch in [(), (2,), (2, 5), (0,)]:
        x = torch.randn(*batch, 3)
        torch.testing.assert_close(LINEAR(x, weight), x @ weight.T)


def test_three_inputs_in_any_order() -> None:
    x, v, w = torch.randn(5, 2), torch.randn(4, 2), torch.randn(3, 4)
    expected = x @ v.T @ w.T
    for line, inputs in [
        ("b i, m i, o m -> b o", (x, v, w)),
        ("o m, m i, b i -> b o", (w, v, x)),
    ]:
        torch.testing.assert_close(Recipe(line)(*inputs), expected)


def test_whole_numbers_stay_whole() -> None:
    x, w = torch.arange(6).reshape(2, 3), torch.arange(12).reshape(4, 3)
    assert torch.equal(LINEAR(x, w), x @ w.T)
    assert torch.equal(LINEAR.literal(x, w), x @ w.T)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("form", ["__call__", "literal"])
def test_compiles_in_one_graph(form: str) -> None:
    recipe = Recipe("b g i ... k, g o i k -> b g o ...")
    run = getattr(recipe, form)
    inputs = torch.randn(2, 3, 4, 5, 6, 7), torch.randn(3, 8, 4, 7)
    compiled = torch.compile(run, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*inputs), run(*inputs))


def test_works_under_the_function_transforms() -> None:
    x, w = torch.randn(5, 3), torch.randn(4, 3)
    mapped = torch.func.vmap(Recipe("i, o i -> o"), in_dims=(0, None))
    torch.testing.assert_close(mapped(x, w), LINEAR(x, w))
    jacobian = torch.func.jacrev(LINEAR, argnums=0)(x[0], w)
    torch.testing.assert_close(jacobian, w)


def test_works_on_the_meta_device() -> None:
    x, w = torch.empty(5, 3, device="meta"), torch.empty(4, 3, device="meta")
    assert LINEAR(x, w).shape == LINEAR.literal(x, w).shape == (5, 4)


def test_one_line_written_two_ways_is_one_recipe() -> None:
    spaced = Recipe("  b  i ,o i->b o ")
    assert spaced == Recipe("b i, o i -> b o")
    assert hash(spaced) == hash(Recipe("b i, o i -> b o"))
    assert str(spaced) == "b i, o i -> b o"
    assert repr(spaced) == 'Recipe("b i, o i -> b o")'
    assert pickle.loads(pickle.dumps(spaced)) == spaced  # noqa: S301
    assert spaced != Rearrange("b i, o i -> b o")


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(
    ("line", "error", "told"),
    [
        (3, TypeError, "expected a line of letters, got 3"),
        ("b i, o i", ValueError, "expected exactly one '->', got 0"),
        ("b i -> i -> b", ValueError, "expected exactly one '->', got 2"),
        ("b (h w) -> b", ValueError, r"expected letters or '...', got '\(h'"),
        ("b 1 -> b", ValueError, "expected letters or '...', got '1'"),
        ("b -> b, b", ValueError, "expected letters or '...', got 'b,'"),
        ("i i -> i", ValueError, "'i' stands twice in 'i i'; a diagonal is no recipe"),
        ("b i -> b b", ValueError, "'b' stands twice in 'b b'"),
        ("... i ... -> i", ValueError, "'...' stands twice"),
        ("b i -> b o", ValueError, "letter 'o' of the output is in no input"),
        ("b i -> ...", ValueError, "letter '...' of the output is in no input"),
    ],
)
def test_malformed_lines(line: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        Recipe(line)


@pytest.mark.parametrize("form", ["__call__", "literal", "cost", "sizes"])
@pytest.mark.parametrize(
    ("line", "shapes", "told"),
    [
        ("b i, o i -> b o", [(2, 3)], "expected 2 inputs, got 1"),
        ("b i -> b", [(2, 3), (2, 3)], "expected 1 inputs, got 2"),
        (
            "b i, o i -> b o",
            [(2, 3), (4, 5)],
            "letter 'i' is 3 in input 0 and 5 in input 1",
        ),
        (
            "b i, o i -> b o",
            [(2, 1), (4, 5)],
            "letter 'i' is 1 in input 0 and 5 in input 1",
        ),
        (
            "b i, o i -> b o",
            [(2, 3), (4,)],
            r"input 1 is 'o i', expected 2 axes, got shape \(4,\)",
        ),
        ("... o i -> ... o", [(2,)], r"expected at least 2 axes, got shape \(2,\)"),
        (
            "... i, ... i -> ...",
            [(2, 4, 3), (1, 4, 3)],
            r"letter '...' is \(2, 4\) in input 0 and \(1, 4\) in",
        ),
        (
            "... i, ... i -> ...",
            [(4, 3), (2, 4, 3)],
            r"letter '...' is 4 in input 0 and \(2, 4\) in input 1",
        ),
    ],
)
def test_wrong_shapes(
    form: str, line: str, shapes: list[tuple[int, ...]], told: str
) -> None:
    inputs = [torch.ones(shape) for shape in shapes]
    with pytest.raises(ValueError, match=f"^recipe '{re.escape(line)}': .*{told}"):
        getattr(Recipe(line), form)(*inputs)


@pytest.mark.usefixtures("as_installed")
def test_what_is_no_tensor() -> None:
    with pytest.raises(TypeError, match=r"expected a tensor as input 1, got \[1.0\]"):
        Recipe("i, i ->")(torch.ones(1), [1.0])


@pytest.mark.parametrize("which", [-1, 2])
def test_gradient_of_no_input(which: int) -> None:
    with pytest.raises(IndexError, match=f"from 0 to 1, got {which}"):
        Recipe("b i, o i -> b o").gradient(which)


def test_gradient_needs_every_letter_elsewhere() -> None:
    with pytest.raises(ValueError, match="letter 'w' is in input 0 only and not in"):
        Recipe("h w -> h").gradient(0)


def test_letters_are_coloured_and_summed_ones_marked() -> None:
    shown = Recipe("b i, o i -> b o")._repr_html_()
    assert re.sub("<[^>]*>", "", shown) == "b i, o i → b o"
    for name in "bio":
        chips = re.findall(rf'<span class="letter" style="([^"]*)"[^>]*>{name}<', shown)
        assert len(chips) == 2
        for style in chips:
            assert f"background:{LETTERS[name][1]}" in style
            assert ("text-decoration:underline" in style) == (name == "i")
            assert ("font-weight:bold" in style) == (name == "i")


def test_what_is_no_letter_is_escaped() -> None:
    assert chip("<b>") == "&lt;b&gt;"
    assert Rearrange("b (h w) -> b h w")._repr_html_().count("(") == 1
    assert chip("apple").count("an axis") == 1


def test_a_bend_is_shown_by_its_name() -> None:
    assert Bend("a < b", torch.exp)._repr_html_() == "<code>a &lt; b</code>"


def test_summed_letters_of_a_rearrangement() -> None:
    assert Line("b (h w) -> b h w").summed == ()
    assert Line("b (h kh) w -> b h").summed == ("kh", "w")
    assert LINEAR.summed == ("i",)


@pytest.mark.parametrize("name", [n for n in LETTERS if n != "..."])
def test_letters_can_be_read_on_their_colour(name: str) -> None:
    """WCAG's contrast of the text colour #111 on each chip, which has no theme."""

    def luminance(code: str) -> float:
        channels = (int(code[n : n + 2], 16) / 255 for n in (1, 3, 5))
        linear = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in channels
        )
        weights = (0.2126, 0.7152, 0.0722)
        return sum(w * c for w, c in zip(weights, linear, strict=True))

    assert (luminance(LETTERS[name][1]) + 0.05) / (luminance("#111111") + 0.05) > 7


@pytest.mark.parametrize(
    ("operation", "expected"), [("mean", [[2.0, 3.0]]), ("max", [[3.0, 4.0]])]
)
def test_reduce_is_a_line_with_its_reduction(
    operation: str, expected: list[list[float]]
) -> None:
    line = Reduce("b  i->1 i", operation)
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert line(x).tolist() == expected
    assert repr(line) == f'Reduce("b i -> 1 i", "{operation}")'
    assert line.summed == ("b",)
    assert "b: batch, reduced" in line._repr_html_()
    assert line._repr_html_().endswith(f"</span> ({operation})")
    assert "summed" not in line._repr_html_()
    assert line != Reduce("b i -> 1 i", "min")
    assert pickle.loads(pickle.dumps(line)) == line  # noqa: S301
