"""The exercises on embeddings."""

import torch
from torch import Tensor

from classroom.judge import Exercise, Question, Task
from layerlib.embedding import BAGS, EMBEDDING
from layerlib.recipe import Recipe


def _mean(shares: Tensor, rows: Tensor, table: Tensor) -> Tensor:
    return BAGS(shares, rows, table) / shares.sum(1, keepdim=True)


def _tied(rows: Tensor, table: Tensor, gradient: Tensor) -> Tensor:
    read = EMBEDDING(rows, table)
    scored = Recipe("n v, n e -> v e")(gradient, read)
    back = Recipe("n s, s e -> n e")(gradient, table)
    return scored + EMBEDDING.gradient(1)(back, rows)


EXERCISES: dict[str, Exercise] = {
    "embedding-count": Question(
        50257 * 768 + 1024 * 768,
        {
            "The table of positions is missing: a row for each of 1024 places.": (
                50257 * 768
            ),
            "Tied: the scores are read from the first table, which counts once.": (
                2 * 50257 * 768 + 1024 * 768
            ),
            "The two tables are added, not multiplied.": 50257 * 1024 * 768,
            "An embedding has no bias.": 50257 * 768 + 1024 * 768 + 2 * 768,
        },
    ),
    "embedding-twice": Question(
        (0, 0, 31, 20),
        {
            "A row that is read twice gets the sum of both gradients.": (0, 0, 1, 20),
            "The last one does not replace the first: both are added.": (0, 0, 30, 20),
            "The padding, row 0, gets no gradient.": (5, 0, 31, 20),
            "Nothing is divided, unless scale_grad_by_freq says so.": (0, 0, 15.5, 20),
        },
    ),
    "embedding-moves": Task(
        "rows: b n v, table: v e -> b n e",
        EMBEDDING.literal,
        {
            "The rows of the table are added, whatever was read.": (
                lambda rows, table: rows.sum(-1, keepdim=True) * table.sum(0)
            ),
            "The sum is to be over v, not over n.": (
                lambda rows, table: (rows[..., None] * table).sum(1)
            ),
            "The products are averaged; they are to be summed.": (
                lambda rows, table: (rows[..., None] * table).mean(-2)
            ),
        },
        without=["einsum", "matmul", "bmm", "mm", "embedding", "index_select"],
    ),
    "embedding-gradient": Task(
        "gradient: b n e, rows: b n v -> v e",
        Recipe("b n e, b n v -> v e"),
        {
            "It is laid out as (e, v); a gradient has the shape of its table.": (
                "b n e, b n v -> e v"
            ),
            "All texts read the same table: b is summed, too.": (
                "b n e, b n v -> b v e"
            ),
        },
    ),
    "embedding-bag": Task(
        "shares: b n, rows: n v, table: v e -> b e",
        _mean,
        {
            "It is the sum: divide by the sum of the shares.": BAGS,
            "It is divided by the number of rows, not by the shares.": (
                lambda shares, rows, table: BAGS(shares, rows, table) / shares.shape[1]
            ),
            "The shares are not used.": (
                lambda shares, rows, table: _mean(torch.ones_like(shares), rows, table)
            ),
        },
        without=["embedding_bag"],
    ),
    "embedding-tied": Task(
        "rows: n v, table: v e, gradient: n v -> v e",
        _tied,
        {
            "The part from reading the rows is missing.": (
                lambda rows, table, gradient: gradient.T @ (rows @ table)
            ),
            "The part from scoring is missing.": (
                lambda rows, table, gradient: rows.T @ (gradient @ table)
            ),
            "Reading and scoring are exchanged.": (
                lambda rows, table, gradient: (
                    rows.T @ (rows @ table) + gradient.T @ (gradient @ table)
                )
            ),
        },
    ),
    "embedding-story-line": Task(
        "rows: n v, table: v e -> n e",
        Recipe("n v, v e -> n e"),
        {
            "v is still there: the sum over all words is what picks one row.": (
                "n v, v e -> n v e"
            ),
            "n is summed, too, and all tokens fall into one row.": "n v, v e -> e",
            "The output is laid out as (e, n); each position is to be a row.": (
                "n v, v e -> e n"
            ),
        },
    ),
    "embedding-story-scores": Task(
        "features: n e, table: v e -> n v",
        Recipe("n e, v e -> n v"),
        {
            "The output is (v, n); each position is to have a row of scores.": (
                "n e, v e -> v n"
            ),
            "e is still there: a score is the sum over the features.": (
                "n e, v e -> n v e"
            ),
            "v is summed, and no word has a score of its own.": "n e, v e -> n",
        },
    ),
}
