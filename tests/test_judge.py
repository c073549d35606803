"""The judge: what keeps an answer within bounds, and what is said to a wrong one."""

import itertools
import math
import os
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from einops import rearrange, reduce
from torch import Tensor

from classroom import EXERCISES, Question, Task, Verdict, check
from classroom.judge import attempt, causes, notation, signs
from layerlib import Rearrange, Recipe
from layerlib.linear import LINEAR

HERE = Path(__file__).parent / "examples"
WRITTEN = "nowhere else.\nIs that size written into it as a number?"
LEAST = 0.85  # of the wrong answers are to be named


def said(name: str, answer: Any) -> str:
    verdict = check(name, answer)
    assert not verdict
    return verdict.said.removeprefix("not yet. ")


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return LINEAR(x, weight) + bias


def after(action: Callable[[], Any], right: Callable[..., Any] = linear) -> Any:
    """A right answer that does something else as well."""

    def answer(*given: Any) -> Any:
        action()
        return right(*given)

    return answer


def state() -> list[Any]:
    return [
        *(read() for read, _ in attempt.SETTINGS.values()),
        torch.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tolist(),  # type: ignore[index]  # noqa: NPY002
        [*warnings.filters],
        (sys.stdout, sys.stderr),
    ]


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (lambda: torch.set_grad_enabled(False), "It switches gradients on or off for"),
        (lambda: torch.set_default_dtype(torch.float64), "It changes torch's default d"),
        (lambda: torch.set_default_device("meta"), "It changes torch's default device"),
        (lambda: torch.set_num_threads(2), "It changes the number of torch's threads."),
        (lambda: np.seterr(all="raise"), "It changes how numpy treats errors (seterr)."),
        (lambda: torch.rand(1), "It draws random numbers; the same inputs are to give"),
        (np.random.rand, "It draws random numbers; the"),
    ],
)  # fmt: skip
def test_what_is_changed_is_told_and_put_back(action: Any, told: str) -> None:
    before = state()
    heard = said("linear-moves", after(action))
    assert state() == before
    assert told in heard


def test_a_seed_and_a_setting_put_back_are_no_fault() -> None:
    def careful() -> None:
        with torch.no_grad():
            torch.ones(1)

    assert check("linear-moves", after(careful))


def test_a_flood_on_stderr_and_warnings_are_kept_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def loud() -> None:
        print("x" * 1000, file=sys.stderr)
        warnings.warn("mind this\nand more", stacklevel=2)

    assert check("linear-moves", after(loud))
    told = said("linear-moves", after(loud, lambda x, w, b: LINEAR(x, w) - b))
    assert told.endswith("\nIt warns: UserWarning: mind this")
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals of Unix")
def test_an_endless_loop_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        while len(x) > 1:
            try:  # noqa: SIM105  (as learners do)
                time.sleep(0.01)
            except Exception:  # noqa: BLE001, S110
                pass
        return LINEAR(x, weight) + bias

    monkeypatch.setattr(attempt, "LIMIT", 0.1)
    assert said("linear-moves", endless) == (
        "Case (2, 1, 1) of (b, i, o) has run for 0.1 s, and was stopped.\n"
        "Does each loop end?"
    )


def test_an_answer_may_not_end_the_program() -> None:
    assert "It ends the program (SystemExit); leave that to the notebook." in said(
        "linear-moves", after(lambda: sys.exit(3))
    )


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda x, w, b: linear(x, w, b).detach().numpy(), "got ndarray.\nnumpy knows no"),
        (lambda x, w, b: linear(x, w, b).to_sparse(), "the output is a sparse tensor; `.t"),
        (lambda x, w, b: linear(x, w, b).to("meta"), "the output is on the device meta, w"),
        (lambda x, w, b: [*linear(x, w, b)], "got list.\n`torch.stack` makes one tensor"),
        (lambda x, w, b: float(linear(x, w, b).sum()), "got float.\nA tensor has gradien"),
    ],
)  # fmt: skip
def test_what_is_no_plain_tensor(answer: Any, told: str) -> None:
    assert told in said("linear-moves", answer)


