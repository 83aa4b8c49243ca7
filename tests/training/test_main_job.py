"""The scripts of the main job, on planted pictures: what leaks do to preparing and to training."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dermoscope import taxonomy
from dermoscope.data.leakage import Kind, check_leaks
from dermoscope.data.manifest import Record
from dermoscope.heads.fit import ProbeRecipe
from dermoscope.training.features import FeatureTable, row_name
from dermoscope.training.tasks import DEFAULT_TASKS
from dermoscope.training.views import ORIGINAL
from tests.data.leakage.planted import lesion_picture, save_jpeg
from tests.training.leaky import LEAKS, clean_records, manifest_of
from tests.watch import REPOSITORY

SCRIPTS = ("train", "extract", "prepare")
CODES = (*DEFAULT_TASKS["diagnosis"].classes, taxonomy.NOT_SKIN)


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`train.py`, with the scripts it imports, in the state of a first import."""
    monkeypatch.syspath_prepend(REPOSITORY / "studies" / "main-job")
    yield importlib.import_module("train")
    for name in SCRIPTS:
        sys.modules.pop(name)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with every class in `train` and `val`, its features, and one copied file in `test`."""
    images, number = tmp_path / "images", count()
    images.mkdir()
    records = [
        Record(
            image_id=f"image_{seed}",
            path=save_jpeg(lesion_picture(seed, 80, 60), images / f"image_{seed}.jpg"),
            diagnosis="AK" if code == "AKIEC" else code,
            source="DTD" if code == taxonomy.NOT_SKIN else "HAM10000",
            split=split,
        )
        for split, images_each in (("train", 4), ("val", 2))
        for code in CODES
        for seed in (next(number) for _ in range(images_each))
    ]
    random = np.random.default_rng(0)
    features = np.stack([np.full(256, CODES.index("AKIEC" if r.diagnosis == "AK" else r.diagnosis)) for r in records])
    noisy = (features + random.normal(0, 0.1, features.shape)).astype(np.float32)
    rows = tuple(row_name(record, ORIGINAL) for record in records)
    FeatureTable(rows, noisy, noisy[:, :6]).save(tmp_path / "features.npz")
    manifest_of([*records, LEAKS[Kind.SAME_FILE](records[0], images)], tmp_path)
    return tmp_path


def train(script: ModuleType, run: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    arguments = ["--run", str(run), "--weights", str(run / "sam.safetensors"), "--out", str(run / "bundle"), *more]
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    script.main()


def test_training_refuses_a_leak(
    scripts: ModuleType, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(scripts, "fit_head")
    with pytest.raises(SystemExit) as ended:
        train(scripts, run, monkeypatch)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "image_0 (train) and copy (test): same file" in said
    assert "--allow-leaks" in said
    assert [file.name for file in (run / "training").iterdir()] == ["leak_check.json"]
    assert not (run / "bundle").exists()


def test_training_goes_on_where_leaks_are_allowed(
    scripts: ModuleType, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = ProbeRecipe(hidden=(8,), batch_size=16, epochs=3, learning_rate=1e-2)
    monkeypatch.setattr(scripts, "RECIPES", dict.fromkeys(DEFAULT_TASKS, recipe))
    monkeypatch.setattr(scripts, "SEEDS", (0, 1))
    written: list[Path] = []
    # The bundle needs the real encoder; its export has its own tests.
    monkeypatch.setattr(scripts, "write", lambda _run, _weights, out, *_: written.append(out))
    train(scripts, run, monkeypatch, "--allow-leaks", "the copy is known")
    assert written == [run / "bundle"]
    text = (run / "training" / "run.json").read_text()
    record = json.loads(text)
    assert record["state"] == "complete"
    assert record["seeds"] == [0, 1]
    assert record["leaks"]["allowed"] is True
    assert record["leaks"]["reason"] == "the copy is known"
    assert record["leaks"]["by_kind"]["same file"] == record["leaks"]["leaks"] == 1
    assert record["command"].endswith("--weights sam.safetensors --out bundle --allow-leaks 'the copy is known'")
    assert str(run) not in text
    lines = [json.loads(line) for line in (run / "training" / "metrics.jsonl").read_text().splitlines()]
    assert {line["head"]: line["metrics"] for line in lines if line["epoch"] is None} == record["metrics"]
    epochs = [(line["head"], line["seed"], line["epoch"]) for line in lines if line["epoch"]]
    assert epochs == [(head, seed, epoch) for head in DEFAULT_TASKS for seed in (0, 1) for epoch in (1, 2, 3)]
    assert set(record["metrics"]) == set(DEFAULT_TASKS)


def test_a_blank_reason_is_wrong_usage(
    scripts: ModuleType, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        train(scripts, run, monkeypatch, "--allow-leaks", " ")
    assert ended.value.code == 2
    assert "expected a reason" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [Kind.SAME_FILE, Kind.NEAR_DUPLICATE])
def test_preparing_puts_one_lesion_under_two_ids_into_one_split(
    kind: Kind, scripts: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = clean_records(tmp_path / "images")
    again = Record(
        image_id="again", path=save_jpeg(lesion_picture(70), tmp_path / "again.jpg"), lesion_id="A0", split="train"
    )
    planted = LEAKS[kind](records[0], tmp_path)
    before = [*records, again, planted]
    prepare = sys.modules["prepare"]
    assert scripts
    after = prepare.together(before, tmp_path / "prints.sqlite")
    assert "1 lesions under several ids; 2 images change their split" in capsys.readouterr().out
    assert [record.image_id for record in after] == [record.image_id for record in before]
    assert after[1:5] == before[1:5]
    assert {(after[n].lesion_id, after[n].split) for n in (0, 5, 6)} == {("A0", "test")}
    assert check_leaks(before).leaks
    assert not check_leaks(after).leaks
