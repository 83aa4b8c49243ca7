"""`dermoscope train` with a recipe for masks."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dermoscope.cli.exits import RESEARCH_USE
from dermoscope.cli.training_order import Order

if TYPE_CHECKING:
    from dermoscope.cli.evaluations import OnStep
    from dermoscope.training.mask_forecast import Forecast
    from dermoscope.training.mask_run import TrainedMasks
    from dermoscope.training.recipes import MaskRecipe
    from dermoscope.training.run_folder import EpochMetrics

_SHOWN = ("dice", "jaccard", "thresholded_jaccard", "pixel_accuracy")


def order_masks(
    order: Order, recipe: MaskRecipe, weights: Path, cache: Path, start: Path | None, *, quiet: bool
) -> None:
    """Train a model for masks, show how it goes, and print what came out.

    Args:
        order: What was typed.
        recipe: The recipe that it stands for.
        weights: Pretrained weights.
        cache: Folder for embeddings.
        start: Run folder to go on from, if any.
        quiet: Whether to print nothing.
    """
    from dermoscope.cli.evaluations import steps
    from dermoscope.training.mask_run import Announcements, train_masks

    records = order.records(needs=("mask_path", "split"))
    with steps(quiet=quiet) as on_step:
        on_step("looking for leaks between splits", 0, 0)
        shown = _Shown(on_step, quiet=quiet)
        announce = Announcements(
            on_stage=lambda what: on_step(what, 0, 0),
            on_forecast=shown.forecast,
            on_copy=shown.copies,
            on_step=shown.step,
            on_epoch=shown.epoch,
        )
        source: list[str | Path] = ["--weights", weights]
        source += ["--start", start] if start else []
        with order.begin(records, (recipe.seed,), source) as run:
            trained = train_masks(
                recipe,
                records,
                weights,
                cache,
                run,
                order.out,
                announce=announce,
                start=start,
                threads=order.jobs,
                resamples=order.resamples,
            )
    if not quiet:
        _print(trained, recipe, order)


class _Shown:
    """Turns what a training announces into lines and a bar."""

    def __init__(self, on_step: OnStep, *, quiet: bool) -> None:
        self._on_step, self._quiet = on_step, quiet
        self._start, self._before, self._best = 0.0, 0, ""

    def forecast(self, found: Forecast) -> None:
        from dermoscope.cli.progress import duration

        if self._quiet:
            return
        parts = [f"{duration(found.training_seconds)} for {found.steps:,} steps"]
        if found.embedding_seconds:
            parts.insert(0, f"{duration(found.embedding_seconds)} for embeddings")
        if found.memory_bytes:
            parts.append(f"{found.memory_bytes / 1e9:.1f} GB of memory")
        if found.disk_bytes:
            parts.append(f"{found.disk_bytes / 1e9:.1f} GB on disk")
        print(f"This will take some {', '.join(parts)}.", file=sys.stderr, flush=True)

    def copies(self, done: int, total: int) -> None:
        self._on_step(f"embedding, {self._left(done, total)}", done, total)

    def step(self, done: int, total: int, loss: float) -> None:
        self._on_step(f"loss {loss:.3f}, {self._left(done, total)}{self._best}", done, total)

    def epoch(self, line: EpochMetrics) -> None:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in line.metrics.items())
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


def _print(trained: TrainedMasks, recipe: MaskRecipe, order: Order) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dermoscope.cli.progress import duration
    from dermoscope.evaluation.report.document import interval, number
    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    learnt = f"learnt from {trained.images:,} images, {len(trained.epochs)} epochs, in {duration(trained.seconds)}"
    console.print(f"{recipe.name}: {learnt}")
    estimate = trained.scores["auto"]["dice"].estimate
    console.print(f"Validation, {estimate.n:,} images of {estimate.groups:,} lesions, 95 % intervals by lesion:")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for justify in ("left", "right", "left"):
        table.add_column(justify=justify)
    for source, found in trained.scores.items():
        for metric in _SHOWN:
            one = found[metric].estimate
            table.add_row(f"{metric.replace('_', ' ')}, prompt: {source}", number(one.value), interval(one))
    console.print(table)
    console.print(Text(f"\nThe run: {printable(order.out)}", style="bold"))
    if trained.description.goes_into_a_bundle:
        console.print(Text(f"Use it: dermoscope export {printable(order.out)} --out bundle"))
    console.print(RESEARCH_USE, style="dim")
