"""The copy on which what needs no detail is decided."""

from __future__ import annotations

import numpy as np
import pytest

from dermoscope.images import WORKING_SIDE, working_copy


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((512, 512), (256, 256)), ((600, 450), (256, 192)), ((10, 4000), (1, 256)), ((4000, 1), (256, 1))],
)
def test_large_images_shrink_in_proportion(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    rgb = np.full((*shape, 3), (10, 20, 30), np.uint8)
    small = working_copy(rgb)
    assert small.shape == (*expected, 3)
    assert (small == (10, 20, 30)).all()


@pytest.mark.parametrize("shape", [(1, 1), (100, 30), (WORKING_SIDE, 200)])
def test_small_images_stay_what_they_are(shape: tuple[int, int]) -> None:
    rgb = np.zeros((*shape, 3), np.uint8)
    assert working_copy(rgb) is rgb
