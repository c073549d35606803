"""The exercises: what is right is called right, and each mistake by its name."""

import ast
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

import layerlib
from classroom import EXERCISES, Task, check
from classroom.judge.cases import SMALL
from examples import collected
from examples.linear import collapsed
from examples.shapes import sheet
from layerlib import Recipe
from layerlib.linear import LINEAR
from test_book import IN_STORY_OF

CHAPTERS = Path(__file__).parent.parent / "chapters"
LEVELS = ("Warm-up", "Practice", "Stretch")
TASKS = [name for name, exercise in EXERCISES.items() if isinstance(exercise, Task)]
MISTAKES = [
    (name, sentence)
    for name, exercise in EXERCISES.items()
    for sentence in exercise.mistakes
]


def key_gradient(gradient: Tensor, query: Tensor) -> Tensor:
    key = torch.zeros(len(query), gradient.shape[2], query.shape[2], requires_grad=True)
    return torch.autograd.grad(query @ key.mT, key, gradient)[0]


TORCH: dict[str, Callable[..., Any]] = {
    "recipe-outer": lambda x, y: torch.stack(
        [torch.outer(*pair) for pair in zip(x, y, strict=True)]
    ),
    "recipe-literal": lambda q, k: torch.baddbmm(torch.zeros(()), q, k.mT),
    "recipe-gradient": key_gradient,
    "recipe-bmm": lambda q, k: q.transpose(1, 2) @ k.transpose(1, 2).mT,
    "recipe-story-pairs": lambda first, second: (first @ second.mT).diagonal(),
    "recipe-story-gradient": lambda gradient, x: gradient.mT @ x,
    "recipe-story-class": lambda first, second: (first @ second).mT,
    **collected("ANSWERS"),
}
"""What each task asks for, by other means than the moves."""


@pytest.mark.parametrize("name", EXERCISES)
def test_the_reference_is_right(name: str) -> None:
    verdict = check(name, EXERCISES[name].reference)
    assert verdict
    assert repr(verdict).startswith(f"{name}: right.")


@pytest.mark.parametrize("name", TASKS)
def test_the_reference_is_what_torch_does(name: str) -> None:
    task = EXERCISES[name]
    assert isinstance(task, Task)
    right = task.attempt(task.reference, task.cases[-1]).values
    torchs = task.attempt(TORCH[name], task.cases[-1]).values
    torch.testing.assert_close(right, torchs)
    sizes = task.cases[-1]
    for axes, value in zip(task.outputs.values(), right, strict=True):
        letters = [[sizes.get(n, 1) for n in axis.split()] for axis in axes]
        shape = [torch.Size(axis).numel() for axis in letters]
        assert list(value.shape) == shape


@pytest.mark.parametrize(("name", "sentence"), MISTAKES)
def test_each_mistake_is_known_by_its_sentence(name: str, sentence: str) -> None:
    verdict = check(name, EXERCISES[name].mistakes[sentence])
    assert not verdict
    assert repr(verdict).startswith(f"{name}: not yet. {sentence}")


@pytest.mark.parametrize("name", EXERCISES)
def test_a_mistake_is_told_in_a_sentence(name: str) -> None:
    assert len(EXERCISES[name].mistakes) >= 2
    for sentence in EXERCISES[name].mistakes:
        assert sentence.endswith(".")
        assert len(sentence) < 80


@pytest.mark.parametrize("name", TASKS)
def test_the_sizes_tell_the_axes_apart(name: str) -> None:
    task = EXERCISES[name]
    assert isinstance(task, Task)
    *_, reverse, apart = task.cases
    assert len(set(apart.values())) == len(apart)
    assert [*reverse.values()] == [*apart.values()][::-1]
    if "b" in apart:
        sizes = [case["b"] for case in task.cases[-4:-2]]
        assert sizes == ([1, 0] if task.empty else [task.cases[-4]["b"], 1])


def test_small_cases_hold_quarters_and_come_smallest_first() -> None:
    task = EXERCISES["linear-moves"]
    assert isinstance(task, Task)
    small = task.cases[:-4]
    counts = [c["b"] * c["i"] * c["o"] for c in small]
    assert counts == sorted(counts)
    assert counts[-1] == SMALL
    drawn = torch.cat([x.flatten() for x in task.draw(small[-1]).values()])
    assert torch.equal(drawn.abs(), torch.arange(1.0, len(drawn) + 1) / 4)
    assert torch.equal(drawn < 0, torch.arange(1, len(drawn) + 1) % 3 == 2)


