"""The dark frame that many dermoscopes leave around the picture: where it is, and how to take it away."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.images.levels import Levels
from dermoscope.images.working_size import working_copy

_CORNER_WINDOW = 7
_DARK_RED = 40
_SHRINK = 0.1
_SKIN_ABOVE = 150

# field_of_view looks at the working copy; the numbers below are pixels there, or fractions.
_SMOOTHING = 5
_DARKEST_LIGHT = 60
_LEAST_DARK = 24
_SHARE_OF_LIGHT = 0.3
_LIGHT_PERCENTILE = 75
_CORNER_SHARE = 0.03
_PENUMBRA_SHARE = 0.02

# Above this share of view, a corner is dark at most.
_HARDLY_FRAMED = 0.97


@dataclass(frozen=True)
class CircleRemoval:
    """An image without its outer circle.

    Attributes:
        rgb: The cropped and filled image, 8-bit, or the input itself if it has no dark corner.
        box: Left, top, right, bottom of the crop in pixels of the input; right and bottom are exclusive.
        circle: Centre x, centre y and radius of the kept disc in pixels of the input, or none.
    """

    rgb: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    circle: tuple[float, float, float] | None


def remove_outer_circle(rgb: NDArray[np.uint8]) -> CircleRemoval:
    """Crop to the illuminated circle and paint what lies outside it in a flat skin colour.

    A frame exists if the red channel stays below 40 throughout the 7 × 7 window of any corner. The smallest circle
    around the largest region of red above 40, with its radius shrunk by 10 %, is kept. The skin colour is, for each
    channel, the most frequent intensity above 150; where a channel has none, as on dark skin, the most frequent one.

    Reference: the preprocessing of Cartaya and Rivas, Dermoscopic diagnosis challenge, University of Girona, 2023.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
    """
    height, width = rgb.shape[:2]
    unchanged = CircleRemoval(rgb, (0, 0, width, height), None)
    red = np.ascontiguousarray(rgb[..., 0])
    if not any(window.max() < _DARK_RED for window in _corners(red, _CORNER_WINDOW)):
        return unchanged
    contours, _ = cv2.findContours((red > _DARK_RED).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return unchanged
    (x, y), radius = cv2.minEnclosingCircle(max(contours, key=cv2.contourArea))
    radius *= 1 - _SHRINK
    left, top = max(0, round(x - radius)), max(0, round(y - radius))
    right, bottom = min(width, round(x + radius) + 1), min(height, round(y + radius) + 1)
    rows, columns = np.ogrid[top:bottom, left:right]
    inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    cropped = rgb[top:bottom, left:right].copy()
    cropped[~inside] = _skin_colour(cropped[inside])
    return CircleRemoval(cropped, (left, top, right, bottom), (x, y, radius))


def field_of_view(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels show skin rather than the dark frame.

    The frame is what is dark, measured against the brightness of the image, and connected with a corner; a rim of about
    2 % around it, where the light fades, counts as frame too. A dark lesion in the middle never does. The image is
    judged at 256 pixels, so the answer does not depend on its resolution.

    Args:
        rgb: 8-bit image of shape (height, width, 3).

    Returns:
        Boolean mask of shape (height, width); all true if there is no frame, and never all false: a picture that is
        dark throughout is under-exposed, and not a frame around nothing.
    """
    height, width = rgb.shape[:2]
    small = working_copy(rgb)
    size = (small.shape[1], small.shape[0])
    red, green, blue = cv2.split(small)
    value = np.asarray(cv2.medianBlur(cv2.max(cv2.max(red, green), blue), _SMOOTHING), np.uint8)
    light = Levels.of(value).percentile(_LIGHT_PERCENTILE)
    threshold = np.clip(_SHARE_OF_LIGHT * light, _LEAST_DARK, _DARKEST_LIGHT)
    _, labels = cv2.connectedComponents((value < threshold).astype(np.uint8))
    window = max(2, round(_CORNER_SHARE * min(size)))
    in_corners = np.unique(np.concatenate([corner.ravel() for corner in _corners(labels, window)]))
    frame = np.isin(labels, in_corners[in_corners > 0])
    if not frame.any() or frame.all():
        return np.ones((height, width), dtype=np.bool_)
    reach = 2 * round(_PENUMBRA_SHARE * max(size)) + 1
    rim = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    grown = cv2.dilate(frame.astype(np.uint8), rim)
    if grown.all():
        grown = frame.astype(np.uint8)
    return np.asarray(cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST) == 0)


def without_frame(rgb: NDArray[np.uint8], view: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image with its frame painted in the median colour of what lies inside; size and place of all else stay.

    An encoder that has seen few frames takes a frame for something strange: of images behind a round one, 95 % got no
    answer, and where it is painted 28 % get none (`studies/flagship/other_cameras.py`).

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        view: Its `field_of_view`, at any resolution.

    Returns:
        The input itself where at most a corner is dark.
    """
    if view.mean() > _HARDLY_FRAMED:
        return rgb
    height, width = rgb.shape[:2]
    seen = cv2.resize(view.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    painted = rgb.copy()
    painted[~seen] = np.median(rgb[seen], axis=0).astype(np.uint8)
    return painted


def _corners(plane: NDArray[np.generic], side: int) -> tuple[NDArray[np.generic], ...]:
    return plane[:side, :side], plane[:side, -side:], plane[-side:, :side], plane[-side:, -side:]


def _skin_colour(pixels: NDArray[np.uint8]) -> tuple[int, int, int]:
    red, green, blue = (_peak(np.bincount(pixels[:, channel], minlength=256)) for channel in range(3))
    return red, green, blue


def _peak(histogram: NDArray[np.intp]) -> int:
    bright = histogram[_SKIN_ABOVE + 1 :]
    return int(bright.argmax()) + _SKIN_ABOVE + 1 if bright.any() else int(histogram.argmax())
