"""From what networks have said to the run of an ensemble and its evaluation, with the commands a user types."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from dermoscope.cli import main
from dermoscope.data.manifest import Record, read_manifest, write_manifest
from tests.training.tiny_crops import diagnosed
from tests.training.tiny_members import tiny_member

CODES = ("NV", "MEL", "BCC", "AKIEC", "NOT_SKIN")
SPLITS = ("train",) * 5 + ("val",) * 15 + ("test",) * 10
RECIPES = {"ensemble-binary": "cam-binary", "ensemble-three-class": "cam-three-class"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ensembles")
    records = diagnosed(folder / "images", SPLITS, CODES)
    write_manifest(records, folder / "manifest.csv")
    for ensemble, network in RECIPES.items():
        for seed in (1, 2):
            tiny_member(folder / ensemble / f"member-{seed}", records, network, seed)
    return folder


def train(world: Path, out: Path, recipe: str, *more: str, manifest: str = "manifest.csv") -> int:
    members = [part for seed in (1, 2) for part in ("--member", str(world / recipe / f"member-{seed}"))]
    given = ["--manifest", str(world / manifest), "--out", str(out), "--resamples", "20"]
    return main(["train", recipe, *members, *given, *more])


def evaluate(world: Path, run: Path, out: Path, manifest: str = "manifest.csv") -> int:
    return main(
        ["evaluate", str(run), "--manifest", str(world / manifest), "--out", str(out), "--resamples", "20"],
    )


@pytest.mark.parametrize(
    ("recipe", "left_out", "question", "first"),
    [
        ("ensemble-binary", {"NOT_SKIN": 2}, "malignancy (not-nevus)", "Malignancy (not-nevus)"),
        ("ensemble-three-class", {"NOT_SKIN": 2, "NV": 2}, "cancer", "Diagnosis"),
    ],
)
def test_images_without_an_answer_are_left_out_and_counted(
    world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    recipe: str,
    left_out: dict[str, int],
    question: str,
    first: str,
) -> None:
    run, report = tmp_path / "run", tmp_path / "report"
    assert train(world, run, recipe, "--quiet") == 0
    assert evaluate(world, run, report) == 0
    shown = capsys.readouterr().out
    listed = ", ".join(f"{count} {code}" for code, count in left_out.items())
    said = f"{sum(left_out.values())} images without an answer to {question} are left out: {listed}"
    assert said in shown
    assert shown.startswith(first)
    assert said in (report / "report.html").read_text()
    header = json.loads((report / "metrics.json").read_text())["header"]
    assert header["left_out"] == left_out
    assert header["n"] == 10 - sum(left_out.values())
    with (report / "predictions.csv").open(newline="") as stream:
        assert not {row["diagnosis"] for row in csv.DictReader(stream)} & set(left_out)


def test_an_image_with_an_answer_needs_a_prediction(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its diagnosis became one that the members know."""
    assert train(world, tmp_path / "run", "ensemble-three-class", "--quiet") == 0
    write_changed(world, "later.csv", "lesion_20", diagnosis="BCC")
    assert evaluate(world, tmp_path / "run", tmp_path / "report", "later.csv") == 1
    assert "no prediction for 'lesion_20'" in capsys.readouterr().err


def write_changed(world: Path, name: str, image_id: str, **changes: object) -> None:
    def change(record: Record) -> Record:
        return record.model_copy(update=changes) if record.image_id == image_id else record

    write_manifest([change(record) for record in read_manifest(world / "manifest.csv")], world / name)


@pytest.mark.parametrize("recipe", RECIPES)
def test_test_images_are_answered_and_not_scored(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: str
) -> None:
    assert train(world, tmp_path / "run", recipe) == 0
    shown = capsys.readouterr().out.replace(str(tmp_path), "")
    assert "Accuracy beside its best member: " in shown
    assert not [line for line in shown.splitlines() if "test" in line and "dermoscope evaluate" not in line]
    kept = json.loads((tmp_path / "run" / "run.json").read_text())["metrics"][recipe]
    assert "gain, val" in kept
    assert not [name for name in kept if "test" in name]
    with (tmp_path / "run" / "predictions.csv").open(newline="") as stream:
        assert {row["split"] for row in csv.DictReader(stream)} == {"val", "test"}


@pytest.mark.parametrize(
    ("recipe", "more", "code", "message"),
    [
        (
            "ensemble-binary",
            ["--variant", "mean", "--set", "masses=discounted"],
            2,
            "recipe ensemble-binary: masses: the rule mean takes probabilities as they are, not discounted; set "
            "masses=plain or rule=dempster-shafer",
        ),
        (
            "ensemble-three-class",
            ["--set", "masses=accuracy weighted"],
            1,
            "recipe ensemble-three-class: masses: accuracy weighted is defined for two classes",
        ),
    ],
)
def test_settings_that_do_not_fit_are_named_before_anything_else(
    world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    more: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.setattr("dermoscope.training.leaks.check_before_training", lambda *_, **__: pytest.fail("too late"))
    assert train(world, tmp_path / "run", recipe, *more) == code
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("recipe", RECIPES)
def test_stacking_takes_as_many_folds_as_there_can_be(world: Path, tmp_path: Path, recipe: str) -> None:
    """Three lesions of each class, where five folds are usual."""
    assert train(world, tmp_path / "run", recipe, "--variant", "stacking", "--quiet") == 0
    assert json.loads((tmp_path / "run" / "ensemble.json").read_text())["stacking"]


def test_stacking_on_too_few_lesions_names_the_class(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = list(read_manifest(world / "manifest.csv"))
    nevi = [n for n, record in enumerate(records) if record.split == "val" and record.diagnosis == "NV"]
    for number in nevi:  # of one patient
        records[number] = records[number].model_copy(update={"patient_id": "P1"})
    write_manifest(records, world / "one-patient.csv")
    given = ["--variant", "stacking", "--quiet"]
    assert train(world, tmp_path / "run", "ensemble-binary", *given, manifest="one-patient.csv") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "validation images show benign in 1 lesion (those of one patient count as one), too few" in said
    assert "rule=mean" in said


def test_another_manifest_is_named(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_changed(world, "recoded.csv", "lesion_7", diagnosis="NV")
    assert train(world, tmp_path / "run", "ensemble-three-class", manifest="recoded.csv") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "recoded.csv gives lesion_7 the diagnosis NV, which is no answer to cancer" in said
