from __future__ import annotations

import cv2
import numpy as np
import pytest

from dermoscope.images import grain_level, quality_flags, without_grain
from tests.images.scenes import DARK_SKIN, RGB, framed, skin, with_lesion

SCENE = with_lesion(skin(600, 450), 90)


def grainy(rgb: RGB, level: float, *, grey: bool = False) -> RGB:
    noise = np.random.default_rng(0).normal(0, level, rgb.shape[:2] if grey else rgb.shape)
    return (rgb + (noise[..., None] if grey else noise)).clip(0, 255).astype(np.uint8)


def as_jpeg(rgb: RGB, quality: int) -> RGB:
    _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize("rgb", [SCENE, with_lesion(skin(600, 450, DARK_SKIN), 90), framed(SCENE, 222)])
@pytest.mark.parametrize("grey", [False, True], ids=["each channel", "grey"])
@pytest.mark.parametrize("level", [6, 12, 20])
def test_the_level_is_that_of_the_noise(rgb: RGB, grey: bool, level: float) -> None:
    assert grain_level(rgb) == 0
    assert grain_level(grainy(rgb, level, grey=grey)) == pytest.approx(level, rel=0.2)


def test_noise_is_found_behind_jpeg() -> None:
    assert grain_level(as_jpeg(SCENE, 60)) == 0
    assert grain_level(as_jpeg(grainy(SCENE, 12), 60)) > 5


def test_what_is_stronger_in_places_is_texture() -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 30, SCENE.shape[:2]), (0, 0), 1)[..., None]
    even, uneven = noise, noise * np.linspace(0.9, 2.7, SCENE.shape[1])[:, None]
    levels = [grain_level((SCENE + texture).clip(0, 255).astype(np.uint8)) for texture in (even, uneven)]
    assert levels[0] > 6
    assert levels[1] == 0


def test_texture_is_no_grain() -> None:
    hairy = SCENE.copy()
    for left in range(-400, 600, 9):
        cv2.line(hairy, (left, 0), (left + 400, 300), (40, 30, 30), 1)
    assert grain_level(hairy) == 0


@pytest.mark.parametrize("shade", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (5, 300), (300, 300)])
def test_what_cannot_be_judged_has_no_grain(size: tuple[int, int], shade: int) -> None:
    assert grain_level(np.full((*size, 3), shade, np.uint8)) == 0
    assert grain_level(grainy(np.full((*size, 3), shade, np.uint8), 3)) == 0


def test_grain_goes_and_edges_stay() -> None:
    noisy = grainy(SCENE, 12)
    cleaned = without_grain(noisy, grain_level(noisy))
    before, after = (np.sqrt(np.mean((rgb.astype(float) - SCENE) ** 2)) for rgb in (noisy, cleaned))
    assert after < before / 2
    row = SCENE.shape[0] // 2
    edge = np.abs(np.diff(SCENE[row].astype(float).sum(axis=1))).argmax()
    steps = [abs(float(rgb[row, edge - 3].sum()) - float(rgb[row, edge + 4].sum())) for rgb in (SCENE, cleaned)]
    assert steps[1] > 0.8 * steps[0]


def test_without_grain_nothing_is_touched() -> None:
    assert without_grain(SCENE, grain_level(SCENE)) is SCENE


def test_strong_grain_is_flagged() -> None:
    assert quality_flags(grainy(SCENE, 12)) == ("grainy",)
    assert quality_flags(grainy(SCENE, 6)) == ()
    assert quality_flags(SCENE, grain=12.0) == ("grainy",)
