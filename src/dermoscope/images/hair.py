"""Hair over skin and lesion: where it is, and the image without it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.images.levels import Levels

# The published numbers hold for images of this width. It is the long side here, so that a turned image has the same
# hair.
_JUDGED_SIDE = 512
_LINES = 16
# A line of length 10 has 11 pixels, the same number on both sides of its middle: OpenCV's closing shifts the image by
# an element that is not symmetric.
_REACH = 5
_DARK_CONTRAST = 50
_LIGHT_CONTRAST = 40
_LEAST_AREA = 10
_MOST_CIRCULAR = 0.3

# Red of skin in well exposed images, for which contrasts of so many levels were meant.
_LIGHT_PERCENTILE = 95
_WELL_EXPOSED = 220
_DARKEST_LIGHT = 60

# The published 10 takes nine times as long, and more where it grows with the image. What it fills in comes no closer,
# or by 2 % where hair is four times as wide.
_FILL_RADIUS = 3


@dataclass(frozen=True, eq=False)
class HairRemoval:
    """An image without its hair.

    Attributes:
        rgb: The filled image, 8-bit, or the input itself if it has no hair.
        hair: Boolean mask of shape (height, width), true where pixels were filled.
    """

    rgb: NDArray[np.uint8]
    hair: NDArray[np.bool_]


def remove_hair(rgb: NDArray[np.uint8]) -> HairRemoval:
    """Find dark and light hair as thin lines, and fill it from its surroundings.

    The image is judged at 512 pixels on its long side. There, a black-hat with 16 lines of length 10 in all directions
    has to exceed 50 levels in the red channel for dark hair, or 40 in the inverted blue channel for light hair; both
    are toned first so that skin is where contrast counts most. Blobs below 10 pixels or with a circularity
    4π area / perimeter² above 0.3, such as dots and globules, are dropped. One pixel around the rest, where hair fades
    into skin, is filled too. Filling (Telea, An image inpainting technique based on the fast marching method, 2004)
    happens at the size of the image.

    It is careful with lesions: faint hair, and hair over dark lesions, stays. What is as dark and thin as hair goes
    with it: scale bars, ink, and the blackest lines of a pigment network on light skin.

    Reference: the hair removal of Cartaya and Rivas, Dermoscopic diagnosis challenge, University of Girona, 2023. Their
    code measures contrast as a share of the strongest in the image, and so finds hair in every image. Here it is
    measured in levels after a dim image is brightened, so that its hair is found as well, and dark skin's.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
    """
    height, width = rgb.shape[:2]
    scale = _JUDGED_SIDE / max(height, width)
    found = _find_hair(_resized(rgb, max(1, round(width * scale)), max(1, round(height * scale))))
    hair = np.asarray(_resized(found * np.uint8(255), width, height) > 127)
    if not hair.any():
        return HairRemoval(rgb, hair)
    filled = cv2.inpaint(rgb, hair.astype(np.uint8), _FILL_RADIUS, cv2.INPAINT_TELEA)
    return HairRemoval(np.asarray(filled, np.uint8), hair)


def _resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    way = cv2.INTER_AREA if max(width, height) < max(image.shape[:2]) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)


def _find_hair(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hair of an image at the size where it is judged, 0 and 1."""
    red, blue = (np.ascontiguousarray(small[..., channel]) for channel in (0, 2))
    light = max(_DARKEST_LIGHT, Levels.of(red).percentile(_LIGHT_PERCENTILE))
    share = np.minimum(1.0, np.arange(256) / 255 * max(1.0, _WELL_EXPOSED / light))
    # Gamma is meant as that of a display: the exponent is its inverse. Red of gamma 0.5 is squared. That spreads what
    # is bright, so hair stands out from skin, and crowds what is dark, so the structures of a lesion do not.
    dark_hair = _long_blobs(_black_hat(red, share**2) > _DARK_CONTRAST)
    # A black-hat finds what is darker than its surroundings. In an inverted channel that is light hair, most of all in
    # blue, where skin is darkest. Gamma 2 is the square root, which spreads the dark end: again what was bright.
    candidates = _black_hat(blue, np.sqrt(1 - share)) > _LIGHT_CONTRAST
    # Skin in a gap between two dark hairs is a light line too. Where a line spans such a gap, one hair is within reach.
    candidates &= cv2.dilate(dark_hair, np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)) == 0
    return np.asarray(cv2.dilate(dark_hair | _long_blobs(candidates), np.ones((3, 3), np.uint8)), np.uint8)


def _black_hat(plane: NDArray[np.uint8], tone: NDArray[np.float64]) -> NDArray[np.uint8]:
    """By how many levels a pixel is darker than both sides of it, in the direction where that is most.

    Args:
        plane: `[H, W]`.
        tone: `[256]`, what is made of each level first, 0 to 1.
    """
    toned = cv2.LUT(plane, np.rint(255 * tone).astype(np.uint8))
    # Dark frames go on beyond the image. Ended there, their last pixels would be thin dark lines.
    margin = 2 * _REACH
    wide = cv2.copyMakeBorder(toned, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    closed = wide
    for line in _LINE_ELEMENTS:
        closed = cv2.max(closed, cv2.morphologyEx(wide, cv2.MORPH_CLOSE, line))
    return np.asarray(cv2.subtract(closed, wide)[margin:-margin, margin:-margin], np.uint8)


def _line_element(angle: float) -> NDArray[np.uint8]:
    steps = np.arange(-_REACH, _REACH + 1)
    element = np.zeros((len(steps), len(steps)), np.uint8)
    rows, columns = np.rint(-steps * np.sin(angle)), np.rint(steps * np.cos(angle))
    element[rows.astype(int) + _REACH, columns.astype(int) + _REACH] = 1
    return element


_LINE_ELEMENTS = tuple(_line_element(np.pi * number / _LINES) for number in range(_LINES))


def _long_blobs(candidates: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Those blobs that are large and long enough for hair, 0 and 1."""
    blobs = candidates.astype(np.uint8)
    count, labels = cv2.connectedComponents(blobs)
    is_kept = np.zeros(count, np.uint8)
    contours, nesting = cv2.findContours(blobs, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for number, contour in enumerate(contours):
        is_hole = nesting[0, number, 3] >= 0
        # Pick's theorem: the pixels inside an outline that runs through pixel centres. Holes count as inside, so that
        # a ring, whose line is as thin as hair, is the round blob that it is.
        area = cv2.contourArea(contour) + len(contour) / 2 + 1
        circularity = 4 * np.pi * area / max(1.0, cv2.arcLength(contour, True)) ** 2
        if not is_hole and area >= _LEAST_AREA and circularity <= _MOST_CIRCULAR:
            column, row = contour[0, 0]
            is_kept[labels[row, column]] = 1
    return np.asarray(is_kept[labels], np.uint8)
