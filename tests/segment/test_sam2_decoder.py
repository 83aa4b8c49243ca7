"""SAM 2's decoder behind the common call."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.segment.prompts import Prompt, box_prompt, click_prompt
from dermoscope.segment.sam2_decoder import Sam2Decoder, sam2_config

# isort: split
from transformers import Sam2Model

CONTRACT = InputContract(size=128, fit="pad", scaling="imagenet", map_size=8)


@pytest.fixture(scope="module")
def model() -> Sam2Model:
    torch.manual_seed(0)
    return cast(Sam2Model, Sam2Model(sam2_config(CONTRACT)).eval())


@pytest.fixture
def decoder(model: Sam2Model) -> Sam2Decoder:
    decoder = Sam2Decoder(model, CONTRACT)
    rgb = np.random.default_rng(0).integers(0, 255, (48, 96, 3)).astype(np.uint8)
    decoder.look_at(prepare(rgb, CONTRACT), (48, 96))
    return decoder


def test_masks_cover_the_image_and_not_the_padding(decoder: Sam2Decoder) -> None:
    masks, overlaps = decoder([click_prompt("click", 10, 10), box_prompt("box", (5, 5, 50, 40))])
    assert masks.shape == (2, 4, 16, 32)
    assert overlaps.shape == (2, 4)


def test_a_box_as_two_points_is_the_box_of_transformers(decoder: Sam2Decoder, model: Sam2Model) -> None:
    masks, overlaps = decoder([box_prompt("box", (6, 9, 60, 40))])
    box = torch.tensor([[[6.0, 9.0, 60.0, 40.0]]]) * 128 / 96
    with torch.inference_mode():
        theirs = model(image_embeddings=decoder._embeddings, input_boxes=box, multimask_output=True)
    np.testing.assert_allclose(masks[0, 1:], theirs.pred_masks[0, 0][:, :16].numpy(), atol=1e-4)
    np.testing.assert_allclose(overlaps[0, 1:], theirs.iou_scores[0, 0].numpy(), atol=1e-5)


def test_a_prompt_says_the_same_alone_and_beside_a_longer_one(decoder: Sam2Decoder) -> None:
    click = click_prompt("click", 30, 20)
    two = Prompt("two", np.array([[30, 20], [80, 10]], np.float32), np.array([1, 0], np.int64))
    alone, _ = decoder([two])
    beside, _ = decoder([two, two])
    np.testing.assert_allclose(alone[0], beside[1], atol=1e-4)
    masks, _ = decoder([click, two])
    assert np.abs(masks[0] - masks[1]).max() > 1e-3


def test_needs_an_image_and_all_tensors(model: Sam2Model, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="call look_at first"):
        Sam2Decoder(model, CONTRACT)([click_prompt("click", 1, 1)])
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "few.safetensors")
    with pytest.raises(ValueError, match=r"few\.safetensors has no .* missing tensors in all"):
        Sam2Decoder.from_file(tmp_path / "few.safetensors", CONTRACT)
