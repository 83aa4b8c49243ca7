"""Progress of a batch on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as RichProgress

from dermoscope.batch import Progress, count_inputs

_SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def progress_display(paths: Sequence[str], *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """What to call after every input; shows rate and time left as soon as the inputs have been counted.

    Args:
        paths: The inputs; they are counted in the background, so that the first image does not wait.
        quiet: Whether to show nothing.
    """
    if quiet:
        yield lambda _: None
        return
    clock = _Clock(paths)
    if not sys.stderr.isatty():
        yield _Lines(clock)
        return
    columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"))
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def update(progress: Progress) -> None:
            bar.update(task, completed=progress.seen, total=clock.total, description=clock.describe(progress))

        yield update


def duration(seconds: float) -> str:
    """A time span for a person, such as `3 h 20 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class _Lines:
    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
            print(self._clock.describe(progress), file=sys.stderr, flush=True)


class _Clock:
    def __init__(self, paths: Sequence[str]) -> None:
        self.total: int | None = None
        self._start = time.monotonic()
        threading.Thread(target=self._count, args=(paths,), daemon=True).start()

    def describe(self, progress: Progress) -> str:
        """Where the run is, how fast it goes, and how long it still takes."""
        elapsed = time.monotonic() - self._start
        rate = (progress.done + progress.failed) / elapsed if elapsed else 0.0
        parts = [f"{progress.seen:,} of {self.total:,} images" if self.total else f"{progress.seen:,} images"]
        if progress.failed:
            parts.append(f"{progress.failed:,} failed")
        if rate:
            parts.append(f"{rate:.1f} images/s")
            if self.total:
                parts.append(f"{duration(max(0, self.total - progress.seen) / rate)} left")
        return ", ".join(parts)

    def _count(self, paths: Sequence[str]) -> None:
        self.total = count_inputs(paths)
