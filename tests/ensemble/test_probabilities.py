from __future__ import annotations

import numpy as np
import pytest

from dermoscope.ensemble.probabilities import checked_probabilities, log_probabilities, unusable_rows

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "row", [[NAN, 1.0], [NAN, NAN], [INF, 0.0], [INF, -INF], [-0.1, 1.1], [0.4, 0.4], [0.0, 0.0], [0.5, 0.502]]
)
def test_what_is_no_distribution_is_refused_with_its_place(row: list[float]) -> None:
    given = np.full((2, 3, 2), 0.5)
    given[1, 2] = row
    assert np.argwhere(unusable_rows(given)).tolist() == [[1, 2]]
    with pytest.raises(ValueError, match=r"probabilities\[1, 2\] are .*expected 0 to 1, .*\(1 such rows in all\)"):
        checked_probabilities(given)


@pytest.mark.parametrize("shape", [(3,), (0, 4, 3), (2, 4, 0)])
def test_members_and_classes_must_be_there(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="members first and classes last"):
        checked_probabilities(np.ones(shape))


def test_rounded_rows_are_taken_and_made_to_sum_to_one() -> None:
    rounded = np.array([[[0.3335, 0.3335, 0.3335]]], np.float16)
    found = checked_probabilities(rounded)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.full((1, 1, 3), 1 / 3), rtol=1e-12)


def test_zeros_and_ones_are_distributions_and_no_images_are_none() -> None:
    assert checked_probabilities(np.array([[1.0, 0.0]])).tolist() == [[1.0, 0.0]]
    assert checked_probabilities(np.ones((2, 0, 3))).shape == (2, 0, 3)


def test_logarithms_are_finite() -> None:
    np.testing.assert_allclose(log_probabilities(np.array([1.0, np.exp(-2), 0.0])), [0, -2, np.log(1e-12)])
