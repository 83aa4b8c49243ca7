"""The colour saliency sees lesions, and not what surrounds them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.segment.saliency import (
    FEATURE_NAMES,
    fill_holes,
    lesion_saliency,
    saliency_features,
    salient_region,
)

SHAPE = (192, 256)
EVERYTHING = np.ones(SHAPE, np.bool_)


def skin_with(colour: tuple[int, int, int], skin: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    rgb = np.full((*SHAPE, 3), skin, np.uint8)
    lesion = np.zeros(SHAPE, np.uint8)
    cv2.ellipse(lesion, (128, 96), (50, 35), 20, 0, 360, 1, cv2.FILLED)
    rgb[lesion > 0] = colour
    return rgb, lesion > 0


def enlarged(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(cv2.resize(region.astype(np.float32), SHAPE[::-1]) > 0.5)


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


@pytest.mark.parametrize(
    ("colour", "skin"),
    [
        ((90, 55, 40), (225, 185, 165)),
        ((190, 110, 95), (225, 185, 165)),
        ((40, 25, 20), (140, 95, 70)),
        ((150, 100, 60), (240, 215, 205)),
    ],
    ids=["dark brown", "pink", "on dark skin", "light brown on pale skin"],
)
def test_the_region_is_the_lesion(colour: tuple[int, int, int], skin: tuple[int, int, int]) -> None:
    rgb, lesion = skin_with(colour, skin)
    assert dice(enlarged(salient_region(lesion_saliency(rgb, EVERYTHING))), lesion) > 0.85


def test_a_sticker_at_the_rim_does_not_win() -> None:
    rgb, lesion = skin_with((110, 70, 50), (225, 185, 165))
    cv2.circle(rgb, (250, 30), 60, (250, 140, 30), cv2.FILLED)
    assert dice(enlarged(salient_region(lesion_saliency(rgb, EVERYTHING))), lesion) > 0.8


@pytest.mark.parametrize(
    "colour",
    [(250, 140, 30), (230, 220, 20), (230, 40, 30), (40, 200, 190), (90, 40, 160)],
    ids=["orange", "yellow", "red", "turquoise", "violet ink"],
)
def test_colours_that_no_skin_has_are_not_salient(colour: tuple[int, int, int]) -> None:
    rgb, lesion = skin_with((110, 70, 50), (225, 185, 165))
    cv2.circle(rgb, (215, 50), 22, colour, cv2.FILLED)
    saliency = lesion_saliency(rgb, EVERYTHING)
    rows, columns = saliency.shape
    sticker = saliency[int(50 / 192 * rows), int(215 / 256 * columns)]
    assert sticker < 0.5 < saliency[rows // 2, columns // 2]
    assert dice(enlarged(salient_region(saliency)), lesion) > 0.8


def test_the_dark_frame_is_not_salient() -> None:
    rgb, _ = skin_with((110, 70, 50), (225, 185, 165))
    view = np.zeros(SHAPE, np.uint8)
    cv2.circle(view, (128, 96), 110, 1, cv2.FILLED)
    rgb[view == 0] = 0
    saliency = lesion_saliency(rgb, view > 0)
    assert saliency[0, 0] == saliency[-1, -1] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("shape", "expected"), [((192, 256), (72, 96)), ((256, 128), (96, 48)), ((40, 60), (40, 60))])
def test_values_and_sizes(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (*shape, 3), np.uint8)
    saliency = lesion_saliency(rgb, np.ones(shape, np.bool_))
    assert saliency.shape == expected
    assert saliency.dtype == np.float32
    assert 0 <= saliency.min() <= saliency.max() <= 1


def test_features_have_their_names() -> None:
    rgb, _ = skin_with((110, 70, 50), (225, 185, 165))
    features, inside = saliency_features(rgb, EVERYTHING)
    assert features.shape == (*inside.shape, len(FEATURE_NAMES))
    at = {name: features[36, 48, index] for index, name in enumerate(FEATURE_NAMES)}
    assert at["lightness over skin"] < -1
    assert at["relative lightness"] < 0.2
    assert at["dark in blue"] > 0
    assert at["far from skin colour"] > 0
    assert at["squared distance from the centre"] == pytest.approx(0, abs=1e-3)


def test_a_view_of_nothing_counts_as_everything() -> None:
    rgb, _ = skin_with((110, 70, 50), (225, 185, 165))
    nothing = np.zeros(SHAPE, np.bool_)
    assert np.array_equal(lesion_saliency(rgb, nothing), lesion_saliency(rgb, EVERYTHING))


def test_a_central_region_beats_a_larger_one_at_the_rim() -> None:
    saliency = np.zeros((72, 96), np.float32)
    saliency[30:42, 40:56] = 0.9
    saliency[:, :12] = 0.9
    region = salient_region(saliency)
    assert region[36, 48]
    assert not region[:, :12].any()


def test_below_the_threshold_the_peak_remains() -> None:
    saliency = np.full((72, 96), 0.1, np.float32)
    saliency[30:40, 40:50] = 0.3
    assert int(salient_region(saliency).sum()) == 100


def test_zero_everywhere_gives_an_empty_region() -> None:
    assert not salient_region(np.zeros((72, 96), np.float32)).any()


def test_holes_are_filled_and_bays_are_not() -> None:
    mask = np.ones((9, 9), np.bool_)
    mask[4, 4] = False
    mask[0, :5] = False
    filled = fill_holes(mask)
    assert filled[4, 4]
    assert not filled[0, 0]
