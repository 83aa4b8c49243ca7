from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch

from dermoscope.bundle import Bundle
from dermoscope.cli import main
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from tests.sam_states import original_decoder_state, original_encoder_state


def test_verify_the_shipped_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify"]) == 0
    shown = capsys.readouterr().out
    assert Bundle.default().fingerprint in shown
    assert "every file is as it was written" in shown


def test_verify_a_damaged_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(Bundle.default().folder, tmp_path / "bundle")
    with (tmp_path / "bundle" / "heads.onnx").open("ab") as stream:
        stream.write(b"x")
    assert main(["models", "verify", str(tmp_path / "bundle")]) == 1
    assert "heads.onnx does not match its sum" in capsys.readouterr().err


def test_verify_a_missing_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", str(tmp_path / "nowhere")]) == 1
    assert "nowhere is not a bundle folder" in capsys.readouterr().err


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = original_encoder_state(TinyViTSam(4)) | original_decoder_state(PromptedMaskDecoder(64))
    torch.save(state, tmp_path / "mobile_sam.pt")
    assert main(["models", "import", "mobile_sam.pt", "--encoder", "mobilesam"]) == 0
    assert (tmp_path / "mobilesam.safetensors").is_file()
    assert "Apache-2.0" in capsys.readouterr().out
    assert main(["models", "import", "mobile_sam.pt", "--encoder", "mobilesam", "--out", "a/b.safetensors"]) == 0
    assert (tmp_path / "a" / "b.safetensors").is_file()


@pytest.mark.parametrize(
    ("encoder", "code", "message"),
    [
        ("resnet", 2, "--encoder: unknown encoder 'resnet'; known: litemedsam"),
        ("mobilesam", 1, "weights.pt is not a plain torch checkpoint"),
        ("sam2_hiera_tiny", 1, "not supported yet"),
    ],
)
def test_import_refuses(
    encoder: str, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "weights.pt").write_bytes(b"hello")
    arguments = ["models", "import", str(tmp_path / "weights.pt"), "--encoder", encoder]
    assert main([*arguments, "--out", str(tmp_path / "out.safetensors")]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.safetensors").exists()


def test_import_without_the_extra_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dermoscope.training.checkpoints", None)
    assert main(["models", "import", str(tmp_path / "weights.pt"), "--encoder", "mobilesam"]) == 1
    assert 'pip install "dermoscope[train]"' in capsys.readouterr().err
