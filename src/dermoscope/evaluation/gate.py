"""A skin gate in front of predictions that were made without one: what it refuses, and at which threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dermoscope.evaluation.operating_points import at_balanced_accuracy
from dermoscope.evaluation.predictions import Predictions
from dermoscope.evaluation.problems import InputError, Problem, Problems
from dermoscope.evaluation.tasks import DEFAULT_THRESHOLD
from dermoscope.evaluation.truth import Matched
from dermoscope.taxonomy import NOT_SKIN, base_image_id


@dataclass(frozen=True)
class GateThreshold:
    """Where a gate draws the line.

    Attributes:
        value: An image with a lower `p_skin` is refused.
        source: Where the threshold comes from, for a person.
    """

    value: float
    source: str


def choose_threshold(validation: Matched | None) -> GateThreshold:
    """The threshold with the greatest balanced accuracy on validation images; 0.5 without any to choose on.

    Args:
        validation: The gate's predictions for validation images, with truth.

    Raises:
        InputError: If these are no predictions of a gate.
    """
    if validation is None:
        return GateThreshold(DEFAULT_THRESHOLD, "fixed, not chosen on any images")
    check_gate(validation.predictions)
    skin = np.array([code != NOT_SKIN for code in validation.truth.diagnoses], np.bool_)
    if skin.all() or not skin.any():
        kind = "skin" if skin.all() else "not skin"
        return GateThreshold(DEFAULT_THRESHOLD, f"fixed: all validation images are {kind}, which leaves no choice")
    point = at_balanced_accuracy(skin, validation.predictions.scores["p_skin"])
    refusable = int((~skin).sum())
    source = (
        f"greatest balanced accuracy on {len(skin):,} validation images, {refusable:,} of them not skin: "
        f"{(point.sensitivity + point.specificity) / 2:.3f}"
    )
    return GateThreshold(point.threshold, source)


def apply_gate(predictions: Predictions, gate: Predictions, threshold: float) -> Predictions:
    """Put a gate in front of predictions, joined by image id; `_downsampled` is no part of one.

    Args:
        predictions: What the second head says of N images, whatever they show.
        gate: What the gate says of these images at least; it has the score `p_skin`.
        threshold: An image with a lower `p_skin` is refused.

    Returns:
        The predictions with the gate's `p_skin` and `is_skin`; `abstained` where the gate refuses, or was true before.

    Raises:
        InputError: If the gate has no `p_skin`, or has none for some of the images; they are listed.
    """
    check_gate(gate)
    rows = {base_image_id(image_id): row for row, image_id in enumerate(gate.image_ids)}
    rows |= {image_id: row for row, image_id in enumerate(gate.image_ids)}
    found = [rows.get(image_id, rows.get(base_image_id(image_id))) for image_id in predictions.image_ids]
    problems = Problems()
    for image_id, line, row in zip(predictions.image_ids, predictions.rows.tolist(), found, strict=True):
        if row is None:
            problems.add(gate.path, f"no p_skin for {image_id!r}, which is in row {line} of {predictions.path}")
    problems.check()
    p_skin = gate.scores["p_skin"][np.array(found, np.intp)]
    is_skin = p_skin >= threshold
    return replace(
        predictions,
        scores={**predictions.scores, "p_skin": p_skin},
        is_skin=is_skin,
        abstained=~is_skin if predictions.abstained is None else ~is_skin | predictions.abstained,
    )


def check_gate(gate: Predictions) -> None:
    """Make sure that predictions come from a gate.

    Raises:
        InputError: If they have no score `p_skin`.
    """
    if "p_skin" not in gate.scores:
        reason = "the column is missing; give the predictions of a skin gate, such as those of dermoscope train gate"
        raise InputError((Problem(gate.path, reason, 1, "p_skin"),), 1)
