from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dermoscope.evaluation.decision_table import (
    UNDECIDED,
    accuracy_of,
    balanced_accuracy_of,
    cohen_kappa_of,
    decision_table,
    f1_of,
    ratio,
)

# Rows: 4 of class 0, 3 of class 1, 1 of class 2; one row of class 1 is undecided.
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2])
DECIDED = np.array([0, 0, 0, 1, 1, 0, UNDECIDED, 2])
TABLE = np.array([[3, 1, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0]], np.float64)


def test_the_table_by_hand() -> None:
    assert decision_table(LABELS, DECIDED, 3).tolist() == TABLE.tolist()


def test_weights_count_rows_more_than_once() -> None:
    weights = np.array([2, 0, 1, 0, 3, 0, 1, 1])
    assert decision_table(LABELS, DECIDED, 3, weights).tolist() == [[3, 0, 0, 0], [0, 3, 0, 1], [0, 0, 1, 0]]
    rows = np.repeat(np.arange(8), weights)
    assert (
        decision_table(LABELS[rows], DECIDED[rows], 3).tolist() == decision_table(LABELS, DECIDED, 3, weights).tolist()
    )


def test_numbers_by_hand() -> None:
    assert accuracy_of(TABLE) == pytest.approx(5 / 8, abs=1e-9)
    assert balanced_accuracy_of(TABLE) == pytest.approx(float((Fraction(3, 4) + Fraction(1, 3) + 1) / 3), abs=1e-9)
    chance = Fraction(4 * 4 + 3 * 2 + 1 * 1, 64)
    assert cohen_kappa_of(TABLE) == pytest.approx(float((Fraction(5, 8) - chance) / (1 - chance)), abs=1e-9)
    each = [Fraction(6, 8), Fraction(2, 5), Fraction(1)]
    assert f1_of(TABLE) == pytest.approx(float(sum(each) / 3), abs=1e-9)
    assert f1_of(TABLE, "weighted") == pytest.approx(float((4 * each[0] + 3 * each[1] + each[2]) / 8), abs=1e-9)


def test_classes_that_do_not_occur_are_left_out() -> None:
    wider = decision_table(LABELS, DECIDED, 5)
    for number in (accuracy_of, balanced_accuracy_of, cohen_kappa_of, f1_of):
        assert number(wider) == number(TABLE)
    assert f1_of(wider, "weighted") == f1_of(TABLE, "weighted")


def test_a_class_that_is_only_decided_for_counts_in_macro_f1_alone() -> None:
    table = decision_table(np.array([0, 0]), np.array([0, 1]), 3)
    assert f1_of(table) == pytest.approx((2 / 3 + 0) / 2, abs=1e-9)
    assert f1_of(table, "weighted") == pytest.approx(2 / 3, abs=1e-9)
    assert balanced_accuracy_of(table) == 0.5


def test_agreement_of_one_class_with_itself_has_no_kappa() -> None:
    assert np.isnan(cohen_kappa_of(decision_table(np.zeros(3, np.intp), np.zeros(3, np.intp), 2)))


def test_nothing_has_no_numbers() -> None:
    empty = np.zeros((2, 3))
    assert np.isnan([accuracy_of(empty), balanced_accuracy_of(empty), cohen_kappa_of(empty), f1_of(empty)]).all()
    assert np.isnan(ratio(0, 0))


@pytest.mark.parametrize("seed", range(3))
def test_scikit_learn_agrees_where_all_is_decided(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    labels, decided, weights = random.integers(4, size=60), random.integers(4, size=60), random.integers(3, size=60)
    table = decision_table(labels, decided, 4, weights)
    options = {"sample_weight": weights}
    assert table[:, :4].tolist() == metrics.confusion_matrix(labels, decided, **options).tolist()
    for found, expected in (
        (accuracy_of(table), metrics.accuracy_score(labels, decided, **options)),
        (balanced_accuracy_of(table), metrics.balanced_accuracy_score(labels, decided, **options)),
        (cohen_kappa_of(table), metrics.cohen_kappa_score(labels, decided, **options)),
        (f1_of(table), metrics.f1_score(labels, decided, average="macro", **options)),
        (f1_of(table, "weighted"), metrics.f1_score(labels, decided, average="weighted", **options)),
    ):
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("labels", "decided", "message"),
    [
        ([0], [0, 1], "labels has 1 rows, predicted has 2"),
        ([-1, 1], [0, 0], "labels must be 0 to 1, but reach from -1 to 1"),
        ([0, 2], [0, 0], "labels must be 0 to 1, but reach from 0 to 2"),
        ([0, 1], [0, 2], "predicted must be -1 to 1, but reaches from 0 to 2"),
        ([0, 1], [0, -2], "predicted must be -1 to 1, but reaches from -2 to 0"),
    ],
)
def test_classes_out_of_range_are_refused(labels: list[int], decided: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decision_table(np.array(labels), np.array(decided), 2)
