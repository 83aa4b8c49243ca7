"""Every kind of broken input gets one row with its reason, and every good image is done."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dermoscope.batch import analyze_batch
from dermoscope.images import decode
from dermoscope.report import write_report
from tests.bad_inputs import write_bad_inputs, write_unusual_good_inputs
from tests.batch.fake_analyzer import NO_SETTINGS, FakeBundle, FakeOutcome, outcome_of

Writer = Callable[[Path], dict[str, Path]]


class DecodingAnalyzer:
    """Decodes for real and makes the rest up."""

    bundle = FakeBundle()
    settings = NO_SETTINGS

    def analyze(
        self,
        source: Path,
        *,
        image_id: str,
        path: str,
        frame: int,
        picture: bool,
        spacing_mm: tuple[float, float] | None,  # noqa: ARG002 - as the real one
    ) -> FakeOutcome:
        """Analyse one image."""
        return outcome_of(decode(source, frame=frame).rgb.tobytes(), image_id, path, picture=picture, bundle="b")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    """Bad and good inputs in folders of their own."""
    folder = tmp_path_factory.mktemp("corpus")
    writers: dict[str, Writer] = {"bad": write_bad_inputs, "good": write_unusual_good_inputs}
    written = {}
    for name, write in writers.items():
        (folder / name).mkdir()
        written[name] = write(folder / name)
    return written


def read(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_kind_gets_one_row(corpus: dict[str, dict[str, Path]], tmp_path: Path, jobs: int) -> None:
    bad, good = corpus["bad"], corpus["good"]
    assert len(bad) >= 25
    paths = [*bad.values(), *good.values()]
    summary = analyze_batch(paths, tmp_path / "out", DecodingAnalyzer(), jobs=jobs)
    assert (summary.done, summary.failed) == (len(good), len(bad))
    rows = read(tmp_path / "out")
    assert len(rows) == len({row["image_id"] for row in rows}) == len(paths)
    for kind, row in zip(bad, rows[: len(bad)], strict=True):
        assert row["status"] == "failed", kind
        assert row["reason"], kind
        assert row["reason"].isprintable(), kind
        assert "Error" not in row["reason"], f"{kind}: a reason made for users"
    assert all(row["status"] == "done" for row in rows[len(bad) :])
    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()]
    assert [line["path"] for line in lines] == [row["path"] for row in rows]


def test_in_folders_too(corpus: dict[str, dict[str, Path]], tmp_path: Path) -> None:
    folders = {path.parent for kinds in corpus.values() for path in kinds.values()}
    summary = analyze_batch(sorted(folders), tmp_path / "out", DecodingAnalyzer(), jobs=2)
    assert summary.done == len(corpus["good"])
    failed = {Path(row["path"]).name for row in read(tmp_path / "out") if row["status"] == "failed"}
    assert failed >= {"empty.jpg", "cut.jpg", "folder.jpg", "huge.png"}
    if hasattr(os, "mkfifo"):
        assert failed >= {"pipe.jpg", "dangling.jpg", "loop.jpg"}


def test_the_report_takes_them_all(corpus: dict[str, dict[str, Path]], tmp_path: Path) -> None:
    out = tmp_path / "out"
    paths = [path for kinds in corpus.values() for path in kinds.values()]
    analyze_batch(paths, out, DecodingAnalyzer(), jobs=2)
    write_report(out / "results.jsonl", out / "report.html", bundle=FakeBundle().describe())
    assert f"{len(corpus['good'])} of {len(paths)} images analysed" in (out / "report.html").read_text("utf-8")
