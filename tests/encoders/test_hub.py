"""Weights come from a hub that runs on this very computer: whole, known, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from safetensors.torch import load_file

from dermoscope.encoders.hub import fetch_weights
from dermoscope.encoders.registry import encoder_spec
from dermoscope.encoders.weights import WeightsError
from tests.encoders.tiny import TINY, write_weights

SPEC = replace(TINY["resnet"][0], hub="someone/small")


class Hub:
    """One file under the address that a hub gives it; remembers what was asked for."""

    def __init__(self, content: bytes) -> None:
        self.asked: list[tuple[str, str]] = []
        self.credentials: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub.answer(self, content, body=False)

            def do_GET(self) -> None:
                hub.answer(self, content, body=True)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler, content: bytes, *, body: bool) -> None:
        self.asked.append((request.command, request.path))
        self.credentials += request.headers.get_all("authorization", [])
        if request.path != "/someone/small/resolve/main/model.safetensors":
            request.send_response(404)
            request.send_header("X-Error-Code", "EntryNotFound")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(200)
        request.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        request.send_header("X-Repo-Commit", "0" * 40)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if body:
            request.wfile.write(content)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_weights(SPEC, tmp_path / "hub")


@pytest.fixture
def hub(weights: Path) -> Iterator[Hub]:
    yield from running(Hub(weights.read_bytes()))


def running(hub: Hub) -> Iterator[Hub]:
    thread = Thread(target=hub.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()
        thread.join()


def test_the_file_comes_whole_and_alone(hub: Hub, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "small.safetensors"
    assert fetch_weights(SPEC, out, endpoint=hub.address) == out
    assert out.read_bytes() == weights.read_bytes()
    assert load_file(out).keys() == load_file(weights).keys()
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert {path for _, path in hub.asked} == {"/someone/small/resolve/main/model.safetensors"}
    assert not hub.credentials


def test_a_known_sum_is_checked(hub: Hub, weights: Path, tmp_path: Path) -> None:
    known = replace(SPEC, sha256=hashlib.sha256(weights.read_bytes()).hexdigest())
    fetch_weights(known, tmp_path / "good.safetensors", endpoint=hub.address)
    other = replace(SPEC, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"someone/small/model\.safetensors is not the known file"):
        fetch_weights(other, tmp_path / "bad.safetensors", endpoint=hub.address)
    assert [path.name for path in tmp_path.glob("*bad*")] == []


def test_a_page_instead_of_weights_is_refused(tmp_path: Path) -> None:
    for hub in running(Hub(b"<html>please log in</html>")):
        with pytest.raises(WeightsError, match="is no safetensors file"):
            fetch_weights(SPEC, tmp_path / "a.safetensors", endpoint=hub.address)
    assert not list(tmp_path.glob("a.*"))


def test_a_model_without_that_file(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"the hub does not give someone/other/model\.safetensors: .*models import"):
        fetch_weights(replace(SPEC, hub="someone/other"), tmp_path / "a.safetensors", endpoint=hub.address)


def test_no_network_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="the hub cannot be reached for someone/small; are you offline") as caught:
        fetch_weights(SPEC, tmp_path / "a.safetensors", endpoint="http://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_what_is_on_no_hub_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"litemedsam is on no hub; .*lite_medsam\.pth.*models import FILE"):
        fetch_weights(encoder_spec("litemedsam"), tmp_path / "a.safetensors")
