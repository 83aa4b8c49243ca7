from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dermoscope.cli import main
from dermoscope.data.manifest import Record, write_manifest
from tests.data.leakage.planted import lesion_picture, save_jpeg


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """A manifest of four different lesions without splits."""
    rows = [
        Record(image_id=f"a{seed}", path=save_jpeg(lesion_picture(seed), tmp_path / f"a{seed}.jpg"), source="A")
        for seed in range(4)
    ]
    write_manifest(rows, tmp_path / "clean.csv")
    return tmp_path / "clean.csv"


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """Another manifest, whose only image is one of the first, turned."""
    turned = save_jpeg(np.rot90(lesion_picture(2)), tmp_path / "b.jpg")
    write_manifest([Record(image_id="b", path=turned, source="B")], tmp_path / "leaky.csv")
    return tmp_path / "leaky.csv"


def test_no_leak(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(clean), "--out", str(tmp_path / "out")]) == 0
    assert "No leak among 4 images." in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"leaks.json", "leaks.html", "prints.sqlite"}


def test_manifests_without_splits_are_sides(
    clean: Path, leaky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", str(clean), str(leaky), "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().out
    assert "near-duplicate: a2 (clean), b (leaky)" in printed
    assert "1 leaks between clean, leaky" in printed
    report = json.loads((tmp_path / "out" / "leaks.json").read_text(encoding="utf-8"))
    assert report["leaks"] == 1
    assert report["findings"][0]["kind"] == "near-duplicate"
    assert (tmp_path / "out" / "leaks.html").read_text(encoding="utf-8").count("<img") == 2


def test_ids_only_opens_no_image(clean: Path, leaky: Path, tmp_path: Path) -> None:
    arguments = ["data", "check", str(clean), str(leaky), "--out", str(tmp_path / "out"), "--ids-only"]
    (tmp_path / "b.jpg").write_bytes(b"broken")
    assert main(arguments) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"leaks.json"}


def test_unreadable_images_are_named(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a1.jpg").write_bytes(b"broken")
    assert main(["data", "check", str(clean), "--out", str(tmp_path / "out")]) == 3
    printed = capsys.readouterr().out
    assert "a1.jpg" in printed
    assert "1 could not be read" in printed


def test_json(clean: Path, leaky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["data", "check", str(clean), str(leaky), "--out", str(tmp_path / "out"), "--json", "--no-sheet"]
    assert main(arguments) == 1
    summary = json.loads(capsys.readouterr().out)
    assert summary["counts"]["near-duplicate"]["leaks"] == 1
    assert summary["exit_code"] == 1
    assert not (tmp_path / "out" / "leaks.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.csv"], 1, "missing.csv"),
        (["clean.csv", "--jobs", "0"], 2, "--jobs"),
        (["clean.csv", "--out", "clean.csv"], 1, "clean.csv"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str],
    code: int,
    message: str,
    clean: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(clean.parent)
    assert main(["data", "check", *arguments]) == code
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert printed.err.startswith("dermoscope: ")
