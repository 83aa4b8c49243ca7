from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.data.leakage.alignment import LEAST_SIMILARITY, Contrasts, similarity
from dermoscope.data.leakage.signatures import VIEWS, WHOLE, Window
from dermoscope.data.leakage.thumbnails import thumbnail
from tests.data.leakage.planted import cropped, lesion_picture


def compare(first: np.ndarray, second: np.ndarray, window: tuple[float, float, float, float] = WHOLE) -> float:
    return similarity(Contrasts.of(thumbnail(first)), Contrasts.of(thumbnail(second)), window)


def test_a_picture_is_like_itself() -> None:
    assert compare(lesion_picture(1), lesion_picture(1)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_different_lesions_are_not_alike(seed: int) -> None:
    assert compare(lesion_picture(seed), lesion_picture(seed + 50)) < LEAST_SIMILARITY - 0.1


@pytest.mark.parametrize("crop", [(0.05, 0.05, 0.05, 0.05), (0.05, 0, 0, 0), (0, 0.05, 0.05, 0), (0.01, 0.04, 0.03, 0)])
def test_a_crop_is_aligned_from_the_nearest_view(crop: tuple[float, float, float, float]) -> None:
    picture = lesion_picture(3)
    nearest = min(VIEWS, key=lambda window: sum((a - b) ** 2 for a, b in zip(window, crop, strict=True)))
    assert compare(picture, cropped(*crop)(picture), nearest) > LEAST_SIMILARITY + 0.1


@pytest.mark.parametrize("contrasts", [Contrasts.of, Contrasts.at_half_size], ids=["full size", "half the size"])
@pytest.mark.parametrize("window", VIEWS)
def test_without_an_alignment_the_window_counts(
    window: Window, contrasts: Callable[[NDArray[np.uint8]], Contrasts], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise cv2.error

    monkeypatch.setattr(cv2, "findTransformECC", fails)
    picture = lesion_picture(3, 640, 640)
    crop = thumbnail(cropped(*window)(picture))
    values = [similarity(contrasts(thumbnail(picture)), contrasts(crop), other) for other in VIEWS]
    assert max(values) == values[VIEWS.index(window)] > 0.9


def test_half_the_size_is_half_the_size() -> None:
    half = Contrasts.at_half_size(thumbnail(lesion_picture(0)))
    assert half.coarse.shape == half.fine.shape == (32, 32)


def test_pictures_without_any_gradient_are_not_alike() -> None:
    even = np.full((64, 64, 3), 100, np.uint8)
    assert compare(even, even) == 0


def test_noise_does_not_align() -> None:
    first, second = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    assert abs(compare(first, second)) < 0.3
