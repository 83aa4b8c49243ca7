"""The same predictions through the organisers' own package, where it is installed (`isic-challenge-scoring`)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.isic import (
    CLASSIFICATION_TASKS,
    SEGMENTATION_TASKS,
    ClassificationTask,
    MaskPair,
    official_weights,
    score_classification,
    score_masks,
)

official = pytest.importorskip("isic_challenge_scoring")
pandas = pytest.importorskip("pandas")

NAMES = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "dice": "dice",
    "ppv": "ppv",
    "npv": "npv",
    "auc": "auc",
    "auc_sens_80": "auc_above_80_sensitivity",
    "ap": "average_precision",
}
RANKINGS = {"balanced_accuracy": "balanced_accuracy", "auc": "auc", "average_precision": "ap"}


def official_score(
    task: ClassificationTask,
    truth: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> Any:
    index = [f"ISIC_{number:07d}" for number in range(len(truth))]
    return official.ClassificationScore(
        pandas.DataFrame(truth.astype(float), index=index, columns=task.categories),
        pandas.DataFrame(probabilities, index=index, columns=task.categories),
        pandas.DataFrame({"score_weight": weights, "validation_weight": weights}, index=index),
        official.ClassificationMetric(RANKINGS[task.ranking]),
    )


def predictions(
    task: ClassificationTask, seed: int, rows: int, digits: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Truth with every category, and predictions rounded so that values tie within and across images."""
    random = np.random.default_rng(seed)
    classes = len(task.categories)
    labels = np.r_[np.arange(classes + 1), random.integers(classes + 1, size=rows)]
    if task.exclusive:
        labels %= classes
    truth = np.arange(classes) == labels[:, None]
    return truth, (0.7 * random.random(truth.shape) + 0.3 * truth).round(digits)


@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")  # theirs, with a single category
@pytest.mark.parametrize("task", CLASSIFICATION_TASKS.values(), ids=CLASSIFICATION_TASKS.keys())
@pytest.mark.parametrize("digits", [1, 2, 9])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("weighting", ["alike", "one left out", "uneven"])
def test_classification(task: ClassificationTask, digits: int, seed: int, weighting: str) -> None:
    truth, probabilities = predictions(task, seed, 120, digits)
    weights = {
        "alike": np.ones(len(truth)),
        "one left out": official_weights(["ISIC_0035068" if row == 50 else "" for row in range(len(truth))]),
        "uneven": np.random.default_rng(seed).random(len(truth)),
    }[weighting]
    theirs = official_score(task, truth, probabilities, weights)
    ours = score_classification(task, truth, probabilities, weights)
    assert ours.overall == pytest.approx(theirs.overall, abs=1e-9)
    if task.exclusive:
        assert ours.balanced_accuracy == pytest.approx(theirs.aggregate["balanced_accuracy"], abs=1e-9)
    for official_name, name in NAMES.items():
        assert getattr(ours.macro_average, name) == pytest.approx(theirs.macro_average[official_name], abs=1e-9), name
        for category in task.categories:
            expected = theirs.per_category.loc[category, official_name]
            assert getattr(ours.categories[category], name) == pytest.approx(expected, abs=1e-9), (category, name)


def test_the_predictions_have_ties() -> None:
    task = CLASSIFICATION_TASKS["isic2019"]
    truth, probabilities = predictions(task, 0, 120, 1)
    best = probabilities.max(axis=1, keepdims=True)
    shared = (probabilities == best).sum(axis=1) > 1
    assert shared.sum() > 10
    assert (shared & (probabilities == best)[truth]).any(), "somewhere the truth itself shares the maximum"
    assert (probabilities == 0.5).any()


@pytest.mark.parametrize("seed", range(5))
def test_segmentation(seed: int) -> None:
    random = np.random.default_rng(seed)
    pairs = []
    for number in range(30):
        truth, noise = random.integers(0, 256, (2, 6, 9)).astype(np.uint8)
        flipped = random.random(truth.shape) < random.random() * 0.6
        predicted = np.where(flipped, noise, truth)
        predicted[random.random(truth.shape) < 0.1] = 128
        empty = {0: (0, 0), 1: (0, 1), 2: (1, 0), 3: (255, 255)}.get(number, (1, 1))
        scaled = [
            mask if factor == 1 else np.full_like(mask, factor)
            for mask, factor in zip((predicted, truth), empty, strict=True)
        ]
        pairs.append(MaskPair(f"ISIC_{number:07d}", *scaled))
    theirs = official.SegmentationScore(
        [SimpleNamespace(image_id=p.image_id, truth_image=p.truth, prediction_image=p.predicted) for p in pairs]
    )
    ours = score_masks(SEGMENTATION_TASKS["isic2018-task1"], pairs)
    assert ours.overall == pytest.approx(theirs.overall, abs=1e-9)
    for official_name, name in (
        ("accuracy", "accuracy"),
        ("sensitivity", "sensitivity"),
        ("specificity", "specificity"),
        ("jaccard", "jaccard"),
        ("threshold_jaccard", "thresholded_jaccard"),
        ("dice", "dice"),
    ):
        assert getattr(ours.macro_average, name) == pytest.approx(theirs.macro_average[official_name], abs=1e-9), name
    jaccards = [scores.jaccard for scores in ours.images.values()]
    assert min(jaccards) == 0 and max(jaccards) == 1 and any(0.65 <= jaccard < 1 for jaccard in jaccards)
