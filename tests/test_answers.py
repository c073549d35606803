"""Answers on the page: its script says what the judge says, in a real browser."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from book_answers import field
from playwright.sync_api import Browser, Page

from classroom import EXERCISES, Question, Task, check
from layerlib.recipe import Line
from test_site import AXE, PAGES, PHONE, ROOT, open_page, site, violations

PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Answers</title>
<script>DOCUMENTATION_OPTIONS = {{}}</script>
<script defer src="{static}/book.js"></script>
<script defer src="{static}/answers.js"></script>
<body>{fields}</body></html>"""
NAMES = [name for name in EXERCISES if field(name)]
VALUES = [name for name in NAMES if isinstance(EXERCISES[name], Question)]
LINES = [name for name in NAMES if isinstance(EXERCISES[name], Task)]

SUBMIT = """([name, answers]) => answers.map(answer => {
    const form = document.querySelector(`[data-name="${name}"] form`);
    const input = form.querySelector("input");
    input.value = answer;
    form.requestSubmit();
    return form.querySelector(".verdict").textContent;
})"""
Said = Callable[[str, list[str]], list[str]]


@pytest.fixture(scope="module")
def said(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """What the script says to answers to an exercise, without what it begins with."""
    file = tmp_path_factory.mktemp("answers") / "index.html"
    static = (ROOT / "site" / "static").as_uri()
    fields = "".join(map(field, NAMES))
    file.write_text(PAGE.format(static=static, fields=fields), encoding="utf-8")
    page = browser.new_context().new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(file.as_uri())

    def said(name: str, answers: list[str]) -> list[str]:
        told: list[str] = page.evaluate(SUBMIT, [name, answers])
        assert all(text.startswith(("✓ Right.", "Not yet. ")) for text in told)
        return [text.removeprefix("Not yet. ").strip() for text in told]

    yield said
    page.context.close()


RIGHT = "✓ Right."


def typed(value: Any) -> str:
    """An answer as it is typed into the field."""
    if isinstance(value, frozenset):
        return " ".join(sorted(value))
    return str(getattr(value, "line", None) or repr(value))


def judged(name: str, answer: Any) -> str:
    """What the judge says, without the marks of code, which the page shows as code."""
    verdict = check(name, answer)
    told = verdict.said.removeprefix("not yet. ").replace("`", "")
    return RIGHT if verdict else told


# ---- What is known of each exercise


@pytest.mark.parametrize("name", NAMES)
def test_right_is_right_and_the_blank_is_not(said: Said, name: str) -> None:
    right, *others = said(name, [typed(EXERCISES[name].reference), "", "  ", "..."])
    assert right == RIGHT
    assert RIGHT not in others
    assert others[0] == "Write your answer into the field."


@pytest.mark.parametrize("name", NAMES)
def test_each_known_mistake_is_told_in_its_own_sentence(said: Said, name: str) -> None:
    mistakes = {
        sentence: wrong
        for sentence, wrong in EXERCISES[name].mistakes.items()
        if name in VALUES or isinstance(wrong, str | Line)
    }
    told = said(name, [typed(wrong) for wrong in mistakes.values()])
    for sentence, text in zip(mistakes, told, strict=True):
        assert text.startswith(sentence.replace("`", ""))


def test_fields_are_those_of_values_and_lines() -> None:
    assert {"linear-count", "recipe-summed", "gpt2-story-merge"} <= {*VALUES}
    assert {"recipe-outer", "attention-heads"} <= {*LINES}
    assert not {"linear-moves", "norm-story-line", "nothing"} & {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_not_shown_in_the_source(name: str) -> None:
    shown = re.sub(r'data-exercise="[\w+/=]+"', "", field(name))
    assert shown == f'<div class="answer d-print-none" data-name="{name}" ></div>'


# ---- Other values


def others(right: Any) -> list[Any]:
    """Wrong values of all kinds, made from the right one."""
    if isinstance(right, frozenset):
        return [frozenset(), right | {"z"}, right - {min(right)}, "ij", {"x", "z"}]
    if isinstance(right, str):
        return ["zz", right + "!", right.upper()]
    if isinstance(right, tuple):
        changed = [
            (*right[:at], right[at] + 7, *right[at + 1 :]) for at in range(len(right))
        ]
        orders = [right[::-1], (*right[1:], right[0])]
        return [(), right[:-1], (*right, 1), *changed, *orders, (9, 9)]
    return [
        *(right * k for k in (2, 3, 4, 5, -1)), *(right / k for k in (2, 3, 4)),
        right + 1, right - 1, right + 0.25, 0, 10**9, (right, right),
    ]  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_judged_as_the_judge_does(said: Said, name: str) -> None:
    wrong = others(EXERCISES[name].reference)
    # In the judge's eyes 2.0 is no whole number; here it is one.
    wrong = [int(x) if isinstance(x, float) and x == int(x) else x for x in wrong]
    told = said(name, [typed(value) if value else "()" for value in wrong])
    for value, text in zip(wrong, told, strict=True):
        if isinstance(value, (frozenset, set)):
            value = typed(value) or "()"  # noqa: PLW2901  # it is typed as a string
        if value == 0:
            continue
        assert text == judged(name, value), value


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("linear-count", [
            "101,770", " 101770 ", "784*128 + 128 + 128*10 + 10", "(784 + 1)·128 + 1290",
            "785 × 128 + 1290", "101_770", "1.0177e5", "2 ** 10 + 100746", "101770 − 0",
        ]),
        ("shapes-read", ["2, 20, 3", "(2, 4*5, 3)", "[2, 20, 3]", "(2, 20, 3,)"]),
        ("window_attention-story-sees", ["0", "(0,)", "[0]"]),
        ("recipe-summed", ["i j", "j, i", "'i j'", "{i, j}"]),
        ("gpt2-story-merge", [" th", "' th'", '" th"']),
        ("resample-place", ["1.25", "5/4", "1 + 1/4"]),
        ("linear-story-scores", ["5, 5, −3", "(5, 5, -3)"]),
    ],
)  # fmt: skip
def test_a_right_value_may_be_written_in_several_ways(
    said: Said, name: str, answers: list[str]
) -> None:
    assert said(name, answers) == [RIGHT] * len(answers)


