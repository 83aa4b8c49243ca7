"""Healthy dermoscopic skin, cut from images outside their lesion masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def largest_lesion_free_square(lesion: NDArray[np.bool_], margin: int) -> tuple[int, int, int]:
    """The largest square that keeps its distance from the lesion.

    Args:
        lesion: `[H, W]`, true inside the lesion.
        margin: Least distance from the lesion in pixels.

    Returns:
        Left, top and side in pixels; side 0 where the lesion leaves no room.
    """
    blocked = cv2.dilate(lesion.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    # Dynamic programming over the whole plane would be exact but slow in Python; bisecting the side over an integral
    # image is exact too and takes a dozen vector operations.
    integral = cv2.integral(blocked)
    low, high = 0, min(lesion.shape)
    best = (0, 0, 0)
    while low < high:
        side = (low + high + 1) // 2
        inside = integral[side:, side:] - integral[:-side, side:] - integral[side:, :-side] + integral[:-side, :-side]
        free = np.argwhere(inside == 0)
        if len(free):
            top, left = free[len(free) // 2]
            best, low = (int(left), int(top), side), side
        else:
            high = side - 1
    return best
