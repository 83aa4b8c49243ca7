"""How well masks match: image by image, by lesion type, and pooled over all pixels.

The three averages differ and are named apart: a small lesion weighs as much as a large one in the first, a rare type as
much as a common one in the mean over types, and a large lesion the more in the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Bootstrap, Estimate, Weights

JACCARD_THRESHOLD = 0.65
"""Below this Jaccard a mask counts as a failure in ISIC 2018 Task 1 (isic-challenge-scoring)."""

MASK_METRICS = ("dice", "jaccard", "thresholded_jaccard", "pixel_accuracy", "hausdorff95")
"""The numbers of an image, in the order of reports."""

POOLED_METRICS = ("dice", "jaccard", "pixel_accuracy")
"""The numbers that pixels pooled over images have."""

Averaging = Literal["per image", "per lesion type", "mean over types", "pooled pixels"]


@dataclass(frozen=True)
class PixelCounts:
    """Pixels of one image.

    Attributes:
        true_positive: In both masks.
        false_positive: In the predicted mask only.
        false_negative: In the true mask only.
        true_negative: In neither.
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


@dataclass(frozen=True)
class MaskScores:
    """Scores of one image, each 0 to 1 except the distance.

    Attributes:
        dice: Twice the intersection over the sum of both areas.
        jaccard: Intersection over union.
        thresholded_jaccard: The Jaccard index if it reaches 0.65, else zero.
        pixel_accuracy: Share of pixels on the right side.
        hausdorff95: Boundary distance in % of the image diagonal, 0 to 100; see `hausdorff95`.
        pixels: What the first four are made of.
    """

    dice: float
    jaccard: float
    thresholded_jaccard: float
    pixel_accuracy: float
    hausdorff95: float
    pixels: PixelCounts


@dataclass(frozen=True)
class MaskSummary:
    """One number over many images.

    Attributes:
        averaging: How images were put together.
        lesion_type: The type, where `averaging` is `per lesion type`.
        metric: One of `MASK_METRICS`; pooled pixels have only `POOLED_METRICS`.
        estimate: The number with its interval.
    """

    averaging: Averaging
    lesion_type: str | None
    metric: str
    estimate: Estimate


