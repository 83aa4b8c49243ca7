"""The image encoder of the first SAM: a plain vision transformer with windows, as `transformers` builds it.

Reference:
    Kirillov et al., Segment Anything, 2023 (arXiv 2304.02643); Li et al., ViTDet, ECCV 2022 (arXiv 2203.16527).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from dermoscope import torchvision_guard  # noqa: F401  (must come before transformers)
from dermoscope.encoders.image_encoder import ImageEncoder
from dermoscope.encoders.shapes import ViTShape

# isort: split
from transformers import SamConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig, SamVisionModel

_PATCH = 16


class SamViT(ImageEncoder):
    """Image encoder of SAM.

    Args:
        shape: Which of its sizes.
    """

    def __init__(self, shape: ViTShape) -> None:
        super().__init__()
        self.model = SamVisionModel(vision_config(shape))
        self._shown = frozenset(shape.global_layers)

    @classmethod
    def from_state(cls, shape: ViTShape, state: Mapping[str, Tensor]) -> SamViT:
        """Build the encoder from tensors in the names of `transformers`' SamModel.

        Args:
            shape: Which of its sizes.
            state: Tensors of the model; those of prompts and masks are ignored.

        Raises:
            RuntimeError: If a tensor is missing or has another shape.
        """
        with torch.device("meta"):  # the random start of 600 million values would only be thrown away
            encoder = cls(shape)
        own = {key: value.float() for key, value in state.items() if key.startswith("vision_encoder.")}
        encoder.model.load_state_dict(own, assign=True)
        return encoder.eval().requires_grad_(False)

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """The tokens after each layer that looks at the whole image, and the embedding; all of stride 16.

        Away from the size of the position table, 1,024 pixels, the table is resampled (bicubic), and the tables of
        relative positions too (linear, as the original code does).

        Args:
            images: `[B, 3, H, W]`; sides a multiple of 16.
        """
        network = self.model.vision_encoder
        tokens = network.patch_embed.projection(images).permute(0, 2, 3, 1)
        assert network.pos_embed is not None  # absent only where a config asks for it
        tokens = tokens + _resampled(network.pos_embed, (tokens.shape[1], tokens.shape[2]))
        found = []
        for number, layer in enumerate(network.layers):
            tokens = layer(tokens)
            if number in self._shown:
                found.append(tokens.permute(0, 3, 1, 2))
        return (*found, network.neck(tokens))


def vision_config(shape: ViTShape) -> SamVisionConfig:
    """The shape in the words of `transformers`."""
    return SamVisionConfig(
        hidden_size=shape.width,
        num_hidden_layers=shape.depth,
        num_attention_heads=shape.heads,
        global_attn_indexes=list(shape.global_layers),
        image_size=shape.table * _PATCH,
        patch_size=_PATCH,
    )


def sam_model(shape: ViTShape) -> SamModel:
    """The whole model without any weights: names and shapes of its tensors, to hold a checkpoint against."""
    prompts = SamPromptEncoderConfig(image_size=shape.table * _PATCH, patch_size=_PATCH)
    with torch.device("meta"):
        return SamModel(SamConfig(vision_config=vision_config(shape), prompt_encoder_config=prompts))


def _resampled(table: Tensor, size: tuple[int, int]) -> Tensor:
    if table.shape[1:3] == size:
        return table
    resampled = F.interpolate(table.permute(0, 3, 1, 2), size, mode="bicubic", align_corners=False)
    return resampled.permute(0, 2, 3, 1)
