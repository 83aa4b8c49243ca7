"""The part with the official ISIC scores, for as many challenges as the predictions have columns for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.isic import (
    CLASSIFICATION_TASKS,
    ClassificationScore,
    official_weights,
    score_classification,
)
from dermoscope.evaluation.mask_files import MaskTask
from dermoscope.evaluation.report.document import Cell, Section, Table
from dermoscope.evaluation.report.parts import Part
from dermoscope.evaluation.truth import Matched, class_of

_NAMES = {
    "isic2016-task3": "ISIC 2016 Part 3: average precision",
    "isic2017-task3": "ISIC 2017 Part 3: mean AUC",
    "isic2018-task3": "ISIC 2018 Task 3: balanced multi-class accuracy",
    "isic2019": "ISIC 2019: balanced multi-class accuracy",
    "isic2020": "ISIC 2020: AUC",
}
_COLUMNS = ("Category", "Sensitivity", "Specificity", "PPV", "NPV", "Accuracy", "Dice", "AUC", "AUC > 80 %", "AP")


def official_part(matched: Matched, masks: MaskTask | None, where: str) -> Part | None:
    """Score by the rules of every challenge that fits.

    Args:
        matched: Predictions with truth.
        masks: Scored masks.
        where: Which images these are, such as `split test`, for captions.

    Returns:
        None if no challenge fits.
    """
    found = {name: score for name in CLASSIFICATION_TASKS if (score := _score(matched, name)) is not None}
    rows: list[tuple[Cell, ...]] = [(_NAMES[name], score.images, score.overall) for name, score in found.items()]
    numbers: dict[str, object] = {
        name: {"overall": score.overall, "images": score.images, "categories": score.categories}
        | {"macro_average": score.macro_average}
        for name, score in found.items()
    }
    if masks is not None:
        thresholded = float(np.mean([score.thresholded_jaccard for score in masks.scores]))
        jaccard = float(np.mean([score.jaccard for score in masks.scores]))
        rows.append(("ISIC 2018 Task 1: mean thresholded Jaccard", len(masks.scores), thresholded))
        rows.append(("ISIC 2016 and 2017 Part 1: mean Jaccard", len(masks.scores), jaccard))
        numbers["isic2018-task1"] = {"overall": thresholded, "images": len(masks.scores), "prompt": masks.prompt}
        numbers["isic2017-task1"] = {"overall": jaccard, "images": len(masks.scores), "prompt": masks.prompt}
    if not rows:
        return None
    tables = [
        Table("official", f"Official scores: {where}", ("Rules and ranking number", "Images", "Score"), tuple(rows))
    ]
    for name in ("isic2019", "isic2018-task3"):
        if name in found:
            tables.append(_categories(name, found[name], where))
            break
    notes = (
        "These are the rules of the challenges, applied to the images of this report. Only on a challenge's own test "
        "images can a score be set beside its leaderboard.",
        "By the official rules a category counts as called above 0.5, and a number with an empty denominator is 1; the "
        "other sections differ in both.",
    )
    lead = "As the organisers' isic-challenge-scoring computes them; they come without intervals."
    return Part("official", Section("official", "Official ISIC scores", lead, tuple(tables), (), notes), numbers)


def _score(matched: Matched, name: str) -> ClassificationScore | None:
    task = CLASSIFICATION_TASKS[name]
    columns = [_column(matched, category) for category in task.categories]
    if any(column is None for column in columns):
        return None
    truth = np.stack([column[0] for column in columns if column is not None], axis=1)
    values = np.stack([column[1] for column in columns if column is not None], axis=1)
    known = np.array([code not in ("", "NOT_SKIN") for code in matched.truth.diagnoses], np.bool_)
    if task.exclusive:
        known &= truth.sum(axis=1) == 1
    weights = official_weights(matched.truth.image_ids) * known
    # A category without images has no place in a mean over categories that the organisers always had.
    if not weights.any() or not (truth * weights[:, None]).any(axis=0).all():
        return None
    return score_classification(task, truth[known], values[known], weights[known])


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
