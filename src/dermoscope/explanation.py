"""What the model computed, for a person to read: where the evidence lies, which diagnoses remain. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Evidence, PredictionSet
from dermoscope.bundle_parts import ConformalPart
from dermoscope.evaluation.conformal import ConformalSets
from dermoscope.heads.evidence_place import coarse_grid, covered_beside, place_evidence
from dermoscope.images import remove_hair

Mask = NDArray[np.bool_]

# More than half of the evidence beside the lesion is what the warning says.
_MOST = 0.5
_FRAME_FROM = 0.3
# Hair is thin: where it lies close, it covers a tenth of the ground.
_HAIR_FROM = 0.03
_DIGITS = 3


def evidence_record(
    evidence: NDArray[np.float32],
    mask: Mask | None,
    rgb: NDArray[np.uint8],
    view: Mask,
    *,
    flagged: bool,
) -> Evidence:
    """The record of an evidence map, with a warning where a flagged risk comes from beside the lesion.

    That is where most of the evidence, and its strongest place, lie outside. Where the risk is low, what little speaks
    for malignancy is spread over the image, and where it lies means nothing.

    Args:
        evidence: `[h, w]` in log-odds, covering the whole image.
        mask: The lesion, at any resolution, or none.
        rgb: The image, 8-bit; hair is looked for where there is a warning.
        view: The field of view, at any resolution.
        flagged: Whether the malignancy risk reaches its operating point.
    """
    place = place_evidence(evidence, mask) if mask is not None else None
    rows = np.round(coarse_grid(evidence).astype(np.float64), _DIGITS).tolist()
    warning = ""
    if mask is not None and flagged and place and place.share_inside < 1 - _MOST and not place.peak_inside:
        warning = _warning(1 - place.share_inside, _where(evidence, mask, rgb, view))
    return Evidence(
        share_inside=place.share_inside if place else None,
        peak_inside=place.peak_inside if place else None,
        grid=tuple(tuple(row) for row in rows),
        warning=warning,
    )


def prediction_set(
    classes: Sequence[str], part: ConformalPart | None, probabilities: Mapping[str, float]
) -> PredictionSet | None:
    """The classes that remain possible, the most probable first; none if nothing was calibrated for it.

    The most probable one is always among them, so that an answer lies in its own set; that only adds to the coverage.

    Args:
        classes: In the order of the thresholds.
        part: The thresholds, if there are any.
        probabilities: The calibrated probability of each class.
    """
    if part is None:
        return None
    thresholds = np.array([np.inf if limit is None else limit for limit in part.thresholds])
    rule = ConformalSets(part.method, part.coverage, thresholds, part.class_conditional, np.array(part.images))
    chosen = rule.sets(np.array([[probabilities[name] for name in classes]]))[0]
    answer = max(classes, key=lambda name: probabilities[name])
    codes = [name for name, is_in in zip(classes, chosen.tolist(), strict=True) if is_in or name == answer]
    return PredictionSet(
        codes=tuple(sorted(codes, key=lambda name: probabilities[name], reverse=True)), coverage=part.coverage
    )


def _where(evidence: NDArray[np.float32], mask: Mask, rgb: NDArray[np.uint8], view: Mask) -> str:
    if covered_beside(evidence, mask, ~view) >= _FRAME_FROM:
        return "at the dark frame of the image"
    if covered_beside(evidence, mask, remove_hair(rgb).hair) >= _HAIR_FROM:
        return "where there is hair, or something as thin and dark, such as a ruler or ink"
    return "on the skin around it or on something that lies there"


def _warning(outside: float, where: str) -> str:
    evidence = f"{outside:.0%} of the evidence for malignancy lies outside the outlined lesion, {where}"
    return f"{evidence}: look at the picture; the flag stands"
