"""Pixels on their way to a browser and back."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermoscope.analysis import Measures
from dermoscope.images import LESION_ABOVE, ImageError, decode
from dermoscope.measures import measure_lesion
from dermoscope.open_image import OpenImage
from dermoscope.service.errors import ServiceError

_JPEG_QUALITY = 90


def as_jpeg(rgb: NDArray[np.uint8], side: int) -> bytes:
    """An image as JPEG without metadata.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        side: Largest long side in pixels.
    """
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, format="JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()


def mask_of(opened: OpenImage) -> NDArray[np.bool_]:
    """The mask of an open image as it stands, `[height, width]`; empty where there is none."""
    result = opened.result
    if result is None or result.mask is None:
        return np.zeros((opened.height, opened.width), np.bool_)
    return result.mask


def measures_of(opened: OpenImage) -> Measures | None:
    """What is measured on the mask of an open image as it stands; none without a mask."""
    if opened.result is None or opened.result.mask is None:
        return None
    lesion = measure_lesion(opened.smoothed, opened.result.mask, spacing_mm=opened.spacing_mm)
    return Measures.of(lesion, opened.spacing_mm)


def drawn_mask(data: bytes) -> NDArray[np.bool_]:
    """A mask file that a person drew, `[H, W]`.

    Args:
        data: An image with lesion above 128, such as 255.

    Raises:
        ServiceError: 415 if it cannot be read.
    """
    try:
        return np.asarray(decode(data, name="the mask", min_side=1).rgb[..., 0] > LESION_ABOVE)
    except ImageError as error:
        raise ServiceError(415, "not-an-image", str(error)) from None