@pytest.mark.parametrize("name", TASKS)
def test_each_mistake_shows_in_a_small_case(name: str) -> None:
    task = EXERCISES[name]
    assert isinstance(task, Task)
    few = [case for case in task.cases[:-3] if 0 < math.prod(case.values()) <= SMALL]
    for sentence, mistake in task.mistakes.items():
        assert any(
            not task.attempt(task.reference, case).is_like(task.attempt(mistake, case))
            for case in few
        ), sentence


def test_masks_hold_zeros() -> None:
    task = EXERCISES["dropout-moves"]
    assert isinstance(task, Task)
    for case in (task.cases[4], task.cases[-1]):
        zeros = task.draw(case)["drawn"].flatten() == 0
        assert torch.equal(zeros, torch.arange(len(zeros)) % 2 == 1)


def said(name: str, answer: Any) -> str:
    verdict = check(name, answer)
    assert not verdict
    return repr(verdict).removeprefix(f"{name}: ")


def test_a_counterexample_is_a_smallest_one() -> None:
    def twice(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        # right wherever there is one output, and one input feature
        return LINEAR(x, weight) * (1 + (weight.numel() > 2)) + bias

    assert said("linear-moves", twice) == (
        "not yet. The smallest counterexample:\n"
        "x         tensor([[0.2500]])\n"
        "weight    tensor([[-0.5000],\n"
        "                  [ 0.7500],\n"
        "                  [ 1.0000]])\n"
        "bias      tensor([-1.2500,  1.5000,  1.7500])\n"
        "expected  tensor([[-1.3750,  1.6875,  2.0000]])\n"
        "got       tensor([[-1.5000,  1.8750,  2.2500]])"
    )


def test_a_counterexample_has_the_numbers_too() -> None:
    wrong = said("shapes-sheet", lambda images, x: sheet(images, x).flip(2) + 0 * x)
    assert "\nx         1\n" in wrong


def test_a_counterexample_names_one_of_two_outputs() -> None:
    def wrong(*layers: Tensor) -> list[Tensor]:
        weight, bias = collapsed(*layers)
        return [weight, -bias]

    told = said("linear-collapse", wrong)
    assert told.startswith("not yet. It does what is asked, but the output bias is neg")
    assert "\nexpected bias  tensor([0.6250])\ngot bias       tensor([-0.6250])" in told


def test_a_wrong_shape_is_told_in_letters() -> None:
    assert said("linear-moves", lambda x, w, bias: (w @ x.T).T[None] + bias) == (
        "not yet. It does what is asked, but the output has an axis of length 1 too "
        "many, in front.\nFor x (2, 3), weight (4, 3), bias (4,), the shape of the "
        "output is wrong:\nexpected (b, o) = (2, 4), got (1, 2, 4)."
    )
    patches = said("shapes-patches", lambda image, kh, kw: image * kh * kw)
    assert "expected (b, h·w, c·kh·kw) = (2, 24, 105), got (2, 3, 20, 42)." in patches


def test_a_wrong_dtype_is_told() -> None:
    assert said(
        "linear-moves",
        lambda *xwb: F.bilinear(
            xwb[0], xwb[0][:, :1] ** 0, xwb[1][:, :, None], xwb[2]
        ).double(),
    ).endswith(
        "the dtype of the output is wrong:\nexpected torch.float32, got torch.float64."
    )


def test_an_exception_is_told_with_the_line_of_the_student() -> None:
    def answer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        helped = helper(x)
        return helped + weight + bias

    def helper(x: Tensor) -> Tensor:
        return rearrange(x, "b i -> b i o")

    told = said("linear-moves", answer)
    first = helper.__code__.co_firstlineno
    assert told.startswith(
        "not yet. For x (2, 3), weight (4, 3), bias (4,), it raises an error.\n"
        f'Line {first + 1} of your code, `return rearrange(x, "b i -> b i o")`:\n'
        "EinopsError: "
    )
    assert "Traceback" not in told
    assert "cases.py" not in told


def test_an_exception_without_a_line() -> None:
    told = said("linear-moves", lambda x: x)
    assert told.endswith(
        "it raises an error.\nTypeError: "
        "test_an_exception_without_a_line.<locals>.<lambda>() takes 1 positional "
        "argument but 3 were given"
    )
    source = compile("def answer(x, weight, bias):\n    return gone", "<cell>", "exec")
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102  (a function whose source is not stored)
    assert said("linear-moves", namespace["answer"]).endswith(
        "Line 2 of your code:\nNameError: name 'gone' is not defined"
    )


def dots(*_: Any) -> Any:
    return ...


def later(*_: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("name", EXERCISES)
def test_an_answer_that_is_not_there_yet(name: str) -> None:
    answers: list[Any] = [..., None]
    if name in TASKS:
        answers += [dots, later]
    for answer in answers:
        assert said(name, answer) == (
            "not filled in yet.\n"
            "Put your answer in place of `...`, run that\n"
            "cell, and then this one."
        )


def test_a_forgotten_return() -> None:
    def answer(x: Tensor, weight: Tensor, bias: Tensor) -> None:
        LINEAR(x, weight) + bias

    assert said("linear-moves", answer) == (
        "not yet. It returns nothing: is it filled in, with a `return`?"
    )


def test_a_forgotten_return_in_one_branch_is_no_empty_answer() -> None:
    def answer(x: Tensor, weight: Tensor, bias: Tensor) -> Any:
        return LINEAR(x, weight) + bias if len(x) < 3 else None

    assert said("linear-moves", answer) == (
        "not yet. It is right wherever b is at most 2, and nowhere else.\n"
        "For x (4, 3), weight (2, 3), bias (2,), expected a tensor as "
        "output, got nothing."
    )


def test_the_inputs_stay_as_they_are() -> None:
    def answer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return LINEAR(x, weight.mul_(1.5) / 1.5) + bias

    assert said("linear-moves", answer) == (
        "not yet. It changes weight in place; make a new tensor."
    )


@pytest.mark.parametrize(
    ("name", "answer", "called"),
    [
        ("linear-moves", F.linear, "linear"),
        ("linear-moves", lambda x, w, b: torch.addmm(b, x, w.T), "addmm"),
        ("linear-moves", lambda x, w, b: layers(x, w, b)(x), "linear"),
        ("linear-ones", lambda x, w, b: x @ w.T + b, "add"),
        ("linear-bilinear", F.bilinear, "bilinear"),
        ("shapes-flatten", lambda x: x.flatten(1), "flatten"),
        ("shapes-patches", TORCH["shapes-patches"], "im2col"),
        (
            "shapes-unshuffle",
            lambda x, kh, _: F.pixel_unshuffle(x, kh),
            "pixel_unshuffle",
        ),
        ("shapes-channels", TORCH["shapes-channels"], "channel_shuffle"),
        ("recipe-literal", Recipe("b q e, b s e -> b q s"), "einsum"),
        ("recipe-literal", lambda q, k: q @ k.mT, "matmul"),
        ("recipe-literal", lambda q, k: torch.bmm(q, k.mT), "bmm"),
        ("recipe-bmm", TORCH["recipe-bmm"], "matmul"),
        ("nlinear-blocks", TORCH["nlinear-blocks"], "block_diag"),
    ],
)
def test_what_is_to_be_derived_may_not_be_called(
    name: str, answer: Any, called: str
) -> None:
    assert said(name, answer).endswith(
        f"It calls {called}, which this exercise does without.\n"
        "Write it with the moves: rearrange, multiply, sum."
    )


def layers(x: Tensor, weight: Tensor, bias: Tensor) -> nn.Module:
    layer = nn.Linear(x.shape[-1], len(bias))
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (lambda x, w, b: (LINEAR(x, w) + b).detach(), " of x"),
        (lambda x, w, b: LINEAR(x, w.detach()) + b, " of weight"),
        (lambda x, w, b: LINEAR(x, w) + b.data, " of bias"),
        (lambda x, w, b: LINEAR(2 * x - x.detach(), w) + b, " of x"),
    ],
)
def test_a_lost_gradient_is_told(answer: Any, lost: str) -> None:
    assert said("linear-moves", answer) == (
        f"not yet. The values are right, and the gradient{lost} is lost or wrong.\n"
        "Stay with operations on tensors: no detach, no item, no numpy."
    )


