"""A: how much of a lesion does not fall onto itself when it is folded along its principal axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.measures.shape import Shape

# Below this share of both moments, a shape has no direction, and a rounding error must not choose one.
_ROUND = 1e-6


@dataclass(frozen=True)
class Asymmetry:
    """Shares of the lesion's area, 0 (the halves agree) to 1 (nothing overlaps).

    Attributes:
        long_axis: Folded along the axis of greatest extent.
        short_axis: Folded along the axis at right angles to it.
    """

    long_axis: float
    short_axis: float

    @property
    def mean(self) -> float:
        """Of both axes."""
        return (self.long_axis + self.short_axis) / 2


def measure_asymmetry(shape: Shape) -> Asymmetry:
    """The share of the lesion whose mirror image lies outside it, for each principal axis through its centroid.

    The axes are those of the second moments of area. A shape that is equally long in all directions has none, and is
    folded along the axes of the image; of a nearly round one, a few pixels decide how the axes lie.

    References:
        Folding along principal axes: Stoecker, Li and Moss, Automatic detection of asymmetry in skin tumors, Comput
        Med Imaging Graph 1992; both axes, as here: Celebi et al., A methodological approach to the classification of
        dermoscopy images, Comput Med Imaging Graph 2007. They divide the area that does not overlap, counted on both
        sides, by the lesion's; here it is counted once, so that 1 is the most.
    """
    x, y, angle = _axes(shape.coverage)
    return Asymmetry(
        long_axis=_outside_its_mirror(shape.coverage, x, y, angle),
        short_axis=_outside_its_mirror(shape.coverage, x, y, angle + math.pi / 2),
    )


def _axes(coverage: NDArray[np.float32]) -> tuple[float, float, float]:
    """Centroid x and y, and the angle of the long axis in radians."""
    moments = cv2.moments(coverage)
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    difference, mixed = moments["mu20"] - moments["mu02"], 2 * moments["mu11"]
    if math.hypot(difference, mixed) <= _ROUND * (moments["mu20"] + moments["mu02"]):
        return x, y, 0.0
    return x, y, math.atan2(mixed, difference) / 2


def _outside_its_mirror(coverage: NDArray[np.float32], x: float, y: float, angle: float) -> float:
    cos, sin = math.cos(2 * angle), math.sin(2 * angle)
    mirror = np.array([[cos, sin, x - cos * x - sin * y], [sin, -cos, y - sin * x + cos * y]])
    size = (coverage.shape[1], coverage.shape[0])
    # A mirror is its own inverse, so that it makes no difference which way OpenCV takes it.
    folded = cv2.warpAffine(coverage, mirror, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    overlap = float(np.minimum(coverage, folded).sum(dtype=np.float64))
    return min(1.0, max(0.0, 1 - overlap / float(coverage.sum(dtype=np.float64))))
