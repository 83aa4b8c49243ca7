"""Three concentric squares around a lesion: the lesion itself, the lesion in its surroundings, all there is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Crop = Literal["tight", "middle", "full"]
"""Names of the squares, from the smallest."""

CROPS: tuple[Crop, ...] = get_args(Crop)
"""Every crop, from the smallest."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are exclusive."""

MiddleRule = Literal["geometric", "arithmetic"] | float
"""Side of the middle square: that mean of the sides of the other two, or a share of the full side, in (0, 1]."""


def lesion_crops(
    mask: NDArray[np.bool_], *, middle: MiddleRule = "geometric", margin: float = 0.0
) -> Mapping[Crop, Box]:
    """Three squares, each containing the smaller ones, centred on the bounding box of a lesion.

    Tight is that box made square by its longer side. Full is the largest square of the image. Middle lies between them.
    A square that sticks out of the image is moved, not shrunk; only a lesion longer than the short side of the image is
    cut off. Without a lesion, all three are the full square in the middle of the image.

    Reference: the data preparation of Cartaya and Rivas, Dermoscopic diagnosis challenge, University of Girona, 2023.
    It does not say how the middle side was found; in the one example it draws, that side is 0.36 of the full one.

    Args:
        mask: `[H, W]`, true on the lesion.
        middle: The mean of the sides of tight and full, or a share of the full side; a share that makes middle smaller
            than tight gives tight.
        margin: How far tight reaches beyond the lesion on each side, as a share of the longer side of its box; 0 or
            more.

    Returns:
        The box of each crop.

    Raises:
        ValueError: If the mask has no pixels or is not `[H, W]`, or an option lies outside its range.
    """
    if mask.ndim != 2 or not mask.size:
        raise ValueError(f"mask has shape {mask.shape}; it must be [height, width] and have pixels")
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin is {margin}; it must be 0 or more")
    height, width = mask.shape
    full = min(height, width)
    left, top, across, down = cv2.boundingRect(mask.astype(np.uint8))
    if not across:
        left, top, across, down = 0, 0, width, height
    tight = round(min(full, max(across, down) * (1 + 2 * margin)))
    sides: dict[Crop, int] = {"tight": tight, "middle": _middle_side(tight, full, middle), "full": full}
    return MappingProxyType(
        {crop: _square(2 * left + across, 2 * top + down, side, width, height) for crop, side in sides.items()}
    )


def cut(rgb: NDArray[np.uint8], box: Box, side: int | None = None) -> NDArray[np.uint8]:
    """A copy of the part of an image inside a box.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
        box: Where to cut.
        side: Width and height of the result in pixels; those of the box if left out. A box that is not square is
            distorted.

    Raises:
        ValueError: If the box is empty or does not lie in the image.
    """
    left, top, right, bottom = box
    height, width = rgb.shape[:2]
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(f"box {box} is not a part of an image of {width} × {height} pixels")
    part = rgb[top:bottom, left:right]
    if side is None:
        return part.copy()
    # Where many pixels become one, only averaging keeps thin lines from being skipped; it cannot make pixels up.
    way = cv2.INTER_AREA if side < max(part.shape[:2]) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (side, side), interpolation=way), np.uint8)


def _middle_side(tight: int, full: int, rule: MiddleRule) -> int:
    if rule == "geometric":
        return round(math.sqrt(tight * full))
    if rule == "arithmetic":
        return round((tight + full) / 2)
    if isinstance(rule, str) or not 0 < rule <= 1:
        raise ValueError(f"middle is {rule!r}; it must be 'geometric', 'arithmetic' or a share in (0, 1]")
    return max(tight, round(rule * full))


def _square(twice_x: int, twice_y: int, side: int, width: int, height: int) -> Box:
    """The square around a centre, given twice so that it is whole, moved into the image.

    Rounding down places both edges by rules that never reverse as the side grows: larger squares contain smaller ones.
    """
    left = min(max(0, (twice_x - side) // 2), width - side)
    top = min(max(0, (twice_y - side) // 2), height - side)
    return left, top, left + side, top + side
