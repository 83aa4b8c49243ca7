from __future__ import annotations

from pathlib import Path

import pytest
from cyclopts import App, Parameter

from dermoscope.cli.compare import compare
from dermoscope.evaluation.report import Request, Settings, evaluate
from tests.evaluation.fake_runs import manifest_rows, prediction_rows, write_table

app = App(name="dermoscope", default_parameter=Parameter(negative=()), result_action="return_value")
app.command(compare)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """Two runs on the same images, and one on fewer."""
    root = tmp_path_factory.mktemp("runs")
    for name, seed, count in (("a", 0, 30), ("b", 1, 30), ("fewer", 0, 20)):
        manifest = write_table(root / "manifest.csv", manifest_rows()[:count])
        table = write_table(root / "mine.csv", prediction_rows(seed)[:count])
        evaluate(Request(table, manifest, root / name), Settings(resamples=2))
    return str(root / "a"), str(root / "b"), str(root / "fewer")


def command(*arguments: str) -> int:
    code: int = app(["compare", *arguments, "--resamples", "20"])
    return code


def test_compare(runs: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(runs[0], runs[1], "--out", str(tmp_path / "out")) == 0
    shown = capsys.readouterr().out
    assert "Malignancy (graz), AUC (ROC): n = 30 in 15 groups" in shown
    assert "p, DeLong" in shown
    assert "not a medical device" in shown
    assert (tmp_path / "out" / "report.html").is_file()
    assert command(runs[0], runs[1], "--out", str(tmp_path / "out")) == 2
    assert command(runs[0], runs[1], "--out", str(tmp_path / "out"), "--overwrite", "--quiet") == 0


def test_different_images(runs: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(runs[0], runs[2]) == 1
    assert "20 are shared; compare those with --shared-only" in capsys.readouterr().err
    assert command(runs[0], runs[2], "--shared-only") == 0
    assert "20 images shared; 10 left out" in capsys.readouterr().out


def test_wrong_usage(runs: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(runs[0]) == 2
    assert "give two runs or more" in capsys.readouterr().err
    assert app(["compare", runs[0], runs[1], "--resamples", "0"]) == 2
    assert command(runs[0], str(tmp_path)) == 1
    assert "give folders that dermoscope evaluate wrote" in capsys.readouterr().err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    app(["compare", "--help"])
    assert "dermoscope compare evaluation-a evaluation-b --out comparison" in " ".join(capsys.readouterr().out.split())
