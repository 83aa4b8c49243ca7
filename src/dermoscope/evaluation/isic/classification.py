"""Official scores of the classification tasks.

The rules are those of `isic-challenge-scoring` 5.6, which the organisers publish: a category counts as called above
0.5, not at it; the decided class of an image is the one with the highest value, and where several share it the image is
undecided and wrong; a number with an empty denominator is 1. Its area above 80 % sensitivity is the raw partial area.

Two edges, both outside what the challenges had: a category without a positive or without a negative has no curve, where
the official scorer stops; here its areas are NaN and stay out of the mean. And the average
precision is that of today's scorer; how the scorer of 2016 interpolated has not been verified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.classification import BinaryMetrics, decided_class
from dermoscope.evaluation.decision_table import balanced_accuracy_of, decision_table
from dermoscope.evaluation.isic.tasks import ClassificationTask
from dermoscope.evaluation.ranking import AnyWeights, RankCurve, RankedScores

UNSCORED_IMAGES = frozenset({"ISIC_0035068"})
"""Images of the test sets that the official scorer gives no weight."""


@dataclass(frozen=True)
class ClassificationScore:
    """The official numbers of one set of predictions.

    Attributes:
        task: What was scored.
        overall: The number that ranks, `task.ranking`.
        balanced_accuracy: Mean over the categories of the share of their images decided right; NaN where categories
            do not exclude each other.
        categories: Category to its numbers, each against all the rest, called above 0.5.
        macro_average: Mean of each number over the categories.
        images: Images with a weight.
        specificities: Category, and `mean`, to the specificity at each of `task.sensitivities`; empty without any.
    """

    task: ClassificationTask
    overall: float
    balanced_accuracy: float
    categories: Mapping[str, BinaryMetrics]
    macro_average: BinaryMetrics
    images: int
    specificities: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def official_weights(image_ids: Sequence[str]) -> NDArray[np.float64]:
    """Weight of each image in the official score, 1 or 0.

    Args:
        image_ids: Such as `ISIC_0024306`, `[N]`.
    """
    return np.array([image_id not in UNSCORED_IMAGES for image_id in image_ids], np.float64)


def score_classification(
    task: ClassificationTask,
    truth: NDArray[np.bool_],
    probabilities: NDArray[np.floating],
    weights: AnyWeights | None = None,
) -> ClassificationScore:
    """Score predictions as the challenge did.

    Args:
        task: One of `CLASSIFICATION_TASKS`.
        truth: Whether each image belongs to each category, `[N, K]` in the order of `task.categories`.
        probabilities: The predicted values, 0 to 1, `[N, K]`; rows need not sum to one.
        weights: Weight of each image, `[N]`; see `official_weights`.

    Raises:
        ValueError: If a shape does not fit, a value is no number from 0 to 1, no image has a weight, or an image of
            a task with exclusive categories does not belong to exactly one.
    """
    _check(task, truth, probabilities)
    weight = np.ones(len(truth)) if weights is None else np.asarray(weights, np.float64)
    if weight.shape != (len(truth),) or not weight.any():
        raise ValueError(f"{task.name}: weights must be {len(truth)} numbers that are not all zero")
    categories = {name: _category(truth[:, k], probabilities[:, k], weight) for k, name in enumerate(task.categories)}
    macro = BinaryMetrics(*(_mean(column) for column in zip(*map(astuple, categories.values()), strict=True)))
    balanced = float("nan")
    if task.exclusive:
        labels = truth.argmax(axis=1)
        balanced = balanced_accuracy_of(decision_table(labels, decided_class(probabilities), truth.shape[1], weight))
    overall = {
        "balanced_accuracy": balanced,
        "auc": macro.auc,
        "average_precision": macro.average_precision,
    }[task.ranking]
    images = int(np.count_nonzero(weight))
    specificities = _specificities(task, truth, probabilities, weight) if task.sensitivities else {}
    return ClassificationScore(task, overall, balanced, categories, macro, images, specificities)


def specificity_at(curve: RankCurve, sensitivity: float) -> float:
    """The specificity where a ROC curve first reaches a sensitivity, as ISIC 2017 Part 3 reported it.

    That is at a point of the curve, not between two. Points inside a straight stretch with equal steps do not count:
    scikit-learn, from which the organisers took the curve, leaves them out.

    Args:
        curve: The curve.
        sensitivity: Above 0, at most 1.

    Returns:
        NaN without positives or negatives.

    References:
        isic-challenge-scoring as of 2017, `computeSPECMetrics`.
    """
    found, mistaken = curve.true_positives, curve.false_positives
    if not (found[-1] > 0 and mistaken[-1] > 0):
        return float("nan")
    bends = (np.diff(found, 2) != 0) | (np.diff(mistaken, 2) != 0)
    kept = np.flatnonzero(np.concatenate([[True], bends, [True]])) if len(found) > 2 else np.arange(len(found))
    place = kept[np.searchsorted(found[kept] / found[-1], sensitivity)]
    return float(1 - mistaken[place] / mistaken[-1])


def _specificities(
    task: ClassificationTask,
    truth: NDArray[np.bool_],
    probabilities: NDArray[np.floating],
    weight: NDArray[np.float64],
) -> dict[str, tuple[float, ...]]:
    scored, found = weight > 0, {}
    for k, name in enumerate(task.categories):
        curve = RankedScores(truth[scored, k], probabilities[scored, k]).curve(weight[scored])
        found[name] = tuple(specificity_at(curve, sensitivity) for sensitivity in task.sensitivities)
    return found | {"mean": tuple(_mean(column) for column in zip(*found.values(), strict=True))}


def _category(
    truth: NDArray[np.bool_], probability: NDArray[np.floating], weight: NDArray[np.float64]
) -> BinaryMetrics:
    called = probability > 0.5
    tp, fp, fn, tn = (
        float(weight[part].sum()) for part in (truth & called, ~truth & called, truth & ~called, ~truth & ~called)
    )
    scored = weight > 0
    curve = RankedScores(truth[scored], probability[scored]).curve(weight[scored])
    return BinaryMetrics(
        sensitivity=_or_perfect(tp, tp + fn),
        specificity=_or_perfect(tn, tn + fp),
        ppv=_or_perfect(tp, tp + fp),
        npv=_or_perfect(tn, tn + fn),
        accuracy=(tp + tn) / (tp + fp + fn + tn),
        dice=_or_perfect(2 * tp, 2 * tp + fp + fn),
        auc=curve.auc,
        auc_above_80_sensitivity=curve.auc_above(0.8),
        average_precision=curve.average_precision,
    )


def _or_perfect(part: float, whole: float) -> float:
    """The official scorer calls a share of nothing perfect."""
    return part / whole if whole else 1.0


def _mean(values: Sequence[float]) -> float:
    scored = [value for value in values if not np.isnan(value)]
    return float(np.mean(scored)) if scored else float("nan")


def _check(task: ClassificationTask, truth: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> None:
    expected = (len(truth), len(task.categories))
    if truth.shape != expected or probabilities.shape != expected:
        raise ValueError(
            f"{task.name}: truth is {truth.shape} and probabilities are {probabilities.shape}; expected "
            f"{expected}, one column for each of {', '.join(task.categories)}"
        )
    wrong = np.argwhere(~((probabilities >= 0) & (probabilities <= 1)))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise ValueError(
            f"{task.name}: row {row}, column {task.categories[column]}: {probabilities[row, column]} is not from 0 to 1"
        )
    if task.exclusive and (several := np.flatnonzero(truth.sum(axis=1) != 1)).size:
        row = int(several[0])
        raise ValueError(f"{task.name}: row {row} belongs to {int(truth[row].sum())} categories, not to one")
