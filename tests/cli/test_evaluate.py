from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App, Parameter

from dermoscope.cli.evaluate import evaluate
from tests.evaluation.fake_runs import (
    IMAGES,
    image_id,
    manifest_rows,
    prediction_rows,
    result_rows,
    write_table,
    write_world,
)
from tests.watch import REPOSITORY

app = App(name="dermoscope", default_parameter=Parameter(negative=()), result_action="return_value")
app.command(evaluate)


def command(*arguments: str | Path) -> int:
    code: int = app(["evaluate", *map(str, arguments), "--resamples", "5"])
    return code


def test_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, results = write_world(tmp_path)
    assert command(results, "--manifest", manifest, "--out", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    assert "Malignancy (graz), AUC" in shown
    assert f"Look here first: {tmp_path / 'run' / 'report.html'}" in shown
    assert "not a medical device" in shown
    assert json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))["header"]["n"] == IMAGES


def test_images_without_a_result_give_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, results = write_world(tmp_path, masks=False)
    rows = result_rows()
    for row in rows:
        row["mask"] = ""
    rows[0] |= {name: "" for name in rows[0] if name.startswith("p_")} | {"status": "failed"}
    write_table(results / "results.csv", rows)
    assert command(results, "--manifest", manifest, "--out", tmp_path / "run") == 3
    assert "1 images could not be analysed" in capsys.readouterr().out


def test_quiet_is_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    table = write_table(tmp_path / "mine.csv", prediction_rows())
    assert command(table, "--manifest", manifest, "--out", tmp_path / "run", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_bad_input_is_listed_and_nothing_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    rows = prediction_rows()
    rows[0]["MEL"], rows[1]["image_id"] = "nan", image_id(2)
    table = write_table(tmp_path / "mine.csv", rows)
    assert command(table, "--manifest", manifest, "--out", tmp_path / "run") == 1
    shown = capsys.readouterr().err
    assert "dermoscope: 2 problems in the input; nothing was written" in shown
    assert f"{table}, row 2, column MEL: 'nan' is not a number" in shown
    assert f"{table}, row 4, column image_id: '{image_id(2)}' is there twice" in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.csv", "mine.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--positive", "cancer"), "--positive: unknown 'cancer'; known: graz, not-nevus"),
        (("--masks", "nowhere"), "--masks: nowhere is no folder"),
        (("--masks", "."), "--prompt: say where the prompts of --masks came from"),
        (("--resamples", "0"), "--resamples: must be at least 1, not 0"),
    ],
)
def test_wrong_usage(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["evaluate", "mine.csv", "--manifest", "manifest.csv", "--out", str(tmp_path / "run"), *arguments]
    assert app(given) == 2
    assert message in capsys.readouterr().err


def test_an_earlier_run_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    table = write_table(tmp_path / "mine.csv", prediction_rows())
    given = (table, "--manifest", manifest, "--out", tmp_path / "run")
    assert command(*given) == 0
    assert command(*given) == 2
    assert "replace it with --overwrite" in capsys.readouterr().err
    assert command(*given, "--overwrite") == 0


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    app(["evaluate", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "dermoscope evaluate results --manifest manifest.csv" in shown
    assert "Research use only" in shown


def test_evaluate_needs_no_torch(tmp_path: Path) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    table = write_table(tmp_path / "mine.csv", prediction_rows())
    program = (
        "import sys; from pathlib import Path; from dermoscope.cli.evaluate import evaluate;"
        "light = 'matplotlib' not in sys.modules and 'numpy' not in sys.modules;"
        "code = evaluate(Path(sys.argv[1]), manifest=Path(sys.argv[2]), out=Path(sys.argv[3]), resamples=2,"
        "quiet=True);"
        "sys.exit(code or ('torch' in sys.modules) or not light)"
    )
    arguments = [sys.executable, "-c", program, str(table), str(manifest), str(tmp_path / "run")]
    assert subprocess.run(arguments, env={"PYTHONPATH": str(REPOSITORY / "src")}, check=False).returncode == 0
