"""Outlines that follow the edges of the image more closely than a decoder's coarse logits do. Torch-free.

A guided filter carries the edges of a grey image over to the mask. Here the grey value is the Lab colour along the
line from the mean colour around the mask to the mean colour inside it, which shows a lesion better than lightness does.

It pays little, so nobody gets it unasked: with the masks of LiteMedSAM as it was published and automatic boxes, mean
Dice went from 0.8878 to 0.8883 on the 100 ISIC 2018 training images at 512 pixels that chose the constants, and from
0.8112 to 0.8101 (95 % interval of the difference -0.0026 to 0.0003) on 120 validation images.

Reference: He, Sun and Tang, Guided image filtering, IEEE TPAMI 35, 2013.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_LONGEST_SIDE = 1024
_LARGEST_LOGIT = 30.0
_LAB_SPAN = 100.0


def snap_to_edges(
    logits: NDArray[np.float32], rgb: NDArray[np.uint8], *, radius: float = 0.02, smoothness: float = 1e-4
) -> NDArray[np.float32]:
    """Values whose sign is a mask along the edges of an image.

    Args:
        logits: Of shape (h, w) over the image; positive is lesion.
        rgb: 8-bit image of shape (height, width, 3).
        radius: How far an edge may pull, as a share of the image's long side.
        smoothness: Variance of the grey value, whose span is 1, below which there is no edge; the ε of the paper.

    Returns:
        Array from -0.5 to 0.5 with the aspect ratio of the image, its long side at most 1024 pixels.
    """
    scale = min(1.0, _LONGEST_SIDE / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    wide = np.asarray(cv2.resize(logits, size, interpolation=cv2.INTER_LINEAR), np.float32)
    belief = np.asarray(1 / (1 + np.exp(-wide.clip(-_LARGEST_LOGIT, _LARGEST_LOGIT))), np.float32)
    small = rgb if scale == 1 else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    grey = _contrast(np.asarray(small, np.uint8), belief)
    return guided_filter(grey, belief, max(1, round(radius * max(size))), smoothness) - np.float32(0.5)


def guided_filter(
    guide: NDArray[np.float32], values: NDArray[np.float32], radius: int, smoothness: float
) -> NDArray[np.float32]:
    """In every window, the straight line of the guide that comes nearest to the values; the mean over windows.

    Args:
        guide: Of shape (h, w).
        values: Of the same shape.
        radius: Of the square windows, in pixels.
        smoothness: The ε of the paper, a variance of the guide.
    """

    def mean(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(image, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT), np.float32)

    guide_mean, values_mean = mean(guide), mean(values)
    covariance = mean(guide * values) - guide_mean * values_mean
    variance = mean(guide * guide) - guide_mean * guide_mean
    slope = np.asarray(covariance / (variance + smoothness), np.float32)
    return np.asarray(mean(slope) * guide + mean(values_mean - slope * guide_mean), np.float32)


def _contrast(rgb: NDArray[np.uint8], belief: NDArray[np.float32]) -> NDArray[np.float32]:
    lab = np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)
    inside, outside = (
        np.array(cv2.mean(lab * weight[..., None])[:3]) / max(float(weight.mean()), 1e-6)
        for weight in (belief, np.float32(1) - belief)
    )
    direction = (inside - outside) / max(float(np.linalg.norm(inside - outside)), 1e-6)
    return np.asarray(lab @ direction.astype(np.float32) / np.float32(_LAB_SPAN), np.float32)
