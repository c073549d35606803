"""Letters in the prose of the website have the colors of lines."""

import book_letters as letters
import pytest


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("b", "letter letter-b"),
        ("kh kw", "letter letter-kh, letter letter-kw"),
        ("i -> o", "summed letter letter-i, letter letter-o"),
        (
            "(b, i) → (b, o)",
            "letter letter-b, letter letter-i, letter letter-b, letter letter-o",
        ),
        (
            "... i -> ...",
            "letter letter-rest, summed letter letter-i, letter letter-rest",
        ),
    ],
)
def test_letters_become_chips(text: str, classes: str) -> None:
    code = letters.colored(text)
    chips = [" ".join(chip["classes"]) for chip in code.findall(letters.nodes.inline)]
    assert ", ".join(chips) == classes
    assert code.astext() == text.replace("->", "→")


@pytest.mark.parametrize("text", ["b.sum()", "bias", "...", "1", "b + 1", "h_n", "b=2"])
def test_other_code_stays(text: str) -> None:
    assert letters.colored(text) is None
