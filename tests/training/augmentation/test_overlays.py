from __future__ import annotations

import cv2
import numpy as np
import pytest

from dermoscope.training.augmentation.overlays import frame, hair, ink
from dermoscope.training.recipes.augmentation import FramePart, HairPart, InkPart
from tests.training.augmentation.scene import SKIN, scene


def skin(side: int = 128) -> np.ndarray:
    return np.full((side, side, 3), SKIN, np.uint8)


def difference(rgb: np.ndarray) -> np.ndarray:
    """Signed change of the grey against skin."""
    return np.asarray(rgb.astype(float).mean(axis=2) - np.mean(SKIN))


@pytest.mark.parametrize(("light", "sign"), [(0.0, -1), (1.0, 1)])
def test_hair_is_darker_or_lighter_than_dark_skin(light: float, sign: int) -> None:
    brown = np.full((128, 128, 3), (120, 90, 70), np.uint8)
    random = np.random.default_rng(0)
    for _ in range(20):
        change = hair(brown, HairPart(light=light), random).astype(int) - brown
        assert (sign * change >= -1).all()
        assert (sign * change).max() >= (20 if sign < 0 else 40)


def test_hair_is_thin_and_covers_little() -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        covered = np.abs(difference(hair(skin(), HairPart(most=8, light=0.0), random))) > 20
        assert covered.mean() < 0.25
        # Nothing is left of a line that is eroded by more than its thickness, save where lines cross.
        assert cv2.erode(covered.astype(np.uint8), np.ones((5, 5))).mean() < 0.01


@pytest.mark.parametrize("side", [128, 512])
def test_thickness_goes_with_the_size_of_the_image(side: int) -> None:
    random = np.random.default_rng(0)
    part = HairPart(most=1, width=(20.0, 20.0), light=0.0)
    widths = []
    for _ in range(40):
        covered = (np.abs(difference(hair(skin(side), part, random))) > 30).astype(np.uint8)
        if covered.any():
            widths.append(2 * cv2.distanceTransform(cv2.copyMakeBorder(covered, 1, 1, 1, 1, 0), cv2.DIST_L2, 5).max())
    assert 0.012 * side < np.median(widths) < 0.035 * side


def test_more_hairs_cover_more() -> None:
    random = np.random.default_rng(0)
    few, many = (
        np.mean([np.abs(difference(hair(skin(), HairPart(most=most), random))).mean() for _ in range(40)])
        for most in (1, 20)
    )
    assert many > 3 * few


def test_edges_are_smooth() -> None:
    """Antialiased: shades lie between skin and hair, not only those two."""
    found = hair(skin(), HairPart(most=8, light=0.0), np.random.default_rng(0))
    assert len(np.unique(found[..., 0])) > 10


@pytest.mark.parametrize("ruler", [0.0, 1.0], ids=["marker", "ruler"])
def test_ink_darkens_the_outskirts(ruler: float) -> None:
    random = np.random.default_rng(0)
    seen = 0
    for _ in range(30):
        change = difference(ink(skin(), InkPart(ruler=ruler), random))
        assert change.max() <= 1
        assert (change < -20).mean() < 0.3
        assert np.abs(change[57:71, 57:71]).max() <= 1
        seen += bool((change < -20).any())
    assert seen >= 25


def test_a_marker_is_violet_and_a_ruler_grey() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        inked = ink(skin(), InkPart(ruler=0.0), random).astype(int)
        strong = difference(inked) < -50
        if strong.any():
            assert (inked[strong][:, 2] > inked[strong][:, 1]).mean() > 0.9
        ruled = ink(skin(), InkPart(ruler=1.0), random).astype(int)
        darkest = ruled.reshape(-1, 3)[ruled.sum(axis=2).argmin()]
        assert np.ptp(darkest) < np.ptp(SKIN)


def test_ticks_are_many_and_apart() -> None:
    random = np.random.default_rng(0)
    counts = []
    for _ in range(20):
        covered = difference(ink(skin(256), InkPart(ruler=1.0), random)) < -30
        counts.append(cv2.connectedComponents(covered.astype(np.uint8))[0] - 1)
    assert min(counts) >= 6
    assert max(counts) <= 50


def test_the_frame_is_dark_around_a_round_view() -> None:
    rgb, mask = scene(128, 128, centre=(64, 64), axes=(10, 8))
    random = np.random.default_rng(0)
    part = FramePart(radius=(0.6, 0.6))
    for _ in range(10):
        framed, seen = frame(rgb, mask, part, random)
        assert np.array_equal(seen, mask)
        assert np.array_equal(framed[40:88, 40:88], rgb[40:88, 40:88])
        for corner in (framed[0, 0], framed[0, -1], framed[-1, 0], framed[-1, -1]):
            assert corner.max() <= 31
        view = np.count_nonzero(framed[..., 0] > 125) + np.count_nonzero(mask)
        assert view == pytest.approx(np.pi * (0.6 * 64 * 2**0.5) ** 2, rel=0.05)


def test_what_lies_in_the_dark_is_no_lesion() -> None:
    rgb, mask = scene(128, 128, centre=(64, 64), axes=(62, 62))
    framed, seen = frame(rgb, mask, FramePart(radius=(0.6, 0.6), least_lesion=0.5), np.random.default_rng(0))
    assert np.count_nonzero(seen) < np.count_nonzero(mask)
    assert not (seen & ~mask).any()
    assert framed[seen].min() > 15
    assert framed[mask & ~seen][:, 0].mean() < 60


@pytest.mark.parametrize("least", [0.5, 0.8])
def test_enough_of_the_lesion_stays_in_view(least: float) -> None:
    rgb, mask = scene(128, 128, centre=(18, 18), axes=(14, 14))
    random = np.random.default_rng(0)
    untouched = 0
    for _ in range(40):
        framed, seen = frame(rgb, mask, FramePart(radius=(0.5, 1.0), least_lesion=least), random)
        untouched += framed is rgb
        assert np.count_nonzero(seen) >= least * np.count_nonzero(mask)
    assert untouched < 40


def test_a_lesion_that_would_vanish_is_left_alone() -> None:
    rgb, mask = scene(128, 128, centre=(3, 3), axes=(2, 2))
    framed, seen = frame(rgb, mask, FramePart(radius=(0.5, 0.5)), np.random.default_rng(0))
    assert framed is rgb
    assert seen is mask
