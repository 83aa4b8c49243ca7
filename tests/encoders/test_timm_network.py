"""Networks of timm give their stages, and last what their classifier would pool."""

from __future__ import annotations

import pytest
import torch

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.encoders.shapes import TimmShape
from dermoscope.encoders.timm_network import TimmNetwork
from tests.encoders.tiny import random_images
from tests.sam_states import shuffled


def network(name: str) -> TimmNetwork:
    module = shuffled(TimmNetwork(TimmShape(name)))
    assert isinstance(module, TimmNetwork)
    return module


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_convnext"])
def test_the_embedding_is_what_the_classifier_pools(name: str) -> None:
    encoder, images = network(name), random_images(2, 64)
    with torch.inference_mode():
        maps = encoder.maps(images)
        torch.testing.assert_close(maps[-1], encoder.network.forward_features(images))
    sides = [one.shape[2] for one in maps]
    assert sides == sorted(sides, reverse=True)
    assert sides[0] > sides[-1]


def test_the_layers_of_a_transformer_stand_in_for_stages() -> None:
    encoder, images = network("test_vit"), random_images(2, 160)
    with torch.inference_mode():
        maps = encoder.maps(images)
        tokens = encoder.network.forward_features(images)[:, encoder.network.num_prefix_tokens :]
    assert [one.shape for one in maps] == [(2, 64, 10, 10)] * 4
    torch.testing.assert_close(maps[-1].flatten(2).transpose(1, 2), tokens)


def test_a_missing_tensor_is_an_error() -> None:
    state = network("test_resnet").network.state_dict()
    state.pop("conv1.0.weight")
    with pytest.raises(RuntimeError, match=r"conv1\.0\.weight"):
        TimmNetwork.from_state(TimmShape("test_resnet"), state)
