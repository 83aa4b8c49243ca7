from __future__ import annotations

import gc
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from dermoscope.data.remote import DownloadError
from dermoscope.data.transfer import ResumableDownloader, proxy_variables, size_text
from tests.data.local_server import Behaviour, serving

CONTENT = bytes(range(256)) * 20_000  # 5 MB: several chunks


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def fetch(address: str, folder: Path, seen: list[tuple[int, int]] | None = None) -> bytes:
    downloader = ResumableDownloader(
        part=folder / "a.zip.part",
        advice="fetch it by hand",
        on_progress=lambda done, total: seen.append((done, total)) if seen is not None else None,
        pause=lambda _: None,
    )
    downloader(address, str(folder / "out"), None)
    assert sorted(path.name for path in folder.iterdir()) == ["out"], "nothing is left lying about"
    return (folder / "out").read_bytes()


def test_whole_file(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with serving(Behaviour({"/a.zip": CONTENT})) as server:
        assert fetch(f"{server.address}/a.zip", tmp_path, seen) == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


def test_broken_connection_goes_on_by_itself(tmp_path: Path) -> None:
    with serving(Behaviour({"/a.zip": CONTENT}, cut_after=[1_500_000, 2_000_000])) as server:
        assert fetch(f"{server.address}/a.zip", tmp_path) == CONTENT
    assert [wanted for _, wanted in server.requests] == ["", "bytes=1500000-", "bytes=3500000-"]


def test_next_run_goes_on_where_the_last_stopped(tmp_path: Path) -> None:
    with serving(Behaviour({"/a.zip": CONTENT}, cut_after=[1_500_000, 0, 0, 0, 0, 0])) as server:
        with pytest.raises(DownloadError, match=r"ended after 1,500,000 of 5,120,000 bytes.*1\.5 MB are kept"):
            fetch(f"{server.address}/a.zip", tmp_path)
        server.requests.clear()
        server.cut_after.clear()
        assert fetch(f"{server.address}/a.zip", tmp_path) == CONTENT
        assert server.requests == [("/a.zip", "bytes=1500000-")]


def test_server_without_ranges_starts_over(tmp_path: Path) -> None:
    with serving(Behaviour({"/a.zip": CONTENT}, ranges=False, cut_after=[1_500_000])) as server:
        assert fetch(f"{server.address}/a.zip", tmp_path) == CONTENT
    assert len(server.requests) == 2


def test_another_part_than_asked_for_is_never_joined(tmp_path: Path) -> None:
    with serving(Behaviour({"/a.zip": CONTENT}, shift=1, cut_after=[1_500_000])) as server:
        with pytest.raises(DownloadError, match="another part of the file than was asked for"):
            fetch(f"{server.address}/a.zip", tmp_path)
        server.shift = 0
        assert fetch(f"{server.address}/a.zip", tmp_path) == CONTENT


def test_a_changed_file_is_never_spliced(tmp_path: Path) -> None:
    with serving(Behaviour({"/a.zip": CONTENT}, cut_after=[1_500_000, 0, 0, 0, 0, 0])) as server:
        with pytest.raises(DownloadError):
            fetch(f"{server.address}/a.zip", tmp_path)
        server.cut_after.clear()
        server.files["/a.zip"] = CONTENT[::-1]
        assert fetch(f"{server.address}/a.zip", tmp_path) == CONTENT[::-1]


def test_a_file_that_has_shrunk_starts_over(tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    with serving(Behaviour({"/a.zip": CONTENT[:1000]}, statuses=[416])) as server:
        address = f"{server.address}/a.zip"
        (tmp_path / "a.zip.part.json").write_text(f'{{"address": "{address}", "version": "\\"x\\"", "total": 0}}')
        assert fetch(address, tmp_path) == CONTENT[:1000]
    assert [wanted for _, wanted in server.requests] == ["bytes=5120000-", ""]


def test_a_complete_part_needs_no_request(tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    address = "http://127.0.0.1:9/a.zip"
    (tmp_path / "a.zip.part.json").write_text(
        f'{{"address": "{address}", "version": "\\"x\\"", "total": {len(CONTENT)}}}'
    )
    assert fetch(address, tmp_path) == CONTENT


def test_a_part_of_unknown_origin_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"something else")
    with serving(Behaviour({"/a.zip": CONTENT})) as server:
        assert fetch(f"{server.address}/a.zip", tmp_path) == CONTENT
    assert server.requests == [("/a.zip", "")]


def test_overloaded_server_is_tried_again_later(tmp_path: Path) -> None:
    with serving(Behaviour({"/a.zip": CONTENT}, cut_after=[1_500_000])) as server:
        server.statuses = []
        downloader_statuses = [503, 429]
        original = server.files["/a.zip"]

        def pause(_: float) -> None:
            server.statuses[:] = [downloader_statuses.pop()] if downloader_statuses else []

        downloader = ResumableDownloader(part=tmp_path / "a.zip.part", advice="", pause=pause)
        downloader(f"{server.address}/a.zip", str(tmp_path / "out"), None)
        assert (tmp_path / "out").read_bytes() == original
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (Behaviour({}), r"/a\.zip answers 404 Not Found: .*; fetch it by hand$"),
        (Behaviour({}, statuses=[403]), "answers 403 Forbidden"),
        (Behaviour({}, statuses=[503]), r"the server answers 503 .*\(proxy variables: none set\); fetch it by hand$"),
        (Behaviour({"/a.zip": b"<html>"}, content_type="text/html; charset=utf-8"), "with a web page instead"),
        (Behaviour({}, redirect="http://example.com/a.zip"), "leads to http://example.com/a.zip, which is not https"),
        (Behaviour({}, redirect="file:///etc/passwd"), "is not allowed"),
    ],
)
def test_refusals_are_one_line(behaviour: Behaviour, message: str, tmp_path: Path) -> None:
    with serving(behaviour) as server, pytest.raises(DownloadError, match=message) as caught:
        fetch(f"{server.address}/a.zip", tmp_path)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1
    assert not list(tmp_path.iterdir())


