from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dermoscope.cli.data.download import download
from dermoscope.cli.exits import ExitCode
from tests.data.local_server import Behaviour, serving


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Path]:
    with serving(Behaviour({"/table.csv": b"image_id\nISIC_1\n"})) as server:
        source = {
            "name": "own",
            "title": "Own images",
            "licence": "for our friends only",
            "citation": "Us, 2026",
            "page": "https://example.org",
            "files": [{"name": "table.csv", "address": f"{server.address}/table.csv"}],
        }
        path = tmp_path / "registry.json"
        path.write_text(json.dumps({"sources": [source]}))
        yield path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_consent_on_the_command_line(registry: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "own"
    assert download("own", to=to, registry=registry, yes=True) == ExitCode.DONE
    said = capsys.readouterr()
    assert "for our friends only" in said.err
    assert "Us, 2026" in said.err
    assert "sha256 6c" not in said.err
    assert "no sum was stated; later downloads must match this one" in said.out
    assert (to / "table.csv").is_file()
    assert download("own", to=to, registry=registry, yes=True, json=True) == ExitCode.DONE
    report = json.loads(capsys.readouterr().out)
    assert report["files"]["table.csv"]["was_there"]
    assert len(report["files"]["table.csv"]["sha256"]) == 64


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 2), ("\n", 2), ("", 2)])
def test_consent_at_the_terminal(
    answer: str,
    code: int,
    registry: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert download("own", to=tmp_path / "own", registry=registry) == code
    assert (tmp_path / "own").exists() == (code == 0)
    said = capsys.readouterr().err
    assert said.index("for our friends only") < said.index("Do you agree")


def test_no_consent_without_a_terminal(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert download("own", to=tmp_path / "own", registry=registry) == ExitCode.USAGE
    assert "the licence above needs your consent; answer y, or add --yes" in capsys.readouterr().err
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("name", "to", "only", "message"),
    [
        ("bogus", "x", None, "unknown data set 'bogus'; known: ham10000"),
        ("isic2019", None, None, "--to: say where isic2019 should go"),
        ("isic2019", "x", ["*.tif"], "--only *.tif: matches no file of isic2019"),
    ],
)
def test_wrong_usage(
    name: str, to: str | None, only: list[str] | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert download(name, to=Path(to) if to else None, only=only, yes=True) == ExitCode.USAGE
    assert message in capsys.readouterr().err


def test_failure_is_one_line(registry: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = registry.read_text().replace("/table.csv", "/gone.csv")
    registry.write_text(broken)
    assert download("own", to=tmp_path / "own", registry=registry, yes=True, quiet=True) == ExitCode.FAILED
    assert capsys.readouterr().err.splitlines()[-1].startswith("dermoscope: http://127.0.0.1:")


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert download() == ExitCode.DONE
    said = capsys.readouterr().out
    assert "ham10000" in said
    assert "CC BY-NC 4.0" in said
    assert download(json=True) == ExitCode.DONE
    assert "isic2020" in json.loads(capsys.readouterr().out)
