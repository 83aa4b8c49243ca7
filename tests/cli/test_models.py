from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dermoscope.bundle import Bundle
from dermoscope.cli import main
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.encoders.registry import ENCODERS, EncoderSpec
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.training.recipes import CAMRecipe, MaskRecipe, load_recipe, recipe_names
from tests.encoders.tiny import TINY, write_weights
from tests.sam_states import original_decoder_state, original_encoder_state

FROM_WEIGHTS = [
    (name, variants)
    for name in recipe_names()
    if isinstance(recipe := load_recipe(name), CAMRecipe | MaskRecipe)
    for variants in ([], *([variant] for variant in recipe.variants))
]


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = original_encoder_state(TinyViTSam(4)) | original_decoder_state(PromptedMaskDecoder(64))
    torch.save(state, tmp_path / "mobile_sam.pt")
    assert main(["models", "import", "mobile_sam.pt", "--encoder", "mobilesam"]) == 0
    assert (tmp_path / "mobilesam.safetensors").is_file()
    shown = capsys.readouterr().out
    assert "Apache-2.0" in shown
    assert "mobile_sam.pt fits mobilesam, but is not the file its authors published" in shown
    assert main(["models", "import", "mobile_sam.pt", "--encoder", "mobilesam", "--out", "a/b.safetensors"]) == 0
    assert (tmp_path / "a" / "b.safetensors").is_file()


@pytest.mark.parametrize(
    ("encoder", "code", "message"),
    [
        ("resnet", 2, "--encoder: unknown encoder 'resnet'; known: litemedsam"),
        ("mobilesam", 1, "weights.pt is not a plain torch checkpoint"),
        ("sam2_hiera_tiny", 1, "weights.pt is not a plain torch checkpoint"),
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["weights.pt"], "--encoder: say of what weights.pt is the checkpoint"),
        (["bundle.zip"], "a bundle is imported from its unpacked folder"),
        (["weights.pt", "--name", "ours"], "--name: goes with the folder of a bundle"),
        ([".", "--encoder", "mobilesam"], "--encoder, --out: go with a file"),
        ([".", "--out", "out"], "--encoder, --out: go with a file"),
    ],
)
def test_import_tells_checkpoints_from_bundles(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "import", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_import_without_the_extra_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dermoscope.training.checkpoints", None)
    assert main(["models", "import", str(tmp_path / "weights.pt"), "--encoder", "mobilesam"]) == 1
    assert 'pip install "dermoscope[train]"' in capsys.readouterr().err


def test_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mobilesam.safetensors").touch()
    (tmp_path / "sam_vit_b").mkdir()
    assert main(["models", "list", "--weights", str(tmp_path)]) == 0
    encoders, _, bundles = capsys.readouterr().out.partition("\n\n")
    rows = {line.split()[0]: line for line in encoders.splitlines()}
    assert rows.keys() - {"name"} == ENCODERS.keys()
    assert Bundle.default().fingerprint in bundles
    assert "637.0 M" in rows["sam_vit_h"]
    assert "sam_vit_h_4b8939.pth" in rows["sam_vit_h"]
    assert "Apache-2.0" in rows["sam_vit_h"]
    assert {name for name, line in rows.items() if "here" in line.split()} == {"mobilesam", "sam_vit_b"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> EncoderSpec:
    """A small network the command line knows under the name `small`."""
    spec = replace(TINY["resnet"][0], name="small")
    monkeypatch.setattr(sys.modules["dermoscope.cli.models"], "ENCODERS", {**ENCODERS, "small": spec})
    return spec


def test_export_encoder(small: EncoderSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_weights(small, tmp_path / "weights")
    arguments = ["models", "export-encoder", "small", "--weights", str(tmp_path / "weights")]
    assert main([*arguments, "--size", "64", "--fit", "squash", "--out", str(tmp_path / "out")]) == 0
    description = EncoderFolder.load(tmp_path / "out").description
    assert description.contract.fit == "squash"
    assert description.contract.size == 64
    assert description.fingerprint in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nothing"], 2, "NAME: unknown encoder 'nothing'; known: litemedsam"),
        (["resnet50", "--size", "100"], 2, "--size must be a multiple of 32 pixels for resnet50, got 100"),
        (["resnet50"], 1, "is neither a .safetensors file nor a model folder"),
    ],
)
def test_export_encoder_refuses(
    arguments: list[str], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = ["--weights", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]
    assert main(["models", "export-encoder", *arguments, *paths]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [("nothing", 2, "unknown encoder 'nothing'"), ("litemedsam", 1, "litemedsam is on no hub")],
)
def test_fetch_refuses(name: str, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", name, "--out", str(tmp_path / "a.safetensors")]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("name", "variants"), FROM_WEIGHTS)
def test_whoever_trains_without_weights_is_told_what_brings_them(
    name: str, variants: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [part for variant in variants for part in ("--variant", variant)]
    assert main(["train", name, *chosen, "--manifest", "manifest.csv", "--out", str(tmp_path / "run")]) == 2
    recipe = load_recipe(name, variants=variants)
    assert isinstance(recipe, CAMRecipe | MaskRecipe)
    network = recipe.model.backbone if isinstance(recipe, CAMRecipe) else recipe.model.encoder
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith(f"name the pretrained weights of {network}; this brings them: {ENCODERS[network].command}")
    if isinstance(recipe, CAMRecipe):
        assert f"dermoscope models fetch {network}" in said


def test_any_network_of_timm_may_be_a_backbone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = ["--set", "model.backbone=regnety_040"]
    assert main(["train", "cam-binary", *changed, "--manifest", "manifest.csv", "--out", str(tmp_path / "run")]) == 2
    assert "of regnety_040; a .safetensors file with the names that timm gives them" in capsys.readouterr().err
