"""Bad input to `dermoscope evaluate`: what is wrong, in which row and column, exit code 1, and nothing half-written."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cyclopts import App, Parameter

from dermoscope.cli.evaluate import evaluate
from tests.evaluation.fake_runs import image_id, manifest_rows, prediction_rows, write_picture, write_table, write_world

app = App(name="dermoscope", default_parameter=Parameter(negative=()), result_action="return_value")
app.command(evaluate)

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Tables:
    """What is right until a case changes it."""

    manifest: Rows
    mine: Rows


def without(rows: Rows, column: str) -> None:
    for row in rows:
        del row[column]


def renamed(rows: Rows, column: str, name: str) -> None:
    for place, row in enumerate(rows):
        rows[place] = {name if each == column else each: value for each, value in row.items()}


def without_a_class(tables: Tables) -> None:
    for row in tables.mine:
        row["MEL"] += row.pop("BCC")


def refused(results: Path, manifest: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says of input that it must refuse, without a trace left."""
    before = {path: path.stat().st_mtime_ns for path in out.parent.rglob("*")}
    code = app(["evaluate", str(results), "--manifest", str(manifest), "--out", str(out), "--resamples", "2"])
    assert code == 1
    assert {path: path.stat().st_mtime_ns for path in out.parent.rglob("*")} == before
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nothing was written" in shown.err
    return shown.err


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda of: without(of.mine, "image_id"), ["mine.csv, row 1: the column of image ids is missing; name it"]),
        (
            without_a_class,
            ["mine.csv, row 1, column BCC: the column is missing; 6 images of the split are BCC (basal"],
        ),
        (lambda of: without(of.manifest, "path"), ["1 problem in", "manifest.csv, row 1, column path: is missing"]),
        (
            lambda of: without(of.manifest, "diagnosis"),
            ["manifest.csv, row 1, column diagnosis: nothing to score: the column is missing or empty"],
        ),
        (
            lambda of: renamed(of.mine, "MEL", "MLE"),
            ["mine.csv, row 1, column MLE: 'MLE' is no diagnosis code; did you mean MEL?"],
        ),
        (
            lambda of: of.manifest[3].update(diagnosis="MOLE"),
            ["manifest.csv, row 5, column diagnosis: 'MOLE' is no diagnosis code; known: MEL, NV"],
        ),
        (
            lambda of: of.mine[4].update({"MEL": 0.9, "NV": 0.9, "BCC": 0, "BKL": 0, "VASC": 0}),
            ["mine.csv, row 6, column MEL to VASC: the 5 probabilities sum to 1.8 instead of 1"],
        ),
        (lambda of: of.mine[4].update(MEL="NaN"), ["mine.csv, row 6, column MEL: 'NaN' is not a number; give a"]),
        (lambda of: of.mine[4].update(MEL=""), ["mine.csv, row 6, column MEL: is empty; give a probability"]),
        (lambda of: of.mine[4].update(MEL=1.5), ["mine.csv, row 6, column MEL: 1.5 is not from 0 to 1"]),
        (
            lambda of: of.mine[4].update(image_id=image_id(1)),
            [f"mine.csv, row 6, column image_id: '{image_id(1)}' is there twice, first in row 3"],
        ),
        (
            lambda of: of.manifest[4].update(image_id=image_id(1)),
            [f"mine.csv, row 3, column image_id: '{image_id(1)}' is in rows 3 and 6 of ", "2 problems"],
        ),
        (
            lambda of: of.mine[4].update(image_id="ISIC_9999999"),
            ["mine.csv, row 6, column image_id: 'ISIC_9999999' is not in ", ": it has no truth"],
        ),
        (lambda of: of.mine.pop(4), [f"mine.csv: no prediction for '{image_id(4)}', which is in row 6 of "]),
    ],
    ids=[
        "no id column", "no class column", "no path", "no diagnosis", "unknown code", "unknown diagnosis", "sum", "NaN",
        "empty", "too large", "id twice", "id twice in the manifest", "id without an image", "image without prediction",
    ],
)  # fmt: skip
def test_tables(
    change: Callable[[Tables], object], expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = Tables(manifest_rows(), prediction_rows())
    change(tables)
    manifest = write_table(tmp_path / "manifest.csv", tables.manifest)
    table = write_table(tmp_path / "mine.csv", tables.mine)
    shown = refused(table, manifest, tmp_path / "run", capsys)
    assert not [part for part in expected if part not in shown], shown


def test_masks_of_another_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, results = write_world(tmp_path)
    write_picture(results / "masks" / f"{image_id(3)}.png", np.zeros((20, 40), np.uint8))
    shown = refused(results, manifest, tmp_path / "run", capsys)
    assert "results.csv, row 5, column mask: " in shown
    assert f"{image_id(3)}.png is 40 × 20, the true mask 40 × 32; save it at the image's size" in shown


def test_a_mask_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, results = write_world(tmp_path)
    (results / "masks" / f"{image_id(3)}.png").unlink()
    (tmp_path / "truth" / f"{image_id(4)}.png").unlink()
    shown = refused(results, manifest, tmp_path / "run", capsys)
    assert "results.csv, row 5, column mask: " in shown
    assert f"{image_id(3)}.png does not exist" in shown
    assert "manifest.csv, row 6, column mask_path: " in shown
    assert f"{image_id(4)}.png does not exist" in shown


@pytest.mark.parametrize("earlier", [False, True])
def test_a_full_disk_leaves_nothing_half_written(
    earlier: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    table = write_table(tmp_path / "mine.csv", prediction_rows())
    given = ["evaluate", str(table), "--manifest", str(manifest), "--out", str(tmp_path / "run"), "--resamples", "2"]
    if earlier:
        assert app([*given, "--quiet"]) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dermoscope.evaluation.report.run.write_page", full)
    assert app([*given, "--overwrite"]) == 1
    shown = capsys.readouterr().err
    assert f"cannot write to {tmp_path / 'run'}: No space left on device; free some space" in shown
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
