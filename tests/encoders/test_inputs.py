from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.encoders.inputs import Fit, InputContract, fitted_size, input_contract, prepare
from dermoscope.encoders.registry import IMAGENET_MEAN, IMAGENET_STD, Scaling, encoder_spec

CONTRACTS = [
    pytest.param("pad", "min-max", id="pad min-max"),
    pytest.param("pad", "imagenet", id="pad imagenet"),
    pytest.param("squash", "min-max", id="squash min-max"),
    pytest.param("squash", "imagenet", id="squash imagenet"),
]


def contract(fit: Fit = "pad", scaling: Scaling = "min-max", size: int = 64) -> InputContract:
    return InputContract(size=size, fit=fit, scaling=scaling, map_size=size // 4)


def noise(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("image", "fit", "expected"),
    [
        ((600, 450), "pad", (64, 48)),
        ((450, 600), "pad", (48, 64)),
        ((20, 10), "pad", (64, 32)),
        ((5000, 1), "pad", (64, 1)),
        ((64, 64), "pad", (64, 64)),
        ((600, 450), "squash", (64, 64)),
        ((5000, 1), "squash", (64, 64)),
    ],
)
def test_fitted_size(image: tuple[int, int], fit: Fit, expected: tuple[int, int]) -> None:
    assert fitted_size(*image, contract(fit)) == expected


@pytest.mark.parametrize(("fit", "scaling"), CONTRACTS)
@pytest.mark.parametrize(("width", "height"), [(300, 200), (40, 64), (1, 1), (1, 900)])
def test_shapes_padding_and_pool_weights(width: int, height: int, fit: Fit, scaling: Scaling) -> None:
    prepared = prepare(noise(width, height), contract(fit, scaling))
    assert prepared.image.shape == (1, 3, 64, 64)
    assert prepared.image.dtype == prepared.pool_weights.dtype == np.float32
    assert prepared.pool_weights.shape == (1, 1, 16, 16)
    assert np.isfinite(prepared.image).all()
    assert prepared.pool_weights.sum() == pytest.approx(1, abs=1e-5)
    assert not prepared.image[:, :, prepared.height :].any()
    assert not prepared.image[:, :, :, prepared.width :].any()
    shown_rows, shown_columns = -(-prepared.height // 4), -(-prepared.width // 4)
    assert (prepared.pool_weights[0, 0, :shown_rows, :shown_columns] > 0).all()
    assert not prepared.pool_weights[0, 0, shown_rows:].any()
    assert not prepared.pool_weights[0, 0, :, shown_columns:].any()


def test_a_cell_at_the_edge_counts_as_far_as_it_shows_image() -> None:
    # 8 by 6 pixels in a square of 8 with cells of 4: the second row of cells is half image, half padding.
    weights = prepare(noise(8, 6), contract(size=8)).pool_weights[0, 0]
    np.testing.assert_allclose(weights, np.array([[1, 1], [0.5, 0.5]]) / 3, atol=1e-7)


def test_min_max_uses_each_images_own_range() -> None:
    rgb = noise(64, 64) // 4 + 50
    image = prepare(rgb, contract()).image
    assert image.min() == 0
    assert image.max() == 1
    expected = (rgb.astype(np.float32) - rgb.min()) / (int(rgb.max()) - int(rgb.min()))
    np.testing.assert_allclose(image[0].transpose(1, 2, 0), expected, atol=1e-6)


def test_imagenet_scaling_is_channel_by_channel() -> None:
    rgb = noise(64, 64)
    image = prepare(rgb, contract(scaling="imagenet")).image
    for channel in range(3):
        expected = (rgb[..., channel] / 255 - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]
        np.testing.assert_allclose(image[0, channel], expected, atol=1e-5)


def test_one_colour_does_not_divide_by_zero() -> None:
    image = prepare(np.full((30, 40, 3), 128, np.uint8), contract()).image
    assert not image.any()


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 200
    stripes[0, 0] = 0
    grey = prepare(stripes, contract(scaling="imagenet")).image[0, 0, 8:, 8:] * IMAGENET_STD[0] + IMAGENET_MEAN[0]
    np.testing.assert_allclose(grey, 100 / 255, atol=0.01)


def test_symmetric_scaling_is_the_same_for_every_image() -> None:
    rgb = np.array([[[0, 255, 51]]], np.uint8).repeat(8, 0).repeat(8, 1)
    image = prepare(rgb, contract(scaling="symmetric")).image
    np.testing.assert_allclose(image[0, :, 0, 0], [-1.0, 1.0, -0.6], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [("sam2_hiera_tiny", None, (1024, 64)), ("sam2_hiera_tiny", 512, (512, 32)), ("litemedsam", 112, (112, 28)),
     ("resnet50", None, (224, 7)), ("vit_small_patch14_dinov2", 224, (224, 16))],
)  # fmt: skip
def test_the_contract_of_an_encoder(name: str, size: int | None, expected: tuple[int, int]) -> None:
    made = input_contract(encoder_spec(name), size, "squash")
    assert (made.size, made.map_size) == expected
    assert made.fit == "squash"
    assert made.scaling == encoder_spec(name).scaling


@pytest.mark.parametrize("size", [0, -32, 500])
def test_a_size_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"size must be a multiple of 32 pixels for sam2_hiera_tiny, got {size}"):
        input_contract(encoder_spec("sam2_hiera_tiny"), size)
