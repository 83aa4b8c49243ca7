"""Colour constancy: an image as it would look in neutral light, so that colours of different cameras compare."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.images.frame import field_of_view
from dermoscope.images.levels import Levels

# Rec. 601, as in the grey images of OpenCV.
_LUMA = np.array([0.299, 0.587, 0.114])
_LEVELS = np.arange(256)


def shades_of_gray(rgb: NDArray[np.uint8], power: float = 6) -> NDArray[np.uint8]:
    """Scale the colour channels so that the light that fell on the scene comes out grey.

    The light is estimated as e_c = (mean over pixels of I_c^p)^(1/p) for each channel c, and every channel is
    multiplied by k / e_c. One p spans known methods: 1 takes the mean of the scene for grey, infinity its brightest
    values. The factor k, the same for all channels, keeps the mean luma of the pixels that count, rounding and clipping
    at 255 aside: how bright an image is stays as it was, for others to judge. (With the usual normalisation, gains of
    length √3, it moves by up to eight levels from image to image.)

    Pixels count if they lie in the `field_of_view`. With p = 6 a dark frame hardly matters, but with p = 1 its hue
    would count; the view costs about a millisecond and cannot be forgotten where it is found here. All pixels are
    scaled. Levels are taken as stored, without undoing the gamma of sRGB, as is usual for dermoscopy.

    References: Finlayson and Trezzi, Shades of gray and colour constancy, Color Imaging Conference 2004, who found
    p = 6 best; on dermoscopy, Barata, Celebi and Marques, Improving dermoscopy image classification using color
    constancy, IEEE Journal of Biomedical and Health Informatics, 2015.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
        power: The p of the Minkowski norm, 1 or more; infinity is allowed.

    Returns:
        8-bit image of the same shape. A channel that is 0 throughout stays 0, so a black image stays black.

    Raises:
        ValueError: If the power is less than 1.
    """
    if not power >= 1:
        raise ValueError(f"power is {power}; it must be 1 or more")
    view = field_of_view(rgb).astype(np.uint8)
    counts = np.stack([Levels.of(np.ascontiguousarray(rgb[..., channel]), view).counts for channel in range(3)])
    light = np.array([_minkowski_mean(channel, power) for channel in counts])
    balance = np.divide(1.0, light, out=np.ones(3), where=light > 0)
    luma = _LUMA * (counts @ _LEVELS)
    if not luma.any():
        return rgb.copy()
    gains = balance * luma.sum() / (luma @ balance)
    table = np.rint(np.outer(_LEVELS, gains)).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(rgb, table[:, None]), np.uint8)


def _minkowski_mean(counts: NDArray[np.int64], power: float) -> float:
    """The mean of level^power, back as a level; computed in shares of the largest level, whose powers do not vanish."""
    largest = int(np.flatnonzero(counts)[-1])
    if largest == 0:
        return 0.0
    shares = (_LEVELS[: largest + 1] / largest) ** power
    return float(largest * (counts[: largest + 1] @ shares / counts.sum()) ** (1 / power))
