"""What each encoder is, as data: architecture, input, licence and origin of the weights. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dermoscope.encoders.shapes import Architecture, HieraShape, Shape, TimmShape, TinyViTShape, ViTShape

Scaling = Literal["min-max", "imagenet", "symmetric"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder with its weights.

    Attributes:
        name: Name of the encoder, which is also the stem of its safetensors file.
        tag: Which of several possible weights for that architecture these are.
        shape: Of what the network is built.
        scaling: How pixels become numbers: `min-max` of each image to 0…1, ImageNet mean and standard deviation, or
            `symmetric` to −1…1.
        native_size: Side in pixels the weights were trained at, or a multiple of `input_multiple` close to it.
        input_multiple: Sides must be a multiple of this many pixels.
        map_stride: Pixels of the input per cell of the embedding map, along one side.
        channels: Channels of the embedding map, and so the length of the feature.
        parameters: Parameters of the encoder alone, in millions.
        licence: Licence of the weights.
        source: Where the weights come from, for people.
        trained_on: What the weights have seen, for model cards.
        hub: Name of the model on the hub, empty if it is not there.
        sha256: Of the hub's `model.safetensors`, empty where it is not known for certain.
        checkpoint_sha256: Of the authors' own `.pt` or `.pth` file, empty where it is not known for certain.
    """

    name: str
    tag: str
    shape: Shape
    scaling: Scaling
    native_size: int
    input_multiple: int
    map_stride: int
    channels: int
    parameters: float
    licence: str
    source: str
    trained_on: str
    hub: str = ""
    sha256: str = ""
    checkpoint_sha256: str = ""

    @property
    def architecture(self) -> Architecture:
        """`tinyvit-sam`, `sam2-hiera`, `sam-vit` or `timm`."""
        return self.shape.architecture

    @property
    def command(self) -> str:
        """What to type to get the weights as a safetensors file."""
        return f"dermoscope models {'fetch' if self.hub else 'import FILE --encoder'} {self.name}"


_NATURAL = "natural images (SA-1B)"
_NATURAL_AND_VIDEO = "natural images and video (SA-1B, SA-V)"
_IMAGENET = "natural images (ImageNet-1k)"

_LITEMEDSAM = EncoderSpec(
    name="litemedsam",
    tag="medical",
    shape=TinyViTShape(patch_stride=1),
    scaling="min-max",
    native_size=256,
    input_multiple=4,
    map_stride=4,
    channels=256,
    parameters=5.7,
    licence="Apache-2.0",
    source="LiteMedSAM (Ma et al., MedSAM project), checkpoint lite_medsam.pth",
    trained_on="medical images of many kinds, possibly dermoscopic ones too",
)
_MOBILESAM = EncoderSpec(
    name="mobilesam",
    tag="sa1b-distilled",
    shape=TinyViTShape(patch_stride=4),
    scaling="imagenet",
    native_size=1024,
    input_multiple=32,
    map_stride=16,
    channels=256,
    parameters=5.7,
    licence="Apache-2.0",
    source="MobileSAM (Zhang et al. 2023), checkpoint mobile_sam.pt",
    trained_on="natural images (SA-1B, by distillation from SAM ViT-H)",
    checkpoint_sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
)


def _sam2(version: str, size: str, shape: HieraShape, parameters: float, checkpoint_sha256: str) -> EncoderSpec:
    """An image encoder of SAM 2 or SAM 2.1."""
    released = {"2": "2024-07", "2.1": "2024-09"}[version]
    return EncoderSpec(
        name=f"sam{version}_hiera_{size}",
        tag=f"sa1b-sav-{released}",
        shape=shape,
        scaling="imagenet",
        native_size=1024,
        input_multiple=32,
        map_stride=16,
        channels=256,
        parameters=parameters,
        licence="Apache-2.0",
        source=f"SAM {version} (Ravi et al. 2024), checkpoint sam{version}_hiera_{size}.pt",
        trained_on=_NATURAL_AND_VIDEO,
        hub=f"facebook/sam{version}-hiera-{size.replace('_', '-')}",
        checkpoint_sha256=checkpoint_sha256,
    )


_TINY = HieraShape(width=96, heads=1, blocks=(1, 2, 7, 2), global_blocks=(5, 7, 9))
_SMALL = HieraShape(width=96, heads=1, blocks=(1, 2, 11, 2), global_blocks=(7, 10, 13))
_BASE_PLUS = HieraShape(width=112, heads=2, blocks=(2, 3, 16, 3), global_blocks=(12, 16, 20), background=14)
_LARGE = HieraShape(width=144, heads=2, blocks=(2, 6, 36, 4), global_blocks=(23, 33, 43), windows=(8, 4, 16, 8))

