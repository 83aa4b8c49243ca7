"""D: distances by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dermoscope.measures import measure_diameter
from tests.measures.shapes import SAME, blob, ellipse


def test_one_pixel_is_a_square() -> None:
    found = measure_diameter(np.ones((1, 1), np.bool_))
    assert found.largest == pytest.approx(math.sqrt(2))
    assert found.equivalent == pytest.approx(2 / math.sqrt(math.pi))


@pytest.mark.parametrize("shape", [(1, 960), (960, 1), (30, 40)])
def test_rectangles_by_pythagoras(shape: tuple[int, int]) -> None:
    mask = np.zeros((1000, 1000), np.bool_)
    mask[5 : 5 + shape[0], 10 : 10 + shape[1]] = True
    assert measure_diameter(mask).largest == pytest.approx(math.hypot(*shape))


def test_a_circle_is_as_far_across_both_ways() -> None:
    found = measure_diameter(ellipse(500, 200, 200))
    assert found.largest == pytest.approx(400, abs=2)
    assert found.equivalent == pytest.approx(400, abs=0.5)


@pytest.mark.parametrize("angle", [0, 31, 45])
def test_an_ellipse_is_as_long_as_its_axis(angle: int) -> None:
    found = measure_diameter(ellipse(500, 200, 50, angle))
    assert found.largest == pytest.approx(400, abs=2)
    assert found.equivalent == pytest.approx(200, abs=0.5)


def test_pieces_and_notches_count_by_their_outermost_points() -> None:
    mask = np.zeros((50, 200), np.bool_)
    mask[0, 0] = mask[0, 199] = True
    assert measure_diameter(mask).largest == pytest.approx(math.hypot(1, 200))


def test_spacing_is_of_rows_then_of_columns() -> None:
    tall = np.ones((100, 10), np.bool_)
    found = measure_diameter(tall, (0.02, 0.1))
    assert found.largest == pytest.approx(math.hypot(2, 1))
    assert found.equivalent == pytest.approx(math.sqrt(4 * 2 / math.pi))


@pytest.mark.parametrize("name", SAME)
def test_only_size_changes_it(name: str) -> None:
    factor = 2 if name == "twice as large" else 1
    before, after = (measure_diameter(mask) for mask in (blob(300), SAME[name](blob(300))))
    assert after.largest == pytest.approx(factor * before.largest)
    assert after.equivalent == pytest.approx(factor * before.equivalent)


def test_nothing_has_no_diameter() -> None:
    with pytest.raises(ValueError, match="mask is empty"):
        measure_diameter(np.zeros((3, 3), np.bool_))
