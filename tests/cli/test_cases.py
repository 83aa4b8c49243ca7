from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermoscope.cases import CaseStore
from dermoscope.cli import main
from dermoscope.cli.exits import ExitCode
from dermoscope.data.manifest import read_manifest
from tests.cases.synthetic_cases import analysis, embedding, image, square

pytest.importorskip("lancedb")


@pytest.fixture
def kept(tmp_path: Path) -> list[str]:
    """Ids of two cases in the folder `cases`, the newest first; that one is corrected."""
    with CaseStore(tmp_path / "cases") as store:
        first = store.add(image(), analysis(), embedding(), square(), note="one\x1b[31m").id
        second = store.add(image(1), analysis("MEL"), embedding(1), square(), label="DF", note="two").id
    return [second, first]


@pytest.fixture
def folder(tmp_path: Path) -> list[str]:
    return ["--cases", str(tmp_path / "cases")]


def test_list_and_show(kept: list[str], folder: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cases", "list", *folder]) == ExitCode.DONE
    newest, oldest, last = capsys.readouterr().out.splitlines()
    assert newest.startswith(kept[0]) and "label DF  model MEL  mask  two" in newest
    assert oldest.startswith(kept[1]) and "\x1b" not in oldest
    assert last == "2 of 2 cases. Research use only, not a medical device."
    assert main(["cases", "list", *folder, "--search", "TWO", "--json"]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["total"] == 1
    assert main(["cases", "show", kept[0], *folder]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == found["cases"][0]


def test_export(kept: list[str], folder: list[str], tmp_path: Path) -> None:
    assert main(["cases", "export", *folder, "--out", str(tmp_path / "all.zip")]) == ExitCode.DONE
    assert (tmp_path / "all.zip").is_file()
    assert main(["cases", "export", *folder, "--corrected", "--out", str(tmp_path / "out")]) == ExitCode.DONE
    assert [record.image_id for record in read_manifest(tmp_path / "out" / "manifest.csv")] == [kept[0]]


def test_delete(kept: list[str], folder: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cases", "delete", *kept, *folder]) == ExitCode.DONE
    assert capsys.readouterr().out.count("deleted") == 2
    assert main(["cases", "delete", kept[0], *folder]) == ExitCode.FAILED
    assert "there is no case" in capsys.readouterr().err
    assert main(["cases", "delete", *folder]) == ExitCode.USAGE


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cases", "list", "--cases", str(tmp_path / "typo")]) == ExitCode.FAILED
    assert "there are no cases in" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()
