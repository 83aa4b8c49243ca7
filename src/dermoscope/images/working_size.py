"""The small copy of an image on which everything that needs no detail is decided."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

WORKING_SIDE = 256
"""Long side of the copy in pixels; constants of the rooms that use it were chosen at this size."""


def working_copy(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image reduced to at most 256 pixels on the long side; itself if it is no larger.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
    """
    height, width = rgb.shape[:2]
    shrink = WORKING_SIDE / max(height, width)
    if shrink >= 1:
        return rgb
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
