"""Prompts land where a person would put them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.segment.prompts import (
    BOX_LABELS,
    LESION_LABEL,
    Prompt,
    automatic_prompts,
    bright_extremum,
    cam_box,
    centre,
    clicks,
    dark_extremum,
    saliency_box,
    saliency_boxes,
    saliency_point,
)

WIDTH, HEIGHT = 256, 192
SKIN = (224, 180, 160)
LESION = (120, 70, 50)
EVERYTHING = np.ones((HEIGHT, WIDTH), np.bool_)


def picture(x: int, y: int, radius: int) -> NDArray[np.uint8]:
    """Skin with one round dark lesion."""
    rgb = np.full((HEIGHT, WIDTH, 3), SKIN, np.uint8)
    cv2.circle(rgb, (x, y), radius, LESION, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), 1.5), np.uint8)


def plateau(left: int, top: int, right: int, bottom: int, value: float = 0.9) -> NDArray[np.float32]:
    saliency = np.full((72, 96), 0.01, np.float32)
    saliency[top:bottom, left:right] = value
    return saliency


def box_of(prompt: Prompt) -> tuple[float, float, float, float]:
    left, top, right, bottom = prompt.points.ravel().tolist()
    return left, top, right, bottom


@pytest.mark.parametrize(("x", "y", "radius"), [(128, 96, 40), (100, 80, 15), (150, 110, 60)])
def test_the_first_box_fits_the_lesion(x: int, y: int, radius: int) -> None:
    left, top, right, bottom = box_of(automatic_prompts(picture(x, y, radius))[0])
    tolerance = 0.25 * radius + 4
    assert (left, top, right, bottom) == pytest.approx((x - radius, y - radius, x + radius, y + radius), abs=tolerance)


def test_four_boxes_with_distinct_names_inside_the_image() -> None:
    prompts = automatic_prompts(picture(60, 60, 50))
    assert len({prompt.name for prompt in prompts}) == len(prompts) == 4
    for prompt in prompts:
        assert tuple(prompt.labels) == BOX_LABELS
        assert prompt.points.dtype == np.float32
        left, top, right, bottom = box_of(prompt)
        assert 0 <= left < right <= WIDTH
        assert 0 <= top < bottom <= HEIGHT


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_image_still_gives_prompts(level: int) -> None:
    for prompt in automatic_prompts(np.full((HEIGHT, WIDTH, 3), level, np.uint8)):
        assert np.isfinite(prompt.points).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 256), (3, 2), (256, 1)])
def test_tiny_and_thin_images_give_prompts(shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    assert len(automatic_prompts(rgb)) == 4


def test_margin_is_a_share_of_the_region() -> None:
    saliency = plateau(24, 18, 72, 54)
    tight = box_of(saliency_box(saliency, 960, 720, threshold=0.5, margin=0.0))
    wide = box_of(saliency_box(saliency, 960, 720, threshold=0.5, margin=0.1))
    assert tight == pytest.approx((240, 180, 720, 540))
    assert wide == pytest.approx((192, 144, 768, 576))


def test_lower_thresholds_give_boxes_that_contain_those_of_higher_ones() -> None:
    saliency = plateau(20, 15, 76, 57, 0.35)
    saliency[25:47, 36:60] = 0.9
    high = box_of(saliency_box(saliency, 96, 72, threshold=0.7, margin=0.0))
    low = box_of(saliency_box(saliency, 96, 72, threshold=0.3, margin=0.0))
    assert low[0] < high[0]
    assert low[1] < high[1]
    assert low[2] > high[2]
    assert low[3] > high[3]


def test_a_thin_tail_does_not_widen_the_first_box() -> None:
    saliency = plateau(36, 26, 60, 46)
    saliency[35:37, 60:90] = 0.9
    first, second = (box_of(prompt) for prompt in saliency_boxes(saliency, 96, 72)[:2])
    assert first[2] < 64
    assert second[2] >= 90


def test_a_saliency_of_zero_gives_the_whole_image() -> None:
    nothing = np.zeros((72, 96), np.float32)
    assert box_of(saliency_box(nothing, 256, 192, threshold=0.5, margin=0.1)) == (0, 0, 256, 192)


def test_extrema_find_the_dark_lesion_and_the_bright_spot() -> None:
    rgb = picture(90, 100, 25)
    cv2.circle(rgb, (190, 70), 14, (255, 255, 255), cv2.FILLED)
    dark, bright = dark_extremum(rgb, EVERYTHING), bright_extremum(rgb, EVERYTHING)
    assert np.hypot(*(dark.points[0] - (90, 100))) < 20
    assert np.hypot(*(bright.points[0] - (190, 70))) < 12
    assert tuple(dark.labels) == tuple(bright.labels) == (LESION_LABEL,)


def test_the_dark_extremum_keeps_away_from_frame_border_and_hair() -> None:
    rgb = picture(128, 96, 25)
    view = EVERYTHING.copy()
    rgb[:, :40] = 0
    view[:, :40] = False
    rgb[-6:] = 0
    cv2.line(rgb, (60, 30), (240, 40), (0, 0, 0), 2)
    assert np.hypot(*(dark_extremum(rgb, view).points[0] - (128, 96))) < 20


def test_extrema_work_where_the_view_is_a_sliver() -> None:
    view = np.zeros((HEIGHT, WIDTH), np.bool_)
    view[90:93] = True
    assert 90 <= dark_extremum(picture(128, 96, 25), view).points[0, 1] < 93


def test_centre_and_peak() -> None:
    assert centre(11, 7).points.tolist() == [[5.0, 3.0]]
    saliency = np.zeros((72, 96), np.float32)
    saliency[10, 20] = 1
    assert saliency_point(saliency, 960, 720).points[0] == pytest.approx((204.5, 104.5))


@pytest.mark.parametrize(
    ("points", "labels", "box", "name", "kinds"),
    [
        ([[3, 4]], [1], None, "clicks", [1]),
        ([], [], (1, 2, 30, 40), "box", [2, 3]),
        ([[3, 4], [5, 6]], [1, 0], (1, 2, 30, 40), "box and clicks", [2, 3, 1, 0]),
        ([], [], None, "no prompt", []),
    ],
)
def test_what_a_person_gives(
    points: list[list[int]], labels: list[int], box: tuple[int, int, int, int] | None, name: str, kinds: list[int]
) -> None:
    prompt = clicks(points, labels, box=box)
    assert prompt.name == name
    assert prompt.labels.tolist() == kinds
    assert prompt.points.shape == (len(kinds), 2)


@pytest.mark.parametrize(
    ("points", "labels", "message"), [([[1, 2]], [1, 0], r"1 points need as many labels"), ([[1, 2]], [2], r"labels")]
)
def test_clicks_that_make_no_sense(points: list[list[int]], labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clicks(points, labels)


def test_a_cam_box_lies_around_what_is_most_active() -> None:
    cam = np.zeros((10, 20), np.float32)
    cam[2:6, 4:12] = 3.0  # an activation has no fixed scale
    cam[8, 18] = 1.0  # below four tenths of the highest
    prompt = cam_box(cam, width=200, height=100)
    assert prompt.name == "CAM box"
    np.testing.assert_allclose(prompt.points, [[36, 18], [124, 62]], atol=1e-4)
    nothing = cam_box(np.zeros((10, 20), np.float32), width=200, height=100)
    assert nothing.points.tolist() == [[0, 0], [200, 100]]