def test_an_empty_batch_comes_last_and_is_called_so() -> None:
    def answer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.stack([LINEAR(row[None], weight)[0] + bias for row in x])

    assert said("linear-moves", answer).startswith(
        "Only the empty batch is left, b = 0: all other cases agree.\n"
        "For x (0, 3), weight (4, 3), bias (4,), it raises an error.\n"
    )
    wrong = said("linear-moves", lambda x, w, b: answer(x, w, -b))
    assert wrong.startswith("It does what is asked, but bias is negated,\nor – which")


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        (
            "attention-causal",
            lambda q, k, v: (q @ k.mT).masked_fill(
                torch.ones(q.shape[1], q.shape[1]).tril(1).bool(), -math.inf
            ).softmax(-1) @ v.square(),
            "A row of scores is masked all over; its softmax is 0/0, which is NaN.",
        ),
        (
            "norm-moves",
            lambda x, w, b: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True) * w - b,
            "The unbiased variance of a single number is 0/0, which is NaN.",
        ),
        (
            "linear-moves",
            lambda x, w, b: ((x - x) * math.inf)[:, :1] + linear(x, w, b),
            "0 · ∞ is NaN: an infinite number meets a 0.",
        ),
        (
            "distance-story-directions",
            lambda x: (x - x) / (x - x),
            "0/0 is NaN: it divides by 0.",
        ),
        (
            "activation-cold",
            lambda x: (1000 * x).exp() / (1000 * x).exp().sum(1, keepdim=True),
            "∞/∞ is NaN.",
        ),
    ],
)  # fmt: skip
def test_a_nan_is_explained(name: str, answer: Any, told: str) -> None:
    assert told in said(name, answer)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("b i, b j → b i j", "The arrow is written `->`, as a minus and a greater-than"),
        ("b i, b j => b i j", "The arrow is written `->`, not `=>`."),
        ("b i, b j --> b i j", "The arrow is written `->`, not `-->`."),
        ("bi,bj->bij", "With spaces it is `b i, b j -> b i j`."),
        ("b i b j -> b i j", "has 1 input, and 2 are given: is a comma missing?"),
        ("b, i, b, j -> b i j", "a comma separates inputs, not letters."),
        ("b i, b j -> b, i, j", "there is no comma to the right of `->`."),
        ("b i * b j -> b i j", "letters, spaces, commas, parentheses and one `->` only."),
        ("b i, b·j -> b i j", "letters, spaces, commas, parentheses and one `->` only."),
        ("b i, b i -> b i", "`i` stands for two axes, i of x and j of y: they walk tog"),
        ("b i, c j -> b c i j", "Two letters for the batch: each x then meets the y of"),
        ("b i x, b j -> b i j", "x has 2 axes, and the line gives it 3."),
    ],
)  # fmt: skip
def test_notation_has_a_sentence_each(line: str, told: str) -> None:
    assert told in said("recipe-outer", line)


def test_a_line_is_read_letter_by_letter() -> None:
    inputs, outputs = {"x": ["b", "i"], "y": ["b", "j"]}, {"output": ["b", "i", "j"]}
    lines = {
        "b i, b j -> i j": "`b` is not on the right, so it is summed; keep it.",
        "n i, n k -> n k i": "The axes of the output come as n k i; asked for is n i k.",
        "b i, c j -> b c i j": (
            "The axis b has two letters, `b` in x and `c` in y: "
            "each then meets every other."
        ),
        "b i, b j -> b i j": "",
    }
    for line, told in lines.items():
        assert notation.says(Recipe(line), inputs, outputs) == told


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("b (g c) h w -> b (g c) h w", "image is split as (g c); its order is (c g)."),
        ("b (c g) h w -> b (c g) h w", "(c g) is merged in another order: it is to be"),
        ("b (c g) h w -> b g c h w", "The output is b g c h w; asked for is b (g c) h w."),
        ("b c h w -> b c h w", "`c` of image is to be split into (c g)."),
        ("b (c g) h w -> b (g c) h", "`w` is not on the right, so it is lost; keep it."),
        ("b (c g) h w -> b (g c) h w z", "`z` of the output is in no input."),
        ("(b n) c h w -> b c h w", "`(b n)` stands where image has b, which is not split."),
        ("b (c n) h w -> b (n c) h w", "g is given by its name, and the line has no `g`."),
    ],
)  # fmt: skip
def test_a_rearrangement_is_read_letter_by_letter(answer: str, told: str) -> None:
    task = EXERCISES["shapes-channels"]
    assert isinstance(task, Task)
    line = Rearrange(answer)
    assert told in notation.says(line, task.inputs, task.outputs, task.numbers)


