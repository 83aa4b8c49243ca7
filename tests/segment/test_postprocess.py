"""A finished mask is one piece without holes, at the size of the original, smooth and within memory."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dermoscope.segment.postprocess import chosen_pieces, finish_mask, largest_piece


def cone(side: int, x: float, y: float, radius: float) -> NDArray[np.float32]:
    """Logits that fall linearly from the middle of a disc and cross zero at its edge."""
    rows, columns = np.mgrid[:side, :side]
    return np.asarray(radius - np.hypot(columns - x, rows - y), np.float32)


@pytest.mark.parametrize(("width", "height"), [(112, 112), (256, 192), (1024, 1024), (1500, 2000), (60, 40)])
def test_a_disc_becomes_the_ellipse_it_stands_for(width: int, height: int) -> None:
    done = finish_mask(cone(112, 55.5, 55.5, 30), width, height)
    assert done is not None
    assert done.mask.shape == (height, width)
    assert done.mask.dtype == np.bool_
    across, down = 30 / 112 * width, 30 / 112 * height
    rows, columns = np.ogrid[:height, :width]
    truth = ((columns + 0.5 - width / 2) / across) ** 2 + ((rows + 0.5 - height / 2) / down) ** 2 <= 1
    assert 2 * (done.mask & truth).sum() / (done.mask.sum() + truth.sum()) > 0.985
    assert done.area_fraction == pytest.approx(np.pi * 30**2 / 112**2, rel=0.03)
    assert done.box == pytest.approx(
        (width / 2 - across, height / 2 - down, width / 2 + across, height / 2 + down), abs=max(2, width / 200)
    )


@pytest.mark.parametrize(("width", "height"), [(256, 256), (1300, 1300)])
def test_small_islands_go_and_holes_close(width: int, height: int) -> None:
    logits = np.maximum(cone(112, 40, 40, 25), cone(112, 95, 95, 6))
    logits[38:43, 38:43] = -4
    done = finish_mask(logits, width, height)
    assert done is not None
    assert done.mask[round(40.5 / 112 * height), round(40.5 / 112 * width)]
    assert not done.mask[round(95.5 / 112 * height), round(95.5 / 112 * width)]
    count, _ = cv2.connectedComponents(done.mask.astype(np.uint8), connectivity=4)
    assert count == 2
    assert len(done.outline) == 1


def test_no_positive_logit_means_no_mask() -> None:
    assert finish_mask(np.full((64, 64), -1, np.float32), 300, 200) is None


def test_the_box_is_exclusive_and_exact() -> None:
    logits = np.full((40, 60), -1, np.float32)
    logits[10:20, 15:45] = 1
    done = finish_mask(logits, 60, 40)
    assert done is not None
    assert done.box == (15, 10, 45, 20)
    assert done.area_fraction == pytest.approx(300 / 2400)


def test_a_lesion_that_fills_the_image_touches_every_side() -> None:
    done = finish_mask(np.ones((64, 64), np.float32), 2000, 1000)
    assert done is not None
    assert done.mask.all()
    assert done.box == (0, 0, 2000, 1000)


@pytest.mark.parametrize("size", [(400, 300), (2400, 1800)])
def test_the_outline_redraws_the_mask(size: tuple[int, int]) -> None:
    logits = np.maximum(cone(112, 45, 50, 22), cone(112, 65, 60, 25))
    done = finish_mask(logits, *size)
    assert done is not None
    drawn = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(drawn, [np.array(polygon, np.int32) for polygon in done.outline], 1)
    assert 2 * (done.mask & (drawn > 0)).sum() / (done.mask.sum() + drawn.sum()) > 0.985
    points = [point for polygon in done.outline for point in polygon]
    assert len(points) < 200
    assert all(type(x) is int and 0 <= x < size[0] and 0 <= y < size[1] for x, y in points)


def test_large_originals_stay_within_bounded_memory() -> None:
    width, height = 9000, 7000
    tracemalloc.start()
    done = finish_mask(cone(112, 55, 55, 30), width, height)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done is not None
    assert peak < 2.2 * width * height  # bytes: the mask itself, and less than a float32 image


def test_enlarging_in_strips_equals_enlarging_at_once() -> None:
    logits = cone(112, 50, 60, 28)
    done = finish_mask(logits, 3000, 2500)
    assert done is not None
    bounded = cv2.resize(logits, (1024, 853))
    at_once = cv2.resize(bounded, (3000, 2500)) > 0
    assert (done.mask != at_once).mean() < 1e-4


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
)
def test_every_finished_mask_is_one_filled_piece(seed: int, width: int, height: int) -> None:
    noise = np.random.default_rng(seed).normal(size=(28, 28)).astype(np.float32)
    done = finish_mask(noise, width, height)
    if done is None:
        return
    left, top, right, bottom = done.box
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert not done.mask[:top].any()
    assert not done.mask[bottom:].any()
    pieces, _ = cv2.connectedComponents(done.mask.astype(np.uint8), connectivity=4)
    assert pieces == 2
    around = np.pad(~done.mask, 1, constant_values=True).astype(np.uint8)
    outside, _ = cv2.connectedComponents(around, connectivity=8)
    assert outside == 2


def test_pieces_that_touch_at_a_corner_are_two() -> None:
    mask = np.zeros((4, 4), np.bool_)
    mask[0, 0] = True
    mask[1:3, 1:3] = True
    assert int(largest_piece(mask).sum()) == 4


def points(*where: tuple[float, float]) -> NDArray[np.float32]:
    return np.array(where, np.float32)


def three_pieces() -> NDArray[np.float32]:
    """Discs with radius 20, 12 and 4: the second has 36 % of the first one's area, the third 4 %."""
    discs = [cone(112, 30, 30, 20), cone(112, 80, 80, 12), cone(112, 90, 20, 4)]
    return np.asarray(np.max(discs, axis=0), np.float32)


