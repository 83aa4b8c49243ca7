"""The size of a pixel, as a person gives it."""

from __future__ import annotations

LEAST_MM_PER_PIXEL = 0.0001
MOST_MM_PER_PIXEL = 10.0
"""Finer than light can tell apart, and coarser than any photograph of skin: whoever gives less or more means another
unit."""


def spacing_of(mm_per_pixel: float) -> tuple[float, float]:
    """The spacing of an image whose pixels are square: between rows, then between columns, in millimetres.

    Args:
        mm_per_pixel: Millimetres from one pixel to the next, 0.0001 to 10.

    Raises:
        ValueError: If it is outside of that range.
    """
    if not LEAST_MM_PER_PIXEL <= mm_per_pixel <= MOST_MM_PER_PIXEL:
        raise ValueError(
            f"mm_per_pixel must be between {LEAST_MM_PER_PIXEL:g} and {MOST_MM_PER_PIXEL:g} millimetres, "
            f"not {mm_per_pixel:g}"
        )
    return mm_per_pixel, mm_per_pixel
