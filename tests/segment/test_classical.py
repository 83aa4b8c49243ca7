"""Classical image processing finds a plain lesion, and never fails on anything else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dermoscope.segment.classical import (
    best_union,
    classical_mask,
    clean_region,
    different_groups,
    flooded_region,
    most_agreeing,
)
from tests.images.scenes import DARK_SKIN, LIGHT_SKIN, RGB, Mask, disc, framed, skin, with_lesion

SIZE = (600, 450)


def dice(first: Mask, second: Mask) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def with_ellipse(rgb: RGB, centre: tuple[int, int], axes: tuple[int, int], colour: tuple[int, int, int]) -> Mask:
    """Draw a lesion into the scene, darker as the texture of the skin is; returns where it is."""
    drawn = np.zeros(rgb.shape[:2], np.uint8)
    cv2.ellipse(drawn, centre, axes, 25, 0, 360, 1, cv2.FILLED)
    where = drawn > 0
    rgb[where] = (rgb[where] * (np.array(colour) / LIGHT_SKIN)).clip(0, 255).astype(np.uint8)
    return where


def pieces(mask: Mask) -> int:
    return int(cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0]) - 1


@pytest.mark.parametrize("radius", [60, 120])
@pytest.mark.parametrize("skin_colour", [LIGHT_SKIN, DARK_SKIN], ids=["light skin", "dark skin"])
def test_a_lesion_inside_a_dark_frame(radius: int, skin_colour: tuple[int, int, int]) -> None:
    rgb = framed(with_lesion(skin(*SIZE, skin_colour), radius, (45, 25, 22)), 290)
    found = classical_mask(rgb)
    assert found.shape == rgb.shape[:2]
    assert found.dtype == np.bool_
    assert dice(found, disc(*SIZE, radius)) > 0.9
    assert not (found & ~disc(*SIZE, 290)).any()


@pytest.mark.parametrize(
    "colour", [(95, 60, 45), (185, 110, 100), (150, 105, 70)], ids=["brown", "pink", "light brown"]
)
def test_a_lesion_away_from_the_middle(colour: tuple[int, int, int]) -> None:
    rgb = skin(*SIZE)
    lesion = with_ellipse(rgb, (260, 260), (110, 70), colour)
    assert dice(classical_mask(rgb), lesion) > 0.9


def test_a_lesion_of_two_colours_is_one_lesion() -> None:
    rgb = skin(*SIZE)
    lesion = with_ellipse(rgb, (300, 225), (130, 100), (150, 95, 70))
    with_ellipse(rgb, (300, 200), (50, 40), (120, 80, 70))
    assert dice(classical_mask(rgb), lesion) > 0.9


def test_neither_a_sticker_nor_a_spot_beside_it_is_the_lesion() -> None:
    rgb = skin(*SIZE)
    lesion = with_ellipse(rgb, (290, 220), (70, 45), (110, 70, 55))
    cv2.circle(rgb, (590, 200), 175, (235, 60, 40), cv2.FILLED)  # larger than the lesion
    cv2.circle(rgb, (290, 120), 14, (90, 60, 50), cv2.FILLED)
    found = classical_mask(rgb)
    assert dice(found, lesion) > 0.9
    assert pieces(found) == 1


def test_a_pale_spot_in_a_lesion_is_lesion() -> None:
    rgb = skin(*SIZE)
    lesion = with_ellipse(rgb, (300, 225), (130, 100), (110, 70, 55))
    cv2.circle(rgb, (300, 225), 30, LIGHT_SKIN, cv2.FILLED)
    found = classical_mask(rgb)
    assert found[225, 300]
    assert dice(found, lesion) > 0.9


@pytest.mark.parametrize("width", [40, 150, 1200])
def test_the_resolution_does_not_matter(width: int) -> None:
    height = round(width * 0.75)
    radius = 0.15 * width
    found = classical_mask(with_lesion(skin(width, height), radius))
    assert dice(found, disc(width, height, radius)) > 0.94


def test_the_answer_is_the_same_every_time() -> None:
    rgb = with_lesion(skin(*SIZE), 70)
    assert np.array_equal(classical_mask(rgb), classical_mask(rgb))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), LIGHT_SKIN], ids=["black", "white", "skin"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3000, 1), (40, 60), (450, 600)])
def test_one_colour_has_no_lesion(shape: tuple[int, int], colour: tuple[int, int, int]) -> None:
    found = classical_mask(np.full((*shape, 3), colour, np.uint8))
    assert found.shape == shape
    assert not found.any()


def test_a_frame_with_almost_nothing_inside() -> None:
    rgb = framed(skin(*SIZE), 30)
    found = classical_mask(rgb)
    assert found.dtype == np.bool_
    assert found.shape == rgb.shape[:2]


def halves() -> tuple[Mask, Mask]:
    """The left and the right half of a rectangle in the middle of 60 × 80 pixels."""
    left, right = np.zeros((60, 80), np.bool_), np.zeros((60, 80), np.bool_)
    left[20:40, 20:40] = right[20:40, 40:60] = True
    return left, right


def on_skin(lesion: Mask) -> NDArray[np.float32]:
    """A Lab image with a dark lesion."""
    lab = np.full((*lesion.shape, 3), (75, 15, 18), np.float32)
    lab[lesion] = (40, 20, 10)
    return lab


def test_the_flood_ends_where_the_colour_changes() -> None:
    lesion = disc(256, 192, 40)
    rgb = np.where(lesion[..., None], (120, 80, 60), (220, 170, 150)).astype(np.uint8)
    everything = np.ones(lesion.shape, np.bool_)
    assert dice(flooded_region(rgb, everything), lesion) > 0.95
    speck = np.where(disc(256, 192, 1)[..., None], (120, 80, 60), (220, 170, 150)).astype(np.uint8)
    assert np.array_equal(flooded_region(speck, everything), disc(256, 192, 1))  # nothing is left of it to flood from


def test_the_frame_is_not_flooded() -> None:
    lesion, view = disc(256, 192, 30), disc(256, 192, 80)
    rgb = np.where(lesion[..., None], (120, 80, 60), (220, 170, 150)).astype(np.uint8)
    rgb[~view] = 0
    found = flooded_region(rgb, view)
    assert dice(found, lesion) > 0.9
    assert not (found & ~view).any()


@pytest.mark.parametrize("count", [2, 3, 4])
def test_groups_grow_from_the_most_different_colour(count: int) -> None:
    """Rings of as many colours, the darkest in the middle."""
    rings = [disc(160, 160, radius) for radius in (78, 64, 45)][: count - 1]
    lab = np.full((160, 160, 3), (75, 15, 18), np.float32)
    lab += np.random.default_rng(2).normal(0, 1, lab.shape).astype(np.float32)
    for ring in rings:
        lab[ring] -= (12, 0, 0)
    groups = different_groups(lab, np.ones((160, 160), np.bool_), np.array([75, 15, 18], np.float32), count)
    assert len(groups) == count - 1
    assert all(dice(group, ring) > 0.97 for group, ring in zip(groups, reversed(rings), strict=True))


def test_groups_stay_inside_the_view() -> None:
    lesion, view = disc(160, 120, 20), disc(160, 120, 50)
    lab = on_skin(lesion)
    lab[~view] = 0
    for group in different_groups(lab, view, np.array([75, 15, 18], np.float32), 4):
        assert not (group & ~view).any()
        assert group[lesion].all()


def test_groups_of_a_single_pixel() -> None:
    view = np.zeros((20, 20), np.bool_)
    view[3, 4] = True
    groups = different_groups(on_skin(~view), view, np.array([75, 15, 18], np.float32), 4)
    assert not any((group & ~view).any() for group in groups)


def test_the_region_that_most_others_resemble() -> None:
    left, right = halves()
    lesion, empty = left | right, np.zeros_like(left)
    assert most_agreeing([left, lesion, empty], [lesion]) is lesion
    assert most_agreeing([left, right], [left]) is left


def test_cleaning() -> None:
    central = np.zeros((100, 100), np.float32)
    central[:, 20:] = 1
    region = np.zeros((100, 100), np.bool_)
    region[40:70, 40:70] = True
    whole = clean_region(region, central)
    assert np.count_nonzero(whole != region) < 30  # corners are rounded
    region[50:60, 50:60] = False  # a hole
    region[20, 40:80] = True  # a hair
    region[10:25, 2:14] = True  # a piece where no lesion is likely
    assert np.array_equal(clean_region(region, central), whole)


def test_two_halves_are_joined_and_what_holds_skin_is_not() -> None:
    left, right = halves()
    lesion = left | right
    view = np.ones(lesion.shape, np.bool_)
    too_large = np.zeros(lesion.shape, np.bool_)
    too_large[5:55, 5:75] = True
    joined = best_union([left, right, np.zeros_like(left)], on_skin(lesion), view)
    assert joined is not None
    assert np.array_equal(joined, lesion)
    small = best_union([too_large, lesion, left], on_skin(lesion), view)
    assert small is not None
    assert np.array_equal(small, lesion)


def test_where_nothing_becomes_more_even_agreement_and_area_decide() -> None:
    """On one colour the score is the share outside plus the mean IoU with the three."""
    even, view = np.full((60, 80, 3), 50, np.float32), np.ones((60, 80), np.bool_)
    square, half, far = np.zeros_like(view), np.zeros_like(view), np.zeros_like(view)
    square[:40, :40] = half[:20, :40] = far[45:55, 40:80] = True
    # square: 3200/4800 + (1 + 1/2 + 0)/3 = 1.17; half: 4000/4800 + (1/2 + 1 + 0)/3 = 1.33; far: 4400/4800 + 1/3 = 1.25
    assert np.array_equal(np.asarray(best_union([square, half, far], even, view)), half)
    # square: 3200/4800 + (1 + 1 + 0)/3 = 1.33
    assert np.array_equal(np.asarray(best_union([square, square, far], even, view)), square)


def test_no_union_that_is_empty_or_leaves_no_skin() -> None:
    empty, everything = np.zeros((60, 80), np.bool_), np.ones((60, 80), np.bool_)
    assert best_union([empty, everything, empty], on_skin(empty), everything) is None


@settings(max_examples=20, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)), elements=st.integers(0, 255)),
)
def test_any_small_image_gets_a_mask(rgb: NDArray[np.uint8]) -> None:
    found = classical_mask(rgb)
    assert found.dtype == np.bool_
    assert found.shape == rgb.shape[:2]
