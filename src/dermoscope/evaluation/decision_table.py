"""What the metrics of multi-class decisions are made of: one table, computed once, from which each number is cheap."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.ranking import AnyWeights

UNDECIDED = -1
"""The decided class where the highest probability is shared; counts as wrong."""


def decision_table(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int, weights: AnyWeights | None = None
) -> NDArray[np.float64]:
    """Weights by true class and decided class, with a last column for the undecided: `[K, K + 1]`.

    Args:
        labels: True class of each row, 0 to K - 1, `[N]`.
        predicted: Decided class, -1 where undecided, `[N]`.
        classes: K.
        weights: Weight of each row, `[N]`.

    Raises:
        ValueError: If the lengths differ, or a class lies outside its range.
    """
    return table_of(decision_cells(labels, predicted, classes), classes, weights)


def decision_cells(labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int) -> NDArray[np.intp]:
    """The cell of a `decision_table` that each row falls into, `[N]`, for tables under many weightings.

    Args:
        labels: As for `decision_table`.
        predicted: As there.
        classes: As there.

    Raises:
        ValueError: As there.
    """
    if len(labels) != len(predicted):
        raise ValueError(f"labels has {len(labels)} rows, predicted has {len(predicted)}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"labels must be 0 to {classes - 1}, but reach from {labels.min()} to {labels.max()}")
    if len(labels) and not (predicted.min() >= UNDECIDED and predicted.max() < classes):
        raise ValueError(
            f"predicted must be -1 to {classes - 1}, but reaches from {predicted.min()} to {predicted.max()}"
        )
    return labels * (classes + 1) + np.where(predicted == UNDECIDED, classes, predicted)


def table_of(cells: NDArray[np.intp], classes: int, weights: AnyWeights | None = None) -> NDArray[np.float64]:
    """The `decision_table` of rows whose cells are known.

    Args:
        cells: From `decision_cells`, `[N]`.
        classes: K.
        weights: Weight of each row, `[N]`.
    """
    counts = np.bincount(cells, weights, minlength=classes * (classes + 1))
    return counts.astype(np.float64).reshape(classes, classes + 1)


def accuracy_of(table: NDArray[np.float64]) -> float:
    """Share of rows decided right, from a `decision_table`."""
    return ratio(float(np.trace(table)), float(table.sum()))


def balanced_accuracy_of(table: NDArray[np.float64]) -> float:
    """Mean recall over the classes that occur, from a `decision_table`."""
    support = table.sum(axis=1)
    occurs = support > 0
    return float((table.diagonal()[occurs] / support[occurs]).mean()) if occurs.any() else float("nan")


def cohen_kappa_of(table: NDArray[np.float64]) -> float:
    """Cohen's kappa from a `decision_table`: agreement beyond chance over what is left beyond chance.

    NaN where chance alone agrees always, as with a single class.

    References:
        Cohen, A coefficient of agreement for nominal scales, 1960.
    """
    total = float(table.sum())
    if not total:
        return float("nan")
    agreed = float(np.trace(table)) / total
    chance = float(table.sum(axis=1) @ table.sum(axis=0)[: len(table)]) / total**2
    return ratio(agreed - chance, 1 - chance)


def f1_of(table: NDArray[np.float64], average: Literal["macro", "weighted"] = "macro") -> float:
    """F1 score averaged over the classes that occur, from a `decision_table`."""
    support, decided = table.sum(axis=1), table.sum(axis=0)[: len(table)]
    occurs = support + decided > 0
    if not support.any():
        return float("nan")
    each = 2 * table.diagonal()[occurs] / (support + decided)[occurs]
    return float(each.mean() if average == "macro" else np.average(each, weights=support[occurs]))


def ratio(part: float, whole: float) -> float:
    """A share, or NaN of nothing."""
    return float(part / whole) if whole else float("nan")