MALFORMED = [
    "many", "1 +", "(1, 2", "1)", "1 1", "[", "]", ",", "**", "--", "1..2", "0/0", "1/0",
    "x = 3", "None", "<b>1</b>", "`", "1;2", "(1, (2, 3))", "1, 2, x", "é", "🙂", "$1",
]  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_what_is_no_value_is_told(said: Said, name: str) -> None:
    for text in said(name, MALFORMED):
        assert re.match(r"(Expected a|It is not) ", text), text


# ---- Other lines


def styles(line: str, task: Task) -> list[str]:
    """The same line in other letters, with other spaces, and in quotes."""
    left, right = line.split("->")
    letters = sorted({*re.findall(r"\w+", line)} - {*task.numbers, "1"})
    renamed = re.sub(
        r"[a-z]\w*",
        lambda word: f"a{letters.index(word[0])}" if word[0] in letters else word[0],
        line,
    )
    spaced = line.replace(",", " , ").replace("(", "( ").replace(" ", "  ")
    return [
        renamed, spaced, f'"{line}"', f"'{line}'", f'Recipe("{line}")',
        f"{left.strip()}->{right.strip()}", line.replace(", ", ","),
    ]  # fmt: skip


def spelled(line: str) -> str:
    return re.sub(r"^\w+\((.*)\)$", r"\1", line).strip("\"'")


