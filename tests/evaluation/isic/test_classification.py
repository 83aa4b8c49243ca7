from __future__ import annotations

from dataclasses import asdict, astuple
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.classification import BinaryMetrics
from dermoscope.evaluation.isic import (
    CLASSIFICATION_TASKS,
    ClassificationTask,
    official_weights,
    score_classification,
    specificity_at,
)
from dermoscope.evaluation.ranking import RankedScores

T2016, T2017, T2018, T2019, T2020 = (
    CLASSIFICATION_TASKS[name]
    for name in ("isic2016-task3", "isic2017-task3", "isic2018-task3", "isic2019", "isic2020")
)
POSITIVE = np.array([True, True, True, False, False, False])
SCORE = np.array([0.9, 0.8, 0.4, 0.7, 0.4, 0.1])


def one_hot(labels: list[int], classes: int) -> NDArray[np.bool_]:
    return np.asarray(np.arange(classes) == np.array(labels)[:, None], np.bool_)


@pytest.mark.parametrize("task", [T2016, T2020], ids=lambda task: task.name)
def test_binary_tasks_by_hand(task: ClassificationTask) -> None:
    score = score_classification(task, POSITIVE[:, None], SCORE[:, None])
    expected = BinaryMetrics(
        sensitivity=2 / 3,
        specificity=2 / 3,
        ppv=2 / 3,
        npv=2 / 3,
        accuracy=2 / 3,
        dice=2 / 3,
        auc=5 / 6,
        auc_above_80_sensitivity=77 / 150,
        average_precision=13 / 15,
    )
    assert astuple(score.categories[task.categories[0]]) == pytest.approx(astuple(expected), abs=1e-9)
    assert score.macro_average == score.categories[task.categories[0]]
    assert score.overall == pytest.approx(13 / 15 if task == T2016 else 5 / 6, abs=1e-9)
    assert np.isnan(score.balanced_accuracy)
    assert score.images == 6


def test_2017_is_the_mean_of_two_areas() -> None:
    """An image may be neither: nevi have no column of their own."""
    truth = np.c_[POSITIVE, np.array([False, False, False, True, False, False])]
    probabilities = np.c_[SCORE, np.array([0.3, 0.2, 0.6, 0.3, 0.1, 0.0])]
    score = score_classification(T2017, truth, probabilities)
    assert score.categories["melanoma"].auc == pytest.approx(5 / 6, abs=1e-9)
    # The keratosis outranks three, ties with one and loses to one.
    assert score.categories["seborrheic_keratosis"].auc == pytest.approx(3.5 / 5, abs=1e-9)
    assert score.overall == pytest.approx((5 / 6 + 3.5 / 5) / 2, abs=1e-9)


def test_2017_reports_specificity_at_fixed_sensitivities() -> None:
    """Twenty positives: 82 % needs seventeen of them, 89 % eighteen, 95 % nineteen."""
    positive = np.arange(30) < 20
    # Below the 17th, 18th and 19th positive lie 2, 3 and 5 of the ten negatives' betters.
    score = np.linspace(1, 0.62, 20)
    score = np.r_[score, np.full(2, score[16] + 0.001), score[17] + 0.001, np.full(2, score[18] + 0.001), np.zeros(5)]
    truth, values = np.c_[positive, ~positive], np.c_[score, 1 - score]
    found = score_classification(T2017, truth, values).specificities
    assert found["melanoma"] == pytest.approx((0.8, 0.7, 0.5), abs=1e-9)
    assert found["mean"] == pytest.approx(np.mean([found["melanoma"], found["seborrheic_keratosis"]], axis=0))
    assert score_classification(T2016, truth[:, :1], values[:, :1]).specificities == {}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("digits", [1, 2, 9])
def test_the_specificity_is_that_of_the_organisers_loop(seed: int, digits: int) -> None:
    """The first point of scikit-learn's curve at or above the sensitivity, as `computeSPECMetrics` walks to it."""
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    positive = np.r_[True, False, random.random(60) < 0.4]
    score = (random.random(62) * 0.7 + 0.3 * positive).round(digits)
    for sensitivity in (0.3, 0.5, 0.82, 0.89, 0.95, 1.0):
        false_positive_rate, true_positive_rate, _ = metrics.roc_curve(positive, score)
        expected = next(
            1 - wrong
            for wrong, right in zip(false_positive_rate, true_positive_rate, strict=True)
            if right >= sensitivity
        )
        found = specificity_at(RankedScores(positive, score).curve(), sensitivity)
        assert found == pytest.approx(expected, abs=1e-9)


def test_a_curve_of_one_class_has_no_specificity() -> None:
    for positive in (np.ones(3, np.bool_), np.zeros(3, np.bool_)):
        assert np.isnan(specificity_at(RankedScores(positive, np.arange(3.0)).curve(), 0.82))


