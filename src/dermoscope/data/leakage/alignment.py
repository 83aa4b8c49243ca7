"""Whether two pictures show one scene: lay one on the other, then compare their finest details."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage.signatures import Window, local_contrast
from dermoscope.data.leakage.thumbnails import SIDE

LEAST_SIMILARITY = 0.75
"""Correlation of aligned details from which two pictures count as near-duplicates.

See `studies/data-and-evaluation/leaks.py` for the two groups of real images that it was laid between."""

_DETAIL = 3.0  # standard deviation of the surroundings that details are seen against, in thumbnail pixels
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 1e-3)
_EVERYWHERE = np.ones((SIDE, SIDE), np.uint8)
_RIM = 2
_LEAST_OVERLAP = 0.5


@dataclass(frozen=True)
class Contrasts:
    """Two views of one picture.

    Attributes:
        coarse: `[64, 64]`, what is aligned.
        fine: `[64, 64]`, what is compared.
    """

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]

    @classmethod
    def of(cls, picture: NDArray[np.uint8]) -> Contrasts:
        """Compute them of a grey `[64, 64]` thumbnail."""
        return cls(local_contrast(picture[None])[0][0], local_contrast(picture[None], _DETAIL)[0][0])


def similarity(first: Contrasts, second: Contrasts, window: Window) -> float:
    """Correlation of the details after the best affine alignment (enhanced correlation coefficient).

    The alignment follows Evangelidis and Psarakis, IEEE TPAMI 30(10), 2008. The window as given counts too, for where
    the alignment does not converge.

    Args:
        first: The whole picture.
        second: The picture that may be a crop of the first, already turned like it.
        window: The crop of the first that the second is thought to show; where the alignment starts.

    Returns:
        -1 to 1; 0 if the two overlap by less than half.
    """
    guess = _transform(window)
    aligned = [guess]
    # OpenCV raises where the pictures do not overlap or have no gradient.
    with suppress(cv2.error):
        _, found = cv2.findTransformECC(
            second.coarse, first.coarse, guess.copy(), cv2.MOTION_AFFINE, _STOP, _EVERYWHERE, 1
        )
        aligned.append(np.asarray(found, dtype=np.float32))
    return max(_correlation(first.fine, second.fine, transform) for transform in aligned)


def _transform(window: Window) -> NDArray[np.float32]:
    """`[2, 3]`: from pixels of the cropped picture to pixels of the whole one."""
    left, top, right, bottom = window
    width, height = 1 - left - right, 1 - top - bottom
    return np.array([[width, 0, left * SIDE + width / 2 - 0.5], [0, height, top * SIDE + height / 2 - 0.5]], np.float32)


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32], transform: NDArray[np.float32]) -> float:
    size, flags = (SIDE, SIDE), cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(first, transform, size, flags=cv2.INTER_LINEAR | flags)
    covered = cv2.warpAffine(np.ones(size, np.uint8), transform, size, flags=cv2.INTER_NEAREST | flags) > 0
    covered[:_RIM] = covered[-_RIM:] = False
    covered[:, :_RIM] = covered[:, -_RIM:] = False
    if covered.mean() < _LEAST_OVERLAP:
        return 0.0
    one, other = laid[covered] - laid[covered].mean(), second[covered] - second[covered].mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0
