from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dermoscope.analyzer import Analyzer
from dermoscope.cli import main
from dermoscope.engine import EngineError
from dermoscope.model_folder import BundleError
from tests.batch.fake_analyzer import FakeAnalyzer, write_images
from tests.watch import REPOSITORY

FAKE_SETTINGS = {"mode": "fake", "precision": "float32"}


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, object]]:
    """With the fake analyzer in place, the options it was loaded with."""
    calls: list[dict[str, object]] = []

    def load_analyzer(bundle: Path | None, **options: object) -> FakeAnalyzer:
        calls.append({"bundle": bundle, **options})
        return FakeAnalyzer(settings=FAKE_SETTINGS)

    monkeypatch.setattr("dermoscope.analyzer.load_analyzer", load_analyzer)
    monkeypatch.chdir(tmp_path)
    return calls


def test_from_images_to_results(loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    write_images(Path("photos"), 5)
    assert main(["analyze", "photos"]) == 0
    out = Path("dermoscope-results")
    assert {path.name for path in out.iterdir()} >= {
        "report.html",
        "results.csv",
        "results.jsonl",
        "run.json",
        "masks",
        "pictures",
    }
    assert len(loaded) == 1
    text = capsys.readouterr().out
    for words in (
        "5  analysed",
        "Look here first: dermoscope-results/report.html",
        "dermoscope-results/results.csv",
        "Research use only, not a medical device.",
    ):
        assert words in text
    assert "failed" not in text


def test_inputs_that_fail_are_named_and_the_rest_is_done(
    loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(Path("photos"), 3)
    for number in range(7):
        Path("photos", f"[bold]{number}\x1b.jpg").write_text("text")
    assert main(["analyze", "photos", "gone.jpg", "--out", "out"]) == 3
    text = capsys.readouterr().out
    assert "8  failed" in text
    assert "photos/[bold]0\\x1b.jpg: is not an image" in text
    assert "and 3 more" in text
    with Path("out", "results.csv").open(newline="") as stream:
        assert [row["status"] for row in csv.DictReader(stream)].count("done") == 3
    assert loaded


def test_options_reach_the_analyzer_and_the_run(loaded: list[dict[str, object]]) -> None:
    write_images(Path("photos"), 1)
    options = "--bundle model --frame 2 --jobs 3 --no-pictures --no-masks --no-report --max-pixels 1000000"
    engine = ["--inference", "onnxruntime", "--precision", "float32"]
    answer = ["--mode", "fast", "--operating-point", "malignancy (graz), sensitivity 0.90", "--mm-per-pixel", "0.02"]
    assert main(["analyze", "photos", "--out", "out", *options.split(), *engine, *answer, "--quiet"]) == 0
    assert loaded == [
        {
            "bundle": "model",
            "mode": "fast",
            "operating_point": "malignancy (graz), sensitivity 0.90",
            "engine": "onnxruntime",
            "precision": "float32",
            "streams": 3,
            "max_pixels": 1_000_000,
        }
    ]
    assert {path.name for path in Path("out").iterdir()} == {
        "inputs.sqlite",
        "results.csv",
        "results.jsonl",
        "run.json",
    }
    assert json.loads(Path("out", "run.json").read_text())["options"] == {
        "pictures": False,
        "masks": False,
        "dicom": False,
        "frame": 2,
        "mm_per_pixel": 0.02,
        **FAKE_SETTINGS,
    }


def test_the_shipped_model_at_a_mode_an_operating_point_and_a_scale(
    fast_analyzer: Analyzer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = REPOSITORY / "examples" / "images" / "synthetic_pigment_network_light_skin.jpg"
    monkeypatch.chdir(tmp_path)
    options = ["--mode", "fast", "--mm-per-pixel", "0.02", "--no-pictures"]
    point = "malignancy (graz), sensitivity 0.90"
    assert main(["analyze", str(image), *options, "--operating-point", point]) == 0
    (record,) = map(json.loads, Path("dermoscope-results", "results.jsonl").read_text().splitlines())
    expected = fast_analyzer.analyze(image).analysis
    assert expected.malignancy
    assert record["mode"] == "fast"
    assert record["malignancy"]["probability"] == pytest.approx(expected.malignancy.probability, abs=1e-3)
    _, mode = fast_analyzer.bundle.mode("fast")
    assert mode
    assert record["malignancy"]["threshold"] == mode.points[point].threshold != expected.malignancy.threshold
    assert record["measures"]["diameter_mm"] == pytest.approx(0.02 * record["measures"]["diameter_px"])
    recorded = json.loads(Path("dermoscope-results", "run.json").read_text())["options"]
    assert (recorded["mode"], recorded["operating_point"]) == ("fast", point)
    capsys.readouterr()
    assert main(["analyze", str(image), *options, "--operating-point", "none"]) == 1
    assert "it has: malignancy (graz), sensitivity 0.90; malignancy (graz), sensitivity 0.95" in capsys.readouterr().err


@pytest.mark.parametrize(("images", "cores", "jobs"), [(8, 16, 1), (9, 16, 4), (9, 2, 2), (9, 1, 1)])
def test_jobs_by_default(
    loaded: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch, images: int, cores: int, jobs: int
) -> None:
    write_images(Path("photos"), images)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert main(["analyze", "photos", "--quiet"]) == 0
    assert loaded[0]["streams"] == jobs


def test_json_summary(loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    write_images(Path("photos"), 2)
    assert main(["analyze", "photos", "gone.jpg", "--out", "out", "--json"]) == 3
    summary = json.loads(capsys.readouterr().out)
    assert (summary["done"], summary["failed"], summary["skipped"]) == (2, 1, 0)
    assert summary["totals"]["images"] == 3
    assert summary["failures"] == [{"path": "gone.jpg", "reason": "cannot be read"}]
    assert summary["report"] == str(Path("out", "report.html"))
    assert summary["exit_code"] == 3
    assert not summary["interrupted"]
    assert loaded


def test_quiet_prints_nothing(loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    write_images(Path("photos"), 2)
    assert main(["analyze", "photos", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert loaded


def test_the_second_run_skips(loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    write_images(Path("photos"), 2)
    assert main(["analyze", "photos"]) == main(["analyze", "photos"]) == 0
    assert "2  skipped" in capsys.readouterr().out
    assert len(loaded) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos/*.gif"], "the pattern 'photos/*.gif' matches nothing"),
        (["photos", "--jobs", "0"], "jobs must be at least 1"),
        (["photos", "--mm-per-pixel", "20"], "mm_per_pixel must be between 0.0001 and 10 millimetres, not 20"),
        (["photos", "--out", "done", "--mm-per-pixel", "0.02"], "option mm_per_pixel None, now 0.02"),
        (["photos", "--out", "photos"], "choose another --out"),
        (["photos", "--out", "photos/image-0000.jpg"], "is a file; choose another --out"),
        (["photos", "--out", "done", "--no-masks"], "--overwrite"),
    ],
)
def test_wrong_usage(
    loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    write_images(Path("photos"), 1)
    main(["analyze", "photos", "--out", "done", "--quiet"])
    assert main(["analyze", *arguments]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""
    assert loaded


def test_overwrite(loaded: list[dict[str, object]]) -> None:
    write_images(Path("photos"), 1)
    assert main(["analyze", "photos", "--quiet"]) == 0
    assert main(["analyze", "photos", "--quiet", "--no-masks", "--overwrite"]) == 0
    assert not Path("dermoscope-results", "masks").exists()
    assert loaded


@pytest.mark.parametrize("error", [BundleError("bundle.json is missing"), EngineError("no engine is installed")])
def test_without_a_model_nothing_is_done(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def load_analyzer(*_: object, **__: object) -> FakeAnalyzer:
        raise error

    monkeypatch.setattr("dermoscope.analyzer.load_analyzer", load_analyzer)
    monkeypatch.chdir(tmp_path)
    write_images(Path("photos"), 1)
    assert main(["analyze", "photos"]) == 1
    assert str(error) in capsys.readouterr().err
    assert not Path("dermoscope-results").exists()


def test_a_folder_that_cannot_be_written(
    loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_images(Path("photos"), 1)
    Path("file").touch()
    assert main(["analyze", "photos", "--out", "file/out"]) == 1
    assert "cannot write to file/out" in capsys.readouterr().err
    assert loaded
    assert tmp_path.is_dir()


SLOW = """
import sys
import dermoscope.analyzer
from dermoscope.cli import main
from tests.batch.fake_analyzer import FakeAnalyzer
dermoscope.analyzer.load_analyzer = lambda *_, **__: FakeAnalyzer(delay=float(sys.argv[1]))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_done(number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(Path("photos"), 60)
    command = [sys.executable, "-c", SLOW]
    arguments = ["analyze", "photos", "--out", "out", "--jobs", "2"]
    python_path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": python_path}
    running = subprocess.Popen(
        [*command, "0.05", *arguments], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    lines = Path("out", "results.jsonl")
    deadline = time.monotonic() + 60
    while not lines.exists() or lines.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(number)
    text, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Finishing the images in work" in errors
    assert "Interrupted. Run the same command again to go on" in text
    assert "Traceback" not in errors
    written = lines.read_bytes().count(b"\n")
    assert 5 <= written < 60
    assert not Path("out", "report.html").exists()
    done = subprocess.run([*command, "0", *arguments], env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{written}  skipped" in done.stdout
    assert lines.read_bytes().count(b"\n") == 60
    assert Path("out", "report.html").exists()
