from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from dermoscope.training.augmentation.randaugment import OPERATIONS, rand_augment
from dermoscope.training.recipes.augmentation import RandAugmentPart
from tests.training.augmentation.scene import scene

RGB, _ = scene()
NOISE = np.random.default_rng(0).integers(60, 200, (32, 32, 3)).astype(np.uint8)
MILD = {"autocontrast", "equalize"}  # as strong as they are, whatever is asked for


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_operation_of_no_strength_changes_nothing(name: str, sign: int) -> None:
    found = np.array(OPERATIONS[name](Image.fromarray(RGB), 0.0, sign))
    assert np.array_equal(found, RGB) == (name not in MILD)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in {*MILD, "identity"}])
@pytest.mark.parametrize("sign", [-1, 1])
def test_more_strength_changes_more(name: str, sign: int) -> None:
    far = [
        np.abs(np.array(OPERATIONS[name](Image.fromarray(NOISE), strength, sign)).astype(float) - NOISE).mean()
        for strength in (0.25, 0.5, 1.0)
    ]
    assert 0 < far[0] < far[1] < far[2] or (name == "solarize" and far[0] <= far[1] < far[2])


def test_signs_go_either_way() -> None:
    darker, lighter = (np.array(OPERATIONS["brightness"](Image.fromarray(RGB), 0.4, sign)).mean() for sign in (-1, 1))
    assert darker < RGB.mean() < lighter


def test_every_operation_is_drawn_and_one_state_gives_one_result() -> None:
    part = RandAugmentPart(operations=1, magnitude=5)
    random = np.random.default_rng(0)
    seen = {rand_augment(NOISE, part, random).tobytes() for _ in range(200)}
    assert len(seen) == len(OPERATIONS) + 4  # four of them go either way
    one, same = (rand_augment(RGB, part, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, same)


def test_it_changes_a_copy() -> None:
    before = RGB.copy()
    found = rand_augment(RGB, RandAugmentPart(operations=3, magnitude=10), np.random.default_rng(1))
    assert np.array_equal(RGB, before)
    assert found.shape == RGB.shape
    assert found.dtype == np.uint8
    assert found.flags.writeable
