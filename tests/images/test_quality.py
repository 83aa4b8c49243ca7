from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from dermoscope.images import (
    QUALITY_FLAGS,
    QualityThresholds,
    decode,
    field_of_view,
    measure_quality,
    quality_flags,
    working_copy,
)
from tests.images.scenes import DARK_SKIN, RGB, framed, skin, with_lesion


def _blurred(rgb: RGB, pixels_of_256: float) -> RGB:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), pixels_of_256 * max(rgb.shape) / 256), dtype=np.uint8)


def _scaled(rgb: RGB, factor: float) -> RGB:
    return (rgb * factor).clip(0, 255).astype(np.uint8)


def _dark_skinned(rgb: RGB, lightness: float) -> RGB:
    """The image with its median lightness, L* of CIELAB, lowered to a given one; highlights and hues stay."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab[..., 0] = lab[..., 0] * min(1.0, lightness / float(np.median(lab[..., 0])))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0, 1) * 255, dtype=np.uint8)


SCENE = with_lesion(skin(600, 450), 90)
EVERYTHING_WRONG = _scaled(framed(_blurred(with_lesion(skin(160, 120), 10), 3), 38), 0.25)


@pytest.mark.parametrize(
    ("rgb", "flags"),
    [
        (SCENE, ()),
        (with_lesion(skin(600, 450, DARK_SKIN), 90), ()),
        (framed(SCENE, 222), ()),
        (with_lesion(skin(160, 120), 30), ("too small",)),
        (_blurred(SCENE, 3), ("blurred",)),
        (_blurred(framed(SCENE, 222), 3), ("blurred",)),
        (framed(_blurred(SCENE, 3), 222), ("blurred",)),
        (_scaled(SCENE, 0.25), ("under-exposed",)),
        (_scaled(SCENE, 2.0), ("over-exposed",)),
        (framed(SCENE, 150), ("mostly frame",)),
        (EVERYTHING_WRONG, ("too small", "blurred", "under-exposed", "mostly frame")),
        (np.zeros((300, 300, 3), np.uint8), ("blurred", "under-exposed")),
        (np.full((300, 300, 3), 255, np.uint8), ("blurred", "over-exposed")),
    ],
    ids=[
        "good", "dark skin", "in a circle", "small", "blurred", "blurred with its circle", "blurred in a sharp circle",
        "dark", "burnt out", "small circle", "everything", "black", "white",
    ],
)  # fmt: skip
def test_flags(rgb: RGB, flags: tuple[str, ...]) -> None:
    assert quality_flags(rgb) == flags


@pytest.mark.parametrize("width", [256, 600, 1500, 3000])
def test_resolution_does_not_matter(width: int) -> None:
    reference = measure_quality(SCENE)
    resized = np.asarray(cv2.resize(SCENE, (width, round(0.75 * width)), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    measured = measure_quality(resized)
    assert measured.sharpness == pytest.approx(reference.sharpness, rel=0.15)
    assert measured.brightness == pytest.approx(reference.brightness, abs=3)
    assert quality_flags(resized) == ()
    assert quality_flags(_blurred(resized, 3)) == ("blurred",)


@pytest.mark.parametrize("contrast", [0.3, 0.6])
def test_contrast_does_not_make_a_sharp_image_blurred(contrast: float) -> None:
    flat = (150 + contrast * (SCENE.astype(float) - 150)).astype(np.uint8)
    assert measure_quality(flat).sharpness == pytest.approx(measure_quality(SCENE).sharpness, rel=0.1)


def test_the_size_of_the_original_counts() -> None:
    assert quality_flags(SCENE, size=(100, 4000)) == ("too small",)
    assert quality_flags(with_lesion(skin(160, 120), 30), size=(1600, 1200)) == ()


def test_a_known_view_is_used() -> None:
    scene = framed(SCENE, 222)
    assert measure_quality(scene, view=field_of_view(working_copy(scene))) == measure_quality(scene)
    nothing = np.zeros(scene.shape[:2], np.bool_)
    assert quality_flags(scene, view=nothing)[-1] == "mostly frame"


@pytest.mark.parametrize(
    ("thresholds", "flag"),
    [
        (QualityThresholds(short_side=451), "too small"),
        (QualityThresholds(sharpness=9.0), "blurred"),
        (QualityThresholds(brightness=250.0), "under-exposed"),
        (QualityThresholds(white_share=-0.1), "over-exposed"),
        (QualityThresholds(view_share=1.1), "mostly frame"),
    ],
)
def test_thresholds_can_be_moved(thresholds: QualityThresholds, flag: str) -> None:
    assert quality_flags(SCENE, thresholds=thresholds) == (flag,)
    assert flag in QUALITY_FLAGS


@pytest.mark.parametrize("size", [(16, 16), (16, 3000), (3000, 16)])
def test_odd_sizes_are_measured(size: tuple[int, int]) -> None:
    measured = measure_quality(skin(*size))
    assert measured.short_side == 16
    assert np.isfinite(measured.sharpness)


@pytest.mark.data
@pytest.mark.parametrize("folder", ["HAM10000", "ISIC2018_256", "ISIC2018"])
def test_real_images_raise_few_flags_and_spoilt_ones_do(folder: str, real_data: Path) -> None:
    images = [decode(path).rgb for path in sorted((real_data / folder).rglob("*.jpg"))[::67]]

    def share(flag: str, versions: list[RGB]) -> float:
        return float(np.mean([flag in quality_flags(version) for version in versions]))

    normal = Counter(flag for image in images for flag in quality_flags(image))
    assert all(count <= 0.025 * len(images) for count in normal.values()), normal
    assert share("blurred", [_blurred(image, 2) for image in images]) > 0.9
    assert share("blurred", [_blurred(image, 3) for image in images]) > 0.97
    assert share("under-exposed", [_scaled(image, 0.25) for image in images]) > 0.98
    assert share("under-exposed", [_dark_skinned(image, 30) for image in images]) < 0.01
    assert share("over-exposed", [_scaled(image, 1.9) for image in images]) > 0.8
    narrow = [framed(image, 0.3 * min(image.shape[:2])) for image in images]
    assert share("mostly frame", narrow) > 0.98