def mask_scores(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> MaskScores:
    """Compare two masks. Two empty masks agree perfectly, as in the official ISIC scorer.

    Args:
        predicted: `[H, W]`.
        truth: `[H, W]`.

    Raises:
        ValueError: If the shapes differ.
    """
    counts = pixel_counts(predicted, truth)
    union = counts.true_positive + counts.false_positive + counts.false_negative
    jaccard = counts.true_positive / union if union else 1.0
    return MaskScores(
        dice=2 * counts.true_positive / (counts.true_positive + union) if union else 1.0,
        jaccard=jaccard,
        thresholded_jaccard=jaccard if jaccard >= JACCARD_THRESHOLD else 0.0,
        pixel_accuracy=(counts.true_positive + counts.true_negative) / (union + counts.true_negative),
        hausdorff95=hausdorff95(predicted, truth),
        pixels=counts,
    )


def pixel_counts(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> PixelCounts:
    """Count the pixels on either side of both masks.

    Args:
        predicted: `[H, W]`.
        truth: `[H, W]`.

    Raises:
        ValueError: If the shapes differ or there are no pixels.
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"masks differ in shape: {predicted.shape} and {truth.shape}; score at the original size")
    if not truth.size:
        raise ValueError(f"masks without pixels: {truth.shape}")
    both = int(np.count_nonzero(predicted & truth))
    found, wanted = int(np.count_nonzero(predicted)), int(np.count_nonzero(truth))
    return PixelCounts(both, found - both, wanted - both, truth.size - found - wanted + both)


def hausdorff95(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Boundary distance: how far apart the outlines are, the worst 5 % of each left aside.

    The larger of two 95 % quantiles: distances from the predicted outline to the true one, and the other way. The
    outline is made of the mask's own pixels that touch the outside, the outside of the picture included. Two empty
    masks are 0 apart; an empty and a filled one the whole diagonal, so that a missed lesion cannot improve a mean.

    Args:
        predicted: `[H, W]`.
        truth: `[H, W]`.

    Returns:
        In % of the image diagonal, 0 to 100.

    References:
        Huttenlocher, Klanderman and Rucklidge, IEEE TPAMI 15, 1993; both directions as in Taha and Hanbury, BMC
        Medical Imaging 15:29, 2015.
    """
    if not predicted.any() or not truth.any():
        return 0.0 if predicted.any() == truth.any() else 100.0
    ours, theirs = (_outline(mask[_box(predicted | truth)]) for mask in (predicted, truth))
    worst = max(float(np.quantile(_distance_to(b)[a], 0.95)) for a, b in ((ours, theirs), (theirs, ours)))
    return 100 * worst / float(np.hypot(*truth.shape))


def summarise(
    scores: Sequence[MaskScores],
    groups: Sequence[str],
    types: Sequence[str] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[MaskSummary, ...]:
    """Every average of the images' scores, with intervals that draw whole lesions.

    Args:
        scores: One an image, `[N]`.
        groups: Lesion of each image, else its id, `[N]`.
        types: Lesion type of each image, `[N]`; resamples keep the number of lesions of each type.
        resamples: Number of resamples.
        seed: Of the draws.

    Returns:
        Per image, then with `types` per lesion type (sorted) and the mean over types, then pooled pixels.

    Raises:
        ValueError: If the lengths differ or there are no images.
    """
    if len(scores) != len(groups):
        raise ValueError(f"scores has {len(scores)} rows, groups has {len(groups)}")
    values = np.array([[getattr(score, metric) for metric in MASK_METRICS] for score in scores], np.float64)
    bootstrap = Bootstrap(groups, types, resamples=resamples, seed=seed)
    rows = _rows("per image", None, MASK_METRICS, bootstrap.estimates(_weighted_mean(values)))
    if types is not None:
        names = sorted(set(types))
        members = [np.array([each == name for each in types]) for name in names]
        for name, member in zip(names, members, strict=True):
            own = Bootstrap(
                [g for g, is_in in zip(groups, member, strict=True) if is_in], resamples=resamples, seed=seed
            )
            rows += _rows("per lesion type", name, MASK_METRICS, own.estimates(_weighted_mean(values[member])))
        rows += _rows("mean over types", None, MASK_METRICS, bootstrap.estimates(_mean_over(values, members)))
    pixels = np.array(
        [
            (s.pixels.true_positive, s.pixels.false_positive, s.pixels.false_negative, s.pixels.true_negative)
            for s in scores
        ],
        np.float64,
    )
    rows += _rows("pooled pixels", None, POOLED_METRICS, bootstrap.estimates(lambda weights: _pooled(weights @ pixels)))
    return tuple(rows)


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inside = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask & np.asarray(inside == 0, np.bool_)


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Where the mask lies: outside of both masks there is no outline to measure to."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _distance_to(outline: NDArray[np.bool_]) -> NDArray[np.float32]:
    distance = cv2.distanceTransform((~outline).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)


def _weighted_mean(values: NDArray[np.float64]) -> Callable[[Weights], NDArray[np.float64]]:
    return lambda weights: weights @ values / weights.sum()


def _mean_over(
    values: NDArray[np.float64], members: Sequence[NDArray[np.bool_]]
) -> Callable[[Weights], NDArray[np.float64]]:
    """Mean over types of the types' means; a type that a resample lost is left out of it."""
    within = np.array(members, np.float64)

    def mean(weights: Weights) -> NDArray[np.float64]:
        share = within * weights
        total = share.sum(axis=1)
        means: NDArray[np.float64] = (share @ values)[total > 0] / total[total > 0, None]
        return np.asarray(means.mean(axis=0), np.float64)

    return mean


def _pooled(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    both, found, wanted, neither = pixels
    union = both + found + wanted
    return np.array(
        [2 * both / (both + union) if union else 1.0, both / union if union else 1.0, (both + neither) / pixels.sum()]
    )


def _rows(
    averaging: Averaging, lesion_type: str | None, metrics: Sequence[str], estimates: Sequence[Estimate]
) -> list[MaskSummary]:
    return [MaskSummary(averaging, lesion_type, m, e) for m, e in zip(metrics, estimates, strict=True)]
