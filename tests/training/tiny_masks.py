"""Pictures of one lesion each with their masks, and models small enough to train in a test."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from dermoscope.data.manifest import Record
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.training.mask_prompts import PromptBatch
from tests.sam_states import original_decoder_state, original_encoder_state, shuffled

SIDE = 16
SKIN, LESION = (225, 185, 165), (110, 70, 50)


def pictures(folder: Path, splits: tuple[str, ...], *, width: int = 64, height: int = 48) -> list[Record]:
    """One image a split name, each with a dark ellipse somewhere else."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for number, split in enumerate(splits):
        random = np.random.default_rng(number)
        rgb = np.full((height, width, 3), SKIN, np.uint8)
        mask = np.zeros((height, width), np.uint8)
        centre = (int(random.integers(width // 3, 2 * width // 3)), int(random.integers(height // 3, 2 * height // 3)))
        axes = (int(random.integers(width // 8, width // 4)), int(random.integers(height // 8, height // 4)))
        cv2.ellipse(rgb, centre, axes, 0, 0, 360, LESION, cv2.FILLED)
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, cv2.FILLED)
        rgb = np.clip(rgb + random.normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)
        path, mask_path = folder / f"lesion_{number}.png", folder / f"lesion_{number}_mask.png"
        Image.fromarray(rgb).save(path)
        Image.fromarray(mask).save(mask_path)
        records.append(
            Record(image_id=f"lesion_{number}", path=path, mask_path=mask_path, split=split, lesion_id=f"L{number}")
        )
    return records


def sam_weights(path: Path) -> Path:
    """A random checkpoint of LiteMedSAM's layout."""
    encoder, decoder = shuffled(TinyViTSam(1)), shuffled(PromptedMaskDecoder(SIDE))
    assert isinstance(encoder, TinyViTSam)
    assert isinstance(decoder, PromptedMaskDecoder)
    state = original_encoder_state(encoder) | original_decoder_state(decoder)
    save_file({name: value.clone() for name, value in state.items()}, path)
    return path


class ToyModel(nn.Module):
    """A few weights that can learn where an image is dark, and that a click is inside."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.colour = nn.Conv2d(3, 4, 3, padding=1)
        self.out = nn.Conv2d(4, 1, 1)
        self.clicked = nn.Parameter(torch.zeros(1))
        self.sure = nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Tensor, prompts: PromptBatch) -> tuple[Tensor, Tensor]:
        """Logits `[B, S, S]` and an estimate of the overlap `[B]`."""
        logits = self.out(torch.relu(self.colour(inputs)))[:, 0]
        pointed = (prompts.labels >= 0).any(1).float()[:, None, None]
        earlier = 0.0 if prompts.previous is None else 0.1 * self.clicked * prompts.previous[:, 0]
        return logits + self.clicked * pointed + earlier, self.sure.expand(len(inputs))


class ToyData:
    """Noise with a dark square, and the square as its mask."""

    side = SIDE

    def __init__(self, count: int, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.images = random.normal(1.0, 0.2, (count, 3, SIDE, SIDE)).astype(np.float32)
        self.masks = np.zeros((count, SIDE, SIDE), np.float32)
        for image, mask in zip(self.images, self.masks, strict=True):
            top, left = random.integers(1, 8, 2)
            mask[top : top + 7, left : left + 7] = 1
            image -= 1.5 * mask

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def batch(self, indices: NDArray[np.intp], epoch: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002 - as `MaskData`
        """The same images in every epoch."""
        return torch.from_numpy(self.images[indices]), torch.from_numpy(self.masks[indices])
