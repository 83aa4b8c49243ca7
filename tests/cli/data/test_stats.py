from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermoscope.cli.data.stats import stats
from dermoscope.cli.exits import ExitCode

ROWS = """image_id,path,diagnosis,source,split,lesion_id,age,sex
a,a.jpg,NV,HAM10000,train,L1,45,male
b,b.jpg,NV,HAM10000,val,L1,45,male
c,c.jpg,MEL,ISIC2018,train,,,
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.csv"
    path.write_text(ROWS)
    return path


def test_tables(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stats(manifest) == ExitCode.DONE
    said = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "3 images, 0 with a mask" in lines
    assert "1 different lesions, named by 2 of the images" in lines
    for title in ("all sources", "HAM10000", "ISIC2018"):
        assert title in lines
    assert any(line.startswith("NV ") and line.endswith("1 1 2 66.7% 2 –") for line in lines)
    assert any(line.startswith("all classes 2 1 3 100.0%") for line in lines)
    assert lines[-1] == "Research use only, not a medical device."


def test_json(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stats(manifest, json=True) == ExitCode.DONE
    described = json.loads(capsys.readouterr().out)
    assert described["images"] == 3
    assert described["sources"] == ["HAM10000", "ISIC2018"]
    assert "not a medical device" in described["notice"]


@pytest.mark.parametrize("content", [None, "image_id\na\n", "path,age\na.jpg,old\n"])
def test_bad_manifests_are_named(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_text(content)
    assert stats(path) == ExitCode.FAILED
    assert str(path) in capsys.readouterr().err
