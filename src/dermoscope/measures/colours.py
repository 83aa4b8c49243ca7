"""C: which of the six colours of the ABCD rule a lesion shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.images.levels import Levels
from dermoscope.measures.shape import box_of

REFERENCES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "white": (197, 188, 217),
        "red": (118, 21, 17),
        "light brown": (163, 82, 16),
        "dark brown": (135, 44, 5),
        "blue-grey": (113, 108, 139),
        "black": (41, 31, 30),
    }
)
"""sRGB of each colour, as given by Kasmi and Mokrani, Classification of malignant melanoma and benign skin lesions:
implementation of automatic ABCD rule, IET Image Processing 2016 (doi 10.1049/iet-ipr.2015.0385)."""

COLOURS = tuple(REFERENCES)
"""The six colours, in the order of the rule."""

PRESENT = 0.01
"""The share of the lesion from which on a colour counts as present. Of 0.5, 1, 2, 3, 5 and 10 %, the smallest that is
more than stray pixels; the smaller it is, the better the number of colours tells melanomas from nevi (1,500 images of
the training part of HAM10000)."""

# Skin around the lesion is looked for in its box, enlarged on each side by this share of the box's long side.
_AROUND = 0.2
# Long side of that part in pixels: twice as many change no share by more than a percent.
_SIDE = 160
_SAMPLES = 2
_LEAST_SKIN = 0.02


@dataclass(frozen=True)
class Colours:
    """The colours of one lesion.

    Attributes:
        shares: Share of the lesion's pixels of each colour, 0 to 1, in the order of `COLOURS`; they add up to less than
            one where parts of the lesion are as pale as skin.
        variance: Mean squared distance of the pixels from their mean colour in CIELAB (ΔE*ab of 1976, squared).
    """

    shares: Mapping[str, float]
    variance: float

    @property
    def present(self) -> tuple[str, ...]:
        """Colours that cover at least 1 % of the lesion."""
        return tuple(name for name, share in self.shares.items() if share >= PRESENT)


def measure_colours(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Colours:
    """Give every pixel of the lesion to the nearest of the six colours in CIELAB (D65).

    White counts only where it is lighter than the skin around the lesion, as the rule demands; paler parts that are not
    get no colour. Colours are taken as the image has them: with the pink cast of many cameras, light brown comes out as
    red (colour constancy was tried on HAM10000: more nevi turned blue-grey than were put right). Hair and ink over the
    lesion count with it.

    References:
        The six colours, and when white counts: Stolz et al., ABCD rule of dermatoscopy, Eur J Dermatol 1994. Counting
        by distance to reference colours: Kasmi and Mokrani, IET Image Processing 2016.

    Args:
        rgb: 8-bit image `[h, w, 3]`.
        mask: `[H, W]`, of the same picture; the resolution may differ.

    Raises:
        ValueError: If the mask is empty.
    """
    pixels, lesion = _around_the_lesion(rgb, mask)
    lab = np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    inside = lab[lesion]
    nearest = (_LAB @ inside.T - np.square(_LAB).sum(axis=1, keepdims=True) / 2).argmax(axis=0)
    if np.count_nonzero(~lesion) > _LEAST_SKIN * lesion.size:
        pale = inside[:, 0] <= _median_lightness(lab, ~lesion)
        nearest[pale & (nearest == COLOURS.index("white"))] = len(COLOURS)
    counts = np.bincount(nearest, minlength=len(COLOURS))[: len(COLOURS)]
    _, deviation = cv2.meanStdDev(lab, mask=lesion.view(np.uint8))
    return Colours(
        shares=dict(zip(COLOURS, (counts / len(inside)).tolist(), strict=True)),
        variance=float(np.square(deviation).sum()),
    )


def _median_lightness(lab: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """Median L*, 0 to 100, from a histogram: a sorted one costs as much as everything else here."""
    levels = np.rint(lab[..., 0] * 2.55).astype(np.uint8)
    return Levels.of(levels, where.view(np.uint8)).percentile(50) / 2.55


def _around_the_lesion(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The lesion and the skin around it, reduced, and which pixels are lesion."""
    left, top, right, bottom = box_of(mask)
    reach = _AROUND * max(right - left, bottom - top)
    upper, lower = max(0, int(top - reach)), min(mask.shape[0], int(bottom + reach) + 1)
    first, last = max(0, int(left - reach)), min(mask.shape[1], int(right + reach) + 1)
    down, across = rgb.shape[0] / mask.shape[0], rgb.shape[1] / mask.shape[1]
    part = rgb[int(upper * down) : math.ceil(lower * down), int(first * across) : math.ceil(last * across)]
    shrink = min(1.0, _SIDE / max(part.shape))
    size = (max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink)))
    cut = mask[upper:lower, first:last].view(np.uint8)
    pixels, covered = (np.asarray(_reduced(plane, size), np.uint8) for plane in (part, cut))
    # Pixels of the copy that mix lesion and skin have a colour of neither; a hairline has no others.
    return pixels, covered == covered.max()


def _reduced(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The mean of two samples or more along each pixel, about as good as that of all; 1 of a mask becomes 255."""
    step = max(1, int(max(plane.shape[:2]) / (_SAMPLES * max(size))))
    sampled = plane[::step, ::step]
    if plane.ndim == 2:
        sampled = sampled * np.uint8(255)
    return np.asarray(cv2.resize(sampled, size, interpolation=cv2.INTER_AREA), np.uint8)


_LAB = np.asarray(cv2.cvtColor(np.array([list(REFERENCES.values())], np.float32) / 255, cv2.COLOR_RGB2LAB)[0])
