from __future__ import annotations

import math

import pytest

from dermoscope.measures import LEAST_MM_PER_PIXEL, MOST_MM_PER_PIXEL, spacing_of


@pytest.mark.parametrize("scale", [LEAST_MM_PER_PIXEL, 0.02, MOST_MM_PER_PIXEL])
def test_pixels_are_square(scale: float) -> None:
    assert spacing_of(scale) == (scale, scale)


@pytest.mark.parametrize("scale", [0.0, -0.02, 0.00002, 20.0, math.inf, math.nan])
def test_another_unit_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=r"mm_per_pixel must be between 0\.0001 and 10 millimetres, not"):
        spacing_of(scale)
