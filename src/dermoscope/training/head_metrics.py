"""What is measured after every epoch. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.classification import roc_auc
from dermoscope.evaluation.decision_table import accuracy_of, balanced_accuracy_of, decision_table, f1_of
from dermoscope.evaluation.training_run import LAST_EPOCH
from dermoscope.training.run_folder import EpochMetrics


class HeadEpoch(EpochMetrics):
    """One epoch of a head, a line of `metrics.jsonl`.

    Attributes:
        confusion: Validation samples by true class (rows) and decided class (columns), `[K, K]`.
    """

    confusion: tuple[tuple[int, ...], ...]


def decisions(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], classes: int
) -> tuple[dict[str, float], tuple[tuple[int, ...], ...]]:
    """Accuracy, balanced accuracy, macro and weighted F1, each 0 to 1, and the confusion matrix.

    Args:
        labels: `[N]` true class.
        predicted: `[N]` decided class.
        classes: K.
    """
    table = decision_table(np.asarray(labels, np.intp), np.asarray(predicted, np.intp), classes)
    found = {
        "accuracy": accuracy_of(table),
        "balanced accuracy": balanced_accuracy_of(table),
        "macro F1": f1_of(table, "macro"),
        "weighted F1": f1_of(table, "weighted"),
    }
    return found, tuple(tuple(int(count) for count in row) for row in table[:, :classes])


def mean_auc(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], ranked: Sequence[int]
) -> dict[str, float]:
    """The mean over classes of the AUC of each against all others, by its name; empty where none can be told apart.

    Args:
        labels: `[N]` true class.
        probabilities: `[N, K]`.
        ranked: The classes it is over, as far as they occur.
    """
    there = [name for name in ranked if 0 < np.count_nonzero(labels == name) < len(labels)]
    if not there:
        return {}
    return {"mean AUC": float(np.mean([roc_auc(labels == name, probabilities[:, name]) for name in there]))}


def is_better(metrics: Mapping[str, float], best: Mapping[str, float] | None, select: str) -> bool:
    """Whether an epoch is better than the best so far; losses are better when smaller.

    Args:
        metrics: Of the epoch.
        best: Of the best epoch so far, or none.
        select: The measure that decides; or `LAST_EPOCH`, by which every epoch is better than the one before.
    """
    if best is None or select == LAST_EPOCH:
        return True
    return metrics[select] < best[select] if select == "loss" else metrics[select] > best[select]
