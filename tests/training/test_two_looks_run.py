"""Look, crop, look again: from a manifest to a run, with the command that a user types."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from dermoscope.camnet.network import CAMNetwork
from dermoscope.cli import main
from dermoscope.data.manifest import Record, read_manifest, write_manifest
from dermoscope.images import decode
from dermoscope.lesion_classifier import LesionClassifier
from dermoscope.training import cam_network, cam_run, two_looks_run
from dermoscope.training.cam_description import load_cam_description
from dermoscope.training.cam_model_file import load_cam_run
from dermoscope.training.cam_run import train_network
from dermoscope.training.recipes import CAMRecipe, RecipeError, load_two_looks_recipe
from dermoscope.training.starts import learnt_before
from tests.training.tiny_crops import BACKBONE, backbone_weights, diagnosed

SPLITS = ("train",) * 12 + ("val",) * 6 + ("test",) * 4
SMALL = (
    f"first.model.backbone={BACKBONE}", "first.model.size=64", "first.crops.room=1.25", "folds=2",
    "first.optimiser.batch_size=4", "first.stopping.epochs=2", "second={stopping.epochs: 1}", "look.smallest=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("looks")
    write_manifest(diagnosed(folder / "images", SPLITS, ("NV", "MEL", "BKL")), folder / "manifest.csv")
    backbone_weights(folder / "backbone.safetensors")
    assert main(arguments(folder, folder / "run")) == 0
    return folder


def arguments(world: Path, out: Path, *more: str) -> list[str]:
    return [
        "train", "cam-crop-isic2017", "--manifest", str(world / "manifest.csv"),
        "--weights", str(world / "backbone.safetensors"), "--out", str(out), "--resamples", "20", "--quiet",
        *(part for change in SMALL for part in ("--set", change)), *more,
    ]  # fmt: skip


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_look_is_a_run(world: Path) -> None:
    run = world / "run"
    for name in ("first", "fold-1", "fold-2", "second"):
        assert json.loads((run / name / "run.json").read_text())["state"] == "complete"
    assert json.loads((run / "run.json").read_text())["state"] == "complete"
    assert len(table(run / "predictions.csv")) == 10
    looks = table(run / "looks.csv")
    assert len(looks) == 22
    sizes = {(int(row["right"]) - int(row["left"]), int(row["bottom"]) - int(row["top"])) for row in looks}
    assert all(0 < width <= 64 and 0 < height <= 48 for width, height in sizes)
    assert all(row["second_MEL"] for row in looks if row["split"] != "train")
    final = {row["image_id"]: float(row["p_MEL"]) for row in table(run / "predictions.csv")}
    for row in looks:
        if row["split"] != "train":
            assert final[row["image_id"]] == pytest.approx(float(row["second_MEL"]), abs=1e-6)


def test_the_box_of_a_training_image_is_of_a_network_that_has_not_learnt_it(world: Path) -> None:
    run = world / "run"
    splits = [table(run / f"fold-{number}" / "split.csv") for number in (1, 2)]
    learnt = [{row["image_id"] for row in split if row["split"] == "train"} for split in splits]
    every = {record.image_id for record in read_manifest(world / "manifest.csv") if record.split == "train"}
    assert learnt[0] | learnt[1] == every
    assert not learnt[0] & learnt[1]
    assert not any(row["split"] == "test" for split in splits for row in split)


def test_it_goes_on_where_it_stopped(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def stopped(*given: object, **more: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train_network(*given, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(two_looks_run, "train_network", stopped)
        assert main(arguments(world, tmp_path / "run")) == 130
    finished = [tmp_path / "run" / name / "model.safetensors" for name in ("first", "fold-1")]
    written = [path.stat().st_mtime_ns for path in finished]
    assert main(arguments(world, tmp_path / "run", "--resume")) == 0
    assert [path.stat().st_mtime_ns for path in finished] == written
    assert (tmp_path / "run" / "looks.csv").read_bytes() == (world / "run" / "looks.csv").read_bytes()


def test_the_average_is_the_average(world: Path, tmp_path: Path) -> None:
    assert main(arguments(world, tmp_path / "run", "--variant", "average", "--set", "folds=0")) == 0
    assert not (tmp_path / "run" / "fold-1").exists()
    final = {row["image_id"]: float(row["p_BKL"]) for row in table(tmp_path / "run" / "predictions.csv")}
    for row in table(tmp_path / "run" / "looks.csv"):
        if row["split"] != "train":
            expected = (float(row["first_BKL"]) + float(row["second_BKL"])) / 2
            assert final[row["image_id"]] == pytest.approx(expected, abs=1e-6)


QUESTIONS, ANSWERS = {"melanoma", "keratosis"}, {"average", "third-look"}
RULES = sorted(set(load_two_looks_recipe("cam-crop-isic2017").variants) - QUESTIONS - ANSWERS)


@pytest.mark.parametrize("variant", RULES)
def test_every_variant_trains(world: Path, tmp_path: Path, variant: str) -> None:
    more = ["--variant", variant, "--set", "folds=0", "--set", "first.stopping.epochs=1"]
    assert main(arguments(world, tmp_path / "run", *more)) == 0
    looks = table(tmp_path / "run" / "looks.csv")
    reasons = {row["whole_because"] for row in looks}
    boxes = {tuple(row[side] for side in ("left", "top", "right", "bottom")) for row in looks}
    assert (len(boxes) == 1) == (variant == "full" or reasons <= {"no evidence", "too large"})


@pytest.mark.parametrize(("variant", "column"), [("melanoma", "p_melanoma"), ("keratosis", "seborrheic_keratosis")])
def test_one_thing_against_the_rest(world: Path, tmp_path: Path, variant: str, column: str) -> None:
    more = ["--variant", variant, "--set", "folds=0", "--set", "first.stopping.epochs=1"]
    assert main(arguments(world, tmp_path / "run", *more)) == 0
    rows = table(tmp_path / "run" / "predictions.csv")
    assert set(rows[0]) == {"image_id", "split", column}
    given = ["--manifest", str(world / "manifest.csv"), "--out", str(tmp_path / "report"), "--resamples", "20"]
    assert main(["evaluate", str(tmp_path / "run"), *given]) == 0
    looks = json.loads((tmp_path / "report" / "metrics.json").read_text())["looks"]
    assert looks["classes"] == [{"melanoma": "MEL", "keratosis": "BKL"}[variant]]


def test_vgg_gap_is_that_of_the_publication() -> None:
    model = load_two_looks_recipe("cam-crop-isic2017", variants=["vgg-gap"]).second_look.model
    assert (model.backbone, model.gap_convolution) == ("vgg16", 1024)


def test_evaluate_tells_what_the_second_look_was_worth(world: Path, tmp_path: Path) -> None:
    given = ["--manifest", str(world / "manifest.csv"), "--out", str(tmp_path / "report"), "--resamples", "20"]
    assert main(["evaluate", str(world / "run"), *given]) == 0
    looks = json.loads((tmp_path / "report" / "metrics.json").read_text())["looks"]
    assert looks["classes"] == ["MEL", "BKL"]
    rows = [row for row in table(world / "run" / "looks.csv") if row["split"] == "test"]
    truth = {record.image_id: record.diagnosis for record in read_manifest(world / "manifest.csv")}
    for number, name in enumerate(looks["classes"], 1):
        labels = [truth[row["image_id"]] == name for row in rows]
        for look in ("first", "second"):
            expected = roc_auc_score(labels, [float(row[f"{look}_{name}"]) for row in rows])
            assert looks["auc"][f"{look} look"][number]["value"] == pytest.approx(expected)
    means = {look: looks["auc"][look][0]["value"] for look in ("first look", "second look")}
    assert looks["gain"]["second look"]["value"] == pytest.approx(means["second look"] - means["first look"])
    shared = looks["looked_at_twice"]
    assert shared["0.0"]["value"] == pytest.approx(means["first look"])
    assert shared["1.0"]["value"] == pytest.approx(means["second look"])
    assert (tmp_path / "report" / "figures" / "looks-gallery.png").is_file()
    assert "What the second look was worth" in (tmp_path / "report" / "report.html").read_text()


def test_the_third_look_is_at_what_the_second_cuts_out(world: Path, tmp_path: Path) -> None:
    """The exported classifier walks the same way by itself, so that both agree only if the boxes do."""
    run = tmp_path / "run"
    more = ["--variant", "peak", "--variant", "third-look", "--set", "folds=0", "--set", "first.stopping.epochs=1"]
    more += ["--variant", "every-stage"]  # or the looks of a network that has hardly learnt would hardly differ
    assert main(arguments(world, run, *more)) == 0
    assert main(["export", str(run), "--out", str(tmp_path / "classifier")]) == 0
    classifier = LesionClassifier(tmp_path / "classifier", precision="float32")
    final = {row["image_id"]: float(row["p_MEL"]) for row in table(run / "predictions.csv")}
    differ = 0
    for row in table(run / "looks.csv"):
        if row["split"] != "train":
            look = classifier.look(decode(world / "images" / f"{row['image_id']}.png").rgb, None)
            assert look.probabilities[1] == pytest.approx(final[row["image_id"]], abs=1e-4)
            assert final[row["image_id"]] == pytest.approx(float(row["third_MEL"]), abs=1e-6)
            differ += abs(float(row["third_MEL"]) - float(row["second_MEL"])) > 1e-3
    assert differ


@pytest.mark.parametrize("name", ["looks.csv", "look-maps.npy", "looks.json"])
def test_broken_looks_are_named(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(world / "run", run)
    (run / name).write_bytes(b"nothing of the kind")
    given = ["--manifest", str(world / "manifest.csv"), "--out", str(tmp_path / "report"), "--resamples", "20"]
    assert main(["evaluate", str(run), *given]) == 1
    assert "is not as dermoscope train writes it" in " ".join(capsys.readouterr().err.split())


def test_evaluate_reads_it(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--manifest", str(world / "manifest.csv"), "--out", str(world / "report"), "--resamples", "20"]
    assert main(["evaluate", str(world / "run"), *given]) == 0
    assert "Diagnosis" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("first.crops.names=[whole,full]", r"first\.crops\.names: the first look has one view"),
        ("folds=1", r"folds: one part leaves nothing to learn from"),
        ("look.rule=mask", r"look\.rule: mask, but first\.crops\.masks is none"),
        ("look.threshold=1.5", r"look\.threshold"),
        ("second={crops.names: [full]}", r"second\.crops\.names: look is not among them"),
        ("second={model.backbone: resnet18}", r"second\.model\.backbone: both looks are of one network"),
        ("second={optimiser.learning_rate: -1}", r"second\.optimiser\.learning_rate"),
    ],
)
def test_what_a_recipe_may_not_say(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_two_looks_recipe("cam-crop-isic2017", changes=[change])


def test_folds_keep_lesions_together() -> None:
    codes = ("NV", "MEL", "BKL")
    records = [
        Record(image_id=f"{n}", path=Path(f"{n}.jpg"), diagnosis=codes[n // 2 % 3], lesion_id=f"{n // 2}")
        for n in range(60)
    ]
    folds = two_looks_run._folds(load_two_looks_recipe("cam-crop-isic2017"), records)
    assert sorted(record.image_id for held in folds for record in held) == sorted(record.image_id for record in records)
    places = {record.lesion_id: number for number, held in enumerate(folds) for record in held}
    assert all(places[record.lesion_id] == number for number, held in enumerate(folds) for record in held)
    assert np.ptp([len(held) for held in folds]) <= 6


@pytest.mark.parametrize("answer", ["second look", "average"])
def test_what_is_exported_looks_twice(world: Path, tmp_path: Path, answer: str) -> None:
    run = world / "run"
    if answer == "average":
        run = tmp_path / "run"
        assert main(arguments(world, run, "--variant", "average", "--set", "folds=0")) == 0
    assert main(["export", str(run), "--out", str(tmp_path / "classifier")]) == 0
    classifier = LesionClassifier(tmp_path / "classifier", precision="float32")
    said = {row["image_id"]: row for row in table(run / "predictions.csv")}
    looks = {row["image_id"]: row for row in table(run / "looks.csv")}
    for name, row in said.items():
        look = classifier.look(decode(world / "images" / f"{name}.png").rgb, None)
        assert look.probabilities[1] == pytest.approx(float(row["p_MEL"]), abs=1e-4)
        assert look.again is not None
        assert look.again.box == tuple(int(looks[name][side]) for side in ("left", "top", "right", "bottom"))
        assert look.again.reason == looks[name]["whole_because"]


def test_a_random_look_is_not_exported(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(world / "run", tmp_path / "run")
    path = tmp_path / "run" / "looks.json"
    path.write_text(path.read_text().replace('"rule": "map"', '"rule": "random"'))
    assert main(["export", str(tmp_path / "run"), "--out", str(tmp_path / "classifier")]) == 1
    assert "looks again at a random place" in capsys.readouterr().err
    assert not (tmp_path / "classifier").exists()


def test_both_looks_are_trained_as_the_recipe_says(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[float] = []
    whole = cam_network.build_network

    def seen(recipe: CAMRecipe, weights: Path, start: Path | None = None) -> CAMNetwork:
        network = whole(recipe, weights, start)
        built.append(network.dropout.p)
        frozen = [name for name, value in network.named_parameters() if not value.requires_grad]
        assert frozen and len(frozen) < len(list(network.parameters()))
        return network

    monkeypatch.setattr(cam_run, "build_network", seen)
    more = ["--set", "first.model.dropout=0.25", "--set", "first.model.frozen_stages=2", "--set", "folds=0"]
    assert main(arguments(world, world / "frozen", *more)) == 0
    assert built == [0.25, 0.25]


def test_a_first_look_starts_from_a_network_of_another_question(world: Path, tmp_path: Path) -> None:
    start = world / "run" / "second"
    more = ["--start", str(start), "--set", "first.task.question=isic2017-melanoma", "--set", "folds=0"]
    more += ["--set", "first.model.frozen_stages=2"]
    assert main(arguments(world, tmp_path / "run", *more)) == 0
    before, after = (load_cam_run(place)[1].backbone.state_dict() for place in (start, tmp_path / "run" / "first"))
    same = [torch.equal(before[name], after[name]) for name in before]
    assert any(same) and not all(same)  # the frozen stages are those of the start
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert "--start" in record["command"]


def test_a_network_that_has_learnt_what_is_held_out_is_no_start(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = list(read_manifest(world / "manifest.csv"))
    turned = {"train": "test", "test": "train"}
    write_manifest([r.model_copy(update={"split": turned.get(r.split, r.split)}) for r in records], tmp_path / "m.csv")
    typed = arguments(world, tmp_path / "run", "--start", str(world / "run" / "second"), "--set", "folds=0")
    typed[typed.index("--manifest") + 1] = str(tmp_path / "m.csv")
    assert main(typed) == 1
    assert "has learnt from 12 images that are held out now" in capsys.readouterr().err
    assert main([*typed, "--allow-leaks", "to see"]) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["leaks"]["learnt_before"] == 12
    # What a run has learnt from by way of the one that it was begun from is known, too.
    learnt = [r.model_copy(update={"split": "val"}) for r in records if r.split == "train"]
    assert learnt_before(tmp_path / "run" / "first", learnt) == learnt


def test_a_start_that_cannot_be_is_said_before_the_work(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for start, words in ((world / "run", "looks twice"), (world, "does not say"), (tmp_path / "none", "does not say")):
        typed = arguments(world, tmp_path / "out", "--start", str(start), "--set", "folds=0")
        assert main(typed) == 1
        assert words in capsys.readouterr().err
    assert main(arguments(world, tmp_path / "out", "--set", "folds=0")) == 0, "nothing is left of what failed"
    again = arguments(world, tmp_path / "out", "--start", str(world / "run" / "first"), "--resume", "--set", "folds=0")
    assert main(again) == 1
    assert "was begun from another model" in capsys.readouterr().err


def test_a_start_takes_the_place_of_weights(world: Path, tmp_path: Path) -> None:
    typed = arguments(world, tmp_path / "run", "--start", str(world / "run" / "first"), "--set", "folds=0")
    where = typed.index("--weights")
    del typed[where : where + 2]
    assert main(typed) == 0
    before, after = (load_cam_description(place) for place in (world / "run" / "first", tmp_path / "run" / "first"))
    assert after.weights_sha256 == before.weights_sha256
    assert after.images == before.images