def test_letters_written_as_one_word() -> None:
    assert "Put spaces between letters: 'ij' is one letter here." in said(
        "recipe-summed", "ij"
    )


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        ("linear-moves", lambda x, w, b: linear(x, w, -b), "bias is negated,"),
        ("linear-moves", lambda x, w, b: linear(x, w, 0 * b + b[0]),
         "only the first of bias along o is used, for all."),
        ("linear-moves", lambda x, w, b: linear(x.flip(1), w, b),
         "x runs backwards along i,\nor – which comes to the same – weight runs back"),
        ("linear-moves", lambda x, w, b: linear(x, w, b).T,
         "The output is (o, b): its two axes are exchanged."),
        ("linear-moves", lambda x, w, b: linear(x, w, b).relu(), "goes through a ReLU"),
        ("linear-moves", lambda x, w, b: (x[:, None] * w).amax(-1) + b,
         "the largest product along i is taken, where they are to be summed."),
        ("linear-moves", lambda x, w, b: x[:, -1:] * w[:, -1] + b,
         "each product along i takes the place of the one before"),
        ("linear-moves", lambda x, w, b: (x[:, None] + w).sum(-1) + b,
         "the inputs are added where they are to be multiplied."),
        ("recipe-literal", lambda q, k: q.sum(-1)[..., None] * k.sum(-1)[:, None],
         "The inputs are summed before they are multiplied."),
        ("nlinear-kernel", lambda w: w.reshape(-1, w.shape[1], 1),
         "A reshape moves no axis"),
        ("resample-area", lambda x, kh, kw: reduce(
            x, "b c (h kh) (w kw) -> b c h w", "mean", kh=kw, kw=kh),
         "kh and kw are exchanged."),
        ("linear-collapse", lambda a, b, c, d: (c @ b + d, c @ a),
         "the outputs stand in another order: they are weight and bias."),
        ("windows-same", lambda x, w: 3 * EXERCISES["windows-same"].reference(x, w),
         "The output is 3 times what it should be."),
        ("recurrent-step", lambda *x: EXERCISES["recurrent-step"].reference(*x).atanh(),
         "A tanh of your output would be right"),
        ("linear-bilinear", lambda x, y, w, b: (
            x[:, None, :, None] * w * y[:, None, None] + b[:, None, None]).sum((2, 3)),
         "bias counts i · j times."),
        ("attention-groups", lambda q, k, v: EXERCISES["attention-groups"].reference(
            q, k, v).unflatten(1, (k.shape[1], -1)).transpose(1, 2).flatten(1, 2),
         "in the output the order is (head g), not (g head)."),
        ("nlinear-blocks", lambda w: torch.stack([
            torch.stack([w[n].T * (n + s == len(w) - 1) for s in range(len(w))], 1)
            for n in range(len(w))]).flatten(2).flatten(0, 1),
         "the output runs backwards along n."),
        ("gpt2-rms", lambda x, w: EXERCISES["gpt2-rms"].reference(x, 1 + w),
         "1 is added to weight."),
        ("attention-story-lookup", lambda q, k, v: EXERCISES[
            "attention-story-lookup"].reference(q, k, v).mean(1, keepdim=True),
         "the output is averaged along q, and keeps that axis, of length 1."),
    ],
)  # fmt: skip
def test_a_mistake_is_made_from_reference_and_contract(
    name: str, answer: Any, told: str
) -> None:
    assert told in said(name, answer)


def windows_of(
    x: Tensor, weight: Tensor, before: int, after: int = -1, line: str = "biwk,oik->bow"
) -> Tensor:
    padded = torch.nn.functional.pad(x, (before, before if after < 0 else after))
    seen = padded.unfold(2, weight.shape[-1], 1)
    return torch.einsum(line, seen, weight) if line else seen


