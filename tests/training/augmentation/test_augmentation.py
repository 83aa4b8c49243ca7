"""The whole: what comes out fits what went in, whichever changes a recipe asks for."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.data.ham10000 import HAM10000
from dermoscope.images import decode
from dermoscope.training.augmentation import augment
from dermoscope.training.recipes.augmentation import NO_AUGMENTATION, AugmentationPart
from tests.training.augmentation.scene import lesion_seen, overlap, scene

EFFECTS = tuple(AugmentationPart.model_fields)
MOVING = {"symmetry", "zoom"}


def only(*effects: str) -> AugmentationPart:
    """These changes always, the others never."""
    return AugmentationPart.model_validate({name: {"probability": float(name in effects)} for name in EFFECTS})


ALWAYS = only(*EFFECTS)


def many(part: AugmentationPart, count: int = 24) -> list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    random = np.random.default_rng(5)
    return [augment(*scene(), part, random) for _ in range(count)]


@pytest.mark.parametrize("part", [AugmentationPart(), ALWAYS], ids=["as a recipe has it", "everything at once"])
@pytest.mark.parametrize("shape", [(96, 96), (64, 96), (33, 50)])
def test_form_of_the_result(part: AugmentationPart, shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    shapes = set()
    for _ in range(30):
        rgb, mask = augment(*scene(*shape, axes=(12, 8)), part, random)
        assert rgb.dtype == np.uint8
        assert mask.dtype == np.bool_
        assert rgb.shape == (*mask.shape, 3)
        assert rgb.flags.c_contiguous
        assert mask.flags.c_contiguous
        assert mask.any()
        shapes.add(mask.shape)
    assert shapes == {shape, shape[::-1]}


@pytest.mark.parametrize("part", [AugmentationPart(), ALWAYS], ids=["as a recipe has it", "everything at once"])
def test_one_state_of_the_generator_gives_one_result(part: AugmentationPart) -> None:
    one, same, other = (np.random.default_rng(seed) for seed in (7, 7, 8))
    differ = 0
    for _ in range(10):
        first, second, third = (augment(*scene(64, 64), part, random) for random in (one, same, other))
        assert np.array_equal(first[0], second[0])
        assert np.array_equal(first[1], second[1])
        differ += not np.array_equal(first[0], third[0])
    assert differ >= 9


def test_the_input_is_not_changed() -> None:
    rgb, mask = scene()
    kept_rgb, kept_mask = rgb.copy(), mask.copy()
    random = np.random.default_rng(0)
    for _ in range(10):
        augment(rgb, mask, ALWAYS, random)
    assert np.array_equal(rgb, kept_rgb)
    assert np.array_equal(mask, kept_mask)


def test_nothing_asked_for_is_nothing_done() -> None:
    for rgb, mask in many(NO_AUGMENTATION, 5):
        assert np.array_equal(rgb, scene()[0])
        assert np.array_equal(mask, scene()[1])


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_change_can_be_had_alone(effect: str) -> None:
    rgb, mask = scene()
    found = many(only(effect))
    assert sum(not np.array_equal(changed, rgb) for changed, _ in found) >= len(found) / 3
    if effect != "frame":
        assert any(not np.array_equal(changed, mask) for _, changed in found) == (effect in MOVING)


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_probability_is_how_often(effect: str) -> None:
    part = NO_AUGMENTATION.model_copy(
        update={effect: getattr(NO_AUGMENTATION, effect).model_copy(update={"probability": 0.3})}
    )
    rgb, _ = scene()
    changed = sum(not np.array_equal(found, rgb) for found, _ in many(part, 200))
    assert 20 <= changed <= 85


def test_mask_and_image_move_together() -> None:
    agreement = [overlap(mask, lesion_seen(rgb)) for rgb, mask in many(only("symmetry", "zoom"), 60)]
    assert min(agreement) > 0.93


@pytest.mark.parametrize("axes", [(0, 0), (1, 1), (90, 70)], ids=["one pixel", "tiny", "frame-filling"])
def test_a_lesion_is_never_lost(axes: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    for _ in range(60):
        _, mask = augment(*scene(axes=axes), ALWAYS, random)
        assert mask.any()


def test_no_lesion_stays_none() -> None:
    rgb, _ = scene()
    random = np.random.default_rng(1)
    seen = {augment(rgb, np.zeros(rgb.shape[:2], np.bool_), ALWAYS, random)[1].any() for _ in range(20)}
    assert seen == {False}


@pytest.mark.data
def test_real_lesions_stay_in_view_and_in_colour(real_data: Path) -> None:
    random = np.random.default_rng(0)
    for record in itertools.islice(HAM10000(real_data / "HAM10000").records(), 12):
        assert record.mask_path
        rgb, mask = decode(record.path).rgb, decode(record.mask_path).rgb[..., 0] > 127
        for _ in range(5):
            variant, moved = augment(rgb, mask, AugmentationPart(), random)
            assert moved.any()
            red, _, blue = variant.reshape(-1, 3).mean(axis=0)
            assert 40 < red < 254
            assert red > 0.85 * blue
