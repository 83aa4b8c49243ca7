from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclopts import App

from dermoscope.cli.data import data
from dermoscope.cli.data.manifest import _lines
from dermoscope.data.manifest import read_manifest
from dermoscope.data.official_counts import Count
from dermoscope.data.registry import READERS
from tests.data.fake_layouts import (
    fake_class_folders,
    fake_dtd,
    fake_ham10000,
    fake_image,
    fake_isic2019,
    fake_photographs,
)

Capture = pytest.CaptureFixture[str]


def run(*arguments: str | Path) -> int:
    app = App(result_action="return_value", exit_on_error=False)
    app.command(data)
    code = app(["data", *map(str, arguments)])
    assert isinstance(code, int)
    return int(code)


def test_a_download_becomes_a_manifest(tmp_path: Path, capsys: Capture) -> None:
    fake_ham10000(tmp_path / "HAM10000")
    out = tmp_path / "out" / "ham.csv"
    assert run("manifest", "ham10000", tmp_path / "HAM10000", "--out", out) == 0
    assert [r.image_id for r in read_manifest(out)][:2] == ["ISIC_0024306", "ISIC_0029306"]
    assert all(r.path.is_file() and r.mask_path and r.mask_path.is_file() for r in read_manifest(out))
    shown = capsys.readouterr().out
    assert "ham.csv: 6 images, 6 masks, 4 lesions" in shown
    assert "differs from the official data set: images: 6 instead of 10,015" in shown
    assert [path.name for path in out.parent.iterdir()] == ["ham.csv"]


def test_every_missing_image_is_listed_and_nothing_written(tmp_path: Path, capsys: Capture) -> None:
    fake_ham10000(tmp_path / "HAM10000")
    for name in ("ISIC_0024306", "ISIC_0024308"):
        (tmp_path / "HAM10000" / "HAM10000_images_part_1" / f"{name}.jpg").unlink()
    out = tmp_path / "ham.csv"
    assert run("manifest", "ham10000", tmp_path / "HAM10000", "--out", out) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "ham.csv: row 2, column path: " in lines[0]
    assert "images_part_1/ISIC_0024306.jpg' does not exist" in lines[0]
    assert "ham.csv: row 5, column path: " in lines[1]
    assert lines[-1].endswith(f"2 problems; {out} was not written")
    assert not list(tmp_path.glob("*.csv"))


def test_missing_images_can_be_left_out(tmp_path: Path, capsys: Capture) -> None:
    fake_ham10000(tmp_path / "HAM10000")
    (tmp_path / "HAM10000" / "HAM10000_images_part_1" / "ISIC_0024308.jpg").unlink()
    out = tmp_path / "ham.csv"
    assert run("manifest", "ham10000", tmp_path / "HAM10000", "--out", out, "--skip-missing") == 3
    assert len(list(read_manifest(out))) == 5
    assert "ISIC_0024308 was left out: its image is missing" in capsys.readouterr().err


def test_a_table_of_ones_own(tmp_path: Path, capsys: Capture) -> None:
    fake_image(tmp_path / "a.jpg")
    own = tmp_path / "own.csv"
    own.write_text("path,diagnosis,age\na.jpg,MEL,40\n\ngone.jpg,mel,old\n")
    assert run("manifest", "table", own, "--out", tmp_path / "m.csv", "--task", "segment") == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[2] for line in lines[:-1]] == [
        "row 1, column mask_path",
        "row 4, column diagnosis",
        "row 4, column age",
        "row 4, column path",
    ]
    own.write_text("path,diagnosis,age\na.jpg,MEL,40\n")
    assert run("manifest", "table", own, "--out", tmp_path / "m.csv", "--task", "classify") == 0
    assert [(r.image_id, r.diagnosis, r.age) for r in read_manifest(tmp_path / "m.csv")] == [("a", "MEL", 40.0)]


def test_class_folders(tmp_path: Path, capsys: Capture) -> None:
    fake_class_folders(tmp_path / "photos")
    fake_image(tmp_path / "photos" / "nevus" / "9.jpg")
    out = tmp_path / "m.csv"
    assert run("manifest", "classes", tmp_path / "photos", "--out", out) == 1
    assert "'nevus' names no class" in capsys.readouterr().err
    assert run("manifest", "classes", tmp_path / "photos", "--out", out, "--class", "nevus=NV") == 0
    assert [r.diagnosis for r in read_manifest(out)] == ["MEL", "MEL", "NOT_SKIN", "NV", "NV"]


