"""A crop and its mask change together, anew in every epoch, whatever batch they are in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.training.cam_data import CropBatch, CropData
from dermoscope.training.crop_images import CropCache
from dermoscope.training.recipes.augmentation import (
    NO_AUGMENTATION,
    AugmentationPart,
    ColourPart,
    SymmetryPart,
    ZoomPart,
)
from tests.training.tiny_crops import diagnosed, small_recipe
from tests.training.tiny_masks import LESION, SKIN

IMAGES, CROPS = 6, 3
CONTRACT = InputContract(size=64, fit="squash", scaling="symmetric", map_size=16)
PLACES = NO_AUGMENTATION.model_copy(
    update={"symmetry": SymmetryPart(), "zoom": ZoomPart(probability=1.0, rotation=45.0)}
)
LIGHT = NO_AUGMENTATION.model_copy(
    update={"colour": ColourPart(probability=1.0, contrast=0.0, saturation=0.0, hue=0.0, white_balance=0.0)}
)
EVERY = np.arange(IMAGES * CROPS)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> CropCache:
    folder = tmp_path_factory.mktemp("crops")
    filled = CropCache(folder / "cache", diagnosed(folder / "images", ("train",) * IMAGES), small_recipe())
    filled.fill()
    return filled


def batch(
    cache: CropCache, part: AugmentationPart, epoch: int | None, *, samples: np.ndarray = EVERY, seed: int = 1
) -> CropBatch:
    return next(CropData(cache, CONTRACT, part, seed=seed).batches(CROPS, [samples], epoch))


def dark(images: torch.Tensor) -> torch.Tensor:
    """Share of each cell `[B, 16, 16]` whose pixels are nearer to the lesion's colour than to the skin's."""
    between = (SKIN[0] + LESION[0]) / 255 - 1
    return F.avg_pool2d((images[:, :1] < between).float(), CONTRACT.size // CONTRACT.map_size)[:, 0]


def apart(some: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """How far the cells of each sample are apart, 0 to 1."""
    return (some - others).abs().mean(dim=(1, 2))


def test_a_mask_is_changed_together_with_its_image(cache: CropCache) -> None:
    """Lesions are dark, skin is light: where a changed image is dark, there its mask must be."""
    still = batch(cache, PLACES, None)
    assert float(apart(dark(still.images), still.masks).max()) < 0.02
    for epoch in (1, 2):
        moved = batch(cache, PLACES, epoch)
        assert float(apart(dark(moved.images), moved.masks).max()) < 0.02
        assert float(apart(moved.masks, still.masks).median()) > 0.1  # so this would have shown on masks left behind


def test_without_an_epoch_crops_are_those_of_the_cache(cache: CropCache) -> None:
    found = batch(cache, PLACES, None, samples=np.array([7, 0]))
    squares, masks = cache.rows(np.array([2, 0]))
    for row, (square, mask) in enumerate([(squares[0, 1], masks[0, 1]), (squares[1, 0], masks[1, 0])]):
        np.testing.assert_array_equal(found.images[row], prepare(square, CONTRACT).image[0])
        cells = (mask > 127).reshape(16, 5, 16, 5).mean(axis=(1, 3))
        np.testing.assert_allclose(found.masks[row], cells, atol=1e-6)


def test_crops_are_changed_anew_in_every_epoch(cache: CropCache) -> None:
    first, again, later = (batch(cache, PLACES, epoch) for epoch in (1, 1, 2))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.masks, again.masks)
    for other in (later, batch(cache, PLACES, 1, seed=2)):
        assert all(not torch.equal(*pair) for pair in zip(first.images, other.images, strict=True))


def test_every_sample_has_a_change_of_its_own_in_whatever_batch_it_is(cache: CropCache) -> None:
    together = batch(cache, LIGHT, 1)
    for sample in (11, 4):
        alone = batch(cache, LIGHT, 1, samples=np.array([sample]))
        assert torch.equal(alone.images[0], together.images[sample])
    brightness = (together.images + 1).mean(dim=(1, 2, 3)) / (batch(cache, LIGHT, None).images + 1).mean(dim=(1, 2, 3))
    assert float(brightness.max() - brightness.min()) > 0.1


def test_batches_come_in_the_order_asked_for(cache: CropCache) -> None:
    crops = CropData(cache, CONTRACT, NO_AUGMENTATION, seed=1)
    assert len(crops) == IMAGES
    asked = [np.array(samples) for samples in ([3, 1], [17], [0, 5, 2], [9, 10], [4])]
    found = list(crops.batches(CROPS, asked, None))
    assert [one.samples.tolist() for one in found] == [one.tolist() for one in asked]
    every = batch(cache, NO_AUGMENTATION, None)
    for one in found:
        assert torch.equal(one.images, every.images[one.samples])
        assert torch.equal(one.masks, every.masks[one.samples])
    assert list(crops.batches(CROPS, [], None)) == []
