"""Low-rank changes begin as nothing, are all that is trained, and merge into the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.segment.lora import add_low_rank, merge_low_rank
from tests.sam_states import shuffled

IMAGE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_from_nothing_to_a_plain_encoder_again() -> None:
    encoder = shuffled(TinyViTSam(1))
    names = list(encoder.state_dict())
    with torch.no_grad():
        before = encoder(IMAGE)
        trained = add_low_rank(encoder, rank=4, alpha=8.0)
        torch.testing.assert_close(encoder(IMAGE), before)
        for parameter in trained:
            parameter.add_(0.05)
        changed = encoder(IMAGE)
        assert (changed - before).abs().max() > 1e-3
        merge_low_rank(encoder)
        torch.testing.assert_close(encoder(IMAGE), changed)
    assert sorted(encoder.state_dict()) == sorted(names)


def test_only_the_changes_are_trained() -> None:
    encoder = shuffled(TinyViTSam(1))
    trained = add_low_rank(encoder, rank=2, alpha=4.0)
    learning = {id(p) for p in encoder.parameters() if p.requires_grad}
    assert learning == {id(p) for p in trained}
    assert sum(p.numel() for p in trained) < 0.1 * sum(p.numel() for p in encoder.parameters())


def test_an_encoder_without_attention() -> None:
    with pytest.raises(ValueError, match=r"no layers qkv or proj"):
        add_low_rank(nn.Conv2d(3, 3, 1), rank=2, alpha=4.0)
