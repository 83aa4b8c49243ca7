"""Metrics of binary and multi-class decisions: pure functions of arrays, with weights for resampling.

A number that the rows cannot give, such as the sensitivity where there are no positives, is NaN. The official ISIC
scorers count it as perfect instead; they live in `dermoscope.evaluation.isic`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.decision_table import (
    UNDECIDED,
    accuracy_of,
    balanced_accuracy_of,
    cohen_kappa_of,
    decision_table,
    f1_of,
    ratio,
)
from dermoscope.evaluation.ranking import AnyWeights, RankedScores


@dataclass(frozen=True)
class BinaryMetrics:
    """How well one category is told from the rest. Each number is 0 to 1, or NaN where it is not defined.

    Attributes:
        sensitivity: Positives called positive.
        specificity: Negatives called negative.
        ppv: Positive predictive value: positives among those called positive.
        npv: Negative predictive value: negatives among those called negative.
        accuracy: Rows called right.
        dice: Twice the true positives over all positives plus all called positive; the F1 score.
        auc: Area under the ROC curve.
        auc_above_80_sensitivity: Raw area under the part of the ROC curve at or above a sensitivity of 0.8.
        average_precision: Precision averaged over the steps of sensitivity.
    """

    sensitivity: float
    specificity: float
    ppv: float
    npv: float
    accuracy: float
    dice: float
    auc: float
    auc_above_80_sensitivity: float
    average_precision: float


@dataclass(frozen=True)
class ClassRow:
    """One line of a classification report: the class against the rest, decided by the highest probability.

    Attributes:
        name: The class, or the kind of average.
        support: Rows of the class; all rows for an average.
        precision: Rows of the class among those decided for it.
        recall: Rows of the class decided for it.
        f1: Harmonic mean of both.
        specificity: Other rows not decided for the class.
        auc: Area under the ROC curve of its probability.
        auc_above_80_sensitivity: Raw area under the part of that curve at or above a sensitivity of 0.8.
        average_precision: Precision averaged over the steps of sensitivity.
    """

    name: str
    support: int
    precision: float
    recall: float
    f1: float
    specificity: float
    auc: float
    auc_above_80_sensitivity: float
    average_precision: float


def binary_metrics(
    positive: NDArray[np.bool_], score: NDArray[np.floating], threshold: float = 0.5, weights: AnyWeights | None = None
) -> BinaryMetrics:
    """All numbers of a binary task at one operating point.

    Args:
        positive: Whether each row is a positive, `[N]`.
        score: Higher means more likely positive, `[N]`.
        threshold: A row counts as called positive at or above it.
        weights: Weight of each row, `[N]`.

    Raises:
        ValueError: If the lengths differ, there are no rows, or a score is NaN.
    """
    curve = RankedScores(positive, score).curve(weights)
    table = decision_table(positive.astype(np.intp), (score >= threshold).astype(np.intp), 2, weights)
    (tn, fp), (fn, tp) = table[:, :2].tolist()
    return BinaryMetrics(
        sensitivity=ratio(tp, tp + fn),
        specificity=ratio(tn, tn + fp),
        ppv=ratio(tp, tp + fp),
        npv=ratio(tn, tn + fn),
        accuracy=ratio(tp + tn, tp + tn + fp + fn),
        dice=ratio(2 * tp, 2 * tp + fp + fn),
        auc=curve.auc,
        auc_above_80_sensitivity=curve.auc_above(0.8),
        average_precision=curve.average_precision,
    )


def roc_auc(positive: NDArray[np.bool_], score: NDArray[np.floating], weights: AnyWeights | None = None) -> float:
    """Area under the ROC curve, ties counting half; NaN where positives or negatives are missing.

    For many weightings of the same scores, sort them once: `RankedScores(positive, score).areas(weights).auc`.

    Args:
        positive: Whether each row is a positive, `[N]`.
        score: Higher means more likely positive, `[N]`.
        weights: Weight of each row, `[N]`.
    """
    return RankedScores(positive, score).areas(weights).auc


def average_precision(
    positive: NDArray[np.bool_], score: NDArray[np.floating], weights: AnyWeights | None = None
) -> float:
    """Precision averaged over the steps of sensitivity, without interpolation; NaN without positives.

    Args:
        positive: Whether each row is a positive, `[N]`.
        score: Higher means more likely positive, `[N]`.
        weights: Weight of each row, `[N]`.
    """
    return RankedScores(positive, score).areas(weights).average_precision


def decided_class(probabilities: NDArray[np.floating]) -> NDArray[np.intp]:
    """The class with the highest probability, `[N]`; -1 where several share it, as the ISIC scorer has it.

    Args:
        probabilities: `[N, K]`.
    """
    shared = np.count_nonzero(probabilities == probabilities.max(axis=1, keepdims=True), axis=1) > 1
    return np.where(shared, UNDECIDED, probabilities.argmax(axis=1)).astype(np.intp)


def confusion(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int, weights: AnyWeights | None = None
) -> NDArray[np.int64]:
    """Counts by true class (rows) and decided class (columns), `[K, K]`; undecided rows are in no column.

    Args:
        labels: True class of each row, 0 to K - 1, `[N]`.
        predicted: Decided class, -1 where undecided, `[N]`.
        classes: K.
        weights: How often each row counts, `[N]`.

    Raises:
        ValueError: If the lengths differ, or a class lies outside its range.
    """
    return decision_table(labels, predicted, classes, weights)[:, :classes].astype(np.int64)


def accuracy(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int, weights: AnyWeights | None = None
) -> float:
    """Share of rows decided right; undecided rows are wrong. Arguments as in `decision_table`."""
    return accuracy_of(decision_table(labels, predicted, classes, weights))


def balanced_accuracy(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int, weights: AnyWeights | None = None
) -> float:
    """Mean recall over the classes that occur; undecided rows are wrong. Arguments as in `decision_table`."""
    return balanced_accuracy_of(decision_table(labels, predicted, classes, weights))


def cohen_kappa(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int, weights: AnyWeights | None = None
) -> float:
    """Cohen's kappa, unweighted; undecided rows are disagreements. Arguments as in `decision_table`."""
    return cohen_kappa_of(decision_table(labels, predicted, classes, weights))


