from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermoscope.data.manifest import Record
from dermoscope.evaluation.training_run import read_training_run
from dermoscope.heads.saved import load_head
from dermoscope.training.head_run import TrainedHead, train_head
from dermoscope.training.recipes import Recipe, load_head_recipe, load_recipe, recipe_names
from dermoscope.training.recipes.schema import MahalanobisPart, NeighbourDistancePart
from tests.training.tiny_heads import SHORT, TinyFeatures, begun, tiny_records

HEADS = [name for name in recipe_names() if isinstance(load_recipe(name), Recipe)]
EVERY: list[tuple[str, tuple[str, ...]]] = [(name, ()) for name in HEADS]
EVERY += [(name, (variant,)) for name in HEADS for variant in load_head_recipe(name).variants]


def trained(
    folder: Path,
    name: str = "graz-group",
    *changes: str,
    variants: tuple[str, ...] = (),
    records: list[Record] | None = None,
    features: TinyFeatures | None = None,
) -> TrainedHead:
    chosen = tiny_records() if records is None else records
    recipe = load_head_recipe(name, variants=variants, changes=[*SHORT, *changes])
    with begun(folder, chosen) as run:
        return train_head(recipe, chosen, features or TinyFeatures(), "0123456789abcdef", run, folder, resamples=20)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("name", "variants"), EVERY, ids=str)
def test_every_recipe_runs(name: str, variants: tuple[str, ...], tmp_path: Path) -> None:
    large = "optimiser.batch_size=128"
    made = trained(tmp_path, name, large, variants=variants)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoints", "head.json", "head.safetensors", "metrics.jsonl", "predictions.csv", "recipe.yaml", "run.json",
        "split.csv", "training.json",
    ]  # fmt: skip
    recipe = load_head_recipe(str(tmp_path / "recipe.yaml"))
    assert recipe == load_head_recipe(name, variants=variants, changes=[*SHORT, large])
    epochs = 0 if isinstance(recipe.head, MahalanobisPart | NeighbourDistancePart) else 2 * len(recipe.seeds)
    assert len(lines(tmp_path)) == epochs + 1
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["state"] == "complete"
    assert run["metrics"][name]["accuracy"] == made.scores["accuracy"].value
    head = load_head(tmp_path)
    assert head.description.classes == recipe.task.task.classes
    assert head.description.encoder == "0123456789abcdef"
    told = read_training_run(tmp_path)
    assert told
    assert told.published == (recipe.published.metrics if recipe.published else {})
    assert len(told.epochs) == (len(recipe.seeds) if epochs else 0)


@pytest.mark.parametrize("kind", ["linear", "logistic", "knn"])
def test_every_kind_of_head_runs(kind: str, tmp_path: Path) -> None:
    settings = ("seeds=[0]", "stopping.epochs=20", "mixing={}", "optimiser.learning_rate=0.01")
    made = trained(tmp_path, "group", f"head.kind={kind}", *settings)
    assert made.scores["balanced_accuracy"].value > 0.6
    back = load_head(tmp_path)
    features = TinyFeatures().of(tiny_records()[:9])
    assert np.array_equal(back.predict_proba(features), made.head.predict_proba(features))
    assert bool(made.epochs) == (kind == "linear")


@pytest.mark.parametrize("variant", ["mahalanobis", "neighbour-distance"])
def test_a_gate_by_distance_is_read_back(variant: str, tmp_path: Path) -> None:
    made = trained(tmp_path, "gate", variants=(variant,))
    assert (made.head.description.kind, made.head.description.members) == (variant, 1)
    features = TinyFeatures().of(tiny_records()[:9], column="levels")
    assert np.array_equal(load_head(tmp_path).predict_proba(features), made.head.predict_proba(features))


def test_the_numbers_are_of_all_validation_images_as_they_are(tmp_path: Path) -> None:
    made = trained(tmp_path, "group", "stopping.epochs=10", "seeds=[0]")
    assert {estimate.n for estimate in made.scores.values()} == {28}
    assert {estimate.groups for estimate in made.scores.values()} == {14}
    low_to_high = [(each.low, each.value, each.high) for each in made.scores.values()]
    assert all(low <= high for low, _, high in low_to_high)
    assert set(made.recalls) == set(load_head_recipe("group").task.task.classes)


def test_absent_classes_are_remembered_and_count_as_wrong(tmp_path: Path) -> None:
    records = [r for r in tiny_records() if not (r.split == "train" and r.diagnosis in ("BCC", "VASC"))]
    made = trained(
        tmp_path, "graz-group", "stopping.epochs=20", "stopping.patience=null", "head.dropout=0.0", records=records
    )
    head = load_head(tmp_path)
    assert head.description.present == (0, 2, 3)
    found = head.predict_proba(TinyFeatures().of(records[:4]))
    assert found.shape == (4, 5)
    assert (found[:, [1, 4]] == 0).all()
    assert (made.recalls["vascular"].value, made.recalls["non-melanocytic carcinoma"].value) == (0, 0)
    assert made.recalls["melanocytic"].value > 0.5
    assert {len(line["confusion"]) for line in lines(tmp_path) if "confusion" in line} == {3}
    header = (tmp_path / "predictions.csv").read_text().splitlines()[0]
    assert header.endswith("p_melanocytic,p_carcinoma,p_keratosis,p_fibrous,p_vascular")


@pytest.mark.parametrize(("wanted", "changes_it"), [("none", False), ("as they are", True), ("equal classes", True)])
def test_calibration(wanted: str, changes_it: bool, tmp_path: Path) -> None:
    description = trained(tmp_path, "group", f"calibration={wanted}", "seeds=[0]").head.description
    assert (description.temperature != 1.0) is changes_it
    assert any(description.bias) is (wanted == "as they are")


def test_shuffled_labels_fall_to_chance(tmp_path: Path) -> None:
    settings = ("stopping.epochs=6", "stopping.patience=null", "optimiser.learning_rate=0.005", "mixing={}")
    many = [
        record.model_copy(update={"image_id": f"{record.image_id}_{copy}", "lesion_id": f"{record.lesion_id} {copy}"})
        for copy in range(4)
        for record in tiny_records()
    ]
    honest = trained(tmp_path / "honest", "graz-malignancy", *settings, records=many)
    control = trained(tmp_path / "control", "graz-malignancy", *settings, "shuffled_labels=true", records=many)
    assert honest.scores["mean_auc"].value > 0.9
    assert abs(control.scores["mean_auc"].value - 0.5) < 0.2


def test_a_run_that_was_interrupted_ends_with_the_same_files(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    changes = ("stopping.epochs=5", "stopping.patience=null")
    trained(whole, "graz-group", *changes)
    records, recipe = tiny_records(), load_head_recipe("graz-group", changes=[*SHORT, *changes])

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), begun(broken, records) as run:
        train_head(recipe, records, TinyFeatures(), "0123456789abcdef", run, broken, on_epoch=interrupt, resamples=20)
    assert json.loads((broken / "run.json").read_text())["state"] == "interrupted"
    assert not (broken / "head.json").exists()
    trained(broken, "graz-group", *changes)
    for name in ("head.safetensors", "head.json", "metrics.jsonl", "predictions.csv", "recipe.yaml", "split.csv"):
        assert (whole / name).read_bytes() == (broken / name).read_bytes(), name
