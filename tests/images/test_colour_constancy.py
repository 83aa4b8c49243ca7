from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dermoscope.images import shades_of_gray
from tests.images.scenes import LIGHT_SKIN, RGB, disc, framed, skin, with_lesion

LUMA = np.array([0.299, 0.587, 0.114])


def ramp(tint: tuple[float, float, float], width: int = 200, height: int = 100) -> RGB:
    """Greys from 10 to 160, from left to right, seen in tinted light."""
    greys = np.linspace(10, 160, width)
    return np.broadcast_to((greys[:, None] * tint).round(), (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("power", [1, 2, 6, np.inf])
@pytest.mark.parametrize("tint", [(1.5, 1.0, 0.7), (0.6, 1.0, 1.3), (1.0, 1.0, 1.0)])
def test_a_tinted_grey_ramp_comes_back_neutral(power: float, tint: tuple[float, float, float]) -> None:
    scene = ramp(tint)
    corrected = shades_of_gray(scene, power)
    assert corrected.dtype == np.uint8
    assert corrected.shape == scene.shape
    # Levels are whole numbers before and after, and gains of 2 make one level two.
    assert np.ptp(corrected.astype(int), axis=2).max() <= 2
    assert (corrected @ LUMA).mean() == pytest.approx((scene @ LUMA).mean(), abs=0.3)


def test_the_gains_are_those_of_the_formula() -> None:
    scene = np.random.default_rng(0).gamma((4, 2, 1), (25, 35, 40), (60, 80, 3)).clip(0, 255).astype(np.uint8)
    light = (scene.reshape(-1, 3).astype(float) ** 6).mean(axis=0) ** (1 / 6)
    balanced = scene / light
    factor = (scene @ LUMA).mean() / (balanced @ LUMA).mean()
    assert np.array_equal(shades_of_gray(scene), np.rint(factor * balanced).clip(0, 255))


def test_what_would_be_brighter_than_white_is_white() -> None:
    scene = ramp((1.5, 1.0, 0.7))
    scene[:4, :4] = 255
    assert (shades_of_gray(scene, 1)[:4, :4, 1:] == 255).all()


def test_power_decides_between_the_mean_and_the_brightest() -> None:
    scene = np.full((100, 100, 3), (100, 50, 50), np.uint8)
    scene[:50] = 200
    brightest = shades_of_gray(scene, np.inf)
    assert np.array_equal(brightest, scene)
    mean = shades_of_gray(scene, 1).mean(axis=(0, 1))
    assert np.ptp(mean) < 1


def test_a_large_power_does_not_underflow() -> None:
    scene = ramp((1.5, 1.0, 0.7))
    assert np.abs(shades_of_gray(scene, 1e4).astype(int) - shades_of_gray(scene, np.inf)).max() <= 1


@given(tint=st.tuples(*[st.floats(0.5, 1.4)] * 3))
def test_a_second_time_changes_nothing(tint: tuple[float, float, float]) -> None:
    scene = (with_lesion(skin(64, 48, (110, 90, 80)), 12) * tint).astype(np.uint8)
    once = shades_of_gray(scene)
    assert np.abs(shades_of_gray(once).astype(int) - once).max() <= 1


def test_brightness_is_kept() -> None:
    scene = with_lesion(skin(300, 200, (190, 130, 110)), 60)
    assert (shades_of_gray(scene) @ LUMA).mean() == pytest.approx((scene @ LUMA).mean(), abs=0.3)


@pytest.mark.parametrize("power", [1, 6])
def test_the_frame_does_not_count(power: float) -> None:
    bare = with_lesion(skin(320, 240), 40)
    results = []
    for black in ((5, 5, 5), (5, 5, 50)):
        scene = framed(bare, 100)
        scene[~disc(320, 240, 100)] = black
        results.append(shades_of_gray(scene, power))
    inside = disc(320, 240, 98)
    assert np.abs(results[0].astype(int) - results[1])[inside].max() <= 1


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (17, 17, 17)])
def test_an_even_neutral_image_stays(colour: tuple[int, int, int]) -> None:
    scene = np.full((40, 50, 3), colour, np.uint8)
    assert np.array_equal(shades_of_gray(scene), scene)


def test_an_image_of_one_colour_becomes_the_grey_of_its_luma() -> None:
    grey = round(float(np.array(LIGHT_SKIN) @ LUMA))
    assert np.array_equal(
        shades_of_gray(np.full((40, 50, 3), LIGHT_SKIN, np.uint8)), np.full((40, 50, 3), grey, np.uint8)
    )


@pytest.mark.parametrize("colour", [(200, 0, 0), (0, 0, 90)])
def test_channels_without_light_stay_dark(colour: tuple[int, int, int]) -> None:
    scene = np.full((40, 50, 3), colour, np.uint8)
    assert np.array_equal(shades_of_gray(scene), scene)


def test_the_input_is_not_changed() -> None:
    for scene in (ramp((1.5, 1.0, 0.7)), np.zeros((20, 20, 3), np.uint8)):
        before = scene.copy()
        corrected = shades_of_gray(scene)
        assert not np.shares_memory(corrected, scene)
        assert np.array_equal(scene, before)


@pytest.mark.parametrize("power", [0, 0.5, -1, np.nan])
def test_a_power_below_one_is_refused(power: float) -> None:
    with pytest.raises(ValueError, match="power"):
        shades_of_gray(ramp((1, 1, 1)), power)
