"""Computing off the event loop: a few threads, a bounded queue before them, and an end to waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from starlette.requests import Request

from dermoscope.service.errors import ClientGoneError, ServiceError

T = TypeVar("T")

_RETRY_SECONDS = 2


class Work:
    """Threads that compute, and the places before them. For the thread of the event loop alone.

    Args:
        workers: Threads.
        queue: Requests that may wait for one, those still uploading included.
        seconds: For one piece of work, waiting included.

    Attributes:
        admitted: Requests that hold a place: uploading, waiting or running.
        running: Computations under way.
        refused: Requests that found every place taken, so far.
    """

    def __init__(self, workers: int, queue: int, seconds: float) -> None:
        self._places, self._seconds = workers + queue, seconds
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="dermoscope-work")
        self._free = asyncio.Semaphore(workers)
        self.admitted = self.running = self.refused = 0

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits and nothing runs."""
        return self.admitted == self.running == 0

    @property
    def waiting(self) -> int:
        """Admitted requests that do not compute yet."""
        return max(0, self.admitted - self.running)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place from before the body is read until the answer is there, which bounds the memory of all bodies.

        Raises:
            ServiceError: 429 if every place is taken.
        """
        if self.admitted >= self._places:
            self.refused += 1
            raise ServiceError(
                429,
                "busy",
                f"{self.admitted} requests are waiting already; try again in {_RETRY_SECONDS} s",
                {"Retry-After": str(_RETRY_SECONDS)},
            )
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1

    async def run(self, request: Request, compute: Callable[[], T], *, turn: asyncio.Lock | None = None) -> T:
        """Compute in a thread, after those who came before.

        What waits is dropped when its client leaves or its time is over; what runs then runs to its end, and its result
        is discarded.

        Args:
            request: Whose answer it is; its body has been read.
            compute: The work.
            turn: Is held until the work has ended, whether or not anybody waits for it.

        Raises:
            ServiceError: 504 if it took too long.
            ClientGoneError: If the client left.
        """
        return await _unless_gone(request, self._within_time(compute, turn or asyncio.Lock()))

    async def _within_time(self, compute: Callable[[], T], turn: asyncio.Lock) -> T:
        try:
            async with asyncio.timeout(self._seconds):
                await turn.acquire()
                try:
                    await self._free.acquire()
                except BaseException:
                    turn.release()
                    raise
                self.running += 1
                future = asyncio.get_running_loop().run_in_executor(self._threads, compute)
                future.add_done_callback(lambda done: self._end(done, turn))
                return await asyncio.shield(future)
        except TimeoutError:
            raise ServiceError(504, "timeout", f"no answer within {self._seconds:g} s; try again later") from None

    def _end(self, future: asyncio.Future[T], turn: asyncio.Lock) -> None:
        self.running -= 1
        self._free.release()
        turn.release()
        if not future.cancelled():
            future.exception()  # nobody may be left to ask for it

    def close(self) -> None:
        """Let the threads end when they have finished."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _unless_gone(request: Request, answer: Awaitable[T]) -> T:
    work, gone = asyncio.ensure_future(answer), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientGoneError
        return await work
    finally:
        work.cancel()
        gone.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
