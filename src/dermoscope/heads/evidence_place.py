"""Where the evidence for malignancy lies, against where the lesion is. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatMap = NDArray[np.float32]

GRID = 14
"""Cells along the longer side of `coarse_grid`, as many as there are regions to leave out."""

# The soft edge of the regions that are left out, in shares of the map's long side: evidence at the border of a lesion
# cannot be placed more precisely.
_BLUR = 1.5 / 14


@dataclass(frozen=True)
class EvidencePlace:
    """How the evidence for malignancy and the lesion lie to each other.

    Attributes:
        share_inside: Share of it that lies on the lesion or at its border, 0 to 1.
        peak_inside: Whether its strongest place does.
    """

    share_inside: float
    peak_inside: bool


def place_evidence(evidence: FloatMap, mask: NDArray[np.bool_]) -> EvidencePlace | None:
    """Compare an evidence map with a lesion mask.

    Only what speaks for malignancy counts: the positive part of the map. The lesion is taken larger than it is by as
    much as the map is blurred.

    Args:
        evidence: `[h, w]`, from `occlusion_evidence`, covering the whole image.
        mask: `[H, W]` of the same image, at any resolution.

    Returns:
        None where nothing speaks for malignancy.
    """
    speaking = np.maximum(evidence, 0.0)
    if not (total := float(speaking.sum(dtype=np.float64))):
        return None
    near = with_its_border(evidence, mask)
    peak = np.unravel_index(int(speaking.argmax()), speaking.shape)
    inside = float((speaking * near).sum(dtype=np.float64))
    return EvidencePlace(min(1.0, inside / total), bool(near[peak] >= 0.5))


def covered_beside(evidence: FloatMap, mask: NDArray[np.bool_], thing: NDArray[np.bool_]) -> float:
    """How much of the ground under the evidence beside the lesion is covered by something, 0 to 1; 0 without any.

    Args:
        evidence: `[h, w]`, as for `place_evidence`.
        mask: The lesion, `[H, W]`, at any resolution.
        thing: Something else in the image, such as hair, at any resolution.
    """
    beside = np.maximum(evidence, 0.0) * (1.0 - with_its_border(evidence, mask))
    total = float(beside.sum(dtype=np.float64))
    return float((beside * _covered(evidence, thing)).sum(dtype=np.float64)) / total if total else 0.0


def with_its_border(evidence: FloatMap, mask: NDArray[np.bool_]) -> FloatMap:
    """The share of each cell of the map, `[h, w]`, that the lesion covers after it was enlarged by the map's blur."""
    reach = 2 * round(_BLUR * max(evidence.shape)) + 1
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate(_covered(evidence, mask), ellipse), np.float32)


def coarse_grid(evidence: FloatMap) -> FloatMap:
    """The map `[h, w]` averaged to at most 14 cells a side: all that 14 by 14 regions can tell."""
    height, width = evidence.shape
    shrink = min(1.0, GRID / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return np.asarray(cv2.resize(evidence, size, interpolation=cv2.INTER_AREA), np.float32)


def _covered(evidence: FloatMap, mask: NDArray[np.bool_]) -> FloatMap:
    size = (evidence.shape[1], evidence.shape[0])
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
