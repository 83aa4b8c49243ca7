from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from dermoscope.cli.data.show import show
from dermoscope.cli.exits import ExitCode


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    Image.new("RGB", (80, 60)).save(tmp_path / "secret.png")
    path = tmp_path / "own-images.csv"
    path.write_text("path,diagnosis\nsecret.png,NV\n")
    return path


def test_the_page_is_written(manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert show(manifest, out=page) == ExitCode.DONE
    said = capsys.readouterr().out
    assert "1 images counted, 1 shown" in said
    assert f"Look here: {page}" in said
    text = page.read_text()
    assert "<h1>own-images</h1>" in text
    assert "secret" not in text


def test_options(manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert show(manifest, out=page, title="Ours", names=True, images=1, seed=3, json=True) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["pictures"] == 1
    text = page.read_text()
    assert "<h1>Ours</h1>" in text
    assert "secret" in text
    assert "(seed 3)" in text


def test_missing_files_end_with_3(manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest.write_text(manifest.read_text() + "gone.png,MEL\n")
    assert show(manifest, out=tmp_path / "page.html") == ExitCode.PARTLY
    assert "1 files are missing or cannot be read" in capsys.readouterr().out


def test_wrong_usage(manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(manifest, out=tmp_path / "page.html", images=-1) == ExitCode.USAGE
    assert "--images: needs 0 or more, not -1" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "bogus\nx\n"])
def test_failures_leave_no_page(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_text(content)
    assert show(path, out=tmp_path / "page.html") == ExitCode.FAILED
    assert str(path) in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
    assert show(tmp_path / "x.csv", out=tmp_path / "nowhere" / "page.html") == ExitCode.FAILED
