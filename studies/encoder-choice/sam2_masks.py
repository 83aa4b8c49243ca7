"""SAM 2 in eager torch: its mask decoder takes two finer maps beside the embedding, which the exported graph lacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from dermoscope import torchvision_guard  # noqa: F401  (must come before transformers)
from dermoscope.encoders.inputs import EncoderInput, InputContract
from dermoscope.segment.prompts import Prompt

# isort: split
from transformers import Sam2Config, Sam2Model

_STRIDES = (4, 8, 16)


class Sam2Decoder:
    """Decodes boxes on one image after another.

    Args:
        weights: safetensors of the whole model in the names of transformers.
        contract: Input contract.
    """

    def __init__(self, weights: Path, contract: InputContract) -> None:
        sides = [contract.size // stride for stride in _STRIDES]
        config = Sam2Config(
            vision_config={"model_type": "sam2_vision_model", "backbone_feature_sizes": [[s, s] for s in sides]},
            prompt_encoder_config={"image_size": contract.size},
        )
        self._model = Sam2Model(config)
        missing = self._model.load_state_dict(load_file(weights), strict=False).missing_keys
        if missing:
            raise ValueError(f"{weights} has no {missing[0]} ({len(missing)} missing tensors in all)")
        self._model.eval()
        self._stride = contract.size / sides[0]

    @torch.inference_mode()
    def look_at(self, prepared: EncoderInput, shape: tuple[int, int]) -> None:
        """Encode an image.

        Args:
            prepared: The image.
            shape: Height and width in pixels of the image that prompts are given on.
        """
        self._embeddings: list[Tensor] = self._model.get_image_embeddings(torch.from_numpy(prepared.image))
        self._scale = (prepared.width / shape[1], prepared.height / shape[0])
        self._rows = max(1, round(prepared.height / self._stride))
        self._columns = max(1, round(prepared.width / self._stride))

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[Prompt]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mask logits `[N, 4, h, w]` over the image without padding, and predicted overlaps `[N, 4]`, of N boxes."""
        corners = np.stack([prompt.points.reshape(-1) for prompt in prompts]) * np.tile(self._scale, 2)
        boxes = torch.from_numpy(corners.astype(np.float32))[None]
        found = [
            self._model(image_embeddings=self._embeddings, input_boxes=boxes, multimask_output=several)
            for several in (False, True)
        ]
        masks = torch.cat([one.pred_masks for one in found], dim=2)[0]
        overlaps = torch.cat([one.iou_scores for one in found], dim=2)[0]
        return masks[:, :, : self._rows, : self._columns].numpy(), overlaps.numpy()
