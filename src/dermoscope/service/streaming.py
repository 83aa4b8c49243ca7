"""From a function that writes a file to a body that is sent while it is written: nothing of it lies anywhere."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from typing import Any, BinaryIO, cast

_CHUNK = 256 * 1024
_CHUNKS_AHEAD = 4
_PATIENCE_SECONDS = 60.0


class _Pipe(io.RawIOBase):
    """Takes what a thread writes, and makes it wait while the client is behind."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue(_CHUNKS_AHEAD)
        self.abandoned = False

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(cast(bytes, data))
        if self.abandoned:
            raise BrokenPipeError("the client left")
        asyncio.run_coroutine_threadsafe(self.chunks.put(chunk), self._loop).result(_PATIENCE_SECONDS)
        return len(chunk)


async def streamed(write: Callable[[BinaryIO], object]) -> AsyncIterator[bytes]:
    """What a function writes, as it writes it, in a thread.

    Args:
        write: Writes to a stream that cannot seek; meets `OSError` if the client left, and `TimeoutError` if it reads
            nothing for a minute.

    Raises:
        Exception: What the function raises; the body then ends too early, and the client sees that.
    """
    loop = asyncio.get_running_loop()
    pipe = _Pipe(loop)

    def run() -> None:
        with io.BufferedWriter(pipe, _CHUNK) as stream:
            write(stream)

    done = loop.run_in_executor(None, run)
    done.add_done_callback(lambda future: future.cancelled() or future.exception())  # nobody may be left to ask for it
    try:
        while not (done.done() and pipe.chunks.empty()):
            getter = asyncio.ensure_future(pipe.chunks.get())
            waiting: set[asyncio.Future[Any]] = {getter, done}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                yield getter.result()
            else:
                getter.cancel()
        await done
    finally:
        pipe.abandoned = True
        while not pipe.chunks.empty():
            pipe.chunks.get_nowait()
