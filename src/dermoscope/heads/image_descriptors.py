"""Colour, texture and shape of a lesion as plain numbers, for classical learners. Torch-free.

References:
    Ojala, Pietikäinen, Mäenpää, Multiresolution Gray-Scale and Rotation Invariant Texture Classification with Local
    Binary Patterns, IEEE TPAMI 2002.
    Haralick, Shanmugam, Dinstein, Textural Features for Image Classification, IEEE Trans. SMC 1973.
    Hu, Visual Pattern Recognition by Moment Invariants, IRE Trans. Information Theory 1962.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.images import field_of_view, working_copy

_CHANNELS = ("red", "green", "blue", "hue", "saturation", "value", "lightness", "green to red", "blue to yellow")
_PERCENTILES = (5, 25, 50, 75, 95)
_LEAST_DEVIATION = 1e-4
_RING_SHARE = 0.25
_THINNEST_RING = 2.0

# Radius in pixels, and the points on that circle that are compared with its centre.
_PATTERN_CIRCLES = ((1, 8), (2, 16))
_PAIR_DISTANCES = (1, 4)
_GREY_LEVELS = 32
_PAIR_PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation", "entropy")

_SHAPE_NAMES = (
    "area share",
    "eccentricity",
    "solidity",
    "compactness",
    "asymmetry about the long axis",
    "asymmetry about the short axis",
    *(f"log of Hu moment {number}" for number in range(1, 8)),
)
# Below this, a Hu moment is the rounding error of a symmetric shape, and its logarithm would be noise.
_LEAST_HU_MOMENT = 1e-20

DESCRIPTOR_NAMES = (
    *(
        f"{channel} {statistic}"
        for channel in _CHANNELS
        for statistic in (
            "mean",
            "standard deviation",
            "skewness",
            *(f"{percent}th percentile" for percent in _PERCENTILES),
        )
    ),
    *(f"{channel} inside minus ring" for channel in _CHANNELS),
    *(
        f"share of {'uneven patterns' if bright > points else f'patterns with {bright} of {points} no darker'}"
        f" at radius {radius}"
        for radius, points in _PATTERN_CIRCLES
        for bright in range(points + 2)
    ),
    *(f"{name} of grey pairs {distance} apart" for distance in _PAIR_DISTANCES for name in _PAIR_PROPERTIES),
    *_SHAPE_NAMES,
)
"""What the entries of `image_descriptors` are, in order."""


def image_descriptors(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Describe a lesion; turning or mirroring image and mask together changes nothing but rounding.

    Everything is measured on a copy of at most 256 pixels, so that texture means the same at every resolution.

    - Colour: red, green, blue, saturation and value from 0 to 1; hue in turns from red, -0.5 to 0.5, so that the reds
      of skin lie together; CIE lightness 0 to 100, and a* (green to red) and b* (blue to yellow). The ring is what lies
      around the lesion inside the field of view, a quarter as wide as the square root of the lesion's area; without
      one, the differences are zero.
    - Texture: rotation-invariant uniform local binary patterns, as shares of the lesion's pixels; properties of the
      co-occurrence of 32 grey levels, both pixels in the lesion, averaged over four directions.
    - Shape: share of the image; eccentricity of the ellipse with the same moments; share of the convex hull;
      compactness 4π × area / perimeter², the perimeter by Crofton's formula in four directions, which is about 1 for a
      disc and 0.87 for a square; share of the lesion without a mirror image about each principal axis; log10 of the
      absolute Hu moments, not below -20.

    Args:
        rgb: 8-bit image of shape (height, width, 3), any size.
        mask: Boolean lesion mask of the same height and width. If it is empty, colour and texture are those of the
            whole image, and the shape is all zeros.

    Returns:
        `[F]` in the order of `DESCRIPTOR_NAMES`, all finite.

    Raises:
        ValueError: If the mask has another height or width than the image.
        ModuleNotFoundError: If scikit-image is not installed; it comes with the training extra.
    """
    if mask.shape != rgb.shape[:2]:
        raise ValueError(f"mask is {mask.shape}, but the image is {rgb.shape[:2]}: they must have one height and width")
    small = working_copy(rgb)
    lesion = _reduced(mask, (small.shape[1], small.shape[0]))
    region = lesion if lesion.any() else np.ones_like(lesion)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    parts = [_colours(small, region), _patterns(grey, region), _grey_pairs(grey, region), _shape(mask, lesion)]
    return np.concatenate(parts).astype(np.float32)


