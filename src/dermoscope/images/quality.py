"""Flags for images that are too poor to trust: too small, blurred, grainy, badly exposed, or mostly frame.

Every measure but grain looks at the field of view only, and at a copy of 256 pixels, so that a phone photograph of
6,000 pixels and its thumbnail are judged alike. The thresholds were set on HAM10000 and ISIC 2018 images so that each
flags under 1 % of them; brightness was also checked on images darkened to the lightness of dark skin (L* 30 to 38),
which must not count as under-exposed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.images.frame import field_of_view
from dermoscope.images.grain import grain_level
from dermoscope.images.levels import Levels
from dermoscope.images.working_size import working_copy

QUALITY_FLAGS = ("too small", "blurred", "grainy", "under-exposed", "over-exposed", "mostly frame")
"""All flags, in the order in which they are reported."""

_FINE, _MIDDLE, _COARSE = 1.0, 2.0, 4.0
_RIM = 9
_BRIGHT_PERCENTILE = 90
_WHITE = 250
# Grey levels of texture that 8-bit rounding makes by itself; keeps the ratio of two almost empty bands from mattering.
_ROUNDING = 0.1


@dataclass(frozen=True)
class QualityThresholds:
    """Where each flag begins.

    Attributes:
        short_side: Pixels of the original's shorter side below which it is too small.
        sharpness: Ratio of fine to middle texture below which it is blurred; sharp dermoscopic images lie at 0.6 to
            1.0, the same images blurred by 2 pixels of 256 at 0.4 to 0.5.
        grain: Grey levels of noise above which it is grainy.
        brightness: Grey level, 0 to 255, that the brightest tenth of the skin must reach.
        white_share: Share of the field of view, 0 to 1, that may be burnt out.
        view_share: Share of the image, 0 to 1, that must be something else than frame; a whole circle in a picture of
            16:9 comes to 0.38.
    """

    short_side: int = 128
    sharpness: float = 0.53
    grain: float = 9.0
    brightness: float = 64.0
    white_share: float = 0.1
    view_share: float = 0.35


@dataclass(frozen=True)
class QualityMeasures:
    """What the flags are decided by; units as in `QualityThresholds`.

    Attributes:
        short_side: Shorter side of the original in pixels.
        sharpness: Standard deviation of the texture between 1 and 2 pixels over that between 2 and 4 pixels, at 256
            pixels. A ratio, so contrast and skin tone cancel out.
        grain: See `dermoscope.images.grain_level`.
        brightness: 90th percentile of the luma within the field of view.
        white_share: Share of the field of view with a luma of 250 and more.
        view_share: Share of the image that is field of view.
    """

    short_side: int
    sharpness: float
    grain: float
    brightness: float
    white_share: float
    view_share: float


def measure_quality(
    rgb: NDArray[np.uint8],
    *,
    size: tuple[int, int] | None = None,
    view: NDArray[np.bool_] | None = None,
    grain: float | None = None,
) -> QualityMeasures:
    """Measure what `quality_flags` decides by.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
        size: Width and height of the original, if `rgb` was reduced.
        view: The field of view, of the shape of the image or of its `working_copy`; `field_of_view` if left out.
        grain: `grain_level` of the original, if `rgb` was reduced or smoothed.
    """
    height, width = rgb.shape[:2]
    small = working_copy(rgb)
    view = field_of_view(small) if view is None else view
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    small_size = (small.shape[1], small.shape[0])
    seen = np.asarray(cv2.resize(view.astype(np.uint8), small_size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    luma = Levels.of(grey, seen if seen.any() else None)
    return QualityMeasures(
        short_side=min(size or (width, height)),
        sharpness=_sharpness(grey, seen),
        grain=grain_level(rgb) if grain is None else grain,
        brightness=luma.percentile(_BRIGHT_PERCENTILE),
        white_share=luma.share_from(_WHITE),
        view_share=float((seen > 0).mean()),
    )


def quality_flags(
    rgb: NDArray[np.uint8],
    *,
    size: tuple[int, int] | None = None,
    view: NDArray[np.bool_] | None = None,
    grain: float | None = None,
    thresholds: QualityThresholds | None = None,
) -> tuple[str, ...]:
    """The flags an image raises, in the order of `QUALITY_FLAGS`; empty for a good one.

    Blur along one direction only, as from a moving hand, is found about half as often as blur in all directions.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
        size: Width and height of the original, if `rgb` was reduced.
        view: The field of view, of the shape of the image or of its `working_copy`; `field_of_view` if left out.
        grain: `grain_level` of the original, if `rgb` was reduced or smoothed.
        thresholds: Where each flag begins; the defaults if left out.
    """
    limits = thresholds or QualityThresholds()
    measured = measure_quality(rgb, size=size, view=view, grain=grain)
    raised = (
        measured.short_side < limits.short_side,
        measured.sharpness < limits.sharpness,
        measured.grain > limits.grain,
        measured.brightness < limits.brightness,
        measured.white_share > limits.white_share,
        measured.view_share < limits.view_share,
    )
    return tuple(flag for flag, is_raised in zip(QUALITY_FLAGS, raised, strict=True) if is_raised)


def _sharpness(grey: NDArray[np.uint8], seen: NDArray[np.uint8]) -> float:
    # The edge of the frame is sharp in a blurred image too. Beyond the image's own edge lies no frame, hence border 1.
    inner = cv2.erode(seen, np.ones((_RIM, _RIM), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1.0)
    if not inner.any():
        inner = np.ones_like(inner)
    fine, middle, coarse = (cv2.GaussianBlur(grey.astype(np.float32), (0, 0), s) for s in (_FINE, _MIDDLE, _COARSE))
    texture, structure = (cv2.meanStdDev(band, mask=inner)[1].item() for band in (fine - middle, middle - coarse))
    return texture / (structure + _ROUNDING)
