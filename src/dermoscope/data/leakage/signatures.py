"""Perceptual signatures: low frequencies of the local contrast, in which the eight flips and quarter turns are signs.

A dermoscopic image is a dark blob on bright skin, often in a dark frame, and so is every other. What tells two apart
is structure on a middle scale. Hence three steps before the cosine transform: subtract the surroundings and divide by
their contrast, so that lighting and frames carry little; fade towards the border, where a crop changes most; keep the
120 lowest frequencies. The signature of two pictures of one scene has a cosine near 1.

In the cosine transform a flip only changes the sign of the odd frequencies, and a diagonal mirror swaps rows and
columns. So what these leave alone, and the magnitudes of the rest, bound the cosine in all eight orientations at once
(`invariants`), and partial products by parity give each of the eight (`best_orientation`). A crop moves the
frequencies; it is met by *views*: signatures of an image as a whole and through five crop windows, of which one lies
within about half the crop of any crop up to 5 % a side.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage.thumbnails import SIDE

FREQUENCIES = 12
SURROUNDINGS = 6.0
"""Standard deviation in pixels of the Gaussian whose mean and contrast are taken away."""

CROP = 0.05
"""The largest crop on a side, as a fraction of that side, that the views are laid out for."""

LEAST_CONTRAST = 1.0
"""Grey levels of local contrast below which a picture is an even surface with nothing to compare."""

Window = tuple[float, float, float, float]

WHOLE: Window = (0.0, 0.0, 0.0, 0.0)
"""A window is what is cut off at the left, top, right and bottom, as fractions."""

# Midway between a crop at a corner and a crop at an edge, both of which these views have to meet.
_FAR, _NEAR = 0.75 * CROP, 0.25 * CROP
VIEWS: tuple[Window, ...] = (
    WHOLE,
    (CROP / 2, CROP / 2, CROP / 2, CROP / 2),
    (_FAR, _FAR, _NEAR, _NEAR),
    (_FAR, _NEAR, _NEAR, _FAR),
    (_NEAR, _FAR, _FAR, _NEAR),
    (_NEAR, _NEAR, _FAR, _FAR),
)

_NOISE = 4.0  # grey levels added to the contrast, so that the grain of even skin is not blown up
_HALF = np.float32(np.sqrt(0.5))
_FADE = 0.7  # standard deviation of the fading, in half sides

_ROWS, _COLUMNS = np.mgrid[:FREQUENCIES, :FREQUENCIES]
_KEPT = (np.hypot(_ROWS, _COLUMNS) <= FREQUENCIES) & (_ROWS + _COLUMNS > 0)
_PARITIES = tuple(
    np.flatnonzero(_KEPT & (row == _ROWS % 2) & (column == _COLUMNS % 2)) for row in (0, 1) for column in (0, 1)
)
_ORDER = np.concatenate(_PARITIES)
_ENDS = np.cumsum([0, *(len(parity) for parity in _PARITIES)])

LENGTH = len(_ORDER)
"""Numbers in a signature."""

BLOCKS = tuple(slice(int(start), int(end)) for start, end in pairwise(_ENDS))
"""Where in a signature the frequencies lie that are even and even, even and odd, odd and even, odd and odd, as rows
and columns."""

TRANSPOSED: NDArray[np.intp] = np.argsort(_ORDER)[
    [np.flatnonzero(np.sort(_ORDER) == FREQUENCIES * (k % FREQUENCIES) + k // FREQUENCIES)[0] for k in _ORDER]
]
"""`signature[TRANSPOSED]` is the signature of the picture mirrored along its diagonal."""


def _mirrored(block: slice) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The frequencies of a block on the diagonal, and of each two that mirror each other the first."""
    own = np.arange(block.start, block.stop)
    return own[own == TRANSPOSED[own]], own[own < TRANSPOSED[own]]


_EVEN_DIAGONAL, _EVEN_PAIRS = _mirrored(BLOCKS[0])
_ODD_DIAGONAL, _ODD_PAIRS = _mirrored(BLOCKS[3])
_MIXED_PAIRS = _mirrored(BLOCKS[1])[1]

# Signs of the four blocks (rows) in the four flips (columns): none, left to right, upside down, both.
_FLIPS = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], np.float32)
_SIGNS = np.repeat(_FLIPS, [block.stop - block.start for block in BLOCKS], axis=0)


