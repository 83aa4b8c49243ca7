"""A small U-Net in torch on a network of timm: the baseline for lesion masks that needs no SAM.

Reference:
    Ronneberger et al., U-Net, MICCAI 2015 (arXiv 1505.04597); here with an encoder trained on ImageNet, batch
    normalisation, and an output of half the input's resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)

# isort: split
import timm

DEFAULT_ENCODER = "tf_efficientnet_lite0"

_WIDTHS = (128, 64, 32, 24)
_REDUCTIONS = [2, 4, 8, 16, 32]


class UNet(nn.Module):
    """Images in, one mask logit for every square of two by two pixels out.

    Args:
        encoder_name: A convolutional network of timm whose five stages halve the resolution each. Images are scaled as
            that network wants them; `mean` and `std` say how, for pixels of 0…1.

    Raises:
        ValueError: If the network has other stages.
        RuntimeError: If timm has no network of that name.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder_name: str = DEFAULT_ENCODER) -> None:
        super().__init__()
        encoder: Any = timm.create_model(encoder_name, features_only=True)
        reductions = encoder.feature_info.reduction()
        if reductions != _REDUCTIONS:
            raise ValueError(f"encoder_name: stages of {encoder_name} reduce by {reductions}, not {_REDUCTIONS}")
        self.encoder = encoder
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(encoder.pretrained_cfg[name]).view(3, 1, 1), persistent=False)
        *skips, deepest = encoder.feature_info.channels()
        channels = zip((deepest, *_WIDTHS[:-1]), reversed(skips), _WIDTHS, strict=True)
        self.decoder = nn.ModuleList(_UpBlock(below, skip, width) for below, skip, width in channels)
        self.classifier = nn.Conv2d(_WIDTHS[-1], 1, 1)

    @classmethod
    def from_encoder_weights(cls, state: Mapping[str, Tensor], encoder_name: str = DEFAULT_ENCODER) -> UNet:
        """Build the network with a trained encoder and an untrained decoder, in training mode.

        Args:
            state: Tensors of the classifier whose encoder it is, in timm's names; what comes after the last stage is
                ignored.
            encoder_name: Which network.

        Raises:
            RuntimeError: If a tensor of the encoder is missing or has another shape.
        """
        network = cls(encoder_name)
        needed = network.encoder.state_dict().keys()
        network.encoder.load_state_dict({key: value for key, value in state.items() if key in needed})
        return network

    def forward(self, images: Tensor) -> Tensor:
        """Logits `[B, H / 2, W / 2]`; positive is lesion.

        Args:
            images: `[B, 3, H, W]`, scaled with `mean` and `std`; sides a multiple of 32.

        Raises:
            ValueError: If a side is not.
        """
        if images.shape[2] % _REDUCTIONS[-1] or images.shape[3] % _REDUCTIONS[-1]:
            raise ValueError(f"images: sides must be a multiple of {_REDUCTIONS[-1]}, got {list(images.shape)}")
        *skips, found = self.encoder(images)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            found = block(found, skip)
        logits: Tensor = self.classifier(found)
        return logits.squeeze(1)


class _UpBlock(nn.Module):
    """Doubles the resolution, takes in the encoder's map of that resolution, and mixes both."""

    def __init__(self, below: int, skip: int, width: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.mix = nn.Sequential(*_convolution(below + skip, width), *_convolution(width, width))

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        mixed: Tensor = self.mix(torch.cat([self.up(below), skip], dim=1))
        return mixed


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
