from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.data.manifest import Record, write_manifest
from dermoscope.evaluation.predictions import read_predictions
from dermoscope.evaluation.tasks import binary_tasks, class_tasks
from dermoscope.evaluation.truth import match, read_truth
from dermoscope.training.head_predictions import predictions_table, probability_columns, split_table
from dermoscope.training.recipes import load_head_recipe
from dermoscope.training.tasks import DEFAULT_TASKS, Task
from tests.training.tiny_heads import tiny_records

TASKS = [
    DEFAULT_TASKS["diagnosis"],
    *(load_head_recipe(name).task.task for name in ("gate", "group", "malignancy")),
]


def written(task: Task, records: list[Record], folder: Path) -> Path:
    images = {split: [record for record in records if record.split == split] for split in ("val", "test")}
    random = np.random.default_rng(0)
    found = {split: random.dirichlet(np.ones(len(task.classes)), len(rows)) for split, rows in images.items()}
    path = folder / "predictions.csv"
    path.write_bytes(predictions_table(task, images, found))
    return path


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("split", ["val", "test"])
def test_evaluate_reads_them(task: Task, split: str, tmp_path: Path) -> None:
    records = tiny_records()
    write_manifest(records, tmp_path / "manifest.csv")
    predictions = read_predictions(written(task, records, tmp_path))
    matched = match(predictions, read_truth(tmp_path / "manifest.csv"), split=split)
    assert len(matched.truth.image_ids) == sum(record.split == split for record in records)
    questions: dict[str, int] = {found.key: len(found.images) for found in class_tasks(matched)}
    questions |= {found.key: len(found.images) for found in binary_tasks(matched)}
    answered = sum(task.label(record) is not None for record in records if record.split == split)
    assert questions[task.name] == answered


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("gate", ["p_skin"]),
        ("malignancy", ["p_malignant"]),
        ("group", ["p_melanocytic", "p_carcinoma", "p_keratosis", "p_fibrous", "p_vascular"]),
        ("diagnosis", ["p_MEL", "p_NV", "p_BCC", "p_AKIEC", "p_BKL", "p_DF", "p_VASC"]),
    ],
)
def test_columns_are_those_of_analyze(name: str, columns: list[str]) -> None:
    assert list(probability_columns(DEFAULT_TASKS[name])) == columns


def test_the_right_column_is_written() -> None:
    record = Record(image_id="a", path=Path("a.png"), split="val")
    for name, column in (("gate", "0.7"), ("malignancy", "0.7,graz")):
        task = DEFAULT_TASKS[name]
        table = predictions_table(task, {"val": [record]}, {"val": np.array([[0.3, 0.7]])}).decode()
        assert table.splitlines()[1] == f"a,val,{column}"


def test_the_split_of_every_image() -> None:
    records = [Record(image_id="a,b", path=Path("a"), split="val", source="S"), Record(image_id="c", path=Path("c"))]
    assert split_table(records).decode() == 'source,image_id,split\nS,"a,b",val\n,c,\n'
