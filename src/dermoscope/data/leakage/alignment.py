"""Whether two pictures show one scene: lay one on the other, then compare their finest details."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage.signatures import SURROUNDINGS, Window, local_contrast
from dermoscope.data.leakage.thumbnails import SIDE

LEAST_SIMILARITY = 0.75
"""Correlation of aligned details from which two pictures count as near-duplicates.

See `studies/data-and-evaluation/leaks.py` for the two groups of real images that it was laid between."""

HALF_SIZE_SLACK = 0.1
"""How much less two pictures may agree at half the size and still be compared at full size.

Of 3,199 planted copies of real images none agrees by less than 0.74 at half the size, and none of 2,898 real pairs is
lost by it; of the candidates that show different lesions one in seven goes on to full size."""

_DETAIL = SURROUNDINGS / 2  # standard deviation of the surroundings that details are seen against, in thumbnail pixels
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 1e-3)
_RIM = 2
_LEAST_OVERLAP = 0.5


@dataclass(frozen=True)
class Contrasts:
    """Two views of one picture.

    Attributes:
        coarse: `[64, 64]`, what is aligned; `[32, 32]` at half the size.
        fine: Of the same shape, what is compared.
    """

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]

    @classmethod
    def of(cls, picture: NDArray[np.uint8]) -> Contrasts:
        """Compute them of a grey `[64, 64]` thumbnail, or of a square one of another size."""
        scale = len(picture) / SIDE
        coarse, fine = (local_contrast(picture[None], scale * size)[0][0] for size in (SURROUNDINGS, _DETAIL))
        return cls(coarse, fine)

    @classmethod
    def at_half_size(cls, picture: NDArray[np.uint8]) -> Contrasts:
        """Compute them of a thumbnail shrunk to half its width and height."""
        side = len(picture) // 2
        return cls.of(np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8))


def similarity(first: Contrasts, second: Contrasts, window: Window) -> float:
    """Correlation of the details after the best affine alignment (enhanced correlation coefficient).

    The alignment follows Evangelidis and Psarakis, IEEE TPAMI 30(10), 2008. The window as given counts too, for where
    the alignment does not converge.

    Args:
        first: The whole picture.
        second: Of the same size, the picture that may be a crop of the first, already turned like it.
        window: The crop of the first that the second is thought to show; where the alignment starts.

    Returns:
        -1 to 1; 0 if the two overlap by less than half.
    """
    side = len(first.fine)
    guess = _transform(window, side)
    aligned = [guess]
    # OpenCV raises where the pictures do not overlap or have no gradient.
    with suppress(cv2.error):
        _, found = cv2.findTransformECC(
            second.coarse, first.coarse, guess.copy(), cv2.MOTION_AFFINE, _STOP, np.ones((side, side), np.uint8), 1
        )
        aligned.append(np.asarray(found, dtype=np.float32))
    return max(_correlation(first.fine, second.fine, transform) for transform in aligned)


def _transform(window: Window, side: int) -> NDArray[np.float32]:
    """`[2, 3]`: from pixels of the cropped picture to pixels of the whole one."""
    left, top, right, bottom = window
    width, height = 1 - left - right, 1 - top - bottom
    return np.array([[width, 0, left * side + width / 2 - 0.5], [0, height, top * side + height / 2 - 0.5]], np.float32)


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32], transform: NDArray[np.float32]) -> float:
    side, flags = len(first), cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(first, transform, (side, side), flags=cv2.INTER_LINEAR | flags)
    everywhere = np.ones((side, side), np.uint8)
    covered = cv2.warpAffine(everywhere, transform, (side, side), flags=cv2.INTER_NEAREST | flags) > 0
    rim = _RIM * side // SIDE
    covered[:rim] = covered[-rim:] = False
    covered[:, :rim] = covered[:, -rim:] = False
    if covered.mean() < _LEAST_OVERLAP:
        return 0.0
    one, other = laid[covered] - laid[covered].mean(), second[covered] - second[covered].mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0
