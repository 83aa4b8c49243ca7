"""Classical image processing finds a plain lesion, and never fails on anything else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dermoscope.segment.classical import classical_mask
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
    lesion = with_ellipse(rgb, (290, 220), (90, 60), (110, 70, 55))
    cv2.circle(rgb, (590, 200), 110, (235, 60, 40), cv2.FILLED)
    cv2.circle(rgb, (430, 120), 14, (90, 60, 50), cv2.FILLED)
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


@pytest.mark.parametrize("width", [150, 1200])
def test_the_resolution_does_not_matter(width: int) -> None:
    rgb = skin(width, round(width * 0.75))
    radius = 0.15 * width
    found = classical_mask(with_lesion(rgb, radius))
    assert dice(found, disc(width, round(width * 0.75), radius)) > 0.9


def test_the_answer_is_the_same_every_time() -> None:
    rgb = with_lesion(skin(*SIZE), 70)
    assert np.array_equal(classical_mask(rgb), classical_mask(rgb))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), LIGHT_SKIN], ids=["black", "white", "skin"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (40, 60), (450, 600)])
def test_one_colour_has_no_lesion(shape: tuple[int, int], colour: tuple[int, int, int]) -> None:
    found = classical_mask(np.full((*shape, 3), colour, np.uint8))
    assert found.shape == shape
    assert not found.any()


def test_a_frame_with_almost_nothing_inside() -> None:
    rgb = framed(skin(*SIZE), 30)
    found = classical_mask(rgb)
    assert found.dtype == np.bool_
    assert found.shape == rgb.shape[:2]


@settings(max_examples=20, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)), elements=st.integers(0, 255)),
)
def test_any_small_image_gets_a_mask(rgb: NDArray[np.uint8]) -> None:
    found = classical_mask(rgb)
    assert found.dtype == np.bool_
    assert found.shape == rgb.shape[:2]
