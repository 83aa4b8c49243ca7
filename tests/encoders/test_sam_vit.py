"""The maps of SAM are those of transformers at the table's size, and sensible at every other."""

from __future__ import annotations

import pytest
import torch

from dermoscope.encoders.sam_vit import SamViT
from tests.encoders.tiny import VIT, random_images
from tests.sam_states import shuffled


@pytest.fixture(scope="module")
def encoder() -> SamViT:
    module = shuffled(SamViT(VIT))
    assert isinstance(module, SamViT)
    return module


def test_the_embedding_is_that_of_transformers(encoder: SamViT) -> None:
    images = random_images(2, VIT.table * 16)
    with torch.inference_mode():
        ours, theirs = encoder.maps(images), encoder.model(images, output_hidden_states=True)
    torch.testing.assert_close(ours[-1], theirs.last_hidden_state)
    for number, one in zip(VIT.global_layers, ours, strict=False):
        torch.testing.assert_close(one, theirs.hidden_states[number + 1].permute(0, 3, 1, 2))
    assert len(ours) == len(VIT.global_layers) + 1


@pytest.mark.parametrize("side", [32, 80, 256])
def test_other_sizes(encoder: SamViT, side: int) -> None:
    with torch.inference_mode():
        maps = encoder.maps(random_images(1, side))
    assert [one.shape[1:] for one in maps] == [(VIT.width, side // 16, side // 16)] * 2 + [
        (256, side // 16, side // 16)
    ]
    assert all(torch.isfinite(one).all() for one in maps)


def test_positions_survive_resampling(encoder: SamViT) -> None:
    """A position table that is a ramp stays one, so that left is left and right is right at every size."""
    ramp = torch.linspace(-1, 1, VIT.table)[None, None, :, None].expand(1, VIT.table, VIT.table, VIT.width)
    encoder = SamViT.from_state(VIT, encoder.model.state_dict() | {"vision_encoder.pos_embed": ramp.contiguous()})
    encoder.model.vision_encoder.layers = torch.nn.ModuleList([torch.nn.Identity()] * VIT.depth)
    with torch.inference_mode():
        tokens = encoder.maps(torch.zeros(1, 3, 64, 64))[0]
    row = tokens[0, 0, 0]
    assert (row.diff() > 0).all()
