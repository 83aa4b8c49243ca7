"""Every architecture comes back from a file as it was saved, and wrong files are told what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dermoscope.encoders.load import load_encoder
from dermoscope.encoders.registry import ENCODERS, encoder_spec
from dermoscope.encoders.timm_network import TimmNetwork
from dermoscope.encoders.weights import WeightsError
from tests.encoders.tiny import TINY, built, random_encoder, random_images, state_of, write_weights


@pytest.mark.parametrize("name", TINY)
def test_an_encoder_comes_back_as_it_was_saved(name: str, tmp_path: Path) -> None:
    spec, side = TINY[name]
    encoder = load_encoder(spec, write_weights(spec, tmp_path))
    images = random_images(2, side)
    with torch.inference_mode():
        ours, expected = encoder.maps(images), random_encoder(spec).maps(images)
    assert not encoder.training
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one, other)
        assert float(one.std()) > 1e-3, "a flat map would prove nothing"
    cells = side // spec.map_stride
    assert ours[-1].shape == (2, spec.channels, cells, cells)


@pytest.mark.parametrize("name", TINY)
def test_images_of_a_batch_do_not_touch_each_other(name: str, tmp_path: Path) -> None:
    spec, side = TINY[name]
    encoder = load_encoder(spec, write_weights(spec, tmp_path))
    images = random_images(3, side)
    with torch.inference_mode():
        torch.testing.assert_close(encoder(images)[1:2], encoder(images[1:2]), atol=1e-4, rtol=1e-4)


def test_a_model_folder_of_one_file_or_several(tmp_path: Path) -> None:
    spec, side = TINY["sam2"]
    single = write_weights(spec, tmp_path / "a")
    state = load_file(single)
    folder, shards = tmp_path / "folder", tmp_path / "shards"
    folder.mkdir()
    shards.mkdir()
    single.rename(folder / "model.safetensors")
    names = sorted(state)
    halves = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, own in halves.items():
        save_file({key: state[key] for key in own}, shards / file)
    index = {"weight_map": {key: file for file, own in halves.items() for key in own}}
    (shards / "model.safetensors.index.json").write_text(json.dumps(index))
    images = random_images(1, side)
    with torch.inference_mode():
        assert torch.equal(load_encoder(spec, folder)(images), load_encoder(spec, shards)(images))


@pytest.mark.parametrize(("name", "other"), [("sam2", "sam"), ("sam", "sam2"), ("cnn", "resnet"), ("mobilesam", "sam")])
def test_weights_of_another_encoder_are_refused(name: str, other: str, tmp_path: Path) -> None:
    weights = write_weights(TINY[other][0], tmp_path)
    with pytest.raises(WeightsError, match=rf"{weights.stem}\.safetensors does not hold .*models list"):
        load_encoder(TINY[name][0], weights)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    weights = write_weights(TINY["cnn"][0], tmp_path)
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_encoder(TINY["cnn"][0], weights)


def test_half_precision_weights_compute_in_float32(tmp_path: Path) -> None:
    spec, side = TINY["sam2"]
    state = {key: value.half() for key, value in state_of(random_encoder(spec)).items()}
    save_file(state, tmp_path / "half.safetensors")
    with torch.inference_mode():
        assert load_encoder(spec, tmp_path / "half.safetensors")(random_images(1, side)).dtype == torch.float32


def test_a_classifier_left_in_the_file_is_ignored(tmp_path: Path) -> None:
    spec, _ = TINY["resnet"]
    state = state_of(random_encoder(spec)) | {"fc.weight": torch.ones(10, spec.channels), "fc.bias": torch.ones(10)}
    save_file(state, tmp_path / "a.safetensors")
    assert isinstance(load_encoder(spec, tmp_path / "a.safetensors"), TimmNetwork)


@pytest.mark.parametrize("name", ENCODERS)
def test_the_registry_tells_the_truth(name: str) -> None:
    """Parameters, channels and stride as the network has them, without any memory for its weights."""
    spec = encoder_spec(name)
    side = spec.input_multiple * 4
    with torch.device("meta"), torch.inference_mode():
        encoder = built(spec).eval()
        embedding = encoder(torch.zeros(1, 3, side, side))
    millions = sum(parameter.numel() for parameter in encoder.parameters()) / 1e6
    assert millions == pytest.approx(spec.parameters, abs=0.06)
    assert embedding.shape == (1, spec.channels, side // spec.map_stride, side // spec.map_stride)
