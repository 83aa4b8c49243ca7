"""The authors' names become those of transformers: name by name, there and back, and held against the authors' code."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dermoscope.encoders.original_names import sam2_names, sam_names
from dermoscope.encoders.registry import encoder_spec
from dermoscope.encoders.sam2_hiera import Sam2Hiera, sam2_model
from dermoscope.encoders.sam_vit import SamViT, sam_model
from dermoscope.encoders.shapes import HieraShape, ViTShape
from tests.encoders.original_states import original_sam, original_sam2
from tests.encoders.tiny import HIERA, VIT, WIDE_HIERA, random_images
from tests.sam_states import shuffled


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("image_encoder.pos_embed", "vision_encoder.pos_embed"),
        ("image_encoder.patch_embed.proj.weight", "vision_encoder.patch_embed.projection.weight"),
        ("image_encoder.blocks.11.norm2.bias", "vision_encoder.layers.11.layer_norm2.bias"),
        ("image_encoder.blocks.2.attn.rel_pos_h", "vision_encoder.layers.2.attn.rel_pos_h"),
        ("image_encoder.blocks.0.mlp.lin1.weight", "vision_encoder.layers.0.mlp.lin1.weight"),
        ("image_encoder.neck.3.weight", "vision_encoder.neck.layer_norm2.weight"),
        ("prompt_encoder.point_embeddings.2.weight", "prompt_encoder.point_embed.2.weight"),
        ("prompt_encoder.mask_downscaling.6.bias", "prompt_encoder.mask_embed.conv3.bias"),
        ("mask_decoder.transformer.layers.1.norm4.weight", "mask_decoder.transformer.layers.1.layer_norm4.weight"),
        ("mask_decoder.transformer.norm_final_attn.bias", "mask_decoder.transformer.layer_norm_final_attn.bias"),
        ("mask_decoder.transformer.layers.0.self_attn.out_proj.weight",
         "mask_decoder.transformer.layers.0.self_attn.out_proj.weight"),
        ("mask_decoder.output_hypernetworks_mlps.3.layers.1.weight",
         "mask_decoder.output_hypernetworks_mlps.3.layers.0.weight"),
        ("mask_decoder.iou_prediction_head.layers.2.bias", "mask_decoder.iou_prediction_head.proj_out.bias"),
    ],
)  # fmt: skip
def test_names_of_sam(theirs: str, ours: str) -> None:
    assert list(sam_names({theirs: torch.zeros(1)})) == [ours]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("image_encoder.trunk.pos_embed_window", "vision_encoder.backbone.pos_embed_window"),
        ("image_encoder.trunk.patch_embed.proj.bias", "vision_encoder.backbone.patch_embed.projection.bias"),
        ("image_encoder.trunk.blocks.10.norm1.weight", "vision_encoder.backbone.blocks.10.layer_norm1.weight"),
        ("image_encoder.trunk.blocks.3.mlp.layers.0.weight", "vision_encoder.backbone.blocks.3.mlp.proj_in.weight"),
        ("image_encoder.trunk.blocks.3.mlp.layers.1.weight", "vision_encoder.backbone.blocks.3.mlp.proj_out.weight"),
        ("image_encoder.trunk.blocks.3.proj.weight", "vision_encoder.backbone.blocks.3.proj.weight"),
        ("image_encoder.neck.convs.2.conv.weight", "vision_encoder.neck.convs.2.weight"),
        ("no_mem_embed", "no_memory_embedding"),
        ("no_mem_pos_enc", "no_mem_pos_enc"),
        ("sam_mask_decoder.conv_s0.weight", "mask_decoder.conv_s0.weight"),
        ("sam_mask_decoder.pred_obj_score_head.layers.1.bias", "mask_decoder.pred_obj_score_head.layers.0.bias"),
        ("sam_mask_decoder.transformer.layers.0.mlp.layers.1.bias",
         "mask_decoder.transformer.layers.0.mlp.proj_out.bias"),
        ("sam_mask_decoder.transformer.final_attn_token_to_image.out_proj.weight",
         "mask_decoder.transformer.final_attn_token_to_image.o_proj.weight"),
        ("sam_prompt_encoder.mask_downscaling.4.weight", "prompt_encoder.mask_embed.layer_norm2.weight"),
    ],
)  # fmt: skip
def test_names_of_sam2(theirs: str, ours: str) -> None:
    assert list(sam2_names({theirs: torch.zeros(1)})) == [ours]


def values_for(model: nn.Module) -> dict[str, Tensor]:
    """Random values for a model without any; the two copies of the position table agree, as they must."""
    random = torch.Generator().manual_seed(3)
    state = {name: torch.rand(value.shape, generator=random) for name, value in model.state_dict().items()}
    state["shared_image_embedding.positional_embedding"] = state["prompt_encoder.shared_embedding.positional_embedding"]
    return state


def test_sam_there_and_back() -> None:
    state = values_for(sam_model(VIT))
    back = sam_names(original_sam(state))
    assert back.keys() - state.keys() == {"pixel_mean", "pixel_std"}
    assert all(torch.equal(back[name], value) for name, value in state.items())


@pytest.mark.parametrize("shape", [HIERA, WIDE_HIERA])
def test_sam2_there_and_back(shape: HieraShape) -> None:
    state = values_for(sam2_model(shape))
    back = sam2_names(original_sam2(state))
    assert len(back.keys() - state.keys()) == 3, "what only video needs"
    assert all(torch.equal(back[name], value) for name, value in state.items())


def test_every_name_of_segment_anything_is_known() -> None:
    # pip install --no-deps segment-anything brings the authors' code
    build_sam: Any = pytest.importorskip("segment_anything.build_sam")
    shape = encoder_spec("sam_vit_b").shape
    assert isinstance(shape, ViTShape)
    found = sam_names(build_sam.build_sam_vit_b().state_dict())
    expected = sam_model(shape).state_dict()
    assert {name: value.shape for name, value in found.items() if not name.startswith("pixel_")} == {
        name: value.shape for name, value in expected.items()
    }


def test_segment_anything_computes_the_same() -> None:
    image_encoder: Any = pytest.importorskip("segment_anything.modeling.image_encoder")
    reference = shuffled(
        image_encoder.ImageEncoderViT(
            img_size=VIT.table * 16, embed_dim=VIT.width, depth=VIT.depth, num_heads=VIT.heads, use_rel_pos=True,
            window_size=14, global_attn_indexes=VIT.global_layers, norm_layer=partial(nn.LayerNorm, eps=1e-6),
        )
    )  # fmt: skip
    state = {f"image_encoder.{name}": value for name, value in reference.state_dict().items()}
    images = random_images(2, VIT.table * 16)
    with torch.inference_mode():
        ours, theirs = SamViT.from_state(VIT, sam_names(state))(images), reference(images)
    print(f"largest difference: {float((ours - theirs).abs().max()):.2g}")
    assert float(theirs.std()) > 0.05, "a flat map would prove nothing"
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("file", ["sam2/sam2_hiera_t", "sam2.1/sam2.1_hiera_b+"])
def test_every_name_of_sam2_is_known(file: str) -> None:
    # pip install --no-deps sam2 hydra-core omegaconf iopath portalocker "antlr4-python3-runtime==4.9.*"
    build_sam: Any = pytest.importorskip("sam2.build_sam")
    name = file.split("/")[1].replace("_b+", "_base_plus").replace("_t", "_tiny")
    shape = encoder_spec(name).shape
    assert isinstance(shape, HieraShape)
    found = sam2_names(build_sam.build_sam2(f"configs/{file}.yaml", device="cpu").state_dict())
    for tensor, value in sam2_model(shape).state_dict().items():
        assert found[tensor].shape == value.shape, tensor


@pytest.mark.parametrize("shape", [HIERA, WIDE_HIERA])
@pytest.mark.parametrize("side", [64, 160])
def test_sam2_computes_the_same(shape: HieraShape, side: int) -> None:
    hieradet: Any = pytest.importorskip("sam2.modeling.backbones.hieradet")
    image_encoder: Any = pytest.importorskip("sam2.modeling.backbones.image_encoder")
    position_encoding: Any = pytest.importorskip("sam2.modeling.position_encoding")
    trunk = hieradet.Hiera(
        embed_dim=shape.width, num_heads=shape.heads, stages=shape.blocks, global_att_blocks=shape.global_blocks,
        window_pos_embed_bkg_spatial_size=(shape.background,) * 2, window_spec=shape.windows,
    )  # fmt: skip
    neck = image_encoder.FpnNeck(
        position_encoding.PositionEmbeddingSine(256), 256, [shape.width * factor for factor in (8, 4, 2, 1)],
        fpn_top_down_levels=[2, 3], fpn_interp_model="nearest",
    )  # fmt: skip
    reference = shuffled(image_encoder.ImageEncoder(trunk, neck, scalp=1))
    state = {f"image_encoder.{name}": value for name, value in reference.state_dict().items()}
    state["no_mem_embed"] = torch.rand(1, 1, 256)
    images = random_images(2, side)
    with torch.inference_mode():
        ours = Sam2Hiera.from_state(shape, sam2_names(state)).maps(images)
        levels, stages = reference(images)["backbone_fpn"], trunk(images)
    theirs = (stages[0], levels[0], stages[1], levels[1], stages[2], stages[3])
    for one, other in zip(ours, (*theirs, levels[2] + state["no_mem_embed"].reshape(1, -1, 1, 1)), strict=True):
        assert float(other.std()) > 0.02, "a flat map would prove nothing"
        torch.testing.assert_close(one, other)
