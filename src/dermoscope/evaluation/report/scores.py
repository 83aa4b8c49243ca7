"""Every number of a classification question, with its interval, from one walk over the resamples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.calibration import BinnedPromises, multiclass_squares, top_label, weighted_mean
from dermoscope.evaluation.classification import decided_class
from dermoscope.evaluation.decision_table import (
    accuracy_of,
    balanced_accuracy_of,
    cohen_kappa_of,
    decision_cells,
    f1_of,
    ratio,
    table_of,
)
from dermoscope.evaluation.intervals import Bootstrap, Estimate, Weights
from dermoscope.evaluation.proportions import for_few
from dermoscope.evaluation.ranking import RankedScores
from dermoscope.evaluation.tasks import BinaryTask, ClassTask

Tick = Callable[[int, int], None]


def unseen(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


BINARY_METRICS = (
    "auc",
    "auc_above_80_sensitivity",
    "average_precision",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "accuracy",
    "balanced_accuracy",
    "dice",
    "brier",
    "calibration_error",
)
"""The numbers of a binary question, in the order of reports."""

RATES = ("sensitivity", "specificity", "ppv", "npv")
"""The numbers of a decision, in the order of reports."""

CLASS_METRICS = (
    "balanced_accuracy",
    "accuracy",
    "kappa",
    "macro_f1",
    "weighted_f1",
    "mean_auc",
    "brier",
    "calibration_error",
)
"""The numbers of a question with several classes, in the order of reports."""

PER_CLASS = ("recall", "precision", "f1", "specificity", "auc")
"""The numbers of one class against the rest, in the order of reports."""

METRIC_NAMES = {
    "auc": "AUC (ROC)",
    "auc_above_80_sensitivity": "AUC above 80 % sensitivity",
    "average_precision": "Average precision",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "dice": "F1 score (Dice)",
    "brier": "Brier score ↓",
    "calibration_error": "Calibration error (ECE) ↓",
    "kappa": "Cohen's kappa",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "mean_auc": "Mean AUC over the classes",
    "recall": "Sensitivity (recall)",
    "precision": "Precision",
    "f1": "F1",
}
"""Metric to what a person reads."""


@dataclass(frozen=True)
class ClassScores:
    """The numbers of a question with several classes.

    Attributes:
        overall: `CLASS_METRICS` to number.
        classes: Class to `PER_CLASS` to number.
        table: `[K, K + 1]` true class by decided class, undecided last.
        support: Class to its images.
    """

    overall: Mapping[str, Estimate]
    classes: Mapping[str, Mapping[str, Estimate]]
    table: NDArray[np.float64]
    support: Mapping[str, int]


def class_scores(task: ClassTask, *, resamples: int, seed: int, tick: Tick = unseen) -> ClassScores:
    """Score a question with several classes.

    Args:
        task: The question.
        resamples: Of the bootstrap, which draws whole groups and keeps the mix of classes.
        seed: Of the bootstrap.
        tick: Called with the resamples done and their number.
    """
    count = len(task.classes)
    ranked = [RankedScores(task.labels == k, task.probabilities[:, k]) for k in range(count)]
    cells = decision_cells(task.labels, decided_class(task.probabilities), count)
    promises = BinnedPromises(*top_label(task.labels, task.probabilities))
    squares = multiclass_squares(task.labels, task.probabilities)

    def statistics(weights: Weights) -> NDArray[np.float64]:
        table = table_of(cells, count, weights)
        aucs = [each.areas(weights).auc for each in ranked]
        scored = [auc for auc in aucs if not np.isnan(auc)]
        overall = [
            balanced_accuracy_of(table),
            accuracy_of(table),
            cohen_kappa_of(table),
            f1_of(table, "macro"),
            f1_of(table, "weighted"),
            float(np.mean(scored)) if scored else float("nan"),
            weighted_mean(squares, weights),
            promises.error(weights),
        ]
        return np.array(overall + [number for k in range(count) for number in _one_class(table, k, aucs[k])])

    bootstrap = Bootstrap(task.groups, task.labels, resamples=resamples, seed=seed)
    found = bootstrap.estimates(_ticking(statistics, resamples, tick))
    overall = dict(zip(CLASS_METRICS, found, strict=False))
    if not task.sums_to_one:
        del overall["brier"], overall["calibration_error"]
    rest = found[len(CLASS_METRICS) :]
    step = len(PER_CLASS)
    return ClassScores(
        overall=overall,
        classes={
            name: dict(zip(PER_CLASS, rest[k * step : (k + 1) * step], strict=True))
            for k, name in enumerate(task.classes)
        },
        table=table_of(cells, count),
        support={name: int((task.labels == k).sum()) for k, name in enumerate(task.classes)},
    )


def binary_scores(task: BinaryTask, *, resamples: int, seed: int, tick: Tick = unseen) -> dict[str, Estimate]:
    """`BINARY_METRICS` of a binary question.

    Args:
        task: The question.
        resamples: Of the bootstrap, which draws whole groups and keeps the share of positives.
        seed: Of the bootstrap.
        tick: Called with the resamples done and their number.
    """
    ranked = RankedScores(task.positive, task.score)
    cells = decision_cells(task.positive.astype(np.intp), task.called.astype(np.intp), 2)
    promises = BinnedPromises(task.positive, task.score)
    squares = np.square(task.score - task.positive)

    def statistics(weights: Weights) -> NDArray[np.float64]:
        areas = ranked.areas(weights)
        table = table_of(cells, 2, weights)
        (tn, fp), (fn, tp) = table[:, :2].tolist()
        return np.array(
            [
                areas.auc,
                areas.auc_above_80_sensitivity,
                areas.average_precision,
                *(ratio(tp, tp + fn), ratio(tn, tn + fp), ratio(tp, tp + fp), ratio(tn, tn + fn)),
                accuracy_of(table),
                balanced_accuracy_of(table),
                ratio(2 * tp, 2 * tp + fp + fn),
                weighted_mean(squares, weights),
                promises.error(weights),
            ]
        )

    bootstrap = Bootstrap(task.groups, task.positive, resamples=resamples, seed=seed)
    found = dict(zip(BINARY_METRICS, bootstrap.estimates(_ticking(statistics, resamples, tick)), strict=True))
    for name, (_, whole) in zip(RATES, _rates(task, task.called), strict=True):
        rate = replace(found[name], n=int(whole.sum()), groups=bootstrap.groups_among(whole))
        found[name] = for_few(rate) if rate.n else rate
    return found


def rates_at(
    task: BinaryTask, called: Sequence[NDArray[np.bool_]], *, resamples: int, seed: int
) -> tuple[Mapping[str, Estimate], ...]:
    """`RATES` of several decisions on the same images, from the resamples that `binary_scores` draws.

    Args:
        task: The question.
        called: What each decision calls positive, `[n]`.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    bootstrap = Bootstrap(task.groups, task.positive, resamples=resamples, seed=seed)
    pairs = [pair for each in called for pair in _rates(task, each)]
    found = bootstrap.shares([part for part, _ in pairs], [whole for _, whole in pairs])
    few = [for_few(rate) if rate.n else rate for rate in found]
    step = len(RATES)
    return tuple(dict(zip(RATES, few[place * step : (place + 1) * step], strict=True)) for place in range(len(called)))


def _rates(task: BinaryTask, called: NDArray[np.bool_]) -> tuple[tuple[NDArray[np.bool_], NDArray[np.bool_]], ...]:
    """What each of `RATES` counts, and what it is a share of."""
    positive = task.positive
    return (called, positive), (~called, ~positive), (positive, called), (~positive, ~called)


def _one_class(table: NDArray[np.float64], k: int, auc: float) -> tuple[float, ...]:
    hits, support, decided = float(table[k, k]), float(table[k].sum()), float(table[:, k].sum())
    others = float(table.sum()) - support
    return (
        ratio(hits, support),
        ratio(hits, decided),
        ratio(2 * hits, support + decided),
        ratio(others - decided + hits, others),
        auc,
    )


def _ticking(
    statistics: Callable[[Weights], NDArray[np.float64]], resamples: int, tick: Tick
) -> Callable[[Weights], NDArray[np.float64]]:
    done = -1  # the first call is the value itself

    def counted(weights: Weights) -> NDArray[np.float64]:
        nonlocal done
        done += 1
        if done % 20 == 0 or done == resamples:
            tick(done, resamples)
        return statistics(weights)

    return counted
