"""B: the length of a border for its area."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from dermoscope.measures import compactness, shape_of
from tests.measures.shapes import SAME, Mask, blob, ellipse


def measured(mask: Mask) -> float:
    return compactness(shape_of(mask))


@pytest.mark.parametrize("radius", [10, 20, 64, 200, 500])
def test_a_circle_is_one(radius: int) -> None:
    assert measured(ellipse(1024, radius, radius)) == pytest.approx(1, abs=0.025)


@pytest.mark.parametrize("angle", [0, 23, 45, 70])
@pytest.mark.parametrize("long", [60, 150, 400])
def test_an_ellipse_by_ramanujan(long: int, angle: int) -> None:
    short = long / 2
    third = ((long - short) / (long + short)) ** 2
    perimeter = math.pi * (long + short) * (1 + 3 * third / (10 + math.sqrt(4 - 3 * third)))
    expected = perimeter**2 / (4 * math.pi * math.pi * long * short)
    assert expected == pytest.approx(1.189, abs=0.001)
    assert measured(ellipse(1024, long, short, angle)) == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize("side", [100, 400])
def test_a_square_loses_only_its_corners(side: int) -> None:
    mask = np.zeros((512, 512), np.bool_)
    mask[50 : 50 + side, 50 : 50 + side] = True
    assert 0.96 * 4 / math.pi < measured(mask) < 4 / math.pi


def test_a_scalloped_border_by_its_arc_length() -> None:
    angles = np.linspace(0, 2 * math.pi, 20_001)
    radius = 150 * (1 + 0.2 * np.cos(8 * angles))
    points = np.stack([256 + radius * np.cos(angles), 256 + radius * np.sin(angles)], axis=1)
    mask = np.zeros((512, 512), np.uint8)
    cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
    length = np.hypot(*np.diff(points, axis=0).T).sum()
    area = np.trapezoid(radius**2, angles) / 2
    assert measured(mask > 0) == pytest.approx(length**2 / (4 * math.pi * area), rel=0.03)


@pytest.mark.parametrize("name", SAME)
def test_nothing_changes_when_the_image_is(name: str) -> None:
    mask = blob(400)
    assert measured(SAME[name](mask)) == pytest.approx(measured(mask), rel=0.005)


def test_a_lesion_that_fills_the_image_is_a_rectangle() -> None:
    assert measured(np.ones((300, 400), np.bool_)) == pytest.approx(1400**2 / (4 * math.pi * 120_000), rel=0.04)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 2)])
def test_specks_and_lines_are_survived(shape: tuple[int, int]) -> None:
    assert 1 <= measured(np.ones(shape, np.bool_)) < 1000
