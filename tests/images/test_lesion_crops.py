from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dermoscope.images import CROPS, Box, MiddleRule, cut, lesion_crops
from tests.images.scenes import Mask, skin

FULL_OF_60_BY_40 = (10, 0, 50, 40)


def lesion(width: int, height: int, box: Box) -> Mask:
    """A mask whose lesion fills a box."""
    left, top, right, bottom = box
    mask = np.zeros((height, width), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


@st.composite
def images_with_a_lesion(draw: st.DrawFn) -> tuple[Mask, Box]:
    width, height = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    box = (left, top, right, bottom)
    return lesion(width, height, box), box


middle_rules = st.one_of(st.sampled_from(["geometric", "arithmetic"]), st.floats(0.01, 1.0))
margins = st.one_of(st.just(0.0), st.floats(0.0, 2.0))


def contains(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def test_by_hand() -> None:
    # The box of the lesion is 16 × 10 around (28, 20), the image 60 × 40.
    crops = lesion_crops(lesion(60, 40, (20, 15, 36, 25)))
    assert tuple(crops) == CROPS == ("tight", "middle", "full")
    assert crops["tight"] == (20, 12, 36, 28)
    # √(16 · 40) = 25.3
    assert crops["middle"] == (15, 7, 40, 32)
    assert crops["full"] == (8, 0, 48, 40)


@pytest.mark.parametrize(
    ("middle", "side"),
    [("geometric", 25), ("arithmetic", 28), (0.5, 20), (0.7, 28), (1.0, 40), (0.36, 16), (0.1, 16)],
)
def test_side_of_the_middle_square(middle: MiddleRule, side: int) -> None:
    left, top, right, bottom = lesion_crops(lesion(60, 40, (20, 15, 36, 25)), middle=middle)["middle"]
    assert (right - left, bottom - top) == (side, side)


@pytest.mark.parametrize(("margin", "tight"), [(0.0, (20, 12, 36, 28)), (0.25, (16, 8, 40, 32)), (3.0, (8, 0, 48, 40))])
def test_margin_is_added_on_each_side(margin: float, tight: Box) -> None:
    assert lesion_crops(lesion(60, 40, (20, 15, 36, 25)), margin=margin)["tight"] == tight


@pytest.mark.parametrize(
    ("box", "tight"),
    [
        ((0, 0, 10, 4), (0, 0, 10, 10)),
        ((50, 36, 60, 40), (50, 30, 60, 40)),
        ((58, 10, 60, 30), (40, 10, 60, 30)),
    ],
)
def test_squares_are_moved_and_not_shrunk(box: Box, tight: Box) -> None:
    assert lesion_crops(lesion(60, 40, box))["tight"] == tight


def test_a_lesion_longer_than_the_short_side_is_cut_off() -> None:
    crops = lesion_crops(lesion(60, 40, (2, 10, 56, 20)))
    assert set(crops.values()) == {(9, 0, 49, 40)}


def test_the_lesion_need_not_be_in_one_piece() -> None:
    mask = lesion(60, 40, (20, 15, 22, 17)) | lesion(60, 40, (34, 23, 36, 25))
    assert lesion_crops(mask) == lesion_crops(lesion(60, 40, (20, 15, 36, 25)))


@pytest.mark.parametrize("middle", ["geometric", "arithmetic", 0.36])
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_without_a_lesion_all_are_the_full_square_in_the_middle(middle: MiddleRule, margin: float) -> None:
    crops = lesion_crops(np.zeros((40, 60), np.bool_), middle=middle, margin=margin)
    assert list(crops.values()) == [FULL_OF_60_BY_40] * 3


@given(images_with_a_lesion(), middle_rules, margins)
def test_each_square_lies_in_the_image_and_in_the_next(
    image: tuple[Mask, Box], middle: MiddleRule, margin: float
) -> None:
    mask, _ = image
    height, width = mask.shape
    boxes = list(lesion_crops(mask, middle=middle, margin=margin).values())
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert right - left == bottom - top <= min(height, width)
    tight, middle_box, full = boxes
    assert contains(middle_box, tight)
    assert contains(full, middle_box)
    assert full[2] - full[0] == min(height, width)


@given(images_with_a_lesion(), margins)
def test_tight_holds_the_lesion(image: tuple[Mask, Box], margin: float) -> None:
    mask, box = image
    longer = max(box[2] - box[0], box[3] - box[1])
    assume(longer <= min(mask.shape))
    tight = lesion_crops(mask, margin=margin)["tight"]
    assert contains(tight, box)
    assert tight[2] - tight[0] == pytest.approx(min(longer * (1 + 2 * margin), min(mask.shape)), abs=0.5)


@given(images_with_a_lesion(), middle_rules, margins)
def test_squares_are_centred_where_there_is_room(image: tuple[Mask, Box], middle: MiddleRule, margin: float) -> None:
    mask, box = image
    limits = (mask.shape[1], mask.shape[0])
    for crop in lesion_crops(mask, middle=middle, margin=margin).values():
        side = crop[2] - crop[0]
        for axis in (0, 1):
            centre = (box[axis] + box[axis + 2]) / 2
            wanted = math.floor(centre - side / 2)
            assert crop[axis] == min(max(wanted, 0), limits[axis] - side)


@given(images_with_a_lesion(), margins)
def test_the_means_lie_where_they_should(image: tuple[Mask, Box], margin: float) -> None:
    mask, _ = image
    sides = {}
    for rule in ("geometric", "arithmetic"):
        crops = lesion_crops(mask, middle=cast(MiddleRule, rule), margin=margin)
        tight, sides[rule], full = (box[2] - box[0] for box in crops.values())
    assert sides["geometric"] == pytest.approx(math.sqrt(tight * full), abs=0.5)
    assert sides["arithmetic"] == pytest.approx((tight + full) / 2, abs=0.5)


@pytest.mark.parametrize("middle", ["harmonic", 0.0, -0.2, 1.01, math.nan])
def test_an_unknown_rule_is_refused(middle: MiddleRule) -> None:
    with pytest.raises(ValueError, match="middle is"):
        lesion_crops(lesion(60, 40, (20, 15, 36, 25)), middle=middle)


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_a_margin_that_is_none_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin is"):
        lesion_crops(lesion(60, 40, (20, 15, 36, 25)), margin=margin)


@pytest.mark.parametrize("shape", [(40, 60, 3), (40,), (0, 60), (40, 0)])
def test_a_mask_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="mask has shape"):
        lesion_crops(np.ones(shape, np.bool_))


def test_cut_is_a_copy_of_what_is_in_the_box() -> None:
    scene = skin(60, 40)
    part = cut(scene, (5, 10, 25, 30))
    assert np.array_equal(part, scene[10:30, 5:25])
    assert not np.shares_memory(cut(scene, (0, 0, 60, 40)), scene)


def test_cut_averages_when_it_shrinks() -> None:
    scene = np.zeros((40, 60, 3), np.uint8)
    scene[:, ::4] = 200
    assert np.array_equal(cut(scene, (10, 0, 50, 40), 10), np.full((10, 10, 3), 50, np.uint8))


def test_cut_interpolates_when_it_enlarges() -> None:
    scene = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    part = cut(scene, (10, 0, 50, 40), 80)
    assert part.shape == (80, 80, 3)
    assert part.dtype == np.uint8
    assert set(np.diff(part[0, 1:-1, 0].astype(int))) == {2}


def test_cut_to_the_side_it_has() -> None:
    scene = skin(60, 40)
    assert np.array_equal(cut(scene, (10, 0, 50, 40), 40), scene[:, 10:50])


@pytest.mark.parametrize(
    "box", [(-1, 0, 20, 20), (0, 0, 61, 20), (0, -2, 20, 20), (0, 0, 20, 41), (5, 5, 5, 9), (9, 9, 4, 4)]
)
def test_a_box_outside_the_image_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match="not a part of an image of 60 × 40"):
        cut(skin(60, 40), box)