_SAM2 = (
    _sam2("2", "tiny", _TINY, 27.2, "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125"),
    _sam2("2", "small", _SMALL, 34.3, "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3"),
    _sam2("2", "base_plus", _BASE_PLUS, 69.1, "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071"),
    _sam2("2", "large", _LARGE, 212.7, "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b"),
    _sam2("2.1", "tiny", _TINY, 27.2, "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69"),
    _sam2("2.1", "small", _SMALL, 34.3, "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38"),
    _sam2("2.1", "base_plus", _BASE_PLUS, 69.1, "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5"),
    _sam2("2.1", "large", _LARGE, 212.7, "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318"),
)


def _sam(letter: str, hub: str, shape: ViTShape, parameters: float, checkpoint: str, sha256: str) -> EncoderSpec:
    """An image encoder of the first SAM."""
    return EncoderSpec(
        name=f"sam_vit_{letter}",
        tag="sa1b",
        shape=shape,
        scaling="imagenet",
        native_size=1024,
        input_multiple=16,
        map_stride=16,
        channels=256,
        parameters=parameters,
        licence="Apache-2.0",
        source=f"Segment Anything (Kirillov et al. 2023), checkpoint {checkpoint}",
        trained_on=_NATURAL,
        hub=hub,
        checkpoint_sha256=sha256,
    )


_SAM = (
    _sam(
        "b", "facebook/sam-vit-base", ViTShape(768, 12, 12, (2, 5, 8, 11)), 89.7,
        "sam_vit_b_01ec64.pth", "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    _sam(
        "l", "facebook/sam-vit-large", ViTShape(1024, 24, 16, (5, 11, 17, 23)), 308.3,
        "sam_vit_l_0b3195.pth", "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    _sam(
        "h", "facebook/sam-vit-huge", ViTShape(1280, 32, 16, (7, 15, 23, 31)), 637.0,
        "sam_vit_h_4b8939.pth", "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
)  # fmt: skip


def _timm(
    model: str, tag: str, stride: int, channels: int, parameters: float, *,
    size: int = 224, scaling: Scaling = "imagenet", trained_on: str = _IMAGENET, licence: str = "Apache-2.0",
) -> EncoderSpec:  # fmt: skip
    """A network of timm: for comparison, and what networks with class activation maps start from."""
    return EncoderSpec(
        name=model,
        tag=tag,
        shape=TimmShape(model),
        scaling=scaling,
        native_size=size,
        input_multiple=stride,
        map_stride=stride,
        channels=channels,
        parameters=parameters,
        licence=licence,
        source=f"timm {model}.{tag}",
        trained_on=trained_on,
        hub=f"timm/{model}.{tag}",
    )


# The tags are those that timm itself takes for each name. 256 stands for 240 and 260, which are no multiple of 32.
_TIMM = (
    _timm("tf_efficientnet_lite0", "in1k", 32, 1280, 3.4, scaling="symmetric"),
    _timm("tf_efficientnet_lite1", "in1k", 32, 1280, 4.1, size=256, scaling="symmetric"),
    _timm("tf_efficientnet_lite2", "in1k", 32, 1280, 4.8, size=256, scaling="symmetric"),
    _timm("efficientnet_b0", "ra_in1k", 32, 1280, 4.0),
    _timm("efficientnet_b1", "ra4_e3600_r240_in1k", 32, 1280, 6.5, size=256, scaling="symmetric"),
    _timm("efficientnet_b2", "ra_in1k", 32, 1408, 7.7, size=256),
    _timm("efficientnet_b3", "ra2_in1k", 32, 1536, 10.7, size=288),
    _timm("efficientnet_b4", "ra2_in1k", 32, 1792, 17.5, size=320),
    _timm("resnet50", "a1_in1k", 32, 2048, 23.5),
    _timm(
        "convnext_tiny", "in12k_ft_in1k", 32, 768, 27.8, trained_on="natural images (ImageNet-12k, ImageNet-1k)"
    ),
    # Most of its parameters are two layers behind the maps, which no map needs.
    _timm("vgg16", "tv_in1k", 32, 512, 134.3, licence="BSD-3-Clause"),
    _timm(
        "vit_small_patch16_224", "augreg_in21k_ft_in1k", 16, 384, 21.7,
        scaling="symmetric", trained_on="natural images (ImageNet-21k, ImageNet-1k)",
    ),
    _timm(
        "vit_small_patch14_dinov2", "lvd142m", 14, 384, 22.1,
        size=518, trained_on="natural images without labels (LVD-142M)",
    ),
)  # fmt: skip

ENCODERS: Mapping[str, EncoderSpec] = MappingProxyType(
    {spec.name: spec for spec in (_LITEMEDSAM, _MOBILESAM, *_SAM2, *_SAM, *_TIMM)}
)


def encoder_spec(name: str) -> EncoderSpec:
    """Look an encoder up by name.

    Raises:
        KeyError: If the name is unknown; the message lists the known ones.
    """
    if name not in ENCODERS:
        raise KeyError(f"unknown encoder {name!r}; known: {', '.join(ENCODERS)}")
    return ENCODERS[name]
