from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.ranking import RankedScores

# Three positives and three negatives, one tie across the classes.
POSITIVE = np.array([True, True, True, False, False, False])
SCORE = np.array([0.9, 0.8, 0.4, 0.7, 0.4, 0.1])


def many(
    seed: int, rows: int = 200, digits: int = 1
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.int32]]:
    random = np.random.default_rng(seed)
    positive = random.random(rows) < 0.3
    score = np.asarray(np.round(random.random(rows) * 0.7 + 0.3 * positive, digits), np.float64)
    return positive, score, random.poisson(1, rows).astype(np.int32)


def test_the_curve_by_hand() -> None:
    curve = RankedScores(POSITIVE, SCORE).curve()
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.7, 0.4, 0.1]
    assert curve.true_positives.tolist() == [1, 2, 2, 3, 3]
    assert curve.false_positives.tolist() == [0, 0, 1, 2, 3]
    assert curve.sensitivity == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 1, 1], abs=1e-12)
    assert curve.false_positive_rate == pytest.approx([0, 0, 0, 1 / 3, 2 / 3, 1], abs=1e-12)


def test_areas_by_hand() -> None:
    curve, areas = RankedScores(POSITIVE, SCORE).curve(), RankedScores(POSITIVE, SCORE).areas()
    for found in (curve, areas):
        assert found.auc == pytest.approx(float(Fraction(15, 2) / 9), abs=1e-9)
        assert found.average_precision == pytest.approx(float((1 + 1 + Fraction(3, 5)) / 3), abs=1e-9)
    assert curve.auc_above(0.8) == pytest.approx(float(Fraction(1, 5) * Fraction(9, 10) + Fraction(1, 3)), abs=1e-9)


@pytest.mark.parametrize(
    ("sensitivity", "area"),
    [
        (Fraction(1, 3), Fraction(1, 3) * Fraction(2, 3) + Fraction(1, 3) * Fraction(5, 6) + Fraction(1, 3)),
        (Fraction(2, 3), Fraction(1, 3) * Fraction(2, 3) + Fraction(1, 3) * Fraction(5, 6) + Fraction(1, 3)),
        (Fraction(1), Fraction(1, 3)),
    ],
)
def test_a_sensitivity_that_the_curve_meets_exactly(sensitivity: Fraction, area: Fraction) -> None:
    curve = RankedScores(POSITIVE, SCORE).curve()
    assert curve.auc_above(float(sensitivity)) == pytest.approx(float(area), abs=1e-9)


@pytest.mark.parametrize("sensitivity", [0.0, -0.1, 1.1, float("nan")])
def test_sensitivities_that_are_none(sensitivity: float) -> None:
    with pytest.raises(ValueError, match="sensitivity must be above 0 and at most 1"):
        RankedScores(POSITIVE, SCORE).curve().auc_above(sensitivity)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [1, 6])
def test_a_weight_is_a_repeated_row(seed: int, digits: int) -> None:
    positive, score, weights = many(seed, digits=digits)
    rows = np.repeat(np.arange(len(score)), weights)
    weighted, repeated = RankedScores(positive, score).curve(weights), RankedScores(positive[rows], score[rows]).curve()
    assert weighted.auc == pytest.approx(repeated.auc, abs=1e-12)
    assert weighted.average_precision == pytest.approx(repeated.average_precision, abs=1e-12)
    assert weighted.auc_above(0.8) == pytest.approx(repeated.auc_above(0.8), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [1, 6])
def test_the_short_way_to_the_areas_is_the_curve(seed: int, digits: int) -> None:
    positive, score, weights = many(seed, digits=digits)
    ranked = RankedScores(positive, score)
    for weighting in (weights, None, weights / 7):
        areas, curve = ranked.areas(weighting), ranked.curve(weighting)
        assert areas.auc == pytest.approx(curve.auc, abs=1e-12)
        assert areas.average_precision == pytest.approx(curve.average_precision, abs=1e-12)
        assert areas.auc_above_80_sensitivity == pytest.approx(curve.auc_above(0.8), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_the_share_of_pairs_in_order(seed: int) -> None:
    positive, score, _ = many(seed)
    above = np.subtract.outer(score[positive], score[~positive])
    pairs = np.where(above > 0, 1.0, np.where(above == 0, 0.5, 0.0))
    assert RankedScores(positive, score).curve().auc == pytest.approx(pairs.mean(), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_scikit_learn_agrees(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    positive, score, weights = many(seed)
    curve = RankedScores(positive, score).curve(weights)
    assert curve.auc == pytest.approx(metrics.roc_auc_score(positive, score, sample_weight=weights), abs=1e-9)
    expected = metrics.average_precision_score(positive, score, sample_weight=weights)
    assert curve.average_precision == pytest.approx(expected, abs=1e-9)


def test_the_ends_of_the_scale() -> None:
    perfect = RankedScores(POSITIVE, POSITIVE.astype(float)).curve()
    assert (perfect.auc, perfect.average_precision, perfect.auc_above(0.8)) == (1, 1, 1)
    useless = RankedScores(POSITIVE, np.full(6, 0.5)).curve()
    assert (useless.auc, useless.average_precision) == (0.5, 0.5)
    assert useless.auc_above(0.8) == pytest.approx(0.2 * 0.9, abs=1e-9)
    reversed_scores = RankedScores(POSITIVE, -POSITIVE.astype(float)).curve()
    assert (reversed_scores.auc, reversed_scores.auc_above(0.8)) == (0, 0)
    for score, expected in ((POSITIVE, 1), (np.full(6, 0.5), 0.18), (~POSITIVE, 0)):
        areas = RankedScores(POSITIVE, score.astype(float)).areas()
        assert areas.auc_above_80_sensitivity == pytest.approx(expected, abs=1e-9)


def test_what_one_class_alone_cannot_give_is_nan() -> None:
    only_positives = RankedScores(np.ones(3, np.bool_), np.arange(3.0))
    only_negatives = RankedScores(np.zeros(3, np.bool_), np.arange(3.0))
    both = RankedScores(POSITIVE, SCORE)
    assert np.isnan(
        [only_positives.curve().auc, only_positives.curve().auc_above(0.8), only_positives.areas().auc]
    ).all()
    assert only_positives.curve().average_precision == only_positives.areas().average_precision == 1
    assert np.isnan([only_negatives.curve().auc_above(0.8), both.curve(np.where(POSITIVE, 0, 1)).auc_above(0.8)]).all()
    for areas in (only_positives.areas(), only_negatives.areas(), both.areas(np.where(POSITIVE, 0, 1))):
        assert np.isnan(areas.auc_above_80_sensitivity)
    for found in (only_negatives.curve(), only_negatives.areas()):
        assert np.isnan([found.auc, found.average_precision]).all()
    for found in (both.curve(np.where(POSITIVE, 0, 1)), both.areas(np.where(POSITIVE, 0, 1))):
        assert np.isnan([found.auc, found.average_precision]).all()
    for found in (both.curve(np.where(POSITIVE, 1, 0)), both.areas(np.where(POSITIVE, 1, 0))):
        assert np.isnan(found.auc)
        assert found.average_precision == 1


@pytest.mark.parametrize(
    ("positive", "score", "message"),
    [
        ([True], [0.1, 0.2], "positive has 1 rows, score has 2"),
        ([], [], "no rows to score"),
        ([True, False, True], [0.1, float("nan"), float("nan")], "score is NaN in row 1"),
    ],
)
def test_scores_that_are_none(positive: list[bool], score: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RankedScores(np.array(positive, np.bool_), np.array(score))
