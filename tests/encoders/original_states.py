"""Random checkpoints of SAM and SAM 2 in the names of the authors' own code, made from models of `transformers`."""

from __future__ import annotations

import re

import torch
from torch import Tensor

_DECODER = (
    ("mask_decoder.upscale_conv1.", "mask_decoder.output_upscaling.0."),
    ("mask_decoder.upscale_layer_norm.", "mask_decoder.output_upscaling.1."),
    ("mask_decoder.upscale_conv2.", "mask_decoder.output_upscaling.3."),
    (".layers.0.", ".layers.1."),
    (".proj_in.", ".layers.0."),
    (".proj_out.", ".layers.2."),
)
_PROMPTS = (
    ("mask_embed.conv1", "mask_downscaling.0"),
    ("mask_embed.layer_norm1", "mask_downscaling.1"),
    ("mask_embed.conv2", "mask_downscaling.3"),
    ("mask_embed.layer_norm2", "mask_downscaling.4"),
    ("mask_embed.conv3", "mask_downscaling.6"),
    ("shared_embedding.positional_embedding", "pe_layer.positional_encoding_gaussian_matrix"),
    ("prompt_encoder.point_embed.", "prompt_encoder.point_embeddings."),
)


def original_sam(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state of SamModel as segment-anything names it, with the two pixel statistics that only that has."""
    found = {_decoder_name(_prompt_name(_neck_name(name))): v for name, v in state.items() if not _is_copy(name)}
    renamed = {
        name.replace("vision_encoder.layers.", "vision_encoder.blocks.")
        .replace("vision_encoder.", "image_encoder.")
        .replace("patch_embed.projection.", "patch_embed.proj."): value
        for name, value in found.items()
    }
    return renamed | {"pixel_mean": torch.zeros(3, 1, 1), "pixel_std": torch.ones(3, 1, 1)}


def original_sam2(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state of Sam2Model as sam2 names it, with something of the video part."""
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        if _is_copy(name):
            continue
        if name == "prompt_encoder.point_embed.weight":
            renamed |= {f"sam_prompt_encoder.point_embeddings.{i}.weight": value[i : i + 1] for i in range(4)}
            continue
        name = re.sub(r"^(mask_decoder\.transformer.*mlp\.)proj_in\.", r"\1layers:0.", name)
        name = re.sub(r"^(mask_decoder\.transformer.*mlp\.)proj_out\.", r"\1layers:1.", name)
        name = re.sub(r"^(vision_encoder\.backbone.*mlp\.)proj_in\.", r"\1layers:0.", name)
        name = re.sub(r"^(vision_encoder\.backbone.*mlp\.)proj_out\.", r"\1layers:1.", name)
        name = _decoder_name(_prompt_name(name)).replace("layers:", "layers.")
        name = re.sub(r"^vision_encoder\.neck\.convs\.(\d)\.", r"image_encoder.neck.convs.\1.conv.", name)
        name = name.replace("vision_encoder.backbone.", "image_encoder.trunk.")
        name = name.replace("patch_embed.projection.", "patch_embed.proj.").replace("layer_norm", "norm")
        name = name.replace("o_proj.", "out_proj.").replace("no_memory_embedding", "no_mem_embed")
        renamed[re.sub(r"^(prompt_encoder|mask_decoder)\.", r"sam_\1.", name)] = value
    video = {
        "maskmem_tpos_enc": (7, 1, 1, 64),
        "memory_attention.layers.0.norm1.weight": (256,),
        "obj_ptr_proj.layers.0.bias": (256,),
    }
    return renamed | {name: torch.ones(shape) for name, shape in video.items()}


def _neck_name(name: str) -> str:
    return re.sub(r"neck\.(conv|layer_norm)(\d)", lambda m: f"neck.{2 * int(m[2]) - (m[1] == 'conv') - 1}", name)


def _is_copy(name: str) -> bool:
    return name == "shared_image_embedding.positional_embedding"


def _prompt_name(name: str) -> str:
    if name.startswith("prompt_encoder."):
        for ours, theirs in _PROMPTS:
            name = name.replace(ours, theirs)
    return name


def _decoder_name(name: str) -> str:
    if not name.startswith("mask_decoder.") or ".transformer." in name:
        return name.replace("layer_norm", "norm")
    for ours, theirs in _DECODER:
        if ours.startswith("mask_decoder") or re.search(r"mlps|head", name):
            name = name.replace(ours, theirs)
            if re.search(r"mlps|head", name) and ours == ".layers.0." and ".layers.1." in name:
                break
    return name
