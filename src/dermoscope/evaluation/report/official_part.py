"""The part with the official ISIC scores, for as many challenges as the predictions have columns for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.classification import decided_class
from dermoscope.evaluation.intervals import Bootstrap, Estimate
from dermoscope.evaluation.isic import (
    CLASSIFICATION_TASKS,
    ClassificationScore,
    ClassificationTask,
    official_weights,
    score_classification,
)
from dermoscope.evaluation.mask_files import MaskTask
from dermoscope.evaluation.ranking import RankedScores
from dermoscope.evaluation.report.document import Cell, Section, Table
from dermoscope.evaluation.report.parts import Part, Settings
from dermoscope.evaluation.truth import Matched, class_of
from dermoscope.taxonomy import NOT_SKIN

_NAMES = {
    "isic2016-task3": "ISIC 2016 Part 3: average precision",
    "isic2017-task3": "ISIC 2017 Part 3: mean AUC",
    "isic2018-task3": "ISIC 2018 Task 3: balanced multi-class accuracy",
    "isic2019": "ISIC 2019: balanced multi-class accuracy",
    "isic2020": "ISIC 2020: AUC",
}
_MASK_NAMES = {
    "isic2018-task1": "ISIC 2018 Task 1: mean thresholded Jaccard",
    "isic2017-task1": "ISIC 2016 and 2017 Part 1: mean Jaccard",
}
_COLUMNS = ("Category", "Sensitivity", "Specificity", "PPV", "NPV", "Accuracy", "Dice", "AUC", "AUC > 80 %", "AP")


@dataclass(frozen=True)
class _Asked:
    """One challenge's question about the images that it scores, n.

    Attributes:
        task: The challenge.
        rows: `[n]` which of the matched images these are.
        truth: `[n, K]`.
        values: `[n, K]`.
    """

    task: ClassificationTask
    rows: NDArray[np.intp]
    truth: NDArray[np.bool_]
    values: NDArray[np.float64]


def official_part(matched: Matched, masks: MaskTask | None, where: str, settings: Settings) -> Part | None:
    """Score by the rules of every challenge that fits.

    Args:
        matched: Predictions with truth.
        masks: Scored masks.
        where: Which images these are, such as `split test`, for captions.
        settings: How intervals are made.

    Returns:
        None if no challenge fits.
    """
    asked = [found for task in CLASSIFICATION_TASKS.values() if (found := _asked(matched, task)) is not None]
    rows: list[tuple[Cell, ...]] = []
    numbers: dict[str, object] = {}
    scores = {}
    for each in asked:
        name = each.task.name
        settings.on_progress(_NAMES[name], 0, 1)
        scores[name] = score = score_classification(each.task, each.truth, each.values)
        estimate = _estimate(each, matched, settings)
        rows.append((_NAMES[name], score.images, estimate))
        numbers[name] = {
            "overall": score.overall,
            "estimate": estimate,
            "images": score.images,
            "categories": score.categories,
            "macro_average": score.macro_average,
            "specificity_at_sensitivity": {
                category: dict(zip(map(str, each.task.sensitivities), found, strict=True))
                for category, found in score.specificities.items()
            },
        }
    if masks is not None:
        for (name, title), estimate in zip(_MASK_NAMES.items(), _mask_estimates(masks, settings), strict=True):
            rows.append((title, len(masks.scores), estimate))
            numbers[name] = {"overall": estimate.value, "estimate": estimate, "images": len(masks.scores)} | {
                "prompt": masks.prompt
            }
    if not rows:
        return None
    heads = ("Rules and ranking number", "Images", "Score")
    tables = [Table("official", f"Official scores: {where}", heads, tuple(rows))]
    tables += [_specificities(score, where) for score in scores.values() if score.specificities]
    for name in ("isic2019", "isic2018-task3"):
        if name in scores:
            tables.append(_categories(name, scores[name], where))
            break
    notes = (
        "These are the rules of the challenges, applied to the images of this report. Only on a challenge's own test "
        "images can a score be set beside its leaderboard.",
        "By the official rules a category counts as called above 0.5, and a number with an empty denominator is 1; the "
        "other sections differ in both.",
        "The organisers give no intervals. Those here are 95 %, bootstrap over groups (patient, else lesion), "
        "stratified by diagnosis; the numbers of single categories have none here: the other sections give intervals.",
    )
    lead = "As the organisers' isic-challenge-scoring computes them."
    return Part("official", Section("official", "Official ISIC scores", lead, tuple(tables), (), notes), numbers)


def _asked(matched: Matched, task: ClassificationTask) -> _Asked | None:
    columns = [_column(matched, category) for category in task.categories]
    if any(column is None for column in columns):
        return None
    truth = np.stack([column[0] for column in columns if column is not None], axis=1)
    values = np.stack([column[1] for column in columns if column is not None], axis=1)
    known = np.array([code not in ("", NOT_SKIN) for code in matched.truth.diagnoses], np.bool_)
    if task.exclusive:
        known &= truth.sum(axis=1) == 1
    rows = np.flatnonzero(known & (official_weights(matched.truth.image_ids) > 0))
    # A category without images has no place in a mean over categories that the organisers always had.
    if not len(rows) or not truth[rows].any(axis=0).all():
        return None
    return _Asked(task, rows, truth[rows], values[rows])


def _estimate(asked: _Asked, matched: Matched, settings: Settings) -> Estimate:
    """The ranking number with its interval."""
    groups, codes = ([values[row] for row in asked.rows] for values in (matched.truth.groups, matched.truth.diagnoses))
    bootstrap = Bootstrap(groups, codes, resamples=settings.resamples, seed=settings.seed)
    if asked.task.ranking == "balanced_accuracy":
        right = decided_class(asked.values) == asked.truth.argmax(axis=1)
        classes = list(asked.truth.T)

        def balanced(sums: NDArray[np.float64]) -> NDArray[np.float64]:
            hits, support = np.split(sums, 2)
            return np.array([np.mean(hits[support > 0] / support[support > 0])])

        return bootstrap.estimates_of_sums([*(right & each for each in classes), *classes], balanced)[0]
    ranked = [RankedScores(truth, values) for truth, values in zip(asked.truth.T, asked.values.T, strict=True)]
    return bootstrap.estimate(
        lambda weights: float(np.mean([getattr(each.areas(weights), asked.task.ranking) for each in ranked]))
    )


def _mask_estimates(masks: MaskTask, settings: Settings) -> tuple[Estimate, ...]:
    """The mean of each number of `_MASK_NAMES`."""
    jaccard = np.array([(score.thresholded_jaccard, score.jaccard) for score in masks.scores], np.float64)
    bootstrap = Bootstrap(masks.groups, masks.types, resamples=settings.resamples, seed=settings.seed)
    return bootstrap.estimates_of_sums([np.ones(len(jaccard)), *jaccard.T], lambda sums: sums[1:] / sums[0])


def _specificities(score: ClassificationScore, where: str) -> Table:
    name = score.task.name
    columns = ("Category", *(f"At {100 * sensitivity:.0f} % sensitivity" for sensitivity in score.task.sensitivities))
    return Table(
        f"official-{name}",
        f"{_NAMES[name].split(':')[0]}, specificity at fixed sensitivity: {where}",
        columns,
        tuple((category, *found) for category, found in score.specificities.items()),
        "Where the ROC curve of these images first reaches the sensitivity, as the organisers reported it: a threshold "
        "read off the scored images themselves.",
    )


def _column(matched: Matched, category: str) -> tuple[NDArray[np.bool_], NDArray[np.float64]] | None:
    predictions, codes = matched.predictions, matched.truth.diagnoses
    code = {"malignant": "MEL", "melanoma": "MEL", "seborrheic_keratosis": "BKL"}.get(category, category)
    score = {"MEL": "p_melanoma", "BKL": "p_seborrheic_keratosis"}.get(code, "")
    if code in predictions.classes:
        place = predictions.classes.index(code)
        matching = {each for each in set(codes) if class_of(each, predictions.classes) == place}
        values = predictions.probabilities[:, place]
        truth = np.array([each in matching for each in codes], np.bool_)
        return truth, values if category == code else predictions.scores.get(score, values)
    if score in predictions.scores:
        return np.array([each == code for each in codes], np.bool_), predictions.scores[score]
    return None


def _categories(name: str, score: ClassificationScore, where: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for category, each in [*score.categories.items(), ("mean", score.macro_average)]:
        rows.append(
            (
                category,
                *(each.sensitivity, each.specificity, each.ppv, each.npv, each.accuracy, each.dice),
                *(each.auc, each.auc_above_80_sensitivity, each.average_precision),
            )
        )
    return Table(f"official-{name}", f"{_NAMES[name].split(':')[0]}, by category: {where}", _COLUMNS, tuple(rows))
