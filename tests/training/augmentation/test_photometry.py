from __future__ import annotations

import colorsys

import cv2
import numpy as np
import pytest

from dermoscope.training.augmentation.photometry import blur, colour, hue_turn, jpeg
from dermoscope.training.recipes.augmentation import BlurPart, ColourPart, JPEGPart
from tests.training.augmentation.scene import LESION, SKIN, scene

STILL = ColourPart(brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0, white_balance=0.0)


def shades() -> np.ndarray:
    """Moderate colours, so that nothing clips."""
    return np.random.default_rng(0).integers(80, 160, (24, 24, 3)).astype(np.uint8)


def varied(**changes: float) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    part = STILL.model_copy(update=changes)
    return [colour(shades(), part, random).astype(float) for _ in range(60)]


def test_no_change_is_no_change() -> None:
    assert np.array_equal(colour(shades(), STILL, np.random.default_rng(0)), shades())


def test_brightness_multiplies() -> None:
    factors = [float((found / shades()).mean()) for found in varied(brightness=0.3)]
    assert all(0.69 < factor < 1.31 for factor in factors)
    assert min(factors) < 0.78
    assert max(factors) > 1.22
    found = varied(brightness=0.3)[0]
    assert (found / shades()).std() < 0.01


def test_contrast_keeps_the_mean() -> None:
    spreads = []
    for found in varied(contrast=0.4):
        assert found.mean(axis=(0, 1)) == pytest.approx(shades().mean(axis=(0, 1)), abs=0.6)
        spreads.append(found.std() / shades().std())
    assert 0.59 < min(spreads) < 0.7
    assert 1.3 < max(spreads) < 1.41


def test_saturation_keeps_the_grey() -> None:
    weights, spreads = np.array([0.299, 0.587, 0.114]), []
    for found in varied(saturation=0.5):
        assert np.abs(found @ weights - shades() @ weights).max() < 1
        spreads.append((found.max(axis=2) - found.min(axis=2)).mean())
    original = (shades().max(axis=2) - shades().min(axis=2)).mean()
    assert 0.49 < min(spreads) / original < 0.65
    assert 1.35 < max(spreads) / original < 1.51


def test_hue_keeps_the_grey_axis_and_turns_as_far_as_asked() -> None:
    grey = np.full((4, 4, 3), 130, np.uint8)
    turned = colour(grey, STILL.model_copy(update={"hue": 40.0}), np.random.default_rng(0))
    assert np.abs(turned.astype(int) - 130).max() <= 1
    red = np.full((4, 4, 3), (160, 100, 100), np.uint8)
    random, part = np.random.default_rng(0), STILL.model_copy(update={"hue": 30.0})
    hues = []
    for _ in range(60):
        r, g, b = (float(value) / 255 for value in colour(red, part, random)[0, 0])
        hues.append((colorsys.rgb_to_hsv(r, g, b)[0] * 360 + 180) % 360 - 180)
    assert -33 < min(hues) < -20
    assert 20 < max(hues) < 33


def test_a_third_of_a_turn_makes_red_green() -> None:
    assert hue_turn(2 * np.pi / 3) @ (1, 0, 0) == pytest.approx((0, 1, 0), abs=1e-12)
    assert hue_turn(0.3) @ hue_turn(-0.3) == pytest.approx(np.eye(3))


def test_white_balance_scales_each_channel_on_its_own() -> None:
    gains = np.array([(found / shades()).mean(axis=(0, 1)) for found in varied(white_balance=0.1)])
    assert gains.min() > 0.89
    assert gains.max() < 1.11
    assert np.abs(np.corrcoef(gains.T)[np.triu_indices(3, 1)]).max() < 0.4
    assert gains.std(axis=0).min() > 0.04


def test_bright_pixels_clip_and_do_not_wrap() -> None:
    white = np.full((4, 4, 3), 250, np.uint8)
    random = np.random.default_rng(0)
    found = np.array([colour(white, STILL.model_copy(update={"brightness": 1.0}), random).max() for _ in range(40)])
    assert np.count_nonzero(found == 255) >= 10


@pytest.mark.parametrize("side", [64, 128])
def test_blur_is_a_share_of_the_side(side: int) -> None:
    point = np.zeros((side, 2 * side, 3), np.uint8)
    point[side // 2, side] = 255
    widened = blur(point.copy(), BlurPart(sigma=(20.0, 20.0)), np.random.default_rng(0))
    expected = cv2.GaussianBlur(point, (0, 0), 0.02 * side)
    assert np.array_equal(widened, expected)
    assert np.count_nonzero(widened[..., 0]) > 9


def test_blur_draws_its_width() -> None:
    rgb, _ = scene()
    random = np.random.default_rng(0)
    found = {blur(rgb, BlurPart(sigma=(5.0, 40.0)), random).tobytes() for _ in range(5)}
    assert len(found) == 5


def test_jpeg_is_worse_at_low_quality_and_keeps_the_colours() -> None:
    noise = np.random.default_rng(0).normal(0, 12, (96, 128, 3))
    rgb = np.clip(scene()[0] + noise, 0, 255).astype(np.uint8)
    error = {}
    for quality in (25, 60, 95):
        found = jpeg(rgb, JPEGPart(quality=(quality, quality)), np.random.default_rng(0))
        error[quality] = float(np.abs(found.astype(float) - rgb).mean())
        assert found.mean(axis=(0, 1)) == pytest.approx(rgb.mean(axis=(0, 1)), abs=2)
    assert error[25] > error[60] > error[95] > 0


def test_jpeg_knows_red_from_blue() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    _, file = cv2.imencode(".jpg", rgb[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 60))
    expected = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))[..., ::-1]
    assert np.array_equal(jpeg(rgb, JPEGPart(quality=(60, 60)), np.random.default_rng(0)), expected)


def test_both_ends_of_a_quality_range_are_drawn() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    random = np.random.default_rng(0)
    found = {jpeg(rgb, JPEGPart(quality=(60, 62)), random).tobytes() for _ in range(40)}
    assert len(found) == 3


def test_lesion_and_skin_stay_apart_with_the_settings_of_a_recipe() -> None:
    rgb = np.full((8, 8, 3), SKIN, np.uint8)
    rgb[:4] = LESION
    random = np.random.default_rng(0)
    for _ in range(100):
        found = colour(rgb, ColourPart(), random).astype(float)
        assert found[4:].mean() - found[:4].mean() > 50
