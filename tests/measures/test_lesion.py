"""All measures together."""

from __future__ import annotations

import numpy as np
import pytest

from dermoscope.measures import measure_lesion
from tests.measures.shapes import blob, ellipse

RGB = np.full((300, 300, 3), (135, 44, 5), np.uint8)


def test_millimetres_need_a_spacing() -> None:
    assert measure_lesion(RGB, blob(300)).millimetres is None
    found = measure_lesion(RGB, blob(300), spacing_mm=(0.05, 0.05))
    assert found.millimetres
    assert found.millimetres.largest == pytest.approx(0.05 * found.pixels.largest)
    assert found.millimetres.equivalent == pytest.approx(0.05 * found.pixels.equivalent)


@pytest.mark.parametrize("side", range(4))
def test_a_lesion_at_any_side_of_the_image_is_cut(side: int) -> None:
    mask = ellipse(300, 100, 100)
    assert not measure_lesion(RGB, mask).is_cut
    moved = np.ascontiguousarray(np.rot90(np.roll(mask, 50, axis=0), side))
    assert measure_lesion(RGB, moved).is_cut
    almost = np.ascontiguousarray(np.rot90(np.roll(mask, 49, axis=0), side))
    assert not measure_lesion(RGB, almost).is_cut


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (300, 300)])
def test_masks_of_a_pixel_a_line_or_everything_are_survived(shape: tuple[int, int]) -> None:
    mask = np.zeros((300, 300), np.bool_)
    mask[: shape[0], : shape[1]] = True
    found = measure_lesion(RGB, mask)
    numbers = [found.asymmetry.mean, found.compactness, found.colours.variance, found.pixels.largest]
    assert np.isfinite(numbers).all()
    assert found.is_cut


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="mask is empty"):
        measure_lesion(RGB, np.zeros((300, 300), np.bool_))
