from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dermoscope.cli import main
from dermoscope.data.manifest import Record, read_manifest, write_manifest
from dermoscope.data.splits import Split


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = [
        Record(
            image_id=f"i{number:03}",
            path=Path(f"i{number:03}.jpg"),
            diagnosis=("NV", "NV", "MEL")[number // 2 % 3],
            lesion_id=f"L{number // 2}",
        )
        for number in range(120)
    ]
    write_manifest(rows, tmp_path / "manifest.csv")
    return tmp_path / "manifest.csv"


def test_grouped(manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "grouped.csv"
    assert main(["data", "split", str(manifest), "--out", str(out), "--fractions", "0.6", "0.2", "0.2"]) == 0
    split = Split.read(out)
    assert all(split.parts[f"i{n:03}"] == split.parts[f"i{n + 1:03}"] for n in range(0, 120, 2))
    assert {part: sum(counts.values()) for part, counts in split.counts.items()} == {"train": 72, "val": 24, "test": 24}
    printed = capsys.readouterr().out
    assert hashlib.sha256(out.read_bytes()).hexdigest() in printed
    assert "train" in printed


def test_the_manifest_with_its_split_is_ready_to_train_on(manifest: Path, tmp_path: Path) -> None:
    made = tmp_path / "elsewhere" / "to-train.csv"
    assert main(["data", "split", str(manifest), "--out", str(tmp_path / "s.csv"), "--manifest-out", str(made)]) == 0
    before, after = list(read_manifest(manifest)), list(read_manifest(made))
    assert {record.image_id: record.split for record in after} == Split.read(tmp_path / "s.csv").parts
    assert [record.model_copy(update={"split": ""}) for record in after] == before


@pytest.mark.parametrize("wrong", [["--folds", "3"], ["--out", "same.csv"]])
def test_a_manifest_to_train_on_has_a_file_and_splits_of_its_own(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["--out", "s.csv"] if "--out" not in wrong else []
    assert main(["data", "split", str(manifest), *given, *wrong, "--manifest-out", "same.csv"]) == 2
    assert not (tmp_path / "same.csv").exists()


def test_without_a_test_set(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "two.csv"
    assert main(["data", "split", str(manifest), "--out", str(out), "--fractions", "0.8", "0.2", "0"]) == 0
    assert set(Split.read(out).counts) == {"train", "val"}


def test_folds(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "folds.csv"
    assert main(["data", "split", str(manifest), "--out", str(out), "--folds", "4", "--seed", "3"]) == 0
    assert set(Split.read(out).counts) == {"0", "1", "2", "3"}
    assert Split.read(out).seed == 3


@pytest.mark.parametrize("method", ["image-level-system-1-70-15-15", "image-level-system-2-60-15-25"])
def test_image_level(method: str, manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "published.csv"
    assert main(["data", "split", str(manifest), "--out", str(out), "--method", method]) == 0
    assert (Split.read(out).method, Split.read(out).seed) == (method, 42)


def test_near_duplicates_are_kept_together(manifest: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "split.csv", tmp_path / "leaks.json"
    assert main(["data", "split", str(manifest), "--out", str(out)]) == 0
    parts = Split.read(out).parts
    one = next(image_id for image_id, part in parts.items() if part == "train")
    other = next(image_id for image_id, part in parts.items() if part == "test")
    members = [{"image_id": one}, {"image_id": other}, {"image_id": "of another manifest"}]
    report.write_text(json.dumps({"findings": [{"members": members}]}), encoding="utf-8")
    assert main(["data", "split", str(manifest), "--out", str(out), "--keep-together", str(report)]) == 0
    assert Split.read(out).parts[one] == Split.read(out).parts[other]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--fractions", "0.5", "0.2", "0.2"], 1, "fractions"),
        (["--folds", "1"], 1, "folds"),
        (["--folds", "3", "--method", "image-level-system-1-70-15-15"], 2, "--folds"),
        (["--keep-together", "manifest.csv"], 1, "manifest.csv is no report"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str],
    code: int,
    message: str,
    manifest: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(manifest.parent)
    assert main(["data", "split", "manifest.csv", "--out", "split.csv", *arguments]) == code
    assert message in capsys.readouterr().err
    assert not Path("split.csv").exists()