def test_numpy_has_no_gradient() -> None:
    def answer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy() @ weight.numpy().T + bias.numpy())

    told = said("linear-moves", answer)
    assert told.startswith("not yet. The values are right.\nLine ")
    assert "RuntimeError: Can't call numpy() on Tensor that requires grad." in told


def test_loops_are_an_answer() -> None:
    def answer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y = torch.zeros(len(x), len(weight))
        for b, row in enumerate(x):
            for o, template in enumerate(weight):
                y[b, o] = (row * template).sum() + bias[o]
        return y

    assert repr(check("linear-moves", answer)) == (
        "linear-moves: right.\nAll 21 cases agree, and so do the gradients."
    )


def test_one_tensor_where_two_are_asked_for() -> None:
    assert said(
        "linear-collapse",
        lambda w1, b1, w2, b2: w2 @ w1 + 0 * (b1 @ b1) + 0 * (b2 @ b2),
    ) == ("not yet. Expected 2 outputs: weight, bias.")


def test_a_line_is_an_answer_in_any_form_and_letters() -> None:
    for line in ("b i, b j -> b i j", "c x,c y->c x y", Recipe("b i, b j -> b i j")):
        assert check("recipe-outer", line)
    assert check("shapes-flatten", "b ... -> b (...)")
    assert check("shapes-unshuffle", "b c (h kh) (w kw) -> b (c kh kw) h w")


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        (
            "recipe-outer",
            "b i, b j",
            "line 'b i, b j': expected exactly one '->', got 0",
        ),
        (
            "recipe-outer",
            "b i, b j -> bij",
            "letter 'bij' of the output is in no input",
        ),
        (
            "recipe-outer",
            "b i -> b i",
            "has 1 input, and 2 are given: is a comma missing?",
        ),
        ("shapes-flatten", "b c h w -> b (c h)", "EinopsError"),
    ],
)
def test_a_malformed_line_is_told(name: str, answer: str, told: str) -> None:
    assert told in said(name, answer)


