from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dermoscope.cases import CaseStore
from dermoscope.cli import main
from dermoscope.cli.exits import ExitCode
from dermoscope.service import server
from dermoscope.service.server import listen
from dermoscope.service.state import Service
from tests.service.running import SmallAnalyzer

TOKEN = "a-token-of-some-length"


class Started:
    """What the command started, instead of a server and a model."""

    service: Service
    page: str
    settings: dict[str, Any]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Started]:
    found = Started()

    def run(service: Service, listener: socket.socket, *, open_page: str, quiet: bool) -> None:
        assert listener.getsockname()[1] == service.settings.port
        assert not quiet
        found.service, found.page = service, open_page

    def load(bundle: Path | None, **settings: Any) -> SmallAnalyzer:
        found.settings = {"bundle": bundle, **settings}
        return SmallAnalyzer()

    monkeypatch.setattr(server, "serve", run)
    monkeypatch.setattr("dermoscope.analyzer.load_analyzer", load)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    yield found


def test_by_default_this_machine_alone_is_served(started: Started, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "0"]) == ExitCode.DONE
    settings = started.service.settings
    assert (settings.host, settings.token) == ("127.0.0.1", "")
    assert isinstance(started.service.cases, CaseStore)
    assert started.page == ""
    assert capsys.readouterr().out.splitlines()[0] == f"Listening on http://127.0.0.1:{settings.port}/"


def test_options_reach_the_service(started: Started, tmp_path: Path) -> None:
    arguments = [
        "--jobs",
        "3",
        "--queue",
        "5",
        "--max-pixels",
        "1000",
        "--inference",
        "onnxruntime",
        "--name",
        "derma.example",
    ]
    assert main(["serve", "--port", "0", "--cases", str(tmp_path / "mine"), "--open", *arguments]) == 0
    limits = started.service.settings.limits
    assert (limits.workers, limits.queue) == (3, 5)
    assert started.settings["max_pixels"] == 1000
    assert (started.settings["engine"], started.settings["streams"]) == ("onnxruntime", 3)
    assert started.service.settings.answers_to("derma.example")
    assert (tmp_path / "mine").is_dir()
    assert not (tmp_path / "data").exists()
    assert started.page == started.service.settings.address


def test_the_shipped_model_serves_one_mode_at_one_operating_point(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[Service] = []
    monkeypatch.setattr(server, "serve", lambda service, *_, **__: served.append(service))
    point = "malignancy (graz), sensitivity 0.90"
    arguments = ["serve", "--port", "0", "--no-history", "--jobs", "1", "--mode", "fast"]
    assert main([*arguments, "--operating-point", point]) == ExitCode.DONE
    described = served[0].analyzer.describe()
    assert described["mode"] == "fast"
    mode = described["modes"]["fast"]
    assert mode["malignancy_point"] == mode["points"][point]
    capsys.readouterr()
    assert main([*arguments, "--operating-point", "none"]) == ExitCode.FAILED
    assert f"it has: {point}" in capsys.readouterr().err
    assert len(served) == 1


def test_other_machines_need_a_token_which_is_told_once(started: Started, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--no-history"]) == 0
    token = started.service.settings.token
    assert len(token) >= 32
    assert f"?token={token}" in capsys.readouterr().out


def test_a_token_from_a_file_is_not_told(started: Started, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "token.txt").write_text(f"{TOKEN}\n")
    assert main(["serve", "--port", "0", "--no-history", "--token-file", str(tmp_path / "token.txt")]) == 0
    assert started.service.settings.token == TOKEN
    assert TOKEN not in capsys.readouterr().out


def test_without_history_the_way_to_it_is_told(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["serve", "--port", "0", "--no-history"])
    assert started.service.cases is None
    assert "--no-history" in started.service.history_off
    monkeypatch.setattr("dermoscope.cli.serve.find_spec", lambda _: None)
    main(["serve", "--port", "0"])
    assert started.service.cases is None
    assert 'pip install "dermoscope[serve,store]"' in started.service.history_off


@pytest.mark.usefixtures("started")
def test_what_cannot_work_is_told_before_anything_is_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "short.txt").write_text("short")
    (tmp_path / "empty.txt").write_text("")
    for arguments, code, message in (
        (["--jobs", "0"], ExitCode.USAGE, "--jobs: needs 1 or more, not 0"),
        (["--queue", "-1"], ExitCode.USAGE, "--queue: needs 0 or more, not -1"),
        (["--token-file", str(tmp_path / "none.txt")], ExitCode.USAGE, "No such file"),
        (["--token-file", str(tmp_path / "short.txt")], ExitCode.USAGE, "at least 16 letters"),
        (["--token-file", str(tmp_path / "empty.txt")], ExitCode.USAGE, "no token"),
        (["--host", "203.0.113.7"], ExitCode.FAILED, "cannot listen on 203.0.113.7"),
        (["--host", "not a host"], ExitCode.FAILED, "cannot listen on not a host"),
    ):
        assert main(["serve", "--port", "0", *arguments]) == code, arguments
        assert message in capsys.readouterr().err


@pytest.mark.usefixtures("started")
def test_a_port_or_a_folder_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == ExitCode.FAILED
    assert "choose another with --host or --port" in capsys.readouterr().err
    with CaseStore(tmp_path / "cases"):
        assert main(["serve", "--port", "0", "--cases", str(tmp_path / "cases")]) == ExitCode.FAILED
    assert "another process has the cases" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name.startswith("dermoscope.service")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve"]) == ExitCode.FAILED
    assert capsys.readouterr().err == 'dermoscope: fastapi is not installed; run: pip install "dermoscope[serve]"\n'


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("dermoscope serve --open", "--token-file token.txt", 'pip install "dermoscope[serve]"', "--no-open"):
        assert part in text, part
