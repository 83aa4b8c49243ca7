"""How a training of images goes, as lines and a bar."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dermoscope.cli.evaluations import OnStep
    from dermoscope.training.announcements import Announcements, Forecast
    from dermoscope.training.run_folder import EpochMetrics


class TrainingProgress:
    """Turns what a training announces into lines and a bar.

    Args:
        on_step: Moves the bar.
        kept: What is computed once and kept on disk, such as `embeddings`.
        scores: Which measures of an epoch are shown; none shows all.
        quiet: Whether to print nothing.
    """

    def __init__(self, on_step: OnStep, *, kept: str, scores: tuple[str, ...] = (), quiet: bool) -> None:
        self._on_step, self._kept, self._scores, self._quiet = on_step, kept, scores, quiet
        self._start, self._before, self._best = 0.0, 0, ""

    def announcements(self) -> Announcements:
        """What a training has to call for that."""
        from dermoscope.training.announcements import Announcements

        return Announcements(
            on_stage=lambda what: self._on_step(what, 0, 0),
            on_forecast=self.forecast,
            on_kept=self.cached,
            on_step=self.step,
            on_epoch=self.epoch,
        )

    def forecast(self, found: Forecast) -> None:
        """Say what the training will take."""
        from dermoscope.cli.progress import duration

        if self._quiet:
            return
        parts = [f"{duration(found.training_seconds)} for {found.steps:,} steps"]
        if found.cache_seconds:
            parts.insert(0, f"{duration(found.cache_seconds)} for {self._kept}")
        if found.memory_bytes:
            parts.append(f"{found.memory_bytes / 1e9:.1f} GB of memory")
        if found.disk_bytes:
            parts.append(f"{found.disk_bytes / 1e9:.1f} GB on disk")
        print(f"This will take some {', '.join(parts)}.", file=sys.stderr, flush=True)

    def cached(self, done: int, total: int) -> None:
        """Some more of what is kept is there."""
        self._on_step(f"{self._kept}, {self._left(done, total)}", done, total)

    def step(self, done: int, total: int, loss: float) -> None:
        """A step is done."""
        self._on_step(f"loss {loss:.3f}, {self._left(done, total)}{self._best}", done, total)

    def epoch(self, line: EpochMetrics) -> None:
        """An epoch is done."""
        names = self._scores or tuple(line.metrics)
        scores = ", ".join(f"{name} {line.metrics[name]:.3f}" for name in names)
        self._best = f"; epoch {line.epoch}: {scores}"
        if not self._quiet and not sys.stderr.isatty():
            print(f"epoch {line.epoch}: {scores}", file=sys.stderr, flush=True)

    def _left(self, done: int, total: int) -> str:
        from dermoscope.cli.progress import duration

        now = time.monotonic()
        if done <= self._before or not self._start:  # another work has begun, or goes on with an earlier one
            self._start, self._first = now, done
        self._before = done
        rate = (done - self._first) / (now - self._start) if now > self._start else 0.0
        return f"{duration((total - done) / rate)} left" if rate else "..."
