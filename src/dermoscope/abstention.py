"""Why an answer is withheld: at most one reason, in plain words. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.analysis import Evidence, Gate, PredictionSet
from dermoscope.bundle_parts import AbstentionPart

NOT_SKIN_REASON = "the image does not look like skin"
ALWAYS_WITHHOLDING = ("mostly frame",)
"""Quality flags that withhold the answer of every bundle."""


def reason_to_abstain(
    gate: Gate,
    quality: tuple[str, ...],
    rules: AbstentionPart | None,
    *,
    out_of_distribution: float | None,
    disagreement: float,
    certainty: float,
    prediction_set: PredictionSet | None,
    evidence: Evidence | None,
) -> str:
    """The first of these that holds; empty if none does.

    1. The gate says that it is not skin.
    2. A quality flag withholds the answer: `mostly frame`, or one that the bundle names.
    3. The image is unlike those that the model was calibrated on.
    4. Those who answer contradict each other.
    5. The most probable diagnosis is not probable enough.
    6. The prediction set holds too many diagnoses.
    7. Too little of the evidence for malignancy lies on the lesion.

    Only the first three hold without rules in the bundle: what a person would see for themselves comes before what the
    model says about itself. Where a rule asks for something that was not computed, it does not hold.

    Args:
        gate: Skin or not.
        quality: Flags that were raised.
        rules: Those of the bundle, if it has any.
        out_of_distribution: Distance from the images of the calibration as a share of the limit, if it was computed.
        disagreement: From `group_disagreement` or `member_disagreement`, 0 to 1.
        certainty: Largest probability of a diagnosis, at the frequencies that the diagnoses are calibrated at.
        prediction_set: Diagnoses, if the bundle is calibrated for it.
        evidence: Where the risk comes from, if it was computed.
    """
    if not gate.is_skin:
        return NOT_SKIN_REASON
    withholding = (*ALWAYS_WITHHOLDING, *(rules.quality if rules else ()))
    if flags := [flag for flag in quality if flag in withholding]:
        return f"the image is {flags[0]}"
    if out_of_distribution is not None and out_of_distribution > 1:
        return "the image is unlike those that the model was calibrated on"
    if rules is None:
        return ""
    if rules.most_disagreement is not None and disagreement > rules.most_disagreement:
        return "the parts of the model contradict each other"
    if rules.least_certainty is not None and certainty < rules.least_certainty:
        return "no diagnosis is probable enough"
    remaining = len(prediction_set.codes) if prediction_set else 0
    if rules.largest_set is not None and remaining > rules.largest_set:
        return f"{remaining} diagnoses remain possible"
    share = evidence.share_inside if evidence else None
    if rules.least_evidence_inside is not None and share is not None and share < rules.least_evidence_inside:
        return "the evidence for malignancy lies beside the lesion"
    return ""


def group_disagreement(group: Mapping[str, float], diagnosis: Mapping[str, float]) -> float:
    """How far the group head and the diagnosis head are apart: the total variation distance of their distributions.

    Args:
        group: Probability of each lesion group.
        diagnosis: Probability of each diagnosis code.

    Returns:
        0 (they say the same) to 1 (they exclude each other).
    """
    derived = taxonomy.group_probabilities(diagnosis)
    return sum(abs(group[name] - derived.get(name, 0.0)) for name in group) / 2


def member_disagreement(members: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far members are apart: the mean total variation distance of their distributions from their mean.

    Args:
        members: Probabilities `[M, C, ..., K]`, of M members about C crops.

    Returns:
        `[...]`, 0 (they say the same) to 1.
    """
    from_mean = np.abs(members - members.mean(axis=(0, 1)))
    return np.asarray(from_mean.sum(axis=-1).mean(axis=(0, 1)) / 2, np.float64)
