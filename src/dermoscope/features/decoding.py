"""Decoding in worker processes: as many images at once as there are processes, and one bad file never ends the run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_process
from typing import Self

from dermoscope.encoders.inputs import InputContract
from dermoscope.features.extraction import Decoded, Failed, WorkItem, decode_views

_KILLED = "ends the process that decodes it; the file is harmful, or memory ran out"

Decode = Callable[[WorkItem, InputContract], Decoded | Failed]


class DecodingPool:
    """Worker processes that read, decode, turn and resize images.

    When a process dies, nobody knows which image it was: those in work are tried again one by one, and the one that
    kills its process a second time is the one that failed.

    Args:
        contract: How the encoder wants its images.
        jobs: Processes; each has two images in work or waiting.
        decode: What a process does; a function at the top of a module.
    """

    def __init__(self, contract: InputContract, jobs: int, decode: Decode = decode_views) -> None:
        self._contract = contract
        self._jobs = jobs
        self._decode = decode
        self._pool = self._start()
        self._working: dict[Future[Decoded | Failed], WorkItem] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def decoded(self, items: Iterable[WorkItem]) -> Iterator[Decoded | Failed]:
        """Images as they are ready, in any order; further ones are taken while the caller works on one."""
        waiting = iter(items)
        self._fill(waiting)
        while self._working:
            done, _ = wait(self._working, return_when=FIRST_COMPLETED)
            for future in done:
                if isinstance(future.exception(), BrokenProcessPool):
                    yield from self._one_by_one()
                    break
                del self._working[future]
                self._fill(waiting)
                yield future.result()
            self._fill(waiting)

    def _fill(self, waiting: Iterator[WorkItem]) -> None:
        while len(self._working) < 2 * self._jobs and (item := next(waiting, None)) is not None:
            try:
                self._working[self._submit(item)] = item
            except BrokenProcessPool as error:
                broken: Future[Decoded | Failed] = Future()
                broken.set_exception(error)
                self._working[broken] = item

    def _one_by_one(self) -> Iterator[Decoded | Failed]:
        suspects = list(self._working.items())
        self._working.clear()
        for future, item in suspects:
            if future.done() and future.exception() is None:
                yield future.result()
                continue
            self._restart()
            try:
                yield self._submit(item).result()
            except BrokenProcessPool:
                yield Failed(item, _KILLED)
        self._restart()

    def _restart(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._start()

    def _submit(self, item: WorkItem) -> Future[Decoded | Failed]:
        return self._pool.submit(self._decode, item, self._contract)

    def _start(self) -> ProcessPoolExecutor:
        # Engines and LanceDB run threads, which do not survive a fork.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._jobs, mp_context=context, initializer=_begin)


def _begin() -> None:
    """Leave Ctrl-C to the parent, say nothing, and end when it ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Image libraries print there what they think of a file, without its name; the parent says it with its name.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait_for_process([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
