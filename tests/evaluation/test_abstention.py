from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermoscope.evaluation.abstention import RankedAnswers, coverage_risk


def test_a_curve_by_hand() -> None:
    curve = coverage_risk(np.array([True, False, True, True]), np.array([0.9, 0.8, 0.7, 0.6]))
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    assert curve.threshold.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert curve.best_area == pytest.approx((0 + 0 + 0 + 1 / 4) / 4)
    assert curve.excess_area == pytest.approx((1 / 2 + 1 / 3) / 4)
    assert curve.n == 4


def test_equal_confidence_is_answered_together() -> None:
    curve = coverage_risk(np.array([True, False, False]), np.array([0.9, 0.5, 0.5]))
    assert curve.coverage == pytest.approx([1 / 3, 1])
    assert curve.risk == pytest.approx([0, 2 / 3])
    assert curve.area == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)


def test_a_constant_confidence_has_the_error_rate_as_area() -> None:
    curve = coverage_risk(np.arange(10) < 7, np.full(10, 0.5))
    assert curve.area == pytest.approx(0.3)
    assert curve.coverage.tolist() == [1.0]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=12))
def test_the_area_is_the_mean_over_orders_of_ties(rows: list[tuple[bool, int]]) -> None:
    correct = np.array([row[0] for row in rows])
    confidence = np.array([row[1] for row in rows], np.float64)
    random = np.random.default_rng(0)
    areas = []
    for _ in range(400):
        order = np.lexsort((random.random(len(rows)), -confidence))
        areas.append((np.cumsum(~correct[order]) / np.arange(1, len(rows) + 1)).mean())
    assert coverage_risk(correct, confidence).area == pytest.approx(np.mean(areas), abs=0.06)


def test_perfect_confidence_reaches_the_best_area() -> None:
    correct = np.arange(20) < 13
    assert coverage_risk(correct, np.linspace(1, 0, 20)).excess_area == pytest.approx(0, abs=1e-12)
    assert coverage_risk(correct, np.linspace(0, 1, 20)).excess_area > 0.3


def test_weights_count_rows_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    correct, confidence = random.random(60) < 0.8, np.round(random.random(60), 1)
    weights = random.integers(0, 4, 60)
    weighted, repeated = (
        coverage_risk(correct, confidence, weights),
        coverage_risk(np.repeat(correct, weights), np.repeat(confidence, weights)),
    )
    assert weighted.area == pytest.approx(repeated.area)
    assert weighted.best_area == pytest.approx(repeated.best_area)
    assert weighted.n == repeated.n == weights.sum()
    np.testing.assert_allclose(weighted.coverage, repeated.coverage)
    np.testing.assert_allclose(weighted.risk, repeated.risk)
    np.testing.assert_allclose(weighted.threshold, repeated.threshold)


def test_reading_the_curve() -> None:
    curve = coverage_risk(np.array([True, True, True, False, False]), np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
    assert curve.risk_at(0.6) == 0
    assert curve.risk_at(0.61) == 0.25
    assert curve.risk_at(1.0) == 0.4
    assert curve.coverage_at(0.25) == 0.8
    assert curve.coverage_at(0.1) == 0.6
    assert coverage_risk(np.array([False]), np.array([0.9])).coverage_at(0.5) == 0


def test_no_rows_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rows"):
        coverage_risk(np.array([], np.bool_), np.array([]))
    with pytest.raises(ValueError, match="no rows"):
        coverage_risk(np.array([True]), np.array([0.5]), np.array([0]))


@pytest.mark.parametrize("digits", [1, 9])
@pytest.mark.parametrize("share_right", [0.1, 0.8, 1.0])
def test_the_short_way_to_the_summary_is_the_curve(digits: int, share_right: float) -> None:
    coverages = np.array([0.02, 0.5, 0.8, 1.0])
    for seed in range(20):
        random = np.random.default_rng(seed)
        correct, confidence = random.random(80) < share_right, random.random(80).round(digits)
        weights = random.poisson(1, 80).astype(np.int32)
        curve = coverage_risk(correct, confidence, weights)
        expected = [curve.area, curve.excess_area, *(curve.risk_at(coverage) for coverage in coverages)]
        assert RankedAnswers(correct, confidence).summary(coverages, weights) == pytest.approx(expected, abs=1e-12)
