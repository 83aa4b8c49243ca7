from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from dermoscope.segment.flips import Flip, FlippedDecoder, flip_pixels, flip_prompt
from dermoscope.segment.prompts import box_prompt, clicks
from tests.segment.test_prompted_decoder import decoder_on

FLIPS: tuple[Flip, ...] = get_args(Flip)
SHAPE = (40, 60)


@pytest.mark.parametrize("flip", FLIPS)
def test_flipping_twice_gives_everything_back(flip: Flip) -> None:
    pixels = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    np.testing.assert_array_equal(flip_pixels(flip_pixels(pixels, flip, first_axis=1), flip, first_axis=1), pixels)
    prompt = clicks([[3, 5], [50, 20]], [1, 0], box=(1, 2, 30, 35), previous=pixels[0])
    back = flip_prompt(flip_prompt(prompt, flip, SHAPE), flip, SHAPE)
    np.testing.assert_array_equal(back.points, prompt.points)
    np.testing.assert_array_equal(back.labels, prompt.labels)
    np.testing.assert_array_equal(back.previous, prompt.previous)


@pytest.mark.parametrize("flip", FLIPS)
def test_a_click_follows_its_pixel_and_a_box_its_region(flip: Flip) -> None:
    image = np.zeros(SHAPE, np.uint8)
    image[5:9, 10:25] = 1
    image[30, 50] = 2
    flipped = flip_pixels(image, flip)
    click = flip_prompt(clicks([[50, 30]], [1]), flip, SHAPE).points[0].astype(int)
    assert flipped[click[1], click[0]] == 2
    box = flip_prompt(box_prompt("box", (10, 5, 25, 9)), flip, SHAPE)
    (left, top), (right, bottom) = box.points.astype(int)
    assert flipped[top:bottom, left:right].all()
    assert (flipped == 1).sum() == (right - left) * (bottom - top)
    assert box.labels.tolist() == [2, 3]


def test_the_mean_is_taken_on_the_unflipped_image() -> None:
    # Both decoders number the pixels of their own image from the upper left, so the mean of a row is level.
    decoders: dict[Flip, object] = {"original": decoder_on(128, 128, "squash"), "hflip": decoder_on(128, 128, "squash")}
    pair = {flip: one[0] for flip, one in decoders.items()}  # type: ignore[index]
    decode = FlippedDecoder(pair, (128, 128))
    masks, overlaps = decode([clicks([[30, 40]], [1])])
    assert masks.dtype == overlaps.dtype == np.float32
    assert overlaps.tolist() == [[0.5] * 4]
    np.testing.assert_array_equal(masks[0, 0], np.broadcast_to(masks[0, 0, :, :1], (128, 128)))
    assert decode.takes_previous
    assert decode.shape == (128, 128)
    given = decoders["hflip"][1].given["points"][0, 0]  # type: ignore[index]
    assert given.tolist() == [97, 40]
