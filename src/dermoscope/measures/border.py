"""B: how irregular a lesion's border is."""

from __future__ import annotations

import math

import cv2
import numpy as np

from dermoscope.measures.shape import Shape

# Pixels of the copy, on which the circle of the same area is 128 across: notches below about 2 % of that are lost.
_SMOOTHING = 1.5
# Of one pixel of the mask, where the copy is larger than the mask: its steps are not the lesion's.
_STEP = 0.7


def compactness(shape: Shape) -> float:
    """The border irregularity index P² / (4πA): 1 for a circle, more the longer the border is for its area.

    A square has 1.27, an ellipse twice as long as wide 1.19: long shapes count as irregular, too.

    The perimeter P of a mask depends on how its pixels are joined. Here it is the integral of the gradient of the
    smoothed mask, which by the coarea formula (Federer, Curvature measures, Trans Amer Math Soc 1959) is the mean
    length of its contour lines. It does not depend on how the lesion is turned. The smoothing is a fixed share of the
    lesion's size, so it does not depend on resolution either, but for lesions of a few pixels. Smoothing rounds
    corners: a square comes out 3 % lower.

    References:
        Golston, Stoecker, Moss and Dhillon, Automatic detection of irregular borders in melanoma and other skin
        tumors, Comput Med Imaging Graph 1992.
    """
    smoothing = max(_SMOOTHING, _STEP * shape.scale)
    reach = math.ceil(3 * smoothing)
    padded = cv2.copyMakeBorder(shape.coverage, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0.0)
    smooth = cv2.GaussianBlur(padded, (0, 0), smoothing)
    across, down = (cv2.Scharr(smooth, cv2.CV_32F, *way, scale=1 / 32) for way in ((1, 0), (0, 1)))
    perimeter = float(cv2.magnitude(across, down).sum(dtype=np.float64))
    # No shape is below 1. Specks and hairlines, which smoothing washes out, can come out so.
    return max(1.0, perimeter**2 / (4 * math.pi * shape.area))
