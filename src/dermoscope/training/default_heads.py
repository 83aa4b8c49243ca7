"""Fits the four heads of the default model on stored features, calibrates them and sets their operating points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold
from torch import nn

from dermoscope.bundle_parts import Calibration, Head, OperatingPoint
from dermoscope.data.manifest import Record
from dermoscope.heads.calibration import calibrated_probabilities, fit_calibration
from dermoscope.heads.fit import FeatureSet, OnEpoch, ProbeRecipe, fit_probe, logits_of
from dermoscope.heads.mlp import AveragedHead
from dermoscope.training.features import FeatureTable, row_name
from dermoscope.training.tasks import Task
from dermoscope.training.views import ORIGINAL

_LEAST = 1e-9  # log-odds stay finite where a probability rounds to zero or one


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
    on_epoch: OnEpoch | None = None,
) -> FittedHead:
    """Train one head on `train`, choose its epoch and calibrate it on `val`.

    Args:
        task: What to learn.
        records: The manifest; images without an answer for the task are left out.
        features: Features of the images; training uses every stored view, validation the originals alone.
        recipe: Hyperparameters.
        seeds: One member of the averaged head each.
        on_epoch: See `fit_probe`.
    """
    train, train_labels = labelled(task, records, "train")
    val, val_labels = labelled(task, records, "val")
    views, owners = features.all_views_of(train, task.reads)
    training = FeatureSet(views, train_labels[owners])
    development = FeatureSet(features.of(val, ORIGINAL, task.reads), val_labels)
    classes = len(task.classes)
    members = [fit_probe(training, development, classes, recipe, seed, on_epoch) for seed in seeds]
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


def out_of_fold(
    task: Task,
    records: Sequence[Record],
    judged: Sequence[Record],
    features: FeatureTable,
    recipe: ProbeRecipe,
    seeds: Sequence[int],
    *,
    folds: int = 4,
) -> NDArray[np.float64]:
    """Calibrated probabilities `[N, K]` of training images, each by a head that has not seen it or its lesion.

    The validation images alone are too few to say where one image in three hundred lies. Only the judged images are
    held out: another picture cut from one of them, such as its healthy skin, stays in training.

    Args:
        task: What to learn.
        records: The manifest, as for `fit_head`.
        judged: Which of the training images to judge.
        features: What the heads read.
        recipe: Hyperparameters.
        seeds: One member of each averaged head each.
        folds: How often to train; each time without the judged images of one fold.
    """
    found = np.zeros((len(judged), len(task.classes)))
    groups = [f"{record.source}/{record.group_id}" for record in judged]
    for _, held in GroupKFold(folds, shuffle=True, random_state=0).split(groups, groups=groups):
        out = {row_name(judged[index], "") for index in held}
        fitted = fit_head(task, [r for r in records if row_name(r, "") not in out], features, recipe, seeds)
        found[held] = probabilities(fitted, features.of([judged[index] for index in held], ORIGINAL, task.reads))
    return found


def labelled(task: Task, records: Sequence[Record], split: str) -> tuple[list[Record], NDArray[np.int64]]:
    """The images of a split that have an answer for a task, and the answers."""
    chosen = [record for record in records if record.split == split and task.label(record) is not None]
    return chosen, _labels(task, chosen)


def probabilities(fitted: FittedHead, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Calibrated probabilities `[N, K]` of what the head reads, `[N, F]`."""
    calibration = fitted.head.calibration
    return calibrated_probabilities(
        logits_of(fitted.module, features), calibration.temperature, np.array(calibration.bias)
    )


def gate_point(p_skin: NDArray[np.floating], *, refused: float) -> OperatingPoint:
    """The threshold that refuses a share of the dermoscopic images, as far from its neighbours as can be.

    What is not skin has no say: the few kinds of it that we hold cannot speak for all that will come, so the gate is
    as strict as dermoscopic images allow.

    Args:
        p_skin: Probability of skin for dermoscopic images that the gate has not seen.
        refused: Largest share of them that may be refused, 0 to 1 (exclusive).
    """
    ordered = np.sort(p_skin)
    count = int(refused * len(ordered))
    # Halfway in log-odds between the last image refused and the first one let through.
    neighbours = np.clip(ordered[[max(count - 1, 0), count]], _LEAST, 1 - _LEAST)
    threshold = 1 / (1 + np.exp(-np.mean(np.log(neighbours / (1 - neighbours)))))
    return OperatingPoint(
        threshold=_rounded_down(float(threshold)),
        meaning=f"refuses {count / len(ordered):.2%} of {len(ordered):,} dermoscopic images it had not seen",
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
