"""`dermoscope compare`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermoscope.cli.evaluations import carry_out
from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail

if TYPE_CHECKING:
    from dermoscope.evaluation.report.comparison import Comparison

Switch = Annotated[bool, Parameter(show_default=False)]

_WIDTH = 140


def compare(
    runs: list[Path],
    /,
    *,
    out: Path | None = None,
    shared_only: Switch = False,
    resamples: int = 1000,
    seed: int = 0,
    overwrite: Switch = False,
    quiet: Switch = False,
) -> int:
    """Set evaluated runs side by side, each against the first, with paired tests.

    For example, two models on the same test images:

    dermoscope compare evaluation-a evaluation-b --out comparison

    AUCs are tested with DeLong's test, accuracies with McNemar's, and everything with a paired bootstrap over lesions.
    Runs on different images are refused, unless they are to be compared on the images they share.

    Exit codes: 0 all done, 1 failed, 2 wrong usage, 130 interrupted.

    Args:
        runs: Two or more folders that dermoscope evaluate wrote.
        out: Folder for comparison.json, tables and a report; must be new. Without it, tables are only printed.
        shared_only: Compare on the shared images where the runs have different ones.
        resamples: Of every bootstrap.
        seed: Of every bootstrap.
        overwrite: Replace an earlier comparison in the output folder.
        quiet: Print nothing but errors.
    """
    from dermoscope.evaluation.report import Settings
    from dermoscope.evaluation.report.comparison import compare as compare_runs

    if len(runs) < 2:
        return fail("give two runs or more", ExitCode.USAGE)
    if resamples < 1:
        return fail(f"--resamples: must be at least 1, not {resamples}", ExitCode.USAGE)
    command = shlex.join(["dermoscope", *sys.argv[1:]])
    found = carry_out(
        lambda on_step: compare_runs(
            runs,
            out=out,
            shared_only=shared_only,
            overwrite=overwrite,
            command=command,
            settings=Settings(resamples=resamples, seed=seed, on_progress=on_step),
        ),
        out=out,
        quiet=quiet,
    )
    if isinstance(found, ExitCode):
        return found
    if not quiet:
        _print(found)
    return ExitCode.DONE


def _print(found: Comparison) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dermoscope.evaluation.report.comparison import comparison_table
    from dermoscope.evaluation.report.document import text
    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDTH
    for compared in found.numbers:
        source = comparison_table(compared)
        table = Table(title=source.caption, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
        for number, column in enumerate(source.columns):
            table.add_column(column, justify="right" if number else "left", header_style="dim", no_wrap=True)
        for row in source.rows:
            table.add_row(*(Text(text(cell)) for cell in row))
        console.print(table)
        console.print()
    left_out = sum(found.left_out)
    console.print(f"{found.images:,} images" + (f" shared; {left_out:,} left out" if left_out else ""))
    if found.out is not None:
        console.print(Text(f"Look here first: {printable(found.out / 'report.html')}", style="bold"))
    console.print(RESEARCH_USE, style="dim")
