"""Measures of validation images, as `dermoscope train` prints them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from dermoscope.evaluation.intervals import Estimate


def print_scores(
    console: Console,
    scores: Mapping[str, Estimate],
    recalls: Mapping[str, Estimate],
    more: Mapping[str, Estimate] | None = None,
) -> None:
    """A table of measures with their intervals.

    Args:
        console: Where to.
        scores: Measures by their key in an evaluation.
        recalls: Recall by class.
        more: Further measures by their name for a person.
    """
    from rich.table import Table

    from dermoscope.evaluation.report.document import interval, number
    from dermoscope.evaluation.report.scores import METRIC_NAMES

    any_score = next(iter(scores.values()))
    console.print(f"Validation, {any_score.n:,} images of {any_score.groups:,} lesions, 95 % intervals by lesion:")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column()
    rows = [(METRIC_NAMES[name], estimate) for name, estimate in scores.items()]
    rows += [(f"Recall, {name}", estimate) for name, estimate in recalls.items()]
    for label, estimate in [*rows, *(more or {}).items()]:
        table.add_row(label, number(estimate.value), interval(estimate))
    console.print(table)
