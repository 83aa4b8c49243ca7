"""Fits the four heads of the default model on stored features, calibrates them and sets their operating points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dermoscope.bundle import Calibration, Head, OperatingPoint
from dermoscope.data.manifest import Record
from dermoscope.heads.calibration import calibrated_probabilities, fit_calibration
from dermoscope.heads.fit import FeatureSet, ProbeRecipe, fit_probe, logits_of
from dermoscope.heads.mlp import AveragedHead
from dermoscope.training.features import FeatureTable
from dermoscope.training.tasks import Task
from dermoscope.training.views import ORIGINAL


@dataclass(frozen=True)
class FittedHead:
    """A trained head with what the runtime needs to know about it."""

    module: nn.Module
    head: Head


def fit_head(
    task: Task,
    records: Sequence[Record],
    features: FeatureTable,
    recipe: ProbeRecipe,
    seeds: Sequence[int],
) -> FittedHead:
    """Train one head on `train`, choose its epoch and calibrate it on `val`.

    Args:
        task: What to learn.
        records: The manifest; images without an answer for the task are left out.
        features: Features of the images; training uses every stored view, validation the originals alone.
        recipe: Hyperparameters.
        seeds: One member of the averaged head each.
    """
    train, train_labels = labelled(task, records, "train")
    val, val_labels = labelled(task, records, "val")
    views, owners = features.all_views_of(train)
    training = FeatureSet(views, train_labels[owners])
    development = FeatureSet(features.of(val, ORIGINAL), val_labels)
    classes = len(task.classes)
    members = [fit_probe(training, development, classes, recipe, seed) for seed in seeds]
    module = AveragedHead(members).eval()
    temperature, bias = fit_calibration(
        logits_of(module, development.features), development.labels, equal_classes=task.equal_classes
    )
    calibration = Calibration(temperature=temperature, bias=tuple(round(float(b), 6) for b in bias))
    frequencies = np.bincount(development.labels, minlength=classes) / len(development.labels)
    head = Head(
        output=task.name,
        classes=task.classes,
        calibration=calibration,
        equal_classes=task.equal_classes,
        frequencies=tuple(round(float(f), 6) for f in frequencies),
    )
    return FittedHead(module, head)


def labelled(task: Task, records: Sequence[Record], split: str) -> tuple[list[Record], NDArray[np.int64]]:
    """The images of a split that have an answer for a task, and the answers."""
    chosen = [record for record in records if record.split == split and task.label(record) is not None]
    return chosen, _labels(task, chosen)


def probabilities(fitted: FittedHead, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Calibrated probabilities `[N, K]` of features `[N, 256]`."""
    calibration = fitted.head.calibration
    return calibrated_probabilities(
        logits_of(fitted.module, features), calibration.temperature, np.array(calibration.bias)
    )


def gate_point(
    p_skin: NDArray[np.floating],
    skin: NDArray[np.bool_],
    dermoscopic: NDArray[np.bool_],
    *,
    refused: float,
) -> OperatingPoint:
    """The threshold with the highest balanced accuracy among those that refuse few dermoscopic images.

    Args:
        p_skin: Probability of skin for the validation images.
        skin: Which of them show skin.
        dermoscopic: Which of them are whole dermoscopic images.
        refused: Largest share of the dermoscopic images that may be refused, 0 to 1.
    """
    allowed = float(np.quantile(p_skin[dermoscopic], refused, method="lower"))
    candidates = np.unique(p_skin[p_skin <= allowed])
    balanced = [((p_skin[skin] >= c).mean() + (p_skin[~skin] < c).mean()) / 2 for c in candidates]
    return OperatingPoint(
        threshold=_rounded_down(float(candidates[int(np.argmax(balanced))])),
        meaning=f"highest balanced accuracy that refuses at most {refused:.2%} of the dermoscopic validation images",
    )


def malignancy_point(
    p_malignant: NDArray[np.floating], malignant: NDArray[np.bool_], *, sensitivity: float
) -> OperatingPoint:
    """The highest threshold that reaches a sensitivity on the validation images.

    Args:
        p_malignant: Probability of malignancy.
        malignant: The truth.
        sensitivity: Share of malignant lesions to flag, 0 to 1.
    """
    threshold = float(np.quantile(p_malignant[malignant], 1 - sensitivity, method="lower"))
    return OperatingPoint(
        threshold=_rounded_down(threshold), meaning=f"sensitivity {sensitivity:.2f} on the validation lesions"
    )


def _labels(task: Task, records: Sequence[Record]) -> NDArray[np.int64]:
    labels = [task.label(record) for record in records]
    return np.array([label for label in labels if label is not None], np.int64)


def _rounded_down(threshold: float) -> float:
    return float(np.floor(threshold * 1e4) / 1e4)
