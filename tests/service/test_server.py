"""A real server: what only a socket and a signal show."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from dermoscope.service.server import StoppableServer, listen
from dermoscope.service.settings import Limits, Settings
from dermoscope.service.state import Service
from tests.service.running import SmallAnalyzer, png
from tests.watch import REPOSITORY


class Served:
    """A server in a thread."""

    def __init__(self, limits: Limits) -> None:
        self.analyzer = SmallAnalyzer()
        self._listener = listen("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self.service = Service(self.analyzer, Settings(port=self.port, limits=limits))
        started = threading.Event()
        self.server = StoppableServer(self.service, started.set)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self._listener]})
        self.thread.start()
        assert started.wait(10)
        self.address = f"http://127.0.0.1:{self.port}"

    def posted(self, **rest: object) -> httpx.Response:
        return httpx.post(f"{self.address}/v1/analyses", timeout=20, **rest)  # type: ignore[arg-type]

    def raw(self, *parts: bytes, pause: float = 0.0) -> bytes:
        """Everything that comes back for some bytes, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


@contextmanager
def serving(limits: Limits | None = None) -> Iterator[Served]:
    served = Served(limits or Limits())
    yield served
    served.analyzer.go.set()
    served.server.should_exit = True
    served.thread.join(10)
    assert not served.thread.is_alive()


@pytest.mark.parametrize(
    ("host", "kind", "status"),
    [
        ("127.0.0.1", "multipart/form-data; boundary=x", 413),
        ("127.0.0.1", "image/jpeg", 415),
        ("evil.example", "image/jpeg", 421),
    ],
)
def test_a_client_that_still_sends_sees_why_it_is_refused(host: str, kind: str, status: int) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n'
    body = part + bytes(20 * 2**20)
    head = f"POST /v1/analyses HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    with serving(Limits(file_bytes=2**20, body_bytes=2**25)) as served:
        answer = served.raw(f"{head}Connection: close\r\n\r\n".encode(), body)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_who_waits_for_leave_to_send_is_refused_at_once() -> None:
    with serving(Limits(body_bytes=1000)) as served:
        head = (
            f"POST /v1/analyses HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Length: 5000000\r\n"
            "Expect: 100-continue\r\n\r\n"
        )
        start = time.perf_counter()
        answer = served.raw(head.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer
    assert time.perf_counter() - start < 5


def test_a_slow_upload_is_ended_and_the_server_lives() -> None:
    with serving(Limits(upload_seconds=0.3)) as served:
        head = (
            f"POST /v1/analyses HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Length: 5000\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        ).encode()
        start = time.perf_counter()
        answer = served.raw(head, b"--", b"x\r\n", b"C", pause=0.05)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert time.perf_counter() - start < 5
        assert served.service.is_idle
        start = time.perf_counter()
        assert served.raw(head, b"broken").startswith(b"HTTP/1.1 400 ")
        assert time.perf_counter() - start < 12
        assert served.posted(files=[("image", png())]).status_code == 200


def test_a_client_that_leaves_frees_its_place() -> None:
    with serving(Limits(workers=1, queue=1)) as served:
        served.analyzer.go.clear()
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{served.address}/v1/analyses", files=[("image", png())], timeout=0.5)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{served.address}/v1/analyses", files=[("image", png())], timeout=0.5)
        until(lambda: served.service.work.admitted == 0)
        served.analyzer.go.set()
        assert served.posted(files=[("image", png())]).status_code == 200
        assert served.analyzer.calls == 2  # the second one that left was never computed


def test_a_stop_finishes_what_is_in_work_and_answers_503_to_the_rest() -> None:
    with serving() as served:
        served.analyzer.go.clear()
        answers: list[int] = []
        running = threading.Thread(target=lambda: answers.append(served.posted(files=[("image", png())]).status_code))
        running.start()
        until(lambda: served.service.work.running == 1)
        served.server.handle_exit(signal.SIGTERM, None)
        refused = httpx.get(f"{served.address}/v1/health")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
        served.analyzer.go.set()
        running.join(10)
        assert answers == [200]
        served.thread.join(10)
        assert not served.thread.is_alive()


def test_a_stop_does_not_wait_for_ever() -> None:
    with serving(replace(Limits(), stop_seconds=0.3)) as served:
        served.analyzer.go.clear()
        running = threading.Thread(target=swallowed, args=(served,))
        running.start()
        until(lambda: served.service.work.running == 1)
        served.server.handle_exit(signal.SIGTERM, None)
        served.thread.join(8)
        assert not served.thread.is_alive()
        running.join(5)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000,
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n0\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_broken_requests_are_refused_and_the_server_lives(head: bytes) -> None:
    with serving() as served:
        if head.startswith(b"\x16"):
            head += b"\r\n\r\n"
        answer = served.raw(head)
        assert re.match(rb"HTTP/1.1 4\d\d ", answer), answer[:100]
        assert httpx.get(f"{served.address}/v1/health").status_code == 200


@pytest.mark.slow
def test_the_command_serves_and_stops(tmp_path: Path) -> None:
    program = "import sys; from dermoscope.cli import main; sys.exit(main())"
    arguments = ["serve", "--port", "0", "--cases", str(tmp_path / "cases"), "--jobs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    ) as process:
        assert process.stdout
        assert process.stderr
        try:
            said = process.stdout.readline()
            address = re.fullmatch(r"Listening on (http://127\.0\.0\.1:\d+/)\n", said)
            assert address, said + process.stderr.read()
            image = next((REPOSITORY / "examples" / "images").glob("*network_light*")).read_bytes()
            answer = httpx.post(f"{address[1]}v1/analyses?keep=true", files=[("image", image)], timeout=60)
            assert answer.json()["results"][0]["analysis"]["mask"]["area_fraction"] > 0.1
            token = answer.json()["results"][0]["image"]
            clicked = httpx.post(f"{address[1]}v1/images/{token}/refine", json={"points": [[300, 200, 1]]}, timeout=60)
            assert clicked.json()["segmentation"]["prompts"]["points"] == [[300, 200, 1]]
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
        log = process.stderr.read()
    assert "POST /v1/images/{token}/refine 200" in log
    assert token not in log
    assert [path.name for path in tmp_path.iterdir()] == ["cases"]


def swallowed(served: Served) -> None:
    with contextlib.suppress(httpx.HTTPError):
        served.posted(files=[("image", png())])


def until(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements() -> None:
    listener = listen("127.0.0.1", 0)
    with listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