def slips(line: str) -> list[str]:
    """Well-formed lines that are wrong, made from a right one, and some right ones."""
    left, right = (side.strip() for side in line.split("->"))
    axes = re.findall(r"\([^)]*\)|\S+", right)
    inputs = left.split(", ")
    made = [
        f"{left} -> {' '.join(axes[:at] + axes[at + 1 :])}" for at in range(len(axes))
    ]
    made += [
        f"{left} -> {' '.join(axes[at:] + axes[:at])}" for at in range(1, len(axes))
    ]
    made += [f"{left} -> {right} {n}" for n in re.findall(r"\w+", left)]
    for at, term in enumerate(inputs):
        letters = re.findall(r"\([^)]*\)|\S+", term)
        turned = " ".join(letters[::-1])
        made.append(
            f"{', '.join([*inputs[:at], turned, *inputs[at + 1 :]])} -> {right}"
        )
        flipped = re.sub(r"\((\w+) (\w+)", r"(\2 \1", term)
        made.append(
            f"{', '.join([*inputs[:at], flipped, *inputs[at + 1 :]])} -> {right}"
        )
        for old, new in pairwise(letters):
            one = [*inputs[:at], term.replace(old, new, 1), *inputs[at + 1 :]]
            made.append(f"{', '.join(one)} -> {right}")
        longer = [*inputs[:at], f"{term} z", *inputs[at + 1 :]]
        made += [f"{', '.join(longer)} -> {right}", f"{', '.join(longer)} -> {right} z"]
    merged = re.sub(r"\(([^)]*) (\w+)\)", r"(\2 \1)", right)
    made += [
        f"{left} -> {merged}",
        f"{left} -> {right.replace('(', '').replace(')', '')}",
        f"{left.replace('(', '').replace(')', '')} -> {right}",
        line.replace("b", "..."), f"{left} ->", re.sub(r"\bkh\b|\bg\b|\by\b", "r", line),
        re.sub(r"\bb\b(?=.*->)", "a", line, count=1), f"{left} -> ({right})",
    ]  # fmt: skip
    return list(dict.fromkeys(made))


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_judged_as_the_judge_does(said: Said, name: str) -> None:
    task = EXERCISES[name]
    assert isinstance(task, Task)
    lines = [*styles(task.reference.line, task), *slips(task.reference.line)]
    known = task.mistakes.items()
    functions = tuple(told for told, by in known if not isinstance(by, str | Line))
    for line, text in zip(lines, said(name, lines), strict=True):
        verdict = check(name, spelled(line))
        assert (text == RIGHT) == bool(verdict), (line, text, verdict.said)
        if verdict:
            continue
        if verdict.sentences.startswith(functions):
            continue  # no line is known that does the same
        told = verdict.sentences.replace("`", "")
        if text != "The shape is right, and the numbers are not.":
            assert text in told, (line, text, told)


BROKEN = [
    "{left}", "{left} -> {right} -> {right}", "{left} → {right}", "{left} => {right}",
    "{left} --> {right}", "{left} = {right}", "{left} - > {right}", "-> {right}", "->",
    "{left} -> {right},", "{left}, b -> {right}", "b, {left} -> {right}",
    "{left} -> {right} {right}", "{left} -> {right} +", "{left}; -> {right}",
    "[{left}] -> {right}", "{left} -> {right} 2", "{left} -> {right} .",
    "{left} -> {right} ....", "{left} -> {right} (", "{left} -> ) {right}",
    "({left} -> {right}", "{left} -> {right} ()z", "{left} -> {right} _", "{left}: {right}",
    "{left} — {right}", "{left} -> {right} unknown", "<b>{left}</b>", "`", "42", "None",
    "... -> ...", "{left} -> ...", "{left} -> {right} ...", "{left} ... -> {right}",
]  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_a_malformed_line_is_told_and_never_right(said: Said, name: str) -> None:
    reference = EXERCISES[name].reference
    left, right = (side.strip() for side in reference.line.split("->"))
    lines = [line.format(left=left, right=right) for line in BROKEN]
    for line, text in zip(lines, said(name, lines), strict=True):
        verdict = check(name, line)
        told = verdict.sentences.replace("`", "")
        assert (text == RIGHT) == bool(verdict), (line, told)
        if not verdict:
            assert text, line
            start = text.partition("\n")[0].removesuffix("it raises an error.")
            assert start in told, (line, text, told)


# ---- On the pages

EXERCISE, STORY = "chapters/exercises/recipe", "chapters/linear"


def on_page(site: Path, name: str) -> list[str]:
    page = (site / f"{name}.html").read_text(encoding="utf-8")
    return re.findall(r'class="answer d-print-none" data-name="([^"]*)"', page)


