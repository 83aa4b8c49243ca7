from __future__ import annotations

import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.images import decode
from dermoscope.images.skin_tone import (
    SKIN_TONE_LIMITS,
    SKIN_TONES,
    SkinTone,
    estimate_skin_tone,
    individual_typology_angle,
    skin_tone_category,
)
from tests.images.scenes import DARK_SKIN, LIGHT_SKIN, disc, framed, skin, with_lesion

SIDE = 300


def plain(lightness: float, a: float, b: float) -> NDArray[np.uint8]:
    """Even skin of one CIELAB colour."""
    lab = np.full((SIDE, SIDE, 3), (lightness, a, b), np.float32)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.round(rgb * 255).astype(np.uint8)


def estimated(rgb: NDArray[np.uint8], lesion: NDArray[np.bool_] | None = None) -> SkinTone:
    found = estimate_skin_tone(rgb, lesion)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("lightness", "b", "angle"),
    [(70, 20, 45.0), (50, 15, 0.0), (30, 20, -45.0), (50 + 10 * math.sqrt(3), 10, 60.0), (65, 1e-9, 90.0)],
)
def test_the_angle_by_hand(lightness: float, b: float, angle: float) -> None:
    assert individual_typology_angle(lightness, b) == pytest.approx(angle)


@pytest.mark.parametrize("b", [0.0, -5.0, float("nan")])
def test_skin_that_is_not_yellowish_has_no_angle(b: float) -> None:
    assert math.isnan(individual_typology_angle(70, b))
    with pytest.raises(ValueError, match="undefined angle"):
        skin_tone_category(individual_typology_angle(70, b))


@pytest.mark.parametrize(
    ("angle", "category"),
    [
        (90, "very light"), (55.01, "very light"), (55, "light"), (41.01, "light"), (41, "intermediate"),
        (28.01, "intermediate"), (28, "tan"), (10.01, "tan"), (10, "brown"), (-29.99, "brown"), (-30, "dark"),
        (-90, "dark"),
    ],
)  # fmt: skip
def test_classes_and_their_limits(angle: float, category: str) -> None:
    assert skin_tone_category(angle) == category


def test_there_is_a_limit_between_any_two_classes() -> None:
    assert len(SKIN_TONES) == len(SKIN_TONE_LIMITS) + 1
    assert list(SKIN_TONE_LIMITS) == sorted(SKIN_TONE_LIMITS, reverse=True)


@pytest.mark.parametrize(("lightness", "b"), [(75, 15), (68, 18), (60, 18), (55, 20), (45, 18), (35, 14)])
def test_even_skin_gives_its_own_colour_back(lightness: float, b: float) -> None:
    found = estimated(plain(lightness, 12, b))
    assert found.angle == pytest.approx(individual_typology_angle(lightness, b), abs=1.5)
    assert found.lightness == pytest.approx(lightness, abs=0.5)
    assert found.yellowness == pytest.approx(b, abs=0.7)
    assert found.share == 1


def test_lesion_frame_hair_and_reflections_do_not_count() -> None:
    bare = skin(SIDE, SIDE)
    expected = estimated(bare).angle
    scene = with_lesion(bare, 70)
    random = np.random.default_rng(0)
    for start, end in random.integers(0, SIDE, (12, 2, 2)):
        cv2.line(scene, start.tolist(), end.tolist(), (30, 22, 18), 2, cv2.LINE_AA)
    for centre in random.integers(0, SIDE, (15, 2)):
        cv2.circle(scene, centre.tolist(), 5, (255, 255, 255), -1)
    scene = framed(scene, 145)
    found = estimated(scene, disc(SIDE, SIDE, 70))
    assert found.angle == pytest.approx(expected, abs=2)
    assert 0.1 < found.share < 0.6


def test_a_lesion_over_most_of_the_picture_needs_its_mask() -> None:
    bare = skin(SIDE, SIDE)
    scene = with_lesion(bare, 130)
    told = estimated(scene, disc(SIDE, SIDE, 130))
    assert told.angle == pytest.approx(estimated(bare).angle, abs=4)
    assert estimated(scene).angle < told.angle - 30


def test_the_halo_of_a_lesion_is_left_out() -> None:
    scene = skin(SIDE, SIDE)
    # More of the skin in view lies in the red halo than beyond it.
    scene[disc(SIDE, SIDE, 116)] = (190, 90, 80)
    found = estimate_skin_tone(with_lesion(scene, 100), disc(SIDE, SIDE, 100), view=disc(SIDE, SIDE, 128))
    assert found is not None
    assert found.angle == pytest.approx(estimated(skin(SIDE, SIDE)).angle, abs=3)


def test_much_glare_does_not_lighten_the_skin() -> None:
    scene = skin(SIDE, SIDE)
    scene[:, : SIDE * 2 // 5] = 255
    expected = estimated(skin(SIDE, SIDE)[:, SIDE * 2 // 5 :].copy()).angle
    assert estimated(scene).angle == pytest.approx(expected, abs=1)


def test_light_and_dark_skin_fall_into_distant_classes() -> None:
    light, dark = estimated(skin(SIDE, SIDE, LIGHT_SKIN)), estimated(skin(SIDE, SIDE, DARK_SKIN))
    assert light.category in {"very light", "light"}
    assert dark.category == "dark"


def test_the_answer_hardly_depends_on_the_resolution() -> None:
    large = skin(1200, 900)
    small = cv2.resize(large, (300, 225), interpolation=cv2.INTER_AREA)
    assert estimated(large).angle == pytest.approx(estimated(np.asarray(small, np.uint8)).angle, abs=1)


@pytest.mark.parametrize("change", [(0.8, 0.8, 0.8), (1, 1, 1.1)], ids=["a fifth darker", "a tenth bluer"])
def test_its_limits_are_real(change: tuple[float, float, float]) -> None:
    before = estimated(plain(66, 12, 16))
    after = estimated((plain(66, 12, 16) * change).clip(0, 255).astype(np.uint8))
    assert after.category != before.category


def test_too_little_skin_or_no_skin_gives_nothing() -> None:
    bare = skin(SIDE, SIDE)
    assert estimate_skin_tone(bare, np.ones((SIDE, SIDE), np.bool_)) is None
    assert estimate_skin_tone(bare, view=np.zeros((SIDE, SIDE), np.bool_)) is None
    assert estimate_skin_tone(plain(60, 5, -12)) is None


@pytest.mark.parametrize("name", ["lesion", "view"])
def test_a_mask_of_another_shape_is_refused(name: str) -> None:
    masks = {"lesion": None, "view": None, name: np.ones((4, 5), np.bool_)}
    with pytest.raises(ValueError, match=rf"{name} mask has shape \(4, 5\)"):
        estimate_skin_tone(skin(SIDE, SIDE), masks["lesion"], view=masks["view"])


@pytest.mark.data
@pytest.mark.skipif("DERMOSCOPE_DATA" not in os.environ, reason="needs DERMOSCOPE_DATA")
def test_real_pictures_are_judged_or_refused_but_never_break() -> None:
    folder = Path(os.environ["DERMOSCOPE_DATA"]) / "ISIC2018_256"
    pictures = sorted(path for path in folder.rglob("*.jpg"))[::100]
    found = [estimate_skin_tone(decode(path).rgb) for path in pictures]
    judged = [tone for tone in found if tone is not None]
    assert len(judged) > len(found) / 2
    assert all(tone.category in SKIN_TONES and 0 < tone.share <= 1 for tone in judged)
