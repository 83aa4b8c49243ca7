"""C: flat colours are found by name, and white has to be whiter than the skin."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.measures import COLOURS, Colours, measure_colours
from dermoscope.measures.colours import PRESENT, REFERENCES
from tests.measures.shapes import SAME, ellipse

SKIN = (205, 165, 150)
LESION = ellipse(200, 80, 60)


def painted(*colours: tuple[int, int, int], mask: NDArray[np.bool_] = LESION) -> NDArray[np.uint8]:
    """Skin with a lesion in vertical stripes of equal width."""
    rgb = np.full((*mask.shape, 3), SKIN, np.uint8)
    columns = np.flatnonzero(mask.any(axis=0))
    for colour, stripe in zip(colours, np.array_split(columns, len(colours)), strict=True):
        rgb[mask & np.isin(np.arange(mask.shape[1]), stripe)] = colour
    return rgb


@pytest.mark.parametrize("name", COLOURS)
def test_a_flat_lesion_has_one_colour(name: str) -> None:
    found = measure_colours(painted(REFERENCES[name]), LESION)
    assert found.present == (name,)
    assert found.shares == dict.fromkeys(COLOURS, 0.0) | {name: 1.0}
    assert found.variance == pytest.approx(0, abs=1e-3)


def test_two_colours_and_how_far_they_lie_apart() -> None:
    found = measure_colours(painted(REFERENCES["black"], REFERENCES["blue-grey"]), LESION)
    assert found.present == ("blue-grey", "black")
    assert found.shares["black"] == pytest.approx(0.5, abs=0.02)
    # Half the pixels on either side of the mean: the variance is a quarter of the squared distance.
    lightness, green_red, blue_yellow = 47.0 - 12.9, 8.9 - 4.7, -16.5 - 2.5
    assert found.variance == pytest.approx((lightness**2 + green_red**2 + blue_yellow**2) / 4, rel=0.02)


def test_what_is_as_pale_as_skin_has_no_colour() -> None:
    pale = (190, 160, 160)
    found = measure_colours(painted(REFERENCES["black"], pale), LESION)
    assert found.present == ("black",)
    assert sum(found.shares.values()) == pytest.approx(0.5, abs=0.02)


def test_without_skin_to_compare_with_white_is_what_is_nearest() -> None:
    everywhere = np.ones((50, 60), np.bool_)
    found = measure_colours(np.full((50, 60, 3), (190, 160, 160), np.uint8), everywhere)
    assert found.present == ("white",)


def test_stray_pixels_are_not_a_colour() -> None:
    shares = dict.fromkeys(COLOURS, 0.0) | {"black": PRESENT, "red": PRESENT - 0.001}
    assert Colours(shares, 0.0).present == ("black",)


@pytest.mark.parametrize("name", SAME)
def test_nothing_changes_when_the_image_is(name: str) -> None:
    rgb = painted(REFERENCES["red"], REFERENCES["dark brown"], REFERENCES["black"])
    before = measure_colours(rgb, LESION)
    assert before.present == ("red", "dark brown", "black")
    changed = np.stack([SAME[name](rgb[..., channel]) for channel in range(3)], axis=2)
    after = measure_colours(changed, SAME[name](LESION))
    assert after.present == before.present
    assert after.shares == pytest.approx(before.shares, abs=0.02)
    assert after.variance == pytest.approx(before.variance, rel=0.05)


def test_the_image_may_be_a_smaller_copy() -> None:
    rgb = painted(REFERENCES["red"], REFERENCES["black"])
    large = np.repeat(np.repeat(LESION, 4, axis=0), 4, axis=1)
    found, whole = measure_colours(rgb, large), measure_colours(rgb, LESION)
    assert found.shares == pytest.approx(whole.shares, abs=0.02)


@pytest.mark.parametrize("start", [0, 1002, 1005, 1999])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1)])
def test_masks_thinner_than_a_pixel_are_survived(shape: tuple[int, int], start: int) -> None:
    mask = np.zeros((2000, 2000), np.bool_)
    mask[start if shape[0] == 1 else slice(None), start if shape[1] == 1 else slice(None)] = True
    rgb = np.full((2000, 2000, 3), REFERENCES["black"], np.uint8)
    assert measure_colours(rgb, mask).present == ("black",)
