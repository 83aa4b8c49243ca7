"""From a manifest to a run folder, with the command a user types: a decoder on kept embeddings, LoRA, and a U-Net."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.cli import main
from dermoscope.data.manifest import write_manifest
from dermoscope.encoders.registry import encoder_spec
from dermoscope.encoders.sam2_hiera import vision_config
from dermoscope.encoders.shapes import HieraShape
from dermoscope.files import sha256_of
from dermoscope.training.mask_model_file import MaskModelDescription
from dermoscope.training.recipes import load_mask_recipe
from tests.training.tiny_masks import pictures, sam_weights

# isort: split
import timm
from transformers import Sam2Config, Sam2Model

# torch.export warns about itself.
pytestmark = [
    pytest.mark.filterwarnings(r"ignore:.isinstance\(treespec, LeafSpec\):FutureWarning"),
    pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning"),
]

SPLITS = ("train",) * 6 + ("val",) * 3
SHORT = ["--set", "epochs=2", "--set", "copies=2", "--set", "optimiser.batch_size=3", "--set", "precision=float32"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    records = pictures(folder / "images", SPLITS)
    write_manifest(records, folder / "manifest.csv")
    write_manifest([r.model_copy(update={"split": "train"}) for r in records], folder / "no-val.csv")
    write_manifest([r.model_copy(update={"lesion_id": "one"}) for r in records], folder / "leaky.csv")
    sam_weights(folder / "sam.safetensors")
    network = timm.create_model("tf_efficientnet_lite0")
    save_file(network.state_dict(), folder / "lite0.safetensors")
    return folder


VARIANTS = load_mask_recipe("skinsam-decoder").variants
SAME_ENCODER = [name for name, changes in VARIANTS.items() if "model.encoder" not in changes]


def arguments(world: Path, recipe: str, out: Path, *more: str, manifest: str = "manifest.csv") -> list[str]:
    weights = "lite0.safetensors" if recipe == "unet" else "sam.safetensors"
    size = "32" if recipe == "unet" else "16"
    return [
        "train", recipe, "--manifest", str(world / manifest), "--weights", str(world / weights), "--out", str(out),
        "--resamples", "20", "--set", f"model.size={size}", *SHORT, *more,
    ]  # fmt: skip


def test_a_decoder_on_kept_embeddings(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(arguments(world, "skinsam-decoder", out)) == 0
    shown = capsys.readouterr()
    assert "This will take some" in shown.err
    assert "for embeddings" in shown.err
    assert "GB of memory" in shown.err
    assert "skinsam-decoder: learnt from 6 images, 2 epochs" in shown.out
    assert "Validation, 3 images of 3 lesions" in shown.out
    for line in ("dice, prompt: auto", "thresholded jaccard, prompt: jittered box", "dermoscope export"):
        assert line in shown.out
    description = MaskModelDescription.model_validate_json((out / "model.json").read_bytes())
    assert (description.kind, description.trained, description.contract.size) == ("sam", "decoder", 16)
    assert all(name.startswith("decoder.") for name in load_file(out / "model.safetensors"))
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    run = json.loads((out / "run.json").read_text())
    assert run["state"] == "complete"
    assert set(run["metrics"]["skinsam-decoder"]) >= {"dice, prompt: auto", "jaccard, prompt: jittered box"}
    assert run["command"].startswith(
        "dermoscope train skinsam-decoder --manifest manifest.csv --weights sam.safetensors"
    )
    assert str(tmp_path) not in (out / "run.json").read_text()

    weights = (out / "model.safetensors").read_bytes()
    assert main(arguments(world, "skinsam-decoder", out, "--resume", "--quiet")) == 0
    assert (out / "model.safetensors").read_bytes() == weights
    assert main(["export", str(out), "--out", str(tmp_path / "bundle")]) == 1
    assert "was trained on litemedsam at 16 px" in capsys.readouterr().err


@pytest.mark.parametrize("variant", SAME_ENCODER)
def test_variants_share_what_is_kept(world: Path, tmp_path: Path, variant: str) -> None:
    given = ["--variant", variant, "--cache", str(world / "cache"), "--quiet"]
    assert main(arguments(world, "skinsam-decoder", tmp_path / "run", *given)) == 0
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert not (tmp_path / "run" / "cache").exists()


@pytest.mark.parametrize(("recipe", "trained"), [("skinsam-lora", "decoder and lora"), ("skinsam-full", "everything")])
def test_what_changes_the_encoder_keeps_it_plain(world: Path, tmp_path: Path, recipe: str, trained: str) -> None:
    out = tmp_path / "run"
    assert main(arguments(world, recipe, out, "--quiet")) == 0
    assert not (out / "cache").exists()
    state = load_file(out / "model.safetensors")
    assert {name.split(".")[0] for name in state} == {"decoder", "encoder"}
    assert not [name for name in state if "parametrizations" in name]
    assert json.loads((out / "model.json").read_text())["trained"] == trained


@pytest.mark.parametrize(("recipe", "changed"), [("skinsam-decoder", set()), ("skinsam-lora", {"vision_encoder"})])
def test_sam_2_is_trained_as_a_whole(
    world: Path, tmp_path: Path, sam2_weights: Path, recipe: str, changed: set[str]
) -> None:
    given = arguments(world, recipe, tmp_path / "run", "--quiet", "--variant", "sam2", "--set", "model.size=64")
    given[given.index(str(world / "sam.safetensors"))] = str(sam2_weights)
    assert main(given) == 0
    assert not (tmp_path / "run" / "cache").exists()
    before, after = load_file(sam2_weights), load_file(tmp_path / "run" / "model.safetensors")
    moved = {name for name, value in after.items() if not torch.equal(value, before[name.removeprefix("whole.")])}
    assert {name.split(".")[1] for name in moved} == {"mask_decoder", "prompt_encoder"} | changed
    assert not [name for name in after if "parametrizations" in name]
    metrics = json.loads((tmp_path / "run" / "run.json").read_text())["metrics"][recipe]
    assert {"dice, prompt: auto", "dice, prompt: jittered box"} <= set(metrics)


@pytest.fixture(scope="module")
def sam2_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint of SAM 2 with Hiera-tiny."""
    torch.manual_seed(0)
    shape = encoder_spec("sam2_hiera_tiny").shape
    assert isinstance(shape, HieraShape)
    whole = Sam2Model(Sam2Config(vision_config=vision_config(shape)))
    path = tmp_path_factory.mktemp("sam2") / "sam2.safetensors"
    save_file({name: value.clone() for name, value in whole.state_dict().items()}, path)
    return path