def test_2018_by_hand() -> None:
    """Three of four melanomas, one of two nevi (the other shared with a third class), the only carcinoma missed."""
    labels = [0, 0, 0, 0, 1, 1, 2]
    probabilities = np.zeros((7, 7))
    for row, (first, value) in enumerate([(0, 0.9), (0, 0.6), (0, 0.5), (1, 0.8), (1, 0.7), (1, 0.4), (0, 0.3)]):
        probabilities[row, first] = value
    probabilities[5, 6] = 0.4
    score = score_classification(T2018, one_hot(labels, 7), probabilities)
    # DF and others do not occur: the mean is over the categories that do.
    assert score.balanced_accuracy == pytest.approx(float((Fraction(3, 4) + Fraction(1, 2) + 0) / 3), abs=1e-9)
    assert score.overall == score.balanced_accuracy
    melanoma = score.categories["MEL"]
    # 0.5 is not above 0.5: two of the four melanomas are called.
    assert (melanoma.sensitivity, melanoma.specificity) == (0.5, 1)
    assert (melanoma.ppv, melanoma.npv) == pytest.approx((1, 3 / 5), abs=1e-9)
    assert melanoma.accuracy == pytest.approx(5 / 7, abs=1e-9)
    assert melanoma.dice == pytest.approx(4 / 6, abs=1e-9)


def test_2019_is_over_nine_categories() -> None:
    labels = list(range(9))
    probabilities = np.eye(9)
    assert score_classification(T2019, one_hot(labels, 9), probabilities).overall == 1
    probabilities[8] = np.full(9, 1 / 9)
    assert score_classification(T2019, one_hot(labels, 9), probabilities).overall == pytest.approx(8 / 9, abs=1e-9)


def test_a_shared_maximum_is_wrong_even_where_the_truth_shares_it() -> None:
    probabilities = np.zeros((2, 7))
    probabilities[0, [0, 3]] = 0.5
    probabilities[1, 1] = 1
    assert score_classification(T2018, one_hot([0, 1], 7), probabilities).overall == 0.5


def test_a_share_of_nothing_is_perfect() -> None:
    score = score_classification(T2018, one_hot([0, 1], 7), np.eye(7)[[0, 1]])
    absent = score.categories["DF"]
    assert (absent.sensitivity, absent.specificity, absent.ppv, absent.npv, absent.dice) == (1, 1, 1, 1, 1)
    assert np.isnan([absent.auc, absent.auc_above_80_sensitivity, absent.average_precision]).all()
    assert score.macro_average.auc == 1


def test_the_image_without_a_weight_does_not_count() -> None:
    ids = ["ISIC_0034524", "ISIC_0035068", "ISIC_0034525"]
    weights = official_weights(ids)
    assert weights.tolist() == [1, 0, 1]
    truth, probabilities = one_hot([0, 0, 1], 7), np.eye(7)[[0, 1, 1]]
    assert score_classification(T2018, truth, probabilities).overall == pytest.approx(0.75)
    weighted = score_classification(T2018, truth, probabilities, weights)
    assert (weighted.overall, weighted.images) == (1, 2)
    without = score_classification(T2018, truth[[0, 2]], probabilities[[0, 2]])
    for name in T2018.categories:
        assert asdict(weighted.categories[name]) == pytest.approx(asdict(without.categories[name]), nan_ok=True)


@pytest.mark.parametrize(
    ("truth", "probabilities", "message"),
    [
        (
            one_hot([0], 7),
            np.zeros((1, 6)),
            r"probabilities are \(1, 6\); expected \(1, 7\), one column for each of MEL",
        ),
        (one_hot([0], 6), np.zeros((1, 7)), r"truth is \(1, 6\)"),
        (one_hot([0, 1], 7), np.zeros((1, 7)), r"expected \(2, 7\)"),
        (one_hot([0], 7), np.full((1, 7), 1.5), "row 0, column MEL: 1.5 is not from 0 to 1"),
        (one_hot([0], 7), np.array([[0, 0, np.nan, 0, 0, 0, 0]]), "row 0, column BCC: nan is not from 0 to 1"),
        (np.zeros((1, 7), np.bool_), np.zeros((1, 7)), "row 0 belongs to 0 categories, not to one"),
        (np.ones((1, 7), np.bool_), np.zeros((1, 7)), "row 0 belongs to 7 categories, not to one"),
    ],
)
def test_tables_that_do_not_fit(truth: NDArray[np.bool_], probabilities: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score_classification(T2018, truth, probabilities)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0]])
def test_weights_that_do_not_fit(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be 2 numbers that are not all zero"):
        score_classification(T2018, one_hot([0, 1], 7), np.eye(7)[[0, 1]], np.array(weights))
