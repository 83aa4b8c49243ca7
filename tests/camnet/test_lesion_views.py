"""Squares are cut where the mask is, from images that were cleaned first."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dermoscope.camnet.lesion_views import Cleaning, CropRules, lesion_views
from dermoscope.data.manifest import Record
from dermoscope.images import decode, read_mask
from dermoscope.images.lesion_crops import CROPS, cut, lesion_crops
from dermoscope.segment.classical import classical_mask
from tests.training.tiny_crops import diagnosed, mask_share

THREE = CropRules(names=("tight", "middle", "full"))
PLAIN = Cleaning(outer_circle=False)


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return diagnosed(tmp_path / "images", ("train",) * 4)


def test_squares_are_those_of_the_mask(records: list[Record]) -> None:
    rgb, mask = decode(records[0].path).rgb, read_mask(records[0].mask_path or Path())
    squares, lesions, _ = lesion_views(rgb, mask, PLAIN, THREE, 40)
    assert squares.shape == (3, 40, 40, 3)
    assert lesions.shape == (3, 40, 40)
    boxes = lesion_crops(mask)
    for place, name in enumerate(CROPS):
        np.testing.assert_array_equal(squares[place], cut(rgb, boxes[name], 40))
    assert mask_share(lesions[0]) > mask_share(lesions[1]) > mask_share(lesions[2]) > 0
    dark = cv2.cvtColor(squares[0], cv2.COLOR_RGB2GRAY) < 140
    assert np.mean(dark == (lesions[0] > 127)) > 0.95


def test_the_outer_circle_takes_the_mask_with_it() -> None:
    rgb = np.zeros((120, 160, 3), np.uint8)
    cv2.circle(rgb, (80, 60), 55, (220, 180, 160), cv2.FILLED)
    mask = np.zeros((120, 160), np.uint8)
    cv2.circle(mask, (90, 60), 15, 1, cv2.FILLED)
    rgb[mask > 0] = (100, 60, 40)
    squares, lesions, _ = lesion_views(rgb, mask > 0, Cleaning(), CropRules(), 64)
    assert squares[0].min() > 30  # no frame is left
    dark = cv2.cvtColor(squares[0], cv2.COLOR_RGB2GRAY) < 120
    assert np.mean(dark == (lesions[0] > 127)) > 0.98


def test_a_lesion_may_be_found_in_the_image(records: list[Record]) -> None:
    rgb, truth = decode(records[0].path).rgb, read_mask(records[0].mask_path or Path())
    crops = CropRules(names=("tight", "full"))
    squares, *_ = lesion_views(rgb, None, PLAIN, crops, 40, find=classical_mask)
    expected, *_ = lesion_views(rgb, truth, PLAIN, crops, 40)
    assert np.abs(squares[0].astype(int) - expected[0]).mean() < 25


def test_without_a_lesion_every_square_is_the_full_one(records: list[Record]) -> None:
    rgb = decode(records[0].path).rgb
    squares, lesions, _ = lesion_views(rgb, np.zeros(rgb.shape[:2], np.bool_), PLAIN, THREE, 40)
    np.testing.assert_array_equal(squares[0], squares[2])
    assert not lesions.any()


@pytest.mark.parametrize("what", ["hair", "colour_constancy"])
def test_cleaning_changes_what_is_cut(records: list[Record], what: str) -> None:
    rgb, mask = decode(records[0].path).rgb.copy(), read_mask(records[0].mask_path or Path())
    rgb = np.asarray(cv2.resize(rgb, None, fx=6, fy=6), np.uint8)
    mask = np.asarray(cv2.resize(mask.astype(np.uint8), None, fx=6, fy=6) > 0)
    for start in range(20, 360, 60):
        cv2.line(rgb, (start, 5), (start + 40, 280), (30, 20, 18), 2, cv2.LINE_AA)
    plain, *_ = lesion_views(rgb, mask, PLAIN, CropRules(), 64)
    cleaned, *_ = lesion_views(rgb, mask, Cleaning(outer_circle=False, **{what: True}), CropRules(), 64)
    assert not np.array_equal(plain, cleaned)


def test_a_crop_stands_there_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        CropRules(names=("tight", "tight"))


def test_boxes_are_of_the_image_as_it_came() -> None:
    rgb = np.zeros((120, 160, 3), np.uint8)
    cv2.circle(rgb, (80, 60), 55, (220, 180, 160), cv2.FILLED)
    mask = np.zeros((120, 160), np.bool_)
    mask[50:60, 90:100] = True
    names = CropRules(names=("tight", "full", "whole", "look"))
    views = lesion_views(rgb, mask, Cleaning(), names, 32, look=(70, 40, 110, 80))
    tight, full, whole, look = views.boxes
    assert tight == (90, 50, 100, 60)
    assert look == (70, 40, 110, 80)
    assert whole[0] > 20  # the frame is cut off
    assert full[0] >= whole[0]
    assert full[3] - full[1] == min(whole[2] - whole[0], whole[3] - whole[1])
    np.testing.assert_array_equal(views.squares[3], cut(rgb, (70, 40, 110, 80), 32))


def test_the_whole_image_is_squashed_and_needs_no_mask() -> None:
    rgb = np.zeros((40, 80, 3), np.uint8)
    rgb[:, 40:] = 200
    views = lesion_views(rgb, None, PLAIN, CropRules(names=("whole",)), 20)
    assert views.boxes == ((0, 0, 80, 40),)
    assert (views.squares[0, :, :9].max(), views.squares[0, :, 11:].min()) == (0, 200)


def test_a_look_that_sticks_out_of_what_is_left_is_shortened() -> None:
    rgb = np.zeros((120, 160, 3), np.uint8)
    cv2.circle(rgb, (80, 60), 55, (220, 180, 160), cv2.FILLED)
    views = lesion_views(rgb, None, Cleaning(), CropRules(names=("look", "whole")), 32, look=(0, 0, 100, 100))
    look, whole = views.boxes
    assert look == (whole[0], whole[1], 100, 100)


def test_a_look_needs_a_box() -> None:
    with pytest.raises(ValueError, match="needs a box"):
        lesion_views(np.zeros((9, 9, 3), np.uint8), None, PLAIN, CropRules(names=("look",)), 8)
