"""Matrices that are not stored, next to the same line on the stored ones."""

import pytest
import torch
from torch import Tensor

from examples import randn
from layerlib.engine.bands import Band, OneHot
from layerlib.lab import same
from layerlib.pool import BINS, BINS_3D, UNPOOL, mean_of_bins
from layerlib.recipe import Recipe
from layerlib.resample import RESAMPLE, interpolate

DICE = torch.Generator().manual_seed(0)


def band(m: int, n: int, k: int, *, ragged: bool = False) -> Band:
    """Random cells, some of them twice in a row."""
    cells = torch.randint(n + ragged, (m, k), generator=DICE)
    return Band(cells, torch.randn(m, k, generator=DICE).double(), n, ragged)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("size", [(3, 4), (9, 8), (8, 3)])
def test_a_line_on_bands_is_the_line_on_matrices(
    size: tuple[int, int], ragged: bool
) -> None:
    x = randn(2, 3, 6, 5)
    high, wide = band(size[0], 6, 3, ragged=ragged), band(size[1], 5, 2, ragged=ragged)
    same(
        lambda x: RESAMPLE(x, high, wide),
        lambda x: RESAMPLE.literal(x, high.tensor(), wide.tensor()),
        x,
        second=False,
    )
    assert tuple(wide.tensor().shape) == wide.shape


@pytest.mark.parametrize(("n", "m"), [(6, 3), (7, 3), (4, 4), (3, 5), (5, 1)])
def test_means_of_bins(n: int, m: int) -> None:
    x, matrix = randn(2, 3, n), mean_of_bins(n, m)
    same(lambda x: BINS(x, matrix), lambda x: BINS(x, matrix.tensor()), x)
    volume = randn(2, 4, n, 3)
    others = mean_of_bins(4, 2), matrix, mean_of_bins(3, 2)
    right = BINS_3D(volume, *[other.tensor() for other in others])
    torch.testing.assert_close(BINS_3D(volume, *others), right)


def test_another_line_takes_the_stored_matrix() -> None:
    matrix = mean_of_bins(6, 3)
    line, x = Recipe("b w, x w -> x b"), randn(2, 6)
    torch.testing.assert_close(line(x, matrix), line(x, matrix.tensor()))
    with pytest.raises(ValueError, match="letter 'w' is 5 in input 0 and 6 in input 1"):
        BINS(x[:, 1:], matrix)


def test_what_is_not_read_stays_there() -> None:
    x = torch.tensor([1.0, torch.inf, 2.0, 4.0, torch.nan])
    found = BINS(
        x, Band(torch.tensor([[0, 5], [2, 3]]), torch.ones(2, 2), 5, ragged=True)
    )
    assert found.tolist() == [1.0, 6.0]


def test_one_hot_rows() -> None:
    x, at = randn(2, 3, 4), torch.arange(4).expand(2, 3, 4) * 2
    hot = OneHot(at, 8)
    assert tuple(hot.tensor().shape) == hot.shape
    torch.testing.assert_close(UNPOOL(x, hot), UNPOOL(x, hot.tensor().double()))
    twice = OneHot(torch.zeros(1, 1, 2, dtype=torch.int64), 3)
    assert UNPOOL(torch.tensor([[[1.0, 2.0]]]), twice).tolist() == [[[2.0, 0.0, 0.0]]]


def test_bytes_are_rounded_along_the_last_axis_first() -> None:
    dice = torch.Generator().manual_seed(1)
    x = torch.randint(256, (2, 3, 7, 8), generator=dice, dtype=torch.uint8)
    for size in ((3, 5), (11, 13)):
        right = torch.nn.functional.interpolate(x, size, mode="bilinear")
        assert torch.equal(interpolate(x, size, mode="bilinear"), right)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_transforms() -> None:
    x, high, wide = randn(3, 2, 3, 6, 5), band(4, 6, 3), band(7, 5, 2)

    def ours(x: Tensor) -> Tensor:
        return RESAMPLE(x, high, wide)

    right = torch.stack([ours(one) for one in x])
    torch.testing.assert_close(torch.func.vmap(ours)(x), right)
    torch.testing.assert_close(
        torch.func.jacfwd(ours)(x[0]), torch.func.jacrev(ours)(x[0])
    )
