from __future__ import annotations

import asyncio
import threading
from typing import BinaryIO

import pytest

from dermoscope.service.streaming import streamed


def test_everything_arrives_in_order() -> None:
    def write(stream: BinaryIO) -> None:
        for number in range(2000):
            stream.write(number.to_bytes(4) * 500)

    async def read() -> bytes:
        return b"".join([chunk async for chunk in streamed(write)])

    assert asyncio.run(read()) == b"".join(number.to_bytes(4) * 500 for number in range(2000))


def test_nothing_is_written_far_ahead_of_the_client_and_no_further_once_it_left() -> None:
    written, ended = 0, threading.Event()

    def write(stream: BinaryIO) -> None:
        nonlocal written
        try:
            while True:
                stream.write(bytes(2**20))
                written += 1
        finally:
            ended.set()

    async def read() -> None:
        body = streamed(write)
        assert await anext(body)
        await asyncio.sleep(0.1)
        assert written < 10
        await body.aclose()  # type: ignore[attr-defined]
        assert await asyncio.to_thread(ended.wait, 5)

    asyncio.run(read())


def test_an_error_ends_the_body_too_early() -> None:
    def write(stream: BinaryIO) -> None:
        stream.write(b"abc")
        raise KeyError("x")

    async def read() -> None:
        async for _ in streamed(write):
            pass

    with pytest.raises(KeyError):
        asyncio.run(read())