def _reduced(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask at some width and height; a lesion too small for that is still a pixel."""
    covered = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(covered >= min(0.5, float(covered.max())) if mask.any() else covered > 0)


def _colours(rgb: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.float64]:
    unit = rgb.astype(np.float32) / 255
    hsv = cv2.cvtColor(unit, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] / 360 + 0.5) % 1 - 0.5
    channels = np.concatenate([unit, hsv, cv2.cvtColor(unit, cv2.COLOR_RGB2Lab)], axis=2).astype(np.float64)
    inside = channels[region]
    mean, deviation = inside.mean(axis=0), inside.std(axis=0)
    third = ((inside - mean) ** 3).mean(axis=0)
    # Of an even channel only rounding is left, which has no skewness.
    uneven = deviation > _LEAST_DEVIATION
    skewness = np.divide(third, deviation**3, out=np.zeros_like(third), where=uneven)
    statistics = np.stack([mean, deviation, skewness, *np.percentile(inside, _PERCENTILES, axis=0)], axis=1)
    distance = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    width = max(_THINNEST_RING, _RING_SHARE * float(np.sqrt(region.sum())))
    ring = ~region & (distance <= width) & field_of_view(rgb)
    difference = mean - channels[ring].mean(axis=0) if ring.any() else np.zeros_like(mean)
    return np.concatenate([statistics.ravel(), difference])


def _patterns(grey: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.float64]:
    from skimage.feature import local_binary_pattern

    shares = []
    for radius, points in _PATTERN_CIRCLES:
        # Beyond its rim scikit-image takes a picture to be black.
        padded = cv2.copyMakeBorder(grey, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
        codes = local_binary_pattern(padded, points, radius, method="uniform")[radius:-radius, radius:-radius]
        counts = np.bincount(codes[region].astype(np.intp), minlength=points + 2)
        shares.append(counts / region.sum())
    return np.concatenate(shares)


def _grey_pairs(grey: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.float64]:
    from skimage.feature import graycomatrix, graycoprops

    # Level 0 stands for what lies outside, so that pairs with it can be left out.
    levels = np.where(region, grey // (256 // _GREY_LEVELS) + 1, 0).astype(np.uint8)
    directions = np.arange(4) * np.pi / 4
    counts = graycomatrix(levels, _PAIR_DISTANCES, directions, levels=_GREY_LEVELS + 1, symmetric=True)[1:, 1:]
    properties = [graycoprops(counts, name).mean(axis=1) for name in _PAIR_PROPERTIES]
    return np.stack(properties, axis=1).astype(np.float64).ravel()


def _shape(mask: NDArray[np.bool_], lesion: NDArray[np.bool_]) -> NDArray[np.float64]:
    from skimage.measure import perimeter_crofton

    if not lesion.any():
        return np.zeros(len(_SHAPE_NAMES))
    area = int(lesion.sum())
    hull = np.zeros(lesion.shape, np.uint8)
    rows, columns = np.nonzero(lesion)
    points = np.stack([columns, rows], axis=1)
    cv2.fillConvexPoly(hull, cv2.convexHull(points.astype(np.int32)), 1)
    perimeter = perimeter_crofton(lesion, directions=4)
    centred = points - points.mean(axis=0)
    # A pixel is a square, whose own spread is 1/12.
    spreads, axes = np.linalg.eigh(centred.T @ centred / area + np.eye(2) / 12)
    hu_moments = cv2.HuMoments(cv2.moments(lesion.astype(np.uint8), binaryImage=True)).ravel()
    return np.array(
        [
            mask.mean(),
            np.sqrt(max(0.0, 1 - spreads[0] / spreads[1])),
            area / hull.sum(),
            4 * np.pi * area / perimeter**2,
            _without_mirror_image(lesion, points, axes[:, 1]),
            _without_mirror_image(lesion, points, axes[:, 0]),
            *np.log10(np.maximum(np.abs(hu_moments), _LEAST_HU_MOMENT)),
        ]
    )


def _without_mirror_image(lesion: NDArray[np.bool_], points: NDArray[np.intp], axis: NDArray[np.float64]) -> float:
    """Share of the lesion's pixels (x, y) that a mirror along an axis of length one puts outside the lesion."""
    centre = points.mean(axis=0)
    mirrored = centre + (points - centre) @ (2 * np.outer(axis, axis) - np.eye(2))
    columns, rows = np.round(mirrored).astype(np.intp).T
    within = (columns >= 0) & (rows >= 0) & (columns < lesion.shape[1]) & (rows < lesion.shape[0])
    return 1 - float(lesion[rows[within], columns[within]].sum() / len(points))
