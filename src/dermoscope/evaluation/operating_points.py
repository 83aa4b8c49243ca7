"""Where to draw the line between flagged and not: thresholds chosen on validation images, scored on others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold does to a set of images.

    Attributes:
        threshold: At or above it an image is flagged.
        sensitivity: Share of positive images flagged; NaN without any.
        specificity: Share of negative images not flagged; NaN without any.
        ppv: Share of flagged images that are positive; NaN if none is flagged. It holds for this prevalence alone.
        npv: Share of the others that are negative; NaN if all are flagged. It holds for this prevalence alone.
        flagged: Images flagged.
        n: Images.
        positives: Positive images.
    """

    threshold: float
    sensitivity: float
    specificity: float
    ppv: float
    npv: float
    flagged: int
    n: int
    positives: int


def at_threshold(positive: NDArray[np.bool_], score: NDArray[np.floating], threshold: float) -> OperatingPoint:
    """Score a threshold that was chosen elsewhere.

    Args:
        positive: `[N]`.
        score: `[N]`, higher means more suspect.
        threshold: At or above it an image is flagged.
    """
    flagged = score >= threshold
    hits, negatives = int((flagged & positive).sum()), int((~positive).sum())
    quiet = int((~flagged & ~positive).sum())
    return OperatingPoint(
        threshold=float(threshold),
        sensitivity=_share(hits, int(positive.sum())),
        specificity=_share(quiet, negatives),
        ppv=_share(hits, int(flagged.sum())),
        npv=_share(quiet, int((~flagged).sum())),
        flagged=int(flagged.sum()),
        n=len(positive),
        positives=int(positive.sum()),
    )


def at_sensitivity(positive: NDArray[np.bool_], score: NDArray[np.floating], sensitivity: float) -> OperatingPoint:
    """The highest threshold that still flags the wanted share of positive images.

    The threshold lies half-way to the next lower score, so that rounding, or asking for `>` instead of `>=`, changes no
    answer. Its sensitivity on these images is at least the wanted one; on others it will be about that, so choose on
    validation images and report `at_threshold` on test images.

    Args:
        positive: `[N]`.
        score: `[N]`, higher means more suspect.
        sensitivity: Above 0, at most 1.

    Raises:
        ValueError: If there is no positive image or the sensitivity is out of range.
    """
    if not 0 < sensitivity <= 1:
        raise ValueError(f"sensitivity must be above 0 and at most 1, not {sensitivity}")
    caught = np.sort(score[positive])[::-1]
    if not len(caught):
        raise ValueError("no positive image to be sensitive to")
    # 0.95 * 20 is a hair above 19 in floating point, and must not ask for a twentieth hit.
    wanted = int(np.ceil(round(sensitivity * len(caught), 9)))
    last = float(caught[wanted - 1])
    below = score[score < last]
    threshold = (last + float(below.max())) / 2 if len(below) else float(np.nextafter(last, -np.inf))
    return at_threshold(positive, score, threshold)


def at_balanced_accuracy(positive: NDArray[np.bool_], score: NDArray[np.floating]) -> OperatingPoint:
    """The threshold with the greatest mean of sensitivity and specificity; the lowest, if several have it.

    It lies half-way between two neighbouring scores, or below the lowest. Choose it on validation images and report
    `at_threshold` on others, as for `at_sensitivity`.

    Args:
        positive: `[N]`.
        score: `[N]`, higher means more suspect.

    Raises:
        ValueError: If positive or negative images are missing.
    """
    caught, quiet = np.sort(score[positive]), np.sort(score[~positive])
    if not len(caught) or not len(quiet):
        raise ValueError("balanced accuracy needs positive and negative images")
    levels = np.unique(score).astype(np.float64)
    thresholds = np.concatenate([[np.nextafter(levels[0], -np.inf)], (levels[:-1] + levels[1:]) / 2])
    hits = len(caught) - np.searchsorted(caught, thresholds)
    # In whole numbers, so that thresholds that are equally good are equal.
    gains = hits * len(quiet) + np.searchsorted(quiet, thresholds) * len(caught)
    return at_threshold(positive, score, float(thresholds[gains.argmax()]))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
