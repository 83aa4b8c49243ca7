"""What each encoder is, as data: architecture, input contract, licence and origin of the weights. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Scaling = Literal["min-max", "imagenet"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder with its weights.

    Attributes:
        name: Name of the weights, which is also the stem of their safetensors file.
        architecture: `tinyvit-sam` or `sam2-hiera`.
        patch_stride: Pixels per token after the patch embedding; the embedding map is four times coarser still.
        scaling: How pixels become numbers: `min-max` of each image to 0…1, or ImageNet mean and standard deviation.
        native_size: Side in pixels the weights were trained at.
        input_multiple: Sides must be a multiple of this many pixels.
        licence: Licence of the weights.
        source: Where the weights come from, for people.
        trained_on: What the weights have seen, for model cards.
    """

    name: str
    architecture: Literal["tinyvit-sam", "sam2-hiera"]
    patch_stride: int
    scaling: Scaling
    native_size: int
    input_multiple: int
    licence: str
    source: str
    trained_on: str

    @property
    def map_stride(self) -> int:
        """Pixels of the input per cell of the embedding map, along one side."""
        return self.patch_stride * 4 if self.architecture == "tinyvit-sam" else 16


ENCODERS: Mapping[str, EncoderSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            EncoderSpec(
                name="litemedsam",
                architecture="tinyvit-sam",
                patch_stride=1,
                scaling="min-max",
                native_size=256,
                input_multiple=4,
                licence="Apache-2.0",
                source="LiteMedSAM (Ma et al., MedSAM project), checkpoint lite_medsam.pth",
                trained_on="medical images of many kinds, possibly dermoscopic ones too",
            ),
            EncoderSpec(
                name="mobilesam",
                architecture="tinyvit-sam",
                patch_stride=4,
                scaling="imagenet",
                native_size=1024,
                input_multiple=32,
                licence="Apache-2.0",
                source="MobileSAM (Zhang et al. 2023), checkpoint mobile_sam.pt",
                trained_on="natural images (SA-1B, by distillation from SAM ViT-H)",
            ),
            EncoderSpec(
                name="sam2_hiera_tiny",
                architecture="sam2-hiera",
                patch_stride=4,
                scaling="imagenet",
                native_size=1024,
                input_multiple=32,
                licence="Apache-2.0",
                source="SAM 2 (Ravi et al. 2024), Hiera-tiny",
                trained_on="natural images and video (SA-1B, SA-V)",
            ),
        )
    }
)


def encoder_spec(name: str) -> EncoderSpec:
    """Look an encoder up by name.

    Raises:
        KeyError: If the name is unknown; the message lists the known ones.
    """
    if name not in ENCODERS:
        raise KeyError(f"unknown encoder {name!r}; known: {', '.join(ENCODERS)}")
    return ENCODERS[name]
