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


def write_two_stages(root: Path) -> tuple[Path, Path, Path]:
    """A manifest with cloth in both splits, and predictions of a second head and of a gate for all of it.

    Every fifth image is cloth. The gate says 0.6 of cloth, 0.8 of skin in split test and 0.84 in val; but 0.6 of
    image 1, which is skin.
    """
    truth = [*manifest_rows(), *manifest_rows("val", IMAGES)]
    for number in range(0, 2 * IMAGES, 5):
        truth[number] |= {"diagnosis": "NOT_SKIN", "lesion_id": ""}
    head = [*prediction_rows(), *prediction_rows(start=IMAGES)]
    gate = [
        {
            "image_id": image_id(number),
            "p_skin": 0.6 if number % 5 == 0 or number == 1 else 0.8 if number < IMAGES else 0.84,
        }
        for number in range(2 * IMAGES)
    ]
    return (
        write_table(root / "manifest.csv", truth),
        write_table(root / "head.csv", head),
        write_table(root / "gate.csv", gate),
    )


@pytest.mark.parametrize(
    ("arguments", "refused", "let_through", "threshold", "source"),
    [
        ((), 0, 6, 0.5, "fixed, not chosen on any images"),
        (("--gate-threshold", "0.7"), 1, 0, 0.7, "given"),
        (("--gate-threshold", "0.6"), 0, 6, 0.6, "given"),
        (("--validation", "head.csv"), 1, 0, 0.72, "greatest balanced accuracy on 30 validation images, 6 of them not"),
        (("--validation", "head.csv", "--gate-threshold", "0.9"), 24, 0, 0.9, "given"),
    ],
    ids=["by default", "given", "at the threshold", "chosen", "given beats chosen"],
)
def test_a_gate_in_front(
    arguments: tuple[str, ...],
    refused: int,
    let_through: int,
    threshold: float,
    source: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest, head, gate = write_two_stages(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert command(head, "--manifest", manifest, "--gate", gate, "--out", tmp_path / "run", *arguments) == 0
    assert "Diagnosis, both stages" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    found = metrics["two_stage"]
    assert (found["gate"]["skin"], found["gate"]["not_skin"]) == (24, 6)
    assert (found["gate"]["skin_refused"], found["gate"]["not_skin_let_through"]) == (refused, let_through)
    assert found["gate"]["threshold"] == pytest.approx(threshold)
    assert found["gate"]["threshold_source"].startswith(source)
    assert found["diagnosis"]["n"] == IMAGES
    assert metrics["header"]["gate"]["table"] == "gate.csv"
    for name in ("report.html", "tables.md"):
        page = (tmp_path / "run" / name).read_text(encoding="utf-8")
        assert "Gate and second head" in page
        assert f"gate.csv; refuses below a p_skin of {threshold:.4g} ({source}" in page


def test_without_a_gate_nothing_is_said_of_one(tmp_path: Path) -> None:
    manifest, head, _ = write_two_stages(tmp_path)
    assert command(head, "--manifest", manifest, "--out", tmp_path / "run") == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert "two_stage" not in metrics
    assert metrics["header"]["gate"] is None
    assert "<dt>Gate</dt>" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_the_results_of_analyze_bring_their_gate_along(tmp_path: Path) -> None:
    manifest, _, _ = write_two_stages(tmp_path)
    rows = [row | {"mask": "", "is_skin": number % 5 != 0 or number == 5} for number, row in enumerate(result_rows())]
    results = write_table(tmp_path / "results" / "results.csv", rows).parent
    assert command(results, "--manifest", manifest, "--out", tmp_path / "run") == 0
    found = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))["two_stage"]
    assert set(found) == {"gate", "diagnosis", "group", "malignancy"}
    assert (found["gate"]["skin_refused"], found["gate"]["not_skin_let_through"]) == (0, 1)
    assert found["gate"]["threshold_source"] == "the gate's own decision"


def test_a_gate_where_all_is_skin_is_said_to_have_no_section(tmp_path: Path) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    head = write_table(tmp_path / "head.csv", prediction_rows())
    gate = write_table(tmp_path / "gate.csv", [{"image_id": image_id(n), "p_skin": 0.9} for n in range(IMAGES)])
    assert command(head, "--manifest", manifest, "--gate", gate, "--out", tmp_path / "run") == 0
    assert "No image scored is NOT_SKIN" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_a_gate_that_lacks_images_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, head, gate = write_two_stages(tmp_path)
    lines = gate.read_text(encoding="utf-8").splitlines()
    gate.write_text("\n".join([lines[0], *lines[3:]]), encoding="utf-8")
    assert command(head, "--manifest", manifest, "--gate", gate, "--out", tmp_path / "run") == 1
    shown = capsys.readouterr().err
    assert "dermoscope: 2 problems in the input; nothing was written" in shown
    assert f"{gate}: no p_skin for '{image_id(1)}', which is in row 3 of {head}" in shown
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("validation", [False, True])
def test_a_gate_that_is_none_is_refused(validation: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, head, _ = write_two_stages(tmp_path)
    arguments = ("--validation", head) if validation else ()
    assert command(head, "--manifest", manifest, "--gate", head, "--out", tmp_path / "run", *arguments) == 1
    assert f"{head}, row 1, column p_skin: the column is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--positive", "cancer"), "--positive: unknown 'cancer'; known: graz, not-nevus"),
        (("--masks", "nowhere"), "--masks: nowhere is no folder"),
        (("--masks", "."), "--prompt: say where the prompts of --masks came from"),
        (("--resamples", "0"), "--resamples: must be at least 1, not 0"),
        (("--gate-threshold", "0.5"), "--gate-threshold: needs the predictions of a gate; give them with --gate"),
        (("--gate", "gate.csv", "--gate-threshold", "1.5"), "--gate-threshold: must be from 0 to 1, not 1.5"),
        (("--gate", "gate.csv", "--gate-threshold", "nan"), "--gate-threshold: must be from 0 to 1, not nan"),
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
    assert "--gate runs/gate --manifest manifest.csv" in shown
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
