"""Official scores of the lesion mask tasks.

The rules are those of `isic-challenge-scoring` 5.6: a pixel belongs to the lesion above 128, a number with an empty
denominator is 1 (two empty masks agree perfectly), and every number is the mean over the images. Only 2018 sets the
Jaccard index of an image below 0.65 to zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.isic.tasks import SegmentationTask
from dermoscope.evaluation.masks import JACCARD_THRESHOLD, pixel_counts
from dermoscope.images import LESION_ABOVE


@dataclass(frozen=True)
class MaskPair:
    """Two mask files of one image, as read.

    Attributes:
        image_id: Such as `ISIC_0012086`.
        predicted: 0 to 255, `[H, W]`.
        truth: 0 to 255, `[H, W]`.
    """

    image_id: str
    predicted: NDArray[np.uint8]
    truth: NDArray[np.uint8]


@dataclass(frozen=True)
class OfficialMaskScores:
    """The official numbers of one image, or their means; each 0 to 1.

    Attributes:
        accuracy: Share of pixels on the right side.
        sensitivity: Share of the lesion's pixels found.
        specificity: Share of the other pixels left out.
        jaccard: Intersection over union.
        thresholded_jaccard: The Jaccard index if it reaches 0.65, else zero.
        dice: Twice the intersection over the sum of both areas.
    """

    accuracy: float
    sensitivity: float
    specificity: float
    jaccard: float
    thresholded_jaccard: float
    dice: float


@dataclass(frozen=True)
class SegmentationScore:
    """The official numbers of one set of masks.

    Attributes:
        task: What was scored.
        overall: The number that ranks, `task.ranking`.
        macro_average: Means over the images.
        images: Image id to its numbers.
    """

    task: SegmentationTask
    overall: float
    macro_average: OfficialMaskScores
    images: Mapping[str, OfficialMaskScores]


def score_masks(task: SegmentationTask, pairs: Iterable[MaskPair]) -> SegmentationScore:
    """Score masks as the challenge did, one pair at a time.

    Args:
        task: One of `SEGMENTATION_TASKS`.
        pairs: Masks at the original size, such as `read_mask_pairs` gives them.

    Raises:
        ValueError: If there are no pairs, an image comes twice, or two masks differ in size.
    """
    images: dict[str, OfficialMaskScores] = {}
    for pair in pairs:
        if pair.image_id in images:
            raise ValueError(f"{task.name}: {pair.image_id} comes twice")
        images[pair.image_id] = _score(pair)
    if not images:
        raise ValueError(f"{task.name}: no masks to score")
    means = np.array([astuple(scores) for scores in images.values()], np.float64).mean(axis=0)
    macro = OfficialMaskScores(*(float(mean) for mean in means))
    return SegmentationScore(task, float(getattr(macro, task.ranking)), macro, images)


def _score(pair: MaskPair) -> OfficialMaskScores:
    try:
        pixels = pixel_counts(pair.predicted > LESION_ABOVE, pair.truth > LESION_ABOVE)
    except ValueError as error:
        raise ValueError(f"{pair.image_id}: {error}") from error
    tp, fp = pixels.true_positive, pixels.false_positive
    fn, tn = pixels.false_negative, pixels.true_negative
    jaccard = _or_perfect(tp, tp + fp + fn)
    return OfficialMaskScores(
        accuracy=(tp + tn) / (tp + fp + fn + tn),
        sensitivity=_or_perfect(tp, tp + fn),
        specificity=_or_perfect(tn, tn + fp),
        jaccard=jaccard,
        thresholded_jaccard=jaccard if jaccard >= JACCARD_THRESHOLD else 0.0,
        dice=_or_perfect(2 * tp, 2 * tp + fp + fn),
    )


def _or_perfect(part: int, whole: int) -> float:
    """The official scorer calls a share of nothing perfect."""
    return part / whole if whole else 1.0
