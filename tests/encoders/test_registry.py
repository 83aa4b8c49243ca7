from __future__ import annotations

import re
from typing import Any, cast

import pytest

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.encoders.registry import ENCODERS, IMAGENET_MEAN, IMAGENET_STD, EncoderSpec, encoder_spec
from dermoscope.encoders.shapes import TimmShape

# isort: split
import timm

OF_TIMM = [name for name, spec in ENCODERS.items() if isinstance(spec.shape, TimmShape)]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_spec_is_complete(name: str) -> None:
    spec = encoder_spec(name)
    assert spec.name == name
    assert spec.licence in ("Apache-2.0", "BSD-3-Clause")
    assert spec.source
    assert spec.trained_on
    assert spec.tag
    assert spec.native_size % spec.input_multiple == 0
    assert spec.input_multiple % spec.map_stride == 0
    assert all(re.fullmatch(r"([0-9a-f]{64})?", digest) for digest in (spec.sha256, spec.checkpoint_sha256))


def test_every_published_checkpoint_is_another_file() -> None:
    sums = [spec.checkpoint_sha256 for spec in ENCODERS.values() if spec.checkpoint_sha256]
    assert len(sums) == len(set(sums)) == 12


@pytest.mark.parametrize(
    ("name", "hub"),
    [
        ("sam2_hiera_tiny", "facebook/sam2-hiera-tiny"),
        ("sam2.1_hiera_base_plus", "facebook/sam2.1-hiera-base-plus"),
        ("sam_vit_h", "facebook/sam-vit-huge"),
        ("efficientnet_b0", "timm/efficientnet_b0.ra_in1k"),
        ("litemedsam", ""),
    ],
)
def test_hub_names(name: str, hub: str) -> None:
    assert encoder_spec(name).hub == hub


@pytest.mark.parametrize("name", OF_TIMM)
def test_weights_of_timm_are_those_that_timm_takes_for_that_name(name: str) -> None:
    """Networks with class activation maps scale images as timm says for the name alone."""
    spec, timms = encoder_spec(name), timm.get_pretrained_cfg(name)
    assert timms is not None
    assert spec.shape == TimmShape(name)
    assert (spec.hub, spec.tag) == (timms.hf_hub_id, timms.tag)
    assert spec.licence.lower() == timms.license
    moments = {"imagenet": (IMAGENET_MEAN, IMAGENET_STD), "symmetric": ((0.5,) * 3, (0.5,) * 3)}
    assert moments[spec.scaling] == (timms.mean, timms.std)
    assert abs(spec.native_size - timms.input_size[-1]) < spec.input_multiple


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("efficientnet_b3", "dermoscope models fetch efficientnet_b3"),
        ("litemedsam", "dermoscope models import FILE --encoder litemedsam"),
    ],
)
def test_the_command_that_brings_the_weights(name: str, command: str) -> None:
    assert encoder_spec(name).command == command


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("mobilesam", "tinyvit-sam"),
        ("sam2.1_hiera_large", "sam2-hiera"),
        ("sam_vit_l", "sam-vit"),
        ("resnet50", "timm"),
    ],
)
def test_architectures(name: str, architecture: str) -> None:
    assert encoder_spec(name).architecture == architecture


@pytest.mark.parametrize(("name", "stride"), [("litemedsam", 4), ("mobilesam", 16), ("sam2_hiera_tiny", 16)])
def test_every_map_is_64_cells_wide_at_the_native_size(name: str, stride: int) -> None:
    spec = encoder_spec(name)
    assert spec.map_stride == stride
    assert spec.native_size // spec.map_stride == 64


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"'resnet'; known: litemedsam, mobilesam, sam2_hiera_tiny, .*, sam_vit_h, "):
        encoder_spec("resnet")


def test_the_registry_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        cast(dict[str, EncoderSpec], ENCODERS)["mine"] = ENCODERS["litemedsam"]
    with pytest.raises(AttributeError):
        cast(Any, ENCODERS["litemedsam"]).name = "mine"
