"""Evidence against the lesion, on maps made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dermoscope.heads.evidence_place import coarse_grid, covered_beside, place_evidence, with_its_border

MASK = np.zeros((56, 56), np.bool_)
MASK[:, :28] = True


def test_the_share_is_that_of_the_positive_part() -> None:
    evidence = np.full((28, 28), -5.0, np.float32)
    evidence[10, 2], evidence[10, 25] = 3.0, 1.0
    found = place_evidence(evidence, MASK)
    assert found
    assert found.share_inside == pytest.approx(0.75)
    assert found.peak_inside


def test_the_border_counts_as_inside_and_a_little_further_not() -> None:
    for column, inside in ((13, 1.0), (14, 1.0), (16, 1.0), (17, 0.0), (20, 0.0)):
        evidence = np.zeros((28, 28), np.float32)
        evidence[10, column] = 1
        found = place_evidence(evidence, MASK)
        assert found
        assert (found.share_inside, found.peak_inside) == (inside, bool(inside))


def test_where_nothing_speaks_for_malignancy_there_is_no_place() -> None:
    assert place_evidence(np.full((28, 28), -1.0, np.float32), MASK) is None
    assert place_evidence(np.zeros((28, 28), np.float32), MASK) is None


def test_things_beside_the_lesion_are_weighted_by_the_evidence_on_them() -> None:
    thing = np.zeros((28, 28), np.bool_)
    thing[:14, 20:] = True
    evidence = np.zeros((28, 28), np.float32)
    evidence[5, 24], evidence[20, 24], evidence[5, 5] = 1.0, 3.0, 100.0
    assert covered_beside(evidence, MASK, thing) == pytest.approx(0.25)
    assert covered_beside(np.zeros((28, 28), np.float32), MASK, thing) == 0


@pytest.mark.parametrize(
    ("shape", "expected"), [((28, 28), (14, 14)), ((21, 28), (10, 14)), ((28, 1), (14, 1)), ((7, 9), (7, 9))]
)
def test_the_grid_is_small_and_keeps_the_mean(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    evidence = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    grid = coarse_grid(evidence)
    assert grid.shape == expected
    assert grid.mean() == pytest.approx(evidence.mean(), abs=1e-5)


def test_the_lesion_grows_by_the_blur_of_the_map() -> None:
    near = with_its_border(np.zeros((28, 28), np.float32), MASK)
    assert np.flatnonzero(near[10] > 0.5).max() == 16
