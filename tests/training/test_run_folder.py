from __future__ import annotations

import json
import os
import platform
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from dermoscope import __version__
from dermoscope.batch.errors import OutputError
from dermoscope.data.leakage import Kind
from dermoscope.data.manifest import Record
from dermoscope.evaluation.truth import split_hash
from dermoscope.training.leaks import LeakCheck, decide
from dermoscope.training.run_folder import EpochMetrics, RunFolder, RunRecord

RECORDS = [
    Record(image_id=name, path=Path("photos") / name, split=split)
    for name, split in (("a", "train"), ("b", "train"), ("c", "val"), ("d", ""))
]
CHECK = LeakCheck(
    manifest="manifest.csv",
    manifest_sha256="ab12",
    settings={"least_similarity": 0.75},
    images=4,
    unreadable=0,
    counts={kind.value: {"findings": 2, "leaks": int(kind is Kind.SAME_ID), "images": 4} for kind in Kind},
    between_splits={"train, val": 1},
    leaks=(),
)


def record(records: list[Record] = RECORDS) -> RunRecord:
    return RunRecord.begin(
        command=["train.py", "--run", Path("/home/someone/runs/main-job"), "--allow-leaks", "known, and few/none"],
        seeds=(0, 1),
        records=records,
        check=CHECK,
        leaks=decide(CHECK, "known, and few/none"),
    )


def written(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return read


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_says_what_it_trains_on_before_it_does(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "training"
    RunFolder(folder, record())
    found = written(folder)
    started = datetime.fromisoformat(found.pop("started"))
    assert started.tzinfo is not None
    assert found == {
        "schema_version": 1,
        "state": "running",
        "version": __version__,
        "command": "train.py --run main-job --allow-leaks 'known, and few/none'",
        "ended": None,
        "seeds": [0, 1],
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "torch": version("torch")},
        "manifest": "manifest.csv",
        "manifest_sha256": "ab12",
        "split_hashes": {"train": split_hash(["a", "b"], "train"), "val": split_hash(["c"], "val")},
        "leaks": {
            "compared": ["image ids", "lesions and patients", "files", "pictures"],
            "settings": {"least_similarity": 0.75},
            "images": 4,
            "unreadable": 0,
            "leaks": 0,
            "by_kind": {"same id": 1, "same file": 0, "near-duplicate": 0, "same group": 0},
            "between_splits": {"train, val": 1},
            "learnt_before": 0,
            "allowed": True,
            "reason": "known, and few/none",
        },
        "metrics": {},
    }
    assert lines(folder) == []


def test_no_path_of_the_machine_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = RunRecord.begin(
        command=[Path("studies/train.py"), Path(), Path("../x/y.csv")],
        seeds=(0,),
        records=RECORDS,
        check=CHECK,
        leaks=decide(CHECK),
    )
    assert made.command == f"train.py {tmp_path.name} y.csv"
    assert "photos" not in made.model_dump_json()


def test_the_split_hashes_know_the_split_and_not_the_order() -> None:
    assert record(RECORDS[::-1]).split_hashes == record().split_hashes
    moved = [RECORDS[0].model_copy(update={"split": "val"}), *RECORDS[1:]]
    assert not set(record(moved).split_hashes.values()) & set(record().split_hashes.values())


def test_metrics_are_there_as_they_come(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, record())
    run.add_metrics(EpochMetrics(head="gate", seed=0, epoch=1, metrics={"loss": 0.5}))
    assert lines(tmp_path) == [{"head": "gate", "seed": 0, "epoch": 1, "metrics": {"loss": 0.5}}]
    run.add_metrics(EpochMetrics(head="gate", metrics={"loss": float("nan")}))
    assert lines(tmp_path)[1:] == [{"head": "gate", "seed": None, "epoch": None, "metrics": {"loss": None}}]


def test_a_complete_run_has_its_measures(tmp_path: Path) -> None:
    with RunFolder(tmp_path, record()) as run:
        run.complete({"gate": {"balanced accuracy": 0.9}})
    found = written(tmp_path)
    assert found["state"] == "complete"
    assert found["metrics"] == {"gate": {"balanced accuracy": 0.9}}
    assert datetime.fromisoformat(found["ended"]) >= datetime.fromisoformat(found["started"])
    assert RunRecord.model_validate(found) == run.record


@pytest.mark.parametrize("reason", [KeyboardInterrupt, ValueError])
def test_a_run_that_broke_off_is_not_complete(reason: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(reason), RunFolder(tmp_path, record()) as run:
        run.add_metrics(EpochMetrics(head="gate", epoch=1, metrics={"loss": 0.5}))
        raise reason
    found = written(tmp_path)
    assert found["state"] == "interrupted"
    assert found["ended"]
    assert len(lines(tmp_path)) == 1


def test_run_json_is_old_or_new_but_never_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(tmp_path, record())
    before = (tmp_path / "run.json").read_bytes()

    def full(self: Path, target: Path) -> Path:
        assert target.name == "run.json"
        assert json.loads(self.read_text())["state"] == "complete", "whole before it takes the place"
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OutputError, match="free some space"):
            run.complete({})
    assert (tmp_path / "run.json").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["metrics.jsonl", "run.json"]


def test_a_new_run_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "leak_check.json").write_text("kept")
    with RunFolder(tmp_path, record()) as run:
        run.add_metrics(EpochMetrics(head="gate", epoch=1, metrics={"loss": 0.5}))
        run.complete({"gate": {"loss": 0.5}})
    RunFolder(tmp_path, record())
    assert written(tmp_path)["state"] == "running"
    assert written(tmp_path)["metrics"] == {}
    assert lines(tmp_path) == []
    assert (tmp_path / "leak_check.json").read_text() == "kept"


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write to .*file"):
        RunFolder(tmp_path / "file", record())
