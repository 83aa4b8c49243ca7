from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from dermoscope.cli import main
from dermoscope.cli.exits import ExitCode
from dermoscope.data.manifest import write_manifest
from dermoscope.features.embed import embed
from dermoscope.features.encoder import compile_encoder
from tests.features.tiny_encoder import InlineEngine, tiny_encoder, write_pictures


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Six stored images, and the first of them as the one to compare with."""
    encoder = tiny_encoder(tmp_path / "encoder")
    records = write_pictures(tmp_path / "pictures", 6)
    write_manifest(records, tmp_path / "manifest.csv")
    engine = InlineEngine(graph=compile_encoder(encoder))
    embed(records, encoder, engine, tmp_path / "store", views=("original",), columns=("mean",))
    return [
        "similar", str(records[0].path), "--store", str(tmp_path / "store"), "--manifest",
        str(tmp_path / "manifest.csv"), "--encoder", str(tmp_path / "encoder"),
    ]  # fmt: skip


def test_table_and_strip(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "strip.png"
    assert main([*arguments, "-k", "3", "--out", str(out)]) == ExitCode.DONE
    printed = capsys.readouterr().out
    assert "distance" in printed
    assert "Research use only" in printed
    assert sum(" NV " in line or " MEL " in line for line in printed.splitlines()) == 3
    assert "image00000" not in printed, "the image itself is left out"
    with Image.open(out) as strip:
        assert strip.size == (4 * 236 + 12, 224 + 40 + 12 + 12 + 20)


def test_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--json"]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert [case["rank"] for case in found["cases"]] == [1, 2, 3, 4, 5]
    distances = [case["distance"] for case in found["cases"]]
    assert distances == sorted(distances)
    assert {case["diagnosis"] for case in found["cases"]} == {"NV", "MEL"}


def test_a_case_whose_file_broke_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dermoscope import images

    def decode(path: Path, *, max_side: int) -> images.DecodedImage:
        if Path(path).name == "image00002.png":
            raise images.ImageError(str(path), "is cut short")
        return real(path, max_side=max_side)

    real = images.decode
    monkeypatch.setattr(images, "decode", decode)
    assert main([*arguments, "--out", str(tmp_path / "strip.png")]) == ExitCode.PARTLY
    assert "image00002.png is cut short" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "code", "message"),
    [
        (["-k", "0"], ExitCode.USAGE, "-k: needs 1 or more"),
        (["--out", "strip.jpg"], ExitCode.USAGE, "does not end in .png"),
        (["--store", "nowhere"], ExitCode.FAILED, "there is no store nowhere"),
        (["--encoder", "nowhere"], ExitCode.FAILED, "nowhere"),
        (["--manifest", "nowhere.csv"], ExitCode.FAILED, "nowhere.csv"),
    ],
)
def test_mistakes_are_one_line(
    extra: list[str], code: ExitCode, message: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    at = arguments.index(extra[0]) if extra[0] in arguments else len(arguments)
    changed = [*arguments[:at], *extra, *arguments[at + 2 :]]
    assert main(changed) == code
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1


def test_a_store_of_another_encoder(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_encoder(tmp_path / "encoder", weights="b")
    assert main(arguments) == ExitCode.FAILED
    assert "it holds those of tiny at 32 px" in capsys.readouterr().err


def test_a_manifest_of_other_images(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(write_pictures(tmp_path / "others", 2, first=50), tmp_path / "manifest.csv")
    assert main(arguments) == ExitCode.FAILED
    assert "no image of" in capsys.readouterr().err