def local_contrast(
    pictures: NDArray[np.uint8], surroundings: float = SURROUNDINGS
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each pixel against its surroundings: minus their mean, divided by their contrast.

    Args:
        pictures: `[N, H, W]`, grey.
        surroundings: Standard deviation of the Gaussian that weighs the surroundings, in pixels.

    Returns:
        `[N, H, W]` local contrast, about -2 to 2; and `[N]` mean contrast in grey levels, before the division.
    """
    blur = [_blur_matrix(side, surroundings) for side in pictures.shape[1:]]
    # Around its mean, an even surface is exactly 0, and so are its surroundings.
    grey = pictures - pictures.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    detail = grey - _blurred(grey, *blur)
    deviation = np.sqrt(_blurred(detail * detail, *blur))
    detail /= deviation + _NOISE
    return detail, deviation.mean(axis=(1, 2))


def signatures(contrast: NDArray[np.float32], window: Window = WHOLE) -> NDArray[np.float32]:
    """Signatures of pictures seen through a window.

    Args:
        contrast: `[N, 64, 64]` local contrast.
        window: What is cut off on each side.

    Returns:
        `[N, LENGTH]`, each of length 1.
    """
    left, top, right, bottom = window
    rows, columns = _transform(top, bottom), _transform(left, right)
    spectrum = (rows @ contrast @ columns.T).reshape(len(contrast), -1)[:, _ORDER]
    lengths = np.linalg.norm(spectrum, axis=1, keepdims=True)
    return np.asarray(spectrum / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)


def invariants(signature: NDArray[np.float32]) -> NDArray[np.float32]:
    """What of signatures no flip and no turn changes.

    Where both frequencies are even, no flip changes anything and a mirror only swaps: so the sums of mirrored
    frequencies keep their sign, and of the differences the magnitude remains. Where both are odd, the magnitudes of
    both remain. Of the others the magnitudes, the larger of each mirrored pair first.

    The product of two of these is never less than the cosine of the signatures in the best of the eight orientations
    (for the last kind by the rearrangement inequality).

    Args:
        signature: `[N, LENGTH]`.

    Returns:
        `[N, LENGTH]`, each of length 1.
    """
    mirrored = signature[:, TRANSPOSED]
    total, difference = (signature + mirrored) * _HALF, np.abs(signature - mirrored) * _HALF
    size, other = np.abs(signature[:, _MIXED_PAIRS]), np.abs(mirrored[:, _MIXED_PAIRS])
    parts = (
        signature[:, _EVEN_DIAGONAL],
        total[:, _EVEN_PAIRS],
        difference[:, _EVEN_PAIRS],
        np.abs(signature[:, _ODD_DIAGONAL]),
        np.abs(total[:, _ODD_PAIRS]),
        difference[:, _ODD_PAIRS],
        np.maximum(size, other),
        np.minimum(size, other),
    )
    return np.concatenate(parts, axis=1)


def best_orientation(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """The greatest cosine over the eight orientations of the second picture, pair by pair.

    Args:
        first: `[P, LENGTH]` signatures.
        second: `[P, LENGTH]`.

    Returns:
        `[P]` cosine and `[P]` orientation, see `turned`.
    """
    cosines = [(first * other) @ _SIGNS for other in (second, second[:, TRANSPOSED])]
    all_cosines = np.concatenate(cosines, axis=1)
    orientation = all_cosines.argmax(axis=1)
    return all_cosines[np.arange(len(first)), orientation], orientation


def turned(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A picture in one of eight orientations.

    Args:
        picture: `[H, W]` or `[H, W, C]`.
        orientation: 0 to 7, a sum of 4 (mirrored along the diagonal), then 2 (upside down), then 1 (left to right).
    """
    out = np.swapaxes(picture, 0, 1) if orientation & 4 else picture
    return np.ascontiguousarray(out[:: -1 if orientation & 2 else 1, :: -1 if orientation & 1 else 1])


ORIENTATIONS = (
    "as it is",
    "flipped left to right",
    "flipped upside down",
    "turned by 180°",
    "mirrored along the diagonal",
    "turned by 90° clockwise",
    "turned by 90° anticlockwise",
    "mirrored along the other diagonal",
)
"""What `turned` does, by orientation."""


@lru_cache(maxsize=2 * len(VIEWS) + 2)
def _transform(start: float, end: float) -> NDArray[np.float32]:
    """`[FREQUENCIES, SIDE]`: cosines over a window of one axis, faded towards its borders, 0 outside."""
    place = ((np.arange(SIDE) + 0.5) / SIDE - start) / (1 - start - end)
    fade = np.exp(-(((2 * place - 1) / _FADE) ** 2) / 2) * ((place > 0) & (place < 1))
    return np.asarray(np.cos(np.pi * np.outer(np.arange(FREQUENCIES), place)) * fade, dtype=np.float32)


@lru_cache(maxsize=16)
def _blur_matrix(side: int, deviation: float) -> NDArray[np.float32]:
    """`[side, side]`, what a Gaussian blur of one axis multiplies by, mirrored at the borders."""
    return np.asarray(cv2.GaussianBlur(np.eye(side, dtype=np.float32), (1, 0), deviation), dtype=np.float32)


def _blurred(
    pictures: NDArray[np.float32], rows: NDArray[np.float32], columns: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray(rows @ (pictures.reshape(-1, len(columns)) @ columns.T).reshape(pictures.shape))
