from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dermoscope.evaluation.classification import (
    BinaryMetrics,
    accuracy,
    average_precision,
    balanced_accuracy,
    binary_metrics,
    class_report,
    cohen_kappa,
    confusion,
    decided_class,
    f1,
    report_averages,
    roc_auc,
)

POSITIVE = np.array([True, True, True, False, False, False])
SCORE = np.array([0.9, 0.8, 0.4, 0.7, 0.4, 0.1])
NAMES = ("MEL", "NV", "BCC")
LABELS = np.array([0, 0, 1, 1, 2])
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])


def test_binary_numbers_by_hand() -> None:
    found = binary_metrics(POSITIVE, SCORE)
    expected = BinaryMetrics(
        sensitivity=2 / 3,
        specificity=2 / 3,
        ppv=2 / 3,
        npv=2 / 3,
        accuracy=4 / 6,
        dice=2 / 3,
        auc=5 / 6,
        auc_above_80_sensitivity=77 / 150,
        average_precision=13 / 15,
    )
    assert dataclasses.asdict(found) == pytest.approx(dataclasses.asdict(expected), abs=1e-9)


def test_each_number_has_its_own_denominator() -> None:
    found = binary_metrics(POSITIVE[:5], SCORE[:5], threshold=0.75)
    assert (found.sensitivity, found.specificity) == pytest.approx((2 / 3, 1))
    assert (found.ppv, found.npv) == pytest.approx((1, 2 / 3))
    assert (found.accuracy, found.dice) == pytest.approx((4 / 5, 4 / 5))


def test_the_threshold_itself_is_called_positive() -> None:
    assert binary_metrics(POSITIVE, SCORE, threshold=0.4).sensitivity == 1
    assert binary_metrics(POSITIVE, SCORE, threshold=np.nextafter(0.4, 1)).sensitivity == pytest.approx(2 / 3)


def test_weights_count_rows_more_than_once() -> None:
    weights = np.array([1, 0, 2, 3, 1, 0])
    rows = np.repeat(np.arange(6), weights)
    weighted, repeated = binary_metrics(POSITIVE, SCORE, weights=weights), binary_metrics(POSITIVE[rows], SCORE[rows])
    assert dataclasses.asdict(weighted) == pytest.approx(dataclasses.asdict(repeated), abs=1e-12)


def test_what_cannot_be_known_is_nan() -> None:
    found = binary_metrics(np.zeros(2, np.bool_), np.array([0.1, 0.2]))
    unknown = {name for name, value in dataclasses.asdict(found).items() if np.isnan(value)}
    assert unknown == {"sensitivity", "ppv", "dice", "auc", "auc_above_80_sensitivity", "average_precision"}


def test_areas_are_those_of_the_curve() -> None:
    weights = np.array([1, 1, 0, 1, 1, 0])
    assert roc_auc(POSITIVE, SCORE) == pytest.approx(5 / 6, abs=1e-9)
    assert roc_auc(POSITIVE, SCORE, weights) == 1
    assert average_precision(POSITIVE, SCORE) == pytest.approx(13 / 15, abs=1e-9)
    assert average_precision(POSITIVE, SCORE, weights) == 1


def test_a_shared_maximum_decides_nothing() -> None:
    assert decided_class(PROBABILITIES).tolist() == [0, 1, 1, -1, 2]
    assert decided_class(np.array([[0.2, 0.2, 0.6], [0.0, 0.0, 0.0]])).tolist() == [2, -1]


def test_decisions_by_hand() -> None:
    decided = decided_class(PROBABILITIES)
    counts = confusion(LABELS, decided, 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert counts.dtype == np.int64
    assert confusion(LABELS, decided, 3, np.array([2, 1, 1, 5, 0])).tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert accuracy(LABELS, decided, 3) == pytest.approx(3 / 5, abs=1e-9)
    assert balanced_accuracy(LABELS, decided, 3) == pytest.approx((1 / 2 + 1 / 2 + 1) / 3, abs=1e-9)
    chance = (2 * 1 + 2 * 2 + 1 * 1) / 25
    assert cohen_kappa(LABELS, decided, 3) == pytest.approx((3 / 5 - chance) / (1 - chance), abs=1e-9)
    assert f1(LABELS, decided, 3) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3, abs=1e-9)
    assert f1(LABELS, decided, 3, "weighted") == pytest.approx((2 * 2 / 3 + 2 * 1 / 2 + 1) / 5, abs=1e-9)
    heavy = np.array([1, 1, 0, 0, 1])
    assert balanced_accuracy(LABELS, decided, 3, heavy) == pytest.approx(3 / 4)
    assert cohen_kappa(LABELS, decided, 3, heavy) == pytest.approx((2 / 3 - 1 / 3) / (1 - 1 / 3))
    assert f1(LABELS, decided, 3, weights=heavy) == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_the_report_by_hand() -> None:
    melanoma, nevus, carcinoma = class_report(LABELS, PROBABILITIES, NAMES)
    assert [row.name for row in (melanoma, nevus, carcinoma)] == list(NAMES)
    assert (melanoma.support, melanoma.precision, melanoma.recall) == (2, 1, 0.5)
    assert (melanoma.f1, melanoma.specificity) == pytest.approx((2 / 3, 1))
    assert melanoma.auc == pytest.approx(5 / 6)
    assert (nevus.support, nevus.precision, nevus.recall) == (2, 0.5, 0.5)
    assert (nevus.f1, nevus.specificity) == pytest.approx((0.5, 2 / 3))
    assert dataclasses.astuple(carcinoma)[1:] == (1, 1, 1, 1, 1, 1, 1, 1)


def test_averages_of_a_report() -> None:
    rows = class_report(LABELS, PROBABILITIES, NAMES)
    macro, weighted = report_averages(rows)
    assert (macro.name, weighted.name) == ("macro average", "weighted average")
    assert macro.support == weighted.support == 5
    assert macro.f1 == pytest.approx((2 / 3 + 1 / 2 + 1) / 3, abs=1e-9)
    assert weighted.f1 == pytest.approx((2 * 2 / 3 + 2 * 1 / 2 + 1) / 5, abs=1e-9)
    assert weighted.recall == pytest.approx(3 / 5)
    assert macro.auc == pytest.approx(np.mean([row.auc for row in rows]), abs=1e-12)


def test_a_class_without_rows_has_no_numbers_and_spoils_no_average() -> None:
    wider = np.c_[PROBABILITIES, np.zeros(5)]
    rows = class_report(LABELS, wider, (*NAMES, "DF"))
    assert rows[3].support == 0
    assert np.isnan([rows[3].precision, rows[3].recall, rows[3].f1, rows[3].auc]).all()
    for full, narrow in zip(
        report_averages(rows), report_averages(class_report(LABELS, PROBABILITIES, NAMES)), strict=True
    ):
        for field in ("precision", "recall", "f1", "auc", "average_precision"):
            assert getattr(full, field) == pytest.approx(getattr(narrow, field))


def test_a_report_needs_a_column_a_class() -> None:
    with pytest.raises(ValueError, match=r"probabilities are \(5, 3\), expected \(5, 2\)"):
        class_report(LABELS, PROBABILITIES, NAMES[:2])
