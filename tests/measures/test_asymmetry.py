"""A: shapes that fold onto themselves, and shapes that do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dermoscope.measures import measure_asymmetry, shape_of
from tests.measures.shapes import SAME, Mask, blob, ellipse, half_disc


def both(mask: Mask) -> tuple[float, float]:
    found = measure_asymmetry(shape_of(mask))
    return found.long_axis, found.short_axis


@pytest.mark.parametrize("radius", [5, 40, 300])
def test_a_circle_is_symmetric(radius: int) -> None:
    assert both(ellipse(700, radius, radius)) == pytest.approx((0, 0), abs=0.002)


@pytest.mark.parametrize("angle", [0, 17, 45, 90, 160])
@pytest.mark.parametrize("short", [60, 180])
def test_an_ellipse_is_symmetric_however_it_lies(short: int, angle: int) -> None:
    assert both(ellipse(500, 200, short, angle)) == pytest.approx((0, 0), abs=0.01)


def test_half_a_disc_by_hand() -> None:
    # Its long axis is parallel to the flat side, 4/(3π) of the radius away. A column of height h above the flat side
    # and its mirror image share 2c where h reaches beyond 2c, else 2(h - c) where h reaches beyond c, else nothing.
    centre = 4 / (3 * math.pi)
    heights = np.sqrt(1 - np.linspace(-1, 1, 100_001) ** 2)
    shared = np.where(heights >= 2 * centre, 2 * centre, 2 * np.maximum(heights - centre, 0)).mean() * 2
    expected = 1 - shared / (math.pi / 2)
    assert expected == pytest.approx(0.186, abs=0.001)
    assert both(half_disc(500, 200)) == pytest.approx((expected, 0), abs=0.005)
    assert measure_asymmetry(shape_of(half_disc(500, 200))).mean == pytest.approx(expected / 2, abs=0.005)


def test_an_l_is_less_symmetric_than_a_disc_with_a_bite() -> None:
    corner = np.zeros((300, 300), np.bool_)
    corner[50:250, 50:110] = corner[190:250, 50:250] = True
    bitten = ellipse(300, 100, 100)
    bitten[100:140, 200:] = False
    assert max(both(corner)) > 0.3 > max(both(bitten)) > 0.005


@pytest.mark.parametrize("name", SAME)
def test_nothing_changes_when_the_image_is(name: str) -> None:
    mask = blob(400)
    assert min(both(mask)) > 0.02
    assert both(SAME[name](mask)) == pytest.approx(both(mask), abs=0.005)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3), (300, 400)])
def test_a_mask_of_pixels_lines_or_everything_is_symmetric(shape: tuple[int, int]) -> None:
    assert both(np.ones(shape, np.bool_)) == pytest.approx((0, 0), abs=0.02)
