"""The copy on which shapes are compared."""

from __future__ import annotations

import numpy as np
import pytest

from dermoscope.measures import shape_of
from dermoscope.measures.shape import EQUIVALENT_DIAMETER, LONG_SIDE, MARGIN, MOST_ENLARGED, box_of
from tests.measures.shapes import ellipse


@pytest.mark.parametrize("radius", [30, 64, 400])
def test_lesions_of_any_size_are_as_large_on_the_copy(radius: int) -> None:
    shape = shape_of(ellipse(1024, radius, radius))
    assert shape.area == pytest.approx(np.pi * (EQUIVALENT_DIAMETER / 2) ** 2, rel=0.02)
    assert shape.scale == pytest.approx(EQUIVALENT_DIAMETER / (2 * radius), rel=0.01)
    assert shape.box == (512 - radius, 512 - radius, 512 + radius, 512 + radius)
    assert not shape.coverage[:MARGIN].any()
    assert not shape.coverage[:, -MARGIN:].any()


def test_a_lesion_that_fills_the_image_has_an_edge_too() -> None:
    shape = shape_of(np.ones((300, 400), np.bool_))
    assert shape.area == pytest.approx(np.pi * (EQUIVALENT_DIAMETER / 2) ** 2, rel=0.02)
    assert not shape.coverage[:MARGIN].any()
    assert not shape.coverage[:, :MARGIN].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2, 2)])
def test_specks_and_lines_stay_affordable(shape: tuple[int, int]) -> None:
    coverage = shape_of(np.ones(shape, np.bool_)).coverage
    assert max(coverage.shape) <= LONG_SIDE + 2 * (MARGIN + MOST_ENLARGED)
    assert coverage.max() > 0


def test_the_box_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="mask is empty"):
        box_of(np.zeros((4, 4), np.bool_))
    with pytest.raises(ValueError, match="mask is empty"):
        shape_of(np.zeros((4, 4), np.bool_))
