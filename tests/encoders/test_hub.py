"""Weights come from a hub that runs on this very computer: whole, known, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from dermoscope.encoders.hub import fetch_weights
from dermoscope.encoders.registry import encoder_spec
from dermoscope.encoders.weights import MODEL_FILE, WeightsError
from tests.encoders.tiny import TINY, write_weights
from tests.hub import Hub

SPEC = replace(TINY["resnet"][0], hub="someone/small")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """On the hub, where every model's file has the same name."""
    return write_weights(SPEC, tmp_path / "hub").rename(tmp_path / "hub" / MODEL_FILE)


@pytest.fixture
def hub(weights: Path) -> Iterator[Hub]:
    with Hub(SPEC.hub, weights.parent).running() as hub:
        yield hub


def test_the_file_comes_whole_and_alone(hub: Hub, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "small.safetensors"
    assert fetch_weights(SPEC, out, endpoint=hub.address) == out
    assert out.read_bytes() == weights.read_bytes()
    assert load_file(out).keys() == load_file(weights).keys()
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert set(hub.asked) == {"/someone/small/resolve/main/model.safetensors"}
    assert not hub.credentials


def test_a_known_sum_is_checked(hub: Hub, weights: Path, tmp_path: Path) -> None:
    known = replace(SPEC, sha256=hashlib.sha256(weights.read_bytes()).hexdigest())
    fetch_weights(known, tmp_path / "good.safetensors", endpoint=hub.address)
    other = replace(SPEC, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"someone/small/model\.safetensors is not the known file"):
        fetch_weights(other, tmp_path / "bad.safetensors", endpoint=hub.address)
    assert [path.name for path in tmp_path.glob("*bad*")] == []


def test_a_page_instead_of_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / MODEL_FILE).write_bytes(b"<html>please log in</html>")
    with Hub(SPEC.hub, tmp_path).running() as hub, pytest.raises(WeightsError, match="is no safetensors file"):
        fetch_weights(SPEC, tmp_path / "a.safetensors", endpoint=hub.address)
    assert not list(tmp_path.glob("a.*"))


def test_a_model_without_that_file(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"the hub does not give someone/other/model\.safetensors: .*models import"):
        fetch_weights(replace(SPEC, hub="someone/other"), tmp_path / "a.safetensors", endpoint=hub.address)


def test_no_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # between one try and the next
    with pytest.raises(WeightsError, match="the hub cannot be reached for someone/small; are you offline") as caught:
        fetch_weights(SPEC, tmp_path / "a.safetensors", endpoint="http://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_what_is_on_no_hub_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"litemedsam is on no hub; .*lite_medsam\.pth.*models import FILE"):
        fetch_weights(encoder_spec("litemedsam"), tmp_path / "a.safetensors")