def stamped(x: Tensor, weight: Tensor) -> Tensor:
    width, size = x.shape[-1], weight.shape[-1]
    y = x.new_zeros(len(x), weight.shape[1], width + size - 1)
    for k in range(size):
        y[..., k : k + width] += torch.einsum("biw,io->bow", x, weight[..., k])
    return y


def left_mean(x: Tensor) -> Tensor:
    def total(x: Tensor) -> Tensor:
        return torch.nn.functional.pad(x, (2, 0)).unfold(-1, 3, 1).sum(-1)

    return total(x) / total(torch.ones_like(x))


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        ("activation-geglu", lambda x, g, v: (x @ g.T).relu() * (x @ v.T),
         "the ReLU of Σ x · gate is taken, and not the GELU."),
        ("activation-gradient", lambda g, y: y * (g - (g * y).sum()),
         "the sum of (gradient · y) runs over everything, not along c."),
        ("activation-gradient", lambda g, y: g - y * (g * y).sum(1, keepdim=True),
         "only sum(gradient · y) is multiplied by y, and not all of (gradient − "),
        ("attention-weights", lambda q, k: (q @ k.mT / q.shape[1] ** 0.5).softmax(-1),
         "next to Σ query · key there is the root of q, where the root of e is to be."),
        ("attention-causal", lambda q, k, v: masked(q, k, 1) @ v,
         "the mask is one diagonal too far up."),
        ("attention-causal", lambda q, k, v: masked(q, k, 0) @ k,  # noqa: ARG005
         "key is read where value is to be."),
        ("conv-same", lambda x, w: torch.einsum("biwk,oik->bow", x[..., (
            torch.arange(x.shape[-1])[:, None] + torch.arange(w.shape[-1])
            - (w.shape[-1] - 1) // 2) % x.shape[-1]], w),
         "x goes on from its other side, where the padding is zeros."),
        ("mixer-block", lambda x, w, v: x + v @ (w @ x.relu()),
         "the ReLU comes too early: it is taken of tokens, before that goes on."),
        ("pool-max", lambda x, kh, kw: x[:, :, ::kh, ::kw],
         "the first one of picture along kh and kw is taken, and not the largest"),
        ("pool-lp", lambda x, k: x.unflatten(-1, (-1, k)).square().sum(-1) ** (1 / k),
         "the root of sum(square(picture)) is the k-th one, and not the second."),
        ("resample-story-weights", lambda x, n: (
            ((x[:, None] - n).abs() - 1).clamp(min=0)),
         "it is abs(position − pixel) − 1 where it is to be the other way round"),
        ("shapes-sheet", lambda images, x: rearrange(
            images, "(y x) c h w -> c (x h) (y w)", x=x),
         "to the right of the arrow y and x are exchanged."),
        ("attention-gradient", lambda s, g: s.softmax(1) * (
            g - (s.softmax(1) * g).sum(1, keepdim=True)),
         "all is taken along q, where s is meant."),
        ("attention-gradient", lambda s, g: s.softmax(2) * (
            g - (s.softmax(2) * g).sum((1, 2), keepdim=True)),
         "the sum of (softmax(scores) · gradient) runs along q and s, not along s."),
        ("conv-same", lambda x, w: windows_of(x, w, w.shape[-1] // 2),
         "x is padded in front as it is to be at the end, on both sides alike."),
        ("conv-same", lambda x, w: torch.einsum("biwk,oik->biow", windows_of(
            x, w, (w.shape[-1] - 1) // 2, w.shape[-1] // 2, line=""), w).amax(1),
         "of Σ x · weight the largest along i is taken, and not the sum."),
        ("linear-moves", lambda x, w, b: x @ w.T + b[:, None],
         "Where it runs, it does what is asked, but bias lies along b, and not along o"),
        ("recurrent-gru", lambda x, r, h, w, b: x.tanh() + (
            r.sigmoid() * (h @ w.T + b)).tanh(),
         "it is taken of read and of the product, each by itself."),
        ("conv_transpose-overlap", stamped,
         "is not cut to its length"),
        ("linear-collapse", lambda a, b, c, d: (c @ a, b.sum() + d),
         "weight2 is left out of Σ bias1 · weight2, as if it were 1."),
        ("conv-story-moves", lambda x, w: (
            x[:, None] * w[:, :, None, None]).sum(2).amax((-2, -1)),
         "the largest number of (seen · weight) along kh and kw is taken, and not the"),
        ("pool-count", left_mean, "is in front, and so each time."),
        ("activation-prelu", lambda x, w: x.clamp(min=0) + w[:, None] * x.abs(),
         "the magnitude of x is taken, where it is to be clamped."),
        ("activation-gradient", lambda g, y: (
            y * y * (g - (g * y).sum(1, keepdim=True))),
         "y is squared in one place."),
        ("distance-pairs", lambda x, y: (x[:, None] - y).abs().sum(-1) ** 2,
         "The magnitude of (x − y) is taken, and not the square, and the square of "),
    ],
)  # fmt: skip
def test_a_step_is_exchanged(name: str, answer: Any, told: str) -> None:
    assert told in said(name, answer)


def masked(query: Tensor, key: Tensor, diagonal: int) -> Tensor:
    scores = query @ key.mT / query.shape[-1] ** 0.5
    seen = torch.ones_like(scores, dtype=torch.bool).tril(diagonal)
    return scores.masked_fill(~seen, -math.inf).softmax(-1)


def test_steps_as_many_as_an_axis_is_long_are_not_exchanged() -> None:
    task = EXERCISES["recurrent-back"]
    assert isinstance(task, Task)
    assert not any(change.around for change in task.changes)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda x, w, b: x @ w.T + b[:, None], "\nAn axis as long as b meets one as long as o: axes are laid on each"),
        (lambda x, w, b: x @ w.flip(0) + b, "\nBy their sizes (b, i) meets (o, i): a product of matrices sums the"),
    ],
)  # fmt: skip
def test_axes_that_do_not_meet_are_told_by_their_letters(
    answer: Any, told: str
) -> None:
    assert told in said("linear-moves", answer)


def test_two_things_at_once() -> None:
    def both(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        centered = x - x.mean(1, keepdim=True)
        deviation = centered.square().sum(1, keepdim=True) / (x.shape[1] - 1)
        return centered / (deviation.sqrt() + 0.1) * weight + bias

    told = said("norm-moves", both)
    assert told.startswith(
        "It looks like two things at once.\n"
        "The variance is divided by n − 1; here it is the biased one.\n"
        "eps stands outside the root; it belongs under it.\n"
    )


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (lambda n: n["k"] % 2, "It is right wherever k is odd, and nowhere else."),
        (lambda n: n["b"] == 1, "It is right wherever b is 1, and nowhere else."),
        (lambda n: n["i"] == n["o"], "It is right wherever i = o, and nowhere else."),
        (lambda n: n["b"] == 1 or n["k"] == 1,
         "Of all cases, those are right where b is 1 or k is 1."),
        (lambda n: n["k"] == 3, f"It is right wherever k is 3, and {WRITTEN}"),
        (lambda n: n["k"] == 2, f"It is right wherever k is 2, and {WRITTEN}"),
        (lambda _: False, ""),
        (lambda _: True, ""),
    ],
)  # fmt: skip
def test_what_the_right_cases_have_in_common(rule: Any, told: str) -> None:
    sizes = [
        dict(zip("biok", n, strict=True))
        for n in itertools.product((1, 2, 3), repeat=4)
    ]
    assert signs.cases([(n, bool(rule(n))) for n in sizes]) == told