def test_a_unet_takes_no_prompt(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(arguments(world, "unet", out)) == 0
    shown = capsys.readouterr().out
    assert "dice, prompt: auto" in shown
    assert "jittered box" not in shown
    assert f"dermoscope export {out}" in shown
    description = MaskModelDescription.model_validate_json((out / "model.json").read_bytes())
    assert description.images == {"images": 6}
    assert not description.start_sha256


def test_a_run_goes_on_from_an_earlier_one(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(arguments(world, "unet", first, "--quiet")) == 0
    still = ["--set", "optimiser.learning_rate=1e-12"]
    assert main(arguments(world, "unet", second, "--quiet", "--start", str(first), *still)) == 0
    began, ended = load_file(first / "model.safetensors"), load_file(second / "model.safetensors")
    parameters = [name for name in began if name.endswith("weight")]
    assert all((began[name] - ended[name]).abs().max() < 1e-6 for name in parameters)
    description = MaskModelDescription.model_validate_json((second / "model.json").read_bytes())
    assert description.start_sha256 == sha256_of(first / "model.safetensors")
    assert "--start first" in json.loads((second / "run.json").read_text())["command"]
    capsys.readouterr()

    third = ["--start", str(first), "--set", "model.size=64"]
    assert main(arguments(world, "unet", tmp_path / "third", *third)) == 1
    assert f"--start {first}: its model.size is 32, that of this recipe 64; --set the same" in capsys.readouterr().err
    assert main(arguments(world, "unet", tmp_path / "third", "--start", str(world))) == 1
    assert "holds no finished run for masks" in capsys.readouterr().err
    assert main(arguments(world, "skinsam-decoder", tmp_path / "third", "--start", str(first))) == 1
    assert "its model.kind is unet, that of this recipe sam" in capsys.readouterr().err
    assert description.images == {"images": 6}
    assert main(arguments(world, "unet", second, "--resume", *still)) == 1
    assert "was begun from another model; give the same --start as then" in capsys.readouterr().err
    assert main(arguments(world, "unet", second, "--resume", "--quiet", "--start", str(first), *still)) == 0


@pytest.mark.parametrize("recipe", ["skinsam-decoder", "skinsam-lora"])
def test_a_sam_goes_on_from_an_earlier_run(world: Path, tmp_path: Path, recipe: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(arguments(world, recipe, first, "--quiet")) == 0
    still = ["--set", "optimiser.learning_rate=1e-12", "--start", str(first)]
    assert main(arguments(world, recipe, second, "--quiet", *still)) == 0
    began, ended = load_file(first / "model.safetensors"), load_file(second / "model.safetensors")
    assert began.keys() == ended.keys()
    floating = [name for name in began if began[name].is_floating_point()]
    assert all((began[name] - ended[name]).abs().max() < 1e-6 for name in floating)


@pytest.mark.parametrize(
    ("more", "manifest", "code", "message"),
    [
        ([], "no-val.csv", 1, "no image with a mask in the split val"),
        ([], "leaky.csv", 1, "lesion"),
        (["--store", "x"], "manifest.csv", 2, "--store: is for recipes of heads"),
        (
            ["--set", "model.encoder=tf_efficientnet_lite0"],
            "manifest.csv",
            1,
            "brings no mask decoder",
        ),
        (["--set", "model.size=17"], "manifest.csv", 1, "size must be a multiple"),
    ],
)
def test_what_cannot_be_trained(
    world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    manifest: str,
    code: int,
    message: str,
) -> None:
    assert main(arguments(world, "skinsam-decoder", tmp_path / "run", *more, manifest=manifest)) == code
    assert message in capsys.readouterr().err


def test_weights_of_another_model_are_named(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = arguments(world, "skinsam-decoder", tmp_path / "run")
    given[given.index(str(world / "sam.safetensors"))] = str(world / "lite0.safetensors")
    assert main(given) == 1
    assert "lite0.safetensors does not hold the weights of litemedsam" in capsys.readouterr().err
    given[given.index("--out") + 1] = str(tmp_path / "other")
    del given[given.index("--weights") : given.index("--weights") + 2]
    assert main(given) == 2
    assert "--weights: name the pretrained weights" in capsys.readouterr().err
