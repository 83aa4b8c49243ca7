"""SAM 2's prompt encoder and mask decoder in eager torch, behind the same call as the exported decoders.

SAM 2's decoder takes two finer maps beside the embedding, so encoder and decoder stay together here.

Reference: Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024 (arXiv 2408.00714).
"""

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
from dermoscope.encoders.sam2_hiera import vision_config
from dermoscope.encoders.shapes import HieraShape
from dermoscope.segment.prompts import Prompt, padded

# isort: split
from transformers import Sam2Config, Sam2Model, Sam2VisionConfig

_STRIDES = (4, 8, 16)


class Sam2Decoder:
    """Decodes prompts on one image after another.

    Args:
        model: The whole model, in evaluation mode, made for the contract's input size.
        contract: Input contract.
    """

    def __init__(self, model: Sam2Model, contract: InputContract) -> None:
        self._model = model
        self._stride = _STRIDES[0]
        self._contract = contract
        self._embeddings: list[Tensor] = []

    @classmethod
    def from_file(cls, weights: Path, contract: InputContract) -> Sam2Decoder:
        """Build Hiera-tiny from a safetensors file of the whole model in the names of transformers.

        Raises:
            ValueError: If a tensor is missing.
        """
        model = Sam2Model(sam2_config(contract))
        missing = model.load_state_dict(load_file(weights), strict=False).missing_keys
        if missing:
            raise ValueError(f"{weights} has no {missing[0]} ({len(missing)} missing tensors in all)")
        return cls(model.eval(), contract)

    @torch.inference_mode()
    def look_at(self, prepared: EncoderInput, shape: tuple[int, int]) -> None:
        """Encode an image.

        Args:
            prepared: The image.
            shape: Height and width in pixels of the image that prompts are given on.
        """
        self._embeddings = self._model.get_image_embeddings(torch.from_numpy(prepared.image))
        self._scale = np.array((prepared.width / shape[1], prepared.height / shape[0]), np.float32)
        self._rows = max(1, round(prepared.height / self._stride))
        self._columns = max(1, round(prepared.width / self._stride))

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[Prompt]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Decode prompts on the image last looked at.

        Args:
            prompts: N prompts with positions in pixels of that image; a box is two points with the labels 2 and 3.

        Returns:
            Mask logits `[N, 4, h, w]` over the image without padding (the single mask first, then three of different
            extent), and predicted overlaps `[N, 4]`.

        Raises:
            RuntimeError: If no image was looked at.
        """
        if not self._embeddings:
            raise RuntimeError("no image was looked at; call look_at first")
        points, labels = padded(prompts, self._scale, fewest=1)
        prompted = {"input_points": torch.from_numpy(points[None]), "input_labels": torch.from_numpy(labels[None])}
        found = [
            self._model(image_embeddings=self._embeddings, multimask_output=several, **prompted)
            for several in (False, True)
        ]
        masks = torch.cat([one.pred_masks for one in found], dim=2)[0]
        overlaps = torch.cat([one.iou_scores for one in found], dim=2)[0]
        return masks[:, :, : self._rows, : self._columns].numpy(), overlaps.numpy()


def sam2_config(contract: InputContract, shape: HieraShape | None = None) -> Sam2Config:
    """Configuration for the contract's input size, which the position grids depend on.

    Args:
        contract: Input contract.
        shape: Which Hiera; by default the tiny one.
    """
    vision = Sam2VisionConfig() if shape is None else vision_config(shape)
    vision.backbone_feature_sizes = [[contract.size // stride] * 2 for stride in _STRIDES]
    return Sam2Config(vision_config=vision, prompt_encoder_config={"image_size": contract.size})
