"""Every architecture becomes a folder whose graph says what torch says, for one image and for several."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dermoscope.encoders.folder import DESCRIPTION, GRAPH, EncoderFolder, encoder_fingerprint
from dermoscope.encoders.inputs import EncoderInput, InputContract, input_contract, prepare
from dermoscope.encoders.load import load_encoder
from dermoscope.encoders.registry import EncoderSpec, encoder_spec
from dermoscope.encoders.weights import WeightsError
from dermoscope.engine import compile_graph
from dermoscope.files import sha256_of
from dermoscope.images import decode
from dermoscope.training import encoder_export
from dermoscope.training.encoder_export import Equality, check_encoder, export_encoder
from tests.encoders.tiny import TINY, write_weights


def random_inputs(contract: InputContract, count: int = 3) -> list[EncoderInput]:
    random = np.random.default_rng(0)
    shapes = [(40, 60), (60, 40), (50, 50)]
    return [prepare(random.integers(0, 255, (*shapes[i], 3), np.uint8), contract) for i in range(count)]


def show(spec: EncoderSpec, contract: InputContract, found: tuple[Equality, ...]) -> None:
    for one in found:
        print(
            f"{spec.name}@{contract.size}: {one.engine}: {one.output}: {one.largest_difference:.2g} of {one.scale:.2g}"
        )


@pytest.mark.parametrize("name", TINY)
def test_the_graph_says_what_torch_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMOSCOPE_CACHE", str(tmp_path / "cache"))
    spec, side = TINY[name]
    contract = input_contract(spec, side, "pad")
    weights = write_weights(spec, tmp_path)
    folder = export_encoder(spec, weights, contract, tmp_path / "out")
    loaded = EncoderFolder.load(folder)
    encoder = load_encoder(spec, weights)
    found = check_encoder(encoder, loaded.graph, random_inputs(contract))
    show(spec, contract, found)
    assert {(one.engine.split(",")[0], one.output) for one in found} == {
        (engine, output) for engine in ("openvino", "onnxruntime") for output in loaded.description.outputs
    }
    for one in found:
        assert one.scale > 1e-3, "flat outputs would prove nothing"
        assert one.largest_difference <= 2e-4 * max(1.0, one.scale), one
    description = loaded.description
    assert description.name == spec.name
    assert description.contract == contract
    assert description.channels == spec.channels
    assert description.maps[-1].side == contract.map_size
    assert description.weights_sha256 == sha256_of(weights)
    assert description.fingerprint == encoder_fingerprint(sha256_of(weights), contract, spec.name)
    first = random_inputs(contract, 1)[0]
    outputs = compile_graph(loaded.graph, engine="onnxruntime")(
        {"image": first.image, "pool_weights": first.pool_weights}
    )
    assert outputs["statistics"].shape == (1, 2 * sum(one.channels for one in description.maps))
    assert outputs["feature"].shape == (1, spec.channels)
    assert sorted(path.name for path in folder.iterdir()) == [DESCRIPTION, GRAPH]
    assert str(tmp_path) not in (folder / DESCRIPTION).read_text()


def test_half_weights_are_half_the_file_and_another_fingerprint(tmp_path: Path) -> None:
    spec, side = TINY["resnet"]
    contract, weights = input_contract(spec, side), write_weights(spec, tmp_path)
    whole, half = (
        EncoderFolder.load(export_encoder(spec, weights, contract, tmp_path / str(flag), half_weights=flag))
        for flag in (False, True)
    )
    assert half.graph.stat().st_size < 0.7 * whole.graph.stat().st_size
    assert half.description.weight_type == "float16"
    assert half.description.fingerprint != whole.description.fingerprint


def test_what_would_not_fit_into_one_file_is_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, side = TINY["resnet"]
    monkeypatch.setattr(encoder_export, "MOST_FLOAT32_MILLIONS", 1.0)
    folder = export_encoder(spec, write_weights(spec, tmp_path), input_contract(spec, side), tmp_path / "out")
    assert json.loads((folder / DESCRIPTION).read_text())["weight_type"] == "float16"


def test_wrong_weights_leave_no_folder(tmp_path: Path) -> None:
    weights = write_weights(TINY["resnet"][0], tmp_path)
    spec, side = TINY["sam2"]
    with pytest.raises(WeightsError, match="does not hold the weights of small_sam2"):
        export_encoder(spec, weights, input_contract(spec, side), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.weights
@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("litemedsam", 112), ("mobilesam", 256), ("sam2_hiera_tiny", 512)])
def test_real_weights_on_real_images(
    name: str, size: int, real_weights: Path, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERMOSCOPE_CACHE", str(tmp_path / "cache"))
    spec = encoder_spec(name)
    contract, weights = input_contract(spec, size), real_weights / f"{name}.safetensors"
    files = sorted(real_data.rglob("*.jpg"))
    inputs = [prepare(decode(file).rgb, contract) for file in (files[0], files[-1])]
    graph = EncoderFolder.load(export_encoder(spec, weights, contract, tmp_path / "out")).graph
    found = check_encoder(load_encoder(spec, weights), graph, inputs, bfloat16=True)
    show(spec, contract, found)
    for one in found:
        exact = "float32" in one.engine
        assert one.largest_difference <= (1e-3 if exact else 1.0) * one.scale, one


@pytest.mark.weights
def test_sam2_on_its_real_weights_sees_where_the_spot_is(real_weights: Path) -> None:
    spec = encoder_spec("sam2_hiera_tiny")
    encoder = load_encoder(spec, real_weights / f"{spec.name}.safetensors")
    images = torch.zeros(2, 3, 256, 256)
    images[1, :, 96:160, 96:160] = -2
    with torch.inference_mode():
        plain, spot = encoder(images)
    assert plain.shape == (256, 16, 16)
    change = (spot - plain).square().mean(0)
    assert change[6:10, 6:10].mean() > 5 * change[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
