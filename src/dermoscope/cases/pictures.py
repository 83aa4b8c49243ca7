"""Pixels of a case as files: encoded anew, so that nothing of the file they came from is kept."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.images import working_copy

_JPEG_QUALITY = 85


def image_png(rgb: NDArray[np.uint8]) -> bytes:
    """An RGB image `[H, W, 3]`, without loss or metadata."""
    return _encoded(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [])


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """A mask `[H, W]` as 0 and 255."""
    return _encoded(".png", mask.astype(np.uint8) * np.uint8(255), [])


def thumbnail_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """An RGB image `[H, W, 3]`, reduced to at most 256 pixels on the long side."""
    small = cv2.cvtColor(working_copy(rgb), cv2.COLOR_RGB2BGR)
    return _encoded(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])


def _encoded(ending: str, pixels: NDArray[Any], options: list[int]) -> bytes:
    done, data = cv2.imencode(ending, pixels, options)
    if not done:
        raise ValueError(f"an image of shape {pixels.shape} cannot be written as {ending}")
    return data.tobytes()
