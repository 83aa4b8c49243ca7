"""Prompts from the truth land where a person would put them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.segment.simulated import click_inside, ground_truth_box, jittered_box, next_click

EMPTY = np.zeros((40, 60), np.bool_)


def block(left: int, top: int, right: int, bottom: int) -> NDArray[np.bool_]:
    mask = EMPTY.copy()
    mask[top:bottom, left:right] = True
    return mask


def test_the_box_ends_after_the_last_pixel() -> None:
    assert ground_truth_box(block(10, 5, 30, 25)).points.tolist() == [[10, 5], [30, 25]]


def test_a_jittered_box_stays_in_the_image_and_near_the_truth() -> None:
    random = np.random.default_rng(0)
    boxes = np.array([jittered_box(block(2, 1, 58, 39), random).points.ravel() for _ in range(200)])
    assert (boxes >= 0).all()
    assert (boxes <= (60, 40, 60, 40)).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert np.abs(np.median(boxes, axis=0) - (2, 1, 58, 39)).max() < 2
    assert boxes.std(axis=0).min() > 1


def test_no_move_is_larger_than_the_limit() -> None:
    random = np.random.default_rng(0)
    boxes = [jittered_box(block(20, 10, 40, 30), random, deviation=1.0, largest=5.0).points.ravel() for _ in range(99)]
    assert np.abs(np.array(boxes) - (20, 10, 40, 30)).max() == pytest.approx(3.0)


@pytest.mark.parametrize("function", [ground_truth_box, click_inside])
def test_nothing_to_point_at(function: object) -> None:
    with pytest.raises(ValueError, match=r"empty mask"):
        function(EMPTY)  # type: ignore[operator]


def test_the_click_is_in_the_middle_of_a_region_or_well_inside() -> None:
    mask = block(10, 5, 31, 26)
    assert click_inside(mask) == (20, 15)
    random = np.random.default_rng(0)
    drawn = np.array([click_inside(mask, random) for _ in range(100)])
    assert len(np.unique(drawn, axis=0)) > 20
    assert np.abs(drawn - (20, 15)).max() <= 5


def test_a_region_that_fills_the_image_is_clicked_in_its_middle() -> None:
    x, y = click_inside(~EMPTY)
    assert 15 <= x <= 44
    assert 19 <= y <= 20


@pytest.mark.parametrize(
    ("predicted", "truth", "where", "label"),
    [
        (EMPTY, block(10, 5, 31, 26), (20, 15), 1),
        (block(10, 5, 31, 26), EMPTY, (20, 15), 0),
        (block(0, 0, 20, 20), block(0, 0, 20, 20) | block(30, 10, 41, 21) | block(50, 30, 53, 33), (35, 15), 1),
        (block(0, 0, 20, 20) | block(30, 10, 41, 21), block(0, 0, 20, 20) | block(50, 30, 53, 33), (35, 15), 0),
    ],
)
def test_the_largest_mistake_is_corrected_first(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], where: tuple[int, int], label: int
) -> None:
    assert next_click(predicted, truth) == (where, label)


def test_no_mistake_needs_no_click() -> None:
    assert next_click(block(1, 1, 9, 9), block(1, 1, 9, 9)) is None
