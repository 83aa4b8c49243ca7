"""From the tensor names of the authors' own checkpoints of SAM and SAM 2 to those of `transformers`.

The names follow the modules of facebookresearch/segment-anything and facebookresearch/sam2 on one side, and of
`transformers`' SamModel and Sam2Model on the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

_Rules = Sequence[tuple[str, str]]

_THREE_LAYERS: _Rules = (
    (r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d|iou_prediction_head|pred_obj_score_head)\.)layers\.0\.",
     r"\1proj_in."),
    (r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d|iou_prediction_head|pred_obj_score_head)\.)layers\.1\.",
     r"\1layers.0."),
    (r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d|iou_prediction_head|pred_obj_score_head)\.)layers\.2\.",
     r"\1proj_out."),
)  # fmt: skip
_PROMPTS_AND_MASKS: _Rules = (
    *_THREE_LAYERS,
    (r"^mask_decoder\.output_upscaling\.0\.", "mask_decoder.upscale_conv1."),
    (r"^mask_decoder\.output_upscaling\.1\.", "mask_decoder.upscale_layer_norm."),
    (r"^mask_decoder\.output_upscaling\.3\.", "mask_decoder.upscale_conv2."),
    (r"^(mask_decoder\.transformer\..*)norm(\d|_final_attn)\.", r"\1layer_norm\2."),
    (r"^prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
    (r"^prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
    (r"^prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
    (r"^prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
    (r"^prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
    (r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$",
     "prompt_encoder.shared_embedding.positional_embedding"),
)  # fmt: skip
_SAM: _Rules = (
    *_PROMPTS_AND_MASKS,
    (r"^prompt_encoder\.point_embeddings\.", "prompt_encoder.point_embed."),
    (r"^image_encoder\.patch_embed\.proj\.", "vision_encoder.patch_embed.projection."),
    (r"^image_encoder\.blocks\.(\d+)\.norm", r"vision_encoder.layers.\1.layer_norm"),
    (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
    (r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
    (r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
    (r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
    (r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
    (r"^image_encoder\.", "vision_encoder."),
)
_SAM2: _Rules = (
    (r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
    *_PROMPTS_AND_MASKS,
    (r"^(mask_decoder\.transformer\..*\.mlp\.)layers\.0\.", r"\1proj_in."),
    (r"^(mask_decoder\.transformer\..*\.mlp\.)layers\.1\.", r"\1proj_out."),
    (r"^(mask_decoder\.transformer\..*)out_proj\.", r"\1o_proj."),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^image_encoder\.neck\.convs\.(\d)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"^image_encoder\.trunk\.patch_embed\.proj\.", "vision_encoder.backbone.patch_embed.projection."),
    (r"^(image_encoder\.trunk\.blocks\.\d+\.)norm", r"\1layer_norm"),
    (r"^(image_encoder\.trunk\.blocks\.\d+\.mlp\.)layers\.0\.", r"\1proj_in."),
    (r"^(image_encoder\.trunk\.blocks\.\d+\.mlp\.)layers\.1\.", r"\1proj_out."),
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
)
_POSITIONS = "prompt_encoder.shared_embedding.positional_embedding"
_POINT_KINDS = 4


def sam_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a checkpoint of segment-anything to the names of `transformers`' SamModel."""
    return _with_shared_positions(_renamed(state, _SAM))


def sam2_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a checkpoint of sam2 to the names of `transformers`' Sam2Model; what only video needs keeps its name.

    The four kinds of point prompts, a table each in the original, become one table.
    """
    renamed = _with_shared_positions(_renamed(state, _SAM2))
    kinds = [f"prompt_encoder.point_embeddings.{kind}.weight" for kind in range(_POINT_KINDS)]
    if all(name in renamed for name in kinds):
        renamed["prompt_encoder.point_embed.weight"] = torch.cat([renamed.pop(name) for name in kinds])
    return renamed


def _renamed(state: Mapping[str, Tensor], rules: _Rules) -> dict[str, Tensor]:
    renamed = {}
    for name, value in state.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def _with_shared_positions(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original has one table of position frequencies, `transformers` two copies of it."""
    if _POSITIONS in state:
        state["shared_image_embedding.positional_embedding"] = state[_POSITIONS].clone()
    return state
