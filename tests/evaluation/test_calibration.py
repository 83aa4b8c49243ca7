from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss

from dermoscope.evaluation.calibration import (
    Binning,
    brier,
    brier_decomposition,
    expected_calibration_error,
    fit_temperature,
    log_probabilities,
    multiclass_brier,
    reliability,
    top_label,
    with_temperature,
)
from dermoscope.evaluation.proportions import wilson_interval

HAPPENED = np.array([False, True, False, True, True, True])
PROBABILITY = np.array([0.05, 0.15, 0.45, 0.55, 0.9, 1.0])


def calibrated(count: int, seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    probability = random.beta(0.7, 2, count)
    return random.random(count) < probability, probability


def test_bins_by_hand() -> None:
    first, third, last = reliability(HAPPENED, PROBABILITY, bins=3)
    assert (first.lower, first.upper, first.n) == pytest.approx((0, 1 / 3, 2))
    assert (first.promised, first.observed) == pytest.approx((0.1, 0.5))
    assert (first.low, first.high) == wilson_interval(0.5, 2)
    assert (third.n, third.promised, third.observed) == pytest.approx((2, 0.5, 0.5))
    assert (last.n, last.promised, last.observed) == pytest.approx((2, 0.95, 1.0))
    assert last.upper == 1


def test_an_edge_belongs_to_the_bin_above_and_one_to_the_last() -> None:
    found = reliability(np.array([True, False, True]), np.array([0.0, 0.5, 1.0]), bins=2)
    assert [(each.lower, each.n) for each in found] == [(0.0, 1), (0.5, 2)]


def test_empty_bins_are_left_out() -> None:
    found = reliability(np.array([True, False]), np.array([0.01, 0.99]), bins=10)
    assert [each.n for each in found] == [1, 1]
    assert [each.lower for each in found] == [0.0, pytest.approx(0.9)]


def test_equal_mass_gives_every_bin_its_share() -> None:
    happened, probability = calibrated(1000)
    found = reliability(happened, probability, bins=10, binning="equal-mass")
    assert [each.n for each in found] == [100] * 10
    assert found[0].upper < 0.05


def test_equal_mass_with_ties_loses_no_row() -> None:
    probability = np.array([0.1] * 7 + [0.5] * 2 + [0.9])
    found = reliability(probability > 0.3, probability, bins=5, binning="equal-mass")
    assert sum(each.n for each in found) == 10
    assert all(each.n for each in found)
    same = reliability(np.ones(4, np.bool_), np.full(4, 0.3), bins=5, binning="equal-mass")
    assert len(same) == 1
    assert (same[0].n, same[0].promised) == pytest.approx((4, 0.3))


@pytest.mark.parametrize(
    ("bins", "binning", "expected"),
    [
        (3, "equal-width", (2 * 0.4 + 2 * 0.0 + 2 * 0.05) / 6),
        (1, "equal-width", abs(4 / 6 - PROBABILITY.mean())),
        (2, "equal-mass", (3 * abs(1 / 3 - 0.65 / 3) + 3 * abs(1 - 2.45 / 3)) / 6),
    ],
)
def test_calibration_error_by_hand(bins: int, binning: Binning, expected: float) -> None:
    assert expected_calibration_error(HAPPENED, PROBABILITY, bins, binning=binning) == pytest.approx(expected)


@pytest.mark.parametrize("binning", ["equal-width", "equal-mass"])
def test_calibration_error_is_the_weighted_gap_of_the_diagram(binning: Binning) -> None:
    happened, probability = calibrated(500)
    found = reliability(happened, probability**2, binning=binning)
    gap = sum(each.n * abs(each.promised - each.observed) for each in found) / 500
    assert expected_calibration_error(happened, probability**2, binning=binning) == pytest.approx(gap)


def test_honest_probabilities_have_a_small_error_and_squared_ones_a_large_one() -> None:
    happened, probability = calibrated(20_000)
    assert expected_calibration_error(happened, probability) < 0.01
    assert expected_calibration_error(happened, probability**2) > 0.05


def test_weights_count_rows_as_often_as_they_say() -> None:
    happened, probability = calibrated(50)
    weights = np.random.default_rng(1).integers(0, 4, 50)
    repeated = np.repeat(np.arange(50), weights)
    assert brier(happened, probability, weights) == pytest.approx(brier(happened[repeated], probability[repeated]))
    error = expected_calibration_error(happened, probability, weights=weights)
    assert error == pytest.approx(expected_calibration_error(happened[repeated], probability[repeated]))
    labels = happened.astype(np.intp)
    both = np.stack([1 - probability, probability], axis=1)
    weighted = multiclass_brier(labels, both, weights)
    assert weighted == pytest.approx(multiclass_brier(labels[repeated], both[repeated]))


def test_brier_by_hand_and_by_scikit_learn() -> None:
    assert brier(np.array([True, False]), np.array([0.8, 0.4])) == pytest.approx((0.04 + 0.16) / 2)
    happened, probability = calibrated(200)
    assert brier(happened, probability) == pytest.approx(brier_score_loss(happened, probability), abs=1e-12)


def test_multiclass_brier_by_hand() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    assert multiclass_brier(np.array([0, 2]), probabilities) == pytest.approx((0.09 + 0.04 + 0.01 + 2) / 2)
    happened, probability = calibrated(100)
    both = np.stack([1 - probability, probability], axis=1)
    assert multiclass_brier(happened.astype(np.intp), both) == pytest.approx(2 * brier(happened, probability))


def test_the_decomposition_adds_up_and_by_hand() -> None:
    happened = np.array([True, False, False, False, True, True, True, False])
    probability = np.array([0.2] * 4 + [0.6] * 4)
    found = brier_decomposition(happened, probability, bins=5)
    assert found.reliability == pytest.approx((0.05**2 + 0.15**2) / 2)
    assert found.resolution == pytest.approx(0.25**2)
    assert found.uncertainty == pytest.approx(0.25)
    assert found.within_bins == pytest.approx(0, abs=1e-12)
    happened, probability = calibrated(3000)
    found = brier_decomposition(happened, probability)
    total = found.reliability - found.resolution + found.uncertainty + found.within_bins
    assert found.brier == pytest.approx(total)
    assert found.brier == pytest.approx(brier(happened, probability))
    assert abs(found.within_bins) < 0.002


@pytest.mark.parametrize(
    ("happened", "probability", "words"),
    [
        ([], [], "at least one: 0, 0"),
        ([True], [0.5, 0.6], "at least one: 1, 2"),
        ([True], [1.2], "between 0 and 1"),
        ([True], [-0.1], "between 0 and 1"),
        ([True], [float("nan")], "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(happened: list[bool], probability: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        reliability(np.array(happened, np.bool_), np.array(probability))
    with pytest.raises(ValueError, match=words):
        expected_calibration_error(np.array(happened, np.bool_), np.array(probability))


def test_top_label_and_its_ties() -> None:
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])
    right, confidence = top_label(np.array([0, 2, 0]), probabilities)
    assert right.tolist() == [True, False, False]
    assert confidence.tolist() == [0.6, 0.5, 0.4]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_fitted_temperature_is_the_true_one(temperature: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20_000, 4))
    cumulative = with_temperature(logits, temperature).cumsum(axis=1)
    labels = (random.random(20_000)[:, None] > cumulative[:, :-1]).sum(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)
    through_probabilities = fit_temperature(log_probabilities(with_temperature(logits, 1.0)), labels)
    assert through_probabilities == pytest.approx(temperature, rel=0.05)


def test_temperature_calibrates_and_keeps_every_answer() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 1.5, (4000, 3))
    labels = (random.random(4000)[:, None] > with_temperature(logits, 1.0).cumsum(axis=1)[:, :-1]).sum(axis=1)
    sure = 3 * logits
    before, after = with_temperature(sure, 1.0), with_temperature(sure, fit_temperature(sure, labels))
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    assert expected_calibration_error(*top_label(labels, after)) < 0.03
    assert expected_calibration_error(*top_label(labels, before)) > 0.1


def test_temperature_of_probabilities_that_are_zero_is_finite() -> None:
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    temperature = fit_temperature(log_probabilities(probabilities), np.array([0, 1, 1]))
    assert 1 < temperature < 56
    with pytest.raises(ValueError, match="no rows"):
        fit_temperature(np.zeros((0, 2)), np.zeros(0, np.intp))
