from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dermoscope.service.settings import Limits
from tests.service.running import asking, code_of


def test_a_length_that_is_too_large_is_refused_before_anything_is_read() -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("was read")
        yield b""

    with asking(limits=Limits(body_bytes=1000)) as service:
        headers = {"Content-Length": "1001", "Expect": "100-continue"}
        assert code_of(service.post("/v1/analyses", content=body(), headers=headers)) == (413, "body-too-large")


@pytest.mark.parametrize("length", ["-5", "abc", "1e9", "٣"])
def test_a_length_that_is_no_number_changes_nothing(length: str) -> None:
    with asking() as service:
        headers = {"Content-Length": length.encode()}
        answer = service.run(service.client.post("/v1/analyses", content=b"abc", headers=headers))  # type: ignore[arg-type]
    assert code_of(answer) == (415, "not-a-form")


def test_json_has_its_own_limit() -> None:
    with asking(limits=Limits(json_bytes=100)) as service:
        answer = service.post("/v1/images/x/refine", json={"points": [[1, 2, 1]] * 50})
    assert code_of(answer) == (413, "body-too-large")


def test_json_without_a_length_is_counted_while_it_comes() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 100
            yield b"[" * 100

    with asking(limits=Limits(json_bytes=1000, body_bytes=5000)) as service:
        answer = service.post("/v1/images/x/refine", content=endless(), headers={"Content-Type": "application/json"})
        assert code_of(answer) == (413, "body-too-large")
    assert sent < 10_000


def test_a_slow_upload_ends() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await asyncio.sleep(20)

    with asking(limits=Limits(upload_seconds=0.2)) as service:
        headers = {"Content-Type": "multipart/form-data; boundary=x", "Expect": "100-continue"}
        answer = service.post("/v1/analyses", content=slow(), headers=headers)
        assert code_of(answer) == (408, "upload-too-slow")
        assert service.service.is_idle


def test_nothing_new_is_taken_while_the_service_stops() -> None:
    with asking() as service:
        service.service.stopping = True
        assert code_of(service.get("/v1/health")) == (503, "stopping")


def test_bytes_are_counted() -> None:
    with asking() as service:
        service.post("/v1/analyses", content=b"a" * 1234)
        service.post("/v1/images/x/refine", json={})
        assert "dermoscope_received_bytes_total 2\n" in service.get("/v1/metrics").text
