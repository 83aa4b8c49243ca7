"""Fits what a rule of combination leaves open: stacking, masses and calibration, on held-out images. Torch-free."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermoscope.ensemble.combination import Stacking
from dermoscope.ensemble.ensemble import CropRule, Ensemble, EnsembleDescription, LogCalibration, MassesName, Rule
from dermoscope.ensemble.probabilities import log_probabilities
from dermoscope.heads.calibration import fit_calibration

Calibrated = Literal["nothing", "members", "result", "members and result"]
"""What is calibrated: each member before, what comes out, both, or nothing."""


def fit_ensemble(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: list[str],
    *,
    classes: tuple[str, ...],
    members: tuple[str, ...],
    crops: tuple[str, ...],
    rule: Rule,
    across: Literal["together", "members then crops"] = "together",
    crop_rule: CropRule | None = None,
    masses: MassesName = "plain",
    calibrated: Calibrated = "nothing",
    equal_classes: bool = False,
) -> EnsembleDescription:
    """An ensemble with everything that is fitted.

    Args:
        probabilities: `[M, C, N, K]`, what each member says about each crop of images that none has learnt from.
        labels: `[N]`.
        groups: What belongs together, `[N]`.
        classes: Names of the K classes.
        members: Names of the M members.
        crops: Names of the C crops.
        rule: Of the first step, or of the only one.
        across: See `EnsembleDescription`.
        crop_rule: Of the second step.
        masses: What Dempster's rule makes of probabilities.
        calibrated: What is calibrated.
        equal_classes: Whether calibrated probabilities speak of equally frequent classes, or of those among the labels.

    Raises:
        ValueError: If the images are too few for what is to be fitted.
    """
    given = probabilities
    calibrations: tuple[LogCalibration, ...] = ()
    if calibrated in ("members", "members and result"):
        calibrations = tuple(
            _calibration(of.reshape(-1, of.shape[-1]), np.tile(labels, len(crops)), equal_classes) for of in given
        )
        given = np.stack([one.apply(of) for one, of in zip(calibrations, given, strict=True)])
    stacking = None
    if rule == "stacking":
        if across == "together":
            rows, labels_of, groups_of = given.reshape(-1, *given.shape[2:]), labels, groups
        else:
            rows = given.transpose(0, 2, 1, 3).reshape(len(given), -1, given.shape[-1])
            labels_of = np.repeat(labels, len(crops))
            groups_of = [group for group in groups for _ in crops]
        stacking = Stacking.fit(rows, labels_of, groups_of, classes=classes)
    accuracies = [float((of.mean(axis=0).argmax(axis=1) == labels).mean()) for of in probabilities]
    description = EnsembleDescription(
        schema_version=1,
        classes=classes,
        members=members,
        crops=crops,
        across=across,
        rule=rule,
        crop_rule=crop_rule,
        masses=masses,
        accuracies=() if masses == "plain" else tuple(accuracies),
        stacking=stacking,
        member_calibrations=calibrations,
    )
    if calibrated not in ("result", "members and result"):
        return description
    combined = Ensemble(description).combine(probabilities)
    return description.model_copy(update={"calibration": _calibration(combined, labels, equal_classes)})


def _calibration(probabilities: NDArray[np.float64], labels: NDArray[np.int64], equal_classes: bool) -> LogCalibration:
    logits = log_probabilities(probabilities)
    temperature, bias = fit_calibration(logits, labels, equal_classes=equal_classes)
    return LogCalibration(temperature=temperature, bias=tuple(bias.tolist()))
