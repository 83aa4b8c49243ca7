"""The outline of a lesion at a size where shapes are compared, whatever the resolution of the image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]

EQUIVALENT_DIAMETER = 128
"""Pixels that the circle of the same area measures across on the copy."""

LONG_SIDE = 256
"""Pixels that the lesion's box has at most, so that a thin line stays affordable."""

MOST_ENLARGED = 8
"""Pixels of the copy in one pixel of the mask, so that a lesion of a few pixels is not blown up into a large square."""

MARGIN = 8
"""Empty pixels on each side of the copy: further than the smoothing of the border reaches."""

_SAMPLES = 4


@dataclass(frozen=True, eq=False)
class Shape:
    """A lesion alone, cut out of the image and scaled.

    Attributes:
        coverage: `[h, w]` float32, the share of each pixel that is lesion, 0 to 1, with empty margins.
        scale: Pixels of the copy in one pixel of the mask; above 1 for small lesions.
        box: Left, top, right, bottom in pixels of the mask; right and bottom are exclusive.
    """

    coverage: NDArray[np.float32]
    scale: float
    box: Box

    @property
    def area(self) -> float:
        """Area in pixels of the copy."""
        return float(self.coverage.sum(dtype=np.float64))


def shape_of(mask: NDArray[np.bool_]) -> Shape:
    """Cut the lesion out and scale it so that a circle of its area is 128 pixels across; less for tiny and thin ones.

    Args:
        mask: `[H, W]`, at least one pixel.

    Raises:
        ValueError: If the mask is empty.
    """
    box = box_of(mask)
    left, top, right, bottom = box
    lesion = mask[top:bottom, left:right]
    height, width = lesion.shape
    diameter = float(np.sqrt(4 * np.count_nonzero(lesion) / np.pi))
    scale = min(EQUIVALENT_DIAMETER / diameter, LONG_SIDE / max(height, width), MOST_ENLARGED)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    # Four samples along each pixel of the copy tell its coverage well enough, and more only take longer.
    step = max(1, int(1 / (_SAMPLES * scale)))
    sampled = lesion[::step, ::step].view(np.uint8) * np.uint8(255)
    # The margin is there before scaling, so that an edge at the box fades as every other edge does.
    pad = max(1, round(1 / (scale * step)))
    padded = np.pad(sampled, pad)
    extra = max(1, round(pad * scale * step))
    scaled = cv2.resize(padded, (size[0] + 2 * extra, size[1] + 2 * extra), interpolation=way)
    coverage = np.pad(scaled.astype(np.float32) / 255, MARGIN)
    return Shape(np.asarray(coverage, np.float32), scale, box)


def box_of(mask: NDArray[np.bool_]) -> Box:
    """Left, top, right, bottom of what is true; right and bottom are exclusive.

    Raises:
        ValueError: If nothing is.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        raise ValueError("the mask is empty; measure only where a lesion was found")
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
