"""From a manifest to run folders, with the commands a user types: networks, their ensembles, their evaluation."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file

from dermoscope import taxonomy
from dermoscope.cli import main
from dermoscope.data.manifest import read_manifest, write_manifest
from dermoscope.evaluation.training_run import read_training_run
from dermoscope.training.cam_model_file import load_cam_run
from dermoscope.training.cam_trainer import CAMTrainer
from dermoscope.training.recipes import load_cam_recipe, load_recipe
from tests.training.tiny_crops import SMALL, backbone_weights, diagnosed

SPLITS = ("train",) * 8 + ("val",) * 6 + ("test",) * 4
CODES = ("NV", "MEL", "BCC", "AKIEC")
RECIPES = ("cam-binary", "cam-diagnosis", "cam-three-class", "girona-binary", "girona-three-class")
VARIANTS = [(name, variant) for name in RECIPES for variant in ("", *load_cam_recipe(name).variants)]
ENSEMBLES = [
    (name, variant) for name in ("ensemble-binary", "ensemble-three-class") for variant in load_recipe(name).variants
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    records = diagnosed(folder / "images", SPLITS, CODES)
    write_manifest(records, folder / "manifest.csv")
    seven = diagnosed(folder / "seven", ("train",) * 7 + ("val",) * 7 + ("test",) * 7, taxonomy.HAM10000_CODES)
    write_manifest(seven, folder / "seven.csv")
    write_manifest([r.model_copy(update={"diagnosis": "NV"}) for r in records], folder / "nevi.csv")
    write_manifest([r for r in records if r.split != "val"], folder / "no-val.csv")
    backbone_weights(folder / "backbone.safetensors")
    return folder


def arguments(world: Path, recipe: str, out: Path, *more: str, manifest: str = "manifest.csv") -> list[str]:
    return [
        "train", recipe, "--manifest", str(world / manifest), "--weights", str(world / "backbone.safetensors"),
        "--out", str(out), "--resamples", "20", *(part for change in SMALL for part in ("--set", change)), *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(world: Path) -> Path:
    """Two binary networks of different seeds."""
    for seed in (1, 2):
        assert main(arguments(world, "cam-binary", world / f"member-{seed}", "--set", f"seed={seed}", "--quiet")) == 0
    return world


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_network_with_everything_it_says(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(arguments(world, "cam-binary", out)) == 0
    shown = capsys.readouterr()
    assert "This will take some" in shown.err
    assert "for crops" in shown.err
    for line in (
        "cam-binary: learnt from benign 2, malignant 6, 2 epochs",
        "Validation, 6 images of 6 lesions",
        "Correlation of maps and lesion",
        "Crops from masks: manifest",
        "dermoscope evaluate",
    ):
        assert line in shown.out
    run = json.loads((out / "run.json").read_text())
    assert run["state"] == "complete"
    assert run["metrics"]["cam-binary"]["correlation of maps and lesion"] <= 1
    crops = rows(out / "crops.csv")
    assert len(crops) == 3 * (6 + 4)
    predicted = {row["image_id"]: float(row["p_malignant"]) for row in rows(out / "predictions.csv")}
    own = [float(row["p_malignant"]) for row in crops if row["image_id"] == "lesion_9"]
    assert predicted["lesion_9"] == pytest.approx(np.mean(own), abs=1e-6)
    maps = rows(out / "maps.csv")
    assert len(maps) == 2 * len(crops)
    decided = [row for row in maps if row["decided"] == "1"]
    assert len(decided) == len(crops)
    assert set(load_file(out / "features.safetensors")) == {"val", "test"}
    description, network = load_cam_run(out)
    assert description.classes == ("benign", "malignant")
    assert description.images == {"images": 8}
    assert network.classifier.out_features == 2
    training = read_training_run(out)
    assert training is not None
    assert training.chosen_epoch(42) in (1, 2)


def test_its_test_images_can_be_evaluated(trained: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    given = ["--manifest", str(trained / "manifest.csv"), "--out", str(report), "--resamples", "20", "--quiet"]
    assert main(["evaluate", str(trained / "member-1"), *given]) == 0
    metrics = json.loads((report / "metrics.json").read_text())
    maps = metrics["class_maps"]
    assert list(maps) == ["benign", "malignant", "the likeliest class"]
    scored = {row["image_id"] for row in rows(trained / "member-1" / "predictions.csv") if row["split"] == "test"}
    own = [row for row in rows(trained / "member-1" / "maps.csv") if row["image_id"] in scored]
    means = np.mean([float(row["energy"]) for row in own if row["class"] == "benign" and row["energy"]])
    if all(row["energy"] for row in own):  # else crops without evidence weigh their image otherwise
        assert maps["benign"]["energy"]["value"] == pytest.approx(means)
    largest = np.mean([float(row["largest"]) for row in own if row["decided"] == "1"])
    assert maps["the likeliest class"]["largest"]["value"] == pytest.approx(largest)
    page = (report / "report.html").read_text()
    assert "Where the network looks" in page
    assert "not-nevus" in page


def test_images_of_no_answer_are_left_out_of_the_evaluation(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, shared = tmp_path / "run", world / "cache-three-three-class"
    more = ["--set", "stopping.epochs=1", "--cache", str(shared), "--quiet"]
    assert main(arguments(world, "cam-three-class", out, *more)) == 0
    given = ["--manifest", str(world / "manifest.csv"), "--out", str(tmp_path / "report"), "--resamples", "20"]
    assert main(["evaluate", str(out), *given]) == 0
    assert "1 image without an answer to cancer is left out: 1 NV" in capsys.readouterr().out


def test_a_broken_table_of_maps_is_named(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "member"
    shutil.copytree(trained / "member-1", broken)
    (broken / "maps.csv").write_text("image_id,split,class\nlesion_14,test,benign\n")
    given = ["--manifest", str(trained / "manifest.csv"), "--out", str(tmp_path / "report"), "--quiet"]
    assert main(["evaluate", str(broken), *given]) == 1
    assert "maps.csv: is not as dermoscope train writes it" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_recipe_and_variant_trains(world: Path, tmp_path: Path, name: str, variant: str) -> None:
    chosen = ["--variant", variant] if variant else []
    kind = variant if variant in ("one-crop", "hair-removal", "colour-constancy") else "three"
    shared = world / f"cache-{kind}-{name.partition('-')[2]}"
    more = [*chosen, "--set", "stopping.epochs=1", "--cache", str(shared), "--quiet"]
    manifest = "seven.csv" if name == "cam-diagnosis" else "manifest.csv"
    assert main(arguments(world, name, tmp_path / "run", *more, manifest=manifest)) == 0
    assert (tmp_path / "run" / "predictions.csv").exists()


def test_going_on_gives_the_same_network(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(arguments(world, "cam-binary", whole, "--quiet")) == 0
    with monkeypatch.context() as patch:
        patch.setattr("dermoscope.training.cam_run.CAMTrainer._validation_logits", interrupted_at_the_second())
        assert main(arguments(world, "cam-binary", broken, "--quiet")) == 130
    assert json.loads((broken / "run.json").read_text())["state"] == "interrupted"
    assert main(arguments(world, "cam-binary", broken, "--quiet", "--resume")) == 0
    assert (broken / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()
    assert (broken / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_only_the_very_same_training_goes_on(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    records = read_manifest(world / "manifest.csv")
    swapped = {"NV": "MEL", "MEL": "NV"}
    changed = [r.model_copy(update={"diagnosis": swapped.get(r.diagnosis, r.diagnosis)}) for r in records]
    write_manifest(changed, world / "swapped.csv")
    with monkeypatch.context() as patch:
        patch.setattr("dermoscope.training.cam_run.CAMTrainer._validation_logits", interrupted_at_the_second())
        assert main(arguments(world, "cam-binary", out, "--quiet")) == 130
    assert main(arguments(world, "cam-binary", out, "--quiet", "--resume", manifest="swapped.csv")) == 1
    assert "is of another training" in capsys.readouterr().err


def test_an_image_without_an_answer_needs_no_mask(world: Path, tmp_path: Path) -> None:
    records = list(read_manifest(world / "manifest.csv"))
    records[0] = records[0].model_copy(update={"diagnosis": "NOT_SKIN", "mask_path": None})
    write_manifest(records, world / "not-skin.csv")
    assert main(arguments(world, "cam-binary", tmp_path / "run", "--quiet", manifest="not-skin.csv")) == 0


def test_damaged_weights_are_named(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "backbone.safetensors"
    damaged.write_bytes(b"no network")
    typed = arguments(world, "cam-binary", tmp_path / "run")
    typed[typed.index("--weights") + 1] = str(damaged)
    assert main(typed) == 1
    assert "backbone.safetensors cannot be read" in capsys.readouterr().err


def interrupted_at_the_second() -> Callable[[CAMTrainer], NDArray[np.float32]]:
    real, calls = CAMTrainer._validation_logits, []

    def stopped(self: CAMTrainer) -> NDArray[np.float32]:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self)

    return stopped


@pytest.mark.parametrize(
    ("manifest", "more", "code", "message"),
    [
        ("nevi.csv", [], 1, "to learn malignancy the split train must show all of benign, malignant; it has benign"),
        ("no-val.csv", [], 1, "the split val has no image with an answer to malignancy"),
        ("manifest.csv", ["--set", "model.backbone=test_resnet"], 1, "does not hold the weights of test_resnet"),
        ("manifest.csv", ["--set", "model.backbone=test_vit"], 1, "no grid of channels"),
        ("manifest.csv", ["--store", "there"], 2, "--store: is for recipes of heads"),
        ("manifest.csv", ["--start", "there"], 1, "--start there: split.csv does not say"),
        ("manifest.csv", ["--member", "there"], 2, "--member: is for ensembles"),
        ("manifest.csv", ["--set", "crops.masks=folder"], 1, "name it with --masks"),
        ("manifest.csv", ["--masks", "nowhere"], 1, "--masks: nowhere has no segments.jsonl"),
        (
            "manifest.csv",
            ["--masks", "nowhere", "--set", "crops.masks=classical"],
            2,
            "crops.masks is classical; ",
        ),
        (
            "manifest.csv",
            ["--set", "model.size=16"],
            1,
            "16 pixels leave test_efficientnet maps of one cell",
        ),
    ],
)
def test_what_cannot_be_trained_is_said(
    world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    manifest: str,
    more: list[str],
    code: int,
    message: str,
) -> None:
    assert main(arguments(world, "cam-binary", tmp_path / "run", *more, manifest=manifest)) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def ensemble(world: Path, out: Path, *more: str, recipe: str = "ensemble-binary") -> list[str]:
    members = [part for seed in (1, 2) for part in ("--member", str(world / f"member-{seed}"))]
    given = ["--manifest", str(world / "manifest.csv"), "--out", str(out), "--resamples", "20"]
    return ["train", recipe, *members, *given, *more]


def test_an_ensemble_of_two(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ensemble"
    assert main(ensemble(trained, out)) == 0
    shown = capsys.readouterr().out
    for line in ("2 members on tight, middle, full", "Accuracy of member-2 alone", "beside its best member: "):
        assert line in shown
    products: dict[str, list[float]] = {}
    for seed in (1, 2):
        for row in rows(trained / f"member-{seed}" / "crops.csv"):
            pair = products.setdefault(row["image_id"], [1.0, 1.0])
            pair[0] *= float(row["p_benign"])
            pair[1] *= float(row["p_malignant"])
    for row in rows(out / "predictions.csv"):
        benign, malignant = products[row["image_id"]]
        assert float(row["p_malignant"]) == pytest.approx(malignant / (benign + malignant), abs=1e-4)
    assert {path.name for path in (out / "members").iterdir()} == {"member-1", "member-2"}
    load_cam_run(out / "members" / "member-1")


@pytest.mark.parametrize(("name", "variant"), ENSEMBLES)
def test_every_rule_combines(trained: Path, tmp_path: Path, name: str, variant: str) -> None:
    assert main(ensemble(trained, tmp_path / "run", "--variant", variant, "--quiet", recipe=name)) == 0
    found = [float(row["p_malignant"]) for row in rows(tmp_path / "run" / "predictions.csv")]
    assert len(found) == 10
    assert all(0 <= value <= 1 for value in found)


def test_members_must_belong_together(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "member-2"
    assert main(arguments(trained, "cam-binary", other, "--variant", "one-crop", "--quiet")) == 0
    given = ["--manifest", str(trained / "manifest.csv"), "--out", str(tmp_path / "run")]
    first = ["--member", str(trained / "member-1")]
    assert main(["train", "ensemble-binary", *first, "--member", str(other), *given]) == 1
    assert "looks at full" in capsys.readouterr().err
    assert main(["train", "ensemble-binary", *first, *first, *given]) == 1
    assert "two folders are called member-1" in capsys.readouterr().err
    assert main(["train", "ensemble-binary", "--member", str(tmp_path), *given]) == 1
    assert "holds no finished run" in capsys.readouterr().err
    assert main(["train", "ensemble-binary", *given]) == 2
    assert "--member: name the run folder" in capsys.readouterr().err
    assert main(["train", "ensemble-binary", *first, *given, "--weights", "x"]) == 2
    assert "--weights: is not for ensembles" in capsys.readouterr().err
