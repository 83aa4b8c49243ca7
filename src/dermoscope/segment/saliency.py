"""How much each pixel looks like lesion, from colour and place alone; no network.

Skin is what lies along the rim of the field of view. A pixel is salient if it is darker, redder or browner than that,
if it lies on the lesion's side of the thresholds that Otsu's method finds in this image, and if it is not far out.
Three more terms tell stickers and ink, whose colours are none of skin's. A logistic model of eleven numbers joins the
terms, so that the answer is a probability and can be compared between images.

Reference: Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 1979.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FEATURE_NAMES = (
    "lightness over skin",
    "redness over skin",
    "yellowness over skin",
    "relative lightness",
    "dark in blue",
    "far from skin colour",
    "squared distance from the centre",
    "chroma no skin has",
    "greener than skin",
    "bluer than skin",
)
"""What the last axis of `saliency_features` holds."""

_SIDE = 96
_HAIR = 5
_SMOOTHING = 1.2
_RIM = 0.38
_LAB_UNIT = 20.0
_SKIN_CHROMA = 22.0
_CENTRE_SPREAD = 0.18
_AREA_POWER = 0.5


@dataclass(frozen=True)
class SaliencyModel:
    """The logistic model; `studies/main-job/saliency.py` fits it.

    Attributes:
        weights: One a feature, in the order of `FEATURE_NAMES`.
        bias: Log-odds where every feature is zero.
    """

    weights: tuple[float, ...] = (-2.343, 2.294, 4.077, 0.827, 0.257, 1.239, -2.465, -9.745, 3.845, 4.127)
    bias: float = -1.867


DEFAULT_MODEL = SaliencyModel()


def lesion_saliency(
    rgb: NDArray[np.uint8], view: NDArray[np.bool_], model: SaliencyModel = DEFAULT_MODEL
) -> NDArray[np.float32]:
    """Probability that each pixel belongs to the lesion, judged on a copy of at most 96 pixels.

    Args:
        rgb: 8-bit image of shape (height, width, 3), long side about 256 pixels: hair is taken to be thinner than 5.
        view: Boolean field of view of the same height and width.
        model: The logistic model.

    Returns:
        Array of shape (h, w) with the aspect ratio of the image, long side at most 96, values from 0 to 1; close to
        zero outside the field of view.
    """
    features, inside = saliency_features(rgb, view)
    saliency = 1 / (1 + np.exp(-(features @ np.array(model.weights, np.float32) + np.float32(model.bias))))
    saliency[~inside] = 0
    return np.asarray(cv2.GaussianBlur(saliency, (0, 0), 1.0), np.float32)


def salient_region(saliency: NDArray[np.float32], threshold: float = 0.5) -> NDArray[np.bool_]:
    """The large and central one among the connected regions above a threshold, with its holes filled.

    Regions compete with the square root of their area times a Gaussian of their distance from the centre (0.18 of the
    image is one standard deviation), so a coloured sticker at the rim does not win. Where nothing reaches the
    threshold, it falls to 80 % of the highest value.

    Args:
        saliency: Array of shape (h, w), 0 to 1.
        threshold: Lowest saliency inside the region.

    Returns:
        Boolean array of shape (h, w), with at least one true pixel unless the saliency is zero throughout.
    """
    height, width = saliency.shape
    above = saliency > threshold
    if not above.any():
        above = (saliency >= 0.8 * saliency.max()) & (saliency > 0)
    count, labels, stats, centres = cv2.connectedComponentsWithStats(above.astype(np.uint8), connectivity=8)
    if count < 2:
        return above
    off_centre = np.hypot(centres[1:, 0] / width - 0.5, centres[1:, 1] / height - 0.5)
    area = stats[1:, cv2.CC_STAT_AREA].astype(np.float64)
    weight = area**_AREA_POWER * np.exp(-((off_centre / _CENTRE_SPREAD) ** 2) / 2)
    return fill_holes(labels == 1 + int(weight.argmax()))


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask of shape (h, w) in which every region is filled out to its outer contours."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return filled > 0


def saliency_features(rgb: NDArray[np.uint8], view: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What the saliency is computed from, one value of each feature a pixel of the small copy.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
        view: Boolean field of view of the same height and width.

    Returns:
        Features of shape (h, w, 10) in the order of `FEATURE_NAMES`, and the field of view at that size.
    """
    height, width = view.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Hair is thin and dark, so a closing removes it; it must act before the image shrinks and smears the hair out.
    closed = cv2.morphologyEx(rgb, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_HAIR, _HAIR)))
    small = cv2.resize(closed, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    inside = cv2.resize(view.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if not inside.any():
        inside[:] = True
    lab = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2Lab), (0, 0), _SMOOTHING)
    blue = np.asarray(cv2.GaussianBlur(np.ascontiguousarray(small[..., 2]), (0, 0), _SMOOTHING), np.float32)
    x, y = _centred_positions(size[0]), _centred_positions(size[1])[:, None]

    rim = inside & (np.maximum(abs(x), abs(y)) > _RIM)
    skin = np.median(lab[rim if rim.any() else inside], axis=0)
    low, high = np.percentile(lab[..., 0][inside], [2, 98])
    over_skin = lab - skin
    features = np.empty((size[1], size[0], len(FEATURE_NAMES)), np.float32)
    features[..., 0:3] = over_skin / _LAB_UNIT
    features[..., 3] = (lab[..., 0] - low) / max(high - low, 4)
    features[..., 4] = _above_otsu(-blue, inside, 0.02)
    features[..., 5] = _above_otsu(np.linalg.norm(over_skin, axis=2), inside, 1.0)
    features[..., 6] = 4 * (x**2 + y**2)
    features[..., 7] = np.clip(np.linalg.norm(over_skin[..., 1:], axis=2) - _SKIN_CHROMA, 0, None) / _LAB_UNIT
    features[..., 8] = np.clip(-over_skin[..., 1] - 3, 0, 30) / _LAB_UNIT
    features[..., 9] = np.clip(-over_skin[..., 2] - 4, 0, 30) / _LAB_UNIT
    return features, inside


def _otsu_threshold(values: NDArray[np.float32]) -> float:
    low, high = (float(bound) for bound in np.percentile(values, [1, 99]))
    span = max(high - low, 1e-6)
    levels = np.clip((values - low) / span * 255, 0, 255).astype(np.uint8).reshape(-1, 1)
    level, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float(low + level / 255 * span)


def _above_otsu(values: NDArray[np.float32], inside: NDArray[np.bool_], least_spread: float) -> NDArray[np.float32]:
    """Signed distance from Otsu's threshold in standard deviations, squeezed to -1…1."""
    within = values[inside]
    return np.asarray(np.tanh((values - _otsu_threshold(within)) / max(float(within.std()), least_spread)), np.float32)


def _centred_positions(length: int) -> NDArray[np.float32]:
    """Positions of pixel centres from -0.5 to 0.5."""
    return np.asarray((np.arange(length) + 0.5) / length - 0.5, np.float32)
