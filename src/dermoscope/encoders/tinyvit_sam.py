"""TinyViT-SAM: timm's TinyViT-5M with the neck of SAM, as in MobileSAM and LiteMedSAM.

Two things differ from timm's classifier. The last of the three patch mergings keeps the resolution, so that the map is
four, not eight, times coarser than the tokens; and LiteMedSAM's patch embedding is two 1x1 convolutions without a
stride, which makes one token of every pixel.

References:
    Wu et al., TinyViT, ECCV 2022 (arXiv 2207.10666); Zhang et al., Faster Segment Anything, 2023 (arXiv 2306.14289);
    Kirillov et al., Segment Anything, 2023 (arXiv 2304.02643) for the neck.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.encoders.image_encoder import ImageEncoder
from dermoscope.encoders.registry import EncoderSpec
from dermoscope.encoders.shapes import TinyViTShape

# isort: split
import timm
from timm.layers import LayerNorm2d

EMBEDDING_CHANNELS = 256
_TRUNK_CHANNELS = 320


class TinyViTSam(ImageEncoder):
    """Encoder of MobileSAM (`patch_stride=4`) and LiteMedSAM (`patch_stride=1`).

    Args:
        patch_stride: Pixels per token, 1 or 4.

    Raises:
        ValueError: If `patch_stride` is neither 1 nor 4.
    """

    def __init__(self, patch_stride: int) -> None:
        super().__init__()
        trunk = timm.create_model("tiny_vit_5m_224", num_classes=0, global_pool="")
        _keep_resolution_in_last_merging(trunk)
        if patch_stride == 1:
            _embed_every_pixel(trunk)
        elif patch_stride != 4:
            raise ValueError(f"patch_stride must be 1 (LiteMedSAM) or 4 (MobileSAM), got {patch_stride}")
        self.patch_embed = trunk.get_submodule("patch_embed")
        self.stages = trunk.get_submodule("stages")
        self.neck = nn.Sequential(
            nn.Conv2d(_TRUNK_CHANNELS, EMBEDDING_CHANNELS, 1, bias=False),
            LayerNorm2d(EMBEDDING_CHANNELS),
            nn.Conv2d(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS, 3, padding=1, bias=False),
            LayerNorm2d(EMBEDDING_CHANNELS),
        )

    @classmethod
    def from_state(cls, spec: EncoderSpec, state: Mapping[str, Tensor]) -> TinyViTSam:
        """Build the encoder from a whole SAM checkpoint in the names of the original code.

        Args:
            spec: Which encoder it is.
            state: Tensors of the checkpoint; those outside `image_encoder.` are ignored.

        Raises:
            RuntimeError: If a tensor is missing or has another shape.
            ValueError: If the spec is of another architecture.
        """
        if not isinstance(spec.shape, TinyViTShape):
            raise ValueError(f"{spec.name} is a {spec.architecture} encoder, not tinyvit-sam")
        encoder = cls(spec.shape.patch_stride)
        encoder.load_state_dict(timm_names(state))
        return encoder.eval()

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """The map after each stage of the trunk, finest first, and the embedding as the last.

        Args:
            images: `[B, 3, H, W]`, scaled as the encoder's spec says; sides a multiple of four times the patch stride.

        Returns:
            Four maps of the trunk and the embedding `[B, 256, H / (4 * patch_stride), W / (4 * patch_stride)]`.
        """
        found = [self.patch_embed(images)]
        for stage in self.stages.children():
            found.append(stage(found[-1]))
        return (*found[1:], self.neck(found[-1]))


def timm_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate `image_encoder.*` of an original MobileSAM or LiteMedSAM checkpoint to the names used here.

    Classifier leftovers (`norm_head`, `head`) and derived index tables are dropped.
    """
    renamed = {}
    for key, value in state.items():
        name = key.removeprefix("image_encoder.")
        if name == key or name.startswith(("norm_head.", "head.")) or name.endswith("attention_bias_idxs"):
            continue
        # The original puts a merging at the end of a layer, timm at the start of the next stage.
        name = re.sub(r"^layers\.(\d)\.downsample\.", lambda m: f"stages.{int(m[1]) + 1}.downsample.", name)
        name = name.replace("layers.", "stages.", 1) if name.startswith("layers.") else name
        name = name.replace("patch_embed.seq.0.", "patch_embed.conv1.").replace(
            "patch_embed.seq.2.", "patch_embed.conv2."
        )
        renamed[name.replace(".c.weight", ".conv.weight")] = value
    return renamed


def _keep_resolution_in_last_merging(trunk: nn.Module) -> None:
    merging = trunk.get_submodule("stages.3.downsample.conv2.conv")
    cast(nn.Conv2d, merging).stride = (1, 1)


def _embed_every_pixel(trunk: nn.Module) -> None:
    for name in ("conv1", "conv2"):
        block = trunk.get_submodule(f"patch_embed.{name}")
        old = cast(nn.Conv2d, block.get_submodule("conv"))
        block.add_module("conv", nn.Conv2d(old.in_channels, old.out_channels, kernel_size=1, bias=False))