def test_which_of_two_outputs_is_right() -> None:
    told = said("linear-collapse", lambda a, b, c, d: (c @ a, (c @ b).exp() + 3 * d))
    assert told.startswith("Right as it is: weight.\n")


def test_changes_of_a_sum_of_products_only_where_it_is_one() -> None:
    inputs, outputs = {"x": ["b", "i"], "y": ["b", "i"]}, {"output": ["b"]}
    assert [*causes.products(inputs, outputs, lambda _: False)] == []
    assert [*causes.products({"x": ["b i"]}, outputs, lambda _: True)] == []


@pytest.mark.parametrize("name", ["recipe-bmm", "attention-groups", "linear-ones"])
def test_rules_of_a_statement_are_checked(name: str) -> None:
    answers = {
        "recipe-bmm": lambda q, k: torch.stack(
            [torch.bmm(q[:, :, h], k[:, :, h].mT) for h in range(q.shape[2])], 1
        ),
        "attention-groups": lambda q, k, v: EXERCISES["attention-weights"].reference(
            q, k.repeat(1, q.shape[1] // k.shape[1], 1, 1)
        ) @ v.repeat(1, q.shape[1] // k.shape[1], 1, 1),
        "linear-ones": lambda x, w, b: Recipe("b i, o i -> b o")(x, w) - (-b),
    }  # fmt: skip
    told = {
        "recipe-bmm": "It is to call bmm once, and calls it 4 times.",
        "attention-groups": "It calls repeat, which this exercise does without.",
        "linear-ones": "It calls sub, which this exercise does without.",
    }
    assert told[name] in said(name, answers[name])


def test_a_name_with_underscores_is_refused() -> None:
    def answer(scores: Tensor, gradient: Tensor) -> Tensor:
        return torch._softmax_backward_data(  # noqa: SLF001
            gradient, scores.softmax(-1), -1, torch.float32
        )

    assert "It calls _softmax_backward_data, which" in said(
        "attention-gradient", answer
    )


def test_expect_right() -> None:
    assert check("recipe-outer", "b i, b j -> b i j").expect_right()
    for answer in (..., "b i, b j -> i j"):
        with pytest.raises(AssertionError, match=r"^recipe-outer: not "):
            check("recipe-outer", answer).expect_right()


def test_html_of_a_wrong_answer_only() -> None:
    def html(answer: Any) -> str | None:
        return check("linear-moves", answer)._repr_html_()

    assert html(...) is None
    assert html(linear) is None
    told = html(lambda x, w, b: linear(x, w, b) * torch.tensor(0.5))
    assert told is not None
    assert told.count("✗ ") == 1
    for part in (
        "0.625",
        "0.3125",
        "../linear.ipynb",
        "linear-ones",
        "expected",
        "got",
    ):
        assert part in told
    assert "<script>" not in str(check("shapes-read", "<script>")._repr_html_())
    assert "../" not in str(check("linear-story-scores", (1, 2, 3))._repr_html_())


def test_a_large_counterexample_is_told_by_its_shape() -> None:
    task = EXERCISES["linear-moves"]
    assert isinstance(task, Task)
    verdict = check(
        "linear-moves",
        lambda x, w, b: linear(x, w, b) + (x.numel() * w.numel() > 50),
    )
    assert isinstance(verdict, Verdict)
    assert verdict.shown
    assert verdict.shown.html().count("<table") == 5


def test_values_that_are_near() -> None:
    question = EXERCISES["attention-story-scores"]
    assert isinstance(question, Question)
    assert "The numbers are the right ones, in another order." in said(
        "attention-story-scores", (-2, 6, 2)
    )
    assert "counted from 1, 3 is wrong." in said("attention-story-scores", (6, -2, 9))
    assert "Expected 3 numbers, got 2." in said("attention-story-scores", (6, -2))
    assert said("attention-count", 1120).endswith("It is twice what it should be.")
    assert said("attention-count", 561).endswith("It is off by one.")
    assert said("resample-place", 0.625).endswith("It is 1/2 of what it should be.")


def test_a_shape_with_an_axis_of_length_1_is_told() -> None:
    wrong = said("conv_transpose-pixels", lambda weight, g: weight[..., None] + 0 * g)
    assert "expected (g·o·kh·kw, i, 1, 1) =" in wrong


def test_wrong_answers_of_learners_are_named() -> None:
    """In a process of its own, where no types are checked: that takes a third."""
    ran = subprocess.run(
        [sys.executable, HERE / "wrong_answers.py"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    rows = [line.rsplit(": ", 1) for line in ran.stdout.splitlines()]
    kinds = {kind: int(count) for kind, count in rows}
    assert "right" not in kinds
    named = kinds["named"] + kinds.get("named by its cases", 0)
    assert named >= LEAST * sum(kinds.values())
