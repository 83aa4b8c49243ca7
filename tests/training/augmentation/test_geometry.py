from __future__ import annotations

import cv2
import numpy as np
import pytest

from dermoscope.images.symmetries import VIEWS, apply
from dermoscope.training.augmentation.geometry import symmetry, zoom
from dermoscope.training.recipes.augmentation import ZoomPart
from tests.training.augmentation.scene import LESION, SKIN, lesion_seen, overlap, scene


def lesions(mask: np.ndarray) -> int:
    return int(cv2.connectedComponents(mask.astype(np.uint8))[0]) - 1


def test_all_eight_symmetries_and_no_other() -> None:
    random = np.random.default_rng(0)
    rgb = random.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    mask = rgb[..., 0] > 128
    found = {}
    for _ in range(200):
        changed, moved = symmetry(rgb, mask, random)
        assert np.array_equal(moved, changed[..., 0] > 128)
        assert moved.dtype == np.bool_
        found[changed.shape, changed.tobytes()] = changed
    assert len(found) == 8
    for name in VIEWS:
        view = apply(rgb, name)
        assert (view.shape, view.tobytes()) in found, name


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.25, 2.0])
def test_scale_is_the_magnification(scale: float) -> None:
    rgb, mask = scene(128, 128, axes=(16, 12))
    random = np.random.default_rng(0)
    part = ZoomPart(scale=(scale, scale), rotation=0.0, least_lesion=0.99)
    for _ in range(10):
        changed, moved = zoom(rgb, mask, part, random)
        assert changed.shape == rgb.shape
        if np.array_equal(moved, mask):
            continue  # five details in vain
        assert np.count_nonzero(moved) == pytest.approx(scale**2 * np.count_nonzero(mask), rel=0.06)


def test_scale_is_even_on_a_logarithmic_axis() -> None:
    rgb, mask = scene(128, 128, centre=(64, 64), axes=(8, 8))
    random = np.random.default_rng(0)
    part = ZoomPart(scale=(0.5, 2.0), rotation=0.0, least_lesion=0.01)
    areas = [np.count_nonzero(zoom(rgb, mask, part, random)[1]) for _ in range(300)]
    smaller = np.mean(np.array(areas) < np.count_nonzero(mask))
    assert 0.4 < smaller < 0.65


def test_rotation_is_as_far_as_asked() -> None:
    rgb, mask = scene(128, 128, centre=(64, 64), axes=(40, 5), angle=0)
    random = np.random.default_rng(0)
    part = ZoomPart(scale=(1.0, 1.0), rotation=25.0)
    angles = []
    for _ in range(60):
        _, moved = zoom(rgb, mask, part, random)
        y, x = np.nonzero(moved)
        angles.append(np.rad2deg(np.arctan(np.polyfit(x, y, 1)[0])))
    assert 18 < max(angles) < 27
    assert -27 < min(angles) < -18


@pytest.mark.parametrize("least", [0.3, 0.6, 0.95])
def test_enough_of_the_lesion_stays_in_view(least: float) -> None:
    rgb, mask = scene(96, 96, centre=(20, 30), axes=(14, 10))
    random = np.random.default_rng(0)
    part = ZoomPart(scale=(3.0, 3.0), rotation=0.0, least_lesion=least)
    areas = [np.count_nonzero(zoom(rgb, mask, part, random)[1]) for _ in range(80)]
    full = 9 * np.count_nonzero(mask)
    kept = [area / full for area in areas if area != np.count_nonzero(mask)]
    assert min(kept) > least - 0.02
    if least == 0.3:
        assert min(kept) < 0.6


def test_what_cannot_be_kept_is_left_alone() -> None:
    rgb, mask = scene(96, 96, axes=(60, 60))
    changed, moved = zoom(rgb, mask, ZoomPart(scale=(4.0, 4.0)), np.random.default_rng(0))
    assert changed is rgb
    assert moved is mask


def test_a_detail_may_lie_anywhere() -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    for value, (top, left) in enumerate([(0, 0), (0, 32), (32, 0), (32, 32)], 1):
        rgb[top : top + 32, left : left + 32] = 50 * value
    random = np.random.default_rng(0)
    part = ZoomPart(scale=(2.0, 2.0), rotation=0.0)
    found = [zoom(rgb, np.zeros((64, 64), np.bool_), part, random)[0][..., 0] for _ in range(300)]
    for value in (50, 100, 150, 200):
        assert max(np.mean(view == value) for view in found) > 0.75, value
    assert min(view.min() for view in found) >= 50


def test_a_lesion_within_the_image_gets_no_copy() -> None:
    rgb, mask = scene(96, 96, centre=(48, 14), axes=(14, 9), angle=0)
    random = np.random.default_rng(0)
    part = ZoomPart(scale=(0.5, 0.6), rotation=0.0, least_lesion=0.99)
    for _ in range(20):
        changed, moved = zoom(rgb, mask, part, random)
        assert lesions(moved) == 1
        assert overlap(moved, lesion_seen(changed)) > 0.9
        assert (
            np.abs(changed.astype(int) - SKIN)
            .max(axis=2)[~cv2.dilate(moved.astype(np.uint8), np.ones((9, 9))).astype(bool)]
            .max()
            <= 2
        )


def test_a_lesion_that_reaches_the_rim_goes_on_beyond_it() -> None:
    rgb, mask = scene(96, 96, centre=(48, 2), axes=(20, 16), angle=0)
    assert mask[0].any()
    random = np.random.default_rng(0)
    part = ZoomPart(scale=(0.5, 0.5), rotation=0.0, least_lesion=0.99)
    goes_on = []
    for _ in range(20):
        changed, moved = zoom(rgb, mask, part, random)
        assert overlap(moved, lesion_seen(changed)) > 0.9
        goes_on.append(np.count_nonzero(moved) > 0.3 * np.count_nonzero(mask))
    assert sum(goes_on) >= 10


@pytest.mark.parametrize("centre", [(48, 14), (48, 2)], ids=["within", "at the rim"])
def test_no_colours_but_those_of_skin_and_lesion(centre: tuple[int, int]) -> None:
    """No black corners, and no ringing."""
    rgb, mask = scene(96, 96, centre=centre, axes=(14, 9), angle=0)
    random = np.random.default_rng(0)
    for _ in range(20):
        changed, _ = zoom(rgb, mask, ZoomPart(scale=(0.5, 1.0)), random)
        assert (changed >= np.subtract(LESION, 1)).all()
        assert (changed <= np.add(SKIN, 1)).all()
