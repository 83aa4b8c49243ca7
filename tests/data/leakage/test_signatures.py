from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.data.leakage.signatures import (
    LEAST_CONTRAST,
    LENGTH,
    ORIENTATIONS,
    VIEWS,
    best_orientation,
    invariants,
    local_contrast,
    signatures,
    turned,
)
from dermoscope.data.leakage.thumbnails import thumbnail
from tests.data.leakage.planted import cropped, lesion_picture


def signature(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return signatures(local_contrast(picture[None])[0])


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return np.stack([thumbnail(lesion_picture(seed)) for seed in range(8)])


@pytest.mark.parametrize("orientation", range(8))
def test_the_orientation_that_turns_a_picture_back_is_found(orientation: int, pictures: NDArray[np.uint8]) -> None:
    for picture in pictures:
        cosine, found = best_orientation(signature(turned(picture, orientation)), signature(picture))
        assert cosine[0] == pytest.approx(1, abs=1e-4)
        assert found[0] == orientation


@pytest.mark.parametrize("orientation", range(8))
def test_invariants_do_not_change(orientation: int, pictures: NDArray[np.uint8]) -> None:
    for picture in pictures:
        own = invariants(signature(picture))
        np.testing.assert_allclose(invariants(signature(turned(picture, orientation))), own, atol=1e-5)
        assert np.linalg.norm(own) == pytest.approx(1, abs=1e-5)


def test_invariants_bound_the_cosine() -> None:
    """Whatever two signatures are, or the search would miss pairs."""
    random = np.random.default_rng(0)
    first, second = (random.standard_normal((500, LENGTH)).astype(np.float32) for _ in range(2))
    second[:250] = first[:250] + 0.3 * second[:250]
    first, second = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (first, second))
    cosine, _ = best_orientation(first, second)
    assert ((invariants(first) * invariants(second)).sum(axis=1) >= cosine - 1e-5).all()


def test_orientations_are_named_as_opencv_does_them() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    expected = {
        "as it is": picture,
        "flipped left to right": cv2.flip(picture, 1),
        "flipped upside down": cv2.flip(picture, 0),
        "turned by 180°": cv2.rotate(picture, cv2.ROTATE_180),
        "mirrored along the diagonal": cv2.transpose(picture),
        "turned by 90° clockwise": cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE),
        "turned by 90° anticlockwise": cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE),
        "mirrored along the other diagonal": cv2.rotate(cv2.transpose(picture), cv2.ROTATE_180),
    }
    for number, name in enumerate(ORIENTATIONS):
        np.testing.assert_array_equal(turned(picture, number), expected[name])


@pytest.mark.parametrize("view", range(len(VIEWS)))
def test_a_view_is_the_signature_of_the_crop(view: int) -> None:
    left, top, right, bottom = VIEWS[view]
    picture = lesion_picture(3, 800, 800)
    crop = picture[round(800 * top) : round(800 * (1 - bottom)), round(800 * left) : round(800 * (1 - right))]
    whole = local_contrast(thumbnail(picture)[None])[0]
    cosine = (signatures(whole, VIEWS[view]) * signature(thumbnail(crop))).sum()
    assert cosine > 0.97
    others = [(signatures(whole, window) * signature(thumbnail(crop))).sum() for window in VIEWS]
    assert cosine == max(others)


@pytest.mark.parametrize("crop", [(0.05, 0.05, 0, 0), (0, 0.05, 0.05, 0), (0.05, 0, 0, 0), (0, 0, 0, 0.05)])
def test_a_view_lies_near_every_crop(crop: tuple[float, float, float, float]) -> None:
    for seed in range(6):
        picture = lesion_picture(seed, 400, 400)
        whole, copy = local_contrast(thumbnail(picture)[None])[0], signature(thumbnail(cropped(*crop)(picture)))
        assert max(float((signatures(whole, window) * copy).sum()) for window in VIEWS) > 0.93


def test_light_and_colour_hardly_matter(pictures: NDArray[np.uint8]) -> None:
    ramp = np.linspace(-40, 40, 64)[None, :]
    darker = np.clip(pictures * 0.7 + 20 + ramp, 0, 255).astype(np.uint8)
    for plain, changed in zip(pictures, darker, strict=True):
        assert float((signature(plain) * signature(changed)).sum()) > 0.97


def test_different_lesions_differ(pictures: NDArray[np.uint8]) -> None:
    every = np.concatenate([signature(picture) for picture in pictures])
    first, second = np.triu_indices(len(every), 1)
    assert best_orientation(every[first], every[second])[0].max() < 0.9


def test_an_even_surface_has_no_contrast() -> None:
    even = np.full((1, 64, 64), 120, np.uint8)
    assert local_contrast(even)[1][0] < LEAST_CONTRAST
    assert np.isfinite(signature(even[0])).all()
    assert local_contrast(thumbnail(lesion_picture(0))[None])[1][0] > 2 * LEAST_CONTRAST
