"""What the commands that go over many images have in common."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dermoscope.cli.exits import RESEARCH_USE, ExitCode
from dermoscope.cli.machine import available_cores

if TYPE_CHECKING:
    from dermoscope.batch import BatchSummary

_HANDFUL = 8
_MOST_JOBS = 4
_FAILURES_SHOWN = 5


def jobs_for(paths: Sequence[str], cluster_cores: int | None = None) -> int:
    """How many images to work on at once: one for a handful, else one a core, on this machine at most four.

    Args:
        paths: Files, folders and patterns.
        cluster_cores: Those of a cluster that are free, where the work is done there; it gets no more jobs than images.
    """
    from dermoscope.batch import find_inputs

    most = min(available_cores(), _MOST_JOBS) if cluster_cores is None else cluster_cores
    images = sum(1 for _ in islice(find_inputs(paths), max(most, _HANDFUL) + 1))
    return 1 if images <= _HANDFUL else min(most, images)


def origin_of(jobs: int | None) -> str:
    """Where the number of images at once came from, for the end of a message.

    Args:
        jobs: What was asked for; none where nobody did.
    """
    return "that many are taken where --jobs names no number" if jobs is None else f"--jobs {jobs} asked for them"


def code_of(summary: BatchSummary) -> ExitCode:
    """The exit code of a run."""
    if summary.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.PARTLY if summary.failed else ExitCode.DONE


def print_summary(
    summary: BatchSummary, *, verb: str, table: str, totals: Sequence[tuple[int, str, str]], look: Sequence[Path]
) -> None:
    """What a run did, for a person.

    Args:
        summary: Of the run.
        verb: What was done to the images, such as `analysed`.
        table: Name of the file that has the reasons.
        totals: Further rows: number, name and meaning; those of none are left out.
        look: The results, the one to look at first first.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dermoscope.cli.progress import duration
    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(justify="right", style="bold")
    grid.add_column()
    grid.add_column(style="dim")
    grid.add_row(f"{summary.done:,}", verb, f"in {duration(summary.seconds)}")
    if summary.skipped:
        grid.add_row(f"{summary.skipped:,}", "skipped", "finished by an earlier run")
    if summary.failed:
        grid.add_row(f"{summary.failed:,}", "failed", f"each with its reason in {table}")
    for number, name, meaning in totals:
        if number:
            grid.add_row(f"{number:,}", name, meaning)
    console.print(grid)
    for failure in summary.failures[:_FAILURES_SHOWN]:
        console.print(Text(f"  {printable(failure.path)}: {failure.reason}", style="yellow"))
    if summary.failed > _FAILURES_SHOWN:
        console.print(f"  and {summary.failed - _FAILURES_SHOWN:,} more")
    if summary.interrupted:
        console.print("\nInterrupted. Run the same command again to go on: finished images are skipped.")
    else:
        first, *others = (str(path) for path in look)
        console.print(Text(f"\nLook here first: {printable(first)}", style="bold"))
        for path in others:
            console.print(Text(f"For scripts:     {printable(path)}"))
    console.print(RESEARCH_USE, style="dim")
