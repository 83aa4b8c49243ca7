"""D: how far a lesion reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.measures.shape import box_of


@dataclass(frozen=True)
class Diameter:
    """Two diameters of one lesion, in the unit of the spacing; pixels if there was none.

    Attributes:
        largest: The maximum Feret diameter: the largest distance between two points of the lesion.
        equivalent: Diameter of the circle of the same area.
    """

    largest: float
    equivalent: float


def measure_diameter(mask: NDArray[np.bool_], spacing: tuple[float, float] = (1.0, 1.0)) -> Diameter:
    """Both diameters, with pixels as rectangles: a single one of side 1 measures √2 and 2/√π.

    References:
        More than 6 mm as a sign of melanoma, measured as the largest diameter: Friedman, Rigel and Kopf, Early
        detection of malignant melanoma, CA Cancer J Clin 1985. Feret diameters: Walton, Feret's statistical diameter
        as a measure of particle size, Nature 1948.

    Args:
        mask: `[H, W]` at the size of the original image.
        spacing: Height and width of a pixel: the distance between rows, then between columns.

    Raises:
        ValueError: If the mask is empty.
    """
    left, top, right, bottom = box_of(mask)
    lesion = mask[top:bottom, left:right]
    rows = np.flatnonzero(lesion.any(axis=1))
    # The farthest points are corners of the first and last pixels of rows.
    first = lesion.argmax(axis=1)[rows]
    beyond = right - left - cv2.flip(lesion.view(np.uint8), 1).argmax(axis=1)[rows]
    x = np.concatenate([first, first, beyond, beyond])
    y = np.concatenate([rows, rows + 1, rows, rows + 1])
    height, width = spacing
    corners = np.stack([x * width, y * height], axis=1).astype(np.float32)
    hull = cv2.convexHull(corners)[:, 0].astype(np.float64)
    across = hull[:, None] - hull[None]
    return Diameter(
        largest=float(np.hypot(across[..., 0], across[..., 1]).max()),
        equivalent=math.sqrt(4 * np.count_nonzero(lesion) * height * width / math.pi),
    )