def test_no_way_there_names_address_proxies_and_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:  # bound but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{port}")
        with pytest.raises(DownloadError) as caught:
            fetch("https://data.example.org/a.zip", tmp_path)
    message = str(caught.value)
    assert "cannot download https://data.example.org/a.zip: connection refused" in message
    assert f"https_proxy=http://…@127.0.0.1:{port}" in message
    assert "secret" not in message
    assert message.endswith("fetch it by hand")
    assert "\n" not in message


# Python's own tunnel leaves its socket to the garbage collector when the proxy says no.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_proxy_that_wants_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Behaviour({})) as server:  # answers 501 to CONNECT, as any server that is no proxy
        monkeypatch.setenv("HTTPS_PROXY", server.address)
        with pytest.raises(DownloadError, match=r"Tunnel connection failed: 501.*HTTPS_PROXY=http://127"):
            fetch("https://data.example.org/a.zip", tmp_path)
    gc.collect()


def test_a_full_disk_is_seen_before_the_body_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    too_little = pytest.raises(DownloadError, match=r"5\.1 MB .* are still to come, but only 1\.0 MB are free")
    with serving(Behaviour({"/a.zip": CONTENT})) as server, too_little:
        fetch(f"{server.address}/a.zip", tmp_path)
    assert not (tmp_path / "a.zip.part").exists()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://me:pass@proxy:3128", "http://…@proxy:3128"),
        ("me:pass@proxy:3128", "…@proxy:3128"),
        ("http://me:p@ss@proxy", "http://…@proxy"),
    ],
)
def test_proxy_variables_hide_passwords(value: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", value)
    assert proxy_variables() == f"HTTP_PROXY={shown}"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (23e9, "23.0 GB"), (5_120_000, "5.1 MB")]
)
def test_size_text(count: float, text: str) -> None:
    assert re.sub(r"\s", " ", size_text(count)) == text
