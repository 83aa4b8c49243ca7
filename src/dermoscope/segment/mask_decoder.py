"""SAM's prompt encoder and mask decoder in torch, in one graph that takes every kind of sparse prompt as points.

The networks are those of `transformers`; what is added is one way in: a box is two points with the labels 2 and 3, a
click has label 1 (lesion) or 0 (background), and -1 fills up a row; a row of -1 alone is no prompt at all. An earlier
mask may come with any of them. So prompts of different kinds share one batch, and the whole exports to a single ONNX
graph.

Reference: Kirillov et al., Segment Anything, 2023 (arXiv 2304.02643).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from dermoscope import torchvision_guard  # noqa: F401  (must come before transformers)
from dermoscope.encoders.original_names import sam_names
from dermoscope.segment.prompts import PADDING_LABEL

# isort: split
from transformers.models.sam.configuration_sam import SamMaskDecoderConfig, SamPromptEncoderConfig
from transformers.models.sam.modeling_sam import SamMaskDecoder, SamMaskEmbedding

EMBEDDING_CHANNELS = 256

_RENAMES = {
    "prompt_encoder.shared_embedding.positional_embedding": "frequencies",
    "prompt_encoder.not_a_point_embed.weight": "not_a_point",
    "prompt_encoder.no_mask_embed.weight": "no_mask",
    "prompt_encoder.mask_embed.": "previous.",
    "mask_decoder.": "decoder.",
}
_POINT_KIND = "prompt_encoder.point_embed.{}.weight"


class PromptedMaskDecoder(nn.Module):
    """Embedding map and prompts in, mask logits and predicted overlaps out.

    Args:
        input_size: Side of the square encoder input in pixels; prompt positions are given on that square.
    """

    frequencies: Tensor

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.register_buffer("frequencies", torch.zeros(2, EMBEDDING_CHANNELS // 2))
        self.point_kinds = nn.Parameter(torch.zeros(4, EMBEDDING_CHANNELS))
        self.not_a_point = nn.Parameter(torch.zeros(1, EMBEDDING_CHANNELS))
        self.no_mask = nn.Parameter(torch.zeros(1, EMBEDDING_CHANNELS))
        self.previous = SamMaskEmbedding(SamPromptEncoderConfig(layer_norm_eps=1e-6))
        # The original decoder uses torch's default epsilon; with that of transformers, logits are off by a hundredth.
        config = SamMaskDecoderConfig(layer_norm_eps=1e-5)
        config._attn_implementation = "eager"  # plain matrix products: exports cleanly and fuses in every engine
        self.decoder = SamMaskDecoder(config)

    @classmethod
    def from_state(cls, input_size: int, state: Mapping[str, Tensor]) -> PromptedMaskDecoder:
        """Build the decoder from a whole SAM checkpoint, in the names of the original code or of `transformers`.

        The encoder is ignored.

        Raises:
            RuntimeError: If a tensor is missing or has another shape.
        """
        model = cls(input_size)
        model.load_state_dict(decoder_names(state))
        return model.eval()

    def forward(
        self,
        embedding: Tensor,
        points: Tensor,
        labels: Tensor,
        previous: Tensor | None = None,
        has_previous: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts, on one image or each on its own.

        Args:
            embedding: `[1, 256, h, w]` or `[N, 256, h, w]`.
            points: `[N, P, 2]`, x and y in pixels of the square encoder input.
            labels: `[N, P]`: 1 lesion, 0 background, 2 and 3 a box's first and second corner, -1 no point.
            previous: Logits of an earlier mask `[N, 1, 4h, 4w]`; none where no prompt has one.
            has_previous: `[N]`, 1.0 where `previous` holds a mask and 0.0 where it holds none.

        Returns:
            Mask logits `[N, 4, 4h, 4w]` (the single mask first, then three of different extent) and predicted
            intersections over union `[N, 4]`.
        """
        prompts = self._embed_points(points, labels)
        positions = self._embed_grid(embedding.shape[-2], embedding.shape[-1])
        dense = self.no_mask.reshape(1, -1, 1, 1)
        if previous is not None and has_previous is not None:
            known = has_previous.reshape(-1, 1, 1, 1)
            dense = known * self.previous(previous) + (1 - known) * dense
        return self._decode(embedding + dense, positions, prompts)

    def _embed_points(self, points: Tensor, labels: Tensor) -> Tensor:
        """Sparse prompts as `[N, P, 256]`: where a point lies plus what kind of point it is."""
        kinds = labels.unsqueeze(-1)
        embedded = self._encode_positions((points + 0.5) / self.input_size)
        for kind in range(self.point_kinds.shape[0]):
            embedded = embedded + torch.where(kinds == kind, self.point_kinds[kind], 0.0)
        return torch.where(kinds == PADDING_LABEL, self.not_a_point, embedded)

    def _embed_grid(self, height: int, width: int) -> Tensor:
        """Position of every cell of the embedding map as `[1, 256, height, width]`."""
        y = (torch.arange(height, dtype=torch.float32) + 0.5) / height
        x = (torch.arange(width, dtype=torch.float32) + 0.5) / width
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        return self._encode_positions(grid.to(self.frequencies.device)).permute(2, 0, 1).unsqueeze(0)

    def _encode_positions(self, unit_positions: Tensor) -> Tensor:
        """Random Fourier features of positions in 0…1 (Tancik et al. 2020, arXiv 2006.10739)."""
        angles = 2 * torch.pi * ((2 * unit_positions - 1) @ self.frequencies)
        return torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)

    def _decode(self, image: Tensor, positions: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        # SamMaskDecoder.forward gives either the single mask or the three; one pass computes all four.
        net = self.decoder
        count, height, width = prompts.shape[0], image.shape[-2], image.shape[-1]
        outputs = torch.cat([net.iou_token.weight, net.mask_tokens.weight]).unsqueeze(0).expand(count, -1, -1)
        tokens = torch.cat([outputs, prompts], dim=1).unsqueeze(0)
        image = image.expand(count, -1, -1, -1)
        tokens, image = net.transformer(
            point_embeddings=tokens.transpose(0, 1),
            image_embeddings=image,
            image_positional_embeddings=positions.expand(count, -1, -1, -1),
            attention_similarity=None,
        )
        tokens = tokens.squeeze(1)
        image = image.squeeze(1).transpose(1, 2).reshape(count, EMBEDDING_CHANNELS, height, width)
        upscaled = net.activation(net.upscale_layer_norm(net.upscale_conv1(image)))
        upscaled = net.activation(net.upscale_conv2(upscaled))
        weights = torch.stack(
            [mlp(tokens[:, 1 + index]) for index, mlp in enumerate(net.output_hypernetworks_mlps)], dim=1
        )
        masks = (weights @ upscaled.flatten(2)).reshape(count, -1, 4 * height, 4 * width)
        return masks, cast(Tensor, net.iou_prediction_head(tokens[:, 0]))


def decoder_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate prompt encoder and mask decoder of a SAM checkpoint to the names used here.

    Args:
        state: In the names of the original code, or of `transformers`' SamModel.

    Raises:
        KeyError: If there is no prompt encoder.
    """
    state = {key: value for key, value in state.items() if key.startswith(("prompt_encoder.", "mask_decoder."))}
    if _POINT_KIND.format(0) not in state:
        state = sam_names(state)
    renamed = {"point_kinds": torch.cat([state.pop(_POINT_KIND.format(kind)) for kind in range(4)])}
    for key, value in state.items():
        for theirs, ours in _RENAMES.items():
            if key.startswith(theirs):
                renamed[ours + key.removeprefix(theirs)] = value
    return renamed