def test_each_blank_of_a_value_or_a_line_has_one_field(site: Path) -> None:
    found = [name for page in PAGES for name in on_page(site, page)]
    assert len(set(found)) == len(found)
    by_function = {"conv_transpose-story-lay"}  # what the reader's function returns
    assert {*VALUES} - by_function <= {*found} <= {*NAMES} - by_function
    assert on_page(site, EXERCISE) == [
        "recipe-summed", "recipe-outer", "recipe-order", "recipe-gradient",
    ]  # fmt: skip
    # These ask for a function, though a line would do.
    assert not {"shapes-patches", "gpt2-groups", "mixer-story-moves"} & {*found}


def test_only_exercises_with_a_field_load_the_script_at_once(site: Path) -> None:
    for name in PAGES:
        page = (site / f"{name}.html").read_text(encoding="utf-8")
        asked = "/exercises/" in name and bool(on_page(site, name))
        assert ("answers.js" in page) == asked, name


def answer(page: Page, name: str, text: str) -> str:
    """Types an answer and presses Enter; gives what is said then."""
    page.get_by_label("Your answer").and_(page.locator(f"#answer-{name}")).fill(text)
    page.keyboard.press("Enter")
    return page.locator(f"#verdict-{name}").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_answer_is_judged_by_keyboard(
    site: Path, browser: Browser, theme: str
) -> None:
    page, looked = open_page(browser, site / f"{EXERCISE}.html", theme)
    marks = page.locator("h2 .solved")
    told = answer(page, "recipe-outer", "b i, b j -> i j")
    assert told.startswith("Not yet. b is not on the right, so the examples are summed")
    assert "expected (b, i, j) = (2, 3, 4), got (3, 4)." in told
    assert page.locator("#verdict-recipe-outer").get_attribute("aria-live") == "polite"
    assert marks.count() == 0
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Check"
    assert answer(page, "recipe-outer", "n i, n k -> n i k") == "✓ Right."
    assert marks.count() == 1
    page.locator("#answer-recipe-order").fill("many")
    page.locator("[data-name=recipe-order] button").click()
    told = page.locator("#verdict-recipe-order").inner_text()
    assert told == "Not yet. Expected a whole number, got 'many'."
    for size in (None, PHONE):
        if size:
            page.set_viewport_size(size)
        assert not violations(page, AXE, "article")
    assert not looked.console
    page.reload()
    assert page.locator("#answer-recipe-outer").input_value() == "n i, n k -> n i k"
    assert page.locator("#verdict-recipe-outer").inner_text() == ""
    assert marks.count() == 1
    assert marks.get_attribute("aria-label") == "solved"
    answer(page, "recipe-outer", "")
    assert marks.count() == 0
    page.context.close()


def test_a_story_marks_the_answer_and_no_heading(site: Path, browser: Browser) -> None:
    page, looked = open_page(browser, site / f"{STORY}.html", "light")
    page.evaluate("() => localStorage.setItem('layers-answers', 'no JSON')")
    page.reload()
    assert page.locator("div.answer form").count() == 0  # far below the first screen
    page.evaluate("() => document.querySelector('div.answer + *').scrollIntoView()")
    assert answer(page, "linear-story-scores", "5, 5, -3") == "✓ Right."
    assert page.locator("label .solved").count() == 1
    assert page.locator("h2 .solved").count() == 0
    assert not looked.console
    page.context.close()


def test_a_field_is_not_there_without_scripts_nor_on_paper(
    site: Path, browser: Browser
) -> None:
    path = site / f"{EXERCISE}.html"
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(path.as_uri())
    assert page.locator(".answer").count() == 4
    assert page.locator(".answer:visible, .answer *").count() == 0
    page.context.close()
    page, _ = open_page(browser, path, "light")
    assert page.locator(".answer:visible").count() == 4
    answer(page, "recipe-outer", "b i, b j -> b i j")
    page.emulate_media(media="print")
    assert page.locator(".answer:visible, .solved:visible").count() == 0
    page.context.close()


__all__ = ["site"]
