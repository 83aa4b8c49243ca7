from __future__ import annotations

from typing import Any, cast

import pytest

from dermoscope.encoders.registry import ENCODERS, EncoderSpec, encoder_spec


@pytest.mark.parametrize("name", ENCODERS)
def test_every_spec_is_complete(name: str) -> None:
    spec = encoder_spec(name)
    assert spec.name == name
    assert spec.licence == "Apache-2.0"
    assert spec.source
    assert spec.trained_on
    assert spec.native_size % spec.input_multiple == 0
    assert spec.input_multiple % spec.map_stride == 0


@pytest.mark.parametrize(("name", "stride"), [("litemedsam", 4), ("mobilesam", 16), ("sam2_hiera_tiny", 16)])
def test_every_map_is_64_cells_wide_at_the_native_size(name: str, stride: int) -> None:
    spec = encoder_spec(name)
    assert spec.map_stride == stride
    assert spec.native_size // spec.map_stride == 64


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"'resnet'; known: litemedsam, mobilesam, sam2_hiera_tiny"):
        encoder_spec("resnet")


def test_the_registry_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        cast(dict[str, EncoderSpec], ENCODERS)["mine"] = ENCODERS["litemedsam"]
    with pytest.raises(AttributeError):
        cast(Any, ENCODERS["litemedsam"]).name = "mine"
