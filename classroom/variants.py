"""Exercises that differ from student to student: other numbers, drawn from a seed."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from classroom.judge import Question


@dataclass(frozen=True)
class Variant:
    """An exercise whose numbers can be others.

    Attributes:
        numbers: those of its statement, each with what may stand in its place.
        question: the exercise with these numbers, in this order.
    """

    numbers: Mapping[str, Sequence[int]]
    question: Callable[..., Question]

    def draw(self, name: str, seed: str) -> dict[str, int]:
        """The numbers of one student, by those that they replace."""
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        return {
            number: choices[digest[i] % len(choices)]
            for i, (number, choices) in enumerate(self.numbers.items())
        }

    def text(self, text: str, drawn: Mapping[str, int]) -> str:
        """The statement, or a hint, with the numbers that were drawn."""
        return re.sub(
            rf"\b({'|'.join(drawn)})\b", lambda found: str(drawn[found[1]]), text
        )


VARIANTS: dict[str, Variant] = {
    "linear-count": Variant(
        {"128": (96, 160, 192, 224, 256, 320)},
        lambda m: Question(
            784 * m + m + m * 10 + 10,
            {
                "The biases are missing: each output has one.": 784 * m + m * 10,
                "The second layer is missing.": 784 * m + m,
                "A bias belongs to an output, not to an input.": (
                    784 * m + 784 + m * 10 + m
                ),
            },
        ),
    ),
    "attention-count": Variant(
        {"10": (9, 11, 12, 13), "7": (5, 6, 8, 14)},
        lambda q, s: Question(
            2 * 4 * q * s,
            {
                "Each head has weights of its own.": 2 * q * s,
                "Each sequence of the batch has weights of its own.": 4 * q * s,
                "The queries read the sources, not each other.": 2 * 4 * q * q,
                "The 16 features are summed: no weight has them.": 2 * 4 * q * s * 16,
            },
        ),
    ),
    "nlinear-count": Variant(
        {"8": (5, 6, 7, 9, 10), "4": (2, 3, 11, 12)},
        lambda i, o: Question(
            16 * (i * o + o),
            {
                "This is one Linear; there are 16 of them.": i * o + o,
                "The biases are missing: each position has its own.": 16 * i * o,
                "One bias for all is too little: each position has its own.": (
                    16 * i * o + o
                ),
                "A bias belongs to an output, not to an input.": 16 * (i * o + i),
            },
        ),
    ),
}


def variant(name: str, seed: str) -> Question | None:
    """The exercise as the student of that seed has it; None where all have the same."""
    if not seed or name not in VARIANTS:
        return None
    found = VARIANTS[name]
    return found.question(*found.draw(name, seed).values())
