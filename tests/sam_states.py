"""Random checkpoints in the names of the original SAM code, so that tests of the conversions need no weights."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.segment.mask_decoder import PromptedMaskDecoder

_DECODER_NAMES = (
    (r"^frequencies$", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^not_a_point$", "prompt_encoder.not_a_point_embed.weight"),
    (r"^no_mask$", "prompt_encoder.no_mask_embed.weight"),
    (r"^previous\.conv1", "prompt_encoder.mask_downscaling.0"),
    (r"^previous\.layer_norm1", "prompt_encoder.mask_downscaling.1"),
    (r"^previous\.conv2", "prompt_encoder.mask_downscaling.3"),
    (r"^previous\.layer_norm2", "prompt_encoder.mask_downscaling.4"),
    (r"^previous\.conv3", "prompt_encoder.mask_downscaling.6"),
    (r"^decoder\.", "mask_decoder."),
    (r"layer_norm(\d|_final_attn)", r"norm\1"),
    (r"upscale_conv1", "output_upscaling.0"),
    (r"upscale_layer_norm", "output_upscaling.1"),
    (r"upscale_conv2", "output_upscaling.3"),
    (r"(mlps\.\d|iou_prediction_head)\.layers\.0", r"\1.layers.1"),
    (r"proj_in", "layers.0"),
    (r"proj_out", "layers.2"),
)


def shuffled(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in evaluation mode, every floating tensor small and random, so that no two are alike."""
    random = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=random)
            scale = max(1.0, value[0].numel() ** 0.5) if value.ndim else 1.0
            value.copy_(0.5 + noise.abs() if name.endswith("running_var") else noise / scale)
    return module.eval()


def original_encoder_state(encoder: TinyViTSam) -> dict[str, Tensor]:
    """The encoder as the original code names it, with the leftovers that real checkpoints carry."""
    state = {f"image_encoder.{_original_encoder_name(name)}": value for name, value in encoder.state_dict().items()}
    return state | {
        "image_encoder.norm_head.weight": torch.ones(320),
        "image_encoder.head.weight": torch.ones(1, 320),
        "image_encoder.layers.1.blocks.0.attn.attention_bias_idxs": torch.zeros(49, 49, dtype=torch.int64),
    }


def original_decoder_state(decoder: PromptedMaskDecoder) -> dict[str, Tensor]:
    """The decoder as the original code names it."""
    state: dict[str, Tensor] = {}
    for name, value in decoder.state_dict().items():
        if name == "point_kinds":
            state |= {f"prompt_encoder.point_embeddings.{kind}.weight": value[kind : kind + 1] for kind in range(4)}
            continue
        for ours, theirs in _DECODER_NAMES:
            name = re.sub(ours, theirs, name)
        state[name] = value
    return state


def _original_encoder_name(name: str) -> str:
    name = re.sub(r"^stages\.(\d)\.downsample", lambda match: f"layers.{int(match[1]) - 1}.downsample", name)
    name = name.replace("stages.", "layers.", 1).replace(".conv.weight", ".c.weight")
    return name.replace("patch_embed.conv1", "patch_embed.seq.0").replace("patch_embed.conv2", "patch_embed.seq.2")
