"""A drawn lesion whose mask can be read off its colours, before and after a change."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SKIN, LESION = (220, 170, 150), (90, 50, 40)


def scene(
    height: int = 96,
    width: int = 128,
    *,
    centre: tuple[int, int] | None = None,
    axes: tuple[int, int] = (26, 14),
    angle: float = 20.0,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """An elliptical lesion on plain skin: image and mask; without a place it lies off the middle."""
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, centre or (width // 2 - 8, height // 2 + 5), axes, angle, 0, 360, 1, cv2.FILLED)
    rgb = np.where(mask[..., None] > 0, np.array(LESION, np.uint8), np.array(SKIN, np.uint8))
    return rgb, mask > 0


def lesion_seen(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where an image is nearer to the lesion's red than to that of the skin."""
    return np.asarray(rgb[..., 0] < (SKIN[0] + LESION[0]) / 2)


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))
