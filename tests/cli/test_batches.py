"""How many images the commands work on at once where nobody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.batch import BatchSummary
from dermoscope.cli import batches


@pytest.mark.parametrize(
    ("images", "cores_here", "cluster_cores", "jobs"),
    [
        (8, 16, None, 1),  # a handful
        (9, 16, None, 4),
        (9, 2, None, 2),
        (8, 2, 200, 1),
        (30, 2, 20, 20),  # what is here does not count
        (30, 2, 200, 30),
        (30, 16, 1, 1),
    ],
)
def test_jobs(
    images: int,
    cores_here: int,
    cluster_cores: int | None,
    jobs: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "available_cores", lambda: cores_here)
    for number in range(images):
        (tmp_path / f"{number}.png").touch()
    assert batches.jobs_for([str(tmp_path)], cluster_cores) == jobs


def test_the_summary_is_silent_about_what_there_is_none_of(capsys: pytest.CaptureFixture[str]) -> None:
    summary = BatchSummary(3, 0, 0, 1.0, Path("out"), interrupted=False, failures=(), totals=None)
    totals = [(2, "withheld", "no answer given"), (0, "of them flagged", "have them looked at")]
    batches.print_summary(summary, verb="analysed", table="results.csv", totals=totals, look=[Path("report.html")])
    said = capsys.readouterr().out
    assert "2  withheld" in said
    assert "of them flagged" not in said
