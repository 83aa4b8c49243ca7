"""The maps of SAM 2 are those that transformers' whole model computes."""

from __future__ import annotations

import pytest
import torch

from dermoscope import torchvision_guard  # noqa: F401  (must come before transformers)
from dermoscope.encoders.sam2_hiera import Sam2Hiera, vision_config
from dermoscope.encoders.shapes import HieraShape
from tests.encoders.tiny import HIERA, WIDE_HIERA, random_images
from tests.sam_states import shuffled

# isort: split
from transformers import Sam2Config, Sam2Model

SIDE = 64


@pytest.fixture(scope="module", params=[HIERA, WIDE_HIERA], ids=["tiny", "wide"])
def shape(request: pytest.FixtureRequest) -> HieraShape:
    assert isinstance(request.param, HieraShape)
    return request.param


@pytest.fixture(scope="module")
def whole(shape: HieraShape) -> Sam2Model:
    vision = vision_config(shape)
    vision.backbone_feature_sizes = [[SIDE // stride] * 2 for stride in (4, 8, 16)]
    model = shuffled(Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config={"image_size": SIDE})))
    assert isinstance(model, Sam2Model)
    return model


def test_the_maps_are_those_of_the_whole_model(shape: HieraShape, whole: Sam2Model) -> None:
    images = random_images(2, SIDE)
    encoder = Sam2Hiera.from_state(shape, whole.state_dict())
    with torch.inference_mode():
        maps = encoder.maps(images)
        inside = whole.vision_encoder(images)
        whole.backbone_feature_sizes = [[SIDE // stride] * 2 for stride in (4, 8, 16)]
        embedding = whole.get_image_embeddings(images)[-1]
    for ours, theirs in zip((maps[1], maps[3]), inside.fpn_hidden_states[:2], strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(maps[5], inside.last_hidden_state.permute(0, 3, 1, 2))
    torch.testing.assert_close(maps[-1], embedding)
    assert not torch.allclose(embedding, inside.fpn_hidden_states[2], atol=0.01), "memory embedding must matter"


def test_channels_and_sides(shape: HieraShape) -> None:
    with torch.inference_mode():
        maps = shuffled(Sam2Hiera(shape)).maps(random_images(1, 96))  # type: ignore[operator]
    width = shape.width
    assert [(one.shape[1], one.shape[2]) for one in maps] == [
        (width, 24), (256, 24), (2 * width, 12), (256, 12), (4 * width, 6), (8 * width, 3), (256, 6),
    ]  # fmt: skip


def test_a_missing_tensor_is_an_error(shape: HieraShape, whole: Sam2Model) -> None:
    state = whole.state_dict()
    del state["no_memory_embedding"]
    with pytest.raises(RuntimeError, match="no_memory_embedding"):
        Sam2Hiera.from_state(shape, state)
