"""How light or dark the skin around a lesion looks: the individual typology angle, and what it is not.

The angle is measured on the picture, not on the person. It moves with the lighting, with polarised or contact optics
of the dermatoscope, with white balance, exposure and later colour correction: the same picture a fifth darker, or a
tenth bluer, falls into another class. Skin around a lesion may be tanned, inflamed or sun-damaged, and no dermoscopic
data set here comes with a measured skin tone to check against. Many pictures of HAM10000 have a cast that turns the b*
of skin to zero or below, which no skin has; they get no angle at all, and where b* is just above zero the angle is
close to 90° and says "very light" of any skin. It is not the Fitzpatrick type, which describes how skin reacts to the
sun, and it says nothing of ancestry. It serves one purpose: to see whether a model does worse on pictures whose skin
looks darker. Compare classes within one source, never across sources.

References:
    Chardon, Cretois and Hourseau, Skin colour typology and suntanning pathways, Int J Cosmet Sci 1991 (the angle).
    Del Bino and Bernerd, Variations in skin colour and the biological consequences of ultraviolet radiation exposure,
    Br J Dermatol 2013 (the six classes).
    Kinyanjui et al., Estimating skin tone and effects on classification performance in dermatology datasets, 2019 (from
    the lesion-free skin of dermoscopic images).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.images.frame import field_of_view
from dermoscope.images.working_size import working_copy

SKIN_TONES = ("very light", "light", "intermediate", "tan", "brown", "dark")
"""The six classes, from the largest angle to the smallest."""

SKIN_TONE_LIMITS = (55.0, 41.0, 28.0, 10.0, -30.0)
"""Degrees; a class lies above its limit, and the last class is all below."""

# The skin is looked at on a small copy; lengths below are fractions of its short side.
_HALO = 0.06
_HAIR_REACH = 0.05
_HAIR_CONTRAST = 12.0
_OUTLIER = 2.5
_MAD_TO_SIGMA = 1.4826
_LEAST_SPREAD = 1.0
_LEAST_SHARE = 0.03


@dataclass(frozen=True)
class SkinTone:
    """The colour of the skin around a lesion, as this picture shows it.

    Attributes:
        angle: Individual typology angle in degrees, -90 to 90; larger is lighter.
        category: One of `SKIN_TONES`.
        lightness: Median CIELAB L* of the skin (D65), 0 to 100.
        yellowness: Median b*.
        share: Share of the image that was judged, 0 to 1.
    """

    angle: float
    category: str
    lightness: float
    yellowness: float
    share: float


def individual_typology_angle(lightness: float, yellowness: float) -> float:
    """ITA = arctan((L* - 50) / b*) · 180 / π.

    Args:
        lightness: CIELAB L*, 0 to 100.
        yellowness: CIELAB b*.

    Returns:
        Degrees, -90 to 90; NaN where b* is not positive, since skin is yellowish and the angle means nothing otherwise.
    """
    if not yellowness > 0:
        return float("nan")
    return math.degrees(math.atan((lightness - 50) / yellowness))


def skin_tone_category(angle: float) -> str:
    """The class of an angle: above 55° very light, 41° light, 28° intermediate, 10° tan, -30° brown, else dark.

    Args:
        angle: Degrees.

    Raises:
        ValueError: If the angle is NaN.
    """
    if math.isnan(angle):
        raise ValueError("an undefined angle has no class")
    return SKIN_TONES[sum(angle <= limit for limit in SKIN_TONE_LIMITS)]


def estimate_skin_tone(
    rgb: NDArray[np.uint8],
    lesion: NDArray[np.bool_] | None = None,
    *,
    view: NDArray[np.bool_] | None = None,
) -> SkinTone | None:
    """Estimate the skin tone from what lies outside the lesion and inside the field of view.

    A halo around the lesion is left out, and so are thin dark structures (hair) and whatever departs in lightness or
    colour from the median of the rest, such as reflections, ink and rulers. The angle is that of the median L* and b*.
    The module says what it cannot tell.

    Args:
        rgb: 8-bit sRGB image of shape (height, width, 3), without colour constancy applied.
        lesion: Mask of the lesion, same height and width; none for a picture of bare skin.
        view: The field of view, same height and width; found with `field_of_view` if left out.

    Returns:
        None if less than 3 % of the image is left to judge, or its median is not yellowish as skin is.

    Raises:
        ValueError: If a mask has another shape than the image.
    """
    height, width = rgb.shape[:2]
    seen = field_of_view(rgb) if view is None else view
    for name, mask in (("lesion", lesion), ("view", seen)):
        if mask is not None and mask.shape != (height, width):
            raise ValueError(f"{name} mask has shape {mask.shape}, the image {(height, width)}")
    small = working_copy(rgb)
    size = (small.shape[1], small.shape[0])
    lab = np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    # Any part of a small pixel that is lesion or frame spoils it.
    skin = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.999
    if lesion is not None:
        covered = cv2.resize(lesion.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        skin &= cv2.dilate(covered.astype(np.uint8), _ellipse(_HALO * min(size))) == 0
    skin &= ~_hair(lab[..., 0], min(size))
    kept = _without_outliers(lab[skin])
    share = len(kept) / (size[0] * size[1])
    if share < _LEAST_SHARE:
        return None
    lightness, _, yellowness = (float(value) for value in np.median(kept, axis=0))
    angle = individual_typology_angle(lightness, yellowness)
    if math.isnan(angle):
        return None
    return SkinTone(angle, skin_tone_category(angle), lightness, yellowness, share)


def _ellipse(reach: float) -> NDArray[np.uint8]:
    side = 2 * max(1, round(reach)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _hair(lightness: NDArray[np.float32], short_side: int) -> NDArray[np.bool_]:
    """Thin and darker than both sides: what a closing fills in."""
    closed = cv2.morphologyEx(lightness, cv2.MORPH_CLOSE, _ellipse(_HAIR_REACH / 2 * short_side))
    return np.asarray(closed - lightness > _HAIR_CONTRAST)


def _without_outliers(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    if not len(lab):
        return lab
    deviation = np.abs(lab - np.median(lab, axis=0))
    spread = np.maximum(_MAD_TO_SIGMA * np.median(deviation, axis=0), _LEAST_SPREAD)
    return lab[(deviation <= _OUTLIER * spread).all(axis=1)]
