"""How well one mask matches another, per image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

JACCARD_THRESHOLD = 0.65
"""Below this Jaccard a mask counts as a failure in ISIC 2018 Task 1 (isic-challenge-scoring)."""


@dataclass(frozen=True)
class MaskScores:
    """Scores of one image, each 0 to 1.

    Attributes:
        dice: Twice the intersection over the sum of both areas.
        jaccard: Intersection over union.
        thresholded_jaccard: The Jaccard index if it reaches 0.65, else zero.
        pixel_accuracy: Share of pixels on the right side.
    """

    dice: float
    jaccard: float
    thresholded_jaccard: float
    pixel_accuracy: float


def mask_scores(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> MaskScores:
    """Compare two masks. Two empty masks agree perfectly, as in the official ISIC scorer.

    Args:
        predicted: `[H, W]`.
        truth: `[H, W]`.

    Raises:
        ValueError: If the shapes differ.
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"masks differ in shape: {predicted.shape} and {truth.shape}; score at the original size")
    intersection = int(np.count_nonzero(predicted & truth))
    areas = int(np.count_nonzero(predicted)) + int(np.count_nonzero(truth))
    union = areas - intersection
    jaccard = intersection / union if union else 1.0
    return MaskScores(
        dice=2 * intersection / areas if areas else 1.0,
        jaccard=jaccard,
        thresholded_jaccard=jaccard if jaccard >= JACCARD_THRESHOLD else 0.0,
        pixel_accuracy=float((predicted == truth).mean()),
    )