@pytest.mark.parametrize(
    ("further", "there"),
    [(None, (True, False, False)), (0.2, (True, True, False)), (0.5, (True, False, False)), (0.0, (True, True, True))],
)
def test_further_pieces_are_kept_from_a_share_of_the_largest_on(
    further: float | None, there: tuple[bool, bool, bool]
) -> None:
    for width in (224, 2240):
        done = finish_mask(three_pieces(), width, width, further_pieces=further)
        assert done is not None
        unit = width / 112
        at = [(30, 30), (80, 80), (90, 20)]
        assert tuple(bool(done.mask[round(y * unit), round(x * unit)]) for x, y in at) == there
        assert len(done.outline) == sum(there)


def test_a_piece_under_a_click_is_kept() -> None:
    done = finish_mask(three_pieces(), 1120, 1120, inside=points((905, 205), (600, 100)))
    assert done is not None
    assert done.mask[205, 905]
    assert not done.mask[805, 805]
    assert not done.mask[100, 600], "a click beside every piece adds nothing"


@pytest.mark.parametrize("click", [(0, 0), (1119, 1119), (-0.5, 1119.4)])
def test_a_click_on_the_rim_is_in_the_image(click: tuple[float, float]) -> None:
    done = finish_mask(three_pieces(), 1120, 1120, inside=points(click), outside=points(click))
    assert done is not None
    assert len(done.outline) == 1


def test_a_hole_under_a_background_click_stays_open() -> None:
    logits = cone(112, 56, 56, 40)
    logits[50:55, 40:45] = -4
    logits[50:55, 65:70] = -4
    for width in (448, 2240):
        unit = width / 112
        done = finish_mask(logits, width, width, outside=points((42.5 * unit, 52.5 * unit)))
        assert done is not None
        assert not done.mask[round(52.5 * unit), round(42.5 * unit)]
        assert done.mask[round(52.5 * unit), round(67.5 * unit)]


def test_an_empty_mask_has_no_pieces() -> None:
    assert not chosen_pieces(np.zeros((4, 4), np.bool_), 0.2, np.array([[1, 1]])).any()
