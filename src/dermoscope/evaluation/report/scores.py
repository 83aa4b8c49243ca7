"""Every number of a classification question, with its interval, from one walk over the resamples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.calibration import brier, expected_calibration_error, multiclass_brier, top_label
from dermoscope.evaluation.classification import decided_class
from dermoscope.evaluation.decision_table import (
    accuracy_of,
    balanced_accuracy_of,
    cohen_kappa_of,
    decision_table,
    f1_of,
    ratio,
)
from dermoscope.evaluation.intervals import Bootstrap, Estimate, Weights
from dermoscope.evaluation.proportions import FEWEST_FOR_BOOTSTRAP, wilson_interval
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
    predicted = decided_class(task.probabilities)
    ranked = [RankedScores(task.labels == k, task.probabilities[:, k]) for k in range(count)]
    right, confidence = top_label(task.labels, task.probabilities)

    def statistics(weights: Weights) -> NDArray[np.float64]:
        table = decision_table(task.labels, predicted, count, weights)
        aucs = [each.curve(weights).auc for each in ranked]
        scored = [auc for auc in aucs if not np.isnan(auc)]
        overall = [
            balanced_accuracy_of(table),
            accuracy_of(table),
            cohen_kappa_of(table),
            f1_of(table, "macro"),
            f1_of(table, "weighted"),
            float(np.mean(scored)) if scored else float("nan"),
            multiclass_brier(task.labels, task.probabilities, weights),
            expected_calibration_error(right, confidence, weights=weights),
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
        table=decision_table(task.labels, predicted, count),
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
    labels, called = task.positive.astype(np.intp), task.called.astype(np.intp)

    def statistics(weights: Weights) -> NDArray[np.float64]:
        curve = ranked.curve(weights)
        table = decision_table(labels, called, 2, weights)
        (_, fp), (fn, tp) = table[:, :2].tolist()
        return np.array(
            [
                curve.auc,
                curve.auc_above(0.8),
                curve.average_precision,
                *_rates(table),
                accuracy_of(table),
                balanced_accuracy_of(table),
                ratio(2 * tp, 2 * tp + fp + fn),
                brier(task.positive, task.score, weights),
                expected_calibration_error(task.positive, task.score, weights=weights),
            ]
        )

    bootstrap = Bootstrap(task.groups, task.positive, resamples=resamples, seed=seed)
    found = dict(zip(BINARY_METRICS, bootstrap.estimates(_ticking(statistics, resamples, tick)), strict=True))
    return found | _for_few(task, task.called, {name: found[name] for name in RATES})


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
    labels, decisions = task.positive.astype(np.intp), [each.astype(np.intp) for each in called]

    def statistics(weights: Weights) -> NDArray[np.float64]:
        return np.array([_rates(decision_table(labels, each, 2, weights)) for each in decisions]).ravel()

    found = Bootstrap(task.groups, task.positive, resamples=resamples, seed=seed).estimates(statistics)
    step = len(RATES)
    return tuple(
        _for_few(task, each, dict(zip(RATES, found[place * step : (place + 1) * step], strict=True)))
        for place, each in enumerate(called)
    )


def _rates(table: NDArray[np.float64]) -> tuple[float, float, float, float]:
    (tn, fp), (fn, tp) = table[:, :2].tolist()
    return ratio(tp, tp + fn), ratio(tn, tn + fp), ratio(tp, tp + fp), ratio(tn, tn + fn)


def _for_few(task: BinaryTask, called: NDArray[np.bool_], rates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Each rate with the images it is a share of, and Wilson's interval where resampling has too little to draw."""
    groups, found = np.asarray(task.groups), {}
    for name, part in zip(RATES, (task.positive, ~task.positive, called, ~called), strict=True):
        rate = replace(rates[name], n=int(part.sum()), groups=len(set(groups[part].tolist())))
        if rate.n and min(rate.value, 1 - rate.value) * rate.groups < FEWEST_FOR_BOOTSTRAP:
            low, high = wilson_interval(rate.value, rate.groups)
            rate = replace(rate, low=low, high=high)
        found[name] = rate
    return found


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