def f1(
    labels: NDArray[np.intp],
    predicted: NDArray[np.intp],
    classes: int,
    average: Literal["macro", "weighted"] = "macro",
    weights: AnyWeights | None = None,
) -> float:
    """F1 score averaged over the classes that occur among labels or decisions.

    Args:
        labels: True class of each row, 0 to K - 1, `[N]`.
        predicted: Decided class, -1 where undecided, `[N]`.
        classes: K.
        average: `macro` counts every class alike, `weighted` by its rows.
        weights: Weight of each row, `[N]`.
    """
    return f1_of(decision_table(labels, predicted, classes, weights), average)


def class_report(
    labels: NDArray[np.intp], probabilities: NDArray[np.floating], classes: Sequence[str]
) -> tuple[ClassRow, ...]:
    """One line a class, in the order of `classes`; `report_averages` adds the means.

    Args:
        labels: True class of each row, 0 to K - 1, `[N]`.
        probabilities: `[N, K]`.
        classes: Names, K.

    Raises:
        ValueError: If the shapes do not belong together.
    """
    if probabilities.shape != (len(labels), len(classes)):
        raise ValueError(f"probabilities are {probabilities.shape}, expected {(len(labels), len(classes))}")
    table = decision_table(labels, decided_class(probabilities), len(classes))
    support, decided, hits = table.sum(axis=1), table.sum(axis=0), table.diagonal()
    rows = []
    for k, name in enumerate(classes):
        curve = RankedScores(labels == k, probabilities[:, k]).curve()
        false_positives = decided[k] - hits[k]
        others = len(labels) - support[k]
        rows.append(
            ClassRow(
                name=name,
                support=int(support[k]),
                precision=ratio(hits[k], decided[k]),
                recall=ratio(hits[k], support[k]),
                f1=ratio(2 * hits[k], support[k] + decided[k]),
                specificity=ratio(others - false_positives, others),
                auc=curve.auc,
                auc_above_80_sensitivity=curve.auc_above(0.8),
                average_precision=curve.average_precision,
            )
        )
    return tuple(rows)


def report_averages(rows: Sequence[ClassRow]) -> tuple[ClassRow, ClassRow]:
    """The last two lines of a report: `macro average` and `weighted average`, the latter by support.

    A class that cannot be scored on a number is left out of its mean.

    Args:
        rows: The lines of `class_report`.
    """
    total = sum(row.support for row in rows)

    def mean(name: str, weighted: bool) -> ClassRow:
        def of(field: str) -> float:
            values = np.array([getattr(row, field) for row in rows], np.float64)
            weights = np.array([row.support if weighted else 1 for row in rows], np.float64)
            scored = ~np.isnan(values)
            return ratio(float(values[scored] @ weights[scored]), float(weights[scored].sum()))

        return ClassRow(
            name,
            total,
            *(of(field) for field in ("precision", "recall", "f1", "specificity")),
            *(of(field) for field in ("auc", "auc_above_80_sensitivity", "average_precision")),
        )

    return mean("macro average", False), mean("weighted average", True)
