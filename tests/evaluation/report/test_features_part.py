from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation.predictions import read_predictions
from dermoscope.evaluation.problems import InputError
from dermoscope.evaluation.report import Settings
from dermoscope.evaluation.report.features_part import features_part
from dermoscope.evaluation.tasks import ClassTask
from dermoscope.evaluation.training_run import TrainingRun
from dermoscope.evaluation.truth import Matched, match, read_truth
from dermoscope.features.embed import embed
from tests.evaluation.fake_runs import write_table
from tests.features.tiny_encoder import InlineEngine, tiny_encoder, write_pictures


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Matched, ClassTask, TrainingRun]:
    """Six stored pictures, two classes."""
    root = tmp_path_factory.mktemp("world")
    encoder, records = tiny_encoder(root / "encoder"), write_pictures(root / "pictures", 6)
    embed(records, encoder, InlineEngine(), root / "store", views=("original",), columns=("mean", "std"))
    codes = ["NV", "BCC"] * 3
    manifest = write_table(
        root / "manifest.csv",
        [
            {"image_id": record.image_id, "path": record.path, "diagnosis": code, "split": "test"}
            for record, code in zip(records, codes, strict=True)
        ],
    )
    predicted = [{"image_id": record.image_id, "NV": 0.5, "BCC": 0.5} for record in records]
    predictions = read_predictions(write_table(root / "predictions.csv", predicted))
    matched = match(predictions, read_truth(manifest), split="test", sources=())
    task = ClassTask(
        key="diagnosis",
        title="Diagnosis",
        classes=("NV", "BCC"),
        labels=np.array([0, 1] * 3, np.intp),
        probabilities=np.full((6, 2), 0.5),
        images=np.arange(6),
        groups=tuple(map(str, range(6))),
        left_out={},
    )
    run = TrainingRun(root, "r", "", None, {}, "", {}, encoder.description.fingerprint, ("mean", "std"))
    return root / "store", matched, task, run


def test_every_scored_image_is_on_the_map(world: tuple[Path, Matched, ClassTask, TrainingRun], tmp_path: Path) -> None:
    store, matched, task, run = world
    part = features_part(run, str(store), task, matched, "split test", Settings())
    assert part.numbers["points"] == 6
    (figure,) = part.section.figures
    assert figure.caption.startswith("mean + std of tiny")
    figure.draw(tmp_path / "map.svg")
    drawn = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert "n = 3" in drawn


def test_a_column_that_is_not_stored_is_named(world: tuple[Path, Matched, ClassTask, TrainingRun]) -> None:
    store, matched, task, run = world
    other = TrainingRun(run.folder, "r", "", None, {}, "", {}, run.encoder, ("levels",))
    with pytest.raises(InputError, match="levels is not stored"):
        features_part(other, str(store), task, matched, "split test", Settings())
