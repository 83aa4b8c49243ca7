"""Where weights are, and what is said when they are not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dermoscope.encoders.weights import WeightsError, weight_files, weights_sha256
from dermoscope.files import sha256_of


def test_a_file_or_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"a")
    assert weight_files(file) == weight_files(tmp_path) == (file,)
    assert weights_sha256(file) == weights_sha256(tmp_path) == sha256_of(file)


def test_several_files(tmp_path: Path) -> None:
    index = {"weight_map": {"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    files = (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    for file in files:
        file.write_text(file.name)
    assert weight_files(tmp_path) == files
    both = weights_sha256(tmp_path)
    assert both == hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()
    files[1].write_text("other")
    assert weights_sha256(tmp_path) != both


@pytest.mark.parametrize("name", ["sam_vit_h_4b8939.pth", "sam2_hiera_tiny.pt", "pytorch_model.bin"])
def test_other_formats_are_told_how_to_convert(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"a")
    with pytest.raises(WeightsError, match=rf"{name} is not a \.safetensors file; .*dermoscope models import"):
        weight_files(tmp_path / name)
    with pytest.raises(WeightsError, match=r"holds no model\.safetensors"):
        weight_files(tmp_path)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nowhere is neither"):
        weight_files(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("nothing", "is no index"),
        ("[]", "is no index"),
        ('{"weight_map": 3}', "is no index"),
        ('{"weight_map": {"x": "../../secret"}}', "names '../../secret', which is not a file beside it"),
        ('{"weight_map": {"x": "/etc/passwd"}}', "not a file beside it"),
        ('{"weight_map": {"x": "missing.safetensors"}}', "not a file beside it"),
    ],
)
def test_a_bad_index_is_refused(index: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(WeightsError, match=message):
        weight_files(tmp_path)