def test_what_cannot_be_called() -> None:
    assert said("linear-moves", torch.ones(2)) == (
        "not yet. Expected a function, got Tensor.\n"
        "Hand in the function itself, without calling it."
    )
    assert said("linear-moves", "b i, o i -> b o").startswith(
        "not yet. Expected a function, got str."
    )
    assert said("recipe-outer", 3).startswith(
        "not yet. Expected a function or a line of letters, got int."
    )


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("shapes-read", (2, 20, 3)),
        ("shapes-read", [2, 20, 3]),
        ("shapes-read", torch.Size([2, 20, 3])),
        ("shapes-read", torch.tensor([2, 20, 3])),
        ("linear-count", 101770),
        ("linear-count", 101770.0),
        ("linear-count", torch.tensor(101770)),
        ("recipe-summed", "i j"),
        ("recipe-summed", "j, i"),
        ("recipe-summed", ("i", "j")),
        ("recipe-summed", {"i", "j"}),
    ],
)
def test_a_value_may_be_written_in_several_ways(name: str, answer: Any) -> None:
    assert repr(check(name, answer)) == f"{name}: right."


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        (
            "shapes-read",
            (2, 60),
            "not yet. It is not (2, 60).\nExpected 3 numbers, got 2.",
        ),
        ("shapes-read", 120, "not yet. Expected a tuple, got 120."),
        ("linear-count", 7, "not yet. It is not 7.\nIt is too small."),
        ("resample-place", 3, "not yet. It is not 3.\nIt is too large."),
        ("linear-count", "many", "not yet. Expected a whole number, got 'many'."),
        ("recipe-summed", "o", "not yet. It is not 'o'."),
        ("recipe-summed", 2, "not yet. Expected a set of letters, got 2."),
    ],
)
def test_a_wrong_value_does_not_tell_the_right_one(
    name: str, answer: Any, told: str
) -> None:
    assert said(name, answer) == told


def test_an_unknown_name_has_near_ones() -> None:
    with pytest.raises(
        LookupError, match="no exercise 'liner-moves'; near it: linear-m"
    ):
        check("liner-moves", 1)
    with pytest.raises(LookupError, match=f"near it: {next(iter(EXERCISES))}, "):
        check("?", 1)


