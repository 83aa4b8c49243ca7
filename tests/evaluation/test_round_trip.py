"""Names from `dermoscope analyze` through `evaluate` to `compare`: what a spreadsheet must not run comes back whole."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dermoscope.batch.results import ResultsFile, encode_line, write_csv
from dermoscope.evaluation.report import Request, Settings, evaluate
from dermoscope.evaluation.runs import read_run
from tests.batch.fake_analyzer import outcome_of
from tests.evaluation.fake_runs import write_table

NAMES = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "'=1+1", "'plain", "ISIC_0000001"]


def write_results(folder: Path) -> Path:
    folder.mkdir()
    with ResultsFile(folder / "results.jsonl") as results:
        for name in NAMES:
            analysis = outcome_of(name.encode(), name, f"{name}.jpg", picture=False, bundle="b").analysis
            results.append(encode_line(analysis))
    write_csv(folder / "results.jsonl", folder / "results.csv", masks=False)
    return folder


@pytest.mark.parametrize("matched_by", ["id", "path"])
def test_names_come_back(matched_by: str, tmp_path: Path) -> None:
    truth: list[dict[str, object]] = [
        {
            "image_id": name,
            "path": f"{name}.jpg" if matched_by == "path" else f"elsewhere/{number}.jpg",
            "diagnosis": ("MEL", "NV")[number % 2],
            "source": "=A" if number % 2 else "B",
            "lesion_id": f"-{number}",
        }
        for number, name in enumerate(NAMES)
    ]
    manifest = write_table(tmp_path / "manifest.csv", truth)
    evaluate(Request(write_results(tmp_path / "results"), manifest, tmp_path / "run"), Settings(resamples=2))
    with (tmp_path / "run" / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        cells = [cell for row in list(csv.reader(stream))[1:] for cell in row[:4]]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    run = read_run(tmp_path / "run", "run")
    assert run.images == tuple((str(row["source"]), str(row["image_id"])) for row in truth)
    assert run.groups == tuple(f"-{number}" for number in range(len(NAMES)))


def test_an_apostrophe_in_a_table_of_ones_own_stays(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"image_id": "'=1", "MEL": 0.75, "NV": 0.25}, {"image_id": "b", "MEL": 0, "NV": 1}]
    truth: list[dict[str, object]] = [
        {"image_id": row["image_id"], "path": "x.jpg", "diagnosis": code}
        for row, code in zip(rows, ("MEL", "NV"), strict=True)
    ]
    table, manifest = write_table(tmp_path / "mine.csv", rows), write_table(tmp_path / "manifest.csv", truth)
    evaluate(Request(table, manifest, tmp_path / "run"), Settings(resamples=2))
    assert read_run(tmp_path / "run", "run").images == (("", "'=1"), ("", "b"))
