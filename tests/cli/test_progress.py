from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from dermoscope.batch import Progress
from dermoscope.cli.progress import duration, progress_display
from tests.batch.fake_analyzer import write_images


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.2 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (99, "99 s"),
        (150, "2 min"),
        (3570, "1 h 0 min"),
        (12000, "3 h 20 min"),
    ],
)
def test_time_spans(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def shown(paths: list[str], capsys: pytest.CaptureFixture[str], *, quiet: bool = False) -> str:
    with progress_display(paths, quiet=quiet) as on_progress:
        time.sleep(0.05)  # the count runs beside
        for number in range(1, 5):
            on_progress(Progress(seen=number, done=number - 1, failed=1))
    return capsys.readouterr().err


def test_away_from_a_terminal_a_line_now_and_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path, 8)
    assert shown([str(tmp_path)], capsys) == "", "four images are over too soon"
    ticks = itertools.count(step=10.0)
    monkeypatch.setattr("dermoscope.cli.progress.time.monotonic", lambda: next(ticks))
    lines = shown([str(tmp_path)], capsys).splitlines()
    assert 1 <= len(lines) < 4
    assert lines[0].startswith("3 of 8 images, 1 failed, 0.")
    assert "images/s" in lines[0]
    assert lines[0].endswith("left")


def test_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermoscope.cli.progress._SECONDS_BETWEEN_LINES", 0.0)
    assert shown([str(tmp_path)], capsys, quiet=True) == ""
    assert shown([str(tmp_path)], capsys) != ""


def test_on_a_terminal_a_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path, 8)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = shown([str(tmp_path)], capsys)
    assert "4 of 8 images" in text
    assert "━" in text
