from __future__ import annotations

import math

import numpy as np
import pytest

from dermoscope.evaluation.classification import binary_metrics
from dermoscope.evaluation.operating_points import at_balanced_accuracy, at_sensitivity, at_threshold

POSITIVE = np.array([True, True, True, True, False, False, False, False])
SCORE = np.array([0.9, 0.8, 0.4, 0.3, 0.7, 0.35, 0.2, 0.1])


def test_a_threshold_by_hand() -> None:
    point = at_threshold(POSITIVE, SCORE, 0.4)
    assert (point.sensitivity, point.specificity) == (0.75, 0.75)
    assert (point.ppv, point.npv) == (0.75, 0.75)
    assert (point.flagged, point.n, point.positives, point.threshold) == (4, 8, 4, 0.4)


@pytest.mark.parametrize(
    ("wanted", "threshold", "sensitivity", "specificity"),
    [
        (0.25, 0.85, 0.25, 1.0),
        (0.5, 0.75, 0.5, 1.0),
        (0.51, 0.375, 0.75, 0.75),
        (0.76, 0.25, 1.0, 0.5),
        (1.0, 0.25, 1.0, 0.5),
    ],
)
def test_the_highest_threshold_that_is_sensitive_enough(
    wanted: float, threshold: float, sensitivity: float, specificity: float
) -> None:
    point = at_sensitivity(POSITIVE, SCORE, wanted)
    assert point.threshold == pytest.approx(threshold)
    assert (point.sensitivity, point.specificity) == (sensitivity, specificity)


def test_rounding_does_not_ask_for_another_hit() -> None:
    positive, score = np.ones(20, np.bool_), np.linspace(0.05, 1, 20)
    assert at_sensitivity(positive, score, 0.95).sensitivity == pytest.approx(0.95)
    assert at_sensitivity(np.ones(10, np.bool_), score[:10], 0.7).sensitivity == pytest.approx(0.7)


def test_greater_and_at_least_agree_at_the_threshold() -> None:
    random = np.random.default_rng(0)
    positive, score = random.random(500) < 0.3, np.round(random.random(500), 2)
    for wanted in (0.5, 0.8, 0.9, 0.95, 0.99, 1.0):
        point = at_sensitivity(positive, score, wanted)
        assert point.sensitivity >= wanted
        assert ((score > point.threshold) == (score >= point.threshold)).all()
        metrics = binary_metrics(positive, score, point.threshold)
        assert (metrics.sensitivity, metrics.specificity) == (point.sensitivity, point.specificity)
        assert (metrics.ppv, metrics.npv) == pytest.approx((point.ppv, point.npv), nan_ok=True)


def test_ties_are_flagged_together() -> None:
    point = at_sensitivity(np.array([True, True, False, False]), np.array([0.5, 0.5, 0.5, 0.1]), 0.5)
    assert (point.sensitivity, point.specificity, point.flagged) == (1.0, 0.5, 3)


def test_where_everything_must_be_flagged() -> None:
    point = at_sensitivity(np.array([True, False]), np.array([0.0, 1.0]), 1.0)
    assert (point.flagged, point.specificity) == (2, 0.0)
    assert math.isnan(point.npv)


def test_one_class_alone_leaves_the_other_number_open() -> None:
    assert math.isnan(at_threshold(np.zeros(3, np.bool_), np.zeros(3), 0.5).sensitivity)
    assert math.isnan(at_threshold(np.ones(3, np.bool_), np.zeros(3), 0.5).specificity)
    assert math.isnan(at_threshold(np.ones(3, np.bool_), np.zeros(3), 0.5).ppv)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="no positive image"):
        at_sensitivity(np.zeros(3, np.bool_), np.zeros(3), 0.9)
    for wanted in (0.0, 1.1, 95.0):
        with pytest.raises(ValueError, match="sensitivity must be"):
            at_sensitivity(POSITIVE, SCORE, wanted)


@pytest.mark.parametrize(
    ("positive", "score", "threshold", "balanced"),
    [
        ([True, True, False, False], [0.9, 0.7, 0.5, 0.1], 0.6, 1.0),
        ([True, True, True, True, False, False], [0.9, 0.8, 0.8, 0.2, 0.6, 0.1], 0.7, 0.875),
        # 0.15, 0.35 and 0.7 are equally good: 3/3 and 1/3, 2/3 and 2/3, 1/3 and 3/3.
        ([False, True, False, True, False, True], [0.1, 0.2, 0.3, 0.4, 0.5, 0.9], 0.15, 2 / 3),
        ([True, False], [0.1, 0.9], np.nextafter(0.1, 0), 0.5),
        ([True, False], [0.5, 0.5], np.nextafter(0.5, 0), 0.5),
    ],
    ids=["perfect", "one lost", "the lowest of equals", "worse than chance", "all alike"],
)
def test_the_threshold_of_greatest_balanced_accuracy(
    positive: list[bool], score: list[float], threshold: float, balanced: float
) -> None:
    point = at_balanced_accuracy(np.array(positive), np.array(score))
    assert point.threshold == pytest.approx(threshold, abs=1e-12)
    assert (point.sensitivity + point.specificity) / 2 == pytest.approx(balanced)


def test_no_threshold_has_a_greater_balanced_accuracy() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        positive, score = random.random(50) < 0.4, np.round(random.random(50), 1)
        best = at_balanced_accuracy(positive, score)
        others = [at_threshold(positive, score, threshold) for threshold in np.linspace(-0.05, 1.05, 23)]
        most = max(point.sensitivity + point.specificity for point in others)
        assert best.sensitivity + best.specificity == pytest.approx(most)


@pytest.mark.parametrize("positive", [True, False])
def test_balanced_accuracy_needs_both_kinds(positive: bool) -> None:
    with pytest.raises(ValueError, match="positive and negative"):
        at_balanced_accuracy(np.full(3, positive), np.array([0.1, 0.2, 0.3]))
