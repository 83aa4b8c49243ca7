"""The image encoder of SAM 2 and SAM 2.1: Hiera with a feature pyramid, as `transformers` builds it.

References:
    Ravi et al., SAM 2, 2024 (arXiv 2408.00714); Ryali et al., Hiera, ICML 2023 (arXiv 2306.00989);
    Bolya et al., Window Attention is Bugged, ICLR 2024 (arXiv 2311.05613) for the two position tables.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dermoscope import torchvision_guard  # noqa: F401  (must come before transformers)
from dermoscope.encoders.image_encoder import ImageEncoder
from dermoscope.encoders.shapes import HieraShape

# isort: split
from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig, Sam2VisionModel

STAGES = 4


class Sam2Hiera(ImageEncoder):
    """Image encoder of SAM 2.

    Args:
        shape: Which of its sizes.
    """

    def __init__(self, shape: HieraShape) -> None:
        super().__init__()
        self.vision_encoder = Sam2VisionModel(vision_config(shape))
        self.no_memory_embedding = nn.Parameter(torch.zeros(1, 1, self.vision_encoder.config.fpn_hidden_size))

    @classmethod
    def from_state(cls, shape: HieraShape, state: Mapping[str, Tensor]) -> Sam2Hiera:
        """Build the encoder from tensors in the names of `transformers`' Sam2Model.

        Args:
            shape: Which of its sizes.
            state: Tensors of the model; those of prompts, masks and video are ignored.

        Raises:
            RuntimeError: If a tensor is missing or has another shape.
        """
        with torch.device("meta"):  # the random start of 200 million values would only be thrown away
            encoder = cls(shape)
        own = ("vision_encoder.", "no_memory_embedding")
        encoder.load_state_dict({k: v.float() for k, v in state.items() if k.startswith(own)}, assign=True)
        return encoder.eval().requires_grad_(False)

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """The four stages of the backbone, the two finer levels of the pyramid, and the embedding.

        The embedding is the pyramid's level of stride 16 plus what the model adds where no video came before: what
        the mask decoder sees.

        Args:
            images: `[B, 3, H, W]`; sides a multiple of 32.

        Returns:
            Stage 1 and pyramid level 1 (stride 4), stage 2 and level 2 (8), stages 3 (16) and 4 (32), embedding (16).
        """
        stages = self.vision_encoder.backbone(images).intermediate_hidden_states
        levels, _ = self.vision_encoder.neck(stages)  # coarse to fine
        first, second, third, fourth = (stage.permute(0, 3, 1, 2) for stage in stages)
        embedding = levels[1] + self.no_memory_embedding[..., None].permute(0, 2, 1, 3)
        return first, levels[3], second, levels[2], third, fourth, embedding


def vision_config(shape: HieraShape) -> Sam2VisionConfig:
    """The shape in the words of `transformers`."""
    widths = [shape.width * 2**stage for stage in range(STAGES)]
    backbone = Sam2HieraDetConfig(
        hidden_size=shape.width,
        num_attention_heads=shape.heads,
        embed_dim_per_stage=widths,
        num_attention_heads_per_stage=[shape.heads * 2**stage for stage in range(STAGES)],
        blocks_per_stage=list(shape.blocks),
        global_attention_blocks=list(shape.global_blocks),
        window_positional_embedding_background_size=[shape.background] * 2,
        window_size_per_stage=list(shape.windows),
    )
    return Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=widths[::-1])


def sam2_model(shape: HieraShape) -> Sam2Model:
    """The whole image model without any weights: names and shapes of its tensors, to hold a checkpoint against."""
    with torch.device("meta"):
        return Sam2Model(Sam2Config(vision_config=vision_config(shape)))
