from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermoscope.cli import main
from dermoscope.cli.exits import ExitCode
from dermoscope.data.manifest import write_manifest
from dermoscope.features.columns import COLUMNS
from dermoscope.features.store import FeatureStore
from dermoscope.files import sha256_of
from tests.features.tiny_encoder import tiny_encoder, write_pictures


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A manifest of four images, an encoder and a store."""
    tiny_encoder(tmp_path / "encoder")
    write_manifest(write_pictures(tmp_path / "pictures", 4), tmp_path / "manifest.csv")
    return [
        "embed", str(tmp_path / "manifest.csv"), "--encoder", str(tmp_path / "encoder"),
        "--store", str(tmp_path / "store"), "--jobs", "1",
    ]  # fmt: skip


def fingerprint(tmp_path: Path) -> str:
    found: str = json.loads((tmp_path / "encoder" / "encoder.json").read_text(encoding="utf-8"))["fingerprint"]
    return found


def test_once_and_again(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--views", "thesis", "--columns", ",".join(COLUMNS), "--spatial"]
    assert main([*arguments, *options]) == ExitCode.DONE
    printed = capsys.readouterr()
    assert "0 images are stored, 4 are to do: 20 rows, some 0.0 MB of " in printed.err
    assert "4 images embedded in" in printed.out
    assert f"20 rows written to {tmp_path / 'store'}" in printed.out
    assert "Research use only" in printed.out
    store = FeatureStore.open(tmp_path / "store", fingerprint(tmp_path))
    assert store.columns() == COLUMNS
    assert store.views() == ("original", "hflip", "rot90", "rot180", "rot270")
    assert main([*arguments, *options, "--json"]) == ExitCode.DONE
    summary = json.loads(capsys.readouterr().out)
    assert (summary["done"], summary["finished"], summary["exit_code"]) == (0, 4, 0)
    assert summary["encoder"].startswith("tiny at 32 px")


def test_bad_images_end_with_3_and_a_line_each(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures" / "image00001.png").write_bytes(b"no image at all")
    (tmp_path / "pictures" / "image00003.png").unlink()
    assert main([*arguments, "--quiet"]) == ExitCode.PARTLY
    printed = capsys.readouterr()
    lines = sorted(printed.err.splitlines())
    assert printed.out == ""
    assert len(lines) == 2
    assert lines[0].startswith(f"dermoscope: {tmp_path / 'pictures' / 'image00001.png'} ")
    assert lines[1] == f"dermoscope: {tmp_path / 'pictures' / 'image00003.png'} does not exist"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--views", "rot45"], "--views: 'rot45' is none of original, hflip"),
        (["--columns", "mean,median"], "--columns: 'median' is none of mean, std, max, levels"),
        (["--columns", ","], "--columns: ',' is none of"),
        (["--jobs", "0"], "--jobs: needs 1 or more"),
        (["--address", "auto"], "--address goes with --engine ray"),
        (["--engine", "abacus"], "--engine"),
    ],
)
def test_wrong_usage(
    extra: list[str], message: str, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = arguments.index(extra[0]) if extra[0] in arguments else len(arguments)
    assert main([*arguments[:at], *extra, *arguments[at + 2 :]]) == ExitCode.USAGE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("what", ["manifest.csv", "encoder/encoder.json", "encoder/encoder.onnx"])
def test_a_missing_file_is_one_line(
    what: str, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / what).unlink()
    assert main([*arguments, "--quiet"]) == ExitCode.FAILED
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert what.rpartition("/")[2] in lines[0]


def test_another_version_of_the_encoder_is_said(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--quiet"]) == ExitCode.DONE
    before = fingerprint(tmp_path)
    tiny_encoder(tmp_path / "encoder", weights="b")
    assert main(arguments) == ExitCode.DONE
    printed = capsys.readouterr().out
    assert "4 images embedded" in printed
    assert f"also holds features of tiny at 32 px, squash (fingerprint {before}); they stay" in printed


def test_another_precision_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*arguments, "--quiet", "--precision", "float32"]) == ExitCode.DONE
    monkeypatch.setattr("dermoscope.features.local_engine.arithmetic", lambda *_: "openvino bfloat16")
    assert main([*arguments, "--quiet"]) == ExitCode.FAILED
    message = capsys.readouterr().err
    assert "computed with openvino float32; this run computes with openvino bfloat16" in message
    assert len(message.splitlines()) == 1


def test_the_graph_is_checked(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = tmp_path / "encoder" / "encoder.onnx"
    before = sha256_of(graph)
    graph.write_bytes(graph.read_bytes()[:-1])
    assert sha256_of(graph) != before
    assert main([*arguments, "--quiet"]) == ExitCode.FAILED
    assert str(graph) in capsys.readouterr().err