def test_photographs(tmp_path: Path) -> None:
    fake_photographs(tmp_path / "photos")
    out = tmp_path / "m.csv"
    assert run("manifest", "photographs", tmp_path / "photos", "--diagnosis", "NOT_SKIN", "--out", out) == 0
    assert {r.diagnosis for r in read_manifest(out)} == {"NOT_SKIN"}


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    fake_isic2019(tmp_path / "ISIC2019")
    assert run("manifest", "isic2019", tmp_path / "ISIC2019", "--out", tmp_path / "m.parquet") == 0
    assert len(list(read_manifest(tmp_path / "m.parquet"))) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ham1000",), "unknown layout 'ham1000'; did you mean ham10000?"),
        (("ham10000", "--task", "win"), "--task: unknown task 'win'; known: analyze"),
        (("ham10000", "--diagnosis", "MEL"), "--diagnosis goes with the layout photographs only"),
        (("ham10000", "--class", "a=NV"), "--class goes with the layout classes only"),
        (("photographs", "--diagnosis", "mole"), "--diagnosis: unknown code 'mole'"),
        (("classes", "--class", "a=mole"), "--class: unknown code 'mole'"),
        (("classes", "--class", "a"), "--class: unknown code 'nothing'"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: Capture) -> None:
    layout, *options = arguments
    assert run("manifest", layout, tmp_path, "--out", tmp_path / "m.csv", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m.csv").exists()


def test_a_missing_root_fails_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    assert run("manifest", "ham10000", tmp_path / "nowhere", "--out", tmp_path / "m.csv") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_out_must_be_a_manifest(tmp_path: Path, capsys: Capture) -> None:
    fake_photographs(tmp_path / "photos")
    assert run("manifest", "photographs", tmp_path / "photos", "--out", tmp_path / "m.xlsx") == 1
    assert "is none of .csv, .parquet" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["manifest", "counts"])
def test_help_shows_an_example(command: str, capsys: Capture) -> None:
    app = App(result_action="return_value", exit_on_error=False)
    app.command(data)
    app(["data", command, "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"dermoscope data {command} " in shown
    if command == "manifest":
        assert all(name in shown for name in READERS)


def test_counts_of_fakes_differ(tmp_path: Path, capsys: Capture) -> None:
    fake_ham10000(tmp_path / "HAM10000")
    fake_dtd(tmp_path / "DTD")
    assert run("counts", tmp_path) == 1
    shown = capsys.readouterr().out
    assert "DTD is there with 3 of 47 textures" in shown
    assert shown.splitlines()[-1].startswith("0 counts agree, 5 differ, ")
    (row,) = [line.split() for line in shown.splitlines() if line.startswith("  lesions ") and "7,470" in line]
    assert row == ["lesions", "7,470", "4", "NO"]


def test_counts_without_tables(tmp_path: Path, capsys: Capture) -> None:
    assert run("counts", tmp_path) == 2
    assert "holds none of ISIC2019, HAM10000" in capsys.readouterr().err
    (tmp_path / "DTD").mkdir()
    assert run("counts", tmp_path) == 3


def test_counts_of_a_broken_table(tmp_path: Path, capsys: Capture) -> None:
    fake_isic2019(tmp_path / "ISIC2019")
    (tmp_path / "ISIC2019" / "ISIC_2019_Test_GroundTruth.csv").write_text("image,MEL\nA,1\n")
    assert run("counts", tmp_path) == 1
    assert "column NV: is missing" in capsys.readouterr().err


def test_the_verdicts_in_the_table() -> None:
    counts = (
        Count("one", "a", 1000, 1000, "first counted here"),
        Count("one", "b", 2, 3),
        Count("two", "c", 4, None, "tables missing: X"),
    )
    rows = [line.split() for line in _lines(counts)]
    assert rows == [
        ["expected", "found", "ok"],
        [],
        ["one"],
        ["a", "1,000", "1,000", "yes", "first", "counted", "here"],
        ["b", "2", "3", "NO"],
        [],
        ["two"],
        ["c", "4", "–", "tables", "missing:", "X"],
        [],
        ["1", "counts", "agree,", "1", "differ,", "1", "need", "tables", "that", "are", "not", "here"],
    ]


@pytest.mark.data
def test_the_real_tables(real_data: Path, capsys: Capture) -> None:
    assert run("counts", real_data, "--json") in (0, 3)
    found = json.loads(capsys.readouterr().out)
    assert all(count["ok"] is not False for count in found)
    assert sum(count["ok"] is True for count in found) >= 81


def test_a_file_name_that_is_no_text_is_one_line(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / b"caf\xe9.png".decode("utf-8", "surrogateescape")).touch()
    out = tmp_path / "manifest.csv"
    assert run("manifest", "photographs", tmp_path / "photos", "--out", out) == 1
    first, _ = capsys.readouterr().err.splitlines()
    assert first.startswith(f"dermoscope: {out}: row 2, column image_id: ")
    assert first.endswith("is not UTF-8; rename the file")
    assert not out.exists()
