"""Encoders of every architecture, small and random, so that tests need no weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from dermoscope.encoders.image_encoder import ImageEncoder
from dermoscope.encoders.registry import EncoderSpec, encoder_spec
from dermoscope.encoders.sam2_hiera import Sam2Hiera
from dermoscope.encoders.sam_vit import SamViT
from dermoscope.encoders.shapes import HieraShape, TimmShape, TinyViTShape, ViTShape
from dermoscope.encoders.timm_network import TimmNetwork
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from tests.sam_states import original_encoder_state, shuffled

HIERA = HieraShape(width=8, heads=1, blocks=(1, 2, 3, 1), global_blocks=(4, 5))
WIDE_HIERA = HieraShape(8, 2, (2, 1, 3, 1), (4,), background=14, windows=(8, 4, 16, 8))
VIT = ViTShape(width=32, depth=4, heads=2, global_layers=(1, 3), table=8)


def _small_timm(name: str, like: str, channels: int) -> EncoderSpec:
    return replace(encoder_spec(like), name=name, shape=TimmShape(name), channels=channels, hub="")


# Name to spec and the side in pixels that tests use; LiteMedSAM's is coarse on purpose.
TINY: dict[str, tuple[EncoderSpec, int]] = {
    "litemedsam": (encoder_spec("litemedsam"), 32),
    "mobilesam": (encoder_spec("mobilesam"), 64),
    "sam2": (replace(encoder_spec("sam2_hiera_tiny"), name="small_sam2", shape=HIERA), 96),
    "sam": (replace(encoder_spec("sam_vit_b"), name="small_sam", shape=VIT, native_size=128), 96),
    "cnn": (_small_timm("test_efficientnet", "efficientnet_b0", 256), 64),
    "resnet": (_small_timm("test_resnet", "resnet50", 96), 64),
    "transformer": (_small_timm("test_vit", "vit_small_patch16_224", 64), 96),
}


def built(spec: EncoderSpec) -> ImageEncoder:
    """An encoder as its class makes it."""
    match spec.shape:
        case HieraShape() as hiera:
            return Sam2Hiera(hiera)
        case ViTShape() as vit:
            return SamViT(vit)
        case TimmShape() as network:
            return TimmNetwork(network)
        case TinyViTShape(patch_stride):
            return TinyViTSam(patch_stride)


def random_encoder(spec: EncoderSpec) -> ImageEncoder:
    """An encoder with small random weights, the same ones on every call."""
    encoder = built(spec)
    shuffled(encoder)
    return encoder


def state_of(encoder: ImageEncoder) -> dict[str, Tensor]:
    """Its tensors in the names of a safetensors file."""
    match encoder:
        case TinyViTSam():
            return original_encoder_state(encoder)
        case SamViT():
            return encoder.model.state_dict()
        case TimmNetwork():
            state: dict[str, Tensor] = encoder.network.state_dict()
            return state
    return encoder.state_dict()


def write_weights(spec: EncoderSpec, folder: Path) -> Path:
    """A safetensors file of random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.clone().contiguous() for name, value in state_of(random_encoder(spec)).items()}
    save_file(state, folder / f"{spec.name}.safetensors")
    return folder / f"{spec.name}.safetensors"


def random_images(count: int, side: int) -> Tensor:
    """Images `[count, 3, side, side]`, the same ones on every call."""
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(count))