def test_a_check_leaves_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    def loud(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        print("here")
        return LINEAR(x, weight) - bias

    torch.manual_seed(1)
    before, first = torch.get_rng_state(), repr(check("linear-moves", loud))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert repr(check("linear-moves", loud)) == first
    assert capsys.readouterr().out == ""


def test_layerlib_stays_light() -> None:
    assert not hasattr(layerlib, "check")
    assert "check" not in layerlib.__all__


def notebooks(folder: str) -> dict[str, Any]:
    return {
        path.stem: nbformat.read(path, as_version=4).cells
        for path in sorted((CHAPTERS / folder).glob("*.ipynb"))
    }


CELLS, SOLUTIONS = notebooks("exercises"), notebooks("solutions")
BY_ID = {cell.id: cell for cells in CELLS.values() for cell in cells}
IN_STORIES = [name for name in EXERCISES if "-story-" in name]
PRACTICE = [name for name in EXERCISES if name not in IN_STORIES]


def test_each_exercise_is_in_the_notebook_of_its_family() -> None:
    asked = [
        name
        for family, cells in CELLS.items()
        for cell in cells
        for name in re.findall(r'^check\("([\w-]+)"', cell.source, re.MULTILINE)
        if name.startswith(f"{family}-")
    ]
    assert asked == [
        name for family in CELLS for name in PRACTICE if name.startswith(f"{family}-")
    ]
    assert set(asked) == set(PRACTICE)


@pytest.mark.parametrize("name", IN_STORIES)
def test_the_readers_turn_comes_in_the_story(name: str) -> None:
    """With dots in the place of the answer, and a folded one that is right, if any."""
    family = name.partition("-")[0]
    story = nbformat.read(CHAPTERS / f"{family}.ipynb", as_version=4)
    asked = [cell for cell in story.cells if f'check("{name}"' in cell.source]
    assert text(asked[0]).startswith(f"{name}: not filled in yet.")
    for cell in asked[1:]:
        assert cell.metadata.tags == ["hide-cell"]
        assert text(cell).startswith(f"{name}: right.")


@pytest.mark.parametrize("name", PRACTICE)
def test_an_exercise_is_laid_out_like_all(name: str) -> None:
    cells = CELLS[name.partition("-")[0]]
    at = [cell.id for cell in cells].index(name)
    ids = [cell.id for cell in cells[at : at + 3]]
    assert ids == [name, f"{name}-check", f"{name}-hints"]
    statement = cells[at - 1].source
    assert ("→" in statement) == (name in TASKS)
    heading, empty, told, *_ = statement.splitlines()
    assert heading.startswith("## ")
    assert not empty
    level, minutes = re.fullmatch(r"\*([\w-]+) · (\d+) minutes\*", told).groups()  # type: ignore[union-attr]
    assert level in LEVELS
    assert heading.startswith("## Stretch: ") == (level == "Stretch")
    assert 2 <= int(minutes) <= 15


@pytest.mark.parametrize("name", PRACTICE)
def test_of_three_hints_the_last_is_not_the_answer(name: str) -> None:
    source = BY_ID[f"{name}-hints"].source
    assert re.findall("<summary>(.*)</summary>", source) == [
        "Hint 1",
        "Hint 2",
        "Hint 3",
    ]
    assert source.count("<details>\n") == 3
    last = " ".join(source.rpartition("<summary>")[2].split())
    lines = re.findall('"([^"]* -> [^"]*)"', solution(name)["solution"].source)
    returned = re.findall("return (.*)", solution(name)["solution"].source)[-1:]
    for answer in returned or lines:
        assert answer not in last


@pytest.mark.parametrize("name", [name for name in TASKS if name in PRACTICE])
def test_a_copy_of_the_contract_is_not_the_answer(name: str) -> None:
    cells = CELLS[name.partition("-")[0]]
    at = [cell.id for cell in cells].index(name)
    said = "".join(cell.source for cell in cells[at - 1 : at + 1])
    for inputs, outputs in re.findall(r"(\(.*\)) (?:→|->) (\(.*\))", said):
        assert not check(name, f"{copied(inputs)} -> {copied(outputs)}")


def copied(contract: str) -> str:
    """The letters of one side, as in a line: `(b, c·g), (o,)` are `b (c g), o`."""
    merged = re.sub(r"[\w·]+·\w+", lambda axis: f"<{axis[0]}>", contract)
    return ", ".join(
        " ".join(term.split(",")).translate(str.maketrans("<>·", "() "))
        for term in re.findall(r"\((.*?)\)", merged)
    )


def text(cell: Any) -> str:
    found = [output.data for output in cell.outputs if "data" in output]
    return "".join(data["text/plain"] for data in found)


@pytest.mark.parametrize("name", PRACTICE)
def test_a_cell_to_fill_in_has_no_answer(name: str) -> None:
    (statement,) = ast.parse(BY_ID[name].source).body
    if isinstance(statement, ast.FunctionDef):
        assert "->" in (ast.get_docstring(statement) or "")
        _, statement = statement.body  # type: ignore[assignment]
        assert isinstance(statement, ast.Return)
    else:
        assert isinstance(statement, ast.Assign)
    assert ast.unparse(statement.value or statement) == "..."
    assert text(BY_ID[f"{name}-check"]).startswith(f"{name}: not filled in yet.")


def solution(name: str) -> dict[str, Any]:
    """The cells that solve an exercise, by what they are."""
    cells = SOLUTIONS[name.partition("-")[0]]
    found = [cell for cell in cells if cell.id.startswith(f"{name}-")]
    return {cell.id.removeprefix(f"{name}-"): cell for cell in found}


@pytest.mark.parametrize("name", PRACTICE)
def test_a_solution_is_right_and_says_why(name: str) -> None:
    cells = solution(name)
    kinds = ["statement", "solution", "why", "second"]
    assert [*cells] == kinds[: len(cells)]
    assert len(cells) >= 3
    asked = CELLS[name.partition("-")[0]]
    statement = asked[[cell.id for cell in asked].index(name) - 1].source
    assert cells["statement"].source == statement.splitlines()[0]
    assert cells["solution"].source.endswith(BY_ID[f"{name}-check"].source)
    assert cells["why"].source.endswith(" A second way:") == ("second" in cells)
    for kind in {"solution", "second"} & {*cells}:
        assert f'check("{name}", ' in cells[kind].source
        assert text(cells[kind]).startswith(f"{name}: right.")


def test_most_exercises_have_a_second_way() -> None:
    assert sum("second" in solution(name) for name in PRACTICE) > 100


@pytest.mark.parametrize("family", CELLS)
def test_the_students_notebook_has_no_solution(family: str) -> None:
    first, imports, *_ = CELLS[family]
    assert f"[a page of their own](../solutions/{family}.ipynb)" in first.source
    assert f"(../exercises/{family}.ipynb)" in SOLUTIONS[family][0].source
    assert imports.source == next(iter(CELLS.values()))[1].source
    assert "right." not in "".join(map(text, code(CELLS[family])))
    said = " ".join(cell.source for cell in CELLS[family][1:])
    assert not re.search(r"(\b|_)solution", said, re.IGNORECASE)


def code(cells: Any) -> list[Any]:
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", [name for name in TASKS if name in PRACTICE])
def test_the_arguments_are_called_as_in_a_counterexample(name: str) -> None:
    task, (statement,) = EXERCISES[name], ast.parse(BY_ID[name].source).body
    assert isinstance(task, Task)
    if isinstance(statement, ast.FunctionDef) and not task.given:
        names = [argument.arg for argument in statement.args.args]
        assert names == [*task.inputs, *task.numbers]


@pytest.mark.parametrize("family", CELLS)
def test_a_notebook_has_three_to_six_exercises(family: str) -> None:
    headings = [
        cell.source.partition("\n")[0]
        for cell in CELLS[family]
        if cell.source.startswith("#") and cell.cell_type == "markdown"
    ]
    assert headings[0] == f"# Exercises: {family.replace('recipe', 'recipes')}"
    assert 3 <= len(headings[1:]) <= 6
    assert headings[-1].startswith("## Stretch: ")
    story = IN_STORY_OF.get(family, family)
    assert f"(../{story}.ipynb)" in CELLS[family][0].source
